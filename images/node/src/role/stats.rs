//! What a role counts: requests by intended slot, outcome and latency, and plain samples.

use netlab_protocol::control::Sample;
use netlab_protocol::latency::{LatencyCount, Op, Outcome, SLOT_NS, bucket};
use std::collections::BTreeMap;

/// Most rows in one report, so that a line stays below its bound; the rest comes with the next.
pub const MAX_ROWS: usize = 20_000;

/// Requests that ended, not yet reported.
#[derive(Debug, Default)]
pub struct Latency {
    rows: BTreeMap<(u32, Op, Outcome, u64), u32>,
}

impl Latency {
    /// Counts a request intended `intended` after the run's zero, which took `took` until it ended
    /// (both in nanoseconds).
    pub fn count(&mut self, intended: u64, op: Op, outcome: Outcome, took: u64) {
        let slot = u32::try_from(intended / SLOT_NS).unwrap_or(u32::MAX);
        let le_us = match outcome {
            Outcome::Dropped => 0,
            _ => bucket(took / 1_000),
        };
        *self.rows.entry((slot, op, outcome, le_us)).or_default() += 1;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// Takes the oldest rows, at most [`MAX_ROWS`].
    pub fn take(&mut self) -> Vec<LatencyCount> {
        let rest = match self.rows.keys().nth(MAX_ROWS).copied() {
            Some(first) => self.rows.split_off(&first),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut self.rows, rest)
            .into_iter()
            .map(|((slot, op, outcome, le_us), count)| LatencyCount {
                slot,
                op,
                outcome,
                le_us,
                count,
            })
            .collect()
    }
}

/// A sample without labels.
pub fn sample(metric: &str, value: f64) -> Sample {
    labelled(metric, String::new(), value)
}

/// A sample with labels (`key=value`).
pub fn labelled(metric: &str, labels: String, value: f64) -> Sample {
    Sample {
        metric: metric.into(),
        labels,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_add_up_and_large_reports_are_split() {
        let mut latency = Latency::default();
        for slot in 0..(MAX_ROWS as u64 + 5) {
            latency.count(slot * SLOT_NS, Op::Read, Outcome::Ok, 10_000);
            latency.count(slot * SLOT_NS + 1, Op::Read, Outcome::Ok, 10_999);
        }
        let first = latency.take();
        assert_eq!(first.len(), MAX_ROWS);
        assert!(first.iter().all(|row| row.count == 2 && row.le_us == 10));
        assert_eq!(latency.take().len(), 5);
        assert!(latency.take().is_empty());
    }
}
