//! The table itself.

use super::{Metric, MetricKind, Source};

const fn metric(
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        source: Source::Program,
        kind,
        unit,
        labels,
        help,
    }
}

const fn of(source: Source, metric: Metric) -> Metric {
    Metric { source, ..metric }
}

const fn container(
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    help: &'static str,
) -> Metric {
    of(Source::Container, metric(name, kind, unit, &[], help))
}

const fn host(
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    help: &'static str,
) -> Metric {
    of(Source::Host, metric(name, kind, unit, &[], help))
}

/// All metrics of netlab's own.
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
        "answers_spoilt_total",
        MetricKind::Counter,
        "1",
        &["how"],
        "Answers that were wrong, late or withheld because a fault said so.",
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
        "Own acknowledged writes that a later answer for the key shows to be lost.",
    ),
    metric(
        "writes_doubted",
        MetricKind::Gauge,
        "1",
        &[],
        "Own acknowledged writes of whose keys the last answer spoke of what they had replaced.",
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
    container(
        "cpu_seconds_total",
        MetricKind::Counter,
        "seconds",
        "Processor time of all processes of the node's container.",
    ),
    container(
        "memory_bytes",
        MetricKind::Gauge,
        "bytes",
        "Memory of the container as its cgroup counts it: files in the page cache included.",
    ),
    container(
        "memory_peak_bytes",
        MetricKind::Gauge,
        "bytes",
        "The most of it since the container was started.",
    ),
    container(
        "restarts_total",
        MetricKind::Counter,
        "1",
        "How often the node came back after it had died, since the agent's start.",
    ),
    container(
        "oom_kills_total",
        MetricKind::Counter,
        "1",
        "Processes of the node that the kernel killed for its memory limit, since the agent's start.",
    ),
    container(
        "scrape_up",
        MetricKind::Gauge,
        "1",
        "Whether the page of metrics in the node could be read: 1, or 0 where its values are missing.",
    ),
    container(
        "scrape_duration_seconds",
        MetricKind::Gauge,
        "seconds",
        "How long that took.",
    ),
    container(
        "scrape_dropped_total",
        MetricKind::Counter,
        "1",
        "Values of such pages that were left out: beyond the bound of series, or not fit for a record.",
    ),
    host(
        "host_cpu_idle_ratio",
        MetricKind::Gauge,
        "ratio",
        "Share of the host's processor time since the last sample in which nothing wanted to run.",
    ),
    host(
        "host_cpu_stolen_ratio",
        MetricKind::Gauge,
        "ratio",
        "Share of it that the hypervisor gave to others.",
    ),
    host(
        "host_load",
        MetricKind::Gauge,
        "1",
        "Load average of the last minute.",
    ),
    host(
        "host_timer_lag_seconds",
        MetricKind::Gauge,
        "seconds",
        "How late the timer of this sample was, at the usual priority.",
    ),
    host(
        "agent_cpu_seconds_total",
        MetricKind::Counter,
        "seconds",
        "Processor time of the agent, its fabric included.",
    ),
    host(
        "agent_memory_bytes",
        MetricKind::Gauge,
        "bytes",
        "Resident memory of the agent.",
    ),
    host(
        "agent_lag_seconds",
        MetricKind::Gauge,
        "seconds",
        "How long the sample waited until the agent took it.",
    ),
    of(
        Source::Host,
        metric(
            "fabric_lag_seconds",
            MetricKind::Gauge,
            "seconds",
            &["quantile"],
            "How much later than due packets left the fabric since the last sample: 0.5, 0.99, and 1 for the latest.",
        ),
    ),
    host(
        "udp_flows_dropped_total",
        MetricKind::Counter,
        "flows",
        "Clients of published UDP ports that were forgotten because more came than are remembered: the one silent for longest.",
    ),
];
