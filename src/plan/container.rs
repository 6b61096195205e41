//! What a container of a lab is made of, as data.

use crate::id::Name;
use crate::lab::Lab;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A container to be created, in the engine's terms; its network mode is `none` unless said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Container name.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Hostname.
    pub hostname: String,
    /// Entrypoint.
    pub entrypoint: Vec<String>,
    /// Command.
    pub command: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Capabilities beyond none.
    pub capabilities: Vec<String>,
    /// Sysctls of its network namespace.
    pub sysctls: BTreeMap<String, String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Lines `name:address` of its hosts file.
    pub extra_hosts: Vec<String>,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Devices, as paths of the host.
    pub devices: Vec<String>,
    /// Whether it sees the host's processes.
    pub host_pid: bool,
    /// Whether it begins in the host's network.
    pub host_network: bool,
    /// Whether its root is read-only.
    pub read_only: bool,
    /// Whether the engine's AppArmor profile is left out, which refuses every mount.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_mount: bool,
    /// Most processes and threads.
    pub pids_limit: Option<i64>,
    /// Most memory in bytes.
    pub memory: Option<i64>,
    /// What the engine does when it ends.
    pub restart: Restart,
}

/// What the engine does when a container ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Nothing.
    #[default]
    Never,
    /// Start it again unless it exited with 0.
    OnFailure,
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mount {
    /// A new anonymous volume, labelled like the container.
    NewVolume {
        /// Path in the container.
        target: String,
    },
    /// A new anonymous volume in memory, labelled like the container.
    Bounded {
        /// Path in the container.
        target: String,
        /// How many bytes it holds.
        size: u64,
    },
    /// An existing volume by name.
    Volume {
        /// Its name.
        name: String,
        /// Path in the container.
        target: String,
        /// Whether it is mounted read-only.
        read_only: bool,
    },
    /// A path of the host.
    Bind {
        /// Path on the host.
        source: String,
        /// Path in the container.
        target: String,
    },
}

/// Where the agent finds the folder that nodes see as `/.netlab`.
pub const AGENT_GATE: &str = "/netlab-gate";
/// Where the agent keeps what only it may read.
pub const AGENT_STATE: &str = "/netlab-state";
/// Where the agent holds the data volumes that have a size, each under its node's name. The engine
/// loses one that no running container has.
pub const AGENT_DATA: &str = "/netlab-data";
/// Where the agent finds the engine's socket.
pub const AGENT_ENGINE_SOCKET: &str = "/netlab-engine.sock";

/// `agent.json`: what the agent knows beside the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfig {
    /// The lab's name.
    pub lab: Name,
    /// Value of the label `netlab.instance`.
    pub instance: String,
    /// Value of the label `netlab.owner`.
    pub owner: String,
    /// Value of the label `netlab.build`.
    pub build: String,
    /// The agent removes the lab this long after its creation; none: never.
    #[serde(with = "crate::units::duration::option")]
    pub ttl: Option<Duration>,
    /// What a test wants to go wrong where effects are applied; a release ignores it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sabotage: Vec<String>,
}

/// What an agent is told so that it goes on with another lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adoption {
    /// [`super::lab_hash`] of the lab that it is expected to have.
    pub from: String,
    /// The lab from now on.
    pub lab: Lab,
    /// The lease from now on, counted from the lab's creation.
    #[serde(with = "crate::units::duration::option")]
    pub ttl: Option<Duration>,
    /// Containers that are removed next.
    pub leaving: Vec<Leaving>,
    /// Nodes that stay and are started again.
    pub starting: Vec<Name>,
    /// Whether a scenario that is playing is healed and closed.
    pub replace: bool,
}

/// A container that is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Its node.
    pub node: String,
    /// The engine's id.
    pub container: String,
}
