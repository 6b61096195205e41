//! What follows from what was seen of a fault. Pure.
//!
//! Owns the rules of evidence. A fault is proven when every effect was seen at its begin and at its
//! end; *masked* when another one hides all of it; anything else makes the run inconclusive.

mod answers;
mod crashes;
mod limits;
mod volumes;
mod wipes;

use super::desire::Desired;
use super::process::{NodeSight, Process};
use super::prove::{Case, Expected, Moment, Seen};
use crate::fabric::{LinkWitness, Place, TRIED};
use crate::fault::{Effect, Pairs, Proof};
use crate::id::NodeIndex;
use std::time::Duration;

/// Packets from which on times on a link are judged.
const FEW: u64 = 20;
/// Packets from which on their loss is judged.
const MANY: u64 = 100;
/// Time from which on it is judged at all.
const SETTLED: Duration = Duration::from_millis(500);
/// A share lies within so many standard errors of the declared one (six in ten million do not).
const ERRORS: f64 = 5.0;

/// What was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// What was seen, in one line.
    pub seen: String,
    /// Whether another fault hid all of it.
    pub masked: bool,
}

/// Judges a case; the error says why it proves nothing.
pub(super) fn judge(
    effects: &[Effect],
    case: &Case,
    name: &dyn Fn(NodeIndex) -> String,
) -> Result<Judged, String> {
    let mut said = Vec::new();
    let mut visible = false;
    let court = Court::new(case, name)?;
    for effect in effects {
        let (text, seen) = match effect.proof() {
            Proof::Silent(pairs) => court.silent(pairs)?,
            Proof::Changed(pairs) => court.changed(pairs)?,
            Proof::Flapping(pairs) => court.flapping(pairs)?,
            Proof::Answered(nodes) => court.answered(nodes)?,
            Proof::Reset(_) => court.reset()?,
            Proof::Gone(node) => court.gone(node)?,
            Proof::Frozen(node) => court.frozen(node)?,
            Proof::Anew(node) => court.anew(node)?,
            Proof::Crashing(node, crashes) => court.crashing(node, crashes)?,
            Proof::Emptied(node) => court.emptied(node)?,
            Proof::Limited(node) => court.limited(node)?,
            Proof::Full(node) => court.full(node)?,
            Proof::ReadOnly(node) => court.read_only(node)?,
            Proof::Spoilt(node, wrong) => court.spoilt(node, wrong)?,
        };
        visible |= seen;
        said.extend(text);
    }
    if !visible && case.others.is_empty() {
        return Err("everything is as it would be without it".to_owned());
    }
    said.dedup();
    let (looked, all) = (case.links.len(), case.all_links);
    if looked < all {
        said.push(format!("{looked} of {all} links were looked at"));
    }
    Ok(Judged {
        seen: said.join("; "),
        masked: !visible,
    })
}

/// One line, where there is something to say, and whether the effect made a difference.
type Finding = Result<(Option<String>, bool), String>;

struct Court<'c> {
    case: &'c Case,
    begun: &'c Seen,
    /// The last look at it in force: none for what is over at once.
    ending: Option<&'c Seen>,
    after: Option<&'c Seen>,
    name: &'c dyn Fn(NodeIndex) -> String,
}

impl<'c> Court<'c> {
    fn new(case: &'c Case, name: &'c dyn Fn(NodeIndex) -> String) -> Result<Court<'c>, String> {
        let at = |moment| case.seen.get(&moment);
        let never = || "the agent was away while it began, or was in force".to_owned();
        Ok(Court {
            case,
            begun: at(Moment::Begun).ok_or_else(never)?,
            ending: at(Moment::Ending),
            after: at(Moment::After),
            name,
        })
    }

    /// Both looks at a fault in force.
    fn looks(&self) -> impl Iterator<Item = &'c Seen> {
        [Some(self.begun), self.ending].into_iter().flatten()
    }

    fn link(&self, (_, from, to): Place) -> String {
        format!("`{} → {}`", (self.name)(from), (self.name)(to))
    }

    /// The places of the links of `pairs` in what was looked at.
    fn of<'p>(&'p self, pairs: &'p Pairs) -> impl Iterator<Item = usize> + 'p {
        let links = self.case.links.iter().enumerate();
        links
            .filter(|(_, (_, from, to))| pairs.contains(*from, *to))
            .map(|(at, _)| at)
    }

    fn silent(&self, pairs: &Pairs) -> Finding {
        let (mut tried, mut links, mut visible) = (0, 0_u64, false);
        for at in self.of(pairs) {
            links += 1;
            for look in self.looks() {
                let (witness, expected) = (&look.sight.links[at], &look.links[at]);
                visible |= expected.differs();
                if !witness.down || witness.would_arrive > 0 {
                    return Err(format!("{} is up in the fabric", self.link(witness.place)));
                }
            }
            let Some(ending) = self.ending else { continue };
            let (first, last) = (&self.begun.sight.links[at], &ending.sight.links[at]);
            let passed = last.packets.saturating_sub(first.packets);
            if passed > 0 {
                let link = self.link(last.place);
                return Err(format!("{passed} packets passed {link}"));
            }
            tried += last.dropped.total().saturating_sub(first.dropped.total());
        }
        let text = match tried {
            _ if links == 0 => return Ok((None, false)),
            0 => format!(
                "no packet came; of {} made for it 0 pass",
                links * u64::from(TRIED)
            ),
            1 => "1 packet tried, 0 passed".to_owned(),
            tried => format!("{tried} packets tried, 0 passed"),
        };
        Ok((Some(text), visible))
    }

    fn changed(&self, pairs: &Pairs) -> Finding {
        let (mut links, mut visible) = (0_u64, false);
        let mut measured = Measured::default();
        for at in self.of(pairs) {
            links += 1;
            for look in self.looks() {
                let (witness, expected) = (&look.sight.links[at], &look.links[at]);
                visible |= expected.differs();
                let now = expected.now;
                if witness.down != now.down || witness.properties != now.properties {
                    let link = self.link(witness.place);
                    return Err(format!("{link} is not so in the fabric"));
                }
            }
            let Some(ending) = self.ending else { continue };
            let (first, last) = (&self.begun.sight.links[at], &ending.sight.links[at]);
            if self.is_steady(ending, at) {
                let one = Measured::of(first, last);
                one.judge(&ending.links[at])
                    .map_err(|why| format!("{}: {why}", self.link(last.place)))?;
                measured.add(one);
            }
        }
        let text = (links > 0).then(|| {
            let links = match links {
                1 => "1 link".to_owned(),
                n => format!("{n} links"),
            };
            format!("in force on {links}; {measured}")
        });
        Ok((text, visible))
    }

    /// Whether nothing else changed what packets went through, for long enough that those under way
    /// when it began do not count.
    fn is_steady(&self, ending: &Seen, at: usize) -> bool {
        let (first, last) = (self.begun.links[at].now, ending.links[at].now);
        let needed = 5 * (last.properties.delay + 4 * last.properties.jitter) + SETTLED;
        let lasted = Duration::from_nanos(ending.at.saturating_sub(self.begun.at));
        first == last && !self.case.disturbed && lasted >= needed
    }

    fn flapping(&self, pairs: &Pairs) -> Finding {
        let (mut dropped, mut links, mut visible) = (0, 0, false);
        for at in self.of(pairs) {
            links += 1;
            for look in self.looks() {
                let (witness, expected) = (&look.sight.links[at], &look.links[at]);
                visible |= expected.differs();
                if witness.down != expected.now.down {
                    return Err(format!(
                        "{} is not so in the fabric",
                        self.link(witness.place)
                    ));
                }
            }
            let first = &self.begun.sight.links[at];
            if !first.down {
                return Err(format!("{} was up when it began", self.link(first.place)));
            }
            let last = self.ending.map_or(first, |ending| &ending.sight.links[at]);
            dropped += last.dropped.down.saturating_sub(first.dropped.down);
        }
        let text = format!("down when it began; {dropped} packets dropped while down");
        Ok(((links > 0).then_some(text), visible))
    }

    fn answered(&self, nodes: &[NodeIndex]) -> Finding {
        let mut visible = false;
        for look in self.looks() {
            let (now, without) = &look.manners;
            for node in nodes {
                visible |= now.get(node) != without.get(node);
                if look.sight.manners.get(node) != now.get(node) {
                    let name = (self.name)(*node);
                    return Err(format!("the resolver answers `{name}` otherwise"));
                }
            }
        }
        let text = match nodes {
            [node] => format!("in force for {}", (self.name)(*node)),
            nodes => format!("in force for {} nodes", nodes.len()),
        };
        Ok((Some(text), visible))
    }

    fn reset(&self) -> Finding {
        match self.case.reset {
            0 => Err("no connection was reset".to_owned()),
            1 => Ok((Some("1 connection reset".to_owned()), true)),
            count => Ok((Some(format!("{count} connections reset")), true)),
        }
    }

    /// What was seen of a node at a moment.
    fn node(&self, seen: &'c Seen, node: NodeIndex) -> Option<(&'c NodeSight, Desired)> {
        let at = self.case.nodes.iter().position(|other| *other == node)?;
        Some((seen.sight.nodes.get(at)?, *seen.nodes.get(at)?))
    }

    fn before(&self, node: NodeIndex) -> Option<&'c NodeSight> {
        Some(self.node(self.case.seen.get(&Moment::Before)?, node)?.0)
    }

    fn gone(&self, node: NodeIndex) -> Finding {
        let name = (self.name)(node);
        let mut visible = false;
        for look in self.looks() {
            let Some((sight, without)) = self.node(look, node) else {
                continue;
            };
            visible |= !matches!(without, Desired::Dead(_));
            if let Some(process) = sight.process {
                return Err(format!("process {} of `{name}` is there", process.pid));
            }
        }
        match self.before(node).and_then(|before| before.process) {
            // Another fault had killed it, or keeps it dead.
            _ if !visible => Ok((None, false)),
            None if self.case.others.is_empty() => {
                Err(format!("`{name}` had no process before, either"))
            }
            None => Ok((Some(format!("{name} stays gone")), true)),
            Some(process) => Ok((Some(format!("{name}: process {} gone", process.pid)), true)),
        }
    }

    fn frozen(&self, node: NodeIndex) -> Finding {
        let name = (self.name)(node);
        let mut visible = false;
        for look in self.looks() {
            let Some((sight, without)) = self.node(look, node) else {
                continue;
            };
            visible |= without == Desired::Running;
            let dead = matches!(without, Desired::Dead(_));
            if !dead && (sight.process.is_none() || sight.frozen == Some(false)) {
                return Err(format!("`{name}` is not frozen"));
            }
        }
        if !visible {
            return Ok((None, false));
        }
        let last = self.ending.and_then(|seen| self.node(seen, node));
        if let (Some((first, _)), Some((last, _))) = (self.node(self.begun, node), last)
            && first.frozen.is_none()
            && first.ran != last.ran
        {
            return Err(format!("`{name}` ran while it was to be frozen"));
        }
        Ok((Some(format!("{name}: frozen")), true))
    }

    fn anew(&self, node: NodeIndex) -> Finding {
        let name = (self.name)(node);
        let was = self.before(node).and_then(|before| before.process);
        let is = self.after.and_then(|after| self.node(after, node));
        let Some((after, Desired::Running)) = is else {
            return Ok((None, false));
        };
        match after.process {
            None => return Err(format!("`{name}` has no process after its restart")),
            process if process == was => {
                return Err(format!("`{name}` has the process that it had before"));
            }
            Some(_) => {}
        }
        let pid = |process: Option<Process>| {
            process.map_or("none".to_owned(), |process| process.pid.to_string())
        };
        let text = format!("{name}: process {}, then {}", pid(was), pid(after.process));
        Ok((Some(text), true))
    }
}

/// What packets went through on links.
#[derive(Default)]
struct Measured {
    packets: u64,
    lost: u64,
    /// Medians of links, with how many packets each is of.
    times: Vec<(Duration, u64)>,
}

impl Measured {
    fn of(first: &LinkWitness, last: &LinkWitness) -> Measured {
        let delays = last.delays.since(&first.delays);
        let times = delays
            .quantile(0.5)
            .map(|median| (median, delays.packets()));
        Measured {
            packets: last.packets.saturating_sub(first.packets),
            lost: last.dropped.loss.saturating_sub(first.dropped.loss),
            times: times.into_iter().collect(),
        }
    }

    fn add(&mut self, other: Measured) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.times.extend(other.times);
    }

    /// Against what is declared, where that can be told.
    fn judge(&self, expected: &Expected) -> Result<(), String> {
        let declared = &expected.now.properties;
        // No packet is earlier than declared; those that overtake are meant to be.
        let least = declared.delay.saturating_sub(4 * declared.jitter);
        if let [(median, packets)] = self.times[..]
            && packets >= FEW
            && declared.reorder.is_none()
            && median < least
        {
            return Err(format!("packets took {median:?}, not {least:?} or more"));
        }
        let tried = self.packets + self.lost;
        let plain = declared.loss_bursts.is_none()
            && declared.loss_every == 0
            && declared.loss_correlation.0 == 0.0
            && declared.duplicate.0 == 0.0;
        let (all, share) = (tried as f64, declared.loss.0);
        let spread = ERRORS * (all * share * (1.0 - share)).sqrt() + ERRORS;
        if plain && tried >= MANY && (self.lost as f64 - all * share).abs() > spread {
            let lost = self.lost;
            return Err(format!(
                "{lost} of {tried} packets were lost, declared {share}"
            ));
        }
        Ok(())
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut times = self.times.clone();
        times.sort();
        let half = times
            .iter()
            .map(|(_, packets)| packets)
            .sum::<u64>()
            .div_ceil(2);
        let mut seen = 0;
        let median = times.iter().find(|(_, packets)| {
            seen += packets;
            seen >= half
        });
        match median {
            None => write!(f, "no packet came")?,
            Some((median, _)) => {
                let ms = median.as_secs_f64() * 1e3;
                write!(f, "{} packets took {ms:.1} ms in the middle", self.packets)?;
            }
        }
        match self.lost {
            0 => Ok(()),
            lost => write!(f, ", {lost} were lost"),
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
pub(super) mod tests;
