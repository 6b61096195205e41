//! `kill`: the loss of a machine, or of a process.

use super::{
    Effect, Kind, LinkEffect, NodeEffect, Pairs, Param, ParamKind, ParamValue, Params, Target,
    TargetShape,
};

pub(super) const KIND: Kind = Kind {
    name: "kill",
    help: "Kills nodes with SIGKILL. As a machine (the default) their links fall silent first; as a process their kernel closes connections and refuses new ones.",
    target: TargetShape::Nodes,
    params: &[Param {
        name: "as",
        kind: ParamKind::Word(&["machine", "process"]),
        help: "What is lost: the whole machine, or only its processes.",
    }],
    lasts: true,
    effects,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let process = params.get("as") == Some(&ParamValue::Word("process".into()));
    let nodes = super::nodes(target);
    let silence = Effect::Links {
        pairs: Pairs::Touching(nodes.to_vec()),
        effect: LinkEffect::Down,
    };
    let kills = nodes.iter().map(|&node| Effect::Node {
        node,
        effect: NodeEffect::Kill {
            kernel_answers: process,
        },
    });
    (!process)
        .then_some(silence)
        .into_iter()
        .chain(kills)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::is_down;
    use crate::id::NodeIndex;

    #[test]
    fn only_a_lost_machine_is_silent() {
        let target = Target::Nodes(vec![NodeIndex(1)]);
        let machine = effects(&target, &Params::new());
        assert!(is_down(&machine, NodeIndex(0), NodeIndex(1)));
        assert!(is_down(&machine, NodeIndex(1), NodeIndex(2)));
        assert!(!is_down(&machine, NodeIndex(0), NodeIndex(2)));
        let process = effects(
            &target,
            &Params::from([("as", ParamValue::Word("process".into()))]),
        );
        assert!(!is_down(&process, NodeIndex(0), NodeIndex(1)));
        assert_eq!(process.len(), 1);
    }
}
