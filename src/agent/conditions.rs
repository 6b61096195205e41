//! Faults that wait for a condition: looked at each second, over what is known so far. Pure.
//!
//! Owns when such a fault begins, and what is said when it does not. A condition is a check over what has
//! been, by default of the last seconds, and holds when that check would pass: a function without a value
//! says nothing, and what the host may have spoilt does not hold yet. Requests that may still be under way
//! are left out, so that what is seen is some seconds old. What follows such a fault is on the timeline
//! from its moment on. Must not know what faults do.

use super::core::{Action, Core};
use super::play::Run;
use crate::check::{CheckResult, Judgement, holds};
use crate::lab::Condition;
use crate::record::event::What;
use crate::timeline::Moment;
use netlab_protocol::duration::format as time;
use std::collections::BTreeMap;

/// What each condition that is waited for came to when it was last looked at.
pub(super) type Seen = BTreeMap<usize, String>;

impl Core {
    /// Lets begin what waits for conditions that hold now, and gives up those whose deadline is over.
    pub(super) fn watch_conditions(&mut self, now: u64) {
        let known = self.known_until(now);
        let Some(run) = self.run.as_ref().filter(|run| run.closing.is_none()) else {
            return;
        };
        let waiting = run.waiting();
        self.watched.is_settled = waiting.is_empty();
        let over = |(_, deadline): &(usize, u64)| now >= *deadline;
        let (missed, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(over);
        let results = self.look_at(&waiting, known);
        for (condition, _) in missed {
            self.miss_condition(now, condition);
        }
        for (condition, result) in results {
            match result.verdict {
                Judgement::Pass => self.hold_condition(now, condition, &result),
                Judgement::Fail | Judgement::Inconclusive => {
                    self.remember_seen(condition, &result);
                }
            }
        }
    }

    /// What these conditions say; nothing as long as nothing counts.
    fn look_at(&self, waiting: &[(usize, u64)], known: i64) -> Vec<(usize, CheckResult)> {
        let Some(run) = self.run.as_ref().filter(|_| !waiting.is_empty()) else {
            return Vec::new();
        };
        let view = self.watched.view(&self.lab, &run.events, known);
        if known <= view.frame.warmup {
            return Vec::new();
        }
        let look = |(at, _): &(usize, u64)| Some((*at, holds(&self.condition(*at)?.when, &view)));
        waiting.iter().filter_map(look).collect()
    }

    fn condition(&self, condition: usize) -> Option<&Condition> {
        self.lab.scenario.as_ref()?.conditions.get(condition)
    }

    fn remember_seen(&mut self, condition: usize, result: &CheckResult) {
        let why = result.observed.iter().find(|one| one.value.is_none());
        let why = why.map_or_else(String::new, |one| format!(" ({})", one.how));
        if let Some(run) = &mut self.run {
            run.seen.insert(condition, result.seen() + &why);
        }
    }

    fn hold_condition(&mut self, now: u64, condition: usize, result: &CheckResult) {
        let held = What::ConditionHeld {
            fault: result.name.clone(),
            seen: result.seen(),
        };
        self.event(now, held);
        let player = self.run.as_mut().and_then(|run| run.player.as_mut());
        if let Some(player) = player {
            player.hold(condition, now);
        }
        self.tell_moments();
        self.tell_what_has_no_room(now, condition);
    }

    /// Gives up every condition that is still waited for: everything heals.
    pub(super) fn miss_conditions(&mut self, now: u64) {
        let waiting = self.run.as_ref().map(Run::waiting);
        for (condition, _) in waiting.unwrap_or_default() {
            self.miss_condition(now, condition);
        }
    }

    fn miss_condition(&mut self, now: u64, condition: usize) {
        let player = self.run.as_mut().and_then(|run| run.player.as_mut());
        if let Some(player) = player {
            player.miss(condition);
        }
        self.tell_moments();
        let Some(Condition { when, within }) = self.condition(condition).cloned() else {
            return;
        };
        let run = self.run.as_ref();
        let seen = run.and_then(|run| run.seen.get(&condition).cloned());
        let seen = seen.unwrap_or_else(|| "nothing was known in time".to_owned());
        let (asked, by) = (&when.expect, time(within));
        let why = format!("`{asked}` did not hold by {by}; last: {seen}");
        self.never_began(now, when.name.clone(), why);
        for name in self.names_following(condition) {
            if name != when.name {
                let why = format!("it follows `{}`, which never began", when.name);
                self.never_began(now, name, why);
            }
        }
    }

    /// Says which faults that follow a condition would only begin when everything heals.
    fn tell_what_has_no_room(&mut self, now: u64, condition: usize) {
        let Some(scenario) = &self.lab.scenario else {
            return;
        };
        let healed_by = scenario.healed_by();
        let moments = self.run.as_ref().map_or(&[][..], Run::moments);
        let Some(&Moment::Held(moment)) = moments.get(condition) else {
            return;
        };
        let late = |at| moment.saturating_add(at) >= healed_by;
        let mut left_out: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for place in self.following(condition) {
            let fault = self.faults.get(place);
            let (all, without) = left_out.entry(fault.name.to_string()).or_default();
            *all += 1;
            *without += u32::from(late(fault.at));
        }
        let by = time(healed_by);
        for (name, (all, without)) in left_out {
            if without == all {
                let why = format!("it would have after {by}, when all heals");
                self.never_began(now, name, why);
            } else if without > 0 {
                let text = format!(
                    "fault {name} happens {} times of {all}: by {by} all heals",
                    all - without
                );
                self.note(now, None, text);
            }
        }
    }

    /// The places of the faults whose times count from this condition.
    pub(super) fn following(&self, condition: usize) -> Vec<usize> {
        let scenario = self.lab.scenario.iter();
        let faults = scenario.flat_map(|scenario| &scenario.faults).enumerate();
        let following = faults.filter(|(_, fault)| fault.since == Some(condition));
        following.map(|(place, _)| place).collect()
    }

    /// Their names, each once.
    fn names_following(&self, condition: usize) -> Vec<String> {
        let following = self.following(condition).into_iter();
        let faults = following.map(|place| self.faults.get(place));
        let first = faults.filter(|fault| fault.occurrence == 1);
        first.map(|fault| fault.name.to_string()).collect()
    }

    fn never_began(&mut self, now: u64, fault: String, why: String) {
        self.reason(format!("fault `{fault}` never began: {why}"));
        self.event(now, What::FaultNeverBegan { fault, why });
    }

    /// Has the record say what is known of the timeline.
    fn tell_moments(&mut self) {
        let moments = self.run.as_ref().map_or(&[][..], Run::moments);
        self.act(Action::Timeline(moments.to_vec()));
    }
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
