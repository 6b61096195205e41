//! What holds of everything that is drawn, whatever the seed.

use super::drawn::LEAST;
use super::model::{Lab, ScheduledFault};
use super::{Scenario, load};
use crate::fault::Effect;
use crate::spec::{LoadOptions, Source};
use proptest::prelude::*;
use std::time::Duration;

const CALM: Duration = Duration::from_secs(2);

fn lab(seed: u64, peers: u32, faults: &str) -> Lab {
    let text = format!(
        "name: t\nseed: {seed}\nnodes:\n  peer: {{ role: peer, count: {peers} }}\n  server: {{ role: server }}\n\
         scenario:\n  duration: 120s\n  quiet: 10s\n  faults:\n{faults}"
    );
    let source = Source {
        name: "t".to_owned(),
        text,
    };
    let loaded = load(&source, &LoadOptions::default());
    loaded.unwrap_or_else(|errors| panic!("{errors}")).lab
}

fn scenario(seed: u64, peers: u32, faults: &str) -> Scenario {
    lab(seed, peers, faults).scenario.unwrap()
}

fn of<'s>(scenario: &'s Scenario, name: &str) -> Vec<&'s ScheduledFault> {
    let all = scenario.faults.iter();
    all.filter(|fault| fault.name.as_str() == name).collect()
}

fn until(fault: &ScheduledFault) -> Duration {
    fault.at + fault.lasts.unwrap_or_default()
}

/// How many are in force at the begin of each.
fn together(faults: &[&ScheduledFault]) -> usize {
    let at = |one: &&ScheduledFault| {
        let now = |other: &&&ScheduledFault| other.at <= one.at && until(other) > one.at;
        faults.iter().filter(now).count()
    };
    faults.iter().map(at).max().unwrap_or(0)
}

const KEPT: &str = "    c: { churn: peer, session: { mean: 9s }, absence: { mean: 6s, distribution: pareto }, keep: 70% }\n";
const FREE: &str =
    "    c: { churn: peer, session: { mean: 9s }, absence: { mean: 6s, distribution: pareto } }\n";
const STORM: &str = "    s:\n      chaos: { kinds: [kill, cut, degrade, partition, pause, flap, dns], rate: 20/min, for: { mean: 4s }, max_at_once: 2 }\n      at: 5s\n      until: 100s\n";
const PLAIN: &str = "    z: { at: 1s, for: 2s, every: 5s, jitter: 1s, kill: server }\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_seed_decides_and_nothing_else(seed in any::<u32>()) {
        let seed = u64::from(seed);
        let both = format!("{FREE}{STORM}");
        let first = lab(seed, 6, &both);
        prop_assert_eq!(serde_json::to_string(&first).unwrap(), serde_json::to_string(&lab(seed, 6, &both)).unwrap());
        let first = first.scenario.unwrap();
        let other = scenario(seed + 1, 6, &both);
        prop_assert!(of(&first, "c") != of(&other, "c"));
        prop_assert!(of(&first, "s") != of(&other, "s"));
        // Other faults, wherever they stand, shift nothing.
        let more = scenario(seed, 6, &format!("{PLAIN}{STORM}{FREE}"));
        prop_assert_eq!(of(&first, "c"), of(&more, "c"));
        prop_assert_eq!(of(&first, "s"), of(&more, "s"));
    }

    #[test]
    fn a_node_more_changes_no_others_times(seed in any::<u32>(), few in 1..8_u32, more in 1..5_u32) {
        let times = |peers: u32| {
            let scenario = scenario(u64::from(seed), peers, FREE);
            let all = of(&scenario, "c").into_iter();
            let line = |f: &ScheduledFault| (f.target.clone(), f.at, f.lasts);
            let known: Vec<_> = (1..=few).map(|n| format!("peer-{n}")).collect();
            all.filter(|f| known.contains(&f.target)).map(line).collect::<Vec<_>>()
        };
        prop_assert_eq!(times(few), times(few + more));
    }

    #[test]
    fn all_heal_in_time_and_the_bounds_hold(seed in any::<u32>(), peers in 4..12_u32) {
        let scenario = scenario(u64::from(seed), peers, &format!("{KEPT}{STORM}"));
        let (churn, storm) = (of(&scenario, "c"), of(&scenario, "s"));
        let away = peers as usize - (0.7 * f64::from(peers) - 1e-9).ceil() as usize;
        prop_assert!(together(&churn) <= away);
        prop_assert!(together(&storm) <= 2);
        for (faults, from, end) in [(&churn, 0, 110), (&storm, 5, 100)] {
            let numbers: Vec<u32> = faults.iter().map(|f| f.occurrence).collect();
            prop_assert_eq!(numbers, (1..=faults.len() as u32).collect::<Vec<_>>());
            prop_assert!(faults.is_sorted_by_key(|f| f.at));
            for fault in faults {
                prop_assert!(fault.at >= Duration::from_secs(from));
                prop_assert!(fault.lasts >= Some(LEAST));
                prop_assert!(until(fault) <= Duration::from_secs(end));
                prop_assert!(!fault.effects.is_empty());
            }
        }
        // Nobody is hit again before it had time to come back.
        let node = |f: &ScheduledFault| f.effects.iter().find_map(|effect| match effect {
            Effect::Node { node, .. } => Some(*node),
            _ => None,
        });
        for faults in [&churn, &storm] {
            for (at, fault) in faults.iter().enumerate() {
                let again = faults[at + 1..].iter().find(|f| node(f).is_some() && node(f) == node(fault));
                prop_assert!(again.is_none_or(|again| again.at >= until(fault) + CALM));
            }
        }
    }
}

/// Of 20 peers over 110 s 60 % are there on average; 30 seeds lie within 6 points of it.
#[test]
fn a_population_is_what_is_said() {
    let text = "    c: { churn: peer, population: 60%, absence: { mean: 6s } }\n";
    let mut away = 0.0;
    for seed in 0..30 {
        let scenario = scenario(seed, 20, text);
        let all = of(&scenario, "c").into_iter();
        away += all.map(|f| f.lasts.unwrap().as_secs_f64()).sum::<f64>() / (20.0 * 110.0);
    }
    let there = 1.0 - away / 30.0;
    assert!((there - 0.6).abs() < 0.06, "{there}");
}
