//! What an event says to a person.

use super::line::Line;
use crate::id::occurrence_label;
use crate::record::event::{Event, Verdict, What};
use crate::report::Palette;
use std::collections::BTreeSet;

/// The sentence for an event and its colour; none for what only programs need. `died` holds the
/// nodes that were lost and are not back.
pub fn sentence(what: &What, died: &BTreeSet<String>) -> Option<Line> {
    let line = Line::default();
    Some(match what {
        What::RunStarted {
            run, warmup, end, ..
        } => line.plain(match end {
            None => format!("run {run} begins: load until `netlab down`"),
            Some(end) => format!(
                "run {run} begins: {} of warm-up, then {}",
                seconds(*warmup),
                seconds(end - warmup)
            ),
        }),
        What::WarmupEnded => line.plain("warm-up is over"),
        What::NodeReady { node } if died.contains(node) => {
            line.painted(Palette::good, format!("{node} is back"))
        }
        What::NodeWired { .. } | What::NodeReady { .. } => return None,
        What::NodeDied {
            node,
            exit_code,
            fault,
            oom,
        } => match fault {
            Some(_) if *oom => line.plain(format!("{node} is down: OOM killed")),
            Some(_) => line.plain(format!("{node} is down")),
            None => {
                let text = format!("{node} died by itself, exit code {exit_code}");
                line.painted(Palette::bad, text)
            }
        },
        What::FaultInjected {
            fault,
            kind,
            target,
            lasts,
        } => {
            let time = lasts.map_or_else(String::new, |lasts| format!(", for {}", seconds(lasts)));
            let text = format!("fault {fault} by hand: {kind} {target}{time}");
            line.painted(Palette::fault, text)
        }
        What::ConditionHeld { fault, seen } => {
            line.painted(Palette::quiet, format!("fault {fault} begins: {seen}"))
        }
        What::FaultNeverBegan { fault, why } => {
            line.painted(Palette::bad, format!("fault {fault} never began: {why}"))
        }
        What::FaultBegan {
            fault,
            occurrence,
            kind,
            target,
            ..
        } => {
            let fault = occurrence_label(fault, *occurrence);
            let text = format!("fault {fault} in effect: {kind} {target}");
            line.painted(Palette::fault, text)
        }
        What::HealStarted {
            fault, occurrence, ..
        } => {
            let fault = occurrence_label(fault, *occurrence);
            line.painted(Palette::fault, format!("fault {fault} is being healed"))
        }
        What::FaultHealed { fault, occurrence } => {
            let fault = occurrence_label(fault, *occurrence);
            line.painted(Palette::good, format!("fault {fault} has healed"))
        }
        What::FaultFailed {
            fault,
            occurrence,
            why,
        } => {
            let fault = occurrence_label(fault, *occurrence);
            line.painted(Palette::bad, format!("fault {fault} failed: {why}"))
        }
        What::FaultProven {
            fault,
            occurrence,
            seen,
        } => {
            let fault = occurrence_label(fault, *occurrence);
            line.painted(Palette::quiet, format!("fault {fault} proven: {seen}"))
        }
        What::FaultMasked {
            fault,
            occurrence,
            by,
            ..
        } => {
            let fault = occurrence_label(fault, *occurrence);
            let text = format!("fault {fault} was hidden by {}", by.join(", "));
            line.painted(Palette::quiet, text)
        }
        What::FaultUnproven {
            fault,
            occurrence,
            why,
        } => {
            let fault = occurrence_label(fault, *occurrence);
            line.painted(Palette::bad, format!("fault {fault} not proven: {why}"))
        }
        What::HealProven { .. } | What::HealMasked { .. } => return None,
        What::HealUnproven {
            fault,
            occurrence,
            why,
        } => {
            let fault = occurrence_label(fault, *occurrence);
            let text = format!("fault {fault} was healed, but not all is back: {why}");
            line.painted(Palette::bad, text)
        }
        What::NotRestored { what } => {
            let text = format!("not as it was before: {}", what.join("; "));
            line.painted(Palette::bad, text)
        }
        What::AgentResumed { .. } => line.painted(Palette::bad, "the agent was gone and is back"),
        What::Note { node, text } => {
            let about = node.as_ref().map(|node| format!("{node}: "));
            line.painted(Palette::warn, about.unwrap_or_default() + text)
        }
        What::RunEnded { verdict, .. } => match verdict {
            Verdict::Passed => line.plain("the run is over"),
            Verdict::Failed => line.painted(Palette::bad, "the run is over: a check failed"),
            Verdict::Inconclusive => line.painted(Palette::warn, "the run is over: inconclusive"),
            Verdict::Interrupted => line.painted(Palette::warn, "the run was interrupted"),
        },
    })
}

/// An event with its scenario time in front.
pub fn told(event: &Event, warmup: i64, died: &BTreeSet<String>) -> Option<Line> {
    let sentence = sentence(&event.what, died)?;
    let at = format!("{:>8} s  ", fixed(event.t - warmup, 2));
    Some(Line::default().painted(Palette::quiet, at).then(sentence))
}

/// Nanoseconds as seconds with so many digits.
pub fn fixed(ns: i64, digits: usize) -> String {
    format!("{:.digits$}", ns as f64 / 1e9)
}

fn seconds(ns: i64) -> String {
    let ns = u64::try_from(ns).unwrap_or(0);
    netlab_protocol::duration::format(std::time::Duration::from_nanos(ns))
}
