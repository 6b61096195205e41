//! Tests of the interpretation of effects: what is asked of fabric and engine, and when it holds.

use super::*;
use crate::fault::{LinkEffect, Pairs};
use crate::id::Name;
use proptest::prelude::*;

const UP: Actual = Actual::Running { passed: true };

fn fault(name: &str, kind: &str, effects: Vec<Effect>) -> ScheduledFault {
    ScheduledFault {
        name: Name::new(name).unwrap(),
        occurrence: 1,
        kind: kind.into(),
        target: "server".into(),
        at: Duration::ZERO,
        since: None,
        lasts: None,
        effects,
    }
}

fn in_force(scheduled: Vec<ScheduledFault>) -> Faults {
    let of_scenario = scheduled.len();
    Faults {
        scheduled,
        nodes: vec!["server".into()],
        list: Vec::new(),
        of_scenario,
        limited: Limited::default(),
        loops: Loops::default(),
        wipes: BTreeSet::new(),
        ending: BTreeSet::new(),
        volumes: BTreeMap::new(),
        unsettled: BTreeSet::new(),
    }
}

fn on(node: u32, effect: NodeEffect) -> Effect {
    Effect::Node {
        node: NodeIndex(node),
        effect,
    }
}

fn machine_kill(name: &str) -> ScheduledFault {
    let silence = Effect::Links {
        pairs: Pairs::Touching(vec![NodeIndex(0)]),
        effect: LinkEffect::Down,
    };
    let kill = on(
        0,
        NodeEffect::Kill {
            kernel_answers: false,
        },
    );
    fault(name, "kill", vec![silence, kill])
}

#[test]
fn a_fault_begins_when_its_last_effect_is_seen_and_heals_when_all_is_back() {
    let mut faults = in_force(vec![machine_kill("loss")]);
    faults.begin(0, 5, 10);
    assert_eq!(faults.observe(20, &[UP]), []);
    faults.links_hold(21);
    assert_eq!(faults.observe(30, &[UP]), [], "the node still runs");
    let began = Seen::Began {
        fault: 0,
        at: 40,
        due: 5,
        requested: 10,
    };
    assert_eq!(faults.observe(40, &[Actual::Dead]), [began]);
    assert_eq!(faults.killer(NodeIndex(0)), Some("loss"));
    assert_eq!(faults.heal(0, 50), (true, None));
    faults.links_hold(51);
    assert_eq!(faults.observe(60, &[Actual::Running { passed: false }]), []);
    assert_eq!(
        faults.observe(70, &[UP]),
        [Seen::Healed { fault: 0, at: 70 }]
    );
    assert!(faults.list().is_empty());
}

#[test]
fn what_has_no_effect_fails_once_and_can_still_be_healed() {
    let mut faults = in_force(vec![machine_kill("loss")]);
    faults.begin(0, 0, 0);
    faults.links_hold(1);
    let late = after(0, BEGIN_PATIENCE);
    assert_eq!(faults.next_deadline(), Some(late));
    assert!(matches!(
        faults.observe(late, &[UP])[..],
        [Seen::Failed { fault: 0, .. }]
    ));
    assert_eq!(faults.observe(late + 1, &[UP]), []);
    assert_eq!(faults.heal(0, late + 2), (true, None));
}

#[test]
fn a_node_that_does_not_come_back_fails_the_heal() {
    let mut faults = in_force(vec![machine_kill("loss")]);
    faults.begin(0, 0, 0);
    faults.links_hold(1);
    faults.observe(2, &[Actual::Dead]);
    faults.heal(0, 3);
    faults.links_hold(4);
    let late = after(3, HEAL_PATIENCE);
    assert!(matches!(
        faults.observe(late, &[Actual::Dead])[..],
        [Seen::Failed { .. }]
    ));
    assert!(faults.list().is_empty());
}

#[test]
fn a_restart_heals_itself() {
    let restart = on(
        0,
        NodeEffect::Restart {
            grace: Duration::from_secs(1),
        },
    );
    let mut faults = in_force(vec![fault("again", "restart", vec![restart])]);
    faults.begin(0, 0, 0);
    let seen = faults.observe(9, &[Actual::Dead]);
    assert!(
        matches!(
            seen[..],
            [Seen::Began { .. }, Seen::HealStarted { fault: 0 }]
        ),
        "{seen:?}"
    );
    assert_eq!(faults.desired(NodeIndex(0)), Desired::Running);
    assert!(matches!(
        faults.observe(20, &[UP])[..],
        [Seen::Healed { .. }]
    ));
}

#[test]
fn overlapping_kills_keep_the_node_dead_until_both_heal() {
    let both = vec![machine_kill("one"), machine_kill("two")];
    let mut faults = in_force(both);
    for (fault, at) in [(0, 0), (1, 10)] {
        faults.begin(fault, at, at);
        faults.links_hold(at + 1);
        faults.observe(at + 2, &[Actual::Dead]);
    }
    faults.heal(0, 20);
    faults.links_hold(21);
    assert_eq!(
        faults.observe(22, &[Actual::Dead]),
        [Seen::Healed { fault: 0, at: 22 }]
    );
    assert!(matches!(faults.desired(NodeIndex(0)), Desired::Dead(_)));
    faults.heal(1, 30);
    assert_eq!(faults.desired(NodeIndex(0)), Desired::Running);
}

#[test]
fn a_heal_before_the_effect_was_seen_is_a_failure() {
    let mut faults = in_force(vec![machine_kill("blink")]);
    faults.begin(0, 0, 0);
    assert!(matches!(
        faults.heal(0, 1),
        (true, Some(Seen::Failed { fault: 0, .. }))
    ));
    assert_eq!(faults.heal(0, 2), (false, None));
}

proptest! {
    /// Any order of begins and heals, and the list is empty when all have healed and all is up.
    #[test]
    fn nothing_stays_in_force(steps in prop::collection::vec((0..3_usize, any::<bool>()), 0..30)) {
        let pause = fault("pause", "pause", vec![on(0, NodeEffect::Pause)]);
        let all = vec![machine_kill("a"), machine_kill("b"), pause];
        let mut faults = in_force(all);
        let mut now = 0;
        for (fault, begins) in steps {
            now += 1;
            if begins { faults.begin(fault, now, now) } else { faults.heal(fault, now); }
            faults.links_hold(now);
            let is = match faults.desired(NodeIndex(0)) {
                Desired::Running => UP,
                Desired::Paused => Actual::Paused,
                Desired::Dead(_) => Actual::Dead,
            };
            faults.observe(now, &[is]);
        }
        for fault in 0..3 { faults.heal(fault, now + 1); }
        faults.links_hold(now + 2);
        faults.observe(now + 3, &[UP]);
        prop_assert!(faults.list().is_empty());
        prop_assert_eq!(faults.effects().count(), 0);
    }
}
