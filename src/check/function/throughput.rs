//! `throughput`: successes per second.

use super::NO_REQUESTS;
use crate::check::answer::{Answer, many};
use crate::check::scope::Scope;
use crate::check::stall::Stall;

pub fn answer(scope: &Scope<'_>) -> Answer {
    let (stats, seconds) = (scope.stats(), scope.seconds());
    if stats.requests() == 0 || seconds == 0.0 {
        return Answer::nothing(NO_REQUESTS);
    }
    let good = stats.succeeded();
    let rate = good as f64 / seconds;
    let stall = Stall::of(scope);
    let high = if stall.share < 1.0 {
        rate / (1.0 - stall.share)
    } else {
        f64::INFINITY
    };
    let how = format!("{} in {seconds:.1} s{}", many(good, "answer"), stall.said());
    Answer::between(rate, rate, high, how)
}
