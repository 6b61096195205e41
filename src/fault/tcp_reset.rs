//! `tcp-reset`: connections that are aborted while they live.

use super::{Effect, Kind, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "tcp-reset",
    help: "Aborts the TCP connections that cross links at that moment: both ends get a reset. New ones pass.",
    target: TargetShape::Links,
    params: &[],
    lasts: false,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let abort = |pairs| Effect::Abort { pairs };
    super::links(target).map(abort).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Pairs;
    use crate::id::NodeIndex;

    #[test]
    fn of_one_direction_or_both() {
        let (a, b) = (vec![NodeIndex(0)], vec![NodeIndex(1)]);
        let target = |both| Target::Links {
            from: a.clone(),
            to: b.clone(),
            both,
        };
        let abort = |pairs| vec![Effect::Abort { pairs }];
        let (from, to) = (a.clone(), b.clone());
        let one_way = abort(Pairs::Directed { from, to });
        assert_eq!(effects(&target(false), &Params::new()), one_way);
        let both = abort(Pairs::Between {
            a: a.clone(),
            b: b.clone(),
        });
        assert_eq!(effects(&target(true), &Params::new()), both);
    }
}
