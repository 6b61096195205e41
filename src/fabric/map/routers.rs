//! Ways between networks, through nodes that pass packets on.
//!
//! Owns who is the router of whom, and what of it a node's kernel must know. The rules are those of
//! [`crate::lab::route`], which knows a lab instead of a configuration.

use super::super::ways::NEVER;
use super::super::wire::WireSpec;
use super::{Map, PortIndex};
use crate::id::{NetworkIndex, NodeIndex};
use crate::lab::Reach;
use std::net::IpAddr;

/// A way out of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Router {
    /// Wires to cross until the network that is meant.
    wires: u32,
    /// The member of this network that passes on.
    pub port: PortIndex,
}

impl Map {
    /// Notes every member's router to each network.
    pub(super) fn find_routers(&mut self) {
        let nodes = (0..self.forwards.len() as u32).map(NodeIndex);
        let forwarders: Vec<_> = nodes.filter(|node| self.forwards[node.at()]).collect();
        for to in 0..self.networks.len() {
            let costs = self.costs(&forwarders, NetworkIndex(to as u32));
            for here in (0..self.networks.len()).filter(|here| *here != to) {
                let members = self.networks[here].members.iter();
                let routers = members.map(|from| self.router(*from, &forwarders, &costs));
                let routers = routers.collect();
                self.networks[here].routers.resize(to + 1, Vec::new());
                self.networks[here].routers[to] = routers;
            }
        }
    }

    /// Wires from each forwarder to the network; none where no way leads.
    fn costs(&self, forwarders: &[NodeIndex], to: NetworkIndex) -> Vec<Option<u32>> {
        let inside = |node: &NodeIndex| self.is_in(*node, to).then_some(0);
        let mut costs: Vec<_> = forwarders.iter().map(inside).collect();
        loop {
            let nearer = |node: &NodeIndex| {
                let ways = self.ports(*node);
                let ways = ways.filter_map(|port| self.router(port, forwarders, &costs));
                ways.map(|router| router.wires).min()
            };
            let found = forwarders.iter().zip(&costs);
            let found = found.map(|(node, cost)| cost.filter(|c| *c == 0).or_else(|| nearer(node)));
            let found: Vec<_> = found.collect();
            if found == costs {
                return costs;
            }
            costs = found;
        }
    }

    /// The best of the other members that pass on.
    fn router(
        &self,
        from: PortIndex,
        forwarders: &[NodeIndex],
        costs: &[Option<u32>],
    ) -> Option<Router> {
        let own = self.of(from);
        let way = |(node, rest): (&NodeIndex, &Option<u32>)| {
            let rest = (*rest).filter(|_| *node != own.node)?;
            let port = self.known(*node, own.network).ok()?;
            let wires = self.wires(from, port)?.saturating_add(rest);
            Some(Router { wires, port })
        };
        forwarders.iter().zip(costs).filter_map(way).min()
    }

    /// Wires between two members of a network.
    fn wires(&self, from: PortIndex, to: PortIndex) -> Option<u32> {
        let (from, to) = (self.of(from), self.of(to));
        let network = &self.networks[from.network.at()];
        if network.reach == Reach::Adjacent {
            return network.ways.wired(from.rank, to.rank).then_some(1);
        }
        let hops = network.ways.hops(from.rank, to.rank);
        (hops != NEVER).then_some(u32::from(hops))
    }

    /// How the devices of a node shall look ([`super::super::Fabric::wire_specs`]).
    pub(in super::super) fn wire_specs(&self, node: NodeIndex) -> Vec<(NetworkIndex, WireSpec)> {
        let mut specs = Vec::new();
        for (port, number) in self.ports(node).zip(0..) {
            let place = self.of(port);
            let network = &self.networks[place.network.at()];
            let mut spec = WireSpec::new(place.v4, place.v6);
            (spec.v4.1, spec.v6.1) = (network.v4.1, network.v6.1);
            (spec.device, spec.primary) = (format!("eth{number}"), number == 0);
            specs.push((place.network, spec));
        }
        for (to, network) in self.networks.iter().enumerate() {
            if self.is_in(node, NetworkIndex(to as u32)) {
                continue;
            }
            let ways = self.ports(node).zip(&mut specs).filter_map(|(port, spec)| {
                let place = self.of(port);
                let routers = self.networks[place.network.at()].routers.get(to)?;
                let router = (*routers.get(place.rank)?)?;
                let other = self.of(router.port).node;
                Some(((router.wires, other), spec))
            });
            if let Some((_, (_, spec))) = ways.min_by_key(|(rank, _)| *rank) {
                let (v4, v6) = (network.v4, network.v6);
                spec.routes.push((IpAddr::V4(v4.0), v4.1));
                spec.routes.push((IpAddr::V6(v6.0), v6.1));
            }
        }
        specs
    }
}
