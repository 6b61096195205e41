//! Packets that are for more than one node, or for none: broadcast, ICMP errors.
//!
//! Owns who is answered what, and how often. Must not know links' models or the schedule.

use super::super::frame::Frame;
use super::super::map::PortIndex;
use super::super::model::Cause;
use super::super::offload::{self, Parts};
use super::super::packet::{self, Header, Unreachable};
use super::transit::Leg;
use super::{Outcome, Switch};
use crate::id::NodeIndex;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Switch {
    /// Sends a frame to everyone with whom the sender shares a wire.
    pub(super) fn flood(
        &mut self,
        from: PortIndex,
        frame: &mut Frame,
        header: &Header,
        parts: Option<Parts>,
        now: u64,
    ) {
        let place = self.map.of(from);
        let (node, members) = (place.node.at(), self.map.size(place.network));
        let mut piece = self
            .schedule
            .take(parts.map_or(frame.len(), |p| p.largest()));
        for number in 0..parts.map_or(1, |p| p.count()) {
            let write = |piece: &mut Frame| match parts {
                Some(parts) => drop(parts.segment(frame, number, piece)),
                None => piece.fill(&[frame]),
            };
            write(&mut piece);
            let bytes = offload::packet(&piece).len();
            let sent = self.nodes[node].up.pass(now, bytes);
            for rank in 0..members {
                let Some(goal) = self.map.neighbour(from, rank) else {
                    continue;
                };
                let slot = self.slot(from, goal);
                self.effort.add(1);
                match sent {
                    Some(sent) => {
                        write(&mut piece);
                        self.enter(Leg { slot, goal }, &mut piece, header, sent, now);
                    }
                    None => self.drop_on(slot, Cause::Queue, 1, &piece, now),
                }
            }
        }
        self.schedule.recycle(piece);
    }

    /// An ICMP error about a frame that `from` sent, within the bound for its node.
    pub(super) fn refuse(
        &mut self,
        from: PortIndex,
        frame: &mut Frame,
        header: &Header,
        now: u64,
        why: Unreachable,
    ) -> Outcome {
        let (node, by) = (self.map.of(from).node, self.map.resolver(from));
        let reply = self.error(node, by, frame, header, now, why);
        reply.map_or(Outcome::Done, Outcome::Reply)
    }

    /// An ICMP error about a frame, sent `by` these addresses, within the bound of `node`. Of many
    /// segments the first is quoted.
    pub(super) fn error(
        &mut self,
        node: NodeIndex,
        by: (Ipv4Addr, Ipv6Addr),
        frame: &mut Frame,
        header: &Header,
        now: u64,
        why: Unreachable,
    ) -> Option<Vec<u8>> {
        self.nodes[node.at()].icmp.pass(now, 1)?;
        let parts = offload::parts(frame).unwrap_or(None);
        let length = parts.map_or(frame.len(), |parts| parts.largest());
        let mut quoted = self.schedule.take(length);
        match parts {
            Some(parts) => drop(parts.segment(frame, 0, &mut quoted)),
            None => quoted.fill(&[frame]),
        }
        offload::complete(&mut quoted);
        let error = packet::unreachable(offload::packet(&quoted), header, by, why);
        self.schedule.recycle(quoted);
        error
    }
}

/// Whether a kernel sent this to routers and multicast routers, of which there are none: group reports
/// (RFC 2236; RFC 3810, behind hop-by-hop options), solicitations and what else is between neighbours (RFC 4861).
pub(super) fn is_noise(header: &Header, packet: &[u8]) -> bool {
    match header.source {
        IpAddr::V6(source) if source.is_unspecified() => true,
        IpAddr::V6(source) if source.is_unicast_link_local() => match header.protocol {
            packet::HOP_BY_HOP => true,
            packet::ICMP6 => matches!(packet.get(header.payload), Some(130..=137 | 143)),
            _ => false,
        },
        IpAddr::V6(_) => false,
        IpAddr::V4(_) => header.protocol == packet::IGMP,
    }
}
