//! Follows a run to its end, or to a signal.

use super::exit::Failure;
use super::progress::{Progress, REDRAW};
use super::signal::{Signal, Signals};
use crate::engine::Engine;
use crate::record::event::Verdict;
use crate::record::stream::Reply;
use crate::run::attach;

/// Why following stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The run is over.
    Ended {
        /// Its id.
        run: String,
        /// What it is worth.
        verdict: Verdict,
        /// The agent's exit code for it.
        exit_code: u8,
    },
    /// A signal came; the run goes on.
    Signal(Signal),
}

/// Shows the current run of the agent in container `agent` as it happens.
///
/// # Errors
/// The agent is gone, or has nothing to follow.
pub async fn follow<E: Engine>(
    engine: &E,
    agent: &str,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<Followed, Failure> {
    let mut follower = attach::follow(engine, agent);
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        // One wait across all redraws: dropping it would forget how long the agent has been silent.
        let next = follower.next();
        tokio::pin!(next);
        let reply = loop {
            tokio::select! {
                reply = &mut next => break reply,
                _ = redraw.tick() => progress.tick(),
                signal = signals.wait() => return Ok(Followed::Signal(signal)),
            }
        };
        let reply = reply.map_err(|e| Failure::step("the run cannot be followed", e))?;
        match reply {
            Some(Reply::Event(event)) => progress.event(&event),
            Some(Reply::Progress(second)) => progress.second(&second),
            Some(Reply::Ended {
                run,
                verdict,
                exit_code,
            }) => {
                return Ok(Followed::Ended {
                    run,
                    verdict,
                    exit_code,
                });
            }
            Some(Reply::Refused { why }) => {
                return Err(Failure::usage(why, "`netlab up FILE` plays a scenario"));
            }
            // None of these answers one who follows.
            Some(
                Reply::Status(_)
                | Reply::Playing { .. }
                | Reply::Stopped
                | Reply::Adopted
                | Reply::Published { .. }
                | Reply::Links { .. }
                | Reply::Metrics { .. }
                | Reply::Injected { .. }
                | Reply::Failed { .. }
                | Reply::Healed { .. }
                | Reply::Faults { .. }
                | Reply::Capturing,
            ) => {}
            None => return Err(Failure::Bug("a run ended without saying so".into())),
        }
    }
}
