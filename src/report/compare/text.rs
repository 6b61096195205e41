//! A comparison as text: two groups beside each other in 80 columns, more below each other.

use super::{Compared, Comparison, Row, words};
use crate::report::palette::Palette;
use crate::report::spread::Difference;
use std::fmt::Write as _;

/// Columns of the names of values.
const NAME: usize = 11;
/// Columns of a value and of a difference.
const VALUE: usize = 22;

/// The whole comparison, ending in a newline.
pub fn text(comparison: &Comparison, palette: Palette) -> String {
    let mut out = String::new();
    for (at, group) in comparison.groups.iter().enumerate() {
        let (letter, lab) = (words::letter(at), palette.strong(&group.lab));
        let _ = writeln!(out, "{letter}  {lab}  {}", words::runs(group));
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

fn table(out: &mut String, window: &Compared, palette: Palette) {
    let when = words::when(window);
    let _ = writeln!(out, "\n{}  {when}", palette.strong(&window.role));
    let groups = window.metrics.first().map_or(0, |row| row.values.len());
    let mut head = " ".repeat(NAME + 2);
    for at in 0..groups {
        let _ = write!(head, "{:>VALUE$}", words::letter(at));
        if at > 0 {
            let _ = write!(head, "{:>VALUE$}", format!("{} − A", words::letter(at)));
        }
    }
    let _ = writeln!(out, "{}", palette.quiet(&head));
    for row in &window.metrics {
        self::row(out, row, palette);
    }
}

fn row(out: &mut String, row: &Row, palette: Palette) {
    let name = words::metric(row.metric);
    let _ = write!(out, "  {name:<NAME$}");
    for (at, value) in row.values.iter().enumerate() {
        let _ = write!(out, "{:>VALUE$}", words::spread(row.metric, value.as_ref()));
        let Some(before) = at.checked_sub(1) else {
            continue;
        };
        let cell = row.differences.get(before).and_then(Option::as_ref);
        let text = format!("{:>VALUE$}", words::difference(row.metric, cell));
        out.push_str(&match cell.is_some_and(Difference::is_shown) {
            true => palette.strong(&text),
            false => text,
        });
    }
    out.push('\n');
}
