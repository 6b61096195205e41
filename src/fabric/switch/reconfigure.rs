//! Another set of nodes and links, while packets are under way.
//!
//! Owns what of the old state belongs to the new one. Must not know devices.

use super::super::FabricError;
use super::super::frame::Departure;
use super::super::map::PortIndex;
use super::super::model::Cause;
use super::{NONE, Slot, Switch};
use crate::id::{NetworkIndex, NodeIndex};
use std::collections::BTreeSet;

impl Switch {
    /// Becomes `new`, which was made of a configuration and has forwarded nothing yet
    /// ([`super::super::Fabric::reconfigure`]); returns where each port that there was is now, and who
    /// has to forget path mtus.
    pub(in super::super) fn reconfigure(
        &mut self,
        mut new: Switch,
        was: &[Option<NodeIndex>],
        now: u64,
    ) -> Result<(Vec<Option<PortIndex>>, BTreeSet<NodeIndex>), FabricError> {
        let moves = self.moves(was, new.nodes.len())?;
        let links = new.slots.iter().map(|link| link.model.properties());
        let usual = new.networks.iter().map(|network| &network.default_link);
        for properties in links.chain(usual) {
            self.check_trace(properties)?;
        }
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
        self.numbering = old.numbering + 1;
        let connections = std::mem::take(&mut old.connections);
        let network = |port| self.map.of(port).network;
        self.connections = connections.moved(|port| ports[port.at()], network);
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
    /// an mtu that is larger now, or gone. Links that stay are changed where they are: 200 nodes have
    /// 39,800, and packets wait meanwhile.
    fn inherit_links(
        &mut self,
        mut old: Switch,
        ports: &[Option<PortIndex>],
        moves: &[Option<NodeIndex>],
    ) -> (Vec<u32>, BTreeSet<NodeIndex>) {
        let (mut places, mut told) = (Vec::with_capacity(old.slots.len()), BTreeSet::new());
        let mut declared: Vec<_> = std::mem::take(&mut self.slots)
            .into_iter()
            .map(Some)
            .collect();
        let mut next = 0;
        old.slots.retain_mut(|link| {
            let (from, to) = link.ends;
            let heard = std::mem::take(&mut link.told);
            link.told = heard.iter().filter_map(|node| moves[node.at()]).collect();
            let (Some(from), Some(to)) = (ports[from.at()], ports[to.at()]) else {
                told.append(&mut link.told);
                places.push(NONE);
                return false;
            };
            let (table, at) = self.cell(from, to);
            let place = std::mem::replace(&mut self.tables[table][at], next);
            let said = declared.get_mut(place as usize).and_then(Option::take);
            told.append(&mut self.inherit_link(link, (from, to), said));
            places.push(next);
            next += 1;
            true
        });
        self.slots = old.slots;
        for link in declared.into_iter().flatten() {
            let (table, at) = self.cell(link.ends.0, link.ends.1);
            self.tables[table][at] = self.slots.len() as u32;
            self.slots.push(link);
        }
        (places, told)
    }

    /// Makes a link that stays what is `said` of it, or is usual in its network; returns who was told of an mtu that is
    /// larger now.
    fn inherit_link(
        &self,
        link: &mut Slot,
        ends: (PortIndex, PortIndex),
        said: Option<Slot>,
    ) -> BTreeSet<NodeIndex> {
        let (from, to) = (self.map.of(ends.0), self.map.of(ends.1));
        let usual = self.networks[from.network.at()].default_link;
        let properties = said.map_or(usual, |said| *said.model.properties());
        link.ends = ends;
        link.counters.network = from.network;
        (link.counters.from, link.counters.to) = (from.node, to.node);
        link.model.reseed(self.seed);
        if *link.model.properties() == properties {
            return BTreeSet::new();
        }
        let down = link.model.is_held_down();
        link.change(properties, down, &self.traces)
    }
}

#[cfg(test)]
#[path = "reconfigure_tests.rs"]
mod tests;
