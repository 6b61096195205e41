//! Takes back what a failed walk did.

use super::{Context, RunEvent};
use crate::engine::{Engine, EngineError};
use crate::plan::labels;
use futures_util::{StreamExt, stream};

/// Removes the created containers in reverse order, the agent (created first) after all others
/// because its volumes are in use until then; then whatever else carries the instance's label: a
/// call that was given up may have created something all the same.
pub(super) async fn undo<E: Engine>(
    engine: &E,
    (created, instance): (Vec<(String, String)>, String),
    context: &Context<'_>,
) -> Vec<EngineError> {
    let mut errors = Vec::new();
    if instance.is_empty() {
        return errors;
    }
    let removed = |name: &str| {
        (context.on_event)(RunEvent::Removed {
            name: name.to_owned(),
        });
    };
    let mut nodes: Vec<&(String, String)> = created.iter().rev().collect();
    let agent = nodes.pop();
    for group in [nodes, agent.into_iter().collect()] {
        let mut removals = stream::iter(group)
            .map(|(name, id)| async move { (name, engine.remove(id).await) })
            .buffer_unordered(context.concurrency.max(1));
        while let Some((name, result)) = removals.next().await {
            match result {
                Ok(()) => removed(name),
                Err(error) => errors.push(error),
            }
        }
    }
    match stragglers(engine, &instance).await {
        Ok(names) => names.iter().for_each(|name| removed(name)),
        Err(error) => errors.push(error),
    }
    errors
}

async fn stragglers<E: Engine>(engine: &E, instance: &str) -> Result<Vec<String>, EngineError> {
    let wanted = [(labels::INSTANCE, instance)];
    let mut names = Vec::new();
    for container in engine.containers(&wanted).await? {
        engine.remove(&container.id).await?;
        names.push(container.name);
    }
    for volume in engine.volumes(&wanted).await? {
        engine.remove_volume(&volume.name).await?;
        names.push(volume.name);
    }
    Ok(names)
}
