//! Proof of injection on a real engine: what each fault did was seen, what another one hides is said
//! to be hidden, and what did not take place, or did not come back, makes the run inconclusive.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use support::{Done, Record, Sandbox};

/// How one kind of fault is tried, and how its effect is kept away.
struct Row {
    /// The kind.
    kind: &'static str,
    /// The fault's name, and that of a client of its own.
    name: &'static str,
    /// What it is, but for its time.
    fault: &'static str,
    /// Further nodes that it needs.
    nodes: &'static str,
    /// What is not done, in the words of `src/agent/driver/sabotage.rs`.
    sabotage: &'static str,
    /// The event that tells that it was not.
    told: &'static str,
}

const UNPROVEN: &str = "fault-unproven";
const FAILED: &str = "fault-failed";

const fn row(
    kind: &'static str,
    name: &'static str,
    fault: &'static str,
    sabotage: &'static str,
    told: &'static str,
) -> Row {
    Row {
        kind,
        name,
        fault,
        nodes: "",
        sabotage,
        told,
    }
}

/// At least one row for each kind. Each has nodes of its own, so that all are tried at once.
const ROWS: &[Row] = &[
    row("kill", "lost", "for: 2s, kill: lost", "kill", FAILED),
    row(
        "kill",
        "crash",
        "for: 2s, kill: crash, as: process",
        "kill",
        FAILED,
    ),
    row(
        "stop",
        "halt",
        "for: 2s, stop: halt, grace: 0s",
        "stop",
        FAILED,
    ),
    row("pause", "hang", "for: 2s, pause: hang", "pause", FAILED),
    row(
        "restart",
        "anew",
        "restart: anew, grace: 0s",
        "stop",
        FAILED,
    ),
    row(
        "cut",
        "cut",
        "for: 2s, cut: { between: [cut, server] }",
        "links",
        UNPROVEN,
    ),
    row(
        "flap",
        "weak",
        "for: 2s, flap: { between: [weak, server] }, period: 400ms",
        "links",
        UNPROVEN,
    ),
    row(
        "partition",
        "split",
        "for: 2s, partition: [[split], [server, slow]]",
        "links",
        UNPROVEN,
    ),
    row(
        "degrade",
        "slow",
        "for: 2s, degrade: { between: [slow, server], delay: +50ms }",
        "links",
        UNPROVEN,
    ),
    row(
        "mtu-blackhole",
        "hole",
        "for: 2s, mtu-blackhole: { between: [hole, server] }",
        "links",
        UNPROVEN,
    ),
    Row {
        nodes: "
  busy: { role: server, service: { time: 400ms, workers: 64 } }
  asking: { role: client, load: { target: busy, rate: 20/s, timeout: 2s } }",
        ..row(
            "tcp-reset",
            "reset",
            "tcp-reset: { between: [asking, busy] }",
            "abort",
            FAILED,
        )
    },
    row(
        "dns",
        "names",
        "for: 2s, dns: names, mode: servfail",
        "resolver",
        UNPROVEN,
    ),
];

/// All rows at once, and further nodes and faults.
fn lab(nodes: &str, faults: &str) -> String {
    let client = |row: &Row| {
        let (name, more) = (row.name, row.nodes);
        format!("\n  {name}: {{ role: client, load: *load }}{more}")
    };
    let fault = |row: &Row| format!("\n    {}: {{ at: 1s, {} }}", row.name, row.fault);
    let clients: String = ROWS.iter().map(client).collect();
    let all: String = ROWS.iter().map(fault).collect();
    format!(
        "
name: proof
seed: 3
link: {{ rtt: 4ms }}
nodes:
  server: {{ role: server }}{clients}{nodes}
scenario:
  warmup: 1s
  duration: 6s
  faults:{all}{faults}
"
    )
    .replace("*load", "{ target: server, rate: 20/s, timeout: 200ms }")
}

/// What overlaps: hidden by a lost machine, and on a node that restarts meanwhile.
const OVERLAPPING_NODES: &str = "
  gone: { role: client, load: *load }
  away: { role: client, load: *load }";
const OVERLAPPING: &str = "
    gone:   { at: 1s, for: 4s, kill: gone }
    hidden: { at: 2s, for: 1s, cut: { between: [gone, server] } }
    still:  { at: 2s, for: 1s, pause: gone }
    apart:  { at: 1s, for: 4s, cut: { between: [away, server] } }
    again:  { at: 3s, restart: away, grace: 0s }";

/// Names of the rows that `wanted` accepts.
fn rows(wanted: impl Fn(&Row) -> bool) -> BTreeSet<String> {
    let rows = ROWS.iter().filter(|row| wanted(row));
    rows.map(|row| row.name.to_owned()).collect()
}

fn up(sandbox: &Sandbox, text: &str, sabotage: &str) -> Done {
    let file = sandbox.topology("proof.yaml", text);
    sandbox.netlab_with(&["up", &file], &[("NETLAB_TEST_SABOTAGE", sabotage)])
}

/// The faults of which such an event tells.
fn faults(record: &Record, event: &str) -> BTreeSet<String> {
    let told = record.events.iter().filter(|e| e["event"] == event);
    told.map(|e| e["fault"].as_str().unwrap().to_owned())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_kind_has_a_row() {
    let without: Vec<&str> = netlab::fault::KINDS
        .iter()
        .map(|kind| kind.name)
        .filter(|kind| ROWS.iter().all(|row| row.kind != *kind))
        .collect();
    assert!(
        without.is_empty(),
        "{without:?}: tests/faults_proof.rs has no row that tries and sabotages them"
    );
    for row in ROWS {
        let key = format!("{}: ", row.kind);
        assert!(row.fault.contains(&key), "`{}` is no {key}", row.fault);
    }
}

#[test]
fn every_kind_is_seen_before_while_and_after_it_is_in_force() {
    let Some(sandbox) = Sandbox::new("proof") else {
        return;
    };
    let done = up(&sandbox, &lab(OVERLAPPING_NODES, OVERLAPPING), "");
    let record = sandbox.record("proof");
    let done = done.expect(0);
    let proven = &rows(|_| true) | &set(&["gone", "apart", "again"]);
    assert_eq!(faults(&record, "fault-proven"), proven, "{}", done.stdout);
    assert_eq!(faults(&record, "fault-masked"), set(&["hidden", "still"]));
    let masked = record.events.iter().find(|e| e["event"] == "fault-masked");
    assert_eq!(masked.unwrap()["by"], serde_json::json!(["gone"]));
    for said in ["proven:", "0 passed", "hidden by gone"] {
        assert!(done.stdout.contains(said), "{said}\n{}", done.stdout);
    }
    let summary = std::fs::read_to_string(record.folder.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let told = summary["faults"].as_array().unwrap();
    for fault in told {
        for one in fault["occurrences"].as_array().unwrap() {
            assert!(one["proof"].is_object(), "{fault:#}");
            // What was over at once has no end that could be seen.
            let ends = one["heal"].is_object() || fault["kind"] == "tcp-reset";
            assert!(ends, "{fault:#}");
        }
    }
    let masked = faults(&record, "heal-masked");
    assert_eq!(masked, set(&["hidden", "still"]));
}

#[test]
fn what_is_not_done_is_noticed() {
    let Some(sandbox) = Sandbox::new("sabotage") else {
        return;
    };
    let words: BTreeSet<&str> = ROWS.iter().map(|row| row.sabotage).collect();
    let words = words.into_iter().collect::<Vec<_>>().join(",");
    let done = up(&sandbox, &lab("", ""), &words).expect(3);
    let record = sandbox.record("proof");
    for event in [UNPROVEN, FAILED] {
        let wanted = rows(|row| row.told == event);
        assert_eq!(faults(&record, event), wanted, "{event}\n{}", done.stdout);
    }
    assert!(faults(&record, "fault-proven").is_empty());
    let summary = std::fs::read_to_string(record.folder.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let reasons = summary["reasons"].to_string();
    for Row { name, .. } in ROWS {
        assert!(reasons.contains(&format!("`{name}`")), "{name}: {reasons}");
    }
    sandbox.netlab(&["down"]).expect(0);

    // What does not come back is noticed as well, by its name, and of each fault.
    up(&sandbox, &lab("", ""), "heal").expect(3);
    let record = sandbox.record("proof");
    let told = record.events.iter().find(|e| e["event"] == "not-restored");
    let what = told.unwrap()["what"].to_string();
    assert!(what.contains("` is down"), "{what}");
    let remains = rows(|row| ["links", "resolver"].contains(&row.sabotage));
    let machine = set(&["lost"]);
    assert_eq!(faults(&record, "heal-unproven"), &remains | &machine);
    // One that is to go up meanwhile stays down, which its proof notices.
    let proven = rows(|row| row.kind != "flap");
    assert!(faults(&record, "fault-proven").is_superset(&proven));
}
