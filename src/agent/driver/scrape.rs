//! Pages of metrics in nodes: who is asked when, and what ends it.
//!
//! Owns the reads under way, one for each node at most. A read holds a socket in its node's network, so
//! that it is broken off as soon as the node's device is let go of: nothing outlives a node's death.

use super::{Driver, Input, Message, Seat, said, sys};
use crate::agent::desire::Actual;
use crate::agent::scrape::scrape;
use crate::agent::scraped::Scraped;
use crate::engine::Engine;
use crate::id::NodeIndex;
use crate::lab::Program;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::{AbortHandle, spawn_local};

/// Reads under way, by node.
#[derive(Default)]
pub(in crate::agent) struct Reads(HashMap<NodeIndex, AbortHandle>);

impl Reads {
    /// Breaks off the read of a node.
    pub fn end(&mut self, node: NodeIndex) {
        if let Some(read) = self.0.remove(&node) {
            read.abort();
        }
    }

    /// Breaks all off.
    pub fn end_all(&mut self) {
        self.0.drain().for_each(|(_, read)| read.abort());
    }

    fn is_under_way(&self, node: NodeIndex) -> bool {
        self.0.get(&node).is_some_and(|read| !read.is_finished())
    }
}

impl<E: Engine + 'static> Driver<E> {
    /// Asks every node that has such a page and is not being asked.
    pub(super) fn scrape_all(&mut self, at: u64) {
        for at_node in 0..self.ports.len() as u32 {
            self.scrape(NodeIndex(at_node), at);
        }
    }

    fn scrape(&mut self, node: NodeIndex, at: u64) {
        let lab_node = &self.core.lab.nodes[node.at()];
        let Program::Image(image) = &lab_node.program else {
            return;
        };
        let Some(endpoint) = image.metrics.clone() else {
            return;
        };
        let member = &self.core.state.members[node.at()];
        let up = member.port.is_some() && member.actual == (Actual::Running { passed: true });
        let Some(container) = member.container.clone().filter(|_| up) else {
            return;
        };
        if self.reads.is_under_way(node) {
            return;
        }
        let (epoch, addresses) = (self.moves.epoch(), lab_node.addresses());
        let pid = self.ports[node.at()].pid;
        let caller = self.identity.open(pid, Seat { epoch, node }, container);
        let inbox = self.sender.clone();
        let read = spawn_local(async move {
            let page = match caller {
                Ok(caller) => scrape(caller, addresses, endpoint).await,
                Err(error) => Err(said(&error)),
            };
            let took = Duration::from_nanos(sys::now().saturating_sub(at));
            let scraped = Scraped { at, took, page };
            let input = Input::Scraped { node, scraped };
            let _ = inbox.send(Message::OfNode { epoch, input }).await; // the agent may be ending
        });
        self.reads.0.insert(node, read.abort_handle());
    }
}
