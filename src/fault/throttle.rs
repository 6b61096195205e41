//! `throttle`: a node that has less of processor or memory than it needs.

use super::{
    Effect, Kind, Limits, NodeEffect, Param, ParamKind, ParamValue, Params, Target, TargetShape,
};
use crate::units::Cores;

/// The least memory that engines take as a limit.
const LEAST_MEMORY: u64 = 6 << 20;

pub(super) const KIND: Kind = Kind {
    name: "throttle",
    help: "Limits what nodes may take of processor and memory. Who needs more memory is killed by the kernel, and stays dead until the heal.",
    target: TargetShape::Nodes,
    params: &[
        Param {
            name: "cpu",
            kind: ParamKind::Cores,
            help: "Processor time: a share of one core (`20%`), or a number of cores (`0.5`).",
        },
        Param {
            name: "memory",
            kind: ParamKind::Size(LEAST_MEMORY),
            help: "Memory; 6MiB or more, and no swap beside it.",
        },
    ],
    lasts: true,
    effects,
};

/// The parameters of which at least one is to be said.
pub(super) const NEEDED: &[&str] = &["cpu", "memory"];

/// What a throttle is that says nothing, as `chaos` draws it.
const DRAWN: Limits = Limits {
    cpu: Some(Cores(100)),
    memory: None,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let said = Limits {
        cpu: match params.get("cpu") {
            Some(ParamValue::Cores(cores)) => Some(*cores),
            _ => None,
        },
        memory: match params.get("memory") {
            Some(ParamValue::Size(size)) => Some(*size),
            _ => None,
        },
    };
    let limits = match said {
        nothing if nothing == Limits::default() => DRAWN,
        said => said,
    };
    let throttle = |&node| Effect::Node {
        node,
        effect: NodeEffect::Throttle(limits),
    };
    super::nodes(target).iter().map(throttle).collect()
}
