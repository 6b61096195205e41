//! `netlab graph`: a picture of a lab, or the numbers between all pairs, without an engine.

use super::Context;
use super::exit::{Exit, Failure};
use super::source::{self, Overrides};
use super::table;
use crate::report::picture::matrix::{self, Row};
use crate::report::picture::{self, Picture};
use clap::{Args, ValueEnum};
use netlab_protocol::duration;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  netlab graph topologies/ring.yaml -o ring.svg
  netlab graph topologies/ring.yaml --format mermaid
  netlab graph topologies/ring.yaml --format dot | dot -Tpng -o ring.png
  netlab graph topologies/client-server.yaml --matrix";

/// Nodes up to which the matrix is written.
const MATRIX_NODES: usize = 1000;

/// Arguments of `netlab graph`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The topology; `-` is standard input
    file: String,
    /// How it is written: svg, mermaid or dot; the matrix as table, json or csv. Unless said, as the
    /// name of the output file says; svg or table where it says nothing
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Instead of a picture: round trip, loss and bottleneck between every ordered pair
    #[arg(long)]
    matrix: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// All formats; which fits depends on `--matrix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A drawing.
    Svg,
    /// A flowchart for Markdown.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// Aligned columns.
    Table,
    /// One array.
    Json,
    /// Comma-separated, with a heading.
    Csv,
}

/// Draws the lab.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let format = format(arguments)?;
    let lab = source::load(&arguments.file, &arguments.overrides, context.terminal)?.lab;
    if arguments.matrix && lab.nodes.len() > MATRIX_NODES {
        let what = format!(
            "a matrix of {} nodes is too large to be read",
            lab.nodes.len()
        );
        let cure =
            format!("up to {MATRIX_NODES} nodes are written; `--set` may make the lab smaller");
        return Err(Failure::usage(what, cure));
    }
    let text = match format {
        Format::Svg => picture::svg(&Picture::of(&lab)),
        Format::Mermaid => picture::mermaid(&Picture::of(&lab)),
        Format::Dot => picture::dot(&Picture::of(&lab)),
        Format::Table => columns(&matrix::matrix(&lab), context),
        Format::Json => table::json(&matrix::matrix(&lab)),
        Format::Csv => csv(&matrix::matrix(&lab)),
    };
    super::print_or_write(&text, arguments.output.as_deref(), context)?;
    Ok(Exit::Passed)
}

/// What was asked for, or what the file's name says.
fn format(arguments: &Arguments) -> Result<Format, Failure> {
    let extension = arguments.output.as_ref().and_then(|path| path.extension());
    let by_name = extension.and_then(|extension| match extension.to_str()? {
        "svg" => Some(Format::Svg),
        "mmd" | "mermaid" => Some(Format::Mermaid),
        "dot" | "gv" => Some(Format::Dot),
        "json" => Some(Format::Json),
        "csv" => Some(Format::Csv),
        _ => None,
    });
    let format = match (arguments.format.or(by_name), extension) {
        (Some(format), _) => format,
        (None, _) if arguments.matrix => Format::Table,
        (None, None) => Format::Svg,
        (None, Some(extension)) => {
            let what = format!("no drawing is written as `{}`", extension.display());
            let cure = "name the file .svg, .mmd or .dot, or add `--format`; for others: \
                        `--format dot | dot -Tpng -o lab.png`";
            return Err(Failure::usage(what, cure));
        }
    };
    let drawing = matches!(format, Format::Svg | Format::Mermaid | Format::Dot);
    match (drawing, arguments.matrix) {
        (true, true) => {
            let cure = "write it as table, json or csv, or leave `--matrix` out";
            Err(Failure::usage("a matrix is no drawing", cure))
        }
        (false, false) => {
            let cure = "write it as svg, mermaid or dot, or add `--matrix`";
            Err(Failure::usage(
                "a picture cannot be written like this",
                cure,
            ))
        }
        _ => Ok(format),
    }
}

/// A row's values, as they are printed.
fn cells(row: &Row) -> [String; 6] {
    let none = || "-".to_owned();
    [
        row.from.clone(),
        row.to.clone(),
        row.rtt.map_or_else(none, duration::format),
        row.loss.map_or_else(none, matrix::percent),
        row.rate.map_or_else(none, |rate| rate.to_string()),
        row.path.join(" "),
    ]
}

fn columns(rows: &[Row], context: &Context) -> String {
    let routed = rows.iter().any(|row| row.path.len() != 2);
    let heads = ["FROM", "TO", "RTT", "LOSS", "RATE", "PATH"];
    let shown = if routed { 6 } else { 5 };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| cells(row)[..shown].to_vec())
        .collect();
    table::table(&heads[..shown], &rows, context.terminal.out)
}

/// Names hold neither commas nor quotes.
fn csv(rows: &[Row]) -> String {
    let mut out = String::from("from,to,rtt_us,loss,rate_bit,path\n");
    for row in rows {
        let rtt = row
            .rtt
            .map(|rtt| format!("{}", rtt.as_nanos() as f64 / 1e3));
        let loss = row.loss.map(|loss| loss.to_string());
        let rate = row.rate.map(|rate| rate.0.to_string());
        let numbers = [rtt, loss, rate].map(Option::unwrap_or_default).join(",");
        out.push_str(&format!(
            "{},{},{numbers},{}\n",
            row.from,
            row.to,
            row.path.join(" ")
        ));
    }
    out
}
