//! `read-only`: a node whose disk takes no more writes, as after an error of it.

use super::{Effect, Kind, NodeEffect, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "read-only",
    help: "Makes the data volumes of nodes read-only: what they write is refused (EROFS), what they read is not.",
    target: TargetShape::Nodes,
    params: &[],
    lasts: true,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let refuse = |&node| Effect::Node {
        node,
        effect: NodeEffect::ReadOnly,
    };
    super::nodes(target).iter().map(refuse).collect()
}
