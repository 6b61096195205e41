//! Load that tells the truth, on the real engine: what a stall does to those who ask, and every request
//! one by one.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use support::requests::{quantile, rows};
use support::{Sandbox, steady};

/// Coordinated omission. For 2 of 10 s the server stands still, and both clients could wait for 5 s.
/// Of the open loop's 500 requests 100 were intended in that time and waited up to 2 s: one in five, so
/// that the slowest hundredth waited almost all of it. The naive closed loop waits with its one user:
/// it has one slow request, and its p99 shows nothing of an outage of two seconds.
#[test]
fn an_open_loop_shows_the_stall_that_a_closed_loop_hides() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("omission") else {
            return;
        };
        let file = sandbox.topology(
            "omission.yaml",
            "name: omission
link: { rtt: 2ms }
nodes:
  server: { role: server, service: { time: 1ms, workers: 8 } }
  open: { role: client, load: { target: server, rate: 50/s, timeout: 5s, record: requests } }
  closed: { role: client, load: { target: server, users: 1, think: 20ms, timeout: 5s, record: requests } }
scenario:
  warmup: 1s
  duration: 10s
  faults: { stall: { at: 4s, for: 2s, pause: server } }
checks:
  the open loop sees it: latency(open, p99) > 1.7s
  the closed loop does not: latency(closed, p99) < 500ms
",
        );
        sandbox.netlab(&["up", &file]).expect(0);
        let record = sandbox.record("omission");
        let rows = rows(&record);
        let open = quantile(&rows, "open", 0.99);
        let closed = quantile(&rows, "closed", 0.99);
        let slowest = quantile(&rows, "closed", 1.0);
        println!("p99: open loop {open:.3} s, closed loop {closed:.3} s (slowest {slowest:.3} s)");
        assert!((1.8..2.3).contains(&open), "{open}");
        assert!(closed < 0.5 && slowest > 1.8, "{closed}, {slowest}");

        // What is told one by one is what was counted.
        let mut told: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let mut counted: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for row in &rows {
            *told.entry((&row.node, &row.outcome)).or_default() += 1;
            assert!(row.attempts == 1 && row.sent.is_some_and(|sent| sent >= row.intended));
        }
        for row in &record.latency {
            *counted.entry((&row.node, &row.outcome)).or_default() += row.count;
        }
        assert_eq!(told, counted);
        assert!(record.events.iter().all(|event| event["event"] != "note"));
        sandbox.netlab(&["down", "omission"]).expect(0);
    });
}
