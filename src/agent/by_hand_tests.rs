//! Faults by hand through the agent's mind, with neither engine nor network.

use super::super::world::*;
use super::*;
use crate::fault::NodeEffect;
use crate::record::event::Verdict;
use crate::record::stream::Request;

const KILL: NodeEffect = NodeEffect::Kill {
    kernel_answers: true,
};

/// A lab of two nodes that is ready and has nothing to play.
fn idle_world() -> World {
    let mut world = World::new(lab(2, None));
    world.run_for(1.0);
    world
}

fn inject(world: &mut World, client: u64, fault: ScheduledFault) {
    let injection = Injection {
        lab: lab_hash(&world.core.lab),
        fault,
    };
    ask(world, client, Request::Inject(injection));
}

fn ask(world: &mut World, client: u64, request: Request) {
    let input = super::super::core::Input::Request { client, request };
    world.core.handle(world.now, input);
    world.act();
}

fn heal(fault: Option<&str>) -> Request {
    Request::Heal {
        fault: fault.map(str::to_owned),
    }
}

fn machine(lasts: Option<u64>) -> ScheduledFault {
    ScheduledFault {
        lasts: lasts.map(Duration::from_secs),
        ..machine_kill("x", 0, 1)
    }
}

fn names(world: &World) -> Vec<String> {
    world.core.faults.names()
}

fn rows(world: &mut World) -> Vec<FaultRow> {
    ask(world, 99, Request::Faults);
    match world.replies.pop() {
        Some(Reply::Faults { rows, more: false }) => rows,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_run_it_begins_and_heals_at_its_time() {
    let mut world = idle_world();
    inject(&mut world, 5, machine(Some(3)));
    world.run_for(1.0);
    let injected = Reply::Injected {
        fault: "kill-1".into(),
        took_us: 15_000,
        run: None,
    };
    assert_eq!(world.replies, [injected]);
    assert_eq!((world.status[0], world.down.len()), ("exited", 2));
    let listed = rows(&mut world);
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].begins_ns, listed[0].heals_ns),
        (-1_000_000_000, Some(2_000_000_000))
    );
    assert!(listed[0].by_hand && listed[0].state == FaultState::Active);
    world.run_for(3.0);
    assert_eq!((world.status[0], world.down.len()), ("running", 0));
    assert!(rows(&mut world).is_empty() && names(&world).is_empty());
    assert!(!world.core.state.members[0].owned);
}

#[test]
fn it_is_healed_by_name_and_all_at_once_and_told_when_all_is_back() {
    let mut world = idle_world();
    inject(&mut world, 5, machine(None));
    inject(
        &mut world,
        6,
        fault("x", "pause", 0, None, vec![on(1, NodeEffect::Pause)]),
    );
    world.run_for(30.0);
    assert_eq!(names(&world), ["kill-1", "pause-2"]);
    ask(&mut world, 7, heal(Some("paus-2")));
    let why = "no fault `paus-2` is in force: did you mean `pause-2`? there are kill-1, pause-2";
    assert_eq!(
        world.replies.pop(),
        Some(Reply::Refused { why: why.into() })
    );
    ask(&mut world, 7, heal(Some("pause-2")));
    world.run_for(1.0);
    assert!(
        matches!(world.replies.pop(), Some(Reply::Healed { faults, .. }) if faults == ["pause-2"])
    );
    assert_eq!((world.status[0], world.status[1]), ("exited", "running"));
    ask(&mut world, 8, heal(None));
    assert!(
        !matches!(world.replies.last(), Some(Reply::Healed { .. })),
        "not back yet"
    );
    world.run_for(1.0);
    let Some(Reply::Healed {
        faults,
        failed,
        took_us,
    }) = world.replies.pop()
    else {
        panic!("no answer");
    };
    assert_eq!((faults, failed.len()), (vec!["kill-1".to_owned()], 0));
    assert!(took_us > 50_000, "the node had to start: {took_us}");
    ask(&mut world, 8, heal(None));
    assert!(matches!(world.replies.pop(), Some(Reply::Healed { faults, .. }) if faults.is_empty()));
}

#[test]
fn in_a_run_it_is_recorded_and_the_end_heals_it() {
    let mut world = World::new(lab(2, scenario(vec![machine_kill("kill-1", 1, 2)])));
    world.run_for(1.0);
    world.play();
    world.run_for(5.0);
    inject(&mut world, 5, machine(None));
    world.run_for(0.5);
    assert!(matches!(
        world.replies.last(),
        Some(Reply::Injected { fault, run: Some(_), .. }) if fault == "kill-2"
    ));
    assert_eq!(rows(&mut world)[0].heals_ns, None);
    world.run_for(10.0);
    let events = world.names();
    for event in [
        "fault-injected",
        "fault-began",
        "heal-started",
        "fault-healed",
    ] {
        let event = format!("{event} kill-2");
        assert!(events.contains(&event), "{event} in {events:?}");
    }
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
    assert_eq!(world.status[0], "running");
}

#[test]
fn the_scenario_s_are_listed_and_healed_early() {
    let mut world = World::new(lab(2, scenario(vec![machine_kill("loss", 2, 5)])));
    world.run_for(1.0);
    world.play();
    let listed = rows(&mut world);
    assert_eq!((listed.len(), listed[0].state), (1, FaultState::Scheduled));
    assert_eq!(
        listed[0].heals_ns.unwrap() - listed[0].begins_ns,
        5_000_000_000
    );
    world.run_for(4.0);
    ask(&mut world, 7, heal(Some("loss")));
    world.run_for(1.0);
    assert!(matches!(world.replies.last(), Some(Reply::Healed { .. })));
    world.run_for(10.0);
    let healed = world
        .names()
        .iter()
        .filter(|n| *n == "heal-started loss")
        .count();
    assert_eq!((healed, world.verdict().unwrap().0), (1, Verdict::Passed));
}

#[test]
fn a_new_run_begins_without_them_and_so_does_the_end() {
    let mut world = World::new(lab(2, scenario(Vec::new())));
    world.run_for(1.0);
    inject(&mut world, 5, machine(None));
    world.run_for(1.0);
    world.play();
    assert!(world.core.run.is_none(), "the node is not back yet");
    world.run_for(1.0);
    assert!(world.core.run.is_some() && world.status[0] == "running");
    world.run_for(15.0);
    assert_eq!(world.verdict().unwrap().0, Verdict::Passed);
    inject(&mut world, 5, machine(None));
    world.run_for(1.0);
    ask(&mut world, 9, Request::Stop);
    world.run_for(1.0);
    assert_eq!(world.replies.pop(), Some(Reply::Stopped));
    assert_eq!(world.status[0], "running");
}

#[test]
fn what_has_no_effect_is_told_to_who_asked() {
    let mut world = idle_world();
    world.broken.insert(0);
    let pause = fault("x", "pause", 0, Some(60), vec![on(0, NodeEffect::Pause)]);
    inject(&mut world, 5, pause);
    world.run_for(11.0);
    let why = "`pause-1`: it had no effect on `n-1` within 10s".to_owned();
    assert_eq!(world.replies, [Reply::Failed { why }]);
    assert_eq!(rows(&mut world)[0].state, FaultState::Failed);
    ask(&mut world, 7, heal(None));
    world.run_for(1.0);
    assert!(rows(&mut world).is_empty());
}

#[test]
fn another_lab_s_fault_is_refused() {
    let mut world = idle_world();
    let injection = Injection {
        lab: "other".into(),
        fault: machine(None),
    };
    ask(&mut world, 5, Request::Inject(injection));
    assert!(matches!(world.replies.last(), Some(Reply::Refused { .. })));
    assert!(rows(&mut world).is_empty());
}

#[test]
fn the_agent_s_death_heals_nothing_and_forgets_nothing() {
    for lasts in [None, Some(10)] {
        let mut world = idle_world();
        let kill = fault("x", "kill", 0, lasts, vec![on(0, KILL)]);
        inject(&mut world, 5, kill);
        world.run_for(1.0);
        world.agent_restarts(2);
        world.run_for(1.0);
        assert_eq!(names(&world), ["kill-1"]);
        assert_eq!(world.status[0], "exited");
        match lasts {
            Some(_) => world.run_for(8.0),
            None => {
                ask(&mut world, 7, heal(Some("kill-1")));
                world.run_for(2.0);
            }
        }
        assert_eq!(world.status[0], "running", "{lasts:?}");
        inject(&mut world, 5, machine(None));
        assert_eq!(names(&world), ["kill-2"], "no name is given twice");
    }
}
