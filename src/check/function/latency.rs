//! `latency`: a percentile over the answered requests that crossed the network.

use crate::check::answer::{Answer, many};
use crate::check::scope::Scope;
use crate::check::stall::Stall;
use crate::expr::{Argument, Call};

/// The percentile, unless said.
const PERCENTILE: f64 = 0.99;

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    let percentile = match call.argument("percentile") {
        Some(Argument::Percentile(share)) => *share,
        _ => PERCENTILE,
    };
    let stats = scope.stats();
    let at = |share: f64| Some(stats.quantile(share)? as f64 / 1e6);
    let Some(value) = at(percentile) else {
        return Answer::nothing("no request was answered over the network then");
    };
    let stall = Stall::of(scope);
    let how = format!("of {}{}", many(stats.timed(), "answer"), stall.said());
    // Without the stalls those that came late because of them had been faster.
    let low = at(percentile * (1.0 - stall.share)).unwrap_or(0.0);
    Answer::between(value, low, value, how)
}
