//! Lab → edges of a [`Picture`]: wires, overlay, requests, and links with properties of their own,
//! each said once; many equal ones as one between groups.

use super::words::{self, many};
use super::{Edge, EdgeKind, End, Picture};
use crate::id::NodeIndex;
use crate::lab::{Lab, Network, Program, Wires};
use netlab_protocol::role::{Endpoint, Role};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes that all know each other are drawn as such up to here.
const CLIQUE: usize = 16;
/// Members of a group whose requests are drawn one by one, and lines of it.
const ONE_BY_ONE: (usize, usize) = (10, 30);
/// Links of their own that are drawn; where there are more, only those of whole groups are.
const LINKS: usize = 24;

/// Two nodes, or two groups, in ascending order.
type Pair = (usize, usize);

/// Adds all edges of `lab`, and notes on those that are not drawn.
pub(super) fn add(picture: &mut Picture, lab: &Lab) {
    for network in &lab.networks {
        wires(picture, network);
    }
    let places: BTreeMap<&str, usize> = (lab.nodes.iter().enumerate())
        .map(|(at, node)| (node.name.as_str(), at))
        .collect();
    for group in 0..picture.groups.len() {
        let members = picture.groups[group].members.clone();
        overlay(picture, lab, group, &members, &places);
        requests(picture, lab, group, &members, &places);
    }
    for network in &lab.networks {
        links(picture, network);
    }
}

fn line(from: End, to: End, kind: EdgeKind) -> Edge {
    Edge {
        from,
        to,
        kind,
        label: String::new(),
    }
}

fn wires(picture: &mut Picture, network: &Network) {
    if let Wires::Edges(edges) = &network.wires {
        let edge = |&(a, b): &(NodeIndex, NodeIndex)| {
            line(End::Node(a.at()), End::Node(b.at()), EdgeKind::Wire)
        };
        picture.edges.extend(edges.iter().map(edge));
    }
}

fn resolve(list: &[Endpoint], places: &BTreeMap<&str, usize>) -> Vec<usize> {
    let found = list
        .iter()
        .filter_map(|one| places.get(one.name.as_str()).copied());
    found.collect()
}

/// Which peers of one group know each other: those that are their own next hop.
fn overlay(
    picture: &mut Picture,
    lab: &Lab,
    group: usize,
    members: &[usize],
    places: &BTreeMap<&str, usize>,
) {
    let mut edges = BTreeSet::new();
    let mut count = 0;
    for &member in members {
        let Program::Role(Role::Peer(peer)) = &lab.nodes[member].program else {
            continue;
        };
        count = peer.peers.len();
        let own = peer.index as usize;
        let near = |&(at, hop): &(usize, &Option<u32>)| *hop == Some(at as u32) && at != own;
        for (at, _) in peer.next_hop.iter().enumerate().filter(near) {
            let name = peer.peers.get(at).map_or("", |peer| peer.name.as_str());
            if let Some(&other) = places.get(name) {
                edges.insert((member.min(other), member.max(other)));
            }
        }
    }
    if count > CLIQUE && edges.len() == count * (count - 1) / 2 {
        picture.groups[group].all_know = true;
        return;
    }
    let edge = |(a, b)| line(End::Node(a), End::Node(b), EdgeKind::Knows);
    picture.edges.extend(edges.into_iter().map(edge));
}

/// Whom the clients of one group ask: one by one, or all of them with one line.
fn requests(
    picture: &mut Picture,
    lab: &Lab,
    group: usize,
    members: &[usize],
    places: &BTreeMap<&str, usize>,
) {
    let Some(&first) = members.first() else {
        return;
    };
    let Program::Role(Role::Client(client)) = &lab.nodes[first].program else {
        return;
    };
    let targets = resolve(&client.targets, places);
    // Lines from one network to another would lie on each other.
    let near = |to: &usize| {
        let networks = &picture.nodes[*to].networks;
        networks
            .iter()
            .any(|network| picture.nodes[first].networks.contains(network))
    };
    let few = members.len() <= ONE_BY_ONE.0
        && members.len() * targets.len() <= ONE_BY_ONE.1
        && targets.iter().all(near);
    let ends = match few || members.len() == 1 {
        true => members.iter().map(|&at| End::Node(at)).collect(),
        false => vec![End::Group(group)],
    };
    let targets = whole_groups(picture, &targets, few);
    for from in ends {
        let edges = targets.iter().map(|&to| line(from, to, EdgeKind::Asks));
        picture.edges.extend(edges);
    }
}

/// The targets, with groups that are among them as a whole as groups, unless each has a line.
fn whole_groups(picture: &Picture, targets: &[usize], few: bool) -> Vec<End> {
    let mut ends = BTreeSet::new();
    for &target in targets {
        let group = picture.nodes[target].group;
        let members = &picture.groups[group].members;
        let whole = !few && members.len() > 3 && members.iter().all(|m| targets.contains(m));
        ends.insert(if whole {
            End::Group(group)
        } else {
            End::Node(target)
        });
    }
    ends.into_iter().collect()
}

/// Unordered pairs of a network that differ from its default, with what they are in words.
fn own_links(network: &Network) -> BTreeMap<Pair, String> {
    let links = &network.links;
    let mut found = BTreeMap::new();
    for link in &links.others {
        let (a, b) = (link.from.min(link.to), link.from.max(link.to));
        if network.wires.has(a, b) {
            found
                .entry((a.at(), b.at()))
                .or_insert_with(|| words::of(links, a, b));
        }
    }
    found.retain(|_, text: &mut String| !text.is_empty());
    found
}

fn links(picture: &mut Picture, network: &Network) {
    let mut own = own_links(network);
    let mut sorts: BTreeMap<Pair, Vec<(Pair, String)>> = BTreeMap::new();
    for (&(a, b), text) in &own {
        let groups = (picture.nodes[a].group, picture.nodes[b].group);
        sorts
            .entry(groups)
            .or_default()
            .push(((a, b), text.clone()));
    }
    for ((one, two), list) in sorts {
        let size = |group: usize| picture.groups[group].members.len();
        let all = match one == two {
            true => size(one) * (size(one) - 1) / 2,
            false => size(one) * size(two),
        };
        let same = list.iter().all(|(_, text)| *text == list[0].1);
        if !same || list.len() < all || all < ONE_BY_ONE.0 {
            continue;
        }
        for (pair, _) in &list {
            own.remove(pair);
        }
        let text = list[0].1.clone();
        let name = |group: usize| &picture.groups[group].name;
        match one == two {
            true => picture.notes.push(format!("within {}: {text}", name(one))),
            false => label(picture, End::Group(one), End::Group(two), text),
        }
    }
    if own.len() > LINKS {
        let pairs = many(own.len(), "pair");
        let told = format!("{pairs} with links of their own: see `netlab graph --matrix`");
        picture.notes.push(told);
        return;
    }
    for ((a, b), text) in own {
        label(picture, End::Node(a), End::Node(b), text);
    }
}

/// Writes `text` beside the line that is there, or draws one. A line between groups may stand for
/// one that a single node of the group has.
fn label(picture: &mut Picture, a: End, b: End, text: String) {
    let single = |end: End| match end {
        End::Group(group) if picture.groups[group].members.len() == 1 => {
            End::Node(picture.groups[group].members[0])
        }
        end => end,
    };
    let (a, b) = (single(a), single(b));
    let name = |end: End| match end {
        End::Node(node) => &picture.nodes[node].name,
        End::Group(group) => &picture.groups[group].name,
    };
    let text = words::towards(&text, name(a), name(b));
    let between = |e: &&mut Edge| (e.from, e.to) == (a, b) || (e.from, e.to) == (b, a);
    match picture.edges.iter_mut().find(between) {
        Some(edge) if edge.label.is_empty() => edge.label = text,
        Some(edge) => edge.label = format!("{}; {text}", edge.label),
        None => picture.edges.push(Edge {
            label: text,
            ..line(a, b, EdgeKind::Link)
        }),
    }
}
