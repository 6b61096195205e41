//! Checks with `abort: true`: looked at each second, over what is known so far. Pure.
//!
//! Owns what is remembered for that, and when a run is given up. Requests that may still be under way
//! are left out, and what can only grow counts as at least what it is now: so a check fails only when it
//! does not hold of what has been, twice in a row.

use super::collect::Checked;
use super::core::Core;
use super::position::Closing;
use crate::check::{Judgement, evaluate};
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::metrics::{LatencyRow, LinkSample, SampleRow};
use crate::record::view::{self, Rows};
use netlab_protocol::control::Sample;
use netlab_protocol::latency::SLOT_NS;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rows remembered; a longer run is not given up any more.
const MAX_ROWS: usize = 2_000_000;
/// Seconds in a row of which a check must not hold.
const SECONDS: u32 = 2;
/// A request that ended is known this much later at most.
const REPORTS: Duration = Duration::from_secs(2);

/// What is remembered of a run for checks that may end it; nothing where there are none.
#[derive(Debug, Default)]
pub(super) struct Watched {
    latency: Vec<LatencyRow>,
    samples: Vec<SampleRow>,
    links: Vec<LinkSample>,
    /// For how many seconds which check has not held.
    failing: BTreeMap<String, u32>,
    /// Whether something is missing.
    is_blind: bool,
}

impl Watched {
    fn is_wanted(&self, lab: &Lab) -> bool {
        !self.is_blind && lab.checks.iter().any(|check| check.abort)
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
        self.bound();
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
        self.bound();
    }

    /// Remembers what links carried.
    pub fn keep_links(&mut self, lab: &Lab, rows: &[LinkSample]) {
        if self.is_wanted(lab) {
            self.links.extend_from_slice(rows);
            self.bound();
        }
    }

    fn bound(&mut self) {
        if self.latency.len() + self.samples.len() + self.links.len() > MAX_ROWS {
            self.blind();
        }
    }

    /// Something was missed: nothing is given up any more.
    pub fn blind(&mut self) {
        *self = Watched {
            is_blind: true,
            ..Watched::default()
        };
    }
}

impl Core {
    /// Ends the run when one of its checks with `abort: true` does not hold.
    pub(super) fn abort_if_hopeless(&mut self, now: u64) {
        let settled = self.longest_timeout() + REPORTS;
        let Some(run) = &self.run else {
            return;
        };
        if run.closing.is_some() || run.player.is_none() || self.watched.is_blind {
            return;
        }
        let checks = self.lab.checks.iter().filter(|check| check.abort);
        let known = self
            .on_run_clock(now)
            .saturating_sub(settled.as_nanos() as i64);
        let mut hopeless = None;
        for check in checks {
            let Watched {
                latency,
                samples,
                links,
                failing,
                ..
            } = &mut self.watched;
            let rows = Rows {
                latency,
                samples,
                links,
            };
            let mut view = view::of(&self.lab, &run.events, rows);
            view.frame.end = known;
            view.running = true;
            let result = evaluate(check, &view);
            let seconds = failing.entry(check.name.clone()).or_default();
            match result.verdict {
                Judgement::Fail => *seconds += 1,
                Judgement::Pass | Judgement::Inconclusive => *seconds = 0,
            }
            if *seconds >= SECONDS {
                let seen = result
                    .observed
                    .iter()
                    .map(|one| format!("{} = {}", one.call, one.text));
                let seen: Vec<String> = seen.collect();
                hopeless = Some(format!(
                    "`{}` does not hold: {}",
                    check.name,
                    seen.join(", ")
                ));
                break;
            }
        }
        if let Some(why) = hopeless {
            self.note(now, None, format!("{why}; the run is given up"));
            self.reason(why);
            self.close(now, Closing::Aborted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{World, lab, scenario};
    use crate::id::NodeIndex;
    use crate::lab::Check;
    use crate::record::event::Verdict;
    use std::collections::BTreeMap;

    /// A lab in which nothing may crash, playing for 10 s after 1 s of warm-up.
    fn playing(abort: bool) -> World {
        let mut lab = lab(2, scenario(Vec::new()));
        lab.checks.push(Check {
            name: "it lives".into(),
            expect: "crashes() == 0".into(),
            abort,
            nodes: BTreeMap::new(),
        });
        let mut world = World::new(lab);
        world.run_for(1.0);
        world.play();
        world.run_for(3.0);
        world
    }

    #[test]
    fn a_check_that_does_not_hold_any_more_ends_the_run() {
        let mut world = playing(true);
        assert_eq!(world.verdict(), None);
        world.die(NodeIndex(1));
        // 2 s until all is known, and 2 s of failing.
        world.run_for(5.5);
        let (verdict, reasons) = world.verdict().unwrap();
        assert_eq!(verdict, Verdict::Failed);
        let why = reasons
            .iter()
            .any(|why| why.contains("`it lives` does not hold"));
        assert!(why, "{reasons:?}");
    }

    #[test]
    fn a_check_that_may_not_abort_waits_for_the_end() {
        let mut world = playing(false);
        world.die(NodeIndex(1));
        world.run_for(5.5);
        assert_eq!(world.verdict(), None);
    }
}
