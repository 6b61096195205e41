//! Other nodes and links while packets are under way, without a device.

use super::super::super::counters::LinkCounters;
use super::super::tally::Look;
use super::super::tests::*;
use super::*;
use crate::fabric::{AccessChange, Config, LinkChange, NodeConfig, Wires};
use crate::link::{LinkProperties, TraceIndex};
use crate::units::{BitRate, Ratio};
use std::net::IpAddr;
use std::time::Duration;

fn newcomer() -> NodeConfig {
    node("new", 9)
}

/// C is node 0, a new one is node 1, B is node 2, and A is gone.
fn turned() -> (Config, [Option<NodeIndex>; 3]) {
    let mut config = config(None);
    config.nodes.swap(0, 2);
    config.nodes.swap(1, 2);
    config.nodes[1] = newcomer();
    (config, [Some(C), None, Some(B)])
}
const C_NOW: NodeIndex = NodeIndex(0);
const NEW: NodeIndex = NodeIndex(1);
const B_NOW: NodeIndex = NodeIndex(2);

#[test]
fn what_stays_arrives_and_what_is_gone_does_not() {
    let mut s = switch();
    for (from, to) in [(B, C), (A, B), (B, A), (C, B), (B, C)] {
        send(&mut s, from, &datagram(four(from), four(to)), 0);
    }
    let (next, was) = turned();
    let (moves, _) = s.reconfigure(Switch::new(next).unwrap(), &was, MS).unwrap();
    assert_eq!(moves, [None, Some(port(B_NOW)), Some(port(C_NOW))]);
    let due = 5 * MS;
    let expected = [(due, C_NOW), (due, B_NOW), (due, C_NOW)];
    assert_eq!(departures(&mut s, due), expected);
    let counted: Vec<_> = s
        .counters(due)
        .iter()
        .map(|c| (c.from, c.to, c.packets))
        .collect();
    assert_eq!(counted, [(C_NOW, B_NOW, 1), (B_NOW, C_NOW, 2)]);
    assert_eq!(s.delays(port(B_NOW), port(C_NOW)).packets(), 2);
    // Addresses are those of the new nodes; the old one's is nobody's.
    let IpAddr::V4(b) = four(B) else {
        unreachable!()
    };
    send(&mut s, NEW, &datagram(four(NodeIndex(7)), b.into()), due);
    assert_eq!(departures(&mut s, 2 * due), [(2 * due, B_NOW)]);
    let gone = datagram(b.into(), four(A));
    assert!(
        send(&mut s, B_NOW, &gone, due).is_some(),
        "host unreachable"
    );
}

/// Lost packets of 2000 from B to C; `change` is called before number 1000 and says who they are.
fn lost(change: impl FnOnce(&mut Switch) -> (NodeIndex, NodeIndex)) -> Vec<u64> {
    let mut lossy = config(None);
    lossy.networks[0].default_link.loss = Ratio(0.05);
    let mut s = Switch::new(lossy).unwrap();
    let (mut change, mut ends, mut lost) = (Some(change), (B, C), Vec::new());
    for i in 0..2000 {
        if i == 1000 {
            ends = change.take().map_or(ends, |change| change(&mut s));
        }
        send(&mut s, ends.0, &datagram(four(B), four(C)), i);
        if departures(&mut s, i + 5 * MS).is_empty() {
            lost.push(i);
        }
    }
    lost
}

#[test]
fn a_change_of_others_shifts_no_fate() {
    let untouched = lost(|_| (B, C));
    assert!((60..140).contains(&untouched.len()), "{}", untouched.len());
    let moved = lost(|s| {
        let (mut next, was) = turned();
        next.networks[0].default_link.loss = Ratio(0.05);
        s.reconfigure(Switch::new(next).unwrap(), &was, 0).unwrap();
        (B_NOW, C_NOW)
    });
    assert_eq!(untouched, moved);
    let seeded = lost(|s| {
        let (mut next, was) = turned();
        next.networks[0].default_link.loss = Ratio(0.05);
        next.seed += 1;
        s.reconfigure(Switch::new(next).unwrap(), &was, 0).unwrap();
        (B_NOW, C_NOW)
    });
    assert_ne!(untouched, seeded, "another seed is another run");
    assert_eq!(
        untouched.iter().filter(|i| **i < 1000).count(),
        seeded.iter().filter(|i| **i < 1000).count()
    );
}

#[test]
fn links_change_where_the_configuration_says_so_and_stay_down() {
    let mut s = switch();
    let slow = |delay| LinkProperties {
        delay: Duration::from_millis(delay),
        ..LinkProperties::default()
    };
    let change = |to, delay, down| LinkChange {
        network: NETWORK,
        from: A,
        to,
        properties: slow(delay),
        down,
    };
    s.change(&[change(B, 9, false), change(C, 5, true)])
        .unwrap();
    let same = [A, B, C].map(Some);
    let mut next = config(None);
    next.networks[0].links.push((A, B, slow(9)));
    s.reconfigure(Switch::new(next).unwrap(), &same, 0).unwrap();
    let to = |to| datagram(four(A), four(to));
    send(&mut s, A, &to(B), 0);
    send(&mut s, A, &to(C), 0);
    assert_eq!(departures(&mut s, 9 * MS), [(9 * MS, B)]);
    s.reconfigure(Switch::new(config(None)).unwrap(), &same, 0)
        .unwrap();
    send(&mut s, A, &to(B), 0);
    assert_eq!(
        departures(&mut s, 9 * MS),
        [(5 * MS, B)],
        "as declared again"
    );
    s.change(&[change(C, 5, false)]).unwrap();
    send(&mut s, A, &to(C), 0);
    assert_eq!(departures(&mut s, 9 * MS), [(5 * MS, C)]);
}

/// Unlike a link that a fault holds down, one that is declared so comes and goes with the words.
#[test]
fn a_declared_cut_follows_the_configuration() {
    let (mut s, same) = (switch(), [A, B, C].map(Some));
    let to_b = datagram(four(A), four(B));
    send(&mut s, A, &to_b, 0);
    let mut next = config(None);
    let down = LinkProperties {
        down: true,
        ..next.networks[0].default_link
    };
    next.networks[0].links.push((A, B, down));
    s.reconfigure(Switch::new(next).unwrap(), &same, 0).unwrap();
    send(&mut s, A, &to_b, 0);
    send(&mut s, A, &datagram(four(A), four(C)), 0);
    assert_eq!(departures(&mut s, 9 * MS), [(5 * MS, C)]);
    assert_eq!(s.counters(0)[0].dropped.down, 2, "what was under way, too");
    s.reconfigure(Switch::new(config(None)).unwrap(), &same, 0)
        .unwrap();
    send(&mut s, A, &to_b, 0);
    assert_eq!(departures(&mut s, 9 * MS), [(5 * MS, B)]);
}

/// A - B - C: what is on its way over a hop goes on while the hop stays, whatever its number.
#[test]
fn ways_over_hops_follow_their_nodes() {
    let line = |order: [u32; 2], last: u32| {
        let wires = order.map(|end| (NodeIndex(end.min(last)), NodeIndex(end.max(last))));
        Wires::Edges(wires.to_vec())
    };
    for stays in [true, false] {
        let mut config = config(None);
        config.networks[0].wires = line([0, 2], 1);
        let mut s = Switch::new(config.clone()).unwrap();
        [A, B, C]
            .iter()
            .for_each(|&node| s.set_alive(port(node), true));
        send(&mut s, A, &datagram(four(A), four(C)), 0);
        let (mut next, mut was) = (config, vec![Some(B), Some(A), Some(C)]);
        next.nodes.swap(0, 1);
        next.networks[0].wires = line([1, 2], 0);
        if !stays {
            (next.nodes[0], was[0]) = (node("new", 9), None);
        }
        s.reconfigure(Switch::new(next).unwrap(), &was, MS).unwrap();
        let left = departures(&mut s, 100 * MS);
        match stays {
            true => assert_eq!(left, [(10 * MS, C)]),
            false => assert_eq!(left, []),
        }
    }
}

/// 1 Mbit/s: 100 bytes take 0.8 ms, and what waited before a change goes before what comes after.
#[test]
fn queues_of_links_and_access_links_stay() {
    let rate = Some(BitRate(1_000_000));
    let mut limited = config(rate);
    limited.networks[0].default_link.rate = rate;
    let mut s = Switch::new(limited.clone()).unwrap();
    s.change_access(&[AccessChange {
        node: C,
        uplink: rate,
        downlink: rate,
    }])
    .unwrap();
    let packet = datagram(four(B), four(C));
    send(&mut s, B, &packet, 0);
    limited.nodes.remove(0);
    limited.nodes[1].downlink = rate;
    s.reconfigure(Switch::new(limited).unwrap(), &[Some(B), Some(C)], 0)
        .unwrap();
    send(&mut s, A, &packet, 0);
    let due = |n: u64| 5 * MS + (n + 2) * 800_000;
    assert_eq!(departures(&mut s, 100 * MS), [(due(1), B), (due(2), B)]);
}

#[test]
fn what_cannot_be_leaves_everything_as_it_was() {
    let mut s = switch();
    send(&mut s, A, &datagram(four(A), four(B)), 0);
    let same = [A, B, C].map(Some);
    let mut twice = config(None);
    twice.nodes[1].interfaces[0].v6 = twice.nodes[0].interfaces[0].v6;
    let mut traced = config(None);
    traced.networks[0].default_link.trace = Some(TraceIndex(0));
    let mut beyond = config(None);
    beyond.networks[0]
        .links
        .push((A, NodeIndex(3), LinkProperties::default()));
    let said = |s: &mut Switch, config, was: &[_]| {
        let tried = Switch::new(config).and_then(|new| s.reconfigure(new, was, 0));
        tried.unwrap_err()
    };
    let duplicate = said(&mut s, twice, &same);
    assert!(matches!(duplicate, FabricError::DuplicateAddress(_)));
    assert!(matches!(
        said(&mut s, traced, &same),
        FabricError::UnknownTrace(_)
    ));
    assert!(matches!(
        said(&mut s, beyond, &same),
        FabricError::UnknownNode(_)
    ));
    let short = said(&mut s, config(None), &same[1..]);
    assert!(matches!(short, FabricError::Renumbering(2, 3)));
    let heirs = said(&mut s, config(None), &[Some(A), Some(B), Some(A)]);
    assert!(matches!(heirs, FabricError::TwoHeirs(A)));
    let unknown = said(&mut s, config(None), &[None, None, Some(NodeIndex(3))]);
    assert!(matches!(unknown, FabricError::UnknownNode(_)));
    assert_eq!(departures(&mut s, 5 * MS), [(5 * MS, B)]);
}

/// A look at more links than it takes at once: what leaves between two parts does not matter, but in another
/// numbering they would be seen twice, or never.
#[test]
fn a_look_that_meets_a_reconfiguration_begins_anew() {
    const NODES: u32 = 20;
    let mut many = config(None);
    many.nodes = (0..NODES)
        .map(|at| node(&format!("n{at}"), at as u8 + 2))
        .collect();
    let mut s = Switch::new(many.clone()).unwrap();
    let all =
        (0..NODES).flat_map(|from| (0..NODES).map(move |to| (NodeIndex(from), NodeIndex(to))));
    let pairs: Vec<_> = all.filter(|(from, to)| from != to).collect();
    for (from, to) in &pairs {
        send(&mut s, *from, &datagram(four(*from), four(*to)), 0);
    }
    let mut look = Look::counters();
    assert!(look.go_on(&s, 0).is_none(), "there is more");
    many.nodes.rotate_left(1);
    let was: Vec<_> = (1..=NODES).map(|at| Some(NodeIndex(at % NODES))).collect();
    s.reconfigure(Switch::new(many).unwrap(), &was, MS).unwrap();
    assert!(look.go_on(&s, 0).is_none(), "from the start");
    departures(&mut s, 5 * MS);
    let mut seen = look.go_on(&s, 0).unwrap().concat();
    seen.sort_unstable_by_key(LinkCounters::link);
    let ends: Vec<_> = seen.iter().map(|link| (link.from, link.to)).collect();
    assert_eq!(ends, pairs);
    let ways: Vec<_> = seen
        .iter()
        .map(|link| link.under_way + link.packets)
        .collect();
    assert_eq!(ways, vec![1; pairs.len()]);
}
