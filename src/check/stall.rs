//! The host gate: for how long the host stood still, and how much of a window that is.
//!
//! At each sample nodes, agent and fabric tell how late their latest timer or packet was, and the
//! kernel tells what share of the processors' time the hypervisor gave to others and what share was
//! idle. What is later than [`LATE`] was the host's doing, not the lab's; a check is inconclusive when
//! the time that was so lost could have turned it over. Processors that are merely all at work delay
//! nothing as long as timers are in time: that is said, and turns nothing over. So are a node's own timers
//! while a fault pauses or throttles it: that it is late is what was asked for.

use super::scope::Scope;
use super::view::View;
use super::window::FaultTimes;
use crate::metrics::SampleRow;
use std::collections::BTreeMap;

/// What is later than this, in seconds, was held up by the host.
const LATE: f64 = 0.005;
/// A share of stolen time below this is what virtual machines live with.
const STOLEN: f64 = 0.1;
/// With less of its time idle than this share the host has nothing left.
const BUSY: f64 = 0.05;
/// A pause between two samples that is longer than this, in seconds, is a gap.
const LONGEST: f64 = 2.0;
const SECOND: i64 = 1_000_000_000;

/// What the host did within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// For how many seconds it stood still.
    pub seconds: f64,
    /// The same as a share of the window.
    pub share: f64,
    /// For how many seconds it had no processor to spare.
    pub busy: f64,
}

/// What the host did in the whole scenario, as a sentence without its end; none where it was no
/// bottleneck.
pub fn host_said(view: &View<'_>) -> Option<String> {
    let said = Stall::of(&Scope::whole(view)).said();
    let said = said.strip_prefix("; ")?.replace(" of it", "");
    Some(format!("the host was a bottleneck: {said}"))
}

impl Stall {
    /// The stalls within the windows of a scope: of each second those of who was held up most.
    pub fn of(scope: &Scope<'_>) -> Stall {
        let mut stalled: BTreeMap<i64, BTreeMap<(Option<u32>, &str), f64>> = BTreeMap::new();
        let (mut busy, mut before) = (0.0, None);
        for row in scope.view.samples {
            let since = match row.metric.as_str() {
                "host_cpu_idle_ratio" | "host_cpu_stolen_ratio" => interval(&mut before, row),
                _ => 1.0,
            };
            // The value is about the time before it was read.
            if !scope.touches(row.t - (since * 1e9) as i64, row.t) {
                continue;
            }
            if row.metric == "host_cpu_idle_ratio" && row.value < BUSY {
                busy += since;
            }
            if held_up(scope.view, row, since) {
                continue;
            }
            if let Some(lost) = lost(row, since) {
                let second = stalled.entry(row.t.div_euclid(SECOND)).or_default();
                let who = (row.node.map(|node| node.0), row.metric.as_str());
                *second.entry(who).or_default() += lost;
            }
        }
        let worst = |second: &BTreeMap<_, f64>| second.values().copied().fold(0.0, f64::max);
        let seconds: f64 = stalled.values().map(worst).sum();
        let window = scope.seconds();
        let share = if window > 0.0 { seconds / window } else { 0.0 };
        Stall {
            seconds,
            share: share.min(1.0),
            busy: busy.min(window),
        }
    }

    /// What is said of it: nothing, where it changes nothing that people see.
    pub fn said(&self) -> String {
        let mut said = String::new();
        if self.seconds >= 0.05 {
            said = format!("; the host stood still for {:.1} s of it", self.seconds);
        }
        if self.busy >= 0.5 {
            said += &format!("; no processor was idle for {:.1} s of it", self.busy);
        }
        said
    }
}

/// Seconds from the sample before to this one, both values of which have one time.
fn interval(before: &mut Option<(i64, f64)>, row: &SampleRow) -> f64 {
    let since = match *before {
        Some((t, since)) if t == row.t => since,
        Some((t, _)) => ((row.t - t) as f64 / 1e9).clamp(0.0, LONGEST),
        None => 1.0,
    };
    *before = Some((row.t, since));
    since
}

/// Whether a fault held the programs of the node up that tells it: then it is late by the fault's doing,
/// and no witness of the host's.
fn held_up(view: &View<'_>, row: &SampleRow, since: f64) -> bool {
    let Some(node) = row.node.and_then(|node| view.lab.nodes.get(node.at())) else {
        return false;
    };
    let from = row.t - (since * 1e9) as i64;
    let in_force =
        |fault: &FaultTimes| from < fault.healed.unwrap_or(i64::MAX) && row.t > fault.requested;
    let mut holding = view.faults.iter().filter(|fault| in_force(fault));
    holding.any(|fault| fault.held.iter().any(|held| held == node.name.as_str()))
}

/// Seconds that a value says were lost, of the `since` that it is about.
fn lost(row: &SampleRow, since: f64) -> Option<f64> {
    let late = match (row.metric.as_str(), row.labels.as_str()) {
        ("timer_lag_seconds" | "host_timer_lag_seconds", _)
        | ("fabric_lag_seconds", "quantile=1") => row.value,
        ("host_cpu_stolen_ratio", _) if row.value > STOLEN => row.value * since,
        _ => return None,
    };
    (late > LATE).then_some(late)
}
