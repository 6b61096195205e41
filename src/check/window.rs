//! Before, during and after each fault, in slots of the intended time.
//!
//! `during` runs from the instant at which the fault is in effect to the start of its healing,
//! `after` from its complete healing to the next fault or the end, `before` from the end of the
//! warm-up to the instant at which the fault was asked for. A slot that a boundary cuts belongs
//! to neither side; slots in which another fault is in effect are no baseline.
//!
//! Must not know where times come from.

use netlab_protocol::latency::SLOT_NS;
use std::ops::Range;

/// Which part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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

/// A set of slots.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultTimes {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its target.
    pub target: String,
    /// When it was due.
    pub due: i64,
    /// When its first effect was asked for.
    pub requested: i64,
    /// When its last effect was observed.
    pub began: i64,
    /// When its healing was due.
    pub heal_due: Option<i64>,
    /// When its healing was started.
    pub heal_started: Option<i64>,
    /// When it had healed.
    pub healed: Option<i64>,
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

/// The windows of fault `index`; `after` only when it has healed.
pub fn windows(faults: &[FaultTimes], index: usize, frame: &Frame) -> Vec<Window> {
    let fault = &faults[index];
    let others = faults.iter().enumerate().filter(|(at, _)| *at != index);
    let mut others: Vec<_> = others
        .map(|(_, other)| other.requested..other.healed.unwrap_or(i64::MAX))
        .collect();
    others.extend(frame.blind.iter().cloned());
    let window = |kind, range, without: &[Range<i64>]| Window {
        kind,
        range,
        without: without.to_vec(),
    };
    let healing = fault.heal_started.or(fault.healed).unwrap_or(frame.end);
    let mut windows = vec![
        window(Kind::Before, frame.warmup..fault.requested, &others),
        window(Kind::During, fault.began..healing, &frame.blind),
    ];
    if let Some(healed) = fault.healed {
        let next = faults.iter().map(|other| other.requested);
        let next = next.filter(|&at| at >= healed).min().unwrap_or(frame.end);
        windows.push(window(Kind::After, healed..next.min(frame.end), &others));
    }
    windows
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
    fn empty_and_backward_windows_have_no_slots() {
        assert_eq!(window(500..500, Vec::new()).slots(), 0);
        let (late, early) = (900_000_000, 100_000_000);
        assert_eq!(window(late..early, Vec::new()).slots(), 0);
    }
}
