//! Who is in the lab: replicas, names and groups.

use crate::id::{Name, NodeIndex};
use crate::spec::defaults::MAX_NODES;
use crate::spec::{Count, Diagnostic, NodeSpec, Topology, list};
use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The nodes of a lab by name, before anything about them is resolved.
pub(super) struct Roster<'t> {
    /// The file.
    pub topology: &'t Topology,
    /// Each node, in order.
    pub members: Vec<Member<'t>>,
    /// The nodes of each entry of `nodes`.
    pub ranges: Vec<Range<usize>>,
    by_name: HashMap<Name, usize>,
    /// Entries of `nodes` by key.
    entries: HashMap<&'t str, usize>,
    roles: BTreeMap<&'static str, Vec<NodeIndex>>,
    /// Nodes by label.
    labels: BTreeMap<&'t str, Vec<NodeIndex>>,
    /// The names, for messages; made when first needed.
    described: OnceCell<String>,
    /// How much selecting has been done; see `select`.
    pub(super) work: Cell<u64>,
    /// Whether it was said that this was too much.
    pub(super) exhausted: Cell<bool>,
    /// How many suggestions have been made.
    pub(super) suggested: Cell<u32>,
}

/// One node.
pub(super) struct Member<'t> {
    /// Its name.
    pub name: Name,
    /// Where it comes from.
    pub spec: &'t NodeSpec,
}

impl<'t> Roster<'t> {
    /// Expands the replicas; none when there are too many.
    pub fn new(topology: &'t Topology, reports: &mut Vec<Diagnostic>) -> Option<Roster<'t>> {
        let total: u64 = topology.nodes.iter().map(|n| u64::from(size(n))).sum();
        if total > u64::from(MAX_NODES) {
            let largest = topology.nodes.iter().max_by_key(|node| size(node))?;
            let message = format!("the lab has {total} nodes; {MAX_NODES} are possible");
            reports.push(
                Diagnostic::error("too-many", message)
                    .at(largest.name.span, format!("{} of them", size(largest))),
            );
            return None;
        }
        let mut roster = Roster {
            topology,
            members: Vec::with_capacity(total as usize),
            ranges: Vec::with_capacity(topology.nodes.len()),
            by_name: HashMap::with_capacity(total as usize),
            entries: HashMap::with_capacity(topology.nodes.len()),
            roles: BTreeMap::new(),
            labels: BTreeMap::new(),
            described: OnceCell::new(),
            work: Cell::new(0),
            exhausted: Cell::new(false),
            suggested: Cell::new(0),
        };
        for (at, spec) in topology.nodes.iter().enumerate() {
            let from = roster.members.len();
            roster.entries.insert(spec.name.value.as_str(), at);
            roster.add(spec, reports);
            roster.ranges.push(from..roster.members.len());
        }
        Some(roster)
    }

    fn add(&mut self, spec: &'t NodeSpec, reports: &mut Vec<Diagnostic>) {
        for name in replica_names(spec) {
            let Ok(name) = Name::new(name.clone()) else {
                let message = format!("the replica's name `{name}` has more than 63 characters");
                reports.push(Diagnostic::error("bad-name", message).at(spec.name.span, ""));
                return;
            };
            let at = self.members.len();
            if let Some(&other) = self.by_name.get(&name) {
                let message = format!("two nodes have the name `{name}`");
                let first = self.members[other].spec.name.span;
                reports.push(
                    Diagnostic::error("duplicate-name", message)
                        .at(spec.name.span, "")
                        .at(first, "the other")
                        .help("with `count`, `x` becomes x-1, x-2 and so on"),
                );
                return;
            }
            self.by_name.insert(name.clone(), at);
            if let Some(role) = spec.role {
                self.roles.entry(role).or_default().push(index(at));
            }
            for label in &spec.labels {
                let nodes = self.labels.entry(label).or_default();
                if nodes.last() != Some(&index(at)) {
                    nodes.push(index(at));
                }
            }
            self.members.push(Member { name, spec });
        }
    }

    /// The place of the node with this name.
    pub fn at(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The node, or the nodes of the group or role, of this name. What the file names goes before
    /// what a role's word would mean.
    pub fn named(&self, name: &str) -> Option<Vec<NodeIndex>> {
        if let Some(&at) = self.by_name.get(name) {
            return Some(vec![index(at)]);
        }
        if let Some(&at) = self.entries.get(name) {
            return Some(self.ranges[at].clone().map(index).collect());
        }
        self.roles.get(name).cloned()
    }

    /// Whether a node is the engine's host. Only its name selects it, and a partition's `rest` leaves
    /// it alone.
    pub fn is_host(&self, node: NodeIndex) -> bool {
        self.members[node.at()].spec.is_host()
    }

    /// The nodes of a role.
    pub fn of_role(&self, role: &str) -> Vec<NodeIndex> {
        self.roles.get(role).cloned().unwrap_or_default()
    }

    /// The nodes with a label.
    pub fn labelled(&self, label: &str) -> Vec<NodeIndex> {
        self.labels.get(label).cloned().unwrap_or_default()
    }

    /// All labels.
    pub fn labels(&self) -> impl Iterator<Item = &'t str> + Clone + '_ {
        self.labels.keys().copied()
    }

    /// Names that stand for several nodes: entries with `count`, and roles whose word is not the
    /// name of an entry.
    pub fn groups(&self) -> BTreeMap<String, Vec<NodeIndex>> {
        let mut groups = BTreeMap::new();
        for (spec, range) in self.topology.nodes.iter().zip(&self.ranges) {
            if spec.count != Count::Single {
                let nodes = range.clone().map(index).collect();
                groups.insert(spec.name.value.to_string(), nodes);
            }
        }
        let others = self.roles.iter();
        for (role, nodes) in others.filter(|(role, _)| !self.entries.contains_key(**role)) {
            groups.insert((*role).to_owned(), nodes.clone());
        }
        groups
    }

    /// `server, client-1 … client-5`, for messages.
    pub fn describe(&self) -> &str {
        self.described.get_or_init(|| self.make_description())
    }

    fn make_description(&self) -> String {
        let names = self.topology.nodes.iter().map(|spec| {
            let name = &spec.name.value;
            match spec.count {
                Count::Many(n) if n > 1 => format!("{name}-1 … {name}-{n}"),
                Count::Many(_) => format!("{name}-1"),
                Count::Single | Count::Unreadable => name.to_string(),
            }
        });
        let names: Vec<String> = names.collect();
        list(names.iter().map(String::as_str))
    }
}

fn size(spec: &NodeSpec) -> u32 {
    match spec.count {
        Count::Single => 1,
        Count::Many(count) => count,
        Count::Unreadable => 0,
    }
}

fn replica_names(spec: &NodeSpec) -> impl Iterator<Item = String> + '_ {
    let name = spec.name.value.as_str();
    let single = (spec.count == Count::Single).then(|| name.to_owned());
    let replicas = match spec.count {
        Count::Many(count) => count,
        Count::Single | Count::Unreadable => 0,
    };
    let many = (1..=replicas).map(move |i| format!("{name}-{i}"));
    single.into_iter().chain(many)
}

/// A position in the list of nodes as an index.
pub(super) fn index(at: usize) -> NodeIndex {
    NodeIndex(at as u32)
}
