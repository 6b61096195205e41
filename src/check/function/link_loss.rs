//! `link_loss`: the share of the packets that links did not deliver.

use crate::check::answer::Answer;
use crate::check::scope::Scope;
use crate::check::traffic::{Traffic, drops};
use crate::expr::Call;

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    Traffic::of(scope).share(&drops(call))
}
