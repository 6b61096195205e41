//! What follows from what was seen of a fault: each rule holds, and can fail.

use super::super::prove::Sight;
use super::*;
use crate::agent::process::Process;
use crate::agent::volumes::VolumeState;
use crate::fabric::{DelaySnapshot, Dropped};
use crate::fault::{Folded, Limits, LinkEffect, NodeEffect};
use crate::id::NetworkIndex;
use crate::link::LinkProperties;
use crate::units::Cores;
use std::collections::BTreeSet;

const PLACE: Place = (NetworkIndex(0), NodeIndex(0), NodeIndex(1));

pub(in crate::agent) fn folded(ms: u64, down: bool) -> Folded {
    Folded {
        properties: LinkProperties {
            delay: Duration::from_millis(ms),
            ..LinkProperties::default()
        },
        down,
    }
}

pub(in crate::agent) fn witness(link: Folded, packets: u64, dropped: u64) -> LinkWitness {
    LinkWitness {
        place: PLACE,
        properties: link.properties,
        down: link.down,
        packets,
        dropped: Dropped {
            down: dropped,
            ..Dropped::default()
        },
        delays: DelaySnapshot::default(),
        would_arrive: if link.down { 0 } else { TRIED },
    }
}

pub(in crate::agent) fn process(pid: i32) -> NodeSight {
    NodeSight {
        process: Some(Process { pid, began: 7 }),
        frozen: Some(false),
        ..NodeSight::default()
    }
}

pub(in crate::agent) fn frozen(pid: i32) -> NodeSight {
    NodeSight {
        frozen: Some(true),
        ..process(pid)
    }
}

/// A case of one link and node `n-1`, as seen and expected at each moment.
#[derive(Default)]
pub(in crate::agent) struct Story {
    pub case: Case,
    /// What the node should be allowed to take from now on.
    pub limits: Limits,
    /// How its volume should be from now on.
    pub volume: VolumeState,
}

impl Story {
    pub fn new() -> Story {
        let mut story = Story::default();
        (story.case.links, story.case.nodes) = (vec![PLACE], vec![NodeIndex(0)]);
        story.at(Moment::Before, process(1), Desired::Running)
    }

    pub fn at(mut self, moment: Moment, node: NodeSight, without: Desired) -> Story {
        let declared = folded(2, false);
        self.case.seen.insert(
            moment,
            Seen {
                at: if moment == Moment::Begun {
                    1
                } else {
                    2_000_000_001
                },
                sight: Sight {
                    fault: 0,
                    moment,
                    nodes: vec![node],
                    of: vec![NodeIndex(0)],
                    links: vec![witness(declared, 5, 0)],
                    manners: Default::default(),
                    replies: Vec::new(),
                },
                links: vec![Expected {
                    now: declared,
                    without: declared,
                }],
                nodes: vec![without],
                limits: vec![(self.limits, Limits::default())],
                volumes: vec![(self.volume, VolumeState::default())],
                manners: Default::default(),
                programs: Vec::new(),
            },
        );
        self
    }

    pub fn link(
        mut self,
        moment: Moment,
        witness: LinkWitness,
        now: Folded,
        without: Folded,
    ) -> Story {
        if !self.case.seen.contains_key(&moment) {
            self = self.at(moment, process(1), Desired::Running);
        }
        if let Some(seen) = self.case.seen.get_mut(&moment) {
            seen.sight.links = vec![witness];
            seen.links = vec![Expected { now, without }];
        }
        self
    }

    /// What the node should be allowed to take from here on.
    pub(in crate::agent) fn limited(mut self, limits: Limits) -> Story {
        self.limits = limits;
        self
    }

    fn judged(&self, effect: Effect) -> Result<Judged, String> {
        judge(&[effect], &self.case, &|node| format!("n-{}", node.0 + 1))
    }
}

pub(in crate::agent) fn links(effect: LinkEffect) -> Effect {
    let pairs = Pairs::Touching(vec![NodeIndex(0)]);
    Effect::Links { pairs, effect }
}

pub(in crate::agent) fn node(effect: NodeEffect) -> Effect {
    Effect::Node {
        node: NodeIndex(0),
        effect,
    }
}

fn slow() -> Effect {
    links(LinkEffect::Change(Box::default()))
}

fn proven(text: &str) -> Result<Judged, String> {
    Ok(Judged {
        seen: text.to_owned(),
        masked: false,
    })
}

#[test]
fn a_cut_lets_nothing_pass() {
    let (up, down) = (folded(2, false), folded(2, true));
    let story = |begun: LinkWitness, ending: LinkWitness| {
        Story::new()
            .link(Moment::Begun, begun, down, up)
            .link(Moment::Ending, ending, down, up)
            .judged(links(LinkEffect::Down))
    };
    let tried = story(witness(down, 5, 3), witness(down, 5, 217));
    assert_eq!(tried, proven("214 packets tried, 0 passed"));
    let quiet = story(witness(down, 5, 3), witness(down, 5, 3));
    assert_eq!(quiet, proven("no packet came; of 8 made for it 0 pass"));
    let passed = story(witness(down, 5, 0), witness(down, 9, 0));
    assert_eq!(passed, Err("4 packets passed `n-1 → n-2`".into()));
    for wrong in [
        story(witness(up, 5, 0), witness(down, 5, 0)),
        story(witness(down, 5, 0), witness(up, 5, 0)),
    ] {
        assert_eq!(wrong, Err("`n-1 → n-2` is up in the fabric".into()));
    }
}

#[test]
fn a_slow_link_is_slow_for_packets_too() {
    let (usual, late) = (folded(2, false), folded(102, false));
    let story = |properties: Folded, us: u64, count: u32| {
        let begun = witness(properties, 5, 0);
        let mut ending = witness(properties, 5 + u64::from(count), 0);
        ending.delays.record_us(us, count);
        Story::new()
            .link(Moment::Begun, begun, late, usual)
            .link(Moment::Ending, ending, late, usual)
            .judged(slow())
    };
    let said = story(late, 102_000, 40).unwrap().seen;
    assert!(
        said.starts_with("in force on 1 link; 40 packets took 1"),
        "{said}"
    );
    let early = story(late, 2_000, 40).unwrap_err();
    assert!(early.starts_with("`n-1 → n-2`: packets took 2."), "{early}");
    assert!(story(late, 2_000, 3).is_ok(), "under way when it began");
    assert_eq!(
        story(usual, 2_000, 40),
        Err("`n-1 → n-2` is not so in the fabric".into())
    );
}

#[test]
fn loss_lies_where_it_is_declared() {
    let mut lossy = folded(2, false);
    lossy.properties.loss = crate::units::Ratio(0.2);
    let story = |lost: u64| {
        let mut ending = witness(lossy, 5 + 1000 - lost, 0);
        ending.dropped.loss = lost;
        let usual = folded(2, false);
        Story::new()
            .link(Moment::Begun, witness(lossy, 5, 0), lossy, usual)
            .link(Moment::Ending, ending, lossy, usual)
            .judged(slow())
    };
    assert!(story(200).is_ok() && story(240).is_ok());
    for wrong in [0, 100, 300] {
        let why = story(wrong).unwrap_err();
        assert!(why.contains("of 1000 packets were lost"), "{why}");
    }
}

#[test]
fn a_cut_of_a_link_that_is_down_is_masked() {
    let down = folded(2, true);
    let mut story = Story::new()
        .link(Moment::Begun, witness(down, 5, 3), down, down)
        .link(Moment::Ending, witness(down, 5, 9), down, down);
    story.case.others = BTreeSet::from([("loss".to_owned(), 1)]);
    let judged = story.judged(links(LinkEffect::Down)).unwrap();
    assert_eq!(judged.seen, "6 packets tried, 0 passed");
    assert!(judged.masked);
    story.case.others.clear();
    assert!(story.judged(links(LinkEffect::Down)).is_err(), "by whom?");
    // It was hidden for a part of its time only.
    let story = story.link(Moment::Ending, witness(down, 5, 9), down, folded(2, false));
    assert!(!story.judged(links(LinkEffect::Down)).unwrap().masked);
}

#[test]
fn a_killed_process_is_gone_and_another_one_comes() {
    let kill = || {
        node(NodeEffect::Kill {
            kernel_answers: true,
        })
    };
    let story = |begun, ending, after| {
        Story::new()
            .at(Moment::Begun, begun, Desired::Running)
            .at(Moment::Ending, ending, Desired::Running)
            .at(Moment::After, after, Desired::Running)
            .judged(kill())
    };
    let gone = NodeSight::default;
    assert_eq!(
        story(gone(), gone(), process(9)),
        proven("n-1: process 1 gone")
    );
    for (begun, ending, after, why) in [
        (
            process(1),
            gone(),
            process(9),
            "process 1 of `n-1` is there",
        ),
        (
            gone(),
            process(9),
            process(9),
            "process 9 of `n-1` is there",
        ),
    ] {
        assert_eq!(story(begun, ending, after), Err(why.into()));
    }
}

#[test]
fn a_frozen_one_stays_the_same() {
    let story = |begun: NodeSight, ending: NodeSight, after| {
        Story::new()
            .at(Moment::Begun, begun, Desired::Running)
            .at(Moment::Ending, ending, Desired::Running)
            .at(Moment::After, after, Desired::Running)
            .judged(node(NodeEffect::Pause))
    };
    assert_eq!(
        story(frozen(1), frozen(1), process(1)),
        proven("n-1: frozen")
    );
    let unfrozen = Err("`n-1` is not frozen".into());
    assert_eq!(story(process(1), frozen(1), process(1)), unfrozen);
    assert_eq!(story(frozen(1), process(1), process(1)), unfrozen);
    // Where the kernel does not say, whoever runs is not frozen.
    let silent = |ran| NodeSight {
        frozen: None,
        ran,
        ..process(1)
    };
    assert!(story(silent(5), silent(5), process(1)).is_ok());
    assert!(story(silent(5), silent(6), process(1)).is_err());
}

#[test]
fn freezing_the_dead_is_masked() {
    let dead = Desired::Dead(super::super::desire::Death {
        grace: None,
        kernel_answers: true,
    });
    let mut story = Story::new()
        .at(Moment::Begun, NodeSight::default(), dead)
        .at(Moment::Ending, NodeSight::default(), dead)
        .at(Moment::After, NodeSight::default(), dead);
    story.case.others = BTreeSet::from([("loss".to_owned(), 1)]);
    assert!(story.judged(node(NodeEffect::Pause)).unwrap().masked);
}

#[test]
fn a_restart_needs_another_process() {
    let grace = Duration::ZERO;
    let story = |after| {
        Story::new()
            .at(Moment::Begun, NodeSight::default(), Desired::Running)
            .at(Moment::After, after, Desired::Running)
            .judged(node(NodeEffect::Restart { grace }))
    };
    assert_eq!(story(process(9)), proven("n-1: process 1, then 9"));
    assert!(story(process(1)).is_err() && story(NodeSight::default()).is_err());
}

#[test]
fn a_throttled_node_has_a_cgroup_that_says_so() {
    let slow = Limits {
        cpu: Some(Cores(200)),
        memory: None,
    };
    let allowed = |max: &str, periods| NodeSight {
        limits: vec![("cpu.max", max.into()), ("memory.max", "max".into())],
        held_back: periods,
        ..process(1)
    };
    let story = |begun, ending, after| {
        Story::new()
            .limited(slow)
            .at(Moment::Begun, begun, Desired::Running)
            .at(Moment::Ending, ending, Desired::Running)
            .limited(Limits::default())
            .at(Moment::After, after, Desired::Running)
            .judged(node(NodeEffect::Throttle(slow)))
    };
    let (free, held) = ("max 100000", "20000 100000");
    assert_eq!(
        story(
            allowed(held, (1, 5)),
            allowed(held, (4, 9)),
            allowed(free, (4, 9))
        ),
        proven("n-1: cgroup allows 20% of a core, held back in 3 of 4 periods")
    );
    let free = || allowed(free, (0, 0));
    let held = || allowed(held, (0, 0));
    assert!(
        story(free(), held(), free())
            .unwrap_err()
            .contains("allows no limit, not 20%")
    );
    assert!(
        story(held(), free(), free()).is_err(),
        "it was taken away meanwhile"
    );
    assert!(
        story(process(1), held(), free()).is_err(),
        "the kernel does not say"
    );
    assert!(
        story(NodeSight::default(), held(), free()).is_err(),
        "nobody is there"
    );
}

#[test]
fn what_was_never_seen_proves_nothing() {
    let mut case = Story::new().case;
    case.seen.clear();
    let judged = Story {
        case,
        ..Story::default()
    }
    .judged(links(LinkEffect::Down));
    let why = "the agent was away while it began, or was in force";
    assert_eq!(judged, Err(why.into()));
}
