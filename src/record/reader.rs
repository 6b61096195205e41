//! Reads a run back.
//!
//! Owns what is tolerated: a torn last line, and files that do not exist yet, but `lab.json`.

use super::event::{Event, Verdict, What};
use super::{
    AGENT, AgentEnv, EVENTS, LAB, LATENCY, LATENCY_HEADER, LINKS, LINKS_HEADER, REQUESTS,
    REQUESTS_HEADER, SAMPLES, SAMPLES_HEADER, TIMELINE,
};
use crate::id::NodeIndex;
use crate::lab::{self, Lab};
use crate::metrics::{LatencyRow, LinkMetric, LinkSample, SampleRow};
use crate::timeline::Recorded;
use netlab_protocol::latency::{Op, Outcome};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file could not be read.
    #[error("{} could not be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("{}:{line} is not what a record of format {} holds: {why}", path.display(), super::FORMAT)]
    Content {
        /// Which.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The record was made by another version of netlab.
    #[error("{} has format {found}, this netlab reads {}: use the netlab that made it", path.display(), lab::FORMAT)]
    Format {
        /// The lab's file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// One request, as [`super::REQUESTS`] holds it. Times are nanoseconds since go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedRequest {
    /// When it was intended.
    pub t: u64,
    /// When its first attempt was made; none: never.
    pub sent: Option<u64>,
    /// When it ended.
    pub done: u64,
    /// Who asked.
    pub node: NodeIndex,
    /// What.
    pub op: Op,
    /// For which key; none: for a path.
    pub key: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts that were made.
    pub attempts: u32,
}

/// A recorded run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id: the name of its directory.
    pub id: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The resolved lab.
    pub lab: Lab,
    /// Its timeline; none without a scenario.
    pub timeline: Option<Recorded>,
    /// Events in the order in which they were recorded.
    pub events: Vec<Event>,
    /// Requests.
    pub latency: Vec<LatencyRow>,
    /// Values of metrics.
    pub samples: Vec<SampleRow>,
    /// What ordered pairs carried.
    pub links: Vec<LinkSample>,
    /// The agent's part of the environment.
    pub agent: Option<AgentEnv>,
}

impl Run {
    /// Reads the run in `dir`, complete or cut off by a crash.
    ///
    /// # Errors
    /// A missing or foreign `lab.json`; a line that is not the last and cannot be understood.
    pub fn read(dir: &Path) -> Result<Run, ReadError> {
        let lab: Lab = match json(&dir.join(LAB))? {
            Some(lab) => lab,
            None => return Err(file(&dir.join(LAB), io::ErrorKind::NotFound.into())),
        };
        if lab.format != lab::FORMAT {
            return Err(ReadError::Format {
                path: dir.join(LAB),
                found: lab.format,
            });
        }
        let nodes = Names::of(&lab);
        let events = read_events(dir)?;
        let latency = table(&dir.join(LATENCY), LATENCY_HEADER, |l| nodes.latency(l))?;
        let samples = table(&dir.join(SAMPLES), SAMPLES_HEADER, |l| nodes.sample(l))?;
        let links = table(&dir.join(LINKS), LINKS_HEADER, |l| nodes.link(l))?;
        Ok(Run {
            id: dir
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            dir: dir.to_owned(),
            timeline: json(&dir.join(TIMELINE))?.flatten(),
            events,
            latency,
            samples,
            links,
            agent: read_agent_env(dir)?,
            lab,
        })
    }

    /// How it ended and why; none when the record was cut off.
    pub fn verdict(&self) -> Option<(Verdict, &[String])> {
        self.events
            .iter()
            .rev()
            .find_map(|event| match &event.what {
                What::RunEnded { verdict, reasons } => Some((*verdict, reasons.as_slice())),
                _ => None,
            })
    }
}

/// Node names with their indices.
struct Names<'a>(HashMap<&'a str, NodeIndex>);

impl<'a> Names<'a> {
    fn of(lab: &'a Lab) -> Names<'a> {
        let named = lab.nodes.iter().enumerate();
        Names(
            named
                .map(|(i, n)| (n.name.as_str(), NodeIndex(i as u32)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Result<NodeIndex, String> {
        let found = self.0.get(name).copied();
        found.ok_or_else(|| format!("the lab has no node `{name}`"))
    }

    fn latency(&self, line: &str) -> Result<LatencyRow, String> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[t, node, op, outcome, le_us, count] = fields.as_slice() else {
            return Err(format!("{} columns instead of 6", fields.len()));
        };
        Ok(LatencyRow {
            t: number(t)?,
            node: self.get(node)?,
            op: op_of(op)?,
            outcome: outcome_of(outcome)?,
            le_us: number(le_us)?,
            count: number(count)?,
        })
    }

    fn request(&self, line: &str) -> Result<RecordedRequest, String> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[t, sent, done, node, op, key, outcome, attempts] = fields.as_slice() else {
            return Err(format!("{} columns instead of 8", fields.len()));
        };
        Ok(RecordedRequest {
            t: number(t)?,
            sent: optional(sent)?,
            done: number(done)?,
            node: self.get(node)?,
            op: op_of(op)?,
            key: optional(key)?,
            outcome: outcome_of(outcome)?,
            attempts: number(attempts)?,
        })
    }

    fn link(&self, line: &str) -> Result<LinkSample, String> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[t, from, to, metric, value] = fields.as_slice() else {
            return Err(format!("{} columns instead of 5", fields.len()));
        };
        Ok(LinkSample {
            t: number(t)?,
            from: self.get(from)?,
            to: self.get(to)?,
            metric: LinkMetric::named(metric).ok_or("unknown metric")?,
            value: number(value)?,
        })
    }

    fn sample(&self, line: &str) -> Result<SampleRow, String> {
        let mut head = line.splitn(4, ',');
        let (t, node, metric, rest) = (head.next(), head.next(), head.next(), head.next());
        let (Some(t), Some(node), Some(metric), Some(rest)) = (t, node, metric, rest) else {
            return Err("less than 5 columns".into());
        };
        let (labels, value) = rest.rsplit_once(',').ok_or("less than 5 columns")?;
        Ok(SampleRow {
            t: number(t)?,
            node: (!node.is_empty()).then(|| self.get(node)).transpose()?,
            metric: metric.to_owned(),
            labels: labels.trim_matches('"').to_owned(),
            value: number(value)?,
        })
    }
}

fn op_of(word: &str) -> Result<Op, String> {
    let found = Op::ALL.iter().find(|op| op.as_str() == word);
    found.copied().ok_or_else(|| "unknown op".into())
}

fn outcome_of(word: &str) -> Result<Outcome, String> {
    let found = Outcome::ALL.iter().find(|outcome| outcome.as_str() == word);
    found.copied().ok_or_else(|| "unknown outcome".into())
}

fn optional<T: std::str::FromStr>(text: &str) -> Result<Option<T>, String> {
    match text {
        "" => Ok(None),
        text => number(text).map(Some),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// The rows of a CSV file below its header; none when there is no file.
fn table<T>(
    path: &Path,
    header: &str,
    row: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, ReadError> {
    let rows = lines(path, |line| {
        if line == header {
            Ok(None)
        } else {
            row(line).map(Some)
        }
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// All whole lines of a file. A last line without its end is left out: the crash came before it
/// was written.
fn lines<T>(path: &Path, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, ReadError> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes.map_err(|e| file(path, e))?,
    };
    let whole = bytes.iter().rposition(|&b| b == b'\n').unwrap_or(0);
    let content = |line: usize, why: String| ReadError::Content {
        path: path.to_owned(),
        line,
        why,
    };
    let text = std::str::from_utf8(&bytes[..whole]).map_err(|e| content(1, e.to_string()))?;
    let numbered = text.lines().enumerate();
    numbered
        .map(|(at, line)| parse(line).map_err(|why| content(at + 1, why)))
        .collect()
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReadError> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|e| file(path, e))?,
    };
    let value = serde_json::from_slice(&bytes).map_err(|e| ReadError::Content {
        path: path.to_owned(),
        line: e.line(),
        why: e.to_string(),
    })?;
    Ok(Some(value))
}

fn file(path: &Path, source: io::Error) -> ReadError {
    ReadError::File {
        path: path.to_owned(),
        source,
    }
}

/// The events of the run in `dir`, as far as they were written.
///
/// # Errors
/// A line that is not the last and cannot be understood.
pub fn read_events(dir: &Path) -> Result<Vec<Event>, ReadError> {
    lines(&dir.join(EVENTS), |line| {
        serde_json::from_str(line).map_err(|e| e.to_string())
    })
}

/// The requests of the run in `dir` one by one, if they were recorded: none otherwise. There may be
/// millions, so that [`Run::read`] leaves them alone.
///
/// # Errors
/// As of [`Run::read`].
pub fn read_requests(dir: &Path) -> Result<Vec<RecordedRequest>, ReadError> {
    let lab: Lab = match json(&dir.join(LAB))? {
        Some(lab) => lab,
        None => return Err(file(&dir.join(LAB), io::ErrorKind::NotFound.into())),
    };
    let nodes = Names::of(&lab);
    table(&dir.join(REQUESTS), REQUESTS_HEADER, |l| nodes.request(l))
}

/// The agent's part of the environment of the run in `dir`; none when it was not written.
///
/// # Errors
/// A file that is no [`AgentEnv`].
pub fn read_agent_env(dir: &Path) -> Result<Option<AgentEnv>, ReadError> {
    json(&dir.join(AGENT))
}
