//! Does what the core says: the only place of the agent where things happen.
//!
//! Owns devices, pins, connections, the open record and the position on disk. Must not decide.

mod actions;
mod adopt;
mod empty;
mod host;
mod probe;
mod sabotage;
mod samples;
mod scrape;
mod volume;
mod wiring;
mod witness;

use self::adopt::Moves;
pub(super) use self::sabotage::Sabotage;
use self::scrape::Reads;
use super::alarm::Alarm;
use super::core::{Action, Core, Input};
use super::desire::Operation;
use super::doors::TO_CLIENT;
use super::identity::{Caller, Identity, Seat};
use super::look::{Captures, Found, Wanted};
use super::measured::Measured;
use super::position::{self, Position};
use super::publish::Publisher;
use super::recorder::Recorder;
use super::sampler::{Sampler, Tick};
use super::{AgentError, sys, watch};
use crate::engine::{Engine, EngineError};
use crate::fabric::wire::WireSpec;
use crate::fabric::{Fabric, FabricError, LagSnapshot, LinkCounters, Tun};
use crate::id::{NetworkIndex, NodeIndex};
use crate::plan::Adoption;
use crate::record::event::Event;
use crate::record::stream::{Reply, Request};
use netlab_protocol::control::ToNode;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_local;

/// The position is written at least this often: it is the sign of life.
const SIGN_OF_LIFE: u64 = 1_000_000_000;
/// Messages taken before the clock is looked at again.
const BATCH: usize = 64;

/// What arrives at the driver.
pub(super) enum Message {
    /// For the core alone, about no node by its place.
    Input(Input),
    /// For the core alone, about a node by its place after so many adoptions.
    OfNode { epoch: u32, input: Input },
    /// A caller at the gate.
    Knock {
        knock: u64,
        caller: Caller,
        answer: oneshot::Sender<GateAnswer>,
    },
    /// A wiring is over.
    Wired {
        epoch: u32,
        node: NodeIndex,
        serial: u64,
        result: Result<Wired, String>,
    },
    /// A node's program said hello.
    Program {
        conn: u64,
        netns: u64,
        protocol: u32,
        sender: mpsc::Sender<ToNode>,
    },
    /// A client asks.
    Client {
        client: u64,
        request: Request,
        /// What follows [`Request::Adopt`].
        adoption: Option<Box<Adoption>>,
        sender: mpsc::Sender<Outgoing>,
    },
    /// Packets dropped by devices since each was wired, by places after so many adoptions.
    Drops(u32, Vec<(NodeIndex, u64)>),
    /// It is time to measure.
    Tick(Tick),
    /// What was measured, by places after so many adoptions.
    Measured(u32, Measured),
    /// What links carried until then (CLOCK_MONOTONIC), after so many adoptions.
    Links(u32, u64, Vec<LinkCounters>),
    /// What was read for a client, by places after so many adoptions.
    Found(u32, u64, Wanted, Result<Found, FabricError>),
}

/// Answer to a caller at the gate; none: hang up.
#[derive(Debug)]
pub(super) enum GateAnswer {
    /// It may pass.
    Go,
}

/// How a node's devices shall look.
pub(super) type Specs = Vec<(NetworkIndex, WireSpec)>;

/// A node's devices in its namespace.
pub(super) struct Wired {
    tuns: Vec<(NetworkIndex, Tun)>,
    pid: i32,
    netns: u64,
}

/// To a client.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// One answer.
    One(Reply),
    /// Events of the past.
    Many(Vec<Event>),
    /// Part of a file.
    Bytes(Vec<u8>),
}

/// A caller that waits at its gate.
struct Waiting {
    caller: Option<Caller>,
    answer: oneshot::Sender<GateAnswer>,
}

/// What a node's network is in the driver's hands.
#[derive(Default)]
struct Port {
    pid: i32,
    netns: u64,
    container: String,
    pin: Option<OwnedFd>,
    drops: u64,
}

/// The agent at work.
pub(super) struct Driver<E> {
    pub core: Core,
    pub engine: Rc<E>,
    pub identity: Rc<Identity<E>>,
    pub fabric: Arc<Fabric>,
    pub recorder: Recorder,
    pub state: PathBuf,
    pub ttl: Option<Duration>,
    pub instance: String,
    /// What limits the callers of the doors for nodes.
    pub rooms: Vec<Arc<Semaphore>>,
    publisher: Arc<Mutex<Publisher>>,
    most_nodes: usize,
    moves: Moves,
    sender: mpsc::Sender<Message>,
    knocks: HashMap<u64, Waiting>,
    tuns: HashMap<u64, Wired>,
    ports: Vec<Port>,
    programs: HashMap<u64, mpsc::Sender<ToNode>>,
    pub(super) clients: HashMap<u64, mpsc::Sender<Outgoing>>,
    pub(super) captures: Captures,
    written: Option<Position>,
    sampled: u64,
    links_sampled: u64,
    /// Whether counters of links are to be read before the network changes.
    at_border: bool,
    sampler: Sampler,
    /// Pages of metrics that are being read.
    reads: Reads,
    /// Whether a measurement is under way.
    measuring: bool,
    /// The fabric's lateness at the last one.
    lag: Arc<Mutex<LagSnapshot>>,
    drops: u64,
    expired: bool,
    /// What a test wants to go wrong.
    pub sabotage: Sabotage,
}

impl<E: Engine + 'static> Driver<E> {
    /// Puts everything in its place; nothing happens yet.
    #[allow(clippy::too_many_arguments)] // built once, from what the start has made
    pub fn new(
        core: Core,
        engine: Rc<E>,
        identity: Rc<Identity<E>>,
        fabric: Fabric,
        recorder: Recorder,
        places: &super::Places,
        lease: (Option<Duration>, String),
        sender: mpsc::Sender<Message>,
        sampler: Sampler,
    ) -> Driver<E> {
        let ports: Vec<Port> = core.lab.nodes.iter().map(|_| Port::default()).collect();
        Driver {
            core,
            engine,
            identity,
            fabric: Arc::new(fabric),
            recorder,
            state: places.state.clone(),
            ttl: lease.0,
            instance: lease.1,
            rooms: Vec::new(),
            publisher: Arc::new(Mutex::new(Publisher::new(
                places.outside.clone(),
                places.state.clone(),
            ))),
            most_nodes: ports.len(),
            moves: Moves::default(),
            sender,
            knocks: HashMap::new(),
            tuns: HashMap::new(),
            ports,
            programs: HashMap::new(),
            clients: HashMap::new(),
            captures: Captures::new(),
            written: None,
            sampled: 0,
            links_sampled: 0,
            at_border: false,
            sampler,
            reads: Reads::default(),
            measuring: false,
            lag: Arc::default(),
            drops: 0,
            expired: false,
            sabotage: Sabotage::default(),
        }
    }

    /// Works until `end` is over.
    ///
    /// # Errors
    /// What the agent cannot live without: the fabric, the record.
    pub async fn run(
        &mut self,
        mut inbox: mpsc::Receiver<Message>,
        end: impl Future<Output = ()>,
    ) -> Result<(), AgentError> {
        let mut end = std::pin::pin!(end);
        let alarm = Alarm::new().map_err(AgentError::Start)?;
        loop {
            self.every_now_and_then()?;
            let wake = self.core.next_wake(sys::now());
            tokio::select! {
                () = &mut end => return self.finish(),
                message = inbox.recv() => {
                    let mut next = message;
                    for _ in 0..BATCH {
                        let Some(message) = next else { break };
                        self.take(message)?;
                        next = inbox.try_recv().ok();
                    }
                    if let Some(message) = next {
                        self.take(message)?;
                    }
                }
                rung = alarm.until(wake) => rung.map_err(AgentError::Start)?,
            }
            self.core.unix_time = sys::unix_time();
            self.core.advance(sys::now());
            self.act()?;
        }
    }

    fn finish(&mut self) -> Result<(), AgentError> {
        self.recorder.flush()?;
        self.write_position(sys::now())
    }

    /// Feeds the core and does at once what it says.
    pub fn take(&mut self, message: Message) -> Result<(), AgentError> {
        let input = match message {
            Message::Input(input) => input,
            Message::OfNode { epoch, mut input } => {
                if let Some(place) = input.node_mut() {
                    let Some(now) = self.moves.place(epoch, *place) else {
                        return Ok(());
                    };
                    *place = now;
                }
                input
            }
            Message::Knock {
                knock,
                caller,
                answer,
            } => return self.take_knock(knock, caller, answer),
            Message::Wired {
                epoch,
                node,
                serial,
                result,
            } => {
                // With nobody to give it to the device is closed.
                let Some(node) = self.moves.place(epoch, node) else {
                    return Ok(());
                };
                let result = result.map(|wired| {
                    let netns = wired.netns;
                    self.tuns.insert(serial, wired);
                    netns
                });
                Input::Wired {
                    node,
                    serial,
                    result,
                }
            }
            Message::Program {
                conn,
                netns,
                protocol,
                sender,
            } => {
                self.programs.insert(conn, sender);
                Input::Hello {
                    conn,
                    netns,
                    protocol,
                }
            }
            Message::Client {
                client,
                request,
                adoption,
                sender,
            } => {
                self.clients.insert(client, sender);
                match adoption {
                    Some(adoption) => Input::Adopt { client, adoption },
                    None => Input::Request { client, request },
                }
            }
            // The next second's are of this lab again.
            Message::Measured(epoch, _) if epoch != self.moves.epoch() => {
                self.measuring = false;
                return Ok(());
            }
            Message::Drops(epoch, _) | Message::Links(epoch, ..) if epoch != self.moves.epoch() => {
                return Ok(());
            }
            Message::Links(_, at, counters) => {
                return self.keep_links(at, &counters, false);
            }
            Message::Found(epoch, client, what, found) => {
                return Ok(self.tell_found(epoch, client, what, found)?);
            }
            Message::Tick(tick) => {
                self.scrape_all(tick.at);
                self.measure(tick);
                return Ok(());
            }
            Message::Measured(_, measured) => {
                self.measuring = false;
                Input::Measured(measured)
            }
            Message::Drops(_, drops) => Input::Drops {
                total: self.add_drops(&drops),
            },
        };
        if let Input::ConnClosed { conn, .. } = &input {
            self.programs.remove(conn);
        }
        if let Input::ClientGone { client } = &input {
            self.clients.remove(client);
            self.end_capture(*client);
        }
        self.core.handle(sys::now(), input);
        self.act()
    }

    fn take_knock(
        &mut self,
        knock: u64,
        caller: Caller,
        answer: oneshot::Sender<GateAnswer>,
    ) -> Result<(), AgentError> {
        // Who is hung up on knocks again, if it still is of the lab.
        let Some(node) = self.moves.place(caller.epoch, caller.node) else {
            return Ok(());
        };
        let input = Input::Knock {
            knock,
            node,
            container: caller.container.clone(),
            netns: caller.netns,
        };
        let caller = Some(caller);
        self.knocks.insert(knock, Waiting { caller, answer });
        self.core.handle(sys::now(), input);
        self.act()?;
        // Whoever is not wired now does not need its namespace held.
        if let Some(waiting) = self.knocks.get_mut(&knock) {
            waiting.caller = None;
        }
        Ok(())
    }

    /// Does what the core has decided, in its order.
    pub fn act(&mut self) -> Result<(), AgentError> {
        loop {
            while let Some(action) = self.core.next_action() {
                // What links carried until now is read before they change.
                if matches!(action, Action::Network { .. } | Action::CloseRun { .. }) {
                    self.look_at_border()?;
                }
                self.do_one(action)?;
            }
            self.look_at_border()?;
            let Some((client, adoption)) = self.core.due_adoption() else {
                return Ok(());
            };
            self.adopt(client, *adoption)?;
        }
    }

    /// A slow reader misses progress first, then is hung up on; the agent never waits for one.
    pub(super) fn reply(&mut self, client: u64, reply: Reply, last: bool) {
        let Some(sender) = self.clients.get(&client) else {
            return;
        };
        let crowded = sender.capacity() < TO_CLIENT / 2;
        let told = match &reply {
            Reply::Progress(_) if crowded => true,
            _ => sender.try_send(Outgoing::One(reply)).is_ok(),
        };
        if !told {
            self.core.handle(sys::now(), Input::ClientGone { client });
        }
        if last || !told {
            self.clients.remove(&client);
        }
    }

    /// Position, record and lease.
    fn every_now_and_then(&mut self) -> Result<(), AgentError> {
        let now = sys::now();
        if now >= self.sampled + SIGN_OF_LIFE {
            self.sampled = now;
            self.recorder.flush()?;
            self.sample_drops();
            self.sample_links(now);
            let over = |ttl: Duration| sys::unix_time() >= self.core.created + ttl.as_secs();
            if !self.expired && self.ttl.is_some_and(over) {
                self.expired = true;
                let expire = super::lease::expire(Rc::clone(&self.engine), self.instance.clone());
                spawn_local(expire);
            }
        }
        self.write_position(now)
    }

    fn write_position(&mut self, now: u64) -> Result<(), AgentError> {
        let position = self.core.position(now);
        let due = self.written.as_ref().is_none_or(|written| {
            let same = Position {
                at: written.at,
                ..position.clone()
            } == *written;
            !same || now >= written.at + SIGN_OF_LIFE
        });
        if due {
            position::write(&self.state, &position).map_err(AgentError::Position)?;
            self.written = Some(position);
        }
        Ok(())
    }
}

/// An error with all its causes in one line.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

impl From<EngineError> for AgentError {
    fn from(error: EngineError) -> AgentError {
        AgentError::Engine(error)
    }
}
