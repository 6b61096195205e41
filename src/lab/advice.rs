//! What is legal and probably not meant: load to nobody, more load than anyone can serve.
//!
//! Owns only warnings; a lab is the same with or without them. Figures are those that the file
//! declares: requests per second as intended, workers and service time, payload bytes without headers.

use super::model::{Node, Program};
use super::roster::Roster;
use crate::spec::Diagnostic;
use netlab_protocol::role::{File, Load, Role, Service};

/// Looks at a lab whose nodes could all be resolved.
pub(super) fn look(roster: &Roster<'_>, nodes: &[Node], reports: &mut Vec<Diagnostic>) {
    let offers = offers(roster, nodes);
    no_load(roster, nodes, reports);
    lonely_peers(roster, nodes, reports);
    idle_servers(roster, nodes, &offers, reports);
    overload(roster, nodes, &offers, reports);
    uplinks(roster, nodes, &offers, reports);
}

/// What a node is asked, by open loops: a closed one waits for the answers, so that it cannot overload.
#[derive(Clone, Default)]
struct Offer {
    /// Whether anyone asks it at all.
    asked: bool,
    /// Requests per second, at the most.
    rate: f64,
    /// Bytes per second of the answers' payload.
    bytes: f64,
    /// The entry of `nodes` that asks most, and how much.
    most: Option<(usize, f64)>,
}

fn load_of(node: &Node) -> Option<&Load> {
    match &node.program {
        Program::Role(role) => role.load(),
        Program::Image(_) | Program::Host => None,
    }
}

fn rate_of(load: &Load) -> f64 {
    load.arrivals.peak().unwrap_or(0.0)
}

/// Payload of an answer, on average.
fn answer(load: &Load, files: &[File]) -> f64 {
    let reads = (1.0 - load.writes) * f64::from(load.value_bytes);
    match load
        .path
        .as_deref()
        .map(|path| path.strip_prefix("/files/"))
    {
        None => reads,
        Some(name) => {
            let file = files.iter().find(|file| Some(file.name.as_str()) == name);
            file.map_or(0.0, |file| file.bytes as f64)
        }
    }
}

fn service(node: &Node) -> Option<(&Service, &[File])> {
    match &node.program {
        Program::Role(Role::Server(server)) => Some((&server.service, &server.files)),
        Program::Role(Role::Peer(peer)) => Some((&peer.service, &[])),
        Program::Role(Role::Client(_)) | Program::Image(_) | Program::Host => None,
    }
}

/// What each node is offered. All nodes of an entry have the same load and the same targets, so that
/// one of them stands for all.
fn offers(roster: &Roster<'_>, nodes: &[Node]) -> Vec<Offer> {
    let mut offers = vec![Offer::default(); nodes.len()];
    for (entry, range) in roster.ranges.iter().enumerate() {
        let Some(first) = nodes.get(range.start).filter(|_| !range.is_empty()) else {
            continue;
        };
        let Some(load) = load_of(first) else { continue };
        let targets: Vec<usize> = match &first.program {
            Program::Role(Role::Client(client)) => {
                let at = |target: &netlab_protocol::role::Endpoint| roster.at(&target.name);
                client.targets.iter().filter_map(at).collect()
            }
            _ => range.clone().collect(),
        };
        let share = rate_of(load) * range.len() as f64 / targets.len().max(1) as f64;
        for target in targets {
            let files = nodes.get(target).and_then(service).map_or(&[][..], |s| s.1);
            let offer = &mut offers[target];
            offer.asked = true;
            offer.rate += share;
            offer.bytes += share * answer(load, files);
            if offer.most.is_none_or(|(_, most)| share > most) {
                offer.most = Some((entry, share));
            }
        }
    }
    offers
}

fn is_image(node: &Node) -> bool {
    matches!(node.program, Program::Image(_))
}

/// A scenario in which nothing is measured.
fn no_load(roster: &Roster<'_>, nodes: &[Node], reports: &mut Vec<Diagnostic>) {
    let made = nodes
        .iter()
        .any(|node| load_of(node).is_some() || is_image(node) || node.is_host());
    let (Some(_), Some(first), false) = (
        &roster.topology.scenario,
        roster.topology.nodes.first(),
        made,
    ) else {
        return;
    };
    reports.push(
        Diagnostic::warning("no-load", "nothing in this lab makes load: there will be nothing to see")
            .at(first.name.span, "")
            .help("add a client, `client: { role: client, load: { target: …, rate: 20/s } }`, or `load:` to peers"),
    );
}

fn lonely_peers(roster: &Roster<'_>, nodes: &[Node], reports: &mut Vec<Diagnostic>) {
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        let peer = nodes.get(range.start).filter(|_| range.len() == 1);
        if spec.role == Some("peer") && peer.and_then(load_of).is_some() {
            let message = format!(
                "`{}` is the only peer, so that it asks nobody but itself",
                spec.name.value
            );
            reports.push(
                Diagnostic::warning("load-to-nobody", message)
                    .at(spec.name.span, "")
                    .help("say how many: `count: 8`"),
            );
        }
    }
}

fn idle_servers(
    roster: &Roster<'_>,
    nodes: &[Node],
    offers: &[Offer],
    reports: &mut Vec<Diagnostic>,
) {
    let clients = nodes.iter().any(|node| node.role() == "client");
    // What images ask is not known, nor what is asked from outside.
    if !clients || nodes.iter().any(|node| is_image(node) || node.is_host()) {
        return;
    }
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        let idle = range.clone().find(|at| !offers[*at].asked);
        // A router has something to do.
        if let (Some("server"), Some(at), None) = (spec.role, idle, spec.forward) {
            let message = format!("no client asks `{}`", nodes[at].name);
            reports.push(
                Diagnostic::warning("idle-server", message)
                    .at(spec.name.span, "")
                    .help("name it among the targets of a `load`"),
            );
        }
    }
}

fn overload(roster: &Roster<'_>, nodes: &[Node], offers: &[Offer], reports: &mut Vec<Diagnostic>) {
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        let capacity = |at: usize| {
            let (service, _) = service(nodes.get(at)?)?;
            let time = service.time.as_secs_f64();
            (time > 0.0).then(|| f64::from(service.workers) / time)
        };
        let over = |at: &usize| capacity(*at).is_some_and(|can| offers[*at].rate > can);
        let Some(at) = range.clone().find(over) else {
            continue;
        };
        let (offer, can) = (&offers[at], capacity(at).unwrap_or_default());
        let message = format!(
            "`{}` is asked {} times a second and can serve {}",
            nodes[at].name,
            figure(offer.rate),
            figure(can)
        );
        let mut warning = Diagnostic::warning("overload", message).at(spec.name.span, "");
        if let Some((entry, most)) = offer.most
            && roster.topology.nodes[entry].name.span != spec.name.span
        {
            let asks = &roster.topology.nodes[entry].name;
            warning = warning.at(asks.span, format!("asks {} times a second", figure(most)));
        }
        reports.push(warning.help(
            "it serves `workers` / `time`; what does not fit waits, then is answered 503 (which may be what this lab shows)",
        ));
    }
}

fn uplinks(roster: &Roster<'_>, nodes: &[Node], offers: &[Offer], reports: &mut Vec<Diagnostic>) {
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        let Some(uplink) = spec.uplink else { continue };
        let sent = |at: usize| {
            let written = load_of(&nodes[at]).map_or(0.0, |load| {
                let writes = if load.path.is_some() {
                    0.0
                } else {
                    load.writes
                };
                rate_of(load) * writes * f64::from(load.value_bytes)
            });
            (offers[at].bytes + written) * 8.0
        };
        let full = range.clone().find(|at| sent(*at) > uplink.0 as f64);
        if let Some(at) = full {
            let message = format!(
                "`{}` has {} mbit of payload to send each second through an uplink of {uplink}",
                nodes[at].name,
                figure(sent(at) / 1e6)
            );
            reports.push(
                Diagnostic::warning("uplink-too-small", message)
                    .at(spec.name.span, "")
                    .help("the queue before the uplink will be full all the time (which may be what this lab shows)"),
            );
        }
    }
}

/// Three digits that matter.
fn figure(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
