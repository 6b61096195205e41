//! The load generator beside wrk, in one run: both ask nginx, and both ask the role `server`, over
//! loopback, with as many connections, in turn.
//!
//! `cargo bench --bench load -- [CONNECTIONS] [SECONDS] [ROUNDS]` needs `wrk` and `nginx`. Per core means
//! by the processor time that the generator itself took: it holds on a host that others use as well.
//! netlab's latency counts from the intended time, wrk's from when it got round to sending.

use netlab_protocol::PROTOCOL;
use netlab_protocol::control::{Configure, Report, ToAgent, ToNode};
use netlab_protocol::role::{
    Arrivals, Backoff, Client, Data, Distribution, Endpoint, Load, Role, Server, Service,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The node program, as netlab puts it into its image.
const NODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/netlab-node"));
const NGINX: u16 = 28_081;
const SERVER: u16 = 28_082;

/// Ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a generator did.
#[derive(Clone, Copy)]
struct Figures {
    /// Requests per second of its own processor time.
    per_core: f64,
    /// Requests per second.
    rate: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
}

fn main() -> Outcome<()> {
    let arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let numbers: Vec<u32> = arguments
        .map(|word| word.parse())
        .collect::<Result<_, _>>()?;
    let of = |at: usize, unless: u32| numbers.get(at).copied().unwrap_or(unless);
    let (connections, seconds, rounds) = (of(0, 32), of(1, 8), of(2, 3));
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("netlab-node");
    fs::write(&program, NODE)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let _nginx = nginx(folder.path())?;
    let (_server, _control) = node(folder.path(), &program, "server", server())?;
    for port in [NGINX, SERVER] {
        await_port(port)?;
    }
    println!("| asked | generator | requests/s per core | of wrk's | requests/s | p50 | p99 |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (asked, port) in [("nginx", NGINX), ("server", SERVER)] {
        let mut all = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            all[0].push(wrk(connections, seconds, port)?);
            all[1].push(netlab(folder.path(), &program, connections, seconds, port)?);
        }
        let [wrk, netlab] = all.map(median);
        for (name, is) in [("wrk", wrk), ("netlab", netlab)] {
            println!(
                "| {asked} | {name} | {:.0} | {:.2} | {:.0} | {:.2} ms | {:.2} ms |",
                is.per_core,
                is.per_core / wrk.per_core,
                is.rate,
                is.p50 / 1e3,
                is.p99 / 1e3
            );
        }
    }
    Ok(())
}

/// Medians, each by itself.
fn median(all: Vec<Figures>) -> Figures {
    let of = |pick: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = all.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Figures {
        per_core: of(|f| f.per_core),
        rate: of(|f| f.rate),
        p50: of(|f| f.p50),
        p99: of(|f| f.p99),
    }
}

fn await_port(port: u16) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > deadline {
            return Err(format!("nobody listens on port {port}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// One nginx worker that answers from memory.
fn nginx(folder: &Path) -> Outcome<Process> {
    let at = folder.display();
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|of| format!("{of}_temp_path {at}/{of};"))
        .join(" ");
    let file = folder.join("nginx.conf");
    fs::write(
        &file,
        format!(
            "daemon off; master_process off; pid {at}/nginx.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; {temp}
  server {{ listen 127.0.0.1:{NGINX}; location / {{ return 200 \"a short answer\\n\"; }} }} }}
"
        ),
    )?;
    let child = Command::new("nginx")
        .arg("-c")
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("nginx: {e}; apt-get install nginx-light"))?;
    Ok(Process(child))
}

/// Seconds of processor time that a process and the children it waited for took.
fn processor(pid: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit_once(')').ok_or("no stat")?.1;
    let ticks: Vec<&str> = rest.split_whitespace().collect();
    let tick = |at: usize| {
        ticks
            .get(at)
            .ok_or("no stat")?
            .parse::<f64>()
            .map_err(|_| "no stat")
    };
    // USER_HZ is 100 on every architecture that Linux still has (time(7)).
    Ok((tick(11)? + tick(12)?) / 100.0)
}

fn wrk(connections: u32, seconds: u32, port: u16) -> Outcome<Figures> {
    let mut child = Process(
        Command::new("wrk")
            .args([
                "-t1",
                "--latency",
                &format!("-c{connections}"),
                &format!("-d{seconds}s"),
            ])
            .arg(format!("http://127.0.0.1:{port}/healthz"))
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("wrk: {e}; apt-get install wrk"))?,
    );
    let (mut spent, pid) = (0.0, child.0.id());
    // What a process took is gone with it: the last look before its end counts.
    while child.0.try_wait()?.is_none() {
        spent = processor(pid).unwrap_or(spent);
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut told = String::new();
    if let Some(mut out) = child.0.stdout.take() {
        std::io::Read::read_to_string(&mut out, &mut told)?;
    }
    let line = |start: &str| {
        let mut lines = told.lines().map(str::trim);
        lines
            .find_map(|line| line.strip_prefix(start))
            .map(str::trim)
    };
    let time = |start: &str| -> Outcome<f64> {
        let text = line(start).ok_or_else(|| format!("wrk told no {start}:\n{told}"))?;
        let at = text
            .find(|c: char| c.is_ascii_alphabetic())
            .ok_or("no unit")?;
        let size = match &text[at..] {
            "us" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            unit => return Err(format!("wrk told of {unit}").into()),
        };
        Ok(text[..at].parse::<f64>()? * size)
    };
    let rate: f64 = line("Requests/sec:").ok_or("wrk told no rate")?.parse()?;
    Ok(Figures {
        per_core: rate * f64::from(seconds) / spent,
        rate,
        p50: time("50%")?,
        p99: time("99%")?,
    })
}

fn server() -> Role {
    Role::Server(Server {
        port: SERVER,
        service: Service {
            time: Duration::ZERO,
            distribution: Distribution::Fixed,
            workers: 1_000,
            queue: 1_000,
        },
        data: Data::Memory,
        files: Vec::new(),
    })
}

fn client(users: u32, port: u16) -> Role {
    let target = Endpoint {
        name: "target".into(),
        v4: Ipv4Addr::LOCALHOST,
        v6: Ipv6Addr::LOCALHOST,
        port,
    };
    Role::Client(Client {
        targets: vec![target],
        load: Load {
            arrivals: Arrivals::Closed {
                users,
                think: Duration::ZERO,
                thinking: Distribution::Fixed,
            },
            timeout: Duration::from_secs(10),
            writes: 0.0,
            keys: 1,
            skew: 0.0,
            value_bytes: 1,
            retries: 0,
            backoff: Backoff::DEFAULT,
            attempt_timeout: None,
            record: false,
            path: Some("/healthz".into()),
        },
    })
}

/// A node program that has its role, and the connection over which it is told.
fn node(
    folder: &Path,
    program: &Path,
    name: &str,
    role: Role,
) -> Outcome<(Process, BufReader<UnixStream>)> {
    let socket = folder.join(format!("{name}.sock"));
    let _ = fs::remove_file(&socket); // of the round before
    let listener = UnixListener::bind(&socket)?;
    let child = Command::new(program)
        .arg("run")
        .env("NETLAB_CONTROL", &socket)
        .stderr(Stdio::null())
        .spawn()?;
    let process = Process(child);
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut control = BufReader::new(stream);
    let configure = serde_json::json!({
        "protocol": PROTOCOL, "node": name, "seed": 1, "role": role, "report_every": "1s",
    });
    let configure: Configure = serde_json::from_value(configure)?;
    tell(&mut control, &ToNode::Configure(Box::new(configure)))?;
    while hear(&mut control)? != ToAgent::Ready {}
    Ok((process, control))
}

fn tell(control: &mut BufReader<UnixStream>, message: &ToNode) -> Outcome<()> {
    let line = serde_json::to_string(message)? + "\n";
    Ok(control.get_mut().write_all(line.as_bytes())?)
}

fn hear(control: &mut BufReader<UnixStream>) -> Outcome<ToAgent> {
    let mut line = String::new();
    control.read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn netlab(folder: &Path, program: &Path, users: u32, seconds: u32, port: u16) -> Outcome<Figures> {
    let (process, mut control) = node(folder, program, "client", client(users, port))?;
    let pid = process.0.id();
    let at = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    let at = at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64;
    tell(&mut control, &ToNode::Go { run: 1, at })?;
    let (before, begin) = (processor(pid)?, Instant::now());
    let mut latency: BTreeMap<u64, u64> = BTreeMap::new();
    while begin.elapsed() < Duration::from_secs(u64::from(seconds)) {
        let ToAgent::Report(Report { latency: rows, .. }) = hear(&mut control)? else {
            continue;
        };
        for row in rows {
            if !row.outcome.is_success() {
                return Err(format!("a request ended as {}", row.outcome).into());
            }
            *latency.entry(row.le_us).or_default() += u64::from(row.count);
        }
    }
    let (spent, took) = (processor(pid)? - before, begin.elapsed().as_secs_f64());
    let all: u64 = latency.values().sum();
    let quantile = |share: f64| {
        let mut left = (all as f64 * share).ceil() as u64;
        let found = latency.iter().find(|(_, n)| {
            left = left.saturating_sub(**n);
            left == 0
        });
        found.map_or(f64::NAN, |(us, _)| *us as f64)
    };
    Ok(Figures {
        per_core: all as f64 / spent,
        rate: all as f64 / took,
        p50: quantile(0.5),
        p99: quantile(0.99),
    })
}
