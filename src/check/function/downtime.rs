//! `downtime`: the time in which too few requests succeed.

use super::{NO_REQUESTS, availability};
use crate::check::answer::Answer;
use crate::check::scope::Scope;
use crate::check::stall::Stall;
use crate::expr::Call;
use netlab_protocol::latency::SLOT_NS;

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    let slots = availability::slots(call, scope);
    if slots.all == 0 {
        return Answer::nothing(NO_REQUESTS);
    }
    let down = slots.all - slots.up;
    let seconds = down as f64 * SLOT_NS as f64 / 1e9;
    let stall = Stall::of(scope);
    let how = format!("{down} of {} slots of 100 ms{}", slots.all, stall.said());
    Answer::between(seconds, (seconds - stall.seconds).max(0.0), seconds, how)
}
