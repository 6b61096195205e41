//! The host gate of tests that depend on time: a test that fails while the host stood still proves
//! nothing, so it is repeated.
//!
//! Owns how a stall is seen and how often a test is repeated. Must not know what is tested. The tests
//! of both packages use this file.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a test is tried.
const TRIES: u32 = 3;
/// A thread that sleeps this long …
const SLEEP: Duration = Duration::from_millis(5);
/// … and is woken later than this says that the host stood still.
const STALL: Duration = Duration::from_millis(100);

/// Watches how late a thread is woken.
struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Duration>>,
}

impl Watch {
    fn new() -> Watch {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut worst = Duration::ZERO;
            while !seen.load(Ordering::Relaxed) {
                let begin = Instant::now();
                std::thread::sleep(SLEEP);
                worst = worst.max(begin.elapsed().saturating_sub(SLEEP));
            }
            worst
        });
        Watch {
            over,
            thread: Some(thread),
        }
    }

    /// The longest stall.
    fn end(&mut self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().and_then(|thread| thread.join().ok());
        thread.unwrap_or_default()
    }
}

/// What a test panics with that has seen by itself that the host held it up.
struct HeldUp;

/// Gives a test up that has seen by itself that the host held it up, so that [`steady`] repeats it.
#[allow(dead_code)] // not every test that includes this file has such a gate
pub fn held_up(why: &str) -> ! {
    eprintln!("inconclusive: {why}");
    panic_any(HeldUp)
}

/// Runs `test`. When it fails on a host that stood still for more than 100 ms meanwhile, or says so by
/// [`held_up`], it is run again, three times in all; then it fails as inconclusive. On a steady host it
/// fails at once.
pub fn steady(test: impl Fn()) {
    for attempt in 1..=TRIES {
        let mut watch = Watch::new();
        let result = catch_unwind(AssertUnwindSafe(&test));
        let worst = watch.end();
        match result {
            Ok(()) => return,
            Err(panic) if worst <= STALL && !panic.is::<HeldUp>() => resume_unwind(panic),
            Err(_) => eprintln!("attempt {attempt} of {TRIES}: the host stood still for {worst:?}"),
        }
    }
    panic!("inconclusive: it failed {TRIES} times, and the host stood still each time");
}
