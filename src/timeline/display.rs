//! A timeline for people, at most 80 columns wide where names are short.

use super::{Step, Timeline};
use crate::lab::{Condition, Scenario, ScheduledFault};
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
        for (number, condition) in scenario.conditions.iter().enumerate() {
            let Condition { when, within } = condition;
            let _ = writeln!(
                out,
                "when {}, by {} (else inconclusive):",
                when.expect,
                time(*within)
            );
            let mut following: Vec<_> = scenario.faults.iter().collect();
            following.retain(|fault| fault.since == Some(number));
            following.sort_by_key(|fault| fault.at);
            for fault in following {
                let _ = writeln!(out, "{}", waiting(fault));
            }
        }
        out
    }
}

/// A fault that has no time yet: how long after the moment it begins, and how long it lasts.
fn waiting(fault: &ScheduledFault) -> String {
    let name = crate::id::occurrence_label(fault.name.as_str(), fault.occurrence);
    let lasts = fault
        .lasts
        .map_or_else(String::new, |l| format!(" for {}", time(l)));
    let after = format!("+{:.3}", fault.at.as_secs_f64());
    format!(
        "{after:>10} s  {name}  {} {}{lasts}",
        fault.kind, fault.target
    )
}
