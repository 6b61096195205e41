//! `netlab compare`: recorded runs side by side, with the differences.

use super::exit::{Exit, Failure};
use super::{Context, RunsOption, Written, WrittenOption, recorded, table};
use crate::report::{self, Comparison};
use clap::Args;

const EXAMPLES: &str = "\
A run is its id or the beginning of it, its folder, or the name of a lab: its newest run. Several runs
make one group, LAB:20 (the newest 20), LAB:all, a lab's folder, or a list with commas: then medians of
whole runs are shown with their intervals, and differences with theirs. A difference with * is shown
by the runs, with a confidence of at least 95 % (four runs in each group can do that).

Examples:
  netlab compare client-server mesh
  netlab compare 20261122T2115 20261122T2130 --format json
  netlab compare client-server mesh --format html -o compare.html
  netlab compare before:20 after:20";

/// Arguments of `netlab compare`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What the others are compared with, and the others
    #[arg(value_name = "RUN", num_args = 2..=8, required = true)]
    groups: Vec<String>,
    #[command(flatten)]
    written: WrittenOption,
    #[command(flatten)]
    runs: RunsOption,
}

/// Prints the differences.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut groups = Vec::new();
    for wanted in &arguments.groups {
        let places = recorded::find(&arguments.runs.runs, wanted)?;
        let read = places.iter().map(recorded::read);
        groups.push(read.collect::<Result<report::PageGroup, Failure>>()?);
    }
    let of_group = |runs: &report::PageGroup| runs.iter().map(|run| run.1.clone()).collect();
    let summaries: Vec<Vec<_>> = groups.iter().map(of_group).collect();
    let comparison = Comparison::new(&summaries);
    let text = match arguments.written.format {
        Written::Json => table::json(&comparison),
        Written::Html => report::comparison_html(&groups, &comparison)
            .map_err(|e| Failure::step("the page could not be made", e))?,
        Written::Text => report::comparison_text(&comparison, context.terminal.out),
    };
    arguments.written.write(&text, context)?;
    Ok(Exit::Passed)
}
