//! What an agent's container has on the engine's host: facts for `netlab doctor`, no judgement.

use crate::plan::AGENT_STATE;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Facts that only a container on the engine's host can know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Why `/dev/net/tun` cannot be opened; none: it can.
    pub tun: Option<String>,
    /// Whether its kernel speaks IPv6.
    pub ipv6: bool,
    /// Effective capabilities, a bit each (capabilities(7)).
    pub capabilities: u64,
    /// Whether it sees the processes of the host.
    pub host_processes: bool,
    /// Memory in bytes that can be had without swapping (`MemAvailable`, proc_meminfo(5)).
    pub memory: Option<u64>,
    /// Bytes free where the engine keeps volumes.
    pub disk: Option<u64>,
    /// Median time in µs until a thread that slept runs again after it was woken; not measured where
    /// processes are asked about.
    #[serde(default)]
    pub wake: Option<u64>,
    /// The processes that were asked about, in that order; those that are gone are left out.
    #[serde(default)]
    pub processes: Vec<Process>,
}

/// What a process of the host has taken so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Resident memory in bytes.
    pub memory: u64,
    /// Memory of its parent alone, in bytes: of a container's first process the engine's shim.
    pub parent_memory: u64,
    /// Processor time.
    #[serde(with = "crate::units::duration")]
    pub cpu: Duration,
    /// Packets that its network namespace sent.
    pub sent: u64,
}

impl Process {
    /// As `/proc` has it (proc(5)); none: it is gone.
    fn of(pid: i32) -> Option<Process> {
        let kib = |pid: &str, key: &str| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let text = status.lines().find_map(|line| line.strip_prefix(key))?;
            text.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        };
        let memory = kib(&pid.to_string(), "VmRSS:")?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name may hold anything; the fields begin behind its bracket.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let parent_memory = kib(fields.get(1)?, "RssAnon:").unwrap_or(0);
        let ticks: u64 = fields
            .get(11..13)?
            .iter()
            .filter_map(|f| f.parse::<u64>().ok())
            .sum();
        let devices = fs::read_to_string(format!("/proc/{pid}/net/dev")).ok()?;
        let sent = devices.lines().filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let packets = rest.split_whitespace().nth(9)?.parse::<u64>().ok()?;
            (name.trim() != "lo").then_some(packets)
        });
        Some(Process {
            memory: memory * 1024,
            parent_memory: parent_memory * 1024,
            cpu: Duration::from_millis(ticks * 1000 / TICKS),
            sent: sent.sum(),
        })
    }
}

/// Clock ticks per second in what the kernel tells (USER_HZ, 100 on all of Linux's common machines).
const TICKS: u64 = 100;

/// Looks around in this container, and at these processes of the host.
pub fn probe(pids: &[i32]) -> Probe {
    let tun = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    let field = |file: &str, key: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().to_owned())
    };
    let capabilities = field("/proc/self/status", "CapEff:");
    let capabilities = capabilities.and_then(|hex| u64::from_str_radix(&hex, 16).ok());
    let memory = field("/proc/meminfo", "MemAvailable:");
    let memory = memory.and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok());
    Probe {
        tun: tun.err().map(|error| error.to_string()),
        ipv6: fs::exists("/proc/sys/net/ipv6").unwrap_or(false),
        capabilities: capabilities.unwrap_or(0),
        // In a namespace of its own the container's first process is number 1.
        host_processes: std::process::id() != 1,
        memory: memory.map(|kib| kib * 1024),
        disk: free(AGENT_STATE),
        wake: pids.is_empty().then(wake).flatten(),
        processes: pids.iter().filter_map(|pid| Process::of(*pid)).collect(),
    }
}

/// Times that a thread is woken to see how long that takes, and how long it sleeps before.
const WAKES: usize = 21;
const SLEEP: Duration = Duration::from_millis(3);

fn wake() -> Option<u64> {
    let (call, called) = sync_channel::<Instant>(1);
    let sleeper =
        std::thread::spawn(move || called.iter().map(|at| at.elapsed()).collect::<Vec<_>>());
    for _ in 0..WAKES {
        std::thread::sleep(SLEEP);
        call.send(Instant::now()).ok()?;
    }
    drop(call);
    let mut times = sleeper.join().ok()?;
    times.sort();
    times.get(WAKES / 2).map(|time| time.as_micros() as u64)
}

fn free(path: &str) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(path).ok()?;
    #[allow(
        clippy::unnecessary_cast,
        reason = "the types differ between platforms"
    )]
    let free = stat.blocks_available() as u64 * stat.fragment_size() as u64;
    Some(free)
}
