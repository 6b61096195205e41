//! Makes the driver's world that of another lab: fabric, devices, names, files.
//!
//! Owns the order of it, and the places of nodes in what was under way meanwhile. Who stays is the
//! core's to say.

use super::{AgentError, Driver, Port, position, sys};
use crate::agent::adopt::Was;
use crate::agent::{fabric_config, watch_devices};
use crate::engine::Engine;
use crate::id::NodeIndex;
use crate::plan::{Adoption, AgentConfig};
use crate::record::stream::Reply;
use std::collections::VecDeque;
use std::io;

/// Adoptions that are remembered: what was under way for longer is dropped.
const REMEMBERED: usize = 64;

/// The places that nodes have had, from adoption to adoption.
#[derive(Default)]
pub(in crate::agent) struct Moves {
    /// How many there have been.
    epoch: u32,
    /// For each place before the adoption the one after it; the last adoption is last.
    known: VecDeque<Vec<Option<NodeIndex>>>,
}

impl Moves {
    /// Counts adoptions.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The place now of what had place `node` in `epoch`; none: it is gone.
    pub fn place(&self, epoch: u32, node: NodeIndex) -> Option<NodeIndex> {
        let behind = self.epoch.checked_sub(epoch)?;
        let first = self.known.len().checked_sub(behind as usize)?;
        let mut moves = self.known.range(first..);
        moves.try_fold(node, |node, moved| moved.get(node.at()).copied().flatten())
    }

    /// One more adoption, of a lab that had `before` nodes.
    fn add(&mut self, before: usize, was: &Was) {
        let mut moved = vec![None; before];
        for (was, at) in was.iter().zip(0..) {
            if let Some(place) = was.and_then(|was| moved.get_mut(was.at())) {
                *place = Some(NodeIndex(at));
            }
        }
        self.known.push_back(moved);
        if self.known.len() > REMEMBERED {
            self.known.pop_front();
        }
        self.epoch += 1;
    }
}

impl<E: Engine + 'static> Driver<E> {
    /// The lab is another from now on. An adoption that the fabric refuses changes nothing.
    ///
    /// # Errors
    /// What the agent cannot live without; it comes back with the lab that is written down.
    pub(super) fn adopt(&mut self, client: u64, adoption: Adoption) -> Result<(), AgentError> {
        let was = self.core.was(&adoption);
        // A position with a run would be one of the lab before.
        self.write_position(sys::now())?;
        if let Err(why) = self.publish(&adoption.lab) {
            self.publish_as_before();
            self.reply(client, Reply::Refused { why }, true);
            return Ok(());
        }
        // Between the two callbacks a lost device is only told by the engine, never under a wrong
        // place.
        self.fabric.on_lost_device(|_| ())?;
        let config = fabric_config(&adoption.lab);
        // Links may name a recording only when the fabric has it.
        let other_traces = adoption.lab.traces != self.core.lab.traces;
        if other_traces {
            self.fabric.set_traces(adoption.lab.traces.clone())?;
        }
        if let Err(error) = self.fabric.reconfigure(config, &was) {
            watch_devices(&self.fabric, &self.sender, self.moves.epoch())?;
            if other_traces {
                self.fabric.set_traces(self.core.lab.traces.clone())?;
            }
            self.publish_as_before();
            let why = format!("the fabric refuses this lab: {}", super::said(&error));
            self.reply(client, Reply::Refused { why }, true);
            return Ok(());
        }
        self.write_down(&adoption).map_err(AgentError::Position)?;
        self.core.part(&was, &adoption.leaving);
        while let Some(action) = self.core.next_action() {
            self.do_one(action)?;
        }
        self.move_ports(&was);
        self.reads.end_all();
        self.moves.add(self.core.lab.nodes.len(), &was);
        self.identity.adopt(&adoption.lab, self.moves.epoch());
        watch_devices(&self.fabric, &self.sender, self.moves.epoch())?;
        self.make_room(adoption.lab.nodes.len());
        self.ttl = adoption.ttl;
        self.sampler.change(adoption.lab.sampling);
        tracing::info!(nodes = adoption.lab.nodes.len(), "the lab is another");
        self.core.adopt(sys::now(), adoption, &was);
        self.published();
        self.reply(client, Reply::Adopted, true);
        Ok(())
    }

    /// So that the agent's own restart goes on with this lab.
    fn write_down(&self, adoption: &Adoption) -> io::Result<()> {
        if adoption.ttl != self.ttl {
            let path = self.state.join("agent.json");
            let config: AgentConfig = serde_json::from_slice(&std::fs::read(path)?)?;
            let config = AgentConfig {
                ttl: adoption.ttl,
                ..config
            };
            let bytes = serde_json::to_vec_pretty(&config)?;
            position::replace(&self.state, "agent.json", &bytes)?;
        }
        let bytes = serde_json::to_vec_pretty(&adoption.lab)?;
        position::replace(&self.state, "lab.json", &bytes)
    }

    fn move_ports(&mut self, was: &Was) {
        let mut before = std::mem::take(&mut self.ports);
        let take = |was: &Option<NodeIndex>| {
            let found = was.and_then(|was| before.get_mut(was.at()));
            found.map_or_else(Port::default, std::mem::take)
        };
        self.ports = was.iter().map(take).collect();
    }

    /// More nodes may knock and be connected at once.
    fn make_room(&mut self, nodes: usize) {
        let more = nodes.saturating_sub(self.most_nodes);
        self.most_nodes += more;
        for room in &self.rooms {
            room.add_permits(crate::agent::doors::PER_NODE * more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_followed_through_adoptions() {
        let at = |n| Some(NodeIndex(n));
        let mut moves = Moves::default();
        assert_eq!(moves.place(0, NodeIndex(2)), at(2));
        moves.add(3, &vec![at(2), None, at(0)]);
        assert_eq!(moves.place(0, NodeIndex(2)), at(0));
        assert_eq!(moves.place(0, NodeIndex(1)), None);
        assert_eq!(moves.place(1, NodeIndex(1)), at(1));
        moves.add(3, &vec![at(1), at(0)]);
        assert_eq!(moves.place(0, NodeIndex(2)), at(1));
        assert_eq!(moves.place(1, NodeIndex(2)), None);
        for _ in 0..REMEMBERED {
            moves.add(2, &vec![at(0), at(1)]);
        }
        assert_eq!(
            moves.place(0, NodeIndex(2)),
            None,
            "forgotten, not mistaken"
        );
        assert_eq!(moves.place(moves.epoch() + 1, NodeIndex(0)), None);
    }
}
