//! `netlab run`: up, play, summary, down in one go.

use super::exit::{Exit, Failure};
use super::launch::{Launch, Settings};
use super::progress::{Progress, Shows};
use super::prove;
use super::signal::Signals;
use super::source::{self, Overrides};
use super::trial::{self, Keep, Outcome, Rules};
use super::{Context, RunsOption, screen};
use crate::report;
use clap::Args;
use std::time::Duration;

const EXAMPLES: &str = "\
Ctrl-C closes the record, brings it home and takes the lab down; a second one exits at once and
leaves the rest to `netlab down`.

Examples:
  netlab run topologies/client-server.yaml
  netlab run topologies/client-server.yaml --seed 8 --set clients=20
  netlab run topologies/mesh.yaml --prove-checks
  netlab run lab.yaml --name crowd --keep-on-failure --timeout 5min";

/// Arguments of `netlab run`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The topology; `-` is standard input
    file: String,
    /// Leave the lab up afterwards
    #[arg(long, conflicts_with = "keep_on_failure")]
    keep: bool,
    /// Leave the lab up when the run does not pass
    #[arg(long)]
    keep_on_failure: bool,
    /// Take the lab down when the run is not over after this time, with exit code 3
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
    /// Run again with each fault left out, and never healed: a check that says the same in all runs
    /// proves nothing (code 1)
    #[arg(long, conflicts_with_all = ["keep", "keep_on_failure"])]
    prove_checks: bool,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    runs: RunsOption,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    crate::units::parse_duration(text).map_err(|e| e.to_string())
}

/// Runs the lab once and says what came out.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let topology = source::load(&arguments.file, &arguments.overrides, context.terminal)?;
    let mut signals = Signals::listen()?;
    let progress = Progress::of(context.terminal, &topology.lab, Shows::All);
    let (settings, runs) = (&arguments.settings, &arguments.runs.runs);
    let given = topology.clone();
    let launch = Launch::prepare(context, settings, runs, topology).await?;
    let rules = Rules {
        keep: match (arguments.keep, arguments.keep_on_failure) {
            (true, _) => Keep::Always,
            (false, true) => Keep::OnFailure,
            (false, false) => Keep::Never,
        },
        timeout: arguments.timeout,
    };
    let outcome = trial::play(&launch, rules, &progress, &mut signals).await?;
    drop(progress);
    for problem in &outcome.problems {
        screen::above(problem.render(context.terminal.err).as_bytes());
    }
    if let Some(why) = &outcome.why {
        context
            .terminal
            .warn(&format!("{}: {why}", launch.lab().name));
    }
    context.terminal.print(&told(&outcome, &launch, context))?;
    match outcome.record {
        Some((record, _)) if arguments.prove_checks => {
            let variant = prove::Variant {
                context,
                settings,
                runs,
                topology: &given,
                rules,
                shows: Shows::All,
            };
            let proven = prove::prove(&variant, &record, &mut signals).await?;
            Ok(outcome.exit.worst(proven))
        }
        _ => Ok(outcome.exit),
    }
}

/// The summary, where the record lies, and what is left.
fn told(outcome: &Outcome, launch: &Launch<'_>, context: &Context) -> String {
    let palette = context.terminal.out;
    let mut text = String::new();
    let next = |word: &str, what: &str| format!("{}  {what}\n", palette.quiet(word));
    if let Some((record, summary)) = &outcome.record {
        text.push_str(&report::text(summary, palette));
        text.push('\n');
        text.push_str(&next("record", &record.dir.display().to_string()));
    }
    let name = &launch.lab().name;
    if outcome.kept {
        text.push_str(&next("kept  ", &format!("netlab down {name}   removes it")));
    }
    text
}
