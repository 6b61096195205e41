//! `netlab doctor` on the real engine: what it finds, what it estimates, and that it leaves nothing.

#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use support::{Sandbox, steady};

#[test]
fn every_line_is_told_and_nothing_is_left() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("doctor") else {
            return;
        };
        let done = sandbox.netlab(&["doctor", "--format", "json"]).expect(0);
        let checks: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let checks = checks.as_array().unwrap();
        for name in [
            "engine",
            "api",
            "place",
            "context",
            "executable",
            "cores",
            "cgroups",
            "tun",
            "ipv6",
            "rights",
            "memory",
            "storage",
            "wake",
            "disk",
            "leftovers",
        ] {
            let check = checks.iter().find(|check| check["name"] == name);
            let state = check.map(|check| check["state"].as_str().unwrap_or_default());
            assert!(matches!(state, Some("ok" | "warn")), "{name}: {check:?}");
        }
        assert_eq!(sandbox.objects(), Vec::<String>::new());
    });
}

#[test]
fn a_small_lab_fits_and_nine_thousand_nodes_do_not() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("fit") else {
            return;
        };
        let lab = |clients: u32, rate: &str| {
            let text = format!(
                "name: fit\nnodes:\n  server: {{ role: server }}\n  client: {{ role: client, count: {clients}, load: {{ target: server, rate: {rate} }} }}\n"
            );
            sandbox.topology("fit.yaml", &text)
        };
        // One request a second: it fits wherever the lab that is measured ran.
        let small = sandbox
            .netlab(&["doctor", "--fit", &lab(2, "1/s")])
            .expect(0);
        assert!(small.stdout.contains("memory"), "{}", small.stdout);
        let large = sandbox
            .netlab(&["doctor", "--fit", &lab(9000, "20/s")])
            .expect(3);
        assert!(large.stdout.contains("too much"), "{}", large.stdout);
        assert_eq!(sandbox.objects(), Vec::<String>::new());
    });
}

#[test]
fn an_interrupted_estimate_leaves_nothing() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("fit-stop") else {
            return;
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_netlab"))
            .args(["doctor", "--fit", "topologies/mesh.yaml"])
            .env("NETLAB_OWNER", &sandbox.owner)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It listens for signals before it says what it is about to do.
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("three nodes"), "{line}");
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(sandbox.objects(), Vec::<String>::new());
    });
}
