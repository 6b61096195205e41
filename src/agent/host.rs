//! The node `host`: it has no container and no gate, so that the agent wires it by itself, and it is
//! ready when all ports are published. Pure.
//!
//! Owns when that is tried, and who is told what came of it.

use super::apply::after;
use super::core::{Action, Core, RETRY};
use super::desire::Actual;
use super::requests::Client;
use crate::id::NodeIndex;
use crate::record::stream::{Published, Reply};
use std::time::Duration;

impl Core {
    /// Wires the node `host` when it is not.
    pub(super) fn keep_host(&mut self, now: u64) {
        let Some(node) = self.lab.host() else {
            return;
        };
        let serial = self.next_serial();
        let member = &mut self.state.members[node.at()];
        if member.port.is_some() || member.wiring.is_some() || now < member.retry_at {
            return;
        }
        member.actual = Actual::Running { passed: false };
        member.beyond = true;
        member.wiring = Some((serial, 0));
        self.act(Action::WireHost { node, serial });
    }

    /// The node `host` could not be wired, or a port not be published; it is tried again.
    pub(super) fn host_failed(&mut self, now: u64, node: NodeIndex, why: String) {
        self.state.members[node.at()].retry_at = after(now, RETRY);
        for client in self.publishers() {
            self.clients.remove(&client);
            let why = why.clone();
            self.reply(client, Reply::Refused { why }, true);
        }
        self.complain(now, node, why);
    }

    /// This is published from now on.
    pub(super) fn published(&mut self, ports: Vec<Published>) {
        self.published = ports;
    }

    /// A client wants to know when all is published.
    pub(super) fn asked_to_publish(&mut self, now: u64, client: u64, timeout: u64) {
        let deadline = after(now, Duration::from_secs(timeout));
        self.clients.insert(client, Client::Publish { deadline });
    }

    /// Answers those who wait for the ports.
    pub(super) fn answer_publishers(&mut self, now: u64) {
        let wired = |node: NodeIndex| self.state.members[node.at()].port.is_some();
        let done = self.lab.host().is_none_or(wired);
        for client in self.publishers() {
            let late = self.clients.get(&client).and_then(Client::deadline);
            let reply = match late {
                _ if done => Reply::Published {
                    ports: self.published.clone(),
                },
                Some(deadline) if now >= deadline => Reply::Refused {
                    why: "the ports were not published in time: see `netlab logs`".to_owned(),
                },
                _ => continue,
            };
            self.clients.remove(&client);
            self.reply(client, reply, true);
        }
    }

    fn publishers(&self) -> Vec<u64> {
        let waits = self.clients.iter();
        let waits = waits.filter(|(_, kind)| matches!(kind, Client::Publish { .. }));
        waits.map(|(client, _)| *client).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::Input;
    use super::super::world::*;
    use super::*;
    use crate::id::Name;
    use crate::lab::Program;
    use crate::record::stream::{NodeState, Phase, Request};

    /// A world whose last node is `host`.
    fn world() -> World {
        let mut lab = lab(3, None);
        lab.nodes[2].name = Name::host();
        lab.nodes[2].program = Program::Host;
        World::new(lab)
    }

    fn ask(world: &mut World) {
        let request = Request::Publish { timeout: 5 };
        world
            .core
            .handle(world.now, Input::Request { client: 9, request });
        world.act();
    }

    #[test]
    fn the_lab_is_ready_when_its_ports_are_published() {
        let mut world = world();
        ask(&mut world);
        world.run_for(1.0);
        let answer = world.replies.first();
        assert!(matches!(answer, Some(Reply::Published { ports }) if ports.len() == 1));
        let status = world.core.status();
        assert_eq!((status.phase, status.ports.len()), (Phase::Ready, 1));
        assert_eq!(status.nodes[2].state, NodeState::Ready);
        world.agent_restarts(2);
        world.run_for(1.0);
        assert!(world.attached[2], "it is wired again");
        assert_eq!(world.core.status().phase, Phase::Ready);
    }

    #[test]
    fn a_port_that_is_taken_is_told_at_once_and_tried_again() {
        let mut world = world();
        world.taken = true;
        ask(&mut world);
        world.run_for(1.0);
        let answer = world.replies.first();
        assert!(matches!(answer, Some(Reply::Refused { why }) if why.contains("taken")));
        assert_eq!(world.core.status().phase, Phase::Starting);
        world.taken = false;
        world.run_for(2.0);
        assert_eq!(world.core.status().phase, Phase::Ready);
        ask(&mut world);
        let answer = world.replies.last();
        assert!(matches!(answer, Some(Reply::Published { .. })));
    }
}
