//! One link of a packet's way: access link, model, schedule.
//!
//! Owns what becomes of a frame whose next hop is known: whether its segments go together, and what
//! the model's verdicts do to its bytes. Must not know addresses or devices.

use super::super::frame::{Departure, Frame, Wire};
use super::super::harm;
use super::super::map::PortIndex;
use super::super::model::{Cause, Corruption, Fate, Verdict};
use super::super::offload::{self, Parts};
use super::super::packet::Header;
use super::{Direct, Switch};

/// What became of a frame at its next link.
pub(super) enum Sent {
    /// It was taken over, or dropped.
    Done,
    /// It need not wait: whoever has it is to give it to the receiver.
    Direct(Direct),
    /// It, or a part of it, is larger than this mtu, and the sender is to be told.
    TooBig(u32),
}

/// A link, and where the packet is to go behind it.
#[derive(Clone, Copy)]
pub(super) struct Leg {
    pub slot: u32,
    pub goal: PortIndex,
}

impl Switch {
    /// Sends a frame from a port over the next link on its way to `goal`. `direct`: the caller can
    /// give it to a device at once.
    pub(super) fn send(
        &mut self,
        (from, goal): (PortIndex, PortIndex),
        frame: &mut Frame,
        header: &Header,
        parts: Option<Parts>,
        now: u64,
        direct: bool,
    ) -> Sent {
        let Some(to) = self.map.next(from, goal) else {
            return Sent::Done; // callers have asked before
        };
        let leg = Leg {
            slot: self.slot(from, to),
            goal,
        };
        if self.is_clean(leg.slot) {
            return self.together(leg, frame, header, parts, now, direct);
        }
        let mut too_big = None;
        match parts {
            None => {
                if let Some(sent) = self.leave(leg.slot, frame, now) {
                    too_big = self.enter(leg, frame, header, sent, now);
                }
            }
            Some(parts) => {
                self.effort.add(parts.count() as u64);
                let mut segment = self.schedule.take(parts.largest());
                for number in 0..parts.count() {
                    parts.segment(frame, number, &mut segment);
                    if let Some(sent) = self.leave(leg.slot, &segment, now) {
                        too_big = too_big.or(self.enter(leg, &mut segment, header, sent, now));
                    }
                }
                self.schedule.recycle(segment);
            }
        }
        let Some(mtu) = too_big else {
            return Sent::Done;
        };
        self.note_told(leg.slot, header.source);
        Sent::TooBig(mtu)
    }

    /// Whether nothing but a constant delay happens from end to end of a link.
    fn is_clean(&self, slot: u32) -> bool {
        let link = &self.slots[slot as usize];
        !link.model.per_packet()
            && self.nodes[link.counters.from.at()].up.is_open()
            && self.nodes[link.counters.to.at()].down.is_open()
    }

    /// A frame on a clean link, whatever it stands for.
    fn together(
        &mut self,
        leg: Leg,
        frame: &mut Frame,
        header: &Header,
        parts: Option<Parts>,
        now: u64,
        direct: bool,
    ) -> Sent {
        let slot = leg.slot;
        let plain = offload::packet(frame).len();
        let wire = Wire {
            packets: parts.map_or(1, |p| p.count()) as u32,
            bytes: parts.map_or(plain, |p| p.bytes()) as u32,
        };
        let link = &mut self.slots[slot as usize];
        let to = link.ends.1;
        let seen = self.flows.of(link.model.id(), header.flow);
        match link.model.pass_together(now, u64::from(wire.packets), seen) {
            Verdict::Deliver(arrival) => {
                let waits = arrival.at > now || self.schedule.next_due().is_some_and(|d| d <= now);
                if direct && !waits && to == leg.goal {
                    return Sent::Direct(Direct {
                        to,
                        slot,
                        wire,
                        entered: now,
                    });
                }
                self.schedule_on(leg, frame, wire, arrival.at, now);
            }
            Verdict::Dropped(cause) => self.drop_on(slot, cause, wire.packets, frame, now),
            Verdict::TooBig(_) => self.drop_on(slot, Cause::Mtu, wire.packets, frame, now),
        }
        Sent::Done
    }

    /// When the packet has left the sender's access link; a full queue counts on the link.
    fn leave(&mut self, slot: u32, frame: &[u8], now: u64) -> Option<u64> {
        let from = self.slots[slot as usize].counters.from;
        let bytes = offload::packet(frame).len();
        let sent = self.nodes[from.at()].up.pass(now, bytes);
        if sent.is_none() {
            self.drop_on(slot, Cause::Queue, 1, frame, now);
        }
        sent
    }

    /// Sends one packet through the link's model; the mtu when the sender is to be told one.
    pub(super) fn enter(
        &mut self,
        leg: Leg,
        frame: &mut Frame,
        header: &Header,
        sent: u64,
        now: u64,
    ) -> Option<u32> {
        let link = &mut self.slots[leg.slot as usize];
        let seen = self.flows.of(link.model.id(), header.flow);
        let bytes = offload::packet(frame).len();
        let Fate { first, copy } = link.model.pass(sent, bytes, header.flow, seen);
        let twin = copy.map(|verdict| {
            let mut twin = self.schedule.take(frame.len());
            twin.fill(&[frame]);
            (verdict, twin)
        });
        self.settle(leg, frame, header, first, now);
        if let Some((verdict, mut twin)) = twin {
            self.slots[leg.slot as usize].counters.duplicated += 1;
            self.settle(leg, &mut twin, header, verdict, now);
            self.schedule.recycle(twin);
        }
        match first {
            Verdict::TooBig(mtu) => Some(mtu),
            _ => None,
        }
    }

    fn settle(&mut self, leg: Leg, frame: &mut Frame, header: &Header, fate: Verdict, now: u64) {
        let slot = leg.slot;
        let arrival = match fate {
            Verdict::Dropped(cause) => return self.drop_on(slot, cause, 1, frame, now),
            Verdict::TooBig(_) => return self.drop_on(slot, Cause::Mtu, 1, frame, now),
            Verdict::Deliver(arrival) => arrival,
        };
        if let Some(Corruption { draw, checksum }) = arrival.corrupt {
            offload::complete(frame);
            let packet = frame.get_mut(offload::HEAD..).unwrap_or_default();
            let harmed = harm::corrupt(packet, header, draw, checksum);
            self.slots[slot as usize].counters.corrupted += u64::from(harmed);
        }
        let bytes = offload::packet(frame).len() as u32;
        self.schedule_on(leg, frame, Wire { packets: 1, bytes }, arrival.at, now);
    }

    fn schedule_on(&mut self, leg: Leg, frame: &mut Frame, wire: Wire, due: u64, now: u64) {
        let slot = leg.slot;
        let link = &mut self.slots[slot as usize];
        if !self.schedule.admits(link.bounded) {
            return self.drop_on(slot, Cause::Queue, wire.packets, frame, now);
        }
        let frame = self.schedule.keep(frame);
        let mut departure = Departure::new(due, now, (slot, link.ends.1), frame);
        (departure.wire, departure.goal) = (wire, leg.goal);
        link.hold(&mut departure);
        self.schedule.push(departure);
    }
}

#[cfg(test)]
#[path = "transit_tests.rs"]
mod tests;
