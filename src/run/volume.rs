//! Reads what a lab's agent was told, from its volume: also when the agent does not run.

use crate::engine::{Engine, EngineError};
use crate::lab::Lab;
use crate::plan::{AGENT_STATE, AgentConfig, Running};
use serde::de::DeserializeOwned;
use std::io::{self, Read};

/// The lab of the agent in container `agent`; none when its volume is empty.
///
/// # Errors
/// A call that failed, or a file that cannot be understood.
pub async fn lab_of<E: Engine>(engine: &E, agent: &str) -> Result<Option<Lab>, EngineError> {
    read(engine, agent, "lab.json").await
}

/// The same with the rest of what it was told.
pub(super) async fn running<E: Engine>(
    engine: &E,
    agent: &str,
) -> Result<Option<Running>, EngineError> {
    let config = read::<E, AgentConfig>(engine, agent, "agent.json");
    let (lab, config) = tokio::join!(lab_of(engine, agent), config);
    let ttl = config?.and_then(|config| config.ttl);
    Ok(lab?.map(|lab| Running { lab, ttl }))
}

async fn read<E: Engine, T: DeserializeOwned>(
    engine: &E,
    agent: &str,
    name: &str,
) -> Result<Option<T>, EngineError> {
    let path = format!("{AGENT_STATE}/{name}");
    let archive = match engine.download(agent, &path).await {
        Ok(archive) => archive,
        Err(error) if error.status == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    };
    unpack(&archive).map(Some).map_err(|source| EngineError {
        operation: format!("read {path} of the lab's agent"),
        status: None,
        source: source.into(),
    })
}

fn unpack<T: DeserializeOwned>(archive: &[u8]) -> io::Result<T> {
    let mut archive = tar::Archive::new(archive);
    let first = archive.entries()?.next();
    let mut entry = first.ok_or(io::ErrorKind::UnexpectedEof)??;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}
