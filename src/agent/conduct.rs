//! How nodes' programs are to answer under the active effects, and what they have confirmed. Pure.
//!
//! Owns the fold: everything that is to go wrong with a node's answers, in the order in which it began,
//! is told at once, again to every new process. Whether it does go wrong is for `replies` to see.

use super::core::{Action, Core};
use super::desire::Desired;
use super::state::Conn;
use crate::fault::Effect;
use crate::id::NodeIndex;
use netlab_protocol::conduct::Misbehaviour;
use netlab_protocol::control::ToNode;
use std::collections::{BTreeMap, BTreeSet};

/// What a program was told last.
#[derive(Clone, Debug)]
struct Told {
    conn: Conn,
    number: u64,
    wrong: Vec<Misbehaviour>,
    /// Answers spoilt until then, once it has confirmed.
    confirmed: Option<u64>,
}

/// What programs were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Conduct {
    told: BTreeMap<NodeIndex, Told>,
}

impl Conduct {
    /// Whether every program that was told anything has confirmed that it does nothing wrong.
    pub fn is_right(&self) -> bool {
        let right = |told: &Told| told.wrong.is_empty() && told.confirmed.is_some();
        self.told.values().all(right)
    }

    /// Answers that the program had spoilt when it confirmed what it was told last.
    pub fn spoilt(&self, node: NodeIndex) -> Option<u64> {
        self.told.get(&node)?.confirmed
    }

    /// Nodes have other places, or are others.
    pub fn forget(&mut self) {
        self.told.clear();
    }
}

/// All that goes wrong with a node's answers under these effects.
pub(super) fn wrong<'e>(
    effects: impl IntoIterator<Item = &'e Effect>,
    node: NodeIndex,
) -> Vec<Misbehaviour> {
    let here = |effect: &Effect| match effect {
        Effect::Program { node: at, effect } if *at == node => Some(*effect),
        _ => None,
    };
    effects.into_iter().filter_map(here).collect()
}

impl Core {
    /// What a node's program is to do wrong by now. A fault waits until was looked how it answers
    /// without it.
    fn wanted_of(&self, node: NodeIndex) -> Vec<Misbehaviour> {
        let begun = self.faults.wanted();
        let begun = begun.filter(|f| !self.proofs.looks_first(f.fault));
        wrong(begun.flat_map(|f| &self.faults.get(f.fault).effects), node)
    }

    /// Tells programs what differs from what they were told last.
    pub(super) fn keep_conduct(&mut self) {
        let here = |effect: &Effect| match effect {
            Effect::Program { node, .. } => Some(*node),
            _ => None,
        };
        let mut nodes: BTreeSet<NodeIndex> = self.faults.effects().filter_map(here).collect();
        nodes.extend(self.conduct.told.keys());
        let mut unsettled = BTreeSet::new();
        for node in nodes {
            let wanted = self.wanted_of(node);
            if let Some(conn) = self.state.members[node.at()].conn {
                let told = self.conduct.told.get(&node);
                let same = |told: &Told| told.conn == conn && told.wrong == wanted;
                if !told.is_some_and(same) {
                    self.tell_conduct(node, conn, wanted);
                }
            }
            let all = wrong(self.faults.effects(), node);
            let settled = |told: &Told| told.wrong == all && told.confirmed.is_some();
            let is_settled = match self.conduct.told.get(&node) {
                Some(told) => settled(told),
                None => all.is_empty(),
            };
            // Who does not run answers nobody: another fault hides this one.
            if !is_settled && self.faults.desired(node) == Desired::Running {
                unsettled.insert(node);
            }
        }
        self.faults.unsettled = unsettled;
    }

    /// Tells a program that has just connected, before it is told what it is: a new one shall never
    /// answer rightly first, and one that another agent knew may have been told otherwise.
    pub(super) fn greet_conduct(&mut self, node: NodeIndex, conn: Conn) {
        let wanted = self.wanted_of(node);
        if self.state.ready || !wanted.is_empty() {
            self.tell_conduct(node, conn, wanted);
        }
    }

    fn tell_conduct(&mut self, node: NodeIndex, conn: Conn, wrong: Vec<Misbehaviour>) {
        let number = self.next_serial();
        let message = ToNode::Behave {
            number,
            wrong: wrong.clone(),
        };
        self.act(Action::Send { conn, message });
        let told = Told {
            conn,
            number,
            wrong,
            confirmed: None,
        };
        self.conduct.told.insert(node, told);
    }

    /// A program does as it was told.
    pub(super) fn behaves(&mut self, conn: Conn, number: u64, spoilt: u64) {
        let Some(node) = self.state.by_conn(conn) else {
            return;
        };
        if let Some(told) = self.conduct.told.get_mut(&node)
            && told.number == number
        {
            told.confirmed = Some(spoilt);
        }
    }
}

#[cfg(test)]
#[path = "conduct_tests.rs"]
mod tests;
