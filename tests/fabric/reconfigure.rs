//! Another set of nodes while devices carry packets.

use super::lab::*;
use netlab::fabric::{Config, Fabric, LinkCounters};
use netlab::id::NodeIndex;
use netlab::link::LinkProperties;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Nodes in another order, with a node that is there in every other turn only.
fn turn(config: &Config, number: usize) -> (Config, Vec<usize>) {
    let mut order: Vec<usize> = (0..config.nodes.len()).collect();
    order.rotate_left(number % config.nodes.len());
    if number.is_multiple_of(2) {
        order.retain(|&node| node != 3);
    }
    let mut next = config.clone();
    next.nodes = order.iter().map(|&i| config.nodes[i].clone()).collect();
    next.names.clear();
    (next, order)
}

fn place(order: &[usize], node: NodeIndex) -> NodeIndex {
    let at = order.iter().position(|&i| i == node.at()).unwrap();
    NodeIndex(at as u32)
}

/// A sends numbers to B, at most 64 ahead, until the fabric has been changed a hundred times.
#[test]
fn a_hundred_reconfigurations_lose_nothing_of_an_untouched_link() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(4, delayed(1));
    let (socket, receiver) = (a.udp(4000), b.udp(9));
    let (got, sent) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(u64::MAX)),
    );
    let (seen, most) = (Arc::clone(&got), Arc::clone(&sent));
    let sender = std::thread::spawn(move || {
        let mut number = 0_u64;
        while number < most.load(Ordering::SeqCst) {
            if number < seen.load(Ordering::SeqCst) + 64 {
                socket.send_to(&number.to_be_bytes(), v4(B, 9)).unwrap();
                number += 1;
            } else {
                std::thread::yield_now();
            }
        }
        number
    });
    let seen = Arc::clone(&got);
    let last = Arc::clone(&sent);
    let reader = std::thread::spawn(move || {
        for expected in 0.. {
            if expected == last.load(Ordering::SeqCst) {
                return;
            }
            let mut bytes = [0; 8];
            receiver.recv(&mut bytes).unwrap();
            assert_eq!(u64::from_be_bytes(bytes), expected, "lost or out of order");
            seen.store(expected + 1, Ordering::SeqCst);
        }
    });
    let base = config(4, delayed(1));
    let (mut order, mut turns) = ((0..4).collect::<Vec<usize>>(), 0);
    while turns < 100 {
        let before = got.load(Ordering::SeqCst);
        let (next, now) = turn(&base, turns);
        let was = |i: &usize| {
            order
                .iter()
                .position(|o| o == i)
                .map(|at| NodeIndex(at as u32))
        };
        let was: Vec<_> = now.iter().map(was).collect();
        fabric.reconfigure(next, &was).unwrap();
        (order, turns) = (now, turns + 1);
        eventually("packets go on", || got.load(Ordering::SeqCst) > before + 20);
    }
    sent.store(got.load(Ordering::SeqCst) + 200, Ordering::SeqCst);
    let number = sender.join().unwrap();
    reader.join().unwrap();
    let link = counted(&fabric, place(&order, A), place(&order, B)).unwrap();
    assert_eq!((link.packets, link.dropped.total()), (number, 0));
    assert!(number > 2000);
    gone_and_back(&fabric, &order, &base);
}

/// A node that is gone has no device any more, and is new when it comes back.
fn gone_and_back(fabric: &Fabric, order: &[usize], base: &Config) {
    let without = order.iter().filter(|&&node| node != B.at());
    let was: Vec<_> = without
        .map(|&i| Some(place(order, NodeIndex(i as u32))))
        .collect();
    let mut next = base.clone();
    next.nodes = was
        .iter()
        .flatten()
        .map(|node| base.nodes[order[node.at()]].clone())
        .collect();
    next.names.clear();
    let attached = |fabric: &Fabric| fabric.undeclared_drops().unwrap().len();
    assert_eq!(attached(fabric), 3);
    fabric.reconfigure(next, &was).unwrap();
    assert_eq!(attached(fabric), 2, "B's device is closed");
}

/// A lab that is read in several parts turns meanwhile: each look is at one numbering of nodes.
#[test]
fn a_look_at_all_links_is_of_one_configuration() {
    if !able() {
        return;
    }
    const NODES: u32 = 300;
    let (fabric, [a, _b, _c]) = lab(NODES, LinkProperties::default());
    let socket = a.udp(4000);
    for to in 1..NODES {
        // Most have no device: the link counts a loss.
        socket.send_to(b"hello", v4(NodeIndex(to), 9)).unwrap();
    }
    eventually("all links are used", || {
        from(&fabric.counters().unwrap(), A) == NODES as usize - 1
    });
    let links = fabric.counters().unwrap().len();
    let turned = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 1..=50 {
                let mut next = config(NODES, LinkProperties::default());
                next.nodes.rotate_left(turn % NODES as usize);
                next.names.clear();
                let was: Vec<_> = (0..NODES)
                    .map(|at| Some(NodeIndex((at + 1) % NODES)))
                    .collect();
                fabric.reconfigure(next, &was).unwrap();
                turned.fetch_add(1, Ordering::SeqCst);
            }
        });
        while turned.load(Ordering::SeqCst) < 50 {
            let seen = fabric.counters().unwrap();
            assert_eq!(seen.len(), links);
            let mut ends: Vec<_> = seen.iter().map(|c| (c.from, c.to)).collect();
            assert!(ends.is_sorted(), "{ends:?}");
            ends.dedup();
            assert_eq!(ends.len(), links, "no link twice");
            let most = (0..NODES).map(|node| from(&seen, NodeIndex(node))).max();
            assert_eq!(most, Some(NODES as usize - 1), "all of A's are A's");
        }
    });
}

/// Links from a node.
fn from(links: &[LinkCounters], node: NodeIndex) -> usize {
    links.iter().filter(|c| c.from == node).count()
}
