//! `- { rtt-matrix: FILE.csv }` among the links: round trips between every pair, from a table.
//!
//! ```csv
//! ,        paris, tokyo
//! paris,        , 220ms
//! tokyo,   220ms,
//! ```
//!
//! The first line and the first column name nodes, groups or patterns. A cell is the round trip
//! between its row and its column, with its unit, or a number of what `unit:` says. An empty cell says
//! nothing. A cell is both directions; where the mirrored cell says something too, each is half of the
//! round trip in its own direction, so that what is asymmetric stays so.

use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::reader::Reader;
use super::selector::Selection;
use super::source::{Span, Spanned};
use super::topology::{Ends, LinkChange, LinkSpec};
use super::tree::{Value, short};
use crate::link::LinkPatch;
use crate::units;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

/// Units that `unit:` takes.
pub const UNITS: &[&str] = &["us", "ms", "s"];
/// Rows, and columns, of a table.
const MAX_NAMES: usize = 1000;

/// One cell: its text without blanks, and its place.
type Cell<'t> = Spanned<&'t str>;

impl Reader<'_> {
    /// The links that a table says.
    pub(super) fn matrix(&self, fields: &Fields<'_>, path: &Value) -> Vec<LinkSpec> {
        let unit = fields
            .get("unit")
            .map(|v| self.word(v, "a unit of time", UNITS));
        let Some(range) = self.text_at(path, "the path of a table") else {
            return Vec::new();
        };
        let unit = match unit {
            Some(None) => return Vec::new(),
            Some(unit) => unit,
            None => None,
        };
        let rows = self.rows(range);
        self.cells(&rows, unit, path.span).unwrap_or_default()
    }

    /// The lines of a table that are not empty, split at commas.
    fn rows(&self, range: Range<usize>) -> Vec<Vec<Cell<'_>>> {
        let text = &self.source.text[range.clone()];
        let mut start = range.start;
        let mut rows = Vec::new();
        for line in text.split_inclusive('\n') {
            let mut at = start;
            start += line.len();
            let line = line.trim_end_matches(['\n', '\r']);
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let cells = line.split(',').map(|cell| {
                let blank = cell.len() - cell.trim_start().len();
                let inner = cell.trim();
                let from = at + blank;
                at += cell.len() + 1;
                let end = from + inner.len();
                Spanned::new(inner.trim_matches('"'), Span { start: from, end })
            });
            rows.push(cells.collect());
        }
        rows
    }

    fn cells(
        &self,
        rows: &[Vec<Cell<'_>>],
        unit: Option<&str>,
        path: Span,
    ) -> Option<Vec<LinkSpec>> {
        let refuse = |span: Span, message: String| {
            let mut wrong = Diagnostic::error("bad-table", message).at(span, "");
            if span != path {
                wrong = wrong.at(path, "read here");
            }
            self.report(wrong);
        };
        let Some((head, body)) = rows.split_first().filter(|(head, _)| head.len() > 1) else {
            refuse(path, "the table has no line of names".to_owned());
            return None;
        };
        if head.len() > MAX_NAMES + 1 || body.len() > MAX_NAMES {
            let message = format!("a table has at most {MAX_NAMES} rows and columns");
            refuse(head[0].span, message);
            return None;
        }
        let columns = self.names(&head[1..]);
        let firsts: Vec<Cell<'_>> = body.iter().map(|row| row[0].clone()).collect();
        let names = self.names(&firsts);
        let mut said: Vec<(usize, usize, Duration, Span)> = Vec::new();
        for (at, row) in body.iter().enumerate() {
            if row.len() > head.len() {
                let extra = &row[head.len()];
                refuse(extra.span, "this cell has no column".to_owned());
                continue;
            }
            for (column, cell) in row[1..].iter().enumerate() {
                if let Some(time) = self.cell(cell, unit) {
                    said.push((at, column, time, cell.span));
                }
            }
        }
        let by_name: BTreeSet<(&str, &str)> = said
            .iter()
            .map(|(row, column, ..)| (firsts[*row].value, head[column + 1].value))
            .collect();
        let links = said.into_iter().filter_map(|(row, column, rtt, span)| {
            let mirrored = (head[column + 1].value, firsts[row].value);
            let own = mirrored.0 == mirrored.1;
            let both = own || !by_name.contains(&mirrored);
            let from = names.get(row)?.clone()?;
            let to = columns.get(column)?.clone()?;
            Some(one(from, to, rtt, both, span))
        });
        Some(links.collect())
    }

    fn names(&self, cells: &[Cell<'_>]) -> Vec<Option<Selection>> {
        let name = |cell: &Cell<'_>| {
            let text = Spanned::new(cell.value.to_owned(), cell.span);
            self.selection_of(&text)
        };
        cells.iter().map(name).collect()
    }

    fn cell(&self, cell: &Cell<'_>, unit: Option<&str>) -> Option<Duration> {
        if ["", "-"].contains(&cell.value) {
            return None;
        }
        let time = match unit {
            Some(unit) if cell.value.parse::<f64>().is_ok() => {
                units::parse_duration(&format!("{}{unit}", cell.value))
            }
            _ => units::parse_duration(cell.value),
        };
        match time {
            Ok(time) => Some(time),
            Err(error) => {
                let message = error.0.replace(cell.value, &short(cell.value));
                self.report(
                    Diagnostic::error("bad-unit", message)
                        .at(cell.span, "")
                        .help("for numbers without unit say `unit: ms` beside `rtt-matrix`"),
                );
                None
            }
        }
    }
}

/// The link that a cell says.
fn one(from: Selection, to: Selection, rtt: Duration, both: bool, span: Span) -> LinkSpec {
    LinkSpec {
        ends: Ends {
            from,
            to,
            both,
            span,
        },
        change: LinkChange {
            patch: LinkPatch {
                delay: Some(rtt / 2),
                ..LinkPatch::default()
            },
            span,
        },
        network: None,
        of_table: true,
    }
}
