//! `test` on the real engine: files and folders, one code, results for programs; and what is read from
//! the records afterwards.

#![allow(clippy::unwrap_used)]

mod support;

use quick_junit::Report;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Sandbox, docker, eventually, steady};

const PAIR: &str = "name: pair
nodes:
  server: { role: server, service: { time: 1ms } }
  client: { role: client, count: 2, load: { target: server, rate: 20/s, timeout: 500ms } }
link: { rtt: 20ms }
scenario:
  warmup: 1s
  duration: 3s
  faults:
    loss: { at: 1s, for: 1s, kill: server }
";

/// A folder with a good file, one whose check fails, a bad one, a part and one without scenario: what can
/// be played is, the code is that of the worst, and JUnit, JSON and GitHub say the same.
#[test]
fn a_mixed_folder_gives_the_worst_and_plays_what_can_be_played() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("mixed") else {
            return;
        };
        let root = sandbox.runs.path().join("labs");
        fs::create_dir_all(root.join("more")).unwrap();
        let file = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        file("a-bad.yaml", &PAIR.replace("rate:", "rat:"));
        file("more/pair.yaml", PAIR);
        file("_part.yaml", "nodes: {}");
        let checks = "checks:
  still there: success(client, during=loss) > 90%
  all is well before: success(client, between=0s..500ms) > 50%
";
        let fails = PAIR.replace("name: pair", "name: fails") + checks;
        file("more/fails.yaml", &fails);
        file("quiet.yaml", PAIR.split("scenario:").next().unwrap());
        let (junit, summary) = (root.join("out/junit.xml"), root.join("summary.md"));
        let mut command = sandbox.command(&["test", &root.display().to_string(), "--github"]);
        command.args([
            "--json",
            "--jobs",
            "2",
            "--junit",
            &junit.display().to_string(),
        ]);
        let output = command
            .env("GITHUB_STEP_SUMMARY", &summary)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{stderr}");
        assert_eq!(sandbox.objects(), Vec::<String>::new());

        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["exit_code"], 4);
        let cases = json["cases"].as_array().unwrap();
        let said: Vec<_> = cases
            .iter()
            .map(|case| case["status"].as_str().unwrap())
            .collect();
        assert_eq!(said, ["invalid", "failed", "passed", "skipped"], "{json:#}");
        let check = &cases[1]["checks"][0];
        assert_eq!(
            (&check["name"], &check["failed"]),
            (&"still there".into(), &1.into())
        );
        let observed = check["observed"][0].as_str().unwrap();
        assert!(observed.starts_with("success("), "{observed}");
        let trial = &cases[2]["trials"][0];
        assert_eq!(trial["summary"]["faults"][0]["name"], "loss", "{trial:#}");

        let report = Report::deserialize_from_str(&fs::read_to_string(&junit).unwrap()).unwrap();
        let counts = (report.tests, report.failures, report.errors, report.skipped);
        assert_eq!(counts, (6, 1, 1, 1));
        assert!(stderr.contains("check fails still there"), "{stderr}");
        assert!(
            stderr.contains("::error file=") && stderr.contains("a-bad.yaml,line=4"),
            "{stderr}"
        );
        let summary = fs::read_to_string(summary).unwrap();
        assert!(summary.contains("1 of 4 passed"), "{summary}");

        // Where results or records cannot be written, nothing is begun.
        let good = root.join("more/pair.yaml").display().to_string();
        let folder = root.display().to_string();
        let done = sandbox
            .netlab(&["test", &good, "--junit", &folder])
            .expect(5);
        assert!(!done.stderr.contains("begins"), "{}", done.stderr);
        let records = format!("{good}/records");
        for command in ["run", "up"] {
            let done = sandbox
                .netlab(&[command, &good, "--runs", &records])
                .expect(2);
            let why = "no record can be kept in";
            assert!(done.stderr.contains(why), "{}", done.stderr);
            assert_eq!(sandbox.objects(), Vec::<String>::new());
        }

        let empty = sandbox.topology("alone.yaml", PAIR.split("scenario:").next().unwrap());
        let done = sandbox.netlab(&["test", &empty]).expect(2);
        assert!(
            done.stderr.contains("nothing was tested"),
            "{}",
            done.stderr
        );
    });
}

/// What `init` writes is a lab that passes, and a failed check alone is code 1.
#[test]
fn scaffolds_pass_and_a_failed_check_is_code_1() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("scaffold") else {
            return;
        };
        let root = sandbox.runs.path().join("labs").display().to_string();
        for kind in ["client-server", "mesh"] {
            sandbox.netlab(&["init", "--kind", kind, &root]).expect(0);
        }
        let done = sandbox.netlab(&["test", &root, "--jobs", "2"]).expect(0);
        assert!(done.stdout.contains("2 files: 2 passed"), "{}", done.stdout);
        let fails = PAIR.to_owned() + "checks:\n  never lost: downtime(client) < 100ms\n";
        let file = sandbox.topology("fails.yaml", &fails);
        let done = sandbox.netlab(&["test", &file]).expect(1);
        let fault = "loss (kill server)";
        assert!(
            done.stdout.contains(fault) && done.stdout.contains("observed downtime"),
            "{}",
            done.stdout
        );
        sandbox.netlab(&["run", &file]).expect(1);
        assert_eq!(sandbox.objects(), Vec::<String>::new());
    });
}

/// Runs with seeds in sequence, and what `runs`, `report` and `compare` make of their records.
#[test]
fn repeated_runs_are_listed_reported_and_compared() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("repeat") else {
            return;
        };
        let file = sandbox.topology("pair.yaml", PAIR);
        let done = sandbox
            .netlab(&["test", &file, "--repeat", "3", "--seed", "5"])
            .expect(0);
        let said = "pair, seeds 5 to 7, 3 of 3 runs passed";
        assert!(done.stdout.contains(said), "{}", done.stdout);
        assert_eq!(sandbox.objects(), Vec::<String>::new());

        let runs = sandbox
            .netlab(&["runs", "--format", "json"])
            .expect(0)
            .stdout;
        let runs: Value = serde_json::from_str(&runs).unwrap();
        let runs = runs.as_array().unwrap();
        let ids: Vec<&str> = runs
            .iter()
            .map(|run| run["run"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 3);
        for (id, seed) in ids.iter().zip(["-7", "-6", "-5"]) {
            assert!(id.ends_with(seed), "{ids:?}");
        }
        for run in runs {
            assert_eq!(
                (&run["verdict"], &run["lab"]),
                (&"passed".into(), &"pair".into())
            );
            assert!(
                (run["seconds"].as_f64().unwrap() - 3.0).abs() < 0.5,
                "{run}"
            );
        }
        let text = sandbox.netlab(&["report", ids[1]]).expect(0).stdout;
        assert!(
            text.contains(ids[1]) && text.contains("fault loss"),
            "{text}"
        );
        let newest = sandbox
            .netlab(&["report", "--format", "json"])
            .expect(0)
            .stdout;
        let newest: Value = serde_json::from_str(&newest).unwrap();
        assert_eq!(newest["run"], ids[0]);

        let page = sandbox.runs.path().join("page.html").display().to_string();
        let html = ["report", ids[0], "--format", "html", "-o", &page];
        sandbox.netlab(&html).expect(0);
        assert!(fs::read_to_string(&page).unwrap().contains(ids[0]));

        let args = ["compare", ids[0], "pair:all", "--format", "json"];
        let json: Value = serde_json::from_str(&sandbox.netlab(&args).expect(0).stdout).unwrap();
        let during = json["windows"].as_array().unwrap().iter();
        let during = during
            .clone()
            .find(|window| window["window"] == "during")
            .unwrap();
        let success = &during["metrics"][0];
        assert_eq!(success["values"][1]["runs"], 3, "{success:#}");
        assert!(
            success["values"][0]["median"].as_f64().unwrap() < 0.5,
            "{success:#}"
        );
        let text = sandbox
            .netlab(&["compare", ids[0], ids[1]])
            .expect(0)
            .stdout;
        assert!(
            text.contains("during loss") && text.contains("B − A"),
            "{text}"
        );
        let none = sandbox.netlab(&["report", "pairs"]).expect(2);
        assert!(
            none.stderr.contains("did you mean `pair`"),
            "{}",
            none.stderr
        );
    });
}

/// An inconclusive run is done again, or only warns; Ctrl-C takes the labs down and what was found out
/// is still written.
#[test]
fn inconclusive_and_interrupted_tests() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("unclear") else {
            return;
        };
        let file = sandbox.topology("pair.yaml", &PAIR.replace("duration: 3s", "duration: 60s"));
        let short = ["test", &file, "--timeout", "3s"];
        let done = sandbox.netlab(&short).expect(3);
        assert!(
            done.stdout.contains("not over within 3s"),
            "{}",
            done.stdout
        );
        assert!(done.stdout.contains("record"), "{}", done.stdout);
        sandbox
            .netlab(&[&short[..], &["--on-inconclusive", "warn"]].concat())
            .expect(0);
        let again = [&short[..], &["--on-inconclusive", "retry:1", "--json"]].concat();
        let json: Value = serde_json::from_str(&sandbox.netlab(&again).expect(3).stdout).unwrap();
        assert_eq!(json["cases"][0]["retried"].as_array().unwrap().len(), 1);

        let junit = sandbox.runs.path().join("junit.xml");
        let other = sandbox.topology("other.yaml", &PAIR.replace("name: pair", "name: other"));
        let path = junit.display().to_string();
        let test = sandbox.start(&["test", &file, &other, "--junit", &path]);
        let lease = || docker(&["ps", "-q", "--filter", "name=netlab-pair.client-2"]);
        eventually("the lab is up", Duration::from_secs(60), || {
            !lease().is_empty()
        });
        test.signal(2);
        let done = test.finish().expect(130);
        assert!(done.stdout.contains("2 interrupted"), "{}", done.stdout);
        assert_eq!(sandbox.objects(), Vec::<String>::new());
        let report = Report::deserialize_from_str(&fs::read_to_string(&junit).unwrap()).unwrap();
        assert_eq!((report.tests, report.skipped), (2, 2));
    });
}

/// A node dies by itself: the result shows the fault before it, the last lines of that node and where
/// the record lies; the lab is kept when that was asked for, with a lease.
#[test]
fn a_failure_shows_where_to_look() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("where") else {
            return;
        };
        let file = sandbox.topology("pair.yaml", &PAIR.replace("duration: 3s", "duration: 8s"));
        let test = sandbox.start(&["test", &file, "--keep-on-failure"]);
        eventually("the fault begins", Duration::from_secs(60), || {
            let events = sandbox.netlab(&["ps", "pair", "--format", "json"]).stdout;
            events.contains("dead")
        });
        docker(&["kill", "netlab-pair.client-1"]);
        let done = test.finish().expect(3);
        for word in [
            "inconclusive",
            "fault",
            "loss (kill server)",
            "client-1 ",
            "record",
            "netlab down pair",
        ] {
            assert!(done.stdout.contains(word), "{word}: {}", done.stdout);
        }
        let labels = docker(&[
            "inspect",
            "--format",
            "{{json .Config}}",
            "netlab-pair.agent",
        ]);
        assert!(!labels.is_empty());
        assert!(!sandbox.objects().is_empty(), "it is kept");
        sandbox.netlab(&["down", "pair"]).expect(0);
    });
}

/// Each shipped topology passes, and each of its checks says something else when a fault is left out or
/// never heals.
#[test]
#[ignore = "plays every shipped topology several times: `.ci/run full` runs it"]
fn every_check_of_a_shipped_topology_can_fail() {
    for file in shipped() {
        steady(|| {
            let Some(sandbox) = Sandbox::new("prove") else {
                return;
            };
            let path = file.display().to_string();
            let test = sandbox.start(&["test", &path, "--prove-checks", "--json"]);
            let done = test.finish_within(Duration::from_secs(1200)).expect(0);
            let json: Value = serde_json::from_slice(done.stdout.as_bytes()).unwrap();
            let proofs = json["cases"][0]["proofs"].as_array().unwrap();
            assert!(!proofs.is_empty(), "{path}: {json:#}");
            for proof in proofs {
                assert_eq!(proof["verdict"], "pass", "{path}: {proof:#}");
                assert!(
                    !proof["differs"].as_array().unwrap().is_empty(),
                    "{path}: {proof:#}"
                );
                println!("{path}: {}", proof["check"]);
            }
        });
    }
}

/// The shipped topologies that have checks.
fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let checks = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("\nchecks:");
    let mut files: Vec<PathBuf> = files.filter(checks).collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    files
}
