//! The scenario, with its faults resolved to effects.

use super::model::{Links, NODE_MEMORY, Scenario, ScheduledFault};
use super::networks::Places;
use super::roster::Roster;
use super::schedule::Once;
use super::targets::Place;
use crate::fault::{Effect, Limits, NodeEffect};
use crate::id::NodeIndex;
use crate::spec::defaults::MAX_OCCURRENCES;
use crate::spec::{Diagnostic, FaultSpec, ProgramSpec, ScenarioSpec, TargetSpec};
use netlab_protocol::role::Data;
use std::time::Duration;

/// The scenario; none when something was reported.
pub(super) fn scenario(
    roster: &Roster<'_>,
    places: &Places,
    links: Option<&[Links]>,
    spec: &ScenarioSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<Scenario> {
    let times = super::schedule::schedule(roster.topology.seed, spec, reports);
    let conditions = super::checks::conditions(roster, spec, reports);
    let mut faults = Vec::with_capacity(spec.faults.len());
    let mut complete = true;
    let mut room = MAX_OCCURRENCES.saturating_sub(times.iter().flatten().map(Vec::len).sum());
    for (fault, times) in spec.faults.iter().zip(times) {
        match (resolve(roster, places, links, fault, reports), times) {
            (Some(resolved), Some(times)) => {
                let all = occurrences(&resolved, &times);
                faults.extend(all.map(|once| (fault.place, once)));
            }
            _ => complete = false,
        }
    }
    let lab = Place {
        roster,
        places,
        what: String::new(),
    };
    for fault in &spec.drawn {
        match super::drawn::draw(&lab, links, spec, fault, &mut room, reports) {
            Some(all) => faults.extend(all.into_iter().map(|once| (fault.place, once))),
            None => complete = false,
        }
    }
    faults.sort_by_key(|(place, _)| *place);
    let duration = spec.duration.as_ref()?.value;
    complete.then_some(Scenario {
        warmup: spec.warmup,
        duration,
        quiet: spec.quiet.as_ref().map_or(Duration::ZERO, |q| q.value),
        conditions: conditions?,
        faults: faults.into_iter().map(|(_, fault)| fault).collect(),
    })
}

/// One entry for each time that the fault happens, numbered from 1.
fn occurrences<'a>(
    fault: &'a ScheduledFault,
    times: &'a [Once],
) -> impl Iterator<Item = ScheduledFault> + 'a {
    times
        .iter()
        .zip(1..)
        .map(|(once, occurrence)| ScheduledFault {
            occurrence,
            at: once.at,
            since: once.since,
            lasts: once.lasts,
            ..fault.clone()
        })
}

/// What a fault does, and to whom; its time is still open. None when something was reported.
pub(super) fn resolve(
    roster: &Roster<'_>,
    places: &Places,
    links: Option<&[Links]>,
    fault: &FaultSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<ScheduledFault> {
    let what = format!("the fault `{}`", fault.name.value);
    let spec = fault.target.as_ref()?;
    let place = Place {
        roster,
        places,
        what,
    };
    let (target, text) = place.target(spec, reports)?;
    let effects = (fault.kind.0.effects)(&target, &fault.params);
    spares_the_host(roster, fault, &effects, reports)?;
    answers_others(roster, fault, &effects, reports)?;
    has_to_lose(roster, fault, &effects, reports)?;
    has_a_bound(roster, fault, &effects, reports)?;
    let possible = place.judge(spec, fault.name.span, &effects, links, reports);
    possible.then_some(())?;
    Some(ScheduledFault {
        name: fault.name.value.clone(),
        kind: fault.kind.0.name.to_owned(),
        target: text,
        occurrence: 1,
        at: Duration::ZERO,
        since: None,
        lasts: None,
        effects,
    })
}

/// Reports a fault that would make a node misbehave that answers nobody, or is not netlab's own.
fn answers_others(
    roster: &Roster<'_>,
    fault: &FaultSpec,
    effects: &[Effect],
    reports: &mut Vec<Diagnostic>,
) -> Option<()> {
    let role = |node: NodeIndex| roster.members[node.at()].spec.role;
    let unable = |effect: &Effect| match effect {
        Effect::Program { node, .. } if !matches!(role(*node), Some("server" | "peer")) => {
            Some(*node)
        }
        _ => None,
    };
    let Some(node) = effects.iter().find_map(unable) else {
        let nothing =
            |e: &Effect| matches!(e, Effect::Program { effect, .. } if effect.share <= 0.0);
        if effects.iter().any(nothing) {
            let name = &fault.name.value;
            let message = format!("`{name}` changes nothing: its `share` is 0%");
            let report = Diagnostic::error("bad-value", message).at(fault.name.span, "");
            reports.push(report.help("say of how many answers: `share: 30%`"));
            return None;
        }
        return Some(());
    };
    let (kind, name) = (fault.kind.0.name, &roster.members[node.at()].name);
    let (why, help) = match role(node) {
        Some("client") => ("a client answers nobody", "name servers or peers"),
        Some("host") => ("`host` is the engine's host", "name servers or peers"),
        _ => (
            "netlab does not know the program in its image",
            "name servers or peers of netlab's own; to an image `kill`, `pause` and the links can happen",
        ),
    };
    let message = format!("`{name}` cannot `{kind}`: {why}");
    reports.push(at_target(fault, message).help(help));
    None
}

/// Reports a fault that would take from a node what it does not have: memory above its limit, or data
/// that netlab does not keep.
fn has_to_lose(
    roster: &Roster<'_>,
    fault: &FaultSpec,
    effects: &[Effect],
    reports: &mut Vec<Diagnostic>,
) -> Option<()> {
    let lacks = |effect: &Effect| {
        let Effect::Node { node, effect } = effect else {
            return None;
        };
        let member = &roster.members[node.at()];
        let (name, is_image) = (&member.name, member.spec.role == Some("image"));
        match effect {
            NodeEffect::Throttle(Limits {
                memory: Some(memory),
                ..
            }) if !is_image && *memory >= NODE_MEMORY => Some((
                format!(
                    "`{name}` has no more than {NODE_MEMORY} anyway: {memory} takes none of it"
                ),
                "say a smaller `memory`: `32MiB`",
            )),
            NodeEffect::Wipe if is_image => Some((
                format!(
                    "`{name}` has no data that `wipe` could take: netlab keeps none for an image"
                ),
                "say `kill`: what the program keeps in memory or on a tmpfs is lost with it",
            )),
            _ => None,
        }
    };
    let Some((message, help)) = effects.iter().find_map(lacks) else {
        return Some(());
    };
    reports.push(at_target(fault, message).help(help));
    None
}

/// An error at the nodes that a fault names.
fn at_target(fault: &FaultSpec, message: String) -> Diagnostic {
    let span = match &fault.target {
        Some(TargetSpec::Nodes(selection)) => selection.span,
        _ => fault.name.span,
    };
    Diagnostic::error("bad-target", message).at(span, "")
}

/// Reports a fault that would fill a disk of the engine's host: only a volume of a size is touched.
fn has_a_bound(
    roster: &Roster<'_>,
    fault: &FaultSpec,
    effects: &[Effect],
    reports: &mut Vec<Diagnostic>,
) -> Option<()> {
    let program = |node: NodeIndex| roster.members[node.at()].spec.program.as_ref();
    let unable = |effect: &Effect| match effect {
        Effect::Node {
            node,
            effect: NodeEffect::Fill | NodeEffect::ReadOnly,
        } => (program(*node)?.volume().is_none()).then_some(*node),
        _ => None,
    };
    let Some(node) = effects.iter().find_map(unable) else {
        return Some(());
    };
    let (kind, name) = (fault.kind.0.name, &roster.members[node.at()].name);
    let (why, help) = match program(node) {
        Some(ProgramSpec::Server { listener, .. } | ProgramSpec::Peer { listener, .. }) => (
            match listener.data {
                Data::Volume => {
                    "its volume has no size, and the disk of the engine's host is spared"
                }
                Data::Memory => "it keeps nothing on a volume",
            },
            "say at the node how much its volume holds: `data: { volume: 64MiB }`",
        ),
        _ => (
            "it has no data volume",
            "name servers or peers of netlab's own that say `data: { volume: 64MiB }`",
        ),
    };
    let message = format!("`{kind}` cannot happen to `{name}`: {why}");
    reports.push(at_target(fault, message).help(help));
    None
}

/// Reports a fault that would do something to the engine's host itself.
fn spares_the_host(
    roster: &Roster<'_>,
    fault: &FaultSpec,
    effects: &[Effect],
    reports: &mut Vec<Diagnostic>,
) -> Option<()> {
    let hit =
        |effect: &Effect| matches!(effect, Effect::Node { node, .. } if roster.is_host(*node));
    if !effects.iter().any(hit) {
        return Some(());
    }
    let message = format!(
        "`{}` cannot happen to `host`, the engine's host",
        fault.kind.0.name
    );
    let help = "its links can be cut: `cut: { between: [host, NODE] }`";
    reports.push(at_target(fault, message).help(help));
    None
}
