//! Loss, duplicates, corruption, reordering: shares, and which packets.

use crate::bed::lab::{B, Namespace, delayed, lab};
use crate::bed::stats;
use crate::bed::udp::{self, Flow, Pace, Seen};
use crate::verdict;
use netlab::link::{GilbertElliott, LinkProperties, Reorder};
use netlab::units::Ratio;
use std::collections::BTreeSet;
use std::time::Duration;

const SILENCE: Duration = Duration::from_millis(200);
const COUNT: u64 = 100_000;

struct Outcome {
    seen: Vec<Seen>,
    /// Datagrams that the receiver's kernel refused for their checksum.
    refused: u64,
}

impl Outcome {
    fn numbers(&self) -> BTreeSet<u64> {
        self.seen.iter().map(|s| s.number).collect()
    }
}

fn send(link: LinkProperties, count: u64, pace: Pace) -> Outcome {
    let (_fabric, [a, b, _c]) = lab(3, link);
    let flow = Flow {
        to: B,
        port: 800,
        payload: udp::SMALL,
        count,
        pace,
    };
    let seen = udp::run([&a, &b], flow, SILENCE + link.delay);
    let refused = checksum_errors(&b);
    Outcome { seen, refused }
}

fn flood(link: LinkProperties, count: u64) -> Outcome {
    send(link, count, Pace::Window(4000))
}

/// `InCsumErrors` of UDP in a namespace.
fn checksum_errors(at: &Namespace) -> u64 {
    let snmp = at.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = snmp.lines().filter(|line| line.starts_with("Udp:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    let errors = pairs.find(|(name, _)| *name == "InCsumErrors");
    errors.and_then(|(_, value)| value.parse().ok()).unwrap()
}

/// A share of `n` beside the interval in which 99 % of such samples lie.
fn compare(what: &str, declared: &str, hits: u64, n: u64, share: f64, inflation: f64) {
    let (low, high) = stats::binomial99(n, share, inflation);
    let measured = hits as f64 / n as f64;
    verdict(
        what,
        declared,
        &format!("{:.3} % of {n}", measured * 100.0),
        &format!("{:.3} to {:.3} %", low * 100.0, high * 100.0),
        (low..=high).contains(&measured),
    );
}

pub fn shares() {
    for share in [0.001, 0.01, 0.1] {
        let link = LinkProperties {
            loss: Ratio(share),
            ..LinkProperties::default()
        };
        let lost = COUNT - flood(link, COUNT).numbers().len() as u64;
        let declared = format!("{} %", share * 100.0);
        compare("loss", &declared, lost, COUNT, share, 1.0);
    }
    bursts();
    same_again();
    duplicates();
    corruption();
    reordering();
}

/// Bursts of four packets in the mean.
fn bursts() {
    let (p, r) = (0.01, 0.25);
    let link = LinkProperties {
        loss_bursts: Some(GilbertElliott {
            p: Ratio(p),
            r: Ratio(r),
            bad: Ratio(1.0),
            good: Ratio(0.0),
        }),
        ..LinkProperties::default()
    };
    let arrived = flood(link, COUNT).numbers();
    let lost: Vec<u64> = (0..COUNT).filter(|n| !arrived.contains(n)).collect();
    // Neighbours' states have the correlation 1 − p − r, so the count varies as that of fewer packets.
    let inflation = (2.0 - p - r) / (p + r);
    let (share, count) = (p / (p + r), lost.len() as u64);
    let declared = format!("{:.3} %", share * 100.0);
    compare("loss in bursts", &declared, count, COUNT, share, inflation);
    let starts = |n: &&u64| **n == 0 || lost.binary_search(&(**n - 1)).is_err();
    let bursts = lost.iter().filter(starts).count() as u64;
    let mean = count as f64 / bursts as f64;
    let (low, high) = stats::mean99(bursts, 1.0 / r, (1.0 - r).sqrt() / r);
    verdict(
        "length of bursts, mean",
        "4 packets",
        &format!("{mean:.2} of {bursts}"),
        &format!("{low:.2} to {high:.2}"),
        (low..=high).contains(&mean),
    );
}

/// The same seed in two labs.
fn same_again() {
    let link = LinkProperties {
        loss: Ratio(0.1),
        ..LinkProperties::default()
    };
    let [first, second] = [20_000; 2].map(|count| flood(link, count).numbers());
    let differ = first.symmetric_difference(&second).count();
    verdict(
        "same seed, same packets lost",
        "20000 packets, 10 %",
        &format!("{differ} differ"),
        "0",
        differ == 0,
    );
}

fn duplicates() {
    let link = LinkProperties {
        duplicate: Ratio(0.01),
        ..LinkProperties::default()
    };
    let all = flood(link, COUNT);
    let twice = all.seen.len() - all.numbers().len();
    compare("duplicate", "1 %", twice as u64, COUNT, 0.01, 1.0);
}

/// Every corrupted packet is refused by the receiver's kernel.
fn corruption() {
    let link = LinkProperties {
        corrupt: Ratio(0.01),
        ..LinkProperties::default()
    };
    let all = flood(link, COUNT);
    compare("corrupt", "1 %", all.refused, COUNT, 0.01, 1.0);
    let delivered = COUNT - all.refused - all.seen.len() as u64;
    verdict(
        "corrupt, but taken for good or missing",
        "0",
        &delivered.to_string(),
        "0",
        delivered == 0,
    );
}

fn reordering() {
    let link = LinkProperties {
        reorder: Some(Reorder {
            share: Ratio(0.25),
            correlation: Ratio(0.0),
            gap: 0,
        }),
        ..delayed(20)
    };
    let count = 10_000;
    let all = send(link, count, Pace::Even(5000.0));
    let ahead = all.seen.iter().filter(|s| s.ms() < 10.0).count() as u64;
    compare("reorder", "25 %", ahead, count, 0.25, 1.0);
}
