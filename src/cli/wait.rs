//! `netlab wait`: until the scenario of a lab is over.

use super::exit::{Exit, Failure};
use super::follow::{Followed, follow};
use super::progress::{Progress, Shows};
use super::signal::Signals;
use super::terminal::Terminal;
use super::{Context, labs};
use crate::record::event::Verdict;
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
}

fn parse_time(text: &str) -> Result<Duration, String> {
    crate::units::parse_duration(text).map_err(|e| e.to_string())
}

/// Waits, prints the verdict, and returns the run's exit code.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.as_deref(), &context.owner).await?;
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
        Ok(Ok(Followed::Ended {
            run,
            verdict,
            exit_code,
        })) => {
            let word = match verdict {
                Verdict::Passed => "passed",
                Verdict::Inconclusive => "inconclusive",
                Verdict::Interrupted => "interrupted",
            };
            context
                .terminal
                .print(&format!("{name}  run {run}  {word}\n"))?;
            Ok(Exit::of_run(exit_code))
        }
    }
}
