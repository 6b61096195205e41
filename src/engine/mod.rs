//! Effects on a Docker engine: one function per operation.
//!
//! `Docker` is the only user of bollard; the trait exists so that a fake can stand in
//! for tests of what walks plans. Must not decide anything.

pub mod docker;
pub mod image;

pub use docker::{ConnectError, Docker};

use crate::fault::Limits;
use crate::plan::ContainerSpec;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::AsyncWrite;

/// What netlab does to an engine. Every call has a deadline of its own.
#[allow(async_fn_in_trait)]
pub trait Engine {
    /// Version, API version, architecture, storage.
    async fn describe(&self) -> Result<EngineInfo, EngineError>;
    /// Containers (also stopped ones) that carry all of `labels` (an empty value: any).
    async fn containers(&self, labels: &[(&str, &str)]) -> Result<Vec<Container>, EngineError>;
    /// Volumes that carry all of `labels`.
    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<Volume>, EngineError>;
    /// Images that carry all of `labels`.
    async fn images(&self, labels: &[(&str, &str)]) -> Result<Vec<ImageFound>, EngineError>;
    /// An image by reference; none when the engine does not have it.
    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError>;
    /// Loads an image from an archive, given in pieces.
    async fn create_image(&self, tag: &str, archive: Vec<Bytes>) -> Result<(), EngineError>;
    /// Removes an image by tag; one that is not there is fine.
    async fn remove_image(&self, tag: &str) -> Result<(), EngineError>;
    /// Creates a container and returns its id.
    async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError>;
    /// Unpacks a tar archive at `path` inside a container, running or not.
    async fn upload(&self, id: &str, path: &str, archive: Vec<u8>) -> Result<(), EngineError>;
    /// Packs `path` of a container, running or not, into a tar archive.
    async fn download(&self, id: &str, path: &str) -> Result<Vec<u8>, EngineError>;
    /// Starts a container; one that runs is fine.
    async fn start(&self, id: &str) -> Result<(), EngineError>;
    /// Sends a signal (`SIGKILL`, …) to its first process.
    async fn kill(&self, id: &str, signal: &str) -> Result<(), EngineError>;
    /// SIGTERM, and SIGKILL after `grace`; returns when it has ended.
    async fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError>;
    /// Freezes it.
    async fn pause(&self, id: &str) -> Result<(), EngineError>;
    /// Thaws it.
    async fn unpause(&self, id: &str) -> Result<(), EngineError>;
    /// Sets what it may take, now and after every later start, running or not.
    async fn limit(&self, id: &str, limits: Limits) -> Result<(), EngineError>;
    /// Kills and removes a container with its anonymous volumes; one that is not there is fine.
    async fn remove(&self, id: &str) -> Result<(), EngineError>;
    /// Removes a volume by name; one that is not there is fine.
    async fn remove_volume(&self, name: &str) -> Result<(), EngineError>;
    /// Its state; none when it is not there.
    async fn inspect(&self, id: &str) -> Result<Option<ContainerState>, EngineError>;
    /// What its processes wrote.
    async fn logs(
        &self,
        id: &str,
        options: &LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine, EngineError>>, EngineError>;
    /// Runs a command in it.
    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<Exec, EngineError>;
    /// Exit code of a finished exec.
    async fn exec_exit_code(&self, exec_id: &str) -> Result<Option<i64>, EngineError>;
    /// Tells the terminal of a running exec its size, in characters.
    async fn exec_resize(&self, exec_id: &str, size: TerminalSize) -> Result<(), EngineError>;
    /// Events of containers that carry all of `labels`, from now on.
    async fn events(
        &self,
        labels: &[(&str, &str)],
    ) -> Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError>;
}

/// What an engine is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// Version of the engine.
    pub version: String,
    /// API version in use.
    pub api: String,
    /// Architecture, in Rust's words (`x86_64`, `aarch64`).
    pub architecture: String,
    /// Operating system of its host.
    pub os: String,
    /// Kernel of its host.
    pub kernel: String,
    /// Cores of its host.
    pub cores: i64,
    /// Memory of its host in bytes.
    pub memory: i64,
    /// Whether it is rootless.
    pub rootless: bool,
    /// Version of its host's cgroups, `1` or `2`; empty: it does not say.
    pub cgroups: String,
    /// Whether it can limit memory; none: it does not say.
    pub memory_limit: Option<bool>,
    /// Whether it can limit processes; none: it does not say.
    pub pids_limit: Option<bool>,
    /// Where the CLI reached it: `unix:///…`, `tcp://…`.
    pub endpoint: String,
}

/// A container, from a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `running`, `exited`, `created`, `paused`, ….
    pub state: String,
    /// Seconds since the epoch at which it was created.
    pub created: i64,
    /// Image reference.
    pub image: String,
    /// Names of the volumes it mounts, by target.
    pub volumes: BTreeMap<String, String>,
}

/// A volume, from a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// An image, from a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFound {
    /// Its tags.
    pub tags: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Size in bytes.
    pub size: i64,
    /// Seconds since the epoch at which it was made.
    pub created: i64,
}

/// What an image says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageInfo {
    /// The engine's id of it.
    pub id: String,
    /// Its entrypoint.
    pub entrypoint: Vec<String>,
    /// Its command.
    pub command: Vec<String>,
    /// Its user; empty: root.
    pub user: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A container's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// `running`, `exited`, `created`, `paused`, ….
    pub status: String,
    /// Its first process, as the engine's host numbers it; 0: none.
    pub pid: i32,
    /// Exit code of its last end.
    pub exit_code: i64,
    /// Killed for its memory.
    pub oom_killed: bool,
    /// What it may take.
    pub limits: Limits,
    /// Names of the volumes it mounts, by target.
    pub volumes: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Which log lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on as lines are written.
    pub follow: bool,
    /// Only the last so many.
    pub tail: Option<u64>,
    /// With the engine's time stamps (RFC 3339).
    pub timestamps: bool,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Written to stderr.
    pub stderr: bool,
    /// Bytes as written.
    pub bytes: Vec<u8>,
}

/// Size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters per line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// With a terminal.
    pub tty: bool,
    /// With an input.
    pub stdin: bool,
}

/// A running command.
pub struct Exec {
    /// For [`Engine::exec_exit_code`].
    pub id: String,
    /// Its input.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its output.
    pub output: BoxStream<'static, Result<LogLine, EngineError>>,
}

/// Something happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// The engine's id.
    pub id: String,
    /// `start`, `die`, `oom`, `pause`, `destroy`, ….
    pub action: String,
    /// Its labels, with `exitCode` for `die`.
    pub attributes: BTreeMap<String, String>,
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed")]
pub struct EngineError {
    /// The operation and its resource: `create container netlab-x.server`.
    pub operation: String,
    /// HTTP status of the answer; none: there was no answer.
    pub status: Option<u16>,
    /// What the engine or the connection said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
