//! What became of packets: counted, and shown to those who capture.
//!
//! Owns the moment of counting. Must not know why a packet came to its end.

use super::super::capture::{Filter, Names, Sieve, Tap};
use super::super::counters::{DelaySnapshot, LinkCounters, LinkState, PortCounters};
use super::super::frame::{Departure, Wire};
use super::super::map::PortIndex;
use super::super::model::Cause;
use super::{Direct, Slot, Switch};

/// Links that are looked at between two packets. All 39,800 of 200 nodes at once kept packets waiting for 5 ms, with
/// their delays for 20; in these parts p99 of the lag is 0.1 and 0.1 to 0.2 ms, beside 0.1 without a look
/// (`cargo bench --bench fabric -- looks`).
const PART: usize = 256;
/// The same where the times of their packets are copied, too.
const PART_WITH_DELAYS: usize = 64;

/// A look at all links, a part at a time.
pub(in super::super) struct Look<T> {
    row: fn(&Slot, u64) -> T,
    part: usize,
    /// Of those that carried or dropped something. Not in one piece: growing that would take longer than a part.
    rows: Vec<Vec<T>>,
    /// The first link of the next part, in links numbered so.
    place: usize,
    numbering: u64,
}

impl<T> Look<T> {
    fn new(part: usize, row: fn(&Slot, u64) -> T) -> Look<T> {
        Look {
            row,
            part,
            rows: Vec::new(),
            place: 0,
            numbering: 0,
        }
    }

    /// Looks at the next part, as it is at `now`; all rows after the last one. Where links have other places
    /// than before it begins anew.
    pub(in super::super) fn go_on(&mut self, switch: &Switch, now: u64) -> Option<Vec<Vec<T>>> {
        if self.numbering != switch.numbering {
            self.rows.clear();
            (self.place, self.numbering) = (0, switch.numbering);
        }
        let links = switch.slots.get(self.place..).unwrap_or_default();
        let used = links.iter().take(self.part).filter(|link| link.is_used());
        self.rows
            .push(used.map(|link| (self.row)(link, now)).collect());
        self.place += self.part;
        (links.len() <= self.part).then(|| std::mem::take(&mut self.rows))
    }
}

impl Look<LinkCounters> {
    pub(in super::super) fn counters() -> Look<LinkCounters> {
        Look::new(PART, Slot::counters)
    }
}

impl Look<LinkState> {
    /// The same with the time that packets were on each link.
    pub(in super::super) fn states() -> Look<LinkState> {
        Look::new(PART_WITH_DELAYS, |link, now| LinkState {
            counters: link.counters(now),
            delays: link.delays.clone(),
        })
    }
}

impl Slot {
    fn is_used(&self) -> bool {
        let counters = &self.counters;
        counters.packets + self.held.frames as u64 + counters.dropped.total() > 0
    }

    fn counters(&self, now: u64) -> LinkCounters {
        LinkCounters {
            queue_bytes: self.model.backlog(now),
            under_way: self.held.frames as u64,
            ..self.counters
        }
    }
}

impl Switch {
    /// Counts what became of a departure at `now` and takes its buffer back.
    pub(in super::super) fn done(&mut self, departure: Departure, failed: Option<Cause>, now: u64) {
        let slot = departure.slot;
        self.slots[slot as usize].let_go(&departure);
        let took = now.saturating_sub(departure.entered);
        self.account(slot, departure.wire, failed, took);
        self.show(slot, &departure.frame, failed, now);
        self.schedule.recycle(departure.frame);
    }

    /// Counts what became of a frame that did not wait.
    pub(in super::super) fn passed(
        &mut self,
        direct: &Direct,
        frame: &[u8],
        failed: Option<Cause>,
        now: u64,
    ) {
        let took = now.saturating_sub(direct.entered);
        self.account(direct.slot, direct.wire, failed, took);
        self.show(direct.slot, frame, failed, now);
    }

    /// Shows a frame to those who capture it.
    pub(super) fn show(&mut self, slot: u32, frame: &[u8], cause: Option<Cause>, now: u64) {
        if !self.taps.is_empty() {
            let LinkCounters { from, to, .. } = self.slots[slot as usize].counters;
            let link = (self.nodes[from.at()].serial, self.nodes[to.at()].serial);
            self.taps.retain(|tap| tap.see(link, frame, cause, now));
        }
    }

    /// What a capture needs to know.
    pub(in super::super) fn to_capture(&self, filter: Filter) -> (Sieve, Names) {
        let sieve = filter.sieve(|node| self.nodes.get(node.at()).map(|node| node.serial));
        (sieve, self.names.clone())
    }

    /// Shows frames to one more.
    pub(in super::super) fn tap(&mut self, tap: Tap) {
        self.taps.push(tap);
    }

    pub(super) fn account(&mut self, slot: u32, wire: Wire, failed: Option<Cause>, took: u64) {
        let link = &mut self.slots[slot as usize];
        match failed {
            Some(cause) => {
                let dropped = &mut link.counters.dropped;
                dropped.count(cause, u64::from(wire.packets));
            }
            None => {
                link.counters.packets += u64::from(wire.packets);
                link.counters.bytes += u64::from(wire.bytes);
                link.delays.record(took, wire.packets);
            }
        }
    }

    /// Counts a frame, which stands for `packets`, as dropped.
    pub(super) fn drop_on(
        &mut self,
        slot: u32,
        cause: Cause,
        packets: u32,
        frame: &[u8],
        now: u64,
    ) {
        let counters = &mut self.slots[slot as usize].counters;
        counters.dropped.count(cause, u64::from(packets));
        self.show(slot, frame, Some(cause), now);
    }

    /// Counters of all links that carried or dropped something, by network, sender and receiver.
    #[cfg(test)]
    pub(in super::super) fn counters(&self, now: u64) -> Vec<LinkCounters> {
        let mut look = Look::counters();
        let parts = std::iter::repeat_with(|| look.go_on(self, now));
        let mut all = parts.flatten().next().unwrap_or_default().concat();
        all.sort_unstable_by_key(LinkCounters::link);
        all
    }

    /// How long packets were on the link; empty when nothing arrived yet.
    pub(in super::super) fn delays(&self, from: PortIndex, to: PortIndex) -> DelaySnapshot {
        let (table, at) = self.cell(from, to);
        let link = self.slots.get(self.tables[table][at] as usize);
        link.map_or_else(DelaySnapshot::default, |link| link.delays.clone())
    }

    /// Counts that a port was left alone because of its junk.
    pub(in super::super) fn count_rest(&mut self, port: PortIndex) {
        let node = self.map.of(port).node;
        self.nodes[node.at()].counters.rests += 1;
    }

    pub(in super::super) fn port_counters(&self) -> Vec<PortCounters> {
        self.nodes.iter().map(|node| node.counters).collect()
    }
}
