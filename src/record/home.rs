//! Brings runs home: from the agent's archive into `runs/<lab>/`, and what the CLI adds there.
//!
//! The archive comes from a container, so nothing in it is trusted: only known file names below a
//! plausible run id are written, as regular files, and no more than [`MAX_BYTES`].

use super::writer::{replace, replace_json};
use super::{
    AGENT, ENV, EVENTS, LAB, LATENCY, LINKS, LOGS, PLAN, REPORT, REQUESTS, SAMPLES, SUMMARY,
    TIMELINE, TOPOLOGY,
};
use super::{AgentEnv, WriteError};
use crate::id::Name;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Component, Path, PathBuf};

/// Most bytes that all runs of a lab may unpack to.
pub const MAX_BYTES: u64 = 8 << 30;

/// Files the agent writes; nothing else is unpacked.
const FROM_AGENT: [&str; 8] = [
    LAB, TIMELINE, EVENTS, SAMPLES, LATENCY, REQUESTS, LINKS, AGENT,
];

/// Why runs could not be brought home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The archive is damaged.
    #[error("the archive of the runs cannot be read")]
    Archive(#[source] io::Error),
    /// It holds more than [`MAX_BYTES`].
    #[error("the archive of the runs holds more than {MAX_BYTES} bytes: nothing more was unpacked")]
    TooLarge,
    /// A file or folder could not be written.
    #[error("{} could not be written; is the disk full, is the folder mine?", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The directory of a run: `<runs>/<lab>/<id>`.
pub fn run_dir(runs: &Path, lab: &Name, id: &str) -> PathBuf {
    runs.join(lab.as_str()).join(id)
}

/// A run that was in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Its id.
    pub id: String,
    /// Whether something in it is new, or the CLI has not added its part yet.
    pub is_new: bool,
}

/// Unpacks an archive of the agent's folder of runs below `<runs>/<lab>/` and returns the runs in
/// it, oldest first. A run that is already there is brought up to date.
///
/// # Errors
/// A damaged or too large archive, a file that cannot be written.
pub fn unpack(archive: impl Read, runs: &Path, lab: &Name) -> Result<Vec<Brought>, HomeError> {
    let mut ids: BTreeMap<String, bool> = BTreeMap::new();
    let mut left = MAX_BYTES;
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(HomeError::Archive)? {
        let mut entry = entry.map_err(HomeError::Archive)?;
        let path = entry.path().map_err(HomeError::Archive)?.into_owned();
        let Some((id, file)) = known(&path) else {
            continue;
        };
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        left = left.checked_sub(entry.size()).ok_or(HomeError::TooLarge)?;
        let dir = run_dir(runs, lab, &id);
        fs::create_dir_all(&dir).map_err(|e| failed(&dir, e))?;
        let is_new = write(&mut entry, &dir.join(file))?;
        *ids.entry(id).or_default() |= is_new;
    }
    let brought = |(id, is_new): (String, bool)| {
        // The page is the last thing that is added.
        let is_new = is_new || !run_dir(runs, lab, &id).join(REPORT).is_file();
        Brought { id, is_new }
    };
    Ok(ids.into_iter().map(brought).collect())
}

/// Copies to a fresh file beside `path` and renames it there: a link planted at `path` is
/// replaced, not followed. Whether something else was there before.
fn write(from: &mut impl Read, path: &Path) -> Result<bool, HomeError> {
    let beside = path.with_extension("new");
    let copied = fs::remove_file(&beside)
        .or_else(|e| (e.kind() == io::ErrorKind::NotFound).then_some(()).ok_or(e))
        .and_then(|()| fs::File::create_new(&beside))
        .and_then(|mut to| io::copy(from, &mut to))
        .and_then(|_| {
            let is_new = !same(&beside, path).unwrap_or(false);
            fs::rename(&beside, path).map(|()| is_new)
        });
    copied.map_err(|e| failed(path, e))
}

/// Whether two files hold the same bytes.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    // Whatever else stands there is not opened.
    if !fs::symlink_metadata(other)?.is_file() {
        return Ok(false);
    }
    let open = |path| fs::File::open(path).map(io::BufReader::new);
    let (mut one, mut other) = (open(one)?, open(other)?);
    if one.get_ref().metadata()?.len() != other.get_ref().metadata()?.len() {
        return Ok(false);
    }
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if left[..length] != right[..length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        one.consume(length);
        other.consume(length);
    }
}

/// The run and file of a path in the archive, `[runs/]<id>/<file>`, when it is one of ours.
fn known(path: &Path) -> Option<(String, &'static str)> {
    let parts: Vec<&str> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let (id, file) = match parts.as_slice() {
        ["runs", id, file] | [id, file] => (*id, *file),
        _ => return None,
    };
    let file = FROM_AGENT.into_iter().find(|known| *known == file)?;
    is_run_id(id).then(|| (id.to_owned(), file))
}

/// Whether a text can be the id of a run: `<yyyymmddThhmmssZ>-<seed>`, perhaps with `-<n>`.
pub fn is_run_id(text: &str) -> bool {
    (18..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b'-'))
}

/// Keeps the topology as it was given.
///
/// # Errors
/// The disk's.
pub fn write_topology(dir: &Path, text: &str) -> Result<(), WriteError> {
    replace(&dir.join(TOPOLOGY), text.as_bytes())
}

/// Keeps the plan as it was printed.
///
/// # Errors
/// The disk's.
pub fn write_plan(dir: &Path, text: &str) -> Result<(), WriteError> {
    replace(&dir.join(PLAN), text.as_bytes())
}

/// Writes `env.json`: what the CLI knows, and the agent's part in the section `agent`.
///
/// # Errors
/// The disk's.
pub fn write_env(
    dir: &Path,
    env: &serde_json::Map<String, serde_json::Value>,
    agent: Option<&AgentEnv>,
) -> Result<(), WriteError> {
    let mut whole = env.clone();
    let agent = serde_json::to_value(agent).unwrap_or_default();
    whole.insert("agent".into(), agent);
    replace_json(&dir.join(ENV), &whole)
}

/// Writes `summary.json`.
///
/// # Errors
/// The disk's.
pub fn write_summary(dir: &Path, summary: &impl Serialize) -> Result<(), WriteError> {
    replace_json(&dir.join(SUMMARY), summary)
}

/// Writes `report.html`.
///
/// # Errors
/// The disk's.
pub fn write_report(dir: &Path, page: &str) -> Result<(), WriteError> {
    replace(&dir.join(REPORT), page.as_bytes())
}

/// The topology as it was given; none when the record has none that can be read.
pub fn topology(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(TOPOLOGY)).ok()
}

/// Keeps what a node's processes wrote.
///
/// # Errors
/// The disk's.
pub fn write_log(dir: &Path, node: &Name, bytes: &[u8]) -> Result<(), WriteError> {
    let logs = dir.join(LOGS);
    fs::create_dir_all(&logs).map_err(|source| WriteError {
        path: logs.clone(),
        source,
    })?;
    replace(&logs.join(format!("{node}.log")), bytes)
}

fn failed(path: &Path, source: io::Error) -> HomeError {
    HomeError::Write {
        path: path.to_owned(),
        source,
    }
}
