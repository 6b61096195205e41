//! The run directory: the only writer and reader of artefacts.
//!
//! Owns file names and formats of a run's record, the events, and the messages by which a record
//! is followed while it grows. Must not know who made the events, or how they are shown.
//!
//! # Format 1
//!
//! A run is one directory, `runs/<lab>/<UTC time>-<seed>/`. The agent appends to the first eight
//! files as things happen (flushed at least once a second, so they are readable after any crash;
//! a torn last line is left out by the reader); the CLI adds the others when it brings the run
//! home. Every `t` is nanoseconds since the run's go (the start of the warm-up) on the monotonic
//! clock; wall time stands in `env.json` only.
//!
//! | file | content |
//! | --- | --- |
//! | `lab.json` | the resolved [`crate::lab::Lab`], with its own `format` |
//! | `timeline.json` | the effective timeline, complete enough to be played again ([`crate::timeline::Recorded`]); `null` without a scenario |
//! | `events.jsonl` | one [`event::Event`] per line; the first is `run-started`, the last `run-ended` |
//! | `samples.csv` | `t,node,metric,labels,value`: t is when the value was read; the node is empty where it is the machine's or the agent's (names: [`crate::metrics::METRICS`]); labels are `key=value` joined by `,` and quoted when there are several |
//! | `latency.csv` | `t,node,op,outcome,le_us,count`: t is the start of the 100 ms slot of the *intended* time; `count` requests took at most `le_us` µs (upper edge of a bucket of [`netlab_protocol::latency::bucket`]); rows with equal keys add up |
//! | `requests.csv` | only where a load says `record: requests`: `t,sent,done,node,op,key,outcome,attempts`, a row for each request when it has ended. t is when it was intended, sent when its first attempt was made (empty: never), done when it ended; key is the number of its key (empty: it asked for a path). Notes among the events say whether, and how many, requests are missing here |
//! | `links.csv` | `t,from,to,metric,value`: what an ordered pair carried, by [`crate::metrics::LinkMetric`]; counters count from the run's begin (and anew after a restart of the agent), and a row is written only when its value has changed, but at the begin and end of a fault at least one is |
//! | `agent.json` | an [`AgentEnv`]: kernel, cores, load, rights, lag; it becomes the section `agent` of `env.json` |
//! | `topology.yaml` | the file as it was given |
//! | `plan.txt` | the plan as it was printed |
//! | `env.json` | versions, image ids, wall time, and the section `agent` |
//! | `summary.json` | the summary that `up` printed |
//! | `report.html` | the same as a page with pictures; it needs no other file |
//! | `logs/<node>.log` | what the node's processes wrote |

pub mod event;
pub mod home;
mod list;
pub mod look;
mod reader;
pub mod stream;
pub mod view;
mod writer;

pub use crate::metrics::{LatencyRow, LinkSample, SampleRow};
pub use list::{Brief, Place, brief, is_run, list, log_tail, of_lab};
pub use reader::{ReadError, RecordedRequest, Run, read_agent_env, read_events, read_requests};
pub use writer::{RunWriter, WriteError};

use serde::{Deserialize, Serialize};

/// Version of the formats in this directory's table.
pub const FORMAT: u32 = 1;

/// The resolved lab.
pub const LAB: &str = "lab.json";
/// The timeline.
pub const TIMELINE: &str = "timeline.json";
/// The events.
pub const EVENTS: &str = "events.jsonl";
/// Values of metrics.
pub const SAMPLES: &str = "samples.csv";
/// Requests by intended slot, outcome and latency bucket.
pub const LATENCY: &str = "latency.csv";
/// Requests one by one; only where they are recorded.
pub const REQUESTS: &str = "requests.csv";
/// What ordered pairs carried.
pub const LINKS: &str = "links.csv";
/// The agent's part of the environment.
pub const AGENT: &str = "agent.json";
/// The topology as given.
pub const TOPOLOGY: &str = "topology.yaml";
/// The plan as printed.
pub const PLAN: &str = "plan.txt";
/// The environment.
pub const ENV: &str = "env.json";
/// The summary.
pub const SUMMARY: &str = "summary.json";
/// The page.
pub const REPORT: &str = "report.html";
/// Folder of the nodes' logs.
pub const LOGS: &str = "logs";

/// First line of [`SAMPLES`].
const SAMPLES_HEADER: &str = "t,node,metric,labels,value";
/// First line of [`LATENCY`].
const LATENCY_HEADER: &str = "t,node,op,outcome,le_us,count";
/// First line of [`REQUESTS`].
const REQUESTS_HEADER: &str = "t,sent,done,node,op,key,outcome,attempts";
/// First line of [`LINKS`].
const LINKS_HEADER: &str = "t,from,to,metric,value";

/// What the agent knows about the machine a run was made on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentEnv {
    /// [`FORMAT`].
    pub record: u32,
    /// netlab's version.
    pub version: String,
    /// Value of the label `netlab.build`.
    pub build: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Cores the agent may use.
    pub cores: usize,
    /// Load average of the last minute when the run began.
    pub load_before: f64,
    /// The same when it ended.
    pub load_after: f64,
    /// Capabilities that the agent kept.
    pub capabilities: Vec<String>,
    /// What the kernel granted to the fabric's threads, in words.
    pub scheduling: String,
    /// Seconds since the epoch of the run's go.
    pub started: u64,
    /// How much later than due packets left the fabric, in words; empty until the run has ended.
    pub fabric_lag: String,
    /// Packets the devices dropped though no link said so, during the run.
    pub undeclared_drops: u64,
}
