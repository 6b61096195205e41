//! Nodes that crash over and over: when the next crash is due, and how many there were. Pure.
//!
//! Owns the pace of each crash-loop: a node is killed at its begin, and again when it has been up for
//! its time. The count stands beside the fault in force, which the next agent finds; the pace does not.

use super::apply::{Faults, Stage, after};
use super::core::{Action, Core};
use super::desire::{Actual, Death};
use super::prove::{Look, Moment};
use crate::fault::NodeEffect;
use crate::id::NodeIndex;
use std::collections::BTreeMap;
use std::time::Duration;

/// How it dies: its kernel closes connections and refuses new ones until it is started.
pub(super) const CRASH: Death = Death {
    grace: None,
    kernel_answers: true,
};

/// One node in one crash-loop.
#[derive(Clone, Copy, Debug)]
struct Loop {
    uptime: Duration,
    /// So often it may crash; none: without end.
    most: Option<u32>,
    /// Whether a crash is due.
    due: bool,
    /// When the next one is; none while the node is down, or when there is none.
    next: Option<u64>,
    /// How often it has crashed for it.
    crashes: u32,
}

impl Loop {
    fn may_crash(&self) -> bool {
        self.most.is_none_or(|most| self.crashes < most)
    }

    fn is_up(&mut self, now: u64) {
        self.next = self.may_crash().then(|| after(now, self.uptime));
    }
}

/// All crash-loops in force, by fault and node.
#[derive(Clone, Debug, Default)]
pub(super) struct Loops(BTreeMap<(usize, NodeIndex), Loop>);

impl Faults {
    /// What crash-loops in force make due by now; `begun` is one that begins just now.
    pub fn pace_loops(&mut self, now: u64, actual: &[Actual], begun: Option<usize>) {
        // A crash that was asked for before the heal may still come: it is waited for.
        let coming = |fault: usize, node: NodeIndex| {
            let known = self.loops.0.get(&(fault, node));
            known.is_some_and(|one| one.due && one.crashes > 0)
        };
        let in_force = self.list().iter().flat_map(|f| {
            let healing = f.stage == Stage::Healing;
            let nodes = self.node_effects(f.fault);
            nodes.filter_map(move |(node, effect)| match *effect {
                NodeEffect::CrashLoop { crashes, uptime } if !healing || coming(f.fault, node) => {
                    let mut new = Loop {
                        uptime,
                        most: crashes,
                        due: begun == Some(f.fault),
                        next: None,
                        crashes: f.crashed.get(&node).copied().unwrap_or_default(),
                    };
                    if !new.due {
                        new.is_up(now);
                    }
                    Some(((f.fault, node), new))
                }
                _ => None,
            })
        });
        let mut loops: BTreeMap<_, _> = in_force.collect();
        for (place, one) in &mut loops {
            if let Some(known) = self.loops.0.get(place) {
                *one = *known;
            }
            // Who is dead already cannot crash, and who crashed is due again when it has been up.
            let dead = actual.get(place.1.at()) == Some(&Actual::Dead);
            let over = one.next.is_some_and(|next| next <= now);
            one.due = !dead && (one.due || over);
            if one.due || dead {
                one.next = None;
            }
        }
        self.loops.0 = loops;
    }

    /// When the next crash is due.
    pub fn next_crash(&self) -> Option<u64> {
        self.loops.0.values().filter_map(|one| one.next).min()
    }

    /// Whether a node is to crash now, for this fault.
    pub fn crashes_for(&self, fault: usize, node: NodeIndex) -> bool {
        self.loops.0.get(&(fault, node)).is_some_and(|one| one.due)
    }

    /// Whether a node is to crash now.
    pub fn crashes_now(&self, node: NodeIndex) -> bool {
        self.of(node).any(|(_, one)| one.due)
    }

    /// Whether a node has crashed for this fault.
    pub fn has_crashed(&self, fault: usize, node: NodeIndex) -> bool {
        let found = self.loops.0.get(&(fault, node));
        found.is_some_and(|one| one.crashes > 0)
    }

    fn of(&self, node: NodeIndex) -> impl Iterator<Item = (usize, &Loop)> {
        let all = self.loops.0.iter();
        all.filter(move |((_, at), _)| *at == node)
            .map(|((fault, _), one)| (*fault, one))
    }

    /// A node is dead; the faults that wanted it to crash.
    fn crashed(&mut self, node: NodeIndex) -> Vec<usize> {
        let mut wanted = Vec::new();
        for ((fault, at), one) in &mut self.loops.0 {
            if *at == node && std::mem::take(&mut one.due) {
                one.crashes += 1;
                wanted.push(*fault);
                let in_force = self.list.iter_mut().filter(|f| f.fault == *fault);
                for f in in_force {
                    f.crashed.insert(node, one.crashes);
                }
            }
            if *at == node {
                one.next = None;
            }
        }
        wanted
    }

    /// A node is up again; the faults that it crashes for.
    fn is_up(&mut self, now: u64, node: NodeIndex) -> Vec<usize> {
        let mut all = Vec::new();
        for ((fault, at), one) in &mut self.loops.0 {
            if *at == node {
                one.is_up(now);
                all.push(*fault);
            }
        }
        all
    }
}

impl Core {
    /// Looks whether the process of a node that crashed is gone.
    pub(super) fn note_crash(&mut self, node: NodeIndex) {
        for fault in self.faults.crashed(node) {
            self.look_at_crash(fault, Moment::Crashed, node);
        }
    }

    /// Looks which process a node has that was started again.
    pub(super) fn note_start(&mut self, now: u64, node: NodeIndex) {
        for fault in self.faults.is_up(now, node) {
            self.look_at_crash(fault, Moment::Started, node);
        }
    }

    fn look_at_crash(&mut self, fault: usize, moment: Moment, node: NodeIndex) {
        self.act(Action::Look(Look {
            fault,
            moment,
            nodes: vec![node],
            links: Vec::new(),
            questions: Vec::new(),
        }));
    }
}

#[cfg(test)]
#[path = "crashes_tests.rs"]
mod tests;
