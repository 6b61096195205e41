//! What the lab has done since the agent's start, for those who look at it while it runs. Pure.
//!
//! Owns the newest value of each series and the counts of requests; unlike a record it goes on between
//! runs. A node that has died has no values but those that are known of the dead.

use super::core::Core;
use crate::record::look::MetricRow;
use netlab_protocol::control::Sample;
use netlab_protocol::latency::{LatencyCount, Op, Outcome};
use std::collections::BTreeMap;

/// Most series of one node, whatever it names them.
const MAX_SERIES: usize = 1500;
/// Upper edges of the buckets of latency, in microseconds: six in each decade, so that an edge is at
/// most half above the one before.
const EDGES: [u64; 31] = [
    100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000,
    30_000, 50_000, 70_000, 100_000, 150_000, 200_000, 300_000, 500_000, 700_000, 1_000_000,
    1_500_000, 2_000_000, 3_000_000, 5_000_000, 7_000_000, 10_000_000,
];

/// The newest of everything; names of nodes, so that adoptions move nothing.
#[derive(Debug, Default)]
pub(super) struct Live {
    values: BTreeMap<String, BTreeMap<(String, String), f64>>,
    requests: BTreeMap<(String, Op, Outcome), u64>,
    latency: BTreeMap<(String, Op), Histogram>,
}

/// Latencies of answers that crossed the network.
#[derive(Debug, Default)]
struct Histogram {
    counts: [u64; EDGES.len()],
    all: u64,
    sum_us: u64,
}

impl Live {
    /// Values of a node, or of the machine (an empty name).
    pub fn set(&mut self, node: &str, samples: &[Sample]) {
        let values = self.values.entry(node.to_owned()).or_default();
        for sample in samples {
            let series = (sample.metric.clone(), sample.labels.clone());
            if values.len() < MAX_SERIES || values.contains_key(&series) {
                values.insert(series, sample.value);
            }
        }
    }

    /// Requests of a node that ended.
    pub fn count(&mut self, node: &str, rows: &[LatencyCount]) {
        for row in rows {
            let count = u64::from(row.count);
            let key = (node.to_owned(), row.op, row.outcome);
            *self.requests.entry(key).or_default() += count;
            let crossed = matches!(row.op, Op::Read | Op::Write);
            if crossed && row.outcome.is_success() {
                let histogram = self.latency.entry((node.to_owned(), row.op)).or_default();
                histogram.all += count;
                histogram.sum_us = histogram
                    .sum_us
                    .saturating_add(count.saturating_mul(row.le_us));
                let bucket = EDGES.partition_point(|edge| *edge < row.le_us);
                if let Some(bucket) = histogram.counts.get_mut(bucket) {
                    *bucket += count;
                }
            }
        }
    }

    /// A node has died.
    pub fn died(&mut self, node: &str) {
        self.values.remove(node);
    }

    /// Everything, by node; `role` says what each is.
    pub fn rows(&self, role: impl Fn(&str) -> String) -> Vec<MetricRow> {
        let row = |node: &str, metric: &str, labels: String, value: f64| MetricRow {
            node: node.to_owned(),
            role: role(node),
            metric: metric.to_owned(),
            labels,
            value,
        };
        let mut rows = Vec::new();
        for (node, values) in &self.values {
            let one = |((metric, labels), value): (&(String, String), &f64)| {
                row(node, metric, labels.clone(), *value)
            };
            rows.extend(values.iter().map(one));
        }
        for ((node, op, outcome), count) in &self.requests {
            let labels = format!("op={op},outcome={outcome}");
            rows.push(row(node, "requests_total", labels, *count as f64));
        }
        for ((node, op), histogram) in &self.latency {
            let name = |end: &str| format!("request_duration_seconds_{end}");
            let mut sum = 0;
            for (edge, count) in EDGES.iter().zip(histogram.counts) {
                sum += count;
                let labels = format!("op={op},le={}", *edge as f64 / 1e6);
                rows.push(row(node, &name("bucket"), labels, sum as f64));
            }
            let all = histogram.all as f64;
            rows.push(row(node, &name("bucket"), format!("op={op},le=+Inf"), all));
            let seconds = histogram.sum_us as f64 / 1e6;
            rows.push(row(node, &name("sum"), format!("op={op}"), seconds));
            rows.push(row(node, &name("count"), format!("op={op}"), all));
        }
        rows
    }
}

impl Core {
    /// Everything that is known live, with the roles of the nodes.
    pub(super) fn metric_rows(&self) -> Vec<MetricRow> {
        let role = |name: &str| match self.lab.node(name) {
            Some(node) => self.lab.nodes[node.at()].role().to_owned(),
            None => String::new(),
        };
        self.live.rows(role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::machine::sample;

    #[test]
    fn buckets_grow_and_end_with_all() {
        let mut live = Live::default();
        let row = |op, outcome, le_us, count| LatencyCount {
            slot: 0,
            op,
            outcome,
            le_us,
            count,
        };
        live.count(
            "a",
            &[
                row(Op::Read, Outcome::Ok, 100, 1),
                row(Op::Read, Outcome::Ok, 101, 2),
                row(Op::Read, Outcome::Ok, 20_000_000, 3),
                row(Op::Read, Outcome::Timeout, 1_000_000, 4),
                row(Op::LocalRead, Outcome::Ok, 1, 5),
            ],
        );
        live.set("a", &[sample("keys_held", 7.0)]);
        let rows = live.rows(|_| "peer".into());
        let value = |metric: &str, labels: &str| {
            let mut found = rows
                .iter()
                .filter(|r| r.metric == metric && r.labels == labels);
            found.next().map(|row| row.value)
        };
        let bucket = |le: &str| {
            value(
                "request_duration_seconds_bucket",
                &format!("op=read,le={le}"),
            )
        };
        assert_eq!(
            (bucket("0.0001"), bucket("0.00015")),
            (Some(1.0), Some(3.0))
        );
        assert_eq!((bucket("10"), bucket("+Inf")), (Some(3.0), Some(6.0)));
        assert_eq!(
            value("request_duration_seconds_count", "op=read"),
            Some(6.0)
        );
        assert_eq!(
            value("requests_total", "op=read,outcome=timeout"),
            Some(4.0)
        );
        assert_eq!(
            value("requests_total", "op=local-read,outcome=ok"),
            Some(5.0)
        );
        assert_eq!(value("keys_held", ""), Some(7.0));
        assert!(EDGES.is_sorted());
        live.died("a");
        let left = live.rows(|_| String::new());
        assert!(left.iter().all(|row| row.metric != "keys_held"));
    }
}
