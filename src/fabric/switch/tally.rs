//! What became of packets: counted, and shown to those who capture.
//!
//! Owns the moment of counting. Must not know why a packet came to its end.

use super::super::capture::{Filter, Names, Sieve, Tap};
use super::super::counters::{DelaySnapshot, LinkCounters, LinkState, PortCounters};
use super::super::frame::{Departure, Wire};
use super::super::map::PortIndex;
use super::super::model::Cause;
use super::{Direct, Switch};

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

    /// Links that carried or dropped something, by sender and receiver, as they are at `now`.
    pub(in super::super) fn counters(&self, now: u64) -> Vec<LinkCounters> {
        let used = |c: &LinkCounters| c.packets + c.under_way + c.dropped.total() > 0;
        let all = self.slots.iter().map(|slot| LinkCounters {
            queue_bytes: slot.model.backlog(now),
            under_way: slot.held.frames as u64,
            ..slot.counters
        });
        let mut used: Vec<_> = all.filter(used).collect();
        used.sort_unstable_by_key(|c| (c.network, c.from, c.to));
        used
    }

    /// The same with the time that packets were on each link.
    pub(in super::super) fn links(&self, now: u64) -> Vec<LinkState> {
        let state = |counters: LinkCounters| {
            let port = |node| self.map.port(node, counters.network).ok();
            let ends = port(counters.from).zip(port(counters.to));
            let delays = ends.map_or_else(DelaySnapshot::default, |(a, b)| self.delays(a, b));
            LinkState { counters, delays }
        };
        self.counters(now).into_iter().map(state).collect()
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
