//! The agent's mind: inputs in, actions out; no I/O and no clock.
//!
//! Owns the lab's whole state and every decision. What acts is the `driver`; it tells what came of
//! an action by another [`Input`]. `nodes` holds what happens to nodes, `play` runs and faults,
//! `requests` clients, `adopt` how the lab becomes another.

use super::apply::Faults;
use super::by_hand::Hand;
use super::compare::{Memory, Stand};
use super::conduct::Conduct;
use super::desire::Operation;
use super::links::Links;
use super::live::Live;
use super::measured::Measured;
use super::names::Names;
use super::play::{Last, Run};
use super::position::{FORMAT, Position};
use super::prove::{Look, Proofs, Sight};
use super::requests::Client;
use super::scraped::Scraped;
use super::state::{Conn, Knock, Netns, State};
use super::volumes::{VolumeState, Volumes};
use super::watched::Watched;
use super::wipes::Emptied;
use crate::fabric::capture::Filter;
use crate::fabric::{LinkChange, ResolverChange};
use crate::fault::Limits;
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::plan::Adoption;
use crate::record::event::Event;
use crate::record::stream::{Published, Reply, Request};
use crate::timeline::Moment;
use netlab_protocol::control::{Report, RequestRow, Sample, ToNode};
use netlab_protocol::latency::{LatencyCount, Op, Outcome};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Something that happened. Numbers (`knock`, `conn`, `client`, `serial`) stand for what the
/// driver holds.
#[derive(Debug)]
pub(super) enum Input {
    /// A node's gate asks to be opened.
    Knock {
        knock: Knock,
        node: NodeIndex,
        container: String,
        netns: Netns,
    },
    /// A wiring is over; the driver holds the device.
    Wired {
        node: NodeIndex,
        serial: u64,
        result: Result<Netns, String>,
    },
    /// A device vanished because its namespace died.
    DeviceLost { node: NodeIndex },
    /// A namespace could not be pinned.
    PinFailed { node: NodeIndex, why: String },
    /// A node's program says hello.
    Hello {
        conn: Conn,
        netns: Netns,
        protocol: u32,
    },
    /// It is ready.
    Ready { conn: Conn },
    /// It reports.
    Report { conn: Conn, report: Report },
    /// It does as it was told, having spoilt so many answers.
    Behaves {
        conn: Conn,
        number: u64,
        spoilt: u64,
    },
    /// It has a problem.
    Problem { conn: Conn, text: String },
    /// Its connection is over; `why`: it misbehaved.
    ConnClosed { conn: Conn, why: Option<String> },
    /// The engine says that a container's processes are gone.
    Died {
        node: NodeIndex,
        container: String,
        exit_code: i64,
    },
    /// The engine says that something else happened to a container.
    Changed {
        node: NodeIndex,
        container: String,
        action: String,
    },
    /// What the engine says when asked; none: there is no such container.
    Seen {
        node: NodeIndex,
        container: String,
        asked: u64,
        status: Option<EngineStatus>,
    },
    /// Whether a node's program takes connections.
    Probed {
        node: NodeIndex,
        serial: u64,
        open: bool,
    },
    /// A step of the engine is over; what the engine says now follows as [`Input::Seen`], before.
    Done {
        node: NodeIndex,
        serial: u64,
        result: Result<(), String>,
    },
    /// A node's volume was emptied, or not.
    Emptied {
        node: NodeIndex,
        result: Result<Emptied, String>,
    },
    /// A node's volume is as it was to be, or why not.
    VolumeSet {
        node: NodeIndex,
        serial: u64,
        result: Result<(), String>,
    },
    /// All changes of links hold.
    LinksHold { at: u64 },
    /// So many connections were aborted.
    Aborted { fault: usize, count: u64 },
    /// What was seen of a fault.
    Looked(Sight),
    /// What the lab is.
    Stood(Stand),
    /// Where ports are published from now on.
    Published { ports: Vec<Published> },
    /// Packets that devices dropped since the agent's start.
    Drops { total: u64 },
    /// What a page of metrics in a node says, or why there is none.
    Scraped { node: NodeIndex, scraped: Scraped },
    /// What was measured of containers and the machine.
    Measured(Measured),
    /// A client asks.
    Request { client: u64, request: Request },
    /// A client wants the lab to be another.
    Adopt {
        client: u64,
        adoption: Box<Adoption>,
    },
    /// A client is gone.
    ClientGone { client: u64 },
}

/// A container's state, from the engine.
#[derive(Clone, Debug)]
pub(super) struct EngineStatus {
    /// `running`, `paused`, `exited`, ….
    pub status: String,
    /// Exit code of its last end.
    pub exit_code: i64,
    /// Whether the kernel ended it for its memory limit.
    pub oom_killed: bool,
    /// What it may take.
    pub limits: Limits,
}

/// Something to be done.
#[derive(Debug)]
pub(super) enum Action {
    /// Wire the namespace of a caller at the gate.
    WireKnock {
        node: NodeIndex,
        knock: Knock,
        serial: u64,
    },
    /// Wire the namespace of a container's first process.
    WireContainer {
        node: NodeIndex,
        container: String,
        serial: u64,
    },
    /// Wire the network of the node `host`, and publish the lab's ports.
    WireHost { node: NodeIndex, serial: u64 },
    /// Give a wired device to the fabric.
    Attach { node: NodeIndex, serial: u64 },
    /// Close a wired device that nobody wants any more.
    Discard { serial: u64 },
    /// Take a node's device from the fabric.
    Detach { node: NodeIndex },
    /// Hold a node's namespace.
    Pin { node: NodeIndex },
    /// Let go of it.
    Unpin { node: NodeIndex },
    /// Empty the volume of a node that waits at its gate; answered by [`Input::Emptied`].
    Empty { node: NodeIndex, volume: bool },
    /// Let a node's volume be so; answered by [`Input::VolumeSet`].
    SetVolume {
        node: NodeIndex,
        serial: u64,
        condition: VolumeState,
    },
    /// Let a caller pass.
    OpenGate { knock: Knock },
    /// Hang up on a caller, who knocks again.
    DropKnock { knock: Knock },
    /// Tell a node's program.
    Send { conn: Conn, message: ToNode },
    /// Hang up on a node's program.
    Close { conn: Conn },
    /// Change links, all at once, and the resolver's answers; answered by [`Input::LinksHold`].
    Network {
        links: Vec<LinkChange>,
        resolver: Vec<ResolverChange>,
    },
    /// Abort the TCP connections that cross these links for a fault; answered by [`Input::Aborted`].
    Abort {
        fault: usize,
        links: Vec<(NodeIndex, NodeIndex)>,
    },
    /// Look at nodes and links, and ask programs; answered by [`Input::Looked`].
    Look(Look),
    /// Look at the whole lab; answered by [`Input::Stood`].
    Stand,
    /// A step of the engine; answered by [`Input::Seen`], then [`Input::Done`].
    Operate {
        node: NodeIndex,
        container: String,
        serial: u64,
        operation: Operation,
    },
    /// Look whether a node's program takes connections at a port; answered by [`Input::Probed`], a
    /// little later when it does not.
    Probe {
        node: NodeIndex,
        container: String,
        serial: u64,
        port: u16,
    },
    /// Ask the engine; answered by [`Input::Seen`].
    Inspect { node: NodeIndex, container: String },
    /// Open the record of a new run, whose time begins at `go`.
    OpenRun { id: String, go: u64 },
    /// Go on with the record of a run that was begun before.
    ReopenRun { id: String, go: u64 },
    /// Record an event.
    Event(Event),
    /// Record requests of a node.
    Latency {
        node: NodeIndex,
        counts: Vec<LatencyCount>,
    },
    /// Record requests of a node one by one.
    Requests {
        node: NodeIndex,
        rows: Vec<RequestRow>,
    },
    /// Record values of a node, or of the machine.
    Samples {
        node: Option<NodeIndex>,
        t: i64,
        samples: Vec<Sample>,
    },
    /// Tell a client what links carried.
    TellLinks { client: u64 },
    /// Tell a client what every node does.
    TellMetrics { client: u64 },
    /// Write packets to a client.
    Capture {
        client: u64,
        filter: Filter,
        most: u64,
    },
    /// Record what conditions have told.
    Timeline(Vec<Moment>),
    /// Complete the record.
    CloseRun { drops: u64 },
    /// Answer a client; the last answer ends its connection.
    Reply {
        client: u64,
        reply: Reply,
        last: bool,
    },
    /// Answer a client with many events at once.
    Backlog { client: u64, events: Vec<Event> },
    /// Log a sentence.
    Log(String),
}

/// Requests of one role that ended since the last progress: by outcome and latency.
pub(super) type Counts = BTreeMap<(&'static str, Op, Outcome), BTreeMap<u64, u64>>;

/// The agent's mind.
pub(super) struct Core {
    pub(super) lab: Lab,
    pub(super) state: State,
    pub(super) faults: Faults,
    pub(super) hand: Hand,
    pub(super) proofs: Proofs,
    pub(super) memory: Memory,
    pub(super) run: Option<Run>,
    pub(super) last: Option<Last>,
    pub(super) runs: Vec<String>,
    pub(super) number: u32,
    pub(super) load: Option<u64>,
    pub(super) play_next: Option<u64>,
    pub(super) adopt_next: Option<(u64, Box<Adoption>)>,
    /// Containers that the agent has let go of: what is said of them matters no more.
    pub(super) left: BTreeSet<String>,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) counts: Counts,
    pub(super) watched: Watched,
    pub(super) live: Live,
    pub(super) links: Links,
    pub(super) names: Names,
    pub(super) conduct: Conduct,
    pub(super) volumes: Volumes,
    pub(super) actions: VecDeque<Action>,
    pub(super) serial: u64,
    pub(super) published: Vec<Published>,
    pub(super) drops: u64,
    pub(super) second: u64,
    pub(super) created: u64,
    pub(super) boot: String,
    pub(super) unix_time: u64,
}

impl Input {
    /// The node that it is about, if it is about one.
    pub fn node_mut(&mut self) -> Option<&mut NodeIndex> {
        match self {
            Input::Knock { node, .. }
            | Input::Wired { node, .. }
            | Input::DeviceLost { node }
            | Input::PinFailed { node, .. }
            | Input::Died { node, .. }
            | Input::Changed { node, .. }
            | Input::Seen { node, .. }
            | Input::Probed { node, .. }
            | Input::Emptied { node, .. }
            | Input::VolumeSet { node, .. }
            | Input::Scraped { node, .. }
            | Input::Done { node, .. } => Some(node),
            Input::Hello { .. }
            | Input::Ready { .. }
            | Input::Report { .. }
            | Input::Behaves { .. }
            | Input::Problem { .. }
            | Input::ConnClosed { .. }
            | Input::LinksHold { .. }
            | Input::Aborted { .. }
            | Input::Looked(_)
            | Input::Stood(_)
            | Input::Published { .. }
            | Input::Drops { .. }
            | Input::Measured(_)
            | Input::Request { .. }
            | Input::Adopt { .. }
            | Input::ClientGone { .. } => None,
        }
    }
}

impl Core {
    /// A new lab, of which nothing was played.
    pub fn new(lab: Lab, boot: String, created: u64) -> Core {
        Core {
            state: State::new(&lab),
            faults: Faults::new(&lab, Vec::new()),
            hand: Hand::default(),
            proofs: Proofs::default(),
            memory: Memory::default(),
            lab,
            run: None,
            last: None,
            runs: Vec::new(),
            number: 0,
            load: None,
            play_next: None,
            adopt_next: None,
            left: BTreeSet::new(),
            clients: BTreeMap::new(),
            counts: Counts::new(),
            watched: Watched::default(),
            live: Live::default(),
            links: Links::default(),
            names: Names::default(),
            conduct: Conduct::default(),
            volumes: Volumes::default(),
            actions: VecDeque::new(),
            serial: 0,
            published: Vec::new(),
            drops: 0,
            second: 0,
            created,
            boot,
            unix_time: created,
        }
    }

    /// Takes what happened at `now` (CLOCK_MONOTONIC ns); [`Core::next_action`] says what to do.
    pub fn handle(&mut self, now: u64, input: Input) {
        match input {
            Input::Knock {
                knock,
                node,
                container,
                netns,
            } => {
                self.knocked(now, knock, node, container, netns);
            }
            Input::Wired {
                node,
                serial,
                result,
            } => self.wired(now, node, serial, result),
            Input::DeviceLost { node } => self.device_lost(node),
            Input::PinFailed { node, why } => self.pin_failed(now, node, &why),
            Input::Hello {
                conn,
                netns,
                protocol,
            } => self.hello(conn, netns, protocol),
            Input::Ready { conn } => self.node_ready(now, conn),
            Input::Report { conn, report } => self.reported(now, conn, report),
            Input::Behaves {
                conn,
                number,
                spoilt,
            } => self.behaves(conn, number, spoilt),
            Input::Problem { conn, text } => self.problem(now, conn, &text),
            Input::ConnClosed { conn, why } => self.conn_closed(now, conn, why),
            Input::Died {
                node,
                container,
                exit_code,
            } => {
                if !self.left.contains(&container) {
                    // Whether the kernel did it for its memory, the engine says when asked.
                    if !self.may_be_out_of_memory(node, exit_code) {
                        self.died(now, node, exit_code);
                    }
                    self.inspect(node);
                }
            }
            Input::Changed {
                node,
                container,
                action,
            } => {
                if !self.left.contains(&container) {
                    self.changed(now, node, &action);
                }
            }
            Input::Seen {
                node,
                container,
                asked,
                status,
            } => {
                self.seen(now, asked, node, container, status);
            }
            Input::Done {
                node,
                serial,
                result,
            } => self.done(now, node, serial, result),
            Input::Probed { node, serial, open } => self.probed(now, node, serial, open),
            Input::Emptied { node, result } => self.emptied(node, result),
            Input::VolumeSet {
                node,
                serial,
                result,
            } => self.volume_set(now, node, serial, result),
            Input::LinksHold { at } => self.faults.links_hold(at),
            Input::Aborted { fault, count } => self.aborted(now, fault, count),
            Input::Looked(sight) => self.looked(now, sight),
            Input::Stood(stand) => self.stood(now, stand),
            Input::Published { ports } => self.published(ports),
            Input::Drops { total } => self.drops = total,
            Input::Scraped { node, scraped } => self.scraped(now, node, scraped),
            Input::Measured(measured) => self.measured(measured),
            Input::Request { client, request } => self.request(now, client, request),
            Input::Adopt { client, adoption } => self.asked_to_adopt(now, client, adoption),
            Input::ClientGone { client } => self.client_gone(client),
        }
        self.advance(now);
    }

    /// Does what the time alone makes due. To be called at [`Core::next_wake`], too.
    pub fn advance(&mut self, now: u64) {
        self.keep_host(now);
        self.open_gates(now);
        self.heal_due_by_hand(now);
        self.play(now);
        self.faults.pace_loops(now, &self.state.actual(), None);
        self.reconcile(now);
        if now >= self.second {
            self.second = now + SECOND;
            self.every_second(now);
        }
        self.answer_publishers(now);
        self.answer_waiting(now);
        self.answer_by_hand(now);
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Core::advance`] must be called at the latest.
    pub fn next_wake(&self, now: u64) -> u64 {
        let run = self.run.as_ref().and_then(|run| run.next_at());
        let retries = self
            .state
            .members
            .iter()
            .filter(|m| m.owned)
            .map(|m| m.retry_at)
            .filter(|at| *at > now)
            .min();
        let clients = self.clients.values().filter_map(Client::deadline).min();
        let due = [
            run,
            retries,
            clients,
            self.faults.next_deadline(),
            self.faults.next_crash(),
            self.links.next_at(),
            self.volumes.next_at(),
            self.closing_deadline(),
            self.next_by_hand(),
        ];
        let due = due.into_iter().flatten().filter(|at| *at > now);
        due.min().unwrap_or(u64::MAX).min(self.second)
    }

    /// What to write down, so that the agent's death does not end the lab.
    pub fn position(&self, now: u64) -> Position {
        let owned = self
            .state
            .indices()
            .filter(|n| self.state.members[n.at()].owned);
        Position {
            format: FORMAT,
            boot: self.boot.clone(),
            at: now,
            created: self.created,
            gates_open: self.state.gates_open,
            ready: self.state.ready,
            number: self.number,
            load: self.load,
            run: self.run.as_ref().map(|run| run.position(&self.faults)),
            owned: owned.map(|n| self.name(n)).collect(),
            hand_number: self.hand.number,
            by_hand: self.hand_position(),
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

pub(super) const SECOND: u64 = 1_000_000_000;
/// After a failed step the next is tried this much later.
pub(super) const RETRY: Duration = Duration::from_millis(500);
