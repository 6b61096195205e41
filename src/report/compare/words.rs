//! How a comparison's values are written, wherever they stand.

use super::{Compared, Comparison, Group, Metric};
use crate::report::quantity::{NONE, latency};
use crate::report::spread::{Difference, Spread};
use crate::report::window::Kind;

/// `A`, `B`, …: the name of a group.
pub(in crate::report) fn letter(at: usize) -> String {
    char::from_u32('A' as u32 + at as u32 % 26).map_or_else(|| at.to_string(), String::from)
}

/// The runs of a group.
pub(in crate::report) fn runs(group: &Group) -> String {
    match group.runs.as_slice() {
        [one] => format!("run {one}"),
        [first, .., last] => format!("{} runs, {first} … {last}", group.runs.len()),
        [] => "no run".to_owned(),
    }
}

/// Every group: its letter, and its lab with its runs.
pub(in crate::report) fn groups(comparison: &Comparison) -> Vec<(String, String)> {
    let groups = comparison.groups.iter().enumerate();
    groups
        .map(|(at, group)| (letter(at), format!("{}  {}", group.lab, runs(group))))
        .collect()
}

/// Which part of the run a window is.
pub(in crate::report) fn when(window: &Compared) -> String {
    match (&window.fault, window.window) {
        (Some(fault), kind) if window.occurrence > 1 => {
            format!("{} {fault} ({})", kind.as_str(), window.occurrence)
        }
        (Some(fault), kind) => format!("{} {fault}", kind.as_str()),
        (None, Kind::Whole) => "whole scenario".to_owned(),
        (None, kind) => kind.as_str().to_owned(),
    }
}

/// The name of a value.
pub(in crate::report) fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::Success => "success",
        Metric::P50Us => "p50",
        Metric::P99Us => "p99",
        Metric::AnswersPerSecond => "answers/s",
    }
}

/// A value with its interval.
pub(in crate::report) fn spread(metric: Metric, value: Option<&Spread>) -> String {
    let Some(value) = value else {
        return NONE.to_owned();
    };
    let median = number(metric, value.median);
    match &value.interval {
        None => median,
        Some(one) => {
            let end = |v: f64| short(metric, v, value.median);
            let (low, high) = (end(one.low), end(one.high));
            format!("{median} [{low} {high}]")
        }
    }
}

/// A difference with its interval.
pub(in crate::report) fn difference(metric: Metric, value: Option<&Difference>) -> String {
    let Some(value) = value else {
        return NONE.to_owned();
    };
    let signed = |v: f64, text: String| match v {
        v if v > 0.0 => format!("+{text}"),
        v if v < 0.0 => format!("−{text}"),
        _ => text,
    };
    let median = signed(value.median, change(metric, value.median.abs()));
    let star = if value.is_shown() { "*" } else { "" };
    match &value.interval {
        None => median,
        Some(one) => {
            let end = |v: f64| signed(v, short(metric, v.abs(), value.median));
            format!("{median} [{} {}]{star}", end(one.low), end(one.high))
        }
    }
}

fn number(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Success => format!("{:.1} %", value * 100.0),
        Metric::P50Us | Metric::P99Us => latency(Some(value.round() as u64)),
        Metric::AnswersPerSecond => format!("{value:.1}"),
    }
}

/// A difference of percentages is in points.
fn change(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Success => format!("{:.1} pp", value * 100.0),
        _ => number(metric, value),
    }
}

/// An end of an interval, in the unit of the value before it.
fn short(metric: Metric, value: f64, beside: f64) -> String {
    match metric {
        Metric::Success => format!("{:.1}", value * 100.0),
        Metric::AnswersPerSecond => format!("{value:.1}"),
        Metric::P50Us | Metric::P99Us => match beside.abs() {
            us if us < 1e3 => format!("{value:.0}"),
            us if us < 1e6 => format!("{:.1}", value / 1e3),
            _ => format!("{:.2}", value / 1e6),
        },
    }
}
