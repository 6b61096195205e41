//! Tests of the live view: what people see at each moment, at 80 and 120 columns.

use super::*;
use crate::record::stream::ProgressCount;
use netlab_protocol::latency::{Op, Outcome};

const S: i64 = 1_000_000_000;

fn event(t: i64, what: What) -> Event {
    Event { t, what }
}

fn count(outcome: Outcome, count: u64) -> ProgressCount {
    ProgressCount {
        role: "client".into(),
        op: Op::Read,
        outcome,
        count,
        p50_us: 12_100,
        p99_us: 23_000,
    }
}

fn second(t: i64, requests: Vec<ProgressCount>) -> Second {
    Second {
        t,
        requests,
        faults: Vec::new(),
        down: Vec::new(),
    }
}

fn playing() -> View {
    let mut view = View::new("client-server");
    let started = What::RunStarted {
        run: "20261122T211500Z-7".into(),
        seed: 7,
        warmup: 5 * S,
        end: Some(35 * S),
    };
    view.event(&event(0, started));
    view
}

fn drawn(view: &View, width: usize) -> Vec<String> {
    let lines = view.lines(Duration::ZERO, width);
    let lines: Vec<String> = lines
        .iter()
        .map(|l| l.render(width - 1, Palette::PLAIN))
        .collect();
    assert!(
        lines.iter().all(|line| line.chars().count() < width),
        "{lines:#?}"
    );
    lines
}

#[test]
fn a_second_of_warm_up() {
    let mut view = playing();
    view.second(&second(S, vec![count(Outcome::Ok, 160)]));
    assert_eq!(
        drawn(&view, 80),
        [
            "client-server  warming up  ━──────────────────────────────────     1.0 of 5.0 s",
            "  no fault in effect",
            "               rate  success       p50       p99  last 11 s    failed",
            "  client      160/s  100.0 %   12.1 ms   23.0 ms            █",
        ]
    );
}

#[test]
fn a_lost_server() {
    let mut view = playing();
    let began = What::FaultBegan {
        fault: "server-loss".into(),
        occurrence: 1,
        kind: "kill".into(),
        target: "server".into(),
        due: 15 * S,
        requested: 15 * S,
        held: Vec::new(),
    };
    let told = view.event(&event(15 * S + S / 25, began)).unwrap();
    assert_eq!(
        told.render(80, Palette::PLAIN),
        "   10.04 s  fault server-loss in effect: kill server"
    );
    view.second(&second(16 * S, Vec::new()));
    let mut lost = second(
        17 * S,
        vec![count(Outcome::Timeout, 158), count(Outcome::Refused, 2)],
    );
    lost.faults.push("server-loss".into());
    lost.down.push("server".into());
    view.second(&lost);
    for (width, bar) in [(80, 35), (120, 75)] {
        let lines = drawn(&view, width);
        assert_eq!(lines[0].matches(['━', '─']).count(), bar);
        assert!(lines[0].ends_with("   12.0 of 30.0 s"), "{}", lines[0]);
        assert_eq!(
            lines[1],
            "  in effect: server-loss (kill server)   down: server"
        );
        let role = "  client      160/s    0.0 %         –         –  ";
        assert!(lines[3].starts_with(role), "{}", lines[3]);
        assert!(lines[3].ends_with(" ▁  timeout 158, re…"), "{}", lines[3]);
    }
    assert_eq!(
        view.plain(),
        "   12.00 s  client 160/s, success 0.0 %, p50 –, p99 –, timeout 158, refused 2; down: server"
    );
}

/// The bar shows where faults are planned, and the line below which is next and how long one lasts.
#[test]
fn planned_faults_are_seen_before_they_come() {
    let text = "name: t
nodes: { server: { role: server }, client: { role: client, load: { target: server, rate: 1/s } } }
scenario: { warmup: 5s, duration: 30s, faults: { server-loss: { at: 10s, for: 10s, kill: server } } }
";
    let source = crate::spec::Source {
        name: "-".into(),
        text: text.into(),
    };
    let loaded = crate::lab::load(&source, &crate::spec::LoadOptions::default()).unwrap();
    let mut view = playing();
    view.expect(&loaded.lab.scenario.unwrap());
    let lines = drawn(&view, 80);
    let bar = "─".repeat(15) + &"╌".repeat(10) + &"─".repeat(10);
    assert!(lines[0].contains(&bar), "{}", lines[0]);
    assert_eq!(lines[1], "  no fault in effect; server-loss in 15 s");
    let mut during = second(18 * S, Vec::new());
    during.faults.push("server-loss".into());
    view.second(&during);
    let lines = drawn(&view, 80);
    let bar = "━".repeat(18) + &"╌".repeat(7) + &"─".repeat(10);
    assert!(lines[0].contains(&bar), "{}", lines[0]);
    assert_eq!(lines[1], "  in effect: server-loss, 7 s left");
}

/// A short history of what share succeeded, second by second.
#[test]
fn history_is_drawn_second_by_second() {
    let mut view = playing();
    for (at, ok, failed) in [(1, 100, 0), (2, 50, 50), (3, 0, 0), (4, 0, 10), (5, 99, 1)] {
        let rows = vec![count(Outcome::Ok, ok), count(Outcome::Timeout, failed)];
        view.second(&second(at * S, rows));
    }
    let lines = drawn(&view, 80);
    assert!(lines[3].contains("      █▄ ▁▇"), "{}", lines[3]);
}

#[test]
fn narrow_terminals_and_long_names_fit() {
    let mut view = View::new(&"x".repeat(63));
    view.stage = Stage::Playing;
    view.end = Some(S);
    view.second(&second(S, vec![count(Outcome::Timeout, 158)]));
    drawn(&view, 20);
    drawn(&view, 40);
}
