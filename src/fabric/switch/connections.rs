//! TCP connections that cross links, and how they are aborted.
//!
//! Owns what is remembered of each direction: the number that its sender expects next, which is what
//! it says in its last acknowledgement. A reset with exactly this number is believed (RFC 5961 §3.2).
//! Who has got more meanwhile says so by its next packet, and gets a reset with that number instead
//! of passing: so both kernels abort, whatever was under way. A connection that begins anew with the
//! same ports passes. Must not know devices.

use super::super::map::PortIndex;
use super::super::model::Mixed;
use super::super::packet::{self, Header, TcpEnd};
use super::{FabricError, Switch};
use crate::id::{NetworkIndex, NodeIndex};
use netlab_protocol::draw;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

/// Directions that are remembered; later ones are not while there is no room.
const WAYS: usize = 1 << 17;
/// A direction on which nothing was sent for so long makes room, in ns.
const IDLE: u64 = 120_000_000_000;
/// Room is looked for this often at most, in ns.
const SWEEP: u64 = 1_000_000_000;

/// One direction of a connection in one network.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Where its packets come into the network, and where they leave it.
    ends: (PortIndex, PortIndex),
    source: TcpEnd,
    target: TcpEnd,
    awaits: Awaits,
    /// Whether the sender has said that it sends no more.
    finished: bool,
    aborted: bool,
    at: u64,
}

/// What the sender would believe.
#[derive(Clone, Copy, Debug)]
enum Awaits {
    /// It has sent a SYN: an acknowledgement of this number.
    Answer(u32),
    /// Data from this number on.
    Data(u32),
}

impl Way {
    /// The packet that makes the sender abort.
    fn reset(&self) -> Option<Vec<u8>> {
        let (number, acknowledges) = match self.awaits {
            Awaits::Answer(number) => (0, Some(number)),
            Awaits::Data(number) => (number, None),
        };
        packet::tcp_reset(self.target, self.source, number, acknowledges)
    }
}

/// How many connections were aborted, and the packets to be given to ports.
pub(in super::super) type Aborted = (u64, Vec<(PortIndex, Vec<u8>)>);

/// All directions, by flow and network.
#[derive(Default)]
pub(super) struct Connections {
    ways: HashMap<u64, Way, BuildHasherDefault<Mixed>>,
    swept: u64,
}

fn key(flow: u64, network: NetworkIndex) -> u64 {
    draw::bits(flow, &[u64::from(network.0)])
}

/// The key of the other direction.
fn back(way: &Way, network: NetworkIndex) -> u64 {
    key(packet::tcp_flow(way.target, way.source), network)
}

impl Connections {
    /// Takes note of a packet; the reset that its sender gets instead when the connection was aborted.
    pub(super) fn note(
        &mut self,
        ends: (PortIndex, PortIndex),
        network: NetworkIndex,
        header: &Header,
        packet: &[u8],
        now: u64,
    ) -> Option<Vec<u8>> {
        if header.protocol != packet::TCP || header.later_fragment {
            return None;
        }
        let segment = packet::tcp(packet, header)?;
        let key = key(header.flow, network);
        let known = self.ways.get(&key).copied();
        let fresh = Way {
            ends,
            source: (header.source, segment.ports.0),
            target: (header.target, segment.ports.1),
            awaits: match segment.acknowledges {
                Some(number) => Awaits::Data(number),
                None => Awaits::Answer(segment.number.wrapping_add(1)),
            },
            finished: segment.finishes || known.is_some_and(|way| way.finished),
            aborted: false,
            at: now,
        };
        let begins = segment.begins && segment.acknowledges.is_none();
        if segment.resets || begins {
            self.ways.remove(&back(&fresh, network));
        }
        if segment.resets {
            self.ways.remove(&key);
            return None;
        }
        let aborted = !begins
            && match known {
                Some(known) => known.aborted,
                None => self
                    .ways
                    .get(&back(&fresh, network))
                    .is_some_and(|way| way.aborted),
            };
        let way = Way {
            aborted,
            finished: fresh.finished && !begins,
            ..fresh
        };
        if known.is_some() || self.has_room(now) {
            self.ways.insert(key, way);
        }
        aborted.then(|| way.reset()).flatten()
    }

    fn has_room(&mut self, now: u64) -> bool {
        if self.ways.len() >= WAYS && now >= self.swept.saturating_add(SWEEP) {
            self.swept = now;
            self.ways.retain(|_, way| now.saturating_sub(way.at) < IDLE);
        }
        self.ways.len() < WAYS
    }

    /// The same where ports have other places, without those of ports that are gone.
    pub(super) fn moved(
        self,
        heir: impl Fn(PortIndex) -> Option<PortIndex>,
        network: impl Fn(PortIndex) -> NetworkIndex,
    ) -> Connections {
        let moved = self.ways.into_values().filter_map(|way| {
            let ends = (heir(way.ends.0)?, heir(way.ends.1)?);
            let flow = packet::tcp_flow(way.source, way.target);
            Some((key(flow, network(ends.0)), Way { ends, ..way }))
        });
        Connections {
            ways: moved.collect(),
            swept: self.swept,
        }
    }

    /// Forgets what a port sent.
    pub(super) fn forget(&mut self, port: PortIndex) {
        self.ways.retain(|_, way| way.ends.0 != port);
    }

    /// Aborts those that cross a link that is meant: how many, and the packets to be given to ports.
    fn abort(
        &mut self,
        crosses: impl Fn((PortIndex, PortIndex)) -> bool,
        network: impl Fn(PortIndex) -> NetworkIndex,
    ) -> Aborted {
        let meant = self.ways.iter().filter(|(_, way)| crosses(way.ends));
        let mut meant: Vec<u64> = meant.map(|(key, _)| *key).collect();
        meant.sort_unstable();
        let (mut count, mut packets) = (0, Vec::new());
        for key in meant {
            let Some(way) = self.ways.get(&key).copied() else {
                continue;
            };
            let other = back(&way, network(way.ends.0));
            let finished = |key: u64| self.ways.get(&key).is_some_and(|way| way.finished);
            if way.aborted || (finished(key) && finished(other)) {
                continue;
            }
            count += 1;
            for key in [key, other] {
                if let Some(way) = self.ways.get_mut(&key) {
                    way.aborted = true;
                    packets.extend(way.reset().map(|reset| (way.ends.0, reset)));
                }
            }
        }
        (count, packets)
    }
}

impl Switch {
    /// Aborts the TCP connections that cross one of these links, from first to second, of which a
    /// packet was seen: how many, and the packets to be given to ports.
    pub(in super::super) fn abort(
        &mut self,
        links: &[(NodeIndex, NodeIndex)],
    ) -> Result<Aborted, FabricError> {
        for (from, to) in links {
            self.map.check(*from)?;
            self.map.check(*to)?;
        }
        let links: BTreeSet<_> = links.iter().copied().collect();
        let map = &self.map;
        let crosses = |(from, goal): (PortIndex, PortIndex)| {
            let next = |at: &PortIndex| (*at != goal).then(|| map.next(*at, goal)).flatten();
            let mut way = std::iter::successors(Some(from), next);
            let mut here = way.next();
            way.any(|there| {
                let link = here.map(|here| (map.of(here).node, map.of(there).node));
                here = Some(there);
                link.is_some_and(|link| links.contains(&link))
            })
        };
        Ok(self.connections.abort(crosses, |port| map.of(port).network))
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
