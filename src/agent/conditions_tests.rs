//! Faults that wait for a condition, over the fake world: begun once, at a deadline never, resumed after the agent was killed.

use super::super::world::{World, lab, machine_kill, on, scenario};
use crate::fault::NodeEffect;
use crate::id::NodeIndex;
use crate::lab::{Check, Condition, ScheduledFault};
use crate::record::event::{Verdict, What};
use crate::record::look::FaultState;
use crate::record::stream::{Reply, Request};
use crate::timeline::{Moment, Recorded, Timeline};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

/// A machine that is lost for 2 s when a node has crashed within the last 2 s, and a pause that follows
/// a second after its heal. The scenario takes 20 s after 1 s of warm-up.
fn waiting_world(within: u64) -> World {
    waiting_world_of(within, 1)
}

/// The same with so many pauses, three seconds apart.
fn waiting_world_of(within: u64, pauses: u32) -> World {
    let loss = ScheduledFault {
        since: Some(0),
        ..machine_kill("loss", 0, 2)
    };
    let pause = ScheduledFault {
        name: crate::id::Name::new("pause").unwrap(),
        kind: "pause".into(),
        at: Duration::from_secs(3),
        since: Some(0),
        lasts: Some(Duration::from_secs(1)),
        effects: vec![on(0, NodeEffect::Pause)],
        ..loss.clone()
    };
    let again = (2..=pauses).map(|occurrence| ScheduledFault {
        occurrence,
        at: Duration::from_secs(3 * u64::from(occurrence)),
        ..pause.clone()
    });
    let faults = [loss, pause.clone()].into_iter().chain(again);
    let mut played = scenario(faults.collect()).unwrap();
    played.duration = Duration::from_secs(20);
    played.conditions = vec![Condition {
        when: Check {
            name: "loss".into(),
            expect: "crashes(last=2s) >= 1".into(),
            abort: false,
            nodes: BTreeMap::new(),
        },
        within: Duration::from_secs(within),
    }];
    let mut world = World::new(lab(2, Some(played)));
    world.run_for(1.0);
    world.play();
    world
}

/// When each fault began, in seconds of the run's clock.
fn begun(world: &World) -> Vec<(String, f64)> {
    let began = |(t, what): (i64, &What)| match what {
        What::FaultBegan { fault, due, .. } => {
            assert!(t >= *due);
            Some((fault.clone(), *due as f64 / SECOND as f64))
        }
        _ => None,
    };
    let events = world.events.iter().map(|event| (event.t, &event.what));
    events.filter_map(began).collect()
}

fn held(world: &World) -> Vec<i64> {
    let events = world.events.iter();
    let held = events.filter(|event| matches!(event.what, What::ConditionHeld { .. }));
    held.map(|event| event.t).collect()
}

#[test]
fn a_fault_begins_when_its_condition_first_holds_and_what_follows_it_follows() {
    let mut world = waiting_world(15);
    world.run_for(5.0);
    assert!(begun(&world).is_empty());
    world.die(NodeIndex(1));
    world.run_for(20.0);
    let moment = held(&world);
    assert_eq!(moment.len(), 1, "it holds first only once: {moment:?}");
    // What has been known for 2 s counts, and is looked at each second.
    let moment = moment[0] as f64 / SECOND as f64;
    assert!((6.0..=8.5).contains(&moment), "{moment}");
    let begun = begun(&world);
    let names: Vec<&str> = begun.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["loss", "pause"]);
    assert!((begun[0].1 - moment).abs() < 0.001, "{begun:?}, {moment}");
    assert!((begun[1].1 - moment - 3.0).abs() < 0.001, "{begun:?}");
    assert_eq!(world.status[0], "running");
}

#[test]
fn a_condition_that_does_not_hold_in_time_makes_the_run_inconclusive() {
    let mut world = waiting_world(10);
    world.run_for(12.0);
    let told = world.events.iter().filter_map(|event| match &event.what {
        What::FaultNeverBegan { fault, why } => Some((fault.as_str(), why.as_str())),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let why = "`crashes(last=2s) >= 1` did not hold by 10s; last: crashes(last=2s) = 0";
    let follows = "it follows `loss`, which never began";
    assert_eq!(told, [("loss", why), ("pause", follows)]);
    // What comes later is too late.
    world.die(NodeIndex(1));
    world.run_for(12.0);
    assert!(begun(&world).is_empty() && held(&world).is_empty());
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert_eq!(reasons[0], format!("fault `loss` never began: {why}"));
}

#[test]
fn the_end_is_the_last_deadline_and_what_has_no_room_is_told() {
    let mut world = waiting_world(20);
    world.run_for(16.5);
    world.die(NodeIndex(1));
    world.run_for(10.0);
    // It held at 17.8 s of 20: the pause, 3 s later, would begin when all has to have healed.
    assert_eq!(begun(&world).len(), 1, "{:?}", world.events);
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(
        reasons
            .iter()
            .any(|why| why.contains("`pause` never began: it would have after 20s")),
        "{reasons:?}"
    );

    let mut world = waiting_world(20);
    world.run_for(25.0);
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reasons[0].contains("`loss` never began"), "{reasons:?}");
}

/// Of what follows over and over as many as there is room for happen, and the record says how many that is.
#[test]
fn occurrences_without_room_are_told() {
    let mut world = waiting_world_of(20, 3);
    world.run_for(12.0);
    world.die(NodeIndex(1));
    world.run_for(14.0);
    let notes = world.events.iter().filter_map(|event| match &event.what {
        What::Note { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let notes: Vec<_> = notes.filter(|text| text.contains("pause")).collect();
    assert_eq!(
        notes,
        ["fault pause happens 2 times of 3: by 20s all heals"]
    );
    assert_eq!(begun(&world).len(), 3, "{:?}", begun(&world));
}

#[test]
fn an_agent_that_is_back_goes_on_waiting_and_begins_nothing_twice() {
    let mut world = waiting_world(18);
    world.run_for(4.0);
    world.agent_restarts(1);
    world.run_for(2.0);
    assert!(held(&world).is_empty());
    world.die(NodeIndex(1));
    world.run_for(5.0);
    assert_eq!((held(&world).len(), begun(&world).len()), (1, 1));
    // `loss` is in force or over, its condition may hold still, and `pause` is yet to come.
    world.agent_restarts(1);
    world.run_for(14.0);
    assert_eq!(held(&world).len(), 1);
    let begun = begun(&world);
    let times = |name: &str| begun.iter().filter(|(other, _)| other == name).count();
    assert_eq!((times("loss"), times("pause")), (1, 1), "{begun:?}");
}

#[test]
fn what_waits_is_listed_as_waiting() {
    let mut world = waiting_world(15);
    let client = 99;
    let asked = super::super::core::Input::Request {
        client,
        request: Request::Faults,
    };
    world.core.handle(world.now, asked);
    world.act();
    let Some(Reply::Faults { rows, .. }) = world.replies.last() else {
        panic!("{:?}", world.replies);
    };
    let states: Vec<_> = rows
        .iter()
        .map(|row| (row.fault.as_str(), row.state))
        .collect();
    let waiting = FaultState::Waiting;
    assert_eq!(states, [("loss", waiting), ("pause", waiting)]);
}

#[test]
fn a_record_has_the_times_and_replays_them() {
    let world = waiting_world(15);
    let mut lab = world.core.lab.clone();
    let moments = [Moment::Held(Duration::from_millis(6_500))];
    let recorded = Recorded::of(&lab, &moments).unwrap();
    let text = serde_json::to_string(&recorded).unwrap();
    let read = Recorded::parse(&text).unwrap();
    assert_eq!(read, recorded);
    read.onto(&mut lab).unwrap();
    let replayed = lab.scenario.as_ref().unwrap();
    assert!(replayed.conditions.is_empty());
    assert_eq!(Timeline::new(replayed).entries, recorded.entries);
    assert_eq!(recorded.entries.len(), 4);
    assert_eq!(replayed.faults[1].at, Duration::from_millis(9_500));

    // What never began does not happen.
    let mut lab = world.core.lab.clone();
    let missed = Recorded::of(&lab, &[Moment::Missed]).unwrap();
    missed.onto(&mut lab).unwrap();
    assert!(lab.scenario.unwrap().faults.is_empty());
}
