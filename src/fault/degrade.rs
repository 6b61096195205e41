//! `degrade`: links that are worse than declared.

use super::{Effect, Kind, LinkEffect, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "degrade",
    help: "Changes properties of links: `delay: 100ms` sets, `delay: +100ms` and `rate: -20%` go from what there is; of shares `+5%` is in points.",
    target: TargetShape::Degraded,
    params: &[],
    lasts: true,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let Target::Degraded { change, .. } = target else {
        return Vec::new();
    };
    let degraded = |pairs| Effect::Links {
        pairs,
        effect: LinkEffect::Change(change.clone()),
    };
    super::links(target).map(degraded).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Degradation, Folded, touched};
    use crate::id::NodeIndex;
    use crate::link::{LinkProperties, Step};
    use std::time::Duration;

    #[test]
    fn one_way_only_where_it_is_said() {
        let (a, b) = (NodeIndex(0), NodeIndex(1));
        let mut change = Degradation::default();
        change.by.delay = Some(Step::More(Duration::from_millis(100)));
        let target = Target::Degraded {
            from: vec![a],
            to: vec![b],
            both: false,
            change: Box::new(change),
        };
        let effects = effects(&target, &Params::new());
        let touched = touched(&effects, 3);
        assert_eq!(touched.len(), 1);
        let link = Folded::declared(LinkProperties::default());
        let slow = link.under(touched[&(a, b)].iter().copied());
        assert_eq!(slow.properties.delay, Duration::from_millis(100));
    }
}
