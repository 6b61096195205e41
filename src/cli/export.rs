//! Brings the record of a lab's runs home from its agent's container, running or not.

use super::exit::Failure;
use super::labs::{Seen, node_name};
use super::{Context, report};
use crate::engine::{Engine, EngineInfo, LogOptions};
use crate::id::Name;
use crate::plan::AGENT_STATE;
use crate::record::{Run, home};
use crate::report::Summary;
use futures_util::StreamExt;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most bytes of one node's log that a record keeps: the last ones.
const LOG_BYTES: usize = 16 << 20;
/// For one node's log.
const LOG_TIME: Duration = Duration::from_secs(20);

/// The records of a lab, now at home.
#[derive(Debug)]
pub struct Home {
    /// Ids of the runs, oldest first.
    pub runs: Vec<String>,
    /// The folder that holds them.
    pub folder: PathBuf,
}

impl Home {
    /// The directory of the newest run.
    pub fn newest(&self) -> Option<PathBuf> {
        self.runs.last().map(|id| self.folder.join(id))
    }
}

/// Copies all runs of `lab` below `runs` and writes, for those that are not at home as they are, what the
/// agent does not: `env.json`,
/// `summary.json`, `report.html`, and the nodes' logs beside the newest run.
///
/// # Errors
/// When the agent's folder cannot be read or the record not be written.
pub async fn home<E: Engine>(
    engine: &E,
    info: &EngineInfo,
    lab: &Seen,
    runs: &Path,
    context: &Context,
) -> Result<Home, Failure> {
    let name = lab.checked_name()?;
    let folder = runs.join(name.as_str());
    let Some(agent) = &lab.agent else {
        return Ok(Home {
            runs: Vec::new(),
            folder,
        });
    };
    let archive = engine
        .download(&agent.id, &format!("{AGENT_STATE}/runs"))
        .await?;
    let brought = home::unpack(archive.as_slice(), runs, &name)
        .map_err(|e| Failure::step("the record could not be brought home", e))?;
    let ids = brought.iter().map(|run| run.id.clone()).collect();
    let home = Home { runs: ids, folder };
    for home::Brought { id, .. } in brought.iter().filter(|run| run.is_new) {
        if let Err(failure) = complete(&home.folder.join(id), lab, info) {
            let text = failure.render(crate::report::Palette::PLAIN);
            let text = text.trim_end().trim_start_matches("error: ");
            context.terminal.warn(text);
        }
    }
    if let Some(newest) = home.newest() {
        logs(engine, lab, &newest, context).await;
    }
    Ok(home)
}

/// Writes `env.json`, `summary.json` and `report.html`.
fn complete(dir: &Path, lab: &Seen, info: &EngineInfo) -> Result<(), Failure> {
    let failed = |e| Failure::step("a record could not be completed", e);
    let run = Run::read(dir).map_err(|e| Failure::step("a record could not be read", e))?;
    let env = json!({
        "netlab": env!("CARGO_PKG_VERSION"),
        "build": lab.build,
        "engine": { "version": info.version, "api": info.api, "endpoint": info.endpoint },
        "host": {
            "os": info.os, "kernel": info.kernel, "architecture": info.architecture,
            "cores": info.cores, "memory": info.memory,
        },
        "images": images(lab),
        "exported": now(),
    });
    let env = env.as_object().cloned().unwrap_or_default();
    home::write_env(dir, &env, run.agent.as_ref()).map_err(failed)?;
    let summary = Summary::new(&run);
    home::write_summary(dir, &summary).map_err(failed)?;
    home::write_report(dir, &report::page(&run, &summary)?).map_err(failed)
}

fn images(lab: &Seen) -> serde_json::Value {
    let all = lab.nodes.iter().chain(&lab.agent);
    all.map(|one| (node_name(one).to_owned(), json!(one.image)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Seconds since the epoch.
#[allow(
    clippy::disallowed_methods,
    reason = "wall time stands in env.json only"
)]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Writes `logs/<node>.log` of every node; one that cannot be read is a warning.
async fn logs<E: Engine>(engine: &E, lab: &Seen, dir: &Path, context: &Context) {
    let all = lab.nodes.iter().chain(&lab.agent);
    let fetched = futures_util::future::join_all(all.map(|one| async move {
        let fetched = tokio::time::timeout(LOG_TIME, log(engine, &one.id)).await;
        (node_name(one), fetched)
    }));
    for (node, fetched) in fetched.await {
        let written = match fetched {
            Err(_) => Err("the engine did not send it in time".to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(bytes)) => Name::new(node)
                .map_err(|e| e.to_string())
                .and_then(|name| home::write_log(dir, &name, &bytes).map_err(|e| e.to_string())),
        };
        if let Err(why) = written {
            context.terminal.warn(&format!("no log of {node}: {why}"));
        }
    }
}

async fn log<E: Engine>(engine: &E, id: &str) -> Result<Vec<u8>, crate::engine::EngineError> {
    let mut lines = engine.logs(id, &LogOptions::default()).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = lines.next().await {
        bytes.extend_from_slice(&piece?.bytes);
        if bytes.len() > 2 * LOG_BYTES {
            bytes.drain(..bytes.len() - LOG_BYTES);
        }
    }
    let surplus = bytes.len().saturating_sub(LOG_BYTES);
    bytes.drain(..surplus);
    Ok(bytes)
}
