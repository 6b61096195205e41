//! `netlab up`: from a file to a played scenario and its summary.

use super::exit::{Exit, Failure};
use super::follow::{Followed, follow};
use super::launch::{Launch, Settings};
use super::progress::{Progress, Shows};
use super::signal::Signals;
use super::source::{self, Overrides};
use super::{Context, RunsOption};
use crate::record::event::Verdict;
use crate::report::{self, Summary};
use crate::run::Started;
use clap::Args;

const EXAMPLES: &str = "\
Said again on a lab that is up, it changes what differs from the file and nothing else, and plays
the scenario again as a new run; `netlab plan FILE` shows what that would be.

Examples:
  netlab up topologies/client-server.yaml
  netlab up topologies/client-server.yaml --name crowd --set clients=20
  netlab up lab.yaml -d --ttl 1h && netlab wait; netlab down";

/// Arguments of `netlab up`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The topology; `-` is standard input
    file: String,
    /// Return when the lab is ready and its scenario plays
    #[arg(short, long)]
    detach: bool,
    /// Heal and close a run that is still playing, then play anew
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    runs: RunsOption,
}

/// Starts the lab, plays it, and says what came out.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let topology = source::load(&arguments.file, &arguments.overrides, context.terminal)?;
    let mut signals = Signals::listen()?;
    let progress = Progress::of(context.terminal, &topology.lab, Shows::All);
    let (settings, runs) = (&arguments.settings, &arguments.runs.runs);
    let launch = Launch::prepare(context, settings, runs, topology).await?;
    for change in &launch.plan().changes {
        context.terminal.tell(&change.to_string());
    }
    let replace = arguments.replace;
    let started = launch.start(replace, &progress, &mut signals).await?;
    launch.keep(&started)?;
    let plays = launch.lab().scenario.is_some();
    if arguments.detach || !plays {
        drop(progress);
        context.terminal.print(&told(&launch, &started, context))?;
        return Ok(Exit::Passed);
    }
    launch.tell_ports(&started);
    let followed = follow(&launch.engine, &started.agent, &progress, &mut signals).await?;
    drop(progress);
    match followed {
        Followed::Signal(signal) => {
            context.terminal.say(&detached(launch.lab().name.as_str()));
            Ok(signal.exit())
        }
        Followed::Ended { run, exit_code, .. } => {
            let verdict = summary(&launch, &run, context).await?;
            Ok(Exit::of_record(exit_code, verdict))
        }
    }
}

/// `client-server  6 nodes are up, run 20261122T211500Z-7 plays`, and where its ports are.
fn told(launch: &Launch<'_>, started: &Started, context: &Context) -> String {
    let palette = context.terminal.out;
    let lab = launch.lab();
    let nodes = match lab.containers().count() {
        1 => "1 node is up".to_owned(),
        n => format!("{n} nodes are up"),
    };
    let plays = match (&started.run, &lab.scenario) {
        (Some(run), Some(_)) => format!(", run {run} plays"),
        (Some(_), None) => ", load runs".to_owned(),
        (None, _) => String::new(),
    };
    let mut text = format!("{}  {nodes}{plays}\n", palette.strong(lab.name.as_str()));
    for port in &started.ports {
        text.push_str(&format!("  {}\n", super::port::told(port)));
    }
    text
}

fn detached(name: &str) -> String {
    format!(
        "detached: the lab goes on\n  netlab wait {name}   until its scenario is over\n  \
         netlab down {name}   bring the record home, remove everything"
    )
}

/// Brings the record home and prints what came out.
async fn summary(launch: &Launch<'_>, run: &str, context: &Context) -> Result<Verdict, Failure> {
    let record = launch.home(run).await?;
    let palette = context.terminal.out;
    let summary = Summary::new(&record);
    let mut text = report::text(&summary, palette);
    let next = |word: &str, what: &str| format!("{}  {what}\n", palette.quiet(word));
    text.push('\n');
    text.push_str(&next("record", &record.dir.display().to_string()));
    let down = format!("netlab down {}", launch.lab().name);
    text.push_str(&next("remove", &down));
    context.terminal.print(&text)?;
    Ok(summary.verdict)
}
