//! What nodes did from one look to the next.

use crate::record::look::MetricRow;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// Everything at one moment.
pub struct Look {
    at: Instant,
    roles: BTreeMap<String, String>,
    values: BTreeMap<(String, String, String), f64>,
}

/// One node between two looks.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Line {
    /// Its name.
    pub node: String,
    /// Its role.
    pub role: String,
    /// Own requests that ended, per second.
    pub rate: Option<f64>,
    /// Share of them that succeeded.
    pub success: Option<f64>,
    /// Median latency is at most this, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub p99_ms: Option<f64>,
    /// Processors in use.
    pub cpu: Option<f64>,
    /// Memory in bytes.
    pub memory_bytes: Option<f64>,
    /// Packets that links from it dropped.
    pub dropped_packets: f64,
}

impl Look {
    /// Now.
    pub fn new(rows: &[MetricRow]) -> Look {
        let id = |row: &MetricRow| (row.node.clone(), row.metric.clone(), row.labels.clone());
        let of_nodes = rows.iter().filter(|row| !row.node.is_empty());
        Look {
            at: Instant::now(),
            roles: of_nodes
                .map(|row| (row.node.clone(), row.role.clone()))
                .collect(),
            values: rows.iter().map(|row| (id(row), row.value)).collect(),
        }
    }
}

/// A line for each node of the later look.
pub fn lines(before: &Look, now: &Look) -> Vec<Line> {
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    let roles = now.roles.iter();
    roles
        .map(|(node, role)| line(node, role, (before, now), seconds))
        .collect()
}

fn line(node: &str, role: &str, (before, now): (&Look, &Look), seconds: f64) -> Line {
    let own = now.values.iter().filter(|((of, ..), _)| of == node);
    let mut line = Line {
        node: node.to_owned(),
        role: role.to_owned(),
        ..Line::default()
    };
    let (mut all, mut good, mut asks) = (0.0, 0.0, false);
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for (id, &value) in own {
        let (_, metric, labels) = id;
        let old = before.values.get(id).copied();
        // What is new began at zero, and what fell began anew.
        let grown = match old {
            Some(old) if old <= value => value - old,
            _ => value,
        };
        match metric.as_str() {
            "requests_total" => {
                asks = true;
                all += grown;
                let ok = ["ok", "missing"].map(|word| format!("outcome={word}"));
                if ok.iter().any(|end| labels.ends_with(end)) {
                    good += grown;
                }
            }
            "request_duration_seconds_bucket" => {
                let le = labels
                    .rsplit_once("le=")
                    .and_then(|(_, le)| le.parse().ok());
                buckets.extend(le.map(|le: f64| (le, grown)));
            }
            "cpu_seconds_total" if old.is_some() => line.cpu = Some(grown / seconds),
            "memory_bytes" => line.memory_bytes = Some(value),
            "link_dropped_packets_total" => line.dropped_packets += grown,
            _ => {}
        }
    }
    if asks {
        line.rate = Some(all / seconds);
        line.success = (all > 0.0).then(|| good / all);
        (line.p50_ms, line.p99_ms) = (percentile(&buckets, 0.5), percentile(&buckets, 0.99));
    }
    line
}

/// Upper edge, in milliseconds, of the bucket that this share of the answers does not exceed; none
/// where there are none, or it is the open one.
fn percentile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    // Reads and writes add up edge by edge.
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for &(le, count) in buckets {
        match sums.iter_mut().find(|(edge, _)| *edge == le) {
            Some((_, sum)) => *sum += count,
            None => sums.push((le, count)),
        }
    }
    sums.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = sums.last().map_or(0.0, |(_, count)| *count);
    let wanted = (all * share).ceil().max(1.0);
    let found = sums.iter().find(|(_, count)| *count >= wanted)?;
    found.0.is_finite().then(|| (found.0 * 1e6).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(metric: &str, labels: &str, value: f64) -> MetricRow {
        MetricRow {
            node: "c".into(),
            role: "client".into(),
            metric: metric.into(),
            labels: labels.into(),
            value,
        }
    }

    #[test]
    fn a_line_is_what_grew_between_the_looks() {
        let look = |n: f64| {
            let bucket = "request_duration_seconds_bucket";
            Look::new(&[
                row("requests_total", "op=read,outcome=ok", 90.0 * n),
                row("requests_total", "op=read,outcome=timeout", 10.0 * n),
                row(bucket, "op=read,le=0.01", 80.0 * n),
                row(bucket, "op=read,le=0.02", 90.0 * n),
                row(bucket, "op=read,le=+Inf", 90.0 * n),
                row("cpu_seconds_total", "", 0.5 * n),
                row("memory_bytes", "", 4096.0),
                row("link_dropped_packets_total", "cause=loss", 3.0 * n),
            ])
        };
        let (before, mut now) = (look(1.0), look(3.0));
        now.at = before.at + std::time::Duration::from_secs(2);
        let lines = lines(&before, &now);
        let expected = Line {
            node: "c".into(),
            role: "client".into(),
            rate: Some(100.0),
            success: Some(0.9),
            p50_ms: Some(10.0),
            p99_ms: Some(20.0),
            cpu: Some(0.5),
            memory_bytes: Some(4096.0),
            dropped_packets: 6.0,
        };
        assert_eq!(lines, [expected]);
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[(1.0, 0.0), (f64::INFINITY, 5.0)], 0.5), None);
    }
}
