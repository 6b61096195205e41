//! Takes labs down and proves that nothing is left.
//!
//! Goes by labels only, so it needs no file and no state, and works on half-made labs.

use super::{CONCURRENCY, RunEvent, snapshot::found};
use crate::engine::{Container, Engine, EngineError, Volume};
use crate::id::Name;
use crate::plan::{PlanError, labels};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long everything may take to be gone.
const DEADLINE: Duration = Duration::from_secs(30);
/// Pause between two looks while something is left.
const AGAIN: Duration = Duration::from_millis(100);
/// A killed `up` leaves calls with the engine that still create something: a half-made lab is gone
/// when nothing has appeared for this long.
const SETTLE: Duration = Duration::from_millis(1500);

/// What is taken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One lab, when it is mine.
    Lab {
        /// Its name.
        lab: Name,
        /// Me.
        owner: String,
    },
    /// All labs of an owner.
    All {
        /// The owner.
        owner: String,
    },
}

/// What was taken down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names of the labs.
    pub labs: BTreeSet<String>,
    /// How many containers.
    pub containers: usize,
}

/// Why something is left.
#[derive(Debug, thiserror::Error)]
pub enum DownFailed {
    /// The lab is somebody else's; nothing was removed.
    #[error(transparent)]
    OtherOwner(PlanError),
    /// The engine could not be asked what there is.
    #[error("the engine could not be asked what is left")]
    Ask(#[source] EngineError),
    /// Something is left after all attempts.
    #[error("still there after {} s: {}", DEADLINE.as_secs(), names.join(", "))]
    Leftovers {
        /// Names of containers and volumes.
        names: Vec<String>,
        /// The last attempt's errors.
        errors: Vec<EngineError>,
    },
}

/// Removes every container and volume in `scope`: nodes first, all at once, then agents with
/// their volumes, then volumes that lost their container; then looks whether anything is left.
/// Nothing there is fine.
///
/// # Errors
/// Any [`DownFailed`].
pub async fn down<E: Engine>(
    engine: &E,
    scope: &Scope,
    on_event: &dyn Fn(RunEvent),
) -> Result<Removed, DownFailed> {
    let deadline = Instant::now() + DEADLINE;
    let mut removed = Removed::default();
    let mut settled: Option<Instant> = None;
    let mut half_made = false;
    let mut seen = BTreeSet::new();
    loop {
        let left = Left::look(engine, scope).await.map_err(DownFailed::Ask)?;
        left.refuse_other_owner(scope)?;
        if left.is_empty() {
            let since = *settled.get_or_insert_with(Instant::now);
            if !half_made || since.elapsed() >= SETTLE {
                return Ok(removed);
            }
            sleep(AGAIN).await;
            continue;
        }
        settled = None;
        half_made |= left.is_half_made();
        let errors = left.remove(engine, on_event).await;
        let names = left.containers.iter().map(|container| &container.name);
        removed.containers += names
            .filter(|name| seen.insert(String::clone(name)))
            .count();
        removed.labs.extend(left.labs());
        if Instant::now() < deadline {
            // A removal that failed may be under way elsewhere.
            if !errors.is_empty() {
                sleep(AGAIN).await;
            }
            continue;
        }
        let left = Left::look(engine, scope).await.map_err(DownFailed::Ask)?;
        if !left.is_empty() {
            let names = left.names();
            return Err(DownFailed::Leftovers { names, errors });
        }
    }
}

/// What there is at an instant.
struct Left {
    containers: Vec<Container>,
    volumes: Vec<Volume>,
}

impl Left {
    async fn look<E: Engine>(engine: &E, scope: &Scope) -> Result<Left, EngineError> {
        // A foreign container of a netlab image has its owner's label, too.
        let wanted: Vec<(&str, &str)> = match scope {
            Scope::Lab { lab, .. } => vec![(labels::LAB, lab.as_str())],
            Scope::All { owner } => vec![(labels::OWNER, owner), (labels::LAB, "")],
        };
        let (containers, volumes) =
            tokio::join!(engine.containers(&wanted), engine.volumes(&wanted));
        Ok(Left {
            containers: containers?,
            volumes: volumes?,
        })
    }

    fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.volumes.is_empty()
    }

    fn names(&self) -> Vec<String> {
        let containers = self.containers.iter().map(|container| &container.name);
        let volumes = self.volumes.iter().map(|volume| &volume.name);
        containers.chain(volumes).cloned().collect()
    }

    fn all_labels(&self) -> impl Iterator<Item = &BTreeMap<String, String>> {
        let containers = self.containers.iter().map(|container| &container.labels);
        containers.chain(self.volumes.iter().map(|volume| &volume.labels))
    }

    fn labs(&self) -> impl Iterator<Item = String> {
        self.all_labels()
            .filter_map(|all| all.get(labels::LAB).cloned())
    }

    fn refuse_other_owner(&self, scope: &Scope) -> Result<(), DownFailed> {
        let Scope::Lab { lab, owner } = scope else {
            return Ok(());
        };
        let other = self
            .all_labels()
            .filter_map(|all| all.get(labels::OWNER))
            .find(|found| *found != owner);
        match other {
            None => Ok(()),
            Some(other) => Err(DownFailed::OtherOwner(PlanError::OtherOwner {
                lab: lab.clone(),
                owner: other.clone(),
                me: owner.clone(),
            })),
        }
    }

    /// Whether any lab is not all there: an `up` was killed, or is at work.
    fn is_half_made(&self) -> bool {
        let mut by_lab: BTreeMap<&String, (usize, Option<usize>)> = BTreeMap::new();
        for container in &self.containers {
            let label = |key| container.labels.get(key);
            let Some(lab) = label(labels::LAB) else {
                continue;
            };
            let (nodes, wanted) = by_lab.entry(lab).or_default();
            match label(labels::NODES).and_then(|text| text.parse().ok()) {
                Some(count) => *wanted = Some(count),
                None => *nodes += 1,
            }
        }
        let idle = self
            .containers
            .iter()
            .any(|found_| found(found_).never_started);
        idle || by_lab
            .values()
            .any(|(nodes, wanted)| *wanted != Some(*nodes))
    }

    /// Tries to remove all of it once.
    async fn remove<E: Engine>(&self, engine: &E, on_event: &dyn Fn(RunEvent)) -> Vec<EngineError> {
        let agent = |container: &&Container| {
            container.labels.get(labels::NODE).map(String::as_str) == Some(labels::AGENT)
        };
        let (agents, nodes): (Vec<_>, Vec<_>) = self.containers.iter().partition(agent);
        let mut errors = Vec::new();
        let mut record = |(name, result): (&String, Result<(), EngineError>)| match result {
            Ok(()) => on_event(RunEvent::Removed { name: name.clone() }),
            Err(error) => errors.push(error),
        };
        for group in [nodes, agents] {
            let mut removals = stream::iter(group)
                .map(|one| async move { (&one.name, engine.remove(&one.id).await) })
                .buffer_unordered(CONCURRENCY);
            while let Some(result) = removals.next().await {
                record(result);
            }
        }
        // Most of these went with their containers.
        if self.containers.is_empty() {
            for volume in &self.volumes {
                record((&volume.name, engine.remove_volume(&volume.name).await));
            }
        }
        errors
    }
}
