//! `netlab fault` on a real engine: what is broken by hand in a running lab is seen, listed,
//! recorded, and comes back.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::time::Duration;
use support::{Done, Sandbox, docker, eventually};

const LAB: &str = "
name: hand
link: { rtt: 4ms }
nodes:
  server: { role: server }
  client: { role: client, count: 2, load: { target: server, rate: 20/s } }
";

fn list(sandbox: &Sandbox) -> Vec<Value> {
    let list = sandbox.netlab(&["fault", "list", "--format", "json"]);
    serde_json::from_str(&list.expect(0).stdout).unwrap()
}

fn inject(sandbox: &Sandbox, words: &[&str]) -> Done {
    let all: Vec<&str> = ["fault", "inject"].iter().chain(words).copied().collect();
    sandbox.netlab(&all)
}

fn state(node: &str) -> String {
    let container = format!("netlab-hand.{node}");
    docker(&["inspect", "--format", "{{.State.Status}}", &container])
}

/// What a shell is told about the last of these words.
fn completed(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let line = ["--", "netlab"].iter().chain(words).copied();
    let line: Vec<&str> = line.collect();
    let done = sandbox.netlab_with(&line, &[("NETLAB_COMPLETE", "fish")]);
    let text = done.expect(0).stdout;
    let names = text.lines().filter_map(|line| line.split('\t').next());
    names.map(str::to_owned).collect()
}

#[test]
fn what_is_broken_by_hand_is_seen_listed_recorded_and_comes_back() {
    let Some(sandbox) = Sandbox::new("by-hand") else {
        return;
    };
    sandbox.netlab(&["fault", "list"]).expect(2);
    let file = sandbox.topology("hand.yaml", LAB);
    sandbox.netlab(&["up", &file, "-d"]).expect(0);
    assert!(list(&sandbox).is_empty());

    // Wrong words begin nothing, and say what was meant.
    let wrong = inject(&sandbox, &["kil", "server"]).expect(2);
    assert!(wrong.stderr.contains("'kill'"), "{}", wrong.stderr);
    let wrong = inject(&sandbox, &["kill", "serverr", "clent-1"]).expect(2);
    for meant in ["`server`?", "`client-1`?"] {
        assert!(wrong.stderr.contains(meant), "{}", wrong.stderr);
    }
    let words = [
        "degrade",
        "--between",
        "server,client-1",
        "--trace",
        "day.trace",
    ];
    let wrong = inject(&sandbox, &words).expect(2);
    assert!(wrong.stderr.contains("'--trace'"), "{}", wrong.stderr);
    let dry = inject(&sandbox, &["kill", "server", "--dry-run"]).expect(0);
    let said = [
        "would kill server\n  nodes (1 of 3)\n    server\n",
        "  links (4)\n",
        "    server → client-2\n",
        "    no packet passes these links\n    the first process of each node is gone\n",
    ];
    for part in said {
        assert!(dry.stdout.contains(part), "{part}: {}", dry.stdout);
    }
    assert!(list(&sandbox).is_empty() && state("server") == "running");

    // Shells complete the names that there are.
    assert_eq!(
        completed(&sandbox, &["fault", "inject", "kill", "cl"]),
        ["client-1", "client-2", "client"]
    );
    let ends = ["fault", "inject", "cut", "--between", "server,client-"];
    assert_eq!(
        completed(&sandbox, &ends),
        ["server,client-1", "server,client-2"]
    );
    assert_eq!(completed(&sandbox, &["ps", ""])[0], "hand");

    // Two at once; one heals at its time, the other by name.
    let kill = inject(&sandbox, &["kill", "server", "--for", "3s"]).expect(0);
    assert!(kill.stdout.starts_with("kill-1 "), "{}", kill.stdout);
    assert_eq!(state("server"), "exited");
    let split = ["partition", "--groups", "client-1/client-2,server"];
    let split = inject(&sandbox, &split).expect(0);
    assert!(split.stdout.starts_with("partition-2 "), "{}", split.stdout);
    assert_eq!(
        completed(&sandbox, &["fault", "heal", "p"]),
        ["partition-2"]
    );
    let patience = Duration::from_secs(30);
    eventually("the server is back", patience, || {
        let listed = list(&sandbox);
        listed.len() == 1 && listed[0]["fault"] == "partition-2" && state("server") == "running"
    });
    sandbox.netlab(&["fault", "heal", "kill-1"]).expect(2);
    sandbox.netlab(&["fault", "heal", "partition-2"]).expect(0);
    assert!(list(&sandbox).is_empty());

    // A selector in YAML's words, healed with all others.
    inject(&sandbox, &["pause", "{ pick: 1, of: client }"]).expect(0);
    inject(&sandbox, &["cut", "--between", "server,client-1"]).expect(0);
    let paused = |node: &&str| state(node) == "paused";
    let clients = ["client-1", "client-2"];
    assert_eq!(clients.iter().filter(|node| paused(node)).count(), 1);
    sandbox.netlab(&["fault", "heal", "--all"]).expect(0);
    assert!(clients.iter().all(|node| state(node) == "running"));

    // One that is still in force when the lab goes is healed by then, and all are in the record.
    inject(&sandbox, &["stop", "client-2", "--grace", "0s"]).expect(0);
    sandbox.netlab(&["down"]).expect(0);
    let record = sandbox.record("hand");
    for fault in ["kill-1", "partition-2", "pause-3", "cut-4", "stop-5"] {
        let times = [
            "fault-injected",
            "fault-began",
            "heal-started",
            "fault-healed",
        ]
        .map(|event| record.time(event, Some(fault)));
        assert!(times.is_sorted(), "{fault}: {times:?}");
    }
}
