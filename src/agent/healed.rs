//! Whether a fault's effect is gone after its heal, as far as others in force let it be seen. Pure.
//!
//! Owns the rules for the last look at each occurrence; what is compared is what the kernel and the
//! fabric say then with what the faults still in force make of the lab. That of the whole lab with
//! what it was is `compare`'s.

use super::compare::changed;
use super::core::Core;
use super::desire::Desired;
use super::process::{NodeSight, Process};
use super::prove::{Case, Moment, Seen, labels};
use super::volumes::VolumeState;
use crate::fabric::{Place, TRIED};
use crate::fault::{Effect, Proof};
use crate::id::NodeIndex;
use crate::link::LinkProperties;
use crate::record::event::What;

/// Nodes that are named one by one.
const FEW: usize = 3;

/// What was seen after a heal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Healed {
    /// The effect is gone.
    Gone(String),
    /// All that it touched is still held by others.
    Hidden,
}

/// Judges the last look of a case; none: it was not looked at, or there is nothing that could heal.
/// The error says what of the effect remains.
pub(super) fn judge(
    effects: &[Effect],
    case: &Case,
    name: &dyn Fn(NodeIndex) -> String,
) -> Option<Result<Healed, String>> {
    let after = case.seen.get(&Moment::After)?;
    let last = Last { case, after, name };
    let findings = [
        last.links(),
        last.answers(),
        last.programs(),
        last.nodes(effects),
    ];
    let findings: Result<Vec<Finding>, String> = findings.into_iter().collect();
    let findings = match findings {
        Err(remains) => return Some(Err(remains)),
        Ok(findings) => findings,
    };
    let mut all = findings.into_iter().flatten().peekable();
    all.peek()?;
    let seen: Vec<String> = all.flatten().collect();
    match (seen.is_empty(), case.holders.is_empty()) {
        (false, _) => Some(Ok(Healed::Gone(seen.join("; ")))),
        (true, false) => Some(Ok(Healed::Hidden)),
        (true, true) => None,
    }
}

/// None: the case has nothing of this sort; inside, what was seen of its going, where that could be.
type Finding = Option<Option<String>>;

struct Last<'c> {
    case: &'c Case,
    after: &'c Seen,
    name: &'c dyn Fn(NodeIndex) -> String,
}

impl Last<'_> {
    /// The looks at the fault in force.
    fn looks(&self) -> impl Iterator<Item = &Seen> {
        let moments = [Moment::Begun, Moment::Ending].into_iter();
        moments.filter_map(|moment| self.case.seen.get(&moment))
    }

    fn links(&self) -> Result<Finding, String> {
        let (mut other, mut made, mut passed) = (0_u64, 0_u64, 0_u64);
        let seen = self.after.sight.links.iter().zip(&self.after.links);
        for (at, (witness, expected)) in seen.enumerate() {
            let (link, now) = (self.link(witness.place), expected.now);
            match (witness.down, now.down) {
                (true, false) => return Err(format!("{link} is down")),
                (false, true) => return Err(format!("{link} is up, which another fault cuts")),
                _ if witness.properties == now.properties => {}
                _ => {
                    return Err(format!(
                        "{link} {}",
                        changed(&now.properties, &witness.properties)
                    ));
                }
            }
            if !now.down && carries_all(&now.properties) {
                made += u64::from(TRIED);
                passed += u64::from(witness.would_arrive);
                if witness.would_arrive == 0 {
                    return Err(format!("of {TRIED} packets made for {link} 0 pass"));
                }
            }
            let was_other = self
                .looks()
                .any(|look| look.links.get(at).is_some_and(|l| l.now != now));
            other += u64::from(was_other);
        }
        let number = match other {
            1 => "1 link".to_owned(),
            n => format!("{n} links"),
        };
        let text = match made {
            0 => format!("{number} as without it"),
            made => {
                format!("{number} as without it, {passed} of {made} packets made for them pass")
            }
        };
        Ok((!self.case.links.is_empty()).then(|| (other > 0).then_some(text)))
    }

    fn link(&self, (_, from, to): Place) -> String {
        format!("`{} → {}`", (self.name)(from), (self.name)(to))
    }

    fn answers(&self) -> Result<Finding, String> {
        let asking = &self.case.asking;
        let (wanted, seen) = (&self.after.manners.0, &self.after.sight.manners);
        if let Some(node) = asking
            .iter()
            .find(|node| wanted.get(node) != seen.get(node))
        {
            let name = (self.name)(*node);
            return Err(format!("the resolver answers `{name}` otherwise"));
        }
        let was_other = |node: &NodeIndex| {
            let mut looks = self.looks();
            looks.any(|look| look.manners.0.get(node) != wanted.get(node))
        };
        let other: Vec<NodeIndex> = asking.iter().copied().filter(was_other).collect();
        let text =
            (!other.is_empty()).then(|| format!("{} answered as without it", self.those(&other)));
        Ok((!asking.is_empty()).then_some(text))
    }

    /// Whether each program that misbehaved answers rightly, where no other fault is in the way.
    fn programs(&self) -> Result<Finding, String> {
        let mut right = Vec::new();
        for (node, replies) in &self.after.sight.replies {
            let (name, wrong) = ((self.name)(*node), replies.corrupt + replies.stale);
            match replies.right {
                _ if wrong > 0 => {
                    let asked = replies.asked;
                    return Err(format!("{wrong} of {asked} answers of `{name}` are wrong"));
                }
                0 => return Err(format!("`{name}` does not answer")),
                _ => right.push(*node),
            }
        }
        let programs = &self.case.programs;
        let text = (!right.is_empty()).then(|| format!("{} answers rightly", self.those(&right)));
        Ok((!programs.is_empty()).then_some(text))
    }

    /// Whether each node that was lost or frozen is at work, where no other fault keeps it from it.
    fn nodes(&self, effects: &[Effect]) -> Result<Finding, String> {
        let (mut any, mut back) = (false, Vec::new());
        for effect in effects {
            let (node, was, anew) = match effect.proof() {
                Proof::Gone(node) | Proof::Anew(node) | Proof::Crashing(node, _) => {
                    (node, self.process(Moment::Before, node), true)
                }
                Proof::Frozen(node) => (node, self.process(Moment::Ending, node), false),
                Proof::Full(node) | Proof::ReadOnly(node) => {
                    any = true;
                    back.extend(self.is_writable(node)?.then_some(node));
                    continue;
                }
                Proof::Limited(node) => {
                    any = true;
                    back.extend(self.is_free(node)?.then_some(node));
                    continue;
                }
                Proof::Silent(_) | Proof::Changed(_) | Proof::Flapping(_) => continue,
                Proof::Answered(_) | Proof::Reset(_) | Proof::Emptied(_) | Proof::Spoilt(..) => {
                    continue;
                }
            };
            any = true;
            let Some((sight, Desired::Running)) = self.node(self.after, node) else {
                continue;
            };
            // Whom another fault had killed has no process that could go on.
            if anew || was.is_some() {
                self.is_back(node, sight, was, anew)?;
                back.push(node);
            }
        }
        let text = (!back.is_empty()).then(|| format!("{} at work", self.those(&back)));
        Ok(any.then_some(text))
    }

    /// What was seen of a node, and what it was to be without this fault.
    fn node<'s>(&self, seen: &'s Seen, node: NodeIndex) -> Option<(&'s NodeSight, Desired)> {
        let at = self.case.nodes.iter().position(|other| *other == node)?;
        Some((seen.sight.nodes.get(at)?, *seen.nodes.get(at)?))
    }

    fn process(&self, moment: Moment, node: NodeIndex) -> Option<Process> {
        self.node(self.case.seen.get(&moment)?, node)?.0.process
    }

    /// Whether a node runs and has back what a limit took from it; and who was killed for it, lives.
    fn is_free(&self, node: NodeIndex) -> Result<bool, String> {
        let at = self.case.nodes.iter().position(|other| *other == node);
        let limits = at.and_then(|at| self.after.limits.get(at));
        let (Some((sight, Desired::Running)), Some((wanted, _))) =
            (self.node(self.after, node), limits)
        else {
            return Ok(false);
        };
        if self.case.out_of_memory.contains(&node) {
            self.is_back(node, sight, self.process(Moment::Before, node), true)?;
        }
        match sight.allowed() {
            Some(allowed) if allowed == *wanted => Ok(true),
            Some(allowed) => Err(format!(
                "the cgroup of `{}` allows {allowed}, not {wanted}",
                (self.name)(node)
            )),
            None => Err(format!("`{}` has no process", (self.name)(node))),
        }
    }

    /// Whether something can be written on a node's volume, where no other fault is in the way.
    fn is_writable(&self, node: NodeIndex) -> Result<bool, String> {
        let at = self.case.nodes.iter().position(|other| *other == node);
        let seen = at.and_then(|at| {
            let wanted = self.after.volumes.get(at)?.0;
            Some((self.after.sight.nodes.get(at)?.volume, wanted))
        });
        let name = (self.name)(node);
        match seen {
            Some((None, _)) => Err(format!("the volume of `{name}` cannot be seen")),
            Some((Some(volume), wanted)) if volume.read_only && !wanted.read_only => {
                Err(format!("the volume of `{name}` is read-only"))
            }
            Some((Some(volume), wanted)) if volume.free == 0 && !wanted.full => {
                Err(format!("the volume of `{name}` is full"))
            }
            Some((_, wanted)) => Ok(wanted == VolumeState::default()),
            None => Ok(false),
        }
    }

    /// In another process than `was`, or in the same.
    fn is_back(
        &self,
        node: NodeIndex,
        after: &NodeSight,
        was: Option<Process>,
        anew: bool,
    ) -> Result<(), String> {
        let name = (self.name)(node);
        match after.process {
            None => Err(format!("`{name}` has no process")),
            Some(_) if after.frozen == Some(true) => Err(format!("`{name}` is frozen")),
            Some(process) if anew == (Some(process) == was) => match anew {
                true => Err(format!("`{name}` has the process that it had before")),
                false => Err(format!("`{name}` has another process than before")),
            },
            Some(_) => Ok(()),
        }
    }

    fn those(&self, nodes: &[NodeIndex]) -> String {
        match nodes.len() {
            0..=FEW => nodes
                .iter()
                .map(|node| (self.name)(*node))
                .collect::<Vec<_>>()
                .join(", "),
            many => format!("{many} nodes"),
        }
    }
}

/// Whether every small packet that is sent passes: by chance or a full queue none is lost.
fn carries_all(link: &LinkProperties) -> bool {
    let loses = link.loss.0 > 0.0 || link.loss_every > 0 || link.loss_bursts.is_some();
    !loses && !link.down && link.rate.is_none() && link.trace.is_none()
}

impl Core {
    /// Records what came of a heal; what remains of the effect makes the run inconclusive.
    pub(super) fn prove_healed(&mut self, now: u64, fault: usize, case: &Case, is_proven: bool) {
        let effects = &self.faults.get(fault).effects;
        let judged = judge(effects, case, &|node| self.name(node));
        let label = self.faults.label(fault);
        // One of before the agent's own restart.
        let was_seen = case.seen.contains_key(&Moment::Begun);
        let (fault, occurrence) = self.faults.id(fault);
        let what = match judged {
            Some(Err(why)) => {
                self.reason(format!(
                    "fault `{label}` was healed, but not all is back: {why}"
                ));
                What::HealUnproven {
                    fault,
                    occurrence,
                    why,
                }
            }
            Some(Ok(Healed::Gone(seen))) if is_proven || !was_seen => What::HealProven {
                fault,
                occurrence,
                seen,
            },
            Some(Ok(Healed::Hidden)) if is_proven => What::HealMasked {
                fault,
                occurrence,
                by: labels(&case.holders),
            },
            // What had no effect, or was over at once, leaves nothing to be seen.
            _ => return,
        };
        self.event(now, what);
    }
}

#[cfg(test)]
#[path = "healed_tests.rs"]
mod tests;
