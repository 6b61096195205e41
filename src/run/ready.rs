//! Waits until a lab is ready, and starts a run.

use super::attach::{self, AttachError};
use super::{Context, Failure, RunEvent};
use crate::engine::Engine;
use crate::record::stream::{NodeState, Phase, Published, Reply, Request, Status};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pause between two attempts to reach an agent that is not there yet.
const AGAIN: Duration = Duration::from_millis(50);
/// How long an agent may take until it listens.
const PUBLISHING: Duration = Duration::from_secs(20);
/// How long an agent may be silent about nodes that wait.
const SILENCE: Duration = Duration::from_secs(5);

/// Waits until every node is wired and ready. `fresh`: the lab was made by this walk, so that a
/// dead node is no fault's work but a failure. Returns where its ports are reached.
pub(super) async fn await_ready<E: Engine>(
    engine: &E,
    agent: &str,
    fresh: bool,
    context: &Context<'_>,
) -> Result<Vec<Published>, Failure> {
    let deadline = Instant::now() + context.ready_timeout;
    let mut last: Option<Status> = None;
    loop {
        let error = match watch(engine, agent, fresh, deadline, &mut last, context).await {
            Ok(done) => return done,
            Err(error) => error,
        };
        if Instant::now() + AGAIN >= deadline {
            return Err(match last {
                Some(status) => not_ready(&status, context.ready_timeout),
                None => Failure::Agent {
                    what: "lab await ready".to_owned(),
                    source: error,
                },
            });
        }
        ended(engine, agent).await?;
        sleep(AGAIN).await;
    }
}

/// One connection's worth of waiting; an error is worth another attempt.
async fn watch<E: Engine>(
    engine: &E,
    agent: &str,
    fresh: bool,
    deadline: Instant,
    last: &mut Option<Status>,
    context: &Context<'_>,
) -> Result<Result<Vec<Published>, Failure>, AttachError> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = left.as_secs().max(1);
    let mut replies = attach::open(engine, agent, &Request::AwaitReady { timeout }).await?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // The agent speaks at every change only, so silence is no fault before the deadline.
        let status = match replies.next(left.max(SILENCE)).await? {
            Reply::Status(status) => status,
            Reply::Refused { why } => return Ok(Err(Failure::Refused(why))),
            other => return Err(AttachError::unexpected(&other)),
        };
        (context.on_event)(RunEvent::Status(status.clone()));
        if status.phase != Phase::Starting {
            return Ok(Ok(status.ports));
        }
        let dead = named(&status, |state| state == NodeState::Dead);
        if fresh && !dead.is_empty() {
            return Ok(Err(Failure::NodesDied(dead)));
        }
        *last = Some(status);
    }
}

fn named(status: &Status, which: impl Fn(NodeState) -> bool) -> Vec<String> {
    let nodes = status.nodes.iter().filter(|node| which(node.state));
    nodes.map(|node| node.node.clone()).collect()
}

fn not_ready(status: &Status, after: Duration) -> Failure {
    let mut nodes = named(status, |state| state != NodeState::Ready);
    if nodes.len() > 6 {
        let more = nodes.len() - 5;
        nodes.truncate(5);
        nodes.push(format!("{more} more"));
    }
    Failure::NotReady { nodes, after }
}

/// An agent whose container has ended for good will never answer.
async fn ended<E: Engine>(engine: &E, agent: &str) -> Result<(), Failure> {
    match engine.inspect(agent).await {
        Ok(Some(state)) if matches!(state.status.as_str(), "exited" | "dead") => {
            Err(Failure::AgentDied(state.exit_code))
        }
        Ok(None) => Err(Failure::AgentDied(-1)),
        // An engine that does not answer now may do so at the next attempt.
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// Waits until the agent listens at the ports that the lab publishes.
pub(super) async fn publish<E: Engine>(engine: &E, agent: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + PUBLISHING;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = left.as_secs().max(1);
        let asked = attach::ask(engine, agent, &Request::Publish { timeout }, left + SILENCE).await;
        let error = match asked {
            Ok(Reply::Published { .. }) => return Ok(()),
            Ok(Reply::Refused { why }) => return Err(Failure::NotPublished(why)),
            Ok(other) => AttachError::unexpected(&other),
            Err(error) => error,
        };
        // It may be about to open its doors.
        ended(engine, agent).await?;
        if Instant::now() + AGAIN >= deadline {
            return Err(Failure::Agent {
                what: "host publish".to_owned(),
                source: error,
            });
        }
        sleep(AGAIN).await;
    }
}

/// Starts a run and returns its id.
pub(super) async fn play<E: Engine>(
    engine: &E,
    agent: &str,
    context: &Context<'_>,
) -> Result<String, Failure> {
    let request = Request::Play {
        replace: context.replace,
    };
    let failed = |source| Failure::Agent {
        what: "lab play".to_owned(),
        source,
    };
    match attach::ask(engine, agent, &request, Duration::from_secs(30)).await {
        Ok(Reply::Playing { run }) => Ok(run),
        Ok(Reply::Refused { why }) => Err(Failure::Refused(why)),
        Ok(other) => Err(failed(AttachError::unexpected(&other))),
        Err(source) => Err(failed(source)),
    }
}
