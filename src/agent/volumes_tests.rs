//! Volumes that are full or read-only, through the agent's mind.

use super::super::world::*;
use super::*;
use crate::lab::ScheduledFault;
use crate::record::event::Verdict;
use crate::units::ByteSize;

fn full(name: &str, at: u64, lasts: u64) -> ScheduledFault {
    let effects = vec![on(0, NodeEffect::Fill)];
    fault(name, "disk-fill", at, Some(lasts), effects)
}

fn read_only(name: &str, at: u64, lasts: u64) -> ScheduledFault {
    let effects = vec![on(0, NodeEffect::ReadOnly)];
    fault(name, "read-only", at, Some(lasts), effects)
}

fn ready_world(faults: Vec<ScheduledFault>) -> World {
    let mut lab = lab(2, scenario(faults));
    lab.nodes[0].volume = Some(ByteSize(65536));
    let mut world = World::new(lab);
    world.run_for(1.0);
    world.play();
    world
}

/// What the volume of the first node was told to be: full, read-only.
fn is(world: &World) -> Option<(bool, bool)> {
    let condition = world.conditions.get(&NodeIndex(0))?;
    Some((condition.full, condition.read_only))
}

#[test]
fn faults_add_up_and_heal_in_any_order() {
    let mut world = ready_world(vec![
        full("first", 1, 3),
        read_only("second", 2, 4),
        full("third", 3, 2),
    ]);
    // An agent that is new sees to it that nothing is left of another one.
    assert_eq!(is(&world), Some((false, false)));
    let mut then = |seconds| {
        world.run_for(seconds);
        is(&world)
    };
    assert_eq!(then(2.5), Some((true, false)));
    assert_eq!(then(1.0), Some((true, true)));
    assert_eq!(then(2.0), Some((true, true)), "the third wants it");
    assert_eq!(then(1.0), Some((false, true)));
    assert!(!world.core.volumes.are_right());
    world.run_for(6.0);
    assert_eq!(is(&world), Some((false, false)));
    assert!(world.core.volumes.are_right());
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn what_holds_is_proven_also_on_a_node_that_dies_meanwhile() {
    let mut world = ready_world(vec![full("full", 1, 6), machine_kill("loss", 3, 1)]);
    world.run_for(15.0);
    let names = world.names();
    for name in ["fault-proven full", "heal-proven full", "fault-proven loss"] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn what_the_kernel_refuses_is_said() {
    let mut world = ready_world(vec![read_only("refused", 1, 0)]);
    world.open_files = true;
    world.run_for(30.0);
    let (verdict, why) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(
        why.iter()
            .any(|why| why.contains("EBUSY") || why.contains("before its effect")),
        "{why:?}"
    );
    assert_eq!(is(&world), Some((false, false)));
}

/// It is tried over and over: a deadline that comes in the middle of it knows why not, too.
#[test]
fn a_refusal_is_known_while_it_is_tried_again() {
    let mut world = ready_world(vec![read_only("refused", 1, 30)]);
    world.open_files = true;
    world.run_for(3.0);
    let why = |world: &World| world.core.faults.volumes.get(&NodeIndex(0)).cloned();
    let refusal = why(&world).flatten();
    assert!(refusal.is_some());
    world
        .core
        .keep_volumes(world.now + 2 * AGAIN.as_nanos() as u64);
    let asked = &world.core.volumes.asked[&NodeIndex(0)];
    assert_eq!(asked.result, None, "it is tried now");
    assert_eq!(why(&world).flatten(), refusal);
}

/// Who has emptied a volume has lifted what others did to it.
#[test]
fn an_emptied_volume_is_filled_again() {
    let mut world = ready_world(vec![full("full", 1, 8)]);
    world.run_for(3.0);
    world.conditions.clear();
    world.core.volumes.again(NodeIndex(0));
    world.run_for(0.2);
    assert_eq!(is(&world), Some((true, false)));
}
