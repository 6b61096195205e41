//! The host gate: for how long the host stood still, and how much of a window that is.
//!
//! Every node tells each second how late its latest timer was. What is later than [`LATE`] was the
//! host's doing, not the lab's; a check is inconclusive when the time that was so lost could have
//! turned it over.

use super::scope::Scope;
use std::collections::BTreeMap;

/// Timers that are later than this, in seconds, were held up by the host.
const LATE: f64 = 0.005;
const METRIC: &str = "timer_lag_seconds";

/// How long the host stood still within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// In all, in seconds.
    pub seconds: f64,
    /// As a share of the window.
    pub share: f64,
}

impl Stall {
    /// The stalls within the windows of a scope: of each second that of the node that was held up most.
    pub fn of(scope: &Scope<'_>) -> Stall {
        let mut worst: BTreeMap<i64, f64> = BTreeMap::new();
        let samples = scope.view.samples.iter();
        for row in samples.filter(|row| row.metric == METRIC && row.value > LATE) {
            // The value is about the second before it was read.
            if scope.touches(row.t - 1_000_000_000, row.t) {
                let second = worst.entry(row.t.div_euclid(1_000_000_000)).or_default();
                *second = second.max(row.value);
            }
        }
        let seconds: f64 = worst.values().sum();
        let window = scope.seconds();
        let share = if window > 0.0 { seconds / window } else { 0.0 };
        Stall {
            seconds,
            share: share.min(1.0),
        }
    }

    /// What is said of it: nothing, where it changes nothing that people see.
    pub fn said(&self) -> String {
        if self.seconds < 0.05 {
            return String::new();
        }
        format!("; the host stood still for {:.1} s of it", self.seconds)
    }
}
