//! What the kernel says of a node's first process, beside what the engine says.
//!
//! Owns how `/proc` and the cgroup's files are read. Must not know nodes.

use crate::fault::Limits;
use crate::units::{ByteSize, Cores};
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
    /// In how many periods it had to wait because it had used up its processor time, of how many in
    /// which it ran (`nr_throttled`, `nr_periods`).
    pub held_back: (u64, u64),
    /// Its data volume, where that has a size; none: it has none, or it cannot be seen.
    pub volume: Option<VolumeSight>,
}

/// What the kernel says of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VolumeSight {
    /// Bytes that anybody may still write.
    pub free: u64,
    /// Bytes in all.
    pub size: u64,
    /// Whether it takes no writes.
    pub read_only: bool,
}

impl NodeSight {
    /// What its cgroup may take; none: the kernel does not say.
    pub fn allowed(&self) -> Option<Limits> {
        let said = |wanted: &str| {
            let found = self.limits.iter().find(|(what, _)| *what == wanted);
            found.map(|(_, text)| text.as_str())
        };
        let cpu = match (said(CPU_MAX), said(CPU_QUOTA), said(CPU_PERIOD)) {
            (Some(max), ..) => {
                let (quota, period) = max.split_once(' ')?;
                (quota, period)
            }
            (None, Some(quota), Some(period)) => (quota, period),
            _ => return None,
        };
        let memory = said(MEMORY_MAX).or(said(MEMORY_LIMIT))?;
        Some(Limits {
            cpu: cores(cpu.0, cpu.1),
            memory: memory
                .parse::<u64>()
                .ok()
                .filter(|n| *n < NO_LIMIT)
                .map(ByteSize),
        })
    }
}

/// `max` (cgroup v2) and -1 (v1) are no limit.
fn cores(quota: &str, period: &str) -> Option<Cores> {
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?);
    let thousandths = (quota * 1000).checked_div(period)?;
    u32::try_from(thousandths).ok().map(Cores)
}

/// What cgroup v1 says where there is no limit of memory is a little less than 2^63.
const NO_LIMIT: u64 = 1 << 62;
const CPU_MAX: &str = "cpu.max";
const CPU_QUOTA: &str = "cpu quota";
const CPU_PERIOD: &str = "cpu period";
const MEMORY_MAX: &str = "memory.max";
const MEMORY_LIMIT: &str = "memory limit";

/// Files of a cgroup of version 2, or of version 1, that hold limits.
const LIMITS: [(&str, &str); 5] = [
    (CPU_MAX, "cpu.max"),
    (MEMORY_MAX, "memory.max"),
    (CPU_QUOTA, "cpu/cpu.cfs_quota_us"),
    (CPU_PERIOD, "cpu/cpu.cfs_period_us"),
    (MEMORY_LIMIT, "memory/memory.limit_in_bytes"),
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
        held_back: held_back(
            &cgroup("cpu.stat")
                .or_else(|| cgroup("cpu/cpu.stat"))
                .unwrap_or_default(),
        ),
        volume: None,
    }
}

fn held_back(stat: &str) -> (u64, u64) {
    let value = |key: &str| {
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find(|(name, _)| *name == key);
        found
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(0)
    };
    (value("nr_throttled"), value("nr_periods"))
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
        let stat = "usage_usec 5\nnr_periods 10\nnr_throttled 4\nthrottled_usec 9\n";
        assert_eq!(held_back(stat), (4, 10));
    }

    #[test]
    fn limits_of_both_versions_of_cgroups_are_read() {
        let sight = |limits: &[(&'static str, &str)]| {
            let limits = limits
                .iter()
                .map(|(what, text)| (*what, (*text).to_owned()));
            let sight = NodeSight {
                limits: limits.collect(),
                ..NodeSight::default()
            };
            sight.allowed()
        };
        let limits = |cpu: Option<u32>, memory: Option<u64>| {
            let (cpu, memory) = (cpu.map(Cores), memory.map(ByteSize));
            Some(Limits { cpu, memory })
        };
        let second = |cpu, memory| sight(&[(CPU_MAX, cpu), (MEMORY_MAX, memory)]);
        assert_eq!(second("max 100000", "max"), limits(None, None));
        assert_eq!(
            second("20000 100000", "4096"),
            limits(Some(200), Some(4096))
        );
        let first = |quota, memory| {
            sight(&[
                (CPU_QUOTA, quota),
                (CPU_PERIOD, "100000"),
                (MEMORY_LIMIT, memory),
            ])
        };
        assert_eq!(first("-1", "9223372036854771712"), limits(None, None));
        assert_eq!(first("150000", "4096"), limits(Some(1500), Some(4096)));
        assert_eq!(sight(&[(MEMORY_MAX, "max")]), None);
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
