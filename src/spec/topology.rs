//! The topology: the file as written, typed, with the places that later messages point at.
//!
//! Must not know addresses or replicas.

use super::checks::CheckSpec;
use super::drawn::DrawnSpec;
use super::schedule::ScheduleSpec;
use super::selector::Selection;
use super::source::{Span, Spanned};
use crate::fault::{Degradation, Kind, Params, Split};
use crate::id::Name;
use crate::link::{LinkPatch, LinkProperties, Trace};
use crate::metrics::Endpoint;
use crate::port::PortMapping;
use crate::units::{BitRate, ByteSize, Ratio};
use netlab_protocol::role::{Data, File, Load, Service};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A topology file. What could not be read is missing, and was reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// `name`.
    pub name: Option<Spanned<Name>>,
    /// `seed`.
    pub seed: u64,
    /// `sampling`.
    pub sampling: Option<Duration>,
    /// `link`: every pair.
    pub link: LinkChange,
    /// Recorded capacities that links name.
    pub traces: Vec<Trace>,
    /// `networks`, in the file's order; the one of a file that names none.
    pub networks: Vec<NetworkSpec>,
    /// Whether all of `networks` could be read.
    pub networks_complete: bool,
    /// `nodes`, in the file's order.
    pub nodes: Vec<NodeSpec>,
    /// Whether all names of `nodes` could be read.
    pub nodes_complete: bool,
    /// `links`, in the file's order.
    pub links: Vec<LinkSpec>,
    /// `overlay`.
    pub overlay: Edges,
    /// `scenario`.
    pub scenario: Option<ScenarioSpec>,
    /// `checks`, in the file's order.
    pub checks: Vec<CheckSpec>,
}

/// One entry of `networks`.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// Its key; `lab` where the file names none.
    pub name: Spanned<Name>,
    /// `link`, laid over the lab's.
    pub link: LinkChange,
    /// IPv4 address and prefix length.
    pub v4: Option<Spanned<(Ipv4Addr, u8)>>,
    /// IPv6 address and prefix length.
    pub v6: Option<Spanned<(Ipv6Addr, u8)>>,
    /// Which members have a wire.
    pub edges: Edges,
    /// `reach: adjacent`.
    pub adjacent: bool,
}

/// The networks of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Places {
    /// Not said.
    Only,
    /// These, the first of which is the primary.
    These(Vec<PlaceSpec>),
    /// Said, and refused.
    Unreadable,
}

/// A place in a network.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceSpec {
    /// Which.
    pub network: Spanned<Name>,
    /// Fixed addresses of the replicas, in order; or none.
    pub v4: Vec<Spanned<Ipv4Addr>>,
    /// Fixed addresses of the replicas, in order; or none.
    pub v6: Vec<Spanned<Ipv6Addr>>,
}

/// Which nodes are beside each other: peers that know each other, members that have a wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Edges {
    /// The shape's word and its parameters.
    pub shape: ShapeSpec,
    /// The node in the middle of a star.
    pub hub: Option<Selection>,
    /// Where it is written.
    pub span: Span,
}

impl Default for Edges {
    fn default() -> Edges {
        Edges {
            shape: ShapeSpec::Full,
            hub: None,
            span: Span::default(),
        }
    }
}

/// A shape of edges between nodes, as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ShapeSpec {
    /// Everyone knows everyone.
    Full,
    /// One knows everyone, everyone knows that one.
    Star,
    /// Each knows the one before and the one after it, the last one the first.
    Ring,
    /// The same without closing it.
    Line,
    /// Rows and columns; the width, or the smallest square that holds all.
    Grid(Option<u32>),
    /// Each has so many below it.
    Tree(u32),
    /// Each knows so many others, drawn from the seed.
    Random(u32),
    /// A ring in which each knows so many neighbours, some of them drawn anew from the seed.
    SmallWorld {
        /// Neighbours of each.
        degree: u32,
        /// Share of edges that are drawn anew.
        rewire: Ratio,
    },
}

/// One entry of `nodes`.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Its key.
    pub name: Spanned<Name>,
    /// How many.
    pub count: Count,
    /// Words that select it.
    pub labels: Vec<String>,
    /// `networks`.
    pub places: Places,
    /// Where `forward: true` stands.
    pub forward: Option<Span>,
    /// Access link, towards the network.
    pub uplink: Option<BitRate>,
    /// Access link, towards the node.
    pub downlink: Option<BitRate>,
    /// The word for what it is (`server`, …, `image`), when that could be read.
    pub role: Option<&'static str>,
    /// What it publishes.
    pub ports: Vec<Spanned<PortMapping>>,
    /// What it runs.
    pub program: Option<ProgramSpec>,
}

impl NodeSpec {
    /// Whether it stands for the engine's host.
    pub fn is_host(&self) -> bool {
        self.program == Some(ProgramSpec::Host)
    }
}

impl NodeSpec {
    /// Whether its program tells metrics of its own.
    pub fn tells_metrics(&self) -> bool {
        matches!(
            self.program,
            Some(ProgramSpec::Image {
                metrics: Some(_),
                ..
            })
        )
    }
}

/// `count` of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Not said: one node with the key as its name.
    Single,
    /// So many, numbered from 1.
    Many(u32),
    /// Said, and refused.
    Unreadable,
}

/// What a node runs.
#[derive(Clone, Debug, PartialEq)]
pub enum ProgramSpec {
    /// Nothing: it is the engine's host, from which published ports are reached.
    Host,
    /// The role `server`.
    Server {
        /// What it serves with.
        listener: Listener,
        /// Files it offers.
        files: Vec<File>,
    },
    /// The role `client`.
    Client {
        /// Who is asked.
        target: Selection,
        /// How.
        load: Load,
    },
    /// The role `peer`.
    Peer {
        /// What it serves with.
        listener: Listener,
        /// What it asks; the selection, if there is one, must be all peers of the node.
        load: Option<(Option<Selection>, Load)>,
    },
    /// An image.
    Image {
        /// Reference.
        image: String,
        /// Command.
        command: Option<Vec<String>>,
        /// Environment.
        env: BTreeMap<String, String>,
        /// Where load is sent.
        port: u16,
        /// The TCP port of its `healthcheck`.
        health: Option<u16>,
        /// Where it tells its `metrics`.
        metrics: Option<Endpoint>,
    },
}

impl ProgramSpec {
    /// How much its data volume holds, where that is said.
    pub fn volume(&self) -> Option<ByteSize> {
        match self {
            ProgramSpec::Server { listener, .. } | ProgramSpec::Peer { listener, .. } => {
                listener.volume
            }
            _ => None,
        }
    }
}

/// The part that server and peer share.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// TCP port.
    pub port: u16,
    /// Capacity.
    pub service: Service,
    /// Where keys are kept.
    pub data: Data,
    /// How much their volume holds; none: as much as the engine's disk.
    pub volume: Option<ByteSize>,
}

/// Properties that are said, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkChange {
    /// What is said.
    pub patch: LinkPatch,
    /// Where it is written.
    pub span: Span,
}

impl LinkChange {
    /// `properties` with what is said here.
    pub fn over(&self, properties: &LinkProperties) -> LinkProperties {
        self.patch.over(properties)
    }
}

/// One entry of `links`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkSpec {
    /// Which links.
    pub ends: Ends,
    /// What about them.
    pub change: LinkChange,
    /// `network`: in no other.
    pub network: Option<Spanned<Name>>,
    /// From a table, whose diagonal may name one node twice.
    pub of_table: bool,
}

/// Two ends of links.
#[derive(Clone, Debug, PartialEq)]
pub struct Ends {
    /// Senders, or the first of `between`.
    pub from: Selection,
    /// Receivers, or the second of `between`.
    pub to: Selection,
    /// Both directions.
    pub both: bool,
    /// Where they are written.
    pub span: Span,
}

/// `scenario`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioSpec {
    /// `warmup`.
    pub warmup: Duration,
    /// `duration`.
    pub duration: Option<Spanned<Duration>>,
    /// `quiet`: the last part of `duration`.
    pub quiet: Option<Spanned<Duration>>,
    /// `faults`, in the file's order.
    pub faults: Vec<FaultSpec>,
    /// Those of them that are drawn.
    pub drawn: Vec<DrawnSpec>,
    /// Their names, also of those that could not be read.
    pub fault_names: Vec<String>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpec {
    /// Its name.
    pub name: Spanned<Name>,
    /// Its place among the faults of the file.
    pub place: usize,
    /// Its kind.
    pub kind: KindRef,
    /// To what it happens.
    pub target: Option<TargetSpec>,
    /// When, and how often.
    pub schedule: ScheduleSpec,
    /// The kind's parameters.
    pub params: Params,
}

/// A kind of the table.
#[derive(Clone, Copy, Debug)]
pub struct KindRef(pub &'static Kind);

impl PartialEq for KindRef {
    fn eq(&self, other: &KindRef) -> bool {
        self.0.name == other.0.name
    }
}

/// Target of a fault, by the shape that its kind asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetSpec {
    /// Nodes.
    Nodes(Selection),
    /// Links.
    Links(Ends),
    /// Links, and what changes about them.
    Degraded(Ends, Box<DegradeSpec>),
    /// Groups.
    Groups(Vec<Selection>),
    /// Nodes that are split in this way.
    Split(Split, Selection),
}

/// What changes about links.
#[derive(Clone, Debug, PartialEq)]
pub struct DegradeSpec {
    /// Each property as written: `delay +100ms`.
    pub said: Vec<Spanned<String>>,
    /// All of them.
    pub change: Degradation,
}
