//! What changes live between two labs: all that is no container.

use super::change::{Change, ChangeKind, Common, row, shown};
use super::json::differences;
use crate::id::{Name, NodeIndex};
use crate::lab::{Lab, Links, Network, Node, Program, Scenario, ScheduledFault};
use netlab_protocol::role::{Endpoint, Role};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that changes live when `before` becomes `after`.
pub(super) fn live(before: &Lab, after: &Lab, common: &Common) -> Vec<Change> {
    let mut changes = links(before, after, common);
    changes.extend(nodes(before, after, common));
    changes.extend(names(before, after, common));
    let scenario = scenarios(before, after, common);
    changes.extend(scenario.into_iter().map(|text| change("scenario", text)));
    let checks = differences(&checks(before), &checks(after));
    changes.extend(checks.into_iter().map(|text| change("checks", text)));
    let rest = differences(&rest(before), &rest(after));
    changes.extend(rest.into_iter().map(|text| change("lab", text)));
    changes
}

pub(super) fn change(what: impl Into<String>, cause: String) -> Change {
    Change {
        kind: ChangeKind::Live,
        what: what.into(),
        cause,
    }
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

/// What must be so, by name; which nodes a name stands for is told with the names.
fn checks(lab: &Lab) -> Value {
    let told = |check: &crate::lab::Check| {
        let abort = if check.abort { ", or abort" } else { "" };
        (
            check.name.clone(),
            json!(format!("{}{abort}", check.expect)),
        )
    };
    Value::Object(lab.checks.iter().map(told).collect())
}

/// What stands in a lab beside nodes, links and scenario.
fn rest(lab: &Lab) -> Value {
    let network = |network: &Network| {
        let mut told = value(network);
        if let Some(fields) = told.as_object_mut() {
            fields.remove("name");
            fields.remove("links");
        }
        (network.name.to_string(), told)
    };
    let networks: serde_json::Map<String, Value> = lab.networks.iter().map(network).collect();
    let traces = value(&lab.traces);
    json!({ "format": lab.format, "seed": lab.seed, "sampling": netlab_protocol::duration::format(lab.sampling), "networks": networks, "traces": traces })
}

/// The links of networks that both labs have; those of one that comes or goes do so with it.
fn links(before: &Lab, after: &Lab, common: &Common) -> Vec<Change> {
    let several = after.networks.len() > 1;
    let mut changes = Vec::new();
    for new in &after.networks {
        let old = before.networks.iter().find(|old| old.name == new.name);
        let Some(old) = old else { continue };
        let mut found = links_of(after, (&old.links, &new.links), common);
        if several {
            let within = |change: &mut Change| change.what.push_str(&format!(" in {}", new.name));
            found.iter_mut().for_each(within);
        }
        changes.append(&mut found);
    }
    changes
}

fn links_of(lab: &Lab, (old, new): (&Links, &Links), common: &Common) -> Vec<Change> {
    let mut changes = Vec::new();
    for text in differences(&value(&old.default), &value(&new.default)) {
        changes.push(change("all links that are not named", text));
    }
    let becomes = |at: NodeIndex| common.becomes.get(at.at()).copied().flatten();
    let moved = old.others.iter();
    let moved = moved.filter_map(|link| Some((becomes(link.from)?, becomes(link.to)?)));
    let named = new.others.iter().map(|link| (link.from, link.to));
    let pairs: BTreeSet<(NodeIndex, NodeIndex)> = moved.chain(named).collect();

    let mut grouped: BTreeMap<String, BTreeSet<(NodeIndex, NodeIndex)>> = BTreeMap::new();
    for (from, to) in pairs {
        let was = |at: NodeIndex| common.was.get(at.at()).copied().flatten();
        let (Some(old_from), Some(old_to)) = (was(from), was(to)) else {
            continue;
        };
        let (before, after) = (old.get(old_from, old_to), new.get(from, to));
        if before != after && (before, after) != (&old.default, &new.default) {
            for text in differences(&value(before), &value(after)) {
                grouped.entry(text).or_default().insert((from, to));
            }
        }
    }
    for (text, pairs) in grouped {
        changes.push(change(named_links(lab, &pairs), text));
    }
    changes
}

/// `link a -> b`, `links a <-> b, a <-> c`.
fn named_links(lab: &Lab, pairs: &BTreeSet<(NodeIndex, NodeIndex)>) -> String {
    let name = |at: NodeIndex| lab.nodes.get(at.at()).map_or("", |node| node.name.as_str());
    let both_ways = pairs.iter().all(|(from, to)| pairs.contains(&(*to, *from)));
    let wanted = pairs.iter().filter(|(from, to)| !both_ways || from < to);
    let arrow = if both_ways { "<->" } else { "->" };
    let text =
        |(from, to): &(NodeIndex, NodeIndex)| format!("{} {arrow} {}", name(*from), name(*to));
    let parts: Vec<String> = wanted.map(text).collect();
    match parts.len() {
        1 => format!("link {}", parts[0]),
        n => format!("{n} links ({})", shown(parts)),
    }
}

fn nodes(before: &Lab, after: &Lab, common: &Common) -> Vec<Change> {
    let mut order: Vec<String> = Vec::new();
    let mut grouped: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (was, is) in common.pairs() {
        let (old, new) = (&before.nodes[was.at()], &after.nodes[is.at()]);
        for text in node_differences(old, new) {
            let nodes = grouped.entry(text.clone()).or_default();
            if nodes.is_empty() {
                order.push(text);
            }
            nodes.push(new.name.as_str());
        }
    }
    let of = |text: String| change(row(&grouped[&text]), text);
    order.into_iter().map(of).collect()
}

/// What differs between two nodes of one name.
pub(super) fn node_differences(old: &Node, new: &Node) -> Vec<String> {
    let plain = |node: &Node| {
        let mut value = value(node);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("program");
            // Where it came from in the file makes no difference to it.
            fields.remove("group");
            fields.insert(
                "ports".to_owned(),
                node.ports.iter().map(ToString::to_string).collect(),
            );
        }
        value
    };
    let mut found = differences(&plain(old), &plain(new));
    match (&old.program, &new.program) {
        (Program::Role(old), Program::Role(new)) => found.extend(role_differences(old, new)),
        (Program::Image(old), Program::Image(new)) => {
            found.extend(differences(&value(old), &value(new)));
        }
        (Program::Host, Program::Host) => {}
        _ => found.push(format!("{} → {}", old.role(), new.role())),
    }
    found
}

fn role_differences(old: &Role, new: &Role) -> Vec<String> {
    if old.as_str() != new.as_str() {
        return vec![format!("{} → {}", old.as_str(), new.as_str())];
    }
    let mut found = differences(&parameters(old), &parameters(new));
    for text in &mut found {
        *text = text
            .replace("load.arrivals.open.", "load.")
            .replace("load.arrivals.closed.", "load.");
    }
    if let (Role::Peer(old), Role::Peer(new)) = (old, new) {
        if old.peers != new.peers {
            found.push(match (old.peers.len(), new.peers.len()) {
                (before, after) if before == after => "other peers".to_owned(),
                (before, after) => format!("peers {before} → {after}"),
            });
        } else if old.next_hop != new.next_hop {
            found.push("other paths through the overlay".to_owned());
        }
    }
    if let (Role::Client(old), Role::Client(new)) = (old, new)
        && old.targets != new.targets
        && names_of(&old.targets) == names_of(&new.targets)
    {
        found.push("other addresses or ports of its targets".to_owned());
    }
    found
}

fn names_of(endpoints: &[Endpoint]) -> Vec<&str> {
    endpoints
        .iter()
        .map(|endpoint| endpoint.name.as_str())
        .collect()
}

/// The parameters of a role without what is worked out from the whole lab.
fn parameters(role: &Role) -> Value {
    match role {
        Role::Server(server) => value(server),
        Role::Client(client) => {
            json!({ "target": row(&names_of(&client.targets)), "load": value(&client.load) })
        }
        Role::Peer(peer) => json!({
            "port": peer.port, "data": value(&peer.data),
            "service": value(&peer.service), "load": value(&peer.load),
        }),
    }
}

/// Names that stand for other nodes than before, apart from those that come and go.
fn names(before: &Lab, after: &Lab, common: &Common) -> Vec<Change> {
    let becomes = |at: &NodeIndex| common.becomes.get(at.at()).copied().flatten();
    let stays = |at: &&NodeIndex| common.was.get(at.at()).copied().flatten().is_some();
    let mut changes = Vec::new();
    for (name, nodes) in &after.groups {
        let Some(old) = before.groups.get(name) else {
            changes.push(change("names", format!("`{name}` is new")));
            continue;
        };
        let old: BTreeSet<NodeIndex> = old.iter().filter_map(becomes).collect();
        if old != nodes.iter().filter(stays).copied().collect() {
            changes.push(change("names", format!("`{name}` stands for other nodes")));
        }
    }
    let gone = before
        .groups
        .keys()
        .filter(|name| !after.groups.contains_key(*name));
    changes.extend(gone.map(|name| change("names", format!("`{name}` is gone"))));
    changes
}

fn scenarios(before: &Lab, after: &Lab, common: &Common) -> Vec<String> {
    let same_places = common.pairs().all(|(was, is)| was == is);
    let told =
        |lab: &Lab| json!({ "scenario": lab.scenario.as_ref().map(|s| told(s, same_places)) });
    let all = differences(&told(before), &told(after));
    let strip = |text: &String| {
        text["scenario".len()..]
            .trim_start_matches(['.', ' '])
            .to_owned()
    };
    let all: Vec<String> = all.iter().map(strip).collect();
    let mut found: Vec<String> = Vec::new();
    for text in &all {
        // Effects follow from kind and target, unless the nodes behind a name are others.
        let text = match text.split_once(".effects") {
            Some((fault, _)) if all.iter().any(|t| names_cause(t, fault)) => continue,
            Some((fault, _)) => format!("{fault} has other effects"),
            None => text.clone(),
        };
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn names_cause(text: &str, fault: &str) -> bool {
    let rest = text.strip_prefix(fault);
    rest.is_some_and(|rest| rest.starts_with(".target ") || rest.starts_with(".kind "))
}

/// A scenario as people name its parts. Effects are told only where nodes have the same places.
fn told(scenario: &Scenario, with_effects: bool) -> Value {
    let fault = |name: &Name| {
        let all = scenario.faults.iter().filter(|fault| fault.name == *name);
        (name.to_string(), told_fault(all, with_effects))
    };
    let faults: serde_json::Map<String, Value> = scenario.fault_names().map(fault).collect();
    let mut told = value(scenario);
    if let Some(fields) = told.as_object_mut() {
        fields.insert("faults".to_owned(), Value::Object(faults));
    }
    told
}

/// All occurrences of one fault as one thing: what they have in common once, and their times in a row.
fn told_fault<'a>(
    occurrences: impl Iterator<Item = &'a ScheduledFault>,
    with_effects: bool,
) -> Value {
    let mut told = serde_json::Map::new();
    for once in occurrences {
        let Value::Object(mut fields) = value(once) else {
            continue;
        };
        fields.remove("name");
        fields.remove("occurrence");
        if !with_effects {
            fields.remove("effects");
        }
        for (key, more) in fields {
            match told.entry(&key).or_insert(Value::Null) {
                known @ Value::Null => *known = more,
                Value::String(known) if key == "at" => {
                    known.push_str(&format!(", {}", more.as_str().unwrap_or_default()));
                }
                Value::String(known) => {
                    let more = more.as_str().unwrap_or_default();
                    if !known.split(", ").any(|word| word == more) {
                        known.push_str(&format!(", {more}"));
                    }
                }
                Value::Array(known) => {
                    let more = more.as_array().into_iter().flatten();
                    let new: Vec<Value> =
                        more.filter(|one| !known.contains(one)).cloned().collect();
                    known.extend(new);
                }
                _ => {}
            }
        }
    }
    Value::Object(told)
}
