//! Another set of nodes and links, while packets are under way.
//!
//! Owns what of the old state belongs to the new one. Must not know devices.

use super::super::model::Cause;
use super::super::{Config, FabricError};
use super::{NONE, Switch};
use crate::id::NodeIndex;

impl Switch {
    /// Becomes what `config` says ([`super::super::Fabric::reconfigure`]); where each node that there
    /// was is now.
    pub(in super::super) fn reconfigure(
        &mut self,
        config: Config,
        was: &[Option<NodeIndex>],
        now: u64,
    ) -> Result<Vec<Option<NodeIndex>>, FabricError> {
        let moves = self.moves(was, config.nodes.len())?;
        let links = config.links.iter().map(|(.., properties)| properties);
        for properties in links.chain([&config.default_link]) {
            self.check_trace(properties)?;
        }
        let mut new = Switch::new(config)?;
        // Nothing fails from here on.
        new.set_traces(std::mem::take(&mut self.traces), self.traces_begin);
        let old = std::mem::replace(self, new);
        self.inherit(old, &moves, now);
        Ok(moves)
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
        let mut moves = vec![None; self.ports.len()];
        for (new, old) in was.iter().enumerate() {
            let Some(old) = *old else { continue };
            self.check(old)?;
            let taken = moves[old.at()].replace(NodeIndex(new as u32)).is_some();
            if taken {
                return Err(FabricError::TwoHeirs(old));
            }
        }
        Ok(moves)
    }

    /// Takes over what stays of `old`, whose node i is now `moves[i]`.
    fn inherit(&mut self, mut old: Switch, moves: &[Option<NodeIndex>], now: u64) {
        old.let_go(moves, now);
        (self.queries, self.flows) = (old.queries, std::mem::take(&mut old.flows));
        (self.taps, self.schedule) = (
            std::mem::take(&mut old.taps),
            std::mem::take(&mut old.schedule),
        );
        self.inherit_nodes(&mut old, moves);
        let places = self.inherit_links(old, moves);
        let gone = self.schedule.sift(|departure| {
            departure.slot = places[departure.slot as usize];
            departure.slot != NONE && {
                departure.to = self.slots[departure.slot as usize].counters.to;
                true
            }
        });
        debug_assert!(gone.is_empty(), "let go before");
    }

    /// Drops what is under way from or to nodes that are gone.
    fn let_go(&mut self, moves: &[Option<NodeIndex>], now: u64) {
        let (slots, schedule) = (&self.slots, &mut self.schedule);
        let stays = |slot: u32| {
            let link = slots[slot as usize].counters;
            moves[link.from.at()].is_some() && moves[link.to.at()].is_some()
        };
        for departure in schedule.sift(|departure| stays(departure.slot)) {
            self.done(departure, Some(Cause::NoPort), now);
        }
    }

    fn inherit_nodes(&mut self, old: &mut Switch, moves: &[Option<NodeIndex>]) {
        let fresh = std::mem::replace(&mut self.names, old.names.clone());
        let mut known = vec![None; self.ports.len()];
        for (at, to) in moves.iter().enumerate() {
            let Some(to) = *to else { continue };
            let mine = to.at();
            known[mine] = Some(old.serials[at]);
            self.keys[mine] = old.keys[at];
            self.icmp[mine] = old.icmp[at].clone();
            self.ports[mine] = old.ports[at];
            self.ports[mine].node = to;
            let (declared, lines) = (&mut self.access[mine], &mut old.access[at]);
            std::mem::swap(declared, lines);
            declared.up.declare_as(&lines.up);
            declared.down.declare_as(&lines.down);
        }
        for (mine, known) in known.into_iter().enumerate() {
            let name = fresh.get(self.serials[mine]);
            self.serials[mine] = known.unwrap_or_else(|| self.names.add(&name));
        }
    }

    /// Returns the new place of each old link; [`NONE`] for those that are gone.
    fn inherit_links(&mut self, old: Switch, moves: &[Option<NodeIndex>]) -> Vec<u32> {
        let mut places = Vec::with_capacity(old.slots.len());
        for mut link in old.slots {
            let ends = (link.counters.from.at(), link.counters.to.at());
            let (Some(from), Some(to)) = (moves[ends.0], moves[ends.1]) else {
                places.push(NONE);
                continue;
            };
            let place = self.slot(from, to);
            let declared = *self.slots[place as usize].model.properties();
            (link.counters.from, link.counters.to) = (from, to);
            link.model.reseed(self.seed);
            if *link.model.properties() != declared {
                let down = link.model.is_down();
                link.model.change(declared, down, &self.traces);
            }
            self.slots[place as usize] = link;
            places.push(place);
        }
        places
    }
}

#[cfg(test)]
#[path = "reconfigure_tests.rs"]
mod tests;
