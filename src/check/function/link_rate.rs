//! `link_rate`: what links delivered per second.

use crate::check::answer::Answer;
use crate::check::scope::Scope;
use crate::check::traffic::Traffic;
use crate::metrics::LinkMetric;

/// Bits of a byte.
const BITS: f64 = 8.0;

pub fn answer(scope: &Scope<'_>) -> Answer {
    let traffic = Traffic::of(scope);
    match traffic.count(&[LinkMetric::BytesTotal]) {
        _ if traffic.seconds() <= 0.0 => Answer::nothing("the window is empty"),
        Answer::Seen(bytes) => {
            let per_second = |bytes: f64| BITS * bytes / traffic.seconds();
            let how = format!("in {:.1} s, {}", traffic.seconds(), bytes.how);
            Answer::between(
                per_second(bytes.seen),
                per_second(bytes.low),
                per_second(bytes.high),
                how,
            )
        }
        nothing => nothing,
    }
}
