//! Whether it pays to poll for the next packet before going to sleep.
//!
//! Owns that decision and what it learned. Must not know what is polled.
//!
//! An answer follows its request within microseconds, while a virtual processor that was halted takes
//! tens of them to wake (KVM's host side polls for the same reason: `halt_poll_ns`). So a worker that
//! has nothing to do polls for [`WINDOW_NS`] before it sleeps, as long as that finds packets often
//! enough, and only while no thread waits for a processor: then its own costs nobody anything.
//!
//! Measured on two idle cores, medians of what a clean link adds to a round trip of a bare veth pair
//! (`cargo bench --bench fabric -- rtt`): back to back 108 µs without, none with; after 4 ms of silence, where
//! the request has to wake the worker, 139 and 81 µs.

use std::fs::File;
use std::num::NonZero;
use std::os::unix::fs::FileExt;

/// How long to poll at most.
const WINDOW_NS: u64 = 100_000;
/// A find is worth so many misses; more than [`TRUST`] are not remembered.
const FIND: u32 = 4;
const TRUST: u32 = 8;
/// Of so much time awake, [`SHARE`] - 1 parts of [`SHARE`] may pass without sleep: a thread under SCHED_FIFO that
/// exceeds 95 % of a second is stopped for the rest of it (sched(7), `sched_rt_runtime_us`).
const SHARE: u64 = 10;
const CREDIT_NS: u64 = 20_000_000;
/// How long an answer to "does anybody wait for a processor" is believed.
const BELIEF_NS: u64 = 500_000;

pub(super) struct Linger {
    trust: u32,
    /// Since when there is nothing to do.
    idle: u64,
    /// How long it may stay awake yet.
    credit: u64,
    /// Up to when time awake is paid for.
    paid: u64,
    crowd: Crowd,
}

impl Linger {
    pub(super) fn new() -> Linger {
        Linger::among(Crowd::new())
    }

    fn among(crowd: Crowd) -> Linger {
        Linger {
            trust: 0,
            idle: 0,
            credit: CREDIT_NS,
            paid: 0,
            crowd,
        }
    }

    /// There is nothing to do from now on; until when to poll (a time that is over: not at all).
    pub(super) fn idle(&mut self, now: u64) -> u64 {
        self.idle = now;
        self.pay(now);
        if self.trust == 0 || self.credit < WINDOW_NS || self.crowd.waits(now) {
            return now;
        }
        now + WINDOW_NS
    }

    /// The thread slept.
    pub(super) fn slept(&mut self, from: u64, until: u64) {
        self.pay(from);
        let worth = until.saturating_sub(from).saturating_mul(SHARE - 1);
        self.credit = self.credit.saturating_add(worth).min(CREDIT_NS);
        self.paid = until;
    }

    fn pay(&mut self, now: u64) {
        let awake = now.saturating_sub(self.paid);
        self.credit = self.credit.saturating_sub(awake);
        self.paid = now;
    }

    /// There is something to do again.
    pub(super) fn busy(&mut self, now: u64) {
        self.trust = if now.saturating_sub(self.idle) < WINDOW_NS {
            (self.trust + FIND).min(TRUST)
        } else {
            self.trust.saturating_sub(1)
        };
    }
}

/// Whether more threads of the host want to run than it has processors.
struct Crowd {
    /// Its fourth field starts with the number of threads that run or could (proc_loadavg(5)).
    loadavg: Option<File>,
    processors: usize,
    asked: u64,
    waits: bool,
}

impl Crowd {
    fn new() -> Crowd {
        Crowd {
            loadavg: File::open("/proc/loadavg").ok(),
            processors: std::thread::available_parallelism().map_or(1, NonZero::get),
            asked: 0,
            waits: true,
        }
    }

    fn waits(&mut self, now: u64) -> bool {
        if now.saturating_sub(self.asked) >= BELIEF_NS {
            self.asked = now;
            self.waits = self.runnable().is_none_or(|n| n > self.processors);
        }
        self.waits
    }

    fn runnable(&self) -> Option<usize> {
        let mut text = [0; 64];
        let length = self.loadavg.as_ref()?.read_at(&mut text, 0).ok()?;
        runnable(std::str::from_utf8(&text[..length]).ok()?)
    }
}

fn runnable(loadavg: &str) -> Option<usize> {
    let (running, _all) = loadavg.split_ascii_whitespace().nth(3)?.split_once('/')?;
    running.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linger(waits: bool) -> Linger {
        let crowd = Crowd {
            loadavg: None,
            processors: 2,
            asked: u64::MAX,
            waits,
        };
        Linger::among(crowd)
    }

    #[test]
    fn polls_only_where_that_finds_packets() {
        let mut linger = linger(false);
        let mut now = 1_000_000;
        let mut after = |linger: &mut Linger, gap: u64| {
            let polls = linger.idle(now) > now;
            linger.slept(now, now + gap);
            now += gap;
            linger.busy(now);
            polls
        };
        assert!(!after(&mut linger, 50_000), "nothing was learned yet");
        // Requests after a silence, each with an answer: the answer is waited for.
        for _ in 0..20 {
            after(&mut linger, 4_000_000);
            assert!(after(&mut linger, 50_000));
        }
        // Only silence between packets: no more.
        for _ in 0..TRUST {
            after(&mut linger, 300_000);
        }
        assert!(!after(&mut linger, 300_000));
    }

    #[test]
    fn polls_at_nobodys_cost() {
        let mut linger = linger(true);
        linger.idle(1_000);
        linger.busy(2_000);
        assert_eq!(linger.idle(3_000), 3_000);
    }

    #[test]
    fn sleeps_now_and_then_whatever_it_finds() {
        let mut linger = linger(false);
        linger.slept(0, 1_000_000);
        let (mut now, mut asleep) = (1_000_000, 0);
        let end = 1_000_000_000;
        while now < end {
            if linger.idle(now) == now {
                linger.slept(now, now + 20_000);
                asleep += 20_000;
            }
            now += 20_000;
            linger.busy(now);
        }
        let share = asleep as f64 / end as f64;
        assert!((0.06..0.12).contains(&share), "{share}");
    }

    #[test]
    fn threads_that_want_to_run_are_read() {
        assert_eq!(runnable("0.48 0.61 0.70 3/812 12345\n"), Some(3));
        assert_eq!(runnable("junk"), None);
    }
}
