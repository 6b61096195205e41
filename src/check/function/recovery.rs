//! `recovery`: from the start of a fault's healing to the first sustained return to a share of the
//! successes per second before it.
//!
//! Sustained means over a whole second, [`SUSTAINED`]. The worst of several occurrences counts.

use crate::check::answer::{Answer, Range};
use crate::check::scope::{Scope, occurrences, share};
use crate::check::stall::Stall;
use crate::check::window::{Kind, Window, windows};
use crate::expr::{Argument, Call, Quantity, Type};
use netlab_protocol::latency::SLOT_NS;
use std::collections::BTreeMap;

/// Share of the successes before, unless said.
const SHARE: f64 = 0.95;
/// How many slots a return must last.
const SUSTAINED: i64 = 10;
const SLOT: i64 = SLOT_NS as i64;

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    let Some(Argument::Fault(fault, _)) = call.argument("fault") else {
        return Answer::nothing("no fault is named");
    };
    let first = occurrences(fault, scope.view).into_iter().next();
    let Some(baseline) = first.and_then(|at| baseline(scope, at)) else {
        return Answer::Nothing(format!(
            "nothing succeeded before {fault}: there is no baseline"
        ));
    };
    let wanted = baseline * share(call, "share", SHARE);
    let windows = scope.windows.iter();
    let answers = windows.map(|window| one(scope, fault, window, wanted));
    let mut worst: Option<Range> = None;
    for answer in answers {
        match answer {
            Answer::Nothing(why) => return Answer::Nothing(why),
            Answer::Seen(range) => {
                if worst.as_ref().is_none_or(|worst| range.high > worst.high) {
                    worst = Some(range);
                }
            }
        }
    }
    worst.map_or_else(|| Answer::nothing("it never happened"), Answer::Seen)
}

/// Successes per second before the fault.
fn baseline(scope: &Scope<'_>, at: usize) -> Option<f64> {
    let mut before = windows(&scope.view.faults, &[at], &scope.view.frame);
    before.retain(|window| window.kind == Kind::Before);
    let before = scope.at(before);
    let rate = before.stats().succeeded() as f64 / before.seconds();
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

fn one(scope: &Scope<'_>, fault: &str, window: &Window, wanted: f64) -> Answer {
    let (from, end) = (window.range.start, window.range.end);
    let after = scope.at(vec![window.clone()]);
    let mut good: BTreeMap<i64, u64> = BTreeMap::new();
    for row in after.rows().filter(|row| row.outcome.is_success()) {
        *good.entry(row.t / SLOT).or_default() += row.count;
    }
    let first = from.div_euclid(SLOT) + i64::from(from.rem_euclid(SLOT) > 0);
    let last = end.div_euclid(SLOT) - SUSTAINED;
    if last < first {
        return Answer::nothing(format!("less than a second was left after {fault}"));
    }
    let within = |slot: i64| -> u64 { good.range(slot..slot + SUSTAINED).map(|(_, n)| n).sum() };
    // A fixed pace may put one request more or less into a second.
    let enough = (wanted * SUSTAINED as f64 * SLOT as f64 / 1e9).floor() as u64;
    let back = (first..=last).find(|slot| within(*slot) >= enough);
    let stall = Stall::of(&after);
    let rate = Quantity::new(Type::Rate, wanted);
    let seconds = |slot: i64| (slot * SLOT - from) as f64 / 1e9;
    match back {
        Some(slot) => {
            let value = seconds(slot);
            let how = format!("until {rate} succeed again{}", stall.said());
            Answer::between(value, (value - stall.seconds).max(0.0), value, how)
        }
        None => {
            let how = format!("{rate} did not succeed again{}", stall.said());
            Answer::at_least(seconds(last), how)
        }
    }
}
