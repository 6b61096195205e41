//! `networks:`, and `shape:` and `reach:` of a file that names none; the places of a node.
//!
//! Owns how subnets and addresses are written. Must not know who is where, nor whether it fits.

use super::defaults::MAX_NETWORKS;
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Kind, Shape, key};
use super::properties;
use super::reader::Reader;
use super::shape::{CHILDREN_KEY, DEGREE_KEY, REWIRE_KEY, SHAPES, WIDTH_KEY};
use super::source::Spanned;
use super::topology::{Edges, LinkChange, NetworkSpec, PlaceSpec, Places, ShapeSpec, Topology};
use super::tree::{Data, Entry, Value, short};
use crate::id::Name;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Words of `reach`.
pub const REACHES: &[&str] = &["routed", "adjacent"];
/// Prefix lengths that an IPv4 subnet may have: there is room for the resolver and one node.
const V4_PREFIXES: (u8, u8) = (8, 30);
/// The same for IPv6.
const V6_PREFIXES: (u8, u8) = (8, 126);

const SUBNET: Kind = Kind::Either(&[
    Kind::Text("10.1.0.0/24"),
    Kind::List(&Kind::Text("fd01::/64")),
]);
const ADDRESS: Kind = Kind::Either(&[Kind::Text("10.1.0.9"), Kind::List(&Kind::Text("fd01::9"))]);

/// An entry of `networks`.
pub const ONE: Kind = Kind::Either(&[Kind::Map(&NETWORK), Kind::Nothing]);

const NETWORK: Shape = Shape {
    what: "a network",
    keys: &[
        key(
            "link",
            Kind::Map(&properties::LINK),
            "The properties of the link between every pair in it, laid over the lab's `link`.",
        ),
        key(
            "subnet",
            SUBNET,
            "Its addresses, an IPv4 and an IPv6 one; 10.77.0.0/16 and fd77::/64 and those after them unless said.",
        ),
        key(
            "shape",
            Kind::Word(SHAPES),
            "Which of its nodes have a wire between them; `full` unless said.",
        ),
        key("hub", Kind::Nodes, "The node in the middle of a `star`."),
        DEGREE_KEY,
        REWIRE_KEY,
        CHILDREN_KEY,
        WIDTH_KEY,
        key(
            "reach",
            Kind::Word(REACHES),
            "`routed` (the default): packets go hop by hop over the wires; `adjacent`: neighbours only.",
        ),
    ],
    needs: &[],
    later: &["internet", "seed", "edges", "resolver", "mtu"],
    instead: &[
        (
            "links",
            "`links:` stands at the top level; an entry may say `network: NAME`",
        ),
        ("nodes", "a node says its `networks`"),
        ("ipam", "write `subnet: 10.1.0.0/24`"),
        ("cidr", "write `subnet`"),
        ("driver", "leave it out"),
        ("gateway", "a node that routes says `forward: true`"),
        ("kind", "write `shape`"),
        ("type", "write `shape`"),
    ],
};

const PLACE: Shape = Shape {
    what: "a node's place in a network",
    keys: &[key(
        "address",
        ADDRESS,
        "Fixed addresses, one of each family for each replica; the next free ones unless said.",
    )],
    needs: &[],
    later: &["link", "uplink", "downlink"],
    instead: &[
        ("addresses", "write `address`"),
        ("ip", "write `address`"),
        ("ipv4_address", "write `address`"),
        ("ipv6_address", "write `address`"),
    ],
};

/// `networks` of a node.
pub const PLACES: Kind = Kind::Either(&[
    Kind::Text("lan"),
    Kind::List(&Kind::Text("lan")),
    Kind::Dict(&Kind::Either(&[Kind::Map(&PLACE), Kind::Nothing])),
]);

impl Reader<'_> {
    /// The networks of the file, or the one that it does not name.
    pub(super) fn networks(&self, fields: &Fields<'_>, topology: &mut Topology) {
        let Some(networks) = fields.entry("networks") else {
            let network = self.implicit_network(fields);
            topology.networks.push(network);
            return;
        };
        for (key, entry) in fields.among(&["shape", "reach"]) {
            let message = format!("where there are `networks`, each says its `{key}` itself");
            self.report(
                Diagnostic::error("conflict", message)
                    .at(entry.key.span, "")
                    .at(networks.key.span, "the networks"),
            );
        }
        let Some(entries) = self.entries(&networks.value, "`networks`") else {
            topology.networks_complete = false;
            return;
        };
        let problem = match entries.len() {
            0 => Some("`networks` names no network"),
            n if n > MAX_NETWORKS => Some("a lab has at most 64 networks"),
            _ => None,
        };
        if let Some(problem) = problem {
            self.report(
                Diagnostic::error("bad-value", problem)
                    .at(networks.key.span, "")
                    .help("a lab has one without it; write a name for each: `networks: { lan: {}, wan: {} }`"),
            );
            topology.networks_complete = false;
            return;
        }
        for entry in entries {
            match self.network(entry) {
                Some(network) => topology.networks.push(network),
                None => topology.networks_complete = false,
            }
        }
    }

    fn implicit_network(&self, fields: &Fields<'_>) -> NetworkSpec {
        let shape = fields.get("shape");
        let edges = shape.and_then(|value| {
            let word = self.word(value, "a shape of a network", SHAPES)?;
            if word == "star" {
                self.no_hub(
                    value.span,
                    "networks: { lab: { shape: star, hub: server } }",
                );
                return None;
            }
            Some(Edges::of_word(word, value.span))
        });
        let name = Spanned::new(
            Name::implicit_network(),
            shape.map_or(fields.span, |value| value.span),
        );
        NetworkSpec {
            name,
            link: LinkChange::default(),
            v4: None,
            v6: None,
            edges: edges.unwrap_or_default(),
            adjacent: self.adjacent(fields),
        }
    }

    fn no_hub(&self, span: super::Span, example: &str) {
        self.report(
            Diagnostic::error("missing-key", "a network that is a `star` names its `hub`")
                .at(span, "")
                .help(format!("say who is in the middle: `{example}`")),
        );
    }

    fn adjacent(&self, fields: &Fields<'_>) -> bool {
        let reach = fields.get("reach");
        let word = reach.and_then(|v| self.word(v, "a reach of a network", REACHES));
        word == Some("adjacent")
    }

    fn network(&self, entry: &Entry) -> Option<NetworkSpec> {
        let name = self.key_name(&entry.key);
        if entry.value.data == Data::Null {
            let name = name?;
            return Some(NetworkSpec {
                edges: Edges::of_word("full", name.span),
                name,
                link: LinkChange::default(),
                v4: None,
                v6: None,
                adjacent: false,
            });
        }
        let fields = self.fields(&entry.value, &NETWORK, Some(entry.key.span))?;
        let link = fields.entry("link").map(|link| self.default_link(link));
        let shape = fields.get("shape");
        let word = shape.map(|v| self.word(v, "a shape of a network", SHAPES));
        let span = shape.map_or(entry.key.span, |value| value.span);
        let edges = match word {
            // Its parameters cannot be judged.
            Some(None) => Edges::default(),
            word => self.edges(word.flatten().unwrap_or("full"), &fields, span),
        };
        if edges.shape == ShapeSpec::Star && fields.get("hub").is_none() {
            self.no_hub(span, "{ shape: star, hub: server }");
        }
        let (v4, v6) = fields
            .get("subnet")
            .map_or((None, None), |v| self.subnets(v));
        let adjacent = self.adjacent(&fields);
        Some(NetworkSpec {
            name: name?,
            link: link.unwrap_or(Some(LinkChange::default()))?,
            v4,
            v6,
            edges,
            adjacent,
        })
    }

    #[allow(clippy::type_complexity, reason = "one of each family")]
    fn subnets(
        &self,
        value: &Value,
    ) -> (
        Option<Spanned<(Ipv4Addr, u8)>>,
        Option<Spanned<(Ipv6Addr, u8)>>,
    ) {
        let (mut v4, mut v6) = (None, None);
        for one in self.one_or_more(value) {
            let first = match self.subnet(one) {
                None => continue,
                Some((IpAddr::V4(address), prefix)) => {
                    let found = Spanned::new((address, prefix), one.span);
                    v4.replace(found).map(|first| first.span)
                }
                Some((IpAddr::V6(address), prefix)) => {
                    let found = Spanned::new((address, prefix), one.span);
                    v6.replace(found).map(|first| first.span)
                }
            };
            if let Some(first) = first {
                let message = "a network has one IPv4 and one IPv6 subnet";
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(one.span, "again")
                        .at(first, "first"),
                );
            }
        }
        (v4, v6)
    }

    /// An address with a prefix length, without bits behind it.
    fn subnet(&self, value: &Value) -> Option<(IpAddr, u8)> {
        let text = self.text(value, "a subnet, such as `10.1.0.0/24`")?.value;
        let parts = text.split_once('/');
        let parsed = parts.and_then(|(address, prefix)| {
            let address: IpAddr = address.trim().parse().ok()?;
            Some((address, prefix.trim().parse::<u8>().ok()?))
        });
        let Some((address, prefix)) = parsed else {
            self.report(
                Diagnostic::error("bad-value", format!("`{}` is not a subnet", short(&text)))
                    .at(value.span, "")
                    .help(
                        "write the network's address and its length: `10.1.0.0/24` or `fd01::/64`",
                    ),
            );
            return None;
        };
        let ((low, high), family) = match address {
            IpAddr::V4(_) => (V4_PREFIXES, "IPv4"),
            IpAddr::V6(_) => (V6_PREFIXES, "IPv6"),
        };
        if !(low..=high).contains(&prefix) {
            let message = format!("the length of an {family} subnet is /{low} to /{high}");
            self.bad(value.span, message);
            return None;
        }
        let network = masked(address, prefix);
        if network != address {
            self.report(
                Diagnostic::error("bad-value", format!("`{text}` is an address in a subnet"))
                    .at(value.span, "")
                    .help(format!("the subnet is `{network}/{prefix}`")),
            );
            return None;
        }
        if !is_usable(address) {
            let message = format!("`{text}` is kept for other purposes, so nodes cannot be in it");
            self.bad(value.span, message);
            return None;
        }
        Some((address, prefix))
    }

    /// `networks` of a node.
    pub(super) fn places(&self, fields: &Fields<'_>) -> Places {
        let Some(value) = fields.get("networks") else {
            return Places::Only;
        };
        let places = match &value.data {
            Data::Map(_) if !self.is_bare_template(value) => self.map_of_places(value),
            Data::Map(_) => None,
            _ => {
                let written = self.one_or_more(value);
                let places = written.into_iter().map(|one| self.place(one));
                // All are read, so that every mistake is reported.
                places.collect::<Vec<_>>().into_iter().collect()
            }
        };
        match places {
            None => Places::Unreadable,
            Some(places) if places.is_empty() => {
                self.bad(value.span, "a node is in at least one network");
                Places::Unreadable
            }
            Some(places) => self.once(places),
        }
    }

    fn once(&self, places: Vec<PlaceSpec>) -> Places {
        for (at, place) in places.iter().enumerate() {
            let name = &place.network.value;
            let first = places[..at]
                .iter()
                .find(|other| other.network.value == *name);
            if let Some(first) = first {
                let message = format!("the node is in the network `{name}` twice");
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(place.network.span, "again")
                        .at(first.network.span, "first"),
                );
                return Places::Unreadable;
            }
            if at >= MAX_NETWORKS {
                return Places::Unreadable;
            }
        }
        Places::These(places)
    }

    fn place(&self, value: &Value) -> Option<PlaceSpec> {
        Some(PlaceSpec {
            network: self.name(value, "the name of a network")?,
            v4: Vec::new(),
            v6: Vec::new(),
        })
    }

    fn map_of_places(&self, value: &Value) -> Option<Vec<PlaceSpec>> {
        let entries = self.entries(value, "`networks` of a node")?;
        let place = |entry: &Entry| {
            let network = self.key_name(&entry.key);
            let mut place = PlaceSpec {
                network: network?,
                v4: Vec::new(),
                v6: Vec::new(),
            };
            if entry.value.data == Data::Null {
                return Some(place);
            }
            let fields = self.fields(&entry.value, &PLACE, Some(entry.key.span))?;
            let written = fields.get("address").map(|v| self.one_or_more(v));
            for one in written.into_iter().flatten() {
                match self.address(one)? {
                    IpAddr::V4(address) => place.v4.push(Spanned::new(address, one.span)),
                    IpAddr::V6(address) => place.v6.push(Spanned::new(address, one.span)),
                }
            }
            Some(place)
        };
        let places: Vec<_> = entries.into_iter().map(place).collect();
        places.into_iter().collect()
    }

    fn address(&self, value: &Value) -> Option<IpAddr> {
        let text = self.text(value, "an address, such as `10.1.0.9`")?.value;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("`{}` is not an IPv4 or IPv6 address", short(&text));
            let help = text.contains('/').then(|| {
                "the length belongs to the `subnet` of the network; leave it out".to_owned()
            });
            self.report(
                Diagnostic::error("bad-value", message)
                    .at(value.span, "")
                    .maybe_help(help),
            );
        }
        parsed
    }
}

/// The first address of the subnet that `address` is in.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let (v4, v6) = (
        32 - u32::from(prefix.min(32)),
        128 - u32::from(prefix.min(128)),
    );
    match address {
        IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits() & u32::MAX.unbounded_shl(v4)).into(),
        IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits() & u128::MAX.unbounded_shl(v6)).into(),
    }
}

/// Not loopback, link-local, multicast or reserved (RFC 6890).
fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => !matches!(a.octets()[0], 0 | 127 | 224..) && a.octets()[..2] != [169, 254],
        IpAddr::V6(a) => {
            let first = a.segments()[0];
            first != 0 && first & 0xffc0 != 0xfe80 && first < 0xff00
        }
    }
}
