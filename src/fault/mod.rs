//! The vocabulary of faults: what each kind takes, and what it does, as data.
//!
//! One file per kind, one line in [`KINDS`]. A kind turns its targets and parameters into
//! [`Effect`]s; the agent interprets effects and knows no kinds. Must not know the topology's
//! text, the engine, or time.

mod crash_loop;
mod cut;
mod degrade;
mod disk_fill;
mod dns;
mod effect;
mod flap;
mod fold;
mod kill;
mod limits;
mod misbehave;
mod mtu_blackhole;
mod partition;
mod pause;
mod proof;
mod read_only;
mod resolver;
mod restart;
mod stop;
mod tcp_reset;
mod throttle;
mod wipe;

pub use effect::{Degradation, Effect, LinkEffect, NodeEffect, Pairs};
pub use fold::{Folded, is_down, touched};
pub use limits::Limits;
pub use partition::Split;
pub use proof::Proof;
pub use resolver::{ResolverEffect, ResolverFailure};

use crate::id::NodeIndex;
use crate::units::{ByteSize, Cores, Ratio};
use std::collections::BTreeMap;
use std::time::Duration;

/// All kinds of faults, in the order in which help lists them.
pub const KINDS: &[Kind] = &[
    kill::KIND,
    stop::KIND,
    pause::KIND,
    restart::KIND,
    crash_loop::KIND,
    wipe::KIND,
    throttle::KIND,
    disk_fill::KIND,
    read_only::KIND,
    cut::KIND,
    flap::KIND,
    partition::KIND,
    degrade::KIND,
    mtu_blackhole::KIND,
    tcp_reset::KIND,
    dns::KIND,
    misbehave::KIND,
];

/// The loss of a node.
pub const KILL: &Kind = &kill::KIND;

/// A kind of fault: its word in the file, what it takes, and what it does.
#[derive(Debug)]
pub struct Kind {
    /// Its key in the file, and its word on the command line.
    pub name: &'static str,
    /// One sentence for help and schema.
    pub help: &'static str,
    /// What its target must be.
    pub target: TargetShape,
    /// Parameters beside the target.
    pub params: &'static [Param],
    /// Whether it lasts (and takes `for`), or is over when it has happened.
    pub lasts: bool,
    /// What it does to resolved targets.
    pub effects: fn(&Target, &Params) -> Vec<Effect>,
}

/// What may stand behind a kind's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetShape {
    /// A selector or a list of selectors: the nodes it happens to.
    Nodes,
    /// `{ between: [a, b] }` or `{ from: a, to: b }`.
    Links,
    /// The same, with properties of links beside the ends.
    Degraded,
    /// A list of groups, each a selector or a list; or a way to split, or one direction.
    Groups,
}

/// A target after its selectors have been resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Nodes, in the lab's order.
    Nodes(Vec<NodeIndex>),
    /// From these to those; with `both`, also back.
    Links {
        /// Senders.
        from: Vec<NodeIndex>,
        /// Receivers.
        to: Vec<NodeIndex>,
        /// Both directions.
        both: bool,
    },
    /// The same, with what changes.
    Degraded {
        /// Senders.
        from: Vec<NodeIndex>,
        /// Receivers.
        to: Vec<NodeIndex>,
        /// Both directions.
        both: bool,
        /// What.
        change: Box<Degradation>,
    },
    /// Disjoint groups.
    Groups(Vec<Vec<NodeIndex>>),
    /// Nodes to be split so, at least [`Split::least`], in a drawn order.
    Split(Split, Vec<NodeIndex>),
}

/// A parameter that a kind takes.
#[derive(Debug)]
pub struct Param {
    /// Its key.
    pub name: &'static str,
    /// What it may be.
    pub kind: ParamKind,
    /// One sentence for help and schema.
    pub help: &'static str,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// One of these words; the first is the default.
    Word(&'static [&'static str]),
    /// A time with unit.
    Duration,
    /// A time that is at least so long.
    LongTime(Duration),
    /// A share in percent.
    Share,
    /// A whole number in this range.
    Integer(u64, u64),
    /// Processor cores: a share of one, or a number.
    Cores,
    /// A size of at least so many bytes.
    Size(u64),
}

/// A parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// One of the words of [`ParamKind::Word`].
    Word(String),
    /// A time.
    Duration(Duration),
    /// A share.
    Share(Ratio),
    /// A whole number.
    Integer(u64),
    /// Processor cores.
    Cores(Cores),
    /// A size.
    Size(ByteSize),
}

/// The parameters that were given, checked against [`Kind::params`].
pub type Params = BTreeMap<&'static str, ParamValue>;

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Parameters of a kind of which at least one is to be said; empty: all have defaults.
pub fn needed(kind: &Kind) -> &'static [&'static str] {
    match kind.name {
        name if name == throttle::KIND.name => throttle::NEEDED,
        _ => &[],
    }
}

/// How long all that a fault says takes at the least, where it says something of that sort.
pub fn shortest(kind: &Kind, params: &Params) -> Option<Duration> {
    match kind.name {
        name if name == crash_loop::KIND.name => crash_loop::shortest(params),
        _ => None,
    }
}

/// The nodes of a target of shape [`TargetShape::Nodes`]; none for the other shapes.
fn nodes(target: &Target) -> &[NodeIndex] {
    match target {
        Target::Nodes(nodes) => nodes,
        _ => &[],
    }
}

/// The links of a target that names their ends; none for the other shapes.
fn links(target: &Target) -> Option<Pairs> {
    let (from, to, both) = match target {
        Target::Links { from, to, both } => (from.clone(), to.clone(), both),
        Target::Degraded { from, to, both, .. } => (from.clone(), to.clone(), both),
        _ => return None,
    };
    Some(match both {
        true => Pairs::Between { a: from, b: to },
        false => Pairs::Directed { from, to },
    })
}

/// The parameter `name`, when it is a duration that was given; `default` otherwise.
fn duration(params: &Params, name: &str, default: Duration) -> Duration {
    match params.get(name) {
        Some(ParamValue::Duration(d)) => *d,
        _ => default,
    }
}
