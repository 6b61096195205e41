//! `partition`: nodes that cannot reach each other.
//!
//! Owns the ways of splitting nodes. Who is drawn for which part is the caller's: it gives the nodes
//! in a drawn order.

use super::{Effect, Kind, LinkEffect, Pairs, Params, Target, TargetShape};
use crate::id::NodeIndex;

pub(super) const KIND: Kind = Kind {
    name: "partition",
    help: "Splits nodes into groups that cannot reach each other: a list of groups, or a way to split (halves, majority, bridge, ring, isolate), or one direction; nodes in no group are untouched.",
    target: TargetShape::Groups,
    params: &[],
    lasts: true,
    effects,
};

/// A way to split nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Each of them is alone.
    Isolate,
    /// Two groups of the same size; of an odd number the first is one larger.
    Halves,
    /// The smallest majority, and the rest.
    Majority,
    /// Two halves that share one node.
    Bridge,
    /// Each reaches a majority, and no two the same one.
    Ring,
}

impl Split {
    /// All, in the order in which help lists them.
    pub const ALL: [Split; 5] = [
        Split::Halves,
        Split::Majority,
        Split::Bridge,
        Split::Ring,
        Split::Isolate,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Split::Isolate => "isolate",
            Split::Halves => "halves",
            Split::Majority => "majority",
            Split::Bridge => "bridge",
            Split::Ring => "ring",
        }
    }

    /// The fewest nodes that can be split so.
    pub fn least(self) -> usize {
        match self {
            Split::Isolate => 1,
            Split::Halves => 2,
            Split::Majority | Split::Bridge => 3,
            Split::Ring => 4,
        }
    }

    /// The parts of `nodes`, at least [`Split::least`], in a drawn order. A bridge's third part is the
    /// node that both halves share; a ring is one part, in its order.
    pub fn parts(self, nodes: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
        let cut = |nodes: &[NodeIndex], first: usize| {
            let (a, b) = nodes.split_at(first.min(nodes.len()));
            vec![sorted(a), sorted(b)]
        };
        match self {
            Split::Isolate => vec![nodes.to_vec()],
            Split::Halves => cut(nodes, nodes.len().div_ceil(2)),
            Split::Majority => cut(nodes, nodes.len() / 2 + 1),
            Split::Bridge => {
                let (shared, others) = nodes.split_at(nodes.len().min(1));
                let mut parts = cut(others, others.len().div_ceil(2));
                parts.push(shared.to_vec());
                parts
            }
            Split::Ring => vec![nodes.to_vec()],
        }
    }

    fn pairs(self, nodes: &[NodeIndex]) -> Pairs {
        let mut parts = self.parts(nodes);
        match self {
            Split::Isolate => Pairs::Touching(nodes.to_vec()),
            Split::Halves | Split::Majority => Pairs::Across(parts),
            Split::Bridge => {
                parts.truncate(2);
                Pairs::Across(parts)
            }
            Split::Ring => Pairs::Apart {
                ring: nodes.to_vec(),
                // With so many neighbours on each side and itself, each sees at least a majority.
                reach: (nodes.len() / 2).div_ceil(2),
            },
        }
    }
}

fn sorted(nodes: &[NodeIndex]) -> Vec<NodeIndex> {
    let mut nodes = nodes.to_vec();
    nodes.sort_unstable();
    nodes
}

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let pairs = match target {
        Target::Groups(groups) => Some(Pairs::Across(groups.clone())),
        Target::Split(split, nodes) => Some(split.pairs(nodes)),
        one_way => super::links(one_way),
    };
    let down = |pairs| Effect::Links {
        pairs,
        effect: LinkEffect::Down,
    };
    pairs.map(down).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::is_down;
    use std::collections::BTreeSet;

    fn n(at: u32) -> NodeIndex {
        NodeIndex(at)
    }

    fn split(split: Split, nodes: u32) -> Vec<Effect> {
        let nodes = (0..nodes).map(NodeIndex).collect();
        effects(&Target::Split(split, nodes), &Params::new())
    }

    /// Whom `node` of `nodes` reaches both ways, itself included.
    fn sees(effects: &[Effect], node: u32, nodes: u32) -> BTreeSet<u32> {
        let both = |other: &u32| {
            let (a, b) = (n(node), n(*other));
            *other == node || !(is_down(effects, a, b) || is_down(effects, b, a))
        };
        (0..nodes).filter(both).collect()
    }

    #[test]
    fn groups_are_apart_and_others_untouched() {
        let split = effects(
            &Target::Groups(vec![vec![n(0), n(1)], vec![n(2)]]),
            &Params::new(),
        );
        assert!(is_down(&split, n(0), n(2)) && is_down(&split, n(2), n(1)));
        assert!(!is_down(&split, n(0), n(1)));
        assert!(!is_down(&split, n(3), n(0)) && !is_down(&split, n(2), n(3)));
    }

    #[test]
    fn one_way_leaves_the_way_back() {
        let target = Target::Links {
            from: vec![n(0)],
            to: vec![n(1)],
            both: false,
        };
        let split = effects(&target, &Params::new());
        assert!(is_down(&split, n(0), n(1)) && !is_down(&split, n(1), n(0)));
    }

    #[test]
    fn who_is_isolated_is_alone() {
        let nodes = vec![n(1), n(2)];
        let split = effects(&Target::Split(Split::Isolate, nodes), &Params::new());
        assert_eq!(sees(&split, 1, 5), BTreeSet::from([1]));
        assert_eq!(sees(&split, 2, 5), BTreeSet::from([2]));
        assert_eq!(sees(&split, 0, 5), BTreeSet::from([0, 3, 4]));
    }

    #[test]
    fn halves_and_majorities() {
        let halves = split(Split::Halves, 5);
        assert_eq!(sees(&halves, 0, 5), BTreeSet::from([0, 1, 2]));
        assert_eq!(sees(&halves, 4, 5), BTreeSet::from([3, 4]));
        let majority = split(Split::Majority, 6);
        assert_eq!(sees(&majority, 0, 6), BTreeSet::from([0, 1, 2, 3]));
        assert_eq!(sees(&majority, 5, 6), BTreeSet::from([4, 5]));
    }

    #[test]
    fn a_bridge_sees_both_sides() {
        let bridge = split(Split::Bridge, 5);
        assert_eq!(sees(&bridge, 0, 5).len(), 5);
        assert_eq!(sees(&bridge, 1, 5), BTreeSet::from([0, 1, 2]));
        assert_eq!(sees(&bridge, 4, 5), BTreeSet::from([0, 3, 4]));
    }

    #[test]
    fn in_a_ring_each_sees_a_majority_and_no_two_the_same() {
        for nodes in 4..40 {
            let ring = split(Split::Ring, nodes);
            let seen: BTreeSet<_> = (0..nodes).map(|node| sees(&ring, node, nodes)).collect();
            assert_eq!(seen.len(), nodes as usize, "{nodes}");
            let majority = nodes as usize / 2 + 1;
            assert!(
                seen.iter()
                    .all(|s| (majority..nodes as usize).contains(&s.len()))
            );
        }
    }
}
