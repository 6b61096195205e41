//! The scenario, with its faults resolved to effects.

use super::model::{Links, Scenario, ScheduledFault};
use super::networks::Places;
use super::roster::Roster;
use super::targets::Place;
use crate::spec::{Diagnostic, FaultSpec, ScenarioSpec};

/// The scenario; none when something was reported.
pub(super) fn scenario(
    roster: &Roster<'_>,
    places: &Places,
    links: Option<&[Links]>,
    spec: &ScenarioSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<Scenario> {
    let mut faults = Vec::with_capacity(spec.faults.len());
    let mut complete = true;
    for fault in &spec.faults {
        let begins = times(spec, fault, reports);
        match resolve(roster, places, links, fault, reports) {
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
    let possible = place.judge(spec, fault.name.span, &effects, links, reports);
    possible.then_some(())?;
    Some(ScheduledFault {
        name: fault.name.value.clone(),
        kind: fault.kind.0.name.to_owned(),
        target: text,
        at: fault.at.as_ref()?.value,
        lasts: fault.lasts.as_ref().map(|lasts| lasts.value),
        effects,
    })
}
