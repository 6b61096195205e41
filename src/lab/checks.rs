//! What the names in checks and conditions stand for.

use super::model::{Check, Condition};
use super::roster::Roster;
use crate::expr::Window;
use crate::id::NodeIndex;
use crate::spec::{CheckSpec, Diagnostic, ProgramSpec, ScenarioSpec, Selection, Span};
use crate::words;
use std::collections::BTreeMap;
use std::time::Duration;

/// The checks; none when something was reported.
pub(super) fn checks(roster: &Roster<'_>, reports: &mut Vec<Diagnostic>) -> Option<Vec<Check>> {
    let specs = &roster.topology.checks;
    if let (Some(first), None) = (specs.first(), &roster.topology.scenario) {
        let message = "checks are worked out when a scenario is over, and there is none";
        reports.push(
            Diagnostic::warning("no-scenario", message)
                .at(first.name.span, "")
                .help("say how long it lasts: `scenario: { duration: 60s }`"),
        );
    }
    let duration = (roster.topology.scenario.as_ref()).and_then(|s| s.duration.as_ref());
    let end = duration.map(|duration| End {
        at: duration.value,
        span: duration.span,
        too_late: "a check looks at times after the end of the scenario",
    });
    let check = |spec| known(roster, spec, ("a check", end), reports);
    let checks: Vec<_> = specs.iter().map(check).collect();
    checks.into_iter().collect()
}

/// What faults wait for, in the file's order; none when something was reported.
pub(super) fn conditions(
    roster: &Roster<'_>,
    spec: &ScenarioSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<Vec<Condition>> {
    // A quiet period that is too long was reported with the times.
    let healed_by = super::schedule::healed_by(spec, &mut Vec::new())?;
    let waiting = spec.faults.iter().map(|fault| &fault.schedule);
    let waiting = waiting.filter_map(|s| Some((s.when.as_deref()?, s.within.as_ref())));
    let conditions: Vec<_> = waiting
        .map(|(when, within)| {
            let end = End {
                at: within.map_or(healed_by, |within| within.value),
                span: within.map_or(when.expect.span, |within| within.span),
                too_late: "this cannot hold in time: it looks at more than there is by then",
            };
            let other = waits_for_another(when, reports);
            let when = known(roster, when, ("a condition", Some(end)), reports)?;
            other.then_some(Condition {
                when,
                within: end.at,
            })
        })
        .collect();
    conditions.into_iter().collect()
}

/// Reports a fault whose condition looks at the fault itself.
fn waits_for_another(when: &CheckSpec, reports: &mut Vec<Diagnostic>) -> bool {
    let name = &when.name.value;
    let Some(itself) = when.faults.iter().find(|fault| fault.value == *name) else {
        return true;
    };
    let message = format!("the fault `{name}` waits for itself");
    let help = "a condition looks at what is there before: `last=5s`, or another fault";
    reports.push(
        Diagnostic::error("cycle", message)
            .at(itself.span, "")
            .help(help),
    );
    false
}

/// When what is asked has to be known.
#[derive(Clone, Copy)]
struct End {
    at: Duration,
    span: Span,
    too_late: &'static str,
}

/// What is asked by `who`, and must be known by `end`.
fn known(
    roster: &Roster<'_>,
    spec: &CheckSpec,
    (who, end): (&str, Option<End>),
    reports: &mut Vec<Diagnostic>,
) -> Option<Check> {
    let mut complete = faults_are_there(roster, spec, who, reports);
    complete &= end.is_none_or(|end| windows_are_there(spec, end, reports));
    let mut nodes = BTreeMap::new();
    for (text, selection) in &spec.selections {
        match roster.select(selection, who, reports) {
            Some(found) => {
                nodes.insert(text.clone(), found);
            }
            None => complete = false,
        }
    }
    complete &= somebody_asks(roster, spec, &nodes, reports);
    complete.then(|| Check {
        name: spec.name.value.clone(),
        expect: spec.expect.value.clone(),
        abort: spec.abort,
        nodes,
    })
}

fn faults_are_there(
    roster: &Roster<'_>,
    spec: &CheckSpec,
    who: &str,
    reports: &mut Vec<Diagnostic>,
) -> bool {
    let scenario = roster.topology.scenario.iter();
    let names = scenario.flat_map(|scenario| &scenario.fault_names);
    let names: Vec<&str> = names.map(String::as_str).collect();
    let mut complete = true;
    for fault in &spec.faults {
        let name = fault.value.as_str();
        if names.contains(&name) {
            continue;
        }
        complete = false;
        let help = match names.as_slice() {
            [] => "the scenario has no faults".to_owned(),
            _ => words::known("faults", name, names.iter().copied()),
        };
        let message = format!("{who} refers to the fault `{name}`, which is not defined");
        reports.push(
            Diagnostic::error("unknown-fault", message)
                .at(fault.span, "")
                .help(help),
        );
    }
    complete
}

fn windows_are_there(spec: &CheckSpec, end: End, reports: &mut Vec<Diagnostic>) -> bool {
    let last = end.at.as_secs_f64();
    let late = |window: &Window| match window {
        Window::Between(_, to) => *to > last,
        Window::Last(seconds) => *seconds > last,
        Window::Of(..) => false,
    };
    let calls = spec.expr.calls();
    let found = calls.iter().filter_map(|c| c.window.as_ref()).any(late);
    if found {
        reports.push(
            Diagnostic::error("bad-value", end.too_late)
                .at(spec.expect.span, "")
                .at(end.span, "the end"),
        );
    }
    !found
}

/// Reports functions of requests that look at nodes which never ask.
fn somebody_asks(
    roster: &Roster<'_>,
    spec: &CheckSpec,
    nodes: &BTreeMap<String, Vec<NodeIndex>>,
    reports: &mut Vec<Diagnostic>,
) -> bool {
    let asks = |node: &NodeIndex| asks(roster, *node);
    let mut complete = true;
    for call in spec
        .expr
        .calls()
        .into_iter()
        .filter(|call| call.function.asks)
    {
        let Some((text, selected)) = call.nodes().and_then(|(t, _)| Some((t, nodes.get(t)?)))
        else {
            continue;
        };
        if selected.iter().any(asks) {
            continue;
        }
        complete = false;
        let mut selections = spec.selections.iter();
        let selection = selections.find(|(other, _)| other == text);
        let span = selection.map_or(spec.expect.span, |(_, s): &(String, Selection)| s.span);
        let message = format!(
            "`{}` looks at those who ask, and `{text}` asks nothing",
            call.function.name
        );
        let groups = roster.topology.nodes.iter();
        let asking = groups.filter(|node| has_load(node.program.as_ref()));
        let asking: Vec<&str> = asking.map(|node| node.name.value.as_str()).collect();
        let help = match asking.as_slice() {
            [] => "no node of this lab sends requests".to_owned(),
            all => format!("who asks: {}", words::list(all.iter().copied())),
        };
        reports.push(
            Diagnostic::error("asks-nothing", message)
                .at(span, "")
                .help(help),
        );
    }
    complete
}

fn asks(roster: &Roster<'_>, node: NodeIndex) -> bool {
    let member = roster.members.get(node.at());
    member.is_some_and(|member| has_load(member.spec.program.as_ref()))
}

fn has_load(program: Option<&ProgramSpec>) -> bool {
    match program {
        Some(ProgramSpec::Client { .. }) => true,
        Some(ProgramSpec::Peer { load, .. }) => load.is_some(),
        Some(ProgramSpec::Server { .. } | ProgramSpec::Image { .. }) => false,
        // What could not be read was reported.
        Some(ProgramSpec::Host) => false,
        None => true,
    }
}
