//! Values of a running lab as a page for Prometheus (text format 0.0.4). Pure.
//!
//! Owns the names of the page: netlab's own begin with `netlab_`; what a node's program tells keeps its
//! name and gets the node as a label.

use crate::metrics::{MetricKind, metric_named};
use crate::record::look::MetricRow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Media type of the page.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Kind and help of what only stands on this page.
const OWN: [(&str, &str, &str); 4] = [
    (
        "requests_total",
        "counter",
        "Requests that ended, by what was asked and how.",
    ),
    (
        "request_duration_seconds",
        "histogram",
        "Latency of answers that crossed the network, from the intended time.",
    ),
    (
        "link_packets_total",
        "counter",
        "Packets that links from the node delivered.",
    ),
    (
        "link_dropped_packets_total",
        "counter",
        "Packets that links from the node dropped, by cause.",
    ),
];

/// Help of what a node's program tells: its own help is read over.
const FOREIGN: &str = "Told by a program in a node.";

/// The page.
pub fn page(lab: &str, rows: &[MetricRow]) -> String {
    // All values of a family stand together.
    let mut families: BTreeMap<String, Vec<&MetricRow>> = BTreeMap::new();
    for row in rows {
        families.entry(family(&row.metric)).or_default().push(row);
    }
    let mut out = String::new();
    for (family, rows) in families {
        let (name, kind, help) = told(&family);
        let _ = writeln!(out, "# HELP {name} {help}");
        let _ = writeln!(out, "# TYPE {name} {kind}");
        for row in rows {
            let metric = row.metric.strip_prefix(&family).unwrap_or_default();
            let labels = labels(lab, row);
            let _ = writeln!(out, "{name}{metric}{{{labels}}} {}", row.value);
        }
    }
    out
}

/// The parts of a histogram are one family.
fn family(metric: &str) -> String {
    let ours = OWN[1].0;
    match metric.starts_with(ours) {
        true => ours.to_owned(),
        false => metric.to_owned(),
    }
}

/// Name, kind and help of a family.
fn told(family: &str) -> (String, &'static str, &'static str) {
    let name = format!("netlab_{family}");
    if let Some((_, kind, help)) = OWN.iter().find(|(own, ..)| *own == family) {
        return (name, kind, help);
    }
    match metric_named(family) {
        Some(metric) => {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                // Only summaries have quantiles.
                MetricKind::Gauge if metric.labels == ["quantile"] => "summary",
                MetricKind::Gauge => "gauge",
            };
            (name, kind, metric.help)
        }
        None => (family.to_owned(), "untyped", FOREIGN),
    }
}

fn labels(lab: &str, row: &MetricRow) -> String {
    let mut all = format!("lab=\"{}\"", escaped(lab));
    if !row.node.is_empty() {
        let _ = write!(
            all,
            ",node=\"{}\",role=\"{}\"",
            escaped(&row.node),
            escaped(&row.role)
        );
    }
    let own = row
        .labels
        .split(',')
        .filter_map(|label| label.split_once('='));
    for (key, value) in own {
        // A program's own label of such a name would stand twice.
        let taken = matches!(key, "lab" | "node" | "role");
        let prefix = if taken { "exported_" } else { "" };
        let _ = write!(all, ",{prefix}{key}=\"{}\"", escaped(value));
    }
    all
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::read_page;

    fn row(node: &str, metric: &str, labels: &str, value: f64) -> MetricRow {
        MetricRow {
            node: node.into(),
            role: "client".into(),
            metric: metric.into(),
            labels: labels.into(),
            value,
        }
    }

    #[test]
    fn a_page_says_of_each_family_what_it_is_and_is_read_back() {
        let rows = [
            row(
                "c",
                "request_duration_seconds_bucket",
                "op=read,le=0.1",
                3.0,
            ),
            row("", "host_cpu_idle_ratio", "", 0.5),
            row("", "fabric_lag_seconds", "quantile=0.99", 0.25),
            row("c", "request_duration_seconds_count", "op=read", 3.0),
            row("d", "cpu_seconds_total", "", 1.25),
            row("c", "cpu_seconds_total", "", 2.0),
            row("d", "http_hits", "node=x,path=C:\\", 9.0),
        ];
        let page = page("my-lab", &rows);
        let expected = r#"# HELP netlab_cpu_seconds_total Processor time of all processes of the node's container.
# TYPE netlab_cpu_seconds_total counter
netlab_cpu_seconds_total{lab="my-lab",node="d",role="client"} 1.25
netlab_cpu_seconds_total{lab="my-lab",node="c",role="client"} 2
# HELP netlab_fabric_lag_seconds How much later than due packets left the fabric since the last sample: 0.5, 0.99, and 1 for the latest.
# TYPE netlab_fabric_lag_seconds summary
netlab_fabric_lag_seconds{lab="my-lab",quantile="0.99"} 0.25
# HELP netlab_host_cpu_idle_ratio Share of the host's processor time since the last sample in which nothing wanted to run.
# TYPE netlab_host_cpu_idle_ratio gauge
netlab_host_cpu_idle_ratio{lab="my-lab"} 0.5
# HELP http_hits Told by a program in a node.
# TYPE http_hits untyped
http_hits{lab="my-lab",node="d",role="client",exported_node="x",path="C:\\"} 9
# HELP netlab_request_duration_seconds Latency of answers that crossed the network, from the intended time.
# TYPE netlab_request_duration_seconds histogram
netlab_request_duration_seconds_bucket{lab="my-lab",node="c",role="client",op="read",le="0.1"} 3
netlab_request_duration_seconds_count{lab="my-lab",node="c",role="client",op="read"} 3
"#;
        assert_eq!(page, expected);
        assert_eq!(read_page(&page, 100).unwrap().samples.len(), rows.len());
    }
}
