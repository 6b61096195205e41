//! `wipe`: the loss of a machine with all that it kept.

use super::{Effect, Kind, LinkEffect, NodeEffect, Pairs, Params, Target, TargetShape};

pub(super) const KIND: Kind = Kind {
    name: "wipe",
    help: "Loses the machine, as `kill` does, and its data: what comes back with the heal has an empty volume.",
    target: TargetShape::Nodes,
    params: &[],
    lasts: true,
    effects,
};

fn effects(target: &Target, _: &Params) -> Vec<Effect> {
    let nodes = super::nodes(target);
    let silence = Effect::Links {
        pairs: Pairs::Touching(nodes.to_vec()),
        effect: LinkEffect::Down,
    };
    let lost = |&node| {
        let kill = NodeEffect::Kill {
            kernel_answers: false,
        };
        [kill, NodeEffect::Wipe].map(|effect| Effect::Node { node, effect })
    };
    let lost = nodes.iter().flat_map(lost);
    std::iter::once(silence).chain(lost).collect()
}
