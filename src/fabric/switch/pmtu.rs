//! Who was told that packets were too big for a link, and has to forget it when the link is wider.
//!
//! Owns the list, and errors that come too late. Must not know how a kernel forgets
//! ([`super::super::forget`]).

use super::super::model::Cause;
use super::super::{offload, packet};
use super::Switch;
use crate::id::NodeIndex;
use crate::link::{LinkProperties, MTU};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What a link carries.
pub(super) fn mtu(properties: &LinkProperties) -> u32 {
    properties.mtu.map_or(MTU, |mtu| mtu.bytes)
}

impl Switch {
    /// Notes that the sender of a packet is told the mtu of a link.
    pub(super) fn note_told(&mut self, slot: u32, source: IpAddr) {
        let told = &mut self.slots[slot as usize].told;
        told.extend(self.map.node_with(source));
    }

    /// Drops errors about too large packets that are still on their way to these nodes: they would
    /// learn the old mtu after they forgot it.
    pub(super) fn take_back_errors(&mut self, told: &BTreeSet<NodeIndex>) {
        if told.is_empty() {
            return;
        }
        let map = &self.map;
        let late = self.schedule.sift(|departure| {
            let packet = offload::packet(&departure.frame);
            let header = packet::parse(packet);
            let error = header.filter(|header| packet::is_too_big(packet, header));
            let target = error.and_then(|header| map.node_with(header.target));
            target.is_none_or(|node| !told.contains(&node))
        });
        for departure in late {
            let now = departure.entered;
            self.done(departure, Some(Cause::Mtu), now);
        }
    }
}

#[cfg(test)]
#[path = "pmtu_tests.rs"]
mod tests;
