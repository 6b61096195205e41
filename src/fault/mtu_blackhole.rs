//! `mtu-blackhole`: links on which large packets vanish, and nobody is told.

use super::{
    Degradation, Effect, Kind, LinkEffect, Param, ParamKind, ParamValue, Params, Target,
    TargetShape,
};
use crate::link::{LinkMtu, LinkPatch, MTU_MAX, MTU_MIN};

/// Handshakes and small requests still pass, which is what makes it hard to find.
const BYTES: u32 = 1000;

pub(super) const KIND: Kind = Kind {
    name: "mtu-blackhole",
    help: "Makes packets above a size vanish on links, without the ICMP error that would tell the sender.",
    target: TargetShape::Links,
    params: &[Param {
        name: "mtu",
        kind: ParamKind::Integer(MTU_MIN as u64, MTU_MAX as u64),
        help: "Largest IP packet that still passes, in bytes; 1000 unless said.",
    }],
    lasts: true,
    effects,
};

fn effects(target: &Target, params: &Params) -> Vec<Effect> {
    let bytes = match params.get("mtu") {
        Some(ParamValue::Integer(bytes)) => u32::try_from(*bytes).unwrap_or(MTU_MAX),
        _ => BYTES,
    };
    let change = Degradation {
        set: LinkPatch {
            mtu: Some(LinkMtu {
                bytes,
                black_hole: true,
            }),
            ..LinkPatch::default()
        },
        ..Degradation::default()
    };
    let swallow = |pairs| Effect::Links {
        pairs,
        effect: LinkEffect::Change(Box::new(change)),
    };
    super::links(target).map(swallow).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIndex;
    use crate::link::LinkProperties;

    #[test]
    fn larger_packets_vanish_in_silence() {
        let target = Target::Links {
            from: vec![NodeIndex(0)],
            to: vec![NodeIndex(1)],
            both: true,
        };
        let mtu = |params: Params| {
            let effects = effects(&target, &params);
            let [
                Effect::Links {
                    effect: LinkEffect::Change(change),
                    ..
                },
            ] = &effects[..]
            else {
                panic!("{effects:?}");
            };
            change.over(&LinkProperties::default()).mtu
        };
        let hole = |bytes| {
            Some(LinkMtu {
                bytes,
                black_hole: true,
            })
        };
        assert_eq!(mtu(Params::new()), hole(1000));
        assert_eq!(
            mtu(Params::from([("mtu", ParamValue::Integer(600))])),
            hole(600)
        );
    }
}
