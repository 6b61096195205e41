//! Faults of which each occurrence is drawn from the seed, before anything starts.
//!
//! Owns when draws begin and end, and how lengths of time are drawn. Must not know what is drawn
//! (`churn`, `chaos`). A draw depends on the seed, the fault's name and its own counters only: no
//! other fault shifts it.

use super::model::{Links, ScheduledFault};
use super::schedule::{healed_by, rounded};
use super::targets::Place;
use crate::id::NodeIndex;
use crate::spec::defaults::MAX_OCCURRENCES;
use crate::spec::{
    Diagnostic, Distribution, Drawn, DrawnSpec, LengthSpec, ScenarioSpec, Selection, Span,
};
use netlab_protocol::draw;
use netlab_protocol::duration::format as time;
use std::time::Duration;

/// What is drawn lasts so long at least: long enough to be seen, and to be healed on a busy host.
pub(super) const LEAST: Duration = Duration::from_secs(1);
/// Draws of one fault, those included that come to nothing.
pub(super) const MAX_DRAWS: u32 = 100_000;
/// The tail of [`Distribution::Pareto`].
const SHAPE: f64 = 1.5;

/// Where and when a fault is drawn.
pub(super) struct Draws<'d, 'p, 't> {
    /// The lab, with the fault as messages call it.
    pub place: &'d Place<'p, 't>,
    /// Declared properties of links, where they are known.
    pub links: Option<&'d [Links]>,
    /// The fault.
    pub spec: &'d DrawnSpec,
    /// Nothing begins earlier. Scenario time.
    pub from: Duration,
    /// Everything has healed by then. Scenario time.
    pub until: Duration,
    /// Occurrences that are left.
    pub room: usize,
}

/// The occurrences of a drawn fault by their time, numbered from 1; none when something was reported.
pub(super) fn draw(
    lab: &Place<'_, '_>,
    links: Option<&[Links]>,
    scenario: &ScenarioSpec,
    spec: &DrawnSpec,
    room: &mut usize,
    reports: &mut Vec<Diagnostic>,
) -> Option<Vec<ScheduledFault>> {
    let (from, until) = frame(scenario, spec, reports)?;
    let place = Place {
        roster: lab.roster,
        places: lab.places,
        what: format!("the fault `{}`", spec.name.value),
    };
    let draws = Draws {
        place: &place,
        links,
        spec,
        from,
        until,
        room: *room,
    };
    let mut faults = match &spec.what {
        Drawn::Churn(churn) => super::churn::churn(&draws, churn, reports)?,
        Drawn::Chaos(chaos) => super::chaos::chaos(&draws, chaos, reports)?,
    };
    if faults.is_empty() {
        let name = &spec.name.value;
        let message = format!("nothing is drawn of `{name}` with this seed");
        reports.push(
            Diagnostic::warning("nothing-drawn", message)
                .at(spec.name.span, "")
                .help("give it more time, or draw more often"),
        );
    }
    *room = room.saturating_sub(faults.len());
    for (fault, number) in faults.iter_mut().zip(1..) {
        fault.occurrence = number;
    }
    Some(faults)
}

/// From when to when there are draws; reports a time after the end.
fn frame(
    scenario: &ScenarioSpec,
    spec: &DrawnSpec,
    reports: &mut Vec<Diagnostic>,
) -> Option<(Duration, Duration)> {
    // A quiet period that is too long was reported with the other faults.
    let end = healed_by(scenario, &mut Vec::new())?;
    let from = spec.at.as_ref().map_or(Duration::ZERO, |at| at.value);
    let until = spec.until.as_ref().map_or(end, |until| until.value);
    let late = match (&spec.at, &spec.until) {
        (_, Some(until)) if until.value > end => Some(("end", until)),
        (Some(at), _) if at.value >= end => Some(("begin", at)),
        _ => None,
    };
    let Some((does, when)) = late else {
        return Some((from, until));
    };
    let name = &spec.name.value;
    let message = format!(
        "the fault `{name}` would {does} at {}, later than everything has to have healed",
        time(when.value)
    );
    reports.push(
        Diagnostic::error("fault-too-late", message)
            .at(when.span, "")
            .help(format!("that is at {}", time(end))),
    );
    None
}

impl Draws<'_, '_, '_> {
    /// A number from `[0, 1)` for these counters.
    pub fn unit(&self, counters: &[u64]) -> f64 {
        draw::unit(self.place.roster.topology.seed, &self.counters(counters))
    }

    /// A number from `0..n` for these counters.
    pub fn below(&self, counters: &[u64], n: usize) -> usize {
        let seed = self.place.roster.topology.seed;
        draw::below(seed, &self.counters(counters), n as u64) as usize
    }

    /// A length of time for these counters, `least` at least; in whole milliseconds.
    pub fn length(&self, spec: LengthSpec, least: Duration, counters: &[u64]) -> Duration {
        let drawn = stretched(spec.distribution, self.unit(counters));
        let seconds = spec.mean.as_secs_f64() * drawn;
        let length = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        rounded(length).max(least)
    }

    fn counters(&self, own: &[u64]) -> Vec<u64> {
        let name = draw::name(self.spec.name.value.as_str());
        [draw::name("drawn"), name]
            .into_iter()
            .chain(own.iter().copied())
            .collect()
    }

    /// Whom the draws are among; the engine's host is none of them.
    pub fn members(&self, of: &Selection, reports: &mut Vec<Diagnostic>) -> Option<Vec<NodeIndex>> {
        let nodes = self.place.roster.select(of, &self.place.what, reports)?;
        if !nodes.iter().any(|node| self.place.roster.is_host(*node)) {
            return Some(nodes);
        }
        let message = "nothing is drawn for `host`, the engine's host";
        reports.push(Diagnostic::error("bad-target", message).at(of.span, ""));
        None
    }

    /// Reports that there is more than a scenario may have.
    pub fn report_too_many(&self, place: Span, reports: &mut Vec<Diagnostic>) {
        let name = &self.spec.name.value;
        let message = format!("`{name}` happens too often");
        reports.push(
            Diagnostic::error("too-many", message)
                .at(place, "")
                .help(format!(
                    "all faults together may begin {MAX_OCCURRENCES} times"
                )),
        );
    }
}

/// A length of mean 1 at this place of its distribution.
fn stretched(distribution: Distribution, at: f64) -> f64 {
    match distribution {
        Distribution::Fixed => 1.0,
        Distribution::Uniform => 2.0 * at,
        Distribution::Exponential => -(1.0 - at).ln(),
        Distribution::Pareto => (SHAPE - 1.0) / SHAPE * (1.0 - at).powf(-1.0 / SHAPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Midpoints of 10^5 equal parts of the distribution. Of the heavy tail the last part has 1 % of
    /// the mean, so that its sum falls short by about that.
    #[test]
    fn all_distributions_have_the_mean_that_is_said() {
        let all = [
            (Distribution::Fixed, 1e-9),
            (Distribution::Uniform, 1e-9),
            (Distribution::Exponential, 1e-4),
            (Distribution::Pareto, 0.02),
        ];
        for (distribution, allowed) in all {
            let at = |i: u32| stretched(distribution, (f64::from(i) + 0.5) / 1e5);
            let mean = (0..100_000).map(at).sum::<f64>() / 1e5;
            assert!((mean - 1.0).abs() < allowed, "{distribution:?}: {mean}");
        }
    }
}
