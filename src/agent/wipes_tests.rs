//! Wiped nodes through the agent's mind.

use super::super::world::*;
use crate::fault::{Effect, LinkEffect, NodeEffect, Pairs};
use crate::id::NodeIndex;
use crate::lab::ScheduledFault;
use crate::record::event::{Verdict, What};

fn wipe(at: u64, lasts: u64) -> ScheduledFault {
    let silence = Effect::Links {
        pairs: Pairs::Touching(vec![NodeIndex(0)]),
        effect: LinkEffect::Down,
    };
    let kill = NodeEffect::Kill {
        kernel_answers: false,
    };
    let effects = vec![silence, on(0, kill), on(0, NodeEffect::Wipe)];
    fault("wipe", "wipe", at, Some(lasts), effects)
}

fn playing(faults: Vec<ScheduledFault>) -> World {
    let mut world = World::new(lab(2, scenario(faults)));
    world.run_for(1.0);
    world.play();
    world
}

#[test]
fn a_wiped_node_is_emptied_once_before_its_gate_opens() {
    let mut world = playing(vec![wipe(1, 3), machine_kill("loss", 6, 2)]);
    world.run_for(16.0);
    assert_eq!(world.emptied, [0], "and the kill that follows keeps all");
    let proven = |what: &What| matches!(what, What::FaultProven { fault, seen, .. } if fault == "wipe" && seen.contains("none left"));
    assert!(
        world.events.iter().any(|event| proven(&event.what)),
        "{:?}",
        world.events
    );
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn who_is_held_down_by_another_fault_is_emptied_when_that_heals() {
    let mut world = playing(vec![wipe(1, 2), machine_kill("loss", 2, 4)]);
    world.run_for(5.0);
    assert!(world.emptied.is_empty());
    world.run_for(11.0);
    assert_eq!((world.status[0], &world.emptied[..]), ("running", &[0][..]));
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn files_that_are_left_are_noticed() {
    let mut world = playing(vec![wipe(1, 3)]);
    world.left = 1;
    world.run_for(16.0);
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(
        reasons[0].contains("1 files of `n-1` are left"),
        "{reasons:?}"
    );
}

#[test]
fn an_agent_that_died_wipes_all_the_same() {
    let mut world = playing(vec![wipe(1, 5)]);
    world.run_for(4.0);
    world.agent_restarts(1);
    world.run_for(12.0);
    assert_eq!((world.status[0], &world.emptied[..]), ("running", &[0][..]));
}
