//! Which way packets go: hop by hop over the wires of a network, and between networks through nodes
//! that forward.
//!
//! The engine's host (`host`) passes nothing on: no way leads over it.
//!
//! Pure, of a finished lab; `graph`, the validation, the nodes' kernel routes and the fabric follow
//! the same rules:
//!
//! - Within a network a packet takes the shortest way over the wires; of several the one whose nodes
//!   come first in [`Lab::nodes`] (a breadth-first search from the sender that looks at neighbours in
//!   ascending order finds it, from each node on the way the same one). Every member passes on,
//!   whether or not it says `forward`. With [`Reach::Adjacent`] only neighbours reach each other.
//! - A node knows another by its addresses in the first of its own networks that the other is in,
//!   else by those in the other's primary network.
//! - To a network that it is not in, a node sends through the [`gateway`](Routes::gateway) that is
//!   fewest wires away from it: a member of one of its networks that says `forward` and is in that
//!   network, or knows such a way itself. Of several it is the one that comes first in
//!   [`Lab::nodes`], in the first of its networks.

use super::model::{Lab, Reach, Wires};
use crate::id::{NetworkIndex, NodeIndex};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A packet's way over one wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// In this network.
    pub network: NetworkIndex,
    /// Sender.
    pub from: NodeIndex,
    /// Receiver.
    pub to: NodeIndex,
}

/// A node's way to a network that it is not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network to send through.
    pub network: NetworkIndex,
    /// The member of that network that passes on.
    pub gateway: NodeIndex,
    /// The network to reach.
    pub to: NetworkIndex,
    /// Its IPv4 address and prefix length.
    pub v4: (Ipv4Addr, u8),
    /// Its IPv6 address and prefix length.
    pub v6: (Ipv6Addr, u8),
}

/// The wires from `from` to `to`, in the order in which a packet crosses them; empty for a node and
/// itself, none where packets do not arrive. For many questions about one lab ask [`Routes`].
pub fn path(lab: &Lab, from: NodeIndex, to: NodeIndex) -> Option<Vec<Hop>> {
    Routes::new(lab).path(from, to)
}

/// A node's ways to the networks that it is not in, as far as there are any, in their order. For many
/// questions about one lab ask [`Routes`].
pub fn routes(lab: &Lab, node: NodeIndex) -> Vec<Route> {
    Routes::new(lab).routes(node)
}

/// The ways of a lab.
#[derive(Clone, Debug)]
pub struct Routes<'l> {
    lab: &'l Lab,
    /// Nodes that pass packets on, in ascending order.
    forwarders: Vec<NodeIndex>,
    /// Of each network with wires of its own, the neighbours of each node in ascending order.
    neighbours: Vec<Option<Vec<Vec<NodeIndex>>>>,
    /// Wires from each node to a forwarder, by network and place among the forwarders; made where
    /// they have to be counted.
    distances: Vec<Vec<Option<Vec<u32>>>>,
    /// Wires from each forwarder to each network, by network.
    costs: Vec<Vec<Option<u32>>>,
}

/// No way.
const FAR: u32 = u32::MAX;

impl<'l> Routes<'l> {
    /// Looks at the whole lab once: in proportion to its wires, times the nodes that forward.
    pub fn new(lab: &'l Lab) -> Routes<'l> {
        let nodes = (0..).map(NodeIndex).zip(&lab.nodes);
        let forwarders = nodes.filter(|(_, node)| node.forward);
        let mut routes = Routes {
            lab,
            forwarders: forwarders.map(|(at, _)| at).collect(),
            neighbours: Vec::new(),
            distances: Vec::new(),
            costs: Vec::new(),
        };
        for network in &lab.networks {
            let neighbours = match &network.wires {
                Wires::Full => None,
                Wires::Edges(edges) => Some(neighbours(lab.nodes.len(), edges)),
            };
            routes.neighbours.push(neighbours);
        }
        for at in 0..lab.networks.len() {
            let to = routes.forwarders.iter().map(|&f| routes.count(at, f));
            let distances = to.collect();
            routes.distances.push(distances);
        }
        if !routes.forwarders.is_empty() {
            let networks = 0..lab.networks.len();
            let costs = networks.map(|at| routes.costs_to(NetworkIndex(at as u32)));
            routes.costs = costs.collect();
        }
        routes
    }

    /// Wires from each node to a member, where they are not told by looking at one of them.
    fn count(&self, network: usize, to: NodeIndex) -> Option<Vec<u32>> {
        let neighbours = self.neighbours[network].as_ref()?;
        let routed = self.lab.networks[network].reach == Reach::Routed;
        let member = self.lab.nodes[to.at()].interface(NetworkIndex(network as u32));
        (routed && member.is_some()).then(|| {
            let mut far = vec![FAR; neighbours.len()];
            far[to.at()] = 0;
            let mut queue = VecDeque::from([to]);
            while let Some(at) = queue.pop_front() {
                for next in &neighbours[at.at()] {
                    if far[next.at()] == FAR {
                        far[next.at()] = far[at.at()] + 1;
                        if !self.lab.nodes[next.at()].is_host() {
                            queue.push_back(*next);
                        }
                    }
                }
            }
            far
        })
    }

    /// Wires from a member of `network` to the forwarder at this place, another member.
    fn wires_to(&self, network: NetworkIndex, from: NodeIndex, forwarder: usize) -> Option<u32> {
        let to = self.forwarders[forwarder];
        let far = match &self.distances[network.at()][forwarder] {
            Some(distances) => distances[from.at()],
            None if self.lab.networks[network.at()].wires.has(from, to) => 1,
            None => FAR,
        };
        (far != FAR).then_some(far)
    }

    /// Wires from each forwarder to `network` (Dijkstra's shortest paths between forwarders).
    fn costs_to(&self, network: NetworkIndex) -> Vec<Option<u32>> {
        let inside = |f: &NodeIndex| self.lab.nodes[f.at()].interface(network).map(|_| 0);
        let mut costs: Vec<Option<u32>> = self.forwarders.iter().map(inside).collect();
        let mut open = vec![true; costs.len()];
        loop {
            let reached = (0..costs.len()).filter(|at| open[*at] && costs[*at].is_some());
            let Some(at) = reached.min_by_key(|at| costs[*at]) else {
                return costs;
            };
            open[at] = false;
            let Some(known) = costs[at] else {
                return costs;
            };
            for (other, &node) in self.forwarders.iter().enumerate() {
                let shared = self.lab.nodes[node.at()].interfaces.iter();
                let shared = shared.filter(|own| self.is_in(self.forwarders[at], own.network));
                let wires = shared.filter_map(|own| self.wires_to(own.network, node, at));
                if let (true, Some(wires)) = (open[other], wires.min()) {
                    let cost = known.saturating_add(wires);
                    costs[other] = Some(costs[other].map_or(cost, |before| before.min(cost)));
                }
            }
        }
    }

    fn is_in(&self, node: NodeIndex, network: NetworkIndex) -> bool {
        self.lab.nodes[node.at()].interface(network).is_some()
    }

    /// To whom, and in which of its networks, `from` sends what is meant for a network that it is not
    /// in; none where there is no way.
    pub fn gateway(&self, from: NodeIndex, to: NetworkIndex) -> Option<(NetworkIndex, NodeIndex)> {
        let costs = self.costs.get(to.at())?;
        let mut best = None;
        for (at, &forwarder) in self.forwarders.iter().enumerate() {
            let Some(rest) = costs[at].filter(|_| forwarder != from) else {
                continue;
            };
            for own in &self.lab.nodes[from.at()].interfaces {
                let member = self.is_in(forwarder, own.network);
                let wires = member.then(|| self.wires_to(own.network, from, at));
                let Some(cost) = wires.flatten().map(|wires| wires.saturating_add(rest)) else {
                    continue;
                };
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, (own.network, forwarder)));
                }
            }
        }
        best.map(|(_, way)| way)
    }

    /// As [`routes`].
    pub fn routes(&self, node: NodeIndex) -> Vec<Route> {
        let networks = (0..).map(NetworkIndex).zip(&self.lab.networks);
        let others = networks.filter(|(at, _)| !self.is_in(node, *at));
        others
            .filter_map(|(to, network)| {
                let (through, gateway) = self.gateway(node, to)?;
                Some(Route {
                    network: through,
                    gateway,
                    to,
                    v4: (network.v4, network.v4_prefix),
                    v6: (network.v6, network.v6_prefix),
                })
            })
            .collect()
    }

    /// The network in which `from` knows `to`: the first of its own that both are in, else the other's
    /// primary one.
    pub fn network_of(&self, from: NodeIndex, to: NodeIndex) -> Option<NetworkIndex> {
        let (from, to) = (&self.lab.nodes[from.at()], &self.lab.nodes[to.at()]);
        let mut own = from.interfaces.iter().map(|one| one.network);
        let shared = own.find(|network| to.interface(*network).is_some());
        shared.or(to.interfaces.first().map(|one| one.network))
    }

    /// As [`path`].
    pub fn path(&self, from: NodeIndex, to: NodeIndex) -> Option<Vec<Hop>> {
        let mut hops = Vec::new();
        if from == to {
            return Some(hops);
        }
        let network = self.network_of(from, to)?;
        let mut at = from;
        while at != to && !self.is_in(at, network) {
            let (through, gateway) = self.gateway(at, network)?;
            hops.extend(self.within(through, at, gateway)?);
            at = gateway;
        }
        if at != to {
            hops.extend(self.within(network, at, to)?);
        }
        Some(hops)
    }

    /// The way between two members of a network.
    pub fn within(
        &self,
        network: NetworkIndex,
        from: NodeIndex,
        to: NodeIndex,
    ) -> Option<Vec<Hop>> {
        let hop = |from, to| Hop { network, from, to };
        if self.lab.networks[network.at()].wires.has(from, to) {
            return Some(vec![hop(from, to)]);
        }
        let neighbours = self.neighbours[network.at()].as_ref()?;
        if self.lab.networks[network.at()].reach == Reach::Adjacent {
            return None;
        }
        let mut before = vec![None; neighbours.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            for &next in neighbours[at.at()].iter().filter(|next| **next != from) {
                if before[next.at()].is_none() {
                    before[next.at()] = Some(at);
                    if !self.lab.nodes[next.at()].is_host() {
                        queue.push_back(next);
                    }
                }
            }
            if before[to.at()].is_some() {
                break;
            }
        }
        let back = std::iter::successors(Some(to), |node| before[node.at()]);
        let mut nodes: Vec<NodeIndex> = back.collect();
        nodes.reverse();
        let hops = nodes.windows(2).map(|pair| hop(pair[0], pair[1]));
        (nodes.first() == Some(&from)).then(|| hops.collect())
    }
}

fn neighbours(nodes: usize, edges: &[(NodeIndex, NodeIndex)]) -> Vec<Vec<NodeIndex>> {
    let mut lists = vec![Vec::new(); nodes];
    for &(a, b) in edges {
        lists[a.at()].push(b);
        lists[b.at()].push(a);
    }
    for list in &mut lists {
        list.sort_unstable();
    }
    lists
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
