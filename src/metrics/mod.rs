//! The table of metrics: name, kind, unit, labels, help.
//!
//! What a node reports and the record holds is named here, or refused. Names follow the
//! Prometheus conventions (base units, `_total`). Owns the rows of values and of requests, too, and
//! how requests are added up. Must not know who measures or stores.

mod rows;
mod stats;

pub use rows::{LatencyRow, LinkSample, SampleRow};
pub use stats::Stats;

mod link;

pub use link::LinkMetric;

/// How values of a metric behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, but for restarts of its node.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One metric.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// Name in records.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// Unit of its values, `1` for none.
    pub unit: &'static str,
    /// Keys of its labels.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

const fn metric(
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        unit,
        labels,
        help,
    }
}

/// All metrics that a node may report.
pub const METRICS: &[Metric] = &[
    metric(
        "bytes_sent_total",
        MetricKind::Counter,
        "bytes",
        &[],
        "Payload sent to other nodes.",
    ),
    metric(
        "bytes_received_total",
        MetricKind::Counter,
        "bytes",
        &[],
        "Payload received from other nodes.",
    ),
    metric(
        "queue_length",
        MetricKind::Gauge,
        "1",
        &[],
        "Requests waiting for a worker.",
    ),
    metric(
        "busy_workers",
        MetricKind::Gauge,
        "1",
        &[],
        "Workers busy with a request.",
    ),
    metric(
        "connections",
        MetricKind::Gauge,
        "1",
        &[],
        "Open connections, own ones and those of others.",
    ),
    metric(
        "keys_held",
        MetricKind::Gauge,
        "1",
        &[],
        "Keys stored at this node.",
    ),
    metric(
        "inflight_requests",
        MetricKind::Gauge,
        "1",
        &[],
        "Own requests sent and not yet ended.",
    ),
    metric(
        "attempts_total",
        MetricKind::Counter,
        "1",
        &["outcome"],
        "Attempts of own requests that ended, by how; more than requests where some were made again.",
    ),
    metric(
        "requests_served_total",
        MetricKind::Counter,
        "1",
        &["status"],
        "Requests answered, by HTTP status.",
    ),
    metric(
        "requests_forwarded_total",
        MetricKind::Counter,
        "1",
        &[],
        "Requests passed on for other peers.",
    ),
    metric(
        "writes_checked_total",
        MetricKind::Counter,
        "1",
        &[],
        "Own acknowledged writes whose key was answered for again.",
    ),
    metric(
        "writes_lost_total",
        MetricKind::Counter,
        "1",
        &[],
        "Own acknowledged writes that a later answer for the key lacks.",
    ),
    metric(
        "reads_checked_total",
        MetricKind::Counter,
        "1",
        &[],
        "Answered reads of keys that this node had written.",
    ),
    metric(
        "reads_stale_total",
        MetricKind::Counter,
        "1",
        &[],
        "Those of them that answered with less than was acknowledged.",
    ),
    metric(
        "timer_lag_seconds",
        MetricKind::Gauge,
        "seconds",
        &[],
        "Largest lateness of a timer since the last report.",
    ),
];

/// The metric with this name.
pub fn metric_named(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_metric_has_one_line() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
    }
}
