//! Published ports on the real engine: what is asked at this machine crosses the fabric from `host`.

#![allow(clippy::unwrap_used)]

#[path = "support/packed.rs"]
mod packed;
mod support;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::Signal;
use packed::Packed;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Answers every datagram at port 53 with itself, from inside the network of a process, until dropped.
struct Echo(Arc<AtomicBool>);

impl Echo {
    fn of(pid: i32) -> Echo {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let (tell, bound) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            let socket = UdpSocket::bind("0.0.0.0:53").unwrap();
            let patience = Some(Duration::from_millis(50));
            socket.set_read_timeout(patience).unwrap();
            tell.send(()).unwrap();
            let mut buffer = vec![0; 1 << 16];
            while !seen.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    let _ = socket.send_to(&buffer[..length], from);
                }
            }
        });
        bound.recv_timeout(PATIENCE).unwrap();
        Echo(over)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client of a UDP port, which waits a second for an answer.
fn asker(to: SocketAddr) -> UdpSocket {
    let any = SocketAddr::new(to.ip(), 0);
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(to).unwrap();
    let second = Some(Duration::from_secs(1));
    socket.set_read_timeout(second).unwrap();
    socket
}

/// How long the echo of a datagram takes; none: it did not come.
fn echo(socket: &UdpSocket, question: &[u8]) -> Option<Duration> {
    let (begin, mut answer) = (Instant::now(), vec![0; 1 << 16]);
    socket.send(question).unwrap();
    // One that came late answers an earlier question.
    while let Ok(length) = socket.recv(&mut answer) {
        if answer[..length] == *question {
            return Some(begin.elapsed());
        }
    }
    None
}

/// What `netlab port` says of the echo's port.
fn echo_at(sandbox: &Sandbox, port: &str) -> Vec<SocketAddr> {
    let said = sandbox.netlab(&["port", "echo", port]).expect(0).stdout;
    said.lines().map(|line| line.parse().unwrap()).collect()
}

/// More clients than a UDP port remembers: those silent for longest are forgotten, and the metric says how
/// many.
fn clients_beyond_the_bound_are_counted(sandbox: &Sandbox, port: SocketAddr) {
    let server = sandbox.start(&["metrics", "--lab", "datagrams", "--listen", "127.0.0.1:0"]);
    let url = format!("http://{}/metrics", server.page());
    let dropped = || {
        let read = Command::new("curl")
            .args(["--silent", &url])
            .output()
            .unwrap();
        let text = String::from_utf8(read.stdout).unwrap();
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("netlab_udp_flows_dropped_total{"))?;
        line.rsplit_once(' ')?.1.parse::<f64>().ok()
    };
    eventually("the metric is told before it happens", PATIENCE, || {
        dropped() == Some(0.0)
    });
    // 256 are remembered (README). All stay open: the kernel gives the port of a closed one to a later one.
    let clients: Vec<UdpSocket> = (0..256 + 40).map(|_| asker(port)).collect();
    for client in &clients {
        client.send(b"one of many").unwrap();
    }
    eventually("those that gave way are counted", PATIENCE, || {
        dropped().is_some_and(|count| count >= 40.0)
    });
    server.signal(2);
    server.finish().expect(130);
}

/// Datagrams cross the link from `host` as connections do, and faults are felt.
#[test]
fn datagrams_cross_the_fabric_and_find_their_way_back() {
    let Some(sandbox) = Sandbox::new("datagrams") else {
        return;
    };
    let Some(image) = Packed::new::<&[u8]>("datagrams", &[]) else {
        return;
    };
    let text = format!(
        "name: datagrams
nodes:
  echo: {{ image: \"{}\", command: [sleep, \"600\"], ports: [53/udp, \"[::1]::53/udp\", \"53\"] }}
links: [{{ between: [host, echo], rtt: 80ms }}]
",
        image.0
    );
    let file = sandbox.topology("datagrams.yaml", &text);
    let up = sandbox.netlab(&["up", "-d", &file]).expect(0);
    let all = echo_at(&sandbox, "53/udp");
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all.iter().all(|at| at.ip().is_loopback()), "{all:?}");
    assert!(up.stdout.contains(&format!("{} -> echo:53/udp", all[0])));
    let ps = sandbox.netlab(&["ps", "datagrams"]).expect(0).stdout;
    assert!(ps.contains(&format!("{}->53/udp", all[1])), "{ps}");
    assert!(
        !all.contains(&echo_at(&sandbox, "53")[0]),
        "a number alone means TCP"
    );

    // Both families, a link's time, every length, and each client its own answers.
    let container = "netlab-datagrams.echo";
    let answering = Echo::of(sandbox.pid(container));
    let clients: Vec<UdpSocket> = all.iter().chain(&all).map(|at| asker(*at)).collect();
    for client in &clients {
        client
            .send(client.local_addr().unwrap().to_string().as_bytes())
            .unwrap();
    }
    for client in &clients {
        let mut answer = [0; 64];
        let length = client.recv(&mut answer).unwrap();
        let own = client.local_addr().unwrap().to_string();
        assert_eq!(&answer[..length], own.as_bytes());
    }
    let client = &clients[0];
    for length in [0, 1_400, 1_500, 65_507] {
        let took = echo(client, &vec![7; length]);
        let took = took.unwrap_or_else(|| panic!("{length} bytes did not come back"));
        assert!(took >= Duration::from_millis(80), "{length}: {took:?}");
    }

    let inject = |fault: &[&str]| {
        let begin = ["fault", "inject"].iter().chain(fault);
        sandbox
            .netlab(&begin.copied().collect::<Vec<_>>())
            .expect(0);
    };
    inject(&["cut", "--between", "host,echo"]);
    assert_eq!(echo(client, b"cut"), None);
    sandbox.netlab(&["fault", "heal", "--all"]).expect(0);
    eventually("the cut heals", PATIENCE, || echo(client, b"?").is_some());
    inject(&["kill", "echo"]);
    assert_eq!(echo(client, b"dead"), None);
    drop(answering);
    sandbox.netlab(&["fault", "heal", "--all"]).expect(0);
    let _answering = Echo::of(sandbox.pid(container));
    eventually("the machine is back", PATIENCE, || {
        echo(client, b"!").is_some()
    });

    // One port goes, one comes at a number that is named: no container is touched.
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let named = taken.local_addr().unwrap();
    let entry = format!("\"{}:53/udp\"", named.port());
    let other = sandbox.topology("other.yaml", &text.replace("\"[::1]::53/udp\"", &entry));
    let refused = sandbox.netlab(&["up", "-d", &other]);
    let why = format!("port {named}/udp of the engine's host is taken");
    assert!(
        refused.code != 0 && refused.stderr.contains(&why),
        "{}",
        refused.stderr
    );
    assert!(echo(&clients[1], b"still").is_some());
    drop(taken);
    let pid = sandbox.pid(container);
    sandbox.netlab(&["up", "-d", &other]).expect(0);
    assert_eq!(sandbox.pid(container), pid);
    assert!(echo_at(&sandbox, "53/udp").contains(&named));
    assert!(echo(&asker(named), b"new").is_some());
    assert!(echo(client, b"kept").is_some());
    UdpSocket::bind(all[1]).unwrap();
    // The same number at every address takes its place.
    let entry = format!("\"0.0.0.0:{}:53/udp\"", named.port());
    let wide = sandbox.topology("wide.yaml", &text.replace("\"[::1]::53/udp\"", &entry));
    sandbox.netlab(&["up", "-d", &wide]).expect(0);
    assert!(echo(&asker(named), b"wide").is_some());
    clients_beyond_the_bound_are_counted(&sandbox, named);
    sandbox.netlab(&["down", "datagrams"]).expect(0);
    UdpSocket::bind(named).unwrap();
}
