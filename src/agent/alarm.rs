//! Wakes the agent when the core wants to be, to some ten microseconds.
//!
//! Exists because tokio's own timers count whole milliseconds and fire in the next one: a fault would
//! take effect up to two late. Must not know what is due.
#![allow(unsafe_code)]

use nix::libc;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Puts the calling thread before programs of the usual rank, and says whether it was granted (without
/// `CAP_SYS_NICE` it is not): on a busy host a fault would wait for its turn.
pub(super) fn hurry() -> bool {
    // SAFETY: plain numbers; on Linux 0 means the calling thread (setpriority(2)).
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) == 0 }
}

/// A timer of the kernel (timerfd_create(2)) on CLOCK_MONOTONIC.
pub(super) struct Alarm {
    timer: AsyncFd<Timer>,
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    /// One that is not set.
    ///
    /// # Errors
    /// No descriptor is left; called outside of a runtime it panics.
    pub fn new() -> io::Result<Alarm> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
        // SAFETY: the timer owns its descriptor, gives the same number each time, and is owned by what is
        // made here until its end: the descriptor stays open and the same.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
        Ok(Alarm { timer })
    }

    /// Is over at `at` (ns of CLOCK_MONOTONIC), at once when that has been. Only the last time that was
    /// waited for counts.
    ///
    /// # Errors
    /// What the kernel refuses, which it has no reason to.
    pub async fn until(&self, at: u64) -> io::Result<()> {
        // Zero would unset it.
        let at = TimeSpec::from_duration(std::time::Duration::from_nanos(at.max(1)));
        let timer = &self.timer.get_ref().0;
        timer.set(
            Expiration::OneShot(at),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME,
        )?;
        loop {
            let mut ready = self.timer.readable().await?;
            // An expiration that was read already, or of an earlier setting, is none.
            if let Ok(read) = ready.try_io(|timer| Ok(timer.get_ref().0.wait()?)) {
                return read;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sys;
    use super::*;
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    #[tokio::test]
    async fn it_is_never_early_and_the_last_setting_counts() {
        let alarm = Alarm::new().unwrap();
        for wait in [3 * MS, 0, 1] {
            let at = sys::now() + wait;
            alarm.until(at).await.unwrap();
            assert!(sys::now() >= at);
        }
        // Given up, and set anew for later: the first time does not end the second wait.
        let soon = alarm.until(sys::now() + 50 * MS);
        let given_up = tokio::time::timeout(Duration::ZERO, soon).await;
        assert!(given_up.is_err());
        let at = sys::now() + 100 * MS;
        alarm.until(at).await.unwrap();
        assert!(sys::now() >= at);
        // What has been is over at once.
        alarm.until(sys::now() - MS).await.unwrap();
        alarm.until(0).await.unwrap();
    }
}
