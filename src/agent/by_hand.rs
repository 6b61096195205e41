//! Faults by hand: asked for, listed and healed by clients. Pure.
//!
//! Owns their names, when they heal, and who waits for that. What a fault does and whether it is
//! seen is `apply`'s, as for those of the scenario.

use super::apply::{InForce, Stage, after};
use super::core::Core;
use super::player::Player;
use super::requests::Client;
use crate::id::Name;
use crate::lab::ScheduledFault;
use crate::plan::lab_hash;
use crate::record::event::What;
use crate::record::look::{FaultRow, FaultState, ROWS_PER_REPLY};
use crate::record::stream::{Injection, Reply};
use crate::timeline::{Entry, Step};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Faults by hand in force at once.
const MOST: usize = 1000;

/// The faults by hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Hand {
    /// How many there have been in this lab: it makes their names.
    pub number: u32,
    /// Those in force, by their place: when they heal; none: when somebody says so.
    pub until: BTreeMap<usize, Option<u64>>,
}

/// A fault by hand that is in force, as it is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct HandPosition {
    /// What it is.
    pub fault: ScheduledFault,
    /// When it heals; none: when somebody says so.
    pub until: Option<u64>,
    /// How far it is; its place is given anew.
    pub in_force: InForce,
}

impl Core {
    /// Begins a fault, or says why not; the client hears of it when its effect is seen.
    pub(super) fn asked_to_inject(&mut self, now: u64, client: u64, injection: Injection) {
        let closing = self.run.as_ref().is_some_and(|run| run.closing.is_some());
        let refusal = match () {
            () if !self.state.ready => {
                "the lab is not ready yet: wait until `netlab ps` says so".to_owned()
            }
            () if closing => "the run is just ending: say it again when it is over".to_owned(),
            () if self.adopt_next.is_some() || self.play_next.is_some() => {
                "another `netlab up` is at work on this lab: wait for it".to_owned()
            }
            () if injection.lab != lab_hash(&self.lab) => {
                "the lab has changed meanwhile: say it again".to_owned()
            }
            () if self.hand.until.len() >= MOST => {
                format!("{MOST} faults by hand are in force: heal some first")
            }
            () => return self.inject(now, client, injection),
        };
        self.reply(client, Reply::Refused { why: refusal }, true);
    }

    fn inject(&mut self, now: u64, client: u64, injection: Injection) {
        let Some(name) = self.hand_name(&injection.fault.kind) else {
            let why = format!("a fault cannot be called `{}`", injection.fault.kind);
            return self.reply(client, Reply::Refused { why }, true);
        };
        let given = ScheduledFault {
            name,
            at: Duration::ZERO,
            ..injection.fault
        };
        let told = What::FaultInjected {
            fault: given.name.to_string(),
            kind: given.kind.clone(),
            target: given.target.clone(),
            lasts: given
                .lasts
                .and_then(|lasts| i64::try_from(lasts.as_nanos()).ok()),
        };
        let until = given.lasts.map(|lasts| after(now, lasts));
        let fault = self.faults.add(given);
        self.hand.until.insert(fault, until);
        self.event(now, told);
        self.clients.insert(client, Client::Injects { fault });
        self.begin(fault, now, now);
    }

    /// `kill-1`; the next number that no fault of the scenario has.
    fn hand_name(&mut self, kind: &str) -> Option<Name> {
        loop {
            self.hand.number += 1;
            let name = Name::new(format!("{kind}-{}", self.hand.number)).ok()?;
            if !self.faults.knows(&name) {
                return Some(name);
            }
        }
    }

    /// Heals one fault, or all that are in force; the client hears of it when all is back.
    pub(super) fn asked_to_heal(&mut self, now: u64, client: u64, wanted: Option<&str>) {
        let named =
            |f: &&InForce| wanted.is_none_or(|name| self.faults.get(f.fault).name.as_str() == name);
        let found: Vec<InForce> = self.faults.list().iter().filter(named).cloned().collect();
        if let (Some(name), true) = (wanted, found.is_empty()) {
            let why = self.nothing_to_heal(name);
            return self.reply(client, Reply::Refused { why }, true);
        }
        let name = |f: &InForce| self.faults.get(f.fault).name.to_string();
        let faults = found.iter().map(name).collect();
        let waits = Client::Heals {
            faults,
            since: now,
            failed: Vec::new(),
        };
        self.clients.insert(client, waits);
        for fault in found.iter().filter(|f| f.stage != Stage::Healing) {
            self.heal(fault.fault, now, now);
        }
    }

    fn nothing_to_heal(&self, name: &str) -> String {
        let list = self.faults.list().iter();
        let known: Vec<&str> = list
            .map(|f| self.faults.get(f.fault).name.as_str())
            .collect();
        if known.is_empty() {
            return format!("no fault `{name}` is in force: there is none at all");
        }
        let near = crate::spec::nearest(name, known.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let known = known.join(", ");
        format!("no fault `{name}` is in force: {near}there are {known}")
    }

    /// Heals every fault by hand; where a run is closed that heals them, too.
    pub(super) fn heal_by_hand(&mut self, now: u64) {
        for fault in self.hand.until.keys().copied().collect::<Vec<_>>() {
            self.heal(fault, now, now);
        }
    }

    /// Heals the faults by hand whose time is over.
    pub(super) fn heal_due_by_hand(&mut self, now: u64) {
        let due = self.hand.until.iter();
        let due = due.filter_map(|(fault, until)| Some((*fault, (*until)?)));
        let due: Vec<_> = due.filter(|(_, until)| *until <= now).collect();
        for (fault, until) in due {
            self.heal(fault, until, now);
        }
    }

    /// When the next of them is to heal.
    pub(super) fn next_by_hand(&self) -> Option<u64> {
        self.hand.until.values().flatten().copied().min()
    }

    /// Forgets those that are over, and answers who waited.
    pub(super) fn answer_by_hand(&mut self, now: u64) {
        let list = self.faults.list();
        let listed = |fault: usize| list.iter().any(|f| f.fault == fault);
        self.hand.until.retain(|fault, _| listed(*fault));
        let names: Vec<String> = list
            .iter()
            .map(|f| self.faults.get(f.fault).name.to_string())
            .collect();
        let over = |waits: &Client| match waits {
            Client::Heals { faults, .. } => !faults.iter().any(|fault| names.contains(fault)),
            Client::Injects { .. }
            | Client::Ready { .. }
            | Client::Follow
            | Client::Publish { .. }
            | Client::Stop => false,
        };
        let done: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, waits)| over(waits))
            .map(|(client, _)| *client)
            .collect();
        for client in done {
            if let Some(Client::Heals {
                faults,
                since,
                failed,
            }) = self.clients.remove(&client)
            {
                let took_us = now.saturating_sub(since) / 1000;
                let healed = Reply::Healed {
                    faults,
                    failed,
                    took_us,
                };
                self.reply(client, healed, true);
            }
        }
    }

    /// The effect of a fault is seen.
    pub(super) fn tell_injected(&mut self, fault: usize, took: u64) {
        let scheduled = self.faults.get(fault);
        let reply = Reply::Injected {
            fault: scheduled.name.to_string(),
            took_us: took / 1000,
            run: self.run.as_ref().map(|run| run.id.clone()),
        };
        self.answer_injector(fault, &reply);
    }

    /// A fault did not do what it should, or did not heal.
    pub(super) fn tell_failed(&mut self, fault: usize, why: &str) {
        let name = self.faults.get(fault).name.to_string();
        let told = format!("`{name}`: {why}");
        for waits in self.clients.values_mut() {
            if let Client::Heals { faults, failed, .. } = waits
                && faults.contains(&name)
            {
                failed.push(told.clone());
            }
        }
        let reply = Reply::Failed { why: told };
        self.answer_injector(fault, &reply);
    }

    fn answer_injector(&mut self, fault: usize, reply: &Reply) {
        let waits =
            |(_, c): &(&u64, &Client)| matches!(c, Client::Injects { fault: f } if *f == fault);
        let waiting: Vec<u64> = self.clients.iter().filter(waits).map(|(c, _)| *c).collect();
        for client in waiting {
            self.clients.remove(&client);
            self.reply(client, reply.clone(), true);
        }
    }

    /// Faults in force, then those that are still to come.
    pub(super) fn tell_faults(&mut self, now: u64, client: u64) {
        let rows = self.fault_rows(now);
        let mut pieces: Vec<_> = rows.chunks(ROWS_PER_REPLY).map(<[_]>::to_vec).collect();
        if pieces.is_empty() {
            pieces.push(Vec::new());
        }
        let last = pieces.len() - 1;
        for (at, rows) in pieces.into_iter().enumerate() {
            let more = at < last;
            self.reply(client, Reply::Faults { rows, more }, !more);
        }
    }

    fn fault_rows(&self, now: u64) -> Vec<FaultRow> {
        let player = self.run.as_ref().and_then(|run| run.player.as_ref());
        let ahead = player.map_or_else(Vec::new, Player::ahead);
        let from_now = |at: u64| at as i64 - now as i64;
        let heals = |fault: usize| {
            let is_heal = |entry: &&Entry| entry.step == Step::Heal && entry.fault == fault;
            let scheduled = ahead.iter().find(|(_, entry)| is_heal(entry));
            let by_hand = self.hand.until.get(&fault).copied().flatten();
            scheduled.map(|(at, _)| *at).or(by_hand).map(from_now)
        };
        let row = |fault: usize, state, begins: u64, heals_ns| {
            let scheduled = self.faults.get(fault);
            FaultRow {
                fault: scheduled.name.to_string(),
                kind: scheduled.kind.clone(),
                target: scheduled.target.clone(),
                state,
                by_hand: self.faults.is_by_hand(fault),
                begins_ns: from_now(begins),
                heals_ns,
            }
        };
        let in_force = self.faults.list().iter().map(|f| {
            let heals = heals(f.fault).filter(|_| f.stage != Stage::Healing);
            row(f.fault, state(f), f.requested, heals)
        });
        let begins = ahead.iter().filter(|(_, e)| e.step == Step::Begin);
        let to_come = begins.map(|(at, e)| {
            let heals = heals(e.fault);
            row(e.fault, FaultState::Scheduled, *at, heals)
        });
        let waiting = player.map_or_else(Vec::new, Player::waiting);
        let waiting = waiting.into_iter().flat_map(|(condition, deadline)| {
            let places = self.following(condition).into_iter();
            places.map(move |fault| (fault, deadline))
        });
        let waiting = waiting.map(|(fault, by)| row(fault, FaultState::Waiting, by, None));
        in_force.chain(to_come).chain(waiting).collect()
    }

    /// What to write down of them.
    pub(super) fn hand_position(&self) -> Vec<HandPosition> {
        let by_hand = |f: &&InForce| self.faults.is_by_hand(f.fault);
        let one = |f: &InForce| HandPosition {
            fault: self.faults.get(f.fault).clone(),
            until: self.hand.until.get(&f.fault).copied().flatten(),
            in_force: f.clone(),
        };
        let list = self.faults.list().iter();
        list.filter(by_hand).map(one).collect()
    }

    /// Takes up those that the agent before this one left.
    pub(super) fn resume_by_hand(&mut self, now: u64, written: Vec<HandPosition>) {
        for HandPosition {
            fault,
            until,
            in_force,
        } in written
        {
            let healing = in_force.stage == Stage::Healing;
            let fault = self.faults.restore(fault, in_force);
            if !healing {
                self.hand.until.insert(fault, until);
            }
            self.own(fault);
        }
        self.faults.restart_deadlines(now);
    }
}

fn state(fault: &InForce) -> FaultState {
    match fault.stage {
        _ if fault.failed => FaultState::Failed,
        Stage::Beginning => FaultState::Beginning,
        Stage::Active => FaultState::Active,
        Stage::Healing => FaultState::Healing,
    }
}

#[cfg(test)]
#[path = "by_hand_tests.rs"]
mod tests;
