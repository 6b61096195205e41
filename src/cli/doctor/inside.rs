//! A short-lived agent's container that looks around on the engine's host, and leaves nothing.

use crate::agent::Probe;
use crate::engine::docker::Docker;
use crate::engine::image::{BUILD, OwnImages};
use crate::engine::{Engine, EngineError, LogOptions};
use crate::lab::{self, Lab};
use crate::plan::{self, ContainerSpec, Options, Restart, Snapshot};
use crate::spec::{Files, LoadOptions, Source};
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long the container may take to start, look and end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks whether it has ended.
const AGAIN: Duration = Duration::from_millis(50);

/// Why the container did not tell anything.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The engine refused something.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It did not end.
    #[error("the container did not end within {} s", PATIENCE.as_secs())]
    Late,
    /// Somebody asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// It ended, and what it wrote is no answer.
    #[error("the container ended with {code} and wrote `{text}`")]
    Answer {
        /// Exit code.
        code: i64,
        /// The beginning of what it wrote.
        text: String,
    },
}

/// Runs an agent's container, as `up` would make it, that only looks; afterwards it is gone, and the
/// image, too, unless it was there before.
///
/// # Errors
/// Any [`ProbeError`]; what was made is removed all the same.
pub async fn look(
    engine: &Docker,
    images: &OwnImages,
    owner: &str,
    cancel: &CancellationToken,
) -> Result<Probe, ProbeError> {
    let tag = &images.agent.tag;
    let known = engine.image(tag).await?.is_some();
    if !known {
        engine.create_image(tag, images.agent.archive()).await?;
    }
    let looked = contained(engine, images, owner, cancel).await;
    if !known {
        engine.remove_image(tag).await?;
    }
    looked
}

async fn contained(
    engine: &Docker,
    images: &OwnImages,
    owner: &str,
    cancel: &CancellationToken,
) -> Result<Probe, ProbeError> {
    let id = engine.create(&spec(engine, images, owner)).await?;
    let answered = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ProbeError::Cancelled),
        answered = answer(engine, &id) => answered,
    };
    // With its anonymous volumes.
    engine.remove(&id).await?;
    answered
}

async fn answer(engine: &Docker, id: &str) -> Result<Probe, ProbeError> {
    engine.start(id).await?;
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        match engine.inspect(id).await? {
            Some(state) if state.status == "exited" => break state.exit_code,
            _ if Instant::now() > deadline => return Err(ProbeError::Late),
            _ => tokio::time::sleep(AGAIN).await,
        }
    };
    let mut log = engine.logs(id, &LogOptions::default()).await?;
    let mut bytes = Vec::new();
    while let Some(line) = log.next().await {
        bytes.extend(line?.bytes);
    }
    serde_json::from_slice(&bytes).map_err(|_| ProbeError::Answer {
        code,
        text: String::from_utf8_lossy(&bytes).chars().take(200).collect(),
    })
}

/// The agent's container of a lab of one node, with another command.
fn spec(engine: &Docker, images: &OwnImages, owner: &str) -> ContainerSpec {
    let options = options(engine, images, owner);
    let lab = lab("doctor", "nodes: { server: { role: server } }\n");
    let instance = lab.as_ref().map(|lab| crate::run::new_instance(&lab.name));
    let base = lab.zip(instance).map(|(lab, instance)| {
        plan::agent_spec(&lab, &Snapshot::assumed(&lab), &options, &instance)
    });
    let mut spec = base.unwrap_or_default();
    spec.command = vec!["agent".to_owned(), "probe".to_owned()];
    spec.restart = Restart::Never;
    spec
}

/// What a plan needs beside a lab.
pub fn options(engine: &Docker, images: &OwnImages, owner: &str) -> Options {
    Options {
        owner: owner.to_owned(),
        build: BUILD.to_owned(),
        agent_image: images.agent.tag.clone(),
        node_image: images.node.tag.clone(),
        engine_socket: engine.host_socket().to_owned(),
        ..Options::default()
    }
}

/// A lab of doctor's own, with a name that no other process has at the same time.
pub fn lab(kind: &str, text: &str) -> Option<Lab> {
    let name = format!("{kind}-{}", std::process::id());
    let source = Source {
        name: kind.to_owned(),
        text: format!("name: {name}\n{text}"),
    };
    let options = LoadOptions {
        seed: None,
        sets: Vec::new(),
        name: None,
        params: None,
        env: std::iter::empty().collect(),
        files: Files::new(|_, _| Err("nothing is included".to_owned())),
        strict: false,
    };
    lab::load(&source, &options).ok().map(|loaded| loaded.lab)
}
