//! Writes a run as it happens.
//!
//! Owns the open files of one run. Must not decide what belongs to the run.

use super::event::Event;
use super::{
    AGENT, AgentEnv, EVENTS, LAB, LATENCY, LATENCY_HEADER, LINKS, LINKS_HEADER, LinkSample,
    REQUESTS, REQUESTS_HEADER, SAMPLES, SAMPLES_HEADER, TIMELINE,
};
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::timeline::Recorded;
use netlab_protocol::control::{RequestRow, Sample};
use netlab_protocol::latency::{LatencyCount, SLOT_NS};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file of the record that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{} could not be written; is the disk full?", path.display())]
pub struct WriteError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// The open record of one run.
#[derive(Debug)]
pub struct RunWriter {
    dir: PathBuf,
    events: BufWriter<File>,
    samples: BufWriter<File>,
    latency: BufWriter<File>,
    links: BufWriter<File>,
    /// Made with the first row.
    requests: Option<BufWriter<File>>,
}

impl RunWriter {
    /// Makes the directory `dir` with the files that stand from the beginning.
    ///
    /// # Errors
    /// The file that could not be written; a directory that is already there.
    pub fn create(
        dir: &Path,
        lab: &Lab,
        timeline: Option<&Recorded>,
    ) -> Result<RunWriter, WriteError> {
        let parent = dir.parent().unwrap_or(dir);
        fs::create_dir_all(parent).map_err(|e| failed(parent, e))?;
        fs::create_dir(dir).map_err(|e| failed(dir, e))?;
        replace_json(&dir.join(LAB), lab)?;
        replace_json(&dir.join(TIMELINE), &timeline)?;
        let mut writer = RunWriter::open(dir)?;
        let header = |file: &mut BufWriter<File>, name: &str, line: &str| {
            writeln!(file, "{line}").map_err(|e| failed(&dir.join(name), e))
        };
        header(&mut writer.samples, SAMPLES, SAMPLES_HEADER)?;
        header(&mut writer.latency, LATENCY, LATENCY_HEADER)?;
        header(&mut writer.links, LINKS, LINKS_HEADER)?;
        writer.flush()?;
        Ok(writer)
    }

    /// Replaces the timeline by what is known of it now.
    ///
    /// # Errors
    /// The file that could not be written.
    pub fn timeline(&mut self, timeline: Option<&Recorded>) -> Result<(), WriteError> {
        replace_json(&self.dir.join(TIMELINE), &timeline)
    }

    /// Opens the record of a run that was begun before, to append to it.
    ///
    /// A line that a crash left unfinished is cut off, so that no later line is joined to it.
    ///
    /// # Errors
    /// The file that could not be opened.
    pub fn open(dir: &Path) -> Result<RunWriter, WriteError> {
        let append = |name: &str| {
            let path = dir.join(name);
            cut_torn_line(&path).map_err(|e| failed(&path, e))?;
            let file = OpenOptions::new().append(true).create(true).open(&path);
            file.map(BufWriter::new).map_err(|e| failed(&path, e))
        };
        Ok(RunWriter {
            dir: dir.to_owned(),
            events: append(EVENTS)?,
            samples: append(SAMPLES)?,
            latency: append(LATENCY)?,
            links: append(LINKS)?,
            requests: match dir.join(REQUESTS).exists() {
                true => Some(append(REQUESTS)?),
                false => None,
            },
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends an event and flushes it.
    ///
    /// # Errors
    /// The disk's.
    pub fn event(&mut self, event: &Event) -> Result<(), WriteError> {
        let written = serde_json::to_writer(&mut self.events, event)
            .map_err(io::Error::from)
            .and_then(|()| self.events.write_all(b"\n"))
            .and_then(|()| self.events.flush());
        written.map_err(|e| failed(&self.dir.join(EVENTS), e))
    }

    /// Appends values that `node` read at `t`. The caller has checked names and labels against
    /// the table of metrics.
    ///
    /// # Errors
    /// The disk's.
    pub fn samples(&mut self, t: i64, node: &str, samples: &[Sample]) -> Result<(), WriteError> {
        for sample in samples {
            let quote = if sample.labels.contains(',') {
                "\""
            } else {
                ""
            };
            writeln!(
                self.samples,
                "{t},{node},{},{quote}{}{quote},{}",
                sample.metric, sample.labels, sample.value
            )
            .map_err(|e| failed(&self.dir.join(SAMPLES), e))?;
        }
        Ok(())
    }

    /// Appends requests of `node`.
    ///
    /// # Errors
    /// The disk's.
    pub fn latency(&mut self, node: &str, counts: &[LatencyCount]) -> Result<(), WriteError> {
        for row in counts {
            let t = u64::from(row.slot) * SLOT_NS;
            let (op, outcome, le_us, count) = (row.op, row.outcome, row.le_us, row.count);
            writeln!(self.latency, "{t},{node},{op},{outcome},{le_us},{count}")
                .map_err(|e| failed(&self.dir.join(LATENCY), e))?;
        }
        Ok(())
    }

    /// Appends requests of `node` one by one.
    ///
    /// # Errors
    /// The disk's.
    pub fn requests(&mut self, node: &str, rows: &[RequestRow]) -> Result<(), WriteError> {
        let path = self.dir.join(REQUESTS);
        let write = |file: &mut Option<BufWriter<File>>| -> io::Result<()> {
            let file = match file {
                Some(file) => file,
                None => {
                    let mut new = BufWriter::new(File::create_new(&path)?);
                    writeln!(new, "{REQUESTS_HEADER}")?;
                    file.insert(new)
                }
            };
            let text = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
            for row in rows {
                let (sent, key) = (text(row.sent), text(row.key.map(u64::from)));
                let (t, done, op, outcome) = (row.intended, row.done, row.op, row.outcome);
                let attempts = row.attempts;
                writeln!(
                    file,
                    "{t},{sent},{done},{node},{op},{key},{outcome},{attempts}"
                )?;
            }
            Ok(())
        };
        write(&mut self.requests).map_err(|e| failed(&path, e))
    }

    /// Appends what pairs of nodes carried; `names` are the lab's, by index.
    ///
    /// # Errors
    /// The disk's.
    pub fn links(&mut self, rows: &[LinkSample], names: &[&str]) -> Result<(), WriteError> {
        let name = |node: NodeIndex| names.get(node.at()).copied().unwrap_or("?");
        for row in rows {
            let (t, metric, value) = (row.t, row.metric.as_str(), row.value);
            writeln!(
                self.links,
                "{t},{},{},{metric},{value}",
                name(row.from),
                name(row.to)
            )
            .map_err(|e| failed(&self.dir.join(LINKS), e))?;
        }
        Ok(())
    }

    /// Writes the agent's part of the environment, replacing what was there.
    ///
    /// # Errors
    /// The disk's.
    pub fn agent_env(&self, env: &AgentEnv) -> Result<(), WriteError> {
        replace_json(&self.dir.join(AGENT), env)
    }

    /// Hands everything appended to the kernel; to be called at least once a second.
    ///
    /// # Errors
    /// The disk's.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        for (file, name) in [
            (&mut self.events, EVENTS),
            (&mut self.samples, SAMPLES),
            (&mut self.latency, LATENCY),
            (&mut self.links, LINKS),
        ] {
            file.flush().map_err(|e| failed(&self.dir.join(name), e))?;
        }
        if let Some(file) = &mut self.requests {
            let path = self.dir.join(REQUESTS);
            file.flush().map_err(|e| failed(&path, e))?;
        }
        Ok(())
    }
}

/// Writes `value` beside `path` and renames it there, so that a reader sees the old or the new
/// file, never half of one.
pub(super) fn replace_json(path: &Path, value: &impl Serialize) -> Result<(), WriteError> {
    let text = serde_json::to_vec_pretty(value).map_err(|e| failed(path, io::Error::from(e)))?;
    replace(path, &text)
}

/// As [`replace_json`], for bytes.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes).map_err(|e| failed(&beside, e))?;
    fs::rename(&beside, path).map_err(|e| failed(path, e))
}

fn cut_torn_line(path: &Path) -> io::Result<()> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        bytes => bytes?,
    };
    let whole = bytes
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    if whole < bytes.len() {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(whole as u64)?;
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError {
        path: path.to_owned(),
        source,
    }
}
