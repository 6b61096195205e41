//! What a test wants to go wrong where effects are applied: what is said to be done is not done.
//!
//! Exists so that a test can show that a fault without effect is noticed. A release has none of it,
//! whatever it is told.

use super::Operation;
use crate::fabric::{LinkChange, ResolverChange, ResolverManner};
use crate::lab::Lab;
use netlab_protocol::control::ToNode;

/// What is not done.
#[derive(Clone, Debug, Default)]
pub(in crate::agent) struct Sabotage {
    words: Vec<String>,
}

impl Sabotage {
    /// `links`: no link is made worse; `heal`: no link and no name is made well again; `kill`, `stop`, `pause`,
    /// `unpause`, `start`, `limit`: the engine is not asked to.
    pub fn new(words: Vec<String>) -> Sabotage {
        match cfg!(debug_assertions) {
            true => Sabotage { words },
            false => Sabotage::default(),
        }
    }

    fn says(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// Leaves out what is not to be done.
    pub fn links(&self, mut changes: Vec<LinkChange>, lab: &Lab) -> Vec<LinkChange> {
        if !self.words.is_empty() {
            changes.retain(|change| {
                let network = &lab.networks[change.network.at()];
                let declared = network.links.get(change.from, change.to);
                let heals = !change.down && change.properties == *declared;
                !self.says(if heals { "heal" } else { "links" })
            });
        }
        changes
    }

    /// Leaves out what is not to be done; `resolver`: nobody is answered otherwise, or, with `heal`,
    /// as before.
    pub fn resolver(&self, mut changes: Vec<ResolverChange>) -> Vec<ResolverChange> {
        changes.retain(|change| {
            let heals = change.manner == ResolverManner::default();
            !self.says(if heals { "heal" } else { "resolver" })
        });
        changes
    }

    /// `abort`: no connection is reset.
    pub fn aborts(&self) -> bool {
        self.says("abort")
    }

    /// Whether volumes keep what is to be wiped (`wipe`).
    pub fn keeps(&self) -> bool {
        self.says("wipe")
    }

    /// Whether volumes stay as they are (`volume`).
    pub fn spares_volumes(&self) -> bool {
        self.says("volume")
    }

    /// Leaves out what is not to be done; `behave`: programs are told to do nothing wrong.
    pub fn program(&self, message: ToNode) -> ToNode {
        match message {
            ToNode::Behave { number, .. } if self.says("behave") => ToNode::Behave {
                number,
                wrong: Vec::new(),
            },
            message => message,
        }
    }

    /// Whether the engine is not to be asked.
    pub fn stops(&self, operation: Operation) -> bool {
        self.says(match operation {
            Operation::Kill => "kill",
            Operation::Stop(_) => "stop",
            Operation::Pause => "pause",
            Operation::Unpause => "unpause",
            Operation::Start => "start",
            Operation::Limit(_) => "limit",
        })
    }
}
