//! Runs: from go to the verdict, with the faults in between. Pure.

use super::abort::Failing;
use super::apply::{Faults, Seen, Stage, after};
use super::conditions;
use super::core::{Action, Core};
use super::desire::Actual;
use super::one_by_one::OneByOne;
use super::player::{Player, nanoseconds};
use super::position::{Closing, RunPosition};
use super::requests::Client;
use super::scraped::Pages;
use crate::fault::Effect;
use crate::id::{NodeIndex, occurrence_label};
use crate::lab::Scenario;
use crate::record::event::{Event, Verdict, What};
use crate::timeline::{Entry, Moment, Step};
use netlab_protocol::control::ToNode;
use std::collections::BTreeSet;
use std::time::Duration;

/// From the request to play to go: every node has heard of it by then.
const LEAD: Duration = Duration::from_millis(200);
/// After the last request can have ended, reports are waited for this long.
const LAST_REPORTS: Duration = Duration::from_millis(1500);
/// A node that is up and has not reported for this long leaves a gap in the record.
const SILENCE: Duration = Duration::from_secs(3);
/// Events kept for those who follow later; the file has all.
const MAX_EVENTS: usize = 20_000;

/// A run that is playing.
pub(super) struct Run {
    /// Its id.
    pub id: String,
    /// Zero of its clock.
    pub go: u64,
    /// Plays the scenario; none: load only.
    pub player: Option<Player>,
    /// Why it is being closed.
    pub closing: Option<Closing>,
    /// Its events so far.
    pub events: Vec<Event>,
    pub(super) warmed_up: bool,
    pub(super) reasons: Vec<String>,
    pub(super) drops_before: u64,
    pub(super) one_by_one: OneByOne,
    pub(super) failing: Failing,
    pub(super) seen: conditions::Seen,
}

/// The last run, for those who ask when it is over.
pub(super) struct Last {
    /// Its id.
    pub id: String,
    /// Its events.
    pub events: Vec<Event>,
    /// What it was worth.
    pub verdict: Verdict,
}

impl Run {
    /// What to write down.
    pub fn position(&self, faults: &Faults) -> RunPosition {
        let list = faults.list().iter();
        let scheduled = list.filter(|f| !faults.is_by_hand(f.fault));
        RunPosition {
            id: self.id.clone(),
            go: self.go,
            done: self.player.as_ref().map_or(0, Player::done),
            moments: self.moments().to_vec(),
            warmed_up: self.warmed_up,
            closing: self.closing,
            in_force: scheduled.cloned().collect(),
            reasons: self.reasons.clone(),
        }
    }

    /// What its conditions have told, in their order.
    pub fn moments(&self) -> &[Moment] {
        self.player.as_ref().map_or(&[], Player::moments)
    }

    /// The conditions that are waited for, with their deadlines.
    pub fn waiting(&self) -> Vec<(usize, u64)> {
        self.player.as_ref().map_or_else(Vec::new, Player::waiting)
    }

    /// When its requests end; none: never.
    pub fn end(&self) -> Option<u64> {
        self.player.as_ref().map(Player::ends)
    }

    /// When time alone changes something.
    pub fn next_at(&self) -> Option<u64> {
        let player = self.player.as_ref()?;
        let warmup = (!self.warmed_up).then(|| player.warmup_ends());
        let end = self.closing.is_none().then(|| player.ends());
        [warmup, end, player.next_at()].into_iter().flatten().min()
    }
}

impl Core {
    /// Starts a run and returns its id.
    pub(super) fn start_run(&mut self, now: u64) -> String {
        self.number += 1;
        let go = after(now, LEAD);
        let id = self.new_run_id();
        let scenario = self.lab.scenario.as_ref();
        let player = scenario.map(|s| Player::new(s, go, 0, Vec::new()));
        self.runs.push(id.clone());
        self.load = Some(go);
        self.counts.clear();
        self.watched = super::watched::Watched::default();
        self.run = Some(Run {
            id: id.clone(),
            go,
            player,
            closing: None,
            events: Vec::new(),
            warmed_up: false,
            reasons: Vec::new(),
            drops_before: self.drops,
            one_by_one: OneByOne::default(),
            failing: Failing::default(),
            seen: conditions::Seen::default(),
        });
        for member in &mut self.state.members {
            (member.silent, member.noted, member.problems) = (false, false, 0);
            member.pages = Pages::default();
        }
        let opened = Action::OpenRun { id: id.clone(), go };
        self.act(opened);
        let length = |of: fn(&Scenario) -> Duration| {
            self.lab
                .scenario
                .as_ref()
                .map(|s| nanoseconds(of(s)) as i64)
        };
        let started = What::RunStarted {
            run: id.clone(),
            seed: self.lab.seed,
            warmup: length(|s| s.warmup).unwrap_or(0),
            end: length(|s| s.warmup + s.duration),
        };
        self.event(go, started);
        let run = self.number;
        self.tell_all(&ToNode::Go { run, at: go });
        self.remember();
        id
    }

    /// `<UTC time>-<seed>`, with a suffix when it is taken.
    fn new_run_id(&self) -> String {
        let time = std::time::UNIX_EPOCH + Duration::from_secs(self.unix_time);
        let time = humantime::format_rfc3339_seconds(time).to_string();
        let id = format!("{}-{}", time.replace(['-', ':'], ""), self.lab.seed);
        let taken = |id: &String| self.runs.contains(id);
        let others = (2..).map(|n| format!("{id}-{n}"));
        std::iter::once(id.clone())
            .chain(others)
            .find(|id| !taken(id))
            .unwrap_or(id)
    }

    /// Sends to every node's program that is ready.
    pub(super) fn tell_all(&mut self, message: &ToNode) {
        let ready = self.state.members.iter().filter(|m| m.ready);
        let conns: Vec<_> = ready.filter_map(|m| m.conn).collect();
        for conn in conns {
            let message = message.clone();
            self.act(Action::Send { conn, message });
        }
    }

    /// Does what the run's clock makes due, and notes what is seen of the faults.
    pub(super) fn play(&mut self, now: u64) {
        let Some(run) = &mut self.run else {
            return self.idle(now);
        };
        if let Some(player) = &mut run.player {
            let warm = player.warmup_ends();
            if !run.warmed_up && now >= warm {
                run.warmed_up = true;
                let due = player.due(warm - 1);
                self.apply(now, due);
                self.event(warm, What::WarmupEnded);
            }
        }
        let player = self.run.as_mut().and_then(|run| run.player.as_mut());
        let due = player.map_or_else(Vec::new, |player| player.due(now));
        self.apply(now, due);
        let over = |run: &Run| run.closing.is_none() && run.end().is_some_and(|end| now >= end);
        if self.run.as_ref().is_some_and(over) {
            self.close(now, Closing::Ended);
        }
        self.fold_links(now);
        self.keep_conduct();
        self.keep_volumes(now);
        self.observe(now);
        self.finish_when_done(now);
    }

    /// Without a run there are faults by hand only; who waits for their end has it.
    fn idle(&mut self, now: u64) {
        self.fold_links(now);
        self.keep_conduct();
        self.keep_volumes(now);
        self.observe(now);
        if !self.faults.list().is_empty() {
            return;
        }
        match self.clients.values().any(|c| matches!(c, Client::Stop)) {
            true => self.run_over(now),
            false => self.play_asked(now),
        }
    }

    pub(super) fn apply(&mut self, now: u64, due: Vec<Entry>) {
        let go = self.run.as_ref().map_or(0, |run| run.go);
        for entry in due {
            let at = go + nanoseconds(entry.at);
            match entry.step {
                Step::Begin => self.begin(entry.fault, at, now),
                Step::Heal => self.heal(entry.fault, at, now),
            }
        }
    }

    pub(super) fn begin(&mut self, fault: usize, due: u64, now: u64) {
        if !self.faults.is_listed(fault) {
            self.prove_before(fault);
        }
        self.faults.begin(fault, due, now);
        self.faults
            .pace_loops(now, &self.state.actual(), Some(fault));
        self.own(fault);
    }

    /// Takes the nodes of a fault in hand.
    pub(super) fn own(&mut self, fault: usize) {
        for effect in &self.faults.get(fault).effects {
            if let Effect::Node { node, .. } = effect
                && let Some(member) = self.state.members.get_mut(node.at())
            {
                member.owned = true;
            }
        }
    }

    pub(super) fn heal(&mut self, fault: usize, due: u64, now: u64) {
        if self.faults.is_wanted(fault) {
            self.prove_ending(fault);
        }
        let (was_in_force, failed) = self.faults.heal(fault, now);
        if was_in_force {
            self.heal_started(fault, due, now);
        }
        if let Some(failed) = failed {
            self.seen_fault(now, failed);
        }
    }

    fn heal_started(&mut self, fault: usize, due: u64, now: u64) {
        let (fault, occurrence) = self.faults.id(fault);
        let due = self.on_run_clock(due);
        let started = What::HealStarted {
            fault,
            occurrence,
            due,
        };
        self.event(now, started);
    }

    /// Begins to close the run: everything heals.
    pub(super) fn close(&mut self, now: u64, why: Closing) {
        let Some(run) = &mut self.run else {
            return self.heal_by_hand(now);
        };
        if run.closing.is_some() {
            return;
        }
        if why == Closing::Ended {
            self.miss_conditions(now);
        }
        let Some(run) = &mut self.run else {
            return;
        };
        run.closing = Some(why);
        if let Some(player) = &mut run.player {
            player.stop();
        }
        let active = self
            .faults
            .list()
            .iter()
            .filter(|f| f.stage != Stage::Healing);
        for fault in active.map(|f| f.fault).collect::<Vec<_>>() {
            self.heal(fault, now, now);
        }
    }

    fn observe(&mut self, now: u64) {
        let before = self.faults.list().len();
        self.faults.ending = self.state.ending();
        for seen in self.faults.observe(now, &self.state.actual()) {
            self.seen_fault(now, seen);
        }
        if before > 0 && self.faults.list().is_empty() {
            self.compare();
        }
    }

    pub(super) fn seen_fault(&mut self, now: u64, seen: Seen) {
        match seen {
            Seen::Began {
                fault,
                at,
                due,
                requested,
            } => {
                let scheduled = self.faults.get(fault);
                let what = What::FaultBegan {
                    fault: scheduled.name.to_string(),
                    occurrence: scheduled.occurrence,
                    kind: scheduled.kind.clone(),
                    target: scheduled.target.clone(),
                    due: self.on_run_clock(due),
                    requested: self.on_run_clock(requested),
                    held: self.held_up(fault),
                };
                self.event(at, what);
                self.tell_injected(fault, at.saturating_sub(requested));
                self.prove_begun(fault);
            }
            Seen::HealStarted { fault } => self.heal_started(fault, now, now),
            Seen::Healed { fault: place, at } => {
                let (fault, occurrence) = self.faults.id(place);
                self.event(at, What::FaultHealed { fault, occurrence });
                self.prove_after(place);
            }
            Seen::Failed { fault, why } => {
                self.tell_failed(fault, &why);
                self.prove_no_more(fault);
                let (fault, occurrence) = self.faults.id(fault);
                let name = occurrence_label(&fault, occurrence);
                self.reason(format!("fault `{name}` failed: {why}"));
                let failed = What::FaultFailed {
                    fault,
                    occurrence,
                    why,
                };
                self.event(now, failed);
                self.disown();
            }
        }
    }

    /// The nodes whose own programs an occurrence holds up.
    fn held_up(&self, fault: usize) -> Vec<String> {
        let effects = self.faults.node_effects(fault);
        let held: BTreeSet<_> = effects
            .filter(|(_, effect)| effect.holds_up())
            .map(|(node, _)| node)
            .collect();
        let name = |node: NodeIndex| self.lab.nodes[node.at()].name.to_string();
        held.into_iter().map(name).collect()
    }

    /// Lets go of nodes that no fault touches any more: what did not come back stays away.
    fn disown(&mut self) {
        for node in self.state.indices() {
            if !self.faults.touches(node) {
                self.state.members[node.at()].owned = false;
            }
        }
    }

    fn finish_when_done(&mut self, now: u64) {
        let Some(run) = &self.run else {
            return;
        };
        if self.proofs.are_waiting() || self.memory.is_waiting() {
            return;
        }
        let (Some(closing), true) = (run.closing, self.faults.list().is_empty()) else {
            return;
        };
        let ended = closing == Closing::Ended;
        let last = after(run.end().unwrap_or(now), self.longest_timeout());
        let mut late = self.state.members.iter().filter(|m| {
            let up = m.ready && m.conn.is_some() && m.actual == (Actual::Running { passed: true });
            m.role.is_some() && up && m.reported < last
        });
        if ended && now < after(last, LAST_REPORTS) {
            if late.next().is_none() {
                self.finish(now, closing);
            }
            return;
        }
        if ended {
            let late: Vec<_> = late
                .map(|m| format!("`{}` did not deliver its last report", m.name))
                .collect();
            late.into_iter().for_each(|reason| self.reason(reason));
        }
        self.finish(now, closing);
    }

    /// When [`Core::finish_when_done`] gives up waiting.
    pub(super) fn closing_deadline(&self) -> Option<u64> {
        let end = self
            .run
            .as_ref()
            .filter(|run| run.closing.is_some())?
            .end()?;
        Some(after(end, self.longest_timeout() + LAST_REPORTS))
    }

    pub(super) fn longest_timeout(&self) -> Duration {
        let loads = self
            .state
            .members
            .iter()
            .filter_map(|m| m.role.as_ref()?.load());
        loads.map(|load| load.timeout).max().unwrap_or_default()
    }

    pub(super) fn finish(&mut self, now: u64, closing: Closing) {
        let before = self.run.as_ref().map_or(0, |run| run.drops_before);
        let drops = self.drops.saturating_sub(before);
        if drops > 0 {
            self.reason(format!(
                "devices dropped {drops} packets that no link was to lose: the host was too slow"
            ));
        }
        let Some(run) = &self.run else {
            return;
        };
        let cut_short = closing == Closing::Interrupted && run.player.is_some();
        let verdict = match run.reasons.is_empty() {
            _ if cut_short => Verdict::Interrupted,
            _ if closing == Closing::Aborted => Verdict::Failed,
            true => Verdict::Passed,
            false => Verdict::Inconclusive,
        };
        let reasons = run.reasons.clone();
        self.tell_missed(now);
        self.event(now, What::RunEnded { verdict, reasons });
        self.act(Action::CloseRun { drops });
        if let Some(Run { id, events, .. }) = self.run.take() {
            self.last = Some(Last {
                id,
                events,
                verdict,
            });
        }
        self.run_over(now);
    }

    pub(super) fn on_run_clock(&self, at: u64) -> i64 {
        at as i64 - self.run.as_ref().map_or(0, |run| run.go) as i64
    }

    /// Records what happened at `at`, when a run is playing.
    pub(super) fn event(&mut self, at: u64, what: What) {
        let t = self.on_run_clock(at);
        let Some(run) = &mut self.run else {
            return;
        };
        let event = Event { t, what };
        if run.events.len() < MAX_EVENTS {
            run.events.push(event.clone());
        }
        self.tell_followers(&event);
        self.act(Action::Event(event));
    }

    /// Notes a sentence in the record, and in the log.
    pub(super) fn note(&mut self, now: u64, node: Option<NodeIndex>, text: String) {
        let node = node.map(|node| self.name(node));
        let log = node
            .as_ref()
            .map_or_else(|| text.clone(), |node| format!("{node}: {text}"));
        self.act(Action::Log(log));
        self.event(now, What::Note { node, text });
    }

    /// One more reason why the run is inconclusive; said once.
    pub(super) fn reason(&mut self, reason: String) {
        if let Some(run) = &mut self.run
            && run.reasons.len() < 100
            && !run.reasons.contains(&reason)
        {
            run.reasons.push(reason);
        }
    }

    /// Nodes that are up and should report, but do not.
    pub(super) fn look_for_silence(&mut self, now: u64) {
        let Some(go) = self.run.as_ref().map(|run| run.go) else {
            return;
        };
        for node in self.state.indices() {
            let member = &self.state.members[node.at()];
            let up = member.actual == (Actual::Running { passed: true });
            let should = member.role.is_some() && up && !self.faults.touches(node);
            let since = member.heard.max(go);
            if should && !member.silent && now > after(since, SILENCE) {
                let name = self.name(node);
                self.state.members[node.at()].silent = true;
                let text = format!("no report for more than {}s", SILENCE.as_secs());
                self.reason(format!("`{name}`: {text}: its samples are missing"));
                self.note(now, Some(node), text);
            }
        }
    }
}
