//! The switch: where a packet goes, what the model makes of it, and what is under way.
//!
//! Owns routing, links, counters and the schedule. No device, no clock, no thread: frames and
//! times come in, replies and departures go out, so every rule can be tested on its own.
//!
//! Rules for a packet a node sends:
//! - not IP: dropped (`malformed`); IPv6 link-local chatter and IGMP: ignored (`noise`); a source
//!   address that is not the node's: dropped (`spoofed`).
//! - To the resolver: UDP port 53 and ping are answered here, all else is refused (port unreachable).
//! - To a node: through the sender's access link, the link to that node and the receiver's access
//!   link. A node without device and a link that is down are silent: a lost machine sends no ICMP.
//! - Broadcast and multicast: once through the access link, then through each link.
//! - To any other address: host unreachable, [`ICMP_PER_SECOND`] per node at most. The same bound
//!   holds for packets that are too big for a link.
//!
//! A packet of many segments (`offload`) passes as it is where nothing but a constant delay applies
//! and no access link is limited; elsewhere each of its segments goes its own way. Counters count
//! segments either way.

mod answers;
mod reconfigure;
mod transit;

use super::capture::{Filter, Names, Serial, Sieve, Tap};
use super::counters::{DelaySnapshot, LinkCounters, PortCounters};
use super::frame::{Departure, Frame, Held, Schedule, Wire};
use super::model::{Cause, Flows, Link, Serialiser};
use super::offload;
use super::packet::{self, Unreachable};
use super::resolver::Resolver;
use super::{AccessChange, Config, FabricError, LinkChange};
use crate::id::NodeIndex;
use crate::link::{LinkProperties, Trace, TraceIndex};
use crate::units::BitRate;
use answers::{is_for_all, is_noise};
use netlab_protocol::draw;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// ICMP errors a node gets per second, and in one burst.
pub const ICMP_PER_SECOND: u64 = 100;
/// No link yet in the table.
const NONE: u32 = u32::MAX;

/// A link that was configured, changed or used.
struct Slot {
    model: Link,
    cuts: u32,
    held: Held,
    counters: LinkCounters,
    delays: DelaySnapshot,
}

/// What the caller has to do with a frame it brought.
pub(super) enum Outcome {
    /// Nothing: it was taken over, or dropped.
    Done,
    /// Write this packet back to the sender.
    Reply(Vec<u8>),
    /// Write the very frame to a node at once, then say how that went ([`Switch::passed`]).
    Direct(Direct),
}

/// A frame that need not wait.
pub(super) struct Direct {
    pub to: NodeIndex,
    slot: u32,
    wire: Wire,
    entered: u64,
}

/// The access link of a node.
struct Access {
    up: Serialiser,
    down: Serialiser,
}

pub(super) struct Switch {
    seed: u64,
    addresses: Vec<(Ipv4Addr, Ipv6Addr)>,
    /// A number for each node, made of its name: links are told apart by them in draws, so that
    /// neither a node's place in the list nor a new start changes a fate.
    keys: Vec<u64>,
    owners: HashMap<IpAddr, NodeIndex>,
    resolver_at: (Ipv4Addr, Ipv6Addr),
    resolver: Resolver,
    queries: u64,
    default_link: LinkProperties,
    traces: Vec<Arc<Trace>>,
    traces_begin: u64,
    /// Index into `slots` of the link from a to b, at a × nodes + b.
    table: Vec<u32>,
    slots: Vec<Slot>,
    access: Vec<Access>,
    flows: Flows,
    ports: Vec<PortCounters>,
    icmp: Vec<Serialiser>,
    schedule: Schedule,
    taps: Vec<Tap>,
    /// Names for captures, and each node's number in them.
    names: Names,
    serials: Vec<Serial>,
}

impl Switch {
    pub(super) fn new(config: Config) -> Result<Switch, FabricError> {
        let count = config.nodes.len();
        if count > super::MAX_NODES {
            return Err(FabricError::TooManyNodes(count));
        }
        let mut owners = HashMap::new();
        for (i, node) in config.nodes.iter().enumerate() {
            for address in [IpAddr::V4(node.v4), IpAddr::V6(node.v6)] {
                if owners.insert(address, NodeIndex(i as u32)).is_some() {
                    return Err(FabricError::DuplicateAddress(address));
                }
            }
        }
        // ICMP as a line on which an error weighs one byte: 8 bit each, room for a second's worth.
        let errors = Serialiser::new(Some(BitRate(8 * ICMP_PER_SECOND)), ICMP_PER_SECOND);
        let access = |node: &super::NodeConfig| Access {
            up: line(&config.default_link, node.uplink),
            down: line(&config.default_link, node.downlink),
        };
        let names = Names::default();
        let mut switch = Switch {
            seed: config.seed,
            addresses: config.nodes.iter().map(|n| (n.v4, n.v6)).collect(),
            keys: config.nodes.iter().map(|n| draw::name(&n.name)).collect(),
            owners,
            resolver_at: config.resolver,
            resolver: Resolver::new(config.seed, &config.nodes, &config.names),
            queries: 0,
            default_link: config.default_link,
            traces: Vec::new(),
            traces_begin: 0,
            table: vec![NONE; count * count],
            slots: Vec::new(),
            access: config.nodes.iter().map(access).collect(),
            flows: Flows::default(),
            ports: (0..count as u32)
                .map(|i| PortCounters::new(NodeIndex(i)))
                .collect(),
            icmp: vec![errors; count],
            schedule: Schedule::default(),
            taps: Vec::new(),
            serials: config.nodes.iter().map(|n| names.add(&n.name)).collect(),
            names,
        };
        for (from, to, properties) in config.links {
            switch.check(from)?;
            switch.check(to)?;
            let slot = switch.slot(from, to);
            switch.slots[slot as usize]
                .model
                .change(properties, false, &[]);
        }
        Ok(switch)
    }

    pub(super) fn check(&self, node: NodeIndex) -> Result<(), FabricError> {
        let known = node.at() < self.ports.len();
        known.then_some(()).ok_or(FabricError::UnknownNode(node))
    }

    fn check_trace(&self, properties: &LinkProperties) -> Result<(), FabricError> {
        let known = |trace: &TraceIndex| (trace.0 as usize) < self.traces.len();
        match properties.trace {
            Some(trace) if !known(&trace) => Err(FabricError::UnknownTrace(trace)),
            _ => Ok(()),
        }
    }

    /// The place of the link's state, made on first use.
    fn slot(&mut self, from: NodeIndex, to: NodeIndex) -> u32 {
        let at = from.at() * self.ports.len() + to.at();
        if self.table[at] == NONE {
            self.table[at] = self.slots.len() as u32;
            let id = draw::bits(self.keys[from.at()], &[self.keys[to.at()]]);
            let mut model = Link::new(self.seed, id, self.default_link, &self.traces);
            model.begin_trace(self.traces_begin);
            self.slots.push(Slot {
                model,
                cuts: 0,
                held: Held::default(),
                counters: LinkCounters::new(from, to),
                delays: DelaySnapshot::default(),
            });
        }
        self.table[at]
    }

    /// Applies a whole set of changes, or, when one names an unknown node or trace, none.
    pub(super) fn change(&mut self, changes: &[LinkChange]) -> Result<(), FabricError> {
        for change in changes {
            self.check(change.from)?;
            self.check(change.to)?;
            self.check_trace(&change.properties)?;
        }
        for change in changes {
            let slot = self.slot(change.from, change.to);
            let slot = &mut self.slots[slot as usize];
            slot.cuts += u32::from(change.down && !slot.model.is_down());
            let properties = change.properties;
            slot.model.change(properties, change.down, &self.traces);
        }
        Ok(())
    }

    /// Applies a whole set of changes of access links, or, when one names an unknown node, none.
    pub(super) fn change_access(&mut self, changes: &[AccessChange]) -> Result<(), FabricError> {
        for change in changes {
            self.check(change.node)?;
        }
        for change in changes {
            let access = &mut self.access[change.node.at()];
            for (line, rate) in [
                (&mut access.up, change.uplink),
                (&mut access.down, change.downlink),
            ] {
                line.set(rate, access_queue(&self.default_link, rate), 0);
            }
        }
        Ok(())
    }

    /// Makes these the traces that links may name, beginning at `at`.
    pub(super) fn set_traces(&mut self, traces: Vec<Arc<Trace>>, at: u64) {
        self.traces = traces;
        for slot in &mut self.slots {
            slot.model.renew_trace(&self.traces);
        }
        self.begin_traces(at);
    }

    /// Sets the time at which all traces begin.
    pub(super) fn begin_traces(&mut self, at: u64) {
        self.traces_begin = at;
        for slot in &mut self.slots {
            slot.model.begin_trace(at);
        }
    }

    /// Takes the frame that `from` sent at `now`.
    pub(super) fn receive(&mut self, from: NodeIndex, frame: &mut Frame, now: u64) -> Outcome {
        let bytes = offload::packet(frame);
        let (Some(header), Ok(parts)) = (packet::parse(bytes), offload::parts(frame)) else {
            self.ports[from.at()].malformed += 1;
            return Outcome::Done;
        };
        if is_noise(&header) {
            self.ports[from.at()].noise += 1;
            return Outcome::Done;
        }
        let (v4, v6) = self.addresses[from.at()];
        if header.source != IpAddr::V4(v4) && header.source != IpAddr::V6(v6) {
            self.ports[from.at()].spoofed += 1;
            return Outcome::Done;
        }
        if let Some(&to) = self.owners.get(&header.target) {
            return self.unicast((from, to), frame, &header, parts, now);
        }
        let reply = if header.target == IpAddr::V4(self.resolver_at.0)
            || header.target == IpAddr::V6(self.resolver_at.1)
        {
            self.ports[from.at()].resolver += 1;
            self.resolve(from, bytes, &header, now)
        } else if is_for_all(header.target) {
            self.flood(from, frame, &header, parts, now);
            None
        } else {
            self.ports[from.at()].unroutable += 1;
            self.refuse(from, frame, &header, now, Unreachable::Host)
        };
        reply.map_or(Outcome::Done, Outcome::Reply)
    }

    /// When the next packet is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.schedule.next_due()
    }

    /// The next packet that is due at `now`, whose link is still up and for which the receiver's
    /// access link has room and time.
    pub(super) fn depart(&mut self, now: u64) -> Option<Departure> {
        loop {
            let mut departure = self.schedule.pop(now)?;
            let link = &self.slots[departure.slot as usize];
            if link.model.is_down() || link.cuts != departure.cuts {
                self.done(departure, Some(Cause::Down), now);
                continue;
            }
            if departure.arrived {
                return Some(departure);
            }
            let access = &mut self.access[departure.to.at()].down;
            match access.pass(departure.due, departure.wire.bytes as usize) {
                None => self.done(departure, Some(Cause::Queue), now),
                Some(at) => {
                    (departure.due, departure.arrived) = (at, true);
                    if at <= now {
                        return Some(departure);
                    }
                    self.schedule.push(departure);
                }
            }
        }
    }

    /// Counts what became of a departure at `now` and takes its buffer back.
    pub(super) fn done(&mut self, departure: Departure, failed: Option<Cause>, now: u64) {
        let slot = departure.slot;
        self.slots[slot as usize].held.remove(&departure.frame);
        let took = now.saturating_sub(departure.entered);
        self.account(slot, departure.wire, failed, took);
        self.show(slot, &departure.frame, failed, now);
        self.schedule.recycle(departure.frame);
    }

    /// Counts what became of a frame that did not wait.
    pub(super) fn passed(
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
    fn show(&mut self, slot: u32, frame: &[u8], cause: Option<Cause>, now: u64) {
        if !self.taps.is_empty() {
            let LinkCounters { from, to, .. } = self.slots[slot as usize].counters;
            let link = (self.serials[from.at()], self.serials[to.at()]);
            self.taps.retain(|tap| tap.see(link, frame, cause, now));
        }
    }

    /// What a capture needs to know.
    pub(super) fn to_capture(&self, filter: Filter) -> (Sieve, Names) {
        let sieve = filter.sieve(|node| self.serials.get(node.at()).copied());
        (sieve, self.names.clone())
    }

    /// Shows frames to one more.
    pub(super) fn tap(&mut self, tap: Tap) {
        self.taps.push(tap);
    }

    fn account(&mut self, slot: u32, wire: Wire, failed: Option<Cause>, took: u64) {
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
    fn drop_on(&mut self, slot: u32, cause: Cause, packets: u32, frame: &[u8], now: u64) {
        let counters = &mut self.slots[slot as usize].counters;
        counters.dropped.count(cause, u64::from(packets));
        self.show(slot, frame, Some(cause), now);
    }

    /// Links that carried or dropped something, by sender and receiver, as they are at `now`.
    pub(super) fn counters(&self, now: u64) -> Vec<LinkCounters> {
        let used = |c: &LinkCounters| c.packets + c.under_way + c.dropped.total() > 0;
        let all = self.slots.iter().map(|slot| LinkCounters {
            queue_bytes: slot.model.backlog(now),
            under_way: slot.held.frames as u64,
            ..slot.counters
        });
        let mut used: Vec<_> = all.filter(used).collect();
        used.sort_unstable_by_key(|c| (c.from, c.to));
        used
    }

    /// How long packets were on the link; empty when nothing arrived yet.
    pub(super) fn delays(&self, from: NodeIndex, to: NodeIndex) -> DelaySnapshot {
        let slot = self.table[from.at() * self.ports.len() + to.at()];
        let link = self.slots.get(slot as usize);
        link.map_or_else(DelaySnapshot::default, |link| link.delays.clone())
    }

    pub(super) fn port_counters(&self) -> Vec<PortCounters> {
        self.ports.clone()
    }
}

/// Room before an access link: that of a link with its rate and the default link's delay.
fn access_queue(default_link: &LinkProperties, rate: Option<BitRate>) -> u64 {
    let plain = LinkProperties {
        delay: default_link.delay,
        ..LinkProperties::default()
    };
    plain.queue_bytes_at(rate)
}

fn line(default_link: &LinkProperties, rate: Option<BitRate>) -> Serialiser {
    Serialiser::new(rate, access_queue(default_link, rate))
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
