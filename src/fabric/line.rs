//! Lines of limited capacity: serialisation at a rate, and replay of a recorded trace.
//!
//! Owns when a packet has been sent and when the queue before a line is full. Pure: times come in,
//! and never fall for one line. Must not know what else a link does.

use crate::link::{OPPORTUNITY, Trace};
use crate::units::BitRate;
use std::sync::Arc;

/// A line that sends one packet after the other, with a drop-tail queue before it.
///
/// With a burst it is a token bucket (tc-tbf(8)): after silence so many bytes pass at once.
#[derive(Clone, Debug, Default)]
pub struct Serialiser {
    rate: Option<BitRate>,
    queue_bytes: u64,
    burst_bytes: u64,
    /// When all that was accepted would have been sent without a burst, at the rate that was `counted`.
    free_at: u64,
    counted: Option<BitRate>,
    /// What division by the rate left over, in bit·ns/s: no rounding adds up.
    carry: u64,
}

impl Serialiser {
    /// A line of `rate` (none: infinitely fast) with room for `queue_bytes`, without burst.
    pub fn new(rate: Option<BitRate>, queue_bytes: u64) -> Serialiser {
        Serialiser {
            rate,
            queue_bytes,
            ..Serialiser::default()
        }
    }

    /// Changes everything declared. What was accepted keeps its time. What follows finds the line as if what waits
    /// went on at the new rate, if that is higher: a healed line is not full of what a slow one held.
    pub fn set(&mut self, rate: Option<BitRate>, queue_bytes: u64, burst_bytes: u64) {
        (self.rate, self.queue_bytes, self.burst_bytes) = (rate, queue_bytes, burst_bytes);
        if rate.is_none() {
            (self.free_at, self.counted) = (0, None); // an open line holds nothing up
        }
    }

    /// Changes everything declared to what another line has.
    pub fn declare_as(&mut self, other: &Serialiser) {
        self.set(other.rate, other.queue_bytes, other.burst_bytes);
    }

    /// Whether it holds nothing up.
    pub fn is_open(&self) -> bool {
        self.rate.is_none()
    }

    /// How much earlier than without it the burst lets packets go, in ns.
    fn credit(&self) -> u64 {
        let Some(BitRate(rate)) = self.rate else {
            return 0;
        };
        let ns = u128::from(self.burst_bytes) * 8_000_000_000 / u128::from(rate.max(1));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// How long all that was accepted takes from `now` on, without a burst, in ns.
    fn work(&self, now: u64) -> u64 {
        let left = self.free_at.saturating_sub(now);
        match (self.counted, self.rate) {
            (Some(BitRate(old)), Some(BitRate(new))) if new > old => {
                let left = u128::from(left) * u128::from(old) / u128::from(new);
                u64::try_from(left).unwrap_or(u64::MAX)
            }
            _ => left,
        }
    }

    /// Bytes that wait at `now`.
    pub fn backlog(&self, now: u64) -> u64 {
        let rate = self.rate.map_or(0, |rate| rate.0);
        let waiting = self.pass_time(now) - now;
        let bits = u128::from(waiting) * u128::from(rate) / 1_000_000_000;
        u64::try_from(bits / 8).unwrap_or(u64::MAX)
    }

    /// When something without weight that arrives at `now` has been sent.
    fn pass_time(&self, now: u64) -> u64 {
        now + self.work(now).saturating_sub(self.credit())
    }

    /// When a packet that arrives at `now` has been sent; `None` when the queue is full. A packet
    /// always finds room on an idle line.
    pub fn pass(&mut self, now: u64, bytes: usize) -> Option<u64> {
        let Some(BitRate(rate)) = self.rate else {
            return Some(now);
        };
        if self.counted != self.rate {
            (self.free_at, self.counted, self.carry) = (now + self.work(now), self.rate, 0);
        }
        let (credit, bytes) = (self.credit(), bytes as u64);
        if self.pass_time(now) > now && self.backlog(now) + bytes > self.queue_bytes {
            return None;
        }
        if self.free_at <= now {
            (self.free_at, self.carry) = (now, 0);
        }
        let work = bytes * 8_000_000_000 + self.carry;
        self.free_at += work / rate.max(1);
        self.carry = work % rate.max(1);
        Some(now.max(self.free_at.saturating_sub(credit)))
    }
}

/// A line whose capacity is a recorded trace, as Mahimahi's mm-link replays it.
#[derive(Clone, Debug)]
pub struct Replay {
    trace: Arc<Trace>,
    queue_bytes: u64,
    /// The opportunity in use, and how many of its bytes are taken.
    opportunity: u64,
    taken: u32,
}

impl Replay {
    /// An idle line.
    pub fn new(trace: Arc<Trace>, queue_bytes: u64) -> Replay {
        Replay {
            trace,
            queue_bytes,
            opportunity: 0,
            taken: 0,
        }
    }

    /// Whether it replays this very trace.
    pub fn plays(&self, trace: &Arc<Trace>) -> bool {
        Arc::ptr_eq(&self.trace, trace)
    }

    /// Plays the trace from its beginning, with nothing waiting.
    pub fn begin(&mut self) {
        (self.opportunity, self.taken) = (0, 0);
    }

    /// Changes the room of the queue.
    pub fn set_queue(&mut self, queue_bytes: u64) {
        self.queue_bytes = queue_bytes;
    }

    /// Bytes that wait at `now` (since the trace's beginning).
    pub fn backlog(&self, now: u64) -> u64 {
        let first = self.trace.first_from(now);
        match self.opportunity.checked_sub(first) {
            Some(ahead) => ahead * u64::from(OPPORTUNITY) + u64::from(self.taken),
            None => 0,
        }
    }

    /// When a packet that arrives at `now` (since the trace's beginning) has been sent: at the
    /// opportunity that takes its last byte. `None` when the queue is full.
    pub fn pass(&mut self, now: u64, bytes: usize) -> Option<u64> {
        let backlog = self.backlog(now);
        if backlog > 0 && backlog + bytes as u64 > self.queue_bytes {
            return None;
        }
        if backlog == 0 {
            (self.opportunity, self.taken) = (self.trace.first_from(now), 0);
        }
        let total = self.taken + bytes.max(1) as u32;
        let more = (total - 1) / OPPORTUNITY;
        self.opportunity += u64::from(more);
        self.taken = total - more * OPPORTUNITY;
        Some(self.trace.at(self.opportunity).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// 12 Mbit/s: 1500 bytes take 1 ms.
    fn line(queue: u64, burst: u64) -> Serialiser {
        let mut line = Serialiser::default();
        line.set(Some(BitRate(12_000_000)), queue, burst);
        line
    }

    #[test]
    fn a_burst_passes_at_once_and_comes_back_with_time() {
        let mut line = line(1 << 20, 3000);
        let at: Vec<_> = (0..4).map(|_| line.pass(0, 1500)).collect();
        assert_eq!(at, [Some(0), Some(0), Some(MS), Some(2 * MS)]);
        // After 3 ms at the rate one packet's worth of credit is back.
        assert_eq!(line.pass(3 * MS, 1500), Some(3 * MS));
        assert_eq!(line.pass(3 * MS, 1500), Some(4 * MS));
        let idle = 100 * MS;
        assert_eq!(
            [(); 3].map(|()| line.pass(idle, 1500)),
            [Some(idle), Some(idle), Some(idle + MS)]
        );
    }

    #[test]
    fn the_queue_counts_what_waits() {
        let mut line = line(3000, 0);
        assert_eq!(line.pass(0, 1500), Some(MS));
        assert_eq!(line.pass(0, 1500), Some(2 * MS));
        assert_eq!((line.pass(0, 1500), line.backlog(0)), (None, 3000));
        assert_eq!((line.backlog(MS), line.backlog(9 * MS)), (1500, 0));
    }

    #[test]
    fn what_waits_goes_on_at_a_higher_rate_for_what_follows() {
        let slow = |queue| {
            let mut line = line(queue, 0);
            assert_eq!(line.pass(0, 1500), Some(MS));
            assert_eq!(line.pass(0, 1500), Some(2 * MS));
            line
        };
        // Ten times the rate: 3000 bytes wait, as before, and take a tenth of the time.
        let mut healed = slow(6000);
        healed.set(Some(BitRate(120_000_000)), 6000, 0);
        assert_eq!((healed.backlog(0), healed.pass_time(0)), (3000, MS / 5));
        assert_eq!(healed.pass(0, 1500), Some(3 * MS / 10));
        assert_eq!(healed.pass(0, 1500), Some(4 * MS / 10));
        assert_eq!(healed.pass(0, 1500), None);
        // None at all.
        let mut open = slow(6000);
        open.set(None, 6000, 0);
        assert_eq!((open.backlog(0), open.pass_time(0)), (0, 0));
        assert_eq!(open.pass(0, 1500), Some(0));
        open.set(Some(BitRate(12_000_000)), 6000, 0);
        assert_eq!(open.pass(0, 1500), Some(MS));
        let mut again = slow(6000);
        again.set(None, 6000, 0);
        again.set(Some(BitRate(12_000_000)), 6000, 0);
        assert_eq!(again.pass(0, 1500), Some(MS), "nothing is left from before");
        // A lower one: what was accepted before leaves first.
        let mut slower = slow(6000);
        slower.set(Some(BitRate(1_200_000)), 6000, 0);
        assert_eq!(slower.pass(0, 1500), Some(12 * MS));
    }

    /// Saturated for 20 rounds of an uneven trace, with packets that do not fill an opportunity: every
    /// byte of the trace is used.
    #[test]
    fn a_trace_gives_what_it_recorded() {
        let trace: Arc<Trace> = Arc::new("0\n1\n1\n7\n20\n".parse().unwrap());
        let mut line = Replay::new(Arc::clone(&trace), 30_000);
        let (mut now, mut sent) = (0, 0_u64);
        loop {
            match line.pass(now, 1000) {
                Some(at) if at > 400 * MS => break,
                Some(_) => sent += 1000,
                None => now += MS,
            }
        }
        // 20 rounds of 20 ms with five opportunities each, and the one at 400 ms itself.
        let capacity = 101 * 1500;
        assert!(sent <= capacity && capacity - sent < 1000, "{sent}");
        assert_eq!(trace.mean_rate(), BitRate(3_000_000));
    }

    #[test]
    fn an_unused_opportunity_is_lost() {
        let trace: Arc<Trace> = Arc::new("5\n10\n".parse().unwrap());
        let mut line = Replay::new(trace, 30_000);
        assert_eq!(line.pass(0, 500), Some(5 * MS));
        assert_eq!(line.pass(0, 1000), Some(5 * MS), "the same opportunity");
        assert_eq!(line.pass(0, 1), Some(10 * MS));
        assert_eq!(
            line.pass(31 * MS, 1500),
            Some(35 * MS),
            "10 to 30 ms unused"
        );
        assert_eq!(line.pass(35 * MS, 1500), Some(40 * MS));
    }

    #[test]
    fn the_queue_of_a_trace_is_bounded() {
        let trace: Arc<Trace> = Arc::new("10\n".parse().unwrap());
        let mut line = Replay::new(trace, 4500);
        let fates: Vec<_> = (0..5).map(|_| line.pass(0, 1500)).collect();
        let at = |n: u64| Some(n * 10 * MS);
        assert_eq!(fates, [at(1), at(2), at(3), None, None]);
        assert_eq!(line.backlog(0), 4500);
        assert_eq!(line.backlog(11 * MS), 3000);
        assert_eq!(line.pass(11 * MS, 1500), at(4));
    }
}
