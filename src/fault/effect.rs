//! What faults do, as data, and the fold of the active effects over the links.
//!
//! Must not know which fault an effect came from, nor how it is applied.

use crate::id::NodeIndex;
use crate::units;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One thing that a fault does while it is active.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Something about links; folds with the other active ones.
    Links {
        /// Which ordered pairs.
        pairs: Pairs,
        /// What about them.
        effect: LinkEffect,
    },
    /// Something about a node's processes; does not fold, carries its own heal.
    Node {
        /// Which node.
        node: NodeIndex,
        /// What happens to it.
        effect: NodeEffect,
    },
}

/// A set of ordered pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    /// All links from and to these nodes.
    Touching(Vec<NodeIndex>),
    /// All links from one set to the other.
    Directed {
        /// Senders.
        from: Vec<NodeIndex>,
        /// Receivers.
        to: Vec<NodeIndex>,
    },
    /// All links between nodes of different groups.
    Across(Vec<Vec<NodeIndex>>),
}

impl Pairs {
    /// Whether the link `from` → `to` is in the set.
    pub fn contains(&self, from: NodeIndex, to: NodeIndex) -> bool {
        match self {
            Pairs::Touching(nodes) => nodes.contains(&from) || nodes.contains(&to),
            Pairs::Directed {
                from: senders,
                to: receivers,
            } => senders.contains(&from) && receivers.contains(&to),
            Pairs::Across(groups) => {
                let group = |node| groups.iter().position(|g| g.contains(&node));
                matches!((group(from), group(to)), (Some(a), Some(b)) if a != b)
            }
        }
    }
}

/// What may be wrong with a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkEffect {
    /// Every packet is lost, silently.
    Down,
}

/// What may happen to a node's processes. Healing: see each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeEffect {
    /// SIGKILL to all of them; healed by starting the same container again.
    Kill {
        /// Whether its kernel goes on answering (connection refused) until the heal, as after the
        /// crash of a process; otherwise it vanishes, as a machine does.
        kernel_answers: bool,
    },
    /// SIGTERM, and SIGKILL after the grace; the kernel answers; healed by starting it again.
    Stop {
        /// Time between the two signals.
        #[serde(with = "units::duration")]
        grace: Duration,
    },
    /// Frozen (cgroup freezer): its kernel still answers, its processes do not; healed by thawing.
    Pause,
    /// Stopped as by [`NodeEffect::Stop`], then started at once; heals itself.
    Restart {
        /// As for [`NodeEffect::Stop`].
        #[serde(with = "units::duration")]
        grace: Duration,
    },
}

/// Whether the link `from` → `to` is down under these effects (the fold over all active ones).
pub fn is_down<'a>(
    effects: impl IntoIterator<Item = &'a Effect>,
    from: NodeIndex,
    to: NodeIndex,
) -> bool {
    effects.into_iter().any(|effect| match effect {
        Effect::Links {
            pairs,
            effect: LinkEffect::Down,
        } => pairs.contains(from, to),
        Effect::Node { .. } => false,
    })
}
