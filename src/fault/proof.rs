//! What must be observable while an effect is in force, as data.
//!
//! Must not know how it is observed. Whoever adds an effect says here how anybody could tell that it
//! took place.

use super::{Effect, LinkEffect, NodeEffect, Pairs};
use crate::id::NodeIndex;
use netlab_protocol::conduct::Misbehaviour;

/// What is to be seen of an effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proof<'e> {
    /// No packet passes these links: their counters of delivered packets stand still, and what is sent
    /// is counted as dropped because the link is down.
    Silent(&'e Pairs),
    /// These links are otherwise than without the effect, and packets that passed had it.
    Changed(&'e Pairs),
    /// These links go down and come up; at the begin they are down.
    Flapping(&'e Pairs),
    /// The resolver answers these nodes otherwise than without the effect.
    Answered(&'e [NodeIndex]),
    /// Connections that crossed these links got a reset.
    Reset(&'e Pairs),
    /// The node's first process is gone, and another one runs when it has healed.
    Gone(NodeIndex),
    /// The node's processes stand still, and are the same when it has healed.
    Frozen(NodeIndex),
    /// The node's program answers wrongly whoever asks it, and rightly when it has healed.
    Spoilt(NodeIndex, &'e Misbehaviour),
    /// Another first process runs afterwards.
    Anew(NodeIndex),
    /// At each crash its first process is gone, and after each start there is another.
    Crashing(NodeIndex, Option<u32>),
    /// Nothing is on the node's volume before its program begins again.
    Emptied(NodeIndex),
    /// No byte is free on the node's data volume, and some are when it has healed.
    Full(NodeIndex),
    /// The kernel has the node's data volume read-only, and no longer when it has healed.
    ReadOnly(NodeIndex),
    /// The node's cgroup has the limits of all faults in force, or its kernel has killed it for them.
    Limited(NodeIndex),
}

impl Proof<'_> {
    /// What is looked for while it is in force, in a few words for people.
    pub fn words(&self) -> &'static str {
        match self {
            Proof::Silent(_) => "no packet passes these links",
            Proof::Changed(_) => "the links are otherwise, and so are packets that pass",
            Proof::Flapping(_) => "the links go down, and up as the period says",
            Proof::Answered(_) => "the resolver answers otherwise",
            Proof::Reset(_) => "connections across these links are reset",
            Proof::Gone(_) => "the first process of each node is gone",
            Proof::Frozen(_) => "the processes of each node stand still",
            Proof::Anew(_) => "another first process runs in each node",
            Proof::Crashing(..) => "the first process of each node goes again and again",
            Proof::Emptied(_) => "nothing is on the volume of each node when it comes back",
            Proof::Full(_) => "no byte is free on the volume of each node",
            Proof::ReadOnly(_) => "the kernel has the volume of each node read-only",
            Proof::Limited(_) => "the cgroup of each node has the limits",
            Proof::Spoilt(..) => "who asks each node is answered wrongly, late or never",
        }
    }
}

impl Effect {
    /// What must be observable of it.
    pub fn proof(&self) -> Proof<'_> {
        match self {
            Effect::Links { pairs, effect } => match effect {
                LinkEffect::Down => Proof::Silent(pairs),
                LinkEffect::Flap { .. } => Proof::Flapping(pairs),
                LinkEffect::Change(_) => Proof::Changed(pairs),
            },
            Effect::Resolver { nodes, .. } => Proof::Answered(nodes),
            Effect::Abort { pairs } => Proof::Reset(pairs),
            Effect::Program { node, effect } => Proof::Spoilt(*node, effect),
            Effect::Node { node, effect } => match effect {
                NodeEffect::Kill { .. } | NodeEffect::Stop { .. } => Proof::Gone(*node),
                NodeEffect::Pause => Proof::Frozen(*node),
                NodeEffect::Restart { .. } => Proof::Anew(*node),
                NodeEffect::CrashLoop { crashes, .. } => Proof::Crashing(*node, *crashes),
                NodeEffect::Wipe => Proof::Emptied(*node),
                NodeEffect::Fill => Proof::Full(*node),
                NodeEffect::ReadOnly => Proof::ReadOnly(*node),
                NodeEffect::Throttle(_) => Proof::Limited(*node),
            },
        }
    }
}
