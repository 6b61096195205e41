//! Proof of injection on a real engine: what each fault did was seen, what another one hides is said
//! to be hidden, and what did not take place, or did not come back, makes the run inconclusive.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use support::{Done, Record, Sandbox};

/// One fault of each family, one after the other.
const LAB: &str = "
name: proof
seed: 3
link: { rtt: 4ms }
nodes:
  server: { role: server }
  client: { role: client, count: 2, load: { target: server, rate: 50/s, timeout: 200ms } }
scenario:
  warmup: 1s
  duration: 19s
  faults:
    cut:    { at: 1s, for: 1s, cut: { between: [client-1, server] } }
    split:  { at: 3s, for: 1s, partition: [[client-2], [server, client-1]] }
    slow:   { at: 5s, for: 1s, degrade: { between: [client-1, server], delay: +50ms } }
    names:  { at: 5s, for: 1s, dns: client-2, mode: servfail }
    weak:   { at: 7s, for: 1s, flap: { between: [client-2, server] }, period: 400ms }
    hang:   { at: 7s, for: 1s, pause: client-1 }
    crash:  { at: 9s, for: 1s, kill: client-2, as: process }
    halt:   { at: 11s, for: 1s, stop: client-1, grace: 0s }
    lost:   { at: 13s, for: 3s, kill: client-2 }
";

/// What overlaps: hidden by a lost machine, and on a node that restarts meanwhile.
const OVERLAPPING: &str = "
    hidden: { at: 14s, for: 1s, cut: { between: [client-2, server] } }
    still:  { at: 14s, for: 1s, pause: client-2 }
    apart:  { at: 13s, for: 4s, cut: { between: [client-1, server] } }
    again:  { at: 15s, restart: client-1, grace: 0s }
";

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
fn every_kind_is_seen_before_while_and_after_it_is_in_force() {
    let Some(sandbox) = Sandbox::new("proof") else {
        return;
    };
    let done = up(&sandbox, &format!("{LAB}{OVERLAPPING}"), "");
    let record = sandbox.record("proof");
    let done = done.expect(0);
    let proven = [
        "again", "apart", "crash", "cut", "halt", "hang", "lost", "names", "slow", "split", "weak",
    ];
    assert_eq!(
        faults(&record, "fault-proven"),
        set(&proven),
        "{}",
        done.stdout
    );
    assert_eq!(faults(&record, "fault-masked"), set(&["hidden", "still"]));
    let masked = record.events.iter().find(|e| e["event"] == "fault-masked");
    assert_eq!(masked.unwrap()["by"], serde_json::json!(["lost"]));
    for said in ["proven:", "0 passed", "hidden by lost"] {
        assert!(done.stdout.contains(said), "{said}\n{}", done.stdout);
    }
    let summary = std::fs::read_to_string(record.folder.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let told = summary["faults"].as_array().unwrap();
    assert!(
        told.iter()
            .flat_map(|fault| fault["occurrences"].as_array().unwrap())
            .all(|one| one["proof"].is_object()),
        "{told:#?}"
    );
}

#[test]
fn what_is_not_done_is_noticed() {
    let Some(sandbox) = Sandbox::new("sabotage") else {
        return;
    };
    let done = up(&sandbox, LAB, "links,resolver,kill,stop,pause").expect(3);
    let record = sandbox.record("proof");
    let unproven = faults(&record, "fault-unproven");
    assert_eq!(
        unproven,
        set(&["cut", "names", "split", "slow", "weak"]),
        "{}",
        done.stdout
    );
    let failed = faults(&record, "fault-failed");
    assert_eq!(failed, set(&["hang", "crash", "halt", "lost"]));
    assert!(faults(&record, "fault-proven").is_empty());
    let summary = std::fs::read_to_string(record.folder.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let reasons = summary["reasons"].to_string();
    for fault in [
        "cut", "split", "slow", "names", "weak", "hang", "crash", "halt", "lost",
    ] {
        assert!(
            reasons.contains(&format!("`{fault}`")),
            "{fault}: {reasons}"
        );
    }
    sandbox.netlab(&["down"]).expect(0);

    // What does not come back is noticed as well, by its name.
    let short = LAB.split("    split:").next().unwrap().replace("19s", "4s");
    up(&sandbox, &short, "heal").expect(3);
    let record = sandbox.record("proof");
    let told = record.events.iter().find(|e| e["event"] == "not-restored");
    let what = told.unwrap()["what"].to_string();
    for link in ["client-1 → server", "server → client-1"] {
        assert!(what.contains(&format!("`{link}` is down")), "{what}");
    }
    assert_eq!(faults(&record, "fault-proven"), set(&["cut"]));
}
