//! What the node's log tells of its own load: failures by kind, as soon as there are some, and no more
//! than one line in [`PERIOD`].

use netlab_protocol::latency::{LatencyCount, Outcome, SLOT_NS};
use std::collections::BTreeMap;

/// Between two lines, in nanoseconds.
const PERIOD: u64 = 10_000_000_000;

/// Failures that were not told yet.
#[derive(Debug, Default)]
pub struct Told {
    failed: BTreeMap<Outcome, u64>,
    /// Slot of the first of them.
    first: Option<u32>,
    /// When the last line was written.
    last: Option<u64>,
}

impl Told {
    /// Takes requests that ended; gives a line when there is something to tell.
    pub fn add(&mut self, now: u64, rows: &[LatencyCount]) -> Option<String> {
        for row in rows.iter().filter(|row| !row.outcome.is_success()) {
            *self.failed.entry(row.outcome).or_default() += u64::from(row.count);
            self.first = Some(self.first.map_or(row.slot, |first| first.min(row.slot)));
        }
        let is_early = self.last.is_some_and(|last| now < last + PERIOD);
        let first = self.first.filter(|_| !is_early)?;
        let words: Vec<String> = std::mem::take(&mut self.failed)
            .into_iter()
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        (self.first, self.last) = (None, Some(now));
        let at = f64::from(first) * SLOT_NS as f64 / 1e9;
        let failed = words.join(", ");
        Some(format!(
            "requests failed: {failed}; the first was intended {at:.1} s after go"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlab_protocol::latency::Op;

    fn row(slot: u32, outcome: Outcome) -> LatencyCount {
        LatencyCount {
            slot,
            op: Op::Read,
            outcome,
            le_us: 1,
            count: 2,
        }
    }

    #[test]
    fn the_first_failure_is_told_at_once_and_the_others_together() {
        let mut told = Told::default();
        let second = PERIOD / 10;
        assert_eq!(told.add(0, &[row(3, Outcome::Ok)]), None);
        let line = told.add(
            second,
            &[row(12, Outcome::Timeout), row(9, Outcome::Refused)],
        );
        assert_eq!(
            line.unwrap(),
            "requests failed: 2 timeout, 2 refused; the first was intended 0.9 s after go"
        );
        assert_eq!(told.add(2 * second, &[row(20, Outcome::Dropped)]), None);
        assert_eq!(told.add(3 * second, &[row(30, Outcome::Dropped)]), None);
        let line = told.add(11 * second, &[]).unwrap();
        assert!(line.starts_with("requests failed: 4 dropped"), "{line}");
        assert_eq!(told.add(50 * second, &[]), None);
    }
}
