//! What CLI and agent say to each other over the exec stream: JSON, one message per line.
//!
//! The CLI sends one [`Request`] and reads [`Reply`]s; only [`Request::Follow`],
//! [`Request::Links`] and [`Request::Faults`] are answered by many; behind the answer to [`Request::Capture`] follow bytes. The stream's end without a last reply means that the agent restarted: ask again.

use super::event::{Event, Verdict};
use super::look::{Captured, FaultRow, LinkRow, MetricRow, PortRow};
use crate::lab::ScheduledFault;
use crate::port::Protocol;
use netlab_protocol::latency::{Op, Outcome};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Most bytes that [`Request::Adopt`] announces.
pub const MAX_ADOPTION: u64 = 512 << 20;

/// Version of these messages.
pub const STREAM: u32 = 2;

/// CLI to agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// One [`Reply::Status`].
    Status,
    /// [`Reply::Status`] at every change of it until the lab is ready, or the deadline passes.
    AwaitReady {
        /// Seconds to wait.
        timeout: u64,
    },
    /// Start a run. One [`Reply::Playing`], or [`Reply::Refused`] while one is playing.
    Play {
        /// Heal and close a playing run first.
        replace: bool,
    },
    /// The lab is another from now on: as many bytes follow the line, which are the JSON of a
    /// [`crate::plan::Adoption`]. One [`Reply::Adopted`], or [`Reply::Refused`] while a scenario is
    /// playing.
    Adopt {
        /// How many bytes follow.
        bytes: u64,
    },
    /// [`Reply::Published`] as soon as the agent listens at all ports that the lab publishes, or
    /// [`Reply::Refused`] at the first attempt that fails.
    Publish {
        /// Seconds to wait.
        timeout: u64,
    },
    /// The events of the current (or last) run from its beginning, then as they happen, with a
    /// [`Reply::Progress`] every second, until [`Reply::Ended`].
    Follow,
    /// What links carried: [`Reply::Links`], the last of them with `more: false`.
    Links,
    /// What every node does: [`Reply::Metrics`], the last of them with `more: false`.
    Metrics,
    /// [`Reply::Capturing`], then no more lines but the bytes of a pcapng file, until the asker says
    /// no more or the file has its size. Or [`Reply::Refused`].
    Capture {
        /// Whose packets.
        of: Captured,
        /// About how many bytes the file may have.
        most: u64,
    },
    /// Begin a fault now. One [`Reply::Injected`] when its effect is seen, or [`Reply::Failed`], or
    /// [`Reply::Refused`] when nothing was begun.
    Inject(Injection),
    /// Heal faults that are in force. One [`Reply::Healed`] when all is back, or
    /// [`Reply::Refused`].
    Heal {
        /// Which; none: all.
        fault: Option<String>,
    },
    /// Faults in force and to come: [`Reply::Faults`], the last of them with `more: false`.
    Faults,
    /// Heal everything, close a playing run as interrupted, stop the load: one [`Reply::Stopped`].
    Stop,
}

/// A fault by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Injection {
    /// [`crate::plan::lab_hash`] of the lab that it was resolved against.
    pub lab: String,
    /// The fault; its name is given by the agent, and it begins at once.
    pub fault: ScheduledFault,
}

/// Agent to CLI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Where the lab stands.
    Status(Status),
    /// A run has begun.
    Playing {
        /// Its id.
        run: String,
    },
    /// The lab is the other one, all that changes live has changed.
    Adopted,
    /// Where the lab's ports are reached.
    Published {
        /// By node and port.
        ports: Vec<Published>,
    },
    /// Why not.
    Refused {
        /// One sentence, with the cure.
        why: String,
    },
    /// Something happened.
    Event(Event),
    /// How it goes.
    Progress(Progress),
    /// The followed run is over; last reply to `Follow`.
    Ended {
        /// Its id.
        run: String,
        /// What it is worth.
        verdict: Verdict,
        /// Exit code for `up`, `wait` and `run` (0, 3 or 130).
        exit_code: u8,
    },
    /// Some links.
    Links {
        /// By sender and receiver.
        rows: Vec<LinkRow>,
        /// What nodes sent that crossed no link: all of them, in the last reply.
        nodes: Vec<PortRow>,
        /// Whether others follow.
        more: bool,
    },
    /// Some values.
    Metrics {
        /// By node.
        rows: Vec<MetricRow>,
        /// Whether others follow.
        more: bool,
    },
    /// A fault by hand is in effect.
    Injected {
        /// Its name, by which it is healed.
        fault: String,
        /// Microseconds from the request until its last effect was seen.
        took_us: u64,
        /// The run in whose record it stands; none: no run is playing.
        run: Option<String>,
    },
    /// A fault by hand had no effect.
    Failed {
        /// Which, and why.
        why: String,
    },
    /// Faults have healed.
    Healed {
        /// Their names.
        faults: Vec<String>,
        /// What did not come back, and why.
        failed: Vec<String>,
        /// Microseconds from the request until all was back.
        took_us: u64,
    },
    /// Some faults.
    Faults {
        /// Those in force first, then those to come in their order.
        rows: Vec<FaultRow>,
        /// Whether others follow.
        more: bool,
    },
    /// The file begins behind this line.
    Capturing,
    /// Everything has healed and the record is complete.
    Stopped,
}

/// Where a lab stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`STREAM`] of the agent.
    pub stream: u32,
    /// Phase of the lab.
    pub phase: Phase,
    /// The current or last run.
    pub run: Option<String>,
    /// Nodes in the lab's order.
    pub nodes: Vec<NodeStatus>,
    /// Names of the faults in effect, with the occurrence where it is not the first: `slow #2`.
    pub faults: Vec<String>,
    /// Ids of the runs in the agent's volume, oldest first.
    pub runs: Vec<String>,
    /// Where ports are reached, by node and port.
    pub ports: Vec<Published>,
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The node.
    pub node: String,
    /// Its port.
    pub port: u16,
    /// What is carried.
    pub protocol: Protocol,
    /// Where the engine's host listens.
    pub address: SocketAddr,
}

/// Phase of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nodes are being started and wired.
    Starting,
    /// All nodes are ready; nothing was played yet.
    Ready,
    /// A run with a scenario is playing.
    Playing,
    /// Load runs, no scenario is playing.
    Running,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Not wired yet.
    Waiting,
    /// Wired, its program is not ready yet.
    Wired,
    /// Ready (an image's program: started).
    Ready,
    /// Frozen by a fault.
    Paused,
    /// Its processes are gone.
    Dead,
}

/// One node's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub node: String,
    /// Its state.
    pub state: NodeState,
}

/// How a run goes, once a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Nanoseconds since the run's go.
    pub t: i64,
    /// Requests by role, operation and outcome that ended since the last progress.
    pub requests: Vec<ProgressCount>,
    /// Names of the faults in effect, with the occurrence where it is not the first: `slow #2`.
    pub faults: Vec<String>,
    /// Nodes that are not ready.
    pub down: Vec<String>,
}

/// Requests that ended since the last progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgressCount {
    /// Role of the asking node.
    pub role: String,
    /// What was asked.
    pub op: Op,
    /// How it ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
    /// Median latency in microseconds of these.
    pub p50_us: u64,
    /// 99th percentile of the same.
    pub p99_us: u64,
}
