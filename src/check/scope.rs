//! Who is meant, and when: the nodes and windows of a function in a check.

use super::view::View;
use super::window::{Kind, Window, windows};
use crate::expr::{Argument, Call, Moment, Window as Said};
use crate::id::NodeIndex;
use crate::lab::Check;
use crate::metrics::{LatencyRow, SampleRow, Stats};
use netlab_protocol::latency::{Op, SLOT_NS};
use std::collections::BTreeSet;
use std::ops::Range;

/// What a function looks at.
#[derive(Debug)]
pub struct Scope<'r> {
    /// The run.
    pub view: &'r View<'r>,
    /// The nodes that are named; none: all.
    nodes: Option<BTreeSet<NodeIndex>>,
    /// Where links begin and where they end; none: everywhere.
    ends: [Option<BTreeSet<NodeIndex>>; 2],
    /// Writes or reads only.
    writes: Option<bool>,
    /// When.
    pub windows: Vec<Window>,
}

impl<'r> Scope<'r> {
    /// The scope of a call.
    ///
    /// # Errors
    /// Why there is no such window in this run.
    pub fn new(call: &Call, check: &Check, view: &'r View<'r>) -> Result<Scope<'r>, String> {
        let selected = |name: &str| {
            let Some(Argument::Nodes(text, _)) = call.argument(name) else {
                return None;
            };
            let nodes = check.nodes.get(text)?;
            Some(nodes.iter().copied().collect())
        };
        let writes = match call.argument("op") {
            Some(Argument::IsWrite(writes)) => Some(*writes),
            _ => None,
        };
        Ok(Scope {
            view,
            nodes: selected("nodes"),
            ends: ["from", "to"].map(selected),
            writes,
            windows: windows_of(call, view)?,
        })
    }

    /// All nodes over the whole scenario.
    pub fn whole(view: &'r View<'r>) -> Scope<'r> {
        Scope {
            view,
            nodes: None,
            writes: None,
            ends: Default::default(),
            windows: vec![window_whole(view, view.frame.warmup..view.frame.end)],
        }
    }

    /// The same nodes at other times.
    pub fn at(&self, windows: Vec<Window>) -> Scope<'r> {
        Scope {
            view: self.view,
            nodes: self.nodes.clone(),
            ends: self.ends.clone(),
            writes: self.writes,
            windows,
        }
    }

    /// All nodes at the same times.
    pub fn of_all(&self) -> Scope<'r> {
        Scope {
            nodes: None,
            ..self.at(self.windows.clone())
        }
    }

    /// Whether a node is meant.
    pub fn means(&self, node: NodeIndex) -> bool {
        self.nodes
            .as_ref()
            .is_none_or(|nodes| nodes.contains(&node))
    }

    /// Whether the link between two nodes is meant.
    pub fn means_link(&self, from: NodeIndex, to: NodeIndex) -> bool {
        let within = |nodes: &Option<BTreeSet<NodeIndex>>, node| {
            nodes.as_ref().is_none_or(|nodes| nodes.contains(&node))
        };
        within(&self.ends[0], from) && within(&self.ends[1], to)
    }

    /// Whether a value is of one of these nodes, or of the machine that all of them are on.
    pub fn tells(&self, row: &SampleRow) -> bool {
        row.node.is_none_or(|node| self.means(node))
    }

    /// Whether the slot that begins at `t` belongs to a window.
    pub fn holds(&self, t: i64) -> bool {
        self.windows.iter().any(|window| window.holds(t))
    }

    /// Whether an instant lies in a window.
    pub fn contains(&self, t: i64) -> bool {
        let inside = |window: &Window| {
            window.range.contains(&t) && !window.without.iter().any(|r| r.contains(&t))
        };
        self.windows.iter().any(inside)
    }

    /// Whether any of a stretch lies in a window.
    pub fn touches(&self, from: i64, to: i64) -> bool {
        let overlaps = |range: &Range<i64>| from < range.end && range.start < to;
        self.windows.iter().any(|window| overlaps(&window.range))
    }

    /// Length of the whole slots of all windows.
    pub fn seconds(&self) -> f64 {
        let slots: usize = self.windows.iter().map(Window::slots).sum();
        slots as f64 * SLOT_NS as f64 / 1e9
    }

    /// The requests of these nodes that were intended in the windows.
    pub fn rows(&self) -> impl Iterator<Item = &'r LatencyRow> + '_ {
        let wanted = move |row: &&LatencyRow| {
            let is_write = matches!(row.op, Op::Write | Op::LocalWrite);
            self.means(row.node)
                && self.writes.is_none_or(|writes| writes == is_write)
                && self.holds(row.t)
        };
        self.view.latency.iter().filter(wanted)
    }

    /// The values of a metric that these nodes read within the windows.
    pub fn samples<'s>(&'s self, metric: &'s str) -> impl Iterator<Item = &'r SampleRow> + 's {
        let wanted =
            move |row: &&SampleRow| row.metric == metric && self.tells(row) && self.contains(row.t);
        self.view.samples.iter().filter(wanted)
    }

    /// The requests of [`Scope::rows`], added up.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        self.rows().for_each(|row| stats.add(row));
        stats
    }
}

/// `share=95%`, or what it is unless said.
pub fn share(call: &Call, name: &str, default: f64) -> f64 {
    match call.argument(name) {
        Some(Argument::Share(share)) => *share,
        _ => default,
    }
}

fn windows_of(call: &Call, view: &View<'_>) -> Result<Vec<Window>, String> {
    if let Some(Argument::Fault(fault, _)) = call.argument("fault") {
        return healing(fault, view);
    }
    let frame = &view.frame;
    let window = |range| window_whole(view, range);
    match &call.window {
        None => Ok(vec![window(frame.warmup..frame.end)]),
        Some(Said::Between(from, to)) => {
            let at = |seconds: f64| frame.warmup + (seconds * 1e9) as i64;
            Ok(vec![window(at(*from)..at(*to).min(frame.end))])
        }
        Some(Said::Last(seconds)) => Ok(vec![last(*seconds, view)?]),
        Some(Said::Of(moment, fault, _)) => beside(*moment, fault, view),
    }
}

fn window_whole(view: &View<'_>, range: Range<i64>) -> Window {
    Window {
        kind: Kind::Whole,
        range,
        without: view.frame.blind.clone(),
    }
}

/// The last seconds of what is known; there is no such window until all of it was measured.
fn last(seconds: f64, view: &View<'_>) -> Result<Window, String> {
    let frame = &view.frame;
    let blind = frame.blind.iter().filter(|gap| gap.start < frame.end);
    let since = blind.map(|gap| gap.end).fold(frame.warmup, i64::max);
    let from = frame.end.saturating_sub((seconds * 1e9) as i64);
    if from < since {
        let known = frame.end.saturating_sub(since).max(0) as f64 / 1e9;
        return Err(format!(
            "of the last {seconds} s only {known:.1} s are known"
        ));
    }
    Ok(window_whole(view, from..frame.end))
}

/// The windows beside every occurrence of a fault; before it only those ahead of the first.
fn beside(moment: Moment, fault: &str, view: &View<'_>) -> Result<Vec<Window>, String> {
    let kind = match moment {
        Moment::Before => Kind::Before,
        Moment::During => Kind::During,
        Moment::After => Kind::After,
    };
    let occurrences = occurrences(fault, view);
    if occurrences.is_empty() {
        return Err(format!("{fault} was never in effect"));
    }
    let mut found = windows(&view.faults, &occurrences, &view.frame);
    found.retain(|window| window.kind == kind);
    if found.is_empty() {
        return Err(format!("{fault} did not heal before the end"));
    }
    Ok(found)
}

/// From the start of the healing of every occurrence of a fault to the next fault, or the end.
fn healing(fault: &str, view: &View<'_>) -> Result<Vec<Window>, String> {
    let occurrences = occurrences(fault, view);
    if occurrences.is_empty() {
        return Err(format!("{fault} was never in effect"));
    }
    let window = |at: usize| {
        let from = view.faults[at]
            .heal_started
            .unwrap_or(view.faults[at].began);
        let others = view.faults.iter().map(|other| other.requested);
        let next = others.filter(|start| *start > from).min();
        Window {
            kind: Kind::After,
            range: from..next.unwrap_or(i64::MAX).min(view.frame.end).max(from),
            without: Vec::new(),
        }
    };
    Ok(occurrences.into_iter().map(window).collect())
}

/// Where a fault stands among those that came into effect.
pub fn occurrences(fault: &str, view: &View<'_>) -> Vec<usize> {
    let all = view.faults.iter().enumerate();
    all.filter(|(_, one)| one.name == fault)
        .map(|(at, _)| at)
        .collect()
}
