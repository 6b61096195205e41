//! Rows of a record that are numbers: requests and values of metrics.

use super::LinkMetric;
use crate::id::NodeIndex;
use netlab_protocol::latency::{Op, Outcome};

/// `count` requests of `node` that were intended in the slot that begins at `t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    /// Start of the 100 ms slot of the intended time: nanoseconds since go.
    pub t: i64,
    /// Who asked.
    pub node: NodeIndex,
    /// What was asked.
    pub op: Op,
    /// How it ended.
    pub outcome: Outcome,
    /// Upper edge of the latency bucket in microseconds.
    pub le_us: u64,
    /// How many.
    pub count: u64,
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRow {
    /// Nanoseconds since go.
    pub t: i64,
    /// Whose; none: the machine's, or the agent's.
    pub node: Option<NodeIndex>,
    /// Which metric.
    pub metric: String,
    /// Labels, `key=value` joined by `,`.
    pub labels: String,
    /// The value, in the metric's unit.
    pub value: f64,
}

/// A number about an ordered pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSample {
    /// Nanoseconds since go.
    pub t: i64,
    /// The sender.
    pub from: NodeIndex,
    /// The receiver.
    pub to: NodeIndex,
    /// What.
    pub metric: LinkMetric,
    /// The value.
    pub value: u64,
}
