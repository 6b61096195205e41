//! Kill -9 at random moments: of the command, of the agent, of a node's container, of the engine. What was
//! measured until then can be read, and `down` removes everything.
//!
//! One moment of each, or as many as `NETLAB_SOAK` says; `NETLAB_SOAK_SEED` draws others.

#![allow(clippy::unwrap_used)]

#[path = "support/engine.rs"]
mod engine;
mod support;

use engine::Engine;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{Running, Sandbox, eventually, try_docker};

const LAB: &str = "name: soak
link: { rtt: 10ms }
nodes:
  server: { role: server, service: { time: 1ms } }
  client: { role: client, count: 2, load: { target: server, rate: 40/s, timeout: 500ms, writes: 20% } }
scenario:
  warmup: 1s
  duration: 5s
  faults:
    loss: { at: 1s, for: 1s, kill: server }
    parted: { at: 3s, for: 1s, cut: { between: [client-1, server] } }
";

/// How far behind the present a record may be: samples of a second, told within another, written once
/// a second; and the record knows the second of its begin only.
const BEHIND: f64 = 4.0;
/// Longest time of what waits for an engine that has just come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// Moments up to `most`, one in each of as many equal parts, the same for the same seed (Marsaglia,
/// Xorshift RNGs, 2003).
fn moments(seed: u64, most: Duration) -> Vec<Duration> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count: u64 = number("NETLAB_SOAK").unwrap_or(1);
    let mut state = seed ^ number("NETLAB_SOAK_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    // The first draws are near to the seed.
    (0..8).for_each(|_| _ = next());
    let moment = |at: u64| most.mul_f64((at as f64 + next()) / count as f64);
    (0..count).map(moment).collect()
}

/// Where labs run: on the engine of all tests, or on one of their own.
struct Place<'s> {
    sandbox: &'s Sandbox,
    host: Option<String>,
}

impl Place<'_> {
    fn start(&self, args: &[&str]) -> Running {
        let host = self.host.iter().map(|host| ("DOCKER_HOST", host.as_str()));
        self.sandbox.start_with(args, &host.collect::<Vec<_>>())
    }

    fn docker(&self, args: &[&str]) -> Result<String, String> {
        match &self.host {
            None => try_docker(args),
            Some(host) => try_docker(&[&["-H", host], args].concat()),
        }
    }

    /// Kills the first process of a container, if there is one.
    fn kill_container(&self, name: &str) -> bool {
        let pid = self.docker(&["inspect", "--format", "{{.State.Pid}}", name]);
        let pid = pid
            .ok()
            .and_then(|pid| pid.parse().ok())
            .filter(|pid| *pid > 0);
        pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
    }

    fn left(&self) -> Vec<String> {
        let label = format!("label=netlab.owner={}", self.sandbox.owner);
        let containers = self.docker(&["ps", "-aq", "--filter", &label]).unwrap();
        let volumes = self
            .docker(&["volume", "ls", "-q", "--filter", &label])
            .unwrap();
        let all = containers.lines().chain(volumes.lines());
        all.map(str::to_owned).collect()
    }

    fn runs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.sandbox.runs.path().join("soak"));
        let entries = entries.into_iter().flatten().flatten();
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        all.sort();
        all
    }

    /// Takes the lab down; nothing of it is left, and what began to be recorded is at home.
    fn clean_up(&self, moment: Duration, began: bool, killed: SystemTime) {
        let down = self.start(&["down", "soak"]).finish();
        assert_eq!(down.code, 0, "after {moment:?}: {}", down.stderr);
        assert_eq!(self.left(), Vec::<String>::new(), "after {moment:?}");
        let runs = self.runs();
        assert!(
            !began || !runs.is_empty(),
            "no record, {moment:?}: {}",
            down.stderr
        );
        for dir in &runs {
            let id = dir.file_name().unwrap().to_string_lossy().into_owned();
            let listed = self.start(&["runs", "soak"]).finish().expect(0).stdout;
            assert!(listed.contains(&id), "{moment:?}: {listed}");
            let report = self.start(&["report", &id]).finish().expect(0).stdout;
            assert!(report.contains(&id), "{moment:?}: {report}");
            self.start(&["report", &id, "--format", "html"])
                .finish()
                .expect(0);
            is_fresh(dir, moment, killed);
        }
        let _ = fs::remove_dir_all(self.sandbox.runs.path().join("soak"));
    }
}

/// The record holds what was measured until shortly before the kill, or its end.
fn is_fresh(dir: &std::path::Path, moment: Duration, killed: SystemTime) {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    let agent: serde_json::Value = serde_json::from_str(&read("agent.json")).unwrap();
    let begun = agent["started"].as_f64().unwrap();
    let killed = killed.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    // Whole lines only: the last one may be torn.
    let whole = |name: &str| {
        let text = read(name);
        text.rsplit_once('\n')
            .map_or(String::new(), |(whole, _)| whole.to_owned())
    };
    let events = whole("events.jsonl");
    let ended = events
        .lines()
        .find(|line| line.contains("\"run-ended\""))
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["t"].as_f64().unwrap() / 1e9
        });
    // The agent plays on without the command; what counts is what was there when it was killed.
    let until = (killed - begun).min(ended.unwrap_or(f64::INFINITY));
    let time = |line: &str| Some(line.split(',').next()?.parse::<f64>().ok()? / 1e9);
    let samples = whole("samples.csv");
    let times = samples.lines().filter_map(time);
    let last = times.filter(|t| *t <= until).fold(0.0, f64::max);
    eprintln!("  {moment:?}: {until:.1} s after go, samples until {last:.1} s");
    assert!(
        last >= until - BEHIND,
        "{moment:?}: killed at {until} s, samples until {last} s"
    );
}

fn has_begun(running: &Running) -> bool {
    let said = running.stderr() + &fs::read_to_string(&running.stdout).unwrap_or_default();
    said.contains(" begins: ")
}

#[test]
fn a_killed_command_costs_nothing() {
    let Some(sandbox) = Sandbox::new("soak-command") else {
        return;
    };
    let file = sandbox.topology("soak.yaml", LAB);
    let place = Place {
        sandbox: &sandbox,
        host: None,
    };
    for moment in moments(1, Duration::from_secs(12)) {
        let mut running = place.start(&["run", &file]);
        std::thread::sleep(moment);
        let _ = running.child.kill(); // or it is over
        let killed = SystemTime::now();
        let began = has_begun(&running);
        running.child.wait().unwrap();
        place.clean_up(moment, began, killed);
    }
}

/// Kills the first process of one container while `up` plays.
fn kill_one(name: &str, container: &str, seed: u64) {
    let Some(sandbox) = Sandbox::new(name) else {
        return;
    };
    let file = sandbox.topology("soak.yaml", LAB);
    let place = Place {
        sandbox: &sandbox,
        host: None,
    };
    for moment in moments(seed, Duration::from_secs(12)) {
        let running = place.start(&["up", &file]);
        std::thread::sleep(moment);
        let was_there = place.kill_container(container);
        let killed = SystemTime::now();
        let began = has_begun(&running);
        let done = running.finish();
        eprintln!("  {moment:?}: code {}, was there: {was_there}", done.code);
        // Passed: it was dead already, or ready again before anybody asked. 5: it could not start.
        assert!(
            [0, 3, 5].contains(&done.code),
            "{moment:?}: {}",
            done.stderr
        );
        place.clean_up(moment, began, killed);
    }
}

#[test]
fn a_killed_agent_leaves_a_record() {
    kill_one("soak-agent", "netlab-soak.agent", 2);
}

#[test]
fn a_killed_node_leaves_a_record() {
    kill_one("soak-node", "netlab-soak.client-1", 3);
}

#[test]
fn a_killed_engine_leaves_a_record() {
    let Some(sandbox) = Sandbox::new("soak-engine") else {
        return;
    };
    let Some(mut engine) = Engine::start() else {
        return;
    };
    let file = sandbox.topology("soak.yaml", LAB);
    let host = Some(engine.host());
    let place = Place {
        sandbox: &sandbox,
        host,
    };
    for moment in moments(4, Duration::from_secs(12)) {
        let running = place.start(&["up", &file]);
        std::thread::sleep(moment);
        engine.kill();
        let killed = SystemTime::now();
        let began = has_begun(&running);
        let done = running.finish();
        eprintln!("  {moment:?}: code {}", done.code);
        assert!(
            [0, 3, 5].contains(&done.code),
            "{moment:?}: {}",
            done.stderr
        );
        let again = SystemTime::now();
        engine.run();
        eprintln!(
            "  {moment:?}: the engine is back after {:?}",
            again.elapsed()
        );
        eventually("the engine lists containers", PATIENCE, || {
            engine.docker(&["ps", "-aq"]).is_ok()
        });
        place.clean_up(moment, began, killed);
    }
    let down = place.start(&["down", "--all", "--images"]).finish();
    assert_eq!(down.code, 0, "{}\n{}", down.stderr, engine.log());
}
