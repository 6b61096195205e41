//! What the fabric is told: networks, nodes, changes; and why it may refuse.
//!
//! Owns the configuration as data. Must not know packets or devices.

use crate::fault::ResolverFailure;
use crate::id::{NetworkIndex, NodeIndex};
use crate::lab::{Reach, Wires};
use crate::link::{LinkProperties, TraceIndex};
use crate::units::BitRate;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Prefix length of the IPv4 network of a lab that names none.
pub const V4_PREFIX: u8 = 16;
/// Prefix length of its IPv6 network.
pub const V6_PREFIX: u8 = 64;
/// More nodes than this are refused: the table of links has their square.
pub const MAX_NODES: usize = 4096;
/// Pairs of members of all networks together.
pub(super) const MAX_PAIRS: usize = MAX_NODES * MAX_NODES;

/// Everything the fabric is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of all draws.
    pub seed: u64,
    /// The networks; [`NetworkIndex`] counts in this order.
    pub networks: Vec<NetworkConfig>,
    /// The nodes; [`NodeIndex`] counts in this order.
    pub nodes: Vec<NodeConfig>,
    /// Names of nodes, roles and groups, and who they are.
    pub names: BTreeMap<String, Vec<NodeIndex>>,
}

/// One network.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Its name.
    pub name: String,
    /// Its IPv4 address and prefix length.
    pub v4: (Ipv4Addr, u8),
    /// Its IPv6 address and prefix length.
    pub v6: (Ipv6Addr, u8),
    /// Addresses at which the resolver answers; they also send the fabric's own ICMP errors.
    pub resolver: (Ipv4Addr, Ipv6Addr),
    /// Which members have a wire between them.
    pub wires: Wires,
    /// Members that pass nothing on: no way leads over them.
    pub ends: Vec<NodeIndex>,
    /// Whether packets to others go hop by hop, or nowhere.
    pub reach: Reach,
    /// Properties of every link that `links` does not name.
    pub default_link: LinkProperties,
    /// Links (from, to) with properties of their own; the last one said counts.
    pub links: Vec<(NodeIndex, NodeIndex, LinkProperties)>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name; PTR queries answer it.
    pub name: String,
    /// Whether its kernel passes packets on between its networks: then it may send packets with
    /// addresses of other networks, and others send theirs through it.
    pub forward: bool,
    /// Its places in networks; the first is the primary.
    pub interfaces: Vec<InterfaceConfig>,
    /// Rate of its access link, shared by all that it sends into all of its networks, also what it
    /// passes on as a hop. The queue before it is that of a link with this rate and the delay of its
    /// primary network's default link ([`LinkProperties::queue_bytes`]).
    pub uplink: Option<BitRate>,
    /// The same for all that is sent to it, or through it.
    pub downlink: Option<BitRate>,
}

/// A node's place in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// Which; no node is twice in one.
    pub network: NetworkIndex,
    /// Its IPv4 address there.
    pub v4: Ipv4Addr,
    /// Its IPv6 address there.
    pub v6: Ipv6Addr,
}

/// What a link shall be from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkChange {
    /// The network in which it is.
    pub network: NetworkIndex,
    /// The sender.
    pub from: NodeIndex,
    /// The receiver.
    pub to: NodeIndex,
    /// All properties, not only the changed ones.
    pub properties: LinkProperties,
    /// Silence: nothing passes, and what is under way is lost, too.
    pub down: bool,
}

/// What a node's access link shall be from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessChange {
    /// Whose.
    pub node: NodeIndex,
    /// Rate shared by all that it sends; none: unlimited. As [`NodeConfig::uplink`].
    pub uplink: Option<BitRate>,
    /// Rate shared by all that is sent to it; none: unlimited.
    pub downlink: Option<BitRate>,
}

/// How the resolver shall answer a node from now on. The default is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolverChange {
    /// Who asks.
    pub node: NodeIndex,
    /// How its queries are answered.
    pub manner: ResolverManner,
}

/// How queries are answered; the default is at once and right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolverManner {
    /// Answers come so much later. Of too many that wait, the last ones are dropped and counted
    /// ([`super::PortCounters::resolver_dropped`]).
    pub delay: Duration,
    /// What they say.
    pub answers: Answers,
}

/// What the resolver says. Only of queries: pings of its address, and other ports, stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// What is right.
    #[default]
    Right,
    /// This error, whatever the name.
    Failure(ResolverFailure),
    /// Nothing at all.
    Silence,
    /// For each name that there is one node that the name does not stand for: an address (A, AAAA)
    /// or the name (PTR) of it, the same one every time. Of the asker's networks where they have
    /// one; no record where a name stands for every node.
    Lies,
}

/// Why the fabric did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// The lab is too large for one fabric.
    #[error("the fabric takes {MAX_NODES} nodes at most, got {0}")]
    TooManyNodes(usize),
    /// The members of all networks together have too many pairs.
    #[error(
        "the networks have {0} pairs of members together; the fabric takes {MAX_PAIRS} at most"
    )]
    TooManyPairs(usize),
    /// Two nodes have the same address.
    #[error("two nodes have the address {0}")]
    DuplicateAddress(IpAddr),
    /// A node index beyond the nodes of the configuration.
    #[error("the fabric has no node {}", .0.0)]
    UnknownNode(NodeIndex),
    /// A network index beyond the networks of the configuration.
    #[error("the fabric has no network {}", .0.0)]
    UnknownNetwork(NetworkIndex),
    /// A link, wire or device of a node in a network where the node is not.
    #[error("node {} is not in network {}", .node.0, .network.0)]
    NotAMember {
        /// The node.
        node: NodeIndex,
        /// The network.
        network: NetworkIndex,
    },
    /// A node has two interfaces in one network.
    #[error("node {} is twice in network {}", .node.0, .network.0)]
    TwiceAMember {
        /// The node.
        node: NodeIndex,
        /// The network.
        network: NetworkIndex,
    },
    /// A link names a trace that was not given ([`super::Fabric::set_traces`]).
    #[error("the fabric has no trace {}", .0.0)]
    UnknownTrace(TraceIndex),
    /// Not one entry for each node of the new configuration.
    #[error("{0} entries say what {1} nodes were before: it takes one for each")]
    Renumbering(usize, usize),
    /// Two nodes of a new configuration were the same one before.
    #[error("two nodes cannot both have been node {}", .0.0)]
    TwoHeirs(NodeIndex),
    /// The kernel refused the thread, epoll, timer or event descriptor.
    #[error("a thread of the fabric could not be started")]
    Start(#[source] io::Error),
    /// The device could not be watched.
    #[error("the device of node {} could not be attached", .node.0)]
    Attach {
        /// Whose device.
        node: NodeIndex,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The forwarding thread ended or did not answer within five seconds: no packet moves any more.
    #[error("the forwarding thread is gone or does not answer")]
    Gone,
}
