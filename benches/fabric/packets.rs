//! Packets one by one: round trips, rate of small ones, lateness.

use crate::bed::lab::{A, B, NETWORK, Namespace, delayed, lab};
use crate::bed::udp::{self, Flow, Pace};
use crate::bed::{Awake, Busy, stats, veth};
use crate::print;
use netlab::link::LinkProperties;
use netlab::units::Ratio;
use std::time::Duration;

const SILENCE: Duration = Duration::from_millis(200);

/// Back to back, and after silence, when threads and processors sleep; then with processors that do not.
pub fn round_trip() {
    let (_fabric, nodes) = lab(3, LinkProperties::default());
    let bare = veth();
    let mut port = 100;
    for awake in [None, Some("processors awake")] {
        let held = awake.map(|_| Awake::hold());
        if let Some(Err(why)) = &held {
            return print("processors awake", &format!("not measured: {why}"), "");
        }
        for (name, pause, count) in [
            ("back to back", Duration::ZERO, 1500),
            ("after 4 ms of silence", Duration::from_millis(4), 150),
        ] {
            let name = [Some(name), awake].into_iter().flatten();
            let name = name.collect::<Vec<_>>().join(", ");
            beside_bare(&name, [&bare, &nodes[..2]], &mut port, (pause, count));
        }
    }
}

/// Round trips of both in turns.
fn beside_bare(
    name: &str,
    [bare, nodes]: [&[Namespace]; 2],
    port: &mut u16,
    (pause, count): (Duration, usize),
) {
    let mut added = Vec::new();
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        *port += 1;
        let measure = |at: &[Namespace]| udp::round_trips([&at[0], &at[1]], B, *port, pause, count);
        let turn = [measure(bare), measure(nodes)];
        added.push(stats::median(&turn[1]) - stats::median(&turn[0]));
        all.iter_mut().zip(turn).for_each(|(a, t)| a.extend(t));
    }
    let two = |v: &[f64]| {
        let (p50, p99) = (stats::median(v), stats::quantile(v, 0.99));
        format!("{p50:.0} µs, p99 {p99:.0} µs")
    };
    print(&format!("{name}, veth pair"), &two(&all[0]), "");
    print(&format!("{name}, fabric"), &two(&all[1]), "");
    let [low, middle, high] = [0.0, 0.5, 1.0].map(|q| stats::quantile(&added, q));
    let value = format!("{middle:.0} ({low:.0} to {high:.0}) µs");
    print(&format!("{name}, added"), &value, "budget ≤ 60 µs");
}

/// Datagrams per second that arrive, a bounded number under way: none is lost.
pub fn small() {
    let lossy = LinkProperties {
        loss: Ratio(1e-9),
        ..LinkProperties::default()
    };
    let clean = lab(3, LinkProperties::default());
    let single = lab(3, lossy);
    let late = lab(3, delayed(5));
    let bare = veth();
    let beds: [(&str, [&Namespace; 2]); 4] = [
        ("veth pair", [&bare[0], &bare[1]]),
        ("clean link", [&clean.1[0], &clean.1[1]]),
        ("packet by packet (loss 1e-9)", [&single.1[0], &single.1[1]]),
        ("delay 5 ms", [&late.1[0], &late.1[1]]),
    ];
    let mut rates = vec![Vec::new(); beds.len()];
    let count = 30_000;
    let flow = Flow {
        to: B,
        port: 200,
        payload: udp::SMALL,
        count,
        pace: Pace::Window(4000),
    };
    for _ in 0..3 {
        for ((_, bed), rates) in beds.iter().zip(&mut rates) {
            let seen = udp::run(*bed, flow, SILENCE);
            assert_eq!(seen.len() as u64, count, "datagrams were lost");
            let time = (seen[seen.len() - 1].at - seen[0].at) as f64 / 1e9;
            rates.push(count as f64 / time / 1e3);
        }
    }
    let bare = stats::median(&rates[0]);
    for ((name, _), rates) in beds.iter().zip(&rates) {
        let [low, middle, high] = [0.0, 0.5, 1.0].map(|q| stats::quantile(rates, q));
        let value = format!("{middle:.0} ({low:.0} to {high:.0}) k/s");
        print(name, &value, &format!("{:.2} × veth", middle / bare));
    }
}

/// 1,000 packets a second at 5 ms: the fabric's own lag, and the error that applications see.
pub fn lag() {
    for busy in [false, true] {
        let (fabric, [a, b, _c]) = lab(3, delayed(5));
        let _busy = busy.then(Busy::all_cores);
        let flow = Flow {
            to: B,
            port: 300,
            payload: udp::SMALL,
            count: 3000,
            pace: Pace::Even(1000.0),
        };
        let seen = udp::run([&a, &b], flow, SILENCE);
        let (lag, on_link) = (fabric.lag().unwrap(), fabric.delays(NETWORK, A, B).unwrap());
        let host = if busy { "cores busy" } else { "host as it is" };
        let two = |p50: f64, p99: f64| format!("{p50:.3} ms, p99 {p99:.3} ms");
        let ms = |time: Option<Duration>| time.map_or(f64::NAN, stats::ms);
        let budget = if busy {
            "budget ≤ 0.1, 3 ms"
        } else {
            "budget ≤ 0.05, 0.5 ms"
        };
        let value = two(ms(lag.quantile(0.5)), ms(lag.quantile(0.99)));
        print(&format!("{host}, fabric lag"), &value, budget);
        let value = two(ms(on_link.quantile(0.5)), ms(on_link.quantile(0.99)));
        print(&format!("{host}, on the link (5 ms)"), &value, "");
        let errors: Vec<f64> = seen.iter().map(|s| s.ms() - 5.0).collect();
        let value = two(stats::median(&errors), stats::quantile(&errors, 0.99));
        print(&format!("{host}, error an application sees"), &value, "");
        assert!(errors.iter().all(|e| *e >= 0.0), "a packet was early");
    }
}
