//! Packets that are for more than one node, or for none: broadcast, the resolver, ICMP errors.
//!
//! Owns who is answered what, and how often. Must not know links' models or the schedule.

use super::super::frame::Frame;
use super::super::model::Cause;
use super::super::offload::{self, Parts};
use super::super::packet::{self, Header, Unreachable};
use super::Switch;
use crate::id::NodeIndex;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// DNS.
const DOMAIN: u16 = 53;

impl Switch {
    pub(super) fn flood(
        &mut self,
        from: NodeIndex,
        frame: &mut Frame,
        header: &Header,
        parts: Option<Parts>,
        now: u64,
    ) {
        let mut piece = self.schedule.take_small();
        for number in 0..parts.map_or(1, |p| p.count()) {
            let write = |piece: &mut Frame| match parts {
                Some(parts) => drop(parts.segment(frame, number, piece)),
                None => piece.fill(&[frame]),
            };
            write(&mut piece);
            let bytes = offload::packet(&piece).len();
            let sent = self.access[from.at()].up.pass(now, bytes);
            for to in (0..self.ports.len() as u32).map(NodeIndex) {
                if to == from {
                    continue;
                }
                let slot = self.slot(from, to);
                match sent {
                    Some(sent) => {
                        write(&mut piece);
                        self.enter(slot, &mut piece, header, sent, now);
                    }
                    None => self.drop_on(slot, Cause::Queue, 1, &piece, now),
                }
            }
        }
        self.schedule.recycle(piece);
    }

    pub(super) fn resolve(
        &mut self,
        from: NodeIndex,
        packet: &[u8],
        header: &Header,
        now: u64,
    ) -> Option<Vec<u8>> {
        if let Some(reply) = packet::echo_reply(packet, header) {
            return Some(reply);
        }
        let ports = header.payload..header.payload + 8;
        let port = |at| packet::be16(packet, header.payload + at);
        if header.protocol != packet::UDP || header.later_fragment || port(2) != DOMAIN {
            return self.limited(from, now, |to| {
                packet::unreachable(packet, header, to, Unreachable::Port)
            });
        }
        let data = packet.get(ports.end..)?;
        self.queries += 1;
        let reply = self.resolver.answer(data, self.queries)?;
        packet::udp((header.target, DOMAIN), (header.source, port(0)), &reply)
    }

    /// An ICMP error about a frame, within the bound for `from`. Of many segments the first is quoted.
    pub(super) fn refuse(
        &mut self,
        from: NodeIndex,
        frame: &mut Frame,
        header: &Header,
        now: u64,
        why: Unreachable,
    ) -> Option<Vec<u8>> {
        let mut quoted = self.schedule.take_small();
        match offload::parts(frame) {
            Ok(Some(parts)) => drop(parts.segment(frame, 0, &mut quoted)),
            _ => quoted.fill(&[frame]),
        }
        offload::complete(&mut quoted);
        let reply = self.limited(from, now, |by| {
            packet::unreachable(offload::packet(&quoted), header, by, why)
        });
        self.schedule.recycle(quoted);
        reply
    }

    fn limited(
        &mut self,
        from: NodeIndex,
        now: u64,
        error: impl FnOnce((Ipv4Addr, Ipv6Addr)) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        self.icmp[from.at()].pass(now, 1)?;
        error(self.resolver_at)
    }
}

pub(super) fn is_noise(header: &Header) -> bool {
    match header.source {
        IpAddr::V6(source) => source.is_unicast_link_local() || source.is_unspecified(),
        IpAddr::V4(_) => header.protocol == packet::IGMP,
    }
}

/// Multicast, limited broadcast, or the broadcast address of the lab's IPv4 network.
pub(super) fn is_for_all(target: IpAddr) -> bool {
    let host = u32::MAX >> super::super::V4_PREFIX;
    match target {
        IpAddr::V4(v4) => v4.is_multicast() || u32::from(v4) & host == host,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
