//! A fake agent for a node under test, and a few words of HTTP.

// Each test program uses its own part of this.
#![allow(dead_code)]

mod host;

pub use host::steady;

use netlab_protocol::PROTOCOL;
use netlab_protocol::control::{Configure, REPORT_EVERY, Report, ToAgent, ToNode};
use netlab_protocol::latency::{Op, Outcome};
use netlab_protocol::role::{
    self, Arrivals, Backoff, Data, Distribution, Endpoint, Load, Role, Service,
};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// For anything that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node under test, and its agent.
pub struct Lab {
    pub folder: tempfile::TempDir,
    listener: UnixListener,
    pub node: Child,
    lines: Option<BufReader<UnixStream>>,
    /// Requests that ended, by outcome, of all reports so far.
    pub outcomes: BTreeMap<(Op, Outcome), u32>,
    /// Rows of all reports so far: slot, outcome, microseconds.
    pub rows: Vec<(u32, Outcome, u64)>,
    pub problems: Vec<String>,
    pub last: Option<Report>,
}

impl Lab {
    /// A node that was started, said hello, was configured and is ready.
    pub fn new(role: Role) -> Lab {
        let mut lab = Lab::started(tempfile::tempdir().unwrap());
        lab.connected();
        lab.configure(role);
        lab
    }

    pub fn started(folder: tempfile::TempDir) -> Lab {
        let socket = folder.path().join("control.sock");
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let node = Command::new(env!("CARGO_BIN_EXE_netlab-node"))
            .arg("run")
            .env("NETLAB_CONTROL", &socket)
            .env("NETLAB_DATA", folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Lab {
            folder,
            listener,
            node,
            lines: None,
            outcomes: BTreeMap::new(),
            rows: Vec::new(),
            problems: Vec::new(),
            last: None,
        }
    }

    /// Takes the node's connection and its hello.
    pub fn connected(&mut self) {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.lines = Some(BufReader::new(stream));
        let protocol = PROTOCOL;
        assert_eq!(self.next().unwrap(), ToAgent::Hello { protocol });
    }

    /// The agent goes away.
    pub fn disconnect(&mut self) {
        self.lines = None;
    }

    pub fn tell(&mut self, message: &ToNode) {
        self.tell_text(&serde_json::to_string(message).unwrap());
    }

    pub fn tell_text(&mut self, line: &str) {
        let lines = self.lines.as_mut().unwrap();
        lines
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    pub fn tell_role(&mut self, role: Role) {
        self.tell(&ToNode::Configure(Box::new(Configure {
            protocol: PROTOCOL,
            node: "node-1".into(),
            seed: 7,
            report_every: REPORT_EVERY,
            role,
        })));
    }

    pub fn configure(&mut self, role: Role) {
        self.tell_role(role);
        self.until(|_, message| *message == ToAgent::Ready);
    }

    /// A run begins now.
    pub fn go(&mut self, run: u32) -> u64 {
        let at = now();
        self.tell(&ToNode::Go { run, at });
        at
    }

    /// The node's next message; none when it closed the connection.
    pub fn next(&mut self) -> Option<ToAgent> {
        let mut line = String::new();
        let lines = self.lines.as_mut().unwrap();
        if lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let message = serde_json::from_str(&line).unwrap();
        match &message {
            ToAgent::Report(report) => {
                for row in &report.latency {
                    *self.outcomes.entry((row.op, row.outcome)).or_default() += row.count;
                    let row_again = (row.slot, row.outcome, row.le_us);
                    self.rows.extend((0..row.count).map(|_| row_again));
                }
                self.last = Some(report.clone());
            }
            ToAgent::Problem { text } => self.problems.push(text.clone()),
            ToAgent::Hello { .. } | ToAgent::Ready | ToAgent::Behaves { .. } => {}
        }
        Some(message)
    }

    /// Listens to the node until something is so.
    pub fn until(&mut self, mut is_so: impl FnMut(&Lab, &ToAgent) -> bool) {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let message = self.next().unwrap();
            if is_so(self, &message) {
                return;
            }
        }
        panic!("did not happen: {:?} {:?}", self.outcomes, self.problems);
    }

    pub fn count(&self, outcome: Outcome) -> u32 {
        let all = self.outcomes.iter();
        all.filter(|((_, o), _)| *o == outcome)
            .map(|(_, n)| n)
            .sum()
    }

    pub fn sample(&self, metric: &str) -> f64 {
        let samples = &self.last.as_ref().unwrap().samples;
        samples.iter().find(|s| s.metric == metric).unwrap().value
    }

    pub fn signal(&self, name: &str) {
        let id = self.node.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end of the node; its status and what it said.
    pub fn ended(&mut self) -> (ExitStatus, String) {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.node.try_wait().unwrap() {
                let mut said = String::new();
                let mut stderr = self.node.stderr.take().unwrap();
                stderr.read_to_string(&mut said).unwrap();
                return (status, said);
            }
            assert!(begin.elapsed() < PATIENCE, "the node did not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn now() -> u64 {
    let t = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
}

/// A port that nobody listens on and no other test takes: below those that the kernel gives to
/// connections, and counted up.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 16 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + (next % 20_000) as u16;
        if TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

pub fn endpoint(port: u16) -> Endpoint {
    Endpoint {
        name: "server".into(),
        v4: Ipv4Addr::LOCALHOST,
        v6: Ipv6Addr::LOCALHOST,
        port,
    }
}

pub fn service(ms: u64, workers: u32, queue: u32) -> Service {
    Service {
        time: Duration::from_millis(ms),
        distribution: Distribution::Fixed,
        workers,
        queue,
    }
}

pub fn server(port: u16, service: Service, data: Data) -> role::Server {
    role::Server {
        port,
        service,
        data,
        files: vec![role::File {
            name: "film".into(),
            bytes: 100_000,
        }],
    }
}

/// Reads at `rate`, with a timeout of 500 ms.
pub fn client(port: u16, rate: f64) -> role::Client {
    role::Client {
        targets: vec![endpoint(port)],
        load: load(rate),
    }
}

pub fn load(rate: f64) -> Load {
    Load {
        arrivals: Arrivals::Open {
            rate,
            legs: Vec::new(),
            gaps: Distribution::Fixed,
            in_flight: 100,
        },
        timeout: Duration::from_millis(500),
        writes: 0.3,
        keys: 20,
        value_bytes: 100,
        retries: 0,
        skew: 0.0,
        backoff: Backoff::DEFAULT,
        attempt_timeout: None,
        record: false,
        path: None,
    }
}

/// A connection to a node on this machine, once it listens.
pub fn connect(port: u16) -> TcpStream {
    let begin = Instant::now();
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            Err(e) if e.kind() == ErrorKind::ConnectionRefused && begin.elapsed() < PATIENCE => {}
            Err(e) => panic!("{e}"),
        }
    }
}

/// Sends these very bytes and reads until the other side closes.
pub fn speak(port: u16, words: &[u8]) -> String {
    let mut stream = connect(port);
    // The other side may have closed before it read everything.
    let _ = stream.write_all(words);
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

/// One request on its own connection: status, head, body.
pub fn http(port: u16, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let heard = speak(
        port,
        format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    );
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or((&heard, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    (status.unwrap_or(0), head.to_lowercase(), body.into())
}
