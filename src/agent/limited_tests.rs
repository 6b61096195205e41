//! Throttled nodes through the agent's mind: limits fold and come back, and who is killed for its
//! memory stays dead until the heal.

use super::super::world::*;
use crate::fault::{Limits, NodeEffect};
use crate::id::NodeIndex;
use crate::lab::ScheduledFault;
use crate::record::event::{Verdict, What};
use crate::units::{ByteSize, Cores};

const DECLARED: Limits = limits(None, Some(256 << 20));

const fn limits(cpu: Option<u32>, memory: Option<u64>) -> Limits {
    Limits {
        cpu: match cpu {
            Some(cpu) => Some(Cores(cpu)),
            None => None,
        },
        memory: match memory {
            Some(memory) => Some(ByteSize(memory)),
            None => None,
        },
    }
}

fn throttle(name: &str, at: u64, lasts: u64, limits: Limits) -> ScheduledFault {
    let effect = on(0, NodeEffect::Throttle(limits));
    fault(name, "throttle", at, Some(lasts), vec![effect])
}

fn playing(faults: Vec<ScheduledFault>) -> World {
    let mut world = World::new(lab(2, scenario(faults)));
    world.run_for(1.0);
    world.play();
    world
}

fn out_of_memory(world: &mut World) {
    world.oom.insert(0);
    world.die(NodeIndex(0));
}

#[test]
fn overlapping_throttles_fold_and_heal_in_any_order() {
    let mut world = playing(vec![
        throttle("slow", 1, 4, limits(Some(200), None)),
        throttle("small", 2, 5, limits(Some(500), Some(32 << 20))),
    ]);
    assert_eq!(world.limits[0], DECLARED);
    world.run_for(2.5);
    assert_eq!(world.limits[0], limits(Some(200), Some(256 << 20)));
    world.run_for(2.0);
    assert_eq!(world.limits[0], limits(Some(200), Some(32 << 20)));
    world.run_for(2.0);
    assert_eq!(world.limits[0], limits(Some(500), Some(32 << 20)));
    world.run_for(10.0);
    assert_eq!(world.limits[0], DECLARED);
    assert_eq!(world.limits[1], DECLARED, "the other one was never touched");
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn a_tighter_throttle_hides_another() {
    let mut world = playing(vec![
        throttle("tight", 1, 6, limits(Some(100), None)),
        throttle("loose", 2, 2, limits(Some(300), None)),
    ]);
    world.run_for(16.0);
    let masked = |what: &What| matches!(what, What::FaultMasked { fault, by, .. } if fault == "loose" && by == &["tight"]);
    assert!(world.events.iter().any(|event| masked(&event.what)));
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn who_is_killed_for_its_memory_stays_dead_until_the_heal() {
    let mut world = playing(vec![throttle("small", 1, 5, limits(None, Some(16 << 20)))]);
    world.run_for(3.5);
    out_of_memory(&mut world);
    world.run_for(3.0);
    assert_eq!(world.status[0], "exited", "not started before the heal");
    world.run_for(10.0);
    assert_eq!((world.status[0], world.limits[0]), ("running", DECLARED));
    let died = |what: &What| matches!(what, What::NodeDied { fault: Some(by), oom: true, .. } if by == "small");
    assert!(world.events.iter().any(|event| died(&event.what)));
    let proven =
        |what: &What| matches!(what, What::FaultProven { seen, .. } if seen.contains("OOM killed"));
    assert!(world.events.iter().any(|event| proven(&event.what)));
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn a_throttle_is_no_excuse_for_who_dies_otherwise() {
    let mut world = playing(vec![throttle("small", 1, 5, limits(None, Some(16 << 20)))]);
    world.run_for(3.5);
    world.die(NodeIndex(0));
    world.run_for(13.0);
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reasons[0].contains("no fault wanted it"), "{reasons:?}");
}

#[test]
fn a_restarted_node_and_a_restarted_agent_keep_the_limit_and_lose_it_with_the_heal() {
    let mut world = playing(vec![
        throttle("slow", 1, 6, limits(Some(200), None)),
        machine_kill("loss", 2, 1),
    ]);
    world.run_for(5.5);
    let slow = limits(Some(200), Some(256 << 20));
    assert_eq!((world.status[0], world.limits[0]), ("running", slow));
    world.agent_restarts(1);
    world.run_for(1.0);
    assert_eq!(world.limits[0], slow);
    world.run_for(10.0);
    assert_eq!(world.limits[0], DECLARED);
    assert!(world.verdict().is_some());
}

#[test]
fn a_limit_that_the_engine_does_not_set_is_a_fault_without_effect() {
    let mut world = playing(vec![throttle("slow", 1, 3, limits(Some(200), None))]);
    world.broken.insert(0);
    world.run_for(20.0);
    let failed = |what: &What| matches!(what, What::FaultFailed { fault, .. } if fault == "slow");
    assert!(world.events.iter().any(|event| failed(&event.what)));
}
