//! `netlab wait`: until the scenario of a lab is over.

use super::exit::{Exit, Failure};
use super::follow::{Followed, follow};
use super::progress::{Progress, Shows};
use super::signal::Signals;
use super::terminal::Terminal;
use super::{Context, RunsOption, connect, export, labs};
use crate::record::Run;
use crate::report::{self, Summary};
use clap::Args;
use std::time::Duration;

/// Arguments of `netlab wait`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  netlab up lab.yaml -d && netlab wait --timeout 5min; netlab down"
)]
pub struct Arguments {
    /// The lab; may be left out when exactly one of mine is up
    lab: Option<String>,
    /// Give up after this time, with exit code 3
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
    #[command(flatten)]
    runs: RunsOption,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    crate::units::parse_duration(text).map_err(|e| e.to_string())
}

/// Waits, brings the record home, prints the verdict and what the checks say, and returns the run's exit
/// code.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, info) = connect::connect().await?;
    let all = labs::all(&engine).await?;
    let lab = labs::choose(&all, arguments.lab.as_deref(), &context.owner)?;
    let name = lab.name.as_str();
    let agent = lab.answering_agent()?;
    let mut signals = Signals::listen()?;
    let silent = Terminal {
        quiet: true,
        live: false,
        ..context.terminal
    };
    let progress = Progress::new(silent, name, Shows::All);
    let following = follow(&engine, &agent.id, &progress, &mut signals);
    let forever = Duration::from_secs(365 * 86_400);
    let within = arguments.timeout.unwrap_or(forever);
    match tokio::time::timeout(within, following).await {
        Err(_) => {
            let text = format!("{name}: not over within {} s", within.as_secs_f64());
            context.terminal.warn(&text);
            Ok(Exit::Inconclusive)
        }
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(Followed::Signal(signal))) => Ok(signal.exit()),
        Ok(Ok(Followed::Ended { run, exit_code, .. })) => {
            let runs = &arguments.runs.runs;
            let home = export::home(&engine, &info, lab, runs, context).await?;
            let record = Run::read(&home.folder.join(&run));
            let record = record.map_err(|e| Failure::step("the record cannot be read", e))?;
            let summary = Summary::new(&record);
            let checks = report::checks(&summary, context.terminal.out);
            let word = summary.verdict.as_str();
            let text = format!("{name}  run {run}  {word}\n{checks}");
            context.terminal.print(&text)?;
            Ok(Exit::of_record(exit_code, summary.verdict))
        }
    }
}
