//! Every function of the table: a check of it that passes, one that fails, one that is inconclusive.

use super::*;
use crate::expr::FUNCTIONS;
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::metrics::{LatencyRow, LinkMetric, LinkSample, SampleRow};
use crate::spec::{LoadOptions, Source};
use netlab_protocol::latency::{Op, Outcome, SLOT_NS};

const MS: i64 = 1_000_000;
const S: i64 = 1_000 * MS;

/// Two clients (nodes 1 and 2) of a server (node 0), with these checks.
fn lab(checks: &[(&str, &str)]) -> Lab {
    let checks = checks.iter();
    let checks: String = checks.map(|(n, e)| format!("  {n}: '{e}'\n")).collect();
    let text = format!(
        "name: t
nodes:
  server: {{ role: server }}
  client: {{ role: client, count: 2, load: {{ target: server, rate: 10/s }} }}
scenario:
  warmup: 2s
  duration: 20s
  faults:
    loss: {{ at: 5s, for: 5s, kill: server }}
    never: {{ at: 19s, for: 1s, pause: server }}
checks:
{checks}"
    );
    let name = "t.yaml".to_owned();
    let loaded = crate::lab::load(&Source { name, text }, &LoadOptions::default());
    loaded.unwrap_or_else(|errors| panic!("{errors}")).lab
}

/// The server is lost from 7 s to 12 s of the run (5 s to 10 s of the scenario), back at 13 s.
fn loss() -> FaultTimes {
    FaultTimes {
        occurrence: 1,
        name: "loss".into(),
        kind: "kill".into(),
        target: "server".into(),
        due: 7 * S,
        requested: 7 * S,
        began: 7 * S,
        heal_due: Some(12 * S),
        heal_started: Some(12 * S),
        healed: Some(13 * S),
        held: Vec::new(),
    }
}

fn row(slot: i64, node: u32, outcome: Outcome, us: u64, count: u64) -> LatencyRow {
    LatencyRow {
        t: slot * SLOT_NS as i64,
        node: NodeIndex(node),
        op: if node == 1 { Op::Read } else { Op::Write },
        outcome,
        le_us: us,
        count,
    }
}

/// Client 1 reads and client 2 writes, 10 requests in each slot; the loss costs all of them until 1 s
/// after the begin of the heal. Reads take 10 ms, writes 20 ms.
fn latency() -> Vec<LatencyRow> {
    let slots = (0..220).flat_map(|slot| {
        let lost = (70..130).contains(&slot);
        let outcome = if lost { Outcome::Timeout } else { Outcome::Ok };
        [
            row(slot, 1, outcome, 10_000, 10),
            row(slot, 2, outcome, 20_000, 10),
        ]
    });
    slots.collect()
}

fn sample(t: i64, node: u32, metric: &str, value: f64) -> SampleRow {
    SampleRow {
        t,
        node: Some(NodeIndex(node)),
        metric: metric.into(),
        labels: String::new(),
        value,
    }
}

/// A sample of each metric every second.
fn samples() -> Vec<SampleRow> {
    let each = (0..=22).flat_map(|second| {
        let (t, n) = (second * S, second as f64);
        // The server's counters begin anew after its loss.
        let served = if second < 13 {
            200.0 * n
        } else {
            200.0 * (n - 13.0)
        };
        let lost = if second < 14 { 0.0 } else { 3.0 };
        [
            sample(t, 0, "queue_length", n),
            sample(t, 0, "requests_served_total", served),
            sample(t, 1, "bytes_sent_total", 1_000.0 * n),
            sample(t, 1, "bytes_received_total", 9_000.0 * n),
            sample(t, 1, "reads_checked_total", 10.0 * n),
            sample(t, 1, "reads_stale_total", lost),
            sample(t, 2, "writes_checked_total", 10.0 * n),
            sample(t, 2, "writes_lost_total", lost),
            sample(t, 1, "writes_checked_total", 0.0),
            sample(t, 1, "writes_lost_total", 0.0),
        ]
    });
    each.collect()
}

/// What the server's link to client 1 carried, read each second and at the borders of the loss: 100
/// packets of 1000 bytes a second, of which none arrives while the server is lost. The first of them in
/// each second is lost, copied or damaged.
fn links() -> Vec<LinkSample> {
    let row = |t: i64, metric, value| LinkSample {
        t,
        from: NodeIndex(0),
        to: NodeIndex(1),
        metric,
        value,
    };
    let each = (0..=22).flat_map(|second: i64| {
        let sent = u64::try_from(second).unwrap();
        let alive = sent.min(7) + sent.saturating_sub(13);
        // Between two looks, but at the borders of the loss.
        let t = match second {
            7 | 12 | 13 => second * S,
            _ => second * S - 400 * MS,
        };
        [
            row(t, LinkMetric::PacketsTotal, 99 * alive),
            row(t, LinkMetric::BytesTotal, 99_000 * alive),
            row(t, LinkMetric::DroppedLossTotal, alive),
            row(t, LinkMetric::DroppedDownTotal, 100 * (sent - alive)),
            row(t, LinkMetric::DuplicatedTotal, alive),
            row(t, LinkMetric::CorruptedTotal, alive),
            row(t, LinkMetric::QueueBytes, 1_000 * (sent % 5)),
        ]
    });
    each.collect()
}

fn lives() -> Vec<Life> {
    let life = |t, node, what| Life {
        t,
        node: NodeIndex(node),
        what,
    };
    vec![
        life(-S, 0, LifeEvent::Wired),
        life(7 * S, 0, LifeEvent::Died { wanted: true }),
        life(13 * S, 0, LifeEvent::Wired),
        life(20 * S, 2, LifeEvent::Died { wanted: false }),
    ]
}

/// A run of that length in which nothing was seen.
fn empty(lab: &Lab) -> View<'_> {
    View {
        lab,
        frame: Frame {
            warmup: 2 * S,
            end: 22 * S,
            blind: Vec::new(),
        },
        faults: Vec::new(),
        lives: Vec::new(),
        latency: &[],
        samples: &[],
        links: &[],
        running: false,
    }
}

/// What a check says of that run, with these samples besides.
fn judged_with(expect: &str, more: &[SampleRow]) -> CheckResult {
    let lab = lab(&[("it", expect)]);
    let (latency, mut samples) = (latency(), samples());
    samples.extend_from_slice(more);
    let view = View {
        faults: vec![loss()],
        lives: lives(),
        latency: &latency,
        samples: &samples,
        links: &links(),
        ..empty(&lab)
    };
    evaluate(&lab.checks[0], &view)
}

fn judged(expect: &str) -> CheckResult {
    judged_with(expect, &[])
}

/// Of each function: what passes, what fails, what is inconclusive, and what the first one saw.
const CASES: &[(&str, &str, &str, &str)] = &[
    // 50 of 200 slots and the 10 until the return are down.
    (
        "availability(client) == 70%",
        "availability(client) > 90%",
        "availability(client, during=never) > 1%",
        "70%",
    ),
    (
        "budget_used(50%) == 60%",
        "budget_used(99%) <= 100%",
        "budget_used(99%, during=never) <= 100%",
        "60%",
    ),
    // 20 s of 10 kB each second, for 200 requests … of 4000.
    (
        "bytes_per_request(client-1) == 100B",
        "bytes_per_request(client-1) > 100B",
        "bytes_per_request(client-2) < 1kB",
        "100B",
    ),
    (
        "crashes() == 1",
        "crashes() == 0",
        "crashes(during=never) == 0",
        "1",
    ),
    (
        "downtime() == 6s",
        "downtime() < 1s",
        "downtime(after=never) < 1s",
        "6s",
    ),
    (
        "errors(timeout) == 1200",
        "errors(client, timeout) == 0",
        "errors(during=never) == 0",
        "1200",
    ),
    (
        "latency(client-1, p99) <= 10ms",
        "latency(p99) < 20ms",
        "latency(during=loss) < 1s",
        "10ms",
    ),
    (
        "link_bytes(server, client, during=loss) == 0B",
        "link_bytes() < 1MB",
        "link_bytes(client, server) < 1GB",
        "0B",
    ),
    (
        "link_corrupted(during=loss) == 0",
        "link_corrupted() > 15",
        "link_corrupted(client-2, server) == 0",
        "0",
    ),
    (
        "link_drops(server, client, down, during=loss) == 500",
        "link_drops(queue) > 0",
        "link_drops(to=server) == 0",
        "500",
    ),
    (
        "link_duplicated(during=loss) == 0",
        "link_duplicated(server) > 15",
        "link_duplicated(server, client-2) == 0",
        "0",
    ),
    (
        "link_loss(server, client-1, during=loss) == 100%",
        "link_loss(loss) > 2%",
        "link_loss(during=never) < 1%",
        "100%",
    ),
    (
        "link_packets(server, client, during=loss) == 0",
        "link_packets(server, client) < 1000",
        "link_packets(client-1, server) == 0",
        "0",
    ),
    (
        "link_queue(server) == 4kB",
        "link_queue(during=loss) < 4kB",
        "link_queue(client-2) == 0B",
        "4kB",
    ),
    (
        "link_rate(server, during=loss) == 0bit",
        "link_rate() > 1mbit",
        "link_rate(client-1, server) < 1mbit",
        "0bit",
    ),
    (
        "lost_writes(client) == 3",
        "lost_writes(client) == 0",
        "lost_writes(client-1) == 0",
        "3",
    ),
    // 200 a second served, 5 s not; and the server forgets what it had served.
    (
        "messages_per_request(between=1s..4s) == 1",
        "messages_per_request(between=1s..4s) < 1",
        "messages_per_request(during=never) < 2",
        "1",
    ),
    (
        "metric(\"queue_length\", max) == 21",
        "metric(\"queue_length\", mean) < 10",
        "metric(\"keys_held\", last) == 0",
        "21",
    ),
    (
        "recovery(loss) == 1s",
        "recovery(loss) < 1s",
        "recovery(never) < 1s",
        "1s",
    ),
    (
        "requests(client-1) == 2000",
        "requests(write) < 1000",
        "requests(during=never) > 0",
        "2000",
    ),
    (
        "restarts(server) == 1",
        "restarts() == 0",
        "restarts(during=never) == 0",
        "1",
    ),
    (
        "stale_reads(client) == 3",
        "stale_reads() == 0",
        "stale_reads(client-2) == 0",
        "3",
    ),
    (
        "success(client, before=loss) == 100%",
        "success(during=loss) > 0%",
        "success(after=never) > 0%",
        "100%",
    ),
    (
        "throughput(after=loss) == 200/s",
        "throughput() > 199/s",
        "throughput(during=never) > 0/s",
        "200/s",
    ),
];

#[test]
fn each_function_passes_fails_and_is_inconclusive() {
    for (passes, fails, open, seen) in CASES {
        let result = judged(passes);
        assert_eq!(result.verdict, Judgement::Pass, "{result:#?}");
        assert_eq!(result.observed[0].text, *seen, "{result:#?}");
        assert!(!result.observed[0].how.is_empty(), "{result:#?}");
        let result = judged(fails);
        assert_eq!(result.verdict, Judgement::Fail, "{result:#?}");
        let result = judged(open);
        assert_eq!(result.verdict, Judgement::Inconclusive, "{result:#?}");
        assert_eq!(result.observed[0].text, "–", "{result:#?}");
        assert!(!result.observed[0].how.is_empty(), "{result:#?}");
    }
}

#[test]
fn no_function_is_left_out() {
    let name = |text: &str| text.split('(').next().unwrap().to_owned();
    let tested: Vec<String> = CASES.iter().map(|case| name(case.0)).collect();
    let all: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    assert_eq!(tested, all);
}

#[test]
fn what_is_open_may_be_decided_by_what_stands_beside_it() {
    let open = "success(during=never) > 1%";
    let verdict = |text: &str| judged(text).verdict;
    assert_eq!(
        verdict(&format!("{open} and crashes() == 0")),
        Judgement::Fail
    );
    assert_eq!(
        verdict(&format!("{open} or crashes() == 1")),
        Judgement::Pass
    );
    assert_eq!(verdict(&format!("not {open}")), Judgement::Inconclusive);
    assert_eq!(
        judged(&format!("{open} or crashes() == 1")).observed.len(),
        2
    );
}

#[test]
fn windows_are_those_of_the_fault() {
    let windows = |text: &str| judged(text).observed[0].windows.clone();
    assert_eq!(windows("success(before=loss) > 1%"), [(2 * S, 7 * S)]);
    assert_eq!(windows("success(during=loss) > 1%"), [(7 * S, 12 * S)]);
    assert_eq!(windows("success(after=loss) > 1%"), [(13 * S, 22 * S)]);
    assert_eq!(windows("success(between=1s..2s) > 1%"), [(3 * S, 4 * S)]);
    assert_eq!(windows("success() > 1%"), [(2 * S, 22 * S)]);
}

#[test]
fn a_service_that_does_not_come_back_fails_as_far_as_the_run_went() {
    // Nothing but timeouts after the loss, in the second half of the run.
    let lab = lab(&[
        ("it", "recovery(loss) < 2s"),
        ("long", "recovery(loss) < 1min"),
    ]);
    let mut latency = latency();
    latency.retain(|row| row.t < 130 * SLOT_NS as i64);
    latency.extend((130..220).map(|slot| row(slot, 1, Outcome::Timeout, 1, 20)));
    let view = View {
        faults: vec![loss()],
        latency: &latency,
        ..empty(&lab)
    };
    let short = evaluate(&lab.checks[0], &view);
    assert_eq!(
        (short.verdict, short.observed[0].text.as_str()),
        (Judgement::Fail, "≥ 9s")
    );
    assert_eq!(short.observed[0].high, None);
    assert_eq!(
        evaluate(&lab.checks[1], &view).verdict,
        Judgement::Inconclusive
    );
}

/// Between two looks at the counters nobody knows on which side of a border a packet was.
#[test]
fn what_was_counted_between_two_looks_is_a_range() {
    let verdict = |text: &str| judged(text).verdict;
    // From 2 s on, with looks at 1.6 s and 2.6 s: 99 a second, 4 or 5 seconds until the loss.
    let packets = |than: &str| verdict(&format!("link_packets(before=loss) {than}"));
    assert_eq!(packets("> 390"), Judgement::Pass);
    assert_eq!(packets("> 400"), Judgement::Inconclusive);
    assert_eq!(packets("> 500"), Judgement::Fail);
    let seen = judged("link_packets(before=loss) > 400").observed.remove(0);
    assert_eq!((seen.low, seen.high), (Some(396.0), Some(495.0)));
    assert!(seen.how.contains("once a second"), "{seen:?}");
}

/// The host gate: what the host's stalls can have turned over is inconclusive, all else stands.
#[test]
fn a_host_that_stood_still_makes_inconclusive_what_it_can_have_turned_over() {
    let stalls = [sample(15 * S, 0, "timer_lag_seconds", 2.0)];
    let verdict = |text: &str| judged_with(text, &stalls).verdict;
    // 2 s of 20 s: the share had been up to 10 % better, the downtime up to 2 s shorter.
    assert_eq!(verdict("success() > 75%"), Judgement::Inconclusive);
    assert_eq!(verdict("success() > 85%"), Judgement::Fail);
    assert_eq!(verdict("downtime() < 5s"), Judgement::Inconclusive);
    assert_eq!(verdict("downtime() < 3s"), Judgement::Fail);
    assert_eq!(verdict("latency(p99) < 20ms"), Judgement::Fail);
    assert_eq!(verdict("latency(p50) < 20ms"), Judgement::Pass);
    // It does not touch other windows, nor what no stall changes.
    assert_eq!(verdict("success(before=loss) > 99%"), Judgement::Pass);
    assert_eq!(verdict("lost_writes() == 0"), Judgement::Fail);
    let said = judged_with("success() > 75%", &stalls).observed[0]
        .how
        .clone();
    assert!(said.contains("the host stood still for 2.0 s"), "{said}");
}

/// A node that a fault pauses or throttles is late by that fault's doing, and says nothing of the host.
#[test]
fn who_is_held_up_by_a_fault_is_no_witness_of_the_host_s_stalls() {
    let lab = lab(&[("it", "success() > 1%")]);
    let told = |held: &str, second: i64| {
        let mut pause = loss();
        pause.held = vec![held.into()];
        let samples = [sample(second * S, 0, "timer_lag_seconds", 2.0)];
        host_said(&View {
            faults: vec![pause],
            samples: &samples,
            ..empty(&lab)
        })
    };
    let name = lab.nodes[0].name.to_string();
    assert_eq!(told(&name, 9), None);
    // The first report after the heal at 13 s is about the time before it.
    assert_eq!(told(&name, 13), None);
    assert!(told(&name, 15).is_some());
    assert!(told(&name, 6).is_some());
    assert!(told(lab.nodes[1].name.as_str(), 9).is_some());
}

/// What the machine itself tells counts as well: lateness, stolen time; no idle time is only said.
#[test]
fn the_machine_s_own_samples_are_part_of_the_host_gate() {
    let of_host = |second: i64, metric: &str, labels: &str, value: f64| SampleRow {
        t: second * S,
        node: None,
        metric: metric.into(),
        labels: labels.into(),
        value,
    };
    let each = |metric: &str, labels: &str, value: f64| -> Vec<SampleRow> {
        let seconds = 14..=17;
        seconds.map(|s| of_host(s, metric, labels, value)).collect()
    };
    let judged = |more: &[SampleRow]| judged_with("success() > 75%", more);
    for (rows, verdict) in [
        (
            each("host_timer_lag_seconds", "", 0.6),
            Judgement::Inconclusive,
        ),
        (
            each("fabric_lag_seconds", "quantile=1", 0.6),
            Judgement::Inconclusive,
        ),
        (
            each("fabric_lag_seconds", "quantile=0.5", 0.6),
            Judgement::Fail,
        ),
        (each("host_timer_lag_seconds", "", 0.004), Judgement::Fail),
        (
            each("host_cpu_stolen_ratio", "", 0.6),
            Judgement::Inconclusive,
        ),
        (each("host_cpu_stolen_ratio", "", 0.09), Judgement::Fail),
        (each("host_cpu_idle_ratio", "", 0.0), Judgement::Fail),
    ] {
        assert_eq!(judged(&rows).verdict, verdict, "{:?}", rows[0]);
    }
    let busy = judged(&each("host_cpu_idle_ratio", "", 0.0));
    let said = &busy.observed[0].how;
    assert!(said.contains("no processor was idle for 4.0 s"), "{said}");
    let facts = judged_with("lost_writes() == 0", &each("host_cpu_idle_ratio", "", 0.0));
    assert!(!facts.observed[0].how.contains("idle"), "{facts:?}");
    let lab = lab(&[("it", "success() > 1%")]);
    let samples = each("host_timer_lag_seconds", "", 0.6);
    let view = View {
        samples: &samples,
        ..empty(&lab)
    };
    let told = "the host was a bottleneck: the host stood still for 2.4 s";
    assert_eq!(host_said(&view).as_deref(), Some(told));
    let fine = View {
        samples: &[],
        ..view
    };
    assert_eq!(host_said(&fine), None);
    let machine = each("host_cpu_idle_ratio", "", 0.4);
    let check = "metric(\"host_cpu_idle_ratio\", min) > 30%";
    assert_eq!(judged_with(check, &machine).verdict, Judgement::Pass);
}

/// While a run goes on, what grows may yet grow: too much is too much, too little is not known.
#[test]
fn what_grows_is_at_least_what_it_is_while_the_run_goes_on() {
    let checks = [
        ("low", "errors() < 100"),
        ("high", "errors() > 5000"),
        ("share", "success() > 90%"),
    ];
    let lab = lab(&checks);
    let latency = latency();
    let view = View {
        latency: &latency,
        running: true,
        ..empty(&lab)
    };
    let verdicts: Vec<Judgement> = lab
        .checks
        .iter()
        .map(|c| evaluate(c, &view).verdict)
        .collect();
    assert_eq!(
        verdicts,
        [Judgement::Fail, Judgement::Inconclusive, Judgement::Fail]
    );
}

/// Two writes seem lost during the fault and are answered for later, one is never.
#[test]
fn what_a_stale_answer_hid_is_not_lost() {
    let doubted = |second: i64| match second {
        0..8 => 0.0,
        8..14 => 3.0,
        _ => 1.0,
    };
    let rows = (0..=22).map(|second| sample(second * S, 1, "writes_doubted", doubted(second)));
    let rows: Vec<SampleRow> = rows.collect();
    let verdict = |expect: &str| judged_with(expect, &rows).verdict;
    assert_eq!(verdict("lost_writes() == 4"), Judgement::Pass);
    assert_eq!(verdict("lost_writes(during=loss) == 1"), Judgement::Pass);
    assert_eq!(verdict("lost_writes(after=loss) == 3"), Judgement::Pass);
}

#[test]
fn a_function_that_is_written_twice_is_shown_once() {
    let twice = judged("success(client) > 50% and success(client) < 99%");
    assert_eq!(twice.verdict, Judgement::Pass);
    let calls: Vec<&str> = twice.observed.iter().map(|one| one.call.as_str()).collect();
    assert_eq!(calls, ["success(client)"]);
    let both = judged("success(client) > 50% and success(client, op=read) < 99%");
    assert_eq!(both.observed.len(), 2);
}
