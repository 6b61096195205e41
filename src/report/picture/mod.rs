//! Pictures of a lab: what is drawn, as data, and the forms it is written in.
//!
//! [`Picture`] is read from a lab ([`Picture::of`]) and knows no coordinates; [`svg`], [`dot`] and
//! [`mermaid`] write it, each a function from value to text. [`matrix`] holds what a picture cannot:
//! every ordered pair. Must not touch the engine, the disk or a clock; equal labs give equal bytes.

mod dot;
mod edges;
mod layout;
pub mod matrix;
mod mermaid;
mod place;
mod read;
mod svg;
mod text;
mod words;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;
pub(super) use text::{shortened, width, xml};

/// What is drawn of a lab.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// The lab's name.
    pub title: String,
    /// A line below it: how many nodes, the seed.
    pub subtitle: String,
    /// Nodes in the lab's order.
    pub nodes: Vec<Node>,
    /// The keys under `nodes:` that they came from.
    pub groups: Vec<Group>,
    /// Networks in the lab's order.
    pub networks: Vec<Area>,
    /// What connects them, each pair of ends and kind once.
    pub edges: Vec<Edge>,
    /// Faults in the order in which they begin.
    pub faults: Vec<FaultNote>,
    /// What is true and not drawn: sentences.
    pub notes: Vec<String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its number in its group, where the group is too large for names; else its name.
    pub short: String,
    /// Its place in [`Picture::groups`].
    pub group: usize,
    /// What it is.
    pub look: Look,
    /// Its networks, as places in [`Picture::networks`], the primary first.
    pub networks: Vec<usize>,
    /// Faults that hit it: numbers of [`FaultNote`], for partitions with the group's letter.
    pub marks: Vec<String>,
}

/// What a node is; each has a shape and a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Passes packets on between networks.
    Router,
    /// The role `server`.
    Server,
    /// The role `client`.
    Client,
    /// The role `peer`.
    Peer,
    /// A user's image.
    Image,
    /// The engine's host, where ports are published.
    Host,
}

impl Look {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Look::Router => "router",
            Look::Server => "server",
            Look::Client => "client",
            Look::Peer => "peer",
            Look::Image => "image",
            Look::Host => "host",
        }
    }
}

/// Nodes that the file says once.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The key under `nodes:`.
    pub name: String,
    /// Places in [`Picture::nodes`], ascending.
    pub members: Vec<usize>,
    /// What holds for each: load, capacity, uplink; a few words.
    pub detail: String,
    /// Whether every member knows every other, and that is not drawn.
    pub all_know: bool,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// Its IPv4 subnet.
    pub subnet: String,
    /// The properties of every pair that has none of its own.
    pub link: String,
    /// Whether every member is wired to every other; else its wires are [`Picture::edges`].
    pub full: bool,
}

/// One end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A node.
    Node(usize),
    /// All nodes of a group.
    Group(usize),
}

/// A connection between two ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Where it begins.
    pub from: End,
    /// Where it ends.
    pub to: End,
    /// What it means.
    pub kind: EdgeKind,
    /// Written beside it; empty: nothing.
    pub label: String,
}

/// What an edge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// A wire of a network in which not everyone is wired to everyone.
    Wire,
    /// These peers know each other.
    Knows,
    /// The first one sends requests to the second.
    Asks,
    /// A link with properties of its own.
    Link,
    /// A fault hits exactly this pair; the label is its number.
    Fault,
}

impl EdgeKind {
    /// The words for it.
    pub fn word(self) -> &'static str {
        match self {
            EdgeKind::Wire => "wire",
            EdgeKind::Knows => "know each other",
            EdgeKind::Asks => "sends requests to",
            EdgeKind::Link => "link of its own",
            EdgeKind::Fault => "hit by a fault",
        }
    }
}

/// A fault, as the key of the picture tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultNote {
    /// Its number in the picture, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// `kill server`.
    pub what: String,
    /// `at 5s for 5s`.
    pub when: String,
}

impl Picture {
    /// The neighbours of each of `members` by edges of one kind, as places in `members`, ascending.
    pub fn graph(&self, members: &[usize], kind: EdgeKind) -> Vec<Vec<usize>> {
        let mut place = vec![usize::MAX; self.nodes.len()];
        for (at, &member) in members.iter().enumerate() {
            place[member] = at;
        }
        let mut graph = vec![Vec::new(); members.len()];
        for edge in self.edges.iter().filter(|edge| edge.kind == kind) {
            if let (End::Node(a), End::Node(b)) = (edge.from, edge.to)
                && let (Some(&a), Some(&b)) = (place.get(a), place.get(b))
                && a.max(b) < members.len()
            {
                graph[a].push(b);
                graph[b].push(a);
            }
        }
        for list in &mut graph {
            list.sort_unstable();
            list.dedup();
        }
        graph
    }

    /// Whether a node has an edge of its own.
    fn connected(&self, node: usize) -> bool {
        let end = End::Node(node);
        self.edges.iter().any(|e| e.from == end || e.to == end)
    }
}
