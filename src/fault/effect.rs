//! What faults do, as data.
//!
//! Must not know which fault an effect came from, nor how it is applied.

use super::{Limits, ResolverEffect};
use crate::id::NodeIndex;
use crate::link::{LinkPatch, LinkProperties, Steps};
use crate::units;
use netlab_protocol::conduct::Misbehaviour;
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
    /// Something about the answers that nodes get from the resolver; folds, too.
    Resolver {
        /// Who asks.
        nodes: Vec<NodeIndex>,
        /// What about them.
        effect: ResolverEffect,
    },
    /// A node's program answers otherwise than it should; folds, too: all of a node's at once.
    Program {
        /// Which node.
        node: NodeIndex,
        /// What is wrong.
        effect: Misbehaviour,
    },
    /// The TCP connections that cross links now are aborted; over at once.
    Abort {
        /// Which ordered pairs.
        pairs: Pairs,
    },
    /// Something about a node's processes; does not fold, carries its own heal.
    Node {
        /// Which node.
        node: NodeIndex,
        /// What happens to it.
        effect: NodeEffect,
    },
}

impl Effect {
    /// Calls `each` with every node that it names, which may put another one there.
    pub fn each_node(&mut self, each: &mut dyn FnMut(&mut NodeIndex)) {
        match self {
            Effect::Links { pairs, .. } | Effect::Abort { pairs } => pairs.each_node(each),
            Effect::Resolver { nodes, .. } => nodes.iter_mut().for_each(each),
            Effect::Program { node, .. } | Effect::Node { node, .. } => each(node),
        }
    }
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
    /// All links between one set and the other, both directions; each once where they overlap.
    Between {
        /// One end.
        a: Vec<NodeIndex>,
        /// The other.
        b: Vec<NodeIndex>,
    },
    /// All links between nodes of different groups.
    Across(Vec<Vec<NodeIndex>>),
    /// All links between nodes that stand far from each other in a circle.
    Apart {
        /// The circle.
        ring: Vec<NodeIndex>,
        /// So many places away is still near.
        reach: usize,
    },
}

impl Effect {
    /// Whether it is about what the fabric does.
    pub fn is_of_network(&self) -> bool {
        match self {
            Effect::Links { .. } | Effect::Resolver { .. } | Effect::Abort { .. } => true,
            Effect::Program { .. } | Effect::Node { .. } => false,
        }
    }
}

impl Pairs {
    fn each_node(&mut self, each: &mut dyn FnMut(&mut NodeIndex)) {
        match self {
            Pairs::Touching(nodes) | Pairs::Apart { ring: nodes, .. } => {
                nodes.iter_mut().for_each(each);
            }
            Pairs::Directed { from: a, to: b } | Pairs::Between { a, b } => {
                a.iter_mut().chain(b).for_each(each);
            }
            Pairs::Across(groups) => groups.iter_mut().flatten().for_each(each),
        }
    }

    /// Whether the link `from` → `to` (two different nodes) is in the set.
    pub fn contains(&self, from: NodeIndex, to: NodeIndex) -> bool {
        match self {
            Pairs::Touching(nodes) => nodes.contains(&from) || nodes.contains(&to),
            Pairs::Directed {
                from: senders,
                to: receivers,
            } => senders.contains(&from) && receivers.contains(&to),
            Pairs::Between { a, b } => {
                let (ahead, back) = (a.contains(&from), b.contains(&from));
                (ahead && b.contains(&to)) || (back && a.contains(&to))
            }
            Pairs::Across(groups) => {
                let group = |node| groups.iter().position(|g| g.contains(&node));
                matches!((group(from), group(to)), (Some(a), Some(b)) if a != b)
            }
            Pairs::Apart { ring, reach } => {
                let place = |node| ring.iter().position(|other| *other == node);
                let far = |(a, b)| are_apart(a, b, ring.len(), *reach);
                place(from).zip(place(to)).is_some_and(far)
            }
        }
    }

    /// All links of the set in a lab of `nodes` nodes; where its sets overlap, some twice.
    pub fn all(&self, nodes: usize) -> Box<dyn Iterator<Item = (NodeIndex, NodeIndex)> + '_> {
        let every = move || (0..nodes as u32).map(NodeIndex);
        match self {
            Pairs::Touching(nodes) => {
                let both =
                    move |node| every().flat_map(move |other| [(node, other), (other, node)]);
                Box::new(nodes.iter().copied().flat_map(both).filter(is_link))
            }
            Pairs::Directed { from, to } => Box::new(between(from, to)),
            Pairs::Between { a, b } => Box::new(between(a, b).chain(between(b, a))),
            Pairs::Across(groups) => Box::new(groups.iter().flat_map(move |group| {
                let others = groups.iter().filter(|other| !std::ptr::eq(*other, group));
                others.flat_map(move |other| between(group, other))
            })),
            Pairs::Apart { ring, reach } => {
                let far = move |a: usize| {
                    let far = move |b: &usize| are_apart(a, *b, ring.len(), *reach);
                    (0..ring.len()).filter(far).map(move |b| (ring[a], ring[b]))
                };
                Box::new((0..ring.len()).flat_map(far))
            }
        }
    }
}

fn between<'n>(
    from: &'n [NodeIndex],
    to: &'n [NodeIndex],
) -> impl Iterator<Item = (NodeIndex, NodeIndex)> + 'n {
    let all = from.iter().flat_map(|a| to.iter().map(|b| (*a, *b)));
    all.filter(is_link)
}

fn is_link((from, to): &(NodeIndex, NodeIndex)) -> bool {
    from != to
}

/// Whether two places of a circle of `length` are more than `reach` apart.
fn are_apart(a: usize, b: usize, length: usize, reach: usize) -> bool {
    let ahead = a.abs_diff(b);
    ahead.min(length - ahead) > reach
}

/// What may be wrong with a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkEffect {
    /// Every packet is lost, silently.
    Down,
    /// Down and up, over and over, beginning with down. Whoever folds leaves it out while it is up.
    Flap {
        /// From one going down to the next.
        #[serde(with = "units::duration")]
        period: Duration,
        /// How long of it the link is down.
        #[serde(with = "units::duration")]
        down: Duration,
    },
    /// Its properties are others.
    Change(Box<Degradation>),
}

impl LinkEffect {
    /// Whether it holds so long after it began, and until when that stays so; none: for ever.
    pub fn phase(&self, since: Duration) -> (bool, Option<Duration>) {
        let LinkEffect::Flap { period, down } = self else {
            return (true, None);
        };
        if down.is_zero() || down >= period || period.is_zero() {
            return (!down.is_zero(), None);
        }
        let number = since.as_nanos() / period.as_nanos();
        let start = Duration::from_nanos((number * period.as_nanos()) as u64);
        match since - start < *down {
            true => (true, Some(start + *down)),
            false => (false, Some(start + *period)),
        }
    }
}

/// How properties of a link change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Degradation {
    /// What some are, whatever they were.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub set: LinkPatch,
    /// By how much others change.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub by: Steps,
}

fn is_nothing<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Degradation {
    /// `properties` with what is said here.
    pub fn over(&self, properties: &LinkProperties) -> LinkProperties {
        self.by.over(&self.set.over(properties))
    }
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
    /// SIGKILL, a start at once, and again when it has been up for a time; the kernel answers; healed
    /// by starting it once more.
    CrashLoop {
        /// How often; none: until the heal.
        crashes: Option<u32>,
        /// From a start to the next crash.
        #[serde(with = "units::duration")]
        uptime: Duration,
    },
    /// It comes back without what it kept on its volume; whoever wipes a node kills it, too.
    Wipe,
    /// Nothing more fits on its data volume; folds: it is full while any effect wants it.
    Fill,
    /// Nothing can be written on its data volume; folds in the same way.
    ReadOnly,
    /// It may take no more than this; folds: the tighter limit counts, also over what is declared.
    /// Who is killed for its memory stays dead until the heal, which starts it again.
    Throttle(Limits),
}

impl NodeEffect {
    /// Whether the programs of the node run on, but late: their own timers tell nothing about the host.
    pub fn holds_up(&self) -> bool {
        matches!(self, NodeEffect::Pause | NodeEffect::Throttle(_))
    }
}
