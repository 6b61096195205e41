//! An engine in memory, for tests of what walks plans. It remembers calls, fails and delays on
//! request, and answers `agent attach` as a healthy agent does.

use crate::engine::{
    Container, ContainerState, Engine, EngineError, EngineEvent, EngineInfo, Exec, ExecSpec,
    ImageFound, ImageInfo, LogLine, LogOptions, TerminalSize, Volume,
};
use crate::fault::Limits;
use crate::plan::{AGENT_STATE, Adoption, ContainerSpec, Mount};
use crate::record::stream::{Phase, Reply, Request, STREAM, Status};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Decides about a call, by its text (`create netlab-x.a`): how long it takes, and why it fails.
pub type Rule = Box<dyn Fn(&str) -> (Duration, Option<String>) + Send + Sync>;

/// An engine in memory.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    containers: Vec<Container>,
    volumes: Vec<Volume>,
    images: Vec<String>,
    calls: Vec<String>,
    next: u32,
    rule: Option<Rule>,
    replies: Vec<Reply>,
    /// What was uploaded last, as an archive, by container and folder.
    uploads: BTreeMap<(String, String), Vec<u8>>,
    /// Calls under way, and the most there have been.
    under_way: usize,
    most: usize,
}

fn fails<T>(what: &str, status: Option<u16>, why: &str) -> Result<T, EngineError> {
    Err(EngineError {
        operation: what.to_owned(),
        status,
        source: why.to_owned().into(),
    })
}

fn carries(have: &BTreeMap<String, String>, wanted: &[(&str, &str)]) -> bool {
    wanted.iter().all(|(key, value)| {
        let found = have.get(*key);
        found.is_some_and(|found| value.is_empty() || found == value)
    })
}

impl Fake {
    /// An engine that holds nothing.
    pub fn new() -> Fake {
        Fake::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what decides about calls.
    pub fn rule(&self, rule: impl Fn(&str) -> (Duration, Option<String>) + Send + Sync + 'static) {
        self.state().rule = Some(Box::new(rule));
    }

    /// What a follower is answered, on each connection.
    pub fn replies(&self, replies: Vec<Reply>) {
        self.state().replies = replies;
    }

    /// Every changing call so far, in the order in which they began.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// The most calls that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.state().most
    }

    /// Names of containers and volumes that exist.
    pub fn names(&self) -> Vec<String> {
        let state = self.state();
        let containers = state.containers.iter().map(|one| one.name.clone());
        containers
            .chain(state.volumes.iter().map(|one| one.name.clone()))
            .collect()
    }

    /// Puts a container there, as somebody else would.
    pub fn put(&self, container: Container) {
        self.state().containers.push(container);
    }

    /// Takes an image to be there.
    pub fn put_image(&self, tag: &str) {
        self.state().images.push(tag.to_owned());
    }

    async fn call(&self, what: String) -> Result<(), EngineError> {
        let (delay, failure) = {
            let mut state = self.state();
            state.calls.push(what.clone());
            state.under_way += 1;
            state.most = state.most.max(state.under_way);
            state
                .rule
                .as_ref()
                .map_or((Duration::ZERO, None), |rule| rule(&what))
        };
        match delay.is_zero() {
            true => tokio::task::yield_now().await,
            false => tokio::time::sleep(delay).await,
        }
        self.state().under_way -= 1;
        match failure {
            None => Ok(()),
            Some(why) => fails(&what, Some(500), &why),
        }
    }

    fn name(&self, id: &str) -> String {
        let state = self.state();
        let found = state.containers.iter().find(|one| one.id == id);
        found.map_or(id.to_owned(), |one| one.name.clone())
    }

    async fn become_(&self, verb: &str, id: &str, to: &str) -> Result<(), EngineError> {
        let what = format!("{verb} {}", self.name(id));
        self.call(what.clone()).await?;
        let mut state = self.state();
        match state.containers.iter_mut().find(|one| one.id == id) {
            Some(found) => found.state = to.to_owned(),
            None => return fails(&what, Some(404), "no such container"),
        }
        Ok(())
    }
}

impl Engine for Fake {
    async fn describe(&self) -> Result<EngineInfo, EngineError> {
        Ok(EngineInfo {
            version: "fake".to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            ..EngineInfo::default()
        })
    }

    async fn containers(&self, labels: &[(&str, &str)]) -> Result<Vec<Container>, EngineError> {
        let all = self.state().containers.clone();
        Ok(all
            .into_iter()
            .filter(|one| carries(&one.labels, labels))
            .collect())
    }

    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<Volume>, EngineError> {
        let all = self.state().volumes.clone();
        Ok(all
            .into_iter()
            .filter(|one| carries(&one.labels, labels))
            .collect())
    }

    async fn images(&self, _: &[(&str, &str)]) -> Result<Vec<ImageFound>, EngineError> {
        let tags = self.state().images.clone();
        let found = |tag| ImageFound {
            tags: vec![tag],
            ..ImageFound::default()
        };
        Ok(tags.into_iter().map(found).collect())
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        let there = self.state().images.iter().any(|tag| tag == reference);
        Ok(there.then(ImageInfo::default))
    }

    async fn create_image(&self, tag: &str, _: Vec<Bytes>) -> Result<(), EngineError> {
        self.call(format!("create image {tag}")).await?;
        self.put_image(tag);
        Ok(())
    }

    async fn remove_image(&self, tag: &str) -> Result<(), EngineError> {
        self.state().images.retain(|have| have != tag);
        Ok(())
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        let what = format!("create {}", spec.name);
        self.call(what.clone()).await?;
        let mut state = self.state();
        if state.containers.iter().any(|one| one.name == spec.name) {
            return fails(&what, Some(409), "the name is in use");
        }
        state.next += 1;
        let id = format!("id-{}", state.next);
        let mut volumes = BTreeMap::new();
        for mount in &spec.mounts {
            let (name, target) = match mount {
                Mount::NewVolume { target } | Mount::Bounded { target, .. } => {
                    (format!("volume-{id}{target}"), target)
                }
                Mount::Volume { name, target, .. } => (name.clone(), target),
                Mount::Bind { .. } => continue,
            };
            if matches!(mount, Mount::NewVolume { .. } | Mount::Bounded { .. }) {
                let labels = spec.labels.clone();
                let name = name.clone();
                state.volumes.push(Volume { name, labels });
            }
            volumes.insert(target.clone(), name);
        }
        state.containers.push(Container {
            id: id.clone(),
            name: spec.name.clone(),
            labels: spec.labels.clone(),
            state: "created".to_owned(),
            created: 0,
            image: spec.image.clone(),
            volumes,
        });
        Ok(id)
    }

    async fn upload(&self, id: &str, path: &str, archive: Vec<u8>) -> Result<(), EngineError> {
        self.call(format!("upload {path} {}", self.name(id)))
            .await?;
        let at = (id.to_owned(), path.to_owned());
        self.state().uploads.insert(at, archive);
        Ok(())
    }

    async fn download(&self, id: &str, path: &str) -> Result<Vec<u8>, EngineError> {
        let what = format!("download {path} {}", self.name(id));
        self.call(what.clone()).await?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let at = (id.to_owned(), folder.to_owned());
        let archive = self.state().uploads.get(&at).cloned().unwrap_or_default();
        match only(&archive, name) {
            Some(found) => Ok(found),
            None => fails(&what, Some(404), "there is no such file"),
        }
    }

    async fn start(&self, id: &str) -> Result<(), EngineError> {
        self.become_("start", id, "running").await
    }

    async fn kill(&self, id: &str, _: &str) -> Result<(), EngineError> {
        self.become_("kill", id, "exited").await
    }

    async fn stop(&self, id: &str, _: Duration) -> Result<(), EngineError> {
        self.become_("stop", id, "exited").await
    }

    async fn pause(&self, id: &str) -> Result<(), EngineError> {
        self.become_("pause", id, "paused").await
    }

    async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        self.become_("unpause", id, "running").await
    }

    async fn limit(&self, id: &str, limits: Limits) -> Result<(), EngineError> {
        self.call(format!("limit {} to {limits}", self.name(id)))
            .await
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.call(format!("remove {}", self.name(id))).await?;
        let mut state = self.state();
        state.containers.retain(|one| one.id != id);
        let prefix = format!("volume-{id}/");
        let used = |name: &String| {
            let mut mounted = state.containers.iter();
            mounted.any(|one| one.volumes.values().any(|used| used == name))
        };
        let gone: Vec<String> = (state.volumes.iter())
            .map(|volume| volume.name.clone())
            .filter(|name| name.starts_with(&prefix) && !used(name))
            .collect();
        state.volumes.retain(|volume| !gone.contains(&volume.name));
        Ok(())
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        self.call(format!("remove volume {name}")).await?;
        self.state().volumes.retain(|volume| volume.name != name);
        Ok(())
    }

    async fn inspect(&self, id: &str) -> Result<Option<ContainerState>, EngineError> {
        let state = self.state();
        let found = state.containers.iter().find(|one| one.id == id);
        Ok(found.map(|one| ContainerState {
            status: one.state.clone(),
            volumes: one.volumes.clone(),
            labels: one.labels.clone(),
            ..ContainerState::default()
        }))
    }

    async fn logs(
        &self,
        _: &str,
        _: &LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine, EngineError>>, EngineError> {
        Ok(stream::empty().boxed())
    }

    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<Exec, EngineError> {
        let what = format!("exec {} in {}", spec.command.join(" "), self.name(id));
        self.call(what).await?;
        let (input, theirs) = tokio::io::duplex(1 << 16);
        let (fake, agent) = (self.clone(), id.to_owned());
        let output = stream::once(async move {
            let mut line = String::new();
            // A request that cannot be read is answered by nothing, as by a broken agent.
            let mut theirs = BufReader::new(theirs);
            let _ = theirs.read_line(&mut line).await;
            if let Ok(Request::Adopt { bytes }) = serde_json::from_str(&line) {
                let mut payload = vec![0; bytes as usize];
                let _ = theirs.read_exact(&mut payload).await;
                fake.take(&agent, &payload);
            }
            let mut text = Vec::new();
            for reply in fake.answer(&line).await {
                text.extend(serde_json::to_vec(&reply).unwrap_or_default());
                text.push(b'\n');
            }
            let stderr = false;
            Ok(LogLine {
                stderr,
                bytes: text,
            })
        });
        Ok(Exec {
            id: "exec".to_owned(),
            input: Box::new(input),
            output: output.boxed(),
        })
    }

    async fn exec_exit_code(&self, _: &str) -> Result<Option<i64>, EngineError> {
        Ok(Some(0))
    }

    async fn exec_resize(&self, _: &str, _: TerminalSize) -> Result<(), EngineError> {
        Ok(())
    }

    async fn events(
        &self,
        _: &[(&str, &str)],
    ) -> Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError> {
        Ok(stream::pending().boxed())
    }
}

/// The archive with nothing but the file of this name.
fn only(archive: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let is_it = |entry: &tar::Entry<'_, _>| entry.path().is_ok_and(|path| path == Path::new(name));
    let mut entry = archive.entries().ok()?.flatten().find(is_it)?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).ok()?;
    super::fill::pack(&[(name, 0o600, &bytes)]).ok()
}

impl Fake {
    /// Writes an adopted lab down, as the agent does.
    fn take(&self, agent: &str, payload: &[u8]) {
        let Ok(adoption) = serde_json::from_slice::<Adoption>(payload) else {
            return;
        };
        let at = (agent.to_owned(), AGENT_STATE.to_owned());
        let lab = serde_json::to_vec(&adoption.lab).unwrap_or_default();
        if let Ok(archive) = super::fill::pack(&[("lab.json", 0o600, &lab)]) {
            self.state().uploads.insert(at, archive);
        }
    }

    /// What a healthy agent says; nothing when a rule makes `agent …` fail.
    async fn answer(&self, line: &str) -> Vec<Reply> {
        let Ok(request) = serde_json::from_str::<Request>(line) else {
            return Vec::new();
        };
        let asked = match request {
            Request::AwaitReady { .. } => "await ready",
            Request::Publish { .. } => "publish",
            Request::Adopt { .. } => "adopt",
            Request::Play { .. } => "play",
            Request::Stop => "stop",
            Request::Status => "status",
            Request::Follow => "follow",
            Request::Links => "links",
            Request::Metrics => "metrics",
            Request::Capture { .. } => "capture",
            Request::Inject(_) => "inject",
            Request::Heal { .. } => "heal",
            Request::Faults => "faults",
        };
        if let Err(error) = self.call(format!("agent {asked}")).await {
            let why = error.source.to_string();
            return vec![Reply::Refused { why }];
        }
        let run = "1-1".to_owned();
        match request {
            Request::Play { .. } => vec![Reply::Playing { run }],
            Request::Adopt { .. } => vec![Reply::Adopted],
            Request::Stop => vec![Reply::Stopped],
            Request::Links => vec![Reply::Links {
                rows: Vec::new(),
                nodes: Vec::new(),
                more: false,
            }],
            Request::Metrics => vec![Reply::Metrics {
                rows: Vec::new(),
                more: false,
            }],
            Request::Capture { .. } => vec![Reply::Capturing],
            Request::Inject(_) => vec![Reply::Injected {
                fault: "kill-1".to_owned(),
                took_us: 1,
                run: None,
            }],
            Request::Heal { .. } => vec![Reply::Healed {
                faults: Vec::new(),
                failed: Vec::new(),
                took_us: 1,
            }],
            Request::Faults => vec![Reply::Faults {
                rows: Vec::new(),
                more: false,
            }],
            Request::Follow => self.state().replies.clone(),
            Request::Status | Request::AwaitReady { .. } => vec![Reply::Status(Status {
                stream: STREAM,
                phase: Phase::Ready,
                run: None,
                nodes: Vec::new(),
                faults: Vec::new(),
                runs: Vec::new(),
                ports: Vec::new(),
            })],
            Request::Publish { .. } => vec![Reply::Published { ports: Vec::new() }],
        }
    }
}
