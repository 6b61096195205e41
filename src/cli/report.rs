//! `netlab report`: what came out of a recorded run, worked out anew from its record.

use super::exit::{Exit, Failure};
use super::{Context, RunsOption, Written, WrittenOption, recorded, table};
use crate::record::{Run, home};
use crate::report::{self, Summary};
use clap::Args;

/// Arguments of `netlab report`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netlab report\n  netlab report client-server\n  netlab report 20261122T2115 --format json\n  netlab report --format html -o report.html"
)]
pub struct Arguments {
    /// The run: its id or the beginning of it, its folder, or a lab (its newest run); the newest of all
    /// unless said
    run: Option<String>,
    #[command(flatten)]
    written: WrittenOption,
    #[command(flatten)]
    runs: RunsOption,
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
    let text = match arguments.written.format {
        Written::Json => table::json(&summary),
        Written::Html => page(&record, &summary)?,
        Written::Text => {
            let palette = context.terminal.out;
            let dir = record.dir.display();
            let text = report::text(&summary, palette);
            format!("{text}\n{}  {dir}\n", palette.quiet("record"))
        }
    };
    arguments.written.write(&text, context)?;
    Ok(Exit::Passed)
}

/// The page of a run.
///
/// # Errors
/// Only netlab's own.
pub fn page(record: &Run, summary: &Summary) -> Result<String, Failure> {
    let topology = home::topology(&record.dir);
    let page = report::html(report::Source {
        run: record,
        summary,
        topology: topology.as_deref(),
    });
    page.map_err(|e| Failure::step("the page of a run could not be made", e))
}
