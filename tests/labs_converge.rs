//! Labs that become others while they run, on the real engine: what must change changes, and what
//! need not is not touched.

#![allow(clippy::unwrap_used)]

mod support;

use nix::sched::{CloneFlags, setns};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::{Sandbox, docker, eventually, steady, try_docker};

const PATIENCE: Duration = Duration::from_secs(60);

const STAR: &str = r#"name: changing
seed: 7
params: { clients: 19, rtt: 20ms }
link: { rtt: 10ms }
nodes:
  server: { role: server, service: { time: 1ms } }
  client: { role: client, count: "{{ clients }}", load: { target: server, rate: 2/s } }
links:
  - { between: [client-1, server], rtt: "{{ rtt }}" }
"#;

/// Id and start of every container of a lab. One that goes between listing and looking is looked for
/// again.
fn containers(lab: &str) -> BTreeMap<String, String> {
    let filter = format!("label=netlab.lab={lab}");
    let format = "{{.Name}} {{.Id}} {{.State.StartedAt}}";
    let mut text = None;
    eventually("all that is listed is there", PATIENCE, || {
        let ids = docker(&["ps", "-aq", "--filter", &filter]);
        let mut arguments = vec!["inspect", "--format", format];
        arguments.extend(ids.lines());
        text = match ids.is_empty() {
            true => Some(String::new()),
            false => try_docker(&arguments).ok(),
        };
        text.is_some()
    });
    let split = |line: &str| {
        let (name, rest) = line.split_once(' ').unwrap();
        (name.trim_start_matches('/').to_owned(), rest.to_owned())
    };
    text.unwrap().lines().map(split).collect()
}

/// Asks the server over one connection, in the network of a node, again and again.
struct Asker {
    times: Receiver<(Instant, Duration)>,
    stop: Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Asker {
    fn new(sandbox: &Sandbox, container: &str) -> Asker {
        let namespace = File::open(format!("/proc/{}/ns/net", sandbox.pid(container))).unwrap();
        let (sender, times) = channel();
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET)?;
            let mut stream = TcpStream::connect("10.77.0.2:80")?;
            stream.set_read_timeout(Some(PATIENCE))?;
            while stopped.try_recv().is_err() {
                let asked = Instant::now();
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: server\r\n\r\n")?;
                let mut answer = Vec::new();
                while !answer.ends_with(b"\r\n\r\nok\n") {
                    let mut piece = [0; 512];
                    match stream.read(&mut piece)? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        read => answer.extend_from_slice(&piece[..read]),
                    }
                }
                let _ = sender.send((asked, asked.elapsed()));
            }
            Ok(())
        });
        Asker {
            times,
            stop,
            thread,
        }
    }

    /// The next so many round trips that began after `from`.
    #[track_caller]
    fn next(&self, from: Instant, count: usize) -> Vec<Duration> {
        let mut found = Vec::new();
        while found.len() < count {
            let (asked, took) = self.times.recv_timeout(PATIENCE).unwrap();
            if asked >= from {
                found.push(took);
            }
        }
        found
    }

    /// Ends it; an error is a request that failed.
    fn finish(self) {
        let _ = self.stop.send(());
        self.thread.join().unwrap().unwrap();
    }
}

/// The operations of `netlab plan`, as `resource action`.
fn operations(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let all = [&["plan", "--format", "json"], arguments].concat();
    let text = sandbox.netlab(&all).expect(0).stdout;
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let of = |o: &serde_json::Value| format!("{} {}", text(&o["resource"]), text(&o["action"]));
    plan["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect()
}

const NOTHING: [&str; 2] = ["lab await ready", "lab play"];

/// One link of a lab of 20 nodes changes: no container is started or made, the change holds from
/// the next packet on, and connections over other links know nothing of it.
#[test]
fn one_link_changes_under_a_running_lab() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("one-link") else {
            return;
        };
        let file = sandbox.topology("changing.yaml", STAR);
        sandbox.netlab(&["up", &file]).expect(0);
        let before = containers("changing");
        assert_eq!(before.len(), 21);
        let changed = Asker::new(&sandbox, "netlab-changing.client-1");
        let others = ["client-2", "client-19"]
            .map(|n| Asker::new(&sandbox, &format!("netlab-changing.{n}")));
        let slow = Duration::from_millis(80);
        let least = |asker: &Asker| asker.next(Instant::now(), 5).into_iter().min().unwrap();
        eventually("the first round trip is short", PATIENCE, || {
            least(&changed) < slow
        });

        let other = ["--set", "rtt=80ms", &file];
        assert_eq!(
            operations(&sandbox, &other),
            ["lab adopt", "lab await ready", "lab play"]
        );
        let done = sandbox
            .netlab(&["up", "--set", "rtt=80ms", &file])
            .expect(0);
        let said = "live      link server <-> client-1: delay 10ms → 40ms";
        assert!(done.stderr.contains(said), "{}", done.stderr);
        assert!(
            least(&changed) >= slow,
            "no packet is earlier than declared"
        );
        for other in &others {
            eventually("others are as near as before", PATIENCE, || {
                least(other) < slow
            });
        }
        assert_eq!(containers("changing"), before);

        // Said again there is nothing to do, and nothing is done.
        assert_eq!(operations(&sandbox, &other), NOTHING);
        sandbox
            .netlab(&["up", "--set", "rtt=80ms", &file])
            .expect(0);
        assert_eq!(containers("changing"), before);
        assert!(least(&changed) >= slow);
        changed.finish();
        others.into_iter().for_each(Asker::finish);

        // The agent's own death does not bring the old lab back.
        docker(&["kill", "--signal", "KILL", "netlab-changing.agent"]);
        docker(&["start", "netlab-changing.agent"]);
        eventually("the agent is back", PATIENCE, || {
            let ps = sandbox.netlab(&["ps", "changing", "--format", "json"]);
            ps.stdout.matches("\"ready\"").count() == 20
        });
        assert_eq!(operations(&sandbox, &other), NOTHING);
        let asker = Asker::new(&sandbox, "netlab-changing.client-1");
        assert!(least(&asker) >= slow);
        asker.finish();
        sandbox.netlab(&["down", "changing"]).expect(0);
    });
}

/// 20 nodes become 25 and then 15: five are made, ten removed, and no other is touched.
#[test]
fn scaling_costs_the_difference() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("scaling") else {
            return;
        };
        let file = sandbox.topology("changing.yaml", STAR);
        sandbox.netlab(&["up", &file]).expect(0);
        let twenty = containers("changing");
        let asker = Asker::new(&sandbox, "netlab-changing.client-2");

        sandbox
            .netlab(&["up", "--set", "clients=24", &file])
            .expect(0);
        let more = containers("changing");
        let kept = |all: &BTreeMap<String, String>, of: &BTreeMap<String, String>| {
            of.iter()
                .filter(|(name, is)| all.get(*name) == Some(is))
                .count()
        };
        assert_eq!((more.len(), kept(&more, &twenty)), (26, 21));
        // Names of new nodes are known to old ones, and the new ones work.
        eventually("the newest client is served", PATIENCE, || {
            let asker = Asker::new(&sandbox, "netlab-changing.client-24");
            let answered = !asker.next(Instant::now(), 1).is_empty();
            asker.finish();
            answered
        });

        sandbox
            .netlab(&["up", "--set", "clients=14", &file])
            .expect(0);
        let fewer = containers("changing");
        assert_eq!((fewer.len(), kept(&fewer, &more)), (16, 16));
        asker.next(Instant::now(), 3);
        asker.finish();
        assert_eq!(
            operations(&sandbox, &["--set", "clients=14", &file]),
            NOTHING
        );

        sandbox.netlab(&["down", "changing"]).expect(0);
        // Each run has the lab that it was played on, and nobody who left is a fault of it.
        let record = sandbox.record("changing");
        let lab = std::fs::read_to_string(record.folder.join("lab.json")).unwrap();
        assert!(
            lab.contains("client-14") && !lab.contains("client-15"),
            "{lab}"
        );
        let ended = record.events.last().unwrap();
        assert_eq!(ended["verdict"], "passed", "{ended}");
        let nodes: BTreeSet<&str> = record.latency.iter().map(|row| row.node.as_str()).collect();
        assert!(!nodes.contains("client-15"), "{nodes:?}");
    });
}

const PLAYED: &str = r#"name: played
params: { rate: 5/s, data: memory }
nodes:
  server: { role: server, data: "{{ data }}" }
  client: { role: client, count: 2, load: { target: server, rate: "{{ rate }}", timeout: 500ms } }
scenario:
  duration: 60s
  faults:
    loss: { at: 1s, kill: client-2 }
"#;

/// While a scenario plays nothing is changed, unless it is to be replaced; then load changes live,
/// a server that gets a volume is made anew, and a node that a fault had taken is back.
#[test]
fn a_playing_lab_changes_only_when_it_is_told_to() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("played") else {
            return;
        };
        let file = sandbox.topology("played.yaml", PLAYED);
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let before = containers("played");
        let other = ["--set", "rate=50/s", "--set", "data=volume", &file];
        let refused = sandbox
            .netlab(&[&["up", "-d"], &other[..]].concat())
            .expect(2);
        assert!(
            refused.stderr.contains("a scenario is playing"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
        assert_eq!(containers("played").keys().count(), before.len());

        eventually("the fault has taken its node", PATIENCE, || {
            docker(&[
                "inspect",
                "--format",
                "{{.State.Running}}",
                "netlab-played.client-2",
            ]) == "false"
        });
        let replaced = sandbox.netlab(&[&["up", "-d", "--replace"], &other[..]].concat());
        let replaced = replaced.expect(0);
        assert!(
            replaced.stderr.contains("load.rate 5 → 50"),
            "{}",
            replaced.stderr
        );
        let after = containers("played");
        let same = |name: &str| before[name] == after[name];
        assert!(same("netlab-played.agent") && same("netlab-played.client-1"));
        assert!(
            !same("netlab-played.server"),
            "a volume needs a new container"
        );
        sandbox.netlab(&["down", "played"]).expect(0);
        let runs = std::fs::read_dir(sandbox.runs.path().join("played")).unwrap();
        assert_eq!(runs.count(), 2);
    });
}

/// What is missing of a lab is made, and a node that ended is started: nothing is doubled.
#[test]
fn a_lab_with_holes_is_completed() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("holes") else {
            return;
        };
        let file = sandbox.topology("changing.yaml", STAR);
        let up = ["up", "--set", "clients=4", &file];
        sandbox.netlab(&up).expect(0);
        let before = containers("changing");
        docker(&["rm", "--force", "netlab-changing.client-3"]);
        docker(&["kill", "netlab-changing.client-4"]);
        let mut wanted = operations(&sandbox, &up[1..]);
        wanted.retain(|operation| operation.starts_with("node:"));
        let holes = [
            "node:client-3 create",
            "node:client-3 start",
            "node:client-4 start",
        ];
        assert_eq!(wanted, holes);
        sandbox.netlab(&up).expect(0);
        let after = containers("changing");
        let kept = after
            .iter()
            .filter(|(name, is)| before.get(*name) == Some(is));
        assert_eq!((after.len(), kept.count()), (6, 4));
        assert_eq!(operations(&sandbox, &up[1..]), NOTHING);
        sandbox.netlab(&["down", "changing"]).expect(0);
    });
}

/// Killed in the middle of a change, `up` leaves a lab that the next one completes.
#[test]
fn a_killed_change_is_completed() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("killed") else {
            return;
        };
        let file = sandbox.topology("changing.yaml", STAR);
        let few = ["up", "--set", "clients=3", &file];
        let many = ["up", "--set", "clients=15", &file];
        sandbox.netlab(&few).expect(0);
        for new in [1, 4, 8] {
            let up = sandbox.start(&many);
            eventually("some of the new ones are there", PATIENCE, || {
                containers("changing").len() >= 5 + new
            });
            up.signal(9);
            up.finish();
            // The engine may still be at what it was asked for; nothing is made twice then.
            eventually("it is completed", PATIENCE, || {
                sandbox.netlab(&many).code == 0
            });
            assert_eq!(containers("changing").len(), 17);
            assert_eq!(operations(&sandbox, &many[1..]), NOTHING);
            sandbox.netlab(&few).expect(0);
        }
        sandbox.netlab(&["down", "changing"]).expect(0);
    });
}
