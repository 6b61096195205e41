//! Delay and jitter.

use crate::bed::lab::{B, delayed, lab};
use crate::bed::udp::{self, Flow, Pace, Seen};
use crate::bed::{Busy, stats};
use crate::{row, verdict};
use netlab::link::{Distribution, LinkProperties};
use std::time::Duration;

pub const COLUMNS: &[&str] = &[
    "delay",
    "host",
    "left late by (fabric): median, p99",
    "arrived late by (application): median, p99",
];

const PACE: f64 = 1000.0;

/// What arrives of `count` small datagrams on such a link, `pace` of them a second.
fn sample(link: LinkProperties, count: u64, pace: f64) -> (netlab::fabric::Fabric, Vec<Seen>) {
    let (fabric, [a, b, _c]) = lab(3, link);
    let flow = Flow {
        to: B,
        port: 700,
        payload: udp::SMALL,
        count,
        pace: Pace::Even(pace),
    };
    let silence = link.delay + Duration::from_millis(300);
    let seen = udp::run([&a, &b], flow, silence);
    (fabric, seen)
}

/// 2,000 datagrams each, a thousand a second.
pub fn delays() {
    for busy in [false, true] {
        for ms in [1, 5, 20, 100, 500] {
            let _busy = busy.then(Busy::all_cores);
            let (fabric, seen) = sample(delayed(ms), 2000, PACE);
            let lag = fabric.lag().unwrap();
            let late: Vec<f64> = seen.iter().map(|s| s.ms() - ms as f64).collect();
            assert!(late.iter().all(|late| *late >= 0.0), "a packet was early");
            let lag = [0.5, 0.99].map(|q| lag.quantile(q).map_or(f64::NAN, stats::ms));
            let late = [0.5, 0.99].map(|q| stats::quantile(&late, q));
            let two = |[p50, p99]: [f64; 2]| format!("{p50:.3} ms, {p99:.3} ms");
            let host = if busy { "all cores busy" } else { "as it is" };
            row(&[&format!("{ms} ms"), host, &two(lag), &two(late)]);
        }
    }
}

/// Kolmogorov and Smirnov's distance between what an application sees and what is declared.
pub fn jitter() {
    let (delay, jitter) = (200.0, 40.0);
    let uniform: fn(f64) -> f64 = |x| ((x + 1.0) / 2.0).clamp(0.0, 1.0);
    // Shape 3, moved to mean 0, in units of the standard deviation.
    let pareto: fn(f64) -> f64 = |x| 1.0 - (x * 0.75_f64.sqrt() + 1.5).max(1.0).powi(-3);
    for (name, distribution, cumulative) in [
        ("uniform", Distribution::Uniform, uniform),
        ("normal", Distribution::Normal, stats::gauss),
        ("pareto", Distribution::Pareto, pareto),
    ] {
        let link = LinkProperties {
            jitter: Duration::from_millis(40),
            distribution,
            ..delayed(200)
        };
        let (_, seen) = sample(link, 8000, 4.0 * PACE);
        let offsets: Vec<f64> = seen.iter().map(|s| (s.ms() - delay) / jitter).collect();
        let (distance, limit) = stats::kolmogorov(&offsets, cumulative);
        verdict(
            &format!("jitter, {name}"),
            "200 ms ± 40 ms",
            &format!("distance {distance:.4} of {} delays", seen.len()),
            &format!("≤ {limit:.4}"),
            distance <= limit,
        );
    }
}
