//! The link model: what becomes of one packet on one link, and when.
//!
//! A pure function of packet (length, flow, index in the flow), time, link state and seed: no
//! clock, no entropy, no device, so that a simulated clock can drive it as well.
//!
//! Stages, in this order:
//! 1. the sender's access link ([`Serialiser`], shared by all its links; passed before this one),
//! 2. `down`, declared or by a fault: everything is dropped, at entry and again at exit, so that a
//!    link that falls silent also loses what is under way,
//! 3. mtu: larger packets are refused, aloud or in silence,
//! 4. loss: every n-th packet of the flow, the Gilbert-Elliott channel, and a draw per packet; each
//!    has its say on its own,
//! 5. duplicate: the copy goes through the stages below with draws of its own, behind the first,
//! 6. corrupt: which bit is turned over ([`super::harm`]),
//! 7. rate: serialisation behind a drop-tail queue, counted in bytes of the IP packet; then the
//!    same for a trace,
//! 8. reorder: the packet leaves at once; all others
//! 9. wait delay ± jitter, never less than nothing; packets may overtake each other,
//! 10. the receiver's access link, shared by all that is sent to it (passed after this one).
//!
//! A draw is a function of (seed, link, stage, flow, index in the flow, epoch of the stage). The
//! link is a number made of the names of the two nodes and their network ([`Link::id`]), so that it is
//! the same wherever they stand in the lab's list. The epoch counts the changes of that stage's own
//! properties, so neither other flows nor a change of another property shifts a fate. Reordering with a gap counts the packets since the last one that
//! overtook ([`Seen`]), which is kept per flow, too.

use super::chance::{Chance, Stage};
pub use super::line::{Replay, Serialiser};
use crate::link::{Checksum, LinkMtu, LinkProperties, Trace};
use netlab_protocol::draw;
use std::collections::HashMap;
use std::sync::Arc;

/// Why a packet did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The declared loss.
    Loss,
    /// The link was down when the packet entered or was to leave it.
    Down,
    /// Larger than the link's mtu.
    Mtu,
    /// A model queue (link or access link) or the fabric's own bound was full.
    Queue,
    /// The target has no device: not wired, or its namespace is gone.
    NoPort,
    /// The target's device refused the packet (its kernel's buffers were full, or it is down).
    Device,
    /// Its time to live was over before the link, which begins at a hop on its way.
    Ttl,
}

impl Cause {
    /// The cause as one word, as in counters and captures.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Loss => "loss",
            Cause::Down => "down",
            Cause::Mtu => "mtu",
            Cause::Queue => "queue",
            Cause::NoPort => "no_port",
            Cause::Device => "device",
            Cause::Ttl => "ttl",
        }
    }
}

/// What becomes of a packet, or of its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It leaves the link.
    Deliver(Arrival),
    /// It does not arrive.
    Dropped(Cause),
    /// It does not arrive, and the sender is to be told this mtu.
    TooBig(u32),
}

impl Verdict {
    /// It leaves the link at this time, unharmed.
    pub fn deliver(at: u64) -> Verdict {
        Verdict::Deliver(Arrival { at, corrupt: None })
    }
}

/// How a packet leaves the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When (ns, same clock as the entry).
    pub at: u64,
    /// It is to be corrupted.
    pub corrupt: Option<Corruption>,
}

/// How a packet is to be corrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The draw that says which bit.
    pub draw: u64,
    /// Whether the receiver can tell.
    pub checksum: Checksum,
}

/// What becomes of a packet and of the copy that the link may make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The packet itself.
    pub first: Verdict,
    /// Its copy.
    pub copy: Option<Verdict>,
}

impl From<Verdict> for Fate {
    fn from(first: Verdict) -> Fate {
        Fate { first, copy: None }
    }
}

/// Changes of a stage's properties so far.
#[derive(Clone, Copy, Debug, Default)]
struct Epochs {
    loss: u64,
    channel: u64,
    duplicate: u64,
    corrupt: u64,
    reorder: u64,
    jitter: u64,
}

impl Epochs {
    fn change(&mut self, old: &LinkProperties, new: &LinkProperties) {
        let changed = |of: fn(&LinkProperties) -> [f64; 2]| u64::from(of(old) != of(new));
        self.loss += changed(|p| [p.loss.0, p.loss_correlation.0]);
        self.duplicate += changed(|p| [p.duplicate.0, p.duplicate_correlation.0]);
        self.corrupt += changed(|p| [p.corrupt.0, p.corrupt_correlation.0]);
        self.channel += u64::from(old.loss_bursts != new.loss_bursts);
        self.reorder += u64::from(old.reorder != new.reorder);
        let jitter = |p: &LinkProperties| (p.jitter, p.distribution, p.jitter_correlation);
        self.jitter += u64::from(jitter(old) != jitter(new));
    }
}

/// State of one link, an ordered pair of nodes.
#[derive(Clone, Debug)]
pub struct Link {
    seed: u64,
    id: u64,
    properties: LinkProperties,
    per_packet: bool,
    /// Whether a fault holds it down; it may be declared so, too.
    held_down: bool,
    line: Serialiser,
    replay: Option<Replay>,
    /// Beginning of the trace, and the next one.
    zero: u64,
    next_zero: Option<u64>,
    epochs: Epochs,
}

impl Link {
    /// An idle link that is up. Draws are made for `id`; `traces` are those that properties may name.
    pub fn new(seed: u64, id: u64, properties: LinkProperties, traces: &[Arc<Trace>]) -> Link {
        let mut link = Link {
            seed,
            id,
            properties: LinkProperties::default(),
            per_packet: false,
            held_down: false,
            line: Serialiser::default(),
            replay: None,
            zero: 0,
            next_zero: None,
            epochs: Epochs::default(),
        };
        link.change(properties, false, traces);
        link.epochs = Epochs::default();
        link
    }

    /// Replaces the properties from the next packet on; `down`: nothing passes whatever they say. A trace that is not among `traces` is none.
    pub fn change(&mut self, properties: LinkProperties, down: bool, traces: &[Arc<Trace>]) {
        let new = &properties;
        self.epochs.change(&self.properties, new);
        let burst = new.rate_burst.map_or(0, |burst| burst.0);
        self.line.set(new.rate, new.queue_bytes(), burst);
        let trace = new.trace.and_then(|t| traces.get(t.0 as usize));
        let queue = trace.map(|t| new.queue_bytes_at(Some(t.mean_rate())));
        match (&mut self.replay, trace.zip(queue)) {
            (Some(replay), Some((trace, bytes))) if replay.plays(trace) => replay.set_queue(bytes),
            (replay, other) => {
                *replay = other.map(|(trace, bytes)| Replay::new(Arc::clone(trace), bytes));
            }
        }
        self.per_packet = new.per_packet();
        (self.properties, self.held_down) = (properties, down);
    }

    /// What its draws are made for.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What holds now.
    pub fn properties(&self) -> &LinkProperties {
        &self.properties
    }

    /// Makes the next draws from another seed.
    pub fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Plays its trace from a new list.
    pub fn renew_trace(&mut self, traces: &[Arc<Trace>]) {
        self.change(self.properties, self.held_down, traces);
    }

    /// Sets the time at which its trace begins; until then it plays from its last beginning.
    pub fn begin_trace(&mut self, at: u64) {
        self.next_zero = Some(at).filter(|at| *at != self.zero);
    }

    /// Whether the trace's next beginning has come.
    fn begins(&self, now: u64) -> bool {
        self.next_zero.is_some_and(|at| at <= now)
    }

    /// Whether nothing passes.
    pub fn is_down(&self) -> bool {
        self.held_down || self.properties.down
    }

    /// Whether nothing passes whatever its properties say ([`Link::change`]).
    pub fn is_held_down(&self) -> bool {
        self.held_down
    }

    /// Whether packets may not pass together: more than a constant delay applies.
    pub fn per_packet(&self) -> bool {
        self.per_packet
    }

    /// Bytes that wait before rate and trace at `now`.
    pub fn backlog(&self, now: u64) -> u64 {
        let recorded = self.replay.as_ref().filter(|_| !self.begins(now));
        let recorded = recorded.map_or(0, |r| r.backlog(now.saturating_sub(self.zero)));
        self.line.backlog(now) + recorded
    }

    /// The fate of `count` packets of a flow that pass together, where that may be
    /// ([`Link::per_packet`]).
    pub fn pass_together(&self, now: u64, count: u64, seen: &mut Seen) -> Verdict {
        seen.index += count;
        if self.is_down() {
            return Verdict::Dropped(Cause::Down);
        }
        Verdict::deliver(now + self.properties.delay.as_nanos() as u64)
    }

    /// The fate of the next packet of `flow`, of `bytes` length, that enters the link at `now`.
    pub fn pass(&mut self, now: u64, bytes: usize, flow: u64, seen: &mut Seen) -> Fate {
        if self.is_down() || !self.per_packet {
            return self.pass_together(now, 1, seen).into();
        }
        let fate = self.decide(now, bytes, flow, seen);
        seen.index += 1;
        fate
    }

    fn decide(&mut self, now: u64, bytes: usize, flow: u64, seen: &mut Seen) -> Fate {
        match self.properties.mtu {
            Some(mtu) if bytes > mtu.bytes as usize => return refused(mtu).into(),
            _ => {}
        }
        let mut chance = Chance {
            seed: self.seed,
            link: self.id,
            flow,
            index: seen.index,
            copy: false,
        };
        if self.loses(&chance) {
            return Verdict::Dropped(Cause::Loss).into();
        }
        let (share, correlation) = (
            self.properties.duplicate.0,
            self.properties.duplicate_correlation.0,
        );
        let twice = chance.hits(Stage::Duplicate, self.epochs.duplicate, share, correlation);
        let first = self.carry(now, bytes, &chance, seen);
        chance.copy = true;
        Fate {
            first,
            copy: twice.then(|| self.carry(now, bytes, &chance, seen)),
        }
    }

    fn loses(&self, chance: &Chance) -> bool {
        let p = &self.properties;
        let nth = u64::from(p.loss_every);
        let channel = p.loss_bursts.as_ref();
        (nth > 0 && chance.index % nth == nth - 1)
            || channel.is_some_and(|c| chance.channel_loses(self.epochs.channel, c))
            || chance.hits(
                Stage::Loss,
                self.epochs.loss,
                p.loss.0,
                p.loss_correlation.0,
            )
    }

    /// The stages from corruption on.
    fn carry(&mut self, now: u64, bytes: usize, chance: &Chance, seen: &mut Seen) -> Verdict {
        let Some(sent) = self.serialise(now, bytes) else {
            return Verdict::Dropped(Cause::Queue);
        };
        let p = &self.properties;
        let (share, correlation) = (p.corrupt.0, p.corrupt_correlation.0);
        let harmed = chance.hits(Stage::Corrupt, self.epochs.corrupt, share, correlation);
        let corrupt = harmed.then(|| Corruption {
            draw: chance.bits(Stage::CorruptBit, self.epochs.corrupt),
            checksum: p.corrupt_checksum,
        });
        let late = if self.overtakes(chance, seen) {
            0
        } else {
            self.delay(chance)
        };
        Verdict::Deliver(Arrival {
            at: sent + late,
            corrupt,
        })
    }

    fn serialise(&mut self, now: u64, bytes: usize) -> Option<u64> {
        if self.begins(now) {
            self.zero = self.next_zero.take().unwrap_or_default();
            self.replay.iter_mut().for_each(Replay::begin);
        }
        let sent = self.line.pass(now, bytes)?;
        let Some(replay) = &mut self.replay else {
            return Some(sent);
        };
        let since = replay.pass(sent.saturating_sub(self.zero), bytes)?;
        Some((since + self.zero).max(sent))
    }

    fn overtakes(&self, chance: &Chance, seen: &mut Seen) -> bool {
        let Some(reorder) = self.properties.reorder else {
            return false;
        };
        let (share, correlation) = (reorder.share.0, reorder.correlation.0);
        let candidate = seen.in_order + 1 >= reorder.gap;
        let overtakes =
            candidate && chance.hits(Stage::Reorder, self.epochs.reorder, share, correlation);
        seen.in_order = match overtakes {
            true => 0,
            false => seen.in_order.saturating_add(1),
        };
        overtakes
    }

    fn delay(&self, chance: &Chance) -> u64 {
        let p = &self.properties;
        let delay = p.delay.as_nanos() as u64;
        if p.jitter.is_zero() {
            return delay;
        }
        let (shape, correlation) = (p.distribution, p.jitter_correlation.0);
        let deviation = chance.deviation(self.epochs.jitter, shape, correlation);
        let offset = (deviation * p.jitter.as_nanos() as f64).round() as i64;
        delay.saturating_add_signed(offset)
    }
}

fn refused(mtu: LinkMtu) -> Verdict {
    match mtu.black_hole {
        true => Verdict::Dropped(Cause::Mtu),
        false => Verdict::TooBig(mtu.bytes),
    }
}

/// What a link remembers of one flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Index of the next packet, on the wire.
    pub index: u64,
    /// Packets since the last one that overtook.
    pub in_order: u32,
}

/// Counts the packets of each flow on each link.
///
/// Bounded: the first [`FLOWS`] flows of a run have exact counters of their own. Later flows share
/// [`SHARED`] counters chosen by hash: their fates still are independent draws with the declared
/// probability, but another late flow may shift which of their packets is hit.
pub struct Flows {
    exact: HashMap<u64, Seen, std::hash::BuildHasherDefault<Mixed>>,
    shared: Vec<Seen>,
}

/// Flows with a counter of their own.
pub const FLOWS: usize = 1 << 17;
/// Counters for all flows beyond.
pub const SHARED: usize = 1 << 12;

/// Keys of [`Flows`] are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mixed(u64);

impl std::hash::Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |h, b| draw::bits(h, &[u64::from(*b)]));
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Default for Flows {
    fn default() -> Flows {
        Flows {
            exact: HashMap::default(),
            shared: vec![Seen::default(); SHARED],
        }
    }
}

impl Flows {
    /// What the link with this [`Link::id`] remembers of `flow`.
    pub fn of(&mut self, link: u64, flow: u64) -> &mut Seen {
        let key = draw::bits(flow, &[link]);
        let room = self.exact.len() < FLOWS;
        match room || self.exact.contains_key(&key) {
            true => self.exact.entry(key).or_default(),
            false => &mut self.shared[key as usize % SHARED],
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
