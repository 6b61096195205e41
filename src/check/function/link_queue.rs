//! `link_queue`: the longest queue of a link that was seen.

use crate::check::answer::Answer;
use crate::check::scope::Scope;
use crate::check::traffic::Traffic;
use crate::metrics::LinkMetric;

pub fn answer(scope: &Scope<'_>) -> Answer {
    Traffic::of(scope).most(LinkMetric::QueueBytes)
}
