//! `dns`: names that are found late, wrongly, or not at all.

use super::{
    Effect, Kind, Param, ParamKind, ParamValue, Params, ResolverEffect, ResolverFailure, Target,
    TargetShape,
};
use std::time::Duration;

/// How late answers are where nothing is said: below the patience of common clients (5 s in glibc and
/// musl).
const DELAY: Duration = Duration::from_secs(1);

const MODES: &[&str] = &["slow", "servfail", "nxdomain", "silent", "lie"];

pub(super) const KIND: Kind = Kind {
    name: "dns",
    help: "Makes names fail for the nodes that ask: answers come late, are errors, do not come, or name another node.",
    target: TargetShape::Nodes,
    params: &[
        Param {
            name: "mode",
            kind: ParamKind::Word(MODES),
            help: "What is wrong with the answers.",
        },
        Param {
            name: "delay",
            kind: ParamKind::Duration,
            help: "How much later answers come; 1s where they are slow and nothing is said.",
        },
    ],
    lasts: true,
    effects,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let wrong = match params.get("mode") {
        Some(ParamValue::Word(mode)) => match mode.as_str() {
            "servfail" => Some(ResolverEffect::Fail(ResolverFailure::ServFail)),
            "nxdomain" => Some(ResolverEffect::Fail(ResolverFailure::NxDomain)),
            "silent" => Some(ResolverEffect::Silent),
            "lie" => Some(ResolverEffect::Lie),
            _ => None,
        },
        _ => None,
    };
    let said = params.contains_key("delay") || wrong.is_none();
    let slow = said.then(|| ResolverEffect::Slow {
        delay: super::duration(params, "delay", DELAY),
    });
    let on = |effect| Effect::Resolver {
        nodes: super::nodes(target).to_vec(),
        effect,
    };
    slow.into_iter().chain(wrong).map(on).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIndex;

    fn of(params: Params) -> Vec<ResolverEffect> {
        let target = Target::Nodes(vec![NodeIndex(3)]);
        let effect = |effect: Effect| match effect {
            Effect::Resolver { nodes, effect } if nodes == [NodeIndex(3)] => effect,
            other => panic!("{other:?}"),
        };
        effects(&target, &params).into_iter().map(effect).collect()
    }

    #[test]
    fn slow_unless_said_and_late_errors() {
        let slow = |seconds| ResolverEffect::Slow {
            delay: Duration::from_secs(seconds),
        };
        assert_eq!(of(Params::new()), [slow(1)]);
        let mode = |word: &str| ("mode", ParamValue::Word(word.to_owned()));
        let delay = ("delay", ParamValue::Duration(Duration::from_secs(3)));
        assert_eq!(of(Params::from([mode("lie")])), [ResolverEffect::Lie]);
        let late = of(Params::from([mode("servfail"), delay]));
        let failure = ResolverEffect::Fail(ResolverFailure::ServFail);
        assert_eq!(late, [slow(3), failure]);
    }
}
