//! Before, during and after each fault, in slots of the intended time.
//!
//! `during` runs from the instant at which the fault is in effect to the start of its healing,
//! `after` from its complete healing to the next fault or the end, `before` from the end of the
//! warm-up to the instant at which the fault was asked for. A slot that a boundary cuts belongs
//! to neither side; slots in which another fault is in effect are no baseline.
//!
//! Must not know where times come from.

use netlab_protocol::latency::SLOT_NS;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Ahead of the fault.
    Before,
    /// While it is in effect.
    During,
    /// Once it has healed.
    After,
    /// The whole scenario, where there is no fault.
    Whole,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Before => "before",
            Kind::During => "during",
            Kind::After => "after",
            Kind::Whole => "all",
        }
    }
}

/// A set of slots: one stretch of time. Several of one kind are a set together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which part.
    pub kind: Kind,
    /// On the run's clock, in nanoseconds.
    pub range: Range<i64>,
    /// Stretches inside `range` that do not count, on the same clock.
    pub without: Vec<Range<i64>>,
}

impl Window {
    /// Whether all of the slot that begins at `from` belongs to the window.
    pub fn holds(&self, from: i64) -> bool {
        let to = from.saturating_add(SLOT_NS as i64);
        let apart = |r: &Range<i64>| to <= r.start || from >= r.end;
        from >= self.range.start && to <= self.range.end && self.without.iter().all(apart)
    }

    /// How many slots it has.
    pub fn slots(&self) -> usize {
        let slot = SLOT_NS as i64;
        let first = self.range.start.max(0) / slot * slot;
        let starts = (first..self.range.end).step_by(SLOT_NS as usize);
        starts.filter(|&from| self.holds(from)).count()
    }
}

/// What is known about one occurrence of a fault. Times are nanoseconds since go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTimes {
    /// The fault's name.
    #[serde(default)]
    pub name: String,
    /// Which occurrence, from 1.
    pub occurrence: u32,
    /// Its kind.
    pub kind: String,
    /// Its target.
    pub target: String,
    /// When it was due.
    pub due: i64,
    /// When its first effect was asked for.
    pub requested: i64,
    /// When it was in effect: its last effect was observed.
    pub began: i64,
    /// When its healing was due.
    pub heal_due: Option<i64>,
    /// When its healing was started.
    pub heal_started: Option<i64>,
    /// When it had healed.
    pub healed: Option<i64>,
    /// The nodes whose own programs it holds up: that their timers are late is its doing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
}

/// The frame of a run, on its clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// End of the warm-up.
    pub warmup: i64,
    /// End of what was measured.
    pub end: i64,
    /// Stretches in which nothing was measured.
    pub blind: Vec<Range<i64>>,
}

/// The occurrences of each fault, as places in `faults`, in the order in which the faults first came
/// into effect.
pub fn by_name(faults: &[FaultTimes]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, fault) in faults.iter().enumerate() {
        let same = |group: &&mut Vec<usize>| faults[group[0]].name == fault.name;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

/// The windows of a fault with these occurrences: before the first; during any of them; after each
/// that has healed, until the next fault. Those of one kind are in order and do not touch.
pub fn windows(faults: &[FaultTimes], occurrences: &[usize], frame: &Frame) -> Vec<Window> {
    let in_effect = |fault: &FaultTimes| fault.requested..fault.healed.unwrap_or(i64::MAX);
    let mut busy: Vec<_> = faults.iter().map(in_effect).collect();
    busy.extend(frame.blind.iter().cloned());
    let own = || occurrences.iter().filter_map(|&at| faults.get(at));
    let first = own().map(|fault| fault.requested).min();
    let before = frame.warmup..first.unwrap_or(frame.end);
    let healing = |fault: &FaultTimes| fault.heal_started.or(fault.healed).unwrap_or(frame.end);
    let during = own().map(|fault| fault.began..healing(fault));
    let after = |healed: i64| {
        let next = faults.iter().map(|other| other.requested);
        let next = next.filter(|&at| at >= healed).min().unwrap_or(frame.end);
        healed..next.min(frame.end)
    };
    let after = own().filter_map(|fault| fault.healed.map(after));
    let all = [
        (Kind::Before, Vec::from([before]), &busy),
        (Kind::During, joined(during.collect()), &frame.blind),
        (Kind::After, joined(after.collect()), &busy),
    ];
    let windows = |(kind, ranges, without): (Kind, Vec<Range<i64>>, &Vec<Range<i64>>)| {
        let without = without.clone();
        ranges.into_iter().map(move |range| Window {
            kind,
            range,
            without: without.clone(),
        })
    };
    all.into_iter().flat_map(windows).collect()
}

/// The same stretches in ascending order; those that touch become one, and empty ones go where there
/// is another.
fn joined(mut ranges: Vec<Range<i64>>) -> Vec<Range<i64>> {
    if ranges.iter().any(|range| range.start < range.end) {
        ranges.retain(|range| range.start < range.end);
    }
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<i64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(range: Range<i64>, without: Vec<Range<i64>>) -> Window {
        Window {
            kind: Kind::During,
            range,
            without,
        }
    }

    #[test]
    fn cut_slots_belong_to_neither_side() {
        let w = window(150_000_000..500_000_000, Vec::new());
        let held: Vec<i64> = (0..10)
            .filter(|&slot| w.holds(slot * 100_000_000))
            .collect();
        assert_eq!(held, [2, 3, 4]);
        assert_eq!(w.slots(), 3);
    }

    #[test]
    fn other_faults_are_no_baseline() {
        let other = 250_000_000..500_000_000;
        let w = window(0..1_000_000_000, Vec::from([other]));
        let held: Vec<i64> = (0..10)
            .filter(|&slot| w.holds(slot * 100_000_000))
            .collect();
        assert_eq!(held, [0, 1, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn stretches_that_touch_become_one() {
        assert_eq!(
            joined(vec![500..650, 0..250, 600..800, 250..300, 900..900]),
            [0..300, 500..800]
        );
    }

    #[test]
    fn empty_and_backward_windows_have_no_slots() {
        assert_eq!(window(500..500, Vec::new()).slots(), 0);
        let (late, early) = (900_000_000, 100_000_000);
        assert_eq!(window(late..early, Vec::new()).slots(), 0);
    }
}
