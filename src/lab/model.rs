//! The resolved lab, as `lab.json` holds it.

use crate::fault::Effect;
use crate::id::{Name, NodeIndex};
use crate::link::{LinkProperties, Trace};
use crate::units::{BitRate, duration};
use netlab_protocol::role::{Data, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Version of [`Lab`]'s serialised form.
pub const FORMAT: u32 = 1;

/// A lab, ready to be planned. Equal files and seeds give equal labs, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lab {
    /// [`FORMAT`].
    pub format: u32,
    /// The lab's name.
    pub name: Name,
    /// Seeds every draw.
    pub seed: u64,
    /// Its network.
    pub network: Network,
    /// Nodes in the file's order, replicas expanded; a [`NodeIndex`] points here.
    pub nodes: Vec<Node>,
    /// Names that stand for several nodes (roles, and names of nodes with `count`).
    pub groups: BTreeMap<String, Vec<NodeIndex>>,
    /// Links between them.
    pub links: Links,
    /// Recorded capacities that links name ([`crate::link::TraceIndex`]).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub traces: Vec<Trace>,
    /// What happens; none: load runs until `down`.
    pub scenario: Option<Scenario>,
}

/// The one network of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// IPv4 network address.
    pub v4: Ipv4Addr,
    /// Its prefix length.
    pub v4_prefix: u8,
    /// IPv6 network address.
    pub v6: Ipv6Addr,
    /// Its prefix length.
    pub v6_prefix: u8,
    /// The resolver, answered by the fabric: the first host of each.
    pub resolver: Addresses,
}

/// The network of every lab: nobody else sees it, so that all labs may use the same.
pub const LAB_NETWORK: Network = Network {
    v4: Ipv4Addr::new(10, 77, 0, 0),
    v4_prefix: 16,
    v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0),
    v6_prefix: 64,
    resolver: Addresses {
        v4: Ipv4Addr::new(10, 77, 0, 1),
        v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1),
    },
};

/// One address of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// IPv4.
    pub v4: Ipv4Addr,
    /// IPv6.
    pub v6: Ipv6Addr,
}

/// One node: one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: Name,
    /// The key under `nodes:` that it came from.
    pub group: Name,
    /// Its addresses.
    pub addresses: Addresses,
    /// Access link towards the network, shared by all of its flows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uplink: Option<BitRate>,
    /// Access link towards the node, shared by all that is sent to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub downlink: Option<BitRate>,
    /// What runs in it.
    pub program: Program,
}

impl Node {
    /// Whether the node keeps data on a volume.
    pub fn has_volume(&self) -> bool {
        let data = match &self.program {
            Program::Role(Role::Server(server)) => server.data,
            Program::Role(Role::Peer(peer)) => peer.data,
            Program::Role(Role::Client(_)) | Program::Image(_) => Data::Memory,
        };
        data == Data::Volume
    }

    /// The word for what it is: its role, or `image`.
    pub fn role(&self) -> &'static str {
        match &self.program {
            Program::Role(role) => role.as_str(),
            Program::Image(_) => "image",
        }
    }
}

/// What runs in a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// A role of netlab's own node program.
    Role(Role),
    /// Any image.
    Image(Image),
}

/// A user's image, with Compose's key names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Reference, as `docker run` takes it; never pulled.
    pub image: String,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Environment.
    pub env: BTreeMap<String, String>,
}

/// Properties of all ordered pairs: a default, and those that differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Links {
    /// Every pair, unless it is in `others`.
    pub default: LinkProperties,
    /// Complete properties of the pairs that differ, sorted by (from, to), no pair twice.
    pub others: Vec<Link>,
}

/// One ordered pair with its properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Sender.
    pub from: NodeIndex,
    /// Receiver.
    pub to: NodeIndex,
    /// What happens on the way.
    pub properties: LinkProperties,
}

impl Links {
    /// The properties of `from` → `to`.
    pub fn get(&self, from: NodeIndex, to: NodeIndex) -> &LinkProperties {
        match self
            .others
            .binary_search_by_key(&(from, to), |link| (link.from, link.to))
        {
            Ok(at) => &self.others[at].properties,
            Err(_) => &self.default,
        }
    }
}

/// What happens in a run. Times are scenario time: zero is the end of the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Load runs, nothing counts yet.
    #[serde(with = "duration")]
    pub warmup: Duration,
    /// From the end of the warm-up to the end.
    #[serde(with = "duration")]
    pub duration: Duration,
    /// Faults in the file's order.
    pub faults: Vec<ScheduledFault>,
}

/// A fault with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledFault {
    /// The name that checks and reports use.
    pub name: Name,
    /// Name of its [`crate::fault::Kind`].
    pub kind: String,
    /// Its target for people: `server`, `peer-2, peer-5`, `client-1 -> server`.
    pub target: String,
    /// When it begins, in scenario time.
    #[serde(with = "duration")]
    pub at: Duration,
    /// How long it lasts; none: until the end of the scenario, or (kinds that do not last) at once
    /// over.
    #[serde(with = "duration::option")]
    pub lasts: Option<Duration>,
    /// What it does.
    pub effects: Vec<Effect>,
}

impl Lab {
    /// The node with this name.
    pub fn node(&self, name: &str) -> Option<NodeIndex> {
        self.nodes
            .iter()
            .position(|node| node.name.as_str() == name)
            .map(|at| NodeIndex(at as u32))
    }
}
