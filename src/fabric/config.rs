//! What the fabric is told: networks, nodes, changes; and why it may refuse.
//!
//! Owns the configuration as data, and what of it a node's devices must know. Must not know packets.

use super::map;
use super::wire::WireSpec;
use crate::id::{NetworkIndex, NodeIndex};
use crate::lab::{Reach, Wires};
use crate::link::{LinkProperties, TraceIndex};
use crate::units::BitRate;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

impl Config {
    /// How the devices of `node` shall look, in the order of its interfaces: `eth0`, `eth1`, … Each
    /// has its own network's prefix, and the routes to those other networks that are the fewest
    /// routers away through it (among equals: through the first such device). Multicast and limited
    /// broadcast leave through the first one. Nothing for a node that there is not.
    pub fn wire_specs(&self, node: NodeIndex) -> Vec<(NetworkIndex, WireSpec)> {
        let Some(config) = self.nodes.get(node.at()) else {
            return Vec::new();
        };
        let places = config.interfaces.iter().zip(0..);
        let places = places.filter(|(place, _)| place.network.at() < self.networks.len());
        let mut specs: Vec<_> = places
            .map(|(place, number)| {
                let network = &self.networks[place.network.at()];
                let mut spec = WireSpec::new(place.v4, place.v6);
                (spec.v4.1, spec.v6.1) = (network.v4.1, network.v6.1);
                (spec.device, spec.primary) = (format!("eth{number}"), number == 0);
                (place.network, spec)
            })
            .collect();
        if self.networks.len() > 1 {
            self.add_routes(&mut specs);
        }
        specs
    }

    fn add_routes(&self, specs: &mut [(NetworkIndex, WireSpec)]) {
        let routers = map::routers_between(self);
        for (at, network) in self.networks.iter().enumerate() {
            if specs.iter().any(|(own, _)| own.at() == at) {
                continue;
            }
            let far = |(via, _): &&mut (NetworkIndex, WireSpec)| routers[via.at()][at];
            let Some((via, spec)) = specs.iter_mut().min_by_key(far) else {
                return;
            };
            if routers[via.at()][at] < map::FAR {
                spec.routes.push((IpAddr::V4(network.v4.0), network.v4.1));
                spec.routes.push((IpAddr::V6(network.v6.0), network.v6.1));
            }
        }
    }
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
