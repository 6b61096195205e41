//! The properties of every ordered pair.

use super::model::{Link, Links};
use super::networks::{self, Places};
use super::roster::Roster;
use crate::id::{NetworkIndex, NodeIndex};
use crate::link::LinkProperties;
use crate::spec::{Diagnostic, Ends, LinkChange, LinkSpec, NetworkSpec, list};
use std::collections::BTreeMap;

/// Ordered pairs that `links` may name in all, with repetitions: each that differs takes 300 bytes.
const MAX_PAIRS: u64 = 400_000;

/// Messages after which no warnings are added.
const MAX_WARNED: usize = 200;

/// Both sides of some links, resolved.
pub(super) struct Sides {
    /// Senders.
    pub from: Vec<NodeIndex>,
    /// Receivers.
    pub to: Vec<NodeIndex>,
}

/// Of each network the default and the pairs that differ; none when something was reported.
pub(super) fn links(
    roster: &Roster<'_>,
    places: &Places,
    reports: &mut Vec<Diagnostic>,
) -> Option<Vec<Links>> {
    let topology = roster.topology;
    let default = topology.link.over(&LinkProperties::default());
    let mut complete = true;
    judge(&default, &topology.link, reports);
    let networks = topology.networks.iter();
    let mut all: Vec<Pairs> = networks
        .map(|network| of_network(network, &default, reports))
        .collect();
    let mut named = 0;
    for spec in &topology.links {
        let network = network(roster, spec, reports);
        let (Some(sides), Some(network)) = (ends(roster, spec, reports), network) else {
            complete = false;
            continue;
        };
        named += sides.from.len() as u64 * sides.to.len() as u64 * 2;
        if named > MAX_PAIRS {
            let message = format!("`links` names more than {MAX_PAIRS} pairs of nodes");
            reports.push(
                Diagnostic::error("too-many", message)
                    .at(spec.ends.span, "here it becomes too much")
                    .help("say what holds for most pairs under `link:`"),
            );
            return None;
        }
        if places.complete && !change(&mut all, places, &sides, network, spec, reports) {
            let of = Entry {
                spec,
                sides: &sides,
                network,
            };
            of.without_wire(roster, places, reports);
            complete &= spec.of_table;
        }
    }
    complete.then(|| all.into_iter().map(Pairs::links).collect())
}

fn of_network(
    network: &NetworkSpec,
    default: &LinkProperties,
    reports: &mut Vec<Diagnostic>,
) -> Pairs {
    let properties = network.link.over(default);
    if properties != *default {
        judge(&properties, &network.link, reports);
    }
    Pairs {
        default: properties,
        others: BTreeMap::new(),
    }
}

/// The links of one network.
struct Pairs {
    default: LinkProperties,
    others: BTreeMap<(NodeIndex, NodeIndex), LinkProperties>,
}

impl Pairs {
    fn links(self) -> Links {
        let default = self.default;
        let others = self.others.into_iter();
        let others = others.filter(|(_, properties)| *properties != default);
        Links {
            default,
            others: others
                .map(|((from, to), properties)| Link {
                    from,
                    to,
                    properties,
                })
                .collect(),
        }
    }
}

/// The network that an entry names, if it names one; none when there is no such.
fn network(
    roster: &Roster<'_>,
    spec: &LinkSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<Option<NetworkIndex>> {
    let Some(name) = &spec.network else {
        return Some(None);
    };
    let mut networks = (0..).zip(&roster.topology.networks);
    let found = networks.find(|(_, network)| network.name.value == name.value);
    if found.is_none() {
        networks::unknown(roster, name, reports);
    }
    found.map(|(at, _)| Some(NetworkIndex(at)))
}

/// The nodes at both ends of an entry; on the diagonal of a table both may be one node.
fn ends(roster: &Roster<'_>, spec: &LinkSpec, reports: &mut Vec<Diagnostic>) -> Option<Sides> {
    if !spec.of_table {
        return sides(roster, &spec.ends, "link", reports);
    }
    let from = roster.select(&spec.ends.from, "the table", reports);
    let to = roster.select(&spec.ends.to, "the table", reports);
    Some(Sides {
        from: from?,
        to: to?,
    })
}

/// Lays what an entry says over its pairs, in each network in which they have a wire; whether any
/// has one.
fn change(
    all: &mut [Pairs],
    places: &Places,
    sides: &Sides,
    only: Option<NetworkIndex>,
    spec: &LinkSpec,
    reports: &mut Vec<Diagnostic>,
) -> bool {
    let said = &spec.change;
    let (mut any, mut warned) = (false, false);
    for (a, b) in pairs(sides) {
        let shared = places.shared(a, b);
        for network in shared.filter(|network| only.is_none_or(|only| only == *network)) {
            if !places.wires[network.at()].has(a, b) {
                continue;
            }
            any = true;
            let links = &mut all[network.at()];
            for pair in [Some((a, b)), spec.ends.both.then_some((b, a))] {
                let Some(pair) = pair else { continue };
                let properties = links.others.entry(pair).or_insert(links.default);
                *properties = said.over(properties);
                if !warned {
                    warned = judge(properties, said, reports);
                }
            }
        }
    }
    // A table may say how far a node is from itself, and nothing else.
    any || pairs(sides).next().is_none()
}

/// Whether any two nodes of both sides have a wire.
pub(super) fn any_wire(places: &Places, sides: &Sides) -> bool {
    pairs(sides).any(|(a, b)| {
        let mut shared = places.shared(a, b);
        shared.any(|network| places.wires[network.at()].has(a, b))
    })
}

fn pairs(sides: &Sides) -> impl Iterator<Item = (NodeIndex, NodeIndex)> {
    let all = sides.from.iter();
    all.flat_map(|&a| sides.to.iter().map(move |&b| (a, b)))
        .filter(|(a, b)| a != b)
}

/// An entry of `links` that says something about no link.
struct Entry<'e> {
    spec: &'e LinkSpec,
    sides: &'e Sides,
    network: Option<NetworkIndex>,
}

impl Entry<'_> {
    /// Reports why; the cell of a table, which has one for every pair, may be about none.
    fn without_wire(&self, roster: &Roster<'_>, places: &Places, reports: &mut Vec<Diagnostic>) {
        if self.spec.of_table {
            return;
        }
        let shared = |(a, b): &(NodeIndex, NodeIndex)| {
            let mut shared = places.shared(*a, *b);
            shared.find(|network| self.network.is_none_or(|only| only == *network))
        };
        let wireless = pairs(self.sides).find_map(|pair| Some((pair, shared(&pair)?)));
        let report = match wireless {
            Some((_, network)) => self.no_wire(roster, network),
            None => self.no_network(roster, places),
        };
        reports.push(report);
    }

    fn no_wire(&self, roster: &Roster<'_>, network: NetworkIndex) -> Diagnostic {
        let network = &roster.topology.networks[network.at()];
        let Ends { from, to, .. } = &self.spec.ends;
        let message = format!(
            "there is no wire between `{from}` and `{to}` in the network `{}`",
            network.name.value
        );
        Diagnostic::error("no-link", message)
            .at(self.spec.ends.span, "")
            .at(network.edges.span, "this shape says who has a wire")
            .help("packets between them take other wires, whose links they go by")
    }

    fn no_network(&self, roster: &Roster<'_>, places: &Places) -> Diagnostic {
        let Ends { from, to, span, .. } = &self.spec.ends;
        if let (Some(network), Some(name)) = (self.network, &self.spec.network) {
            let nodes = self.sides.from.iter().chain(&self.sides.to);
            let outside = nodes.clone().find(|node| !places.is_in(**node, network));
            let message = match outside {
                Some(node) => {
                    let node = &roster.members[node.at()].name;
                    format!("`{node}` is not in the network `{}`", name.value)
                }
                None => format!("`{from}` and `{to}` have no link in `{}`", name.value),
            };
            let network = &roster.topology.networks[network.at()];
            let report = Diagnostic::error("no-link", message)
                .at(name.span, "")
                .at(network.name.span, "this network");
            return match outside {
                Some(node) => report.at(roster.members[node.at()].spec.name.span, "this node"),
                None => report,
            };
        }
        let message =
            format!("there is no link between `{from}` and `{to}`: they share no network");
        let mut report = Diagnostic::error("no-link", message).at(*span, "");
        for side in [&self.sides.from, &self.sides.to] {
            if let Some(node) = side.first() {
                let names = places.interfaces[node.at()]
                    .iter()
                    .map(|one| &roster.topology.networks[one.network.at()])
                    .map(|network| network.name.value.as_str());
                let place = roster.members[node.at()].spec.name.span;
                report = report.at(place, format!("in {}", list(names)));
            }
        }
        report.help("say the links of each network that packets between them cross")
    }
}

/// Reports properties that contradict each other, or that are surely unwanted; whether it did.
fn judge(properties: &LinkProperties, said: &LinkChange, reports: &mut Vec<Diagnostic>) -> bool {
    let Some(why) = properties.contradiction() else {
        return wide_jitter(properties, said, reports);
    };
    reports.push(Diagnostic::error("conflict", why).at(said.span, "with what is said here"));
    true
}

/// Warns of a jitter larger than its delay.
fn wide_jitter(
    properties: &LinkProperties,
    said: &LinkChange,
    reports: &mut Vec<Diagnostic>,
) -> bool {
    let wide = properties.jitter > properties.delay;
    if wide && reports.len() < MAX_WARNED {
        let message = format!(
            "the jitter ({:?}) is larger than the delay ({:?})",
            properties.jitter, properties.delay
        );
        reports.push(
            Diagnostic::warning("wide-jitter", message)
                .at(said.span, "")
                .help("a delay is never below zero, so the mean delay becomes larger than said"),
        );
    }
    wide
}

/// The nodes at both ends; reports ends without two different nodes.
pub(super) fn sides(
    roster: &Roster<'_>,
    ends: &Ends,
    what: &str,
    reports: &mut Vec<Diagnostic>,
) -> Option<Sides> {
    let from = roster.select(&ends.from, what, reports);
    let to = roster.select(&ends.to, what, reports);
    let (from, to) = (from?, to?);
    if from == to && from.len() == 1 {
        let name = &roster.members[from[0].at()].name;
        let message = format!("a link needs two different nodes; both ends are `{name}`");
        reports.push(Diagnostic::error("bad-link", message).at(ends.to.span, ""));
        return None;
    }
    Some(Sides { from, to })
}
