//! The control socket between a node's program and the agent: JSON, one message per line.
//!
//! A node connects, says [`ToAgent::Hello`], gets [`ToNode::Configure`], answers
//! [`ToAgent::Ready`] when it listens, gets [`ToNode::Go`], and reports as often as it
//! was told. When the
//! connection breaks (the agent restarted) the node goes on working, connects again, and starts
//! over with `Hello`; an equal `Configure` and `Go` change nothing.

use crate::conduct::Misbehaviour;
use crate::latency::{LatencyCount, Op, Outcome};
use crate::role::Role;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The socket, as a node sees it.
pub const SOCKET: &str = "/.netlab/control.sock";
/// Longest line either side accepts, in bytes.
pub const MAX_LINE: usize = 4 << 20;
/// Most requests in a report that are told one by one.
pub const MAX_REQUESTS: usize = 20_000;
/// How often a node reports, unless it is told otherwise.
pub const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Agent to node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "it is made, written and gone")]
pub enum ToNode {
    /// Who you are and what you do.
    Configure(Box<Configure>),
    /// The run's clock: `CLOCK_MONOTONIC` nanoseconds of its zero, and a number that changes with
    /// each run. Load starts at `at` (which may lie a little ahead).
    Go {
        /// Number of the run in this lab.
        run: u32,
        /// `CLOCK_MONOTONIC` of the run's zero, in nanoseconds.
        at: u64,
    },
    /// What is to go wrong with answers from now on, instead of what was said before; answered by
    /// [`ToAgent::Behaves`]. It may come before [`ToNode::Configure`].
    Behave {
        /// Names the order.
        number: u64,
        /// All that is to go wrong, in the order in which it began.
        wrong: Vec<Misbehaviour>,
    },
    /// Send no new requests; finish those under way and report them.
    Stop,
}

/// Who a node is and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configure {
    /// [`crate::PROTOCOL`] of the agent.
    pub protocol: u32,
    /// The node's name.
    pub node: String,
    /// The lab's seed.
    pub seed: u64,
    /// How often it reports.
    #[serde(with = "crate::duration")]
    pub report_every: Duration,
    /// The role, resolved.
    pub role: Role,
}

/// Node to agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToAgent {
    /// First line of every connection.
    Hello {
        /// [`crate::PROTOCOL`] of the node.
        protocol: u32,
    },
    /// Configured and listening.
    Ready,
    /// The order of this number is in force.
    Behaves {
        /// Its number.
        number: u64,
        /// Answers that this process has spoilt so far.
        spoilt: u64,
    },
    /// What happened since the last report.
    Report(Report),
    /// Something the agent should record, once.
    Problem {
        /// One sentence.
        text: String,
    },
}

/// What happened in a node since its last report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run it belongs to; 0 before the first `go`.
    pub run: u32,
    /// `CLOCK_MONOTONIC` nanoseconds when it was made.
    pub at: u64,
    /// Requests that ended, by intended slot; counts are new since the last report.
    pub latency: Vec<LatencyCount>,
    /// Values of the metrics, by the names of the table in `src/metrics`; counters are totals.
    pub samples: Vec<Sample>,
    /// Requests that ended since the last report, one by one, where the load says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestRow>,
    /// Requests that should be among them, and for which there was no place.
    #[serde(default, skip_serializing_if = "is_none")]
    pub requests_missed: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// One request. Written as a list, to be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "RequestList", from = "RequestList")]
pub struct RequestRow {
    /// When it was intended, in nanoseconds since go.
    pub intended: u64,
    /// When its first attempt was handed to the network; none: never.
    pub sent: Option<u64>,
    /// When it ended.
    pub done: u64,
    /// What was asked.
    pub op: Op,
    /// For which key; none: for a path.
    pub key: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// How many attempts were made.
    pub attempts: u32,
}

type RequestList = (u64, Option<u64>, u64, Op, Option<u32>, Outcome, u32);

impl From<RequestRow> for RequestList {
    fn from(row: RequestRow) -> RequestList {
        let RequestRow {
            intended,
            sent,
            done,
            op,
            key,
            outcome,
            attempts,
        } = row;
        (intended, sent, done, op, key, outcome, attempts)
    }
}

impl From<RequestList> for RequestRow {
    fn from(list: RequestList) -> RequestRow {
        let (intended, sent, done, op, key, outcome, attempts) = list;
        RequestRow {
            intended,
            sent,
            done,
            op,
            key,
            outcome,
            attempts,
        }
    }
}

/// One value of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Name, as in the metrics table.
    pub metric: String,
    /// Labels as `key=value` joined by `,`; empty for none.
    pub labels: String,
    /// The value, in the metric's unit.
    pub value: f64,
}
