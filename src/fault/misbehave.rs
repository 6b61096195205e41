//! `misbehave`: a node of netlab's own that answers wrongly, late or not at all.

use super::{Effect, Kind, Param, ParamKind, ParamValue, Params, Target, TargetShape};
use netlab_protocol::conduct::{How, Misbehaviour};
use std::time::Duration;

/// How late answers are where nothing is said.
const DELAY: Duration = Duration::from_secs(1);

const HOW: &[&str] = &["corrupt", "withhold", "slow", "stale"];

pub(super) const KIND: Kind = Kind {
    name: "misbehave",
    help: "Servers and peers answer with a wrong bit, not at all, late, or with what the last write replaced.",
    target: TargetShape::Nodes,
    params: &[
        Param {
            name: "how",
            kind: ParamKind::Word(HOW),
            help: "What is wrong with the answers.",
        },
        Param {
            name: "share",
            kind: ParamKind::Share,
            help: "Of how many answers, drawn for each from the seed; all unless said.",
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
    let how = match params.get("how") {
        Some(ParamValue::Word(word)) => How::ALL.into_iter().find(|how| how.as_str() == word),
        _ => None,
    };
    let how = how.unwrap_or(How::Corrupt);
    let share = match params.get("share") {
        Some(ParamValue::Share(share)) => share.0,
        _ => 1.0,
    };
    let is_late = how == How::Slow || params.contains_key("delay");
    let slow = is_late.then(|| Misbehaviour {
        how: How::Slow,
        share,
        delay: super::duration(params, "delay", DELAY),
    });
    let wrong = (how != How::Slow).then_some(Misbehaviour {
        how,
        share,
        delay: Duration::ZERO,
    });
    let all: Vec<Misbehaviour> = slow.into_iter().chain(wrong).collect();
    let on = |&node| {
        all.iter()
            .map(move |&effect| Effect::Program { node, effect })
    };
    super::nodes(target).iter().flat_map(on).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIndex;
    use crate::units::Ratio;

    fn of(params: Params) -> Vec<(How, f64, u64)> {
        let target = Target::Nodes(vec![NodeIndex(3)]);
        let effect = |effect: Effect| match effect {
            Effect::Program {
                node: NodeIndex(3),
                effect,
            } => (effect.how, effect.share, effect.delay.as_secs()),
            other => panic!("{other:?}"),
        };
        effects(&target, &params).into_iter().map(effect).collect()
    }

    #[test]
    fn all_are_corrupt_unless_said_and_may_be_late_besides() {
        assert_eq!(of(Params::new()), [(How::Corrupt, 1.0, 0)]);
        let how = |word: &str| ("how", ParamValue::Word(word.to_owned()));
        let delay = ("delay", ParamValue::Duration(Duration::from_secs(3)));
        let share = ("share", ParamValue::Share(Ratio(0.3)));
        assert_eq!(of(Params::from([how("slow")])), [(How::Slow, 1.0, 1)]);
        let late = of(Params::from([how("stale"), share, delay]));
        assert_eq!(late, [(How::Slow, 0.3, 3), (How::Stale, 0.3, 0)]);
    }
}
