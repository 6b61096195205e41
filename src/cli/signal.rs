//! SIGINT and SIGTERM: the first is told to whoever asks, the second ends the process at once.

use super::exit::{Exit, Failure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What is said at the second one.
const AT_ONCE: &str = "stopped at once; `netlab down` removes what is left\n";

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
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

/// Listens for the two signals from its creation on.
#[derive(Clone, Debug)]
pub struct Signals {
    seen: watch::Receiver<Option<Signal>>,
}

impl Signals {
    /// Takes both signals over for the rest of the process.
    ///
    /// # Errors
    /// The kernel refuses a handler.
    pub fn listen() -> Result<Signals, Failure> {
        let failed = |e| Failure::step("listening for signals failed", e);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let (tell, seen) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                if tell.send_replace(Some(signal)).is_some() {
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
