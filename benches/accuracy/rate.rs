//! Rates, and the delay of a full queue.
//!
//! A line keeps its rate only while something waits for it, so sender and receiver run ahead of other
//! work, and the queue lasts for longer than they are stopped.

use crate::bed::lab::{B, delayed, lab};
use crate::bed::udp::{self, Flow, Pace};
use crate::bed::{ahead_of_others, stats, tcp};
use crate::verdict;
use netlab::link::LinkProperties;
use netlab::units::{BitRate, ByteSize};
use std::time::Duration;

/// Payload of a TCP segment with timestamps in a packet of 1,500 bytes.
const SEGMENT: f64 = 1448.0;
const PACKET: f64 = (udp::FULL + udp::HEADERS) as f64;

/// A line with a queue of 50 ms, or of 20 packets.
fn of_rate(rate: u64) -> LinkProperties {
    LinkProperties {
        rate: Some(BitRate(rate)),
        queue: Some(ByteSize((rate / 8 / 20).max(30_000))),
        ..delayed(5)
    }
}

fn name(rate: u64) -> String {
    match rate {
        1_000_000_000 => "1 gbit/s".to_owned(),
        _ => format!("{} mbit/s", rate / 1_000_000),
    }
}

/// Bits of IP packets per second, against the declared rate. Reno fills the queue: CUBIC may leave slow
/// start before (HyStart), BBR keeps it empty.
pub fn rates() {
    ahead_of_others(true);
    let congestion = tcp::available(&["reno"]).first().copied();
    for rate in [1, 10, 100, 1000].map(|mbit| mbit * 1_000_000) {
        let (_fabric, [a, b, _c]) = lab(3, of_rate(rate));
        let (offered, arrived) =
            udp::overload([&a, &b], B, rate as f64 * 1.2, Duration::from_secs(2));
        let short = offered < rate as f64 * 1.02;
        let note = if short {
            ", the sender could not offer more"
        } else {
            ""
        };
        judge("rate, UDP", rate, arrived, note);
        let (warm, time) = (Duration::from_secs(2), Duration::from_secs(3));
        let read = tcp::throughput([&a, &b], congestion, warm, time);
        judge("rate, TCP", rate, read * PACKET / SEGMENT, "");
    }
    ahead_of_others(false);
}

fn judge(what: &str, rate: u64, measured: f64, note: &str) {
    let error = (measured / rate as f64 - 1.0) * 100.0;
    let measured = format!("{:.3} mbit/s ({error:+.2} %){note}", measured / 1e6);
    verdict(what, &name(rate), &measured, "± 2 %", error.abs() <= 2.0);
}

/// One and a half times the rate until the queue is full; then what the last packets waited.
pub fn queues() {
    ahead_of_others(true);
    for (rate, queue) in [
        (1_000_000, 30_000),
        (10_000_000, 100_000),
        (100_000_000, 500_000),
    ] {
        let link = LinkProperties {
            queue: Some(ByteSize(queue)),
            delay: Duration::ZERO,
            ..of_rate(rate)
        };
        let (_fabric, [a, b, _c]) = lab(3, link);
        let full = queue as f64 * 8.0 / rate as f64;
        let pace = rate as f64 * 1.5 / 8.0 / PACKET;
        let flow = Flow {
            to: B,
            port: 900,
            payload: udp::FULL,
            // The queue grows by half the rate, then stays full for a second.
            count: (pace * (full * 2.0 + 1.0)) as u64,
            pace: Pace::Even(pace),
        };
        let silence = Duration::from_secs_f64(0.3 + full);
        let seen = udp::run([&a, &b], flow, silence);
        let last = &seen[seen.len() / 2..];
        let waits: Vec<f64> = last.iter().map(udp::Seen::ms).collect();
        // Less than a packet's worth of room is no room.
        let (most, packet) = (full * 1e3, PACKET * 8e3 / rate as f64);
        let (low, high) = (most - packet, most + 1.0);
        let median = stats::median(&waits);
        verdict(
            &format!("full queue of {} kB at {}", queue / 1000, name(rate)),
            &format!("{most:.0} ms"),
            &format!(
                "{median:.2} ms, p99 {:.2} ms",
                stats::quantile(&waits, 0.99)
            ),
            &format!("{low:.1} to {high:.1} ms"),
            (low..=high).contains(&median),
        );
    }
    ahead_of_others(false);
}
