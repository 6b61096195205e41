//! Who calls: from the credentials of a connection to a node of the lab.
//!
//! Owns the way process → cgroup → container → node. Must not believe anything a caller says.

use super::sys;
use crate::engine::Engine;
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::plan::labels;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// An unknown container makes the engine be asked again, but not more often than this.
const REFRESH: Duration = Duration::from_millis(50);

/// Somebody who is known.
#[derive(Debug)]
pub(super) struct Caller {
    /// Its process, as the host numbers it: the first of its container.
    pub pid: i32,
    /// Its node.
    pub node: NodeIndex,
    /// After how many adoptions the node has this place.
    pub epoch: u32,
    /// Its container.
    pub container: String,
    /// Number of its network namespace.
    pub netns: u64,
    /// Pins the namespace; to be closed as soon as it is wired.
    pub namespace: OwnedFd,
}

/// A node's place after so many adoptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// Counts the adoptions.
    pub epoch: u32,
    /// The place.
    pub node: NodeIndex,
}

/// Why somebody is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stranger {
    /// The process cannot be looked at (it is gone, or has more rights than the agent).
    #[error("process {pid} cannot be looked at")]
    Hidden {
        pid: i32,
        #[source]
        source: io::Error,
    },
    /// Not a container of this lab.
    #[error("process {pid} is in no container of this lab")]
    Foreign { pid: i32 },
    /// A container of the lab with the network of somebody else.
    #[error("process {pid} has the network of the host or of the agent")]
    Network { pid: i32 },
}

/// The lab's containers, as the engine listed them last.
pub(super) struct Identity<E> {
    engine: Rc<E>,
    instance: String,
    nodes: RefCell<HashMap<String, NodeIndex>>,
    epoch: Cell<u32>,
    /// Names of nodes by container.
    containers: RefCell<HashMap<String, String>>,
    /// The number of the network of the engine's host, where it is known.
    outside: Option<u64>,
    asked: Cell<Option<Instant>>,
}

impl<E: Engine> Identity<E> {
    /// Knows the nodes of `lab`, no container yet.
    pub fn new(engine: Rc<E>, instance: &str, lab: &Lab, outside: Option<u64>) -> Identity<E> {
        Identity {
            engine,
            instance: instance.to_owned(),
            nodes: RefCell::new(places(lab)),
            epoch: Cell::new(0),
            containers: RefCell::default(),
            outside,
            asked: Cell::new(None),
        }
    }

    /// Knows the nodes of `lab` from now on, and no others.
    pub fn adopt(&self, lab: &Lab, epoch: u32) {
        *self.nodes.borrow_mut() = places(lab);
        self.epoch.set(epoch);
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<Seat> {
        let node = self.nodes.borrow().get(name).copied()?;
        let epoch = self.epoch.get();
        Some(Seat { epoch, node })
    }

    /// Asks the engine for the lab's containers.
    pub async fn refresh(&self) -> Result<Vec<(String, Seat)>, crate::engine::EngineError> {
        let labels = [(labels::INSTANCE, self.instance.as_str())];
        let found = self.engine.containers(&labels).await?;
        let known = found.into_iter().filter_map(|container| {
            let name = container.labels.get(labels::NODE)?;
            Some((container.id, name.clone()))
        });
        let known: Vec<_> = known.collect();
        *self.containers.borrow_mut() = known.iter().cloned().collect();
        let seated = known.into_iter();
        Ok(seated
            .filter_map(|(id, name)| Some((id, self.node(&name)?)))
            .collect())
    }

    /// Who the process `pid` is.
    pub async fn caller(&self, pid: i32) -> Result<Caller, Stranger> {
        let hidden = |source| Stranger::Hidden { pid, source };
        let cgroups = sys::cgroups(pid).map_err(hidden)?;
        let (container, seat) = match self.known(&cgroups) {
            Some(known) => known,
            None => {
                self.refresh_seldom().await;
                self.known(&cgroups).ok_or(Stranger::Foreign { pid })?
            }
        };
        self.open(pid, seat, container)
    }

    /// The first process of a container of the lab, when it still is that.
    pub fn open(&self, pid: i32, seat: Seat, container: String) -> Result<Caller, Stranger> {
        let hidden = |source| Stranger::Hidden { pid, source };
        let namespace = sys::network_namespace(pid).map_err(hidden)?;
        let netns = sys::namespace_number(&namespace).map_err(hidden)?;
        let foreign = [std::process::id() as i32, 1].map(|pid| sys::namespace_of(pid).ok());
        if foreign.contains(&Some(netns)) || self.outside == Some(netns) {
            return Err(Stranger::Network { pid });
        }
        // Read after the namespace was opened: a number that another process got meanwhile shows.
        let cgroups = sys::cgroups(pid).map_err(hidden)?;
        if !container_ids(&cgroups).any(|id| id == container) {
            return Err(Stranger::Foreign { pid });
        }
        Ok(Caller {
            pid,
            node: seat.node,
            epoch: seat.epoch,
            container,
            netns,
            namespace,
        })
    }

    fn known(&self, cgroups: &str) -> Option<(String, Seat)> {
        let containers = self.containers.borrow();
        let find = |id: &str| Some((id.to_owned(), self.node(containers.get(id)?)?));
        container_ids(cgroups).find_map(find)
    }

    async fn refresh_seldom(&self) {
        if let Some(asked) = self.asked.get() {
            tokio::time::sleep_until(asked + REFRESH).await;
        }
        self.asked.set(Some(Instant::now()));
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "the lab's containers could not be listed");
        }
    }
}

fn places(lab: &Lab) -> HashMap<String, NodeIndex> {
    let nodes = lab.nodes.iter().zip(0..);
    nodes
        .map(|(node, at)| (node.name.to_string(), NodeIndex(at)))
        .collect()
}

/// Everything in a list of cgroups that can be a container's id: 64 hexadecimal digits.
fn container_ids(cgroups: &str) -> impl Iterator<Item = &str> {
    let words = cgroups.split(|c: char| !c.is_ascii_hexdigit());
    words.filter(|word| word.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_cgroups_of_both_versions() {
        let id = "0123456789abcdef".repeat(4);
        for text in [
            format!("9:name=systemd:/docker/{id}\n8:pids:/docker/{id}"),
            format!("0::/../docker-{id}.scope"),
            format!("0::/user.slice/user@1000.service/docker-{id}.scope/init"),
        ] {
            assert_eq!(container_ids(&text).next(), Some(id.as_str()), "{text}");
        }
        assert_eq!(container_ids("0::/user.slice").next(), None);
    }
}
