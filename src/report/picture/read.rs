//! Lab → [`Picture`]: nodes, groups, networks, faults and their marks.

use super::words::{self, many};
use super::{Area, Edge, EdgeKind, End, FaultNote, Group, Look, Node, Picture};
use crate::fault::{Effect, Pairs};
use crate::id::{Name, NodeIndex};
use crate::lab::{self, Lab, Program, ScheduledFault};
use netlab_protocol::duration::format as time;
use netlab_protocol::role::{Arrivals, Load, Role};
use std::collections::BTreeMap;

/// Pairs that a fault's own lines are drawn for; more are marked on their nodes.
const FAULT_LINES: usize = 6;

impl Picture {
    /// The picture of a lab.
    pub fn of(lab: &Lab) -> Picture {
        let groups = groups(lab);
        let nodes = nodes(lab, &groups);
        let networks = lab.networks.iter().map(area).collect();
        let subtitle = format!(
            "{}, seed {}",
            many(lab.containers().count(), "node"),
            lab.seed
        );
        let mut picture = Picture {
            title: lab.name.to_string(),
            subtitle,
            nodes,
            groups,
            networks,
            ..Picture::default()
        };
        super::edges::add(&mut picture, lab);
        if let Some(scenario) = &lab.scenario {
            let names = scenario.fault_names();
            let of = |name: &Name| -> Vec<&ScheduledFault> {
                let all = scenario.faults.iter();
                all.filter(|fault| fault.name == *name).collect()
            };
            let mut faults: Vec<Vec<&ScheduledFault>> = names.map(of).collect();
            let first = |fault: &Vec<&ScheduledFault>| fault.iter().map(|once| once.at).min();
            faults.sort_by_key(first);
            for occurrences in faults {
                mark(&mut picture, &occurrences);
            }
            let (warmup, duration) = (time(scenario.warmup), time(scenario.duration));
            let told = format!("scenario of {duration} after {warmup} of warm-up");
            picture.notes.push(told);
        }
        picture
    }
}

fn groups(lab: &Lab) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places = BTreeMap::new();
    for (at, node) in lab.nodes.iter().enumerate() {
        let place = *places.entry(&node.group).or_insert_with(|| {
            groups.push(Group {
                name: node.group.to_string(),
                members: Vec::new(),
                detail: detail(node),
                all_know: false,
            });
            groups.len() - 1
        });
        groups[place].members.push(at);
    }
    groups
}

fn nodes(lab: &Lab, groups: &[Group]) -> Vec<Node> {
    let mut nodes = Vec::with_capacity(lab.nodes.len());
    let place: BTreeMap<&str, usize> = (groups.iter().enumerate())
        .map(|(at, group)| (group.name.as_str(), at))
        .collect();
    for node in &lab.nodes {
        let name = node.name.to_string();
        let number = name.strip_prefix(node.group.as_str());
        let number = number.and_then(|rest| rest.strip_prefix('-'));
        let look = match &node.program {
            _ if node.forward => Look::Router,
            Program::Role(Role::Server(_)) => Look::Server,
            Program::Role(Role::Client(_)) => Look::Client,
            Program::Role(Role::Peer(_)) => Look::Peer,
            Program::Image(_) => Look::Image,
            Program::Host => Look::Host,
        };
        nodes.push(Node {
            short: number.unwrap_or(&name).to_owned(),
            name,
            group: place.get(node.group.as_str()).copied().unwrap_or_default(),
            look,
            networks: node.interfaces.iter().map(|one| one.network.at()).collect(),
            marks: Vec::new(),
        });
    }
    nodes
}

fn area(network: &lab::Network) -> Area {
    let default = &network.links.default;
    Area {
        name: network.name.to_string(),
        subnet: format!("{}/{}", network.v4, network.v4_prefix),
        link: words::pair(default, default),
        full: matches!(network.wires, lab::Wires::Full),
    }
}

/// What holds for each node of a group.
fn detail(node: &lab::Node) -> String {
    let mut words = Vec::new();
    match &node.program {
        Program::Role(Role::Server(server)) => words.push(service(&server.service)),
        Program::Role(Role::Peer(peer)) => {
            words.push(service(&peer.service));
            words.extend(peer.load.as_ref().map(load));
        }
        Program::Role(Role::Client(client)) => words.push(load(&client.load)),
        Program::Image(image) => words.push(image.image.clone()),
        Program::Host => words.push("published ports".to_owned()),
    }
    words.extend(node.uplink.map(|rate| format!("uplink {rate}")));
    if node.has_volume() {
        words.push("volume".to_owned());
    }
    words.retain(|word| !word.is_empty());
    words.join(", ")
}

fn service(service: &netlab_protocol::role::Service) -> String {
    if service.time.is_zero() {
        return String::new();
    }
    let workers = many(service.workers as usize, "worker");
    format!("{} of {}", workers, time(service.time))
}

fn load(load: &Load) -> String {
    match &load.arrivals {
        Arrivals::Open { rate, legs, .. } => match legs.last() {
            Some(last) => format!("{rate} to {} requests/s each", last.to),
            None => format!("{rate} requests/s each"),
        },
        Arrivals::Closed { users, .. } => format!("{} each", many(*users as usize, "user")),
    }
}

/// Different targets of one fault that are named.
const FEW_TARGETS: usize = 4;
/// Nodes of a partition up to which each is marked with its part.
const FEW: usize = 16;

/// What a fault hits: nodes with their marks, and pairs.
#[derive(Default)]
struct Hits {
    nodes: BTreeMap<usize, String>,
    pairs: Vec<(usize, usize)>,
}

/// Marks what a fault hits, all of its occurrences together.
fn mark(picture: &mut Picture, occurrences: &[&ScheduledFault]) {
    let number = picture.faults.len() + 1;
    let mut hits = Hits::default();
    for effect in occurrences.iter().flat_map(|once| &once.effects) {
        match effect {
            Effect::Node { node, .. } | Effect::Program { node, .. } => {
                hits.nodes.insert(node.at(), String::new());
            }
            Effect::Resolver { nodes, .. } => hits.all(nodes, ""),
            Effect::Links { pairs, .. } | Effect::Abort { pairs } => hits.links(pairs),
        }
    }
    for (node, letter) in hits.nodes {
        if let Some(node) = picture.nodes.get_mut(node) {
            node.marks.push(format!("{number}{letter}"));
        }
    }
    for (a, b) in hits.pairs {
        picture.edges.push(Edge {
            from: End::Node(a),
            to: End::Node(b),
            kind: EdgeKind::Fault,
            label: number.to_string(),
        });
    }
    picture.faults.extend(note(number, occurrences));
}

/// `kill server`, `at 5s for 5s`; of several occurrences, `3 times from 5s on`.
fn note(number: usize, occurrences: &[&ScheduledFault]) -> Option<FaultNote> {
    let first = occurrences.first()?;
    let mut what: Vec<String> = Vec::new();
    for once in occurrences {
        let told = format!("{} {}", once.kind, once.target);
        if !what.contains(&told) {
            what.push(told);
        }
    }
    let more = what.len().saturating_sub(FEW_TARGETS);
    what.truncate(FEW_TARGETS);
    let more = (more > 0).then(|| format!(" and {more} more"));
    let when = match (occurrences.len(), first.since) {
        (1, None) => format!("at {}", time(first.at)),
        (many, None) => format!("{many} times from {} on", time(first.at)),
        (_, Some(_)) if first.at.is_zero() => "when its condition holds".to_owned(),
        (_, Some(_)) => format!("{} after a condition holds", time(first.at)),
    };
    let lasts = first
        .lasts
        .filter(|lasts| occurrences.iter().all(|o| o.lasts == Some(*lasts)));
    let lasts = lasts.map_or(String::new(), |lasts| format!(" for {}", time(lasts)));
    Some(FaultNote {
        number,
        name: first.name.to_string(),
        what: what.join(", ") + &more.unwrap_or_default(),
        when: when + &lasts,
    })
}

impl Hits {
    fn links(&mut self, pairs: &Pairs) {
        if let Pairs::Touching(nodes) | Pairs::Apart { ring: nodes, .. } = pairs {
            self.all(nodes, "");
        }
        if let Pairs::Directed { from, to } | Pairs::Between { a: from, b: to } = pairs {
            if from.len() * to.len() <= FAULT_LINES {
                let all = from
                    .iter()
                    .flat_map(|a| to.iter().map(move |b| (a.at(), b.at())));
                for (a, b) in all.filter(|(a, b)| a != b) {
                    if !self.pairs.contains(&(b, a)) {
                        self.pairs.push((a, b));
                    }
                }
            } else {
                self.all(if from.len() <= to.len() { from } else { to }, "");
            }
        }
        if let Pairs::Across(groups) = pairs {
            // Of a large lab the largest part is told by having no mark.
            let all: usize = groups.iter().map(Vec::len).sum();
            let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
            let told = |group: &&Vec<NodeIndex>| all <= FEW || group.len() < largest;
            for (letter, group) in ('a'..='z').zip(groups.iter().filter(told)) {
                self.all(group, &letter.to_string());
            }
        }
    }

    fn all(&mut self, nodes: &[NodeIndex], letter: &str) {
        for node in nodes {
            self.nodes
                .entry(node.at())
                .or_insert_with(|| letter.to_owned());
        }
    }
}
