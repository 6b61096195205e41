//! The fold: what links are under the active effects, in the order in which they began.
//!
//! A link starts from what the lab declares; each effect changes what the ones before it have left.
//! So healing is never an inverse operation: an effect leaves the list, and the rest is folded again.
//! What is set absolutely, the later fault says; steps (`+100ms`) add to what there is by then.
//! Must not know which fault an effect came from, nor how it is applied.

use super::{Effect, LinkEffect};
use crate::id::NodeIndex;
use crate::link::LinkProperties;
use std::collections::BTreeMap;

/// What a link is at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Folded {
    /// Its properties.
    pub properties: LinkProperties,
    /// Whether every packet is lost, silently.
    pub down: bool,
}

impl Folded {
    /// A link as declared.
    pub fn declared(properties: LinkProperties) -> Folded {
        Folded {
            properties,
            down: false,
        }
    }

    /// The link under these effects, in their order.
    pub fn under<'e>(self, effects: impl IntoIterator<Item = &'e LinkEffect>) -> Folded {
        effects.into_iter().fold(self, |link, effect| match effect {
            LinkEffect::Down | LinkEffect::Flap { .. } => Folded { down: true, ..link },
            LinkEffect::Change(change) => Folded {
                properties: change.over(&link.properties),
                ..link
            },
        })
    }
}

/// Of all ordered pairs among `nodes` nodes those that effects touch, each with the effects on it in
/// their order.
pub fn touched<'e>(
    effects: impl IntoIterator<Item = &'e Effect>,
    nodes: usize,
) -> BTreeMap<(NodeIndex, NodeIndex), Vec<&'e LinkEffect>> {
    let mut touched: BTreeMap<_, Vec<&LinkEffect>> = BTreeMap::new();
    for effect in effects {
        let Effect::Links { pairs, effect } = effect else {
            continue;
        };
        for pair in pairs.all(nodes) {
            let on_it = touched.entry(pair).or_default();
            // Sets that overlap name a pair more than once.
            if !on_it.last().is_some_and(|last| std::ptr::eq(*last, effect)) {
                on_it.push(effect);
            }
        }
    }
    touched
}

/// Whether the link `from` → `to` is down under these effects.
pub fn is_down<'e>(
    effects: impl IntoIterator<Item = &'e Effect>,
    from: NodeIndex,
    to: NodeIndex,
) -> bool {
    effects.into_iter().any(|effect| match effect {
        Effect::Links { pairs, effect } => *effect == LinkEffect::Down && pairs.contains(from, to),
        _ => false,
    })
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
