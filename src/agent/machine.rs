//! What the machine and the agent itself are doing, as the kernel says (proc_stat(5), getrusage(2)).
//!
//! Owns the differences from one look to the next. Must not know nodes.

use super::sys;
use netlab_protocol::control::Sample;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::fs;

/// Looks at the machine; shares are of the time since the look before.
#[derive(Debug, Default)]
pub(super) struct Machine {
    before: Ticks,
}

/// Processor time of the machine since its boot, in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    all: u64,
    /// Nothing wanted to run, or only the disk was waited for.
    idle: u64,
    /// The hypervisor ran others.
    stolen: u64,
}

impl Machine {
    /// Begins now.
    pub fn new() -> Machine {
        Machine {
            before: Ticks::now().unwrap_or_default(),
        }
    }

    /// Values of now, by the names of the table of metrics.
    pub fn look(&mut self) -> Vec<Sample> {
        let mut samples = vec![sample("host_load", sys::load_average())];
        if let Some(now) = Ticks::now() {
            samples.extend(shares(self.before, now));
            self.before = now;
        }
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let time = usage.user_time() + usage.system_time();
            let seconds = time.num_microseconds() as f64 / 1e6;
            samples.push(sample("agent_cpu_seconds_total", seconds));
        }
        if let Some(bytes) = resident() {
            samples.push(sample("agent_memory_bytes", bytes as f64));
        }
        samples
    }
}

/// A value without labels.
pub(super) fn sample(metric: &str, value: f64) -> Sample {
    Sample {
        metric: metric.to_owned(),
        labels: String::new(),
        value,
    }
}

impl Ticks {
    fn now() -> Option<Ticks> {
        Ticks::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
    fn of(stat: &str) -> Option<Ticks> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .map_while(|n| n.parse().ok())
            .collect();
        let &[user, nice, system, idle, iowait, irq, softirq, stolen] = ticks.get(..8)? else {
            return None;
        };
        let idle = idle + iowait;
        Some(Ticks {
            all: user + nice + system + idle + irq + softirq + stolen,
            idle,
            stolen,
        })
    }
}

/// Shares of the time between two looks; none where no tick has passed.
fn shares(before: Ticks, now: Ticks) -> Vec<Sample> {
    let all = now.all.saturating_sub(before.all);
    if all == 0 {
        return Vec::new();
    }
    // `iowait` may fall (proc_stat(5)).
    let share = |now: u64, before: u64| (now.saturating_sub(before) as f64 / all as f64).min(1.0);
    vec![
        sample("host_cpu_idle_ratio", share(now.idle, before.idle)),
        sample("host_cpu_stolen_ratio", share(now.stolen, before.stolen)),
    ]
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = kib.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_between_two_looks() {
        let before = Ticks::of("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1\n").unwrap();
        let now = Ticks::of("cpu  130 0 120 735 105 0 0 10 5 0\n").unwrap();
        let values: Vec<f64> = shares(before, now).iter().map(|s| s.value).collect();
        assert_eq!(values, [0.4, 0.1]);
        assert_eq!(shares(now, now), []);
        assert_eq!(Ticks::of("cpu  1 2\n"), None);
        assert_eq!(Ticks::of("nonsense"), None);
    }

    #[test]
    fn this_machine_is_seen_by_the_names_of_the_table() {
        let mut machine = Machine::default();
        let samples = machine.look();
        assert_eq!(samples.len(), 5, "{samples:?}");
        for sample in samples {
            let metric = crate::metrics::metric_named(&sample.metric).unwrap();
            assert_eq!(metric.source, crate::metrics::Source::Host);
            assert!(sample.value >= 0.0, "{sample:?}");
        }
    }
}
