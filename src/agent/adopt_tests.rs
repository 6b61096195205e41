//! Labs that become others, through the agent's mind.

use super::super::core::Input;
use super::super::world::*;
use super::*;
use crate::lab::{Lab, Node, Program};
use crate::record::event::{Verdict, What};
use crate::record::stream::{NodeState, Phase};
use netlab_protocol::role::Role;
use std::time::Duration;

/// A lab of the servers with these numbers, in this order.
fn of(numbers: &[u32]) -> Lab {
    let all = lab(9, None).nodes;
    let nodes: Vec<Node> = numbers
        .iter()
        .map(|n| all[*n as usize - 1].clone())
        .collect();
    Lab {
        nodes,
        ..lab(0, None)
    }
}

fn asked(world: &World, lab: Lab, leaving: &[(&str, &str)], replace: bool) -> Box<Adoption> {
    let leaving = leaving.iter().map(|(node, container)| Leaving {
        node: (*node).to_owned(),
        container: (*container).to_owned(),
    });
    Box::new(Adoption {
        from: lab_hash(&world.core.lab),
        lab,
        ttl: None,
        leaving: leaving.collect(),
        starting: Vec::new(),
        replace,
    })
}

fn ask(world: &mut World, adoption: Box<Adoption>) {
    let client = 9;
    world
        .core
        .handle(world.now, Input::Adopt { client, adoption });
    world.act();
}

/// Does what the driver does; whether an adoption was due.
fn take(world: &mut World) -> bool {
    let Some((_, adoption)) = world.core.due_adoption() else {
        return false;
    };
    let was = world.core.was(&adoption);
    world.core.part(&was, &adoption.leaving);
    world.act();
    world.move_nodes(&was);
    world.core.adopt(world.now, *adoption, &was);
    world.act();
    true
}

fn refusal(world: &World) -> Option<&str> {
    match world.replies.last() {
        Some(Reply::Refused { why }) => Some(why),
        _ => None,
    }
}

fn running(numbers: &[u32]) -> World {
    let mut world = World::new(of(numbers));
    world.run_for(1.0);
    world.play();
    world.run_for(3.0);
    assert_eq!(world.core.status().phase, Phase::Running);
    world
}

#[test]
fn nodes_are_known_by_name_and_get_other_places() {
    let mut world = running(&[1, 2, 3]);
    let adoption = asked(&world, of(&[3, 4, 2]), &[("n-1", "c0")], false);
    let (kept, gone) = (world.conn[1], world.conn[0]);
    ask(&mut world, adoption);
    assert_eq!(
        world.verdict(),
        Some((Verdict::Passed, vec![])),
        "its run is closed"
    );
    assert!(take(&mut world));
    assert_eq!(
        world.core.status().phase,
        Phase::Starting,
        "n-4 is not there yet"
    );
    assert_eq!(world.core.state.members[2].conn, kept);
    assert!(
        gone.is_some() && !world.conn.contains(&gone),
        "who leaves is hung up on"
    );
    // The end of who left is nobody's, even where another has its place.
    let died = Input::Died {
        node: NodeIndex(0),
        container: "c0".into(),
        exit_code: 137,
    };
    world.core.handle(world.now, died);
    assert_eq!(world.core.status().nodes[0].state, NodeState::Ready);
    let late = Input::Knock {
        knock: 77,
        node: NodeIndex(0),
        container: "c0".into(),
        netns: 5,
    };
    world.core.handle(world.now, late);
    assert!(world.core.state.members[0].knocks.is_empty());
    world.act();

    world.later(10, Later::Knock(NodeIndex(1)));
    world.run_for(1.0);
    assert_eq!(world.core.status().phase, Phase::Running);
    world.events.clear();
    world.play();
    world.run_for(5.0);
    assert_eq!(world.core.status().nodes.len(), 3);
    let silent = world
        .events
        .iter()
        .any(|e| matches!(e.what, What::Note { .. }));
    assert!(
        !silent,
        "everybody reports under its own name: {:?}",
        world.events
    );
}

#[test]
fn a_node_made_anew_is_not_mistaken_for_the_one_before() {
    let mut world = running(&[1, 2]);
    let adoption = asked(&world, of(&[1, 2]), &[("n-2", "c1")], false);
    ask(&mut world, adoption);
    assert!(take(&mut world));
    assert_eq!(world.core.status().nodes[1].state, NodeState::Waiting);
    let knock = |container: &str, knock| Input::Knock {
        knock,
        node: NodeIndex(1),
        container: container.into(),
        netns: 900,
    };
    world.core.handle(world.now, knock("c1", 70));
    assert!(
        world.core.state.members[1].container.is_none(),
        "the old one is let go"
    );
    world.core.handle(world.now, knock("new", 71));
    assert_eq!(
        world.core.state.members[1].container.as_deref(),
        Some("new")
    );
}

#[test]
fn a_playing_scenario_is_closed_only_with_replace_and_heals_first() {
    let mut world = World::new(lab(2, scenario(vec![machine_kill("loss", 2, 5)])));
    world.run_for(1.0);
    world.play();
    world.run_for(4.0);
    assert_eq!(world.status[0], "exited");
    let again = asked(&world, of(&[1, 2]), &[], false);
    ask(&mut world, again);
    assert!(refusal(&world).unwrap().contains("--replace"));
    let replacing = asked(&world, of(&[1, 2]), &[], true);
    ask(&mut world, replacing);
    assert!(!take(&mut world), "its node is not back yet");
    let second = asked(&world, of(&[1]), &[], true);
    ask(&mut world, second);
    assert!(refusal(&world).unwrap().contains("at work"));
    world.run_for(2.0);
    assert!(take(&mut world));
    assert_eq!(world.verdict().unwrap().0, Verdict::Interrupted);
    assert!(world.down.is_empty() && world.status[0] == "running");
    assert_eq!(world.core.lab.scenario, None);
}

/// The plan may be older than what has happened since: an `up` before this one was killed while
/// the engine was starting its nodes.
#[test]
fn only_who_is_dead_is_waited_for_anew() {
    let mut world = running(&[1, 2]);
    world.die(NodeIndex(1));
    world.run_for(0.5);
    let mut adoption = asked(&world, of(&[1, 2]), &[], false);
    let name = |text: &str| crate::id::Name::new(text).unwrap();
    adoption.starting = vec![name("n-1"), name("n-2")];
    ask(&mut world, adoption);
    assert!(take(&mut world));
    let states: Vec<NodeState> = world.core.status().nodes.iter().map(|n| n.state).collect();
    assert_eq!(states, [NodeState::Ready, NodeState::Waiting]);
    assert_eq!(world.core.status().phase, Phase::Starting);
    world.status[1] = "running";
    world.netns[1] += 1_000;
    world.later(10, Later::Knock(NodeIndex(1)));
    world.run_for(1.0);
    assert_eq!(world.core.status().phase, Phase::Running);
}

#[test]
fn a_plan_against_another_lab_is_refused() {
    let mut world = running(&[1, 2]);
    let adoption = asked(&world, of(&[1, 2, 3]), &[], false);
    let mut stale = asked(&world, of(&[1]), &[], false);
    ask(&mut world, adoption);
    assert!(take(&mut world));
    ask(&mut world, stale.clone());
    assert!(refusal(&world).unwrap().contains("has changed since"));
    stale.lab.name = crate::id::Name::new("other").unwrap();
    ask(&mut world, stale);
    assert!(refusal(&world).unwrap().contains("another lab"));
    assert!(!take(&mut world));
}

#[test]
fn other_parameters_are_told_and_waited_for() {
    let mut world = running(&[1, 2]);
    let mut other = of(&[1, 2]);
    if let Program::Role(Role::Server(server)) = &mut other.nodes[1].program {
        server.service.time = Duration::from_millis(9);
    }
    let adoption = asked(&world, other, &[], false);
    ask(&mut world, adoption);
    assert!(take(&mut world));
    let states: Vec<NodeState> = world.core.status().nodes.iter().map(|n| n.state).collect();
    assert_eq!(states, [NodeState::Ready, NodeState::Wired]);
    world.run_for(0.5);
    assert_eq!(world.core.status().phase, Phase::Running);
}
