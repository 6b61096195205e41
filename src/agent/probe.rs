//! What an agent's container has on the engine's host: facts for `netlab doctor`, no judgement.

use crate::plan::AGENT_STATE;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};

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
}

/// Looks around in this container.
pub fn probe() -> Probe {
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
    }
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
