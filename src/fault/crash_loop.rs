//! `crash-loop`: a program that crashes, is started again, and crashes again.

use super::{Effect, Kind, NodeEffect, Param, ParamKind, ParamValue, Params, Target, TargetShape};
use std::time::Duration;

/// How long a node is up between two crashes, where nothing is said.
const UPTIME: Duration = Duration::from_secs(2);
/// A shorter life is no life: a node needs some time to serve anybody.
const SHORTEST: Duration = Duration::from_millis(100);

pub(super) const KIND: Kind = Kind {
    name: "crash-loop",
    help: "Kills the processes of nodes and starts them at once, over and over; they end up. Between a crash and the start their kernel refuses.",
    target: TargetShape::Nodes,
    params: &[
        Param {
            name: "crashes",
            kind: ParamKind::Integer(1, 1000),
            help: "How often; as often as there is time for unless said.",
        },
        Param {
            name: "uptime",
            kind: ParamKind::LongTime(SHORTEST),
            help: "How long a node is up before it crashes again; 2s unless said.",
        },
    ],
    lasts: true,
    effects,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let uptime = super::duration(params, "uptime", UPTIME);
    let crashes = match params.get("crashes") {
        Some(ParamValue::Integer(crashes)) => u32::try_from(*crashes).ok(),
        _ => None,
    };
    let crash = |&node| Effect::Node {
        node,
        effect: NodeEffect::CrashLoop { crashes, uptime },
    };
    super::nodes(target).iter().map(crash).collect()
}

/// How long all that a crash-loop says takes at the least.
pub(super) fn shortest(params: &Params) -> Option<Duration> {
    match params.get("crashes") {
        Some(ParamValue::Integer(crashes)) => {
            let between = u32::try_from(crashes.saturating_sub(1)).ok()?;
            Some(super::duration(params, "uptime", UPTIME).saturating_mul(between))
        }
        _ => None,
    }
}
