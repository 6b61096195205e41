//! How the resolver answers each node under the active effects, against what the fabric was told
//! last. Pure.
//!
//! Owns the fold: delays add up, and of what answers say the fault that began last counts.

use crate::fabric::{Answers, ResolverChange, ResolverManner};
use crate::fault::{Effect, ResolverEffect};
use crate::id::NodeIndex;
use std::collections::BTreeMap;

/// The nodes that are not answered at once and rightly.
#[derive(Debug, Default)]
pub(super) struct Names {
    now: BTreeMap<NodeIndex, ResolverManner>,
}

impl Names {
    /// Whether everyone is answered as should be.
    pub fn are_right(&self) -> bool {
        self.now.is_empty()
    }

    /// Folds these effects; returns what the fabric has to change.
    pub fn fold<'e>(
        &mut self,
        effects: impl IntoIterator<Item = &'e Effect>,
    ) -> Vec<ResolverChange> {
        let now = manners(effects);
        let healed = self.now.keys().filter(|node| !now.contains_key(node));
        let healed = healed.map(|node| (*node, ResolverManner::default()));
        let others = now
            .iter()
            .filter(|(node, manner)| self.now.get(node) != Some(manner));
        let others = others.map(|(node, manner)| (*node, *manner));
        let change = |(node, manner)| ResolverChange { node, manner };
        let changes = others.chain(healed).map(change).collect();
        self.now = now;
        changes
    }
}

/// How each node is answered under these effects, but for those that are answered as usual.
pub(super) fn manners<'e>(
    effects: impl IntoIterator<Item = &'e Effect>,
) -> BTreeMap<NodeIndex, ResolverManner> {
    let mut now: BTreeMap<NodeIndex, ResolverManner> = BTreeMap::new();
    for effect in effects {
        if let Effect::Resolver { nodes, effect } = effect {
            for node in nodes {
                let manner = now.entry(*node).or_default();
                *manner = under(*manner, effect);
            }
        }
    }
    now.retain(|_, manner| *manner != ResolverManner::default());
    now
}

fn under(manner: ResolverManner, effect: &ResolverEffect) -> ResolverManner {
    match *effect {
        ResolverEffect::Slow { delay } => ResolverManner {
            delay: manner.delay.saturating_add(delay),
            ..manner
        },
        ResolverEffect::Fail(failure) => ResolverManner {
            answers: Answers::Failure(failure),
            ..manner
        },
        ResolverEffect::Silent => ResolverManner {
            answers: Answers::Silence,
            ..manner
        },
        ResolverEffect::Lie => ResolverManner {
            answers: Answers::Lies,
            ..manner
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn on(nodes: &[u32], effect: ResolverEffect) -> Effect {
        Effect::Resolver {
            nodes: nodes.iter().map(|at| NodeIndex(*at)).collect(),
            effect,
        }
    }

    #[test]
    fn overlapping_faults_heal_in_any_order() {
        let slow = on(
            &[0, 1],
            ResolverEffect::Slow {
                delay: Duration::from_secs(1),
            },
        );
        let lie = on(&[1, 2], ResolverEffect::Lie);
        let silent = on(&[1], ResolverEffect::Silent);
        let mut names = Names::default();
        let told = |changes: Vec<ResolverChange>| -> Vec<(u32, u64, Answers)> {
            let one = |c: &ResolverChange| (c.node.0, c.manner.delay.as_secs(), c.manner.answers);
            changes.iter().map(one).collect()
        };
        let all = told(names.fold([&slow, &lie, &silent]));
        let expected = [
            (0, 1, Answers::Right),
            (1, 1, Answers::Silence),
            (2, 0, Answers::Lies),
        ];
        assert_eq!(all, expected);
        assert!(names.fold([&slow, &lie, &silent]).is_empty());
        assert_eq!(told(names.fold([&slow, &lie])), [(1, 1, Answers::Lies)]);
        let without_slow = told(names.fold([&lie]));
        assert_eq!(
            without_slow,
            [(1, 0, Answers::Lies), (0, 0, Answers::Right)]
        );
        assert_eq!(names.fold([]).len(), 2);
        assert!(names.are_right());
    }
}
