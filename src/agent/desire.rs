//! What the active effects want of each node's processes. Pure.
//!
//! Owns the fold over nodes; that over links is [`crate::fault::Folded`]. Healing is never an inverse operation: a fault leaves the list, the fold says
//! what is wanted now, and [`next_operation`] says which step leads there from what is.

use crate::fault::{Effect, Limits, NodeEffect};
use crate::id::NodeIndex;
use std::time::Duration;

/// What a node's processes should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Desired {
    /// At work.
    Running,
    /// Frozen.
    Paused,
    /// Gone.
    Dead(Death),
}

/// How a node shall go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    /// Time between SIGTERM and SIGKILL; none: SIGKILL at once.
    pub grace: Option<Duration>,
    /// Whether its kernel stays, so that connections are closed and refused.
    pub kernel_answers: bool,
}

/// What a node's processes are, as the engine says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actual {
    /// Not known (not started yet).
    Unknown,
    /// Running; `passed`: through its gate.
    Running {
        /// Whether it has passed its gate.
        passed: bool,
    },
    /// Frozen.
    Paused,
    /// Gone.
    Dead,
}

/// A step that the engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and SIGKILL after the grace.
    Stop(Duration),
    /// Freeze.
    Pause,
    /// Thaw.
    Unpause,
    /// Start the same container again.
    Start,
    /// Let it take no more than this.
    Limit(Limits),
}

/// The fold for one node: dead beats paused, SIGKILL beats SIGTERM, and the shorter grace counts.
/// The kernel answers only when no effect takes the whole machine.
pub(super) fn desired<'a>(
    effects: impl IntoIterator<Item = &'a Effect>,
    node: NodeIndex,
) -> Desired {
    let mut wanted = Desired::Running;
    for effect in effects {
        let Effect::Node { node: at, effect } = effect else {
            continue;
        };
        if *at != node {
            continue;
        }
        // Limits and what is with volumes fold apart, whether a crash is due only the loop's pace tells, and
        // who is wiped is killed by an effect of its own.
        let apart = matches!(effect, NodeEffect::CrashLoop { .. } | NodeEffect::Wipe);
        if apart || limits(effect).is_some() || is_of_volume(effect) {
            continue;
        }
        wanted = match (wanted, death(effect)) {
            (Desired::Dead(a), Some(b)) => Desired::Dead(both(a, b)),
            (_, Some(death)) => Desired::Dead(death),
            (Desired::Dead(death), None) => Desired::Dead(death),
            (_, None) => Desired::Paused,
        };
    }
    wanted
}

/// The death that an effect wants; none when it only freezes.
pub(super) fn death(effect: &NodeEffect) -> Option<Death> {
    match *effect {
        NodeEffect::Kill { kernel_answers } => Some(Death {
            grace: None,
            kernel_answers,
        }),
        NodeEffect::Stop { grace } | NodeEffect::Restart { grace } => Some(Death {
            grace: Some(grace),
            kernel_answers: true,
        }),
        NodeEffect::Pause
        | NodeEffect::CrashLoop { .. }
        | NodeEffect::Wipe
        | NodeEffect::Fill
        | NodeEffect::ReadOnly
        | NodeEffect::Throttle(_) => None,
    }
}

/// Whether an effect is on a node's volume, and on no process.
pub(super) fn is_of_volume(effect: &NodeEffect) -> bool {
    matches!(effect, NodeEffect::Fill | NodeEffect::ReadOnly)
}

/// What an effect lets a node take; none when it is no limit.
pub(super) fn limits(effect: &NodeEffect) -> Option<Limits> {
    match *effect {
        NodeEffect::Throttle(limits) => Some(limits),
        _ => None,
    }
}

/// What a node may take under all of these: the tighter limits, over what is declared.
pub(super) fn limited<'a>(
    effects: impl IntoIterator<Item = &'a Effect>,
    node: NodeIndex,
    declared: Limits,
) -> Limits {
    let here = effects.into_iter().filter_map(|effect| match effect {
        Effect::Node { node: at, effect } if *at == node => limits(effect),
        _ => None,
    });
    here.fold(declared, Limits::and)
}

pub(super) fn both(a: Death, b: Death) -> Death {
    Death {
        grace: a.grace.zip(b.grace).map(|(a, b)| a.min(b)),
        kernel_answers: a.kernel_answers && b.kernel_answers,
    }
}

/// The step that leads from `actual` towards `desired`; none when it is reached, or when it must
/// be waited for. `may_start`: a fault took the node down; who died alone stays dead.
pub(super) fn next_operation(
    desired: Desired,
    actual: Actual,
    may_start: bool,
) -> Option<Operation> {
    match (desired, actual) {
        (Desired::Dead(_), Actual::Dead) | (_, Actual::Unknown) => None,
        (Desired::Dead(Death { grace: None, .. }), _) => Some(Operation::Kill),
        (Desired::Dead(Death { grace: Some(g), .. }), Actual::Running { .. }) => {
            Some(Operation::Stop(g))
        }
        // A frozen process cannot answer SIGTERM.
        (Desired::Dead(_), Actual::Paused) => Some(Operation::Unpause),
        (_, Actual::Dead) => may_start.then_some(Operation::Start),
        // Frozen before its gate, it would be neither out nor in.
        (Desired::Paused, Actual::Running { passed }) => passed.then_some(Operation::Pause),
        (Desired::Running, Actual::Paused) => Some(Operation::Unpause),
        (Desired::Paused, Actual::Paused) | (Desired::Running, Actual::Running { .. }) => None,
    }
}

/// Whether a step that is asked for may overtake one that is under way: SIGKILL a patient stop.
pub(super) fn overtakes(next: Operation, under_way: Operation) -> bool {
    match (next, under_way) {
        (Operation::Kill, Operation::Stop(_)) => true,
        (Operation::Stop(short), Operation::Stop(long)) => short < long,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{LinkEffect, Pairs};
    use proptest::prelude::*;

    const NODE: NodeIndex = NodeIndex(0);

    fn node(effect: NodeEffect) -> Effect {
        Effect::Node { node: NODE, effect }
    }

    /// Does what the engine would do.
    fn step(operation: Operation, actual: Actual) -> Actual {
        match (operation, actual) {
            (Operation::Kill | Operation::Stop(_), _) => Actual::Dead,
            (Operation::Pause, Actual::Running { passed: true }) => Actual::Paused,
            (Operation::Unpause, Actual::Paused) => Actual::Running { passed: true },
            (Operation::Start, Actual::Dead) => Actual::Running { passed: true },
            (operation, actual) => panic!("{operation:?} in {actual:?} is refused by the engine"),
        }
    }

    fn settle(desired: Desired, mut actual: Actual) -> Actual {
        for _ in 0..4 {
            match next_operation(desired, actual, true) {
                Some(operation) => actual = step(operation, actual),
                None => return actual,
            }
        }
        panic!("{desired:?} is never reached from {actual:?}")
    }

    fn effects() -> impl Strategy<Value = Effect> {
        let grace = (0..20_u64).prop_map(Duration::from_secs);
        prop_oneof![
            any::<bool>().prop_map(|kernel_answers| node(NodeEffect::Kill { kernel_answers })),
            grace.prop_map(|grace| node(NodeEffect::Stop { grace })),
            Just(node(NodeEffect::Pause)),
            (0..4_u32).prop_map(|n| Effect::Links {
                pairs: Pairs::Touching(vec![NodeIndex(n)]),
                effect: LinkEffect::Down,
            }),
        ]
    }

    proptest! {
        /// However faults overlap, each state is reached, and without faults the baseline is.
        #[test]
        fn any_order_of_begin_and_heal_ends_in_the_baseline(
            faults in prop::collection::vec(effects(), 1..6),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
        ) {
            let mut active: Vec<usize> = Vec::new();
            let mut actual = Actual::Running { passed: true };
            let rest: Vec<usize> = order.iter().map(|i| i.index(faults.len())).collect();
            for fault in rest {
                match active.iter().position(|f| *f == fault) {
                    Some(at) => { active.remove(at); }
                    None => active.push(fault),
                }
                let now = desired(active.iter().map(|f| &faults[*f]), NODE);
                actual = settle(now, actual);
                let reached = match now {
                    Desired::Running => actual == (Actual::Running { passed: true }),
                    Desired::Paused => actual == Actual::Paused,
                    Desired::Dead(_) => actual == Actual::Dead,
                };
                prop_assert!(reached, "{:?} {:?}", now, actual);
            }
            prop_assert_eq!(settle(desired([], NODE), actual), Actual::Running { passed: true });
        }

        /// The fold does not depend on the order in which faults began.
        #[test]
        fn order_does_not_matter(mut faults in prop::collection::vec(effects(), 0..6)) {
            let before = desired(&faults, NODE);
            faults.reverse();
            prop_assert_eq!(before, desired(&faults, NODE));
        }
    }

    #[test]
    fn a_second_kill_keeps_it_dead_until_both_have_healed() {
        let kills = [
            node(NodeEffect::Kill {
                kernel_answers: true,
            }),
            node(NodeEffect::Stop {
                grace: Duration::from_secs(3),
            }),
        ];
        let both = desired(&kills, NODE);
        assert_eq!(
            both,
            Desired::Dead(Death {
                grace: None,
                kernel_answers: true
            })
        );
        assert!(matches!(desired(&kills[1..], NODE), Desired::Dead(_)));
        assert_eq!(next_operation(Desired::Running, Actual::Dead, false), None);
    }

    #[test]
    fn a_kill_does_not_wait_for_a_patient_stop() {
        let stop = Operation::Stop(Duration::from_secs(9));
        assert!(overtakes(Operation::Kill, stop));
        assert!(!overtakes(stop, stop) && !overtakes(Operation::Start, stop));
    }
}
