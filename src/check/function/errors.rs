//! `errors`: how many requests failed, or ended in one way.

use super::NO_REQUESTS;
use crate::check::answer::{Answer, many};
use crate::check::scope::Scope;
use crate::check::stall::Stall;
use crate::expr::{Argument, Call};

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    let stats = scope.stats();
    let all = stats.requests();
    if all == 0 {
        return Answer::nothing(NO_REQUESTS);
    }
    let failed = match call.argument("outcome") {
        Some(Argument::Outcome(outcome)) => stats.outcomes.get(outcome).copied().unwrap_or(0),
        _ => all - stats.succeeded(),
    };
    let stall = Stall::of(scope);
    let how = format!("of {}{}", many(all, "request"), stall.said());
    let spared = (stall.share * all as f64).ceil();
    let failed = failed as f64;
    Answer::between(failed, (failed - spared).max(0.0), failed, how)
}
