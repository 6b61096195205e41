//! Metrics on the real engine: what stands in `samples.csv` beside what nodes report.

#![allow(clippy::unwrap_used)]

#[path = "support/packed.rs"]
mod packed;
mod support;

use packed::Packed;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Record, SECOND, Sandbox, eventually, requests, steady};

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
        // 7 s at 200 ms are 35, and what is still under way is waited for; a busy host may cost many.
        let full = 14..=45;
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

/// Pages that programs in nodes tell, over HTTP and as scripts.
const PAGES: [(&str, u32, &str); 6] = [
    ("www/index.html", 0o644, "hello from an image\n"),
    (
        "www/metrics",
        0o644,
        "# TYPE web_hits_total counter\nweb_hits_total{path=\"/a,b\",code=\"200\"} 42\nweb_up_ratio 0.5\n",
    ),
    (
        "www/cgi-bin/endless",
        0o755,
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec /bin/busybox yes 'a 1'\n",
    ),
    (
        "www/cgi-bin/lying",
        0o755,
        "#!/bin/sh\nprintf 'Content-Length: 90000\\r\\n\\r\\n'\necho a 1\n",
    ),
    ("www/cgi-bin/slow", 0o755, "#!/bin/sh\nexec sleep 30\n"),
    (
        "www/cgi-bin/many",
        0o755,
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nfor n in $(/bin/busybox seq 3000); do echo m$n 1; done\n",
    ),
];

fn scraped_lab(image: &str) -> String {
    let node = |name: &str, page: &str| {
        format!(
            "  {name}: {{ image: \"{image}\", command: [httpd, -f, -p, \"8080\", -h, /www], port: 8080, healthcheck: {{ tcp: 8080 }}, metrics: \"{page}\" }}\n"
        )
    };
    let nodes = [
        node("good", "http://:8080/metrics"),
        node("endless", "http://:8080/cgi-bin/endless"),
        node("lying", "http://:8080/cgi-bin/lying"),
        node("slow", "http://:8080/cgi-bin/slow"),
        node("junk", "http://:8080/index.html"),
        node("many", "http://:8080/cgi-bin/many"),
        node("deaf", "http://:9/metrics"),
    ];
    format!(
        "name: scraped
nodes:
{}  client: {{ role: client, load: {{ target: good, path: /index.html, rate: 10/s }} }}
scenario:
  warmup: 1s
  duration: 8s
checks:
  hits: 'metric(\"web_hits_total\", max, good) == 42'
  half: 'metric(\"web_up_ratio\", max, good) == 50%'
  read: 'metric(\"scrape_up\", mean, good) > 0.5'
  unread: 'metric(\"scrape_up\", max, slow) == 0'
",
        nodes.concat()
    )
}

/// Any image that tells metrics is read inside its network; what is endless, lies, is slow, too much or
/// nonsense is missing or counted, is named, and harms nobody.
#[test]
fn pages_of_metrics_are_read_within_bounds() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("scraped") else {
            return;
        };
        let Some(image) = Packed::new("scraped", &PAGES) else {
            return;
        };
        let file = sandbox.topology("scraped.yaml", &scraped_lab(&image.0));
        sandbox.netlab(&["run", &file]).expect(0);
        let record = sandbox.record("scraped");
        let rows = rows(&record.folder);
        let of = |node: &str, metric: &str| -> Vec<&Row> {
            let wanted = |row: &&Row| row.node == node && row.metric == metric;
            rows.iter().filter(wanted).collect()
        };
        let hits = of("good", "web_hits_total");
        assert!(hits.len() >= 4, "{hits:?}");
        assert_eq!(hits[0].labels, "path=/a_b,code=200");
        let texts: Vec<&str> = record
            .events
            .iter()
            .filter_map(|e| e["text"].as_str())
            .collect();
        for (node, why) in [
            ("endless", "longer than 1048576 bytes"),
            ("lying", "ended early"),
            ("slow", "took more than 1s"),
            ("junk", "line 1 is no sample"),
            ("deaf", "refused"),
        ] {
            let up = of(node, "scrape_up");
            assert!(
                up.len() >= 2 && up.iter().all(|row| row.value == 0.0),
                "{node}: {up:?}"
            );
            // The host may be so busy that one is late instead.
            let said = |text: &&&str| text.contains("could not be read") && text.contains(why);
            assert!(texts.iter().any(|text| said(&text)), "{why}: {texts:?}");
        }
        let many: BTreeSet<&str> = rows
            .iter()
            .filter(|row| row.node == "many" && row.metric.starts_with('m'))
            .map(|row| row.metric.as_str())
            .filter(|name| name[1..].parse::<u32>().is_ok())
            .collect();
        assert_eq!(many.len(), 1000);
        let dropped = of("many", "scrape_dropped_total");
        assert!(dropped.last().unwrap().value >= 2000.0, "{dropped:?}");
    });
}

/// What a page for Prometheus says, by series, and the families with their types.
fn get(address: &str, token: Option<&str>) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let token = token.map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\n{token}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn series(body: &str) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
    let (mut values, mut types) = (BTreeMap::new(), BTreeMap::new());
    for line in body.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap();
            let before = types.insert(name.to_owned(), kind.to_owned());
            assert_eq!(before, None, "{name} stands twice");
        } else if !line.starts_with('#') {
            let (id, value) = line.rsplit_once(' ').unwrap();
            let before = values.insert(id.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "{id} stands twice");
        }
    }
    (values, types)
}

/// A lab that is up, without a scenario: the live table, and the page for Prometheus.
#[test]
fn a_running_lab_tells_what_it_does() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("live") else {
            return;
        };
        let file = sandbox.topology(
            "live.yaml",
            "name: live
link: { rtt: 20ms, loss: 1% }
nodes:
  server: { role: server }
  client: { role: client, load: { target: server, rate: 50/s } }
",
        );
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let mut lines = serde_json::Value::Null;
        eventually("both are measured", Duration::from_secs(30), || {
            let done = sandbox.netlab(&["metrics", "--format", "json"]).expect(0);
            lines = serde_json::from_str(&done.stdout).unwrap();
            lines[0]["rate"].as_f64().is_some_and(|rate| rate > 10.0)
                && lines[0]["cpu"].is_f64()
                && lines[1]["memory_bytes"].is_f64()
        });
        assert_eq!(
            (&lines[0]["node"], &lines[1]["role"]),
            (&"client".into(), &"server".into())
        );
        let p50 = lines[0]["p50_ms"].as_f64().unwrap();
        assert!(p50 >= 20.0, "{lines}");
        let table = sandbox.netlab(&["metrics", "client"]).expect(0).stdout;
        assert!(
            table.contains("NODE") && !table.contains("server "),
            "{table}"
        );

        let open = sandbox
            .netlab(&["metrics", "--listen", "0.0.0.0:0"])
            .expect(2);
        assert!(
            open.stderr.contains("NETLAB_METRICS_TOKEN"),
            "{}",
            open.stderr
        );
        let server = sandbox.start_with(
            &["metrics", "--listen", "127.0.0.1:0"],
            &[("NETLAB_METRICS_TOKEN", "open-sesame")],
        );
        let address = &*server.page();
        assert!(get(address, None).0.starts_with("HTTP/1.1 401"));
        let (head, body) = get(address, Some("open-sesame"));
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains("version=0.0.4"),
            "{head}"
        );
        let (first, types) = series(&body);
        assert_eq!(types["netlab_requests_total"], "counter");
        assert_eq!(types["netlab_request_duration_seconds"], "histogram");
        assert_eq!(types["netlab_memory_bytes"], "gauge");
        // Another reader of the format takes every line.
        let read = netlab::metrics::read_page(&body, 100_000).unwrap();
        assert_eq!(read.samples.len(), first.len());
        eventually("it counts on", Duration::from_secs(20), || {
            let (second, _) = series(&get(address, Some("open-sesame")).1);
            let counts = ["_total{", "_bucket{", "_count{", "_sum{"];
            let counters = first
                .iter()
                .filter(|(id, _)| counts.iter().any(|c| id.contains(c)));
            for (id, value) in counters {
                assert!(second[id] >= *value, "{id}: {value}, then {}", second[id]);
            }
            let asked = |all: &BTreeMap<String, f64>| -> f64 {
                let ours = "netlab_requests_total{lab=\"live\",node=\"client\",role=\"client\"";
                let ours = all.iter().filter(|(id, _)| id.starts_with(ours));
                ours.map(|(_, value)| value).sum()
            };
            asked(&second) > asked(&first)
        });
        server.signal(2);
        server.finish().expect(130);
    });
}

/// A program of Debian's packages prometheus and prometheus-node-exporter: in the folder into which
/// `.ci/run full` unpacks them, or where they are installed.
fn of_prometheus(path: &str) -> PathBuf {
    let folder = std::env::var_os("NETLAB_PROMETHEUS").unwrap_or("/".into());
    let program = Path::new(&folder).join(path);
    let there = program.is_file();
    assert!(
        there,
        "{} is missing: install prometheus and prometheus-node-exporter, or unpack them into $NETLAB_PROMETHEUS",
        program.display()
    );
    program
}

/// An image with the real exporter and the libraries that it needs.
fn exporter() -> Option<Packed> {
    let mut files = Vec::new();
    let mut pack = |from: &Path, to: &str| {
        let bytes = std::fs::read(from).unwrap();
        files.push((to.trim_start_matches('/').to_owned(), 0o755, bytes));
    };
    let program = of_prometheus("usr/bin/prometheus-node-exporter");
    pack(&program, "/bin/node_exporter");
    let needs = Command::new("ldd").arg(&program).output().unwrap();
    let needs = String::from_utf8(needs.stdout).unwrap();
    for library in needs
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        pack(Path::new(library), library);
    }
    let files: Vec<(&str, u32, &[u8])> = files
        .iter()
        .map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.as_slice()))
        .collect();
    Packed::new("exporter", &files)
}

/// What a real reader of the format finds wrong with a page, a line each.
fn complaints(page: &str) -> BTreeSet<String> {
    let mut check = Command::new(of_prometheus("usr/bin/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(page.as_bytes())
        .unwrap();
    let done = check.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    said.lines().map(str::to_owned).collect()
}

/// A real exporter is read, checks speak of its metrics, every request is recorded because the command
/// says so, and Prometheus' own tool finds nothing wrong with the page of the lab.
#[test]
#[ignore = "needs Debian's prometheus and prometheus-node-exporter: `.ci/run full` runs it"]
fn a_real_exporter_is_read_and_a_real_reader_is_content() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("exporter") else {
            return;
        };
        let Some(image) = exporter() else {
            return;
        };
        let image = &image.0;
        let text = format!(
            "name: exporter
nodes:
  machine:
    image: \"{image}\"
    command: [node_exporter, \"--web.listen-address=:9100\"]
    port: 9100
    healthcheck: {{ tcp: 9100 }}
    metrics: \"http://:9100/metrics\"
  client: {{ role: client, load: {{ target: machine, path: /, rate: 10/s }} }}
  server: {{ role: server }}
  user: {{ role: client, load: {{ target: server, rate: 20/s, writes: 50% }} }}
scenario:
  warmup: 1s
  duration: 5s
checks:
  the host has a load: 'metric(\"node_load1\", max, machine) >= 0'
  memory is told: 'metric(\"node_memory_MemTotal_bytes\", min, machine) > 1MiB'
  it is read: 'metric(\"scrape_up\", mean, machine) > 0.5'
  nothing is left out: 'metric(\"scrape_dropped_total\", last, machine) < 1000'
"
        );
        let file = sandbox.topology("exporter.yaml", &text);
        sandbox
            .netlab(&["up", &file, "--record", "requests"])
            .expect(0);
        let server = sandbox.start(&["metrics", "--listen", "127.0.0.1:0"]);
        let (_, body) = get(&server.page(), None);
        server.signal(2);
        server.finish().expect(130);
        let url = "http://127.0.0.1:9100/metrics";
        let own = sandbox.netlab(&["exec", "machine", "--", "wget", "-q", "-O", "-", url]);
        let own = own.expect(0).stdout;
        sandbox.netlab(&["down", "exporter"]).expect(0);
        for family in [
            "node_load1{",
            "netlab_requests_total{",
            "netlab_memory_bytes{",
        ] {
            assert!(body.contains(family), "{family}: {body}");
        }
        // The names of the program are its own.
        let known = complaints(&own);
        let more: Vec<String> = complaints(&body).difference(&known).cloned().collect();
        assert_eq!(more, Vec::<String>::new());
        let wrong = complaints("# TYPE a_total gauge\na_total 1\n");
        assert!(!wrong.is_empty(), "the ruler measures");

        let record = sandbox.record("exporter");
        let rows = rows(&record.folder);
        let loads = rows.iter().filter(|row| row.metric == "node_load1");
        let loads: Vec<f64> = loads.map(|row| row.value).collect();
        assert!(loads.len() >= 2, "{loads:?}");
        let mine: f64 = std::fs::read_to_string("/proc/loadavg")
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let near = |load: &&f64| (*load / mine.max(0.1)).abs() < 10.0;
        assert!(loads.iter().any(|load| near(&load)), "{loads:?}, {mine}");
        each_request_stands_alone(&record);
    });
}

/// Both loads have as many rows as requests were counted.
fn each_request_stands_alone(record: &Record) {
    let rows = requests::rows(record);
    for node in ["client", "user"] {
        let counted = record.latency.iter().filter(|row| row.node == node);
        let counted: u64 = counted.map(|row| row.count).sum();
        let alone = rows.iter().filter(|row| row.node == node).count();
        assert!(
            counted > 20 && alone as u64 == counted,
            "{node}: {alone} of {counted}"
        );
    }
}
