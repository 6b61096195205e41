//! `profile:`: links with one word.
//!
//! Owns the figures. Each is what one direction of the link does: half of the round trip as its delay,
//! and the rate towards the subscriber; where the other direction is slower, say its `rate` in an entry
//! of its own. What is said beside the profile replaces its figure. None loses packets: how many a link
//! loses depends on the place, so say `loss` yourself.
//!
//! | profile | round trip | rate | from |
//! | --- | --- | --- | --- |
//! | `4g` | 70 ms | 12 mbit | WebPageTest's connectivity profiles (`connectivity.ini.sample`), "LTE" |
//! | `dsl` | 50 ms | 1.5 mbit | the same, "DSL" (its uplink: 384 kbit) |
//! | `cable` | 28 ms | 5 mbit | the same, "Cable" (its uplink: 1 mbit) |
//! | `wifi` | 2 ms | 30 mbit | Firefox's throttling profiles (`network-throttling-profiles`), "Wi-Fi" |
//! | `5g` | 20 ms | 100 mbit | ITU-R M.2410 §4.3: 100 mbit to a user anywhere in the cell; its §4.7 asks for 4 ms one way over the air, to which 6 ms through the operator's network are added (our estimate) |
//! | `wan` | 100 ms | 100 mbit | the example of tc-netem(8), `delay 100ms 10ms`, half of it in each direction; the rate is ours |
//! | `satellite` | 558 ms | 10 mbit | RFC 2488 §2: 279 ms one way through a geostationary satellite; the rate is ours |
//!
//! The jitter is ours, too, except that of `wan`: a tenth of the delay on radio links, none on others.

use crate::link::{Jitter, LinkPatch, Loss};
use crate::units::{BitRate, Ratio};
use std::time::Duration;

struct Profile {
    name: &'static str,
    delay: Duration,
    jitter: Duration,
    rate: BitRate,
}

const fn profile(name: &'static str, delay_us: u64, jitter_us: u64, kbit: u64) -> Profile {
    Profile {
        name,
        delay: Duration::from_micros(delay_us),
        jitter: Duration::from_micros(jitter_us),
        rate: BitRate(kbit * 1000),
    }
}

const PROFILES: [Profile; 7] = [
    profile("4g", 35_000, 3_500, 12_000),
    profile("5g", 10_000, 1_000, 100_000),
    profile("wifi", 1_000, 100, 30_000),
    profile("dsl", 25_000, 0, 1_500),
    profile("cable", 14_000, 0, 5_000),
    profile("wan", 50_000, 5_000, 100_000),
    profile("satellite", 279_000, 0, 10_000),
];

/// The words that `profile` takes.
pub const NAMES: &[&str] = &["4g", "5g", "wifi", "dsl", "cable", "wan", "satellite"];

/// `said`, with the figures of the profile where it says nothing.
pub fn under(name: &str, said: LinkPatch) -> LinkPatch {
    let Some(profile) = PROFILES.iter().find(|profile| profile.name == name) else {
        return said;
    };
    LinkPatch {
        delay: said.delay.or(Some(profile.delay)),
        jitter: said.jitter.or(Some(Jitter {
            time: profile.jitter,
            correlation: Ratio(0.0),
        })),
        loss: said.loss.or(Some(Loss::default())),
        rate: said.rate.or(Some(profile.rate)),
        ..said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_figures() {
        let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn what_is_said_beside_a_profile_replaces_its_figure() {
        let said = LinkPatch {
            delay: Some(Duration::from_millis(3)),
            ..LinkPatch::default()
        };
        let link = under("dsl", said);
        assert_eq!(link.delay, Some(Duration::from_millis(3)));
        assert_eq!(link.rate, Some(BitRate(1_500_000)));
    }
}
