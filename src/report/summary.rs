//! The summary of a run, as `summary.json` holds it.

use crate::check::{self, CheckResult, FaultTimes, Frame, Judgement, Kind, Window};
use crate::id::occurrence_label;
use crate::metrics::Stats;
use crate::record::event::{Event, Verdict, What};
use crate::record::{Run, view};
use netlab_protocol::latency::{Outcome, SLOT_NS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of [`Summary`]'s serialised form.
pub const FORMAT: u32 = 2;

/// What came out of a run. Times are nanoseconds since the run's go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: u32,
    /// The lab's name.
    pub lab: String,
    /// The run's id.
    pub run: String,
    /// What the run is worth; interrupted as well when its record has no end.
    pub verdict: Verdict,
    /// Why it did not pass.
    pub reasons: Vec<String>,
    /// End of the warm-up, where scenario time is zero.
    pub warmup: i64,
    /// End of what was measured.
    pub end: i64,
    /// Faults in the order in which they came into effect.
    pub faults: Vec<FaultSummary>,
    /// Asking roles over the whole scenario.
    pub roles: Vec<RoleSummary>,
    /// What was asked of the run, in the file's order; none for a run without end.
    #[serde(default)]
    pub checks: Vec<CheckResult>,
    /// Nodes that died without a fault wanting it, and other things to know.
    pub notes: Vec<String>,
}

/// One fault, and what it did to each role that asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultSummary {
    /// Its name.
    pub name: String,
    /// Its kind; several of a fault whose kinds are drawn.
    pub kind: String,
    /// Its target; several of a fault whose targets are drawn.
    pub target: String,
    /// Each time that it came into effect, in that order.
    pub occurrences: Vec<OccurrenceSummary>,
    /// By role: before the first occurrence, during all, after all.
    pub roles: Vec<RoleSummary>,
}

/// One occurrence of a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OccurrenceSummary {
    /// What it was, and when.
    #[serde(flatten)]
    pub times: FaultTimes,
    /// What proves it; none: it was not healed in this run, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What proves that its effect went with its heal; none: there was nothing to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal: Option<Proof>,
}

/// What is known of a fault's effect, or of its going.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// It was seen.
    Proven {
        /// What was.
        seen: String,
    },
    /// Others hid it.
    Masked {
        /// Which.
        by: Vec<String>,
        /// What was seen all the same.
        seen: String,
    },
    /// It was not seen.
    Unproven {
        /// Why.
        why: String,
    },
}

/// The requests of one role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleSummary {
    /// The role.
    pub role: String,
    /// Its windows.
    pub windows: Vec<WindowSummary>,
}

/// The requests of one role in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowSummary {
    /// Which window.
    pub window: Kind,
    /// Its begin; of several stretches, that of the first.
    pub from: i64,
    /// Its end; of several stretches, that of the last.
    pub to: i64,
    /// Whole slots of 100 ms in it.
    pub slots: usize,
    /// Requests intended in them.
    pub requests: u64,
    /// Those with outcome `ok` or `missing`.
    pub succeeded: u64,
    /// Those that a peer answered from its own keys.
    pub local: u64,
    /// Median latency in microseconds of successes that crossed the network.
    pub p50_us: Option<u64>,
    /// 99th percentile of the same.
    pub p99_us: Option<u64>,
    /// Successes per second; none in an empty window.
    pub answers_per_second: Option<f64>,
    /// Requests by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
}

impl Summary {
    /// Every occurrence of every fault, with its label.
    pub fn occurrences(&self) -> impl Iterator<Item = (String, &FaultTimes)> {
        self.faults.iter().flat_map(|fault| {
            let times = fault.occurrences.iter().map(|once| &once.times);
            times.map(|times| (occurrence_label(&fault.name, times.occurrence), times))
        })
    }

    /// The summary of a record.
    pub fn new(record: &Run) -> Summary {
        let view = view::view(record);
        let checks = checks(record, &view);
        let host = check::host_said(&view);
        let (frame, times) = (view.frame, view.faults);
        let (verdict, reasons) = verdict(&record.events, &checks);
        let whole = Window {
            kind: Kind::Whole,
            range: frame.warmup..frame.end,
            without: frame.blind.clone(),
        };
        let roles = roles(record, &[whole]);
        let faults = (check::by_name(&times).iter())
            .map(|occurrences| fault(record, &times, occurrences, &frame))
            .collect();
        Summary {
            format: FORMAT,
            lab: record.lab.name.to_string(),
            run: record.id.clone(),
            verdict,
            reasons,
            warmup: frame.warmup,
            end: frame.end,
            faults,
            roles,
            checks,
            notes: notes(&record.events, frame.warmup)
                .into_iter()
                .chain(host)
                .collect(),
        }
    }
}

fn fault(record: &Run, times: &[FaultTimes], occurrences: &[usize], frame: &Frame) -> FaultSummary {
    let windows = check::windows(times, occurrences, frame);
    let own = || occurrences.iter().map(|&at| &times[at]);
    FaultSummary {
        name: own().next().map_or_else(String::new, |f| f.name.clone()),
        kind: each_once(own().map(|fault| fault.kind.as_str())),
        target: each_once(own().map(|fault| fault.target.as_str())),
        occurrences: own().map(|f| occurrence(&record.events, f)).collect(),
        roles: roles(record, &windows),
    }
}

fn occurrence(events: &[Event], fault: &FaultTimes) -> OccurrenceSummary {
    OccurrenceSummary {
        times: fault.clone(),
        proof: proof(events, fault),
        heal: heal(events, fault),
    }
}

fn proof(events: &[Event], of: &FaultTimes) -> Option<Proof> {
    let same = |fault: &String, occurrence: &u32| *fault == of.name && *occurrence == of.occurrence;
    let about = |event: &Event| match &event.what {
        What::FaultProven {
            fault,
            occurrence,
            seen,
        } if same(fault, occurrence) => Some(Proof::Proven { seen: seen.clone() }),
        What::FaultMasked {
            fault,
            occurrence,
            by,
            seen,
        } if same(fault, occurrence) => Some(Proof::Masked {
            by: by.clone(),
            seen: seen.clone(),
        }),
        What::FaultUnproven {
            fault,
            occurrence,
            why,
        } if same(fault, occurrence) => Some(Proof::Unproven { why: why.clone() }),
        _ => None,
    };
    events.iter().find_map(about)
}

fn heal(events: &[Event], of: &FaultTimes) -> Option<Proof> {
    let same = |fault: &String, occurrence: &u32| *fault == of.name && *occurrence == of.occurrence;
    let about = |event: &Event| match &event.what {
        What::HealProven {
            fault,
            occurrence,
            seen,
        } if same(fault, occurrence) => Some(Proof::Proven { seen: seen.clone() }),
        What::HealMasked {
            fault,
            occurrence,
            by,
        } if same(fault, occurrence) => Some(Proof::Masked {
            by: by.clone(),
            seen: String::new(),
        }),
        What::HealUnproven {
            fault,
            occurrence,
            why,
        } if same(fault, occurrence) => Some(Proof::Unproven { why: why.clone() }),
        _ => None,
    };
    events.iter().find_map(about)
}

/// Different words, in the order in which they come.
fn each_once<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut once: Vec<&str> = Vec::new();
    for word in words {
        if !once.contains(&word) {
            once.push(word);
        }
    }
    once.join(", ")
}

/// The windows of every role that asked anything, by name; those of one kind together.
fn roles(record: &Run, windows: &[Window]) -> Vec<RoleSummary> {
    let columns: Vec<&[Window]> = windows.chunk_by(|a, b| a.kind == b.kind).collect();
    let mut stats: BTreeMap<&str, Vec<Stats>> = BTreeMap::new();
    for row in &record.latency {
        let Some(node) = record.lab.nodes.get(row.node.at()) else {
            continue;
        };
        let of_role = stats
            .entry(node.role())
            .or_insert_with(|| vec![Stats::default(); columns.len()]);
        for (windows, stats) in columns.iter().zip(of_role) {
            if windows.iter().any(|window| window.holds(row.t)) {
                stats.add(row);
            }
        }
    }
    let summary = |(role, stats): (&str, Vec<Stats>)| RoleSummary {
        role: role.to_owned(),
        windows: (columns.iter().zip(&stats))
            .filter_map(|(windows, stats)| window_summary(windows, stats))
            .collect(),
    };
    stats.into_iter().map(summary).collect()
}

/// The windows of one kind together.
fn window_summary(windows: &[Window], stats: &Stats) -> Option<WindowSummary> {
    let (first, last) = (windows.first()?, windows.last()?);
    let slots: usize = windows.iter().map(Window::slots).sum();
    let seconds = slots as f64 * SLOT_NS as f64 / 1e9;
    Some(WindowSummary {
        window: first.kind,
        from: first.range.start,
        to: last.range.end,
        slots,
        requests: stats.requests(),
        succeeded: stats.succeeded(),
        local: stats.local,
        p50_us: stats.percentile(500),
        p99_us: stats.percentile(990),
        answers_per_second: (slots > 0).then(|| stats.succeeded() as f64 / seconds),
        outcomes: stats.outcomes.clone(),
    })
}

/// The checks of a run that has ended as it should; of others nothing is known.
fn checks(record: &Run, view: &check::View<'_>) -> Vec<CheckResult> {
    let whole = record
        .verdict()
        .is_some_and(|(v, _)| v != Verdict::Interrupted);
    let checks = record.lab.checks.iter().filter(|_| whole);
    checks.map(|check| check::evaluate(check, view)).collect()
}

/// The checks of `record` over the windows of another run of the same file.
pub fn checks_over(record: &Run, other: &Run) -> Vec<CheckResult> {
    let mut view = view::view(record);
    view.faults = view::view(other).faults;
    checks(record, &view)
}

/// What the run is worth and what its checks say of it, and why.
fn verdict(events: &[Event], checks: &[CheckResult]) -> (Verdict, Vec<String>) {
    let ended = events.iter().rev().find_map(|event| match &event.what {
        What::RunEnded { verdict, reasons } => Some((*verdict, reasons.clone())),
        _ => None,
    });
    let (verdict, mut reasons) = ended.unwrap_or_else(|| {
        let reason = "the record has no end: the run was not over when it was exported";
        (Verdict::Interrupted, vec![reason.to_owned()])
    });
    let count = |wanted| {
        checks
            .iter()
            .filter(|check| check.verdict == wanted)
            .count()
    };
    let (failed, open) = (count(Judgement::Fail), count(Judgement::Inconclusive));
    let many = |n: usize, what: &str| match n {
        1 => format!("1 check {what}"),
        n => format!("{n} checks {what}"),
    };
    let verdict = match verdict {
        Verdict::Interrupted => return (verdict, reasons),
        _ if failed > 0 => Verdict::Failed,
        Verdict::Passed if open > 0 => Verdict::Inconclusive,
        verdict => verdict,
    };
    if failed > 0 {
        reasons.push(many(failed, "failed"));
    }
    if open > 0 {
        let is = if open == 1 {
            "is inconclusive"
        } else {
            "are inconclusive"
        };
        reasons.push(many(open, is));
    }
    (verdict, reasons)
}

/// What no table shows, with its scenario time.
fn notes(events: &[Event], warmup: i64) -> Vec<String> {
    let told = |event: &Event| match &event.what {
        What::NodeDied {
            node,
            exit_code,
            fault: None,
            ..
        } => Some(format!("{node} died by itself, exit code {exit_code}")),
        What::NodeDied {
            node,
            fault: Some(fault),
            oom: true,
            ..
        } => Some(format!("{node} was OOM killed (fault {fault})")),
        What::FaultFailed {
            fault,
            occurrence,
            why,
        } => {
            let fault = occurrence_label(fault, *occurrence);
            Some(format!("fault {fault} failed: {why}"))
        }
        What::ConditionHeld { fault, seen } => Some(format!(
            "fault {fault} begins, which waited for this: {seen}"
        )),
        What::FaultNeverBegan { fault, why } => Some(format!("fault {fault} never began: {why}")),
        What::AgentResumed { from } => Some(format!(
            "the agent was gone since {} and came back",
            super::quantity::instant(from - warmup)
        )),
        What::Note { node, text } => Some(match node {
            Some(node) => format!("{node}: {text}"),
            None => text.clone(),
        }),
        _ => None,
    };
    let at = |event: &Event| super::quantity::instant(event.t - warmup);
    events
        .iter()
        .filter_map(|event| Some(format!("{}  {}", at(event), told(event)?)))
        .collect()
}
