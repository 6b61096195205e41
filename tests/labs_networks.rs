//! Labs of several networks, and of shapes, on the real engine.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::process::Command;
use support::{SECOND, Sandbox, docker, steady, success};

/// What `ping` says about one request, sent in the network of a container and with its resolver.
fn ping(sandbox: &Sandbox, container: &str, options: &str, target: &str) -> String {
    let pid = sandbox.pid(container);
    let names = sandbox.runs.path().join("resolv.conf");
    fs::copy(format!("/proc/{pid}/root/etc/resolv.conf"), &names).unwrap();
    let bind = format!("mount --bind {} /etc/resolv.conf", names.display());
    let script = format!("{bind} && ping -c 1 -W 15 {options} {target}");
    let output = Command::new("nsenter")
        .args([
            "-t",
            &pid.to_string(),
            "-n",
            "unshare",
            "-m",
            "sh",
            "-c",
            &script,
        ])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).to_lowercase()
}

/// The round trip in milliseconds.
#[track_caller]
fn round_trip(said: &str) -> f64 {
    let time = said.split("time=").nth(1);
    let number = time.and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no answer: {said}"))
}

const ROUTED: &str = "
name: routed
networks:
  left: { link: { delay: 2ms } }
  right: { link: { delay: 3ms } }
nodes:
  server: { role: server, networks: right }
  router: { role: server, networks: [left, right], forward: true }
  client:
    { role: client, count: 1, networks: left, load: { target: server, rate: 50/s, timeout: 500ms } }
scenario:
  warmup: 1s
  duration: 12s
  faults:
    router-loss: { at: 2s, for: 4s, kill: router }
";

/// A client reaches a server of another network by its name, not while the router is lost, and
/// again when it is back.
#[test]
fn a_router_joins_two_networks_until_it_is_lost() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("routed") else {
            return;
        };
        let file = sandbox.topology("routed.yaml", ROUTED);
        sandbox.netlab(&["up", &file]).expect(0);
        let record = sandbox.record("routed");
        let began = record.time("fault-began", Some("router-loss"));
        let heal = record.time("heal-started", Some("router-loss"));
        let healed = record.time("fault-healed", Some("router-loss"));
        let end = record.time("run-ended", None);
        let second = support::SECOND;
        let before = record.outcomes(0, began, |_| true);
        let (share, all) = success(&before);
        assert!(all >= 50 && share >= 0.99, "{share} of {before:?}");
        let lost = record.outcomes(began + second / 10, heal, |_| true);
        let (share, all) = success(&lost);
        assert!(all >= 50 && share == 0.0, "{share} of {lost:?}");
        let back = record.outcomes(healed + second, end - second, |_| true);
        let (share, all) = success(&back);
        assert!(all >= 50 && share >= 0.99, "{share} of {back:?}");
        // By name over both families: there and back over two links of 2 and 3 ms.
        for family in ["-4", "-6"] {
            for (from, to) in [("client-1", "server"), ("server", "client-1")] {
                let said = ping(&sandbox, &format!("netlab-routed.{from}"), family, to);
                assert!(round_trip(&said) >= 10.0, "{family} {from} {to}: {said}");
            }
        }
        let said = ping(&sandbox, "netlab-routed.client-1", "-4 -t 1", "server");
        assert!(said.contains("exceeded"), "the router is a hop: {said}");
    });
}

const LINE: &str = "
name: hops
shape: line
link: { delay: 4ms }
nodes:
  node: { role: server, count: 4 }
links:
  - { between: [node-2, node-3], delay: 9ms }
";

/// Four nodes in a line: their hops can be seen, and 4 + 9 + 4 ms add up in both directions.
#[test]
fn a_line_shows_its_hops_and_adds_its_delays() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("hops") else {
            return;
        };
        let file = sandbox.topology("hops.yaml", LINE);
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let first = "netlab-hops.node-1";
        for family in ["-4", "-6"] {
            let said = ping(&sandbox, first, family, "node-4");
            assert!(round_trip(&said) >= 34.0, "{family}: {said}");
            for (ttl, hop) in [(1, "node-2"), (2, "node-3")] {
                let options = format!("{family} -t {ttl}");
                let said = ping(&sandbox, first, &options, "node-4");
                let shown = said.contains(&format!("from {hop}")) && said.contains("exceeded");
                assert!(shown, "{options}: {said}");
            }
        }
        // A hop that is off passes nothing on.
        docker(&["kill", "netlab-hops.node-2"]);
        let said = ping(&sandbox, first, "-4 -W 2", "10.77.0.5");
        assert!(said.contains("100% packet loss"), "{said}");
    });
}

/// The shipped lab of two networks: the router's loss costs everybody everything, a cut of one client's
/// link to it costs that client everything and the others nothing.
#[test]
fn the_shipped_lab_shows_what_hangs_on_its_router() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("routed") else {
            return;
        };
        sandbox.netlab(&["up", "topologies/routed.yaml"]).expect(0);
        let record = sandbox.record("routed");
        let during = |fault: &str, wanted: fn(&support::Latency) -> bool| {
            let began = record.time("fault-began", Some(fault));
            let heal = record.time("heal-started", Some(fault));
            let (share, all) = success(&record.outcomes(began + SECOND / 10, heal, wanted));
            assert!(all >= 80, "{fault}: {all}");
            share
        };
        assert!(during("router-lost", |_| true) <= 0.01);
        assert!(during("one-off", |row| row.node == "client-1") <= 0.01);
        assert!(during("one-off", |row| row.node != "client-1") >= 0.99);
    });
}
