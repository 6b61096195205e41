//! Differences between a lab and what it was.

use super::super::process::Process;
use super::super::world::*;
use super::*;
use crate::id::NetworkIndex;
use std::time::Duration;

fn stand() -> Stand {
    let node = |pid| NodeSight {
        process: Some(Process { pid, began: 1 }),
        frozen: Some(false),
        ran: 3,
        limits: vec![("cpu.max", "max 100000".to_owned())],
        held_back: (0, 0),
        volume: None,
    };
    Stand {
        links: Vec::new(),
        nodes: vec![node(1), node(2)],
        manners: Vec::new(),
    }
}

fn differences(after: &Stand) -> Vec<String> {
    let world = World::new(lab(2, None));
    world.core.differences(&stand(), after)
}

#[test]
fn what_is_the_same_is_no_difference_and_a_new_process_is_none() {
    let mut after = stand();
    after.nodes[0].process = Some(Process { pid: 9, began: 4 });
    after.nodes[0].ran = 77;
    assert!(differences(&after).is_empty());
}

#[test]
fn every_difference_has_a_name() {
    let place = (NetworkIndex(0), NodeIndex(0), NodeIndex(1));
    let properties = LinkProperties::default();
    let mut after = stand();
    let down = Standing {
        place,
        properties,
        down: true,
    };
    after.links.push(down);
    assert_eq!(differences(&after), ["`n-1 → n-2` is down"]);
    let slow = LinkProperties {
        delay: Duration::from_millis(5),
        ..properties
    };
    after.links[0] = Standing {
        properties: slow,
        down: false,
        ..down
    };
    let told = differences(&after);
    assert!(told[0].starts_with("`n-1 → n-2` has delay"), "{told:?}");
    let mut after = stand();
    after.nodes[0].process = None;
    after.nodes[1].frozen = Some(true);
    assert_eq!(
        differences(&after),
        ["`n-1` has no process", "`n-2` is frozen"]
    );
    let mut after = stand();
    after.nodes[1].limits[0].1 = "5000 100000".to_owned();
    assert_eq!(
        differences(&after),
        ["`n-2` has cpu.max 5000 100000, was max 100000"]
    );
    let mut after = stand();
    after
        .manners
        .push((NodeIndex(1), ResolverManner::default()));
    assert_eq!(
        differences(&after),
        ["`n-2` is answered otherwise by the resolver"]
    );
}

#[test]
fn a_lab_that_is_not_as_before_makes_the_run_inconclusive() {
    for (wrong, verdict) in [
        (false, crate::record::event::Verdict::Passed),
        (true, crate::record::event::Verdict::Inconclusive),
    ] {
        let faults = vec![machine_kill("loss", 2, 3)];
        let mut world = World::new(lab(2, scenario(faults)));
        world.run_for(1.0);
        world.play();
        world.run_for(4.0);
        world.frozen = wrong;
        world.run_for(12.0);
        let (is, reasons) = world.verdict().unwrap();
        assert_eq!(is, verdict, "{reasons:?}");
        let told = world.names().contains(&"not-restored".to_owned());
        assert_eq!(told, wrong, "{reasons:?}");
    }
}
