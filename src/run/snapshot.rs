//! Looks at an engine: what it holds of a lab.

use super::attach::Line;
use crate::engine::{Container, Engine, EngineError};
use crate::id::Name;
use crate::lab::{Lab, Program};
use crate::plan::{Found, ImageConfig, Options, Snapshot, labels};
use std::collections::{BTreeMap, BTreeSet};

/// What the engine holds of `lab`, which of netlab's own images, and which of the users'.
///
/// # Errors
/// A call that failed.
pub async fn snapshot<E: Engine>(
    engine: &E,
    lab: &Lab,
    options: &Options,
) -> Result<Snapshot, EngineError> {
    Ok(taken(engine, lab, options, false).await?.0)
}

/// The same, and meanwhile a connection to the lab's agent is made, so that what is planned can be
/// told at once.
///
/// # Errors
/// As [`snapshot`]; without a connection it goes on.
pub async fn look<E: Engine>(
    engine: &E,
    lab: &Lab,
    options: &Options,
) -> Result<(Snapshot, Option<Line>), EngineError> {
    taken(engine, lab, options, true).await
}

async fn taken<E: Engine>(
    engine: &E,
    lab: &Lab,
    options: &Options,
    connect: bool,
) -> Result<(Snapshot, Option<Line>), EngineError> {
    let containers = engine
        .containers(&[(labels::LAB, lab.name.as_str())])
        .await?;
    let agent = containers
        .iter()
        .map(found)
        .find(|found| found.node == labels::AGENT);
    // Another build's files may say something else.
    let readable = agent.filter(|agent| agent.build == options.build && !agent.never_started);
    let (running, line) = match &readable {
        Some(agent) => {
            let line = async {
                match connect && agent.running {
                    true => Line::open(engine, &agent.id).await.ok(),
                    false => None,
                }
            };
            let (running, line) = tokio::join!(super::volume::running(engine, &agent.id), line);
            (running?, line)
        }
        None => (None, None),
    };
    let mut images = Vec::new();
    for tag in [&options.agent_image, &options.node_image] {
        if engine.image(tag).await?.is_some() {
            images.push(tag.clone());
        }
    }
    let wanted: BTreeSet<&str> = lab
        .nodes
        .iter()
        .filter_map(|node| match &node.program {
            Program::Image(image) => Some(image.image.as_str()),
            Program::Role(_) | Program::Host => None,
        })
        .collect();
    let mut user_images = BTreeMap::new();
    for reference in wanted {
        if let Some(info) = engine.image(reference).await? {
            let config = ImageConfig {
                entrypoint: info.entrypoint,
                command: info.command,
                user: info.user,
            };
            user_images.insert(reference.to_owned(), config);
        }
    }
    let snapshot = Snapshot {
        containers: containers.iter().map(found).collect(),
        running,
        images,
        user_images,
    };
    Ok((snapshot, line))
}

/// A listed container in the plan's words.
pub fn found(container: &Container) -> Found {
    let label = |key: &str| container.labels.get(key).cloned().unwrap_or_default();
    Found {
        id: container.id.clone(),
        node: label(labels::NODE),
        instance: label(labels::INSTANCE),
        owner: label(labels::OWNER),
        build: label(labels::BUILD),
        config_hash: label(labels::CONFIG_HASH),
        running: matches!(
            container.state.as_str(),
            "running" | "paused" | "restarting"
        ),
        never_started: container.state == "created",
    }
}

/// The agent's container of a lab; none when there is none.
///
/// # Errors
/// A call that failed.
pub async fn agent_of<E: Engine>(engine: &E, lab: &Name) -> Result<Option<Container>, EngineError> {
    let wanted = [(labels::LAB, lab.as_str()), (labels::NODE, labels::AGENT)];
    Ok(engine.containers(&wanted).await?.into_iter().next())
}
