//! The properties of every ordered pair.

use super::model::{Link, Links};
use super::roster::Roster;
use crate::id::NodeIndex;
use crate::link::LinkProperties;
use crate::spec::{Diagnostic, Ends, LinkChange, LinkSpec};
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

/// The default and the pairs that differ; none when something was reported.
pub(super) fn links(roster: &Roster<'_>, reports: &mut Vec<Diagnostic>) -> Option<Links> {
    let topology = roster.topology;
    let default = topology.link.over(&LinkProperties::default());
    let mut complete = agrees(&default, &topology.link, reports);
    wide_jitter(&default, &topology.link, reports);
    let mut others = BTreeMap::new();
    let mut named = 0;
    for spec in &topology.links {
        let Some(sides) = ends(roster, spec, reports) else {
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
        complete &= change(
            &mut others,
            &default,
            &sides,
            spec.ends.both,
            &spec.change,
            reports,
        );
    }
    let others = others
        .into_iter()
        .filter(|(_, properties)| *properties != default)
        .map(|((from, to), properties)| Link {
            from,
            to,
            properties,
        })
        .collect();
    complete.then_some(Links { default, others })
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

/// Lays `said` over the pairs of `sides`; false when what results contradicts itself.
fn change(
    others: &mut BTreeMap<(NodeIndex, NodeIndex), LinkProperties>,
    default: &LinkProperties,
    sides: &Sides,
    both: bool,
    said: &LinkChange,
    reports: &mut Vec<Diagnostic>,
) -> bool {
    let pairs = sides
        .from
        .iter()
        .flat_map(|&a| sides.to.iter().map(move |&b| (a, b)))
        .filter(|(a, b)| a != b);
    let back = |(a, b): (NodeIndex, NodeIndex)| [Some((a, b)), both.then_some((b, a))];
    let mut warned = false;
    for pair in pairs.flat_map(back).flatten() {
        let properties = others.entry(pair).or_insert(*default);
        *properties = said.over(properties);
        if !agrees(properties, said, reports) {
            return false;
        }
        if !warned {
            warned = wide_jitter(properties, said, reports);
        }
    }
    true
}

/// Reports properties that contradict each other, once for what was `said`.
fn agrees(properties: &LinkProperties, said: &LinkChange, reports: &mut Vec<Diagnostic>) -> bool {
    let Some(why) = properties.contradiction() else {
        return true;
    };
    reports.push(Diagnostic::error("conflict", why).at(said.span, "with what is said here"));
    false
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
