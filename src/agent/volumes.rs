//! How data volumes of a size are to be under the active effects, and whether they are. Pure.
//!
//! Owns the fold, and that it is done again: what fails is tried again, and a volume that is to be full
//! is filled again when its node has removed something. How it is done is the driver's.

use super::apply::after;
use super::core::{Action, Core};
use crate::fault::{Effect, NodeEffect};
use crate::id::NodeIndex;
use std::collections::BTreeMap;
use std::time::Duration;

/// From one filling to the next, and from a failure to the next try.
const AGAIN: Duration = Duration::from_millis(100);

/// How a volume is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct VolumeState {
    /// Nothing more fits on it.
    pub full: bool,
    /// It takes no writes.
    pub read_only: bool,
}

impl VolumeState {
    /// How a node's volume is under these effects.
    pub fn under<'e>(
        effects: impl IntoIterator<Item = &'e Effect>,
        node: NodeIndex,
    ) -> VolumeState {
        let mut condition = VolumeState::default();
        for effect in effects {
            match effect {
                Effect::Node { node: at, .. } if *at != node => {}
                Effect::Node { effect, .. } => {
                    condition.full |= *effect == NodeEffect::Fill;
                    condition.read_only |= *effect == NodeEffect::ReadOnly;
                }
                _ => {}
            }
        }
        condition
    }
}

/// What was asked for last.
#[derive(Clone, Debug)]
struct Asked {
    serial: u64,
    condition: VolumeState,
    /// What came of it; none: nothing yet.
    result: Option<Result<(), String>>,
    /// Why the same was refused before.
    refused: Option<String>,
    /// When it is done again; none: not.
    again: Option<u64>,
}

/// What was asked for of volumes that have a size.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    asked: BTreeMap<NodeIndex, Asked>,
}

impl Volumes {
    /// Whether each is as it would be without faults.
    pub fn are_right(&self) -> bool {
        let right = |asked: &Asked| {
            asked.condition == VolumeState::default() && asked.result == Some(Ok(()))
        };
        self.asked.values().all(right)
    }

    /// When something is done again.
    pub fn next_at(&self) -> Option<u64> {
        let done = self.asked.values().filter(|asked| asked.result.is_some());
        done.filter_map(|asked| asked.again).min()
    }

    /// A volume may not be as it was said to be.
    pub fn again(&mut self, node: NodeIndex) {
        if let Some(asked) = self.asked.get_mut(&node) {
            asked.again = Some(0);
        }
    }

    /// Nodes have other places, or are others.
    pub fn forget(&mut self) {
        self.asked.clear();
    }
}

impl Core {
    /// Asks for what differs from what was asked for last. An agent that is new asks for all: another
    /// one may have left them otherwise.
    pub(super) fn keep_volumes(&mut self, now: u64) {
        let bounded = |node: &NodeIndex| self.lab.nodes[node.at()].volume.is_some();
        let nodes: Vec<NodeIndex> = self.state.indices().filter(bounded).collect();
        self.faults.volumes.clear();
        for node in nodes {
            let begun = self.faults.wanted();
            let begun = begun.filter(|f| !self.proofs.looks_first(f.fault));
            let begun = begun.flat_map(|f| &self.faults.get(f.fault).effects);
            let wanted = VolumeState::under(begun, node);
            let is_due = |asked: &Asked| {
                let again = asked.again.is_some_and(|at| now >= at);
                asked.result.is_some() && (asked.condition != wanted || again)
            };
            if self.volumes.asked.get(&node).is_none_or(is_due) {
                self.ask_volume(node, wanted);
            }
            let all = VolumeState::under(self.faults.effects(), node);
            let asked = self.volumes.asked.get(&node);
            let why = match asked {
                Some(asked) if asked.condition == all => match &asked.result {
                    Some(Ok(())) => continue,
                    Some(Err(why)) => Some(why.clone()),
                    None => asked.refused.clone(),
                },
                _ => None,
            };
            self.faults.volumes.insert(node, why);
        }
    }

    fn ask_volume(&mut self, node: NodeIndex, condition: VolumeState) {
        let serial = self.next_serial();
        let before = self.volumes.asked.get(&node);
        let before = before.filter(|before| before.condition == condition);
        let asked = Asked {
            serial,
            condition,
            result: None,
            refused: before.and_then(|before| before.result.clone()?.err()),
            again: None,
        };
        self.volumes.asked.insert(node, asked);
        self.act(Action::SetVolume {
            node,
            serial,
            condition,
        });
    }

    /// A volume is as it was to be, or could not be made so.
    pub(super) fn volume_set(
        &mut self,
        now: u64,
        node: NodeIndex,
        serial: u64,
        result: Result<(), String>,
    ) {
        let asked = self.volumes.asked.get_mut(&node);
        let Some(asked) = asked.filter(|asked| asked.serial == serial) else {
            return;
        };
        if asked.condition.full || result.is_err() {
            asked.again.get_or_insert(after(now, AGAIN));
        }
        asked.result = Some(result);
    }
}

#[cfg(test)]
#[path = "volumes_tests.rs"]
mod tests;
