//! Whether load arrives: its targets have to be in reach of those who ask, and every network has
//! somebody in it.
//!
//! Owns only messages about a finished lab.

use super::model::{Lab, Program, Reach, Wires};
use super::roster::{Roster, index};
use super::route::Routes;
use crate::id::{NetworkIndex, NodeIndex};
use crate::spec::{Diagnostic, NodeSpec, Span};
use netlab_protocol::role::{Peer, Role};
use std::ops::Range;

/// Looks at who asks whom.
pub(super) fn look(roster: &Roster<'_>, lab: &Lab, reports: &mut Vec<Diagnostic>) {
    for (at, spec) in (0..).zip(&roster.topology.networks) {
        if lab.members(NetworkIndex(at)).next().is_none() {
            let message = format!("no node is in the network `{}`", spec.name.value);
            reports.push(
                Diagnostic::warning("empty-network", message)
                    .at(spec.name.span, "")
                    .help(format!("a node says so: `networks: {}`", spec.name.value)),
            );
        }
    }
    let adjacent = lab
        .networks
        .iter()
        .any(|n| n.reach == Reach::Adjacent && n.wires != Wires::Full);
    if lab.networks.len() == 1 && !adjacent {
        return;
    }
    let looker = Looker {
        roster,
        lab,
        routes: Routes::new(lab),
        adjacent,
    };
    for (spec, range) in roster.topology.nodes.iter().zip(&roster.ranges) {
        looker.load(spec, range, reports);
    }
}

struct Looker<'r> {
    roster: &'r Roster<'r>,
    lab: &'r Lab,
    routes: Routes<'r>,
    /// Whether there is a network in which only neighbours reach each other.
    adjacent: bool,
}

impl Looker<'_> {
    /// The first pair of an entry that does not work.
    fn load(&self, spec: &NodeSpec, range: &Range<usize>, reports: &mut Vec<Diagnostic>) {
        // Where no shape stands in the way, all nodes of an entry are alike.
        let alike = if self.adjacent { range.len() } else { 1 };
        for at in range.clone().take(alike) {
            let found = match &self.lab.nodes[at].program {
                Program::Role(Role::Client(client)) => {
                    let targets = client.targets.iter();
                    let mut targets = targets.filter_map(|target| self.roster.at(&target.name));
                    targets.find_map(|to| self.report(spec, index(at), index(to), "ask"))
                }
                Program::Role(Role::Peer(peer)) => {
                    let mut known = neighbours(peer).map(|other| index(range.start + other));
                    known.find_map(|to| self.report(spec, index(at), to, "speak to"))
                }
                _ => None,
            };
            if let Some(report) = found {
                reports.push(report);
                return;
            }
        }
    }

    /// Why packets from `from` do not arrive at `to`, if so.
    fn report(
        &self,
        spec: &NodeSpec,
        from: NodeIndex,
        to: NodeIndex,
        verb: &str,
    ) -> Option<Diagnostic> {
        if from == to || self.arrives(from, to) {
            return None;
        }
        let name = |node: NodeIndex| &self.lab.nodes[node.at()].name;
        let (asks, asked) = (name(from), name(to));
        let place = self.roster.members[to.at()].spec.name.span;
        let network = self.routes.network_of(from, to)?;
        let there = &self.roster.topology.networks[network.at()];
        let inside = self.lab.nodes[from.at()].interface(network).is_some();
        if inside {
            let message = format!(
                "`{asks}` cannot {verb} `{asked}`: they have no wire in the network `{}`, where only neighbours reach each other",
                there.name.value
            );
            let report = Diagnostic::warning("not-adjacent", message)
                .at(target(spec), "")
                .at(there.edges.span, "this shape says who has a wire");
            return Some(
                report.help("`reach: routed` lets the nodes between them pass packets on"),
            );
        }
        let message = format!(
            "`{asks}` cannot reach `{asked}`: they share no network, and no nodes with `forward: true` join theirs"
        );
        let report = Diagnostic::error("unreachable", message)
            .at(target(spec), "")
            .at(place, format!("in {}", there.name.value));
        Some(report.help(format!(
            "put both into one network, or a node with `forward: true` into `{}` and one of those of `{asks}`",
            there.name.value
        )))
    }

    fn arrives(&self, from: NodeIndex, to: NodeIndex) -> bool {
        let Some(network) = self.routes.network_of(from, to) else {
            return false;
        };
        let spec = &self.lab.networks[network.at()];
        let inside = self.lab.nodes[from.at()].interface(network).is_some();
        match (inside, spec.reach) {
            // Every shape is connected.
            (true, Reach::Routed) => true,
            (true, Reach::Adjacent) => spec.wires.has(from, to),
            (false, Reach::Routed) => self.routes.gateway(from, network).is_some(),
            (false, Reach::Adjacent) => self.routes.path(from, to).is_some(),
        }
    }
}

fn target(spec: &NodeSpec) -> Span {
    spec.name.span
}

/// Those that a peer speaks to, by their place among all of them.
fn neighbours(peer: &Peer) -> impl Iterator<Item = usize> {
    let next = peer.next_hop.iter().enumerate();
    next.filter(|(at, next)| **next == u32::try_from(*at).ok())
        .map(|(at, _)| at)
}
