//! `cut`: links that carry nothing.

use super::{Effect, Kind, LinkEffect, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "cut",
    help: "Cuts links: every packet on them is lost, silently.",
    target: TargetShape::Links,
    params: &[],
    lasts: true,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let down = |pairs| Effect::Links {
        pairs,
        effect: LinkEffect::Down,
    };
    super::links(target).map(down).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::is_down;
    use crate::id::NodeIndex;

    #[test]
    fn one_way_or_both() {
        let (a, b) = (NodeIndex(0), NodeIndex(1));
        let target = |both| Target::Links {
            from: vec![a],
            to: vec![b],
            both,
        };
        let one_way = effects(&target(false), &Params::new());
        assert!(is_down(&one_way, a, b) && !is_down(&one_way, b, a));
        let both = effects(&target(true), &Params::new());
        assert!(is_down(&both, a, b) && is_down(&both, b, a));
    }
}
