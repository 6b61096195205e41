//! Whether checks can fail: the same lab with each fault left out, and with each fault never healed.
//!
//! A check that says the same in all of these runs proves nothing. All runs are judged over the windows of
//! the first one, so that a fault that is not there has its time, too.

use super::logic::Judgement;
use super::result::CheckResult;
use crate::id::Name;
use crate::lab::{Lab, ScheduledFault};
use std::fmt;

/// How a run differs from what the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variation {
    /// A fault does nothing.
    LeftOut(Name),
    /// A fault lasts until the end.
    NeverHealed(Name),
}

impl fmt::Display for Variation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variation::LeftOut(fault) => write!(f, "without {fault}"),
            Variation::NeverHealed(fault) => write!(f, "when {fault} is never healed"),
        }
    }
}

/// Every variation of a lab that is worth a run, in the order of its faults. None of them is given up
/// early: what they say in the end is asked for.
pub fn variations(lab: &Lab) -> Vec<(Variation, Lab)> {
    let mut lab = lab.clone();
    lab.checks.iter_mut().for_each(|check| check.abort = false);
    let mut names: Vec<Name> = Vec::new();
    for fault in lab.scenario.iter().flat_map(|scenario| &scenario.faults) {
        if !names.contains(&fault.name) {
            names.push(fault.name.clone());
        }
    }
    let mut found = Vec::new();
    for name in names {
        found.push((Variation::LeftOut(name.clone()), without(&lab, &name)));
        if let Some(forever) = forever(&lab, &name) {
            found.push((Variation::NeverHealed(name), forever));
        }
    }
    found
}

/// The lab in which a fault does nothing.
fn without(lab: &Lab, name: &Name) -> Lab {
    let mut lab = lab.clone();
    let scenario = lab.scenario.iter_mut();
    let faults = scenario.flat_map(|scenario| &mut scenario.faults);
    faults
        .filter(|fault| fault.name == *name)
        .for_each(|fault| fault.effects.clear());
    lab
}

/// The lab in which a fault lasts until the end, through the quiet period as well; none: it does so
/// anyway, or there is nothing to heal. All others heal when they did.
fn forever(lab: &Lab, name: &Name) -> Option<Lab> {
    let mut lab = lab.clone();
    let scenario = lab.scenario.as_mut()?;
    let healed_by = scenario.healed_by();
    let is_quiet = !std::mem::take(&mut scenario.quiet).is_zero();
    let mut is_longer = false;
    for fault in scenario.faults.iter_mut().filter(|fault| lasts(fault)) {
        if fault.name == *name {
            is_longer |= fault.lasts.take().is_some() || is_quiet;
        } else if fault.since.is_none() {
            let rest = healed_by.saturating_sub(fault.at);
            fault.lasts.get_or_insert(rest);
        }
    }
    is_longer.then_some(lab)
}

fn lasts(fault: &ScheduledFault) -> bool {
    crate::fault::kind(&fault.kind).is_some_and(|kind| kind.lasts)
}

/// What a check said in the run of the file and in its variations.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// Its name.
    pub check: String,
    /// What it says of the lab as it is.
    pub verdict: Judgement,
    /// The variations of which it says something else.
    pub differs: Vec<(Variation, Judgement)>,
}

impl Proof {
    /// Whether it says something of the lab at all.
    pub fn is_proven(&self) -> bool {
        !self.differs.is_empty()
    }
}

/// Puts the results of the variations beside those of the lab as it is. A check that could not be decided
/// in a variation does not say anything else there.
pub fn proofs(first: &[CheckResult], varied: &[(Variation, Vec<CheckResult>)]) -> Vec<Proof> {
    let proof = |check: &CheckResult| {
        let other = |(variation, results): &(Variation, Vec<CheckResult>)| {
            let result = results.iter().find(|other| other.name == check.name)?;
            let differs = result.verdict != check.verdict;
            let decided = result.verdict != Judgement::Inconclusive;
            (differs && decided).then(|| (variation.clone(), result.verdict))
        };
        Proof {
            check: check.name.clone(),
            verdict: check.verdict,
            differs: varied.iter().filter_map(other).collect(),
        }
    };
    first.iter().map(proof).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LoadOptions, Source};

    fn lab() -> Lab {
        lab_of(
            "name: t
nodes: { server: { role: server } }
scenario:
  duration: 20s
  faults:
    loss: { at: 5s, for: 5s, kill: server }
    blink: { at: 15s, restart: server }
checks: { it: { expect: crashes() == 0, abort: true } }
",
        )
    }

    fn lab_of(text: &str) -> Lab {
        let source = Source {
            name: "t".into(),
            text: text.into(),
        };
        crate::lab::load(&source, &LoadOptions::default())
            .unwrap()
            .lab
    }

    #[test]
    fn each_fault_is_left_out_once_and_what_lasts_is_never_healed() {
        let all = variations(&lab());
        let words: Vec<String> = all.iter().map(|(v, _)| v.to_string()).collect();
        let expected = ["without loss", "when loss is never healed", "without blink"];
        assert_eq!(words, expected);
        let effects = |at: usize, fault: usize| {
            let scenario = all[at].1.scenario.as_ref().unwrap();
            (
                scenario.faults[fault].effects.len(),
                scenario.faults[fault].lasts.is_some(),
            )
        };
        assert_eq!((effects(0, 0), effects(0, 1)), ((0, true), (1, false)));
        // A machine is silenced and killed.
        assert_eq!((effects(1, 0), effects(2, 1)), ((2, false), (0, false)));
        assert!(all.iter().all(|(_, lab)| !lab.checks[0].abort));
    }

    /// A check of the quiet period would otherwise say the same, whatever the faults do.
    #[test]
    fn what_is_never_healed_lasts_through_the_quiet_period_and_others_heal_before() {
        let lab = lab_of(
            "name: t
nodes: { server: { role: server }, other: { role: server } }
scenario:
  duration: 20s
  quiet: 4s
  faults:
    loss: { at: 5s, kill: server }
    hang: { at: 10s, pause: other }
checks: { it: crashes() == 0 }
",
        );
        let all = variations(&lab);
        let (variation, forever) = &all[1];
        assert_eq!(variation.to_string(), "when loss is never healed");
        let scenario = forever.scenario.as_ref().unwrap();
        assert_eq!(scenario.healed_by(), scenario.duration);
        let lasts = |name: &str| {
            let mut faults = scenario.faults.iter();
            faults.find(|fault| fault.name.as_str() == name)?.lasts
        };
        assert_eq!(lasts("loss"), None);
        assert_eq!(lasts("hang").map(|lasts| lasts.as_secs()), Some(6));
    }

    #[test]
    fn a_check_that_says_the_same_everywhere_proves_nothing() {
        let result = |name: &str, verdict| CheckResult {
            name: name.into(),
            expect: String::new(),
            verdict,
            observed: Vec::new(),
        };
        let (pass, fail, open) = (Judgement::Pass, Judgement::Fail, Judgement::Inconclusive);
        let varied: Vec<_> = variations(&lab()).into_iter().map(|(v, _)| v).collect();
        let results = vec![
            (
                varied[0].clone(),
                vec![
                    result("good", fail),
                    result("idle", pass),
                    result("open", open),
                ],
            ),
            (
                varied[1].clone(),
                vec![
                    result("good", pass),
                    result("idle", pass),
                    result("open", open),
                ],
            ),
        ];
        let first = [
            result("good", pass),
            result("idle", pass),
            result("open", pass),
        ];
        let proofs = proofs(&first, &results);
        let proven: Vec<bool> = proofs.iter().map(Proof::is_proven).collect();
        assert_eq!(proven, [true, false, false]);
        assert_eq!(proofs[0].differs, [(varied[0].clone(), fail)]);
    }
}
