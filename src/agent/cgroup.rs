//! What a container has taken, as the kernel counts it in the container's cgroup (cgroups(7)).
//!
//! Owns the files of both versions. They are opened anew each time and read to a bound without
//! waiting, so that nothing of a container is held, and none of them can hold the agent. Must not know
//! nodes.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

/// More than any of these files has.
const MOST: u64 = 16 << 10;

/// What the processes of a container have taken so far; none: the kernel does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Processor time in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Memory in bytes, page cache included.
    pub memory: Option<u64>,
    /// The most of it, in bytes.
    pub memory_peak: Option<u64>,
    /// Processes that were killed for want of memory.
    pub oom_kills: Option<u64>,
}

/// The usage of the container of this process.
pub(super) fn usage(pid: i32) -> Usage {
    // The container's own view of its cgroup.
    let read = |name: &str| bounded(&format!("/proc/{pid}/root/sys/fs/cgroup/{name}"));
    match read("cpu.stat") {
        Some(stat) => second(&stat, read),
        None => first(read),
    }
}

fn second(stat: &str, read: impl Fn(&str) -> Option<String>) -> Usage {
    let number = |name| read(name)?.trim().parse().ok();
    Usage {
        cpu_ns: field(stat, "usage_usec").map(|us| us.saturating_mul(1_000)),
        memory: number("memory.current"),
        memory_peak: number("memory.peak"),
        oom_kills: read("memory.events").and_then(|text| field(&text, "oom_kill")),
    }
}

fn first(read: impl Fn(&str) -> Option<String>) -> Usage {
    let number = |name| read(name)?.trim().parse().ok();
    Usage {
        cpu_ns: number("cpuacct/cpuacct.usage"),
        memory: number("memory/memory.usage_in_bytes"),
        memory_peak: number("memory/memory.max_usage_in_bytes"),
        oom_kills: read("memory/memory.oom_control").and_then(|text| field(&text, "oom_kill")),
    }
}

/// The number behind a word at the begin of a line.
fn field(text: &str, word: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == word)?.1.trim().parse().ok()
}

fn bounded(path: &str) -> Option<String> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path);
    let mut text = String::new();
    file.ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn both_versions_are_understood() {
        let seen = Usage {
            cpu_ns: Some(2_500_000),
            memory: Some(4096),
            memory_peak: Some(8192),
            oom_kills: Some(3),
        };
        let files = BTreeMap::from([
            ("memory.current", "4096\n"),
            ("memory.peak", "8192\n"),
            (
                "memory.events",
                "low 0\noom 5\noom_kill 3\noom_group_kill 0\n",
            ),
            ("cpuacct/cpuacct.usage", "2500000\n"),
            ("memory/memory.usage_in_bytes", "4096\n"),
            ("memory/memory.max_usage_in_bytes", "8192\n"),
            (
                "memory/memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            ),
        ]);
        let read = |name: &str| files.get(name).map(|text| (*text).to_owned());
        assert_eq!(second("usage_usec 2500\nuser_usec 9\n", read), seen);
        assert_eq!(first(read), seen);
        assert_eq!(first(|_| Some("no number".into())), Usage::default());
    }

    #[test]
    fn a_process_that_is_gone_has_no_usage() {
        assert_eq!(usage(i32::MAX), Usage::default());
    }
}
