//! Tests of the fold.

use super::*;
use crate::fault::{Degradation, Pairs};
use crate::link::{LinkPatch, Loss, Step, Steps};
use crate::units::{BitRate, Ratio};
use proptest::prelude::*;
use std::time::Duration;

const NODES: usize = 5;

fn n(at: u32) -> NodeIndex {
    NodeIndex(at)
}

fn pairs() -> impl Strategy<Value = Pairs> {
    let nodes = || prop::collection::btree_set(0..NODES as u32, 1..4);
    let list = |set: std::collections::BTreeSet<u32>| set.into_iter().map(NodeIndex).collect();
    prop_oneof![
        nodes().prop_map(move |set| Pairs::Touching(list(set))),
        (nodes(), nodes()).prop_map(move |(from, to)| Pairs::Directed {
            from: list(from),
            to: list(to),
        }),
        (nodes(), nodes()).prop_map(move |(a, b)| Pairs::Between {
            a: list(a),
            b: list(b),
        }),
        (0..NODES as u32).prop_map(|at| {
            let others = (0..NODES as u32).filter(|other| *other != at);
            Pairs::Across(vec![vec![n(at)], others.map(NodeIndex).collect()])
        }),
    ]
}

fn effect() -> impl Strategy<Value = Effect> {
    let change = (0..200_u64, -100.0..200.0_f64, 0.0..1.0_f64, 0..4_u8);
    let change = change.prop_map(|(ms, percent, share, which)| {
        let mut change = Degradation::default();
        match which {
            0 => change.set.delay = Some(Duration::from_millis(ms)),
            1 => change.by.delay = Some(Step::Percent(percent)),
            2 => change.by.loss = Some(Step::More(Ratio(share))),
            _ => change.set.rate = Some(BitRate(1 + ms)),
        }
        LinkEffect::Change(Box::new(change))
    });
    let effect = prop_oneof![Just(LinkEffect::Down), change];
    (pairs(), effect).prop_map(|(pairs, effect)| Effect::Links { pairs, effect })
}

fn baseline() -> LinkProperties {
    LinkProperties {
        delay: Duration::from_millis(20),
        rate: Some(BitRate(1_000_000)),
        ..LinkProperties::default()
    }
}

fn delayed(set: Option<u64>, more: Option<u64>) -> LinkEffect {
    LinkEffect::Change(Box::new(Degradation {
        set: LinkPatch {
            delay: set.map(Duration::from_millis),
            ..LinkPatch::default()
        },
        by: Steps {
            delay: more.map(|ms| Step::More(Duration::from_millis(ms))),
            ..Steps::default()
        },
    }))
}

#[test]
fn steps_add_up_and_the_last_that_is_set_counts() {
    let link = Folded::declared(baseline());
    let delay = |effects: &[LinkEffect]| link.under(effects).properties.delay.as_millis();
    let (set, more, other) = (
        delayed(Some(100), None),
        delayed(None, Some(30)),
        delayed(Some(7), None),
    );
    assert_eq!(delay(&[more.clone(), more.clone()]), 80);
    assert_eq!(delay(&[set.clone(), more.clone()]), 130);
    assert_eq!(delay(&[more, set.clone()]), 100);
    assert_eq!(delay(&[set, other]), 7);
}

#[test]
fn a_link_that_is_down_keeps_its_properties_for_its_heal() {
    let slow = delayed(Some(100), None);
    let both = Folded::declared(baseline()).under([&LinkEffect::Down, &slow]);
    assert!(both.down);
    assert_eq!(both.properties.delay, Duration::from_millis(100));
}

#[test]
fn both_directions_of_sets_that_overlap_change_once() {
    let effect = Effect::Links {
        pairs: Pairs::Between {
            a: vec![n(0), n(1)],
            b: vec![n(0), n(1), n(2)],
        },
        effect: delayed(None, Some(30)),
    };
    let touched = touched([&effect], 4);
    let expected = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
    assert!(touched.keys().map(|(a, b)| (a.0, b.0)).eq(expected));
    assert!(touched.values().all(|effects| effects.len() == 1));
}

#[test]
fn loss_of_a_patch_replaces_all_loss() {
    let mut change = Degradation::default();
    change.set.loss = Some(Loss {
        share: Ratio(0.05),
        ..Loss::default()
    });
    let declared = LinkProperties {
        loss_every: 3,
        ..baseline()
    };
    let lossy = LinkEffect::Change(Box::new(change));
    let link = Folded::declared(declared).under([&lossy]).properties;
    assert_eq!((link.loss, link.loss_every), (Ratio(0.05), 0));
}

proptest! {
    /// A set of pairs and its list agree.
    #[test]
    fn all_are_those_contained(pairs in pairs()) {
        let mut listed: Vec<_> = pairs.all(NODES).collect();
        listed.sort_unstable();
        listed.dedup();
        let every = (0..NODES as u32).flat_map(|a| (0..NODES as u32).map(move |b| (n(a), n(b))));
        let contained: Vec<_> = every.filter(|(a, b)| a != b && pairs.contains(*a, *b)).collect();
        prop_assert_eq!(listed, contained);
    }

    /// However faults overlap and in whatever order they heal, what is left counts as if the healed
    /// ones had never been; at the end every link is as declared.
    #[test]
    fn healing_in_any_order_gives_the_baseline_again(
        faults in prop::collection::vec(effect(), 1..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let declared = Folded::declared(baseline());
        let link = |active: &[usize], pair: &(NodeIndex, NodeIndex)| {
            let effects = touched(active.iter().map(|at| &faults[*at]), NODES);
            let on_it = effects.get(pair).cloned().unwrap_or_default();
            declared.under(on_it)
        };
        let mut active: Vec<usize> = Vec::new();
        for at in order {
            let fault = at.index(faults.len());
            match active.iter().position(|other| *other == fault) {
                Some(at) => { active.remove(at); }
                None => active.push(fault),
            }
            for pair in [(n(0), n(1)), (n(1), n(0)), (n(3), n(4))] {
                let mut expected = declared;
                for at in &active {
                    let Effect::Links { pairs, effect } = &faults[*at] else { continue };
                    if pairs.contains(pair.0, pair.1) {
                        expected = expected.under([effect]);
                    }
                }
                prop_assert_eq!(link(&active, &pair), expected);
            }
        }
        active.clear();
        prop_assert_eq!(link(&active, &(n(0), n(1))), declared);
    }
}
