//! What links are at this moment, for who must not take the word of those who changed them.
//!
//! Owns what is read and tried. Must not change anything: what is tried is tried on a copy of the
//! link's model, so that no packet of a node is moved.

use super::super::counters::{DelaySnapshot, Dropped};
use super::super::model::{Seen, Verdict};
use super::super::{FabricError, ResolverManner};
use super::Switch;
use crate::id::{NetworkIndex, NodeIndex};
use crate::link::LinkProperties;
use netlab_protocol::draw;

/// Packets that are tried on each link.
pub const TRIED: u32 = 8;
/// Bytes of each.
const BYTES: usize = 64;

/// An ordered pair of nodes in a network.
pub type Place = (NetworkIndex, NodeIndex, NodeIndex);

/// What a link is, and what it did since the fabric started.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkWitness {
    /// Which.
    pub place: Place,
    /// Its properties in force.
    pub properties: LinkProperties,
    /// Whether it is down.
    pub down: bool,
    /// Packets delivered.
    pub packets: u64,
    /// Packets not delivered.
    pub dropped: Dropped,
    /// Times on the link.
    pub delays: DelaySnapshot,
    /// Of [`TRIED`] packets made for it, how many would arrive.
    pub would_arrive: u32,
}

/// A link that is not as its network's default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Which.
    pub place: Place,
    /// Its properties in force.
    pub properties: LinkProperties,
    /// Whether it is down.
    pub down: bool,
}

impl Switch {
    /// What the link at `place` is at `now`.
    pub(in super::super) fn witness(
        &mut self,
        place: Place,
        now: u64,
    ) -> Result<LinkWitness, FabricError> {
        let (network, from, to) = place;
        let (from, to) = self.ends(network, from, to)?;
        let slot = self.slot(from, to);
        let link = &self.slots[slot as usize];
        let mut model = link.model.clone();
        let mut arrive = |number: u32| {
            let flow = draw::bits(model.id(), &[u64::from(number)]);
            let fate = model.pass(now, BYTES, flow, &mut Seen::default());
            matches!(fate.first, Verdict::Deliver(_))
        };
        let would_arrive = (0..TRIED).map(|number| u32::from(arrive(number))).sum();
        Ok(LinkWitness {
            place,
            properties: *link.model.properties(),
            down: link.model.is_down(),
            packets: link.counters.packets,
            dropped: link.counters.dropped,
            delays: link.delays.clone(),
            would_arrive,
        })
    }

    /// All links that are not as their network's default, by place.
    pub(in super::super) fn standing(&self) -> Vec<Standing> {
        let standing = |slot: &super::Slot| {
            let counters = &slot.counters;
            let usual = &self.networks.get(counters.network.at())?.default_link;
            let (properties, down) = (*slot.model.properties(), slot.model.is_down());
            let place = (counters.network, counters.from, counters.to);
            let other = down || properties != *usual;
            other.then_some(Standing {
                place,
                properties,
                down,
            })
        };
        let mut all: Vec<Standing> = self.slots.iter().filter_map(standing).collect();
        all.sort_unstable_by_key(|standing| standing.place);
        all
    }

    /// Nodes that the resolver does not answer as usual, and how it does.
    pub(in super::super) fn manners(&self) -> Vec<(NodeIndex, ResolverManner)> {
        let nodes = self.nodes.iter().zip(0..);
        let unusual = |(node, at): (&super::Node, u32)| {
            let other = node.manner != ResolverManner::default();
            other.then_some((NodeIndex(at), node.manner))
        };
        nodes.filter_map(unusual).collect()
    }
}
