//! Metrics on the real engine: what stands in `samples.csv` beside what nodes report.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use support::{SECOND, Sandbox, steady};

/// A row of `samples.csv`.
#[derive(Clone, Debug)]
struct Row {
    t: i64,
    node: String,
    metric: String,
    labels: String,
    value: f64,
}

fn rows(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("samples.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("t,node,metric,labels,value"));
    let row = |line: &str| {
        let mut head = line.splitn(4, ',');
        let mut next = || head.next().unwrap().to_owned();
        let (t, node, metric) = (next().parse().unwrap(), next(), next());
        let rest = next();
        let (labels, value) = rest.rsplit_once(',').unwrap();
        Row {
            t,
            node,
            metric,
            labels: labels.trim_matches('"').to_owned(),
            value: value.parse().unwrap(),
        }
    };
    lines.map(row).collect()
}

const LOSS: &str = "name: sampled
sampling: 200ms
nodes:
  server: { role: server }
  client: { role: client, load: { target: server, rate: 50/s, timeout: 500ms } }
scenario:
  warmup: 1s
  duration: 6s
  faults: { loss: { at: 2s, for: 2s, kill: server } }
checks:
  came back once: 'metric(\"restarts_total\", increase, server) == 1'
  nobody else did: 'metric(\"restarts_total\", increase, client) == 0'
  costs little: 'metric(\"cpu_seconds_total\", increase, client) < 3s'
  is small: 'metric(\"memory_peak_bytes\", max) < 64MiB'
  none was killed: 'metric(\"oom_kills_total\", last) == 0'
  the host is seen: 'metric(\"host_cpu_idle_ratio\", mean) <= 100%'
  the agent works: 'metric(\"agent_cpu_seconds_total\", increase) > 0s'
";

/// Every value is there at the interval of the file, and missing while there is nobody to have it.
#[test]
fn containers_host_and_agent_are_sampled_at_the_interval_of_the_file() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("sampled") else {
            return;
        };
        let file = sandbox.topology("sampled.yaml", LOSS);
        sandbox.netlab(&["run", &file]).expect(0);
        let record = sandbox.record("sampled");
        let rows = rows(&record.folder);
        let of = |node: &str, metric: &str| -> Vec<&Row> {
            let wanted = |row: &&Row| row.node == node && row.metric == metric;
            rows.iter().filter(wanted).collect()
        };
        // 7 s at 200 ms are 35, and what is still under way is waited for; a busy host may cost a few.
        let full = 28..=45;
        for (node, metric) in [
            ("", "host_cpu_idle_ratio"),
            ("", "host_cpu_stolen_ratio"),
            ("", "host_load"),
            ("", "host_timer_lag_seconds"),
            ("", "agent_cpu_seconds_total"),
            ("", "agent_memory_bytes"),
            ("", "agent_lag_seconds"),
            ("client", "cpu_seconds_total"),
            ("client", "memory_bytes"),
            ("client", "memory_peak_bytes"),
            ("client", "timer_lag_seconds"),
            ("server", "restarts_total"),
            ("server", "oom_kills_total"),
        ] {
            let found = of(node, metric);
            assert!(
                full.contains(&found.len()),
                "{node} {metric}: {}",
                found.len()
            );
            assert!(found.windows(2).all(|two| two[0].t < two[1].t), "{metric}");
        }
        let latest: Vec<_> = of("", "fabric_lag_seconds");
        assert!(
            latest.iter().any(|row| row.labels == "quantile=1"),
            "{latest:?}"
        );

        // While the machine is lost nothing is known of its container, and nothing is made up.
        let (began, heal) = (
            record.time("fault-began", Some("loss")),
            record.time("heal-started", Some("loss")),
        );
        let server = of("server", "cpu_seconds_total");
        let lost = |row: &&&Row| row.t > began + SECOND / 5 && row.t < heal;
        assert_eq!(server.iter().filter(lost).count(), 0, "{server:?}");
        assert!(server.iter().any(|row| row.t > heal), "{server:?}");
        let restarts: Vec<f64> = of("server", "restarts_total")
            .iter()
            .map(|r| r.value)
            .collect();
        assert!(
            restarts.is_sorted() && restarts.first() == Some(&0.0),
            "{restarts:?}"
        );
        assert_eq!(restarts.last(), Some(&1.0));

        // Counters of a container that lives only grow, and a node at work costs something.
        let cpu: Vec<f64> = of("client", "cpu_seconds_total")
            .iter()
            .map(|r| r.value)
            .collect();
        assert!(cpu.is_sorted() && cpu.last() > cpu.first(), "{cpu:?}");
    });
}
