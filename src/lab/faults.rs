//! The scenario, with its faults resolved to effects.

use super::links;
use super::model::{Scenario, ScheduledFault};
use super::networks::Places;
use super::roster::{Roster, index};
use crate::fault::Target;
use crate::id::NodeIndex;
use crate::spec::{Diagnostic, FaultSpec, ScenarioSpec, Selection, Selector, TargetSpec};

/// The scenario; none when something was reported.
pub(super) fn scenario(
    roster: &Roster<'_>,
    places: &Places,
    spec: &ScenarioSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<Scenario> {
    let mut faults = Vec::with_capacity(spec.faults.len());
    let mut complete = true;
    for fault in &spec.faults {
        let begins = times(spec, fault, reports);
        match resolve(roster, places, fault, reports) {
            Some(fault) if begins => faults.push(fault),
            Some(_) => {}
            None => complete = false,
        }
    }
    let duration = spec.duration.as_ref()?.value;
    complete.then_some(Scenario {
        warmup: spec.warmup,
        duration,
        faults,
    })
}

/// Reports a fault that would not begin, or not heal by itself, before the end; whether it begins.
fn times(spec: &ScenarioSpec, fault: &FaultSpec, reports: &mut Vec<Diagnostic>) -> bool {
    let (Some(duration), Some(at)) = (&spec.duration, &fault.at) else {
        return true;
    };
    let name = &fault.name.value;
    if at.value >= duration.value {
        let message =
            format!("the fault `{name}` would begin when the scenario is over; it is left out");
        reports.push(
            Diagnostic::warning("fault-too-late", message)
                .at(at.span, "")
                .at(duration.span, "the end"),
        );
        return false;
    }
    if let Some(lasts) = &fault.lasts
        && at.value + lasts.value > duration.value
    {
        let message = format!("the fault `{name}` is healed early, at the end of the scenario");
        reports.push(
            Diagnostic::warning("fault-cut-short", message)
                .at(lasts.span, "")
                .at(duration.span, "the end"),
        );
    }
    true
}

/// The fault with its targets resolved; none when something was reported.
pub(super) fn resolve(
    roster: &Roster<'_>,
    places: &Places,
    fault: &FaultSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<ScheduledFault> {
    let what = format!("the fault `{}`", fault.name.value);
    let (target, text) = match fault.target.as_ref()? {
        TargetSpec::Nodes(selection) => {
            let nodes = roster.select(selection, &what, reports)?;
            (Target::Nodes(nodes), selection.to_string())
        }
        TargetSpec::Links(ends) => {
            let sides = links::sides(roster, ends, &what, reports)?;
            if places.complete && !links::any_wire(places, &sides) {
                let message = format!("{what} changes nothing: there is no wire between its ends");
                reports.push(
                    Diagnostic::warning("fault-without-wire", message)
                        .at(ends.span, "")
                        .help("name two neighbours of one network"),
                );
            }
            let arrow = if ends.both { "<->" } else { "->" };
            let target = Target::Links {
                from: sides.from,
                to: sides.to,
                both: ends.both,
            };
            (target, format!("{} {arrow} {}", ends.from, ends.to))
        }
        TargetSpec::Groups(groups) => {
            let text: Vec<String> = groups.iter().map(ToString::to_string).collect();
            let groups = partition(roster, groups, &what, reports)?;
            (Target::Groups(groups), text.join(" | "))
        }
    };
    Some(ScheduledFault {
        name: fault.name.value.clone(),
        kind: fault.kind.0.name.to_owned(),
        target: text,
        at: fault.at.as_ref()?.value,
        lasts: fault.lasts.as_ref().map(|lasts| lasts.value),
        effects: (fault.kind.0.effects)(&target, &fault.params),
    })
}

/// Disjoint groups; `rest` is who is in no other.
fn partition(
    roster: &Roster<'_>,
    written: &[Selection],
    what: &str,
    reports: &mut Vec<Diagnostic>,
) -> Option<Vec<Vec<NodeIndex>>> {
    let is_rest = |group: &&Selection| group.terms[0].value == Selector::Rest;
    let mut member_of: Vec<Option<&Selection>> = vec![None; roster.members.len()];
    let mut groups = Vec::with_capacity(written.len());
    let mut complete = true;
    for group in written.iter().filter(|group| !is_rest(group)) {
        let Some(nodes) = roster.select(group, what, reports) else {
            complete = false;
            continue;
        };
        for node in &nodes {
            if let Some(other) = member_of[node.at()].replace(group) {
                let name = &roster.members[node.at()].name;
                let message = format!("`{name}` is in two groups of this partition");
                reports.push(
                    Diagnostic::error("overlapping-groups", message)
                        .at(group.span, "")
                        .at(other.span, "also here"),
                );
                return None;
            }
        }
        groups.push(nodes);
    }
    let rest: Vec<&Selection> = written.iter().filter(is_rest).collect();
    if let Some(rest) = rest.first() {
        let nobody = member_of.iter().enumerate().filter(|(_, m)| m.is_none());
        let nodes: Vec<NodeIndex> = nobody.map(|(at, _)| index(at)).collect();
        if complete && nodes.is_empty() {
            let message = "`rest` is empty: every node is in another group";
            reports.push(Diagnostic::error("empty-selection", message).at(rest.span, ""));
            return None;
        }
        groups.push(nodes);
    }
    if let Some(again) = rest.get(1) {
        let message = "`rest` stands twice";
        reports.push(Diagnostic::error("overlapping-groups", message).at(again.span, ""));
        return None;
    }
    complete.then_some(groups)
}
