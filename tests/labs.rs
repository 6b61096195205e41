//! Labs on the real engine, from file to record: what the shipped topologies promise.

#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::Signal;
use std::time::Duration;
use support::{SECOND, Sandbox, docker, eventually, steady, success};

/// The server is lost for five seconds: what was intended meanwhile times out in silence, and
/// from two seconds after the heal was started nearly everything succeeds again.
#[test]
fn a_lost_server_costs_everything_until_it_is_back() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("client-server") else {
            return;
        };
        let done = sandbox
            .netlab(&["up", "topologies/client-server.yaml"])
            .expect(0);
        assert!(done.stdout.contains("server-loss"), "{}", done.stdout);
        let record = sandbox.record("client-server");
        let began = record.time("fault-began", Some("server-loss"));
        let heal = record.time("heal-started", Some("server-loss"));
        let end = record.time("run-ended", None);

        let lost = record.outcomes(began + SECOND / 10, heal, |_| true);
        let (share, all) = success(&lost);
        assert!(all >= 100 && share <= 0.01, "{share} of {lost:?}");
        // A machine that is gone is silent: nothing but timeouts, at the end perhaps a late answer.
        let timeouts = lost.get("timeout").copied().unwrap_or(0);
        assert!(timeouts as f64 >= 0.99 * all as f64, "{lost:?}");

        let back = record.outcomes(heal + 2 * SECOND, end - SECOND, |_| true);
        let (share, all) = success(&back);
        assert!(all >= 100 && share >= 0.99, "{share} of {back:?}");

        for artefact in [
            "lab.json",
            "plan.txt",
            "timeline.json",
            "summary.json",
            "env.json",
            "links.csv",
            "report.html",
            "topology.yaml",
            "logs/server.log",
        ] {
            assert!(record.folder.join(artefact).exists(), "no {artefact}");
        }
        sandbox.netlab(&["down", "client-server"]).expect(0);
        assert_eq!(sandbox.objects(), Vec::<String>::new());
        sandbox.netlab(&["down", "client-server"]).expect(0);
    });
}

/// The same loss as a process: its kernel refuses.
#[test]
fn a_lost_process_is_refused() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("process") else {
            return;
        };
        let file = sandbox.topology(
            "process.yaml",
            &format!(
                "{QUICK}
    loss: {{ at: 1s, for: 3s, kill: server, as: process }}
"
            ),
        );
        sandbox.netlab(&["up", &file]).expect(0);
        let record = sandbox.record("quick");
        let began = record.time("fault-began", Some("loss"));
        let heal = record.time("heal-started", Some("loss"));
        let lost = record.outcomes(began + SECOND / 10, heal, |_| true);
        let refused = lost.get("refused").copied().unwrap_or(0);
        let all: u64 = lost.values().sum();
        assert!(all >= 50 && refused as f64 >= 0.98 * all as f64, "{lost:?}");
    });
}

/// In the mesh the loss of two of eight peers costs the live peers their share of requests.
#[test]
fn two_lost_peers_cost_their_share() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("mesh") else {
            return;
        };
        sandbox.netlab(&["up", "topologies/mesh.yaml"]).expect(0);
        let record = sandbox.record("mesh");
        let lost = lost_share(&record, "peers-lost", &["peer-3", "peer-6"]);
        assert!((lost - 2.0 / 8.0).abs() <= 0.03, "{lost}");
    });
}

/// In the ring a lost peer also costs what would have passed it: 12 of 42, counted in the file.
#[test]
fn a_lost_peer_of_a_ring_costs_what_would_have_passed_it() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("ring") else {
            return;
        };
        sandbox.netlab(&["up", "topologies/ring.yaml"]).expect(0);
        let lost = lost_share(&sandbox.record("ring"), "peer-lost", &["peer-4"]);
        assert!((lost - 12.0 / 42.0).abs() <= 0.03, "{lost}");
    });
}

/// Share of failed requests of the peers that live, from their second after the loss on.
fn lost_share(record: &support::Record, fault: &str, dead: &[&str]) -> f64 {
    let began = record.time("fault-began", Some(fault));
    let heal = record.time("heal-started", Some(fault));
    let alive = |row: &support::Latency| !dead.contains(&row.node.as_str());
    let (share, all) = success(&record.outcomes(began + SECOND / 10, heal, alive));
    assert!(all >= 100, "{all}");
    1.0 - share
}

const QUICK: &str = "name: quick
nodes:
  server: { role: server, service: { time: 1ms } }
  client: { role: client, count: 2, load: { target: server, rate: 20/s, timeout: 500ms } }
link: { rtt: 20ms }
scenario:
  warmup: 1s
  duration: 7s
  faults:";

/// Names and addresses of both families work for any program in a node's network, and the
/// declared delay is what `ping` sees.
#[test]
fn any_program_reaches_the_server_by_name() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("names") else {
            return;
        };
        let file = sandbox.topology(
            "names.yaml",
            &QUICK.replace("\nscenario:\n  warmup: 1s\n  duration: 7s\n  faults:", "\n"),
        );
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let pid = sandbox.pid("netlab-quick.client-1").to_string();
        let resolv = docker(&[
            "inspect",
            "--format",
            "{{.ResolvConfPath}}",
            "netlab-quick.client-1",
        ]);
        let inside = |command: &str| {
            let script = format!("mount --bind {resolv} /etc/resolv.conf && {command}");
            let output = std::process::Command::new("nsenter")
                .args(["-t", &pid, "-n", "unshare", "-m", "sh", "-c", &script])
                .output()
                .unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        for family in ["-4", "-6"] {
            let url = "http://server/healthz";
            let code = inside(&format!(
                "curl {family} -sS -m 5 -o /dev/null -w '%{{http_code}}' {url}"
            ));
            assert_eq!(code, "200", "curl {family}");
            // Never earlier than declared; how much later is the host's affair.
            let rtt = inside(&format!("ping {family} -n -c 5 -i 0.2 server"));
            let min: f64 = rtt
                .rsplit("= ")
                .next()
                .unwrap()
                .split('/')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert!((20.0..30.0).contains(&min), "ping {family}: {rtt}");
        }
    });
}

/// What the file says of a link is what packets meet: every fifth is lost, all arrive twice, and what
/// is larger than the mtu is refused.
#[test]
fn declared_properties_reach_the_wire() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("properties") else {
            return;
        };
        let file = sandbox.topology(
            "properties.yaml",
            "name: properties
nodes: { a: { role: server }, b: { role: server }, c: { role: server, downlink: 1mbit } }
links:
  - { from: a, to: b, loss: { every: 5 }, mtu: 1300 }
  - { from: b, to: a, duplicate: 100%, delay: 30ms, trace: slow.trace }
",
        );
        sandbox.topology("slow.trace", "50\n");
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let pid = sandbox.pid("netlab-properties.a").to_string();
        let ping = |args: &str| {
            let output = std::process::Command::new("nsenter")
                .args(["-t", &pid, "-n", "ping", "-n"])
                .args(args.split(' '))
                .output()
                .unwrap();
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        let lossy = ping("-c 20 -i 0.2 -W 5 10.77.0.3");
        assert!(
            lossy.contains("20 packets transmitted, 16 received"),
            "{lossy}"
        );
        assert!(lossy.contains("+16 duplicates"), "{lossy}");
        let large = ping("-c 3 -i 0.2 -W 5 -M do -s 1400 10.77.0.3");
        assert!(large.contains("mtu") && large.contains("1300"), "{large}");
        // 8 packets of 1428 bytes need 91 ms at 1 mbit; what comes back is not held up.
        let slow = ping("-c 8 -i 0.002 -l 8 -W 5 -s 1400 10.77.0.4");
        let max = slow.rsplit("= ").next().unwrap().split('/').nth(2).unwrap();
        assert!(max.parse::<f64>().unwrap() >= 80.0, "{slow}");
        sandbox.netlab(&["down", "properties"]).expect(0);
    });
}

/// Types of the blocks of a pcapng file, read by what the format says (draft-ietf-opsawg-pcapng).
fn blocks(file: &[u8]) -> Vec<u32> {
    let word = |at: usize| u32::from_le_bytes(*file[at..].first_chunk().unwrap());
    let (mut at, mut kinds) = (0, Vec::new());
    while at < file.len() {
        let length = word(at + 4);
        assert_eq!(word(at + length as usize - 4), length, "both lengths agree");
        kinds.push(word(at));
        at += length as usize;
    }
    assert_eq!(at, file.len(), "the file ends with a block");
    kinds
}

/// Three looks at the links of a client: one head, then rows with the time of each look.
fn watched_as_csv(sandbox: &Sandbox) {
    let watch = sandbox.start(&["links", "--watch", "client-1", "--format", "csv"]);
    let times = || {
        let text = watch.stdout();
        let first = |line: &str| line.split(',').next().map(str::to_owned);
        let mut times: Vec<String> = text.lines().filter_map(first).collect();
        times.dedup();
        times
    };
    eventually(
        "links were looked at thrice",
        Duration::from_secs(30),
        || times().len() > 3,
    );
    let times = times();
    watch.signal(2);
    watch.finish().expect(130);
    let [head, looks @ ..] = times.as_slice() else {
        unreachable!()
    };
    assert_eq!(head, "time");
    assert!(looks.is_sorted() && !looks.contains(head), "{looks:?}");
}

/// What links carried is told in numbers, and packet by packet.
#[test]
fn links_are_counted_and_captured() {
    const PACKET: u32 = 6;
    const STATISTICS: u32 = 5;
    steady(|| {
        let Some(sandbox) = Sandbox::new("links") else {
            return;
        };
        let lab = QUICK.split("scenario:").next().unwrap();
        let file = sandbox.topology("links.yaml", lab);
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let patience = Duration::from_secs(60);
        eventually("requests cross the links", patience, || {
            let links = sandbox.netlab(&["links", "--format", "csv"]).expect(0);
            links.stdout.contains("client-1,server,10ms")
        });
        let links = sandbox.netlab(&["links", "client-1", "--format", "json"]);
        let rows: serde_json::Value = serde_json::from_str(&links.expect(0).stdout).unwrap();
        for row in rows.as_array().unwrap() {
            assert!(
                row["from"] == "client-1" || row["to"] == "client-1",
                "{row}"
            );
            assert!(row["delay_p50_us"].as_u64().unwrap() >= 10_000, "{row}");
        }
        watched_as_csv(&sandbox);
        sandbox
            .netlab(&["fault", "inject", "cut", "--between", "client-1,server"])
            .expect(0);
        let table = sandbox.netlab(&["links", "client-1"]).expect(0).stdout;
        let line = table
            .lines()
            .find(|line| line.contains("client-1 → server"));
        let said: Vec<&str> = line.unwrap().split_whitespace().collect();
        assert_eq!(said[3..5], ["10ms", "down"], "{table}");
        sandbox.netlab(&["fault", "heal", "--all"]).expect(0);
        let table = sandbox.netlab(&["links", "client-1"]).expect(0).stdout;
        assert!(!table.contains("IN FORCE"), "{table}");
        // Nobody has 10.77.0.200; the node is told so.
        let pid = sandbox.pid("netlab-quick.client-1").to_string();
        let ping = ["-t", &pid, "-n", "ping", "-c1", "-W1", "10.77.0.200"];
        let _ = std::process::Command::new("nsenter").args(ping).output();
        let nodes = sandbox.netlab(&["links", "--nodes", "--format", "json"]);
        let nodes: serde_json::Value = serde_json::from_str(&nodes.expect(0).stdout).unwrap();
        let nodes = nodes.as_array().unwrap();
        let sent = nodes.iter().find(|row| row["node"] == "client-1").unwrap();
        assert_eq!(sent["unroutable"], 1, "{nodes:?}");
        let table = sandbox.netlab(&["links"]).expect(0).stdout;
        assert!(table.contains("UNROUTABLE"), "{table}");
        let path = sandbox.runs.path().join("two.pcapng");
        let target = path.display().to_string();
        let args = [
            "capture", "client-1", "server", "-w", &target, "--for", "2s",
        ];
        let done = sandbox.netlab(&args).expect(0);
        let kinds = blocks(&std::fs::read(&path).unwrap());
        let packets = kinds.iter().filter(|kind| **kind == PACKET).count();
        assert!(packets >= 20, "two seconds at 20 requests/s: {packets}");
        assert_eq!(kinds.last(), Some(&STATISTICS));
        let said = format!("{packets} packets, ");
        assert!(done.stderr.contains(&said), "{said}{}", done.stderr);
        let none = sandbox
            .netlab(&["capture", "clint-1", "-w", &target])
            .expect(2);
        assert!(
            none.stderr.contains("did you mean `client-1`?"),
            "{}",
            none.stderr
        );
        a_capture_ends_with_its_lab(&sandbox);
    });
}

/// Its file is not whole, and it says so.
fn a_capture_ends_with_its_lab(sandbox: &Sandbox) {
    let path = sandbox.runs.path().join("cut.pcapng");
    let capture = sandbox.start(&["capture", "-w", &path.display().to_string()]);
    eventually("packets are written", Duration::from_secs(30), || {
        std::fs::metadata(&path).is_ok_and(|file| file.len() > 0)
    });
    sandbox.netlab(&["down"]).expect(0);
    let said = capture
        .finish_within(Duration::from_secs(30))
        .expect(5)
        .stderr;
    assert!(said.contains("the capture broke off after"), "{said}");
}

/// The agent is killed while it plays: the engine brings it back, it wires the nodes again, and
/// the run says that it is inconclusive.
#[test]
fn a_killed_agent_comes_back() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("agent") else {
            return;
        };
        let file = sandbox.topology(
            "quick.yaml",
            &format!(
                "{}
    cut: {{ at: 10s, for: 1s, cut: {{ between: [client-1, server] }} }}
",
                QUICK.replace("duration: 7s", "duration: 15s")
            ),
        );
        let up = sandbox.start(&["up", &file]);
        let pid = |node: &str| sandbox.pid(&format!("netlab-quick.{node}"));
        eventually("the run begins", Duration::from_secs(60), || {
            up.stderr().contains("warm-up is over")
        });
        let agent = pid("agent");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(agent), Signal::SIGKILL).unwrap();
        let done = up.finish().expect(3);
        assert!(done.stdout.contains("inconclusive"), "{}", done.stdout);
        assert_ne!(pid("agent"), agent);
        let record = sandbox.record("quick");
        let resumed = record.time("agent-resumed", None);
        let (share, all) = success(&record.outcomes(
            resumed + 3 * SECOND,
            record.time("fault-began", Some("cut")),
            |_| true,
        ));
        assert!(
            all >= 40 && share >= 0.99,
            "{share} of {all} after the agent came back"
        );
    });
}

/// SIGKILL of the CLI at twenty instants of `up`: `down --all` leaves nothing, each time.
#[test]
fn a_killed_cli_leaves_nothing_that_down_does_not_find() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("sigkill") else {
            return;
        };
        let file = sandbox.topology("quick.yaml", &format!("{QUICK} {{}}\n"));
        // One whole start tells how long it takes; the instants are spread over a little more.
        let begin = std::time::Instant::now();
        sandbox.netlab(&["up", "-d", &file]).expect(0);
        let whole = begin.elapsed();
        sandbox.netlab(&["down", "--all"]).expect(0);
        for i in 0..20_u32 {
            let mut up = sandbox.start(&["up", "-d", &file]);
            // Waits as long as this instant says, or until `up` has ended by itself.
            let instant = std::time::Instant::now() + whole.mul_f64(f64::from(i) / 18.0);
            while std::time::Instant::now() < instant && up.child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            up.signal(9);
            up.finish();
            sandbox.netlab(&["down", "--all"]).expect(0);
            assert_eq!(
                sandbox.objects(),
                Vec::<String>::new(),
                "killed at {i}/18 of {whole:?}"
            );
        }
    });
}

/// Ctrl-C while starting undoes; while playing it detaches and says how to remove the lab.
#[test]
fn ctrl_c() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("ctrl-c") else {
            return;
        };
        let file = sandbox.topology("quick.yaml", &format!("{QUICK} {{}}\n"));
        let up = sandbox.start(&["up", &file]);
        eventually("a container is there", Duration::from_secs(60), || {
            !sandbox.objects().is_empty()
        });
        up.signal(2);
        let done = up.finish().expect(130);
        assert!(
            done.stderr.contains("removed, nothing is left"),
            "{}",
            done.stderr
        );
        assert_eq!(sandbox.objects(), Vec::<String>::new());

        let up = sandbox.start(&["up", &file]);
        eventually("the run begins", Duration::from_secs(60), || {
            up.stderr().contains("warm-up is over")
        });
        up.signal(2);
        let done = up.finish().expect(130);
        assert!(done.stderr.contains("netlab down quick"), "{}", done.stderr);
        assert!(!sandbox.objects().is_empty(), "the lab goes on");
        sandbox.netlab(&["wait", "quick"]).expect(0);
        sandbox.netlab(&["down", "quick"]).expect(0);
        sandbox.record("quick").time("run-ended", None);
    });
}

/// Two labs side by side do not touch each other, and a foreign container is never touched.
#[test]
fn two_labs_and_a_stranger() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("two") else {
            return;
        };
        let file = sandbox.topology(
            "quick.yaml",
            &format!(
                "{QUICK}
    loss: {{ at: 1s, for: 2s, kill: server }}
"
            ),
        );
        let a = sandbox.start(&["up", &file, "--name", "one"]);
        let b = sandbox.start(&["up", &file, "--name", "two", "--set", "x=1"]);
        b.finish().expect(4);
        let b = sandbox.start(&["up", &file, "--name", "two"]);
        a.finish().expect(0);
        b.finish().expect(0);
        let image = docker(&[
            "inspect",
            "--format",
            "{{.Config.Image}}",
            "netlab-one.server",
        ]);
        let stranger = docker(&[
            "create",
            "--label",
            "netlab.lab.not=ours",
            "--entrypoint",
            "/netlab-node",
            &image,
            "--version",
        ]);
        sandbox.netlab(&["down", "one"]).expect(0);
        let left = sandbox.objects();
        assert!(
            left.iter().any(|o| o == "container netlab-two.server"),
            "{left:?}"
        );
        assert!(!left.iter().any(|o| o.contains("netlab-one")), "{left:?}");
        let ps = sandbox.netlab(&["ps", "--format", "json"]).expect(0);
        assert!(ps.stdout.contains("\"two\""), "{}", ps.stdout);
        sandbox.netlab(&["down", "--all"]).expect(0);
        assert_eq!(
            docker(&[
                "ps",
                "-aq",
                "--no-trunc",
                "--filter",
                &format!("id={stranger}")
            ]),
            stranger
        );
        docker(&["rm", &stranger]);
    });
}

/// Without a TUN device `doctor` and `up` say so, with the cure, and nothing is started.
#[test]
fn a_host_without_tun_is_told_what_to_do() {
    let Some(sandbox) = Sandbox::new("tun") else {
        return;
    };
    let hidden = |args: &str| {
        let script = format!("mount -t tmpfs none /dev/net && exec \"$0\" {args}");
        let output = std::process::Command::new("unshare")
            .args(["-m", "sh", "-c", &script, env!("CARGO_BIN_EXE_netlab")])
            .env("NETLAB_OWNER", &sandbox.owner)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    };
    for args in ["doctor", "up topologies/mesh.yaml"] {
        let (code, text) = hidden(args);
        assert_eq!(code, Some(5), "{args}: {text}");
        assert!(
            text.contains("/dev/net/tun") && text.contains("modprobe tun"),
            "{args}: {text}"
        );
    }
    assert_eq!(sandbox.objects(), Vec::<String>::new());
}
