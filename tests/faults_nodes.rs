//! Faults of nodes on the real engine, by hand and as the host's kernel sees them: what a node may
//! take, how it dies, and what it keeps.

#![allow(clippy::unwrap_used)]

#[path = "support/packed.rs"]
mod packed;
mod support;

use packed::Packed;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Done, Sandbox, docker, eventually, steady};

const PATIENCE: Duration = Duration::from_secs(20);

/// A file of the cgroup of a container's first process, found from the host: version 1 of a
/// controller, or version 2.
fn cgroup(
    sandbox: &Sandbox,
    container: &str,
    controller: &str,
    first: &str,
    second: &str,
) -> String {
    let pid = sandbox.pid(container);
    let of = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let line = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let here = controllers.split(',').any(|one| one == controller);
        here.then(|| path.to_owned())
    };
    let path = match of.lines().find_map(line) {
        Some(path) => format!("/sys/fs/cgroup/{controller}{path}/{first}"),
        None => {
            let path = of
                .lines()
                .find_map(|line| line.strip_prefix("0::"))
                .unwrap();
            format!("/sys/fs/cgroup{path}/{second}")
        }
    };
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.trim().to_owned()
}

/// Percent of a core and bytes that a container may take.
fn limits(sandbox: &Sandbox, container: &str) -> (Option<u64>, Option<u64>) {
    let read = |controller, first, second| cgroup(sandbox, container, controller, first, second);
    let cpu = read("cpu", "cpu.cfs_quota_us", "cpu.max");
    let quota = cpu.split(' ').next().unwrap().parse::<u64>().ok();
    let memory = read("memory", "memory.limit_in_bytes", "memory.max");
    let memory = memory.parse::<u64>().ok().filter(|bytes| *bytes < 1 << 62);
    // The kernel's period is 100 ms.
    (quota.map(|quota| quota / 1000), memory)
}

const MIB: u64 = 1 << 20;
const DECLARED: (Option<u64>, Option<u64>) = (None, Some(256 * MIB));

fn fault(sandbox: &Sandbox, arguments: &[&str]) -> Done {
    sandbox.netlab(&[&["fault"], arguments].concat())
}

fn state(container: &str) -> String {
    docker(&[
        "inspect",
        "--format",
        "{{.State.Status}} {{.State.OOMKilled}}",
        container,
    ])
}

#[test]
fn throttled_nodes_have_what_the_faults_in_force_leave_them() {
    let Some(sandbox) = Sandbox::new("throttle") else {
        return;
    };
    let text = "
name: throttle
nodes:
  server: { role: server }
  full: { role: server }
  client: { role: client, load: { target: server, rate: 50/s } }
  filler: { role: client, load: { target: full, rate: 100/s, writes: 100%, value: 64KiB, keys: 100000 } }
";
    let file = sandbox.topology("throttle.yaml", text);
    sandbox.netlab(&["up", &file]).expect(0);
    let server = "netlab-throttle.server";
    let now = || limits(&sandbox, server);
    assert_eq!(now(), DECLARED);

    // Two overlap, the first heals first; a restarted node has what is left.
    let slow = [
        "inject", "throttle", "server", "--cpu", "20%", "--memory", "64MiB",
    ];
    let small = [
        "inject", "throttle", "server", "--cpu", "0.5", "--memory", "32MiB",
    ];
    fault(&sandbox, &slow).expect(0);
    assert_eq!(now(), (Some(20), Some(64 * MIB)));
    fault(&sandbox, &small).expect(0);
    assert_eq!(now(), (Some(20), Some(32 * MIB)));
    fault(&sandbox, &["heal", "throttle-1"]).expect(0);
    assert_eq!(now(), (Some(50), Some(32 * MIB)));
    let before = sandbox.pid(server);
    fault(&sandbox, &["inject", "restart", "server", "--grace", "0s"]).expect(0);
    eventually("another process runs", PATIENCE, || {
        ![0, before].contains(&sandbox.pid(server))
    });
    assert_eq!(now(), (Some(50), Some(32 * MIB)));

    // Its heal is not lost with the agent.
    docker(&["kill", "--signal", "KILL", "netlab-throttle.agent"]);
    docker(&["start", "netlab-throttle.agent"]);
    eventually("the agent is back", PATIENCE, || {
        fault(&sandbox, &["list"]).stdout.contains("throttle-2")
    });
    assert_eq!(now(), (Some(50), Some(32 * MIB)));
    fault(&sandbox, &["heal", "throttle-2"]).expect(0);
    assert_eq!(now(), DECLARED);

    // Who needs more memory than it has is killed by the kernel, and stays dead until the heal.
    let full = "netlab-throttle.full";
    docker(&["restart", "--time", "0", full]);
    eventually("its memory is empty", PATIENCE, || {
        let used = || {
            cgroup(
                &sandbox,
                full,
                "memory",
                "memory.usage_in_bytes",
                "memory.current",
            )
        };
        state(full).starts_with("running") && used().parse::<u64>().unwrap() < 12 * MIB
    });
    fault(
        &sandbox,
        &["inject", "throttle", "full", "--memory", "24MiB"],
    )
    .expect(0);
    eventually("it is full", PATIENCE, || state(full) == "exited true");
    let list = fault(&sandbox, &["list"]).expect(0).stdout;
    assert!(list.contains("throttle"), "{list}");
    assert_eq!(state(full), "exited true");
    fault(&sandbox, &["heal", "--all"]).expect(0);
    assert!(state(full).starts_with("running"), "{}", state(full));
    assert_eq!(limits(&sandbox, full), DECLARED);

    let wrong = fault(&sandbox, &["inject", "throttle", "server"]).expect(2);
    assert!(wrong.stderr.contains("cpu, memory"), "{}", wrong.stderr);
}

/// The shipped lab: what crashes is started again at once, who is killed for its memory is not.
#[test]
fn a_server_crashes_over_and_over_and_another_runs_out_of_memory() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("worn-server") else {
            return;
        };
        let done = sandbox
            .netlab(&["up", "topologies/worn-server.yaml"])
            .expect(0);
        let record = sandbox.record("worn-server");
        let died = record.events.iter().filter(|e| e["event"] == "node-died");
        let died: Vec<_> = died
            .map(|e| (e["fault"].as_str(), e["oom"].as_bool()))
            .collect();
        let of = |fault, oom| {
            died.iter()
                .filter(|one| **one == (Some(fault), oom))
                .count()
        };
        // Whom the kernel finds pages of the program to take from, it lets crawl instead of killing it.
        let killed = of("memory", Some(true));
        assert!(killed <= 1, "{died:?}");
        // One and a half seconds up each time, and a start, within seven seconds.
        let crashes = of("crashes", None);
        assert!((3..=4).contains(&crashes), "{died:?}");
        assert_eq!(died.len(), crashes + killed, "{died:?}");
        assert_eq!(done.stdout.contains("OOM killed"), killed == 1);
        let crashed = format!("crashed {crashes} times");
        for said in [crashed.as_str(), "cgroup allows 16MiB"] {
            assert!(done.stdout.contains(said), "{said}\n{}", done.stdout);
        }
        for container in ["server", "cache"] {
            assert!(state(&format!("netlab-worn-server.{container}")).starts_with("running"));
        }
    });
}

/// A node of netlab's own ends when it is told to; who does not hear has its grace, and its stop is over
/// before a heal that falls into it starts it again.
#[test]
fn who_hears_sigterm_ends_at_once_and_who_does_not_has_its_grace() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("halt") else {
            return;
        };
        let Some(image) = Packed::new::<&[u8]>("halt", &[]) else {
            return;
        };
        let text = format!(
            "name: halt
nodes:
  server: {{ role: server }}
  peer: {{ role: peer, count: 2, load: {{ rate: 10/s }} }}
  client: {{ role: client, load: {{ target: server, rate: 10/s }} }}
  heeding: {{ image: \"{0}\", command: [sh, -c, \"trap 'exit 7' TERM; while :; do sleep 0.1; done\"] }}
  deaf: {{ image: \"{0}\", command: [sh, -c, \"trap '' TERM; while :; do sleep 1; done\"] }}
scenario:
  duration: 16s
  faults:
    own: {{ at: 1s, for: 5s, stop: [server, peer, client, heeding], grace: 4s }}
    grace: {{ at: 1s, for: 5s, stop: deaf, grace: 2s }}
    early: {{ at: 9s, for: 1s, stop: deaf, grace: 3s }}
",
            image.0
        );
        let file = sandbox.topology("halt.yaml", &text);
        let done = sandbox.netlab(&["up", &file]).expect(3);
        let record = sandbox.record("halt");
        let begin = |fault: &str| {
            record.of("fault-began", fault)["requested"]
                .as_i64()
                .unwrap()
        };
        let died = |node: &str| -> Vec<(i64, i64, Option<&str>)> {
            let events = record.events.iter();
            let of = events.filter(|e| e["event"] == "node-died" && e["node"] == node);
            of.map(|e| {
                let number = |key: &str| e[key].as_i64().unwrap();
                (number("t"), number("exit_code"), e["fault"].as_str())
            })
            .collect()
        };
        for (node, code) in [
            ("server", 0),
            ("peer-1", 0),
            ("peer-2", 0),
            ("client", 0),
            ("heeding", 7),
        ] {
            let [(at, exit, fault)] = died(node)[..] else {
                panic!("{node}: {:?}", died(node))
            };
            assert_eq!((exit, fault), (code, Some("own")), "{node}");
            let took = at - begin("own");
            assert!(took < 2_000_000_000, "{node} took {took} ns of 4 s");
        }
        let [first, second] = died("deaf")[..] else {
            panic!("{:?}", died("deaf"))
        };
        assert_eq!((first.1, first.2), (137, Some("grace")));
        assert!(first.0 - begin("grace") >= 2_000_000_000);
        assert_eq!((second.1, second.2), (137, Some("early")));
        assert!(
            done.stdout.contains("healed before its effect was seen"),
            "{}",
            done.stdout
        );
        assert!(
            !done.stdout.contains("no fault wanted it"),
            "{}",
            done.stdout
        );
        assert!(state("netlab-halt.deaf").starts_with("running"));
        sandbox.netlab(&["down", "halt"]).expect(0);
    });
}

const DISKS: &str = "
name: disks
nodes:
  keeper: { role: server, data: volume }
  loser: { role: server, data: volume }
  trusting: { role: client, load: { target: keeper, rate: 50/s, timeout: 300ms, writes: 50%, keys: 20 } }
  deceived: { role: client, load: { target: loser, rate: 50/s, timeout: 300ms, writes: 50%, keys: 20 } }
scenario:
  warmup: 1s
  duration: 9s
  faults:
    kept: { at: 2s, for: 1s, kill: keeper }
    gone: { at: 2s, for: 1s, wipe: loser }
";

#[test]
fn a_volume_outlives_a_kill_and_no_wipe() {
    let Some(sandbox) = Sandbox::new("wipe") else {
        return;
    };
    let checks = "
checks:
  a volume keeps: lost_writes(trusting) == 0
  a wipe forgets: lost_writes(deceived) > 0
";
    let file = sandbox.topology("disks.yaml", &format!("{DISKS}{checks}"));
    let done = sandbox.netlab(&["up", &file]).expect(0);
    assert!(done.stdout.contains("none left"), "{}", done.stdout);
    sandbox.netlab(&["down"]).expect(0);

    // A volume that keeps what it should have lost is noticed.
    let file = sandbox.topology("disks.yaml", DISKS);
    let kept = [("NETLAB_TEST_SABOTAGE", "wipe")];
    let done = sandbox.netlab_with(&["up", &file], &kept).expect(3);
    assert!(
        done.stdout.contains("files of `loser` are left"),
        "{}",
        done.stdout
    );
}

/// Where a node's data volume is, as the host sees it.
fn data(sandbox: &Sandbox, container: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root/data", sandbox.pid(container)))
}

/// Writes some pages on a volume, and removes them.
fn write(folder: &Path) -> io::Result<()> {
    let path = folder.join("probe");
    let written = fs::write(&path, [7; 16384]);
    if path.exists() {
        fs::remove_file(&path)?;
    }
    written
}

/// What the kernel answers to who writes there; none: it writes.
fn refusal(folder: &Path) -> Option<io::ErrorKind> {
    write(folder).err().map(|error| error.kind())
}

#[test]
fn volumes_are_full_or_read_only_for_every_instance_until_the_heal() {
    let Some(sandbox) = Sandbox::new("volumes") else {
        return;
    };
    let text = "
name: volumes
nodes:
  server: { role: server, data: { volume: 1MiB } }
  client: { role: client, load: { target: server, rate: 20/s, writes: 50%, keys: 5 } }
";
    let file = sandbox.topology("volumes.yaml", text);
    sandbox.netlab(&["up", &file]).expect(0);
    let server = "netlab-volumes.server";
    let folder = || data(&sandbox, server);
    let log = || fs::read(folder().join("keys.log")).unwrap_or_default();
    eventually("keys are kept", PATIENCE, || !log().is_empty());
    let room = vec![7; 65536];
    fs::write(folder().join("room"), &room).unwrap();
    assert_eq!(refusal(&folder()), None);

    fault(&sandbox, &["inject", "disk-fill", "server"]).expect(0);
    assert_eq!(refusal(&folder()), Some(io::ErrorKind::StorageFull));
    assert_eq!(fs::read(folder().join("room")).unwrap(), room);
    // What the node gives back is taken, too.
    fs::remove_file(folder().join("room")).unwrap();
    eventually("it is full again", PATIENCE, || {
        refusal(&folder()).is_some()
    });

    // It is the disk that is full, whoever comes back to it; and the agent's death heals nothing.
    let kept = log();
    let before = sandbox.pid(server);
    fault(&sandbox, &["inject", "kill", "server"]).expect(0);
    fault(&sandbox, &["heal", "kill-2"]).expect(0);
    assert!(![0, before].contains(&sandbox.pid(server)));
    assert!(log().starts_with(&kept));
    assert_eq!(refusal(&folder()), Some(io::ErrorKind::StorageFull));
    docker(&["kill", "--signal", "KILL", "netlab-volumes.agent"]);
    docker(&["start", "netlab-volumes.agent"]);
    eventually("the agent is back", PATIENCE, || {
        let list = fault(&sandbox, &["list"]).stdout;
        list.contains("disk-fill-1")
    });
    assert_eq!(refusal(&folder()), Some(io::ErrorKind::StorageFull));

    // Both at once; each heals what is its own.
    fault(&sandbox, &["inject", "read-only", "server"]).expect(0);
    let read_only = Some(io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(refusal(&folder()), read_only);
    fault(&sandbox, &["heal", "disk-fill-1"]).expect(0);
    assert_eq!(refusal(&folder()), read_only);
    fault(&sandbox, &["heal", "--all"]).expect(0);
    assert_eq!(refusal(&folder()), None);
    assert!(log().starts_with(&kept));
    let left = fs::read_dir(folder()).unwrap().count();
    assert_eq!(left, 1, "nothing of the agent is left beside the log");

    // A machine that loses its data loses it from a disk that is read-only, too, and comes back to one.
    fault(&sandbox, &["inject", "read-only", "server"]).expect(0);
    fault(&sandbox, &["inject", "wipe", "server"]).expect(0);
    fault(&sandbox, &["heal", "wipe-5"]).expect(0);
    eventually("it is read-only again", PATIENCE, || {
        refusal(&folder()) == read_only
    });
    assert!(!folder().join("keys.log").exists());

    let more = sandbox.topology("volumes.yaml", &text.replace("1MiB", "2MiB"));
    let refused = sandbox.netlab(&["up", &more]).expect(2);
    assert!(refused.stderr.contains("netlab down"), "{}", refused.stderr);
    sandbox.netlab(&["down"]).expect(0);
}

/// The shipped lab, as its checks see it; and whoever has a file open for writing keeps its volume.
#[test]
fn a_server_whose_disk_is_full_refuses_writes_and_loses_none() {
    let Some(sandbox) = Sandbox::new("full-disk") else {
        return;
    };
    let done = sandbox
        .netlab(&["up", "topologies/full-disk.yaml"])
        .expect(0);
    assert!(
        done.stdout.contains("no byte of its volume is free"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("its volume is read-only"),
        "{}",
        done.stdout
    );
    let folder = data(&sandbox, "netlab-full-disk.server");
    let open = fs::File::create(folder.join("open")).unwrap();
    let refused = fault(&sandbox, &["inject", "read-only", "server"]);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("open for writing"),
        "{}{}",
        refused.stdout,
        refused.stderr
    );
    drop(open);
}
