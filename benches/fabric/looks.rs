//! How long packets wait while somebody looks at all links of a large lab, or the lab changes.

use crate::bed::lab::{B, NETWORK, SILENCE, config, delayed};
use crate::bed::stats;
use crate::bed::udp::{self, Flow, Pace};
use crate::print;
use crate::scale::Crowd;
use netlab::fabric::{Fabric, LinkChange};
use netlab::id::NodeIndex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NODES: u32 = 200;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What is done to the fabric again and again.
type Work = fn(&Fabric);

pub fn looks() {
    let crowd = Crowd::new(NODES, delayed(5));
    crowd.exchange(1);
    let all: [(&str, Work); 5] = [
        ("nothing", |_| ()),
        ("counters", |fabric| drop(fabric.counters().unwrap())),
        ("counters and delays", |fabric| {
            drop(fabric.links().unwrap())
        }),
        ("a fault on all links", fault),
        ("another configuration", reconfigure),
    ];
    println!("    {} links", crowd.fabric.counters().unwrap().len());
    for (what, work) in all {
        beside(&crowd, what, work);
    }
}

/// Every link is told what it does already.
fn fault(fabric: &Fabric) {
    let pairs = (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to)));
    let change = |(from, to)| LinkChange {
        network: NETWORK,
        from: NodeIndex(from),
        to: NodeIndex(to),
        properties: delayed(5),
        down: false,
    };
    let all: Vec<_> = pairs.filter(|(from, to)| from != to).map(change).collect();
    fabric.change(&all).unwrap();
}

/// The same lab anew.
fn reconfigure(fabric: &Fabric) {
    let same: Vec<_> = (0..NODES).map(|node| Some(NodeIndex(node))).collect();
    fabric
        .reconfigure(config(NODES, delayed(5)), &same)
        .unwrap();
}

fn beside(crowd: &Crowd, what: &str, work: Work) {
    let flow = Flow {
        to: B,
        port: 700,
        payload: udp::SMALL,
        count: 4000,
        pace: Pace::Even(2000.0),
    };
    let before = crowd.fabric.lag().unwrap();
    let over = AtomicBool::new(false);
    let took = std::thread::scope(|scope| {
        let working = scope.spawn(|| repeat(&crowd.fabric, work, &over));
        let seen = udp::run([crowd.node(0), crowd.node(1)], flow, SILENCE);
        over.store(true, Ordering::Relaxed);
        assert_eq!(seen.len(), 4000, "nothing is lost");
        working.join().unwrap()
    });
    let lag = crowd.fabric.lag().unwrap().since(&before);
    let [p50, p99, worst] = [0.5, 0.99, 1.0].map(|q| lag.quantile(q).map_or(f64::NAN, stats::ms));
    let value = format!("lag {p50:.3} ms, p99 {p99:.3}, worst {worst:.3}");
    let times = format!("each took {:.1} ms", stats::median(&took));
    print(&format!("beside {what}"), &value, &times);
}

/// Milliseconds that each turn took.
fn repeat(fabric: &Fabric, work: Work, over: &AtomicBool) -> Vec<f64> {
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        work(fabric);
        took.push(stats::ms(begin.elapsed()));
        std::thread::sleep(PAUSE);
    }
    took
}
