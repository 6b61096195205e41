//! Walks a plan over the engine's functions, undoes what a failed walk did, takes labs down, and
//! talks to the agent.
//!
//! Owns the order and concurrency in which a [`Plan`] is carried out. Must not decide what is to
//! be done (that is `plan`), nor print: it reports [`RunEvent`]s.

mod adopt;
pub mod attach;
mod down;
mod execute;
#[doc(hidden)]
pub mod fake;
mod fill;
mod ready;
mod snapshot;
mod undo;
mod volume;

pub use down::{DownFailed, Removed, Scope, down};
pub use snapshot::{agent_of, found, look, snapshot};
pub use volume::lab_of;

use crate::engine::image::OwnImages;
use crate::engine::{Engine, EngineError};
use crate::id::Name;
use crate::lab::Lab;
use crate::plan::{Options, Plan, PlanError, Snapshot};
use crate::record::stream::{Published, Status};
use attach::AttachError;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Operations at once. An engine is bound by its host's cores: with two of them 8 and 16 at once
/// measured no better than 4, and often worse (`benches/updown.rs`).
pub const CONCURRENCY: usize = 4;
/// How long nodes may take to be wired and ready.
pub const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What [`up`] needs beside the plan: everything that went into it, and who watches.
pub struct Context<'a> {
    /// The lab of the plan.
    pub lab: &'a Lab,
    /// The snapshot that the plan was made from.
    pub snapshot: &'a Snapshot,
    /// The options that the plan was made with.
    pub options: &'a Options,
    /// netlab's own images.
    pub images: &'a OwnImages,
    /// Operations at once; [`CONCURRENCY`] unless there is a reason.
    pub concurrency: usize,
    /// How long nodes may take to be wired and ready; [`READY_TIMEOUT`] unless told otherwise.
    pub ready_timeout: Duration,
    /// Whether a run that is playing is healed and closed by a new one.
    pub replace: bool,
    /// Stops the walk; what it did is undone.
    pub cancel: CancellationToken,
    /// Is told how it goes.
    pub on_event: &'a dyn Fn(RunEvent),
}

/// How a walk goes.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// An operation begins.
    OperationStarted {
        /// Its number in the plan.
        id: u32,
        /// `node:client-1 create`.
        what: String,
    },
    /// An operation is over.
    OperationDone {
        /// Its number in the plan.
        id: u32,
        /// `node:client-1 create`.
        what: String,
        /// How long it took.
        took: Duration,
    },
    /// Where the lab stands while it gets ready.
    Status(Status),
    /// Something failed or was cancelled: what was done is being undone.
    Undoing,
    /// A container or volume is gone.
    Removed {
        /// Its name.
        name: String,
    },
}

/// A lab that is up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// The engine's id of the agent's container.
    pub agent: String,
    /// Value of the label `netlab.instance`.
    pub instance: String,
    /// Id of the run, when the plan played one.
    pub run: Option<String>,
    /// Where its ports are reached.
    pub ports: Vec<Published>,
}

/// A walk that failed. What it had done is undone, but for `cleanup`; a lab that was there before
/// stays, as far as it was changed.
#[derive(Debug, thiserror::Error)]
#[error("{}", if *stays { "the lab was not changed to the end" } else { "the lab was not started" })]
pub struct RunFailed {
    /// Whether the lab was there before: `up` completes it, `down` removes it.
    pub stays: bool,
    /// What failed first.
    #[source]
    pub cause: Failure,
    /// What could not be undone.
    pub cleanup: Vec<EngineError>,
    /// Last lines of the agent and of nodes that ended, taken before they were removed.
    pub logs: Vec<String>,
}

/// Why a walk failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A call to the engine.
    #[error("operation #{id} ({what}) failed")]
    Engine {
        /// The operation's number.
        id: u32,
        /// The operation: `node:client-1 create`.
        what: String,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
    /// The plan does not fit the lab that came with it.
    #[error("the plan does not fit the lab")]
    Plan(#[source] PlanError),
    /// Something was to be used before it was made.
    #[error("the plan uses {0} before it makes it")]
    Order(&'static str),
    /// The agent could not be asked.
    #[error("the agent does not answer ({what})")]
    Agent {
        /// The operation: `lab await ready`.
        what: String,
        /// Why.
        #[source]
        source: AttachError,
    },
    /// Nodes that did not get ready in time.
    #[error("not ready after {} s: {}", after.as_secs(), nodes.join(", "))]
    NotReady {
        /// Their names.
        nodes: Vec<String>,
        /// How long was waited.
        after: Duration,
    },
    /// Nodes whose processes ended before they were ready.
    #[error("ended before the lab was ready: {}", .0.join(", "))]
    NodesDied(Vec<String>),
    /// The agent's container does not run.
    #[error("the agent ended with exit code {0}")]
    AgentDied(i64),
    /// A port could not be published.
    #[error("{0}")]
    NotPublished(String),
    /// The agent did not begin a run.
    #[error("{0}")]
    Refused(String),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Cancelled,
}

/// Carries out `plan`, as concurrently as its order allows.
///
/// When a step fails or [`Context::cancel`] fires, steps under way are awaited, what was created is
/// removed in reverse order, and images stay (they are tagged by content). A lab that was there
/// before is left as it is then: its next `up` goes on from there.
///
/// # Errors
/// [`RunFailed`] with the first failure and everything that could not be undone.
pub async fn up<E: Engine>(
    engine: &E,
    plan: &Plan,
    context: &Context<'_>,
) -> Result<Started, RunFailed> {
    up_on(engine, plan, context, None).await
}

/// The same over a connection to the lab's agent that was made before.
///
/// # Errors
/// As [`up`].
pub async fn up_on<E: Engine>(
    engine: &E,
    plan: &Plan,
    context: &Context<'_>,
    line: Option<attach::Line>,
) -> Result<Started, RunFailed> {
    let walk = execute::Walk::new(engine, context, line);
    match walk.all(plan).await {
        Ok(()) => Ok(walk.started()),
        Err(cause) => {
            let stays = walk.stays();
            if !stays {
                (context.on_event)(RunEvent::Undoing);
            }
            let logs = walk.last_words(&cause).await;
            let cleanup = match stays {
                true => Vec::new(),
                false => undo::undo(engine, walk.created(), context).await,
            };
            Err(RunFailed {
                stays,
                cause,
                cleanup,
                logs,
            })
        }
    }
}

/// Asks a lab's agent to heal everything and to close its record, so that it can be brought home.
///
/// # Errors
/// When the agent does not answer in time: go on without it.
pub async fn stop<E: Engine>(engine: &E, agent: &str) -> Result<(), AttachError> {
    use crate::record::stream::{Reply, Request};
    match attach::ask(engine, agent, &Request::Stop, Duration::from_secs(10)).await? {
        Reply::Stopped => Ok(()),
        other => Err(AttachError::unexpected(&other)),
    }
}

/// A name for one creation of a lab: 16 hex digits, never the same twice.
pub fn new_instance(lab: &Name) -> String {
    use std::hash::{BuildHasher, Hash, Hasher};
    // RandomState is keyed by the system's entropy.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    lab.hash(&mut hasher);
    std::process::id().hash(&mut hasher);
    std::time::SystemTime::now().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
