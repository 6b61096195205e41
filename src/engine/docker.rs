//! The Docker engine, through bollard. This file and its folder are bollard's only users.
//!
//! Owns the connection, the deadline of every call and the translation of errors. Must not decide.

mod connect;
mod convert;
mod endpoint;
mod streams;

pub use connect::ConnectError;

use super::{
    Container, ContainerState, Engine, EngineError, EngineEvent, EngineInfo, Exec, ExecSpec,
    ImageFound, ImageInfo, LogLine, LogOptions, TerminalSize, Volume,
};
use crate::fault::Limits;
use crate::plan::ContainerSpec;
use bollard::errors::Error;
use bollard::query_parameters as query;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// For calls that only ask.
const ASK: Duration = Duration::from_secs(30);
/// For calls that make, start or remove something: a loaded host takes its time.
const ACT: Duration = Duration::from_secs(60);
/// For calls that carry files.
const CARRY: Duration = Duration::from_secs(300);
/// Attempts to remove what the engine is still busy with, and the pause between.
const REMOVE_ATTEMPTS: u32 = 20;
const REMOVE_AGAIN: Duration = Duration::from_millis(100);

/// A connection to a Docker engine. Clones share it.
#[derive(Clone, Debug)]
pub struct Docker {
    api: bollard::Docker,
    endpoint: String,
    version: String,
}

/// Waits for a call, and gives it up when its time is over.
async fn call<T>(
    operation: impl Into<String>,
    within: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, EngineError> {
    let operation = operation.into();
    match timeout(within, call).await {
        Ok(result) => result.map_err(|error| failed(operation, error)),
        Err(_) => Err(EngineError {
            operation,
            status: None,
            source: format!("the engine did not answer within {} s", within.as_secs()).into(),
        }),
    }
}

fn failed(operation: impl Into<String>, error: Error) -> EngineError {
    let operation = operation.into();
    match error {
        Error::DockerResponseServerError {
            status_code,
            message,
        } => EngineError {
            operation,
            status: Some(status_code),
            source: message.into(),
        },
        other => EngineError {
            operation,
            status: None,
            source: other.into(),
        },
    }
}

/// Nothing when the engine says that it is not there.
fn absent<T>(result: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn short(id: &str) -> &str {
    match id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => &id[..12],
        false => id,
    }
}

fn by_label(labels: &[(&str, &str)]) -> HashMap<String, Vec<String>> {
    let wanted = labels.iter().map(|(key, value)| match *value {
        "" => (*key).to_owned(),
        value => format!("{key}={value}"),
    });
    HashMap::from([("label".to_owned(), wanted.collect())])
}

impl Docker {
    /// Where it was reached: `unix:///…` or `tcp://…`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The path of the engine's socket on its host, for the agent: the one that this connection
    /// uses, or the default where it came over the network.
    pub fn host_socket(&self) -> &str {
        (self.endpoint.strip_prefix("unix://")).unwrap_or(endpoint::DEFAULT_SOCKET)
    }

    async fn remove_once(&self, id: &str) -> Result<(), EngineError> {
        let options = query::RemoveContainerOptions {
            v: true,
            force: true,
            link: false,
        };
        let remove = self.api.remove_container(id, Some(options));
        call(format!("remove container {}", short(id)), ACT, remove).await
    }
}

impl Engine for Docker {
    async fn describe(&self) -> Result<EngineInfo, EngineError> {
        let info = call("describe the engine", ASK, self.api.info()).await?;
        Ok(convert::engine_info(info, &self.version, &self.endpoint))
    }

    async fn containers(&self, labels: &[(&str, &str)]) -> Result<Vec<Container>, EngineError> {
        let options = query::ListContainersOptions {
            all: true,
            filters: Some(by_label(labels)),
            ..Default::default()
        };
        let list = self.api.list_containers(Some(options));
        let list = call("list containers", ASK, list).await?;
        Ok(list.into_iter().map(convert::container).collect())
    }

    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<Volume>, EngineError> {
        let filters = Some(by_label(labels));
        let list = self
            .api
            .list_volumes(Some(query::ListVolumesOptions { filters }));
        let list = call("list volumes", ASK, list).await?;
        let volumes = list.volumes.unwrap_or_default().into_iter();
        Ok(volumes.map(convert::volume).collect())
    }

    async fn images(&self, labels: &[(&str, &str)]) -> Result<Vec<ImageFound>, EngineError> {
        let options = query::ListImagesOptions {
            filters: Some(by_label(labels)),
            ..Default::default()
        };
        let list = call("list images", ASK, self.api.list_images(Some(options))).await?;
        Ok(list.into_iter().map(convert::image_found).collect())
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        let inspect = self.api.inspect_image(reference);
        let image = call(format!("inspect image {reference}"), ASK, inspect).await;
        Ok(absent(image)?.map(convert::image_info))
    }

    async fn create_image(&self, tag: &str, archive: Vec<Bytes>) -> Result<(), EngineError> {
        let options = query::ImportImageOptions {
            quiet: true,
            ..Default::default()
        };
        let body = bollard::body_stream(stream::iter(archive));
        let load = self.api.import_image(options, body, None);
        let operation = format!("create image {tag}");
        call(operation.clone(), CARRY, load.try_collect::<Vec<_>>()).await?;
        match self.image(tag).await? {
            Some(_) => Ok(()),
            None => Err(EngineError {
                operation,
                status: None,
                source: "the engine took the archive and has no such image".into(),
            }),
        }
    }

    async fn remove_image(&self, tag: &str) -> Result<(), EngineError> {
        let options = None::<query::RemoveImageOptions>;
        let remove = self.api.remove_image(tag, options, None);
        absent(call(format!("remove image {tag}"), ACT, remove).await).map(drop)
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        let options = query::CreateContainerOptions {
            name: Some(spec.name.clone()),
            ..Default::default()
        };
        let create = self
            .api
            .create_container(Some(options), convert::body(spec));
        let created = call(format!("create container {}", spec.name), ACT, create).await?;
        Ok(created.id)
    }

    async fn upload(&self, id: &str, path: &str, archive: Vec<u8>) -> Result<(), EngineError> {
        let options = query::UploadToContainerOptions {
            path: path.to_owned(),
            ..Default::default()
        };
        let body = bollard::body_full(archive.into());
        let upload = self.api.upload_to_container(id, Some(options), body);
        let operation = format!("upload to {path} of container {}", short(id));
        call(operation, CARRY, upload).await
    }

    async fn download(&self, id: &str, path: &str) -> Result<Vec<u8>, EngineError> {
        let options = query::DownloadFromContainerOptions {
            path: path.to_owned(),
        };
        let pieces = self.api.download_from_container(id, Some(options));
        let all = pieces.try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        let operation = format!("download {path} of container {}", short(id));
        call(operation, CARRY, all).await
    }

    async fn start(&self, id: &str) -> Result<(), EngineError> {
        let options = None::<query::StartContainerOptions>;
        let start = self.api.start_container(id, options);
        call(format!("start container {}", short(id)), ACT, start).await
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        let options = query::KillContainerOptions {
            signal: signal.to_owned(),
        };
        let kill = self.api.kill_container(id, Some(options));
        call(
            format!("kill container {} ({signal})", short(id)),
            ACT,
            kill,
        )
        .await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let options = query::StopContainerOptions {
            // The engine counts whole seconds.
            t: Some(i32::try_from(grace.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)),
            signal: None,
        };
        let stop = self.api.stop_container(id, Some(options));
        call(format!("stop container {}", short(id)), ACT + grace, stop).await
    }

    async fn pause(&self, id: &str) -> Result<(), EngineError> {
        let pause = self.api.pause_container(id);
        call(format!("pause container {}", short(id)), ACT, pause).await
    }

    async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        let unpause = self.api.unpause_container(id);
        call(format!("unpause container {}", short(id)), ACT, unpause).await
    }

    async fn limit(&self, id: &str, limits: Limits) -> Result<(), EngineError> {
        let update = self.api.update_container(id, convert::update(limits));
        call(format!("limit container {}", short(id)), ACT, update).await
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        for _ in 1..REMOVE_ATTEMPTS {
            match absent(self.remove_once(id).await) {
                Ok(_) => return Ok(()),
                // Somebody else is removing it, or it is just being started or unmounted.
                Err(error) if matches!(error.status, Some(409 | 500)) => sleep(REMOVE_AGAIN).await,
                Err(error) => return Err(error),
            }
        }
        absent(self.remove_once(id).await).map(drop)
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let options = query::RemoveVolumeOptions { force: true };
        let remove = self.api.remove_volume(name, Some(options));
        absent(call(format!("remove volume {name}"), ACT, remove).await).map(drop)
    }

    async fn inspect(&self, id: &str) -> Result<Option<ContainerState>, EngineError> {
        let options = None::<query::InspectContainerOptions>;
        let inspect = self.api.inspect_container(id, options);
        let state = call(format!("inspect container {}", short(id)), ASK, inspect).await;
        Ok(absent(state)?.map(convert::state))
    }

    async fn logs(
        &self,
        id: &str,
        options: &LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine, EngineError>>, EngineError> {
        let tail = options.tail.map_or("all".to_owned(), |n| n.to_string());
        let options = query::LogsOptions {
            follow: options.follow,
            stdout: true,
            stderr: true,
            timestamps: options.timestamps,
            tail,
            ..Default::default()
        };
        let api = self.api.clone();
        let operation = format!("read logs of container {}", short(id));
        let lines = streams::lines(api.logs(id, Some(options)), operation);
        streams::opened(lines).await
    }

    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<Exec, EngineError> {
        let operation = format!("run {} in container {}", spec.command.join(" "), short(id));
        streams::exec(&self.api, id, spec, operation).await
    }

    async fn exec_exit_code(&self, exec_id: &str) -> Result<Option<i64>, EngineError> {
        let inspect = self.api.inspect_exec(exec_id);
        let state = call("inspect an exec", ASK, inspect).await?;
        Ok(state.exit_code.filter(|_| state.running != Some(true)))
    }

    async fn exec_resize(&self, exec_id: &str, size: TerminalSize) -> Result<(), EngineError> {
        let options = bollard::exec::ResizeExecOptions {
            height: size.rows,
            width: size.columns,
        };
        let resized = self.api.resize_exec(exec_id, options);
        call("tell an exec its terminal's size", ASK, resized).await
    }

    async fn events(
        &self,
        labels: &[(&str, &str)],
    ) -> Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError> {
        let mut filters = by_label(labels);
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        let options = query::EventsOptions {
            filters: Some(filters),
            ..Default::default()
        };
        Ok(streams::events(self.api.clone(), options).boxed())
    }
}
