//! The scenario, with its faults resolved to effects.

use super::model::{Links, NODE_MEMORY, Scenario, ScheduledFault};
use super::networks::Places;
use super::roster::Roster;
use super::schedule::Once;
use super::targets::Place;
use crate::fault::{Effect, Limits, NodeEffect};
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
    can_happen(roster, fault, &effects, reports)?;
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

/// Why an effect cannot happen to whom a fault names, and what to say instead.
type Refusal = (String, &'static str);

/// Reports the first effect that cannot happen.
fn can_happen(
    roster: &Roster<'_>,
    fault: &FaultSpec,
    effects: &[Effect],
    reports: &mut Vec<Diagnostic>,
) -> Option<()> {
    let refusals = [spares_the_host, answers_others, has_to_lose, has_a_bound];
    let refused = refusals.iter().find_map(|refusal| {
        let mut effects = effects.iter();
        effects.find_map(|effect| refusal(roster, fault.kind.0.name, effect))
    });
    let Some((message, help)) = refused else {
        return changes_something(fault, effects, reports);
    };
    let span = match &fault.target {
        Some(TargetSpec::Nodes(selection)) => selection.span,
        _ => fault.name.span,
    };
    let report = Diagnostic::error("bad-target", message).at(span, "");
    reports.push(report.help(help));
    None
}

/// Reports a misbehaviour of no answer at all.
fn changes_something(
    fault: &FaultSpec,
    effects: &[Effect],
    reports: &mut Vec<Diagnostic>,
) -> Option<()> {
    let nothing = |e: &Effect| matches!(e, Effect::Program { effect, .. } if effect.share <= 0.0);
    if !effects.iter().any(nothing) {
        return Some(());
    }
    let message = format!("`{}` changes nothing: its `share` is 0%", fault.name.value);
    let report = Diagnostic::error("bad-value", message).at(fault.name.span, "");
    reports.push(report.help("say of how many answers: `share: 30%`"));
    None
}

/// Nothing is done to the engine's host itself.
fn spares_the_host(roster: &Roster<'_>, kind: &str, effect: &Effect) -> Option<Refusal> {
    let hit = matches!(effect, Effect::Node { node, .. } if roster.is_host(*node));
    hit.then(|| {
        let message = format!("`{kind}` cannot happen to `host`, the engine's host");
        let help = "its links can be cut: `cut: { between: [host, NODE] }`";
        (message, help)
    })
}

/// Only who answers others, and is netlab's own, can misbehave.
fn answers_others(roster: &Roster<'_>, kind: &str, effect: &Effect) -> Option<Refusal> {
    let Effect::Program { node, .. } = effect else {
        return None;
    };
    let member = &roster.members[node.at()];
    let (why, help) = match member.spec.role {
        Some("server" | "peer") => return None,
        Some("client") => ("a client answers nobody", "name servers or peers"),
        Some("host") => ("`host` is the engine's host", "name servers or peers"),
        _ => (
            "netlab does not know the program in its image",
            "name servers or peers of netlab's own; to an image `kill`, `pause` and the links can happen",
        ),
    };
    Some((format!("`{}` cannot `{kind}`: {why}", member.name), help))
}

/// Nothing is taken from a node that it does not have: memory above its limit, or data that netlab
/// does not keep.
fn has_to_lose(roster: &Roster<'_>, _: &str, effect: &Effect) -> Option<Refusal> {
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
            format!("`{name}` has no more than {NODE_MEMORY} anyway: {memory} takes none of it"),
            "say a smaller `memory`: `32MiB`",
        )),
        NodeEffect::Wipe if is_image => Some((
            format!("`{name}` has no data that `wipe` could take: netlab keeps none for an image"),
            "say `kill`: what the program keeps in memory or on a tmpfs is lost with it",
        )),
        _ => None,
    }
}

/// Only a volume of a size is filled, never a disk of the engine's host.
fn has_a_bound(roster: &Roster<'_>, kind: &str, effect: &Effect) -> Option<Refusal> {
    let Effect::Node {
        node,
        effect: NodeEffect::Fill | NodeEffect::ReadOnly,
    } = effect
    else {
        return None;
    };
    let member = &roster.members[node.at()];
    let program = member.spec.program.as_ref()?;
    if program.volume().is_some() {
        return None;
    }
    let (why, help) = match program {
        ProgramSpec::Server { listener, .. } | ProgramSpec::Peer { listener, .. } => (
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
    let message = format!("`{kind}` cannot happen to `{}`: {why}", member.name);
    Some((message, help))
}
