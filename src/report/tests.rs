//! Tests of the report: exact numbers from a synthetic record, and the text that shows them.

use super::*;
use crate::id::{Name, NodeIndex};
use crate::lab::{Lab, Node, Program};
use crate::record::event::{Event, Verdict, What};
use crate::record::{LatencyRow, Run};
use netlab_protocol::latency::{Op, Outcome, SLOT_NS, bucket};
use std::collections::BTreeMap;

const MS: i64 = 1_000_000;
const S: i64 = 1_000 * MS;

/// A lab of these nodes, by name and role.
fn lab(name: &str, nodes: &[(&str, &str)]) -> Lab {
    Lab {
        format: crate::lab::FORMAT,
        name: Name::new(name).unwrap(),
        seed: 7,
        sampling: crate::lab::SAMPLING,
        traces: Vec::new(),
        checks: Vec::new(),
        networks: vec![crate::lab::Network::implicit(crate::lab::Links {
            default: crate::link::LinkProperties::default(),
            others: Vec::new(),
        })],
        nodes: nodes.iter().map(node).collect(),
        groups: BTreeMap::new(),
        scenario: None,
    }
}

/// What a role is made of does not matter here, only its word.
fn node((name, role): &(&str, &str)) -> Node {
    let load = serde_json::json!({
        "arrivals": { "open": { "rate": 1.0, "in_flight": 1 } }, "timeout": "1s", "writes": 0.0,
        "keys": 1, "value_bytes": 1, "retries": 0, "path": null,
    });
    let service = serde_json::json!({ "time": "0s", "workers": 1, "queue": 1 });
    let role = match *role {
        "peer" => serde_json::json!({ "peer": {
            "port": 80, "service": service, "data": "memory", "index": 0, "peers": [],
            "next_hop": [], "load": load,
        }}),
        "client" => serde_json::json!({ "client": { "targets": [], "load": load } }),
        _ => serde_json::json!({ "server": {
            "port": 80, "service": service, "data": "memory", "files": [],
        }}),
    };
    Node {
        name: Name::new(*name).unwrap(),
        group: Name::new(*name).unwrap(),
        labels: Vec::new(),
        interfaces: vec![crate::lab::Interface {
            network: crate::id::NetworkIndex(0),
            addresses: crate::lab::LAB_SUBNET.host(1),
            fixed: false,
        }],
        forward: false,
        uplink: None,
        downlink: None,
        ports: Vec::new(),
        volume: None,
        program: Program::Role(serde_json::from_value(role).unwrap()),
    }
}

fn record(lab: Lab, events: Vec<Event>, latency: Vec<LatencyRow>) -> Run {
    Run {
        id: "20261122T211500Z-7".into(),
        dir: "runs".into(),
        lab,
        timeline: None,
        events,
        latency,
        samples: Vec::new(),
        links: Vec::new(),
        agent: None,
    }
}

fn event(t: i64, what: What) -> Event {
    Event { t, what }
}

fn started(warmup: i64, end: i64) -> Event {
    event(
        0,
        What::RunStarted {
            run: "20261122T211500Z-7".into(),
            seed: 7,
            warmup,
            end: Some(end),
        },
    )
}

/// `slow #2` is the second occurrence of `slow`.
fn id(label: &str) -> (String, u32) {
    let (name, number) = label.split_once(" #").unwrap_or((label, "1"));
    (name.into(), number.parse().unwrap())
}

fn began(t: i64, fault: &str, kind: &str, target: &str, due: i64) -> Event {
    let (fault, occurrence) = id(fault);
    event(
        t,
        What::FaultBegan {
            fault,
            occurrence,
            kind: kind.into(),
            target: target.into(),
            due,
            requested: due + MS,
            held: Vec::new(),
        },
    )
}

fn healing(t: i64, fault: &str, due: i64) -> Event {
    let (fault, occurrence) = id(fault);
    let started = What::HealStarted {
        fault,
        occurrence,
        due,
    };
    event(t, started)
}

fn healed(t: i64, fault: &str) -> Event {
    let (fault, occurrence) = id(fault);
    event(t, What::FaultHealed { fault, occurrence })
}

fn ended(t: i64, verdict: Verdict, reasons: &[&str]) -> Event {
    let reasons = reasons.iter().map(|r| (*r).to_owned()).collect();
    event(t, What::RunEnded { verdict, reasons })
}

/// `per_slot` equal requests in every slot of `slots`.
fn load(
    node: u32,
    slots: std::ops::Range<i64>,
    (op, outcome, us): (Op, Outcome, u64),
    per_slot: u64,
) -> Vec<LatencyRow> {
    let row = |slot| LatencyRow {
        t: slot * SLOT_NS as i64,
        node: NodeIndex(node),
        op,
        outcome,
        le_us: bucket(us),
        count: per_slot,
    };
    slots.map(row).collect()
}

fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/report/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("NETLAB_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "NETLAB_BLESS=1 writes {path} anew");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line}");
    }
}

/// One client, 16 requests a slot, the server lost from 10 s to 15 s after a warm-up of 5 s.
pub(in crate::report) fn server_loss() -> Run {
    let lab = lab(
        "client-server",
        &[("client-1", "client"), ("server", "server")],
    );
    let events = vec![
        started(5 * S, 35 * S),
        event(5 * S, What::WarmupEnded),
        began(15 * S + 38 * MS, "server-loss", "kill", "server", 15 * S),
        healing(20 * S + 2 * MS, "server-loss", 20 * S),
        healed(20 * S + 412 * MS, "server-loss"),
        ended(35 * S, Verdict::Passed, &[]),
    ];
    let mut latency = load(0, 0..150, (Op::Read, Outcome::Ok, 12_100), 15);
    latency.extend(load(0, 0..150, (Op::Write, Outcome::Ok, 14_900), 1));
    latency.extend(load(
        0,
        150..204,
        (Op::Read, Outcome::Timeout, 1_000_000),
        15,
    ));
    latency.extend(load(0, 150..204, (Op::Write, Outcome::Refused, 900), 1));
    latency.extend(load(0, 204..350, (Op::Read, Outcome::Ok, 12_100), 16));
    latency.extend(load(0, 210..212, (Op::Read, Outcome::Busy, 12_100), 1));
    record(lab, events, latency)
}

#[test]
fn the_loss_of_a_server_in_numbers() {
    let summary = Summary::new(&server_loss());
    let windows = &summary.faults[0].roles[0].windows;
    // Before: slots 50..150. During: 15.038 s … 20.002 s holds slots 151..200. After: from
    // 20.412 s holds slots 205..350; two requests of them found the queue full.
    let counts: Vec<_> = windows
        .iter()
        .map(|w| (w.slots, w.requests, w.succeeded))
        .collect();
    assert_eq!(counts, [(100, 1600, 1600), (49, 784, 0), (145, 2322, 2320)]);
    assert_eq!(windows[0].p50_us, Some(bucket(12_100)));
    assert_eq!(windows[0].p99_us, Some(bucket(14_900)));
    assert_eq!(windows[0].answers_per_second, Some(160.0));
    assert_eq!(windows[1].outcomes[&Outcome::Timeout], 735);
    assert_eq!(
        (windows[1].p50_us, windows[1].answers_per_second),
        (None, Some(0.0))
    );
    golden("server-loss", &text(&summary, Palette::PLAIN));
    let json = serde_json::to_string_pretty(&summary).unwrap() + "\n";
    let back: Summary = serde_json::from_str(&json).unwrap();
    assert_eq!(back, summary);
}

#[test]
fn peers_answer_their_own_keys_without_the_network() {
    let lab = lab("mesh", &[("peer-1", "peer"), ("peer-2", "peer")]);
    let events = vec![
        started(0, 4 * S),
        began(S + 20 * MS, "loss", "kill", "peer-2", S),
        healing(2 * S, "loss", 2 * S),
        healed(2 * S + 300 * MS, "loss"),
        ended(4 * S, Verdict::Passed, &[]),
    ];
    let mut latency = load(0, 0..40, (Op::LocalRead, Outcome::Ok, 30), 10);
    latency.extend(load(0, 0..10, (Op::Read, Outcome::Missing, 10_200), 10));
    latency.extend(load(0, 10..20, (Op::Read, Outcome::Timeout, 1_000_000), 9));
    latency.extend(load(0, 10..20, (Op::Read, Outcome::Dropped, 0), 1));
    latency.extend(load(0, 20..40, (Op::Read, Outcome::Ok, 10_200), 10));
    let summary = Summary::new(&record(lab, events, latency));
    let during = &summary.faults[0].roles[0].windows[1];
    assert_eq!(
        (during.requests, during.succeeded, during.local),
        (180, 90, 90)
    );
    golden("mesh", &text(&summary, Palette::PLAIN));
}

/// Three seconds without a fault, of which the last goes wrong.
pub(in crate::report) fn quiet() -> Run {
    let lab = lab("quiet", &[("client-1", "client")]);
    let mut latency = load(0, 0..20, (Op::Read, Outcome::Ok, 900), 2);
    latency.extend(load(0, 20..30, (Op::Read, Outcome::Error, 900), 2));
    let events = vec![started(0, 3 * S), ended(3 * S, Verdict::Passed, &[])];
    record(lab, events, latency)
}

#[test]
fn a_run_without_faults_and_one_without_end() {
    let mut events = quiet().events;
    let summary = |events: &[Event]| {
        let record = Run {
            events: events.to_vec(),
            ..quiet()
        };
        text(&Summary::new(&record), Palette::PLAIN)
    };
    golden("quiet", &summary(&events));
    events.pop();
    let from = 2 * S + 100 * MS;
    events.push(event(2 * S + 900 * MS, What::AgentResumed { from }));
    golden("unfinished", &summary(&events));
}

#[test]
fn overlapping_faults_are_no_baseline_for_each_other() {
    let lab = lab("two", &[("client-1", "client"), ("server", "server")]);
    let events = vec![
        started(0, 10 * S),
        began(2 * S, "slow", "pause", "server", 2 * S),
        began(3 * S, "split", "partition", "client-1 | server", 3 * S),
        healing(4 * S, "slow", 4 * S),
        healed(4 * S, "slow"),
        healing(6 * S, "split", 6 * S),
        healed(6 * S, "split"),
        ended(
            10 * S,
            Verdict::Inconclusive,
            &[
                "the host was busy: 3 s without an idle core, so that no latency of this run means anything",
            ],
        ),
    ];
    let latency = load(0, 0..100, (Op::Read, Outcome::Ok, 900), 1);
    let summary = Summary::new(&record(lab, events, latency));
    let slots = |fault: usize| -> Vec<usize> {
        let windows = summary.faults[fault].roles[0].windows.iter();
        windows.map(|w| w.slots).collect()
    };
    // `slow` heals while `split` is in effect, so its `after` begins at 6 s only.
    assert_eq!(slots(0), [20, 20, 40]);
    assert_eq!(slots(1), [20, 30, 40]);
    golden("two-faults", &text(&summary, Palette::PLAIN));
}

#[test]
fn a_repeated_fault_is_one_fault_with_several_occurrences() {
    let lab = lab("churn", &[("client-1", "client"), ("server", "server")]);
    let mut events = vec![started(0, 40 * S)];
    for number in 1..=10 {
        let (at, label) = (number * 3 * S, format!("flaky #{number}"));
        events.extend([
            began(at + 40 * MS, &label, "kill", &format!("peer-{number}"), at),
            healing(at + S, &label, at + S),
            healed(at + S + 300 * MS, &label),
        ]);
    }
    // Two occurrences at once, and one that does not heal.
    events.insert(
        5,
        began(6 * S + 500 * MS, "flaky #11", "kill", "peer-11", 6 * S),
    );
    let latency = load(0, 0..400, (Op::Read, Outcome::Ok, 900), 1);
    let summary = Summary::new(&record(lab.clone(), events.clone(), latency.clone()));
    assert_eq!(summary.faults.len(), 1);
    let numbers: Vec<u32> = (summary.faults[0].occurrences.iter())
        .map(|once| once.times.occurrence)
        .collect();
    assert_eq!(numbers, [1, 2, 11, 3, 4, 5, 6, 7, 8, 9, 10]);
    golden("repeated", &text(&summary, Palette::PLAIN));

    // Without it: `during` is the union of the ten, `after` what lies between them.
    events.remove(5);
    events.push(ended(40 * S, Verdict::Passed, &[]));
    let summary = Summary::new(&record(lab, events, latency));
    let windows = summary.faults[0].roles[0].windows.iter();
    let slots: Vec<usize> = windows.map(|w| w.slots).collect();
    // During: 3.04 s … 4 s holds 9 slots. After: 4.3 s … 6 s holds 17, the last 31.3 s … 40 s 87.
    assert_eq!(slots, [30, 10 * 9, 9 * 17 + 87]);
}

#[test]
fn colours_change_nothing_but_colour() {
    let summary = Summary::new(&server_loss());
    let coloured = text(&summary, Palette { coloured: true });
    assert!(coloured.contains("\u{1b}["));
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, text(&summary, Palette::PLAIN));
}
