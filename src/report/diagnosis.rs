//! Where to look when a run did not pass: the fault before it, and the nodes concerned.

use super::quantity::instant;
use super::summary::Summary;
use crate::check::{CheckResult, Judgement};
use crate::record::Run;
use crate::record::event::{Event, What};
use serde::Serialize;
use std::collections::BTreeSet;

/// Most nodes whose logs are shown.
const NODES: usize = 3;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The last fault that began before the run went wrong.
    pub fault: Option<String>,
    /// The nodes concerned, the most telling first.
    pub nodes: Vec<String>,
    /// The last lines that these wrote, as far as they are known.
    pub logs: Vec<LogTail>,
}

impl LogTail {
    /// What people are shown of it: never nothing.
    pub fn shown(&self) -> Vec<&str> {
        match self.lines.as_slice() {
            [] => vec!["(it wrote nothing)"],
            lines => lines.iter().map(String::as_str).collect(),
        }
    }
}

/// The end of a node's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogTail {
    /// Whose.
    pub node: String,
    /// Its last lines.
    pub lines: Vec<String>,
}

impl Diagnosis {
    /// Of a run that did not pass. Logs are for the caller to add.
    pub fn new(record: &Run, summary: &Summary) -> Diagnosis {
        let failed = summary
            .checks
            .iter()
            .filter(|check| check.verdict != Judgement::Pass);
        let looked = failed.clone().find_map(looked_at);
        let wrong = went_wrong(&record.events).or(looked).unwrap_or(summary.end);
        let begun = summary
            .occurrences()
            .filter(|(_, times)| times.requested <= wrong);
        let fault = begun.max_by_key(|(_, times)| times.requested);
        let mut texts: Vec<&str> = Vec::new();
        texts.extend(record.events.iter().filter_map(about));
        texts.extend(failed.map(|check| check.expect.as_str()));
        texts.extend(summary.reasons.iter().map(String::as_str));
        texts.extend(fault.as_ref().map(|(_, times)| times.target.as_str()));
        Diagnosis {
            fault: fault.map(|(name, fault)| {
                let at = |ns: i64| instant(ns - summary.warmup);
                let until = fault.healed.map(|ns| format!(" to {}", at(ns)));
                format!(
                    "{name} ({} {}), {}{}",
                    fault.kind,
                    fault.target,
                    at(fault.began),
                    until.unwrap_or_default()
                )
            }),
            nodes: named(&texts, record),
            logs: Vec::new(),
        }
    }
}

/// When the first thing happened that nobody wanted.
fn went_wrong(events: &[Event]) -> Option<i64> {
    let unwanted = |event: &&Event| {
        matches!(
            event.what,
            What::NodeDied { fault: None, .. }
                | What::FaultFailed { .. }
                | What::FaultNeverBegan { .. }
                | What::AgentResumed { .. }
        )
    };
    events.iter().find(unwanted).map(|event| event.t)
}

/// Until when a check looked.
fn looked_at(check: &CheckResult) -> Option<i64> {
    let windows = check.observed.iter().flat_map(|one| &one.windows);
    windows.map(|(_, to)| *to).max()
}

/// The node that an unwanted event is about.
fn about(event: &Event) -> Option<&str> {
    match &event.what {
        What::NodeDied {
            node, fault: None, ..
        } => Some(node),
        What::Note { node, .. } => node.as_deref(),
        _ => None,
    }
}

/// The nodes whose names, or whose groups' names, are words of the texts.
fn named(texts: &[&str], record: &Run) -> Vec<String> {
    let (mut nodes, mut known) = (Vec::new(), BTreeSet::new());
    let part = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    for word in texts.iter().flat_map(|text| text.split(part)) {
        let lab = &record.lab;
        let one = lab.nodes.iter().find(|node| node.name.as_str() == word);
        let group = lab.groups.get(word).into_iter().flatten();
        let members = group.filter_map(|index| lab.nodes.get(index.at()));
        for node in one.into_iter().chain(members.take(1)) {
            let name = node.name.to_string();
            if nodes.len() < NODES && known.insert(name.clone()) {
                nodes.push(name);
            }
        }
    }
    nodes
}
