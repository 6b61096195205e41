//! What is drawn of requests: equal bins of the intended time, by role.
//!
//! Percentiles of a bin come from its merged histogram, never from averages of percentiles.

use crate::record::Run;
use crate::report::stats::Stats;
use crate::report::window::Frame;
use netlab_protocol::latency::{Outcome, SLOT_NS};
use std::collections::BTreeMap;

/// More bins than this are no easier to read.
const BINS: i64 = 240;
/// Slots per bin: the steps that people count in.
const SLOTS: [i64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 600, 3000];

/// The requests of one role over the time of a run.
#[derive(Clone, Debug)]
pub(super) struct RoleSeries {
    /// The role.
    pub role: String,
    /// Its bins, from the run's go on.
    pub bins: Vec<Bin>,
}

/// One bin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bin {
    /// Its middle, in seconds of scenario time.
    pub at: f64,
    /// Share of successes; none when nothing was intended.
    pub success: Option<f64>,
    /// Successes per second.
    pub answers: f64,
    /// Median latency of successes in milliseconds.
    pub p50: Option<f64>,
    /// 99th percentile of the same.
    pub p99: Option<f64>,
    /// Failures per second, by outcome.
    pub failures: BTreeMap<Outcome, f64>,
}

/// Length of a bin in nanoseconds for a run of this length.
pub(super) fn width(length: i64) -> i64 {
    let slot = SLOT_NS as i64;
    let fits = |slots: &&i64| length / (**slots * slot) <= BINS;
    SLOTS.iter().find(fits).unwrap_or(&SLOTS[9]) * slot
}

/// The series of every role that asked anything, by name.
pub(super) fn series(record: &Run, frame: &Frame, width: i64) -> Vec<RoleSeries> {
    let bins = usize::try_from((frame.end / width).max(0)).unwrap_or(0);
    let mut roles: BTreeMap<&str, Vec<Stats>> = BTreeMap::new();
    for row in &record.latency {
        let bin = usize::try_from(row.t / width).unwrap_or(usize::MAX);
        if let Some(node) = record.lab.nodes.get(row.node.at())
            && bin < bins
        {
            let role = roles.entry(node.role());
            role.or_insert_with(|| vec![Stats::default(); bins])[bin].add(row);
        }
    }
    let seconds = width as f64 / 1e9;
    let one = |(role, stats): (&str, Vec<Stats>)| RoleSeries {
        role: role.to_owned(),
        bins: (0_i64..)
            .zip(&stats)
            .map(|(at, stats)| Bin {
                at: ((at * width - frame.warmup) as f64 / 1e9) + seconds / 2.0,
                ..bin(stats, seconds)
            })
            .collect(),
    };
    roles.into_iter().map(one).collect()
}

fn bin(stats: &Stats, seconds: f64) -> Bin {
    let (requests, succeeded) = (stats.requests(), stats.succeeded());
    let ms = |permille| stats.percentile(permille).map(|us| us.max(1) as f64 / 1e3);
    let failed = stats
        .outcomes
        .iter()
        .filter(|(o, n)| !o.is_success() && **n > 0);
    Bin {
        at: 0.0,
        success: (requests > 0).then(|| succeeded as f64 / requests as f64),
        answers: succeeded as f64 / seconds,
        p50: ms(500),
        p99: ms(990),
        failures: failed.map(|(o, n)| (*o, *n as f64 / seconds)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_of_lengths_that_people_count_in() {
        const S: i64 = 1_000_000_000;
        assert_eq!(width(10 * S), S / 10);
        assert_eq!(width(30 * S), S / 5);
        assert_eq!(width(200 * S), S);
        assert_eq!(width(i64::MAX), 300 * S);
    }
}
