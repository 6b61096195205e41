//! Whole lives of labs through the agent's mind, with neither engine nor network.

use super::core::{EngineStatus, Input};
use super::desire::Actual;
use crate::fault::NodeEffect;
use crate::id::NodeIndex;
use crate::lab::{Healthcheck, Image, Program, ScheduledFault, Wires};
use crate::record::event::{Event, Verdict, What};
use crate::record::look::Captured;
use crate::record::stream::{NodeState, Phase, Reply, Request};
use netlab_protocol::control::Report;
use netlab_protocol::latency::{LatencyCount, Op, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

const MS: u64 = 1_000_000;

use super::world::*;
fn ready_world(faults: Vec<ScheduledFault>) -> World {
    let mut world = World::new(lab(2, scenario(faults)));
    world.run_for(1.0);
    assert_eq!(
        world.core.status().phase,
        Phase::Ready,
        "{:?}",
        world.core.status()
    );
    world.play();
    world
}

#[test]
fn a_lost_machine_falls_silent_dies_and_comes_back() {
    let mut world = ready_world(vec![machine_kill("loss", 2, 3)]);
    world.run_for(3.3);
    assert_eq!(world.down.len(), 2, "both directions between the two");
    assert_eq!(world.status[0], "exited");
    assert!(!world.attached[0] && !world.pinned[0]);
    assert_eq!(world.core.status().nodes[0].state, NodeState::Dead);
    world.run_for(12.0);
    let expected = [
        "run-started",
        "warmup-ended",
        "node-died loss",
        "fault-began loss",
        "heal-started loss",
        "node-wired",
        "fault-healed loss",
        "fault-proven loss",
        "heal-proven loss",
        "node-ready",
        "run-ended",
    ];
    assert_eq!(world.names(), expected);
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
    assert!(world.down.is_empty() && world.attached[0]);
    assert_eq!(world.core.status().phase, Phase::Running);
    let times: Vec<i64> = world.events.iter().map(|e| e.t / MS as i64).collect();
    assert_eq!(
        times[..3],
        [0, 1_000, 3_015],
        "go, warm-up, death 15 ms after it was due"
    );
}

#[test]
fn a_lost_process_leaves_its_kernel_until_the_heal() {
    let kill = on(
        0,
        NodeEffect::Kill {
            kernel_answers: true,
        },
    );
    let mut world = ready_world(vec![fault("crash", "kill", 2, Some(3), vec![kill])]);
    world.run_for(4.0);
    assert!(world.pinned[0] && world.attached[0] && world.down.is_empty());
    assert_eq!(world.status[0], "exited");
    world.run_for(11.0);
    assert!(!world.pinned[0] && world.attached[0]);
    assert_eq!(world.verdict().unwrap().0, Verdict::Passed);
}

#[test]
fn faults_on_one_node_overlap_in_any_way() {
    let pause = fault("pause", "pause", 1, Some(7), vec![on(0, NodeEffect::Pause)]);
    let stop = on(
        0,
        NodeEffect::Stop {
            grace: Duration::from_secs(1),
        },
    );
    let stop = fault("stop", "stop", 3, Some(2), vec![stop]);
    let mut world = ready_world(vec![pause, machine_kill("kill", 2, 2), stop]);
    world.run_for(2.5);
    assert_eq!(world.status[0], "paused");
    world.run_for(1.0);
    assert_eq!(world.status[0], "exited", "a kill beats a pause");
    world.run_for(2.2);
    assert_eq!(
        (world.status[0], world.down.len()),
        ("exited", 0),
        "the stop still wants it dead"
    );
    world.run_for(1.0);
    assert_eq!(world.status[0], "paused", "back, and frozen again");
    world.run_for(10.0);
    assert_eq!(world.status[0], "running");
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(
        (verdict, reasons),
        (Verdict::Passed, vec![]),
        "{:?}",
        world.names()
    );
}

#[test]
fn a_restart_is_a_stop_that_heals_itself() {
    let restart = on(
        0,
        NodeEffect::Restart {
            grace: Duration::from_secs(1),
        },
    );
    let mut world = ready_world(vec![fault("again", "restart", 2, None, vec![restart])]);
    world.run_for(14.0);
    let names = world.names();
    for name in [
        "fault-began again",
        "heal-started again",
        "fault-healed again",
        "fault-proven again",
    ] {
        assert!(names.iter().any(|n| n == name), "{name}: {names:?}");
    }
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
}

#[test]
fn an_unplanned_death_stays_and_makes_the_run_inconclusive() {
    let mut world = ready_world(Vec::new());
    world.run_for(3.0);
    world.die(NodeIndex(1));
    world.run_for(12.0);
    assert_eq!(world.status[1], "exited");
    assert!(!world.attached[1], "an unplanned death is silent");
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reasons[0].contains("`n-2` died"), "{reasons:?}");
}

#[test]
fn a_fault_without_effect_is_never_a_pass() {
    let mut world = ready_world(vec![fault(
        "kill",
        "kill",
        0,
        None,
        vec![on(
            0,
            NodeEffect::Kill {
                kernel_answers: true,
            },
        )],
    )]);
    world.broken.insert(0);
    world.run_for(20.0);
    let names = world.names();
    assert!(names.iter().any(|n| n == "fault-failed kill"), "{names:?}");
    assert_eq!(world.verdict().unwrap().0, Verdict::Inconclusive);
}

#[test]
fn a_node_that_falls_silent_makes_the_run_inconclusive() {
    let mut world = ready_world(Vec::new());
    world.run_for(2.0);
    world.conn[1] = None;
    world.run_for(12.0);
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(
        reasons.iter().any(|r| r.contains("samples are missing")),
        "{reasons:?}"
    );
}

#[test]
fn the_agent_resumes_in_the_middle_of_a_fault() {
    let mut world = ready_world(vec![machine_kill("loss", 2, 5)]);
    world.run_for(4.0);
    world.agent_restarts(1);
    world.run_for(0.5);
    assert_eq!(world.down.len(), 2, "the fault is still in force");
    assert!(
        !world.attached[0] && world.attached[1],
        "who runs is wired again"
    );
    world.run_for(14.0);
    assert!(world.attached[0] && world.down.is_empty());
    let (verdict, reasons) = world.verdict().unwrap();
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reasons[0].contains("the agent died"), "{reasons:?}");
    let names = world.names();
    assert!(names.iter().any(|n| n == "agent-resumed"), "{names:?}");
    assert_eq!(
        names.iter().filter(|n| *n == "fault-healed loss").count(),
        1,
        "{names:?}"
    );
}

#[test]
fn the_agent_heals_what_should_be_over_when_it_comes_back() {
    let mut world = ready_world(vec![
        machine_kill("loss", 2, 2),
        machine_kill("unseen", 5, 1),
    ]);
    world.run_for(4.0);
    world.agent_restarts(5);
    world.run_for(8.0);
    assert!(world.attached[0] && world.down.is_empty());
    assert_eq!(world.status[0], "running");
    let names = world.names();
    assert!(
        names.iter().any(|n| n == "fault-failed unseen"),
        "{names:?}"
    );
    assert_eq!(world.verdict().unwrap().0, Verdict::Inconclusive);
}

#[test]
fn stop_heals_and_closes_as_interrupted_and_replay_gives_a_new_run() {
    let mut world = ready_world(vec![machine_kill("loss", 1, 8)]);
    world.run_for(4.0);
    world.core.handle(
        world.now,
        Input::Request {
            client: 9,
            request: Request::Stop,
        },
    );
    world.act();
    world.run_for(2.0);
    assert_eq!(world.verdict().unwrap().0, Verdict::Interrupted);
    assert_eq!(world.replies.last(), Some(&Reply::Stopped));
    assert_eq!((world.go, world.status[0]), (None, "running"));
    world.play();
    world.run_for(0.5);
    let Some(Reply::Playing { run }) = world.replies.last() else {
        panic!("{:?}", world.replies)
    };
    assert_eq!(world.core.status().run.as_ref(), Some(run));
    assert_eq!(world.core.status().runs.len(), 2);
    assert_eq!(world.go.map(|go| go.0), Some(2));
}

#[test]
fn a_playing_scenario_is_replaced_only_when_asked() {
    let mut world = ready_world(Vec::new());
    world.run_for(2.0);
    world.play();
    assert!(matches!(world.replies.last(), Some(Reply::Refused { .. })));
    let request = Request::Play { replace: true };
    world
        .core
        .handle(world.now, Input::Request { client: 2, request });
    world.act();
    world.run_for(1.0);
    assert!(matches!(world.replies.last(), Some(Reply::Playing { .. })));
    let ended = |e: &&Event| {
        matches!(
            e.what,
            What::RunEnded {
                verdict: Verdict::Interrupted,
                ..
            }
        )
    };
    assert_eq!(world.events.iter().filter(ended).count(), 1);
}

#[test]
fn a_follower_hears_the_past_the_present_and_the_end() {
    let mut world = ready_world(Vec::new());
    world.run_for(2.0);
    world.core.handle(
        world.now,
        Input::Request {
            client: 5,
            request: Request::Follow,
        },
    );
    world.act();
    let row = LatencyCount {
        slot: 1,
        op: Op::Read,
        outcome: Outcome::Ok,
        le_us: 700,
        count: 4,
    };
    let conn = world.conn[0].unwrap();
    let (run, at) = (1, world.now);
    let report = Report {
        run,
        at,
        latency: vec![row],
        ..Report::default()
    };
    world.core.handle(world.now, Input::Report { conn, report });
    world.run_for(12.0);
    assert!(
        matches!(&world.replies[1], Reply::Event(Event { t: 0, .. })),
        "{:?}",
        world.replies
    );
    let counted = world.replies.iter().find_map(|reply| match reply {
        Reply::Progress(p) => p.requests.first().cloned(),
        _ => None,
    });
    let counted = counted.unwrap();
    assert_eq!(
        (counted.role.as_str(), counted.count, counted.p50_us),
        ("server", 4, 700)
    );
    assert!(matches!(
        world.replies.last(),
        Some(Reply::Ended { exit_code: 0, .. })
    ));
}

/// An image with a healthcheck is ready when it takes connections, and again so after a restart.
#[test]
fn an_image_is_ready_when_it_is_healthy() {
    let mut lab = lab(2, scenario(vec![machine_kill("loss", 2, 1)]));
    lab.nodes[0].program = Program::Image(Image {
        image: "x".into(),
        command: None,
        env: BTreeMap::new(),
        healthcheck: Some(Healthcheck { tcp: 6379 }),
        metrics: None,
    });
    let mut world = World::new(lab);
    world.listening = false;
    world.run_for(3.0);
    assert_eq!(world.core.status().phase, Phase::Starting);
    assert_eq!(world.core.status().nodes[0].state, NodeState::Wired);
    world.listening = true;
    world.run_for(0.3);
    assert_eq!(world.core.status().phase, Phase::Ready);
    world.play();
    world.run_for(3.5);
    assert_eq!(world.core.status().nodes[0].state, NodeState::Dead);
    world.listening = false;
    world.run_for(3.0);
    assert_eq!(world.core.status().nodes[0].state, NodeState::Wired);
    world.listening = true;
    world.run_for(0.3);
    assert_eq!(world.core.status().nodes[0].state, NodeState::Ready);
}

#[test]
fn a_lab_without_scenario_runs_until_it_is_stopped() {
    let mut world = World::new(lab(2, None));
    world.core.handle(
        world.now,
        Input::Request {
            client: 3,
            request: Request::AwaitReady { timeout: 5 },
        },
    );
    world.act();
    world.run_for(1.0);
    assert!(matches!(world.replies.last(), Some(Reply::Status(s)) if s.phase == Phase::Ready));
    world.play();
    world.run_for(30.0);
    assert_eq!(world.core.status().phase, Phase::Running);
    world.core.handle(
        world.now,
        Input::Request {
            client: 4,
            request: Request::Stop,
        },
    );
    world.act();
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
    assert_eq!(world.core.status().phase, Phase::Ready);
}

#[test]
fn actual_states_are_what_the_engine_says_last() {
    let mut world = ready_world(Vec::new());
    world.run_for(1.0);
    let stale = EngineStatus {
        status: "exited".into(),
        exit_code: 1,
        oom_killed: false,
        limits: Default::default(),
    };
    let seen = Input::Seen {
        node: NodeIndex(0),
        container: "c0".into(),
        asked: 0,
        status: Some(stale),
    };
    world.core.handle(world.now, seen);
    assert_eq!(
        world.core.state.members[0].actual,
        Actual::Running { passed: true }
    );
}

/// A heal that falls into the grace lets the stop end first, and starts the node then.
#[test]
fn a_heal_waits_for_a_stop_that_is_under_way() {
    for (lasts, seen) in [(1, false), (2, false), (4, true)] {
        let grace = Duration::from_secs(3);
        let stop = vec![on(0, NodeEffect::Stop { grace })];
        let mut world = ready_world(vec![fault("halt", "stop", 1, Some(lasts), stop)]);
        world.deaf.insert(0);
        world.run_for(1.0);
        world.play();
        world.run_for(16.0);
        let killers = world.events.iter().filter_map(|event| match &event.what {
            What::NodeDied { fault, .. } => Some(fault.as_deref()),
            _ => None,
        });
        assert_eq!(killers.collect::<Vec<_>>(), [Some("halt")]);
        let healed =
            |what: &What| matches!(what, What::FaultHealed { fault, .. } if fault == "halt");
        assert!(world.events.iter().any(|event| healed(&event.what)));
        assert_eq!((world.status[0], world.pinned[0]), ("running", false));
        let (verdict, reasons) = world.verdict().unwrap();
        match seen {
            true => assert_eq!((verdict, reasons), (Verdict::Passed, vec![])),
            false => assert_eq!(verdict, Verdict::Inconclusive, "{reasons:?}"),
        }
        let wanted = |text: &String| text.contains("no fault wanted it");
        assert!(!world.verdict().unwrap().1.iter().any(wanted));
    }
}

#[test]
fn a_link_that_there_is_not_is_not_captured() {
    let mut lab = lab(3, None);
    lab.networks[0].wires = Wires::Edges(vec![(NodeIndex(0), NodeIndex(1))]);
    let names: Vec<String> = lab.nodes.iter().map(|node| node.name.to_string()).collect();
    let mut world = World::new(lab);
    let mut is_refused = |a: usize, b: usize| {
        let of = Captured::Between(names[a].clone(), names[b].clone());
        let request = Request::Capture { of, most: 1 };
        let asked = Input::Request { client: 7, request };
        world.replies.clear();
        world.core.handle(world.now, asked);
        world.act();
        matches!(world.replies.last(), Some(Reply::Refused { .. }))
    };
    assert!(!is_refused(0, 1) && !is_refused(1, 0));
    assert!(is_refused(0, 2) && is_refused(2, 1));
}
