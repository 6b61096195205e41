//! Which peers know each other.

use super::roster::{Roster, index};
use super::shape::{Graph, Shape, square};
use crate::spec::{Diagnostic, Edges, NodeSpec, ShapeSpec};
use netlab_protocol::draw;
use std::ops::Range;

/// The graph of the peers of one entry of `nodes`; none when something was reported. Each entry has a
/// draw of its own, so that it does not depend on what else the lab has.
pub(super) fn graph(
    roster: &Roster<'_>,
    spec: &NodeSpec,
    range: &Range<usize>,
    reports: &mut Vec<Diagnostic>,
) -> Option<Graph> {
    let overlay = &roster.topology.overlay;
    let count = range.len();
    let hub = match overlay.shape {
        ShapeSpec::Star => hub(roster, range, reports)?,
        _ => 0,
    };
    let shape = shape(overlay, count, hub);
    let name = draw::name(spec.name.value.as_str());
    let seed = draw::bits(roster.topology.seed, &[draw::name("overlay"), name]);
    match Graph::new(shape, count, seed) {
        Ok(graph) => Some(graph),
        Err(error) => {
            reports.push(
                Diagnostic::error("bad-shape", error.to_string())
                    .at(overlay.span, "")
                    .at(spec.name.span, format!("these are {count}")),
            );
            None
        }
    }
}

/// The shape that is written, for so many; a star's middle is the one at `hub`.
pub(super) fn shape(edges: &Edges, count: usize, hub: usize) -> Shape {
    match edges.shape {
        ShapeSpec::Full => Shape::Full,
        ShapeSpec::Star => Shape::Star { hub },
        ShapeSpec::Ring => Shape::Ring,
        ShapeSpec::Line => Shape::Line,
        ShapeSpec::Grid(width) => Shape::Grid {
            width: width.map_or_else(|| square(count), |width| width as usize),
        },
        ShapeSpec::Tree(children) => Shape::Tree {
            children: children as usize,
        },
        ShapeSpec::Random(degree) => Shape::Random {
            degree: degree as usize,
        },
        ShapeSpec::SmallWorld { degree, rewire } => Shape::SmallWorld {
            degree: degree as usize,
            rewire: rewire.0,
        },
    }
}

/// The middle of a star, as a place in `range`: the first one, unless the file says who.
fn hub(roster: &Roster<'_>, range: &Range<usize>, reports: &mut Vec<Diagnostic>) -> Option<usize> {
    let Some(hub) = &roster.topology.overlay.hub else {
        return Some(0);
    };
    let nodes = roster.select(hub, "`hub`", reports)?;
    let peer = |at: usize| roster.members[at].spec.role == Some("peer");
    let wrong = match nodes.as_slice() {
        [one] if !peer(one.at()) => {
            let name = &roster.members[one.at()].name;
            format!("`{name}` is no peer, so it cannot be the hub")
        }
        // Of another entry: the peers of this one have a hub of their own.
        [one] => {
            let inside = range.clone().position(|at| index(at) == *one);
            return Some(inside.unwrap_or(0));
        }
        many => format!("a star has one hub; this selects {} nodes", many.len()),
    };
    reports.push(Diagnostic::error("bad-shape", wrong).at(hub.span, ""));
    None
}
