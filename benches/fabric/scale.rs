//! Many nodes, and one that floods.

use crate::bed::lab::{B, C, NETWORK, Namespace, config, delayed, four, lab, v4};
use crate::bed::noise;
use crate::bed::stats;
use crate::bed::udp::{self, Flow, Pace};
use crate::print;
use netlab::fabric::Fabric;
use netlab::id::NodeIndex;
use netlab::link::LinkProperties;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Datagrams of one round of [`all_pairs`], about.
const TOTAL: usize = 40_000;
/// Sent and not yet received at most.
const WINDOW: u64 = 8000;

/// The share of a paced flow from A to B that arrives while C sends all it can, to B and elsewhere.
pub fn fairness() {
    for (name, link) in [
        ("clean links", LinkProperties::default()),
        ("delay 5 ms", delayed(5)),
    ] {
        for goal in [B, NodeIndex(3)] {
            beside_flood(name, link, goal);
        }
    }
}

fn beside_flood(name: &str, link: LinkProperties, goal: NodeIndex) {
    let (fabric, [a, b, c]) = lab(4, link);
    let d = Namespace::new();
    let fourth = NodeIndex(3);
    fabric.attach(fourth, NETWORK, d.wire(fourth)).unwrap();
    let flow = Flow {
        to: B,
        port: 400,
        payload: udp::SMALL,
        count: 5000,
        pace: Pace::Even(5000.0),
    };
    let silence = Duration::from_millis(200);
    let alone = udp::run([&a, &b], flow, silence);
    let stop = Arc::new(AtomicBool::new(false));
    let flood = {
        let (socket, stop) = (c.udp(500), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let _ = socket.send_to(&[0; udp::SMALL], v4(goal, 9));
            }
        })
    };
    let beside = udp::run([&a, &b], flow, silence);
    stop.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    let late = |seen: &[udp::Seen]| {
        let all: Vec<f64> = seen.iter().map(udp::Seen::ms).collect();
        format!(
            "{:.2}/{:.1}",
            stats::median(&all),
            stats::quantile(&all, 0.99)
        )
    };
    let flooded = fabric.counters().unwrap();
    let flooded = flooded.iter().filter(|l| l.from == C);
    let thousands = flooded.map(|l| l.packets + l.dropped.total()).sum::<u64>() / 1000;
    let ratio = beside.len() as f64 / alone.len() as f64;
    let whom = if goal == B {
        "the same node"
    } else {
        "another node"
    };
    let what = format!("{name}, flood of {whom}");
    let value = format!("rate {ratio:.3} × alone");
    print(&what, &value, "budget ≥ 0.9 ×");
    println!(
        "    delay p50/p99 {} ms, alone {} ms; the flood passed {thousands}k packets",
        late(&beside),
        late(&alone)
    );
}

/// The share of the packet rate from A to B that is left while C writes anything into its device.
pub fn junk() {
    let (_fabric, [a, b, c]) = lab(3, LinkProperties::default());
    let apart = Namespace::new();
    let _unread = apart.wire(C);
    let [with, without] = noise::rates(21, [&a, &b, &c], &apart);
    let thousands = |rates: &[f64]| {
        let [low, middle, high] = [0.0, 0.5, 1.0].map(|q| stats::quantile(rates, q) / 1e3);
        format!("{middle:.0} ({low:.0} to {high:.0}) k/s")
    };
    print("beside junk that nobody reads", &thousands(&without), "");
    let ratio = stats::median(&with) / stats::median(&without);
    let budget = format!("{ratio:.2} ×, budget ≥ 0.9 ×");
    print("beside junk of a third node", &thousands(&with), &budget);
}

/// A lab of which every node is wired.
pub struct Crowd {
    pub fabric: Fabric,
    nodes: Vec<Namespace>,
    sockets: Vec<UdpSocket>,
}

impl Crowd {
    pub fn new(count: u32, link: LinkProperties) -> Crowd {
        let fabric = Fabric::start(config(count, link)).unwrap();
        let wire = |at: u32| {
            let (node, namespace) = (NodeIndex(at), Namespace::new());
            fabric.attach(node, NETWORK, namespace.wire(node)).unwrap();
            namespace
        };
        let nodes: Vec<_> = (0..count).map(wire).collect();
        let sockets = nodes.iter().map(|node| udp::receiver(node, 600)).collect();
        Crowd {
            fabric,
            nodes,
            sockets,
        }
    }

    pub fn node(&self, at: usize) -> &Namespace {
        &self.nodes[at]
    }

    /// Every node sends `rounds` datagrams to every other: sent, received, and seconds.
    pub fn exchange(&self, rounds: usize) -> (u64, u64, f64) {
        let received = AtomicU64::new(0);
        let done = AtomicBool::new(false);
        let begin = Instant::now();
        let sent = std::thread::scope(|scope| {
            scope.spawn(|| count(&self.sockets, &received, &done));
            let sent = self.send(rounds, &received);
            let deadline = Instant::now() + Duration::from_secs(5);
            while received.load(Ordering::Relaxed) < sent && Instant::now() < deadline {
                std::thread::sleep(Duration::from_micros(200));
            }
            done.store(true, Ordering::Relaxed);
            sent
        });
        let time = begin.elapsed().as_secs_f64();
        (sent, received.into_inner(), time)
    }

    fn send(&self, rounds: usize, received: &AtomicU64) -> u64 {
        let (mut sent, count) = (0, self.nodes.len());
        let all =
            (0..rounds).flat_map(|_| (1..count).flat_map(|d| (0..count).map(move |i| (i, d))));
        for (from, distance) in all {
            let to = NodeIndex(((from + distance) % count) as u32);
            let stuck = Instant::now() + Duration::from_secs(2);
            while sent - received.load(Ordering::Relaxed) >= WINDOW && Instant::now() < stuck {
                std::thread::yield_now();
            }
            let target = (four(to), 600);
            // Through a v6 socket, as a mapped address.
            let target = (target.0.to_ipv6_mapped(), target.1);
            sent += u64::from(self.sockets[from].send_to(&[0; udp::SMALL], target).is_ok());
        }
        sent
    }
}

/// Counts what arrives at any of the sockets.
fn count(sockets: &[UdpSocket], received: &AtomicU64, done: &AtomicBool) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    for (socket, at) in sockets.iter().zip(0..) {
        socket.set_nonblocking(true).unwrap();
        epoll
            .add(socket, EpollEvent::new(EpollFlags::EPOLLIN, at))
            .unwrap();
    }
    let mut events = [EpollEvent::empty(); 64];
    while !done.load(Ordering::Relaxed) {
        let ready = epoll.wait(&mut events, 10_u8).unwrap_or(0);
        for event in &events[..ready] {
            let socket = &sockets[event.data() as usize];
            while socket.recv(&mut [0; 64]).is_ok() {
                received.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

pub fn all_pairs() {
    for (name, link) in [("clean", LinkProperties::default()), ("5 ms", delayed(5))] {
        for nodes in [2_usize, 20, 50, 100, 200] {
            let crowd = Crowd::new(nodes as u32, link);
            let pairs = nodes * (nodes - 1);
            let (sent, received, time) = crowd.exchange((TOTAL / pairs).max(1));
            let drops: u64 = crowd
                .fabric
                .undeclared_drops()
                .unwrap()
                .iter()
                .map(|d| d.1)
                .sum();
            let dropped: u64 = crowd
                .fabric
                .counters()
                .unwrap()
                .iter()
                .map(|l| l.dropped.total())
                .sum();
            let value = format!("{:.0}k/s", received as f64 / time / 1e3);
            let lost = format!("lost {} of {sent} (budget 0)", sent - received.min(sent));
            print(&format!("{nodes} nodes, {name}"), &value, &lost);
            if dropped + drops > 0 {
                println!("    links dropped {dropped}, devices {drops}");
            }
        }
    }
}
