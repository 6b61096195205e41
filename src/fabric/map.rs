//! Where everything is: ports, addresses, and the way from one to another.
//!
//! Owns what a configuration says about places; nothing here changes while packets pass. Must not
//! know links, times or bytes.
//!
//! A *port* is a node's place in a network. Ports are numbered by node, then by interface: where
//! there is one network, port i is that of node i.
//!
//! - Within a network a packet goes along the shortest way over the wires ([`super::ways`]).
//! - To an address of another network it goes to the member that passes packets on (`forward`) and
//!   is the fewest wires away from that network through here, of several to the lowest node
//!   (`routers`, with the rules of [`crate::lab::route`]). That node's kernel decides where it goes
//!   next; its routes follow the same count, so that it is nearer then. The choice does not depend
//!   on who is alive: nothing goes another way round a dead node.
//! - With `reach: adjacent` only those with whom a member shares a wire are reached, a router too.

mod routers;

use super::config::{Config, FabricError, MAX_NODES, MAX_PAIRS, NetworkConfig};
use super::ways::Ways;
use crate::id::{NetworkIndex, NodeIndex};
use crate::lab::{Reach, Wires};
use routers::Router;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A port's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PortIndex(pub u32);

impl PortIndex {
    pub(super) fn at(self) -> usize {
        self.0 as usize
    }
}

/// What a port is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub node: NodeIndex,
    pub network: NetworkIndex,
    /// Its number among the network's members.
    pub rank: usize,
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
}

struct Network {
    /// Ascending by node.
    members: Vec<PortIndex>,
    ways: Ways,
    reach: Reach,
    broadcast: Ipv4Addr,
    resolver: (Ipv4Addr, Ipv6Addr),
    v4: (Ipv4Addr, u8),
    v6: (Ipv6Addr, u8),
    /// Router of each member to each other network; empty for this one.
    routers: Vec<Vec<Option<Router>>>,
}

/// Where a packet is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To this port of the sender's network.
    Port(PortIndex),
    /// To the resolver.
    Resolver,
    /// To all members of the network.
    All,
    /// There is none, or no way.
    Nobody,
    /// The network's rules do not let it pass.
    Prohibited,
}

pub(super) struct Map {
    places: Vec<Place>,
    /// First port of each node, and behind the last one the number of ports.
    first: Vec<u32>,
    forwards: Vec<bool>,
    owners: HashMap<IpAddr, PortIndex>,
    networks: Vec<Network>,
}

impl Map {
    /// Refuses a configuration that contradicts itself.
    pub(super) fn new(config: &Config) -> Result<Map, FabricError> {
        let mut map = Map {
            places: Vec::new(),
            first: vec![0],
            forwards: config.nodes.iter().map(|node| node.forward).collect(),
            owners: HashMap::new(),
            networks: Vec::new(),
        };
        map.place(config)?;
        for (network, at) in config.networks.iter().zip(0..) {
            let network = map.network(NetworkIndex(at), network)?;
            map.networks.push(network);
        }
        if config.networks.len() > 1 {
            map.find_routers();
        }
        for (network, at) in config.networks.iter().zip(0..) {
            for &(from, to, _) in &network.links {
                map.port(from, NetworkIndex(at))?;
                map.port(to, NetworkIndex(at))?;
            }
        }
        Ok(map)
    }

    fn place(&mut self, config: &Config) -> Result<(), FabricError> {
        if config.nodes.len() > MAX_NODES {
            return Err(FabricError::TooManyNodes(config.nodes.len()));
        }
        let mut members = vec![0; config.networks.len()];
        for (node, at) in config.nodes.iter().zip(0..) {
            let node_index = NodeIndex(at);
            for interface in &node.interfaces {
                let network = interface.network;
                let Some(rank) = members.get_mut(network.at()) else {
                    return Err(FabricError::UnknownNetwork(network));
                };
                let before = &self.places[self.first[at as usize] as usize..];
                if before.iter().any(|place| place.network == network) {
                    let node = node_index;
                    return Err(FabricError::TwiceAMember { node, network });
                }
                let port = PortIndex(self.places.len() as u32);
                for address in [IpAddr::V4(interface.v4), IpAddr::V6(interface.v6)] {
                    if self.owners.insert(address, port).is_some() {
                        return Err(FabricError::DuplicateAddress(address));
                    }
                }
                self.places.push(Place {
                    node: node_index,
                    network,
                    rank: *rank,
                    v4: interface.v4,
                    v6: interface.v6,
                });
                *rank += 1;
            }
            self.first.push(self.places.len() as u32);
        }
        let pairs = members.iter().map(|count| count * count).sum();
        match pairs > MAX_PAIRS {
            true => Err(FabricError::TooManyPairs(pairs)),
            false => Ok(()),
        }
    }

    fn network(&self, at: NetworkIndex, config: &NetworkConfig) -> Result<Network, FabricError> {
        let ports = (0..self.places.len() as u32).map(PortIndex);
        let members: Vec<_> = ports.filter(|port| self.of(*port).network == at).collect();
        let ways = match &config.wires {
            Wires::Full => Ways::full(members.len()),
            Wires::Edges(edges) => {
                let rank = |node| Ok(self.of(self.known(node, at)?).rank);
                let wire = |&(a, b): &(NodeIndex, NodeIndex)| Ok((rank(a)?, rank(b)?));
                let wires: Vec<_> = edges.iter().map(wire).collect::<Result<_, FabricError>>()?;
                let ends = members.iter().map(|port| self.of(*port));
                let ends = ends.filter(|place| config.ends.contains(&place.node));
                let ends: Vec<usize> = ends.map(|place| place.rank).collect();
                Ways::over(members.len(), &wires, &ends)
            }
        };
        let host = u32::MAX.checked_shr(config.v4.1.into()).unwrap_or(0);
        Ok(Network {
            members,
            ways,
            reach: config.reach,
            broadcast: Ipv4Addr::from_bits(config.v4.0.to_bits() | host),
            resolver: config.resolver,
            v4: config.v4,
            v6: config.v6,
            routers: Vec::new(),
        })
    }

    /// Number of ports.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// What a port is.
    pub(super) fn of(&self, port: PortIndex) -> &Place {
        &self.places[port.at()]
    }

    /// The ports of a node.
    pub(super) fn ports(&self, node: NodeIndex) -> impl Iterator<Item = PortIndex> + use<> {
        let until = self.first.get(node.at() + 1).copied().unwrap_or(0);
        let from = self.first.get(node.at()).copied().unwrap_or(0);
        (from..until).map(PortIndex)
    }

    /// Refuses a node that there is not.
    pub(super) fn check(&self, node: NodeIndex) -> Result<(), FabricError> {
        let known = node.at() < self.forwards.len();
        known.then_some(()).ok_or(FabricError::UnknownNode(node))
    }

    /// The port of a node in a network.
    pub(super) fn port(
        &self,
        node: NodeIndex,
        network: NetworkIndex,
    ) -> Result<PortIndex, FabricError> {
        if network.at() >= self.networks.len() {
            return Err(FabricError::UnknownNetwork(network));
        }
        self.known(node, network)
    }

    fn known(&self, node: NodeIndex, network: NetworkIndex) -> Result<PortIndex, FabricError> {
        self.check(node)?;
        let mut ports = self.ports(node);
        ports
            .find(|port| self.of(*port).network == network)
            .ok_or(FabricError::NotAMember { node, network })
    }

    /// Number of members of each network.
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.networks.iter().map(|network| network.members.len())
    }

    /// The addresses of the resolver in the network of a port.
    pub(super) fn resolver(&self, port: PortIndex) -> (Ipv4Addr, Ipv6Addr) {
        self.networks[self.of(port).network.at()].resolver
    }

    /// Whether the node at this port may send packets with this source: with its own addresses,
    /// and, where it passes packets on, those of everyone in other networks.
    pub(super) fn may_send(&self, port: PortIndex, source: IpAddr) -> bool {
        let own = self.of(port);
        if is_link_local(source) {
            return source == IpAddr::V6(link_local(own.v6));
        }
        if source == IpAddr::V4(own.v4) || source == IpAddr::V6(own.v6) {
            return true;
        }
        match self.owners.get(&source).map(|owner| self.of(*owner)) {
            Some(owner) if owner.node == own.node => true,
            Some(owner) => self.forwards[own.node.at()] && owner.network != own.network,
            None => {
                self.forwards[own.node.at()] && {
                    let at = self.resolver_at(source);
                    at.is_some_and(|network| network != own.network.at())
                }
            }
        }
    }

    /// Whose address it is.
    pub(super) fn node_with(&self, address: IpAddr) -> Option<NodeIndex> {
        self.owners.get(&address).map(|port| self.of(*port).node)
    }

    /// The network whose resolver has this address.
    fn resolver_at(&self, address: IpAddr) -> Option<usize> {
        self.networks.iter().position(|network| match address {
            IpAddr::V4(v4) => v4 == network.resolver.0,
            IpAddr::V6(v6) => v6 == network.resolver.1,
        })
    }

    /// Where a packet goes that a port sends to this address.
    pub(super) fn target(&self, from: PortIndex, address: IpAddr) -> Target {
        let own = self.of(from);
        let network = &self.networks[own.network.at()];
        let Some(&owner) = self.owners.get(&beside(own.v6, address)) else {
            return match () {
                () if self.resolver_at(address).is_some() => Target::Resolver,
                () if is_for_all(address, network.broadcast) => Target::All,
                () => Target::Nobody,
            };
        };
        let there = self.of(owner).network;
        let goal = match there == own.network {
            true => Some(owner),
            false => {
                let routers = network.routers.get(there.at());
                routers.and_then(|of| Some((*of.get(own.rank)?)?.port))
            }
        };
        let Some(goal) = goal else {
            return Target::Nobody;
        };
        match network.ways.next(own.rank, self.of(goal).rank) {
            Some(next) if next == self.of(goal).rank => Target::Port(goal),
            _ if network.reach == Reach::Adjacent => Target::Prohibited,
            Some(_) => Target::Port(goal),
            None => Target::Nobody,
        }
    }

    /// The next port on the way within a network.
    pub(super) fn next(&self, from: PortIndex, goal: PortIndex) -> Option<PortIndex> {
        let (here, there) = (self.of(from), self.of(goal));
        if here.network != there.network {
            return None;
        }
        let network = &self.networks[here.network.at()];
        let next = network.ways.next(here.rank, there.rank)?;
        network.members.get(next).copied()
    }

    /// The member of this rank in the network of `port`, if both share a wire.
    pub(super) fn neighbour(&self, port: PortIndex, rank: usize) -> Option<PortIndex> {
        let own = self.of(port);
        let network = &self.networks[own.network.at()];
        let member = *network.members.get(rank)?;
        network.ways.wired(own.rank, rank).then_some(member)
    }

    /// Number of members of a network.
    pub(super) fn size(&self, network: NetworkIndex) -> usize {
        self.networks[network.at()].members.len()
    }

    /// Whether a node is in a network.
    pub(super) fn is_in(&self, node: NodeIndex, network: NetworkIndex) -> bool {
        self.known(node, network).is_ok()
    }
}

/// The link-local address of a device that has this one as well: the same interface identifier
/// (RFC 4291 §2.5.6).
pub fn link_local(address: Ipv6Addr) -> Ipv6Addr {
    let identifier = u128::from(address) & u128::from(u64::MAX);
    (0xfe80 << 112 | identifier).into()
}

pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// What a link-local address stands for in the network of `own`; any other address stands for itself.
fn beside(own: Ipv6Addr, address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if link_local(v6) == v6 => {
            let network = u128::from(own) >> 64 << 64;
            let identifier = u128::from(v6) & u128::from(u64::MAX);
            IpAddr::V6((network | identifier).into())
        }
        other => other,
    }
}

/// Multicast, limited broadcast, or the broadcast address of the network.
fn is_for_all(target: IpAddr, broadcast: Ipv4Addr) -> bool {
    match target {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4 == broadcast,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
