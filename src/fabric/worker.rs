//! The forwarding thread: devices, timer and clock around a [`Switch`].
//!
//! Owns every descriptor and the only loop. Must not know how a packet's fate is decided.
//!
//! One thread forwards everything; what it shares with others are only the commands it is sent,
//! which run between two packets, so a set of changes is never seen half.
//!
//! More threads were tried: some that write for it while it is pressed, so that it only reads and
//! decides. On two cores, which the two applications need as well, that is worse: with one of them
//! 0.60 (BBR) and 0.56 (Reno) of a TCP connection's throughput is left, with two 0.92 and 0.65 (medians of
//! three runs of five interleaved turns). What it brings on many cores was not measured. Nor does it help
//! to have the receiver's kernel work on another processor (`rps_cpus`, Documentation/networking/scaling.rst of
//! Linux): with one of the two, the other, or both, 0.60, 0.78 and 0.70 under BBR and 0.68, 0.70 and 0.71 under Reno,
//! of 0.86 and 0.89 without (medians of three interleaved runs of five turns). Of the thread's time 45 %
//! are the two copies, 25 % the receiver's TCP, 10 % memory for what is written (perf).

mod deliver;
mod devices;
mod early;
mod linger;
mod rest;

use super::FabricError;
use super::counters::LagSnapshot;
use super::frame::{Departure, Frame};
use super::map::PortIndex;
use super::switch::{Effort, Outcome, Switch};
use super::sys::{self, Priority, Tun};
use crate::id::NodeIndex;
use devices::Port;
use early::Early;
use linger::Linger;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use rest::Rests;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

/// Something to do between two packets.
pub(super) type Command = Box<dyn FnOnce(&mut Worker) + Send>;
/// Work that is done a part at a time, with packets between two parts; says whether that was the last.
pub(super) type Parts = Box<dyn FnMut(&mut Worker) -> bool + Send>;
/// Told when a node's device is gone.
pub(super) type OnLost = Box<dyn Fn(NodeIndex) + Send>;

const TIMER: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;
/// What one device may cost ([`Effort::turn`]) before the others get their turn: so many packets,
/// fewer frames that are cut or go to many, and very few that go nowhere.
const TURN: u64 = 32;
/// Where packets are due in such quick succession that the thread would poll from one to the next, it
/// polls so long, then rests so long: what became due meanwhile is written together. Without rest
/// a thread under SCHED_FIFO takes a whole processor, until the kernel gives that to others for 50 ms
/// at a time. Measured at a rate of 1 Gbit/s on two cores with a load of 8 to 19 beside it, medians of
/// five or six interleaved turns (worst turn), in Mbit/s, and lag p50:
///
/// | polls, rests | UDP | TCP | lag |
/// | --- | --- | --- | --- |
/// | always polls | 976 (918) | 891 (766) | 3 µs |
/// | 200, 50 µs | 995 (991) | 981 (953) | 23 µs |
/// | 100, 50 µs | 997 (994) | 998 (984) | 26 µs |
/// | 50, 30 µs | 998 (990) | 996 (990) | 26 µs |
/// | 50, 50 µs | 1000 (994) | 998 (995) | 37 µs |
/// | never polls | 859 (720) | 955 (745) | 16 µs |
///
/// (Without polling p99 is 3 ms, and SCHED_OTHER gave 448 and 451.) At 1,000 packets a second, where
/// the thread sleeps anyway, lag is the same with rest and without.
const STRETCH_NS: u64 = 50_000;
const REST_NS: u64 = 50_000;
/// Sleeps end at least this often; everything that matters wakes the thread itself.
const PATIENCE_MS: u16 = 1000;

pub(super) struct Worker {
    pub(super) switch: Switch,
    ports: Vec<Option<Port>>,
    /// Whose device is watched under which token.
    tokens: HashMap<u64, PortIndex>,
    attached: u64,
    pub(super) lag: LagSnapshot,
    pub(super) priority: Priority,
    pub(super) on_lost: Option<OnLost>,
    pub(super) stop: bool,
    commands: Receiver<Command>,
    /// Work that has begun; each has an asker that waits for it.
    begun: VecDeque<Parts>,
    epoll: Epoll,
    timer: TimerFd,
    wake: Arc<EventFd>,
    /// What the timer is set to.
    armed: Option<u64>,
    scratch: Frame,
    /// What is being handed over; empty in between.
    due: Vec<Departure>,
    awake: Awake,
    linger: Linger,
    rests: Rests,
    early: Early,
}

/// How long the thread was awake without the rest that belongs to it.
#[derive(Default)]
struct Awake {
    since: u64,
}

impl Awake {
    /// The thread slept.
    fn slept(&mut self, from: u64, until: u64) {
        let worth = until.saturating_sub(from) * (1 + STRETCH_NS / REST_NS);
        // No more is made up for than one stretch.
        let since = self.since.max(from.saturating_sub(STRETCH_NS));
        self.since = until.min(since + worth);
    }

    /// Who is woken early may wait for that long as well.
    fn needs_rest(&self, now: u64, early: u64) -> bool {
        now.saturating_sub(self.since) > STRETCH_NS.max(early)
    }
}

/// The descriptor that wakes a worker after a command was queued.
pub(super) fn wake_up() -> nix::Result<EventFd> {
    EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
}

impl Worker {
    pub(super) fn new(
        switch: Switch,
        commands: Receiver<Command>,
        wake: Arc<EventFd>,
    ) -> nix::Result<Worker> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        Ok(Worker {
            ports: (0..switch.map().len()).map(|_| None).collect(),
            switch,
            tokens: HashMap::new(),
            attached: 0,
            lag: LagSnapshot::default(),
            priority: Priority::default(),
            on_lost: None,
            stop: false,
            commands,
            begun: VecDeque::new(),
            epoll,
            timer,
            wake,
            armed: None,
            scratch: Frame::large(),
            due: Vec::with_capacity(deliver::TOGETHER),
            awake: Awake::default(),
            linger: Linger::new(),
            rests: Rests::default(),
            early: Early::new(),
        })
    }

    /// Forwards until it is told to stop.
    pub(super) fn run(mut self) -> nix::Result<()> {
        self.priority = sys::raise_priority();
        let mut events = [EpollEvent::empty(); 64];
        while !self.stop {
            self.deliver();
            self.rouse()?;
            let timeout = match self.begun.pop_front() {
                Some(work) => {
                    self.work_on(work);
                    0
                }
                None => self.sleep_until()?,
            };
            let count = self.wait(&mut events, timeout)?;
            for event in &events[..count] {
                match event.data() {
                    TIMER => {
                        self.armed = None;
                        let _ = self.timer.wait(); // non-blocking: only clears the expiration
                    }
                    WAKE => {
                        let _ = self.wake.read();
                    }
                    token => self.read(token, event.events()),
                }
                // What is due belongs to the time before a command that may change the links.
                self.deliver();
                self.obey();
            }
        }
        Ok(())
    }

    /// How many descriptors are ready, after polling for a while where that pays.
    fn wait(&mut self, events: &mut [EpollEvent], timeout: u16) -> nix::Result<usize> {
        if timeout == 0 {
            return self.ready(events, 0);
        }
        let idle = sys::now();
        let until = self.linger.idle(idle);
        let mut ready = 0;
        let mut before = idle;
        while ready == 0 && before < until {
            ready = self.ready(events, 0)?;
            before = sys::now();
        }
        if ready == 0 {
            ready = self.ready(events, timeout)?;
            let after = sys::now();
            self.awake.slept(before, after);
            self.linger.slept(before, after);
            let meant = self.armed.filter(|at| (before..=after).contains(at));
            if let Some(at) = meant {
                self.early.woke(after - at);
            }
        }
        self.linger.busy(sys::now());
        Ok(ready)
    }

    fn ready(&self, events: &mut [EpollEvent], timeout: u16) -> nix::Result<usize> {
        match self.epoll.wait(events, timeout) {
            Err(Errno::EINTR) => Ok(0),
            other => other,
        }
    }

    /// Sets the timer for what comes next; returns how long epoll may sleep. Rests when that is due.
    fn sleep_until(&mut self) -> nix::Result<u16> {
        let due = self.switch.next_due();
        let early = due.map(|due| due.saturating_sub(self.early.by()));
        let Some(at) = early.into_iter().chain(self.rests.next()).min() else {
            return Ok(PATIENCE_MS);
        };
        let now = sys::now();
        if at <= now {
            if due.is_none_or(|due| due > now) && self.awake.needs_rest(now, self.early.by()) {
                std::thread::sleep(Duration::from_nanos(REST_NS));
                self.awake.slept(now, sys::now());
            }
            return Ok(0);
        }
        // Set for an earlier time: it wakes for nothing once, which is cheaper than setting it.
        if self.armed.is_none_or(|armed| armed > at) {
            let at_time = TimeSpec::from_duration(Duration::from_nanos(at));
            let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
            self.timer.set(Expiration::OneShot(at_time), flags)?;
            self.armed = Some(at);
        }
        Ok(PATIENCE_MS)
    }

    fn obey(&mut self) {
        loop {
            match self.commands.try_recv() {
                Ok(command) => command(self),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.stop = true;
                    return;
                }
            }
        }
    }

    /// Does a part, and the others after packets that wait.
    pub(super) fn work_on(&mut self, mut work: Parts) {
        if !work(self) {
            self.begun.push_back(work);
        }
    }

    fn read(&mut self, token: u64, ready: EpollFlags) {
        let Some(&port) = self.tokens.get(&token) else {
            return;
        };
        let Some(tun) = self.ports[port.at()].as_ref().map(|p| Arc::clone(&p.tun)) else {
            return;
        };
        let (begin, mut effort, mut junk) = (sys::now(), 0, 0);
        while effort < TURN {
            match tun.recv(self.scratch.room()) {
                Ok(length) => {
                    self.scratch.set_length(length);
                    self.take(port, &tun);
                    let cost = self.switch.effort();
                    effort += cost.turn();
                    junk += u64::from(cost == Effort::Junk);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(_) => return self.lose(port),
            }
        }
        if ready.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            self.lose(port);
        } else if junk > 0 {
            let now = sys::now();
            let share = junk * Effort::Junk.turn();
            let cost = now.saturating_sub(begin) * share / effort;
            self.charge(port, cost.min(junk * rest::FRAME_NS), now);
        }
    }

    /// Sends the frame in `scratch` on its way.
    fn take(&mut self, port: PortIndex, tun: &Tun) {
        let now = sys::now();
        match self.switch.receive(port, &mut self.scratch, now) {
            Outcome::Done => {}
            // The asker's device being full is the asker's loss.
            Outcome::Reply(reply) => drop(tun.send(&Frame::around(&reply))),
            Outcome::Direct(direct) => {
                let failed = self.give(direct.to, &self.scratch);
                let after = sys::now();
                if failed.is_none() {
                    self.lag.record(after.saturating_sub(now));
                }
                self.switch.passed(&direct, &self.scratch, failed, after);
            }
        }
    }

    /// Aborts connections; returns how many, and when.
    pub(super) fn abort(
        &mut self,
        links: &[(NodeIndex, NodeIndex)],
    ) -> Result<(u64, u64), FabricError> {
        let (count, resets) = self.switch.abort(links)?;
        for (to, reset) in resets {
            // Whose device is full gets another one by what it sends next.
            self.give(to, &Frame::around(&reset));
        }
        Ok((count, sys::now()))
    }
}
