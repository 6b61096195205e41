//! What happens to nodes: gates, devices, programs, and the engine's view of them. Pure.

use super::apply::after;
use super::core::{Action, Core, EngineStatus, RETRY};
use super::desire::{Actual, Desired, Operation, next_operation, overtakes};
use super::state::{Conn, Knock, Netns};
use crate::id::NodeIndex;
use crate::record::event::What;
use netlab_protocol::PROTOCOL;
use netlab_protocol::control::{Configure, ToNode};
use netlab_protocol::role::Role;

impl Core {
    pub(super) fn knocked(
        &mut self,
        now: u64,
        knock: Knock,
        node: NodeIndex,
        container: String,
        netns: Netns,
    ) {
        if self.left.contains(&container) {
            self.act(Action::DropKnock { knock });
            return;
        }
        self.faults.forget_death(node);
        let serial = self.next_serial();
        let member = &mut self.state.members[node.at()];
        member.container = Some(container);
        member.actual = Actual::Running { passed: false };
        (member.beyond, member.out_of_memory) = (false, false);
        (member.heard, member.changed) = (now, now);
        member.knocks.push(knock);
        let known = member.port == Some(netns) || member.wiring.is_some_and(|w| w.1 == netns);
        if known {
            return;
        }
        self.let_go(node);
        self.state.members[node.at()].wiring = Some((serial, netns));
        self.act(Action::WireKnock {
            node,
            knock,
            serial,
        });
    }

    /// Takes device and pin from a node.
    fn let_go(&mut self, node: NodeIndex) {
        let member = &mut self.state.members[node.at()];
        let (pinned, port) = (std::mem::take(&mut member.pinned), member.port.take());
        if pinned {
            self.act(Action::Unpin { node });
        }
        if port.is_some() {
            self.act(Action::Detach { node });
        }
    }

    pub(super) fn wired(
        &mut self,
        now: u64,
        node: NodeIndex,
        serial: u64,
        result: Result<Netns, String>,
    ) {
        let member = &mut self.state.members[node.at()];
        let expected = member.wiring.is_some_and(|w| w.0 == serial);
        if expected {
            member.wiring = None;
        }
        match result {
            Ok(netns) if expected => {
                member.port = Some(netns);
                member.restarts += u64::from(std::mem::take(&mut member.died));
                if member.beyond && matches!(member.actual, Actual::Running { .. }) {
                    self.pass(now, node);
                }
                self.act(Action::Attach { node, serial });
                let node = self.name(node);
                self.event(now, What::NodeWired { node });
            }
            Ok(_) => self.act(Action::Discard { serial }),
            Err(why) if expected && self.lab.host() == Some(node) => {
                self.host_failed(now, node, why);
            }
            Err(why) => {
                let knocks = std::mem::take(&mut member.knocks);
                let beyond = std::mem::take(&mut member.beyond);
                for knock in knocks {
                    self.act(Action::DropKnock { knock });
                }
                if expected && beyond {
                    self.state.members[node.at()].actual = Actual::Unknown;
                    self.inspect(node);
                }
                self.complain(now, node, format!("its network could not be wired: {why}"));
            }
        }
    }

    pub(super) fn device_lost(&mut self, node: NodeIndex) {
        let member = &mut self.state.members[node.at()];
        if !member.pinned && member.wiring.is_none() && member.port.take().is_some() {
            self.act(Action::Detach { node });
        }
    }

    pub(super) fn pin_failed(&mut self, now: u64, node: NodeIndex, why: &str) {
        self.state.members[node.at()].pinned = false;
        let text = format!("its kernel falls silent, because its network could not be held: {why}");
        self.note(now, Some(node), text);
    }

    pub(super) fn open_gates(&mut self, now: u64) {
        self.empty_before_gates();
        for (node, knock) in self.state.openable() {
            self.act(Action::OpenGate { knock });
            self.pass(now, node);
        }
        self.state.note_ready();
    }

    /// The node is beyond its gate.
    fn pass(&mut self, now: u64, node: NodeIndex) {
        let member = &mut self.state.members[node.at()];
        member.actual = Actual::Running { passed: true };
        (member.heard, member.changed) = (now, now);
        // Who was beyond its gate before the agent began is emptied no more.
        self.faults.wipes.remove(&node);
        self.note_start(now, node);
        let member = &mut self.state.members[node.at()];
        if member.role.is_none() && !member.ready {
            match member.health {
                Some(port) => self.probe(node, port),
                None => self.image_ready(now, node),
            }
        }
    }

    fn image_ready(&mut self, now: u64, node: NodeIndex) {
        self.state.members[node.at()].ready = true;
        let node = self.name(node);
        self.event(now, What::NodeReady { node });
    }

    /// Looks whether an image's program takes connections.
    fn probe(&mut self, node: NodeIndex, port: u16) {
        let serial = self.next_serial();
        let member = &mut self.state.members[node.at()];
        let Some(container) = member.container.clone() else {
            return;
        };
        member.probe = Some(serial);
        self.act(Action::Probe {
            node,
            container,
            serial,
            port,
        });
    }

    pub(super) fn probed(&mut self, now: u64, node: NodeIndex, serial: u64, open: bool) {
        let member = &mut self.state.members[node.at()];
        if member.probe != Some(serial) {
            return;
        }
        member.probe = None;
        match member.health {
            Some(port) if !open => self.probe(node, port),
            _ => self.image_ready(now, node),
        }
    }

    pub(super) fn hello(&mut self, conn: Conn, netns: Netns, protocol: u32) {
        let node = self.state.by_port(netns);
        let role = node.and_then(|n| self.state.members[n.at()].role.clone());
        let (Some(node), Some(role), PROTOCOL) = (node, role, protocol) else {
            self.act(Action::Close { conn });
            return;
        };
        if let Some(before) = self.state.members[node.at()].conn.replace(conn) {
            self.act(Action::Close { conn: before });
        }
        self.greet_conduct(node, conn);
        self.configure(node, conn, role);
    }

    /// Tells a node's program what it is.
    pub(super) fn configure(&mut self, node: NodeIndex, conn: Conn, role: Role) {
        let configure = Configure {
            protocol: PROTOCOL,
            node: self.name(node),
            seed: self.lab.seed,
            report_every: self.lab.sampling,
            role,
        };
        let message = ToNode::Configure(Box::new(configure));
        self.act(Action::Send { conn, message });
    }

    pub(super) fn node_ready(&mut self, now: u64, conn: Conn) {
        let Some(node) = self.state.by_conn(conn) else {
            return;
        };
        let member = &mut self.state.members[node.at()];
        member.heard = now;
        if !std::mem::replace(&mut member.ready, true) {
            let node = self.name(node);
            self.event(now, What::NodeReady { node });
        }
        if let Some(at) = self.load {
            let run = self.number;
            self.act(Action::Send {
                conn,
                message: ToNode::Go { run, at },
            });
        }
    }

    pub(super) fn problem(&mut self, now: u64, conn: Conn, text: &str) {
        if let Some(node) = self.state.by_conn(conn) {
            let member = &mut self.state.members[node.at()];
            member.problems += 1;
            if member.problems > 20 {
                return;
            }
            let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
            self.note(now, Some(node), text);
        }
    }

    pub(super) fn conn_closed(&mut self, now: u64, conn: Conn, why: Option<String>) {
        let Some(node) = self.state.by_conn(conn) else {
            return;
        };
        self.state.members[node.at()].conn = None;
        if let Some(why) = why {
            self.note(now, Some(node), format!("it was cut off: {why}"));
        }
    }

    pub(super) fn died(&mut self, now: u64, node: NodeIndex, exit_code: i64) {
        if self.state.members[node.at()].actual == Actual::Dead {
            return;
        }
        let killer = self.faults.killer(node).map(str::to_owned);
        let (fault, oom) = match killer {
            Some(killer) => (Some(killer), false),
            None => self.out_of_memory(node),
        };
        self.note_crash(node);
        let member = &mut self.state.members[node.at()];
        member.actual = Actual::Dead;
        member.died = true;
        member.oom.ended();
        member.changed = now;
        member.ready = false;
        member.probe = None;
        member.beyond = false;
        member.wiring = None;
        let knocks = std::mem::take(&mut member.knocks);
        let (conn, pinned) = (member.conn.take(), member.pinned);
        for knock in knocks {
            self.act(Action::DropKnock { knock });
        }
        if let Some(conn) = conn {
            self.act(Action::Close { conn });
        }
        if !pinned {
            self.let_go(node);
        }
        let name = self.name(node);
        self.live.died(&name);
        if fault.is_none() {
            self.reason(format!(
                "`{name}` died with exit code {exit_code}, and no fault wanted it"
            ));
        }
        let node = name;
        self.event(
            now,
            What::NodeDied {
                node,
                exit_code,
                fault,
                oom,
            },
        );
    }

    pub(super) fn changed(&mut self, now: u64, node: NodeIndex, action: &str) {
        match action {
            "oom" => {
                self.state.members[node.at()].oom.said();
                self.state.members[node.at()].out_of_memory = true;
                let text = "the kernel killed one of its processes for its memory limit".to_owned();
                self.note(now, Some(node), text);
            }
            "destroy" => self.died(now, node, -1),
            "start" | "pause" | "unpause" => self.inspect(node),
            _ => {}
        }
    }

    pub(super) fn inspect(&mut self, node: NodeIndex) {
        if let Some(container) = self.state.members[node.at()].container.clone() {
            self.act(Action::Inspect { node, container });
        }
    }

    pub(super) fn seen(
        &mut self,
        now: u64,
        asked: u64,
        node: NodeIndex,
        container: String,
        status: Option<EngineStatus>,
    ) {
        if self.left.contains(&container) {
            return;
        }
        let serial = self.next_serial();
        let gates_open = self.state.gates_open;
        let member = &mut self.state.members[node.at()];
        member.container = Some(container.clone());
        if asked < member.changed {
            return;
        }
        let before = member.actual;
        let Some(status) = status else {
            return self.died(now, node, -1);
        };
        self.faults.tell_limits(node, status.limits);
        match status.status.as_str() {
            "running" => {
                member.actual = match before {
                    Actual::Running { .. } => before,
                    Actual::Paused => Actual::Running { passed: true },
                    Actual::Dead | Actual::Unknown => Actual::Running { passed: false },
                }
            }
            "paused" => member.actual = Actual::Paused,
            "exited" | "dead" => {
                member.out_of_memory |= status.oom_killed;
                return self.died(now, node, status.exit_code);
            }
            _ => return,
        }
        // After the agent's own restart nobody knocks: the node is beyond its gate.
        if before == Actual::Unknown
            && gates_open
            && member.port.is_none()
            && member.wiring.is_none()
        {
            member.beyond = true;
            member.wiring = Some((serial, 0));
            self.act(Action::WireContainer {
                node,
                container,
                serial,
            });
        }
    }

    pub(super) fn done(
        &mut self,
        now: u64,
        node: NodeIndex,
        serial: u64,
        result: Result<(), String>,
    ) {
        let member = &mut self.state.members[node.at()];
        if member.under_way.is_some_and(|(s, _)| s == serial) {
            member.under_way = None;
            member.retry_at = after(now, RETRY);
        }
        match result {
            Ok(()) => member.complaint.clear(),
            Err(why) => self.complain(
                now,
                node,
                format!("the engine did not do what it was asked: {why}"),
            ),
        }
    }

    /// Notes a sentence, unless it is the one that was noted last.
    pub(super) fn complain(&mut self, now: u64, node: NodeIndex, text: String) {
        let member = &mut self.state.members[node.at()];
        if member.complaint != text {
            member.complaint.clone_from(&text);
            self.note(now, Some(node), text);
        }
    }

    /// Brings every node that a fault has in hand one step closer to what is wanted.
    pub(super) fn reconcile(&mut self, now: u64) {
        for node in self.state.indices() {
            if !self.state.members[node.at()].owned {
                continue;
            }
            let desired = self.faults.desired(node);
            let member = &self.state.members[node.at()];
            let back = member.actual == (Actual::Running { passed: true });
            let right = self.faults.limit_to_set(node).is_none();
            if desired == Desired::Running && back && right && !self.faults.touches(node) {
                let member = &mut self.state.members[node.at()];
                (member.owned, member.tried) = (false, None);
                continue;
            }
            let life = next_operation(desired, member.actual, true);
            let Some(operation) = self.with_limits(node, life) else {
                continue;
            };
            let free = match member.under_way {
                // The same step again only after a while; another one at once.
                None => member.tried != Some(operation) || now >= member.retry_at,
                Some((_, under_way)) => overtakes(operation, under_way),
            };
            if free {
                self.operate(node, operation, desired);
            }
        }
    }

    fn operate(&mut self, node: NodeIndex, operation: Operation, desired: Desired) {
        let Some(container) = self.state.members[node.at()].container.clone() else {
            return;
        };
        let serial = self.next_serial();
        let member = &mut self.state.members[node.at()];
        member.under_way = Some((serial, operation));
        member.tried = Some(operation);
        let answers = matches!(desired, Desired::Dead(death) if death.kernel_answers);
        let ends = matches!(operation, Operation::Kill | Operation::Stop(_));
        if ends && answers && member.port.is_some() && !member.pinned {
            member.pinned = true;
            self.act(Action::Pin { node });
        }
        if operation == Operation::Start {
            self.let_go(node);
        }
        self.act(Action::Operate {
            node,
            container,
            serial,
            operation,
        });
    }

    pub(super) fn name(&self, node: NodeIndex) -> String {
        self.state.members[node.at()].name.clone()
    }
}
