//! `availability`: the share of the time in which enough requests succeed (time-based availability,
//! *Site Reliability Engineering*, ch. 3).

use super::NO_REQUESTS;
use crate::check::answer::Answer;
use crate::check::scope::{Scope, share};
use crate::check::stall::Stall;
use crate::expr::Call;
use netlab_protocol::latency::SLOT_NS;
use std::collections::BTreeMap;

/// Share of a slot's requests that must succeed, unless said.
const ENOUGH: f64 = 0.5;

/// Slots of 100 ms in which something is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slots {
    /// Enough requests succeeded.
    pub up: u64,
    /// All.
    pub all: u64,
}

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    let slots = slots(call, scope);
    if slots.all == 0 {
        return Answer::nothing(NO_REQUESTS);
    }
    let value = slots.up as f64 / slots.all as f64;
    let stall = Stall::of(scope);
    let how = format!("{} of {} slots{}", slots.up, slots.all, stall.said());
    Answer::between(value, value, (value + stall.share).min(1.0), how)
}

/// A slot in which nothing was intended (all users wait) is like the one before it.
pub fn slots(call: &Call, scope: &Scope<'_>) -> Slots {
    let enough = share(call, "share", ENOUGH);
    let mut counts: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for row in scope.rows() {
        let (good, all) = counts.entry(row.t).or_default();
        *good += if row.outcome.is_success() {
            row.count
        } else {
            0
        };
        *all += row.count;
    }
    let slot = SLOT_NS as i64;
    let mut slots = Slots::default();
    for window in &scope.windows {
        let mut up = None;
        let first = window.range.start.max(0) / slot * slot;
        let starts = (first..window.range.end).step_by(SLOT_NS as usize);
        for start in starts.filter(|start| window.holds(*start)) {
            if let Some((good, all)) = counts.get(&start) {
                up = Some(*good as f64 >= enough * *all as f64);
            }
            slots.all += u64::from(up.is_some());
            slots.up += u64::from(up == Some(true));
        }
    }
    slots
}
