//! How the lab becomes another while it runs. Pure.
//!
//! Owns who stays: nodes are known by their names, and get other places in the lab's order. The
//! driver takes an adoption when nothing else is to be done ([`Core::due_adoption`]), so that no
//! action with an old place is left over; inputs under way are translated by the driver.

use super::core::{Action, Core};
use super::desire::Actual;
use super::position::Closing;
use super::state::{Member, State};
use crate::id::NodeIndex;
use crate::lab::Node;
use crate::plan::{Adoption, Leaving, lab_hash};
use crate::record::stream::Reply;
use netlab_protocol::control::ToNode;
use std::collections::{BTreeMap, BTreeSet};

/// Containers let go of that are remembered: their last events come within seconds.
const REMEMBERED: usize = 50_000;

/// For each node of the other lab its place in this one; none: it is new, or made anew.
pub(super) type Was = Vec<Option<NodeIndex>>;

impl Core {
    pub(super) fn asked_to_adopt(&mut self, now: u64, client: u64, adoption: Box<Adoption>) {
        let playing = self.run.as_ref().is_some_and(|run| run.player.is_some());
        let hash = lab_hash(&self.lab);
        // Asked twice (the connection broke before the answer) it is done twice.
        let expected = adoption.from == hash || lab_hash(&adoption.lab) == hash;
        let refusal = match () {
            () if adoption.lab.name != self.lab.name => "this is another lab: `netlab ps`",
            () if self.adopt_next.is_some() || self.play_next.is_some() => {
                "another `netlab up` is at work on this lab: wait for it"
            }
            () if playing && !adoption.replace => {
                "a scenario is playing: wait for its end, or close it with --replace"
            }
            () if !expected => {
                "the lab has changed since this plan was made: say `netlab up` again"
            }
            () => {
                self.adopt_next = Some((client, adoption));
                // The record of a run has one lab.
                return self.close(now, Closing::Interrupted);
            }
        };
        let why = refusal.to_owned();
        self.reply(client, Reply::Refused { why }, true);
    }

    /// The adoption that was asked for, once the run is closed and everything has healed.
    pub(super) fn due_adoption(&mut self) -> Option<(u64, Box<Adoption>)> {
        let healed = self.links.are_declared() && self.names.are_right();
        let healed = healed && self.faults.list().is_empty();
        let healed = healed
            && self.conduct.is_right()
            && self.volumes.are_right()
            && !self.proofs.are_waiting();
        let busy = self.run.is_some() || !healed || !self.actions.is_empty();
        if busy {
            return None;
        }
        self.adopt_next.take()
    }

    /// Who stays.
    pub(super) fn was(&self, adoption: &Adoption) -> Was {
        let leaving = adoption.leaving.iter();
        let leaving: BTreeSet<&str> = leaving.map(|leaving| leaving.node.as_str()).collect();
        let members = self.state.members.iter().zip(0..);
        let places: BTreeMap<&str, u32> = members.map(|(m, at)| (m.name.as_str(), at)).collect();
        let place = |node: &Node| {
            let name = node.name.as_str();
            let found = places.get(name).filter(|_| !leaving.contains(name));
            let found = found.copied().map(NodeIndex);
            // With other devices it is wired anew; others are made anew then.
            let rewired = |was: &NodeIndex| self.lab.nodes[was.at()].interfaces != node.interfaces;
            found.filter(|was| !(node.is_host() && rewired(was)))
        };
        adoption.lab.nodes.iter().map(place).collect()
    }

    /// Lets go of everything of those who do not stay. To be done before [`Core::adopt`], when the
    /// fabric is that of the other lab.
    pub(super) fn part(&mut self, was: &Was, leaving: &[Leaving]) {
        if self.left.len() > REMEMBERED {
            self.left.clear();
        }
        self.left
            .extend(leaving.iter().map(|leaving| leaving.container.clone()));
        let stays: BTreeSet<NodeIndex> = was.iter().flatten().copied().collect();
        for node in self.state.indices().filter(|node| !stays.contains(node)) {
            let member = &mut self.state.members[node.at()];
            member.wiring = None;
            let (knocks, conn) = (std::mem::take(&mut member.knocks), member.conn.take());
            self.left
                .extend(self.state.members[node.at()].container.take());
            for knock in knocks {
                self.act(Action::DropKnock { knock });
            }
            if let Some(conn) = conn {
                self.act(Action::Send {
                    conn,
                    message: ToNode::Stop,
                });
                self.act(Action::Close { conn });
            }
            // Its device went with the fabric's old configuration.
            let member = &mut self.state.members[node.at()];
            member.port = None;
            if std::mem::take(&mut member.pinned) {
                self.act(Action::Unpin { node });
            }
        }
    }

    /// The lab is the other one from now on; programs whose parameters have changed are told.
    pub(super) fn adopt(&mut self, now: u64, adoption: Adoption, was: &Was) {
        let Adoption { lab, starting, .. } = adoption;
        let for_all = |lab: &crate::lab::Lab| (lab.seed, lab.sampling);
        let differs = for_all(&lab) != for_all(&self.lab);
        let mut before: Vec<Option<Member>> = std::mem::take(&mut self.state.members)
            .into_iter()
            .map(Some)
            .collect();
        let mut changed = Vec::new();
        let mut members = Vec::with_capacity(lab.nodes.len());
        for ((node, was), at) in lab.nodes.iter().zip(was).zip(0..) {
            let old = was.and_then(|was| before.get_mut(was.at())?.take());
            let mut member = old.unwrap_or_else(|| Member::new(node));
            if member.take_role(node) || differs {
                changed.push(NodeIndex(at));
            }
            // Dead no more; one that is not known as dead was started meanwhile by somebody else.
            if starting.contains(&node.name) && member.actual == Actual::Dead {
                (member.actual, member.changed) = (Actual::Unknown, now);
            }
            members.push(member);
        }
        self.state = State {
            members,
            gates_open: self.state.gates_open,
            ready: false,
        };
        self.faults = super::apply::Faults::new(&lab, Vec::new());
        self.counts.clear();
        self.conduct.forget();
        self.volumes.forget();
        self.lab = lab;
        for node in changed {
            let member = &mut self.state.members[node.at()];
            if let (Some(conn), Some(role)) = (member.conn, member.role.clone()) {
                member.ready = false;
                self.configure(node, conn, role);
            }
        }
        self.state.note_ready();
    }
}

#[cfg(test)]
#[path = "adopt_tests.rs"]
mod tests;
