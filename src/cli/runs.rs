//! `netlab runs`: what was recorded.

use super::exit::{Exit, Failure};
use super::table::{self, Format};
use super::{Context, RunsOption, recorded};
use crate::record;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Arguments of `netlab runs`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netlab runs\n  netlab runs client-server --last 5 --format json"
)]
pub struct Arguments {
    /// Runs of this lab only
    lab: Option<String>,
    /// So many at most, the newest
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    last: u64,
    /// How the list is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    #[command(flatten)]
    runs: RunsOption,
}

/// One run.
#[derive(Debug, Serialize)]
struct Row {
    lab: String,
    run: String,
    /// When it began, in UTC.
    when: String,
    /// Its verdict; none: it is not at home, or was cut off.
    verdict: Option<String>,
    /// How long its scenario was played, in seconds.
    seconds: Option<f64>,
    record: PathBuf,
}

/// Lists runs, the newest first.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut places = recorded::list(&arguments.runs.runs)?;
    if let Some(lab) = &arguments.lab {
        if !places.is_empty() && !places.iter().any(|place| place.lab == *lab) {
            recorded::find(&arguments.runs.runs, lab)?;
        }
        places.retain(|place| place.lab == *lab);
    }
    let all = places.len();
    let last = usize::try_from(arguments.last).unwrap_or(usize::MAX);
    let rows: Vec<Row> = places.into_iter().rev().take(last).map(row).collect();
    if rows.is_empty() && arguments.format == Format::Table {
        let folder = arguments.runs.runs.display();
        context
            .terminal
            .tell(&format!("no run is recorded in {folder}"));
        return Ok(Exit::Passed);
    }
    let heads = ["LAB", "RUN", "WHEN (UTC)", "VERDICT", "PLAYED"];
    let cells = |row: &Row| {
        let none = || "–".to_owned();
        vec![
            row.lab.clone(),
            row.run.clone(),
            row.when.clone(),
            row.verdict.clone().unwrap_or_else(none),
            row.seconds.map_or_else(none, |s| format!("{s:.1} s")),
        ]
    };
    let palette = context.terminal.out;
    let text = table::list(arguments.format, &rows, &heads, cells, palette);
    context.terminal.print(&text)?;
    if all > rows.len() {
        let text = format!("{} older ones: --last {all}", all - rows.len());
        context.terminal.tell(&text);
    }
    Ok(Exit::Passed)
}

fn row(place: record::Place) -> Row {
    let brief = record::brief(&place.dir);
    let known = brief.end > 0;
    Row {
        when: when(&place.id),
        verdict: brief.verdict,
        seconds: known.then(|| (brief.end - brief.warmup).max(0) as f64 / 1e9),
        lab: place.lab,
        run: place.id,
        record: place.dir,
    }
}

/// `2026-11-22 21:15:00`, from `20261122T211500Z-7`.
fn when(id: &str) -> String {
    let part = |from: usize, to: usize| id.get(from..to).unwrap_or("?");
    format!(
        "{}-{}-{} {}:{}:{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_tell_the_time() {
        assert_eq!(super::when("20261122T211503Z-7"), "2026-11-22 21:15:03");
    }
}
