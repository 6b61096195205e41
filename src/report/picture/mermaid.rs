//! [`Picture`] → Mermaid flowchart, for what shows Markdown.

use super::{EdgeKind, End, Look, Picture};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Members of a group that are written one by one; of a larger group only those with something of
/// their own are.
const MEMBERS: usize = 40;
/// Mermaid draws nothing when there are more edges (`maxEdges` of its configuration).
const EDGES: usize = 500;

/// The picture as a Mermaid flowchart.
pub fn mermaid(picture: &Picture) -> String {
    let mut out = String::from("flowchart BT\n");
    let note = format!("{}: {}", picture.title, picture.subtitle);
    let _ = writeln!(out, "  %% {}", plain(&note));
    for fault in &picture.faults {
        let told = format!(
            "fault {} {}: {}, {}",
            fault.number, fault.name, fault.what, fault.when
        );
        let _ = writeln!(out, "  %% {}", plain(&told));
    }
    for note in &picture.notes {
        let _ = writeln!(out, "  %% {}", plain(note));
    }
    let mut written = BTreeSet::new();
    for network in 0..picture.networks.len() {
        let area = &picture.networks[network];
        let told = format!("{} {}, every pair: {}", area.name, area.subnet, area.link);
        let _ = writeln!(out, "  subgraph net{network}[{}]", quoted(&told));
        for group in 0..picture.groups.len() {
            subgraph(&mut out, picture, network, group, &mut written);
        }
        out.push_str("  end\n");
    }
    for (at, node) in picture
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, n)| n.networks.len() != 1)
    {
        let _ = writeln!(out, "  {}", declared(picture, at));
        written.insert(at);
        for &network in node
            .networks
            .iter()
            .filter(|at| picture.networks[**at].full)
        {
            let _ = writeln!(out, "  n{at} --- net{network}");
        }
    }
    edges(&mut out, picture, &written);
    classes(&mut out, picture, &written);
    out
}

fn subgraph(
    out: &mut String,
    picture: &Picture,
    network: usize,
    group: usize,
    written: &mut BTreeSet<usize>,
) {
    let of = &picture.groups[group];
    let here = |at: &&usize| picture.nodes[**at].networks == [network];
    let members: Vec<usize> = of.members.iter().filter(here).copied().collect();
    match members.as_slice() {
        [] => {}
        [single] if of.members.len() == 1 => {
            let _ = writeln!(out, "    {}", declared(picture, *single));
            written.insert(*single);
        }
        members => {
            let told = format!("{} × {} {}", of.name, members.len(), of.detail);
            let _ = writeln!(
                out,
                "    subgraph g{group}x{network}[{}]",
                quoted(told.trim_end())
            );
            let all = members.len() <= MEMBERS;
            let own = |at: usize| picture.connected(at) || !picture.nodes[at].marks.is_empty();
            let shown: Vec<usize> = members
                .iter()
                .copied()
                .filter(|at| all || own(*at))
                .collect();
            for &member in &shown {
                let _ = writeln!(out, "      {}", declared(picture, member));
            }
            if shown.len() < members.len() {
                let rest = format!("{} more", members.len() - shown.len());
                let _ = writeln!(out, "      g{group}x{network}rest([{}])", quoted(&rest));
            }
            written.extend(shown);
            out.push_str("    end\n");
        }
    }
}

fn declared(picture: &Picture, at: usize) -> String {
    let node = &picture.nodes[at];
    let text = match node.marks.is_empty() {
        true => node.name.clone(),
        false => format!("{} ⚡{}", node.name, node.marks.join(" ")),
    };
    let text = quoted(&text);
    match node.look {
        Look::Server => format!("n{at}[{text}]"),
        Look::Client => format!("n{at}([{text}])"),
        Look::Peer => format!("n{at}{{{{{text}}}}}"),
        Look::Image => format!("n{at}[[{text}]]"),
        Look::Host => format!("n{at}[/{text}\\]"),
        Look::Router => format!("n{at}[/{text}/]"),
    }
}

fn edges(out: &mut String, picture: &Picture, written: &BTreeSet<usize>) {
    let end = |end: End| match end {
        End::Node(node) => written.contains(&node).then(|| format!("n{node}")),
        End::Group(group) => {
            let first = *picture.groups.get(group)?.members.first()?;
            let network = picture.nodes[first].networks.first()?;
            Some(format!("g{group}x{network}"))
        }
    };
    // What is said of single links goes before what only repeats a shape.
    let mut all: Vec<_> = picture.edges.iter().collect();
    all.sort_by_key(|edge| edge.label.is_empty());
    for edge in all.iter().take(EDGES) {
        let (Some(a), Some(b)) = (end(edge.from), end(edge.to)) else {
            continue;
        };
        let line = match edge.kind {
            EdgeKind::Asks => "-->",
            EdgeKind::Wire => "===",
            EdgeKind::Knows => "---",
            EdgeKind::Link | EdgeKind::Fault => "-.-",
        };
        let label = match (edge.label.as_str(), edge.kind) {
            ("", _) => String::new(),
            (label, EdgeKind::Fault) => format!("|{}|", quoted(&format!("⚡{label}"))),
            (label, _) => format!("|{}|", quoted(label)),
        };
        let _ = writeln!(out, "  {a} {line}{label} {b}");
    }
    if let Some(more) = all.len().checked_sub(EDGES).filter(|more| *more > 0) {
        let _ = writeln!(
            out,
            "  %% {more} more edges are left out: Mermaid draws {EDGES} at most"
        );
    }
}

fn classes(out: &mut String, picture: &Picture, written: &BTreeSet<usize>) {
    for (look, colours) in [
        (Look::Server, "fill:#d6e8f5,stroke:#0072b2,color:#1b2733"),
        (Look::Client, "fill:#fdf0d2,stroke:#b87d00,color:#1b2733"),
        (Look::Peer, "fill:#d3f0e6,stroke:#00805d,color:#1b2733"),
        (Look::Image, "fill:#f6e3ee,stroke:#a8527f,color:#1b2733"),
        (Look::Host, "fill:#eceef0,stroke:#5c6670,color:#1b2733"),
        (Look::Router, "fill:#e4e4ea,stroke:#4a4f5c,color:#1b2733"),
    ] {
        let of = written.iter().filter(|at| picture.nodes[**at].look == look);
        let of: Vec<String> = of.map(|at| format!("n{at}")).collect();
        if !of.is_empty() {
            let word = look.word();
            let _ = writeln!(
                out,
                "  classDef {word} {colours}\n  class {} {word}",
                of.join(",")
            );
        }
    }
}

/// Text of a comment: one line, and no braces, which would begin a directive.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !"{}".contains(*c))
        .collect()
}

/// A quoted text; what would end or change it becomes an entity code, as Mermaid has them.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
