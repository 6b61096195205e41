//! `flap`: links that go down and come up again and again.

use super::{Effect, Kind, LinkEffect, Param, ParamKind, ParamValue, Params, Target, TargetShape};
use std::time::Duration;

/// Of a period of which nothing is said.
const PERIOD: Duration = Duration::from_secs(2);
/// Shorter periods are refused: each edge is a change of the whole set of links.
const SHORTEST: Duration = Duration::from_millis(20);
/// The share of a period during which links are down, where nothing is said.
const DUTY: f64 = 0.5;

pub(super) const KIND: Kind = Kind {
    name: "flap",
    help: "Takes links down and up again, over and over, beginning with down; they end up.",
    target: TargetShape::Links,
    params: &[
        Param {
            name: "period",
            kind: ParamKind::LongTime(SHORTEST),
            help: "Time from one going down to the next; 2s unless said.",
        },
        Param {
            name: "duty",
            kind: ParamKind::Share,
            help: "Share of each period in which the links are down; 50% unless said.",
        },
    ],
    lasts: true,
    effects,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let period = super::duration(params, "period", PERIOD);
    let duty = match params.get("duty") {
        Some(ParamValue::Share(share)) => share.0,
        _ => DUTY,
    };
    let flap = |pairs| Effect::Links {
        pairs,
        effect: LinkEffect::Flap {
            period,
            down: period.mul_f64(duty),
        },
    };
    super::links(target).map(flap).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIndex;
    use crate::units::Ratio;

    #[test]
    fn a_quarter_of_a_second_down() {
        let target = Target::Links {
            from: vec![NodeIndex(0)],
            to: vec![NodeIndex(1)],
            both: true,
        };
        let params = Params::from([
            ("period", ParamValue::Duration(Duration::from_secs(1))),
            ("duty", ParamValue::Share(Ratio(0.25))),
        ]);
        let effects = effects(&target, &params);
        let [Effect::Links { effect, .. }] = &effects[..] else {
            panic!("{effects:?}");
        };
        let at = |ms: u64| effect.phase(Duration::from_millis(ms));
        let up = |ms: u64, until: u64| at(ms) == (false, Some(Duration::from_millis(until)));
        let down = |ms: u64, until: u64| at(ms) == (true, Some(Duration::from_millis(until)));
        assert!(down(0, 250) && down(249, 250) && up(250, 1000) && up(999, 1000));
        assert!(down(1000, 1250) && up(5250, 6000));
    }
}
