//! Programs that misbehave on the real engine: what clients see before, while and after, by file and by
//! hand, on a node that is restarted, and after the agent was killed.

#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::Signal;
use serde_json::json;
use std::time::Duration;
use support::{Record, SECOND, Sandbox, eventually, steady, success};

const MS: i64 = SECOND / 1000;

/// How requests ended that were to be asked then.
fn outcome(record: &Record, outcome: &str, from: i64, to: i64) -> u64 {
    let all = record.outcomes(from, to, |_| true);
    all.get(outcome).copied().unwrap_or(0)
}

/// The shipped lab: its checks say what each way must look like to who asks.
#[test]
fn four_ways_to_be_wrong_look_different_to_who_asks() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("misbehave") else {
            return;
        };
        sandbox
            .netlab(&["up", "topologies/misbehaving-server.yaml"])
            .expect(0);
        let record = sandbox.record("misbehaving-server");
        for fault in ["corrupt", "withhold", "slow", "stale"] {
            let told = |event: &str| {
                let mut events = record.events.iter();
                events.any(|e| e["event"] == event && e["fault"] == fault)
            };
            assert!(told("fault-proven") && told("heal-proven"), "{fault}");
        }
        let (began, heal, healed) = record.window("corrupt");
        assert_eq!(outcome(&record, "corrupt", 0, began - 100 * MS), 0);
        assert!(outcome(&record, "corrupt", began, heal) > 50);
        assert_eq!(outcome(&record, "corrupt", healed + 100 * MS, i64::MAX), 0);
        // Its own count of what it has spoilt stands in the record.
        let samples = std::fs::read_to_string(record.folder.join("samples.csv")).unwrap();
        for how in ["corrupt", "withhold", "slow", "stale"] {
            let row = format!(",server,answers_spoilt_total,how={how},");
            assert!(samples.contains(&row), "{how}");
        }
    });
}

const LAB: &str = "name: liar
seed: 3
nodes:
  server: { role: server, service: { time: 1ms, workers: 8 } }
  client: { role: client, load: { target: server, rate: 50/s, timeout: 300ms, writes: 20%, keys: 10 } }
scenario:
  duration: 9s
  faults:
    lies:  { at: 1s, for: 6s, misbehave: server }
    again: { at: 3s, restart: server, grace: 0s }
";

/// The new process lies from its first answer on, and a killed agent does not forget to heal it.
#[test]
fn whoever_comes_back_lies_again_and_is_healed() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("liar") else {
            return;
        };
        let file = sandbox.topology("liar.yaml", LAB);
        sandbox.netlab(&["up", &file]).expect(0);
        let record = sandbox.record("liar");
        let restarted = record.time("fault-healed", Some("again"));
        let (_, heal, healed) = record.window("lies");
        assert!(outcome(&record, "corrupt", restarted, heal) > 20);
        // Of what is read, nothing is right: writes carry no value that could be wrong.
        let is_read = |row: &support::Latency| row.op == "read";
        let reads = record.outcomes(restarted + 300 * MS, heal - 300 * MS, is_read);
        assert_eq!(reads.get("ok"), None, "{reads:?}");
        let after = record.outcomes(healed + 100 * MS, i64::MAX, |_| true);
        assert!(success(&after).0 > 0.95, "{after:?}");

        // By hand, with a killed agent in between.
        let hand = [
            "fault",
            "inject",
            "misbehave",
            "server",
            "--how",
            "withhold",
        ];
        sandbox.netlab(&hand).expect(0);
        let agent = sandbox.pid("netlab-liar.agent");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(agent), Signal::SIGKILL).unwrap();
        eventually("the fault is known again", Duration::from_secs(30), || {
            let listed = sandbox.netlab(&["fault", "list"]);
            listed.code == 0 && listed.stdout.contains("misbehave")
        });
        sandbox.netlab(&["fault", "heal", "--all"]).expect(0);
        let listed = sandbox.netlab(&["fault", "list", "--format", "json"]);
        let rows: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(rows, json!([]), "{}", listed.stdout);
    });
}
