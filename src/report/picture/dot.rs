//! [`Picture`] → DOT, for Graphviz and everything that reads it.

use super::{EdgeKind, End, Look, Picture};
use std::fmt::Write as _;

/// The picture as a DOT graph. A line to a group ends at its cluster (`compound`).
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from("digraph lab {\n");
    let title = format!("{}: {}", picture.title, picture.subtitle);
    let _ = writeln!(
        out,
        "  graph [label={}, labelloc=t, compound=true, fontname=\"sans-serif\", rankdir=BT];\n  \
         node [fontname=\"sans-serif\", style=filled];\n  edge [fontname=\"sans-serif\", fontsize=10];",
        quoted(&title)
    );
    for network in 0..picture.networks.len() {
        let area = &picture.networks[network];
        let told = format!("{} {}, every pair: {}", area.name, area.subnet, area.link);
        let _ = writeln!(
            out,
            "  subgraph cluster_network_{network} {{\n    label={};",
            quoted(&told)
        );
        for group in 0..picture.groups.len() {
            cluster(&mut out, picture, network, group);
        }
        out.push_str("  }\n");
    }
    for node in (0..picture.nodes.len()).filter(|at| picture.nodes[*at].networks.len() != 1) {
        let _ = writeln!(out, "  {}", declared(picture, node));
        for &network in &picture.nodes[node].networks {
            attach(&mut out, picture, node, network);
        }
    }
    for edge in &picture.edges {
        edge_line(&mut out, picture, edge);
    }
    for fault in &picture.faults {
        let told = format!(
            "fault {} {}: {}, {}",
            fault.number, fault.name, fault.what, fault.when
        );
        let _ = writeln!(out, "  // {}", told.replace(['\n', '\r'], " "));
    }
    for note in &picture.notes {
        let _ = writeln!(out, "  // {}", note.replace(['\n', '\r'], " "));
    }
    out.push_str("}\n");
    out
}

fn cluster(out: &mut String, picture: &Picture, network: usize, group: usize) {
    let of = &picture.groups[group];
    let here = |at: &&usize| picture.nodes[**at].networks == [network];
    let members: Vec<usize> = of.members.iter().filter(here).copied().collect();
    match members.as_slice() {
        [] => {}
        [single] if of.members.len() == 1 => {
            let _ = writeln!(out, "    {}", declared(picture, *single));
        }
        members => {
            let told = format!("{} × {} {}", of.name, members.len(), of.detail);
            let name = format!("cluster_{network}_{group}");
            let _ = writeln!(
                out,
                "    subgraph {name} {{\n      label={};",
                quoted(told.trim_end())
            );
            for &member in members {
                let _ = writeln!(out, "      {}", declared(picture, member));
            }
            out.push_str("    }\n");
        }
    }
}

fn declared(picture: &Picture, node: usize) -> String {
    let node = &picture.nodes[node];
    let (shape, fill, line) = match node.look {
        Look::Server => ("box", "#d6e8f5", "#0072b2"),
        Look::Client => ("ellipse", "#fdf0d2", "#b87d00"),
        Look::Peer => ("hexagon", "#d3f0e6", "#00805d"),
        Look::Image => ("note", "#f6e3ee", "#a8527f"),
        Look::Host => ("house", "#eceef0", "#5c6670"),
        Look::Router => ("parallelogram", "#e4e4ea", "#4a4f5c"),
    };
    let marks = match node.marks.is_empty() {
        true => String::new(),
        false => format!(
            ", xlabel={}",
            quoted(&format!("fault {}", node.marks.join(" ")))
        ),
    };
    let name = quoted(&node.name);
    format!("{name} [shape={shape}, fillcolor=\"{fill}\", color=\"{line}\"{marks}];")
}

/// The line from a node in several networks to one of these, unless wires say to whom.
fn attach(out: &mut String, picture: &Picture, node: usize, network: usize) {
    let inside = |other: &&super::Node| other.networks == [network];
    let first = picture.nodes.iter().find(inside);
    if let Some(first) = first.filter(|_| picture.networks[network].full) {
        let (a, b) = (quoted(&picture.nodes[node].name), quoted(&first.name));
        let _ = writeln!(
            out,
            "  {a} -> {b} [dir=none, penwidth=2, color=\"#7c8894\", lhead=cluster_network_{network}];"
        );
    }
}

fn edge_line(out: &mut String, picture: &Picture, edge: &super::Edge) {
    let style = match edge.kind {
        EdgeKind::Wire => "dir=none, penwidth=2, color=\"#7c8894\"",
        EdgeKind::Knows => "dir=none, color=\"#00805d\"",
        EdgeKind::Asks => "color=\"#8a6a1f\"",
        EdgeKind::Link => "dir=none, style=dashed, color=\"#0072b2\"",
        EdgeKind::Fault => "dir=none, style=dotted, color=\"#c04a00\"",
    };
    let (Some((a, tail)), Some((b, head))) = (end(picture, edge.from), end(picture, edge.to))
    else {
        return;
    };
    let mut more = String::new();
    for (key, cluster) in [("ltail", tail), ("lhead", head)] {
        if let Some(cluster) = cluster {
            let _ = write!(more, ", {key}={cluster}");
        }
    }
    if !edge.label.is_empty() {
        let label = match edge.kind {
            EdgeKind::Fault => format!("fault {}", edge.label),
            _ => edge.label.clone(),
        };
        let _ = write!(more, ", label={}", quoted(&label));
    }
    let _ = writeln!(out, "  {a} -> {b} [{style}{more}];");
}

/// A node that stands for an end, and the cluster that is meant.
fn end(picture: &Picture, end: End) -> Option<(String, Option<String>)> {
    match end {
        End::Node(node) => Some((quoted(&picture.nodes.get(node)?.name), None)),
        End::Group(group) => {
            let members = &picture.groups.get(group)?.members;
            let middle = *members.get(members.len() / 2)?;
            let node = &picture.nodes[middle];
            let network = node.networks.first()?;
            let cluster = format!("cluster_{network}_{group}");
            Some((
                quoted(&node.name),
                Some(cluster).filter(|_| node.networks.len() == 1),
            ))
        }
    }
}

/// A double-quoted string (Graphviz, "The DOT Language": only the quote is escaped; a backslash would
/// begin an escape in labels).
fn quoted(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", clean.replace('\\', "\\\\").replace('"', "\\\""))
}
