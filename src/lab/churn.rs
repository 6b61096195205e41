//! Nodes that leave and join.
//!
//! Each node's times depend on the seed, the fault's name and the node's own: adding a node changes
//! no other's, unless `keep` makes somebody stay because others are away. Must not know how a node
//! leaves.

use super::drawn::{Draws, LEAST, MAX_DRAWS};
use super::model::ScheduledFault;
use crate::fault::{self, ParamValue, Params, Target};
use crate::id::NodeIndex;
use crate::spec::{ChurnSpec, Diagnostic};
use netlab_protocol::draw;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A node that has come back stays so long at least: it has to start first.
const STAY: Duration = Duration::from_secs(2);

/// What is drawn of a node's turn.
#[derive(Clone, Copy)]
enum What {
    Session,
    Absence,
    /// How much of its first session has passed when the churn begins.
    Phase,
}

/// A node that will leave: when, and which of its turns this is.
type Leaves = Reverse<(Duration, NodeIndex, u32)>;

/// The absences in the order in which they begin; none when something was reported.
pub(super) fn churn(
    draws: &Draws<'_, '_, '_>,
    spec: &ChurnSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<Vec<ScheduledFault>> {
    let nodes = draws.members(&spec.nodes, reports)?;
    let away_at_most = allowed(draws, spec, nodes.len(), reports)?;
    let first = |node: NodeIndex| {
        let whole = draw(draws, spec, node, 0, What::Session);
        let phase = draws.unit(&counters(draws, node, 0, What::Phase));
        Reverse((
            draws.from.saturating_add(millis(whole.mul_f64(phase))),
            node,
            1,
        ))
    };
    let mut ahead: BinaryHeap<Leaves> = nodes.into_iter().map(first).collect();
    let mut away: Vec<Duration> = Vec::new();
    let mut found = Vec::new();
    let mut left = MAX_DRAWS;
    while let Some(Reverse((at, node, turn))) = ahead.pop() {
        if at.saturating_add(LEAST) > draws.until {
            break;
        }
        if found.len() == draws.room || left == 0 {
            draws.report_too_many(spec.session.span, reports);
            return None;
        }
        left -= 1;
        away.retain(|back| *back > at);
        let mut back = at;
        if away.len() < away_at_most {
            let absence = draw(draws, spec, node, turn, What::Absence);
            back = at.saturating_add(absence).min(draws.until);
            away.push(back);
            found.push(absent(draws, spec, node, at, back - at));
        }
        let session = draw(draws, spec, node, turn, What::Session);
        ahead.push(Reverse((back.saturating_add(session), node, turn + 1)));
    }
    Some(found)
}

/// So many may be away at once; reports a `keep` that lets nobody leave.
fn allowed(
    draws: &Draws<'_, '_, '_>,
    spec: &ChurnSpec,
    nodes: usize,
    reports: &mut Vec<Diagnostic>,
) -> Option<usize> {
    let Some(keep) = &spec.keep else {
        return Some(nodes);
    };
    let stay = (keep.value.0 * nodes as f64 - 1e-9).ceil() as usize;
    if stay < nodes {
        return Some(nodes - stay);
    }
    let message = format!(
        "{} lets nobody leave: {} of {nodes} nodes have to stay",
        draws.place.what, stay
    );
    reports.push(
        Diagnostic::error("bad-value", message)
            .at(keep.span, "")
            .at(spec.nodes.span, "of these"),
    );
    None
}

fn counters(draws: &Draws<'_, '_, '_>, node: NodeIndex, turn: u32, what: What) -> [u64; 3] {
    let name = draws.place.roster.members[node.at()].name.as_str();
    [draw::name(name), u64::from(turn), what as u64]
}

fn draw(
    draws: &Draws<'_, '_, '_>,
    spec: &ChurnSpec,
    node: NodeIndex,
    turn: u32,
    what: What,
) -> Duration {
    let counters = counters(draws, node, turn, what);
    match what {
        What::Absence => draws.length(spec.absence, LEAST, &counters),
        What::Session | What::Phase => draws.length(spec.session, STAY, &counters),
    }
}

fn millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// One absence: the machine, or its processes, are lost.
fn absent(
    draws: &Draws<'_, '_, '_>,
    spec: &ChurnSpec,
    node: NodeIndex,
    at: Duration,
    lasts: Duration,
) -> ScheduledFault {
    let kind = fault::KILL;
    let params = spec
        .process
        .then(|| ("as", ParamValue::Word("process".to_owned())));
    ScheduledFault {
        name: draws.spec.name.value.clone(),
        occurrence: 1,
        kind: kind.name.to_owned(),
        target: draws.place.roster.members[node.at()].name.to_string(),
        at,
        since: None,
        lasts: Some(lasts),
        effects: (kind.effects)(&Target::Nodes(vec![node]), &Params::from_iter(params)),
    }
}
