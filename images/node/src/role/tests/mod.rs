//! Roles under a simulated clock: no socket, no waiting, exact counts.

mod client;
mod conduct;
mod load;
mod peer;
mod server;
mod store;

use super::http::{Answer, Body, Failure, Method, Request};
use super::store::Record;
use super::{Action, Event, Machine, Ticket};
use bytes::Bytes;
use netlab_protocol::conduct::digest;
use netlab_protocol::control::Sample;
use netlab_protocol::latency::{Op, Outcome};
use netlab_protocol::role::{Arrivals, Backoff, Distribution, Endpoint, Load, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub const MS: u64 = 1_000_000;
pub const S: u64 = 1_000 * MS;

/// Machines on a network that delivers everything after `delay`.
pub struct Sim {
    pub now: u64,
    pub delay: u64,
    pub machines: Vec<Box<dyn Machine>>,
    /// Switched off: what is sent there vanishes, and what it would do is not done.
    pub silent: BTreeSet<usize>,
    /// Process gone: what is sent there is refused.
    pub refusing: BTreeSet<usize>,
    /// Requests that were sent by anybody.
    pub messages: u64,
    /// Answers to requests that the test itself put in: time, number, status.
    pub answers: Vec<(u64, u64, Answer)>,
    pub log: Vec<Record>,
    /// No change can be kept.
    pub disk_is_full: bool,
    due: BTreeMap<(u64, u64), (usize, Event)>,
    sequence: u64,
    /// Requests under way: who asked for (machine, number), and back.
    asked: BTreeMap<(usize, u64), (usize, Ticket)>,
    sent: BTreeMap<(usize, Ticket), (usize, u64)>,
    /// Machine behind each machine's endpoint 0.
    first: Vec<usize>,
}

/// Numbers below are the test's own requests.
const OWN_IDS: u64 = 1_000_000;

impl Sim {
    /// Endpoint i of machine m is machine `first[m] + i`.
    pub fn new(delay: u64, machines: Vec<Box<dyn Machine>>, first: &[usize]) -> Sim {
        Sim {
            now: 0,
            delay,
            machines,
            silent: BTreeSet::new(),
            refusing: BTreeSet::new(),
            messages: 0,
            answers: Vec::new(),
            log: Vec::new(),
            disk_is_full: false,
            due: BTreeMap::new(),
            sequence: OWN_IDS,
            asked: BTreeMap::new(),
            sent: BTreeMap::new(),
            first: first.to_vec(),
        }
    }

    pub fn alone(machine: impl Machine + 'static) -> Sim {
        Sim::new(0, vec![Box::new(machine)], &[0])
    }

    /// Gives machine `m` an event now.
    pub fn give(&mut self, m: usize, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let mut actions = Vec::new();
            self.machines[m].handle(self.now, event, &mut actions);
            for action in actions {
                if let Action::Log(record) = action {
                    let is_kept = !self.disk_is_full;
                    assert!(next.is_none(), "one change at a time");
                    next = Some(Event::Logged { is_kept });
                    self.log.extend(is_kept.then_some(record));
                } else {
                    self.perform(m, action);
                }
            }
        }
    }

    pub fn give_all(&mut self, event: impl Fn() -> Event) {
        for m in 0..self.machines.len() {
            self.give(m, event());
        }
    }

    fn later(&mut self, m: usize, event: Event, delays: u64) {
        self.sequence += 1;
        let at = (self.now + delays * self.delay, self.sequence);
        self.due.insert(at, (m, event));
    }

    fn perform(&mut self, m: usize, action: Action) {
        match action {
            Action::Answer { id, mut answer } => {
                if let (Some(meant), Body::Bytes(body)) = (answer.digest, &answer.body) {
                    answer.is_corrupt = digest(body) != meant;
                }
                match self.asked.remove(&(m, id)) {
                    Some((asker, ticket)) => {
                        self.later(asker, Event::Answered { ticket, answer }, 1);
                    }
                    None if id < OWN_IDS => self.answers.push((self.now, id, answer)),
                    // Who asked has gone; its leaving is still on the way here.
                    None => {}
                }
            }
            Action::Log(record) => panic!("{record:?} was not answered"),
            Action::Send {
                ticket,
                to,
                request,
                ..
            } => {
                self.messages += 1;
                let to = self.first[m] + to as usize;
                if self.refusing.contains(&to) {
                    let failure = Failure::Refused;
                    self.sent.insert((m, ticket), (to, 0));
                    self.later(m, Event::Failed { ticket, failure }, 2);
                } else {
                    self.sequence += 1;
                    let id = self.sequence;
                    self.asked.insert((to, id), (m, ticket));
                    self.sent.insert((m, ticket), (to, id));
                    self.later(to, Event::Request { id, request }, 1);
                }
            }
            Action::Cancel(ticket) => {
                if let Some((to, id)) = self.sent.remove(&(m, ticket)) {
                    self.asked.remove(&(to, id));
                    self.later(to, Event::Gone { id }, 1);
                }
            }
        }
    }

    /// Whether a machine still wants this event.
    fn is_wanted(&mut self, m: usize, event: &Event) -> bool {
        match event {
            Event::Answered { ticket, .. } | Event::Failed { ticket, .. } => {
                self.sent.remove(&(m, *ticket)).is_some()
            }
            _ => true,
        }
    }

    /// Goes on until `end`.
    pub fn run(&mut self, end: u64) {
        loop {
            let alive = (0..self.machines.len()).filter(|m| !self.silent.contains(m));
            let timer = alive
                .filter_map(|m| Some((self.machines[m].next_timer()?, m)))
                .min();
            let message = self.due.first_key_value().map(|((at, _), _)| *at);
            let at = [timer.map(|(at, _)| at), message]
                .into_iter()
                .flatten()
                .min();
            let Some(at) = at.filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            if message == Some(at) {
                let Some((_, (m, event))) = self.due.pop_first() else {
                    return;
                };
                if !self.silent.contains(&m) && self.is_wanted(m, &event) {
                    self.give(m, event);
                }
            } else if let Some((_, m)) = timer {
                self.give(m, Event::Timer);
            }
        }
    }

    /// Requests of machine `m` that ended since the last call, by outcome.
    pub fn outcomes(&mut self, m: usize) -> BTreeMap<Outcome, u32> {
        let mut all = BTreeMap::new();
        for row in self.machines[m].latency() {
            *all.entry(row.outcome).or_default() += row.count;
        }
        all
    }

    pub fn sample(&self, m: usize, metric: &str) -> f64 {
        let mut all: Vec<Sample> = Vec::new();
        self.machines[m].samples(&mut all);
        all.iter().find(|s| s.metric == metric).unwrap().value
    }

    /// Times and statuses of the answers to the test's own requests.
    pub fn statuses(&self) -> Vec<(u64, u64, u16)> {
        let all = self.answers.iter();
        all.map(|(at, id, answer)| (*at, *id, answer.status))
            .collect()
    }
}

pub fn get(path: &str) -> Request {
    Request {
        method: Method::Get,
        path: path.into(),
        body: Bytes::new(),
        left: None,
    }
}

pub fn put(path: &str, value: &str) -> Request {
    Request {
        method: Method::Put,
        body: Bytes::copy_from_slice(value.as_bytes()),
        ..get(path)
    }
}

pub fn service(time: u64, workers: u32, queue: u32) -> Service {
    Service {
        time: Duration::from_nanos(time),
        distribution: Distribution::Fixed,
        workers,
        queue,
    }
}

pub fn endpoint(i: usize) -> Endpoint {
    Endpoint {
        name: format!("node-{i}"),
        v4: Ipv4Addr::LOCALHOST,
        v6: Ipv6Addr::LOCALHOST,
        port: 80,
    }
}

/// Reads of 100 keys with a timeout of 1 s.
pub fn load(arrivals: Arrivals) -> Load {
    Load {
        arrivals,
        timeout: Duration::from_secs(1),
        writes: 0.0,
        keys: 100,
        value_bytes: 8,
        retries: 0,
        skew: 0.0,
        backoff: Backoff::DEFAULT,
        attempt_timeout: None,
        record: false,
        path: None,
    }
}

pub fn open(rate: f64, in_flight: u32) -> Arrivals {
    Arrivals::Open {
        rate,
        legs: Vec::new(),
        gaps: Distribution::Fixed,
        in_flight,
    }
}

pub fn closed(users: u32, think: Duration) -> Arrivals {
    Arrivals::Closed {
        users,
        think,
        thinking: Distribution::Fixed,
    }
}

pub fn is_local(op: Op) -> bool {
    matches!(op, Op::LocalRead | Op::LocalWrite)
}
