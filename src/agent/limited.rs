//! What nodes may take of processor and memory under the active faults. Pure.
//!
//! Owns the fold over limits, what the engine was seen to have of them, and what becomes of a node
//! that the kernel kills for its memory: it stays dead until no fault limits its memory any more.

use super::apply::Faults;
use super::core::Core;
use super::desire::{Death, Desired, Operation, limited, limits};
use crate::fault::{Effect, Limits};
use crate::id::NodeIndex;
use crate::lab::Lab;
use std::collections::{BTreeMap, BTreeSet};

/// The exit code of who got SIGKILL.
const KILLED: i64 = 137;

/// What is wanted of a node that was killed for its memory: the heal starts it again.
pub(super) const OUT_OF_MEMORY: Desired = Desired::Dead(Death {
    grace: None,
    kernel_answers: false,
});

/// What nodes may take.
#[derive(Clone, Debug, Default)]
pub(super) struct Limited {
    /// Without faults, by node.
    declared: Vec<Limits>,
    /// As the engine has it, where it was asked.
    actual: BTreeMap<NodeIndex, Limits>,
    /// Nodes that the kernel killed for their memory under a fault.
    killed: BTreeSet<NodeIndex>,
}

impl Limited {
    /// As declared.
    pub fn new(lab: &Lab) -> Limited {
        Limited {
            declared: lab.nodes.iter().map(|node| node.limits()).collect(),
            ..Limited::default()
        }
    }

    /// What a node may take without faults.
    fn declared(&self, node: NodeIndex) -> Limits {
        self.declared.get(node.at()).copied().unwrap_or_default()
    }
}

impl Faults {
    /// The engine says what a node may take.
    pub fn tell_limits(&mut self, node: NodeIndex, limits: Limits) {
        self.limited.actual.insert(node, limits);
    }

    /// What a node may take under these effects.
    pub fn limits_under<'a>(
        &self,
        effects: impl IntoIterator<Item = &'a Effect>,
        node: NodeIndex,
    ) -> Limits {
        limited(effects, node, self.limited.declared(node))
    }

    /// What the engine has to be told of a node; none: it has it. Whom it was not asked about has what
    /// is declared.
    pub fn limit_to_set(&self, node: NodeIndex) -> Option<Limits> {
        let wanted = self.limits_under(self.effects(), node);
        let declared = self.limited.declared(node);
        let actual = self.limited.actual.get(&node).copied();
        (wanted != actual.unwrap_or(declared)).then_some(wanted)
    }

    /// The fault in force that limits the memory of a node; of several the tightest.
    fn memory_limiter(&self, node: NodeIndex) -> Option<usize> {
        let tightest = |fault: usize| {
            let here = self.node_effects(fault).filter(|(at, _)| *at == node);
            here.filter_map(|(_, effect)| limits(effect)?.memory).min()
        };
        let all = self
            .wanted()
            .filter_map(|f| Some((tightest(f.fault)?, f.fault)));
        all.min().map(|(_, fault)| fault)
    }

    /// A node lives again, whoever started it.
    pub fn forget_death(&mut self, node: NodeIndex) {
        self.limited.killed.remove(&node);
    }

    /// Whether the kernel has killed a node for a limit that is still in force.
    pub fn is_out_of_memory(&self, node: NodeIndex) -> bool {
        self.limited.killed.contains(&node) && self.memory_limiter(node).is_some()
    }
}

impl Core {
    /// Whether a death may be the kernel's, for a limit of memory, though the kernel's word is not here
    /// yet.
    pub(super) fn may_be_out_of_memory(&self, node: NodeIndex, exit_code: i64) -> bool {
        let limited = self.faults.memory_limiter(node).is_some();
        let wanted = self.faults.killer(node).is_some();
        let said = self.state.members[node.at()].out_of_memory;
        exit_code == KILLED && limited && !wanted && !said
    }

    /// The fault for whose limit the kernel has killed a node, if it has.
    pub(super) fn out_of_memory(&mut self, node: NodeIndex) -> (Option<String>, bool) {
        self.faults.limited.killed.remove(&node);
        let said = self.state.members[node.at()].out_of_memory;
        let Some(fault) = self.faults.memory_limiter(node).filter(|_| said) else {
            return (None, false);
        };
        self.faults.limited.killed.insert(node);
        self.prove_out_of_memory(node);
        (Some(self.faults.get(fault).name.to_string()), true)
    }

    /// The next step with a node: limits come before a start, and after everything else.
    pub(super) fn with_limits(
        &self,
        node: NodeIndex,
        life: Option<Operation>,
    ) -> Option<Operation> {
        match life {
            None | Some(Operation::Start) => {
                let limits = self.faults.limit_to_set(node).map(Operation::Limit);
                limits.or(life)
            }
            life => life,
        }
    }
}

#[cfg(test)]
#[path = "limited_tests.rs"]
mod tests;
