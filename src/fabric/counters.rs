//! What the fabric counts: packets per link, oddities per node, lateness.
//!
//! Owns the numbers, not the decisions behind them.

use super::model::Cause;
use crate::id::{NetworkIndex, NodeIndex};
use crate::metrics::at_rank;
use std::time::Duration;

/// Packets that did not arrive, by cause ([`Cause`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Declared loss.
    pub loss: u64,
    /// The link was down.
    pub down: u64,
    /// Larger than the link's mtu, answered or not.
    pub mtu: u64,
    /// A model queue or the fabric's bound was full.
    pub queue: u64,
    /// The target had no device.
    pub no_port: u64,
    /// The target's device refused the packet.
    pub device: u64,
    /// The time to live was over at the hop where the link begins.
    pub ttl: u64,
}

impl Dropped {
    pub(super) fn count(&mut self, cause: Cause, packets: u64) {
        *match cause {
            Cause::Loss => &mut self.loss,
            Cause::Down => &mut self.down,
            Cause::Mtu => &mut self.mtu,
            Cause::Queue => &mut self.queue,
            Cause::NoPort => &mut self.no_port,
            Cause::Device => &mut self.device,
            Cause::Ttl => &mut self.ttl,
        } += packets;
    }

    /// Counts what another has counted.
    pub fn add(&mut self, other: &Dropped) {
        self.loss += other.loss;
        self.down += other.down;
        self.mtu += other.mtu;
        self.queue += other.queue;
        self.no_port += other.no_port;
        self.device += other.device;
        self.ttl += other.ttl;
    }

    /// All causes together.
    pub fn total(&self) -> u64 {
        self.loss + self.down + self.mtu + self.queue + self.no_port + self.device + self.ttl
    }
}

/// What one link carried since the fabric started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkCounters {
    /// The network in which it is.
    pub network: NetworkIndex,
    /// The sender.
    pub from: NodeIndex,
    /// The receiver.
    pub to: NodeIndex,
    /// Packets delivered to the receiver's device, or to the receiver as a hop on their way, copies included; counted as on a wire, where an
    /// offload packet is as many as its segments.
    pub packets: u64,
    /// Their bytes, IP header included.
    pub bytes: u64,
    /// Packets not delivered.
    pub dropped: Dropped,
    /// Packets of which a copy was made.
    pub duplicated: u64,
    /// Packets in which a bit was turned over, delivered or not.
    pub corrupted: u64,
    /// Bytes that wait before rate and trace, at the time of asking.
    pub queue_bytes: u64,
    /// Packets under way, waiting ones included, at the time of asking; offload packets count once.
    pub under_way: u64,
}

impl LinkCounters {
    /// Which link it is: what rows are sorted by.
    pub(super) fn link(&self) -> (NetworkIndex, NodeIndex, NodeIndex) {
        (self.network, self.from, self.to)
    }

    pub(super) fn new(network: NetworkIndex, from: NodeIndex, to: NodeIndex) -> LinkCounters {
        LinkCounters {
            network,
            from,
            to,
            packets: 0,
            bytes: 0,
            dropped: Dropped::default(),
            duplicated: 0,
            corrupted: 0,
            queue_bytes: 0,
            under_way: 0,
        }
    }
}

/// What a link carried, and how long that took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The numbers.
    pub counters: LinkCounters,
    /// How long packets were on it.
    pub delays: DelaySnapshot,
}

/// What one node sent that crossed no link, since the fabric started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortCounters {
    /// The sender.
    pub node: NodeIndex,
    /// Packets with a source address that the node may not use: dropped.
    pub spoofed: u64,
    /// Bytes that are no IP packet: dropped.
    pub malformed: u64,
    /// Packets to an address that no node has or to which no way leads: answered with ICMP, within a
    /// bound.
    pub unroutable: u64,
    /// Packets to the resolver, answered or not.
    pub resolver: u64,
    /// Queries among them that were not answered at once and right, because the resolver was told so
    /// ([`super::ResolverManner`]).
    pub resolver_disturbed: u64,
    /// Late answers of the resolver that were dropped: too many waited, or the node's device was gone.
    pub resolver_dropped: u64,
    /// IPv6 link-local chatter and group reports (MLD, router solicitation, IGMP): ignored.
    pub noise: u64,
    /// How often its devices were left alone for a while (about a millisecond), because finding out that what they
    /// held goes nowhere took too long.
    pub rests: u64,
}

impl PortCounters {
    pub(super) fn new(node: NodeIndex) -> PortCounters {
        PortCounters {
            node,
            spoofed: 0,
            malformed: 0,
            unroutable: 0,
            resolver: 0,
            resolver_disturbed: 0,
            resolver_dropped: 0,
            noise: 0,
            rests: 0,
        }
    }
}

/// Steps per octave of the histogram: a bucket is at most 1/8 wide.
const STEPS: u64 = 8;
/// Buckets: exact below 16 ns, the last one (from 2^43 ns, 2.4 h) open.
const BUCKETS: usize = 336;

/// How much later than due packets left the fabric, since it started.
///
/// Measured after the write to the receiver's device, against the time the model gave; so it holds
/// the timer's error, waiting behind other packets and the write itself. It cannot hold the time a
/// packet waited in the sender's device before the fabric read it: the model's time begins there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LagSnapshot {
    counts: Vec<u64>,
    max_ns: u64,
}

impl Default for LagSnapshot {
    fn default() -> LagSnapshot {
        LagSnapshot {
            counts: vec![0; BUCKETS],
            max_ns: 0,
        }
    }
}

fn bucket(ns: u64) -> usize {
    if ns < 2 * STEPS {
        return ns as usize;
    }
    let octave = u64::from(ns.ilog2() - STEPS.ilog2());
    ((octave * STEPS + (ns >> octave)) as usize).min(BUCKETS - 1)
}

/// Largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let octave = bucket / STEPS - 1;
    ((bucket - octave * STEPS + 1) << octave) - 1
}

impl LagSnapshot {
    pub(super) fn record(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Packets counted.
    pub fn packets(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The worst of the whole run (also after [`LagSnapshot::since`]).
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The lateness that a share `q` of the packets does not exceed, up to 1/8 too high; `None`
    /// without packets.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = (q.clamp(0.0, 1.0) * self.packets() as f64).ceil().max(1.0) as u64;
        let at = at_rank(self.counts.iter().copied().enumerate(), rank)?;
        Some(Duration::from_nanos(upper(at).min(self.max_ns)))
    }

    /// Only what was counted after `earlier` was taken.
    pub fn since(&self, earlier: &LagSnapshot) -> LagSnapshot {
        let pairs = self.counts.iter().zip(&earlier.counts);
        LagSnapshot {
            counts: pairs.map(|(now, then)| now.saturating_sub(*then)).collect(),
            max_ns: self.max_ns,
        }
    }
}

/// Buckets of a link's delays: exact below 16 µs, the last one (from 2^24 µs, 16 s) open.
const DELAYS: usize = 177;

/// How long delivered packets were on a link, from being read to being written, access links
/// included. A bucket is at most 1/8 wide, and never narrower than 1 µs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelaySnapshot {
    /// Nothing until the first packet: most of a large lab's links are never used.
    counts: Vec<u32>,
}

impl DelaySnapshot {
    pub(super) fn record(&mut self, ns: u64, packets: u32) {
        if self.counts.is_empty() {
            self.counts = vec![0; DELAYS];
        }
        let at = bucket(ns / 1000).min(DELAYS - 1);
        self.counts[at] = self.counts[at].saturating_add(packets);
    }

    /// Packets that took so many microseconds.
    #[cfg(test)]
    pub fn record_us(&mut self, us: u64, packets: u32) {
        self.record(us * 1000, packets);
    }

    /// Packets counted.
    pub fn packets(&self) -> u64 {
        self.counts.iter().map(|c| u64::from(*c)).sum()
    }

    /// The delay that a share `q` of the packets does not exceed, up to 1/8 too high; `None` without
    /// packets.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = (q.clamp(0.0, 1.0) * self.packets() as f64).ceil().max(1.0) as u64;
        let longest = at_rank(self.steps().map(|(us, n)| (us, u64::from(n))), rank)?;
        Some(Duration::from_micros(longest))
    }

    /// Every delay that was counted, as the microseconds that it was not longer than, and its packets.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u32)> {
        let counted = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        counted.map(|(at, n)| (upper(at) + 1, *n))
    }

    /// Only what was counted after `earlier` was taken.
    pub fn since(&self, earlier: &DelaySnapshot) -> DelaySnapshot {
        let before = |at: usize| earlier.counts.get(at).copied().unwrap_or(0);
        let counts = self.counts.iter().enumerate();
        DelaySnapshot {
            counts: counts.map(|(at, n)| n.saturating_sub(before(at))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_values() {
        for ns in (0..100_000).chain((0..63).map(|shift| 1 << shift)) {
            let at = bucket(ns);
            assert!(at == BUCKETS - 1 || upper(at) >= ns, "{ns}");
            assert!(at == 0 || upper(at - 1) < ns, "{ns}");
            assert!(at == BUCKETS - 1 || upper(at) <= ns + ns / STEPS, "{ns}");
        }
    }

    #[test]
    fn delays_are_counted_by_microseconds() {
        let mut delays = DelaySnapshot::default();
        assert_eq!((delays.quantile(0.5), delays.packets()), (None, 0));
        delays.record(5_000_400, 42);
        let then = delays.clone();
        delays.record(u64::MAX, 1);
        let p50 = delays.quantile(0.5).unwrap().as_micros();
        assert!((5000..=5700).contains(&p50), "{p50}");
        assert_eq!((then.packets(), delays.since(&then).packets()), (42, 1));
        assert_eq!(bucket(1 << 24), DELAYS - 1);
    }

    #[test]
    fn quantiles_and_differences() {
        let mut lag = LagSnapshot::default();
        assert_eq!(lag.quantile(0.5), None);
        (1..=100).for_each(|us| lag.record(us * 1000));
        let then = lag.clone();
        lag.record(9_000_000);
        let p50 = lag.quantile(0.5).unwrap().as_nanos();
        assert!((50_000..=58_000).contains(&p50), "{p50}");
        assert_eq!(lag.since(&then).packets(), 1);
        assert_eq!(lag.max(), Duration::from_millis(9));
    }
}
