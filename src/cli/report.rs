//! `netlab report`: what came out of a recorded run, worked out anew from its record.

use super::exit::{Exit, Failure};
use super::{Context, RunsOption, recorded, table};
use crate::report;
use clap::{Args, ValueEnum};

/// Arguments of `netlab report`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netlab report\n  netlab report client-server\n  netlab report 20261122T2115 --format json"
)]
pub struct Arguments {
    /// The run: its id or the beginning of it, its folder, or a lab (its newest run); the newest of all
    /// unless said
    run: Option<String>,
    /// How it is printed: text or json
    #[arg(
        long,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    format: ReportFormat,
    #[command(flatten)]
    runs: RunsOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    Text,
    /// The same as `summary.json`
    Json,
}

/// Prints what came out.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let runs = &arguments.runs.runs;
    let place = match &arguments.run {
        None => recorded::newest(runs)?,
        Some(wanted) => match recorded::find(runs, wanted)?.as_slice() {
            [one] => one.clone(),
            several => {
                return Err(Failure::usage(
                    format!("`{wanted}` is {} runs", several.len()),
                    "a report is about one; `netlab compare` puts several side by side",
                ));
            }
        },
    };
    let (record, summary) = recorded::read(&place)?;
    let text = match arguments.format {
        ReportFormat::Json => table::json(&summary),
        ReportFormat::Text => {
            let palette = context.terminal.out;
            let dir = record.dir.display();
            let text = report::text(&summary, palette);
            format!("{text}\n{}  {dir}\n", palette.quiet("record"))
        }
    };
    context.terminal.print(&text)?;
    Ok(Exit::Passed)
}
