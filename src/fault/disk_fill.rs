//! `disk-fill`: a node whose disk is full.

use super::{Effect, Kind, NodeEffect, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "disk-fill",
    help: "Fills the data volumes of nodes: what they write fails for want of space (ENOSPC), what they read does not.",
    target: TargetShape::Nodes,
    params: &[],
    lasts: true,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let fill = |&node| Effect::Node {
        node,
        effect: NodeEffect::Fill,
    };
    super::nodes(target).iter().map(fill).collect()
}
