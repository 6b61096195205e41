//! `pause`: a node that hangs.

use super::{Effect, Kind, NodeEffect, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "pause",
    help: "Freezes the processes of nodes; their kernel still accepts connections.",
    target: TargetShape::Nodes,
    params: &[],
    lasts: true,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let pause = |&node| Effect::Node {
        node,
        effect: NodeEffect::Pause,
    };
    super::nodes(target).iter().map(pause).collect()
}
