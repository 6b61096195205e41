//! Hops: members of a network that pass on what is for others.
//!
//! Owns what a hop does between two links: time to live, and the errors it sends. Must not know how a
//! link treats a packet.
//!
//! A hop is the node as a machine with its access link: what it passes on goes through its downlink
//! and its uplink. The packet goes on at the time it was due, not when the fabric came to it, so that
//! lateness does not add up over hops. The node's own kernel never sees it: it goes on as well when
//! the node is paused or its process was killed. A node that lost its device (a machine that is off)
//! passes nothing on, and is silent about it.

use super::super::frame::{Departure, Frame};
use super::super::map::{PortIndex, Target};
use super::super::model::Cause;
use super::super::offload;
use super::super::packet::{self, Header, Unreachable};
use super::Switch;
use super::transit::Sent;

impl Switch {
    /// Sends a departure that has arrived at a hop over the next link.
    pub(super) fn pass_on(&mut self, departure: Departure, now: u64) {
        let (hop, goal, at) = (departure.to, departure.goal, departure.due);
        let header = packet::parse(offload::packet(&departure.frame));
        let next = self.map.next(hop, goal).filter(|_| self.alive[hop.at()]);
        let (Some(header), Some(next)) = (header, next) else {
            return self.done(departure, Some(Cause::NoPort), now);
        };
        let mut frame = self.arrived(departure);
        let parts = offload::parts(&frame).unwrap_or(None);
        let lives = packet::age(frame.get_mut(offload::HEAD..).unwrap_or_default());
        if !lives {
            let packets = parts.map_or(1, |parts| parts.count()) as u32;
            let slot = self.slot(hop, next);
            self.drop_on(slot, Cause::Ttl, packets, &frame, now);
            self.report(hop, &mut frame, &header, at, Unreachable::TimeExceeded);
        } else if let Sent::TooBig(mtu) =
            self.send((hop, goal), &mut frame, &header, parts, at, false)
        {
            self.report(hop, &mut frame, &header, at, Unreachable::TooBig(mtu));
        }
        self.schedule.recycle(frame);
    }

    /// Counts a departure as delivered to a hop, and hands out its frame.
    fn arrived(&mut self, departure: Departure) -> Frame {
        let slot = departure.slot;
        self.slots[slot as usize].let_go(&departure);
        let took = departure.due.saturating_sub(departure.entered);
        self.account(slot, departure.wire, None, took);
        self.show(slot, &departure.frame, None, departure.due);
        departure.frame
    }

    /// Sends an ICMP error from a hop to the source of a frame, within the bound for the hop.
    fn report(
        &mut self,
        hop: PortIndex,
        frame: &mut Frame,
        header: &Header,
        at: u64,
        why: Unreachable,
    ) {
        let place = self.map.of(hop);
        let (own, node) = ((place.v4, place.v6), place.node);
        let Some(error) = self.error(node, own, frame, header, at, why) else {
            return;
        };
        let Some(header) = packet::parse(&error) else {
            return;
        };
        if let Target::Port(goal) = self.map.target(hop, header.target) {
            let mut frame = self.schedule.take(offload::HEAD + error.len());
            frame.fill(&[&offload::PLAIN, &error]);
            // An error about an error is not sent (RFC 1122 §3.2.2).
            let _ = self.send((hop, goal), &mut frame, &header, None, at, false);
            self.schedule.recycle(frame);
        }
    }
}

#[cfg(test)]
#[path = "hops_tests.rs"]
mod tests;
