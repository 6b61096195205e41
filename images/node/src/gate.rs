//! The start gate: waits until the agent has wired this container, then becomes the program that
//! the container is for: same process, same user, same signals.
//!
//! It runs before every node's program, in any image, so it is small and needs nothing of the
//! image. Who it is the agent reads off the connection's credentials; it says nothing itself.

use netlab_protocol::gate::{GO, REFUSE, SOCKET};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Between two knocks.
const BETWEEN: Duration = Duration::from_millis(20);
/// From the start to giving up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest line that is read.
const MAX_LINE: usize = 4_096;

/// Called without a command (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;
/// Signals cannot be caught (`EX_OSERR`).
const EXIT_SYSTEM: u8 = 71;
/// The gate did not open in time (`EX_TEMPFAIL`).
const EXIT_LATE: u8 = 75;
/// The agent refused (`EX_PROTOCOL`).
const EXIT_REFUSED: u8 = 76;

/// How waiting ended.
#[derive(Debug, PartialEq, Eq)]
enum Opened {
    Go,
    Refused(String),
    Late,
    Told(i32),
}

/// Waits at the gate, then executes `command`.
pub fn run(command: Vec<OsString>) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else {
        eprintln!("netlab: the gate was started without a command");
        return ExitCode::from(EXIT_USAGE);
    };
    let path = std::env::var_os("NETLAB_GATE").map_or_else(|| SOCKET.into(), PathBuf::from);
    // The first process of a container ignores signals that it does not handle; blocked ones it can
    // read.
    let (signals, before) = match signals() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("netlab: the gate cannot catch signals: {error}");
            return ExitCode::from(EXIT_SYSTEM);
        }
    };
    match wait(&path, &signals, PATIENCE) {
        Opened::Go => execute(program, arguments, &before),
        Opened::Refused(reason) => {
            eprintln!("netlab: the agent refused this container: {reason}");
            ExitCode::from(EXIT_REFUSED)
        }
        Opened::Late => {
            eprintln!(
                "netlab: the gate at {} did not open within {} s; is the lab's agent running?",
                path.display(),
                PATIENCE.as_secs()
            );
            ExitCode::from(EXIT_LATE)
        }
        Opened::Told(signal) => ExitCode::from(128 + signal as u8),
    }
}

/// Signals to be read from now on, and those that were blocked before.
fn signals() -> nix::Result<(SignalFd, SigSet)> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        set.add(signal);
    }
    let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    Ok((SignalFd::with_flags(&set, flags)?, before))
}

/// Knocks until there is an answer.
fn wait(path: &Path, signals: &SignalFd, patience: Duration) -> Opened {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Opened::Late;
        }
        let answer = match knock(path) {
            Ok(door) => listen(door, signals, deadline),
            Err(_) => None,
        };
        if let Some(opened) = answer.or_else(|| pause(signals, left.min(BETWEEN))) {
            return opened;
        }
    }
}

/// Connects without waiting for a place in the backlog.
fn knock(path: &Path) -> nix::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let door = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(door.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(door))
}

/// Reads the answer; none when the connection broke.
fn listen(mut door: UnixStream, signals: &SignalFd, deadline: Instant) -> Option<Opened> {
    let mut heard = Vec::new();
    loop {
        if let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&heard[..=end]);
            return match line.strip_prefix(REFUSE) {
                Some(reason) => Some(Opened::Refused(reason.trim_end().to_owned())),
                None => (line == GO).then_some(Opened::Go),
            };
        }
        if heard.len() > MAX_LINE {
            return None;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(Opened::Late);
        }
        let mut ready = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(door.as_fd(), PollFlags::POLLIN),
        ];
        if !matches!(
            poll(&mut ready, milliseconds(left)),
            Ok(_) | Err(Errno::EINTR)
        ) {
            return None;
        }
        if let Some(told) = told(signals) {
            return Some(told);
        }
        let mut more = [0; 512];
        match door.read(&mut more) {
            Ok(0) => return None,
            Ok(n) => heard.extend_from_slice(&more[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return None,
        }
    }
}

/// Waits for `time`, or for a signal.
fn pause(signals: &SignalFd, time: Duration) -> Option<Opened> {
    let mut ready = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    // An interrupted wait only makes the next knock come sooner.
    let _ = poll(&mut ready, milliseconds(time));
    told(signals)
}

fn told(signals: &SignalFd) -> Option<Opened> {
    let signal = signals.read_signal().ok().flatten()?;
    Some(Opened::Told(signal.ssi_signo as i32))
}

/// At least one: a wait of nothing would be a busy loop.
fn milliseconds(time: Duration) -> PollTimeout {
    let ms = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
    PollTimeout::from(ms.max(1))
}

/// Becomes the command; what it returns is the exit code a shell gives when that fails. Blocked
/// signals stay so over `exec`, and few programs look: `before` is what the command gets.
fn execute(program: &OsString, arguments: &[OsString], before: &SigSet) -> ExitCode {
    if let Err(error) = before.thread_set_mask() {
        eprintln!("netlab: the gate cannot give signals back: {error}");
        return ExitCode::from(EXIT_SYSTEM);
    }
    let error = Command::new(program).args(arguments).exec();
    let program = Path::new(program).display();
    eprintln!("netlab: the gate is open, but {program} cannot be started: {error}");
    ExitCode::from(match error.kind() {
        ErrorKind::NotFound => 127,
        _ => 126,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_gate_ends_the_patience_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let signals = SignalFd::with_flags(&SigSet::empty(), SfdFlags::SFD_NONBLOCK).unwrap();
        let begin = Instant::now();
        let patience = Duration::from_millis(100);
        let opened = wait(&folder.path().join("gate.sock"), &signals, patience);
        assert_eq!(opened, Opened::Late);
        assert!(begin.elapsed() >= patience);
    }

    #[test]
    fn a_silent_gate_ends_the_patience_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let signals = SignalFd::with_flags(&SigSet::empty(), SfdFlags::SFD_NONBLOCK).unwrap();
        let patience = Duration::from_millis(100);
        assert_eq!(wait(&path, &signals, patience), Opened::Late);
    }
}
