//! The lease: removes the lab when its time is over, whatever became of who started it.
//!
//! Removes itself last: the lab's volumes go with the agent's container, so nothing is left.

use crate::engine::{Engine, EngineError};
use crate::plan::labels;
use futures_util::StreamExt;
use std::rc::Rc;
use std::time::Duration;

/// Pause between two attempts.
const AGAIN: Duration = Duration::from_secs(2);
/// Containers removed at once.
const AT_ONCE: usize = 4;

/// Removes everything that carries the label of `instance`; never returns but by the agent's end.
pub(super) async fn expire<E: Engine>(engine: Rc<E>, instance: String) {
    tracing::warn!("the lease is over: the lab is removed");
    loop {
        if let Err(error) = remove(&*engine, &instance).await {
            tracing::warn!(%error, "the lab is not removed yet");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn remove<E: Engine>(engine: &E, instance: &str) -> Result<(), EngineError> {
    let all = engine.containers(&[(labels::INSTANCE, instance)]).await?;
    let is_agent = |labels: &std::collections::BTreeMap<String, String>| {
        labels
            .get(labels::NODE)
            .is_some_and(|node| node == labels::AGENT)
    };
    let (agent, nodes): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| is_agent(&c.labels));
    let removed: Vec<_> = futures_util::stream::iter(nodes)
        .map(|node| async move { engine.remove(&node.id).await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    removed.into_iter().collect::<Result<(), _>>()?;
    for container in agent {
        engine.remove(&container.id).await?;
    }
    Ok(())
}
