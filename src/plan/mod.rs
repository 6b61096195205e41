//! What has to be done to an engine so that it holds a lab, or holds it no more. Pure.
//!
//! Owns operations with their causes and order, what differs between a lab that is up and its file,
//! container specifications, labels and config hashes. Must not do I/O, read a clock, or query an
//! engine: it is given a [`Snapshot`].

mod change;
mod compare;
mod container;
mod converge;
mod display;
mod down;
mod json;
pub mod labels;
mod spec;
mod up;

pub use change::{Change, ChangeKind};
pub use container::{
    AGENT_DATA, AGENT_ENGINE_SOCKET, AGENT_GATE, AGENT_STATE, Adoption, AgentConfig, ContainerSpec,
    Leaving, Mount, Restart,
};
pub use down::down;
pub use spec::{
    AGENT_PROGRAM, NODE_PROGRAM, agent_data, agent_spec, container_name, lab_hash, mount_data,
    node_spec,
};
pub use up::up;

use crate::id::{Name, NodeIndex};
use crate::lab::{Lab, Program};
use std::collections::BTreeMap;
use std::time::Duration;

/// `lab` as it can be reached with the fewest operations: nodes that are up keep their addresses. To be
/// asked before [`up`].
#[must_use]
pub fn settled(lab: Lab, snapshot: &Snapshot) -> Lab {
    match &snapshot.running {
        Some(running) => lab.settled(&running.lab),
        None => lab,
    }
}

/// What an engine holds of one lab at an instant, and what it is able to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Containers with the lab's label, the agent's among them.
    pub containers: Vec<Found>,
    /// What the agent's volume says; none: there is no agent, or its volume is empty.
    pub running: Option<Running>,
    /// Tags of netlab's own images that are present.
    pub images: Vec<String>,
    /// What the users' images that the lab names say about themselves; one that is not here is
    /// not on the engine.
    pub user_images: BTreeMap<String, ImageConfig>,
}

impl Snapshot {
    /// An engine that holds nothing but the users' images of `lab`, whose configuration is taken
    /// to be a program called like the image: what `netlab plan --offline` assumes.
    pub fn assumed(lab: &Lab) -> Snapshot {
        let images = lab.nodes.iter().filter_map(|node| match &node.program {
            Program::Image(image) => Some(image.image.clone()),
            Program::Role(_) | Program::Host => None,
        });
        let config = |image: &String| ImageConfig {
            entrypoint: vec![image.clone()],
            ..ImageConfig::default()
        };
        Snapshot {
            user_images: images
                .map(|image| (image.clone(), config(&image)))
                .collect(),
            ..Snapshot::default()
        }
    }
}

/// What a lab that is up was told to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Its `lab.json`.
    pub lab: Lab,
    /// Its lease.
    pub ttl: Option<Duration>,
}

/// What a user's image runs when it is told nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Its entrypoint.
    pub entrypoint: Vec<String>,
    /// Its command.
    pub command: Vec<String>,
    /// Its user; empty: root.
    pub user: String,
}

/// A container of the lab that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The engine's id.
    pub id: String,
    /// Value of `netlab.node`; `agent` for the agent's.
    pub node: String,
    /// Value of `netlab.instance`.
    pub instance: String,
    /// Value of `netlab.owner`.
    pub owner: String,
    /// Value of `netlab.build`.
    pub build: String,
    /// Value of `netlab.config-hash`.
    pub config_hash: String,
    /// Whether it runs (a frozen one does).
    pub running: bool,
    /// Whether it was created and never started.
    pub never_started: bool,
}

/// What the command line and this build add to the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Value of the label `netlab.owner`.
    pub owner: String,
    /// Value of the label `netlab.build`.
    pub build: String,
    /// Tag of the agent's image.
    pub agent_image: String,
    /// Tag of the node's image.
    pub node_image: String,
    /// Path of the engine's socket on the engine's host.
    pub engine_socket: String,
    /// The agent removes the lab this long after its creation; none: never.
    pub ttl: Option<Duration>,
    /// Whether the run is started when the lab is ready.
    pub play: bool,
}

/// A plan: operations with their causes, and which must be over before which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The lab.
    pub lab: Name,
    /// What differs between the lab that is up and the file; empty: nothing, or no lab is up.
    pub changes: Vec<Change>,
    /// In an order in which they could be done one by one; `id`s are 1, 2, ….
    pub operations: Vec<Operation>,
}

impl Plan {
    /// Whether it goes on with a lab that is there.
    pub fn converges(&self) -> bool {
        let makes = |operation: &Operation| operation.action == Action::CreateAgent;
        !self.operations.iter().any(makes)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number in the plan.
    pub id: u32,
    /// What it is done to: `image:netlab-node:…`, `agent`, `volumes`, `node:client-1`, `lab`.
    pub resource: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: String,
    /// Operations that must be over before; ascending, all smaller than `id`.
    pub after: Vec<u32>,
}

/// What is done. Each has one function of the same name in `src/engine/` or `src/run/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make one of netlab's own images from memory.
    CreateImage(OwnImage),
    /// Create the agent's container with the lab's volumes.
    CreateAgent,
    /// Put the gate, the lab and the agent's configuration into the volumes.
    FillVolumes,
    /// Start the agent.
    StartAgent,
    /// Tell the agent what the lab is from now on; it changes live what can change live and lets go
    /// of what leaves.
    Adopt {
        /// [`lab_hash`] of what the plan was made against.
        from: String,
        /// Containers that are removed next.
        leaving: Vec<Leaving>,
        /// Nodes that stay and are started again.
        starting: Vec<Name>,
    },
    /// Create a node's container.
    CreateNode(NodeIndex),
    /// Start a node's container; its gate holds it.
    StartNode(NodeIndex),
    /// Start a node's container that is there and does not run.
    StartFound {
        /// The engine's id.
        id: String,
    },
    /// Wait until the agent listens at the ports that the lab publishes.
    Publish,
    /// Wait until every node is wired and ready.
    AwaitReady,
    /// Start the run: load, and the scenario where there is one.
    Play,
    /// Remove a container that is in the way or no longer wanted.
    Remove {
        /// The engine's id.
        id: String,
        /// Its node, or `agent`.
        node: String,
    },
}

/// One of netlab's own images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnImage {
    /// This executable.
    Agent,
    /// The node program.
    Node,
}

/// Why there is no plan. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The agent of the lab that is up cannot do what the file wants, and cannot be replaced without
    /// losing the lab.
    #[error(
        "lab `{lab}` is up and its agent has other rights, other volumes of a size or another engine socket than it needs now: take it down first (`netlab down {lab}`), or give this one another name (`--name`)"
    )]
    OtherAgent {
        /// The lab.
        lab: Name,
    },
    /// Somebody else's lab.
    #[error(
        "lab `{lab}` belongs to `{owner}` and you are `{me}`: give yours another name (`--name`), or set NETLAB_OWNER if that is you, too"
    )]
    OtherOwner {
        /// The lab.
        lab: Name,
        /// Whose it is.
        owner: String,
        /// Who asks.
        me: String,
    },
    /// A lab that another build of netlab made.
    #[error(
        "lab `{lab}` was made by another build of netlab ({build}; this is {this}): only `down`, `logs` and `ps` work with it; `netlab down {lab}` and start again"
    )]
    OtherBuild {
        /// The lab.
        lab: Name,
        /// The build that made it.
        build: String,
        /// This build.
        this: String,
    },
    /// An image that the engine does not have; netlab never pulls.
    #[error(
        "the engine has no image `{image}`, which node `{node}` runs: `docker pull {image}` (netlab never pulls)"
    )]
    NoImage {
        /// The first node that wants it.
        node: Name,
        /// The reference.
        image: String,
    },
    /// The node `host`, asked for a container.
    #[error("`host` is the engine's host and has no container")]
    NoContainer,
    /// Neither image nor file say what to run.
    #[error(
        "image `{image}` names no program to run: give node `{node}` a `command:` in the topology"
    )]
    NothingToRun {
        /// The node.
        node: Name,
        /// The reference.
        image: String,
    },
}
