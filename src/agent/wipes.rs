//! Nodes that lose their data: emptied at their gate, before their program begins. Pure.
//!
//! Owns who is to be emptied, and that no gate opens before. How it is done is the driver's.

use super::apply::Faults;
use super::core::{Action, Core};
use crate::fault::NodeEffect;
use crate::id::NodeIndex;
use std::collections::BTreeSet;

/// What became of a node's volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Emptied {
    /// Whether it has one.
    pub volume: bool,
    /// Files and folders that were in it.
    pub had: usize,
    /// Those that are in it now.
    pub left: usize,
}

impl Faults {
    /// The nodes that a fault empties are to be emptied when they come back.
    pub fn note_wipes(&mut self, fault: usize) {
        let wiped = self.node_effects(fault);
        let wiped = wiped.filter(|(_, effect)| **effect == NodeEffect::Wipe);
        let wiped: BTreeSet<NodeIndex> = wiped.map(|(node, _)| node).collect();
        self.wipes.extend(wiped);
    }
}

impl Core {
    /// Holds the gates of nodes that are to be emptied, and has those emptied that are wired.
    pub(super) fn empty_before_gates(&mut self) {
        for node in self.state.indices() {
            let held = self.faults.wipes.contains(&node);
            let member = &mut self.state.members[node.at()];
            member.held = held;
            let here = member.port.is_some() && member.wiring.is_none();
            if held && here && !member.knocks.is_empty() {
                let volume = self.lab.nodes[node.at()].has_volume();
                self.act(Action::Empty { node, volume });
            }
        }
    }

    /// A node was emptied, or could not be: its gate opens all the same, and its fault is not proven.
    pub(super) fn emptied(&mut self, node: NodeIndex, result: Result<Emptied, String>) {
        self.faults.wipes.remove(&node);
        self.prove_emptied(node, &result);
        // Emptying lifts what another fault does to the volume.
        self.volumes.again(node);
    }
}

#[cfg(test)]
#[path = "wipes_tests.rs"]
mod tests;
