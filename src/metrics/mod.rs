//! The table of metrics: name, kind, unit, labels, help.
//!
//! What a node reports and the record holds is named here, or refused. Names follow the
//! Prometheus conventions (base units, `_total`). Owns the rows of values and of requests, too, and
//! how requests are added up. Must not know who measures or stores.

mod endpoint;
mod exposition;
mod rows;
mod stats;
mod table;

pub use endpoint::{Endpoint, Named, named};
pub use exposition::{Page, read_page};
pub use rows::{LatencyRow, LinkSample, SampleRow};
pub use stats::{Stats, at_rank};
pub use table::METRICS;

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

/// Who measures a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The node's own program, which reports it.
    Program,
    /// The kernel and the engine, about a node.
    Container,
    /// The agent, about the machine and itself: of no node.
    Host,
}

/// One metric.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// Name in records.
    pub name: &'static str,
    /// Who measures it.
    pub source: Source,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// Unit of its values, `1` for none.
    pub unit: &'static str,
    /// Keys of its labels.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

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
