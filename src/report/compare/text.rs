//! A comparison as text: two groups beside each other in 80 columns, more below each other.

use super::{Compared, Comparison, Metric, Row};
use crate::report::palette::Palette;
use crate::report::quantity::{NONE, latency};
use crate::report::spread::{Difference, Spread};
use crate::report::window::Kind;
use std::fmt::Write as _;

/// Columns of the names of values.
const NAME: usize = 11;
/// Columns of a value and of a difference.
const VALUE: usize = 22;

/// The whole comparison, ending in a newline.
pub fn text(comparison: &Comparison, palette: Palette) -> String {
    let mut out = String::new();
    for (at, group) in comparison.groups.iter().enumerate() {
        let runs = match group.runs.as_slice() {
            [one] => format!("run {one}"),
            [first, .., last] => format!("{} runs, {first} … {last}", group.runs.len()),
            [] => "no run".to_owned(),
        };
        let _ = writeln!(
            out,
            "{}  {}  {runs}",
            letter(at),
            palette.strong(&group.lab)
        );
    }
    let several = comparison.groups.iter().any(|group| group.runs.len() > 1);
    if several {
        let note = "median of runs [interval of the median]; a difference that is shown: *";
        let _ = writeln!(out, "{}", palette.quiet(note));
    }
    for window in &comparison.windows {
        table(&mut out, window, palette);
    }
    if comparison.windows.is_empty() {
        out.push_str("no node of these labs sent requests\n");
    }
    out
}

fn letter(at: usize) -> String {
    char::from_u32('A' as u32 + at as u32 % 26).map_or_else(|| at.to_string(), String::from)
}

fn table(out: &mut String, window: &Compared, palette: Palette) {
    let when = match (&window.fault, window.window) {
        (Some(fault), kind) if window.occurrence > 1 => {
            format!("{} {fault} ({})", kind.as_str(), window.occurrence)
        }
        (Some(fault), kind) => format!("{} {fault}", kind.as_str()),
        (None, Kind::Whole) => "whole scenario".to_owned(),
        (None, kind) => kind.as_str().to_owned(),
    };
    let _ = writeln!(out, "\n{}  {when}", palette.strong(&window.role));
    let groups = window.metrics.first().map_or(0, |row| row.values.len());
    let mut head = " ".repeat(NAME + 2);
    for at in 0..groups {
        let _ = write!(head, "{:>VALUE$}", letter(at));
        if at > 0 {
            let _ = write!(head, "{:>VALUE$}", format!("{} − A", letter(at)));
        }
    }
    let _ = writeln!(out, "{}", palette.quiet(&head));
    for row in &window.metrics {
        self::row(out, row, palette);
    }
}

fn row(out: &mut String, row: &Row, palette: Palette) {
    let name = match row.metric {
        Metric::Success => "success",
        Metric::P50Us => "p50",
        Metric::P99Us => "p99",
        Metric::AnswersPerSecond => "answers/s",
    };
    let _ = write!(out, "  {name:<NAME$}");
    for (at, value) in row.values.iter().enumerate() {
        let _ = write!(out, "{:>VALUE$}", spread(row.metric, value.as_ref()));
        let Some(before) = at.checked_sub(1) else {
            continue;
        };
        let cell = row.differences.get(before).and_then(Option::as_ref);
        let text = format!("{:>VALUE$}", difference(row.metric, cell));
        out.push_str(&match cell.is_some_and(Difference::is_shown) {
            true => palette.strong(&text),
            false => text,
        });
    }
    out.push('\n');
}

fn spread(metric: Metric, value: Option<&Spread>) -> String {
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

fn difference(metric: Metric, value: Option<&Difference>) -> String {
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
