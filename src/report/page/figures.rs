//! The figure of a run: throughput, success, latency and failures below each other, with the bands
//! of faults across all.

use super::axis::Axis;
use super::chart::{Band, COLOURS, Figure, Mark, Panel, Shape};
use super::series::{Bin, RoleSeries};
use crate::report::quantity;
use crate::report::summary::Summary;
use crate::report::window::Frame;
use netlab_protocol::latency::Outcome;
use std::collections::BTreeSet;

/// The figure of all roles that ask.
pub(super) fn requests(
    frame: &Frame,
    summary: &Summary,
    roles: &[RoleSeries],
    width: i64,
) -> Figure {
    let seconds = |ns: i64| (ns - frame.warmup) as f64 / 1e9;
    let mut panels = vec![success(roles), answers(roles), latency(roles)];
    panels.extend(failures(roles, width as f64 / 1e9));
    Figure {
        title: format!(
            "Requests of {} over the time of run {}",
            summary.lab, summary.run
        ),
        time: (seconds(0), seconds(frame.end)),
        bands: bands(frame, summary),
        panels,
    }
}

/// Warm-up, faults, healing, and what was not measured.
pub(super) fn bands(frame: &Frame, summary: &Summary) -> Vec<Band> {
    let seconds = |ns: i64| (ns - frame.warmup) as f64 / 1e9;
    let mut bands = Vec::new();
    if frame.warmup > 0 {
        bands.push(Band {
            name: "warm-up".into(),
            time: (seconds(0), 0.0),
            class: "warmup",
        });
    }
    for blind in &frame.blind {
        let time = (seconds(blind.start), seconds(blind.end));
        bands.push(Band {
            name: "nothing measured".into(),
            time,
            class: "blind",
        });
    }
    for (name, fault) in summary.occurrences() {
        let heal = fault.heal_started.unwrap_or(frame.end);
        bands.push(Band {
            name,
            time: (seconds(fault.began), seconds(heal)),
            class: "fault",
        });
        if let Some(healed) = fault.healed.filter(|healed| *healed > heal) {
            let time = (seconds(heal), seconds(healed));
            bands.push(Band {
                name: String::new(),
                time,
                class: "healing",
            });
        }
    }
    bands
}

fn marks(
    roles: &[RoleSeries],
    shape: Shape,
    name: impl Fn(&str) -> String,
    value: fn(&Bin) -> Option<f64>,
) -> Vec<Mark> {
    let mark = |(colour, role): (usize, &RoleSeries)| Mark {
        name: name(&role.role),
        colour: colour % COLOURS,
        shape,
        points: role.bins.iter().map(|bin| (bin.at, value(bin))).collect(),
    };
    roles.iter().enumerate().map(mark).collect()
}

fn success(roles: &[RoleSeries]) -> Panel {
    Panel {
        title: "Success: share of the requests intended at that moment that were answered".into(),
        axis: Axis::share(),
        number: percent,
        marks: marks(roles, Shape::Line, str::to_owned, |bin| bin.success),
    }
}

fn answers(roles: &[RoleSeries]) -> Panel {
    let most = roles
        .iter()
        .flat_map(|role| &role.bins)
        .map(|bin| bin.answers);
    Panel {
        title: "Throughput: successful answers per second".into(),
        axis: Axis::linear(most.fold(1.0, f64::max)),
        number: plain,
        marks: marks(roles, Shape::Line, str::to_owned, |bin| Some(bin.answers)),
    }
}

fn latency(roles: &[RoleSeries]) -> Panel {
    let bins = || roles.iter().flat_map(|role| &role.bins);
    let least = bins()
        .filter_map(|bin| bin.p50)
        .fold(f64::INFINITY, f64::min);
    let most = bins().filter_map(|bin| bin.p99).fold(0.0, f64::max);
    let axis = match most > 0.0 {
        true => Axis::log(least, most),
        false => Axis::log(1.0, 10.0),
    };
    let mut marks = marks(
        roles,
        Shape::Line,
        |role| format!("{role} p50"),
        |bin| bin.p50,
    );
    marks.extend(self::marks(
        roles,
        Shape::Fine,
        |role| format!("{role} p99"),
        |bin| bin.p99,
    ));
    Panel {
        title: "Latency of successes, from the intended time (log axis)".into(),
        axis,
        number: milliseconds,
        marks,
    }
}

/// Failures of all roles together, on top of each other; none when nothing failed.
fn failures(roles: &[RoleSeries], wide: f64) -> Option<Panel> {
    let bins = || roles.iter().flat_map(|role| &role.bins);
    let outcomes: BTreeSet<Outcome> = bins()
        .flat_map(|bin| bin.failures.keys().copied())
        .collect();
    let longest = roles.iter().map(|role| role.bins.len()).max()?;
    let of = |at: usize, outcome: Outcome| -> f64 {
        let bins = roles.iter().filter_map(|role| role.bins.get(at));
        bins.filter_map(|bin| bin.failures.get(&outcome)).sum()
    };
    let all = |at: usize| -> f64 { outcomes.iter().map(|outcome| of(at, *outcome)).sum() };
    let most = (0..longest).map(all).fold(0.0, f64::max);
    let time = |at: usize| {
        roles
            .iter()
            .find_map(|role| Some(role.bins.get(at)?.at))
            .unwrap_or(0.0)
    };
    let mark = |(colour, outcome): (usize, &Outcome)| Mark {
        name: outcome.to_string(),
        colour: (colour + 1) % COLOURS,
        shape: Shape::Bars(wide),
        points: (0..longest)
            .map(|at| (time(at), Some(of(at, *outcome))))
            .collect(),
    };
    (!outcomes.is_empty()).then(|| Panel {
        title: "Failures per second, by how they ended".into(),
        axis: Axis::linear(most),
        number: plain,
        marks: outcomes.iter().enumerate().map(mark).collect(),
    })
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A latency in milliseconds with its unit.
pub(super) fn milliseconds(ms: f64) -> String {
    quantity::latency(Some((ms * 1e3).round() as u64)).replace(".0 ", " ")
}

/// A number without a unit, short.
pub(super) fn plain(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v >= 10_000.0 => format!("{:.0} k", v / 1e3),
        v if v >= 10.0 || v.fract() == 0.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

/// What the pointer shows over the figure, as JSON: time, and a text for each bin.
pub(super) fn readings(roles: &[RoleSeries]) -> String {
    let mut rows: Vec<(f64, Vec<String>)> = Vec::new();
    for role in roles {
        for (at, bin) in role.bins.iter().enumerate() {
            if rows.len() <= at {
                rows.push((bin.at, Vec::new()));
            }
            rows[at].1.push(reading(&role.role, bin));
        }
    }
    // Inside a script element `<` would be markup; as an escape it is the same JSON.
    serde_json::to_string(&rows)
        .unwrap_or_default()
        .replace('<', "\\u003c")
}

fn reading(role: &str, bin: &Bin) -> String {
    let ms = |value: Option<f64>| quantity::latency(value.map(|ms| (ms * 1e3).round() as u64));
    let success = bin
        .success
        .map_or(quantity::NONE.to_owned(), |s| format!("{:.1} %", s * 100.0));
    format!(
        "{role}: {success}, {}/s, p50 {}, p99 {}",
        plain(bin.answers),
        ms(bin.p50),
        ms(bin.p99)
    )
}
