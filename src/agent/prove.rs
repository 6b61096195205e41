//! Whether each fault did what it says: looked for before, while and after it is in force. Pure.
//!
//! Owns when is looked, at what, and what is expected by then. What is seen is the driver's to find
//! out, what follows from it `judge`'s.

use super::apply::{InForce, Stage};
use super::conduct;
use super::core::{Action, Core};
use super::desire::{Desired, desired};
use super::judge::{self, Judged};
use super::names::manners;
use super::process::{NodeSight, Process};
use super::replies::{Questions, Replies};
use super::volumes::VolumeState;
use super::wipes::Emptied;
use crate::fabric::{LinkWitness, Place, ResolverManner};
use crate::fault::{Effect, Folded, Limits, Proof};
use crate::id::{NodeIndex, occurrence_label};
use crate::record::event::What;
use netlab_protocol::conduct::{How, Misbehaviour};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Questions to a program that is to answer rightly, and how long for: its node may have little of the
/// processor.
const FEW: u32 = 8;
const RIGHT_WITHIN: Duration = Duration::from_secs(2);
/// A fault waits no longer than this to begin.
const RIGHT_BEFORE: Duration = Duration::from_millis(500);
/// Most questions to one that answers a share of them otherwise.
const MOST_QUESTIONS: u32 = 256;
/// With so small a chance not one of them is.
const UNLUCKY: f64 = 1e-6;
/// Who has not answered by then is silent.
const SILENT: Duration = Duration::from_millis(600);
/// Nobody waits longer than this for a late answer.
const LATEST: Duration = Duration::from_millis(1500);
/// Links of one fault that are looked at; of more, evenly chosen ones.
const MOST_LINKS: usize = 256;

/// When in a fault's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Nothing was asked for yet.
    Before,
    /// Its last effect is said to hold.
    Begun,
    /// It is about to be healed.
    Ending,
    /// It is said to have healed.
    After,
    /// A node has crashed, of one that does so over and over.
    Crashed,
    /// It was started again.
    Started,
}

/// What to look at.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// For which fault.
    pub fault: usize,
    /// When.
    pub moment: Moment,
    /// Which nodes.
    pub nodes: Vec<NodeIndex>,
    /// Which links.
    pub links: Vec<Place>,
    /// Whose programs to ask.
    pub questions: Vec<(NodeIndex, Questions)>,
}

/// What was seen, in the order of the [`Look`].
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// For which fault.
    pub fault: usize,
    /// When.
    pub moment: Moment,
    /// Which nodes.
    pub of: Vec<NodeIndex>,
    /// The nodes.
    pub nodes: Vec<NodeSight>,
    /// The links.
    pub links: Vec<LinkWitness>,
    /// Nodes that the resolver does not answer as usual.
    pub manners: Manners,
    /// How programs answered.
    pub replies: Vec<(NodeIndex, Replies)>,
}

/// How the resolver answers nodes, but for those that it answers as usual.
pub(super) type Manners = BTreeMap<NodeIndex, ResolverManner>;

/// What a link should be at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected {
    /// Under all faults in force.
    pub now: Folded,
    /// Under all but this one.
    pub without: Folded,
}

impl Expected {
    /// Whether the fault makes a difference.
    pub fn differs(&self) -> bool {
        let (now, without) = (self.now, self.without);
        now.down != without.down || (!now.down && now.properties != without.properties)
    }
}

/// What was seen at one moment, and what should have been.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// When (ns of CLOCK_MONOTONIC).
    pub at: u64,
    /// What was.
    pub sight: Sight,
    /// What each link should have been.
    pub links: Vec<Expected>,
    /// What each node should have been without this fault.
    pub nodes: Vec<Desired>,
    /// What each node should have been allowed to take, and what without this fault.
    pub limits: Vec<(Limits, Limits)>,
    /// How each node's volume should have been, and how without this fault.
    pub volumes: Vec<(VolumeState, VolumeState)>,
    /// How nodes should have been answered, and how without this fault.
    pub manners: (Manners, Manners),
    /// What programs should have done wrong without this fault, and how much they had.
    pub programs: Vec<Program>,
}

/// What a program should do.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Whose.
    pub node: NodeIndex,
    /// What it should do wrong without the fault.
    pub without: Vec<Misbehaviour>,
    /// Answers that it had spoilt, where it has said so.
    pub spoilt: Option<u64>,
}

/// What is known of one fault.
#[derive(Clone, Debug, Default)]
pub(super) struct Case {
    /// The nodes that it does something to.
    pub nodes: Vec<NodeIndex>,
    /// The nodes that it has answered otherwise.
    pub asking: Vec<NodeIndex>,
    /// The nodes whose programs it has answer otherwise.
    pub programs: Vec<NodeIndex>,
    /// Links that it does something to, by place; not more than are looked at.
    pub links: Vec<Place>,
    /// How many there are in all.
    pub all_links: usize,
    /// By moment.
    pub seen: BTreeMap<Moment, Seen>,
    /// Connections that were reset for it.
    pub reset: u64,
    /// What was seen of nodes that crash over and over: whether it was to be gone, and its process.
    pub crashes: BTreeMap<NodeIndex, Vec<(bool, Option<Process>)>>,
    /// What became of the volumes of nodes.
    pub emptied: BTreeMap<NodeIndex, Result<Emptied, String>>,
    /// Nodes that the kernel killed for their memory meanwhile.
    pub out_of_memory: BTreeSet<NodeIndex>,
    /// Whether another fault on the same things began or healed meanwhile.
    pub disturbed: bool,
    /// Other faults that were in force on the same things, with the number of the occurrence.
    pub others: BTreeSet<(String, u32)>,
    /// Those of them that were after its heal.
    pub holders: BTreeSet<(String, u32)>,
    /// Looks that were asked for, with what is expected, in their order.
    asked: Vec<Asked>,
}

/// A look that was asked for, with what is expected.
#[derive(Clone, Debug)]
struct Asked {
    moment: Moment,
    links: Vec<Expected>,
    nodes: Vec<Desired>,
    limits: Vec<(Limits, Limits)>,
    volumes: Vec<(VolumeState, VolumeState)>,
    manners: (Manners, Manners),
    programs: Vec<Program>,
}

/// All cases that are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Proofs {
    cases: BTreeMap<usize, Case>,
}

impl Proofs {
    /// Whether a fault must not begin yet, because nobody has seen what is without it.
    pub fn looks_first(&self, fault: usize) -> bool {
        let case = self.cases.get(&fault);
        let mut asked = case.into_iter().flat_map(|case| &case.asked);
        asked.any(|asked| asked.moment == Moment::Before)
    }

    /// Whether something was asked for and not yet seen.
    pub fn are_waiting(&self) -> bool {
        self.cases.values().any(|case| !case.asked.is_empty())
    }
}

impl Core {
    /// A fault is about to be begun.
    pub(super) fn prove_before(&mut self, fault: usize) {
        let case = self.case_of(fault);
        self.disturb(fault);
        // Links are as the fold says; only who runs must be asked for, so that links fail at once.
        let asks = !case.nodes.is_empty();
        self.proofs.cases.insert(fault, case);
        if asks {
            self.look(fault, Moment::Before);
        }
    }

    /// A fault is in force since before the agent's own restart: that it goes can still be seen.
    pub(super) fn prove_resumed(&mut self, fault: usize) {
        let case = self.case_of(fault);
        self.proofs.cases.insert(fault, case);
    }

    /// Nothing was seen yet.
    fn case_of(&self, fault: usize) -> Case {
        let effects = &self.faults.get(fault).effects;
        let (mut nodes, mut asking) = (Vec::new(), Vec::new());
        let mut programs: Vec<NodeIndex> = Vec::new();
        let mut pairs = BTreeSet::new();
        for effect in effects {
            match effect.proof() {
                Proof::Silent(p) | Proof::Changed(p) | Proof::Flapping(p) => {
                    pairs.extend(p.all(self.lab.nodes.len()));
                }
                Proof::Answered(nodes) => asking.extend(nodes),
                Proof::Reset(_) | Proof::Emptied(_) => {}
                Proof::Gone(node)
                | Proof::Frozen(node)
                | Proof::Anew(node)
                | Proof::Crashing(node, _)
                | Proof::Full(node)
                | Proof::ReadOnly(node)
                | Proof::Limited(node) => nodes.push(node),
                Proof::Spoilt(node, _) if programs.last() == Some(&node) => {}
                Proof::Spoilt(node, _) => {
                    nodes.push(node);
                    programs.push(node);
                }
            }
        }
        let lab = &self.lab;
        let places = |&(from, to): &(NodeIndex, NodeIndex)| {
            let shared = lab.shared(from, to);
            let wired = shared.filter(move |at| lab.networks[at.at()].wires.has(from, to));
            wired.map(move |network| (network, from, to))
        };
        let all: Vec<Place> = pairs.iter().flat_map(places).collect();
        let stride = all.len().div_ceil(MOST_LINKS).max(1);
        Case {
            nodes,
            asking,
            programs,
            all_links: all.len(),
            links: all.into_iter().step_by(stride).collect(),
            ..Case::default()
        }
    }

    /// The effect of a fault is said to hold.
    pub(super) fn prove_begun(&mut self, fault: usize) {
        self.look(fault, Moment::Begun);
    }

    /// A fault is about to be healed; one that has not begun is no case.
    pub(super) fn prove_ending(&mut self, fault: usize) {
        self.disturb(fault);
        let list = self.faults.list();
        let active = |f: &InForce| f.fault == fault && f.stage == Stage::Active;
        match list.iter().any(active) {
            true => self.look(fault, Moment::Ending),
            false => self.prove_no_more(fault),
        }
    }

    /// A fault is said to have healed.
    pub(super) fn prove_after(&mut self, fault: usize) {
        self.look(fault, Moment::After);
    }

    /// It has failed: that was said, and nothing more is to be proven.
    pub(super) fn prove_no_more(&mut self, fault: usize) {
        self.proofs.cases.remove(&fault);
    }

    /// What these links carry is no longer one fault's doing; the order of things stays.
    fn disturb(&mut self, by: usize) {
        let effects = &self.faults.get(by).effects;
        let others = self
            .proofs
            .cases
            .iter_mut()
            .filter(|(fault, _)| **fault != by);
        for (_, case) in others {
            let same = effects.iter().any(|effect| on_the_same(effect, case));
            case.disturbed |= same && case.seen.contains_key(&Moment::Begun);
        }
    }

    /// So many connections were reset for a fault.
    pub(super) fn prove_reset(&mut self, fault: usize, count: u64) {
        if let Some(case) = self.proofs.cases.get_mut(&fault) {
            case.reset = count;
        }
    }

    /// The volume of a node was emptied.
    pub(super) fn prove_emptied(&mut self, node: NodeIndex, result: &Result<Emptied, String>) {
        let cases = self.proofs.cases.values_mut();
        for case in cases.filter(|case| case.nodes.contains(&node)) {
            case.emptied.insert(node, result.clone());
        }
    }

    /// The kernel has killed a node for its memory.
    pub(super) fn prove_out_of_memory(&mut self, node: NodeIndex) {
        let cases = self.proofs.cases.values_mut();
        for case in cases.filter(|case| case.nodes.contains(&node)) {
            case.out_of_memory.insert(node);
        }
    }

    fn look(&mut self, fault: usize, moment: Moment) {
        let Some(case) = self.proofs.cases.get(&fault) else {
            return;
        };
        let links = match moment {
            Moment::Before => Vec::new(),
            _ => case.links.clone(),
        };
        let expected = links.iter().map(|place| self.expected(fault, *place));
        let expected: Vec<Expected> = expected.collect();
        let nodes = case.nodes.clone();
        let others = || self.faults.wanted().filter(move |f| f.fault != fault);
        let effects = || others().flat_map(|f| &self.faults.get(f.fault).effects);
        let without = nodes.iter().map(|node| desired(effects(), *node)).collect();
        let limits = |node: &NodeIndex| {
            let all = self.faults.limits_under(self.faults.effects(), *node);
            (all, self.faults.limits_under(effects(), *node))
        };
        let limits = nodes.iter().map(limits).collect();
        let volumes = |node: &NodeIndex| {
            let all = VolumeState::under(self.faults.effects(), *node);
            (all, VolumeState::under(effects(), *node))
        };
        let volumes = nodes.iter().map(volumes).collect();
        let beside = |f: &&InForce| {
            let effects = self.faults.get(f.fault).effects.iter();
            effects.clone().any(|effect| on_the_same(effect, case))
        };
        let holding = self.links.holding().iter();
        let held = |&(f, at): &(usize, usize)| (f, &self.faults.get(f).effects[at]);
        let all = holding.clone().map(held).map(|(_, effect)| effect);
        let but = holding.map(held).filter(|(f, _)| *f != fault);
        let manners = (manners(all), manners(but.map(|(_, effect)| effect)));
        let program = |node: &NodeIndex| Program {
            node: *node,
            without: conduct::wrong(effects(), *node),
            spoilt: self.conduct.spoilt(*node),
        };
        let programs: Vec<Program> = case.programs.iter().map(program).collect();
        let mine = &self.faults.get(fault).effects;
        let questions = programs.iter().filter_map(|program| {
            let runs = self.faults.desired(program.node) == Desired::Running;
            let wrong = conduct::wrong(mine, program.node);
            let questions = questions(moment, &wrong, &program.without)?;
            runs.then_some((program.node, questions))
        });
        let questions: Vec<_> = questions.collect();
        let names = others().filter(beside);
        let names: Vec<_> = names.map(|f| self.faults.id(f.fault)).collect();
        if let Some(case) = self.proofs.cases.get_mut(&fault) {
            if moment == Moment::After {
                case.holders.extend(names.iter().cloned());
            }
            case.others.extend(names);
            case.asked.push(Asked {
                moment,
                links: expected,
                nodes: without,
                limits,
                volumes,
                manners,
                programs,
            });
        }
        self.act(Action::Look(Look {
            fault,
            moment,
            nodes,
            links,
            questions,
        }));
    }

    fn expected(&self, fault: usize, place: Place) -> Expected {
        let (network, from, to) = place;
        let declared = *self.lab.networks[network.at()].links.get(from, to);
        let others = self.links.holding().iter().filter(|held| held.0 != fault);
        let effects = others.map(|&(f, at)| &self.faults.get(f).effects[at]);
        let here = effects.filter_map(|effect| match effect {
            Effect::Links { pairs, effect } if pairs.contains(from, to) => Some(effect),
            _ => None,
        });
        Expected {
            now: self.links.folded(&self.lab, place),
            without: Folded::declared(declared).under(here),
        }
    }

    /// What was seen; after the last look the case is closed.
    pub(super) fn looked(&mut self, now: u64, sight: Sight) {
        let (fault, moment) = (sight.fault, sight.moment);
        let Some(case) = self.proofs.cases.get_mut(&fault) else {
            return;
        };
        if let (Moment::Crashed | Moment::Started, [seen]) = (moment, &sight.nodes[..]) {
            let gone = moment == Moment::Crashed;
            let of = sight.of.first().copied();
            let crashes = of.map(|node| case.crashes.entry(node).or_default());
            return crashes
                .into_iter()
                .for_each(|all| all.push((gone, seen.process)));
        }
        let Some(at) = case.asked.iter().position(|asked| asked.moment == moment) else {
            return;
        };
        let asked = case.asked.remove(at);
        let seen = Seen {
            at: now,
            sight,
            links: asked.links,
            nodes: asked.nodes,
            limits: asked.limits,
            volumes: asked.volumes,
            manners: asked.manners,
            programs: asked.programs,
        };
        case.seen.insert(moment, seen);
        // Programs are asked beside everything else: the last answer may come before the one before.
        if !case.asked.is_empty() || !case.seen.contains_key(&Moment::After) {
            return;
        }
        if let Some(case) = self.proofs.cases.remove(&fault) {
            self.close_case(now, fault, &case);
        }
    }

    fn close_case(&mut self, now: u64, fault: usize, case: &Case) {
        let names = |node: NodeIndex| self.name(node);
        let effects = &self.faults.get(fault).effects;
        let judged = judge::judge(effects, case, &names);
        let is_proven = judged.is_ok();
        let label = self.faults.label(fault);
        let place = fault;
        let (fault, occurrence) = self.faults.id(fault);
        let what = match judged {
            Ok(Judged { seen, masked: true }) => What::FaultMasked {
                fault,
                occurrence,
                by: labels(&case.others),
                seen,
            },
            Ok(Judged { seen, .. }) => What::FaultProven {
                fault,
                occurrence,
                seen,
            },
            Err(why) => {
                self.reason(format!("fault `{label}` had no provable effect: {why}"));
                What::FaultUnproven {
                    fault,
                    occurrence,
                    why,
                }
            }
        };
        self.event(now, what);
        self.prove_healed(now, place, case, is_proven);
    }
}

/// Occurrences of faults as they are written, in their order.
pub(super) fn labels(occurrences: &BTreeSet<(String, u32)>) -> Vec<String> {
    let label = |(fault, occurrence): &(String, u32)| occurrence_label(fault, *occurrence);
    occurrences.iter().map(label).collect()
}

/// What to ask a program at a moment in the life of a fault that makes it do `wrong`; `without` it, it
/// does what other faults say.
fn questions(
    moment: Moment,
    wrong: &[Misbehaviour],
    without: &[Misbehaviour],
) -> Option<Questions> {
    match moment {
        // What another fault does to answers is no evidence.
        Moment::Before => without.is_empty().then_some(Questions {
            tries: FEW,
            patience: RIGHT_BEFORE,
            late: RIGHT_BEFORE,
        }),
        Moment::After => without.is_empty().then_some(Questions {
            tries: FEW,
            patience: RIGHT_WITHIN,
            late: RIGHT_WITHIN,
        }),
        // A heal waits for nobody: what was spoilt until then is counted by the program itself.
        Moment::Ending | Moment::Crashed | Moment::Started => None,
        Moment::Begun => {
            let late: Duration = wrong.iter().map(|wrong| wrong.delay).sum();
            let share = wrong.iter().map(|wrong| wrong.share).fold(1.0, f64::min);
            let needed = UNLUCKY.ln() / (1.0 - share).max(UNLUCKY).ln();
            let withheld = wrong.iter().any(|wrong| wrong.how == How::Withhold);
            let patience = match withheld {
                true => SILENT,
                false => (late + SILENT).min(LATEST),
            };
            Some(Questions {
                tries: (needed.ceil() as u32).clamp(FEW, MOST_QUESTIONS),
                patience,
                late: late.min(LATEST),
            })
        }
    }
}

/// Whether an effect is on a link or node of the case.
fn on_the_same(effect: &Effect, case: &Case) -> bool {
    match effect {
        Effect::Links { pairs, .. } => {
            let here = |&(_, from, to): &Place| pairs.contains(from, to);
            case.links.iter().any(here)
        }
        Effect::Resolver { nodes, .. } => nodes.iter().any(|node| case.asking.contains(node)),
        Effect::Abort { .. } => false,
        Effect::Program { node, .. } | Effect::Node { node, .. } => case.nodes.contains(node),
    }
}
