//! Whom a fault hits: its target with selectors resolved, and whether it can do there what it says.

use super::links;
use super::model::Links;
use super::networks::Places;
use super::roster::{Roster, index};
use crate::fault::{Degradation, Effect, LinkEffect, Split, Target};
use crate::id::NodeIndex;
use crate::link::{LinkProperties, MTU};
use crate::spec::{DegradeSpec, Diagnostic, Ends, Selection, Selector, Span, TargetSpec};
use netlab_protocol::draw;

/// Up to so many nodes a drawn split is told by its names.
const TOLD: usize = 12;

/// Links that are looked at for one fault; what cannot be on others ends at its bounds.
const JUDGED: usize = 100_000;
/// Kinds of links of which each is judged once.
const DIFFERENT: usize = 64;

/// The lab in which a fault's target is.
pub(super) struct Place<'p, 't> {
    pub roster: &'p Roster<'t>,
    pub places: &'p Places,
    /// The fault, for messages.
    pub what: String,
}

impl Place<'_, '_> {
    /// The target, and its text for people; none when something was reported.
    pub fn target(
        &self,
        spec: &TargetSpec,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<(Target, String)> {
        Some(match spec {
            TargetSpec::Nodes(selection) => {
                let nodes = self.roster.select(selection, &self.what, reports)?;
                (Target::Nodes(nodes), selection.to_string())
            }
            TargetSpec::Links(ends) => {
                let sides = self.sides(ends, reports)?;
                let target = Target::Links {
                    from: sides.from,
                    to: sides.to,
                    both: ends.both,
                };
                (target, arrow(ends))
            }
            TargetSpec::Degraded(ends, spec) => {
                let DegradeSpec { said, change } = &**spec;
                let sides = self.sides(ends, reports)?;
                let said: Vec<&str> = said.iter().map(|said| said.value.as_str()).collect();
                let target = Target::Degraded {
                    from: sides.from,
                    to: sides.to,
                    both: ends.both,
                    change: Box::new(*change),
                };
                (target, format!("{}: {}", arrow(ends), said.join(", ")))
            }
            TargetSpec::Groups(groups) => {
                let text: Vec<String> = groups.iter().map(ToString::to_string).collect();
                let groups = partition(self.roster, groups, &self.what, reports)?;
                (Target::Groups(groups), text.join(" | "))
            }
            TargetSpec::Split(split, of) => self.split(*split, of, reports)?,
        })
    }

    fn sides(&self, ends: &Ends, reports: &mut Vec<Diagnostic>) -> Option<links::Sides> {
        let sides = links::sides(self.roster, ends, &self.what, reports)?;
        if self.places.complete && !links::any_wire(self.places, &sides) {
            let message = format!(
                "{} changes nothing: there is no wire between its ends",
                self.what
            );
            reports.push(
                Diagnostic::warning("fault-without-wire", message)
                    .at(ends.span, "")
                    .help("name two neighbours of one network"),
            );
        }
        Some(sides)
    }

    /// Nodes in an order that is drawn from the seed, the fault's name and the words of the selection:
    /// no other fault shifts it.
    fn split(
        &self,
        split: Split,
        of: &Selection,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<(Target, String)> {
        let nodes = self.roster.select(of, &self.what, reports)?;
        if nodes.len() < split.least() {
            let (word, least) = (split.word(), split.least());
            let message = format!(
                "`{word}` needs at least {least} nodes; here are {}",
                nodes.len()
            );
            reports.push(Diagnostic::error("too-few", message).at(of.span, ""));
            return None;
        }
        if split == Split::Isolate {
            let text = format!("isolate {of}");
            return Some((Target::Split(split, nodes), text));
        }
        let counters = ["split", &self.what, &of.to_string()].map(draw::name);
        let order = draw::permutation(self.roster.topology.seed, &counters, nodes.len() as u32);
        let nodes: Vec<NodeIndex> = order.into_iter().map(|at| nodes[at as usize]).collect();
        let text = format!("{} of {of} ({})", split.word(), self.told(split, &nodes));
        Some((Target::Split(split, nodes), text))
    }

    /// The parts of a drawn split.
    fn told(&self, split: Split, nodes: &[NodeIndex]) -> String {
        let part = |part: &Vec<NodeIndex>| {
            if nodes.len() > TOLD {
                return part.len().to_string();
            }
            let name = |node: &NodeIndex| self.roster.members[node.at()].name.to_string();
            part.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let parts: Vec<String> = split.parts(nodes).iter().map(part).collect();
        match (split, parts.as_slice()) {
            (Split::Bridge, [a, b, shared]) => format!("{a} | {b}, over {shared}"),
            _ => parts.join(" | "),
        }
    }

    /// Reports changes that some link of the target cannot take; whether all can.
    pub fn judge(
        &self,
        spec: &TargetSpec,
        named: Span,
        effects: &[Effect],
        links: Option<&[Links]>,
        reports: &mut Vec<Diagnostic>,
    ) -> bool {
        let Some(links) = links.filter(|_| self.places.complete) else {
            return true;
        };
        let mut seen: Vec<LinkProperties> = Vec::new();
        let changes = effects.iter().filter_map(|effect| match effect {
            Effect::Links {
                pairs,
                effect: LinkEffect::Change(change),
            } => Some((pairs, change)),
            _ => None,
        });
        let all = changes.flat_map(|(pairs, change)| {
            let pairs = pairs.all(self.roster.members.len());
            pairs.map(move |pair| (pair, change))
        });
        for ((a, b), change) in all.take(JUDGED) {
            for network in self.places.shared(a, b) {
                let declared = *links[network.at()].get(a, b);
                let wired = self.places.wires[network.at()].has(a, b);
                if !wired || seen.contains(&declared) {
                    continue;
                }
                if seen.len() < DIFFERENT {
                    seen.push(declared);
                }
                let names = [a, b].map(|node| self.roster.members[node.at()].name.as_str());
                if let Some(report) = judge(spec, named, change, &declared, names) {
                    reports.push(report);
                    return false;
                }
            }
        }
        true
    }
}

fn arrow(ends: &Ends) -> String {
    let arrow = if ends.both { "<->" } else { "->" };
    format!("{} {arrow} {}", ends.from, ends.to)
}

/// Why the link between these two cannot take the change; none: it can.
fn judge(
    spec: &TargetSpec,
    named: Span,
    change: &Degradation,
    declared: &LinkProperties,
    [from, to]: [&str; 2],
) -> Option<Diagnostic> {
    let said = |property: &str| match spec {
        TargetSpec::Degraded(_, said) => {
            let of = |said: &&crate::spec::Spanned<String>| {
                said.value.split(' ').next() == Some(property)
            };
            said.said.iter().find(of).map(|said| said.span)
        }
        _ => None,
    };
    let refuse = |property: &str, why: String| {
        let place = said(property).unwrap_or(named);
        let message = format!("{from} -> {to} cannot change so: {why}");
        Some(Diagnostic::error("bad-change", message).at(place, ""))
    };
    let after = change.over(declared);
    let by = &change.by;
    if by.rate.is_some() && change.set.rate.or(declared.rate).is_none() {
        let why = "the link has no rate from which to go".to_owned();
        return refuse("rate", why).map(|r| r.help("say what the rate is: `rate: 1mbit`"));
    }
    let delay = change.set.delay.unwrap_or(declared.delay);
    if by.delay.is_some_and(|step| step.exceeds(delay)) {
        let property = if said("rtt").is_some() {
            "rtt"
        } else {
            "delay"
        };
        let why = format!("its delay of {delay:?} would become less than nothing");
        return refuse(property, why);
    }
    let jitter = change
        .set
        .jitter
        .map_or(declared.jitter, |jitter| jitter.time);
    if by.jitter.is_some_and(|step| step.exceeds(jitter)) {
        let why = format!("its jitter of {jitter:?} would become less than nothing");
        return refuse("jitter", why);
    }
    if by.loss.is_some_and(|step| step.exceeds(declared.loss)) {
        let why = format!(
            "its loss of {} would become less than nothing",
            declared.loss
        );
        return refuse("loss", why);
    }
    let before = declared.mtu.map_or(MTU, |mtu| mtu.bytes);
    if let (Some(hole), false) = (change.set.mtu, matches!(spec, TargetSpec::Degraded(..)))
        && hole.bytes >= before
    {
        let why = format!("packets above {} bytes do not pass it anyway", before);
        return refuse("mtu", why).map(|r| r.help("say an `mtu` below that of the link"));
    }
    let why = after.contradiction()?;
    refuse("", why)
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
        let nobody = nobody.map(|(at, _)| index(at));
        let nodes: Vec<NodeIndex> = nobody.filter(|node| !roster.is_host(*node)).collect();
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
