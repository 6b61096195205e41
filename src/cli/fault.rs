//! `netlab fault`: breaks things in a running lab by hand, lists faults, heals them.
//!
//! Owns what is asked of the agent and how its answers are told; how a fault is said is
//! `inject`'s.

mod inject;
mod said;

use super::exit::{Exit, Failure};
use super::labs::{self, Seen};
use super::signal::Signals;
use super::table::{self, Format};
use super::{Context, LabOption};
use crate::engine::docker::Docker;
use crate::record::look::FaultRow;
use crate::record::stream::{Reply, Request};
use crate::run::attach::{self, AttachError};
use clap::{Args, Subcommand};
use std::time::Duration;

/// How long the agent may take for each part of a list.
const ASK: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  netlab fault inject kill server --for 5s
  netlab fault inject partition --groups server/client-*
  netlab fault inject cut --from client-1 --to server --dry-run
  netlab fault list
  netlab fault heal kill-1
  netlab fault heal --all";

/// Arguments of `netlab fault`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a fault now: the kinds and words are those of topology files
    Inject(inject::Arguments),
    /// List the faults in force, and those that the scenario will begin
    #[command(visible_alias = "ls")]
    List(List),
    /// Heal faults that are in force, and wait until all is back
    Heal(Heal),
}

#[derive(Args, Debug)]
struct List {
    /// How the list is printed: table, json or csv
    #[arg(long, default_value = "table", hide_possible_values = true)]
    format: Format,
    #[command(flatten)]
    lab: LabOption,
}

#[derive(Args, Debug)]
struct Heal {
    /// The fault's name, as `netlab fault list` has it
    #[arg(value_name = "ID", required_unless_present = "all")]
    fault: Option<String>,
    /// All that are in force, those of the scenario too
    #[arg(long, conflicts_with = "fault")]
    all: bool,
    #[command(flatten)]
    lab: LabOption,
}

/// Does what was asked.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Inject(arguments) => inject::run(arguments, context).await,
        Command::List(arguments) => list(arguments, context).await,
        Command::Heal(arguments) => heal(arguments, context).await,
    }
}

async fn list(arguments: &List, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    let rows = faults(&engine, &lab).await?;
    if rows.is_empty() && arguments.format == Format::Table {
        context
            .terminal
            .print("no fault is in force, and none is to come\n")?;
        return Ok(Exit::Passed);
    }
    let cells = |row: &FaultRow| {
        let until = row.heals_ns.map_or_else(|| end(row).to_owned(), when);
        vec![
            row.fault.clone(),
            row.state.as_str().to_owned(),
            begins(row),
            until,
            if row.by_hand { "hand" } else { "file" }.to_owned(),
            format!("{} {}", row.kind, row.target),
        ]
    };
    let heads = ["ID", "STATE", "SINCE", "UNTIL", "BY", "WHAT"];
    let text = table::list(arguments.format, &rows, &heads, cells, context.terminal.out);
    context.terminal.print(&text)?;
    Ok(Exit::Passed)
}

/// When a fault began, or will; of one that waits for a condition its deadline.
fn begins(row: &FaultRow) -> String {
    use crate::record::look::FaultState;
    match row.state {
        FaultState::Waiting => format!("with{}", when(row.begins_ns)),
        _ => when(row.begins_ns),
    }
}

/// When a fault without a time ends.
fn end(row: &FaultRow) -> &'static str {
    use crate::record::look::FaultState;
    match row.state {
        FaultState::Healing => "now",
        _ if row.by_hand => "healed",
        _ => "–",
    }
}

/// `3.2 s ago`, `in 12.0 s`.
fn when(ns: i64) -> String {
    let seconds = ns as f64 / 1e9;
    match ns {
        i64::MIN..0 => format!("{:.1} s ago", -seconds),
        0.. => format!("in {seconds:.1} s"),
    }
}

/// Asks the agent for all rows.
pub(super) async fn faults(engine: &Docker, lab: &Seen) -> Result<Vec<FaultRow>, Failure> {
    let failed = |e: AttachError| Failure::step("the agent did not say which faults there are", e);
    let agent = lab.answering_agent()?;
    let open = attach::open(engine, &agent.id, &Request::Faults);
    let mut replies = open.await.map_err(failed)?;
    let mut all = Vec::new();
    loop {
        match replies.next(ASK).await.map_err(failed)? {
            Reply::Faults { rows, more } => {
                all.extend(rows);
                if !more {
                    return Ok(all);
                }
            }
            other => return Err(unexpected(other, "the list of faults")),
        }
    }
}

async fn heal(arguments: &Heal, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    let fault = arguments.fault.clone();
    let said = ask(&engine, &lab, &Request::Heal { fault }, context).await?;
    let Said::Reply(reply) = said else {
        context
            .terminal
            .say("the healing goes on: `netlab fault list`");
        return said.exit();
    };
    match reply {
        Reply::Healed { faults, .. } if faults.is_empty() => {
            context.terminal.print("no fault is in force\n")?;
            Ok(Exit::Passed)
        }
        Reply::Healed {
            faults,
            failed,
            took_us,
        } if failed.is_empty() => {
            let text = format!("{}  healed after {}\n", faults.join(", "), time(took_us));
            context.terminal.print(&text)?;
            Ok(Exit::Passed)
        }
        Reply::Healed { failed, .. } => {
            for why in &failed {
                context.terminal.warn(why);
            }
            Ok(Exit::Engine)
        }
        other => Err(unexpected(other, "what became of the healing")),
    }
}

/// What came of a request.
enum Said {
    Reply(Reply),
    Signal(super::signal::Signal),
}

impl Said {
    fn exit(self) -> Result<Exit, Failure> {
        match self {
            Said::Signal(signal) => Ok(signal.exit()),
            Said::Reply(_) => Ok(Exit::Passed),
        }
    }
}

/// One question, one answer, unless a signal comes first. It is not asked again when the
/// connection breaks: the agent may have done it.
async fn ask(
    engine: &Docker,
    lab: &Seen,
    request: &Request,
    context: &Context,
) -> Result<Said, Failure> {
    /// A fault is given ten seconds and its grace, a heal thirty.
    const PATIENCE: Duration = Duration::from_secs(600);
    /// Who waits for longer is told what for.
    const SOON: Duration = Duration::from_secs(1);
    let failed = |e: AttachError| Failure::step("the agent did not answer", e);
    let mut signals = Signals::listen()?;
    let agent = lab.answering_agent()?;
    let answer = async {
        let mut replies = attach::open(engine, &agent.id, request)
            .await
            .map_err(failed)?;
        replies.next(PATIENCE).await.map_err(failed)
    };
    let wait = async {
        tokio::time::sleep(SOON).await;
        context.terminal.tell("waiting until it is seen to be so");
        std::future::pending().await
    };
    tokio::select! {
        reply = answer => reply.map(Said::Reply),
        signal = signals.wait() => Ok(Said::Signal(signal)),
        never = wait => never,
    }
}

fn unexpected(reply: Reply, wanted: &str) -> Failure {
    match reply {
        Reply::Refused { why } => {
            let (what, cure) = why
                .split_once(": ")
                .unwrap_or((&why, "`netlab fault list`"));
            Failure::usage(what, cure)
        }
        other => Failure::step(
            format!("the agent did not say {wanted}"),
            AttachError::unexpected(&other),
        ),
    }
}

/// A time that people read: `12.3 ms`.
fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}
