//! Proof of injection on a real engine: what each fault did was seen, what another one hides is said
//! to be hidden, and what did not take place, or did not come back, makes the run inconclusive.

#![allow(clippy::unwrap_used)]

#[path = "support/kinds.rs"]
mod kinds;
mod support;

use kinds::{FAILED, ROWS, Row, UNPROVEN};
use serde_json::Value;
use std::collections::BTreeSet;
use support::{Done, Record, Sandbox};

/// All rows at once, and further nodes and faults.
fn lab(nodes: &str, faults: &str) -> String {
    let clients = kinds::nodes() + &nodes.replace("*load", kinds::LOAD);
    let all = kinds::faults(|_| "at: 1s".to_owned());
    format!(
        "
name: proof
seed: 3
link: {{ rtt: 4ms }}
nodes:{clients}
scenario:
  warmup: 1s
  duration: 6s
  faults:{all}{faults}
"
    )
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
        "{without:?}: tests/support/kinds.rs has no row that tries and sabotages them"
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
    let machine = set(&["lost", "blank"]);
    assert_eq!(faults(&record, "heal-unproven"), &remains | &machine);
    // One that is to go up meanwhile stays down, which its proof notices.
    let proven = rows(|row| row.kind != "flap");
    assert!(faults(&record, "fault-proven").is_superset(&proven));
}
