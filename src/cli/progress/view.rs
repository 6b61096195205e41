//! What the lines of progress say. Pure: time and width are given.

use super::line::Line;
use super::roles::RoleNow;
use super::words;
use crate::id::occurrence_label;
use crate::lab::Scenario;
use crate::plan::{Action, Plan};
use crate::record::event::{Event, What};
use crate::record::stream::{NodeState, Progress as Second, Status};
use crate::report::Palette;
use crate::timeline::{self, Moment, Step, Timeline};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is known about the lab.
#[derive(Debug)]
pub struct View {
    lab: String,
    stage: Stage,
    /// The run's clock, as last heard.
    now: i64,
    /// The same when the last second was told.
    last: i64,
    warmup: i64,
    end: Option<i64>,
    run: String,
    /// What happened in the last second, by role.
    roles: BTreeMap<String, RoleNow>,
    /// Kind and target of faults by name.
    known: BTreeMap<String, String>,
    /// Stretches in which faults are planned, on the run's clock, in the order of their begins.
    planned: Vec<Planned>,
    /// What is played, and what its conditions have told.
    scenario: Option<Scenario>,
    moments: Vec<Moment>,
    active: Vec<String>,
    down: Vec<String>,
    died: BTreeSet<String>,
}

#[derive(Debug)]
enum Stage {
    Starting(Start),
    Playing,
    Ended,
    Undoing(&'static str),
}

/// Counts of a start.
#[derive(Debug, Default)]
struct Start {
    actions: Vec<Action>,
    images: Count,
    created: Count,
    started: Count,
    ready: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    done: usize,
    all: usize,
}

/// A fault that will come, or has come.
#[derive(Debug)]
struct Planned {
    name: String,
    begin: i64,
    /// None: it is over at once.
    heal: Option<i64>,
}

fn adopts(action: &Action) -> bool {
    matches!(action, Action::Adopt { .. })
}

impl View {
    /// Nothing is known but the name.
    pub fn new(lab: &str) -> View {
        View {
            lab: lab.to_owned(),
            stage: Stage::Starting(Start::default()),
            now: 0,
            last: 0,
            warmup: 0,
            end: None,
            run: String::new(),
            roles: BTreeMap::new(),
            known: BTreeMap::new(),
            planned: Vec::new(),
            scenario: None,
            moments: Vec::new(),
            active: Vec::new(),
            down: Vec::new(),
            died: BTreeSet::new(),
        }
    }

    /// A plan is being carried out.
    pub fn starting(&mut self, plan: &Plan) {
        let mut start = Start {
            actions: plan.operations.iter().map(|o| o.action.clone()).collect(),
            ..Start::default()
        };
        for action in plan.operations.iter().map(|o| &o.action) {
            match action {
                Action::CreateImage(_) => start.images.all += 1,
                Action::CreateNode(_) => {
                    start.created.all += 1;
                    start.ready.all += 1;
                }
                Action::StartNode(_) => start.started.all += 1,
                _ => {}
            }
        }
        self.stage = Stage::Starting(start);
    }

    /// Operation `id` is over.
    pub fn done(&mut self, id: u32) {
        let Stage::Starting(start) = &mut self.stage else {
            return;
        };
        match start.actions.get((id as usize).wrapping_sub(1)) {
            Some(Action::CreateImage(_)) => start.images.done += 1,
            Some(Action::CreateNode(_)) => start.created.done += 1,
            Some(Action::StartNode(_)) => start.started.done += 1,
            _ => {}
        }
    }

    /// The nodes' states.
    pub fn status(&mut self, status: &Status) {
        if let Stage::Starting(start) = &mut self.stage {
            let ready = |n: &&_| matches!(n, NodeState::Ready);
            start.ready.all = status.nodes.len();
            start.ready.done = status.nodes.iter().map(|n| &n.state).filter(ready).count();
        }
    }

    /// What was made is being removed, for this reason.
    pub fn undoing(&mut self, why: &'static str) {
        // The first reason is the one that counts.
        if !matches!(self.stage, Stage::Undoing(_)) {
            self.stage = Stage::Undoing(why);
        }
    }

    /// Takes an event in and says it.
    pub fn event(&mut self, event: &Event) -> Option<Line> {
        self.now = self.now.max(event.t);
        match &event.what {
            What::RunStarted {
                run, warmup, end, ..
            } => {
                self.stage = Stage::Playing;
                (self.now, self.last) = (event.t, event.t);
                (self.run, self.warmup, self.end) = (run.clone(), *warmup, *end);
            }
            What::ConditionHeld { fault, .. } => {
                let moment = u64::try_from(event.t - self.warmup).unwrap_or(0);
                self.know(fault, Moment::Held(Duration::from_nanos(moment)));
            }
            What::FaultNeverBegan { fault, .. } => self.know(fault, Moment::Missed),
            What::FaultBegan {
                fault,
                occurrence,
                kind,
                target,
                ..
            } => {
                let label = occurrence_label(fault, *occurrence);
                self.known.insert(label.clone(), format!("{kind} {target}"));
                self.active.push(label);
            }
            What::FaultHealed { fault, occurrence } => {
                let label = occurrence_label(fault, *occurrence);
                self.active.retain(|active| *active != label);
            }
            What::NodeDied { node, .. } => {
                self.died.insert(node.clone());
                self.down.push(node.clone());
            }
            What::RunEnded { .. } => self.stage = Stage::Ended,
            _ => {}
        }
        let line = words::told(event, self.warmup, &self.died);
        if let What::NodeReady { node } = &event.what {
            self.died.remove(node);
            self.down.retain(|down| down != node);
        }
        line
    }

    /// Takes in how the last second went.
    pub fn second(&mut self, second: &Second) {
        let seconds = ((second.t - self.last) as f64 / 1e9).clamp(1.0, 60.0);
        self.last = second.t;
        self.now = self.now.max(second.t);
        self.active.clone_from(&second.faults);
        self.down.clone_from(&second.down);
        // A role that has asked nothing this second still has its line.
        for now in self.roles.values_mut() {
            now.begin();
        }
        for row in &second.requests {
            self.roles.entry(row.role.clone()).or_default().add(row);
        }
        for now in self.roles.values_mut() {
            now.end(seconds);
        }
    }

    /// What the scenario is going to do.
    pub fn expect(&mut self, scenario: &Scenario) {
        self.moments = vec![Moment::Waiting; scenario.conditions.len()];
        self.scenario = Some(scenario.clone());
        self.plan();
    }

    /// What became of the condition of a fault.
    fn know(&mut self, fault: &str, moment: Moment) {
        let conditions = self.scenario.iter().flat_map(|s| &s.conditions);
        for (condition, known) in conditions.zip(&mut self.moments) {
            if condition.when.name == fault && *known == Moment::Waiting {
                *known = moment;
            }
        }
        self.plan();
    }

    /// Names of the faults whose conditions are waited for.
    fn waiting(&self) -> String {
        let scenario = self.scenario.iter();
        let waiting = scenario.flat_map(|s| timeline::waiting(s, &self.moments));
        let names: Vec<&str> = waiting.map(|(_, one)| one.when.name.as_str()).collect();
        names.join(", ")
    }

    fn plan(&mut self) {
        let ns = |at: Duration| i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
        let scenario = self.scenario.iter();
        let entries = scenario.flat_map(|s| Timeline::told_by(s, &self.moments).entries);
        self.planned.clear();
        for entry in entries {
            let name = entry.name.to_string();
            let of_it = |planned: &&mut Planned| planned.name == name && planned.heal.is_none();
            match (entry.step, self.planned.iter_mut().rev().find(of_it)) {
                (Step::Heal, Some(planned)) => planned.heal = Some(ns(entry.at)),
                (Step::Heal, None) => {}
                (Step::Begin, _) => self.planned.push(Planned {
                    name,
                    begin: ns(entry.at),
                    heal: None,
                }),
            }
        }
    }

    /// A word that changes with the phase.
    pub fn phase(&self) -> &'static str {
        match &self.stage {
            Stage::Starting(start) if start.actions.is_empty() => "",
            Stage::Starting(_) => "starting",
            Stage::Undoing(why) => why,
            Stage::Ended => "ended",
            Stage::Playing => "playing",
        }
    }

    /// What plain output says when the phase changes.
    pub fn phase_line(&self) -> Option<String> {
        match &self.stage {
            Stage::Starting(start) if !start.actions.is_empty() => {
                let text = match start.created.all {
                    0 if start.actions.iter().any(adopts) => "up, is being changed".to_owned(),
                    0 => "already up, as the file says".to_owned(),
                    1 => "starting 1 node".to_owned(),
                    nodes => format!("starting {nodes} nodes"),
                };
                Some(format!("{}: {text}", self.lab))
            }
            Stage::Undoing(why) => Some(format!("{}: {why}", self.lab)),
            Stage::Starting(_) | Stage::Playing | Stage::Ended => None,
        }
    }

    /// How the run goes, in one plain line.
    pub fn plain(&self) -> String {
        let at = words::fixed(self.now - self.warmup, 2);
        let mut parts: Vec<String> = self.roles.iter().map(|(r, n)| n.plain(r)).collect();
        if !self.down.is_empty() {
            parts.push(format!("down: {}", self.down.join(" ")));
        }
        format!("{at:>8} s  {}", parts.join("; "))
    }

    /// The lines of a terminal of `width` columns, `since` after the last news.
    pub fn lines(&self, since: Duration, width: usize) -> Vec<Line> {
        match &self.stage {
            Stage::Starting(start) => vec![start.line(&self.lab)],
            Stage::Undoing(why) => vec![self.head(why)],
            Stage::Ended => Vec::new(),
            Stage::Playing => {
                let mut lines = vec![self.clock(since, width)];
                lines.push(self.disturbances(since));
                if !self.roles.is_empty() {
                    lines.push(RoleNow::heads(width));
                }
                lines.extend(self.roles.iter().map(|(role, now)| now.line(role, width)));
                lines
            }
        }
    }

    fn head(&self, phase: &str) -> Line {
        Line::default()
            .painted(Palette::strong, self.lab.clone())
            .plain(format!("  {phase}  "))
    }

    /// Name, phase, bar and time.
    fn clock(&self, since: Duration, width: usize) -> Line {
        let since = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        let now = self.now.saturating_add(since);
        let Some(end) = self.end else {
            let head = self.head("running");
            return head.plain(format!("{} s", words::fixed(now, 1)));
        };
        let now = now.clamp(0, end);
        let (phase, time) = if now < self.warmup {
            (
                "warming up",
                format!(
                    "{} of {}",
                    words::fixed(now, 1),
                    words::fixed(self.warmup, 1)
                ),
            )
        } else {
            let (now, all) = (now - self.warmup, end - self.warmup);
            let phase = if now == all { "finishing" } else { "playing" };
            (
                phase,
                format!("{} of {}", words::fixed(now, 1), words::fixed(all, 1)),
            )
        };
        let head = self.head(&format!("{phase:<10}"));
        let time = format!("  {time:>13} s");
        let room = width.saturating_sub(1 + head.columns() + time.chars().count());
        head.then(self.bar(now, end, room)).plain(time)
    }

    /// The run as a line of `room` columns: what is over and what is to come, and where faults are.
    fn bar(&self, now: i64, end: i64, room: usize) -> Line {
        let at = |column: usize| (column as f64 / room as f64 * end as f64) as i64;
        let filled = (room as f64 * now as f64 / end.max(1) as f64).round() as usize;
        let mut line = Line::default();
        for column in 0..room {
            let (from, to) = (at(column), at(column + 1));
            let faulty = |one: &Planned| one.begin < to && one.heal.unwrap_or(one.begin + 1) > from;
            let over = column < filled;
            line = match (self.planned.iter().any(faulty), over) {
                (true, true) => line.painted(Palette::fault, "━"),
                (true, false) => line.painted(Palette::fault, "╌"),
                (false, true) => line.painted(Palette::good, "━"),
                (false, false) => line.painted(Palette::quiet, "─"),
            };
        }
        line
    }

    /// Active faults and nodes that are down, or which fault comes next; the line stays, so that
    /// nothing jumps.
    fn disturbances(&self, since: Duration) -> Line {
        let since = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        let now = self.now.saturating_add(since);
        let named = |fault: &String| {
            let planned = self.planned.iter().filter(|one| one.name == *fault);
            let heal = planned
                .filter(|one| one.begin <= now)
                .filter_map(|one| one.heal);
            let left = heal.max().filter(|heal| *heal > now);
            let left = left.map(|heal| format!(", {} s left", words::fixed(heal - now, 0)));
            let what = self.known.get(fault).map(|what| format!(" ({what})"));
            format!(
                "{fault}{}{}",
                what.unwrap_or_default(),
                left.unwrap_or_default()
            )
        };
        let active: Vec<String> = self.active.iter().map(named).collect();
        let next = self.planned.iter().find(|one| one.begin > now);
        let line = match (active.is_empty(), next) {
            (true, None) => {
                let waiting = match self.waiting() {
                    names if names.is_empty() => names,
                    names => format!("; {names} when the condition holds"),
                };
                let text = format!("  no fault in effect{waiting}");
                Line::default().painted(Palette::quiet, text)
            }
            (true, Some(next)) => {
                let left = words::fixed(next.begin - now, 0);
                let text = format!("  no fault in effect; {} in {left} s", next.name);
                Line::default().painted(Palette::quiet, text)
            }
            (false, _) => Line::default()
                .plain("  in effect: ")
                .painted(Palette::fault, active.join("; ")),
        };
        match self.down.is_empty() {
            true => line,
            false => line
                .plain("   down: ")
                .painted(Palette::bad, self.down.join(" ")),
        }
    }
}

impl Start {
    fn line(&self, lab: &str) -> Line {
        let mut line = Line::default()
            .painted(Palette::strong, lab.to_owned())
            .plain("  starting");
        for (what, count) in [
            ("images", self.images),
            ("created", self.created),
            ("started", self.started),
            ("ready", self.ready),
        ] {
            if count.all == 0 {
                continue;
            }
            let paint = if count.done >= count.all {
                Palette::good
            } else {
                |_, text: &str| text.to_owned()
            };
            let text = format!("{}/{}", count.done, count.all);
            line = line
                .painted(Palette::quiet, format!("   {what} "))
                .painted(paint, text);
        }
        line
    }
}

#[cfg(test)]
mod tests;
