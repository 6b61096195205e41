//! Crash-loops through the agent's mind.

use super::super::world::*;
use crate::fault::NodeEffect;
use crate::lab::ScheduledFault;
use crate::record::event::{Verdict, What};
use std::time::Duration;

fn crash_loop(at: u64, lasts: u64, crashes: Option<u32>, uptime: u64) -> ScheduledFault {
    let uptime = Duration::from_secs(uptime);
    let effect = on(0, NodeEffect::CrashLoop { crashes, uptime });
    fault("loop", "crash-loop", at, Some(lasts), vec![effect])
}

fn playing(faults: Vec<ScheduledFault>) -> World {
    let mut world = World::new(lab(2, scenario(faults)));
    world.run_for(1.0);
    world.play();
    world
}

fn deaths(world: &World, of: &str) -> usize {
    let died = |what: &What| matches!(what, What::NodeDied { fault: Some(by), .. } if by == of);
    world
        .events
        .iter()
        .filter(|event| died(&event.what))
        .count()
}

fn proven(world: &World, text: &str) -> bool {
    let seen = |what: &What| matches!(what, What::FaultProven { seen, .. } if seen.contains(text));
    world.events.iter().any(|event| seen(&event.what))
}

#[test]
fn a_node_crashes_as_often_as_is_said_and_ends_up() {
    let mut world = playing(vec![crash_loop(1, 8, Some(3), 1)]);
    world.run_for(16.0);
    assert_eq!(deaths(&world, "loop"), 3);
    assert!(
        proven(&world, "n-1: crashed 3 times, 3 starts"),
        "{:?}",
        world.events
    );
    assert_eq!(world.status[0], "running");
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn without_a_number_it_crashes_until_the_heal() {
    let mut world = playing(vec![crash_loop(1, 5, None, 1)]);
    world.run_for(16.0);
    // At 0, and each time it has been up for a second: a start takes some 100 ms.
    assert!(
        (4..=5).contains(&deaths(&world, "loop")),
        "{}",
        deaths(&world, "loop")
    );
    assert_eq!((world.status[0], world.pinned[0]), ("running", false));
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn too_few_crashes_are_no_proof() {
    let mut world = playing(vec![crash_loop(1, 4, Some(9), 1)]);
    world.run_for(16.0);
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reasons[0].contains("not 9"), "{reasons:?}");
}

#[test]
fn within_another_kill_there_is_nothing_to_crash() {
    let mut world = playing(vec![machine_kill("loss", 1, 6), crash_loop(2, 3, None, 1)]);
    world.run_for(16.0);
    let masked = |what: &What| matches!(what, What::FaultMasked { fault, .. } if fault == "loop");
    assert!(
        world.events.iter().any(|event| masked(&event.what)),
        "{:?}",
        world.events
    );
    assert_eq!(deaths(&world, "loop"), 0);
    assert_eq!(world.status[0], "running");
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn an_agent_that_died_heals_it_all_the_same() {
    let mut world = playing(vec![crash_loop(1, 6, None, 1)]);
    world.run_for(4.0);
    world.agent_restarts(1);
    world.run_for(16.0);
    assert_eq!(world.status[0], "running");
    assert!(world.verdict().is_some());
}

/// The next agent goes on counting: all crashes together are as many as is said.
#[test]
fn an_agent_that_died_counts_no_crash_twice() {
    let mut world = playing(vec![crash_loop(1, 8, Some(3), 1)]);
    world.run_for(4.0);
    let before = deaths(&world, "loop");
    assert!((1..3).contains(&before), "{before}");
    world.agent_restarts(1);
    world.run_for(16.0);
    assert_eq!(deaths(&world, "loop"), 3);
    assert_eq!(world.status[0], "running");
}

/// A kill takes the engine a while: one that is under way when the heal is due is waited for.
#[test]
fn a_heal_waits_for_a_crash_that_is_under_way() {
    for late in 0..12 {
        let mut crashing = crash_loop(1, 4, None, 1);
        crashing.lasts = Some(Duration::from_millis(3_300 + 10 * late));
        let mut world = playing(vec![crashing]);
        world.run_for(16.0);
        assert_eq!(world.status[0], "running");
        assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])), "{late}");
    }
}
