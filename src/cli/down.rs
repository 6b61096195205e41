//! `netlab down`: brings the record home, removes everything of a lab, and proves that it is gone.

use super::exit::{Exit, Failure};
use super::labs::{self, Seen};
use super::{Context, RunsOption, connect, export, images};
use crate::engine::EngineInfo;
use crate::engine::docker::Docker;
use crate::id::Name;
use crate::run::{self, DownFailed, RunEvent, Scope};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  netlab down                  the only lab of mine
  netlab down client-server
  netlab down --all --images   everything of mine, netlab's images too";

/// Arguments of `netlab down`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The labs; may be left out when exactly one of mine is up
    #[arg(value_name = "LAB", conflicts_with = "all")]
    labs: Vec<String>,
    /// All labs of mine
    #[arg(long)]
    all: bool,
    /// Also remove netlab's own images that no container of anybody uses
    #[arg(long)]
    images: bool,
    #[command(flatten)]
    runs: RunsOption,
}

/// Takes labs down, one line each; what is not there is fine.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, info) = connect::connect().await?;
    let seen = labs::all(&engine).await?;
    let mut wanted: Vec<String> = match (arguments.all, arguments.labs.is_empty()) {
        (true, _) => mine(&seen, context).map(|lab| lab.name.clone()).collect(),
        (false, false) => arguments.labs.clone(),
        (false, true) if mine(&seen, context).next().is_none() => Vec::new(),
        (false, true) => vec![labs::choose(&seen, None, &context.owner)?.name.clone()],
    };
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() {
        let text = format!("no lab of {}; nothing to remove\n", context.owner);
        context.terminal.print(&text)?;
    }
    let mut failed = None;
    for name in &wanted {
        let lab = seen.iter().find(|lab| lab.name == *name);
        if let Err(failure) = one(&engine, &info, name, lab, arguments, context).await {
            // The others are taken down all the same.
            if let Some(earlier) = failed.replace(failure) {
                let text: String = Failure::render(&earlier, context.terminal.err);
                super::screen::above(text.as_bytes());
            }
        }
    }
    if arguments.all {
        rest(&engine, context).await?;
    }
    if arguments.images {
        images::remove(&engine, context).await?;
    }
    failed.map_or(Ok(Exit::Passed), Err)
}

fn mine<'a>(seen: &'a [Seen], context: &'a Context) -> impl Iterator<Item = &'a Seen> {
    seen.iter().filter(|lab| lab.owner == context.owner)
}

/// Takes one lab down.
async fn one(
    engine: &Docker,
    info: &EngineInfo,
    name: &str,
    seen: Option<&Seen>,
    arguments: &Arguments,
    context: &Context,
) -> Result<(), Failure> {
    let lab = Name::new(name)
        .map_err(|e| Failure::usage(format!("`{name}` is no name of a lab"), e.to_string()))?;
    let home = match seen {
        Some(seen) => {
            labs::choose(std::slice::from_ref(seen), Some(name), &context.owner)?;
            bring_home(engine, info, seen, arguments, context).await
        }
        None => None,
    };
    let scope = Scope::Lab {
        lab,
        owner: context.owner.clone(),
    };
    let removed = remove(engine, &scope).await?;
    if removed == 0 && seen.is_none() {
        let text = format!("no lab `{name}`; nothing to remove\n");
        return context.terminal.print(&text);
    }
    let containers = match removed {
        1 => "1 container".to_owned(),
        n => format!("{n} containers"),
    };
    let record = home.map(|dir| format!(", record in {dir}"));
    let text = format!(
        "{}  down, {containers} removed, nothing left{}\n",
        context.terminal.out.strong(name),
        record.unwrap_or_default()
    );
    context.terminal.print(&text)
}

/// Heals, closes the record and copies it; whatever fails is a warning. Where it lies.
async fn bring_home(
    engine: &Docker,
    info: &EngineInfo,
    seen: &Seen,
    arguments: &Arguments,
    context: &Context,
) -> Option<String> {
    let warn = |what: &str, why: String| {
        let name = &seen.name;
        context.terminal.warn(&format!("{name}: {what}: {why}"));
    };
    if let Some(agent) = seen.running_agent() {
        context
            .terminal
            .tell(&format!("{}: closing the record", seen.name));
        if let Err(error) = run::stop(engine, &agent.id).await {
            warn("the agent did not close its record", connect::chain(&error));
        }
    }
    match export::home(engine, info, seen, &arguments.runs.runs, context).await {
        Ok(home) => home.newest().map(|dir| dir.display().to_string()),
        Err(failure) => {
            warn("the record stays behind", connect::chain(&failure));
            None
        }
    }
}

/// What appeared since the labs were listed, and volumes whose label names no lab.
async fn rest(engine: &Docker, context: &Context) -> Result<(), Failure> {
    let scope = Scope::All {
        owner: context.owner.clone(),
    };
    remove(engine, &scope).await.map(|_| ())
}

/// Removes everything in `scope`; how many containers.
///
/// # Errors
/// It is somebody else's, or something is left.
pub async fn remove(engine: &Docker, scope: &Scope) -> Result<usize, Failure> {
    let on_event = |event| {
        if let RunEvent::Removed { name } = event {
            tracing::info!(name, "removed");
        }
    };
    match run::down(engine, scope, &on_event).await {
        Ok(removed) => Ok(removed.containers),
        Err(DownFailed::OtherOwner(error)) => Err(error.into()),
        Err(error) => Err(Failure::step("something of the lab is left", error)),
    }
}
