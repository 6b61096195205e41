//! A small world for tests: it does what the core says, with declared delays, on a simulated
//! clock; engine, kernel and nodes are played.

mod labs;
mod sights;

pub(super) use labs::{fault, lab, machine_kill, on, scenario};

use super::core::{Action, Core, EngineStatus, Input};
use super::desire::Operation;
use super::position::{self, Position};
use super::volumes::VolumeState;
use super::wipes::Emptied;
use crate::fabric::{LinkChange, Place, ResolverChange, ResolverManner};
use crate::fault::Limits;
use crate::id::NodeIndex;
use crate::lab::{Lab, Node};
use crate::port::Protocol;
use crate::record::event::{Event, Verdict, What};
use crate::record::stream::{Published, Reply, Request};
use netlab_protocol::conduct::Misbehaviour;
use netlab_protocol::control::{Report, ToNode};
use std::collections::{BTreeMap, BTreeSet};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// What the world does at a later time.
pub(super) enum Later {
    Input(Input),
    /// The container's first process begins and knocks.
    Knock(NodeIndex),
    /// The grace of a stop is over, with the number of the step.
    Stopped(NodeIndex, u64),
}

/// Engine, kernel and nodes, played.
pub(super) struct World {
    pub core: Core,
    pub now: u64,
    pub later: BTreeMap<(u64, u64), Later>,
    pub order: u64,
    /// How the engine sees each container.
    pub status: Vec<&'static str>,
    /// What it lets each take.
    pub limits: Vec<Limits>,
    /// The namespace of each node's process, its connection, and whether the fabric has a device.
    pub netns: Vec<u64>,
    pub conn: Vec<Option<u64>>,
    pub attached: Vec<bool>,
    pub pinned: Vec<bool>,
    pub down: BTreeSet<(NodeIndex, NodeIndex)>,
    pub go: Option<(u32, u64)>,
    pub events: Vec<Event>,
    pub replies: Vec<Reply>,
    /// Nodes whose engine calls do nothing.
    pub broken: BTreeSet<u32>,
    /// Nodes that do not hear SIGTERM.
    pub deaf: BTreeSet<u32>,
    /// Nodes whose last end was the kernel's doing, for their memory.
    pub oom: BTreeSet<u32>,
    pub log: Vec<String>,
    /// Nodes that were emptied, in their order, and how many files stayed.
    pub emptied: Vec<u32>,
    pub left: usize,
    /// Whether programs of images take connections.
    pub listening: bool,
    /// Links as the fabric was told.
    pub links: BTreeMap<Place, LinkChange>,
    /// How nodes are answered, as the fabric was told.
    pub manners: BTreeMap<NodeIndex, ResolverManner>,
    /// What programs were told to do wrong, by connection.
    pub told: BTreeMap<u64, Vec<Misbehaviour>>,
    /// How volumes that have a size are, and whether files on them are open for writing.
    pub conditions: BTreeMap<NodeIndex, VolumeState>,
    pub open_files: bool,
    /// Whether everything seems to stand still.
    pub frozen: bool,
    /// Whether a port that the lab publishes is taken.
    pub taken: bool,
}

impl World {
    pub fn new(lab: Lab) -> World {
        let nodes = lab.nodes.len();
        let limits = lab.nodes.iter().map(Node::limits).collect();
        let mut world = World {
            limits,
            core: Core::new(lab, "boot".into(), 1_800_000_000),
            now: 1_000 * SECOND,
            later: BTreeMap::new(),
            order: 0,
            status: vec!["running"; nodes],
            netns: (0..nodes as u64).map(|n| 100 + n).collect(),
            conn: vec![None; nodes],
            attached: vec![false; nodes],
            pinned: vec![false; nodes],
            down: BTreeSet::new(),
            go: None,
            events: Vec::new(),
            replies: Vec::new(),
            broken: BTreeSet::new(),
            deaf: BTreeSet::new(),
            oom: BTreeSet::new(),
            log: Vec::new(),
            emptied: Vec::new(),
            left: 0,
            listening: true,
            links: BTreeMap::new(),
            manners: BTreeMap::new(),
            told: BTreeMap::new(),
            conditions: BTreeMap::new(),
            open_files: false,
            frozen: false,
            taken: false,
        };
        world.core.advance(world.now);
        for (node, _) in world.core.lab.clone().containers() {
            world.later(10, Later::Knock(node));
        }
        world
    }

    pub fn later(&mut self, ms: u64, what: Later) {
        self.order += 1;
        self.later.insert((self.now + ms * MS, self.order), what);
    }

    pub fn input(&mut self, ms: u64, input: Input) {
        self.later(ms, Later::Input(input));
    }

    /// Lives until `end` (ns on the world's clock).
    pub fn run_until(&mut self, end: u64) {
        while self.now < end {
            let wake = self.core.next_wake(self.now);
            assert!(wake > self.now, "the core may not be woken without end");
            let next = self.later.keys().next().map_or(u64::MAX, |key| key.0);
            self.now = wake.min(next).max(self.now).min(end);
            while let Some(entry) = self.later.first_entry()
                && entry.key().0 <= self.now
            {
                let what = entry.remove();
                self.happen(what);
                self.act();
            }
            self.core.advance(self.now);
            self.act();
            self.report();
        }
    }

    pub fn run_for(&mut self, seconds: f64) {
        self.run_until(self.now + (seconds * SECOND as f64) as u64);
    }

    pub fn happen(&mut self, what: Later) {
        let input = match what {
            Later::Input(input) => input,
            Later::Stopped(node, serial) => {
                if self.status[node.at()] == "running" {
                    self.die(node);
                }
                return self.did(node, serial, Ok(()));
            }
            Later::Knock(node) => {
                self.order += 1;
                let (netns, knock) = (self.netns[node.at()], self.order);
                Input::Knock {
                    knock,
                    node,
                    container: format!("c{}", node.0),
                    netns,
                }
            }
        };
        self.core.handle(self.now, input);
    }

    /// Nodes that run report about once a second.
    pub fn report(&mut self) {
        let Some((run, _)) = self.go else { return };
        for node in 0..self.conn.len() {
            let reported = self.core.state.members[node].reported;
            if let Some(conn) = self.conn[node]
                && self.status[node] == "running"
                && self.now >= reported + 900 * MS
            {
                let report = Report {
                    run,
                    at: self.now,
                    ..Report::default()
                };
                self.core.handle(self.now, Input::Report { conn, report });
                self.act();
            }
        }
    }

    pub fn act(&mut self) {
        while let Some(action) = self.core.next_action() {
            self.do_one(action);
        }
    }

    pub fn do_one(&mut self, action: Action) {
        match action {
            Action::WireKnock { node, serial, .. } | Action::WireContainer { node, serial, .. } => {
                let result = Ok(self.netns[node.at()]);
                self.input(
                    5,
                    Input::Wired {
                        node,
                        serial,
                        result,
                    },
                );
            }
            Action::WireHost { node, serial } => {
                let result = match self.taken {
                    true => Err("port 127.0.0.1:8080 is taken".to_owned()),
                    false => Ok(self.netns[node.at()]),
                };
                let ports = vec![Published {
                    node: "n-1".to_owned(),
                    port: 80,
                    protocol: Protocol::Tcp,
                    address: ([127, 0, 0, 1], 8080).into(),
                }];
                if result.is_ok() {
                    self.input(5, Input::Published { ports });
                }
                self.input(
                    5,
                    Input::Wired {
                        node,
                        serial,
                        result,
                    },
                );
            }
            Action::Attach { node, .. } => self.attached[node.at()] = true,
            Action::Detach { node } => self.attached[node.at()] = false,
            Action::Pin { node } => self.pinned[node.at()] = true,
            Action::Unpin { node } => self.pinned[node.at()] = false,
            Action::Empty { node, .. } => {
                self.emptied.push(node.0);
                let result = Ok(Emptied {
                    volume: true,
                    had: 1,
                    left: self.left,
                });
                self.core.handle(self.now, Input::Emptied { node, result });
            }
            Action::SetVolume {
                node,
                serial,
                condition,
            } => {
                let result = match self.open_files {
                    true if condition.read_only => Err("EBUSY".to_owned()),
                    _ => {
                        self.conditions.insert(node, condition);
                        Ok(())
                    }
                };
                let set = Input::VolumeSet {
                    node,
                    serial,
                    result,
                };
                self.input(1, set);
            }
            Action::OpenGate { .. } => {
                for node in 0..self.netns.len() {
                    if self.conn[node].is_none() && self.status[node] == "running" {
                        self.order += 1;
                        self.conn[node] = Some(self.order);
                        let (conn, netns) = (self.order, self.netns[node]);
                        self.input(
                            3,
                            Input::Hello {
                                conn,
                                netns,
                                protocol: 1,
                            },
                        );
                    }
                }
            }
            Action::Send {
                conn,
                message: ToNode::Configure(_),
            } => {
                self.input(1, Input::Ready { conn });
            }
            Action::Send {
                message: ToNode::Go { run, at },
                ..
            } => self.go = Some((run, at)),
            Action::Send {
                conn,
                message: ToNode::Behave { number, wrong },
            } => {
                self.told.insert(conn, wrong);
                let behaves = Input::Behaves {
                    conn,
                    number,
                    spoilt: 0,
                };
                self.input(1, behaves);
            }
            Action::Send { .. } => self.go = None,
            Action::Close { conn } => {
                for held in &mut self.conn {
                    *held = held.filter(|c| *c != conn);
                }
            }
            Action::Network { links, resolver } => {
                for ResolverChange { node, manner } in resolver {
                    self.manners.insert(node, manner);
                }
                for change in links {
                    let place = (change.network, change.from, change.to);
                    self.links.insert(place, change);
                    let pair = (change.from, change.to);
                    if change.down {
                        self.down.insert(pair);
                    } else {
                        self.down.remove(&pair);
                    }
                }
                self.core
                    .handle(self.now, Input::LinksHold { at: self.now });
            }
            Action::Abort { fault, .. } => {
                self.core
                    .handle(self.now, Input::Aborted { fault, count: 1 });
            }
            Action::Look(look) => self.look(look),
            Action::Stand => self.stand(),
            Action::Operate {
                node,
                serial,
                operation,
                ..
            } => self.operate(node, serial, operation),
            Action::Probe { node, serial, .. } => {
                let open = self.listening;
                let wait = if open { 1 } else { 100 };
                self.input(wait, Input::Probed { node, serial, open });
            }
            Action::Inspect { node, .. } => self.see(20, node),
            Action::Event(event) => self.events.push(event),
            Action::Reply { reply, .. } => self.replies.push(reply),
            Action::Backlog { events, .. } => {
                self.replies.extend(events.into_iter().map(Reply::Event));
            }
            Action::Log(text) => self.log.push(text),
            Action::Discard { .. }
            | Action::DropKnock { .. }
            | Action::TellLinks { .. }
            | Action::Capture { .. }
            | Action::OpenRun { .. }
            | Action::Timeline(_)
            | Action::ReopenRun { .. }
            | Action::Latency { .. }
            | Action::Requests { .. }
            | Action::Samples { .. }
            | Action::TellMetrics { .. }
            | Action::CloseRun { .. } => {}
        }
    }

    pub fn see(&mut self, ms: u64, node: NodeIndex) {
        let status = Some(EngineStatus {
            status: self.status[node.at()].into(),
            exit_code: 137,
            oom_killed: self.oom.contains(&node.0),
            limits: self.limits[node.at()],
        });
        let (container, asked) = (format!("c{}", node.0), self.now);
        self.input(
            ms,
            Input::Seen {
                node,
                container,
                asked,
                status,
            },
        );
    }

    pub fn operate(&mut self, node: NodeIndex, serial: u64, operation: Operation) {
        let at = node.at();
        let result = match (operation, self.status[at]) {
            _ if self.broken.contains(&node.0) => Ok(()),
            (Operation::Stop(grace), "running") if self.deaf.contains(&node.0) => {
                let grace = grace.as_millis() as u64;
                return self.later(grace, Later::Stopped(node, serial));
            }
            (Operation::Kill | Operation::Stop(_), "running" | "paused") => {
                self.die(node);
                Ok(())
            }
            (Operation::Pause, "running") => {
                self.status[at] = "paused";
                Ok(())
            }
            (Operation::Unpause, "paused") => {
                self.status[at] = "running";
                Ok(())
            }
            (Operation::Start, "exited") => {
                assert!(!self.pinned[at], "the pin is let go before the start");
                self.status[at] = "running";
                self.oom.remove(&node.0);
                self.netns[at] += 1_000;
                self.later(80, Later::Knock(node));
                Ok(())
            }
            (Operation::Limit(limits), _) => {
                self.limits[at] = limits;
                Ok(())
            }
            (operation, status) => Err(format!("{operation:?} while {status}")),
        };
        self.did(node, serial, result);
    }

    /// A step is over, and the engine tells of it.
    fn did(&mut self, node: NodeIndex, serial: u64, result: Result<(), String>) {
        self.see(30, node);
        self.input(
            30,
            Input::Done {
                node,
                serial,
                result,
            },
        );
    }

    /// Nodes get other places: `was` names those before; new ones are there and do not knock yet.
    pub fn move_nodes(&mut self, was: &[Option<NodeIndex>]) {
        fn moved<T: Copy>(all: &[T], was: &[Option<NodeIndex>], new: T) -> Vec<T> {
            let old = |was: &Option<NodeIndex>| was.map_or(new, |was| all[was.at()]);
            was.iter().map(old).collect()
        }
        self.status = moved(&self.status, was, "running");
        self.limits = moved(&self.limits, was, Limits::default());
        self.conn = moved(&self.conn, was, None);
        self.attached = moved(&self.attached, was, false);
        self.pinned = moved(&self.pinned, was, false);
        self.order += 1;
        self.netns = moved(&self.netns, was, 5_000 + self.order);
    }

    pub fn die(&mut self, node: NodeIndex) {
        self.status[node.at()] = "exited";
        self.conn[node.at()] = None;
        self.input(
            15,
            Input::Died {
                node,
                container: format!("c{}", node.0),
                exit_code: 137,
            },
        );
    }

    pub fn play(&mut self) {
        let request = Request::Play { replace: false };
        self.core
            .handle(self.now, Input::Request { client: 1, request });
        self.act();
    }

    /// Names of the events, in their order.
    pub fn names(&self) -> Vec<String> {
        let name = |event: &Event| {
            let value = serde_json::to_value(event).unwrap();
            let fault = value["fault"]
                .as_str()
                .map(|f| format!(" {f}"))
                .unwrap_or_default();
            format!("{}{fault}", value["event"].as_str().unwrap())
        };
        self.events.iter().map(name).collect()
    }

    pub fn verdict(&self) -> Option<(Verdict, Vec<String>)> {
        match &self.events.last()?.what {
            What::RunEnded { verdict, reasons } => Some((*verdict, reasons.clone())),
            _ => None,
        }
    }

    /// The agent dies and another one starts `seconds` later from what was written down.
    pub fn agent_restarts(&mut self, seconds: u64) {
        let text = serde_json::to_string(&self.core.position(self.now)).unwrap();
        let position: Position = serde_json::from_str(&text).unwrap();
        self.now += seconds * SECOND;
        let mut core = Core::new(self.core.lab.clone(), "boot".into(), position.created);
        let resume = position::resume(Some(position), "boot");
        core.resume(self.now, resume, self.events.clone());
        core.advance(self.now);
        self.core = core;
        self.later.clear();
        self.down.clear();
        for node in self.core.state.indices() {
            self.attached[node.at()] = false;
            self.pinned[node.at()] = false;
            if self.core.lab.host() == Some(node) {
                continue;
            }
            self.see(20, node);
            if let Some(conn) = self.conn[node.at()] {
                let netns = self.netns[node.at()];
                self.input(
                    60,
                    Input::Hello {
                        conn,
                        netns,
                        protocol: 1,
                    },
                );
            }
        }
        self.act();
    }
}
