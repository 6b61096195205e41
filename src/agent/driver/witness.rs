//! Looks at processes and links, for who wants to know whether a fault took place.
//!
//! Owns nothing; sees what the kernel and the fabric say, whatever the agent has done. Must not
//! judge.

use super::{AgentError, Driver, Input, Message, Seat, sys, volume};
use crate::agent::compare::Stand;
use crate::agent::process::{self, NodeSight};
use crate::agent::prove::{Look, Sight};
use crate::agent::replies::{self, Questions, Replies};
use crate::engine::Engine;
use crate::fabric::wire::inside;
use crate::id::NodeIndex;
use crate::lab::Program;
use netlab_protocol::role::{PORT, Role};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use tokio::task::spawn_blocking;

impl<E: Engine + 'static> Driver<E> {
    pub(super) fn look(&mut self, look: Look) -> Result<(), AgentError> {
        let links = self.fabric.witness(&look.links)?;
        let nodes = look.nodes.iter().map(|node| self.node_sight(*node));
        let sight = Sight {
            fault: look.fault,
            moment: look.moment,
            nodes: nodes.collect(),
            of: look.nodes.clone(),
            links,
            manners: self.fabric.manners()?.into_iter().collect(),
            replies: Vec::new(),
        };
        match look.questions.is_empty() {
            true => self.core.handle(sys::now(), Input::Looked(sight)),
            false => self.ask_programs(look.questions, sight),
        }
        Ok(())
    }

    /// Asks programs how they answer; what was seen is told when that is known.
    fn ask_programs(&mut self, questions: Vec<(NodeIndex, Questions)>, sight: Sight) {
        let callers: Vec<_> = questions
            .into_iter()
            .map(|(node, questions)| {
                let place = &self.core.lab.nodes[node.at()];
                let port = match &place.program {
                    Program::Role(Role::Server(server)) => server.port,
                    Program::Role(Role::Peer(peer)) => peer.port,
                    _ => PORT,
                };
                let address = SocketAddr::from((place.addresses().v4, port));
                let seat = Seat {
                    epoch: self.moves.epoch(),
                    node,
                };
                let port = &self.ports[node.at()];
                let caller = self.identity.open(port.pid, seat, port.container.clone());
                (node, caller, address, questions)
            })
            .collect();
        let inbox = self.sender.clone();
        spawn_blocking(move || {
            let mut sight = sight;
            for (node, caller, address, questions) in callers {
                // Who cannot be entered is gone: it answers nothing.
                let none = Replies {
                    asked: questions.tries,
                    silent: questions.tries,
                    ..Replies::default()
                };
                let ask = || replies::ask(address, questions);
                let replies = match caller {
                    Ok(caller) => match inside(caller.namespace.as_fd(), ask) {
                        Ok(Ok(replies)) => replies,
                        _ => none,
                    },
                    Err(_) => none,
                };
                sight.replies.push((node, replies));
            }
            let _ = inbox.blocking_send(Message::Input(Input::Looked(sight))); // the agent may be ending
        });
    }

    pub(super) fn stand(&mut self) -> Result<(), AgentError> {
        let links = self.fabric.standing()?;
        let nodes = (0..self.ports.len() as u32).map(NodeIndex);
        let nodes = nodes.map(|node| self.node_sight(node)).collect();
        let stand = Stand {
            links,
            nodes,
            manners: self.fabric.manners()?,
        };
        self.core.handle(sys::now(), Input::Stood(stand));
        Ok(())
    }

    fn node_sight(&self, node: NodeIndex) -> NodeSight {
        let mut sight = match self.ports.get(node.at()).map(|port| port.pid) {
            Some(pid) if pid > 0 => process::look(pid),
            _ => NodeSight::default(),
        };
        let place = self.core.lab.nodes.get(node.at());
        if let Some(place) = place.filter(|place| place.volume.is_some()) {
            sight.volume = volume::see(&volume::folder(place)).ok();
        }
        sight
    }
}
