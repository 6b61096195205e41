//! Network faults on the real engine: what clients see before, while and after. Most kinds share one
//! lab, each with a client of its own, because links are the pairs' own.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::{Child, Command, Stdio};
use support::{Record, SECOND, Sandbox, docker, steady, success};

const MS: i64 = SECOND / 1000;

/// Share of requests of this node that succeed, of those that were to be asked in `[from, to)`.
#[track_caller]
fn share(record: &Record, node: &str, from: i64, to: i64) -> f64 {
    let outcomes = record.outcomes(from, to, |row| node == "*" || row.node == node);
    let (share, all) = success(&outcomes);
    assert!(all >= 4, "{node} asked {all} times in {from}..{to}");
    share
}

/// Median latency in ms of what succeeds.
#[track_caller]
fn median(record: &Record, node: &str, from: i64, to: i64) -> f64 {
    let good = |row: &&support::Latency| {
        let wanted = row.node == node && ["ok", "missing"].contains(&row.outcome.as_str());
        wanted && row.t >= from && row.t < to
    };
    let mut all: Vec<u64> = Vec::new();
    for row in record.latency.iter().filter(good) {
        all.extend(std::iter::repeat_n(row.le_us, row.count as usize));
    }
    all.sort_unstable();
    let median = all.get(all.len() / 2);
    *median.unwrap_or_else(|| panic!("{node} has no success in {from}..{to}")) as f64 / 1000.0
}

/// The file counts which pairs of peers reach each other in each kind of partition.
#[test]
fn split_brains_cost_what_can_be_counted() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("partition") else {
            return;
        };
        sandbox
            .netlab(&["up", "topologies/partition.yaml"])
            .expect(0);
        let record = sandbox.record("partition");
        for (fault, reached) in [("halves", 13), ("bridge", 17), ("ring", 15), ("alone", 17)] {
            let (began, heal, healed) = record.window(fault);
            // What is asked within the timeout before the heal may still be answered.
            let split = share(&record, "*", began + 100 * MS, heal - 600 * MS);
            let expected = f64::from(reached) / 25.0;
            assert!(
                (split - expected).abs() < 0.12,
                "{fault}: {split}, expected {expected}"
            );
            let after = share(&record, "*", healed + 700 * MS, healed + 1300 * MS);
            assert!(after >= 0.95, "{fault}: {after} after its heal");
        }
    });
}

#[test]
fn slow_links_are_slow_by_what_the_file_says() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("slow-link") else {
            return;
        };
        sandbox
            .netlab(&["up", "topologies/slow-link.yaml"])
            .expect(0);
        let record = sandbox.record("slow-link");
        let (began, heal, healed) = record.window("farther");
        let median = |node: &str, from, to| median(&record, node, from, to);
        let before = median("client-1", 0, began - 500 * MS);
        let slow = median("client-1", began + 300 * MS, heal - 500 * MS);
        assert!((195.0..260.0).contains(&(slow - before)), "{before} {slow}");
        let other = median("client-5", began + 300 * MS, heal - 500 * MS);
        assert!(other < 100.0, "{other}");
        let after = median("client-1", healed + SECOND, healed + 6 * SECOND);
        assert!(after < before + 60.0, "{before} {after}");
        // Its loss stays when the delay has healed.
        let lossy = median("client-2", healed + 500 * MS, healed + 2500 * MS);
        assert!(lossy < before + 100.0, "{before} {lossy}");

        let (began, heal, _) = record.window("narrow");
        let narrow = median("client-3", began + 500 * MS, heal);
        assert!(narrow > 400.0, "{narrow}");
        let free = median("client-4", began + 500 * MS, heal);
        assert!(free < 100.0, "{free}");
    });
}

#[test]
fn a_flapping_link_ends_up() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("flapping-link") else {
            return;
        };
        sandbox
            .netlab(&["up", "topologies/flapping-link.yaml"])
            .expect(0);
        let record = sandbox.record("flapping-link");
        let (began, heal, healed) = record.window("slow");
        let flapping = share(&record, "client-1", began, heal - 600 * MS);
        assert!((0.2..0.9).contains(&flapping), "{flapping}");
        // Down first, then up: the second half of the first period is as it was.
        let down = share(&record, "client-1", began + 100 * MS, began + 400 * MS);
        let up = share(&record, "client-1", began + 1300 * MS, began + 1800 * MS);
        assert!(down < 0.1 && up > 0.9, "{down} {up}");
        let spared = share(&record, "client-4", 0, heal);
        assert!(spared >= 0.99, "{spared}");
        let after = record.outcomes(healed + SECOND, healed + 2500 * MS, |_| true);
        assert!(success(&after).0 >= 0.98, "{after:?}");
    });
}

const HARM: &str = "name: harm
link: { rtt: 20ms }
nodes:
  s: { role: server, service: { time: 1ms, workers: 64 }, files: { page: 20kB } }
  slow: { role: server, service: { time: 400ms, workers: 64 } }
  p: { role: server, service: { time: 1ms, workers: 64 } }
  hole: { role: client, load: { target: s, rate: 10/s, timeout: 400ms, path: /files/page } }
  small: { role: client, load: { target: s, rate: 10/s, timeout: 400ms } }
  reset: { role: client, load: { target: slow, rate: 10/s, timeout: 2s } }
  nested: { role: client, load: { target: s, rate: 10/s, timeout: 400ms } }
  staggered: { role: client, load: { target: s, rate: 10/s, timeout: 400ms } }
  both: { role: client, load: { target: s, rate: 10/s, timeout: 1s } }
  hang: { role: client, load: { target: p, rate: 10/s, timeout: 400ms } }
  n: { role: client, count: 4, load: { target: s, rate: 1/s } }
scenario:
  duration: 11s
  faults:
    hole: { at: 2s, for: 3s, mtu-blackhole: { from: s, to: [hole, small] } }
    reset: { at: 3s, tcp-reset: { between: [reset, slow] } }
    nested-out: { at: 2s, for: 3s, cut: { between: [nested, s] } }
    nested-in: { at: 3s, for: 1s, cut: { between: [nested, s] } }
    staggered-1: { at: 2s, for: 2s, cut: { between: [staggered, s] } }
    staggered-2: { at: 3s, for: 2s, partition: { isolate: staggered } }
    slower: { at: 2s, for: 5s, degrade: { between: [both, s], rtt: +200ms } }
    split: { at: 3s, for: 2s, partition: { from: both, to: s } }
    hang: { at: 2s, for: 4s, pause: p }
    loss: { at: 3s, for: 2s, kill: p }
    unknown: { at: 2s, for: 3s, dns: n-1, mode: nxdomain }
    late: { at: 2s, for: 3s, dns: n-2, delay: 1s }
    silent: { at: 2s, for: 3s, dns: n-3, mode: silent }
    lie: { at: 2s, for: 3s, dns: n-4, mode: lie }
";

/// Asks for a name again and again inside a node's network, as any program would: a line each time with
/// the address and the time that it took.
fn ask_for_name(sandbox: &Sandbox, node: &str) -> Child {
    let container = format!("netlab-harm.{node}");
    let pid = sandbox.pid(&container).to_string();
    let resolv = docker(&["inspect", "--format", "{{.ResolvConfPath}}", &container]);
    let script = format!(
        "mount --bind {resolv} /etc/resolv.conf
        export RES_OPTIONS='timeout:2 attempts:1'
        end=$(($(date +%s) + 8))
        while [ $(date +%s) -lt $end ]; do
            begin=$(date +%s%N)
            address=$(getent ahostsv4 s | head -1 | cut -d' ' -f1)
            echo \"$address $(($(date +%s%N) - begin))\"
            sleep 0.1
        done"
    );
    Command::new("nsenter")
        .args(["-t", &pid, "-n", "unshare", "-m", "sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Each answer: the address, empty when there was none, and the seconds that it took.
fn answers(asking: Child) -> Vec<(String, f64)> {
    let output = asking.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |line: &str| {
        let (address, time) = line.rsplit_once(' ')?;
        let nanoseconds: f64 = time.parse().ok()?;
        Some((address.trim().to_owned(), nanoseconds / 1e9))
    };
    text.lines().filter_map(line).collect()
}

/// Right first, then as `wrong` says for a while, then right again.
#[track_caller]
fn comes_and_goes(what: &str, all: &[(String, f64)], wrong: impl Fn(&(String, f64)) -> bool) {
    let first = all.iter().position(&wrong);
    let last = all.iter().rposition(&wrong);
    let (Some(first), Some(last)) = (first, last) else {
        panic!("{what} was never seen: {all:?}");
    };
    let right = |answer: &(String, f64)| answer.0 == all[0].0 && answer.1 < 0.5;
    assert!(first > 0 && !all[0].0.is_empty(), "{what}: {all:?}");
    assert!(all[..first].iter().all(right), "{what}: {all:?}");
    assert!(
        last + 1 < all.len() && all[last + 1..].iter().all(right),
        "{what}: {all:?}"
    );
}

/// Black holes, resets, cuts that overlap, a partition of a slow link, a kill of a node that is
/// paused, and names that fail in four ways.
#[test]
fn faults_of_every_kind_come_and_go_and_compose() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("harm") else {
            return;
        };
        let file = sandbox.topology("harm.yaml", HARM);
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let nodes = ["n-1", "n-2", "n-3", "n-4"];
        let asking = nodes.map(|node| ask_for_name(&sandbox, node));
        let [unknown, late, silent, lie] = asking.map(answers);
        sandbox.netlab(&["wait"]).expect(0);
        sandbox.netlab(&["down", "harm"]).expect(0);

        comes_and_goes("nxdomain", &unknown, |(address, _)| address.is_empty());
        comes_and_goes("slow", &late, |(address, time)| {
            !address.is_empty() && *time >= 1.0
        });
        comes_and_goes("silent", &silent, |(address, _)| address.is_empty());
        let truth = &lie[0].0;
        let lied = |(address, _): &(String, f64)| !address.is_empty() && address != truth;
        comes_and_goes("lie", &lie, lied);

        let record = sandbox.record("harm");
        let share = |node: &str, from, to| share(&record, node, from, to);
        let (began, heal, healed) = record.window("hole");
        assert!(share("hole", began + 100 * MS, heal - 500 * MS) < 0.05);
        assert!(share("small", began + 100 * MS, heal - 500 * MS) >= 0.95);
        assert!(share("hole", healed + 1500 * MS, healed + 4 * SECOND) >= 0.95);

        let reset = record.time("fault-began", Some("reset"));
        let hit = record.outcomes(reset - SECOND, reset + 100 * MS, |row| row.node == "reset");
        assert!(hit.get("reset").copied().unwrap_or(0) >= 2, "{hit:?}");
        assert!(share("reset", reset + 100 * MS, reset + 3 * SECOND) >= 0.95);

        for (node, last) in [("nested", "nested-out"), ("staggered", "staggered-2")] {
            let first = if node == "nested" {
                "nested-out"
            } else {
                "staggered-1"
            };
            let (began, (_, heal, healed)) = (record.window(first).0, record.window(last));
            let cut = share(node, began + 100 * MS, heal - 500 * MS);
            assert!(cut < 0.05, "{node}: {cut}");
            let after = share(node, healed + 700 * MS, healed + 3 * SECOND);
            assert!(after >= 0.95, "{node}: {after}");
        }

        let (slower, unslower, healed) = record.window("slower");
        let (split, unsplit, _) = record.window("split");
        let median = |from, to| median(&record, "both", from, to);
        let first = median(slower + 100 * MS, split - 500 * MS);
        let second = median(unsplit + 700 * MS, unslower - 500 * MS);
        assert!(first > 215.0 && second > 215.0, "{first} {second}");
        assert!(share("both", split + 100 * MS, unsplit - 1100 * MS) < 0.05);
        assert!(median(healed + SECOND, healed + 3 * SECOND) < 100.0);

        let (began, _, healed) = record.window("hang");
        assert!(share("hang", began + 100 * MS, healed - 500 * MS) < 0.05);
        assert!(share("hang", healed + 1500 * MS, healed + 4 * SECOND) >= 0.95);
        assert!(
            share("small", 0, 9 * SECOND) >= 0.95,
            "who is not meant is spared"
        );
    });
}
