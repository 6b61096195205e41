//! `stop`: an orderly shutdown.

use super::{Effect, Kind, NodeEffect, Param, ParamKind, Params, Target, TargetShape};
use std::time::Duration;

/// SIGKILL follows SIGTERM after this time, as in `docker stop`.
pub(super) const GRACE: Duration = Duration::from_secs(10);

pub(super) const GRACE_PARAM: Param = Param {
    name: "grace",
    kind: ParamKind::Duration,
    help: "Time between SIGTERM and SIGKILL; 10s unless said.",
};

pub(super) const KIND: Kind = Kind {
    name: "stop",
    help: "Stops nodes in order: SIGTERM, and SIGKILL after the grace.",
    target: TargetShape::Nodes,
    params: &[GRACE_PARAM],
    lasts: true,
    effects,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let grace = super::duration(params, "grace", GRACE);
    let stop = |&node| Effect::Node {
        node,
        effect: NodeEffect::Stop { grace },
    };
    super::nodes(target).iter().map(stop).collect()
}
