//! `run` on the real engine: a lab from its file to its removal, whatever happens on the way.

#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::Signal;
use std::time::Duration;
use support::{Sandbox, docker, eventually, steady};

const QUICK: &str = "name: quick
nodes:
  server: { role: server, service: { time: 1ms } }
  client: { role: client, count: 2, load: { target: server, rate: 20/s, timeout: 500ms } }
link: { rtt: 20ms }
scenario:
  warmup: 1s
  duration: 4s
  faults:
    loss: { at: 1s, for: 1s, kill: server }
";

/// Long enough to be interrupted while it plays.
fn long() -> String {
    QUICK.replace("duration: 4s", "duration: 60s")
}

/// One go: played, told, brought home, removed. What is there already is not touched, what would
/// never end is not begun, and two labs of one file run at once under two names.
#[test]
fn a_run_leaves_a_record_and_nothing_else() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("run") else {
            return;
        };
        let file = sandbox.topology("quick.yaml", QUICK);
        let other = sandbox.start(&["run", &file, "--name", "other", "--seed", "8"]);
        let done = sandbox.netlab(&["run", &file]).expect(0);
        for word in ["passed", "fault loss", "during", "record"] {
            assert!(done.stdout.contains(word), "{word}: {}", done.stdout);
        }
        let other = other.finish().expect(0);
        assert!(other.stdout.contains("-8 "), "{}", other.stdout);
        assert_eq!(sandbox.objects(), Vec::<String>::new());
        for lab in ["quick", "other"] {
            let record = sandbox.record(lab);
            record.time("run-ended", None);
            for artefact in [
                "topology.yaml",
                "summary.json",
                "env.json",
                "logs/server.log",
            ] {
                assert!(
                    record.folder.join(artefact).exists(),
                    "{lab}: no {artefact}"
                );
            }
        }

        let endless = QUICK.split("scenario:").next().unwrap();
        let endless = sandbox.topology("endless.yaml", endless);
        let done = sandbox.netlab(&["run", &endless]).expect(2);
        assert!(done.stderr.contains("no scenario"), "{}", done.stderr);
        sandbox.netlab(&["up", "-d", &endless]).expect(0);
        let before = sandbox.objects();
        let done = sandbox.netlab(&["run", &file]).expect(2);
        assert!(done.stderr.contains("there already"), "{}", done.stderr);
        assert_eq!(sandbox.objects(), before);
    });
}

/// A run that is not over in time, one that nothing can be concluded from, and one that cannot start:
/// each has its code, and the lab stays only when that was asked for.
#[test]
fn a_run_that_does_not_pass_says_so_by_its_code() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("codes") else {
            return;
        };
        let file = sandbox.topology("long.yaml", &long());
        let run = sandbox.netlab(&["run", &file, "--timeout", "4s"]).expect(3);
        assert!(run.stderr.contains("not over within 4s"), "{}", run.stderr);
        assert!(run.stdout.contains("interrupted"), "{}", run.stdout);
        assert_eq!(sandbox.objects(), Vec::<String>::new());
        sandbox.record("quick").time("run-ended", None);

        // A node that dies by itself makes the run inconclusive.
        let file = sandbox.topology("quick.yaml", QUICK);
        let run = sandbox.start(&["run", &file, "--keep-on-failure"]);
        eventually("the run begins", Duration::from_secs(60), || {
            run.stderr().contains("warm-up is over")
        });
        docker(&["kill", "netlab-quick.client-1"]);
        let done = run.finish().expect(3);
        assert!(done.stdout.contains("client-1"), "{}", done.stdout);
        assert!(done.stdout.contains("netlab down quick"), "{}", done.stdout);
        assert!(!sandbox.objects().is_empty(), "it is kept");
        sandbox.netlab(&["down", "quick"]).expect(0);

        let bad = sandbox.topology("bad.yaml", &QUICK.replace("rate: 20/s", "rat: 20/s"));
        let done = sandbox.netlab(&["run", &bad]).expect(4);
        assert!(
            done.stderr.contains("did you mean `rate`"),
            "{}",
            done.stderr
        );
        assert_eq!(sandbox.objects(), Vec::<String>::new());
    });
}

/// Ctrl-C, SIGTERM and a closed terminal while it plays: the record is closed and brought home, the lab is gone.
#[test]
fn an_interrupted_run_takes_its_lab_down() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("interrupted") else {
            return;
        };
        let file = sandbox.topology("long.yaml", &long());
        let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        for (signal, code) in signals.into_iter().zip([130, 143, 143]) {
            let run = sandbox.start(&["run", &file, "--keep"]);
            eventually("the run begins", Duration::from_secs(60), || {
                run.stderr().contains("warm-up is over")
            });
            run.signal(signal as i32);
            let done = run.finish().expect(code);
            assert!(done.stdout.contains("interrupted"), "{}", done.stdout);
            assert_eq!(sandbox.objects(), Vec::<String>::new());
            sandbox.record("quick").time("run-ended", None);
        }
        // A second one does not wait for anything; what is left is found by `down`.
        let run = sandbox.start(&["run", &file]);
        eventually("the run begins", Duration::from_secs(60), || {
            run.stderr().contains("warm-up is over")
        });
        run.signal(2);
        eventually("the first is heard", Duration::from_secs(20), || {
            run.stderr().contains("taking the lab down")
        });
        run.signal(2);
        run.finish().expect(130);
        sandbox.netlab(&["down", "--all"]).expect(0);
        assert_eq!(sandbox.objects(), Vec::<String>::new());
    });
}
