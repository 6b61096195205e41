//! The forwarding thread: devices, timer and clock around a [`Switch`].
//!
//! Owns every descriptor and the only loop. Must not know how a packet's fate is decided.
//!
//! One thread forwards everything; what it shares with others are only the commands it is sent,
//! which run between two packets, so a set of changes is never seen half. More threads would each
//! own the devices of some senders: all state of a packet's way but the schedule of its receiver
//! belongs to the sender.

mod deliver;
mod linger;

use super::counters::LagSnapshot;
use super::frame::{Departure, Frame};
use super::map::PortIndex;
use super::switch::{Outcome, Switch};
use super::sys::{self, Priority, Tun};
use super::{Config, FabricError};
use crate::id::NodeIndex;
use linger::Linger;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

/// Something to do between two packets.
pub(super) type Command = Box<dyn FnOnce(&mut Worker) + Send>;
/// Told when a node's device is gone.
pub(super) type OnLost = Box<dyn Fn(NodeIndex) + Send>;

const TIMER: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;
/// Effort ([`Switch::effort`]) that one device may cost before the others get their turn: so many packets,
/// fewer frames that are cut or go to many, and very few that go nowhere.
const TURN: u64 = 32;
/// The timer is set this much earlier than the next packet is due, and the rest is waited out by
/// polling: a halted virtual processor needs about that long to wake. Measured on a shared machine
/// with two of them, median from due to the write: 49 to 66 µs with 20 µs, 0.4 to 13 µs with 60 µs.
const EARLY_NS: u64 = 50_000;
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

    fn needs_rest(&self, now: u64) -> bool {
        now.saturating_sub(self.since) > STRETCH_NS
    }
}

/// A device and the token under which epoll reports it. Every attachment has a token of its own, so
/// that an event of an earlier device, or of an earlier numbering, is nobody's.
struct Port {
    tun: Arc<Tun>,
    token: u64,
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
            epoll,
            timer,
            wake,
            armed: None,
            scratch: Frame::large(),
            due: Vec::with_capacity(deliver::TOGETHER),
            awake: Awake::default(),
            linger: Linger::new(),
        })
    }

    /// Forwards until it is told to stop.
    pub(super) fn run(mut self) -> nix::Result<()> {
        self.priority = sys::raise_priority();
        let mut events = [EpollEvent::empty(); 64];
        while !self.stop {
            self.deliver();
            let timeout = self.sleep_until()?;
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

    /// Sets the timer for the next packet; returns how long epoll may sleep. Rests when that is due.
    fn sleep_until(&mut self) -> nix::Result<u16> {
        let Some(due) = self.switch.next_due() else {
            return Ok(PATIENCE_MS);
        };
        let (at, now) = (due.saturating_sub(EARLY_NS), sys::now());
        if at <= now {
            if due > now && self.awake.needs_rest(now) {
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

    fn read(&mut self, token: u64, ready: EpollFlags) {
        let Some(&port) = self.tokens.get(&token) else {
            return;
        };
        let Some(tun) = self.ports[port.at()].as_ref().map(|p| Arc::clone(&p.tun)) else {
            return;
        };
        let mut effort = 0;
        while effort < TURN {
            match tun.recv(self.scratch.room()) {
                Ok(length) => {
                    self.scratch.set_length(length);
                    self.take(port, &tun);
                    effort += self.switch.effort();
                }
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(_) => return self.lose(port),
            }
        }
        if ready.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            self.lose(port);
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

    /// Takes over the device of a port; one it had before is closed.
    pub(super) fn attach(&mut self, port: PortIndex, tun: Tun) -> nix::Result<()> {
        self.release(port);
        let token = self.attached;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, token);
        self.epoll.add(&tun, event)?;
        self.attached += 1;
        self.tokens.insert(token, port);
        let tun = Arc::new(tun);
        self.ports[port.at()] = Some(Port { tun, token });
        self.switch.set_alive(port, true);
        Ok(())
    }

    /// All devices, by node.
    pub(super) fn devices(&self) -> Vec<(NodeIndex, Arc<Tun>)> {
        let ports = self.ports.iter().zip((0..).map(PortIndex));
        let device = |(port, at): (&Option<Port>, PortIndex)| {
            let tun = Arc::clone(&port.as_ref()?.tun);
            Some((self.switch.map().of(at).node, tun))
        };
        ports.filter_map(device).collect()
    }

    /// The devices of some nodes.
    pub(super) fn devices_of(&self, nodes: &BTreeSet<NodeIndex>) -> Vec<(NodeIndex, Arc<Tun>)> {
        if nodes.is_empty() {
            return Vec::new();
        }
        let mut devices = self.devices();
        devices.retain(|(node, _)| nodes.contains(node));
        devices
    }

    /// Another set of nodes: devices follow their nodes, those of ports that are gone are closed.
    /// Returns who has to forget path mtus.
    pub(super) fn reconfigure(
        &mut self,
        config: Config,
        was: &[Option<NodeIndex>],
    ) -> Result<BTreeSet<NodeIndex>, FabricError> {
        let (moves, told) = self.switch.reconfigure(config, was, sys::now())?;
        let count = self.switch.map().len();
        let old = std::mem::replace(&mut self.ports, (0..count).map(|_| None).collect());
        for (port, to) in old.into_iter().zip(moves) {
            match (port, to) {
                (Some(port), Some(to)) => {
                    self.tokens.insert(port.token, to);
                    self.ports[to.at()] = Some(port);
                }
                (Some(port), None) => self.close(&port),
                (None, _) => {}
            }
        }
        Ok(told)
    }

    /// Closes all devices of a node; the kernel removes them. Whether it had one.
    pub(super) fn detach(&mut self, node: NodeIndex) -> bool {
        let ports = self.switch.map().ports(node);
        let mut had = false;
        for port in ports {
            had |= self.release(port);
        }
        had
    }

    fn release(&mut self, port: PortIndex) -> bool {
        self.switch.set_alive(port, false);
        let had = self.ports[port.at()].take();
        if let Some(port) = &had {
            self.close(port);
        }
        had.is_some()
    }

    /// Before the descriptor is closed: a sampler may hold it for another moment.
    fn close(&mut self, port: &Port) {
        self.tokens.remove(&port.token);
        let _ = self.epoll.delete(&*port.tun); // nothing to be done about it
    }

    /// A device that vanished took its namespace with it: the node's other devices are gone as well.
    fn lose(&mut self, port: PortIndex) {
        let node = self.switch.map().of(port).node;
        if let (true, Some(on_lost)) = (self.detach(node), &self.on_lost) {
            on_lost(node);
        }
    }
}
