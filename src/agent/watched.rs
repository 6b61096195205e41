//! What was measured of the run that is playing, for what is judged while it goes on. Pure.
//!
//! Owns what is remembered, and until when all is known. Must not know what is asked of it (`abort`,
//! `conditions`).

use super::collect::Checked;
use super::core::Core;
use super::player::nanoseconds;
use crate::check::View;
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::metrics::{LatencyRow, LinkSample, SampleRow};
use crate::record::event::Event;
use crate::record::view::{self, Rows};
use netlab_protocol::control::Sample;
use netlab_protocol::latency::SLOT_NS;
use std::time::Duration;

/// Rows remembered; of a longer run only the later part.
const MAX_ROWS: usize = 2_000_000;
/// A request that ended is known this much later at most.
const REPORTS: Duration = Duration::from_secs(2);

/// What is remembered of a run for checks that may end it and for conditions; nothing where there are
/// none.
#[derive(Debug, Default)]
pub(super) struct Watched {
    latency: Vec<LatencyRow>,
    samples: Vec<SampleRow>,
    links: Vec<LinkSample>,
    /// Whether nothing is remembered any more, because no condition waits.
    pub is_settled: bool,
    /// Before this time of the run's clock something is missing.
    blind_until: Option<i64>,
}

impl Watched {
    fn is_wanted(&self, lab: &Lab) -> bool {
        let aborts = !self.is_blind() && lab.checks.iter().any(|check| check.abort);
        let conditions = lab.scenario.iter().map(|scenario| &scenario.conditions);
        aborts || !self.is_settled && conditions.flatten().next().is_some()
    }

    /// Whether something is missing of what was measured since the begin.
    pub fn is_blind(&self) -> bool {
        self.blind_until.is_some()
    }

    /// The run as far as it is known until `known`, a time of its clock.
    pub fn view<'r>(&'r self, lab: &'r Lab, events: &[Event], known: i64) -> View<'r> {
        let rows = Rows {
            latency: &self.latency,
            samples: &self.samples,
            links: &self.links,
        };
        let mut view = view::of(lab, events, rows);
        view.frame.end = known;
        view.frame
            .blind
            .extend(self.blind_until.map(|until| i64::MIN..until));
        view
    }

    /// Remembers the requests that `node` reports.
    pub fn keep_requests(&mut self, lab: &Lab, node: NodeIndex, report: &Checked) {
        if !self.is_wanted(lab) {
            return;
        }
        let row = |count: &netlab_protocol::latency::LatencyCount| LatencyRow {
            t: i64::from(count.slot) * SLOT_NS as i64,
            node,
            op: count.op,
            outcome: count.outcome,
            le_us: count.le_us,
            count: u64::from(count.count),
        };
        self.latency.extend(report.latency.iter().map(row));
        self.bound(
            report
                .latency
                .iter()
                .map(|count| i64::from(count.slot) + 1)
                .max()
                .unwrap_or(0)
                * SLOT_NS as i64,
        );
    }

    /// Remembers values that were read at `t`.
    pub fn keep_samples(&mut self, lab: &Lab, node: Option<NodeIndex>, t: i64, samples: &[Sample]) {
        if !self.is_wanted(lab) {
            return;
        }
        let value = |sample: &Sample| SampleRow {
            t,
            node,
            metric: sample.metric.clone(),
            labels: sample.labels.clone(),
            value: sample.value,
        };
        self.samples.extend(samples.iter().map(value));
        self.bound(t);
    }

    /// Remembers what links carried.
    pub fn keep_links(&mut self, lab: &Lab, rows: &[LinkSample]) {
        if self.is_wanted(lab) {
            self.links.extend_from_slice(rows);
            self.bound(rows.iter().map(|row| row.t).max().unwrap_or(0));
        }
    }

    /// Begins anew when there is too much.
    fn bound(&mut self, now: i64) {
        if self.latency.len() + self.samples.len() + self.links.len() > MAX_ROWS {
            self.blind(now);
        }
    }

    /// All that was measured before `until`, a time of the run's clock, is missing.
    pub fn blind(&mut self, until: i64) {
        *self = Watched {
            is_settled: self.is_settled,
            blind_until: self.blind_until.max(Some(until)),
            ..Watched::default()
        };
    }
}

impl Core {
    /// Until when all is known, on the run's clock: requests that may still be under way, or whose
    /// report may, were intended later.
    pub(super) fn known_until(&self, now: u64) -> i64 {
        let settled = self.longest_timeout() + REPORTS;
        let known = self.on_run_clock(now) - nanoseconds(settled) as i64;
        known - known.rem_euclid(SLOT_NS as i64)
    }
}
