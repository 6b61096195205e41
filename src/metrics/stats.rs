//! Counts and percentiles of the requests in a window.

use super::LatencyRow;
use netlab_protocol::latency::{Op, Outcome};
use std::collections::BTreeMap;

/// What is known about the requests of some slots.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// How many ended how.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// How many of them a peer answered from its own keys.
    pub local: u64,
    /// Successes that crossed the network, by latency bucket in microseconds.
    buckets: BTreeMap<u64, u64>,
}

impl Stats {
    /// Counts one row.
    pub fn add(&mut self, row: &LatencyRow) {
        let count = row.count;
        *self.outcomes.entry(row.outcome).or_default() += count;
        match row.op {
            Op::LocalRead | Op::LocalWrite => self.local += count,
            Op::Read | Op::Write if row.outcome.is_success() => {
                *self.buckets.entry(row.le_us).or_default() += count;
            }
            Op::Read | Op::Write => {}
        }
    }

    /// All requests, those never sent among them.
    pub fn requests(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Requests that were answered as they should be.
    pub fn succeeded(&self) -> u64 {
        let good = self.outcomes.iter().filter(|(o, _)| o.is_success());
        good.map(|(_, count)| count).sum()
    }

    /// How many successes crossed the network: those that percentiles are about.
    pub fn timed(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// Upper edge of the bucket that a share of these does not exceed; none when there was none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        // A share such as 0.999 is not exact: a rank that is a whole number stays it.
        let rank = (self.timed() as f64 * share - 1e-6).ceil().max(1.0) as u64;
        self.at_rank(rank)
    }

    /// Upper edge of the bucket that holds the `permille`th of the successes that crossed the
    /// network; none when there was none.
    pub fn percentile(&self, permille: u64) -> Option<u64> {
        self.at_rank((self.timed() * permille).div_ceil(1000).max(1))
    }

    fn at_rank(&self, rank: u64) -> Option<u64> {
        at_rank(
            self.buckets.iter().map(|(&edge, &count)| (edge, count)),
            rank,
        )
    }
}

/// The bucket that holds the `rank`th of all, counted from 1; none when there are fewer.
pub fn at_rank<B>(buckets: impl IntoIterator<Item = (B, u64)>, rank: u64) -> Option<B> {
    let mut seen = 0;
    buckets.into_iter().find_map(|(bucket, count)| {
        seen += count;
        (seen >= rank).then_some(bucket)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(op: Op, outcome: Outcome, le_us: u64, count: u64) -> LatencyRow {
        LatencyRow {
            t: 0,
            node: crate::id::NodeIndex(0),
            op,
            outcome,
            le_us,
            count,
        }
    }

    #[test]
    fn ranks_and_shares() {
        let mut stats = Stats::default();
        stats.add(&row(Op::Read, Outcome::Ok, 100, 98));
        stats.add(&row(Op::Write, Outcome::Missing, 200, 1));
        stats.add(&row(Op::Read, Outcome::Ok, 300, 1));
        stats.add(&row(Op::Read, Outcome::Dropped, 0, 10));
        stats.add(&row(Op::LocalRead, Outcome::Ok, 1, 5));
        assert_eq!(stats.percentile(500), Some(100));
        assert_eq!(stats.percentile(990), Some(200));
        assert_eq!(stats.percentile(1000), Some(300));
        assert_eq!(
            (stats.requests(), stats.succeeded(), stats.local),
            (115, 105, 5)
        );
        assert_eq!(Stats::default().percentile(500), None);
    }
}
