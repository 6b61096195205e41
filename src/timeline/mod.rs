//! When each fault begins and heals: computed before the run, seeded, pure.
//!
//! What waits for a condition has no time until the run tells it ([`Moment`]); then it has one like all
//! others. Such a timeline is not the same twice, only its replay is.
//!
//! Owns the order of events that fall on one instant (heals before begins, then the file's
//! order). Must not sleep, read a clock, or apply anything.

mod display;
mod file;

pub use file::{FORMAT, Misfit, Recorded};

use crate::id::Name;
use crate::lab::{Condition, Scenario, ScheduledFault};
use crate::units::duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The fault heals.
    Heal,
    /// The fault begins.
    Begin,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// On the run's clock: since the start of the warm-up.
    #[serde(with = "duration")]
    pub at: Duration,
    /// What.
    pub step: Step,
    /// The occurrence of a fault, as an index into the scenario's faults.
    pub fault: usize,
    /// The fault's name.
    pub name: Name,
    /// Which of its occurrences, from 1.
    pub occurrence: u32,
}

/// What the run has told of a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// It has not held yet.
    #[default]
    Waiting,
    /// It held first at this time of the scenario.
    Held(#[serde(with = "duration")] Duration),
    /// It did not hold until its deadline.
    Missed,
}

impl Moment {
    /// When `fault` begins in scenario time; none: nobody knows (yet), or never. `moments` are those of
    /// the conditions in their order, the last ones may be left out.
    pub fn begin(fault: &ScheduledFault, moments: &[Moment]) -> Option<Duration> {
        let Some(condition) = fault.since else {
            return Some(fault.at);
        };
        match moments.get(condition) {
            Some(Moment::Held(moment)) => Some(moment.saturating_add(fault.at)),
            Some(Moment::Waiting | Moment::Missed) | None => None,
        }
    }
}

/// The conditions that have told nothing yet, by their places. `moments` are those of all.
pub fn waiting<'s>(
    scenario: &'s Scenario,
    moments: &'s [Moment],
) -> impl Iterator<Item = (usize, &'s Condition)> {
    let all = scenario.conditions.iter().zip(moments).enumerate();
    all.filter_map(|(at, (one, moment))| (*moment == Moment::Waiting).then_some((at, one)))
}

/// The whole timeline of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// In the order in which they are due.
    pub entries: Vec<Entry>,
    /// End of the scenario on the run's clock; every fault has healed by then.
    #[serde(with = "duration")]
    pub end: Duration,
}

impl Timeline {
    /// The timeline of `scenario` as far as it is known before the run. What has no end heals where
    /// the quiet period begins, or at the scenario's end.
    pub fn new(scenario: &Scenario) -> Timeline {
        Timeline::told_by(scenario, &[])
    }

    /// The timeline as far as it is known when the run has told this of its conditions. What would
    /// then begin when all faults have to have healed does not.
    pub fn told_by(scenario: &Scenario, moments: &[Moment]) -> Timeline {
        let end = scenario.warmup + scenario.duration;
        let healed_by = scenario.warmup + scenario.healed_by();
        let mut entries = Vec::new();
        for (index, fault) in scenario.faults.iter().enumerate() {
            let Some(begin) = Moment::begin(fault, moments) else {
                continue;
            };
            let begin = scenario.warmup + begin;
            if fault.since.is_some() && begin >= healed_by {
                continue;
            }
            let entry = |at: Duration, step| Entry {
                at,
                step,
                fault: index,
                name: fault.name.clone(),
                occurrence: fault.occurrence,
            };
            entries.push(entry(begin, Step::Begin));
            if crate::fault::kind(&fault.kind).is_none_or(|kind| kind.lasts) {
                let heal = fault.lasts.map_or(healed_by, |lasts| begin + lasts);
                let heal = heal.min(healed_by);
                entries.push(entry(heal, Step::Heal));
            }
        }
        entries.sort_by_key(|entry| (entry.at, entry.step, entry.fault));
        Timeline { entries, end }
    }

    /// What has become due by `elapsed`, of which the first `done` entries were handled before.
    pub fn next(&self, elapsed: Duration, done: usize) -> &[Entry] {
        let rest = self.entries.get(done..).unwrap_or_default();
        &rest[..rest.partition_point(|entry| entry.at <= elapsed)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::ScheduledFault;
    use proptest::prelude::*;

    fn scenario(faults: &[(&str, u64, Option<u64>)]) -> Scenario {
        let fault = |(i, (kind, at, lasts)): (usize, &(&str, u64, Option<u64>))| ScheduledFault {
            name: Name::new(format!("f{i}")).unwrap(),
            occurrence: 1,
            kind: (*kind).to_owned(),
            target: "server".into(),
            at: Duration::from_millis(*at),
            since: None,
            lasts: lasts.map(Duration::from_millis),
            effects: Vec::new(),
        };
        Scenario {
            warmup: Duration::from_secs(1),
            duration: Duration::from_secs(10),
            quiet: Duration::ZERO,
            conditions: Vec::new(),
            faults: faults.iter().enumerate().map(fault).collect(),
        }
    }

    fn lines(timeline: &Timeline) -> Vec<(u128, Step, usize)> {
        let line = |e: &Entry| (e.at.as_millis(), e.step, e.fault);
        timeline.entries.iter().map(line).collect()
    }

    #[test]
    fn heals_come_before_begins_and_the_end_heals_what_is_left() {
        let faults = [
            ("kill", 1_000, Some(2_000)),
            ("kill", 3_000, None),
            ("restart", 3_000, None),
            ("pause", 9_000, Some(60_000)),
        ];
        let timeline = Timeline::new(&scenario(&faults));
        let expected = [
            (2_000, Step::Begin, 0),
            (4_000, Step::Heal, 0),
            (4_000, Step::Begin, 1),
            (4_000, Step::Begin, 2),
            (10_000, Step::Begin, 3),
            (11_000, Step::Heal, 1),
            (11_000, Step::Heal, 3),
        ];
        assert_eq!(lines(&timeline), expected);
        assert_eq!(timeline.end, Duration::from_secs(11));
    }

    proptest! {
        /// However the time is cut into pieces, every entry is given out once, in one order.
        #[test]
        fn the_pace_of_asking_does_not_matter(
            faults in prop::collection::vec((0..10_000_u64, prop::option::of(1..5_000_u64)), 0..8),
            paces in prop::collection::vec(1..4_000_u64, 1..20),
        ) {
            let faults: Vec<_> = faults.into_iter().map(|(at, lasts)| ("kill", at, lasts)).collect();
            let timeline = Timeline::new(&scenario(&faults));
            let mut given = Vec::new();
            let mut elapsed = Duration::ZERO;
            for pace in paces.iter().cycle() {
                let due = timeline.next(elapsed, given.len());
                prop_assert!(due.iter().all(|e| e.at <= elapsed));
                given.extend(due.iter().cloned());
                if elapsed > timeline.end { break; }
                elapsed += Duration::from_millis(*pace);
            }
            prop_assert_eq!(given, timeline.entries);
        }
    }
}
