//! The start gate as a process: it waits, becomes the command, or says why it does not.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// For anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

struct Gate {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Gate {
    fn new() -> Gate {
        let folder = tempfile::tempdir().unwrap();
        symlink(
            env!("CARGO_BIN_EXE_netlab-node"),
            folder.path().join("init"),
        )
        .unwrap();
        Gate {
            folder,
            child: None,
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("gate.sock")
    }

    fn start(&mut self, command: &[&str]) -> u32 {
        // As an engine starts it: what the test was started to ignore (by `nohup`, say) it does not.
        let child = Command::new("env")
            .arg("--default-signal")
            .arg(self.folder.path().join("init"))
            .args(command)
            .env("NETLAB_GATE", self.socket())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id();
        self.child = Some(child);
        id
    }

    fn output(&mut self) -> Output {
        let mut child = self.child.take().unwrap();
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("the gate did not end");
            }
            std::thread::yield_now();
        }
        child.wait_with_output().unwrap()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn knocked(listener: &UnixListener) -> UnixStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn it_knocks_until_the_gate_opens_and_becomes_the_command() {
    let mut gate = Gate::new();
    let script = "echo $$; grep SigIgn /proc/self/status; echo \"$1\"; exit 7";
    let id = gate.start(&["sh", "-c", script, "sh", "an argument"]);
    // The agent starts later than the node, and is restarted before it answers.
    let listener = UnixListener::bind(gate.socket()).unwrap();
    drop(knocked(&listener));
    let mut half = knocked(&listener);
    half.write_all(b"g").unwrap();
    drop(half);
    knocked(&listener).write_all(b"go\n").unwrap();
    let output = gate.output();
    let said = text(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], id.to_string(), "the same process");
    // Of the standard signals none is ignored, SIGPIPE included, which Rust programs ignore.
    let ignored = lines[1].strip_prefix("SigIgn:\t").unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0, "{said}");
    assert_eq!(lines[2], "an argument");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(7));
}

/// No shell between: some unblock all signals when they start.
#[test]
fn the_command_gets_its_signals() {
    let mut gate = Gate::new();
    let listener = UnixListener::bind(gate.socket()).unwrap();
    gate.start(&["grep", "SigBlk", "/proc/self/status"]);
    knocked(&listener).write_all(b"go\n").unwrap();
    assert_eq!(text(&gate.output().stdout), "SigBlk:\t0000000000000000\n");

    let id = gate.start(&["sleep", "60"]);
    knocked(&listener).write_all(b"go\n").unwrap();
    let command = || std::fs::read(format!("/proc/{id}/cmdline")).unwrap();
    let begin = Instant::now();
    while !command().starts_with(b"sleep\0") {
        assert!(begin.elapsed() < PATIENCE, "it did not become the command");
        std::thread::yield_now();
    }
    let kill = Command::new("kill")
        .args(["-s", "TERM", &id.to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(gate.output().status.signal(), Some(15));
}

#[test]
fn a_refusal_is_said() {
    let mut gate = Gate::new();
    let listener = UnixListener::bind(gate.socket()).unwrap();
    gate.start(&["true"]);
    knocked(&listener)
        .write_all(b"refuse not of this lab\n")
        .unwrap();
    let output = gate.output();
    let expected = "netlab: the agent refused this container: not of this lab\n";
    assert_eq!(text(&output.stderr), expected);
    assert_eq!(output.status.code(), Some(76));
}

#[test]
fn a_signal_ends_the_waiting() {
    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let mut gate = Gate::new();
        let listener = UnixListener::bind(gate.socket()).unwrap();
        let id = gate.start(&["true"]);
        let _waits = knocked(&listener);
        let kill = Command::new("kill")
            .args(["-s", signal, &id.to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(gate.output().status.code(), Some(expected));
    }
}

#[test]
fn a_command_that_cannot_be_started_is_said_as_a_shell_does() {
    for (command, code) in [("/nowhere/prog", 127), ("/etc", 126)] {
        let mut gate = Gate::new();
        let listener = UnixListener::bind(gate.socket()).unwrap();
        gate.start(&[command]);
        knocked(&listener).write_all(b"go\n").unwrap();
        let output = gate.output();
        assert_eq!(output.status.code(), Some(code));
        let said = text(&output.stderr);
        assert!(
            said.contains(&format!("{command} cannot be started")),
            "{said}"
        );
    }
}

#[test]
fn it_says_nothing_to_the_agent() {
    let mut gate = Gate::new();
    let listener = UnixListener::bind(gate.socket()).unwrap();
    gate.start(&["true"]);
    let mut stream = knocked(&listener);
    stream.write_all(b"go\n").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert_eq!(said, b"");
    assert!(gate.output().status.success());
}
