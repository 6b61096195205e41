//! SIGINT, SIGTERM and SIGHUP: the first one is told to whoever asks, the second ends the process at once. A terminal that is
//! closed says SIGHUP, often more than once: that ends nothing at once.

use super::exit::{Exit, Failure};
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio::sync::watch;

/// What is said at the second one.
const AT_ONCE: &str = "stopped at once; `netlab down` removes what is left\n";

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP.
    Terminate,
}

impl Signal {
    /// How the process ends for it.
    pub fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

/// Listens for the signals from its creation on.
#[derive(Clone, Debug)]
pub struct Signals {
    seen: watch::Receiver<Option<Signal>>,
}

impl Signals {
    /// Takes the signals over for the rest of the process, but for a SIGHUP that is ignored, as by nohup(1).
    ///
    /// # Errors
    /// The kernel refuses a handler.
    pub fn listen() -> Result<Signals, Failure> {
        let failed = |e| Failure::step("listening for signals failed", e);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut hangup = match hangup_is_ignored() {
            true => None,
            false => Some(signal(SignalKind::hangup()).map_err(failed)?),
        };
        let (tell, seen) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let (signal, insists) = tokio::select! {
                    _ = interrupt.recv() => (Signal::Interrupt, true),
                    _ = terminate.recv() => (Signal::Terminate, true),
                    () = next(hangup.as_mut()) => (Signal::Terminate, false),
                };
                let first = tell.borrow().is_none();
                if first {
                    tell.send_replace(Some(signal));
                } else if insists {
                    super::screen::clear();
                    super::screen::above(AT_ONCE.as_bytes());
                    std::process::exit(signal.exit().code().into());
                }
            }
        });
        Ok(Signals { seen })
    }

    /// The signal that has come, if one has.
    pub fn seen(&self) -> Option<Signal> {
        *self.seen.borrow()
    }

    /// Returns when a signal has come, at once when one already has.
    pub async fn wait(&mut self) -> Signal {
        match self.seen.wait_for(Option::is_some).await {
            Ok(seen) => seen.unwrap_or(Signal::Interrupt),
            // The listener lives as long as the process.
            Err(_) => std::future::pending().await,
        }
    }
}

async fn next(hangup: Option<&mut Listener>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether who started this process wants it to outlive its terminal (`SigIgn` in proc_pid_status(5)).
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}
