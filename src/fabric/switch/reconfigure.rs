//! Another set of nodes and links, while packets are under way.
//!
//! Owns what of the old state belongs to the new one. Must not know devices.

use super::super::counters::LinkCounters;
use super::super::frame::Departure;
use super::super::map::PortIndex;
use super::super::model::Cause;
use super::super::{Config, FabricError};
use super::{NONE, Switch};
use crate::id::{NetworkIndex, NodeIndex};
use std::collections::BTreeSet;

impl Switch {
    /// Becomes what `config` says ([`super::super::Fabric::reconfigure`]); returns where each port that
    /// there was is now, and who has to forget path mtus.
    pub(in super::super) fn reconfigure(
        &mut self,
        config: Config,
        was: &[Option<NodeIndex>],
        now: u64,
    ) -> Result<(Vec<Option<PortIndex>>, BTreeSet<NodeIndex>), FabricError> {
        let moves = self.moves(was, config.nodes.len())?;
        for network in &config.networks {
            let links = network.links.iter().map(|(.., properties)| properties);
            for properties in links.chain([&network.default_link]) {
                self.check_trace(properties)?;
            }
        }
        let mut new = Switch::new(config)?;
        // Nothing fails from here on.
        new.set_traces(std::mem::take(&mut self.traces), self.traces_begin);
        let old = std::mem::replace(self, new);
        Ok(self.inherit(old, &moves, now))
    }

    /// Where each node goes; refuses a node that there was not, or that is said twice.
    fn moves(
        &self,
        was: &[Option<NodeIndex>],
        nodes: usize,
    ) -> Result<Vec<Option<NodeIndex>>, FabricError> {
        if was.len() != nodes {
            return Err(FabricError::Renumbering(was.len(), nodes));
        }
        let mut moves = vec![None; self.nodes.len()];
        for (new, old) in was.iter().enumerate() {
            let Some(old) = *old else { continue };
            self.map.check(old)?;
            let taken = moves[old.at()].replace(NodeIndex(new as u32)).is_some();
            if taken {
                return Err(FabricError::TwoHeirs(old));
            }
        }
        Ok(moves)
    }

    /// Takes over what stays of `old`, whose node i is now `moves[i]`; returns where each port is, and
    /// who has to forget path mtus.
    fn inherit(
        &mut self,
        mut old: Switch,
        moves: &[Option<NodeIndex>],
        now: u64,
    ) -> (Vec<Option<PortIndex>>, BTreeSet<NodeIndex>) {
        let ports = self.heirs(&old, moves);
        old.let_go(&ports, now);
        old.sift_answers(|port| ports[port.at()]);
        (self.queries, self.flows) = (old.queries, std::mem::take(&mut old.flows));
        self.taps = std::mem::take(&mut old.taps);
        self.schedule = std::mem::take(&mut old.schedule);
        self.late = std::mem::take(&mut old.late);
        for (was, is) in ports.iter().enumerate() {
            if let Some(is) = is {
                self.alive[is.at()] = old.alive[was];
            }
        }
        self.inherit_nodes(&mut old, moves);
        let (places, told) = self.inherit_links(old, &ports, moves);
        let gone = self.schedule.sift(|departure| {
            departure.slot = places[departure.slot as usize];
            let goal = ports[departure.goal.at()];
            let known = departure.slot != NONE && goal.is_some();
            if let (true, Some(goal)) = (known, goal) {
                departure.to = self.slots[departure.slot as usize].ends.1;
                departure.goal = goal;
            }
            known
        });
        debug_assert!(gone.is_empty(), "let go before");
        self.take_back_errors(&told);
        (ports, told)
    }

    /// Where each port of `old` is: that of the same node in the network of the same name.
    fn heirs(&self, old: &Switch, moves: &[Option<NodeIndex>]) -> Vec<Option<PortIndex>> {
        let same = |network: NetworkIndex| {
            let key = old.networks[network.at()].key;
            let at = self.networks.iter().position(|other| other.key == key)?;
            Some(NetworkIndex(at as u32))
        };
        let heir = |port: u32| {
            let place = old.map.of(PortIndex(port));
            let (node, network) = (moves[place.node.at()]?, same(place.network)?);
            self.map.port(node, network).ok()
        };
        (0..old.map.len() as u32).map(heir).collect()
    }

    /// Drops what is under way from, to or over ports that are gone.
    fn let_go(&mut self, ports: &[Option<PortIndex>], now: u64) {
        let slots = &self.slots;
        let stays = |departure: &mut Departure| {
            let (from, to) = slots[departure.slot as usize].ends;
            let all = [from, to, departure.goal];
            all.iter().all(|port| ports[port.at()].is_some())
        };
        for departure in self.schedule.sift(stays) {
            self.done(departure, Some(Cause::NoPort), now);
        }
    }

    fn inherit_nodes(&mut self, old: &mut Switch, moves: &[Option<NodeIndex>]) {
        let fresh = std::mem::replace(&mut self.names, old.names.clone());
        let mut known = vec![false; self.nodes.len()];
        for (node, to) in old.nodes.drain(..).zip(moves) {
            let Some(to) = *to else { continue };
            let declared = std::mem::replace(&mut self.nodes[to.at()], node);
            let node = &mut self.nodes[to.at()];
            node.up.declare_as(&declared.up);
            node.down.declare_as(&declared.down);
            node.counters.node = to;
            known[to.at()] = true;
        }
        let new = known.iter().zip(&mut self.nodes);
        for (_, node) in new.filter(|(known, _)| !**known) {
            node.serial = self.names.add(&fresh.get(node.serial));
        }
    }

    /// Returns the new place of each old link, [`NONE`] for those that are gone, and who was told of
    /// an mtu that is larger now, or gone.
    fn inherit_links(
        &mut self,
        old: Switch,
        ports: &[Option<PortIndex>],
        moves: &[Option<NodeIndex>],
    ) -> (Vec<u32>, BTreeSet<NodeIndex>) {
        let (mut places, mut told) = (Vec::with_capacity(old.slots.len()), BTreeSet::new());
        for mut link in old.slots {
            let (from, to) = link.ends;
            link.told = link
                .told
                .iter()
                .filter_map(|node| moves[node.at()])
                .collect();
            let (Some(from), Some(to)) = (ports[from.at()], ports[to.at()]) else {
                told.append(&mut link.told);
                places.push(NONE);
                continue;
            };
            let place = self.slot(from, to);
            let declared = &self.slots[place as usize];
            let properties = *declared.model.properties();
            let LinkCounters {
                network, from, to, ..
            } = declared.counters;
            (link.counters.network, link.counters.from, link.counters.to) = (network, from, to);
            link.ends = declared.ends;
            link.model.reseed(self.seed);
            if *link.model.properties() != properties {
                let down = link.model.is_held_down();
                told.append(&mut link.change(properties, down, &self.traces));
            }
            self.slots[place as usize] = link;
            places.push(place);
        }
        (places, told)
    }
}

#[cfg(test)]
#[path = "reconfigure_tests.rs"]
mod tests;
