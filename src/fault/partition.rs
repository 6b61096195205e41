//! `partition`: groups of nodes that cannot reach each other.

use super::{Effect, Kind, LinkEffect, Pairs, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "partition",
    help: "Splits nodes into groups that cannot reach each other; nodes in no group are untouched.",
    target: TargetShape::Groups,
    params: &[],
    lasts: true,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let Target::Groups(groups) = target else {
        return Vec::new();
    };
    vec![Effect::Links {
        pairs: Pairs::Across(groups.clone()),
        effect: LinkEffect::Down,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::is_down;
    use crate::id::NodeIndex;

    #[test]
    fn groups_are_apart_and_others_untouched() {
        let n = NodeIndex;
        let split = effects(
            &Target::Groups(vec![vec![n(0), n(1)], vec![n(2)]]),
            &Params::new(),
        );
        assert!(is_down(&split, n(0), n(2)) && is_down(&split, n(2), n(1)));
        assert!(!is_down(&split, n(0), n(1)));
        assert!(!is_down(&split, n(3), n(0)) && !is_down(&split, n(2), n(3)));
    }
}
