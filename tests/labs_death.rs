//! What is left of the dead: nothing of an agent that was killed, and no answer from a machine that is
//! lost.

#![allow(clippy::unwrap_used)]

mod support;

use nix::libc;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn,
    recvmsg, sendto, setsockopt, socket, sockopt,
};
use nix::time::{ClockId, clock_gettime};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::IoSliceMut;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use support::{SECOND, Sandbox, docker, eventually, steady};

const PATIENCE: Duration = Duration::from_secs(20);
const MS: i64 = 1_000_000;

/// The network namespaces of all threads of a process, by number.
fn networks_of(pid: i32) -> BTreeSet<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let number = |path: String| fs::metadata(path).map(|found| found.ino());
    let threads = threads.flatten().map(|thread| thread.path());
    threads
        .flat_map(|thread| number(format!("{}/ns/net", thread.display())))
        .collect()
}

/// Who holds a network namespace: a thread in it, an open file, or a mount.
fn holders(namespace: u64) -> Vec<String> {
    let name = format!("net:[{namespace}]");
    let mut found = Vec::new();
    let links = |folder: String| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    let processes = links("/proc".to_owned()).filter(|path| {
        let id = path.file_name().unwrap_or_default().to_string_lossy();
        id.bytes().all(|b| b.is_ascii_digit())
    });
    for process in processes {
        let files = links(format!("{}/fd", process.display()));
        let threads = links(format!("{}/task", process.display()));
        let all = files.chain(threads.map(|thread| thread.join("ns/net")));
        let held = all.filter(|path| fs::read_link(path).is_ok_and(|to| to.as_os_str() == &*name));
        found.extend(held.map(|path| path.display().to_string()));
        let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
        if mounts.lines().any(|line| line.contains(&name)) {
            found.push(format!("{}: a mount", process.display()));
        }
    }
    found
}

/// Devices of the network that a process is in.
fn devices(pid: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    let names = text.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// Firewall rules of this machine, as far as a tool is there that lists them.
fn rules() -> String {
    let list = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output();
        output.map_or_else(
            |_| String::new(),
            |output| {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let rules = text.lines().filter(|line| !line.starts_with('#'));
                rules.collect::<Vec<_>>().join("\n")
            },
        )
    };
    list("iptables-save", &[]) + &list("nft", &["list", "ruleset"])
}

/// The agent is killed and nothing brings it back: its devices are gone from the nodes, its networks are
/// gone with it, the machine has neither device nor rule of it, and `down` removes what runs on.
#[test]
fn a_killed_agent_leaves_nothing_behind() {
    let Some(sandbox) = Sandbox::new("death") else {
        return;
    };
    let (had, ruled) = (devices("self"), rules());
    let file = sandbox.topology(
        "death.yaml",
        "name: death\nnodes:\n  n: { role: server, count: 2, ports: [\"80\"] }\n",
    );
    sandbox.netlab(&["up", "-d", &file]).expect(0);
    let own = networks_of(std::process::id() as i32);
    let node = sandbox.pid("netlab-death.n-1");
    let of_node = networks_of(node);
    let agent: BTreeSet<u64> = networks_of(sandbox.pid("netlab-death.agent"))
        .difference(&own)
        .copied()
        .collect();
    // Its own, and that of `host`; and the ruler sees both while they are there.
    assert_eq!(agent.len(), 2, "{agent:?}");
    assert!(agent.iter().all(|network| !holders(*network).is_empty()));
    assert!(devices(&node.to_string()).contains("eth0"));

    docker(&["update", "--restart", "no", "netlab-death.agent"]);
    docker(&["kill", "--signal", "KILL", "netlab-death.agent"]);
    eventually("the devices are gone", PATIENCE, || {
        devices(&node.to_string()) == BTreeSet::from(["lo".to_owned()])
    });
    for network in &agent {
        let gone = || holders(*network).is_empty();
        eventually(&format!("{:?}", holders(*network)), PATIENCE, gone);
    }
    let now = devices("self");
    assert!(!now.difference(&had).any(|name| name.starts_with("netlab")));
    assert_eq!(rules(), ruled);

    sandbox.netlab(&["down", "death"]).expect(0);
    for network in &of_node {
        let gone = || holders(*network).is_empty();
        eventually(&format!("{:?}", holders(*network)), PATIENCE, gone);
    }
}

fn clock(id: ClockId) -> i64 {
    let time = clock_gettime(id).unwrap();
    time.tv_sec() * SECOND + time.tv_nsec()
}

/// Asks an address for an echo every millisecond, from inside the network of a process, until dropped.
struct Echoes {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<i64>>>,
}

impl Echoes {
    fn of(target: Ipv4Addr, pid: i32) -> Echoes {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            let socket = echo_socket();
            let to = SockaddrIn::from(std::net::SocketAddrV4::new(target, 0));
            let mut answers = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                // Echo request with its checksum (RFC 792); a full queue loses one, and the next follows.
                let request = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
                let _ = sendto(socket.as_raw_fd(), &request, &to, MsgFlags::empty());
                std::thread::sleep(Duration::from_millis(1));
                while let Some(at) = answer(&socket, target) {
                    answers.push(at);
                }
            }
            answers
        });
        Echoes {
            over,
            thread: Some(thread),
        }
    }

    /// When answers arrived, in nanoseconds on the monotonic clock.
    fn end(mut self) -> Vec<i64> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Echoes {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn echo_socket() -> OwnedFd {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Raw,
        SockFlag::SOCK_NONBLOCK,
        SockProtocol::Icmp,
    );
    let socket = socket.unwrap();
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
    socket
}

/// When the kernel received the next answer: not when this thread was woken.
fn answer(socket: &OwnedFd, target: Ipv4Addr) -> Option<i64> {
    loop {
        let mut packet = [0; 128];
        let mut parts = [IoSliceMut::new(&mut packet)];
        let mut space = nix::cmsg_space!(libc::timespec);
        let fd = socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrIn>(fd, &mut parts, Some(&mut space), MsgFlags::empty()).ok()?;
        let from = message.address?.ip();
        let stamps = message.cmsgs().unwrap().filter_map(|part| match part {
            ControlMessageOwned::ScmTimestampns(at) => Some(at),
            _ => None,
        });
        let at = stamps.map(|at| at.tv_sec() * SECOND + at.tv_nsec()).next();
        // Behind the IPv4 header: type 0 is the answer.
        if from == target && packet[20] == 0 {
            let ahead = clock(ClockId::CLOCK_REALTIME) - clock(ClockId::CLOCK_MONOTONIC);
            return Some(at? - ahead);
        }
    }
}

const LOST: &str = "
name: lost
nodes:
  victim: { role: server }
  witness: { role: server }
scenario:
  duration: 14s
  faults:
    first: { at: 1s, for: 2s, kill: victim }
    second: { at: 5s, for: 2s, kill: victim }
    third: { at: 9s, for: 2s, kill: victim }
";

/// The go of the run that plays, on the monotonic clock.
fn go(sandbox: &Sandbox) -> i64 {
    let copy = sandbox.runs.path().join("position.json");
    docker(&[
        "cp",
        "netlab-lost.agent:/netlab-state/position.json",
        &copy.display().to_string(),
    ]);
    let position: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(copy).unwrap()).unwrap();
    position["run"]["go"].as_i64().unwrap()
}

/// A machine that is lost answers nothing later than 10 ms after, until it is back. Its kernel would: an
/// echo is answered by no process.
#[test]
fn a_lost_machine_is_silent_within_ten_milliseconds() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("lost") else {
            return;
        };
        let file = sandbox.topology("lost.yaml", LOST);
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let go = go(&sandbox);
        let witness = sandbox.pid("netlab-lost.witness");
        let echoes = Echoes::of(Ipv4Addr::new(10, 77, 0, 2), witness);
        sandbox.netlab(&["wait", "lost"]).expect(0);
        let answers = echoes.end();
        sandbox.netlab(&["down", "lost"]).expect(0);
        let record = sandbox.record("lost");
        let mut prompt = 0;
        for fault in ["first", "second", "third"] {
            let asked = record.of("fault-began", fault)["requested"]
                .as_i64()
                .unwrap();
            let (asked, heal) = (go + asked, go + record.time("heal-started", Some(fault)));
            let before = answers
                .iter()
                .filter(|at| (asked - SECOND..asked).contains(at));
            let after: Vec<i64> = answers
                .iter()
                .copied()
                .filter(|at| (asked..heal).contains(at))
                .collect();
            let last = after.iter().max().map_or(0, |at| at - asked);
            eprintln!(
                "{fault}: the last answer {last} ns after, {} in all",
                after.len()
            );
            assert!(before.count() >= 100, "{fault}: it answered before");
            let back = go + record.time("fault-healed", Some(fault));
            let again = answers.iter().any(|at| (back..back + SECOND).contains(at));
            assert!(again, "{fault}: it answers when it is back");
            // Once a process of this machine may have waited for its turn.
            assert!(last < 100 * MS, "{fault}: {last} ns");
            prompt += u32::from(last < 10 * MS);
        }
        assert!(prompt >= 2, "{prompt} of 3");
    });
}
