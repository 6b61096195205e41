//! A timeline for people, at most 80 columns wide where names are short.

use super::{Step, Timeline};
use crate::lab::Scenario;
use netlab_protocol::duration::format as time;
use std::fmt::Write;
use std::time::Duration;

impl Timeline {
    /// The whole timeline, one line per entry, in scenario time. `scenario` is what it was made from.
    pub fn told(&self, scenario: &Scenario, seed: u64) -> String {
        let mut out = format!("timeline, seed {seed}: {}", time(scenario.duration));
        if !scenario.warmup.is_zero() {
            let _ = write!(out, " after {} of warm-up", time(scenario.warmup));
        }
        out.push('\n');
        let mut lines: Vec<(Duration, String)> = Vec::with_capacity(self.entries.len() + 2);
        for entry in &self.entries {
            let at = entry.at.saturating_sub(scenario.warmup);
            let name = crate::id::occurrence_label(entry.name.as_str(), entry.occurrence);
            let what = match (entry.step, scenario.faults.get(entry.fault)) {
                (Step::Heal, _) => "heals".to_owned(),
                (Step::Begin, Some(fault)) => format!("{} {}", fault.kind, fault.target),
                (Step::Begin, None) => "begins".to_owned(),
            };
            lines.push((at, format!("{name}  {what}")));
        }
        if !scenario.quiet.is_zero() {
            lines.push((scenario.healed_by(), "quiet until the end".to_owned()));
        }
        lines.push((scenario.duration, "end".to_owned()));
        lines.sort_by_key(|(at, _)| *at);
        for (at, line) in lines {
            let _ = writeln!(out, "{:>10.3} s  {line}", at.as_secs_f64());
        }
        out
    }
}
