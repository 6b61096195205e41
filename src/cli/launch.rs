//! From a topology to a lab that runs: what `up`, `run` and `test` do first, and how they bring the
//! record home.
//!
//! Owns the start of a lab and what people are told about it. Must not decide what becomes of the
//! lab afterwards.

use super::exit::Failure;
use super::progress::Progress;
use super::signal::{Signal, Signals};
use super::source::Topology;
use super::{Context, connect, export, labs, preflight};
use crate::engine::EngineInfo;
use crate::engine::docker::Docker;
use crate::engine::image::{BUILD, OwnImages};
use crate::lab::Lab;
use crate::plan::{self, Options, Plan, Snapshot};
use crate::record::{Run, home};
use crate::run::attach::Line;
use crate::run::{self, CONCURRENCY, READY_TIMEOUT, RunEvent, RunFailed, Started};
use clap::Args;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What the command line says about a lab beside its file.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// The lab removes itself after this time, whatever becomes of this command
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    ttl: Option<Duration>,
    /// Where the engine's host has the engine's socket, when it is not where this command found it
    #[arg(long, value_name = "PATH")]
    engine_socket: Option<String>,
}

impl Settings {
    /// The same with a lease in any case: this one, unless another was asked for.
    pub fn leased(&self, lease: Duration) -> Settings {
        Settings {
            ttl: Some(self.ttl.unwrap_or(lease)),
            ..self.clone()
        }
    }

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
pub struct Launch<'a> {
    context: &'a Context,
    runs: &'a Path,
    /// The engine it is on.
    pub engine: Docker,
    /// What the engine says of itself.
    pub info: EngineInfo,
    topology: Topology,
    images: OwnImages,
    options: Options,
    snapshot: Snapshot,
    plan: Plan,
    line: Cell<Option<Line>>,
}

impl<'a> Launch<'a> {
    /// Looks at the engine and plans; changes nothing.
    ///
    /// # Errors
    /// An engine or host that cannot do it, or there is no plan.
    pub async fn prepare(
        context: &'a Context,
        settings: &Settings,
        runs: &'a Path,
        topology: Topology,
    ) -> Result<Launch<'a>, Failure> {
        let (engine, info) = connect::connect().await?;
        preflight::require_host(&info)?;
        let images = connect::own_images(&context.owner, &info.architecture)?;
        let socket = settings.socket(&info.endpoint);
        let options = plan_options(context, settings, &images, socket, true);
        let (snapshot, line) = run::look(&engine, &topology.lab, &options).await?;
        let topology = Topology {
            lab: plan::settled(topology.lab, &snapshot),
            ..topology
        };
        let plan = plan::up(&topology.lab, &snapshot, &options)?;
        if topology.lab.scenario.is_some() {
            require_folder(&runs.join(topology.lab.name.as_str()))?;
        }
        Ok(Launch {
            context,
            runs,
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

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.topology.lab
    }

    /// What will be done.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        &self.context.owner
    }

    /// Whether something of the lab is on the engine already.
    pub fn is_there(&self) -> bool {
        !self.snapshot.containers.is_empty()
    }

    /// Carries the plan out, undone by a signal; `replace` closes a run that is playing.
    ///
    /// # Errors
    /// What failed, after everything was undone; or a signal.
    pub async fn start(
        &self,
        replace: bool,
        progress: &Progress,
        signals: &mut Signals,
    ) -> Result<Started, Failure> {
        progress.starting(&self.plan);
        let cancel = CancellationToken::new();
        let begun = now();
        let on_event = |event| show(progress, event);
        let walk = run::Context {
            lab: self.lab(),
            snapshot: &self.snapshot,
            options: &self.options,
            images: &self.images,
            concurrency: CONCURRENCY,
            ready_timeout: READY_TIMEOUT,
            replace,
            cancel: cancel.clone(),
            on_event: &on_event,
        };
        let walking = run::up_on(&self.engine, &self.plan, &walk, self.line.take());
        tokio::pin!(walking);
        let (result, signal) = tokio::select! {
            result = &mut walking => (result, None),
            signal = signals.wait() => {
                cancel.cancel();
                progress.undoing(match self.plan.converges() {
                    true => "interrupted: what is under way is awaited",
                    false => "interrupted: removing what was made",
                });
                (walking.await, Some(signal))
            }
        };
        match (result, signal) {
            (Ok(started), _) => {
                let (name, took) = (&self.lab().name, begun.elapsed().as_secs_f64());
                let text = format!("{name}: ready after {took:.1} s");
                self.context.terminal.tell(&text);
                Ok(started)
            }
            (Err(failed), signal) => Err(self.not_started(failed, signal)),
        }
    }

    /// Says what the failure itself does not, and how it ended.
    fn not_started(&self, failed: RunFailed, signal: Option<Signal>) -> Failure {
        told_failure(&failed, self.context);
        let (name, terminal) = (&self.lab().name, self.context.terminal);
        if failed.stays && !matches!(failed.cause, run::Failure::Refused(_)) {
            terminal.say(&format!(
                "{name}: changed in part; the same `up` goes on, `netlab down {name}` removes it"
            ));
        }
        match (&failed.cause, signal) {
            (run::Failure::Cancelled, Some(signal)) => {
                if failed.cleanup.is_empty() && !failed.stays {
                    terminal.tell(&format!("{name}: removed, nothing is left"));
                }
                Failure::Signal(signal)
            }
            _ => refused(failed),
        }
    }

    /// Says where ports are reached while the scenario plays.
    pub fn tell_ports(&self, started: &Started) {
        for port in &started.ports {
            let text = format!(
                "{}: published at {}",
                self.lab().name,
                super::port::told(port)
            );
            self.context.terminal.tell(&text);
        }
    }

    /// Keeps the file as given and the plan with the run, from its first second on.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep(&self, started: &Started) -> Result<(), Failure> {
        let Some(run) = &started.run else {
            return Ok(());
        };
        let dir = home::run_dir(self.runs, &self.topology.lab.name, run);
        std::fs::create_dir_all(&dir).map_err(|source| Failure::Write {
            path: dir.clone(),
            source,
        })?;
        home::write_topology(&dir, &self.topology.text)
            .and_then(|()| home::write_plan(&dir, &self.plan.to_string()))
            .map_err(|e| Failure::step("the record could not be begun", e))
    }

    /// Brings the records of the lab home; that of `run`.
    ///
    /// # Errors
    /// The engine's, the disk's, or there is no such record.
    pub async fn home(&self, run: &str) -> Result<Run, Failure> {
        let name = self.lab().name.as_str();
        let all = labs::all(&self.engine).await?;
        let seen = labs::choose(&all, Some(name), &self.context.owner)?;
        let home = export::home(&self.engine, &self.info, seen, self.runs, self.context).await?;
        let dir: PathBuf = home.folder.join(run);
        Run::read(&dir).map_err(|e| Failure::step("the record cannot be read", e))
    }
}

/// A record needs a place: without one nothing is begun.
fn require_folder(folder: &Path) -> Result<(), Failure> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let made = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, ""))
        .and_then(|()| std::fs::remove_file(&probe));
    made.map_err(|error| {
        Failure::usage(
            format!("no record can be kept in {}: {error}", folder.display()),
            "--runs names another folder",
        )
    })
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
