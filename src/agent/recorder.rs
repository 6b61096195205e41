//! The record of the run that is playing, and what the agent knows about the machine.
//!
//! Owns when files are opened and completed. Must not know formats (`record`).

use super::sys;
use super::traffic::Traffic;
use crate::fabric::{Fabric, LagSnapshot, LinkCounters};
use crate::lab::Lab;
use crate::record::event::Event;
use crate::record::{self, AgentEnv, LinkSample, RunWriter, WriteError};
use crate::timeline::{Moment, Recorded};
use netlab_protocol::control::{RequestRow, Sample};
use netlab_protocol::latency::LatencyCount;
use std::fs;
use std::path::PathBuf;

/// The record; nothing is written while no run is open.
pub(super) struct Recorder {
    runs: PathBuf,
    env: AgentEnv,
    open: Option<RunWriter>,
    lag: LagSnapshot,
    go: u64,
    traffic: Traffic,
}

impl Recorder {
    /// Writes below `runs`; `capabilities` and `build` are noted in each record.
    pub fn new(runs: PathBuf, capabilities: Vec<String>, build: String) -> Recorder {
        let env = AgentEnv {
            record: record::FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build,
            kernel: sys::kernel(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            capabilities,
            ..AgentEnv::default()
        };
        Recorder {
            runs,
            env,
            open: None,
            lag: LagSnapshot::default(),
            go: 0,
            traffic: Traffic::default(),
        }
    }

    /// Ids of the runs that are there, oldest first.
    pub fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.runs).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter(|id| record::home::is_run_id(id)).collect();
        ids.sort();
        ids
    }

    /// The events of a run, as far as they can be read.
    pub fn events(&self, id: &str) -> Vec<Event> {
        let events = record::read_events(&self.runs.join(id));
        events.unwrap_or_else(|error| {
            tracing::warn!(%error, "the events of a run cannot be read");
            Vec::new()
        })
    }

    /// Opens the record of a new run, whose time begins at `go` (ns of CLOCK_MONOTONIC).
    pub fn open(
        &mut self,
        id: &str,
        go: u64,
        lab: &Lab,
        fabric: &Fabric,
    ) -> Result<(), WriteError> {
        self.go = go;
        self.traffic = Traffic::since(&fabric.counters().unwrap_or_default());
        let timeline = Recorded::of(lab, &[]);
        let writer = RunWriter::create(&self.runs.join(id), lab, timeline.as_ref())?;
        let priority = fabric.priority().map_or_else(
            |e| e.to_string(),
            |p| {
                let word = |is: bool, text: &'static str| is.then_some(text);
                let granted = [
                    word(p.nice, "nice -20"),
                    word(p.fifo, "SCHED_FIFO"),
                    word(p.slack, "timer slack 1 ns"),
                ];
                granted.into_iter().flatten().collect::<Vec<_>>().join(", ")
            },
        );
        self.env.scheduling = priority;
        self.env.load_before = sys::load_average();
        self.env.started = sys::unix_time();
        self.env.fabric_lag = String::new();
        self.lag = fabric.lag().unwrap_or_default();
        writer.agent_env(&self.env)?;
        self.open = Some(writer);
        Ok(())
    }

    /// Goes on with the record of a run that an agent before this one began.
    pub fn reopen(&mut self, id: &str, go: u64, fabric: &Fabric) -> Result<(), WriteError> {
        self.go = go;
        self.traffic = Traffic::default();
        let dir = self.runs.join(id);
        if let Ok(Some(env)) = record::read_agent_env(&dir) {
            self.env = env;
        }
        self.lag = fabric.lag().unwrap_or_default();
        self.open = Some(RunWriter::open(&dir)?);
        Ok(())
    }

    /// Records what conditions have told.
    pub fn timeline(&mut self, lab: &Lab, moments: &[Moment]) -> Result<(), WriteError> {
        let timeline = Recorded::of(lab, moments);
        self.open
            .as_mut()
            .map_or(Ok(()), |open| open.timeline(timeline.as_ref()))
    }

    pub fn event(&mut self, event: &Event) -> Result<(), WriteError> {
        self.open.as_mut().map_or(Ok(()), |open| open.event(event))
    }

    pub fn latency(&mut self, node: &str, counts: &[LatencyCount]) -> Result<(), WriteError> {
        self.open
            .as_mut()
            .map_or(Ok(()), |open| open.latency(node, counts))
    }

    pub fn requests(&mut self, node: &str, rows: &[RequestRow]) -> Result<(), WriteError> {
        self.open
            .as_mut()
            .map_or(Ok(()), |open| open.requests(node, rows))
    }

    pub fn samples(&mut self, t: i64, node: &str, samples: &[Sample]) -> Result<(), WriteError> {
        self.open
            .as_mut()
            .map_or(Ok(()), |open| open.samples(t, node, samples))
    }

    /// Records what links carried until `at` (ns of CLOCK_MONOTONIC); at a border at least one row, so
    /// that readers know of the look. What was written.
    pub fn links(
        &mut self,
        at: u64,
        counters: &[LinkCounters],
        lab: &Lab,
        border: bool,
    ) -> Result<Vec<LinkSample>, WriteError> {
        let Some(open) = &mut self.open else {
            return Ok(Vec::new());
        };
        let t = at as i64 - self.go as i64;
        let mut rows = self.traffic.rows(t, counters);
        if rows.is_empty() && border {
            rows.extend(self.traffic.unchanged(t));
        }
        let names: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
        open.links(&rows, &names)?;
        Ok(rows)
    }

    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.open.as_mut().map_or(Ok(()), RunWriter::flush)
    }

    /// Whether a run is being recorded.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Completes the record.
    pub fn close(&mut self, drops: u64, lab: &Lab, fabric: &Fabric) -> Result<(), WriteError> {
        let counters = fabric.counters().unwrap_or_default();
        self.links(sys::now(), &counters, lab, true)?;
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        open.flush()?;
        let lag = fabric.lag().unwrap_or_default().since(&self.lag);
        let quantile = |q| lag.quantile(q).unwrap_or_default();
        self.env.fabric_lag = format!(
            "{} packets: median {:.1?}, p99 {:.1?}, max {:.1?}",
            lag.packets(),
            quantile(0.5),
            quantile(0.99),
            lag.max()
        );
        self.env.load_after = sys::load_average();
        self.env.undeclared_drops = drops;
        open.agent_env(&self.env)
    }
}
