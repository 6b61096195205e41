//! Published ports on the real engine: what is asked at this machine crosses the fabric from `host`.

#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::Signal;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use support::{SECOND, Sandbox, docker, eventually, steady, success};

const LAB: &str = r#"
name: ports
nodes:
  server: { role: server, ports: ["80"] }
  other: { role: server, count: 2, ports: ["80"] }
"#;

const PATIENCE: Duration = Duration::from_secs(20);

/// How long an answer takes, or why none comes within a second.
fn get(address: SocketAddr) -> Result<Duration, ErrorKind> {
    let begin = Instant::now();
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = [0; 15];
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        Ok(begin.elapsed())
    };
    ask().map_err(|error: std::io::Error| error.kind())
}

fn silent(address: SocketAddr) -> bool {
    matches!(
        get(address),
        Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)
    )
}

fn answers(address: SocketAddr) -> bool {
    get(address).is_ok()
}

fn closed(address: SocketAddr) -> bool {
    get(address) == Err(ErrorKind::ConnectionRefused)
}

fn address(sandbox: &Sandbox, lab: &str, node: &str) -> SocketAddr {
    let said = sandbox
        .netlab(&["port", node, "80", "--lab", lab])
        .expect(0);
    said.stdout.trim().parse().unwrap()
}

/// The shipped lab: the link's time is felt, the cut link and the lost machine are silent, and the server's
/// own client notices only the latter.
#[test]
fn the_shipped_lab_shows_what_is_between_host_and_server() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("published") else {
            return;
        };
        let up = ["up", "-d", "topologies/published.yaml"];
        let up = sandbox.netlab(&up).expect(0);
        let server = address(&sandbox, "published", "server");
        assert!(server.ip().is_loopback(), "{server}");
        let told = format!("{server} -> server:80");
        assert!(up.stdout.contains(&told), "{}", up.stdout);
        let ps = sandbox.netlab(&["ps", "published"]).expect(0).stdout;
        assert!(ps.contains(&format!("{server}->80")), "{ps}");

        // Two round trips: a connection, and an answer.
        let took = get(server).unwrap();
        assert!(took >= Duration::from_millis(160), "{took:?}");
        eventually("the cut is felt", PATIENCE, || silent(server));
        eventually("the cut heals", PATIENCE, || answers(server));
        eventually("a lost machine is silent", PATIENCE, || silent(server));
        eventually("the machine is back", PATIENCE, || answers(server));
        sandbox.netlab(&["wait", "published"]).expect(0);
        sandbox.netlab(&["down", "published"]).expect(0);
        assert!(closed(server));

        let record = sandbox.record("published");
        let during = |fault: &str| {
            let began = record.time("fault-began", Some(fault));
            let heal = record.time("heal-started", Some(fault));
            let (share, all) = success(&record.outcomes(began + SECOND / 10, heal, |_| true));
            assert!(all >= 60, "{fault}: {all}");
            share
        };
        assert!(during("host-off") >= 0.99);
        assert!(during("server-lost") <= 0.01);
    });
}

/// Ports come and go while a lab is up, are back with the agent, and two labs have their own.
#[test]
fn ports_come_and_go() {
    let Some(sandbox) = Sandbox::new("moves") else {
        return;
    };
    let file = sandbox.topology("ports.yaml", LAB);
    sandbox.netlab(&["up", "-d", &file]).expect(0);
    sandbox
        .netlab(&["up", "-d", &file, "--name", "second"])
        .expect(0);
    let server = address(&sandbox, "ports", "server");
    let second = address(&sandbox, "second", "server");
    assert!(server != second && answers(server) && answers(second));
    sandbox.netlab(&["down", "second"]).expect(0);
    assert!(closed(second) && answers(server));

    // One port goes, one comes at a number that is named, one stays: no container is touched.
    let other = address(&sandbox, "ports", "other-1");
    let containers = || {
        docker(&[
            "ps",
            "-q",
            "--no-trunc",
            "--filter",
            "label=netlab.lab=ports",
        ])
    };
    let before = containers();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let named = free.local_addr().unwrap();
    let other_text = LAB
        .replace("count: 2, ports: [\"80\"]", "count: 2")
        .replace(
            "server, ports: [\"80\"]",
            &format!("server, ports: [\"80\", \"{}:80\"]", named.port()),
        );
    let changed = sandbox.topology("changed.yaml", &other_text);
    let refused = sandbox.netlab(&["up", "-d", &changed]);
    assert_ne!(refused.code, 0);
    let why = format!("port {named} of the engine's host is taken");
    assert!(refused.stderr.contains(&why), "{}", refused.stderr);
    assert!(answers(other), "what was published still is");
    drop(free);
    sandbox.netlab(&["up", "-d", &changed]).expect(0);
    assert!(closed(other) && answers(named) && answers(server));
    assert_eq!(containers(), before);
    let list = sandbox.netlab(&["port", "--format", "json"]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);

    // The engine brings the agent back, and the agent its ports: at the same numbers.
    let agent = || sandbox.pid("netlab-ports.agent");
    let first = agent();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), Signal::SIGKILL).unwrap();
    eventually("the ports are back with the agent", PATIENCE, || {
        agent() != first && answers(server) && answers(named)
    });
}

/// A port that somebody else has is named, and nothing is left of the lab.
#[test]
fn a_port_that_is_taken_is_named_and_the_lab_undone() {
    let Some(sandbox) = Sandbox::new("taken") else {
        return;
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!(
        "name: taken\nnodes:\n  server: {{ role: server, ports: [\"{}:80\"] }}\n",
        address.port()
    );
    let file = sandbox.topology("taken.yaml", &text);
    let up = sandbox.netlab(&["up", "-d", &file]).expect(5);
    let why = format!("port {address} of the engine's host is taken");
    assert!(up.stderr.contains(&why), "{}", up.stderr);
    assert_eq!(sandbox.objects(), Vec::<String>::new());
}
