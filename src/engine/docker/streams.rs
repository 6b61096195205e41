//! Calls whose answers go on: logs, exec and events.

use super::{ACT, ASK, call, failed, short};
use crate::engine::{EngineError, EngineEvent, Exec, ExecSpec, LogLine};
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::EventsOptions;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

type Lines = BoxStream<'static, Result<LogLine, EngineError>>;

/// Events that may wait for a slow reader; then the engine is read no further.
const WAITING_EVENTS: usize = 1024;

pub(super) fn lines(
    output: impl Stream<Item = Result<LogOutput, Error>> + Send + 'static,
    operation: String,
) -> Lines {
    let piece = move |piece: Result<LogOutput, Error>| match piece {
        Ok(piece) => Ok(LogLine {
            stderr: matches!(piece, LogOutput::StdErr { .. }),
            bytes: piece.into_bytes().to_vec(),
        }),
        Err(error) => Err(failed(operation.clone(), error)),
    };
    output.map(piece).boxed()
}

/// How long a log is watched for the engine's refusal before it is handed out.
const REFUSAL: Duration = Duration::from_millis(50);

/// bollard asks at the first poll: an answer that says no, if it comes soon, is the call's error;
/// a later one is the stream's first item.
pub(super) async fn opened(mut lines: Lines) -> Result<Lines, EngineError> {
    match timeout(REFUSAL, lines.next()).await {
        Err(_) => Ok(lines),
        Ok(None) => Ok(stream::empty().boxed()),
        Ok(Some(Err(error))) => Err(error),
        Ok(Some(first)) => Ok(stream::iter([first]).chain(lines).boxed()),
    }
}

pub(super) async fn exec(
    api: &bollard::Docker,
    id: &str,
    spec: &ExecSpec,
    operation: String,
) -> Result<Exec, EngineError> {
    let options = CreateExecOptions {
        attach_stdin: Some(spec.stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(spec.tty),
        cmd: Some(spec.command.clone()),
        ..Default::default()
    };
    let created = call(operation.clone(), ASK, api.create_exec(id, options)).await?;
    let options = StartExecOptions {
        detach: false,
        tty: spec.tty,
        output_capacity: None,
    };
    let started = api.start_exec(&created.id, Some(options));
    match call(operation.clone(), ACT, started).await? {
        StartExecResults::Attached { output, input } => Ok(Exec {
            id: created.id,
            input: Box::new(input),
            output: lines(output, operation),
        }),
        StartExecResults::Detached => Err(EngineError {
            operation,
            status: None,
            source: format!("the engine did not attach to container {}", short(id)).into(),
        }),
    }
}

/// The request goes out at once, not when the caller first asks for an event.
pub(super) fn events(
    api: bollard::Docker,
    options: EventsOptions,
) -> impl Stream<Item = Result<EngineEvent, EngineError>> + Send {
    let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
    tokio::spawn(async move {
        let mut events = Box::pin(api.events(Some(options)));
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                () = sender.closed() => return,
            };
            let Some(next) = next else { return };
            let event = next
                .map(event)
                .map_err(|error| failed("watch events", error));
            if sender.send(event).await.is_err() {
                return;
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|event| (event, receiver))
    })
}

fn event(message: bollard::models::EventMessage) -> EngineEvent {
    let actor = message.actor.unwrap_or_default();
    EngineEvent {
        id: actor.id.unwrap_or_default(),
        action: message.action.unwrap_or_default(),
        attributes: (actor.attributes.unwrap_or_default().into_iter()).collect::<BTreeMap<_, _>>(),
    }
}
