//! `budget_used`: failures by those that an objective allows (*Site Reliability Engineering*, ch. 3).

use super::NO_REQUESTS;
use crate::check::answer::{Answer, many};
use crate::check::scope::{Scope, share};
use crate::check::stall::Stall;
use crate::expr::Call;

/// The objective, unless said; the parameter is needed.
const OBJECTIVE: f64 = 0.999;

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    let allowed = 1.0 - share(call, "objective", OBJECTIVE);
    let stats = scope.stats();
    let all = stats.requests();
    if all == 0 {
        return Answer::nothing(NO_REQUESTS);
    }
    if allowed <= 0.0 {
        return Answer::nothing("an objective of 100% leaves no budget");
    }
    let failed = all - stats.succeeded();
    let share = failed as f64 / all as f64;
    let stall = Stall::of(scope);
    let how = format!(
        "{failed} of {} failed{}",
        many(all, "request"),
        stall.said()
    );
    let low = (share - stall.share).max(0.0) / allowed;
    Answer::between(share / allowed, low, share / allowed, how)
}
