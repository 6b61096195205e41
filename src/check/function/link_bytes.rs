//! `link_bytes`: what links delivered, in bytes.

use crate::check::answer::Answer;
use crate::check::scope::Scope;
use crate::check::traffic::Traffic;
use crate::metrics::LinkMetric;

pub fn answer(scope: &Scope<'_>) -> Answer {
    Traffic::of(scope).count(&[LinkMetric::BytesTotal])
}
