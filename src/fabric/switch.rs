//! The switch: where a packet goes, what the model makes of it, and what is under way.
//!
//! Owns routing, links, counters and the schedule. No device, no clock, no thread: frames and
//! times come in, replies and departures go out, so every rule can be tested on its own.
//!
//! Rules for a packet a node sends:
//! - not IP: dropped (`malformed`); IPv6 link-local chatter and IGMP: ignored (`noise`); a source
//!   address that is not the node's: dropped (`spoofed`). A node that passes packets on between
//!   networks may also send what comes from another network than the one it sends into.
//! - To a resolver's address, of whichever network: UDP port 53 and ping are answered here, all else
//!   is refused (port unreachable). Names can be answered late, wrong or not at all (`names`).
//! - To a node: through the sender's access link, the link to the next hop ([`super::map`]) and the
//!   access link of that one, and so on from each hop (`hops`), where the time to live goes down by
//!   one. A node without device and a link that is down are silent: a lost machine sends no ICMP.
//! - Broadcast and multicast: once through the access link, then through each link to those who share
//!   a wire with the sender, and no further: everyone where all are wired to all.
//! - To an address that nobody has, or to which no wire leads: host unreachable. To one that
//!   `reach: adjacent` forbids: communication administratively prohibited (RFC 1812 §5.2.7.1, RFC
//!   4443 §3.1), so that a rule and a missing wire are told apart.
//!
//! Connections can be aborted (`connections`): their packets do not pass any more, and are answered by
//! a reset.
//!
//! ICMP errors are bounded: [`ICMP_PER_SECOND`] per node, those it gets about its own packets and
//! those it sends as a hop together. Errors at the first link come from the resolver's address, those
//! of a hop (too big, time exceeded) from the hop's own.
//!
//! A packet of many segments (`offload`) passes as it is where nothing but a constant delay applies
//! and no access link is limited; elsewhere each of its segments goes its own way. Counters count
//! segments either way.

mod answers;
mod connections;
mod hops;
mod names;
mod pmtu;
mod reconfigure;
pub(super) mod tally;
mod transit;
pub(super) mod witness;

use super::capture::{Names, Serial, Tap};
use super::config::{NodeConfig, ResolverManner};
use super::counters::{DelaySnapshot, LinkCounters, PortCounters};
use super::frame::{Departure, Frame, Held, Schedule, Wire};
use super::map::{Map, PortIndex, Target};
use super::model::{Cause, Flows, Link, Serialiser};
use super::offload;
use super::packet::{self, Unreachable};
use super::resolver::Resolver;
use super::{AccessChange, Config, FabricError, LinkChange};
use crate::id::{NetworkIndex, NodeIndex};
use crate::link::{LinkProperties, Trace, TraceIndex};
use crate::units::BitRate;
use answers::is_noise;
use connections::Connections;
use names::Late;
use netlab_protocol::draw;
use std::collections::BTreeSet;
use std::sync::Arc;
use transit::Sent;

/// ICMP errors a node gets per second, and in one burst.
pub const ICMP_PER_SECOND: u64 = 100;
/// No link yet in the table.
const NONE: u32 = u32::MAX;

/// A link that was configured, changed or used.
struct Slot {
    model: Link,
    /// Where it begins and ends.
    ends: (PortIndex, PortIndex),
    cuts: u32,
    /// How often it became quicker.
    eased: u32,
    /// What is under way on it.
    held: Held,
    /// The part of it that is bounded: what came after it became quicker last.
    bounded: Held,
    counters: LinkCounters,
    delays: DelaySnapshot,
    /// Who was told of its mtu, and may remember (`pmtu`).
    told: BTreeSet<NodeIndex>,
}

impl Slot {
    /// Replaces the properties. What was under way when the link fell silent is lost, even if it is
    /// heard again before. Returns who was told of an mtu that is larger now.
    fn change(
        &mut self,
        properties: LinkProperties,
        down: bool,
        traces: &[Arc<Trace>],
    ) -> BTreeSet<NodeIndex> {
        let (was_down, mtu) = (self.model.is_down(), pmtu::mtu(self.model.properties()));
        if is_quicker(&properties, self.model.properties()) {
            // What a healed fault holds back must not keep out what is quick again.
            self.eased = self.eased.wrapping_add(1);
            self.bounded = Held::default();
        }
        self.model.change(properties, down, traces);
        self.cuts += u32::from(self.model.is_down() && !was_down);
        match pmtu::mtu(&properties) > mtu {
            true => std::mem::take(&mut self.told),
            false => BTreeSet::new(),
        }
    }

    /// A frame is on its way on this link.
    fn hold(&mut self, departure: &mut Departure) {
        (departure.cuts, departure.eased) = (self.cuts, self.eased);
        self.held.add(&departure.frame);
        self.bounded.add(&departure.frame);
    }

    /// It is no more.
    fn let_go(&mut self, departure: &Departure) {
        self.held.remove(&departure.frame);
        if departure.eased == self.eased {
            self.bounded.remove(&departure.frame);
        }
    }
}

/// Whether a packet that comes `now` may leave before one that came when links were as `before`.
fn is_quicker(now: &LinkProperties, before: &LinkProperties) -> bool {
    let latest = |link: &LinkProperties| link.delay.saturating_add(link.jitter);
    let rate = |link: &LinkProperties| link.rate.map_or(u64::MAX, |rate| rate.0);
    let traced = before.trace.is_some() && now.trace != before.trace;
    latest(now) < latest(before) || rate(now) > rate(before) || traced
}

/// What the caller has to do with a frame it brought.
pub(super) enum Outcome {
    /// Nothing: it was taken over, or dropped.
    Done,
    /// Write this packet back to the sender.
    Reply(Vec<u8>),
    /// Write the very frame to a device at once, then say how that went ([`Switch::passed`]).
    Direct(Direct),
}

/// What a frame cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// So much as packets on a link do.
    Packets(u64),
    /// It goes nowhere.
    Junk,
}

impl Effort {
    /// Its part of a turn: a node that sends nothing but junk gets an eighth of its own.
    pub(super) fn turn(self) -> u64 {
        match self {
            Effort::Packets(count) => count,
            Effort::Junk => 8,
        }
    }

    /// Adds what so many more packets cost.
    fn add(&mut self, packets: u64) {
        if let Effort::Packets(count) = self {
            *count += packets;
        }
    }
}

/// A frame that need not wait.
pub(super) struct Direct {
    pub to: PortIndex,
    slot: u32,
    wire: Wire,
    entered: u64,
}

/// What is kept of a node.
struct Node {
    /// A number made of its name: links are told apart by it in draws, so that neither a node's
    /// place in the list nor a new start changes a fate.
    key: u64,
    /// Its number in captures.
    serial: Serial,
    /// Its access link.
    up: Serialiser,
    down: Serialiser,
    /// ICMP errors sent to it, or by it as a hop, as a line on which each weighs one byte.
    icmp: Serialiser,
    /// How the resolver answers it.
    manner: ResolverManner,
    /// Answers that wait for it.
    late: usize,
    counters: PortCounters,
}

/// What is kept of a network.
struct Network {
    /// Made of its name, as [`Node::key`].
    key: u64,
    default_link: LinkProperties,
}

pub(super) struct Switch {
    seed: u64,
    map: Map,
    resolver: Resolver,
    queries: u64,
    late: Late,
    effort: Effort,
    networks: Vec<Network>,
    traces: Vec<Arc<Trace>>,
    traces_begin: u64,
    /// For each network, index into `slots` of the link from member a to member b, at a × members + b.
    tables: Vec<Vec<u32>>,
    slots: Vec<Slot>,
    /// How often links were given other places in `slots`.
    numbering: u64,
    nodes: Vec<Node>,
    /// Which ports have a device.
    alive: Vec<bool>,
    flows: Flows,
    connections: Connections,
    schedule: Schedule,
    taps: Vec<Tap>,
    /// Names of the nodes, for captures.
    names: Names,
}

impl Switch {
    pub(super) fn new(config: Config) -> Result<Switch, FabricError> {
        let map = Map::new(&config)?;
        let names = Names::default();
        let nodes = config.nodes.iter().zip(0..);
        let nodes = nodes.map(|(node, at)| Node::new(&config, node, NodeIndex(at), &names));
        let network = |network: &super::NetworkConfig| Network {
            key: draw::name(&network.name),
            default_link: network.default_link,
        };
        let mut switch = Switch {
            seed: config.seed,
            resolver: Resolver::new(config.seed, &config.nodes, &config.names),
            queries: 0,
            late: Late::default(),
            effort: Effort::Junk,
            networks: config.networks.iter().map(network).collect(),
            traces: Vec::new(),
            traces_begin: 0,
            tables: map.sizes().map(|size| vec![NONE; size * size]).collect(),
            slots: Vec::new(),
            numbering: 0,
            nodes: nodes.collect(),
            alive: vec![false; map.len()],
            flows: Flows::default(),
            connections: Connections::default(),
            schedule: Schedule::default(),
            taps: Vec::new(),
            names,
            map,
        };
        for (network, at) in config.networks.into_iter().zip(0..) {
            for (from, to, properties) in network.links {
                let ends = switch.ends(NetworkIndex(at), from, to)?;
                let slot = switch.slot(ends.0, ends.1);
                let link = &mut switch.slots[slot as usize].model;
                link.change(properties, false, &[]);
            }
        }
        Ok(switch)
    }

    /// Where nodes and addresses are.
    pub(super) fn map(&self) -> &Map {
        &self.map
    }

    /// The ports of two nodes in a network.
    pub(super) fn ends(
        &self,
        network: NetworkIndex,
        from: NodeIndex,
        to: NodeIndex,
    ) -> Result<(PortIndex, PortIndex), FabricError> {
        Ok((self.map.port(from, network)?, self.map.port(to, network)?))
    }

    /// Notes whether a port has a device: a hop without one passes nothing on, and late answers are
    /// for the device that asked.
    pub(super) fn set_alive(&mut self, port: PortIndex, alive: bool) {
        self.alive[port.at()] = alive;
        if !alive {
            self.connections.forget(port);
            self.sift_answers(|other| (other != port).then_some(other));
        }
    }

    fn check_trace(&self, properties: &LinkProperties) -> Result<(), FabricError> {
        let known = |trace: &TraceIndex| (trace.0 as usize) < self.traces.len();
        match properties.trace {
            Some(trace) if !known(&trace) => Err(FabricError::UnknownTrace(trace)),
            _ => Ok(()),
        }
    }

    /// Table and place in it of the link between two ports of one network.
    fn cell(&self, from: PortIndex, to: PortIndex) -> (usize, usize) {
        let (from, to) = (self.map.of(from), self.map.of(to));
        let table = from.network.at();
        let members = self.map.size(from.network);
        (table, from.rank * members + to.rank)
    }

    /// The place of the link's state, made on first use.
    fn slot(&mut self, from: PortIndex, to: PortIndex) -> u32 {
        let (table, at) = self.cell(from, to);
        if self.tables[table][at] == NONE {
            self.tables[table][at] = self.slots.len() as u32;
            let (start, end) = (self.map.of(from).node, self.map.of(to).node);
            let network = &self.networks[table];
            let other = [self.nodes[end.at()].key, network.key];
            let id = draw::bits(self.nodes[start.at()].key, &other);
            let mut model = Link::new(self.seed, id, network.default_link, &self.traces);
            model.begin_trace(self.traces_begin);
            self.slots.push(Slot {
                model,
                ends: (from, to),
                cuts: 0,
                eased: 0,
                held: Held::default(),
                bounded: Held::default(),
                counters: LinkCounters::new(NetworkIndex(table as u32), start, end),
                delays: DelaySnapshot::default(),
                told: BTreeSet::new(),
            });
        }
        self.tables[table][at]
    }

    /// Applies a whole set of changes, or, when one names an unknown link or trace, none. Returns who
    /// has to forget path mtus.
    pub(super) fn change(
        &mut self,
        changes: &[LinkChange],
    ) -> Result<BTreeSet<NodeIndex>, FabricError> {
        let ends = changes.iter().map(|change| {
            self.check_trace(&change.properties)?;
            self.ends(change.network, change.from, change.to)
        });
        let ends = ends.collect::<Result<Vec<_>, _>>()?;
        let mut told = BTreeSet::new();
        for (change, (from, to)) in changes.iter().zip(ends) {
            let slot = self.slot(from, to);
            let slot = &mut self.slots[slot as usize];
            told.append(&mut slot.change(change.properties, change.down, &self.traces));
        }
        self.take_back_errors(&told);
        Ok(told)
    }

    /// Applies a whole set of changes of access links, or, when one names an unknown node, none.
    pub(super) fn change_access(&mut self, changes: &[AccessChange]) -> Result<(), FabricError> {
        for change in changes {
            self.map.check(change.node)?;
        }
        for change in changes {
            let mut ports = self.map.ports(change.node);
            let network = ports
                .next()
                .map_or(0, |port| self.map.of(port).network.at());
            let usual = self.networks.get(network).map(|n| n.default_link);
            let node = &mut self.nodes[change.node.at()];
            let lines = [
                (&mut node.up, change.uplink),
                (&mut node.down, change.downlink),
            ];
            for (line, rate) in lines {
                line.set(rate, access_queue(&usual.unwrap_or_default(), rate), 0);
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

    /// What the last frame that was received cost.
    pub(super) fn effort(&self) -> Effort {
        self.effort
    }

    /// Takes the frame that a node sent at `now` through the device of port `from`.
    pub(super) fn receive(&mut self, from: PortIndex, frame: &mut Frame, now: u64) -> Outcome {
        self.effort = Effort::Junk;
        let bytes = offload::packet(frame);
        let node = self.map.of(from).node;
        let counters = &mut self.nodes[node.at()].counters;
        let (Some(header), Ok(parts)) = (packet::parse(bytes), offload::parts(frame)) else {
            counters.malformed += 1;
            return Outcome::Done;
        };
        if is_noise(&header, bytes) {
            counters.noise += 1;
            return Outcome::Done;
        }
        if !self.map.may_send(from, header.source) {
            counters.spoofed += 1;
            return Outcome::Done;
        }
        let why = match self.map.target(from, header.target) {
            Target::Port(goal) => {
                self.effort = Effort::Packets(1);
                let network = self.map.of(from).network;
                let noted = self
                    .connections
                    .note((from, goal), network, &header, bytes, now);
                if let Some(reset) = noted {
                    return Outcome::Reply(reset);
                }
                return match self.send((from, goal), frame, &header, parts, now, true) {
                    Sent::Direct(direct) => Outcome::Direct(direct),
                    Sent::Done => Outcome::Done,
                    Sent::TooBig(mtu) => {
                        self.refuse(from, frame, &header, now, Unreachable::TooBig(mtu))
                    }
                };
            }
            Target::Resolver => {
                self.effort = Effort::Packets(1);
                counters.resolver += 1;
                return self.resolve(from, bytes, &header, now);
            }
            Target::All if parts.is_some_and(|parts| parts.are_tcp()) => {
                counters.malformed += 1;
                return Outcome::Done;
            }
            Target::All => {
                self.effort = Effort::Packets(1);
                self.flood(from, frame, &header, parts, now);
                return Outcome::Done;
            }
            Target::Nobody => Unreachable::Host,
            Target::Prohibited => Unreachable::Prohibited,
        };
        counters.unroutable += 1;
        self.refuse(from, frame, &header, now, why)
    }

    /// When the next packet is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        let answer = self.next_answer_due();
        self.schedule.next_due().into_iter().chain(answer).min()
    }

    /// The next packet that is due at `now` at the end of its way, whose link is still up and for which
    /// the receiver's access link has room and time. Those due at a hop go on from there.
    pub(super) fn depart(&mut self, now: u64) -> Option<Departure> {
        loop {
            let mut departure = self.schedule.pop(now)?;
            let link = &self.slots[departure.slot as usize];
            if link.model.is_down() || link.cuts != departure.cuts {
                self.done(departure, Some(Cause::Down), now);
                continue;
            }
            if !departure.arrived {
                let access = &mut self.nodes[self.map.of(departure.to).node.at()].down;
                match access.pass(departure.due, departure.wire.bytes as usize) {
                    None => {
                        self.done(departure, Some(Cause::Queue), now);
                        continue;
                    }
                    Some(at) => (departure.due, departure.arrived) = (at, true),
                }
                if departure.due > now {
                    self.schedule.push(departure);
                    continue;
                }
            }
            if departure.goal == departure.to {
                return Some(departure);
            }
            self.pass_on(departure, now);
        }
    }
}

impl Node {
    fn new(config: &Config, node: &NodeConfig, at: NodeIndex, names: &Names) -> Node {
        let primary = node.interfaces.first().map(|place| place.network.at());
        let network = primary.and_then(|at| config.networks.get(at));
        let usual = network.map_or_else(LinkProperties::default, |n| n.default_link);
        let line = |rate| Serialiser::new(rate, access_queue(&usual, rate));
        Node {
            key: draw::name(&node.name),
            serial: names.add(&node.name),
            up: line(node.uplink),
            down: line(node.downlink),
            // Of 8 bit each, with room for a second's worth.
            icmp: Serialiser::new(Some(BitRate(8 * ICMP_PER_SECOND)), ICMP_PER_SECOND),
            manner: ResolverManner::default(),
            late: 0,
            counters: PortCounters::new(at),
        }
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

#[cfg(test)]
#[path = "switch/determinism_tests.rs"]
mod determinism;
#[cfg(test)]
#[path = "switch/fuzz_tests.rs"]
mod fuzz;
#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
