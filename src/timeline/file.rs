//! A timeline as a record keeps it: complete, so that it can be played again.
//!
//! Owns the form of `timeline.json`, and what has to be so for it to fit a lab. Must not read files.

use super::{Entry, Moment, Timeline};
use crate::fault::{Effect, LinkEffect};
use crate::id::{Name, NodeIndex, occurrence_label};
use crate::lab::{Condition, Lab, Scenario, ScheduledFault};
use crate::spec::defaults::MAX_OCCURRENCES;
use crate::units::duration;
use netlab_protocol::duration::format as time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Version of [`Recorded`]'s serialised form. The first had no conditions; what came before it had no
/// number, times and names only.
pub const FORMAT: u32 = 2;
/// The oldest form that is still played.
const OLDEST: u32 = 1;
/// Misfits that are told.
const TOLD: usize = 20;

/// The effective timeline of a run: every occurrence of every fault with its time, its target and
/// what it does, whatever said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// [`FORMAT`].
    pub format: u32,
    /// The names of the nodes; the effects' indices point here.
    pub nodes: Vec<Name>,
    /// Load runs and nothing counts yet.
    #[serde(with = "duration")]
    pub warmup: Duration,
    /// From the end of the warm-up to the end.
    #[serde(with = "duration")]
    pub duration: Duration,
    /// The last part of `duration`: every fault has healed before.
    #[serde(with = "duration")]
    pub quiet: Duration,
    /// What faults waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What became of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moments: Vec<Moment>,
    /// Every occurrence, with its effects. Times are scenario time. What began by a condition has the
    /// time at which it did, as if the file had said so; `since` is left where it has not begun.
    pub faults: Vec<ScheduledFault>,
    /// Begins and heals in the order in which they are due, on the run's clock.
    pub entries: Vec<Entry>,
    /// End of the scenario on the run's clock.
    #[serde(with = "duration")]
    pub end: Duration,
}

/// Why a timeline cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It was written by another version of netlab.
    #[error("it is of format {found}, and this netlab plays format {FORMAT}")]
    Format {
        /// Its format; 0 where it says none.
        found: u64,
    },
    /// It is no timeline.
    #[error("it is no timeline of netlab: {why}")]
    Unreadable {
        /// Why.
        why: String,
    },
    /// The run had no scenario.
    #[error("the run that it is of had no scenario")]
    Empty,
    /// What it needs is not in the lab.
    #[error("it does not fit the lab `{lab}`: {}", missing.join("; "))]
    Missing {
        /// The lab.
        lab: Name,
        /// What.
        missing: Vec<String>,
    },
}

impl Recorded {
    /// The timeline of a lab whose run has told this of its conditions; none where it has no scenario.
    pub fn of(lab: &Lab, moments: &[Moment]) -> Option<Recorded> {
        let scenario = lab.scenario.as_ref()?;
        let Timeline { entries, end } = Timeline::told_by(scenario, moments);
        let begun: BTreeSet<usize> = entries.iter().map(|entry| entry.fault).collect();
        let known = |(index, fault): (usize, &ScheduledFault)| {
            let waited = fault.since.is_some() && begun.contains(&index);
            match Moment::begin(fault, moments).filter(|_| waited) {
                Some(at) => ScheduledFault {
                    at,
                    since: None,
                    // It heals with all others, however long it should have lasted.
                    lasts: fault.lasts.map(|l| l.min(scenario.healed_by() - at)),
                    ..fault.clone()
                },
                None => fault.clone(),
            }
        };
        let faults = scenario.faults.iter().enumerate().map(known).collect();
        Some(Recorded {
            format: FORMAT,
            nodes: lab.nodes.iter().map(|node| node.name.clone()).collect(),
            warmup: scenario.warmup,
            duration: scenario.duration,
            quiet: scenario.quiet,
            conditions: scenario.conditions.clone(),
            moments: moments.to_vec(),
            faults,
            entries,
            end,
        })
    }

    /// The timeline in the text of a `timeline.json`.
    ///
    /// # Errors
    /// A text that is none, of another version, or of a run without a scenario.
    pub fn parse(text: &str) -> Result<Recorded, Misfit> {
        let unreadable = |error: serde_json::Error| Misfit::Unreadable {
            why: error.to_string(),
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
        if value.is_null() {
            return Err(Misfit::Empty);
        }
        let format = value.get("format").map_or(Some(0), |f| f.as_u64());
        match format {
            Some(found) if (u64::from(OLDEST)..=u64::from(FORMAT)).contains(&found) => {
                serde_json::from_value(value).map_err(unreadable)
            }
            found => Err(Misfit::Format {
                found: found.unwrap_or(0),
            }),
        }
    }

    /// Makes it the scenario of `lab`, whose nodes it names. What had not begun by its condition does
    /// not happen.
    ///
    /// # Errors
    /// [`Misfit::Missing`] with all that is missing.
    pub fn onto(&self, lab: &mut Lab) -> Result<(), Misfit> {
        let mut missing = BTreeSet::new();
        if self.quiet >= self.duration {
            missing.insert("its quiet period is all of it".to_owned());
        }
        if self.faults.len() > MAX_OCCURRENCES {
            missing.insert(format!("more than {MAX_OCCURRENCES} faults"));
        }
        let known = (0_u32..).zip(&lab.nodes);
        let known = known
            .map(|(at, node)| (&node.name, NodeIndex(at)))
            .collect();
        let faults = self.faults.iter().filter(|fault| fault.since.is_none());
        let faults = faults
            .map(|fault| self.fitted(fault, lab, &known, &mut missing))
            .collect();
        if !missing.is_empty() {
            return Err(Misfit::Missing {
                lab: lab.name.clone(),
                missing: missing.into_iter().take(TOLD).collect(),
            });
        }
        lab.scenario = Some(Scenario {
            warmup: self.warmup,
            duration: self.duration,
            quiet: self.quiet,
            conditions: Vec::new(),
            faults,
        });
        Ok(())
    }

    /// The fault with the lab's indices; what it lacks is added to `missing`.
    fn fitted(
        &self,
        fault: &ScheduledFault,
        lab: &Lab,
        known: &BTreeMap<&Name, NodeIndex>,
        missing: &mut BTreeSet<String>,
    ) -> ScheduledFault {
        let label = occurrence_label(fault.name.as_str(), fault.occurrence);
        let end = fault.at.saturating_add(fault.lasts.unwrap_or_default());
        let healed_by = self.duration.saturating_sub(self.quiet);
        if end > healed_by || fault.at >= healed_by {
            let (at, by) = (time(end), time(healed_by));
            missing.insert(format!("`{label}` ends at {at}, and all heal by {by}"));
        }
        if crate::fault::kind(&fault.kind).is_none() {
            missing.insert(format!("there is no fault `{}` (`{label}`)", fault.kind));
        }
        let mut fitted = fault.clone();
        for effect in &mut fitted.effects {
            effect.each_node(&mut |node| match self.nodes.get(node.at()) {
                Some(name) => match known.get(name) {
                    Some(here) => *node = *here,
                    None => {
                        missing.insert(format!("there is no node `{name}`"));
                    }
                },
                None => {
                    missing.insert(format!("`{label}` is about a node without name"));
                }
            });
            if let Effect::Links { effect, .. } = effect
                && let LinkEffect::Change(change) = effect
                && let Some(trace) = change.set.trace
                && trace.0 as usize >= lab.traces.len()
            {
                missing.insert(format!("there is no trace for `{label}`"));
            }
        }
        fitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LoadOptions, Source};

    fn lab(nodes: &str) -> Lab {
        let text = format!(
            "name: t\nseed: 5\nnodes:\n{nodes}scenario:\n  warmup: 1s\n  duration: 60s\n  quiet: 5s\n  faults:\n\
             \x20   lost: {{ at: 1s, for: 2s, kill: b }}\n\
             \x20   storm: {{ chaos: {{ kinds: [kill, cut, partition, dns, degrade, flap], rate: 30/min, targets: p }} }}\n"
        );
        let source = Source {
            name: "t".to_owned(),
            text,
        };
        let loaded = crate::lab::load(&source, &LoadOptions::default());
        loaded.unwrap_or_else(|errors| panic!("{errors}")).lab
    }

    fn written(lab: &Lab) -> String {
        serde_json::to_string_pretty(&Recorded::of(lab, &[])).unwrap()
    }

    const NODES: &str = "  b: { role: server }\n  p: { role: peer, count: 4 }\n";

    #[test]
    fn what_is_played_again_is_written_the_same_way() {
        let original = lab(NODES);
        let text = written(&original);
        let mut other = original.clone();
        other.scenario = None;
        Recorded::parse(&text).unwrap().onto(&mut other).unwrap();
        assert_eq!(other, original);
        assert_eq!(written(&other), text);
    }

    #[test]
    fn nodes_are_found_by_their_names() {
        let text = written(&lab(NODES));
        let mut other =
            lab("  a: { role: server }\n  p: { role: peer, count: 6 }\n  b: { role: server }\n");
        Recorded::parse(&text).unwrap().onto(&mut other).unwrap();
        let effects = &other.scenario.unwrap().faults[0].effects;
        let node = other
            .nodes
            .iter()
            .position(|node| node.name.as_str() == "b");
        let hit = |effect: &Effect| matches!(effect, Effect::Node { node: hit, .. } if Some(hit.at()) == node);
        assert!(effects.iter().any(hit), "{effects:?}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = written(&lab(NODES));
        let mut other = lab("  b: { role: server }\n  p: { role: peer, count: 2 }\n");
        let misfit = Recorded::parse(&text)
            .unwrap()
            .onto(&mut other)
            .unwrap_err();
        let told = misfit.to_string();
        assert!(
            told.contains("there is no node `p-3`; there is no node `p-4`"),
            "{told}"
        );

        let told = |text: &str| Recorded::parse(text).unwrap_err().to_string();
        assert!(told("{").contains("no timeline"), "{}", told("{"));
        assert!(told("null").contains("no scenario"));
        assert!(told("{\"entries\": [], \"end\": \"3s\"}").contains("format 0"));
        let kind = text.replacen("\"kind\": \"kill\"", "\"kind\": \"explode\"", 1);
        let misfit = Recorded::parse(&kind).unwrap().onto(&mut lab(NODES));
        assert!(
            misfit
                .unwrap_err()
                .to_string()
                .contains("no fault `explode`")
        );
        let late = text.replacen("\"quiet\": \"5s\"", "\"quiet\": \"59s\"", 1);
        let misfit = Recorded::parse(&late).unwrap().onto(&mut lab(NODES));
        assert!(misfit.unwrap_err().to_string().contains("all heal by 1s"));
    }
}
