//! Who is in which network, and who has a wire to whom.
//!
//! Owns membership and wires. Must not know links or what nodes run.

use super::model::{Addresses, Interface, LAB_SUBNET, Reach, Subnet, Wires};
use super::overlay;
use super::roster::{Roster, index};
use super::shape::{Graph, Shape};
use super::subnet;
use crate::id::{NetworkIndex, NodeIndex};
use crate::spec::defaults::MAX_FORWARDERS;
use crate::spec::{
    Count, Diagnostic, Edges, NetworkSpec, NodeSpec, PlaceSpec, Places as Said, ShapeSpec, Span,
    Spanned, list, nearest,
};
use netlab_protocol::draw;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Places in networks that all nodes together may have.
const MAX_PLACES: usize = 100_000;
/// Wires that all shapes together may have.
const MAX_WIRES: usize = 200_000;

/// The networks, and where each node is in them.
pub(super) struct Places {
    /// Of each network.
    pub subnets: Vec<Subnet>,
    /// Of each network.
    pub wires: Vec<Wires>,
    /// Of each network.
    pub reach: Vec<Reach>,
    /// Of each node, in the order in which it names them.
    pub interfaces: Vec<Vec<Interface>>,
    /// Whether everyone's place is known; otherwise something was reported.
    pub complete: bool,
}

/// What a member of a network wants there.
pub(super) struct Asked {
    /// Who.
    pub node: NodeIndex,
    /// Its how manieth network this is.
    pub place: usize,
    /// A fixed address.
    pub v4: Option<Spanned<Ipv4Addr>>,
    /// A fixed address.
    pub v6: Option<Spanned<Ipv6Addr>>,
}

impl Places {
    /// The addresses by which `from` knows `to`: those in the first of its networks that both are in,
    /// else those of the primary network.
    pub fn addresses(&self, from: NodeIndex, to: NodeIndex) -> Addresses {
        let of = |node: NodeIndex| {
            self.interfaces
                .get(node.at())
                .map_or(&[][..], Vec::as_slice)
        };
        let (from, to) = (of(from), of(to));
        let shared = from.iter().find_map(|own| {
            let there = |other: &&Interface| other.network == own.network;
            to.iter().find(there)
        });
        let known = shared.or(to.first());
        known.map_or_else(|| LAB_SUBNET.host(0), |one| one.addresses)
    }

    /// The networks that both are in.
    pub fn shared(&self, a: NodeIndex, b: NodeIndex) -> impl Iterator<Item = NetworkIndex> {
        let there = &self.interfaces[b.at()];
        let own = self.interfaces[a.at()].iter().map(|own| own.network);
        own.filter(move |own| there.iter().any(|other| other.network == *own))
    }

    /// Whether a node is in a network.
    pub fn is_in(&self, node: NodeIndex, network: NetworkIndex) -> bool {
        let places = &self.interfaces[node.at()];
        places.iter().any(|one| one.network == network)
    }
}

/// Puts everyone in place.
pub(super) fn places(roster: &Roster<'_>, reports: &mut Vec<Diagnostic>) -> Places {
    let networks = &roster.topology.networks;
    let before = reports.len();
    let mut members: Vec<Vec<Asked>> = networks.iter().map(|_| Vec::new()).collect();
    let subnets = subnet::subnets(networks, reports);
    let mut places = Places {
        subnets,
        wires: networks.iter().map(|_| Wires::Full).collect(),
        reach: networks.iter().map(reach).collect(),
        interfaces: vec![Vec::new(); roster.members.len()],
        complete: roster.topology.networks_complete && !networks.is_empty(),
    };
    let finder = Finder::new(roster);
    let mut total = 0;
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        // What is wrong with the host's networks was said of the nodes that publish.
        let mut said_before = Vec::new();
        let told = if spec.is_host() {
            &mut said_before
        } else {
            &mut *reports
        };
        let Some(found) = finder.networks_of(spec, told) else {
            places.complete = false;
            continue;
        };
        total += found.len() * range.len();
        if total > MAX_PLACES {
            too_many(
                "the nodes have too many places in networks",
                MAX_PLACES,
                spec.name.span,
                reports,
            );
            places.complete = false;
            return places;
        }
        join(range, &found, &mut members, &mut places);
    }
    forwarders(roster, &places, reports);
    if !places.complete {
        return places;
    }
    for (at, asked) in (0..).zip(&members) {
        subnet::assign(roster, NetworkIndex(at), asked, &mut places, reports);
    }
    wire(roster, &members, &mut places, reports);
    let errors = |d: &Diagnostic| d.severity == crate::spec::Severity::Error;
    places.complete = !reports[before..].iter().any(errors);
    places
}

fn too_many(what: &str, most: usize, span: Span, reports: &mut Vec<Diagnostic>) {
    reports.push(
        Diagnostic::error("too-many", what)
            .at(span, "here it becomes too much")
            .help(format!("{most} are possible in all")),
    );
}

fn reach(spec: &NetworkSpec) -> Reach {
    match spec.adjacent {
        true => Reach::Adjacent,
        false => Reach::Routed,
    }
}

/// One network of an entry of `nodes`.
struct Found<'t> {
    network: NetworkIndex,
    said: Option<&'t PlaceSpec>,
}

/// Puts the replicas of an entry into its networks.
fn join(
    range: &Range<usize>,
    found: &[Found<'_>],
    members: &mut [Vec<Asked>],
    places: &mut Places,
) {
    let none = LAB_SUBNET.host(0);
    for (replica, at) in range.clone().enumerate() {
        for (place, one) in found.iter().enumerate() {
            let v4 = one.said.and_then(|said| said.v4.get(replica));
            let v6 = one.said.and_then(|said| said.v6.get(replica));
            members[one.network.at()].push(Asked {
                node: index(at),
                place,
                v4: v4.cloned(),
                v6: v6.cloned(),
            });
            places.interfaces[at].push(Interface {
                network: one.network,
                addresses: none,
                fixed: false,
            });
        }
    }
}

/// Finds networks by name.
struct Finder<'r, 't> {
    roster: &'r Roster<'t>,
    by_name: HashMap<&'t str, NetworkIndex>,
}

impl<'t> Finder<'_, 't> {
    fn new<'r>(roster: &'r Roster<'t>) -> Finder<'r, 't> {
        let networks = (0..).zip(&roster.topology.networks);
        Finder {
            roster,
            by_name: networks
                .map(|(at, spec)| (spec.name.value.as_str(), NetworkIndex(at)))
                .collect(),
        }
    }

    /// The networks of an entry of `nodes`; none when something was reported, or is not known.
    fn networks_of(
        &self,
        spec: &'t NodeSpec,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<Vec<Found<'t>>> {
        let topology = self.roster.topology;
        let said = match (&spec.places, topology.networks.as_slice()) {
            (Said::Unreadable, _) => return None,
            (Said::Only, _) if !topology.networks_complete => return None,
            (Said::Only, [_]) => {
                return Some(vec![Found {
                    network: NetworkIndex(0),
                    said: None,
                }]);
            }
            (Said::Only, []) => return None,
            (Said::Only, [first, ..]) => {
                let message = format!("`{}` does not say which networks it is in", spec.name.value);
                let names = topology.networks.iter().map(|n| n.name.value.as_str());
                reports.push(
                    Diagnostic::error("no-network", message)
                        .at(spec.name.span, "")
                        .at(first.name.span, "there are several")
                        .help(format!(
                            "the networks are {}: say `networks: {}`, or a list of them",
                            list(names),
                            first.name.value
                        )),
                );
                return None;
            }
            (Said::These(said), _) => said,
        };
        let found: Vec<_> = said
            .iter()
            .map(|one| self.find(spec, one, reports))
            .collect();
        found.into_iter().collect()
    }

    fn find(
        &self,
        spec: &NodeSpec,
        said: &'t PlaceSpec,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<Found<'t>> {
        let name = &said.network;
        let Some(&network) = self.by_name.get(name.value.as_str()) else {
            unknown(self.roster, name, reports);
            return None;
        };
        let replicas = match spec.count {
            Count::Single => 1,
            Count::Many(count) => count as usize,
            Count::Unreadable => return None,
        };
        one_for_each(spec, said, replicas, reports)?;
        Some(Found {
            network,
            said: Some(said),
        })
    }
}

/// Reports fixed addresses that are not as many as the nodes.
fn one_for_each(
    spec: &NodeSpec,
    said: &PlaceSpec,
    replicas: usize,
    reports: &mut Vec<Diagnostic>,
) -> Option<()> {
    let name = &said.network;
    for (family, addresses) in [("IPv4", said.v4.len()), ("IPv6", said.v6.len())] {
        if addresses != 0 && addresses != replicas {
            let nodes = if replicas == 1 {
                "one node".to_owned()
            } else {
                format!("{replicas} nodes")
            };
            let message = format!(
                "`{}` is {nodes} and has {addresses} {family} address{} in `{}`",
                spec.name.value,
                if addresses == 1 { "" } else { "es" },
                name.value
            );
            reports.push(
                Diagnostic::error("bad-address", message)
                    .at(name.span, "")
                    .at(spec.name.span, "")
                    .help(format!(
                        "write one for each, or none: {} in a list",
                        replicas
                    )),
            );
            return None;
        }
    }
    Some(())
}

/// Reports a network that is not defined, unless some could not be read.
pub(super) fn unknown(
    roster: &Roster<'_>,
    name: &Spanned<crate::id::Name>,
    reports: &mut Vec<Diagnostic>,
) {
    let topology = roster.topology;
    if !topology.networks_complete {
        return;
    }
    let names = || topology.networks.iter().map(|n| n.name.value.as_str());
    let near = nearest(name.value.as_str(), names());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    reports.push(
        Diagnostic::error(
            "unknown-network",
            format!("there is no network `{}`", name.value),
        )
        .at(name.span, "no such network")
        .help(format!("the networks are {}{near}", list(names()))),
    );
}

/// Reports nodes that cannot pass on anything, and too many of them.
fn forwarders(roster: &Roster<'_>, places: &Places, reports: &mut Vec<Diagnostic>) {
    let mut total = 0;
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        let Some(span) = spec.forward else { continue };
        total += range.len();
        if total > MAX_FORWARDERS {
            too_many(
                "too many nodes pass packets on between networks",
                MAX_FORWARDERS,
                span,
                reports,
            );
            return;
        }
        let networks = range.clone().next().map(|at| places.interfaces[at].len());
        if networks == Some(1) {
            let message = format!(
                "`{}` is in one network, so that it has nothing to forward",
                spec.name.value
            );
            reports.push(
                Diagnostic::error("bad-forward", message)
                    .at(span, "")
                    .at(spec.name.span, "")
                    .help("name at least two: `networks: [lan, wan]`; wires within one network need no `forward`"),
            );
        }
    }
}

/// Draws the wires of the networks that have a shape.
fn wire(
    roster: &Roster<'_>,
    members: &[Vec<Asked>],
    places: &mut Places,
    reports: &mut Vec<Diagnostic>,
) {
    let shaped = members.iter().zip(&roster.topology.networks).enumerate();
    let shaped = shaped.filter(|(_, (_, spec))| spec.edges.shape != ShapeSpec::Full);
    let mut total = 0;
    for (_, (asked, spec)) in shaped.clone() {
        total += most_edges(&spec.edges, asked.len());
        if total > MAX_WIRES {
            let what = "the shapes of the networks have too many wires";
            too_many(what, MAX_WIRES, spec.edges.span, reports);
            return;
        }
    }
    for (at, (asked, spec)) in shaped {
        let (hosts, others): (Vec<&Asked>, Vec<&Asked>) =
            asked.iter().partition(|one| roster.is_host(one.node));
        if let Some(mut wires) = wires(roster, spec, &others, reports) {
            if let [host] = hosts[..] {
                wires = with_host(roster, host.node, &others, wires);
            }
            places.wires[at] = wires;
        }
    }
}

/// How many edges a shape may have, before it is drawn.
fn most_edges(edges: &Edges, count: usize) -> usize {
    let degree = match edges.shape {
        ShapeSpec::Random(degree) | ShapeSpec::SmallWorld { degree, .. } => degree as usize,
        _ => 4,
    };
    count * degree.min(count) / 2
}

/// The wires of a shape, and one from the host, which no shape knows, to each member that publishes
/// there.
fn with_host(roster: &Roster<'_>, host: NodeIndex, others: &[&Asked], wires: Wires) -> Wires {
    let members = || others.iter().map(|one| one.node);
    let mut edges = match wires {
        Wires::Edges(edges) => edges,
        Wires::Full => {
            let pairs = members().flat_map(|a| members().map(move |b| (a, b)));
            pairs.filter(|(a, b)| a < b).collect()
        }
    };
    let publishes = |one: &&&Asked| {
        let spec = roster.members[one.node.at()].spec;
        one.place == 0 && !spec.ports.is_empty()
    };
    let published = others.iter().filter(publishes);
    edges.extend(published.map(|one| (one.node.min(host), one.node.max(host))));
    edges.sort_unstable();
    Wires::Edges(edges)
}

fn wires(
    roster: &Roster<'_>,
    spec: &NetworkSpec,
    asked: &[&Asked],
    reports: &mut Vec<Diagnostic>,
) -> Option<Wires> {
    let count = asked.len();
    let hub = match &spec.edges.hub {
        Some(_) => hub(roster, spec, asked, reports)?,
        None => 0,
    };
    let shape: Shape = overlay::shape(&spec.edges, count, hub);
    let name = draw::name(spec.name.value.as_str());
    let seed = draw::bits(roster.topology.seed, &[draw::name("network"), name]);
    match Graph::new(shape, count, seed) {
        Ok(graph) => {
            let node = |at: u32| asked[at as usize].node;
            let edges: Vec<_> = graph.edges().map(|(a, b)| (node(a), node(b))).collect();
            Some(match edges.len() == count * count.saturating_sub(1) / 2 {
                true => Wires::Full,
                false => Wires::Edges(edges),
            })
        }
        Err(error) => {
            reports.push(
                Diagnostic::error("bad-shape", error.to_string())
                    .at(spec.edges.span, "")
                    .at(spec.name.span, format!("these are {count}")),
            );
            None
        }
    }
}

/// The middle of a star, as a place among the members.
fn hub(
    roster: &Roster<'_>,
    spec: &NetworkSpec,
    asked: &[&Asked],
    reports: &mut Vec<Diagnostic>,
) -> Option<usize> {
    let hub = spec.edges.hub.as_ref()?;
    let nodes = roster.select(hub, "`hub`", reports)?;
    let [one] = nodes.as_slice() else {
        let message = format!("a star has one hub; this selects {} nodes", nodes.len());
        reports.push(Diagnostic::error("bad-shape", message).at(hub.span, ""));
        return None;
    };
    let found = asked.iter().position(|member| member.node == *one);
    if found.is_none() {
        let member = &roster.members[one.at()];
        let (name, network) = (&member.name, &spec.name.value);
        let message =
            format!("`{name}` is not in the network `{network}`, so it cannot be its hub");
        reports.push(
            Diagnostic::error("bad-shape", message)
                .at(hub.span, "")
                .at(member.spec.name.span, "this node"),
        );
    }
    found
}
