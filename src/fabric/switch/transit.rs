//! The way of a packet for one node: access link, model, schedule.
//!
//! Owns what becomes of a frame whose receiver is known: whether its segments go together, and what
//! the model's verdicts do to its bytes. Must not know addresses or devices.

use super::super::frame::{Departure, Frame, Wire};
use super::super::model::{Cause, Fate, Serialiser, Verdict};
use super::super::offload::{self, Parts};
use super::super::packet::{self, Header, Unreachable};
use super::{Direct, Outcome, Switch};
use crate::id::NodeIndex;

impl Switch {
    pub(super) fn unicast(
        &mut self,
        (from, to): (NodeIndex, NodeIndex),
        frame: &mut Frame,
        header: &Header,
        parts: Option<Parts>,
        now: u64,
    ) -> Outcome {
        let slot = self.slot(from, to);
        if self.is_clean(slot, (from, to), now) {
            return self.together(slot, frame, header, parts, now);
        }
        let mut too_big = None;
        match parts {
            None => {
                if let Some(sent) = self.leave(slot, frame, now) {
                    too_big = self.enter(slot, frame, header, sent, now);
                }
            }
            Some(parts) => {
                let mut segment = self.schedule.take_small();
                for number in 0..parts.count() {
                    parts.segment(frame, number, &mut segment);
                    if let Some(sent) = self.leave(slot, &segment, now) {
                        too_big = too_big.or(self.enter(slot, &mut segment, header, sent, now));
                    }
                }
                self.schedule.recycle(segment);
            }
        }
        let Some(mtu) = too_big else {
            return Outcome::Done;
        };
        let why = Unreachable::TooBig(mtu);
        let reply = self.refuse(from, frame, header, now, why);
        reply.map_or(Outcome::Done, Outcome::Reply)
    }

    /// Whether nothing but a constant delay happens from end to end.
    fn is_clean(&self, slot: u32, (from, to): (NodeIndex, NodeIndex), now: u64) -> bool {
        let free = |line: &Serialiser| line.is_open() && line.pass_time(now) == now;
        !self.slots[slot as usize].model.per_packet(now)
            && free(&self.access[from.at()].up)
            && free(&self.access[to.at()].down)
    }

    /// A frame on a clean link, whatever it stands for.
    fn together(
        &mut self,
        slot: u32,
        frame: &mut Frame,
        header: &Header,
        parts: Option<Parts>,
        now: u64,
    ) -> Outcome {
        let plain = offload::packet(frame).len();
        let wire = Wire {
            packets: parts.map_or(1, |p| p.count()) as u32,
            bytes: parts.map_or(plain, |p| p.bytes()) as u32,
        };
        let link = &mut self.slots[slot as usize];
        let to = link.counters.to;
        let seen = self.flows.of(link.model.id(), header.flow);
        match link.model.pass_together(now, u64::from(wire.packets), seen) {
            Verdict::Deliver(arrival) => {
                let waits = arrival.at > now || self.schedule.next_due().is_some_and(|d| d <= now);
                if !waits {
                    return Outcome::Direct(Direct {
                        to,
                        slot,
                        wire,
                        entered: now,
                    });
                }
                self.schedule_on(slot, frame, wire, arrival.at, now);
            }
            Verdict::Dropped(cause) => self.drop_on(slot, cause, wire.packets, frame, now),
            Verdict::TooBig(_) => self.drop_on(slot, Cause::Mtu, wire.packets, frame, now),
        }
        Outcome::Done
    }

    /// When the packet has left the sender's access link; a full queue counts on the link.
    fn leave(&mut self, slot: u32, frame: &[u8], now: u64) -> Option<u64> {
        let from = self.slots[slot as usize].counters.from;
        let sent = self.access[from.at()]
            .up
            .pass(now, offload::packet(frame).len());
        if sent.is_none() {
            self.drop_on(slot, Cause::Queue, 1, frame, now);
        }
        sent
    }

    /// Sends one packet through the link's model; the mtu when the sender is to be told one.
    pub(super) fn enter(
        &mut self,
        slot: u32,
        frame: &mut Frame,
        header: &Header,
        sent: u64,
        now: u64,
    ) -> Option<u32> {
        let link = &mut self.slots[slot as usize];
        let seen = self.flows.of(link.model.id(), header.flow);
        let bytes = offload::packet(frame).len();
        let Fate { first, copy } = link.model.pass(sent, bytes, header.flow, seen);
        let twin = copy.map(|verdict| {
            let mut twin = self.schedule.take_small();
            twin.fill(&[frame]);
            (verdict, twin)
        });
        self.settle(slot, frame, header, first, now);
        if let Some((verdict, mut twin)) = twin {
            self.slots[slot as usize].counters.duplicated += 1;
            self.settle(slot, &mut twin, header, verdict, now);
            self.schedule.recycle(twin);
        }
        match first {
            Verdict::TooBig(mtu) => Some(mtu),
            _ => None,
        }
    }

    fn settle(&mut self, slot: u32, frame: &mut Frame, header: &Header, fate: Verdict, now: u64) {
        let arrival = match fate {
            Verdict::Dropped(cause) => return self.drop_on(slot, cause, 1, frame, now),
            Verdict::TooBig(_) => return self.drop_on(slot, Cause::Mtu, 1, frame, now),
            Verdict::Deliver(arrival) => arrival,
        };
        if let Some(draw) = arrival.corrupt {
            offload::complete(frame);
            let packet = frame.get_mut(offload::HEAD..).unwrap_or_default();
            let harmed = packet::corrupt(packet, header, draw);
            self.slots[slot as usize].counters.corrupted += u64::from(harmed);
        }
        let bytes = offload::packet(frame).len() as u32;
        self.schedule_on(slot, frame, Wire { packets: 1, bytes }, arrival.at, now);
    }

    fn schedule_on(&mut self, slot: u32, frame: &mut Frame, wire: Wire, due: u64, now: u64) {
        let link = &mut self.slots[slot as usize];
        if !self.schedule.admits(link.held) {
            return self.drop_on(slot, Cause::Queue, wire.packets, frame, now);
        }
        let frame = self.schedule.keep(frame);
        link.held.add(&frame);
        let mut departure = Departure::new(due, now, (slot, link.counters.to), frame);
        (departure.cuts, departure.wire) = (link.cuts, wire);
        self.schedule.push(departure);
    }
}
