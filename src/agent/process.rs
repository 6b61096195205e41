//! What the kernel says of a node's first process, beside what the engine says.
//!
//! Owns how `/proc` and the cgroup's files are read. Must not know nodes.

use std::fs;

/// A process: its number alone may be given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number on the host.
    pub pid: i32,
    /// When it began, in clock ticks since the boot (proc_pid_stat(5), field 22).
    pub began: u64,
}

/// What is seen of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeSight {
    /// Its first process; none: it is gone.
    pub process: Option<Process>,
    /// Whether its cgroup is frozen; none: the kernel does not say.
    pub frozen: Option<bool>,
    /// How often its first process has been given a processor.
    pub ran: u64,
    /// What its cgroup may take of processor and memory, in the kernel's words.
    pub limits: Vec<(&'static str, String)>,
}

/// Files of a cgroup of version 2, or of version 1, that hold limits.
const LIMITS: [(&str, &str); 4] = [
    ("cpu.max", "cpu.max"),
    ("memory.max", "memory.max"),
    ("cpu quota", "cpu/cpu.cfs_quota_us"),
    ("memory limit", "memory/memory.limit_in_bytes"),
];

/// Looks at the process with this number.
pub(super) fn look(pid: i32) -> NodeSight {
    let Some(began) = began(pid) else {
        return NodeSight::default();
    };
    let cgroup = |name: &str| {
        // The container's own view of its cgroup.
        let path = format!("/proc/{pid}/root/sys/fs/cgroup/{name}");
        fs::read_to_string(path).ok()
    };
    let limit = |(what, file): (&'static str, &str)| {
        let text = cgroup(file)?;
        Some((what, text.trim().to_owned()))
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    NodeSight {
        process: Some(Process { pid, began }),
        frozen: frozen(cgroup("cgroup.events"), cgroup("freezer/freezer.state")),
        ran: switches(&status),
        limits: LIMITS.into_iter().filter_map(limit).collect(),
    }
}

/// When a process began that is no corpse.
fn began(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&stat)
}

fn parse_stat(stat: &str) -> Option<u64> {
    // The program's name may hold anything; the fields begin behind its bracket.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    match *fields.first()? {
        "Z" | "X" => None,
        _ => fields.get(19)?.parse().ok(),
    }
}

fn frozen(second: Option<String>, first: Option<String>) -> Option<bool> {
    if let Some(events) = second {
        let line = events.lines().find_map(|l| l.strip_prefix("frozen "))?;
        return Some(line.trim() == "1");
    }
    Some(first?.trim() == "FROZEN")
}

fn switches(status: &str) -> u64 {
    let lines = status
        .lines()
        .filter(|line| line.contains("ctxt_switches:"));
    let count = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    lines.filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_words_are_understood() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 7 8 0 0 20 0 1 0 987654 1 1";
        assert_eq!(parse_stat(stat), Some(987_654));
        assert_eq!(parse_stat(&stat.replace(" S ", " Z ")), None);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(frozen(some("populated 1\nfrozen 1\n"), None), Some(true));
        assert_eq!(frozen(some("populated 1\nfrozen 0\n"), None), Some(false));
        assert_eq!(frozen(None, some("FREEZING\n")), Some(false));
        assert_eq!(frozen(None, some("FROZEN\n")), Some(true));
        assert_eq!(frozen(None, None), None);
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t22\nnonvoluntary_ctxt_switches:\t47\n";
        assert_eq!(switches(status), 69);
    }

    #[test]
    fn this_process_is_seen_and_no_other() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let seen = look(pid);
        assert_eq!(seen.process.map(|process| process.pid), Some(pid));
        assert_eq!(seen.process, look(pid).process);
        assert_eq!(look(i32::MAX).process, None);
    }
}
