//! A node at work: takes events to its role and does what the role says.

use super::clock::{Alarm, now};
use super::outbox::Outbox;
use super::pool::Pool;
use super::told::Told;
use super::volume::Volume;
use super::{exchange, serve};
use crate::role::http::Answer;
use crate::role::stats::sample;
use crate::role::store::{Record, Store};
use crate::role::{self, Action, Event, Machine, Ticket, http, machine};
use netlab_protocol::control::{Configure, Report};
use netlab_protocol::role::{Endpoint, PORT};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_local};

/// A node that can be sent to.
pub struct Target {
    /// What goes into `Host`.
    pub host: String,
    /// Where.
    pub address: SocketAddr,
}

impl Target {
    fn new(endpoint: &Endpoint) -> Target {
        let Endpoint { name, v4, port, .. } = endpoint;
        Target {
            host: match *port {
                PORT => name.clone(),
                port => format!("{name}:{port}"),
            },
            address: SocketAddr::new((*v4).into(), *port),
        }
    }
}

fn targets(endpoints: &[Endpoint]) -> Rc<[Target]> {
    endpoints.iter().map(Target::new).collect()
}

/// Bytes of values and files that were sent and received.
#[derive(Default)]
pub struct Traffic {
    /// Sent.
    pub sent: Cell<u64>,
    /// Received.
    pub received: Cell<u64>,
}

/// Adds to a counter.
pub fn add(counter: &Cell<u64>, n: usize) {
    counter.set(counter.get() + n as u64);
}

/// A node at work.
pub struct Node {
    machine: RefCell<Box<dyn Machine>>,
    /// By the role's numbers.
    targets: RefCell<Rc<[Target]>>,
    alarm: Alarm,
    volume: RefCell<Option<Volume>>,
    /// Writes that could not be kept since the last that was.
    refused: Cell<u64>,
    next_request: Cell<u64>,
    /// Where answers go.
    asked: RefCell<HashMap<u64, oneshot::Sender<Answer>>>,
    /// What was sent, and to whom.
    sent: RefCell<HashMap<Ticket, (AbortHandle, Option<SocketAddr>)>>,
    /// Number of the run; 0 before the first.
    run: Cell<u32>,
    /// How often it reports.
    pub report_every: Cell<Duration>,
    outbox: Rc<Outbox>,
    told: RefCell<Told>,
    /// Connections to others.
    pub pool: Pool,
    /// Bytes.
    pub traffic: Traffic,
    /// Connections and bodies of others.
    pub guests: serve::Guests,
}

impl Node {
    /// The node of `configure`, holding `store`, kept in `volume`.
    ///
    /// # Errors
    /// Those of making a timer.
    pub fn new(
        configure: &Configure,
        store: Store,
        volume: Option<Volume>,
        outbox: Rc<Outbox>,
    ) -> io::Result<Rc<Node>> {
        let machine = machine(configure, store);
        Ok(Rc::new(Node {
            targets: RefCell::new(targets(machine.endpoints())),
            machine: RefCell::new(machine),
            alarm: Alarm::new()?,
            volume: RefCell::new(volume),
            refused: Cell::new(0),
            next_request: Cell::new(0),
            asked: RefCell::default(),
            sent: RefCell::default(),
            run: Cell::new(0),
            report_every: Cell::new(configure.report_every),
            outbox,
            told: RefCell::default(),
            pool: Pool::default(),
            traffic: Traffic::default(),
            guests: serve::Guests::default(),
        }))
    }

    /// Rings the role's timer, for as long as the node lives.
    ///
    /// # Errors
    /// Those of the timer.
    pub async fn ring(self: Rc<Self>) -> io::Result<()> {
        let Some(mut bell) = self.alarm.bell() else {
            return Ok(());
        };
        loop {
            self.alarm.rings(&mut bell).await?;
            self.handle(Event::Timer);
        }
    }

    /// Takes an event to the role, and does what it says.
    pub fn handle(self: &Rc<Self>, event: Event) {
        let (mut next, mut timer) = (Some(event), None);
        while let Some(event) = next.take() {
            let mut actions = Vec::new();
            {
                let mut machine = self.machine.borrow_mut();
                machine.handle(now(), event, &mut actions);
                timer = machine.next_timer();
            }
            for action in actions {
                next = self.perform(action).or(next);
            }
        }
        if let Err(error) = self.alarm.set(timer) {
            self.outbox
                .problem(format!("a timer cannot be set: {error}"));
        }
    }

    /// Does one thing; returns what the role must know of it before anything else.
    fn perform(self: &Rc<Self>, action: Action) -> Option<Event> {
        match action {
            Action::Answer { id, answer } => {
                let asker = self.asked.borrow_mut().remove(&id);
                if let Some(asker) = asker {
                    // Who asked may have gone at this very moment.
                    drop(asker.send(answer));
                }
            }
            Action::Log(record) => {
                let is_kept = self.log(&record);
                return Some(Event::Logged { is_kept });
            }
            Action::Send {
                ticket,
                to,
                request,
                body_wanted,
            } => {
                // What is sent goes where its number points to now.
                let targets = Rc::clone(&self.targets.borrow());
                let address = targets.get(to as usize).map(|target| target.address);
                let sending = Rc::clone(self).send(ticket, (targets, to), request, body_wanted);
                let task = spawn_local(sending).abort_handle();
                self.sent.borrow_mut().insert(ticket, (task, address));
            }
            Action::Cancel(ticket) => {
                let sent = self.sent.borrow_mut().remove(&ticket);
                if let Some((task, to)) = sent {
                    task.abort();
                    to.into_iter().for_each(|to| self.pool.doubt(to));
                }
            }
        }
        None
    }

    async fn send(
        self: Rc<Self>,
        ticket: Ticket,
        (targets, to): (Rc<[Target]>, u32),
        request: http::Request,
        body_wanted: bool,
    ) {
        let result = match targets.get(to as usize) {
            Some(target) => exchange::exchange(&self, target, request, body_wanted).await,
            None => Err(http::Failure::Unreachable),
        };
        self.sent.borrow_mut().remove(&ticket);
        self.handle(match result {
            Ok(answer) => Event::Answered { ticket, answer },
            Err(failure) => Event::Failed { ticket, failure },
        });
    }

    /// Whether a change is in the log.
    fn log(&self, record: &Record) -> bool {
        let result = match self.volume.borrow_mut().as_mut() {
            Some(volume) => volume.append(record),
            None => Ok(()),
        };
        self.tell_refused(record, result.as_ref().err());
        result.is_ok()
    }

    /// Says the first of the writes that cannot be kept, and how many there were when one can be again.
    fn tell_refused(&self, record: &Record, error: Option<&io::Error>) {
        let key = &record.key;
        match (error, self.refused.take()) {
            (None, 0) => {}
            (None, refused) => self.outbox.problem(format!(
                "writes are kept on the volume again; {refused} could not be"
            )),
            (Some(error), refused) => {
                self.refused.set(refused + 1);
                if refused == 0 {
                    self.outbox.problem(format!(
                        "a write of {key} could not be kept on the volume: {error}; nor can what follows, until this says so"
                    ));
                }
            }
        }
    }

    /// Takes a request that came in to the role; the answer comes through the receiver.
    pub fn ask(self: &Rc<Self>, request: http::Request) -> (Asking, oneshot::Receiver<Answer>) {
        let id = self.next_request.get();
        self.next_request.set(id + 1);
        let (sender, receiver) = oneshot::channel();
        self.asked.borrow_mut().insert(id, sender);
        self.handle(Event::Request { id, request });
        let node = Rc::clone(self);
        (Asking { node, id }, receiver)
    }

    /// Other parameters from now on; keys, connections and requests under way stay.
    pub fn become_(self: &Rc<Self>, configure: &Configure) {
        *self.targets.borrow_mut() = targets(role::endpoints(&configure.role));
        self.report_every.set(configure.report_every);
        let (seed, role) = (configure.seed, Box::new(configure.role.clone()));
        self.handle(Event::Become { seed, role });
    }

    /// Answers to others that were spoilt so far.
    pub fn spoilt(&self) -> u64 {
        self.machine.borrow().spoilt()
    }

    /// A run begins.
    pub fn go(self: &Rc<Self>, run: u32, at: u64) {
        self.run.set(run);
        self.handle(Event::Go { at });
    }

    /// Puts what happened since the last time into the outbox.
    pub fn report(&self) {
        self.pool.sweep();
        let mut machine = self.machine.borrow_mut();
        let mut samples = vec![
            sample("bytes_sent_total", self.traffic.sent.get() as f64),
            sample("bytes_received_total", self.traffic.received.get() as f64),
            sample(
                "connections",
                (self.pool.open() + self.guests.open()) as f64,
            ),
            sample("timer_lag_seconds", self.alarm.take_lag() as f64 / 1e9),
        ];
        machine.samples(&mut samples);
        let (requests, requests_missed) = machine.requests();
        let latency = machine.latency();
        if let Some(line) = self.told.borrow_mut().add(now(), &latency) {
            eprintln!("netlab: {line}");
        }
        self.outbox.report(Report {
            run: self.run.get(),
            at: now(),
            latency,
            samples,
            requests,
            requests_missed,
        });
    }
}

/// Somebody waits for an answer; dropped before there is one, it tells the role that they left.
pub struct Asking {
    node: Rc<Node>,
    id: u64,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let waits = self.node.asked.borrow_mut().remove(&self.id).is_some();
        if waits {
            self.node.handle(Event::Gone { id: self.id });
        }
    }
}
