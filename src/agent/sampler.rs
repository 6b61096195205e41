//! The clock of the samples: a thread that wakes at each interval, looks at the machine, and tells the
//! driver.
//!
//! Owns when. It has a thread of its own, at the usual priority, so that its lateness is that of any
//! program on this machine, whatever the agent is doing. A tick for which the driver has no room is
//! left out: its samples are missing in the record.

use super::driver::Message;
use super::machine::{Machine, sample};
use super::sys;
use netlab_protocol::control::Sample;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// One tick.
#[derive(Debug)]
pub(super) struct Tick {
    /// When it was told, on CLOCK_MONOTONIC.
    pub at: u64,
    /// Values of the machine.
    pub samples: Vec<Sample>,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    every: Duration,
    ended: bool,
}

impl Sampler {
    /// Ticks each interval from now on.
    pub fn start(every: Duration, inbox: mpsc::Sender<Message>) -> io::Result<Sampler> {
        let shared = Arc::new(Shared::default());
        shared.set(|wanted| wanted.every = every);
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sampler".into());
        let thread = thread.spawn(move || tick(&theirs, &inbox))?;
        Ok(Sampler {
            shared,
            thread: Some(thread),
        })
    }

    /// Ticks at another interval.
    pub fn change(&self, every: Duration) {
        self.shared.set(|wanted| wanted.every = every);
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.set(|wanted| wanted.ended = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was told
        }
    }
}

impl Shared {
    fn set(&self, change: impl FnOnce(&mut Wanted)) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut wanted);
        self.changed.notify_all();
    }

    /// Waits until `due`, or until something else is wanted than `known`.
    fn wait(&self, due: u64, known: Wanted) -> Wanted {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = due.saturating_sub(sys::now());
            if *wanted != known || left == 0 {
                return *wanted;
            }
            let waited = self
                .changed
                .wait_timeout(wanted, Duration::from_nanos(left));
            wanted = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn tick(shared: &Shared, inbox: &mpsc::Sender<Message>) {
    let mut machine = Machine::new();
    let mut wanted = shared.wait(0, Wanted::default());
    let mut due = after(sys::now(), wanted.every);
    loop {
        let now = shared.wait(due, wanted);
        if now.ended {
            return;
        }
        if now != wanted {
            wanted = now;
            due = after(sys::now(), wanted.every);
            continue;
        }
        let late = sys::now().saturating_sub(due);
        let mut samples = machine.look();
        samples.push(sample("host_timer_lag_seconds", late as f64 / 1e9));
        let at = sys::now();
        if let Err(TrySendError::Closed(_)) = inbox.try_send(Message::Tick(Tick { at, samples })) {
            return;
        }
        // What was slept through is missing, not made up for.
        due = after(due, wanted.every).max(after(at, wanted.every / 2));
    }
}

fn after(at: u64, time: Duration) -> u64 {
    at.saturating_add(super::player::nanoseconds(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ticks_at_its_interval_changes_it_and_ends() {
        let (sender, mut inbox) = mpsc::channel(8);
        let sampler = Sampler::start(Duration::from_millis(20), sender).unwrap();
        let mut next = || match inbox.blocking_recv() {
            Some(Message::Tick(tick)) => tick,
            _ => panic!("no tick"),
        };
        let (first, second) = (next(), next());
        assert!(second.at >= first.at + 10_000_000);
        assert!(
            first
                .samples
                .iter()
                .any(|s| s.metric == "host_timer_lag_seconds")
        );
        sampler.change(Duration::from_secs(3600));
        drop(sampler); // joins, though the next tick is an hour away
        while inbox.blocking_recv().is_some() {}
    }
}
