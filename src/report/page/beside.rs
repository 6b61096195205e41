//! The page of a comparison: runs on the same axes, and every value with its difference.

use super::axis::Axis;
use super::chart::{Band, COLOURS, Figure, Mark, Panel, Shape};
use super::series::{self, Bin, RoleSeries};
use super::{PageError, environment, figures, safe, values};
use crate::record::Run;
use crate::report::compare::{Comparison, words};
use crate::report::summary::Summary;
use crate::report::window::{self, Frame};
use minijinja::context;
use serde::Serialize;
use std::collections::BTreeSet;

/// Lines of one group in a figure: the newest runs.
const LINES: usize = 5;
/// The template.
pub(super) const PAGE: &str = "compare.html";

/// Runs of one group with their summaries.
pub type Group = Vec<(Run, Summary)>;

/// One run as it is drawn.
struct Drawn {
    group: usize,
    roles: Vec<RoleSeries>,
}

/// A table of one window.
#[derive(Debug, Serialize)]
struct Table {
    title: String,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    metric: &'static str,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    text: String,
    strong: bool,
}

/// The page.
///
/// # Errors
/// See [`PageError`].
pub fn comparison_html(groups: &[Group], comparison: &Comparison) -> Result<String, PageError> {
    let frames = groups
        .iter()
        .flatten()
        .map(|(run, _)| window::frame(&run.events));
    let frame = frames.max_by_key(|frame| frame.end).unwrap_or_default();
    let width = series::width(frame.end);
    let drawn = drawn(groups, width);
    let roles: BTreeSet<&str> = drawn
        .iter()
        .flat_map(|run| &run.roles)
        .map(|role| role.role.as_str())
        .collect();
    let figure = |role: &&str| {
        let figure = self::figure(role, &drawn, &frame, bands(groups, &frame));
        context! { role => *role, svg => safe(figure.svg()) }
    };
    let heads: Vec<String> = (0..groups.len()).flat_map(heads).collect();
    let page = context! {
        css => super::CSS,
        title => title(comparison),
        groups => values(&words::groups(comparison)),
        several => comparison.groups.iter().any(|group| group.runs.len() > 1),
        figures => roles.iter().map(figure).collect::<Vec<_>>(),
        heads => values(&heads),
        tables => values(&comparison.windows.iter().map(table).collect::<Vec<_>>()),
    };
    Ok(environment()?.get_template(PAGE)?.render(page)?)
}

fn title(comparison: &Comparison) -> String {
    let labs: Vec<&str> = comparison
        .groups
        .iter()
        .map(|group| group.lab.as_str())
        .collect();
    labs.join(" and ")
}

fn heads(group: usize) -> Vec<String> {
    let letter = words::letter(group);
    match group {
        0 => vec![letter],
        _ => vec![letter.clone(), format!("{letter} − A")],
    }
}

fn drawn(groups: &[Group], width: i64) -> Vec<Drawn> {
    let one = |(group, runs): (usize, &Group)| {
        let newest = runs.iter().rev().take(LINES);
        let drawn = newest.map(move |(run, _)| Drawn {
            group,
            roles: series::series(run, &window::frame(&run.events), width),
        });
        drawn.collect::<Vec<_>>()
    };
    groups.iter().enumerate().flat_map(one).collect()
}

/// The faults of the first run, which the others have as well when they are worth comparing.
fn bands(groups: &[Group], frame: &Frame) -> Vec<Band> {
    let first = groups.iter().flatten().next();
    first.map_or_else(Vec::new, |(_, summary)| figures::bands(frame, summary))
}

fn figure<'d>(role: &str, drawn: &'d [Drawn], frame: &Frame, bands: Vec<Band>) -> Figure {
    let seconds = |ns: i64| (ns - frame.warmup) as f64 / 1e9;
    let lines = |value: fn(&Bin) -> Option<f64>| -> Vec<Mark> {
        let of_role = |run: &'d Drawn| {
            let series = run.roles.iter().find(|one| one.role == role)?;
            Some((run.group, series))
        };
        let mut named = BTreeSet::new();
        let mark = |(group, series): (usize, &RoleSeries)| Mark {
            name: if named.insert(group) {
                words::letter(group)
            } else {
                String::new()
            },
            colour: group % COLOURS,
            shape: if drawn.len() > 4 {
                Shape::Fine
            } else {
                Shape::Line
            },
            points: series.bins.iter().map(|bin| (bin.at, value(bin))).collect(),
        };
        drawn.iter().filter_map(of_role).map(mark).collect()
    };
    let most = |marks: &[Mark]| {
        marks
            .iter()
            .flat_map(|mark| &mark.points)
            .filter_map(|(_, v)| *v)
            .fold(0.0, f64::max)
    };
    let least = |marks: &[Mark]| {
        marks
            .iter()
            .flat_map(|mark| &mark.points)
            .filter_map(|(_, v)| *v)
            .fold(f64::INFINITY, f64::min)
    };
    let log = |marks: &[Mark]| match most(marks) > 0.0 {
        true => Axis::log(least(marks), most(marks)),
        false => Axis::log(1.0, 10.0),
    };
    let panel = |title: &str, axis: Axis, number: fn(f64) -> String, marks: Vec<Mark>| Panel {
        title: title.to_owned(),
        axis,
        number,
        marks,
    };
    let (answers, p50, p99) = (
        lines(|bin| Some(bin.answers)),
        lines(|bin| bin.p50),
        lines(|bin| bin.p99),
    );
    Figure {
        title: format!("Requests of {role}, run beside run"),
        time: (seconds(0), seconds(frame.end)),
        bands,
        panels: vec![
            panel(
                "Success",
                Axis::share(),
                figures::percent,
                lines(|bin| bin.success),
            ),
            panel(
                "Throughput: successful answers per second",
                Axis::linear(most(&answers).max(1.0)),
                figures::plain,
                answers,
            ),
            panel(
                "Median latency (log axis)",
                log(&p50),
                figures::milliseconds,
                p50,
            ),
            panel(
                "99th percentile of latency (log axis)",
                log(&p99),
                figures::milliseconds,
                p99,
            ),
        ],
    }
}

fn table(window: &crate::report::compare::Compared) -> Table {
    let row = |row: &crate::report::compare::Row| {
        let mut cells = Vec::new();
        for (at, value) in row.values.iter().enumerate() {
            let text = words::spread(row.metric, value.as_ref());
            cells.push(Cell {
                text,
                strong: false,
            });
            if let Some(before) = at.checked_sub(1) {
                let cell = row.differences.get(before).and_then(Option::as_ref);
                cells.push(Cell {
                    text: words::difference(row.metric, cell),
                    strong: cell.is_some_and(crate::report::spread::Difference::is_shown),
                });
            }
        }
        Row {
            metric: words::metric(row.metric),
            cells,
        }
    };
    Table {
        title: format!("{}, {}", window.role, words::when(window)),
        rows: window.metrics.iter().map(row).collect(),
    }
}
