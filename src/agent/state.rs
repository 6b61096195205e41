//! Where each node of the lab stands, and which gates may open. Pure.
//!
//! Owns the facts about nodes. Must not know runs, faults or clients.

use super::collect::Flow;
use super::desire::{Actual, Operation};
use super::measured::Oom;
use super::scraped::Pages;
use crate::id::NodeIndex;
use crate::lab::{Lab, Node, Program};
use crate::record::stream::{NodeState, NodeStatus};
use netlab_protocol::role::Role;
use std::collections::BTreeSet;

/// A caller at the gate; the driver holds its connection.
pub(super) type Knock = u64;
/// A connection of a node's program; the driver holds it.
pub(super) type Conn = u64;
/// Number of a namespace while it lives.
pub(super) type Netns = u64;

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its name.
    pub name: String,
    /// Its role; none: any image, which speaks to nobody.
    pub role: Option<Role>,
    /// The TCP port at which an image's program takes connections when it is ready, where one is said.
    pub health: Option<u16>,
    /// A look at that port under way, with its number.
    pub probe: Option<u64>,
    /// The engine's id of its container, once seen.
    pub container: Option<String>,
    /// What its processes are.
    pub actual: Actual,
    /// The namespace in which its device is.
    pub port: Option<Netns>,
    /// A wiring under way: its number, and the namespace.
    pub wiring: Option<(u64, Netns)>,
    /// Callers that wait at its gate.
    pub knocks: Vec<Knock>,
    /// Whether its namespace is held until the heal, so that its kernel answers.
    pub pinned: bool,
    /// Whether its gate stays shut, because it is to be emptied first.
    pub held: bool,
    /// The connection of its program.
    pub conn: Option<Conn>,
    /// Whether its program is ready (an image: has passed the gate, and is healthy).
    pub ready: bool,
    /// Whether it was beyond its gate before the agent started: it need not knock.
    pub beyond: bool,
    /// Whether a fault has it in hand: only then the agent starts or thaws it.
    pub owned: bool,
    /// A step of the engine under way, with its number.
    pub under_way: Option<(u64, Operation)>,
    /// Not before this time another step is tried.
    pub retry_at: u64,
    /// Since when it is up, or last reported.
    pub heard: u64,
    /// Whether its kernel has killed a process of it for its memory.
    pub out_of_memory: bool,
    /// Whether its silence was noted in this run.
    pub silent: bool,
    /// Whether unknown metrics of it were noted.
    pub noted: bool,
    /// Problems it told of in this run.
    pub problems: u32,
    /// When its last report was made.
    pub reported: u64,
    /// When the last fact about its processes arrived; answers that were asked for before are old.
    pub changed: u64,
    /// The last step of the engine that was tried.
    pub tried: Option<Operation>,
    /// How often it came back after it had died.
    pub restarts: u64,
    /// Its processes that were killed for want of memory.
    pub oom: Oom,
    /// How much it reports.
    pub flow: Flow,
    /// What its pages of metrics said in this run.
    pub pages: Pages,
    /// Whether it has died and is not back.
    pub died: bool,
    /// The last complaint of the engine about it.
    pub complaint: String,
}

/// All nodes.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// In the lab's order.
    pub members: Vec<Member>,
    /// Whether the gates were opened: they open all at once first, then one by one.
    pub gates_open: bool,
    /// Whether all were ready once.
    pub ready: bool,
}

impl State {
    /// Nothing is known of any node.
    pub fn new(lab: &Lab) -> State {
        State {
            members: lab.nodes.iter().map(Member::new).collect(),
            gates_open: false,
            ready: false,
        }
    }

    /// All indices.
    pub fn indices(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..self.members.len() as u32).map(NodeIndex)
    }

    /// What the processes of all nodes are.
    pub fn actual(&self) -> Vec<Actual> {
        self.members.iter().map(|m| m.actual).collect()
    }

    /// Nodes that the engine is just ending, as it was asked to.
    pub fn ending(&self) -> BTreeSet<NodeIndex> {
        let ends = |(_, operation)| matches!(operation, Operation::Kill | Operation::Stop(_));
        let ending = |m: &Member| m.actual != Actual::Dead && m.under_way.is_some_and(ends);
        let nodes = self.indices().zip(&self.members);
        nodes.filter(|(_, m)| ending(m)).map(|(n, _)| n).collect()
    }

    /// The node whose device is in this namespace.
    pub fn by_port(&self, netns: Netns) -> Option<NodeIndex> {
        self.find(|m| m.port == Some(netns))
    }

    /// The node of this connection.
    pub fn by_conn(&self, conn: Conn) -> Option<NodeIndex> {
        self.find(|m| m.conn == Some(conn))
    }

    fn find(&self, is: impl Fn(&Member) -> bool) -> Option<NodeIndex> {
        let at = self.members.iter().position(is)?;
        Some(NodeIndex(at as u32))
    }

    /// Gates that may open now: all, once every node is wired; afterwards those of wired nodes.
    pub fn openable(&mut self) -> Vec<(NodeIndex, Knock)> {
        let all = || {
            self.members
                .iter()
                .all(|m| m.port.is_some() && m.wiring.is_none())
        };
        self.gates_open = self.gates_open || all();
        if !self.gates_open {
            return Vec::new();
        }
        let mut open = Vec::new();
        for (at, member) in self.members.iter_mut().enumerate() {
            if member.port.is_some() && member.wiring.is_none() && !member.held {
                let knocks = member.knocks.drain(..);
                open.extend(knocks.map(|knock| (NodeIndex(at as u32), knock)));
            }
        }
        open
    }

    /// Notes that all nodes are ready, once they are.
    pub fn note_ready(&mut self) {
        self.ready = self.ready || self.members.iter().all(|m| m.ready);
    }

    /// Every node's state for people.
    pub fn status(&self) -> Vec<NodeStatus> {
        let status = |m: &Member| NodeStatus {
            node: m.name.clone(),
            state: m.state(),
        };
        self.members.iter().map(status).collect()
    }

    /// Names of the nodes that are not ready.
    pub fn down(&self) -> Vec<String> {
        let down = self
            .members
            .iter()
            .filter(|m| m.state() != NodeState::Ready);
        down.map(|m| m.name.clone()).collect()
    }
}

fn role(node: &Node) -> Option<Role> {
    match &node.program {
        Program::Role(role) => Some(role.clone()),
        Program::Image(_) | Program::Host => None,
    }
}

fn health(node: &Node) -> Option<u16> {
    match &node.program {
        Program::Role(_) | Program::Host => None,
        Program::Image(image) => image.healthcheck.map(|check| check.tcp),
    }
}

impl Member {
    /// Nothing is known of it.
    pub fn new(node: &Node) -> Member {
        Member {
            name: node.name.to_string(),
            role: role(node),
            health: health(node),
            probe: None,
            container: None,
            actual: Actual::Unknown,
            port: None,
            wiring: None,
            knocks: Vec::new(),
            pinned: false,
            held: false,
            conn: None,
            ready: false,
            beyond: false,
            owned: false,
            under_way: None,
            retry_at: 0,
            heard: 0,
            out_of_memory: false,
            silent: false,
            noted: false,
            problems: 0,
            reported: 0,
            changed: 0,
            tried: None,
            restarts: 0,
            oom: Oom::default(),
            flow: Flow::default(),
            pages: Pages::default(),
            died: false,
            complaint: String::new(),
        }
    }

    /// Takes another role from its node; whether it has changed.
    pub fn take_role(&mut self, node: &Node) -> bool {
        let role = role(node);
        let changed = role != self.role;
        self.role = role;
        self.health = health(node);
        changed
    }

    /// Its state for people.
    pub fn state(&self) -> NodeState {
        match self.actual {
            Actual::Dead => NodeState::Dead,
            Actual::Paused => NodeState::Paused,
            _ if self.ready => NodeState::Ready,
            _ if self.port.is_some() => NodeState::Wired,
            _ => NodeState::Waiting,
        }
    }

    /// Its role, or `image`.
    pub fn role_name(&self) -> &'static str {
        self.role.as_ref().map_or("image", Role::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::lab;
    use super::*;

    #[test]
    fn gates_open_together_first_and_one_by_one_later() {
        let mut state = State::new(&lab(2, None));
        state.members[0].port = Some(10);
        state.members[0].knocks = vec![1];
        assert_eq!(state.openable(), []);
        state.members[1].wiring = Some((1, 11));
        state.members[1].knocks = vec![2];
        assert_eq!(state.openable(), []);
        state.members[1].wiring = None;
        state.members[1].port = Some(11);
        assert_eq!(state.openable(), [(NodeIndex(0), 1), (NodeIndex(1), 2)]);
        state.members[1].port = None;
        state.members[0].knocks = vec![3];
        assert_eq!(state.openable(), [(NodeIndex(0), 3)]);
    }
}
