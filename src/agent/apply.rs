//! Which faults are in force, when each was seen to hold, and when it was seen to have healed.
//! Pure.
//!
//! Owns the life of a fault: asked for, observed, healing, gone. What the effects want of nodes
//! and links is folded in `desire`; what is, is told as [`Actual`]s. Must not act.

use super::crashes::{CRASH, Loops};
use super::desire::{Actual, Desired, both, death, desired, is_of_volume, limits};
use super::limited::{Limited, OUT_OF_MEMORY};
use crate::fault::{Effect, NodeEffect};
use crate::id::{Name, NodeIndex, occurrence_label};
use crate::lab::{Lab, ScheduledFault};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A begun fault whose effect is not seen after this time (and the grace it grants) has failed.
pub(super) const BEGIN_PATIENCE: Duration = Duration::from_secs(10);
/// A fault whose nodes are not back this long after its heal was started has failed.
pub(super) const HEAL_PATIENCE: Duration = Duration::from_secs(30);

/// How far a fault has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Asked for, not seen yet.
    Beginning,
    /// Seen.
    Active,
    /// Its effects are withdrawn, not all is back yet.
    Healing,
}

/// A fault in force. Times in ns of CLOCK_MONOTONIC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InForce {
    /// Index into the scenario's faults.
    pub fault: usize,
    /// When it was due.
    pub due: u64,
    /// When it was asked for.
    pub requested: u64,
    /// How far it is.
    pub stage: Stage,
    /// When this stage must be over.
    pub deadline: u64,
    /// Since when links and names are as this stage wants them; none: not yet.
    pub links: Option<u64>,
    /// Whether it was reported as failed.
    pub failed: bool,
    /// How often nodes have crashed for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub crashed: BTreeMap<NodeIndex, u32>,
}

/// Something that was seen about a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its last effect holds since `at`.
    Began {
        fault: usize,
        at: u64,
        due: u64,
        requested: u64,
    },
    /// It heals itself now.
    HealStarted { fault: usize },
    /// All is back since `at`.
    Healed { fault: usize, at: u64 },
    /// It did not do what it should.
    Failed { fault: usize, why: String },
}

/// The faults in force, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    scheduled: Vec<ScheduledFault>,
    nodes: Vec<String>,
    pub(super) list: Vec<InForce>,
    /// How many of them are the scenario's; behind those come the ones by hand.
    of_scenario: usize,
    /// What nodes may take, and who was killed for it.
    pub(super) limited: Limited,
    /// Nodes that crash over and over.
    pub(super) loops: Loops,
    /// Nodes that are to be emptied before their gates open again.
    pub(super) wipes: BTreeSet<NodeIndex>,
    /// Nodes that the engine is just ending, as it was asked to.
    pub(super) ending: BTreeSet<NodeIndex>,
    /// Nodes whose volumes are not yet as the effects want, and why not.
    pub volumes: BTreeMap<NodeIndex, Option<String>>,
    /// Nodes that are not yet, beside their processes, what the effects want.
    pub unsettled: BTreeSet<NodeIndex>,
}

impl Faults {
    /// Faults of a lab's scenario, some of them in force already (after the agent's own restart).
    pub fn new(lab: &Lab, list: Vec<InForce>) -> Faults {
        let scenario = lab.scenario.as_ref();
        let scheduled = scenario.map_or_else(Vec::new, |scenario| scenario.faults.clone());
        let known = scheduled.len();
        let list: Vec<InForce> = list.into_iter().filter(|f| f.fault < known).collect();
        let nodes = lab.nodes.iter().map(|node| node.name.to_string()).collect();
        let wiping: Vec<usize> = list.iter().map(|f| f.fault).collect();
        let mut faults = Faults {
            scheduled,
            nodes,
            list,
            of_scenario: known,
            limited: Limited::new(lab),
            loops: Loops::default(),
            wipes: BTreeSet::new(),
            ending: BTreeSet::new(),
            volumes: BTreeMap::new(),
            unsettled: BTreeSet::new(),
        };
        wiping
            .into_iter()
            .for_each(|fault| faults.note_wipes(fault));
        faults
    }

    /// One more fault, and its place: that of one by hand that is over, or a new one.
    pub fn add(&mut self, fault: ScheduledFault) -> usize {
        let mut places = self.of_scenario..self.scheduled.len();
        let free = places.find(|at| self.list.iter().all(|f| f.fault != *at));
        match free {
            Some(at) => {
                self.scheduled[at] = fault;
                at
            }
            None => {
                self.scheduled.push(fault);
                self.scheduled.len() - 1
            }
        }
    }

    /// One more fault that is in force already (after the agent's own restart), and its place.
    pub fn restore(&mut self, fault: ScheduledFault, in_force: InForce) -> usize {
        let fault = self.add(fault);
        self.list.push(InForce { fault, ..in_force });
        self.note_wipes(fault);
        fault
    }

    /// Whether it is in force or healing.
    pub fn is_listed(&self, fault: usize) -> bool {
        self.list.iter().any(|f| f.fault == fault)
    }

    /// Whether its effects are wanted.
    pub fn is_wanted(&self, fault: usize) -> bool {
        self.wanted().any(|f| f.fault == fault)
    }

    /// Its name for people.
    pub fn label(&self, fault: usize) -> String {
        let (name, occurrence) = self.id(fault);
        occurrence_label(&name, occurrence)
    }

    /// Whether it is not the scenario's.
    pub fn is_by_hand(&self, fault: usize) -> bool {
        fault >= self.of_scenario
    }

    /// Whether a fault has this name.
    pub fn knows(&self, name: &Name) -> bool {
        self.scheduled.iter().any(|fault| fault.name == *name)
    }

    fn node(&self, node: NodeIndex) -> String {
        let name = self.nodes.get(node.at());
        name.map_or("a node".to_owned(), |name| format!("`{name}`"))
    }

    /// Those in force or healing.
    pub fn list(&self) -> &[InForce] {
        &self.list
    }

    /// The fault as scheduled.
    pub fn get(&self, fault: usize) -> &ScheduledFault {
        &self.scheduled[fault]
    }

    /// Name and occurrence of a fault, as records know it.
    pub fn id(&self, fault: usize) -> (String, u32) {
        let fault = self.get(fault);
        (fault.name.to_string(), fault.occurrence)
    }

    /// Names of those whose effects are wanted, as [`occurrence_label`] writes them.
    pub fn names(&self) -> Vec<String> {
        let label = |f: &InForce| {
            let (name, occurrence) = self.id(f.fault);
            occurrence_label(&name, occurrence)
        };
        self.wanted().map(label).collect()
    }

    /// Those whose effects are wanted now, in the order in which they began.
    pub fn wanted(&self) -> impl Iterator<Item = &InForce> {
        self.list.iter().filter(|f| f.stage != Stage::Healing)
    }

    /// The effects that are wanted now.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.wanted().flat_map(|f| &self.get(f.fault).effects)
    }

    /// What `node` should be.
    pub fn desired(&self, node: NodeIndex) -> Desired {
        let wanted = match self.is_out_of_memory(node) {
            true => OUT_OF_MEMORY,
            false => desired(self.effects(), node),
        };
        match wanted {
            wanted if !self.crashes_now(node) => wanted,
            Desired::Dead(death) => Desired::Dead(both(death, CRASH)),
            Desired::Running | Desired::Paused => Desired::Dead(CRASH),
        }
    }

    /// Whether a fault that is listed, healing ones included, does something to `node` itself.
    pub fn touches(&self, node: NodeIndex) -> bool {
        self.list
            .iter()
            .any(|f| self.node_effects(f.fault).any(|(at, _)| at == node))
    }

    /// The fault that wanted `node` dead: the first that is in force, or else one that is healing.
    pub fn killer(&self, node: NodeIndex) -> Option<&str> {
        let kills = |f: &&InForce| {
            let kills = self.node_effects(f.fault);
            let mut kills = kills.filter(|(at, _)| *at == node);
            kills.any(|(_, effect)| death(effect).is_some()) || self.crashes_for(f.fault, node)
        };
        let wanted = self
            .list
            .iter()
            .filter(|f| f.stage != Stage::Healing)
            .find(kills);
        let found = wanted.or_else(|| self.list.iter().find(kills))?;
        Some(self.get(found.fault).name.as_str())
    }

    pub(super) fn node_effects(
        &self,
        fault: usize,
    ) -> impl Iterator<Item = (NodeIndex, &NodeEffect)> {
        self.scheduled[fault]
            .effects
            .iter()
            .filter_map(|e| match e {
                Effect::Node { node, effect } => Some((*node, effect)),
                _ => None,
            })
    }

    fn has_links(&self, fault: usize) -> bool {
        let effects = &self.scheduled[fault].effects;
        effects.iter().any(Effect::is_of_network)
    }

    /// Whether it does nothing but to the network.
    fn is_of_network(&self, fault: usize) -> bool {
        let effects = &self.scheduled[fault].effects;
        effects.iter().all(Effect::is_of_network)
    }

    /// A node of it that is not yet, beside its processes, what the effects want.
    fn unsettled(&self, fault: usize) -> Option<NodeIndex> {
        let mut effects = self.scheduled[fault].effects.iter();
        effects.find_map(|effect| match effect {
            Effect::Program { node, .. } if self.unsettled.contains(node) => Some(*node),
            _ => None,
        })
    }

    /// Begins a fault: its effects are wanted from now on. Nothing happens when it is in force.
    pub fn begin(&mut self, fault: usize, due: u64, now: u64) {
        if fault >= self.scheduled.len() || self.list.iter().any(|f| f.fault == fault) {
            return;
        }
        self.note_wipes(fault);
        self.list.push(InForce {
            fault,
            due,
            requested: now,
            stage: Stage::Beginning,
            deadline: after(now, BEGIN_PATIENCE + self.grace(fault)),
            links: (!self.has_links(fault)).then_some(now),
            failed: false,
            crashed: BTreeMap::new(),
        });
    }

    /// The longest that a node may take to end for it.
    fn grace(&self, fault: usize) -> Duration {
        let deaths = self.node_effects(fault);
        let graces = deaths.filter_map(|(_, effect)| death(effect)?.grace);
        graces.max().unwrap_or_default()
    }

    /// Withdraws the effects of a fault. Returns whether it was in force, and what went wrong.
    pub fn heal(&mut self, fault: usize, now: u64) -> (bool, Option<Seen>) {
        let links = (!self.has_links(fault)).then_some(now);
        let deadline = after(now, HEAL_PATIENCE + self.grace(fault));
        let found = self
            .list
            .iter_mut()
            .find(|f| f.fault == fault && f.stage != Stage::Healing);
        let Some(found) = found else {
            return (false, None);
        };
        let unseen = found.stage == Stage::Beginning && !found.failed;
        found.stage = Stage::Healing;
        found.deadline = deadline;
        found.links = links;
        found.failed |= unseen;
        let why = "it was healed before its effect was seen".to_owned();
        (true, unseen.then_some(Seen::Failed { fault, why }))
    }

    /// After the agent's own restart: every stage gets its time again, every link is set again.
    pub fn restart_deadlines(&mut self, now: u64) {
        for at in 0..self.list.len() {
            let links = (!self.has_links(self.list[at].fault)).then_some(now);
            let fault = &mut self.list[at];
            fault.links = links;
            fault.deadline = match fault.stage {
                Stage::Beginning | Stage::Active => after(now, BEGIN_PATIENCE),
                Stage::Healing => after(now, HEAL_PATIENCE),
            };
        }
    }

    /// The links are as wanted since `at`.
    pub fn links_hold(&mut self, at: u64) {
        for fault in &mut self.list {
            fault.links.get_or_insert(at);
        }
    }

    /// Compares what is wanted with what is, and moves each fault on.
    pub fn observe(&mut self, now: u64, actual: &[Actual]) -> Vec<Seen> {
        let mut seen = Vec::new();
        for at in 0..self.list.len() {
            match self.list[at].stage {
                Stage::Beginning => self.observe_begin(at, now, actual, &mut seen),
                Stage::Active => {}
                Stage::Healing => self.observe_heal(at, now, actual, &mut seen),
            }
        }
        self.list
            .retain(|f| f.stage != Stage::Healing || f.deadline != GONE);
        seen
    }

    fn observe_begin(&mut self, at: usize, now: u64, actual: &[Actual], seen: &mut Vec<Seen>) {
        let InForce {
            fault,
            due,
            requested,
            deadline,
            links,
            failed,
            ..
        } = self.list[at];
        let missing = self.missing(fault, actual);
        let mut moved = false;
        if let (None, Some(links)) = (missing, links) {
            let at = if self.is_of_network(fault) {
                links
            } else {
                now
            };
            seen.push(Seen::Began {
                fault,
                at,
                due,
                requested,
            });
            moved = true;
        } else if now >= deadline && !failed {
            let what = missing.map_or("its links".to_owned(), |n| self.node(n));
            let refused = missing.and_then(|node| self.volumes.get(&node)?.as_ref());
            let refused = refused.map_or_else(String::new, |why| format!(": {why}"));
            let why = format!(
                "it had no effect on {what} within {}s{refused}",
                (deadline - requested) / SECOND
            );
            seen.push(Seen::Failed { fault, why });
            self.list[at].failed = true;
            moved = self.heals_itself(fault);
        }
        if moved {
            self.list[at].stage = Stage::Active;
            if self.heals_itself(fault) {
                self.list[at].stage = Stage::Healing;
                self.list[at].deadline = after(now, HEAL_PATIENCE);
                seen.push(Seen::HealStarted { fault });
            }
        }
    }

    fn observe_heal(&mut self, at: usize, now: u64, actual: &[Actual], seen: &mut Vec<Seen>) {
        let InForce {
            fault,
            deadline,
            links,
            ..
        } = self.list[at];
        let away = self.node_effects(fault).map(|(node, _)| node).find(|node| {
            let is = actual.get(node.at()).copied().unwrap_or(Actual::Unknown);
            let back = is == (Actual::Running { passed: true });
            // Whom the engine is just ending is not back, though it still runs.
            self.ending.contains(node)
                || self.limit_to_set(*node).is_some()
                || self.volumes.contains_key(node)
                || self.crashes_for(fault, *node)
                || (self.desired(*node) == Desired::Running && !back)
        });
        let away = away.or_else(|| self.unsettled(fault));
        match (away, links) {
            (None, Some(links)) => {
                let at = if self.is_of_network(fault) {
                    links
                } else {
                    now
                };
                seen.push(Seen::Healed { fault, at });
            }
            _ if now < deadline => return,
            (away, _) => {
                let who = away.map_or("its links are".to_owned(), |n| {
                    format!("{} is", self.node(n))
                });
                let why = format!("{who} not back {}s after its heal", HEAL_PATIENCE.as_secs());
                seen.push(Seen::Failed { fault, why });
            }
        }
        self.list[at].deadline = GONE;
    }

    /// A node on which the effect is not seen.
    fn missing(&self, fault: usize, actual: &[Actual]) -> Option<NodeIndex> {
        let unseen = |(node, effect): (NodeIndex, &NodeEffect)| {
            let is = actual.get(node.at()).copied().unwrap_or(Actual::Unknown);
            let holds = match death(effect) {
                _ if limits(effect).is_some() => self.limit_to_set(node).is_none(),
                Some(_) => is == Actual::Dead,
                None if *effect == NodeEffect::Wipe => true,
                None if is_of_volume(effect) => !self.volumes.contains_key(&node),
                None if matches!(effect, NodeEffect::CrashLoop { .. }) => {
                    self.has_crashed(fault, node) || is == Actual::Dead
                }
                // A dead node is as still as a frozen one: the other fault masks this one.
                None => is == Actual::Paused || matches!(self.desired(node), Desired::Dead(_)),
            };
            (!holds).then_some(node)
        };
        let unseen = self.node_effects(fault).find_map(unseen);
        unseen.or_else(|| self.unsettled(fault))
    }

    fn heals_itself(&self, fault: usize) -> bool {
        let kind = crate::fault::kind(&self.scheduled[fault].kind);
        kind.is_some_and(|kind| !kind.lasts)
    }

    /// The next deadline.
    pub fn next_deadline(&self) -> Option<u64> {
        let waiting =
            |f: &&InForce| f.stage != Stage::Active && !(f.stage == Stage::Beginning && f.failed);
        self.list.iter().filter(waiting).map(|f| f.deadline).min()
    }
}

const SECOND: u64 = 1_000_000_000;
/// Marks a healed fault until it leaves the list.
const GONE: u64 = u64::MAX;

pub(super) fn after(now: u64, wait: Duration) -> u64 {
    now.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
