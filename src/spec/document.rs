//! The top level of the file, and its parameters.

use super::LoadOptions;
use super::defaults::{SAMPLINGS, SEED};
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Kind, Shape, key};
use super::reader::Reader;
use super::source::Spanned;
use super::template::Templates;
use super::topology::{NodeSpec, Topology};
use super::tree::{Data, Entry, Value};
use super::{checks, links, networks, params, properties, roles, scenario, shape};
use std::time::Duration;

const INCLUDE: Kind = Kind::Either(&[
    Kind::Text("lib/peers.yaml"),
    Kind::List(&Kind::Text("lib/peers.yaml")),
]);

const PARAMS: Kind = Kind::Either(&[Kind::Dict(&params::PARAM), Kind::Nothing]);

/// The top level.
pub const TOPOLOGY: Shape = Shape {
    what: "a topology",
    keys: &[
        key("name", Kind::Name, "The lab's name; `--name` replaces it."),
        key(
            "seed",
            Kind::Integer(0, i64::MAX as u64),
            "Seeds everything that is drawn; 1 unless said. `--seed` replaces it.",
        ),
        key(
            "include",
            INCLUDE,
            "Files whose parts are put below this one's.",
        ),
        key(
            "params",
            PARAMS,
            "Values for templates, which `--set` and `--params` replace.",
        ),
        key(
            "defaults",
            Kind::Map(&roles::DEFAULTS),
            "What every node of a role says, unless it says otherwise.",
        ),
        key(
            "link",
            Kind::Map(&properties::LINK),
            "The properties of the link between every pair of nodes.",
        ),
        key(
            "shape",
            Kind::Word(shape::SHAPES),
            "Which nodes have a wire between them, where there is one network; `full` unless said.",
        ),
        key(
            "reach",
            Kind::Word(networks::REACHES),
            "Whether packets are routed hop by hop over the wires, or reach neighbours only.",
        ),
        key(
            "networks",
            Kind::Dict(&networks::ONE),
            "The networks by name, where there are several.",
        ),
        key("nodes", Kind::Dict(&Kind::Node), "The nodes by name."),
        key(
            "links",
            Kind::List(&links::ENTRY),
            "Links that differ; the last one said counts.",
        ),
        key(
            "overlay",
            shape::OVERLAY,
            "Which peers know each other; `full` unless said.",
        ),
        key(
            "scenario",
            Kind::Map(&scenario::SCENARIO),
            "What happens: how long, and which faults.",
        ),
        key(
            "sampling",
            Kind::Time,
            "Time from one sample of all metrics to the next, from 100ms to 1s, which it is unless said.",
        ),
        key(
            "checks",
            Kind::Dict(&checks::CHECK),
            "What must be so: names, and comparisons of what functions say about the run.",
        ),
    ],
    needs: &[],
    later: &[
        "profiles", "labels", "matrix", "internet", "lessons", "predict",
    ],
    instead: &[
        ("faults", "faults stand under `scenario:`"),
        ("version", "leave it out"),
        ("volumes", "`data: volume` stands at a node"),
        (
            "network",
            "`link:` describes the links of the only network, `networks:` several",
        ),
        (
            "subnet",
            "it stands at a network: `networks: { lab: { subnet: 10.1.0.0/24 } }`",
        ),
        (
            "ports",
            "ports are published by a node: `nodes: { server: { ports: [\"8080:80\"] } }`",
        ),
        (
            "hub",
            "it stands at a network: `networks: { lab: { shape: star, hub: server } }`",
        ),
    ],
};

/// What a document is read with besides itself.
pub struct Outside<'o> {
    /// The command line.
    pub options: &'o LoadOptions,
    /// The file of parameters.
    pub params: Option<&'o Value>,
}

/// Reads a document into a topology; mistakes go to the reader.
pub fn topology<'s>(
    mut reader: Reader<'s>,
    root: &Value,
    outside: &Outside<'_>,
) -> (Topology, Reader<'s>) {
    let mut topology = Topology {
        seed: SEED,
        nodes_complete: true,
        networks_complete: true,
        ..Topology::default()
    };
    if is_empty(&reader, root) || is_foreign(&reader, root) {
        return (topology, reader);
    }
    let Some(fields) = reader.fields(root, &TOPOLOGY, None) else {
        return (topology, reader);
    };
    let params = reader.params(fields.get("params"), outside);
    reader = reader.with_templates(Templates::new(&params));
    reader.top_level(&fields, outside, &mut topology);
    (topology, reader)
}

fn is_empty(reader: &Reader<'_>, root: &Value) -> bool {
    let empty = match &root.data {
        Data::Null => true,
        Data::Map(entries) => entries.is_empty(),
        _ => false,
    };
    if empty {
        reader.report(
            Diagnostic::error("empty", "the file is empty")
                .at(super::Span::default(), "")
                .help("a topology needs at least `name:` and `nodes:`"),
        );
    }
    empty
}

/// Files that are plainly for another tool.
fn is_foreign(reader: &Reader<'_>, root: &Value) -> bool {
    let Data::Map(entries) = &root.data else {
        return false;
    };
    let find = |key: &str| entries.iter().find(|e| e.key.value == key);
    if find("nodes").is_some() {
        return false;
    }
    let has_maps = |entry: &&Entry| matches!(entry.value.data, Data::Map(_));
    let inner = |entry: &Entry, key: &str| match &entry.value.data {
        Data::Map(inner) => inner.iter().any(|e| e.key.value == key),
        _ => false,
    };
    let (tool, entry, help) = if let Some(entry) = find("services").filter(has_maps) {
        (
            "Docker Compose",
            entry,
            "netlab's nodes stand under `nodes:`, with Compose's `image`, `command` and `env`",
        )
    } else if let Some(entry) = find("topology").filter(|e| inner(e, "nodes")) {
        (
            "containerlab",
            entry,
            "netlab's `nodes:` and `links:` stand at the top level",
        )
    } else if let Some(entry) = find("apiVersion").filter(|_| find("kind").is_some()) {
        (
            "Kubernetes",
            entry,
            "a netlab topology has `name:` and `nodes:`",
        )
    } else {
        return false;
    };
    reader.report(
        Diagnostic::error(
            "other-tool",
            format!("this is a file for {tool}, not for netlab"),
        )
        .at(entry.key.span, "")
        .help(help),
    );
    true
}

impl Reader<'_> {
    fn top_level(&self, fields: &Fields<'_>, outside: &Outside<'_>, topology: &mut Topology) {
        let name = match (&outside.options.name, fields.get("name")) {
            (Some(name), written) => Some(Spanned::new(
                name.clone(),
                written.map_or(fields.span, |value| value.span),
            )),
            (None, Some(value)) => self.name(value, "the lab's name"),
            (None, None) => {
                fields.need(self, "name", "name the lab: `name: my-lab`");
                None
            }
        };
        topology.name = name;
        if let Some(seed) = fields.get("seed") {
            let largest = i64::MAX as u64;
            topology.seed = self.integer(seed, 0..=largest).unwrap_or(SEED);
        }
        topology.seed = outside.options.seed.unwrap_or(topology.seed);
        topology.sampling = fields.get("sampling").and_then(|v| self.sampling(v));
        if let Some(link) = fields.entry("link") {
            topology.link = self.default_link(link).unwrap_or_default();
        }
        self.networks(fields, topology);
        let help = "add at least one node: `nodes: { server: { role: server } }`";
        match fields.need(self, "nodes", help) {
            Some(_) => {
                let defaults = fields.get("defaults").map(|v| self.defaults(v));
                if let Some(nodes) = fields.entry("nodes") {
                    self.nodes(nodes, &defaults.unwrap_or_default(), topology);
                }
            }
            None => topology.nodes_complete = false,
        }
        if let Some(links) = fields.get("links") {
            topology.links = self.links(links);
        }
        if let Some(overlay) = fields.get("overlay") {
            topology.overlay = self.overlay(overlay);
        }
        let foreign = topology.nodes.iter().any(NodeSpec::tells_metrics);
        let scenario = fields.entry("scenario");
        topology.scenario = scenario.and_then(|s| self.scenario(s, foreign));
        topology.checks = fields
            .get("checks")
            .map_or_else(Vec::new, |v| self.checks(v, foreign));
        topology.traces = self.take_traces();
    }

    fn sampling(&self, value: &Value) -> Option<Duration> {
        let time = self.duration(value)?;
        if !SAMPLINGS.contains(&time) {
            let message = "samples are taken every 100ms at the soonest, every 1s at the latest";
            self.bad(value.span, message);
            return None;
        }
        Some(time)
    }
}
