//! Healing that cannot be forgotten, on a real engine: neither the death of who watches nor that of the
//! agent keeps a fault in force beyond its time, and the end of the scenario heals what has none.

#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::time::Duration;
use support::{Record, SECOND, Sandbox, docker, eventually};

const LAB: &str = "
name: heal
nodes:
  server: { role: server }
  client: { role: client, count: 5, load: { target: server, rate: 20/s, timeout: 200ms } }
scenario:
  warmup: 1s
  duration: 18s
  faults:
    lost:  { at: 1s, for: 11s, kill: client-1 }
    hang:  { at: 1s, for: 11s, pause: client-2 }
    cut:   { at: 1s, for: 11s, cut: { between: [client-3, server] } }
    names: { at: 1s, for: 11s, dns: client-4, mode: servfail }
    tight: { at: 1s, for: 11s, throttle: client-5, cpu: 50% }
    open:  { at: 14s, degrade: { between: [client-4, server], delay: +20ms } }
";

const IN_FORCE: [&str; 5] = ["lost", "hang", "cut", "names", "tight"];

fn state(node: &str) -> String {
    let container = format!("netlab-heal.{node}");
    docker(&["inspect", "--format", "{{.State.Status}}", &container])
}

fn summary(record: &Record) -> Value {
    let text = std::fs::read_to_string(record.folder.join("summary.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Both the terminal and the agent are killed while five faults are in force. The engine brings the agent
/// back, which reads its journal: what was in force is again, and heals when it was to.
#[test]
fn faults_heal_on_time_whoever_was_killed() {
    let Some(sandbox) = Sandbox::new("heal") else {
        return;
    };
    let file = sandbox.topology("heal.yaml", LAB);
    let up = sandbox.start(&["up", &file]);
    eventually("all are in effect", Duration::from_secs(90), || {
        let told = up.stderr();
        IN_FORCE
            .iter()
            .all(|fault| told.contains(&format!("fault {fault} in effect")))
    });
    up.signal(Signal::SIGKILL as i32);
    let agent = sandbox.pid("netlab-heal.agent");
    kill(Pid::from_raw(agent), Signal::SIGKILL).unwrap();
    eventually("the agent is back", Duration::from_secs(30), || {
        let pid = sandbox.pid("netlab-heal.agent");
        pid > 0 && pid != agent
    });
    let done = sandbox.netlab(&["wait", "heal"]).expect(3);
    assert!(done.stdout.contains("inconclusive"), "{}", done.stdout);
    for node in [
        "server", "client-1", "client-2", "client-3", "client-4", "client-5",
    ] {
        assert_eq!(state(node), "running", "{node}");
    }

    let record = sandbox.record("heal");
    let resumed = record.time("agent-resumed", None);
    for fault in IN_FORCE {
        let heal = record.of("heal-started", fault);
        let (due, at) = (heal["due"].as_i64().unwrap(), heal["t"].as_i64().unwrap());
        assert_eq!(due, 13 * SECOND, "{fault}: of warm-up, begin and length");
        assert!(at >= due && at < due + 3 * SECOND, "{fault}: {heal}");
        assert!(resumed < at, "{fault} was healed by who came back");
        assert!(record.time("fault-healed", Some(fault)) >= at);
        // Nobody saw it all the time; that it is gone was seen.
        record.of("fault-unproven", fault);
        record.of("heal-proven", fault);
    }
    // The scenario's end heals what has no time of its own.
    let heal = record.time("heal-started", Some("open"));
    assert!(heal >= 19 * SECOND, "{heal}");
    record.of("heal-proven", "open");
    let others = ["not-restored", "heal-unproven", "fault-failed"];
    let wrong = |e: &&Value| others.iter().any(|other| e["event"] == **other);
    assert!(
        !record.events.iter().any(|e| wrong(&e)),
        "{:#?}",
        record.events
    );
    let reasons = summary(&record)["reasons"].to_string();
    assert!(
        reasons.contains("the agent died and came back"),
        "{reasons}"
    );
    sandbox.netlab(&["down", "heal"]).expect(0);
}
