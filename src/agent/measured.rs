//! What the agent itself measures of nodes and of the machine. Pure.
//!
//! Owns the counters that outlive a node's container: restarts, and processes killed for want of
//! memory. A node whose cgroup cannot be read has no value then: it is missing, not zero.

use super::cgroup::Usage;
use super::core::{Action, Core};
use super::machine::sample;
use crate::id::NodeIndex;
use netlab_protocol::control::Sample;

/// What was measured at one moment.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// When, on CLOCK_MONOTONIC.
    pub at: u64,
    /// Of the machine and the agent.
    pub host: Vec<Sample>,
    /// Of containers.
    pub nodes: Vec<(NodeIndex, Usage)>,
}

/// Processes of a node that were killed for its memory limit, over all of its containers' lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oom {
    /// How often the engine said so: it may make one of several, but it sees the last process die.
    said: u64,
    /// What the cgroups counted before the last value.
    counted: u64,
    /// The last value of the cgroup that there is now.
    last: u64,
}

impl Oom {
    /// The engine says so.
    pub fn said(&mut self) {
        self.said += 1;
    }

    /// The container has ended, and its cgroup with it.
    pub fn ended(&mut self) {
        self.counted += std::mem::take(&mut self.last);
    }

    /// The cgroup counts so many; one that counts less is a new one.
    fn counts(&mut self, now: u64) {
        if now < self.last {
            self.ended();
        }
        self.last = now;
    }

    fn total(self) -> u64 {
        self.said.max(self.counted + self.last)
    }
}

impl Core {
    /// Records what was measured.
    pub(super) fn measured(&mut self, measured: Measured) {
        for &(node, usage) in &measured.nodes {
            if let (Some(member), Some(kills)) =
                (self.state.members.get_mut(node.at()), usage.oom_kills)
            {
                member.oom.counts(kills);
            }
        }
        let at = measured.at;
        self.keep_samples(None, at, measured.host);
        let mut usage = vec![Usage::default(); self.lab.nodes.len()];
        for (node, seen) in measured.nodes {
            if let Some(place) = usage.get_mut(node.at()) {
                *place = seen;
            }
        }
        for (node, usage) in self.state.indices().zip(usage) {
            if self.lab.host() != Some(node) {
                let samples = self.of_container(node, usage);
                self.keep_samples(Some(node), at, samples);
            }
        }
    }

    fn of_container(&self, node: NodeIndex, usage: Usage) -> Vec<Sample> {
        let member = &self.state.members[node.at()];
        let number = |n: u64| n as f64;
        let known = [
            ("cpu_seconds_total", usage.cpu_ns.map(|ns| number(ns) / 1e9)),
            ("memory_bytes", usage.memory.map(number)),
            ("memory_peak_bytes", usage.memory_peak.map(number)),
            ("restarts_total", Some(number(member.restarts))),
            ("oom_kills_total", Some(number(member.oom.total()))),
        ];
        let known = known.into_iter();
        known
            .filter_map(|(name, value)| Some(sample(name, value?)))
            .collect()
    }

    /// Records values that were read at `at` (CLOCK_MONOTONIC), and remembers them for checks that may
    /// end the run and for those who look at the lab. What was read before go belongs to no run.
    pub(super) fn keep_samples(&mut self, node: Option<NodeIndex>, at: u64, samples: Vec<Sample>) {
        let name = node.map_or_else(String::new, |node| self.name(node));
        self.live.set(&name, &samples);
        if self.run.as_ref().is_none_or(|run| at < run.go) {
            return;
        }
        let t = self.on_run_clock(at);
        self.watched.keep_samples(&self.lab, node, t, &samples);
        self.act(Action::Samples { node, t, samples });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_over_the_lives_of_containers_and_none_twice() {
        let mut oom = Oom::default();
        oom.said();
        oom.counts(1);
        assert_eq!(oom.total(), 1);
        // Its first process is killed, and the cgroup is gone before it is read.
        oom.said();
        oom.ended();
        assert_eq!(oom.total(), 2);
        oom.counts(0);
        oom.counts(2);
        assert_eq!(oom.total(), 3);
        // A new one that was not seen to begin.
        oom.counts(1);
        assert_eq!(oom.total(), 4);
    }
}
