//! What is looked at after a heal: each rule holds, and can fail.

use super::super::desire::Death;
use super::super::judge::tests::{Story, folded, frozen, links, node, process, witness};
use super::super::world::{World, fault, lab, machine_kill, scenario};
use super::*;
use crate::fault::{Folded, Limits, LinkEffect, NodeEffect, Pairs, ResolverEffect};
use crate::record::event::Verdict;
use crate::units::Cores;
use std::collections::BTreeSet;

fn judged(story: &Story, effect: Effect) -> Option<Result<Healed, String>> {
    let name = |node: NodeIndex| format!("n-{}", node.0 + 1);
    judge(&[effect], &story.case, &name)
}

fn gone(text: &str) -> Option<Result<Healed, String>> {
    Some(Ok(Healed::Gone(text.to_owned())))
}

fn remains(text: &str) -> Option<Result<Healed, String>> {
    Some(Err(text.to_owned()))
}

/// A cut of a link, which is `seen` and should be `now` after its heal.
fn cut(seen: Folded, now: Folded) -> Story {
    let (up, down) = (folded(2, false), folded(2, true));
    let mut story = Story::new()
        .link(Moment::Begun, witness(down, 5, 3), down, up)
        .link(Moment::Ending, witness(down, 5, 9), down, up)
        .link(Moment::After, witness(seen, 6, 9), now, now);
    story.case.nodes.clear();
    story
}

#[test]
fn a_link_is_what_the_other_faults_make_of_it() {
    let (up, down, slow) = (folded(2, false), folded(2, true), folded(52, false));
    let of = |seen, now| judged(&cut(seen, now), links(LinkEffect::Down));
    let text = "1 link as without it, 8 of 8 packets made for them pass";
    assert_eq!(of(up, up), gone(text));
    assert_eq!(of(slow, slow), gone(text), "another fault makes it slow");
    assert_eq!(of(down, up), remains("`n-1 → n-2` is down"));
    let why = "`n-1 → n-2` is up, which another fault cuts";
    assert_eq!(of(up, down), remains(why));
    let Some(Err(why)) = of(slow, up) else {
        panic!("a link that stays slow")
    };
    assert!(why.starts_with("`n-1 → n-2` has delay"), "{why}");
    let mut story = cut(up, up);
    if let Some(seen) = story.case.seen.get_mut(&Moment::After) {
        seen.sight.links[0].would_arrive = 0;
    }
    let why = "of 8 packets made for `n-1 → n-2` 0 pass";
    assert_eq!(judged(&story, links(LinkEffect::Down)), remains(why));
    // Where packets are lost by chance, none of few proves nothing.
    if let Some(seen) = story.case.seen.get_mut(&Moment::After) {
        seen.sight.links[0].properties.loss.0 = 0.5;
        seen.links[0].now.properties.loss.0 = 0.5;
    }
    let text = "1 link as without it";
    assert_eq!(judged(&story, links(LinkEffect::Down)), gone(text));
}

#[test]
fn what_others_hold_is_hidden() {
    let down = folded(2, true);
    let mut story = cut(down, down);
    story.case.holders = BTreeSet::from([("loss".to_owned(), 1)]);
    let hidden = Some(Ok(Healed::Hidden));
    assert_eq!(judged(&story, links(LinkEffect::Down)), hidden);
}

#[test]
fn a_node_is_back_in_another_process_or_goes_on() {
    let story = |ending: NodeSight, after: NodeSight, without| {
        Story::new()
            .at(Moment::Ending, ending, Desired::Running)
            .at(Moment::After, after, without)
    };
    let kill = || {
        node(NodeEffect::Kill {
            kernel_answers: true,
        })
    };
    let away = NodeSight::default;
    let killed = |after, without| {
        let mut story = story(away(), after, without);
        story.case.links.clear();
        story
            .case
            .seen
            .get_mut(&Moment::After)
            .unwrap()
            .links
            .clear();
        judged(&story, kill())
    };
    let dead = Desired::Dead(Death {
        grace: None,
        kernel_answers: true,
    });
    let running = Desired::Running;
    assert_eq!(killed(process(9), running), gone("n-1 at work"));
    assert_eq!(killed(away(), dead), None, "another fault keeps it dead");
    for (after, why) in [
        (away(), "`n-1` has no process"),
        (process(1), "`n-1` has the process that it had before"),
        (frozen(9), "`n-1` is frozen"),
    ] {
        assert_eq!(killed(after, running), remains(why));
    }
    let thawed = |after| {
        let mut story = story(frozen(1), after, running);
        story
            .case
            .seen
            .get_mut(&Moment::After)
            .unwrap()
            .links
            .clear();
        judged(&story, node(NodeEffect::Pause))
    };
    assert_eq!(thawed(process(1)), gone("n-1 at work"));
    assert_eq!(thawed(frozen(1)), remains("`n-1` is frozen"));
    let why = "`n-1` has another process than before";
    assert_eq!(thawed(process(2)), remains(why));
}

/// Each occurrence has its own answer in the record: the cut that a lost machine outlives is hidden,
/// and what the fabric is never told remains.
#[test]
fn each_heal_is_told_in_the_record() {
    let cut = || Effect::Links {
        pairs: Pairs::Touching(vec![NodeIndex(0)]),
        effect: LinkEffect::Down,
    };
    let names = Effect::Resolver {
        nodes: vec![NodeIndex(1)],
        effect: ResolverEffect::Silent,
    };
    let faults = || {
        vec![
            fault("early", "cut", 1, Some(2), vec![cut()]),
            machine_kill("loss", 2, 3),
            fault("names", "dns", 2, Some(1), vec![names.clone()]),
        ]
    };
    let mut world = World::new(lab(2, scenario(faults())));
    world.run_for(1.0);
    world.play();
    world.run_for(14.0);
    assert_eq!(world.verdict(), Some((Verdict::Passed, vec![])));
    let told = |event: &str| {
        let names = world.names();
        names
            .iter()
            .filter(|name| name.starts_with(event))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(told("heal-masked"), ["heal-masked early"]);
    assert_eq!(
        told("heal-proven"),
        ["heal-proven names", "heal-proven loss"]
    );
    assert!(told("heal-unproven").is_empty());
}

#[test]
fn a_throttled_node_has_back_what_was_taken() {
    let throttle = Limits {
        cpu: Some(Cores(200)),
        memory: None,
    };
    let allowed = |pid, max: &str| NodeSight {
        limits: vec![("cpu.max", max.into()), ("memory.max", "max".into())],
        ..process(pid)
    };
    let of = |after: NodeSight, killed: bool| {
        let mut story = Story::new()
            .limited(throttle)
            .at(Moment::Begun, allowed(1, "20000 100000"), Desired::Running)
            .limited(Limits::default())
            .at(Moment::After, after, Desired::Running);
        story.case.links.clear();
        if killed {
            story.case.out_of_memory.insert(NodeIndex(0));
        }
        judged(&story, node(NodeEffect::Throttle(throttle)))
    };
    let free = |pid| allowed(pid, "max 100000");
    assert_eq!(of(free(1), false), gone("n-1 at work"));
    let why = "the cgroup of `n-1` allows 20% of a core, not no limit";
    assert_eq!(of(allowed(1, "20000 100000"), false), remains(why));
    assert_eq!(
        of(NodeSight::default(), false),
        remains("`n-1` has no process")
    );
    // Whom the kernel killed, the heal starts anew.
    assert_eq!(of(free(9), true), gone("n-1 at work"));
    let why = "`n-1` has the process that it had before";
    assert_eq!(of(free(1), true), remains(why));
}
