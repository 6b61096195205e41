//! The resolved lab, as `lab.json` holds it.

use crate::fault::{Effect, Limits};
use crate::id::{Name, NetworkIndex, NodeIndex};
use crate::link::{LinkProperties, Trace};
use crate::metrics::Endpoint;
use crate::port::PortMapping;
use crate::units::{BitRate, ByteSize, duration};
use netlab_protocol::role::{Data, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Version of [`Lab`]'s serialised form.
pub const FORMAT: u32 = 2;

/// Memory of a built-in node.
pub(super) const NODE_MEMORY: ByteSize = ByteSize(256 << 20);

/// A lab, ready to be planned. Equal files and seeds give equal labs, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lab {
    /// [`FORMAT`].
    pub format: u32,
    /// The lab's name.
    pub name: Name,
    /// Seeds every draw.
    pub seed: u64,
    /// Its networks in the file's order, at least one; a [`NetworkIndex`] points here.
    pub networks: Vec<Network>,
    /// Nodes in the file's order, replicas expanded; a [`NodeIndex`] points here.
    pub nodes: Vec<Node>,
    /// Names that stand for several nodes (roles, and names of nodes with `count`).
    pub groups: BTreeMap<String, Vec<NodeIndex>>,
    /// Time from one sample to the next.
    #[serde(with = "duration", skip_serializing_if = "is_usual", default = "usual")]
    pub sampling: Duration,
    /// Recorded capacities that links name ([`crate::link::TraceIndex`]).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub traces: Vec<Trace>,
    /// What happens; none: load runs until `down`.
    pub scenario: Option<Scenario>,
    /// What must be so, in the file's order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub checks: Vec<Check>,
}

/// Time from one sample to the next, unless the file says another.
pub const SAMPLING: Duration = Duration::from_secs(1);

fn usual() -> Duration {
    SAMPLING
}

fn is_usual(sampling: &Duration) -> bool {
    *sampling == SAMPLING
}

/// A network: its addresses, who is wired to whom, and the links of its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its name; `lab` where the file names none.
    pub name: Name,
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
    /// Which members have a wire between them.
    #[serde(default, skip_serializing_if = "Wires::is_full")]
    pub wires: Wires,
    /// Whom a member reaches.
    #[serde(default, skip_serializing_if = "Reach::is_routed")]
    pub reach: Reach,
    /// Properties of the pairs of its members.
    pub links: Links,
}

impl Network {
    /// A network in which everyone is wired to everyone.
    pub fn new(name: Name, subnet: Subnet, links: Links) -> Network {
        Network {
            name,
            v4: subnet.v4,
            v4_prefix: subnet.v4_prefix,
            v6: subnet.v6,
            v6_prefix: subnet.v6_prefix,
            resolver: subnet.host(RESOLVER),
            wires: Wires::Full,
            reach: Reach::Routed,
            links,
        }
    }

    /// The network of a lab whose file names none.
    pub fn implicit(links: Links) -> Network {
        Network::new(Name::implicit_network(), LAB_SUBNET, links)
    }

    /// Its addresses.
    pub fn subnet(&self) -> Subnet {
        Subnet {
            v4: self.v4,
            v4_prefix: self.v4_prefix,
            v6: self.v6,
            v6_prefix: self.v6_prefix,
        }
    }
}

/// The host of each network that is the resolver.
pub const RESOLVER: u32 = 1;

/// The addresses of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// IPv4 network address.
    pub v4: Ipv4Addr,
    /// Its prefix length.
    pub v4_prefix: u8,
    /// IPv6 network address.
    pub v6: Ipv6Addr,
    /// Its prefix length.
    pub v6_prefix: u8,
}

/// The network of every lab that names none: nobody else sees it, so that all labs may use the same.
pub const LAB_SUBNET: Subnet = Subnet {
    v4: Ipv4Addr::new(10, 77, 0, 0),
    v4_prefix: 16,
    v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0),
    v6_prefix: 64,
};

impl Subnet {
    /// The addresses of the host with this number; host 0 is the network itself.
    pub fn host(&self, host: u32) -> Addresses {
        Addresses {
            v4: Ipv4Addr::from_bits(self.v4.to_bits().wrapping_add(host)),
            v6: Ipv6Addr::from_bits(self.v6.to_bits().wrapping_add(u128::from(host))),
        }
    }
}

/// Which members of a network have a wire between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wires {
    /// Every pair.
    #[default]
    Full,
    /// These pairs, both directions: each once, the lower end first, in ascending order.
    Edges(Vec<(NodeIndex, NodeIndex)>),
}

impl Wires {
    fn is_full(&self) -> bool {
        *self == Wires::Full
    }

    /// Whether there is a wire between two members.
    pub fn has(&self, a: NodeIndex, b: NodeIndex) -> bool {
        match self {
            Wires::Full => a != b,
            Wires::Edges(edges) => edges.binary_search(&(a.min(b), a.max(b))).is_ok(),
        }
    }
}

/// Whom a member of a network reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Everyone, hop by hop over the wires.
    #[default]
    Routed,
    /// Only those with whom it shares a wire.
    Adjacent,
}

impl Reach {
    fn is_routed(&self) -> bool {
        *self == Reach::Routed
    }
}

/// One address of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// IPv4.
    pub v4: Ipv4Addr,
    /// IPv6.
    pub v6: Ipv6Addr,
}

fn is_first(network: &NetworkIndex) -> bool {
    network.at() == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A node's place in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Which; the first one where `lab.json` does not say.
    #[serde(default, skip_serializing_if = "is_first")]
    pub network: NetworkIndex,
    /// The node's addresses in it.
    pub addresses: Addresses,
    /// Whether the file says one of them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fixed: bool,
}

/// One node: one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: Name,
    /// The key under `nodes:` that it came from.
    pub group: Name,
    /// Words that select it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Its places in networks, at least one; the first is the primary, whose addresses names stand
    /// for.
    pub interfaces: Vec<Interface>,
    /// Whether it passes packets on between its networks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forward: bool,
    /// Access link towards the network, shared by all of its flows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uplink: Option<BitRate>,
    /// Access link towards the node, shared by all that is sent to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub downlink: Option<BitRate>,
    /// What it publishes on the engine's host.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ports: Vec<PortMapping>,
    /// How much its data volume holds; none: it has none, or one without bound.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub volume: Option<ByteSize>,
    /// What runs in it.
    pub program: Program,
}

impl Node {
    /// Whether it is the engine's host, for which there is no container.
    pub fn is_host(&self) -> bool {
        matches!(self.program, Program::Host)
    }

    /// Its addresses in its primary network.
    pub fn addresses(&self) -> Addresses {
        let none = Addresses {
            v4: Ipv4Addr::UNSPECIFIED,
            v6: Ipv6Addr::UNSPECIFIED,
        };
        self.interfaces.first().map_or(none, |one| one.addresses)
    }

    /// Its place in this network.
    pub fn interface(&self, network: NetworkIndex) -> Option<&Interface> {
        self.interfaces.iter().find(|one| one.network == network)
    }

    /// What it may take unless a fault says otherwise.
    pub fn limits(&self) -> Limits {
        let own = matches!(self.program, Program::Role(_));
        Limits {
            cpu: None,
            memory: own.then_some(NODE_MEMORY),
        }
    }

    /// Whether the node keeps data on a volume.
    pub fn has_volume(&self) -> bool {
        let data = match &self.program {
            Program::Role(Role::Server(server)) => server.data,
            Program::Role(Role::Peer(peer)) => peer.data,
            Program::Role(Role::Client(_)) | Program::Image(_) | Program::Host => Data::Memory,
        };
        data == Data::Volume
    }

    /// The word for what it is: its role, `image` or `host`.
    pub fn role(&self) -> &'static str {
        match &self.program {
            Program::Host => "host",
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
    /// Nothing: it is the engine's host, from which published ports are reached.
    Host,
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
    /// What has to be so before the node counts as ready; none: its program has been started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Where its program tells metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Endpoint>,
}

/// When a node with an image is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// It takes connections at this TCP port of its own address.
    pub tcp: u16,
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
    /// The last part of `duration`: every fault has healed before.
    #[serde(with = "duration", default, skip_serializing_if = "Duration::is_zero")]
    pub quiet: Duration,
    /// What faults wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Every occurrence of every fault: in the file's order, those of one fault by their number.
    pub faults: Vec<ScheduledFault>,
}

/// What has to hold of what is measured before a fault begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The fault's name, and what must be so.
    pub when: Check,
    /// The time of the scenario by which it has to hold.
    #[serde(with = "duration")]
    pub within: Duration,
}

impl Scenario {
    /// From the end of the warm-up until all faults have healed: where the quiet period begins, or
    /// the end.
    pub fn healed_by(&self) -> Duration {
        self.duration.saturating_sub(self.quiet)
    }

    /// The names of the faults, each once, in the file's order.
    pub fn fault_names(&self) -> impl Iterator<Item = &Name> {
        let mut last = None;
        let names = self.faults.iter().map(|fault| &fault.name);
        names.filter(move |name| last.replace(*name) != Some(*name))
    }
}

/// One occurrence of a fault, with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledFault {
    /// The name that checks and reports use, shared by all occurrences of the fault.
    pub name: Name,
    /// Which of them this is, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub occurrence: u32,
    /// Name of its [`crate::fault::Kind`].
    pub kind: String,
    /// Its target for people: `server`, `peer-2, peer-5`, `client-1 -> server`.
    pub target: String,
    /// When it begins, in scenario time; with `since` so long after that.
    #[serde(with = "duration")]
    pub at: Duration,
    /// The moment from which `at` counts: when this one of [`Scenario::conditions`] first holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<usize>,
    /// How long it lasts; none: until [`Scenario::healed_by`], or (kinds that do not last) at once
    /// over.
    #[serde(with = "duration::option")]
    pub lasts: Option<Duration>,
    /// What it does.
    pub effects: Vec<Effect>,
}

/// A question about a run, with what its names stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What must be so, in the language of [`crate::expr`].
    pub expect: String,
    /// Whether the run ends as soon as it can be so no more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub abort: bool,
    /// The nodes that its selectors select.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Vec<NodeIndex>>,
}

fn one() -> u32 {
    1
}

fn is_one(occurrence: &u32) -> bool {
    *occurrence == 1
}

impl Lab {
    /// The node with this name.
    pub fn node(&self, name: &str) -> Option<NodeIndex> {
        self.nodes
            .iter()
            .position(|node| node.name.as_str() == name)
            .map(|at| NodeIndex(at as u32))
    }

    /// The engine's host, where ports are published.
    pub fn host(&self) -> Option<NodeIndex> {
        let at = self.nodes.iter().position(Node::is_host)?;
        Some(NodeIndex(at as u32))
    }

    /// The nodes for which there is a container.
    pub fn containers(&self) -> impl Iterator<Item = (NodeIndex, &Node)> {
        let nodes = (0..).map(NodeIndex).zip(&self.nodes);
        nodes.filter(|(_, node)| !node.is_host())
    }

    /// The networks in which both nodes are.
    pub fn shared(&self, a: NodeIndex, b: NodeIndex) -> impl Iterator<Item = NetworkIndex> {
        let places = self.nodes[a.at()].interfaces.iter();
        let both = places.map(|one| one.network);
        both.filter(move |network| self.nodes[b.at()].interface(*network).is_some())
    }

    /// The members of a network, in ascending order.
    pub fn members(&self, network: NetworkIndex) -> impl Iterator<Item = NodeIndex> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(move |(_, node)| node.interface(network).is_some())
            .map(|(at, _)| NodeIndex(at as u32))
    }
}
