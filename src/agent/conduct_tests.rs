//! Programs that misbehave, through the agent's mind.

use super::super::world::*;
use super::*;
use crate::lab::ScheduledFault;
use crate::record::event::Verdict;
use netlab_protocol::conduct::How;
use std::time::Duration;

fn wrong(how: How) -> Misbehaviour {
    Misbehaviour {
        how,
        share: 1.0,
        delay: Duration::ZERO,
    }
}

fn misbehave(name: &str, at: u64, lasts: u64, how: How) -> ScheduledFault {
    let effect = Effect::Program {
        node: NodeIndex(0),
        effect: wrong(how),
    };
    fault(name, "misbehave", at, Some(lasts), vec![effect])
}

fn ready_world(faults: Vec<ScheduledFault>) -> World {
    let mut world = World::new(lab(2, scenario(faults)));
    world.run_for(1.0);
    world.play();
    world
}

/// What the program of the first node does wrong by now.
fn told(world: &World) -> Vec<How> {
    let conn = world.conn[0].unwrap();
    let told = world.told.get(&conn).into_iter().flatten();
    told.map(|wrong| wrong.how).collect()
}

#[test]
fn faults_add_up_and_heal_in_any_order() {
    let mut world = ready_world(vec![
        misbehave("first", 1, 3, How::Corrupt),
        misbehave("second", 2, 4, How::Slow),
    ]);
    world.run_for(2.5);
    assert_eq!(told(&world), [How::Corrupt]);
    world.run_for(1.0);
    assert_eq!(told(&world), [How::Corrupt, How::Slow]);
    world.run_for(1.9);
    assert_eq!(told(&world), [How::Slow]);
    assert!(!world.core.conduct.is_right());
    world.run_for(9.0);
    assert_eq!(told(&world), []);
    assert!(world.core.conduct.is_right());
}

#[test]
fn a_fault_is_proven_by_what_programs_answer_before_while_and_after() {
    let mut world = ready_world(vec![misbehave("lies", 2, 3, How::Corrupt)]);
    world.run_for(14.0);
    let names = world.names();
    assert!(names.contains(&"fault-proven lies".to_owned()), "{names:?}");
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

/// A process that is started meanwhile is told before it is told what it is.
#[test]
fn whoever_comes_back_is_told_again() {
    let mut world = ready_world(vec![
        misbehave("lies", 1, 7, How::Corrupt),
        machine_kill("loss", 3, 2),
    ]);
    world.run_for(3.0);
    let first = world.conn[0];
    world.run_for(4.5);
    assert_ne!(world.conn[0], first);
    assert_eq!(told(&world), [How::Corrupt]);
    world.run_for(9.0);
    assert_eq!(told(&world), []);
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

/// What is asked of a dead node is hidden by its death, and in force when it is back.
#[test]
fn a_dead_program_hides_what_is_wrong_with_it() {
    let mut world = ready_world(vec![
        machine_kill("loss", 1, 4),
        misbehave("lies", 3, 1, How::Corrupt),
        misbehave("more", 3, 4, How::Corrupt),
    ]);
    world.run_for(7.0);
    assert_eq!(told(&world), [How::Corrupt]);
    world.run_for(9.0);
    let names = world.names();
    assert!(names.contains(&"fault-masked lies".to_owned()), "{names:?}");
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn an_agent_that_comes_back_tells_all_again() {
    let mut world = ready_world(vec![misbehave("lies", 2, 4, How::Corrupt)]);
    world.run_for(4.0);
    world.agent_restarts(2);
    world.run_for(1.0);
    assert_eq!(told(&world), [How::Corrupt]);
    world.run_for(9.0);
    assert_eq!(told(&world), []);
}
