//! Looks at processes and links, for who wants to know whether a fault took place.
//!
//! Owns nothing; sees what the kernel and the fabric say, whatever the agent has done. Must not
//! judge.

use super::{AgentError, Driver, Input, sys};
use crate::agent::compare::Stand;
use crate::agent::process::{self, NodeSight};
use crate::agent::prove::{Look, Sight};
use crate::engine::Engine;
use crate::id::NodeIndex;

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
        };
        self.core.handle(sys::now(), Input::Looked(sight));
        Ok(())
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
        match self.ports.get(node.at()).map(|port| port.pid) {
            Some(pid) if pid > 0 => process::look(pid),
            _ => NodeSight::default(),
        }
    }
}
