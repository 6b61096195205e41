//! The one clock and the one timer of a node.
//!
//! The timer is a timerfd, not tokio's, whose millisecond would be a large part of a declared
//! service time.

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// `CLOCK_MONOTONIC` in nanoseconds: the same clock in all containers of a machine.
pub fn now() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map_or(0, |t| {
        t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
    })
}

/// A timer that is set to one instant at a time.
pub struct Alarm {
    timer: TimerFd,
    /// The same timer as something to read from: a timerfd is read like a pipe, and tokio's pipe is
    /// its only way to wait for any descriptor that needs no unsafe promise.
    ring: RefCell<Option<Receiver>>,
    due: Cell<Option<u64>>,
    /// Longest time between an instant and its notice since it was last asked.
    lag: Cell<u64>,
}

impl Alarm {
    /// A timer that is not set. Needs tokio's runtime.
    ///
    /// # Errors
    /// Those of `timerfd_create(2)`.
    pub fn new() -> io::Result<Alarm> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let ring = Receiver::from_owned_fd_unchecked(timer.as_fd().try_clone_to_owned()?)?;
        Ok(Alarm {
            timer,
            ring: RefCell::new(Some(ring)),
            due: Cell::new(None),
            lag: Cell::new(0),
        })
    }

    /// Sets it to `due`; an instant that has passed is due at once.
    ///
    /// # Errors
    /// Those of `timerfd_settime(2)`.
    pub fn set(&self, due: Option<u64>) -> io::Result<()> {
        if self.due.replace(due) == due {
            return Ok(());
        }
        let timer = &self.timer;
        match due {
            Some(at) => {
                let at = TimeSpec::from_duration(Duration::from_nanos(at.max(1)));
                let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
                timer.set(Expiration::OneShot(at), flags)?;
            }
            None => timer.unset()?,
        }
        Ok(())
    }

    /// What rings at the instants; there is one for each timer.
    pub fn bell(&self) -> Option<Receiver> {
        self.ring.take()
    }

    /// Waits for the instant; afterwards the timer is not set.
    ///
    /// # Errors
    /// Those of reading the timer.
    pub async fn rings(&self, bell: &mut Receiver) -> io::Result<()> {
        let mut times = [0; 8];
        bell.read_exact(&mut times).await?;
        if let Some(due) = self.due.take() {
            let lag = now().saturating_sub(due);
            self.lag.set(self.lag.get().max(lag));
        }
        Ok(())
    }

    /// Longest lag in nanoseconds since the last call.
    pub fn take_lag(&self) -> u64 {
        self.lag.take()
    }
}
