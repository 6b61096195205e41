//! Faults of several kinds at drawn times, to drawn targets.
//!
//! Owns what a drawn fault is made of, by the shape of target that its kind takes: a new kind needs
//! nothing here. Must not know what kinds do. Begins are a Poisson process; one that finds no room
//! waits until another has healed.

use super::drawn::{Draws, LEAST, MAX_DRAWS};
use super::faults::resolve;
use super::model::ScheduledFault;
use crate::fault::{Degradation, Effect, Kind, ParamValue, Params, Split, TargetShape};
use crate::id::{Name, NodeIndex};
use crate::link::{Step, Steps};
use crate::spec::{
    ChaosSpec, DegradeSpec, Diagnostic, Distribution, Ends, FaultSpec, KindRef, LengthSpec,
    ScheduleSpec, Selection, Selector, Spanned, TargetSpec,
};
use crate::units::Ratio;
use std::time::Duration;

/// How long a fault lasts unless said.
const LASTS: Duration = Duration::from_secs(5);
/// A node that has been hit is left alone so long after the heal.
const CALM: Duration = Duration::from_secs(2);
/// What does not last, as a restart, is over after this time.
const OVER: Duration = Duration::from_secs(4);
/// Between SIGTERM and SIGKILL of a drawn fault: who does not end by itself is gone well within the
/// shortest time that is drawn.
const GRACE: Duration = Duration::from_millis(500);
/// Targets that are tried for one draw.
const TRIES: u64 = 32;
/// Words for what is drawn of a fault.
const GAP: u64 = 0;
const KIND: u64 = 1;
const LENGTH: u64 = 2;
const TARGET: u64 = 3;

/// Ways in which groups are drawn.
const SPLITS: [Split; 3] = [Split::Halves, Split::Majority, Split::Isolate];

/// The faults in the order in which they begin; none when something was reported.
pub(super) fn chaos(
    draws: &Draws<'_, '_, '_>,
    spec: &ChaosSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<Vec<ScheduledFault>> {
    let nodes = draws.members(&whole(draws, spec), reports)?;
    let mut book = Book {
        draws,
        spec,
        nodes,
        taken: Vec::new(),
    };
    book.each_kind_is_possible(reports)?;
    let mut found: Vec<ScheduledFault> = Vec::new();
    let mut arrives = draws.from;
    for number in 0..MAX_DRAWS {
        arrives = arrives.saturating_add(book.gap(number));
        let at = book.turn(arrives);
        let left = draws.until.saturating_sub(at);
        if left < LEAST {
            return Some(found);
        }
        if found.len() == draws.room {
            break;
        }
        let lasts = book.lasts(number).min(left);
        if let Some(fault) = book.fault(number, at, lasts) {
            book.take(&fault, at.saturating_add(lasts));
            found.push(fault);
        }
    }
    draws.report_too_many(draws.spec.name.span, reports);
    None
}

/// To whom it may happen: those selected, or everybody.
fn whole(draws: &Draws<'_, '_, '_>, spec: &ChaosSpec) -> Selection {
    let span = draws.spec.name.span;
    let all = || Selection {
        terms: vec![Spanned::new(Selector::All, span)],
        span,
    };
    spec.targets.clone().unwrap_or_else(all)
}

/// What was drawn so far, as far as it matters for what comes.
struct Book<'b, 'd, 'p, 't> {
    draws: &'b Draws<'d, 'p, 't>,
    spec: &'b ChaosSpec,
    nodes: Vec<NodeIndex>,
    /// Faults that may still be in force: until when, and the nodes whose processes or programs they
    /// change. Two of these on one node hide each other, where two of links add up.
    taken: Vec<(Duration, Vec<NodeIndex>)>,
}

impl Book<'_, '_, '_, '_> {
    fn gap(&self, number: u32) -> Duration {
        let mean = LengthSpec {
            mean: Duration::try_from_secs_f64(1.0 / self.spec.rate.0).unwrap_or(Duration::MAX),
            distribution: Distribution::Exponential,
            span: self.draws.spec.name.span,
        };
        let counters = [u64::from(number), GAP];
        self.draws.length(mean, Duration::ZERO, &counters)
    }

    fn lasts(&self, number: u32) -> Duration {
        let fixed = LengthSpec {
            mean: LASTS,
            distribution: Distribution::Fixed,
            span: self.draws.spec.name.span,
        };
        let counters = [u64::from(number), LENGTH];
        let lasts = self.spec.lasts.unwrap_or(fixed);
        self.draws.length(lasts, LEAST, &counters)
    }

    /// When there is room for one more, at `arrives` at the earliest.
    fn turn(&mut self, arrives: Duration) -> Duration {
        self.taken
            .retain(|(end, _)| end.saturating_add(CALM) > arrives);
        let mut ends: Vec<Duration> = self.taken.iter().map(|(end, _)| *end).collect();
        ends.retain(|end| *end > arrives);
        ends.sort_unstable_by(|a, b| b.cmp(a));
        // The next one begins when fewer than `max_at_once` are left.
        let most = self.spec.max_at_once as usize;
        ends.get(most - 1).copied().unwrap_or(arrives)
    }

    fn take(&mut self, fault: &ScheduledFault, end: Duration) {
        let node = |effect: &Effect| match effect {
            Effect::Node { node, .. } | Effect::Program { node, .. } => Some(*node),
            _ => None,
        };
        let nodes = fault.effects.iter().filter_map(node).collect();
        self.taken.push((end, nodes));
    }

    /// The fault of this number; none when no target was found for it.
    fn fault(&self, number: u32, at: Duration, lasts: Duration) -> Option<ScheduledFault> {
        let kinds = &self.spec.kinds;
        let kind = &kinds[self.draws.below(&[u64::from(number), KIND], kinds.len())];
        let ends = at.saturating_add(OVER);
        if !kind.value.0.lasts && ends > self.draws.until {
            return None;
        }
        let busy = |node: &NodeIndex| {
            let hit = |(end, nodes): &(Duration, Vec<NodeIndex>)| {
                end.saturating_add(CALM) > at && nodes.contains(node)
            };
            self.taken.iter().any(hit)
        };
        let free: Vec<NodeIndex> = self.nodes.iter().copied().filter(|n| !busy(n)).collect();
        let mut unheard = Vec::new();
        let tries = 0..TRIES;
        let mut tried = tries.map(|t| self.try_one(kind, &free, number, t, &mut unheard));
        let fault = tried.find_map(|fault| fault)?;
        Some(ScheduledFault {
            name: self.draws.spec.name.value.clone(),
            at,
            since: None,
            lasts: kind.value.0.lasts.then_some(lasts),
            ..fault
        })
    }

    /// One fault with drawn targets; none when it cannot happen to them.
    fn try_one(
        &self,
        kind: &Spanned<KindRef>,
        nodes: &[NodeIndex],
        number: u32,
        turn: u64,
        reports: &mut Vec<Diagnostic>,
    ) -> Option<ScheduledFault> {
        let target = self.target(kind.value.0, nodes, &[u64::from(number), TARGET, turn])?;
        // Draws of the kind's own are by this name: each occurrence has others.
        let name = &self.draws.spec.name;
        let numbered = Name::new(format!("{}-{}", name.value, number + 1));
        let spec = FaultSpec {
            name: Spanned::new(numbered.unwrap_or_else(|_| name.value.clone()), name.span),
            place: 0,
            kind: kind.value,
            target: Some(target),
            schedule: ScheduleSpec::default(),
            params: params(kind.value.0),
        };
        let place = self.draws.place;
        let fault = resolve(place.roster, place.places, self.draws.links, &spec, reports)?;
        (!fault.effects.is_empty()).then_some(fault)
    }

    fn target(&self, kind: &Kind, nodes: &[NodeIndex], counters: &[u64]) -> Option<TargetSpec> {
        let among = |own: u64, n: usize| {
            let counters: Vec<u64> = counters.iter().copied().chain([own]).collect();
            self.draws.below(&counters, n)
        };
        let first = *nodes.get(among(0, nodes.len()))?;
        let ends = || {
            let neighbours: Vec<NodeIndex> = self.neighbours(first);
            let other = *neighbours.get(among(1, neighbours.len()))?;
            Some(Ends {
                from: self.selection(&[first]),
                to: self.selection(&[other]),
                both: true,
                span: self.draws.spec.name.span,
            })
        };
        Some(match kind.target {
            TargetShape::Nodes => TargetSpec::Nodes(self.selection(&[first])),
            TargetShape::Links => TargetSpec::Links(ends()?),
            TargetShape::Degraded => {
                let change = degraded(among(2, 3), among(3, 10), self.draws.spec.name.span);
                TargetSpec::Degraded(ends()?, Box::new(change))
            }
            TargetShape::Groups => match SPLITS[among(1, SPLITS.len())] {
                Split::Isolate => TargetSpec::Split(Split::Isolate, self.selection(&[first])),
                split => TargetSpec::Split(split, self.selection(&self.nodes)),
            },
        })
    }

    /// Targets that have a wire to this one.
    fn neighbours(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let places = self.draws.place.places;
        let wired = |other: &NodeIndex| {
            let mut shared = places.shared(node, *other);
            *other != node && shared.any(|net| places.wires[net.at()].has(node, *other))
        };
        self.nodes.iter().copied().filter(wired).collect()
    }

    fn selection(&self, nodes: &[NodeIndex]) -> Selection {
        let span = self.draws.spec.name.span;
        let members = &self.draws.place.roster.members;
        let term = |node: &NodeIndex| {
            let name = members[node.at()].name.to_string();
            Spanned::new(Selector::Name(name), span)
        };
        let terms = match nodes == self.nodes {
            true => whole(self.draws, self.spec).terms,
            false => nodes.iter().map(term).collect(),
        };
        Selection { terms, span }
    }

    /// Reports kinds that cannot happen to any target.
    fn each_kind_is_possible(&self, reports: &mut Vec<Diagnostic>) -> Option<()> {
        if !self.draws.place.places.complete {
            return None; // What is missing was reported.
        }
        let mut possible = Some(());
        for (at, kind) in (0_u32..).zip(&self.spec.kinds) {
            let mut why = Vec::new();
            let mut tries = 0..TRIES;
            if tries.any(|t| self.try_one(kind, &self.nodes, at, t, &mut why).is_some()) {
                continue;
            }
            let what = &self.draws.place.what;
            let word = kind.value.0.name;
            let message = match why.first() {
                Some(why) => format!("{what} cannot draw `{word}`: {}", why.message),
                None => format!("{what} cannot draw `{word}`: its targets have nothing for it"),
            };
            reports.push(Diagnostic::error("bad-target", message).at(kind.span, ""));
            possible = None;
        }
        possible
    }
}

/// What is said beside a drawn kind: an orderly end takes [`GRACE`] at most, not the ten seconds that it
/// may take where somebody waits for it, so that it falls into the time that was drawn for it.
fn params(kind: &Kind) -> Params {
    let graces = kind.params.iter().filter(|param| param.name == "grace");
    graces
        .map(|grace| (grace.name, ParamValue::Duration(GRACE)))
        .collect()
}

/// A change of a link: later by 50 to 275 ms, jitter of 10 to 55 ms, or 3 to 30 points of loss.
fn degraded(what: usize, much: usize, span: crate::spec::Span) -> DegradeSpec {
    let much = much as u64 + 1;
    let millis = |n| Step::More(Duration::from_millis(n));
    let (said, by) = match what {
        0 => {
            let delay = 25 + 25 * much;
            let by = Steps {
                delay: Some(millis(delay)),
                ..Steps::default()
            };
            (format!("delay +{delay}ms"), by)
        }
        1 => {
            let loss = 3 * much;
            let by = Steps {
                loss: Some(Step::More(Ratio(loss as f64 / 100.0))),
                ..Steps::default()
            };
            (format!("loss +{loss}%"), by)
        }
        _ => {
            let (delay, jitter) = (20 + 10 * much, 5 + 5 * much);
            let by = Steps {
                delay: Some(millis(delay)),
                jitter: Some(millis(jitter)),
                ..Steps::default()
            };
            (format!("delay +{delay}ms, jitter +{jitter}ms"), by)
        }
    };
    let change = Degradation {
        by,
        ..Degradation::default()
    };
    DegradeSpec {
        said: vec![Spanned::new(said, span)],
        change,
    }
}
