//! `success`: the share of requests that were answered as they should be.

use super::NO_REQUESTS;
use crate::check::answer::{Answer, many};
use crate::check::scope::Scope;
use crate::check::stall::Stall;

pub fn answer(scope: &Scope<'_>) -> Answer {
    let stats = scope.stats();
    let (all, good) = (stats.requests(), stats.succeeded());
    if all == 0 {
        return Answer::nothing(NO_REQUESTS);
    }
    let share = good as f64 / all as f64;
    let stall = Stall::of(scope);
    let how = format!("{good} of {}{}", many(all, "request"), stall.said());
    // A host that stands still makes requests fail, never succeed.
    Answer::between(share, share, (share + stall.share).min(1.0), how)
}
