//! Runs side by side: what differs between groups of them, window by window.
//!
//! Owns which windows of different runs are the same, and the differences. Must not know where the
//! runs are.

mod text;
pub(super) mod words;

pub use text::text;

use super::spread::{Difference, Spread};
use super::summary::{RoleSummary, Summary, WindowSummary};
use super::window::Kind;
use serde::Serialize;

/// Version of [`Comparison`]'s serialised form.
pub const FORMAT: u32 = 1;

/// Groups of runs, and every value of theirs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// [`FORMAT`].
    pub format: u32,
    /// The groups: the first is what the others are compared with.
    pub groups: Vec<Group>,
    /// The windows in which somebody asked, in the order of the first run that has them.
    pub windows: Vec<Compared>,
}

/// Runs of which one value is made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The lab.
    pub lab: String,
    /// Ids of the runs.
    pub runs: Vec<String>,
}

/// One window of all groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The fault; none: the whole scenario.
    pub fault: Option<String>,
    /// Which of the faults of this name, from 1.
    pub occurrence: usize,
    /// The role that asks.
    pub role: String,
    /// Which part of the run.
    pub window: Kind,
    /// Its values.
    pub metrics: Vec<Row>,
}

/// One value in all groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which.
    pub metric: Metric,
    /// By group; none: it has no such value.
    pub values: Vec<Option<Spread>>,
    /// From the first group to each of the others.
    pub differences: Vec<Option<Difference>>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Share of the requests that succeeded, of 1.
    Success,
    /// Median latency in microseconds.
    P50Us,
    /// 99th percentile of latency in microseconds.
    P99Us,
    /// Successes per second.
    AnswersPerSecond,
}

impl Metric {
    const ALL: [Metric; 4] = [
        Metric::Success,
        Metric::P50Us,
        Metric::P99Us,
        Metric::AnswersPerSecond,
    ];

    fn of(self, window: &WindowSummary) -> Option<f64> {
        match self {
            Metric::Success => {
                (window.requests > 0).then(|| window.succeeded as f64 / window.requests as f64)
            }
            Metric::P50Us => window.p50_us.map(|us| us as f64),
            Metric::P99Us => window.p99_us.map(|us| us as f64),
            Metric::AnswersPerSecond => window.answers_per_second,
        }
    }
}

/// What makes windows of different runs the same.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    fault: Option<(String, usize)>,
    role: String,
    window: Kind,
}

impl Comparison {
    /// Of groups of runs; the order of the runs within one does not matter.
    pub fn new(groups: &[Vec<Summary>]) -> Comparison {
        let described = groups.iter().map(|runs| Group {
            lab: runs.first().map_or_else(String::new, |s| s.lab.clone()),
            runs: runs.iter().map(|summary| summary.run.clone()).collect(),
        });
        let mut keys: Vec<Key> = Vec::new();
        let by_group: Vec<Vec<(Key, &WindowSummary)>> = groups
            .iter()
            .map(|runs| runs.iter().flat_map(windows).collect())
            .collect();
        for (key, _) in by_group.iter().flatten() {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        Comparison {
            format: FORMAT,
            groups: described.collect(),
            windows: keys
                .into_iter()
                .map(|key| compared(key, &by_group))
                .collect(),
        }
    }
}

/// All windows of a run: the whole scenario first, then fault by fault.
fn windows(summary: &Summary) -> Vec<(Key, &WindowSummary)> {
    let mut all = of_roles(None, &summary.roles);
    for (at, fault) in summary.faults.iter().enumerate() {
        let earlier = &summary.faults[..at];
        let before = earlier.iter().filter(|one| one.name == fault.name).count();
        let fault_key = (fault.name.clone(), before + 1);
        all.extend(of_roles(Some(&fault_key), &fault.roles));
    }
    all
}

fn of_roles<'s>(
    fault: Option<&(String, usize)>,
    roles: &'s [RoleSummary],
) -> Vec<(Key, &'s WindowSummary)> {
    let of_role = |role: &'s RoleSummary| {
        let keyed = move |window: &'s WindowSummary| {
            let key = Key {
                fault: fault.cloned(),
                role: role.role.clone(),
                window: window.window,
            };
            (key, window)
        };
        role.windows.iter().map(keyed)
    };
    roles.iter().flat_map(of_role).collect()
}

fn compared(key: Key, by_group: &[Vec<(Key, &WindowSummary)>]) -> Compared {
    let row = |metric: Metric| {
        let values: Vec<Vec<f64>> = by_group
            .iter()
            .map(|windows| {
                let same = windows.iter().filter(|(one, _)| *one == key);
                same.filter_map(|(_, window)| metric.of(window)).collect()
            })
            .collect();
        let (first, others) = values.split_at(1.min(values.len()));
        let differences = others
            .iter()
            .map(|other| Difference::between(&first[0], other));
        Row {
            metric,
            differences: differences.collect(),
            values: values.iter().map(|values| Spread::of(values)).collect(),
        }
    };
    let metrics = Metric::ALL.map(row).to_vec();
    let (fault, occurrence) = match key.fault {
        Some((name, occurrence)) => (Some(name), occurrence),
        None => (None, 1),
    };
    Compared {
        fault,
        occurrence,
        role: key.role,
        window: key.window,
        metrics,
    }
}
