//! Taking up a lab where the agent before this one left it. Pure.
//!
//! Owns what becomes of the run that was playing; what is decided from the position alone stands in
//! `position`.

use super::abort::Failing;
use super::apply::{Faults, Seen};
use super::by_hand::HandPosition;
use super::conditions;
use super::core::{Action, Core, SECOND};
use super::desire::Desired;
use super::one_by_one::OneByOne;
use super::play::Run;
use super::player::Player;
use super::position::{Closing, Resume, RunPosition, missed};
use crate::record::event::{Event, What};

impl Core {
    /// Takes up the lab where the agent before this one left it.
    pub(super) fn resume(&mut self, now: u64, resume: Resume, events: Vec<Event>) {
        let (position, dead) = match resume {
            Resume::Fresh => return,
            Resume::Continue(position) => (position, None),
            Resume::Close(position, why) => (position, Some(why)),
        };
        self.state.gates_open = position.gates_open;
        self.state.ready = position.ready;
        (self.number, self.load) = (position.number, position.load);
        for member in &mut self.state.members {
            member.owned = position.owned.contains(&member.name);
        }
        let at = position.at;
        self.hand.number = position.hand_number;
        let Some(run) = position.run else {
            return self.resume_by_hand(now, position.by_hand);
        };
        let scenario = self.lab.scenario.as_ref();
        self.run = Some(Run {
            player: scenario.map(|s| Player::new(s, run.go, run.done, run.moments.clone())),
            id: run.id.clone(),
            go: run.go,
            closing: run.closing,
            events,
            warmed_up: run.warmed_up,
            reasons: run.reasons.clone(),
            drops_before: 0,
            one_by_one: OneByOne::default(),
            failing: Failing::default(),
            seen: conditions::Seen::default(),
        });
        let (id, go) = (run.id.clone(), run.go);
        self.act(Action::ReopenRun { id, go });
        match dead {
            Some(why) => {
                self.reason(why);
                self.finish(at, Closing::Ended);
            }
            None => self.resume_run(now, at, run, position.by_hand),
        }
    }

    fn resume_run(&mut self, now: u64, at: u64, run: RunPosition, by_hand: Vec<HandPosition>) {
        let (away, from) = (
            now.saturating_sub(at) as f64 / SECOND as f64,
            self.on_run_clock(at),
        );
        self.event(now, What::AgentResumed { from });
        self.reason(format!(
            "the agent died and came back {away:.1}s later; nothing was measured meanwhile"
        ));
        self.faults = Faults::new(&self.lab, run.in_force);
        let in_force: Vec<usize> = self.faults.list().iter().map(|f| f.fault).collect();
        in_force
            .into_iter()
            .for_each(|fault| self.prove_resumed(fault));
        self.remember();
        let since = self.on_run_clock(now);
        self.watched.blind(since);
        self.resume_by_hand(now, by_hand);
        for node in self.state.indices() {
            if matches!(self.faults.desired(node), Desired::Dead(d) if d.kernel_answers) {
                let text = "its kernel answers no more: the agent that held its network died";
                self.note(now, Some(node), text.to_owned());
            }
        }
        let player = self.run.as_mut().and_then(|run| run.player.as_mut());
        let due = player.map_or_else(Vec::new, |player| player.due(now));
        let (due, unseen) = missed(due);
        for fault in unseen {
            let why = "it came and went while the agent was away".to_owned();
            self.seen_fault(now, Seen::Failed { fault, why });
        }
        self.apply(now, due);
        let touched: Vec<usize> = self.faults.list().iter().map(|f| f.fault).collect();
        touched.into_iter().for_each(|fault| self.own(fault));
    }
}
