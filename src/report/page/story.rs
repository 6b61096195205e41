//! What happened, in sentences that follow from the numbers.

use crate::record::event::Verdict;
use crate::report::quantity::{instant, latency, length, share};
use crate::report::summary::{FaultSummary, RoleSummary, Summary, WindowSummary};
use crate::report::window::Kind;
use serde::Serialize;

/// The verdict as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct Badge {
    word: &'static str,
    class: &'static str,
}

/// The word and its colour.
pub(super) fn verdict(summary: &Summary) -> Badge {
    let (word, class) = match summary.verdict {
        Verdict::Passed => ("passed", "good"),
        Verdict::Failed => ("failed", "bad"),
        Verdict::Inconclusive => ("inconclusive", "warn"),
        Verdict::Interrupted => ("interrupted", "warn"),
    };
    Badge { word, class }
}

/// Sentences, in the order of time.
pub(super) fn story(summary: &Summary) -> Vec<String> {
    let measured = length((summary.end - summary.warmup).max(0));
    let mut story: Vec<String> = summary
        .roles
        .iter()
        .filter_map(|role| overall(role, &measured))
        .collect();
    if story.is_empty() {
        story.push(format!(
            "No node of this lab sends requests. It was watched for {measured}."
        ));
    }
    story.extend(
        summary
            .faults
            .iter()
            .map(|fault| of_fault(fault, summary.warmup)),
    );
    story
}

fn overall(role: &RoleSummary, measured: &str) -> Option<String> {
    let whole = role.windows.first().filter(|window| window.requests > 0)?;
    Some(format!(
        "In {measured} the role {} intended {} requests; {} were answered, with a median latency of {} (p99 {}).",
        role.role,
        whole.requests,
        share(whole.succeeded, whole.requests),
        latency(whole.p50_us),
        latency(whole.p99_us),
    ))
}

fn of_fault(fault: &FaultSummary, warmup: i64) -> String {
    let (Some(first), Some(last)) = (fault.occurrences.first(), fault.occurrences.last()) else {
        return String::new();
    };
    let FaultSummary {
        name, kind, target, ..
    } = fault;
    let (at, late) = (
        instant(first.times.began - warmup),
        length((first.times.began - first.times.due).max(0)),
    );
    let mut text = match fault.occurrences.len() {
        1 => format!(
            "At {at} the fault {name} ({kind} {target}) was in effect, {late} after it was due."
        ),
        many => format!(
            "The fault {name} ({kind} {target}) was in effect {many} times, at {at} for the first time."
        ),
    };
    for role in &fault.roles {
        text.extend(change(role));
    }
    if fault.occurrences.len() > 1 {
        let healed = fault
            .occurrences
            .iter()
            .filter(|once| once.times.healed.is_some());
        text.push_str(&format!(" It healed {} times.", healed.count()));
        return text;
    }
    match (last.times.heal_started, last.times.healed) {
        (Some(started), Some(healed)) => text.push_str(&format!(
            " Its healing was started at {} and complete {} later.",
            instant(started - warmup),
            length((healed - started).max(0)),
        )),
        (_, Some(healed)) => {
            text.push_str(&format!(" It was over at {}.", instant(healed - warmup)))
        }
        (_, None) => text.push_str(" It did not heal in this run."),
    }
    text
}

/// What a fault changed for a role; nothing where there is nothing to compare.
fn change(role: &RoleSummary) -> Option<String> {
    let window = |kind| {
        role.windows
            .iter()
            .find(|w| w.window == kind && w.requests > 0)
    };
    let (before, during) = (window(Kind::Before)?, window(Kind::During)?);
    let mut text = format!(
        " Success of {} was {} before and {} during it",
        role.role,
        share(before.succeeded, before.requests),
        share(during.succeeded, during.requests),
    );
    if let Some(after) = window(Kind::After) {
        text.push_str(&format!(
            ", {} after it",
            share(after.succeeded, after.requests)
        ));
    }
    if let (Some(b), Some(d)) = (before.p50_us, during.p50_us)
        && apart(b, d)
    {
        text.push_str(&format!(
            "; the median latency went from {} to {}",
            latency(Some(b)),
            latency(Some(d))
        ));
    }
    text.push_str(&worst(during));
    text.push('.');
    Some(text)
}

/// Whether two latencies differ by more than a fifth.
fn apart(a: u64, b: u64) -> bool {
    a.abs_diff(b) * 5 > a
}

/// How most requests failed.
fn worst(window: &WindowSummary) -> String {
    let failed = window
        .outcomes
        .iter()
        .filter(|(o, n)| !o.is_success() && **n > 0);
    match failed.max_by_key(|(_, n)| **n) {
        Some((outcome, count)) => format!("; of the failures {count} were {outcome}"),
        None => String::new(),
    }
}
