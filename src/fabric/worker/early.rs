//! How much earlier than a packet is due the worker has to be woken.
//!
//! Owns what it learned of this host. Must not know timers or packets.
//!
//! The timer is set so much earlier, and the rest is waited out by polling. How long a halted processor
//! takes to wake is the host's: on one virtual machine it was 30 µs with all cores busy and 80 µs, one in ten 140,
//! on idle ones. So it is learned from every sleep: [`Early::woke`] moves a step up after each that ended too late
//! and a ninth of a step down after each other, which comes to rest where nine of ten are in time
//! (stochastic approximation: Robbins and Monro, 1951).
//!
//! Measured there with 1,000 packets a second at 5 ms, medians of three interleaved turns
//! (`cargo bench --bench fabric -- lag`), median and p99 of the lag: on idle cores 0.082 and 0.59 ms with 50 µs always,
//! 0.029 and 0.36 ms with what was learned, about 135 µs (of the lag 25 µs are the write, which wakes the
//! receiver's processor); on busy ones 0.005 and 0.98, 0.005 and 0.09 ms.

/// Before the first sleep.
const FIRST_NS: u64 = 50_000;
/// However well a host wakes, and however badly: what is polled is the processor's time.
const RANGE_NS: std::ops::RangeInclusive<u64> = 10_000..=200_000;
/// One sleep that was too long makes it so much longer.
const STEP_NS: u64 = 4_500;
/// Of so many sleeps one may be too long.
const ONE_OF: u64 = 10;

pub(super) struct Early {
    ns: u64,
}

impl Early {
    pub(super) fn new() -> Early {
        Early { ns: FIRST_NS }
    }

    /// How long before a packet is due to be woken.
    pub(super) fn by(&self) -> u64 {
        self.ns
    }

    /// A sleep ended so long after it should have.
    pub(super) fn woke(&mut self, late: u64) {
        let ns = match late > self.ns {
            true => self.ns + STEP_NS,
            false => self.ns - STEP_NS / (ONE_OF - 1),
        };
        self.ns = ns.clamp(*RANGE_NS.start(), *RANGE_NS.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlab_protocol::draw;

    /// Where it comes to rest when wake-ups are late by `base` and up to `spread` more.
    fn learned(base: u64, spread: u64) -> u64 {
        let mut early = Early::new();
        for number in 0..20_000 {
            early.woke(base + draw::below(number, &[1], spread));
        }
        early.by()
    }

    #[test]
    fn nine_of_ten_wake_in_time() {
        for (base, spread) in [(5_000, 10_000), (40_000, 50_000), (100_000, 60_000)] {
            let goal = base + spread * 9 / 10;
            let error = learned(base, spread).abs_diff(goal.max(*RANGE_NS.start()));
            assert!(error < 15_000, "{base} {spread}: off by {error}");
        }
    }

    #[test]
    fn it_stays_in_its_range_whatever_a_host_does() {
        assert_eq!(learned(1, 1), *RANGE_NS.start());
        assert_eq!(learned(u64::MAX / 2, 1_000), *RANGE_NS.end());
    }
}
