//! What links are under the active effects, against what the fabric was told last. Pure.
//!
//! Owns the fold's result for the whole lab: what differs is changed at once, so that a partition is
//! never seen half made. The fold of one link is [`crate::fault::Folded`].

use super::apply::{Faults, Seen, after};
use super::core::{Action, Core};
use crate::fabric::LinkChange;
use crate::fault::{Effect, Folded, touched};
use crate::id::{NetworkIndex, NodeIndex};
use crate::lab::Lab;
use std::collections::BTreeMap;
use std::time::Duration;

/// One link: an ordered pair in a network.
type Place = (NetworkIndex, NodeIndex, NodeIndex);

/// The links that are not as declared.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The effects that were folded last, each with its fault, in the order in which they began.
    folded: Vec<(usize, usize)>,
    now: BTreeMap<Place, Folded>,
    /// When the next of them comes or goes by itself.
    next: Option<u64>,
}

impl Links {
    /// Whether all links are as declared.
    pub fn are_declared(&self) -> bool {
        self.now.is_empty()
    }

    /// What a link is now.
    pub fn folded(&self, lab: &Lab, place: Place) -> Folded {
        let (network, from, to) = place;
        let declared = || Folded::declared(*lab.networks[network.at()].links.get(from, to));
        self.now.get(&place).copied().unwrap_or_else(declared)
    }

    /// The effects that hold, each with its fault.
    pub fn holding(&self) -> &[(usize, usize)] {
        &self.folded
    }

    /// When [`Core::fold_links`] must be called at the latest.
    pub fn next_at(&self) -> Option<u64> {
        self.next
    }

    /// Folds these effects over what `lab` declares; returns what the fabric has to change.
    fn fold<'e>(
        &mut self,
        lab: &Lab,
        effects: impl IntoIterator<Item = &'e Effect>,
    ) -> Vec<LinkChange> {
        let declared = |(network, from, to): Place| *lab.networks[network.at()].links.get(from, to);
        let mut now = BTreeMap::new();
        for ((from, to), effects) in touched(effects, lab.nodes.len()) {
            for network in lab.shared(from, to) {
                let place = (network, from, to);
                let link = Folded::declared(declared(place));
                let folded = link.under(effects.iter().copied());
                if folded != link {
                    now.insert(place, folded);
                }
            }
        }
        let healed = self.now.keys().filter(|place| !now.contains_key(place));
        let healed = healed.map(|place| (*place, Folded::declared(declared(*place))));
        let others = now
            .iter()
            .filter(|(place, link)| self.now.get(place) != Some(link));
        let others = others.map(|(place, link)| (*place, *link));
        let changes = others.chain(healed).map(change).collect();
        self.now = now;
        changes
    }
}

fn change(((network, from, to), link): (Place, Folded)) -> LinkChange {
    LinkChange {
        network,
        from,
        to,
        properties: link.properties,
        down: link.down,
    }
}

/// The effects on the network that hold now, and when the first of them comes or goes by itself.
fn in_force(faults: &Faults, now: u64) -> (Vec<(usize, usize)>, Option<u64>) {
    let mut holding = Vec::new();
    let mut next: Option<u64> = None;
    for f in faults.wanted() {
        // From when it was due: a late begin shifts no later edge.
        let since = Duration::from_nanos(now.saturating_sub(f.due));
        for (at, effect) in faults.get(f.fault).effects.iter().enumerate() {
            let (holds, until) = match effect {
                Effect::Links { effect, .. } => effect.phase(since),
                Effect::Resolver { .. } | Effect::Abort { .. } => (true, None),
                Effect::Program { .. } | Effect::Node { .. } => continue,
            };
            if holds {
                holding.push((f.fault, at));
            }
            let until = until.map(|until| after(f.due, until));
            next = next.into_iter().chain(until).min();
        }
    }
    (holding, next)
}

impl Core {
    /// Folds all effects over the baseline and has the fabric change what differs, at once.
    pub(super) fn fold_links(&mut self, now: u64) {
        let pending = self.faults.list().iter().any(|f| f.links.is_none());
        let (wanted, next) = in_force(&self.faults, now);
        self.links.next = next;
        if !pending && wanted == self.links.folded {
            return;
        }
        let effect = |&(fault, at): &(usize, usize)| &self.faults.get(fault).effects[at];
        let links = self.links.fold(&self.lab, wanted.iter().map(effect));
        let resolver = self.names.fold(wanted.iter().map(effect));
        let fresh = wanted
            .iter()
            .filter(|held| !self.links.folded.contains(held));
        let aborts = fresh.filter_map(|held| match effect(held) {
            Effect::Abort { pairs } => Some((held.0, pairs.all(self.lab.nodes.len()).collect())),
            _ => None,
        });
        let aborts: Vec<(usize, Vec<_>)> = aborts.collect();
        self.links.folded = wanted;
        if !links.is_empty() || !resolver.is_empty() {
            self.act(Action::Network { links, resolver });
        }
        for (fault, links) in aborts {
            self.act(Action::Abort { fault, links });
        }
        let changes = |a: &Action| matches!(a, Action::Network { .. } | Action::Abort { .. });
        if !self.actions.iter().any(changes) {
            self.faults.links_hold(now);
        }
    }

    /// Connections were aborted for a fault.
    pub(super) fn aborted(&mut self, now: u64, fault: usize, count: u64) {
        let name = &self.faults.get(fault).name;
        let text = format!("`{name}` reset {count} TCP connections");
        self.note(now, None, text);
        self.prove_reset(fault, count);
        if count == 0 {
            let why = "no TCP connection crossed its links".to_owned();
            self.seen_fault(now, Seen::Failed { fault, why });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::world;
    use super::*;
    use crate::fault::{Degradation, LinkEffect, Pairs};
    use crate::link::Step;
    use proptest::prelude::*;

    const NODES: u32 = 4;

    fn effect() -> impl Strategy<Value = Effect> {
        let slower = (0..100_u64).prop_map(|ms| {
            let mut change = Degradation::default();
            change.by.delay = Some(Step::More(Duration::from_millis(ms)));
            LinkEffect::Change(Box::new(change))
        });
        let effect = prop_oneof![Just(LinkEffect::Down), slower];
        let pairs = (0..NODES).prop_map(|at| Pairs::Touching(vec![NodeIndex(at)]));
        (pairs, effect).prop_map(|(pairs, effect)| Effect::Links { pairs, effect })
    }

    /// What the fabric holds after all it was told.
    fn tell(fabric: &mut BTreeMap<Place, Folded>, lab: &Lab, changes: Vec<LinkChange>) {
        for change in changes {
            let place = (change.network, change.from, change.to);
            let link = Folded {
                properties: change.properties,
                down: change.down,
            };
            let declared = lab.networks[0].links.get(change.from, change.to);
            match link == Folded::declared(*declared) {
                true => drop(fabric.remove(&place)),
                false => drop(fabric.insert(place, link)),
            }
        }
    }

    proptest! {
        /// The fabric always has what the active effects make of the baseline, and the baseline when
        /// the last has healed; what does not differ is not told.
        #[test]
        fn the_fabric_has_the_fold(
            faults in prop::collection::vec(effect(), 1..5),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..16),
        ) {
            let lab = world::lab(NODES, None);
            let (mut links, mut fabric) = (Links::default(), BTreeMap::new());
            let mut active: Vec<usize> = Vec::new();
            for at in order {
                let fault = at.index(faults.len());
                match active.iter().position(|other| *other == fault) {
                    Some(at) => { active.remove(at); }
                    None => active.push(fault),
                }
                let effects = || active.iter().map(|at| &faults[*at]);
                tell(&mut fabric, &lab, links.fold(&lab, effects()));
                let mut fresh = Links::default();
                fresh.fold(&lab, effects());
                prop_assert_eq!(&fabric, &fresh.now);
                prop_assert!(links.fold(&lab, effects()).is_empty());
            }
            tell(&mut fabric, &lab, links.fold(&lab, []));
            prop_assert!(fabric.is_empty() && links.are_declared());
        }
    }
}
