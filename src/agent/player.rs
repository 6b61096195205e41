//! Plays a timeline by the monotonic clock. Pure: the time is given.
//!
//! Owns which entries are done, and what conditions have told. Must not know what they do.

use crate::lab::Scenario;
use crate::timeline::{self, Entry, Moment, Timeline};

/// A timeline with its zero and how far it was played.
#[derive(Clone, Debug)]
pub(super) struct Player {
    scenario: Scenario,
    moments: Vec<Moment>,
    timeline: Timeline,
    go: u64,
    warmup: u64,
    done: usize,
}

impl Player {
    /// Plays `scenario` from `go` (CLOCK_MONOTONIC ns), the first `done` entries being over of those
    /// that are known when its conditions have told these moments; those left out are waiting.
    pub fn new(scenario: &Scenario, go: u64, done: usize, mut moments: Vec<Moment>) -> Player {
        moments.resize(scenario.conditions.len(), Moment::Waiting);
        Player {
            timeline: Timeline::told_by(scenario, &moments),
            scenario: scenario.clone(),
            moments,
            go,
            warmup: nanoseconds(scenario.warmup),
            done,
        }
    }

    /// What the conditions have told, in their order.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// The conditions that are waited for, with their deadlines.
    pub fn waiting(&self) -> Vec<(usize, u64)> {
        let zero = self.warmup_ends();
        let deadline = |within| zero.saturating_add(nanoseconds(within));
        timeline::waiting(&self.scenario, &self.moments)
            .map(|(at, condition)| (at, deadline(condition.within)))
            .collect()
    }

    /// A condition holds. All that is due by `now` was given out before, so that what comes of it is
    /// later than that.
    pub fn hold(&mut self, condition: usize, now: u64) {
        let moment = now.saturating_sub(self.warmup_ends()) + 1;
        if let Some(known) = self.moments.get_mut(condition) {
            *known = Moment::Held(std::time::Duration::from_nanos(moment));
            self.timeline = Timeline::told_by(&self.scenario, &self.moments);
        }
    }

    /// A condition did not hold until its deadline.
    pub fn miss(&mut self, condition: usize) {
        if let Some(known) = self.moments.get_mut(condition) {
            *known = Moment::Missed;
        }
    }

    /// How many entries are over.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The entries that are due and were not given out before, in their order.
    pub fn due(&mut self, now: u64) -> Vec<Entry> {
        let elapsed = std::time::Duration::from_nanos(now.saturating_sub(self.go));
        if now < self.go {
            return Vec::new();
        }
        let due = self.timeline.next(elapsed, self.done).to_vec();
        self.done += due.len();
        due
    }

    /// Gives out nothing more.
    pub fn stop(&mut self) {
        self.done = self.timeline.entries.len();
    }

    /// The entries that were not given out yet, with their times.
    pub fn ahead(&self) -> Vec<(u64, &Entry)> {
        let rest = self.timeline.entries.get(self.done..).unwrap_or_default();
        let timed = rest
            .iter()
            .map(|entry| (self.go + nanoseconds(entry.at), entry));
        timed.collect()
    }

    /// When the next entry is due.
    pub fn next_at(&self) -> Option<u64> {
        let next = self.timeline.entries.get(self.done)?;
        Some(self.go + nanoseconds(next.at))
    }

    /// When the warm-up ends.
    pub fn warmup_ends(&self) -> u64 {
        self.go + self.warmup
    }

    /// When the scenario ends.
    pub fn ends(&self) -> u64 {
        self.go + nanoseconds(self.timeline.end)
    }
}

/// A duration in ns; 584 years at most.
pub(super) fn nanoseconds(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Name;
    use crate::lab::ScheduledFault;
    use crate::timeline::Step;
    use std::time::Duration;

    fn scenario() -> Scenario {
        let fault = |name: &str, at, lasts: Option<u64>| ScheduledFault {
            name: Name::new(name).unwrap(),
            occurrence: 1,
            kind: "kill".into(),
            target: "server".into(),
            at: Duration::from_secs(at),
            since: None,
            lasts: lasts.map(Duration::from_secs),
            effects: Vec::new(),
        };
        Scenario {
            warmup: Duration::from_secs(2),
            duration: Duration::from_secs(10),
            quiet: Duration::ZERO,
            conditions: Vec::new(),
            faults: vec![fault("a", 1, Some(2)), fault("b", 3, None)],
        }
    }

    #[test]
    fn every_entry_is_given_out_once_in_order_whatever_the_pace() {
        for pace in [1, 300_000_000, 1_000_000_000, 60_000_000_000] {
            let go = 1_000_000_000_000;
            let mut player = Player::new(&scenario(), go, 0, Vec::new());
            let mut given = Vec::new();
            let mut now = go - 5;
            while given.len() < 4 && now < go + 100_000_000_000 {
                now = if pace == 1 {
                    player.next_at().unwrap()
                } else {
                    now + pace
                };
                given.extend(player.due(now).into_iter().map(|e| (e.step, e.fault)));
            }
            // At 3 s after the warm-up `a` heals before `b` begins.
            let all = [
                (Step::Begin, 0),
                (Step::Heal, 0),
                (Step::Begin, 1),
                (Step::Heal, 1),
            ];
            assert_eq!(given, all, "{pace}");
            assert_eq!(player.next_at(), None);
        }
    }

    #[test]
    fn nothing_is_due_before_go() {
        let mut player = Player::new(&scenario(), 100, 0, Vec::new());
        assert!(player.due(0).is_empty());
        assert_eq!(player.next_at(), Some(3_000_000_100));
        assert_eq!(
            (player.warmup_ends(), player.ends()),
            (2_000_000_100, 12_000_000_100)
        );
        player.stop();
        assert!(player.due(u64::MAX).is_empty());
    }
}
