//! `restart`: an orderly shutdown and a start at once.

use super::{Effect, Kind, NodeEffect, Params, Target, TargetShape, stop};

pub(super) const KIND: Kind = Kind {
    name: "restart",
    help: "Stops nodes in order and starts them again at once.",
    target: TargetShape::Nodes,
    params: &[stop::GRACE_PARAM],
    lasts: false,
    effects,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let grace = super::duration(params, "grace", stop::GRACE);
    let restart = |&node| Effect::Node {
        node,
        effect: NodeEffect::Restart { grace },
    };
    super::nodes(target).iter().map(restart).collect()
}
