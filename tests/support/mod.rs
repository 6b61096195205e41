//! What the tests on a real engine share: a sandbox with an owner of its own, and readers of the
//! record that are independent of the library (the ruler must not be made by what it measures).
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "../../images/node/tests/support/host.rs"]
mod host;
pub mod requests;

#[allow(unused_imports, reason = "not every test measures")]
pub use host::{held_up, steady};

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Labs that measure run one at a time: two cores do not carry several without lying.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Longest any single command may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A place to run labs in: an owner, a folder for records, and the duty to leave nothing.
pub struct Sandbox {
    pub owner: String,
    pub runs: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    fn of(output: Output) -> Done {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status;
        Done {
            code: status
                .code()
                .or(status.signal().map(|s| 128 + s))
                .unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Has ended with this code. A run whose own host gate says that the host was too slow is no failure of
    /// what is tested: [`steady`] repeats it.
    #[track_caller]
    pub fn expect(self, code: i32) -> Done {
        if self.code == 3 && code != 3 && self.stdout.contains("the host was a bottleneck: ") {
            held_up(&self.stdout);
        }
        assert_eq!(
            self.code, code,
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }
}

/// Waits until `condition` holds; panics with `what` when it does not in time.
#[track_caller]
pub fn eventually(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Runs the Docker client, the ruler beside netlab's own view.
pub fn docker(args: &[&str]) -> String {
    try_docker(args).unwrap_or_else(|error| panic!("docker {args:?}: {error}"))
}

/// The same for what may fail; the error is what the client said.
pub fn try_docker(args: &[&str]) -> Result<String, String> {
    let output = Command::new("docker")
        .args(args)
        .output()
        .expect("the docker client is needed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

fn engine_is_there() -> bool {
    let check = Command::new("docker")
        .args(["version", "--format", "x"])
        .output();
    check.is_ok_and(|output| output.status.success())
}

impl Sandbox {
    /// A sandbox, or none (with the reason printed) where there is no engine.
    #[track_caller]
    pub fn new(test: &str) -> Option<Sandbox> {
        if !engine_is_there() {
            assert!(
                std::env::var_os("NETLAB_TESTS_STRICT").is_none(),
                "no Docker engine answers"
            );
            eprintln!("SKIP {test}: no Docker engine answers");
            return None;
        }
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Sandbox {
            owner: format!("test-{}-{test}", std::process::id()),
            runs: tempfile::tempdir().unwrap(),
            _alone: alone,
        })
    }

    pub fn command(&self, args: &[&str]) -> Command {
        // What the tests were started with, as by nohup, is not netlab's.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_netlab")])
            .args(args)
            .env("NETLAB_OWNER", &self.owner)
            .env("NO_COLOR", "1");
        command.env("NETLAB_RUNS", self.runs.path());
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null());
        command
    }

    /// Starts netlab; its output goes to files in the sandbox.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    /// The same with more in its environment.
    pub fn start_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Running {
        let file = |name: &str| {
            let path = self
                .runs
                .path()
                .join(format!("{name}-{:?}", Instant::now()).replace([' ', '{', '}', ':'], ""));
            (File::create(&path).unwrap(), path)
        };
        let (out, stdout) = file(".stdout");
        let (err, stderr) = file(".stderr");
        let mut command = self.command(args);
        command.envs(environment.iter().copied());
        let child = command.stdout(out).stderr(err).spawn().unwrap();
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// Runs netlab to its end.
    pub fn netlab(&self, args: &[&str]) -> Done {
        self.start(args).finish()
    }

    /// The same with more in its environment.
    pub fn netlab_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Done {
        self.start_with(args, environment).finish()
    }

    /// Writes a topology into the sandbox and returns its path.
    pub fn topology(&self, name: &str, text: &str) -> String {
        let path = self.runs.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Everything on the engine with this sandbox's owner, as the Docker client sees it.
    pub fn objects(&self) -> Vec<String> {
        let label = format!("label=netlab.owner={}", self.owner);
        let containers = docker(&[
            "ps",
            "-a",
            "--filter",
            &label,
            "--format",
            "container {{.Names}}",
        ]);
        let volumes = docker(&[
            "volume",
            "ls",
            "--filter",
            &label,
            "--format",
            "volume {{.Name}}",
        ]);
        containers
            .lines()
            .chain(volumes.lines())
            .map(String::from)
            .collect()
    }

    /// Host pid of a container's first process.
    pub fn pid(&self, container: &str) -> i32 {
        docker(&["inspect", "--format", "{{.State.Pid}}", container])
            .parse()
            .unwrap()
    }

    /// The newest record of a lab.
    #[track_caller]
    pub fn record(&self, lab: &str) -> Record {
        let folder = self.runs.path().join(lab);
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let newest = entries.map(|e| e.unwrap().path()).max();
        Record::read(&newest.expect("no record"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let down = self.netlab(&["down", "--all", "--images"]);
        let left = self.objects();
        if !std::thread::panicking() {
            assert_eq!(down.code, 0, "{}", down.stderr);
            assert!(left.is_empty(), "left behind: {left:?}");
        }
    }
}

/// A netlab that runs.
pub struct Running {
    pub child: Child,
    pub stdout: PathBuf,
    pub stderr: PathBuf,
}

impl Running {
    /// The address that `metrics --listen` serves its page at, as soon as that is told.
    pub fn page(&self) -> String {
        let told = || fs::read_to_string(&self.stdout).unwrap();
        eventually("its page is served", Duration::from_secs(20), || {
            told().ends_with("/metrics\n")
        });
        let url = told();
        let address = url.trim().strip_prefix("http://").unwrap();
        address.strip_suffix("/metrics").unwrap().to_owned()
    }

    pub fn signal(&self, signal: i32) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let signal = nix::sys::signal::Signal::try_from(signal).unwrap();
        let _ = nix::sys::signal::kill(pid, signal);
    }

    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Waits for its end; kills it when it takes longer than [`PATIENCE`].
    pub fn finish(self) -> Done {
        self.finish_within(PATIENCE)
    }

    /// Waits for its end; kills it when it takes longer than `patience`.
    pub fn finish_within(mut self, patience: Duration) -> Done {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!(
                    "netlab took longer than {patience:?}; stderr:\n{}",
                    self.stderr()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let read = |path: &Path| fs::read(path).unwrap_or_default();
        Done::of(Output {
            status,
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        })
    }
}

/// A record as it lies on disk.
pub struct Record {
    pub folder: PathBuf,
    pub events: Vec<serde_json::Value>,
    pub latency: Vec<Latency>,
}

/// A row of `latency.csv`.
#[derive(Clone, Debug)]
pub struct Latency {
    pub t: i64,
    pub node: String,
    pub op: String,
    pub outcome: String,
    pub le_us: u64,
    pub count: u64,
}

impl Record {
    fn read(folder: &Path) -> Record {
        let text = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let events = text("events.jsonl")
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let latency = text("latency.csv");
        let mut lines = latency.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.next(), Some("t,node,op,outcome,le_us,count"));
        let row = |line: &str| {
            let f: Vec<&str> = line.split(',').collect();
            Latency {
                t: f[0].parse().unwrap(),
                node: f[1].into(),
                op: f[2].into(),
                outcome: f[3].into(),
                le_us: f[4].parse().unwrap(),
                count: f[5].parse().unwrap(),
            }
        };
        Record {
            folder: folder.into(),
            events,
            latency: lines.map(row).collect(),
        }
    }

    /// Time of the first event of this kind (about this fault, where one is given).
    #[track_caller]
    pub fn time(&self, event: &str, fault: Option<&str>) -> i64 {
        self.find(event, fault)["t"].as_i64().unwrap()
    }

    /// When a fault was seen to hold, when its heal was started, and when it was over.
    #[track_caller]
    pub fn window(&self, fault: &str) -> (i64, i64, i64) {
        let time = |event| self.time(event, Some(fault));
        (
            time("fault-began"),
            time("heal-started"),
            time("fault-healed"),
        )
    }

    /// The first event of this kind about this fault.
    #[track_caller]
    pub fn of(&self, event: &str, fault: &str) -> &serde_json::Value {
        self.find(event, Some(fault))
    }

    #[track_caller]
    fn find(&self, event: &str, fault: Option<&str>) -> &serde_json::Value {
        let found = self
            .events
            .iter()
            .find(|e| e["event"] == event && fault.is_none_or(|fault| e["fault"] == fault));
        found.unwrap_or_else(|| panic!("no {event} in {:#?}", self.events))
    }

    /// Requests by outcome whose intended slot lies wholly in `[from, to)`, of nodes and ops that
    /// `wanted` accepts.
    pub fn outcomes(
        &self,
        from: i64,
        to: i64,
        wanted: impl Fn(&Latency) -> bool,
    ) -> BTreeMap<String, u64> {
        const SLOT: i64 = 100_000_000;
        let mut counts = BTreeMap::new();
        for row in self
            .latency
            .iter()
            .filter(|r| r.t >= from && r.t + SLOT <= to && wanted(r))
        {
            *counts.entry(row.outcome.clone()).or_default() += row.count;
        }
        counts
    }
}

/// Share of `ok` and `missing`, and the number of all.
pub fn success(outcomes: &BTreeMap<String, u64>) -> (f64, u64) {
    let all: u64 = outcomes.values().sum();
    let good: u64 = ["ok", "missing"]
        .iter()
        .filter_map(|o| outcomes.get(*o))
        .sum();
    (
        if all == 0 {
            f64::NAN
        } else {
            good as f64 / all as f64
        },
        all,
    )
}

pub const SECOND: i64 = 1_000_000_000;
