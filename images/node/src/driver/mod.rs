//! Sockets, clocks and files: everything that the roles must not know.
//!
//! [`life`] is told by the agent ([`control`], [`outbox`]) what the node is and starts it;
//! [`node`] takes events to the role and does what it says, with connections from others
//! ([`serve`]), to others ([`exchange`], [`pool`]), the timer ([`clock`]) and the log
//! ([`volume`]); what operators read is [`told`]. One thread, one task per connection and request.

mod clock;
mod control;
mod exchange;
mod life;
mod node;
mod outbox;
mod pool;
mod serve;
mod told;
mod volume;

use life::Life;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::timeout;

/// Header with the microseconds that are left to answer a request.
const LEFT: &str = "netlab-left-us";
/// Header of a 502: what became of the request farther along its path.
const REASON: &str = "netlab-failure";

/// The agent asks for what this node cannot do (`EX_CONFIG` of sysexits.h).
const EXIT_CONFIG: u8 = 78;
/// The system refuses what every node needs (`EX_OSERR` of sysexits.h).
const EXIT_SYSTEM: u8 = 71;
/// For the last report of a node that is told to end.
const LAST_REPORT: Duration = Duration::from_millis(200);

/// Runs the node until it is told to end, by `SIGTERM` or `SIGINT`, which the first process of a
/// container only gets because they are handled here.
pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let code = runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, main()));
    match code {
        // Sockets and files go with the process; tasks need no orderly end.
        Ok(code) => std::process::exit(code.into()),
        Err(error) => {
            eprintln!("netlab: the node cannot start: {error}");
            ExitCode::from(EXIT_SYSTEM)
        }
    }
}

async fn main() -> io::Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut life = Life::default();
    let (outbox, node) = (Rc::clone(&life.outbox), Rc::clone(&life.node));
    let mut living = pin!(life.live());
    tokio::select! {
        fatal = &mut living => {
            eprintln!("netlab: {fatal}");
            return Ok(EXIT_CONFIG);
        }
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    if let Some(node) = node.get() {
        node.report();
    }
    tokio::select! {
        _ = &mut living => {}
        _ = timeout(LAST_REPORT, outbox.emptied()) => {}
    }
    Ok(0)
}
