//! `netlab up`: from a file to a played scenario and its summary.

use super::exit::{Exit, Failure};
use super::follow::{Followed, follow};
use super::progress::Progress;
use super::signal::Signals;
use super::source::{self, Overrides, Topology};
use super::{Context, RunsOption, connect, export, labs, preflight};
use crate::engine::EngineInfo;
use crate::engine::docker::Docker;
use crate::engine::image::{BUILD, OwnImages};
use crate::lab::Lab;
use crate::plan::{self, Options, Plan, Snapshot};
use crate::record::{Run, home};
use crate::report::{self, Summary};
use crate::run::attach::Line;
use crate::run::{self, CONCURRENCY, READY_TIMEOUT, RunEvent, RunFailed, Started};
use clap::Args;
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

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

/// What the command line says about a lab beside its file.
#[derive(Args, Debug)]
pub struct Settings {
    /// The lab removes itself after this time, whatever becomes of this command
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    ttl: Option<Duration>,
    /// Where the engine's host has the engine's socket, when it is not where this command found it
    #[arg(long, value_name = "PATH")]
    engine_socket: Option<String>,
}

impl Settings {
    /// The engine's socket on the engine's host.
    pub fn socket(&self, endpoint: &str) -> String {
        let found = endpoint.strip_prefix("unix://");
        let given = self.engine_socket.as_deref().or(found);
        given.unwrap_or("/var/run/docker.sock").to_owned()
    }
}

fn parse_time(text: &str) -> Result<Duration, String> {
    crate::units::parse_duration(text).map_err(|e| e.to_string())
}

/// What the plan needs beside the file.
pub fn plan_options(
    context: &Context,
    settings: &Settings,
    images: &OwnImages,
    engine_socket: String,
    play: bool,
) -> Options {
    Options {
        owner: context.owner.clone(),
        build: BUILD.to_owned(),
        agent_image: images.agent.tag.clone(),
        node_image: images.node.tag.clone(),
        engine_socket,
        ttl: settings.ttl,
        play,
    }
}

/// Everything about a lab that is being brought up.
struct Up<'a> {
    context: &'a Context,
    arguments: &'a Arguments,
    engine: Docker,
    info: EngineInfo,
    topology: Topology,
    images: OwnImages,
    options: Options,
    snapshot: Snapshot,
    plan: Plan,
    line: Cell<Option<Line>>,
}

/// Starts the lab, plays it, and says what came out.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let topology = source::load(&arguments.file, &arguments.overrides, context.terminal)?;
    let mut signals = Signals::listen()?;
    let progress = Progress::new(context.terminal, topology.lab.name.as_str());
    let up = prepare(arguments, context, topology).await?;
    up.tell_changes();
    let started = start(&up, &progress, &mut signals).await?;
    keep(&up, &started)?;
    let plays = up.topology.lab.scenario.is_some();
    if arguments.detach || !plays {
        drop(progress);
        context.terminal.print(&up.told(&started))?;
        return Ok(Exit::Passed);
    }
    let followed = follow(&up.engine, &started.agent, &progress, &mut signals).await?;
    drop(progress);
    match followed {
        Followed::Signal(signal) => {
            context.terminal.say(&up.detached());
            Ok(signal.exit())
        }
        Followed::Ended { run, exit_code, .. } => {
            up.summary(&run).await?;
            Ok(Exit::of_run(exit_code))
        }
    }
}

/// Looks at the engine and plans; changes nothing.
async fn prepare<'a>(
    arguments: &'a Arguments,
    context: &'a Context,
    topology: Topology,
) -> Result<Up<'a>, Failure> {
    let (engine, info) = connect::connect().await?;
    preflight::require_host(&info)?;
    let images = connect::own_images(&context.owner, &info.architecture)?;
    let socket = arguments.settings.socket(&info.endpoint);
    let options = plan_options(context, &arguments.settings, &images, socket, true);
    let (snapshot, line) = run::look(&engine, &topology.lab, &options).await?;
    let topology = Topology {
        lab: plan::settled(topology.lab, &snapshot),
        ..topology
    };
    let plan = plan::up(&topology.lab, &snapshot, &options)?;
    Ok(Up {
        context,
        arguments,
        engine,
        info,
        topology,
        images,
        options,
        snapshot,
        plan,
        line: Cell::new(line),
    })
}

/// Carries the plan out; a signal undoes it.
async fn start(
    up: &Up<'_>,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<Started, Failure> {
    progress.starting(&up.plan);
    let cancel = CancellationToken::new();
    let begun = now();
    let on_event = |event| show(progress, event);
    let walk = run::Context {
        lab: up.lab(),
        snapshot: &up.snapshot,
        options: &up.options,
        images: &up.images,
        concurrency: CONCURRENCY,
        ready_timeout: READY_TIMEOUT,
        replace: up.arguments.replace,
        cancel: cancel.clone(),
        on_event: &on_event,
    };
    let walking = run::up_on(&up.engine, &up.plan, &walk, up.line.take());
    tokio::pin!(walking);
    let (result, signal) = tokio::select! {
        result = &mut walking => (result, None),
        signal = signals.wait() => {
            cancel.cancel();
            progress.undoing(match up.plan.converges() {
                true => "interrupted: what is under way is awaited",
                false => "interrupted: removing what was made",
            });
            (walking.await, Some(signal))
        }
    };
    match (result, signal) {
        (Ok(started), _) => {
            let (name, took) = (&up.lab().name, begun.elapsed().as_secs_f64());
            let text = format!("{name}: ready after {took:.1} s");
            up.context.terminal.tell(&text);
            Ok(started)
        }
        (Err(failed), signal) => {
            told_failure(&failed, up.context);
            let name = &up.lab().name;
            if failed.stays && !matches!(failed.cause, run::Failure::Refused(_)) {
                let text = format!(
                    "{name}: changed in part; the same `up` goes on, `netlab down {name}` removes it"
                );
                up.context.terminal.say(&text);
            }
            Err(match (&failed.cause, signal) {
                (run::Failure::Cancelled, Some(signal)) => {
                    if failed.cleanup.is_empty() && !failed.stays {
                        let text = format!("{name}: removed, nothing is left");
                        up.context.terminal.tell(&text);
                    }
                    Failure::Signal(signal)
                }
                _ => refused(failed),
            })
        }
    }
}

/// Only for the time that people are told.
fn now() -> Instant {
    Instant::now()
}

fn show(progress: &Progress, event: RunEvent) {
    match event {
        RunEvent::OperationStarted { id, what } => tracing::info!(id, what, "begins"),
        RunEvent::OperationDone { id, what, took } => {
            tracing::info!(id, what, ?took, "done");
            progress.done(id);
        }
        RunEvent::Status(status) => progress.status(&status),
        RunEvent::Undoing => progress.undoing("removing what was made"),
        RunEvent::Removed { name } => tracing::info!(name, "removed"),
    }
}

/// What the failure itself does not say: logs, and what could not be undone.
fn told_failure(failed: &RunFailed, context: &Context) {
    for line in &failed.logs {
        context.terminal.say(&context.terminal.err.quiet(line));
    }
    for error in &failed.cleanup {
        context.terminal.warn(&super::connect::chain(error));
    }
}

fn refused(failed: RunFailed) -> Failure {
    match failed.cause {
        run::Failure::Refused(why) => {
            let (what, cure) = why
                .split_once(": ")
                .unwrap_or((&why, "`netlab down`, then `up`"));
            Failure::usage(what, cure)
        }
        _ => Failure::step("`up` failed", failed),
    }
}

/// Keeps the file as given and the plan with the run, from its first second on.
fn keep(up: &Up, started: &Started) -> Result<(), Failure> {
    let Some(run) = &started.run else {
        return Ok(());
    };
    let dir = home::run_dir(&up.arguments.runs.runs, &up.topology.lab.name, run);
    std::fs::create_dir_all(&dir).map_err(|source| Failure::Write {
        path: dir.clone(),
        source,
    })?;
    home::write_topology(&dir, &up.topology.text)
        .and_then(|()| home::write_plan(&dir, &up.plan.to_string()))
        .map_err(|e| Failure::step("the record could not be begun", e))
}

impl Up<'_> {
    fn lab(&self) -> &Lab {
        &self.topology.lab
    }

    /// Says what is about to change in a lab that is up.
    fn tell_changes(&self) {
        for change in &self.plan.changes {
            self.context.terminal.tell(&change.to_string());
        }
    }

    /// `client-server  6 nodes are up, run 20261122T211500Z-7 plays`
    fn told(&self, started: &Started) -> String {
        let palette = self.context.terminal.out;
        let nodes = match self.lab().nodes.len() {
            1 => "1 node is up".to_owned(),
            n => format!("{n} nodes are up"),
        };
        let plays = match (&started.run, &self.lab().scenario) {
            (Some(run), Some(_)) => format!(", run {run} plays"),
            (Some(_), None) => ", load runs".to_owned(),
            (None, _) => String::new(),
        };
        let name = self.lab().name.as_str();
        format!("{}  {nodes}{plays}\n", palette.strong(name))
    }

    fn detached(&self) -> String {
        let name = self.lab().name.as_str();
        format!(
            "detached: the lab goes on\n  netlab wait {name}   until its scenario is over\n  \
             netlab down {name}   bring the record home, remove everything"
        )
    }

    /// Brings the record home and prints what came out.
    async fn summary(&self, run: &str) -> Result<(), Failure> {
        let name = self.lab().name.as_str();
        let runs: &Path = &self.arguments.runs.runs;
        let all = labs::all(&self.engine).await?;
        let seen = labs::choose(&all, Some(name), &self.context.owner)?;
        let home = export::home(&self.engine, &self.info, seen, runs, self.context).await?;
        let dir = home.folder.join(run);
        let record = Run::read(&dir).map_err(|e| Failure::step("the record cannot be read", e))?;
        let palette = self.context.terminal.out;
        let mut text = report::text(&Summary::new(&record), palette);
        let next = |word: &str, what: &str| format!("{}  {what}\n", palette.quiet(word));
        text.push('\n');
        text.push_str(&next("record", &dir.display().to_string()));
        text.push_str(&next("remove", &format!("netlab down {name}")));
        self.context.terminal.print(&text)
    }
}
