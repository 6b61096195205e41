//! The switch without a device: bytes and times in, replies and departures out.

use super::*;
use crate::fabric::frame::IN_FLIGHT;
use crate::fabric::{Dropped, InterfaceConfig, NetworkConfig, NodeConfig, Reach, Wires};
use crate::link::TraceIndex;
use crate::units::BitRate;
use crate::units::Ratio;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub(super) const A: NodeIndex = NodeIndex(0);
pub(super) const B: NodeIndex = NodeIndex(1);
pub(super) const C: NodeIndex = NodeIndex(2);
pub(super) const MS: u64 = 1_000_000;
pub(super) const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

pub(super) fn four(node: NodeIndex) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, node.0 as u8 + 2))
}

pub(super) fn six(node: NodeIndex) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from((0xfd77 << 112) + 2 + u128::from(node.0)))
}

pub(super) const NETWORK: NetworkIndex = NetworkIndex(0);

pub(super) fn port(node: NodeIndex) -> PortIndex {
    PortIndex(node.0)
}

pub(super) fn node(name: &str, host: u8) -> NodeConfig {
    NodeConfig {
        name: name.to_owned(),
        forward: false,
        interfaces: vec![InterfaceConfig {
            network: NETWORK,
            v4: Ipv4Addr::new(10, 77, 0, host),
            v6: Ipv6Addr::from((0xfd77 << 112) + u128::from(host)),
        }],
        uplink: None,
        downlink: None,
    }
}

pub(super) fn config(uplink: Option<BitRate>) -> Config {
    let mut nodes = ["n0", "n1", "n2"].map(|name| node(name, 2)).to_vec();
    for (at, one) in nodes.iter_mut().enumerate() {
        *one = node(&one.name, at as u8 + 2);
        one.uplink = uplink;
    }
    Config {
        seed: 7,
        networks: vec![NetworkConfig {
            name: "lab".to_owned(),
            v4: (Ipv4Addr::new(10, 77, 0, 0), 16),
            v6: (Ipv6Addr::from(0xfd77 << 112), 64),
            resolver: (
                Ipv4Addr::new(10, 77, 0, 1),
                Ipv6Addr::from((0xfd77 << 112) + 1),
            ),
            wires: Wires::Full,
            ends: Vec::new(),
            reach: Reach::Routed,
            default_link: LinkProperties {
                delay: Duration::from_millis(5),
                ..LinkProperties::default()
            },
            links: Vec::new(),
        }],
        nodes,
        names: BTreeMap::new(),
    }
}

/// What is written back when `from` sends `packet`; what need not wait is counted as passed.
pub(super) fn send(s: &mut Switch, from: NodeIndex, packet: &[u8], now: u64) -> Option<Vec<u8>> {
    send_frame(s, from, &mut Frame::around(packet), now)
}

pub(super) fn send_frame(
    s: &mut Switch,
    from: NodeIndex,
    frame: &mut Frame,
    now: u64,
) -> Option<Vec<u8>> {
    match s.receive(port(from), frame, now) {
        Outcome::Done => None,
        Outcome::Reply(reply) => Some(reply),
        Outcome::Direct(direct) => {
            s.passed(&direct, frame, None, now);
            None
        }
    }
}

pub(super) fn switch() -> Switch {
    Switch::new(config(None)).unwrap()
}

pub(super) fn datagram(from: IpAddr, to: IpAddr) -> Vec<u8> {
    packet::udp((from, 4000), (to, 4000), &[0; 72]).unwrap()
}

/// Everything that leaves until `now`, as (time, receiver).
pub(super) fn departures(switch: &mut Switch, now: u64) -> Vec<(u64, NodeIndex)> {
    let mut all = Vec::new();
    while let Some(departure) = switch.depart(now) {
        all.push((departure.due, NodeIndex(departure.to.0)));
        switch.done(departure, None, now);
    }
    all
}

fn dropped(switch: &Switch) -> Vec<(NodeIndex, NodeIndex, Dropped)> {
    let all = switch.counters(0).into_iter();
    all.map(|c| (c.from, c.to, c.dropped)).collect()
}

#[test]
fn a_packet_leaves_when_it_is_due_and_is_counted() {
    let mut s = switch();
    for (from, to) in [(four(A), four(B)), (six(A), six(B))] {
        assert_eq!(send(&mut s, A, &datagram(from, to), 0), None);
        assert_eq!(s.next_due(), Some(5 * MS));
        assert_eq!(departures(&mut s, 5 * MS - 1), []);
        assert_eq!(departures(&mut s, 5 * MS), [(5 * MS, B)]);
    }
    let counters = s.counters(0);
    assert_eq!(counters.len(), 1);
    assert_eq!((counters[0].packets, counters[0].bytes), (2, 100 + 120));
    let delays = s.delays(port(A), port(B));
    assert_eq!(delays.packets(), 2);
    assert!(delays.quantile(1.0).unwrap() >= Duration::from_millis(5));
    assert_eq!(s.delays(port(C), port(B)).packets(), 0);
}

#[test]
fn equal_times_keep_their_order() {
    let mut s = switch();
    for to in [C, B, C, B] {
        send(&mut s, A, &datagram(four(A), four(to)), 0);
    }
    let order: Vec<_> = departures(&mut s, 5 * MS).iter().map(|d| d.1).collect();
    assert_eq!(order, [C, B, C, B]);
}

#[test]
fn a_cut_also_loses_what_is_under_way_even_when_it_heals_before() {
    let usual = config(None).networks[0].default_link;
    let change = |declared: bool, down: bool| LinkChange {
        network: NETWORK,
        from: A,
        to: B,
        properties: LinkProperties {
            down: declared && down,
            ..usual
        },
        down: down && !declared,
    };
    for (heal_early, declared) in [(false, false), (true, false), (false, true), (true, true)] {
        let cut = |down| change(declared, down);
        let mut s = switch();
        send(&mut s, A, &datagram(four(A), four(B)), 0);
        s.change(&[cut(true)]).unwrap();
        send(&mut s, A, &datagram(four(A), four(B)), 1);
        if heal_early {
            s.change(&[cut(false)]).unwrap();
        }
        assert_eq!(departures(&mut s, 10 * MS), []);
        let lost = Dropped {
            down: 2,
            ..Dropped::default()
        };
        assert_eq!(dropped(&s), [(A, B, lost)]);
        s.change(&[cut(false)]).unwrap();
        send(&mut s, A, &datagram(four(A), four(B)), 0);
        assert_eq!(departures(&mut s, 10 * MS).len(), 1, "healed");
    }
}

#[test]
fn a_set_with_an_unknown_node_changes_nothing() {
    let mut s = switch();
    let cut = |to| LinkChange {
        network: NETWORK,
        from: A,
        to,
        properties: LinkProperties::default(),
        down: true,
    };
    assert!(s.change(&[cut(B), cut(NodeIndex(9))]).is_err());
    send(&mut s, A, &datagram(four(A), four(B)), 0);
    assert_eq!(departures(&mut s, 5 * MS).len(), 1);
}

/// 1 Mbit/s, 100 bytes: 0.8 ms each, whoever they are for; then the link's own 5 ms.
#[test]
fn the_uplink_is_shared_by_all_links_of_a_node() {
    let mut s = Switch::new(config(Some(BitRate(1_000_000)))).unwrap();
    for to in [B, C, B] {
        send(&mut s, A, &datagram(four(A), four(to)), 0);
    }
    send(&mut s, B, &datagram(four(B), four(A)), 0);
    let due = |n: u64| n * 800_000 + 5 * MS;
    assert_eq!(s.counters(0)[0].under_way, 2, "A to B");
    let expected = [(due(1), B), (due(1), A), (due(2), C), (due(3), B)];
    assert_eq!(departures(&mut s, 100 * MS), expected);
}

#[test]
fn broadcast_and_multicast_reach_every_other_node() {
    let mut s = switch();
    for to in [
        "255.255.255.255",
        "10.77.255.255",
        "224.0.0.251",
        "ff02::fb",
    ] {
        let to: IpAddr = to.parse().unwrap();
        let from = if to.is_ipv4() { four(B) } else { six(B) };
        send(&mut s, B, &datagram(from, to), 0);
        assert_eq!(
            departures(&mut s, 5 * MS),
            [(5 * MS, A), (5 * MS, C)],
            "{to}"
        );
    }
}

#[test]
fn link_local_addresses_are_those_of_the_network() {
    let mut s = switch();
    let local = |host: u16| IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host));
    let group = "ff02::fb".parse().unwrap();
    send(&mut s, B, &datagram(local(3), group), 0);
    assert_eq!(departures(&mut s, 5 * MS), [(5 * MS, A), (5 * MS, C)]);
    send(&mut s, A, &datagram(local(2), local(3)), 5 * MS);
    assert_eq!(departures(&mut s, 10 * MS), [(10 * MS, B)]);
    let nobody = send(&mut s, A, &datagram(local(2), local(9)), 10 * MS);
    assert!(nobody.is_some_and(|error| error[40] == 1), "unreachable");
    // No other identifier is anybody's, whatever follows fe80.
    let odd = "fe80::1:0:0:0:3".parse().unwrap();
    assert!(send(&mut s, A, &datagram(local(2), odd), 10 * MS).is_some());
}

#[test]
fn what_is_not_forwarded_is_counted_where_it_came_from() {
    let mut s = switch();
    assert_eq!(send(&mut s, A, &datagram(four(B), four(C)), 0), None);
    assert_eq!(send(&mut s, A, &[0x45, 1, 2], 0), None);
    let other = datagram("fe80::3".parse().unwrap(), "ff02::fb".parse().unwrap());
    assert_eq!(send(&mut s, A, &other, 0), None);
    // A router solicitation, and a report of multicast listeners behind hop-by-hop options.
    for (protocol, payload) in [
        (58, [133, 0, 0, 0, 0, 0, 0, 0]),
        (0, [58, 0, 5, 2, 0, 0, 1, 0]),
    ] {
        let mut packet = vec![0x60, 0, 0, 0, 0, 8, protocol, 255];
        packet.extend("fe80::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("ff02::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend(payload);
        assert_eq!(send(&mut s, A, &packet, 0), None);
    }
    let counted = s.port_counters()[0];
    assert_eq!(
        (counted.spoofed, counted.malformed, counted.noise),
        (2, 1, 2)
    );
    assert_eq!(s.next_due(), None);
    assert_eq!(s.counters(0), []);
}

#[test]
fn unknown_addresses_are_unreachable_within_a_bound() {
    let mut s = switch();
    let lost = datagram(four(A), IpAddr::V4(Ipv4Addr::new(10, 77, 3, 9)));
    let error = send(&mut s, A, &lost, 0).unwrap();
    assert_eq!(packet::parse(&error).unwrap().source, RESOLVER);
    assert_eq!((error[20], error[21]), (3, 1), "host unreachable (RFC 792)");
    let answered = (0..1000)
        .filter(|_| send(&mut s, A, &lost, 0).is_some())
        .count();
    assert_eq!(answered as u64, ICMP_PER_SECOND - 1);
    assert!(
        send(&mut s, A, &lost, 1000 * MS).is_some(),
        "a second later again"
    );
    let lost = datagram(six(A), "fd77::ffff".parse().unwrap());
    let error = send(&mut s, A, &lost, 2000 * MS).unwrap();
    assert_eq!(
        (error[40], error[41]),
        (1, 3),
        "address unreachable (RFC 4443)"
    );
}

#[test]
fn the_resolver_answers_names_and_refuses_other_ports() {
    let mut s = switch();
    let mut query = vec![0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2];
    query.extend(b"n1\0\0\x01\0\x01");
    let asked = packet::udp((four(A), 4000), (RESOLVER, 53), &query).unwrap();
    let reply = send(&mut s, A, &asked, 0).unwrap();
    let header = packet::parse(&reply).unwrap();
    assert_eq!((header.source, header.target), (RESOLVER, four(A)));
    assert_eq!(reply[reply.len() - 4..], [10, 77, 0, 3]);
    let other = packet::udp((four(A), 4000), (RESOLVER, 80), &query).unwrap();
    let error = send(&mut s, A, &other, 0).unwrap();
    assert_eq!((error[20], error[21]), (3, 3), "port unreachable");
}

#[test]
fn packets_under_way_are_bounded() {
    let mut s = switch();
    let packet = datagram(four(A), four(B));
    let other = datagram(four(B), four(C));
    for _ in 0..IN_FLIGHT / 2 + 10 {
        send(&mut s, A, &packet, 0);
    }
    send(&mut s, B, &other, 0);
    let lost = Dropped {
        queue: 10,
        ..Dropped::default()
    };
    let none = Dropped::default();
    assert_eq!(departures(&mut s, 5 * MS).len(), IN_FLIGHT / 2 + 1);
    assert_eq!(dropped(&s), [(A, B, lost), (B, C, none)]);
}

/// What a fault holds back for long leaves room for what is quick when it has healed.
#[test]
fn a_link_that_is_quick_again_is_not_full_of_what_was_slow() {
    let mut s = switch();
    let packet = datagram(four(A), four(B));
    set(&mut s, |p| p.delay = Duration::from_secs(3600));
    for _ in 0..IN_FLIGHT {
        send(&mut s, A, &packet, 0);
    }
    let full = dropped(&s)[0].2.queue;
    assert_eq!(full, IN_FLIGHT as u64 / 2);
    set(&mut s, |p| p.delay = Duration::from_millis(5));
    send(&mut s, A, &packet, MS);
    assert_eq!(departures(&mut s, 6 * MS), [(6 * MS, B)]);
    assert_eq!(dropped(&s)[0].2.queue, full);
    // It is still bounded, and so are all together.
    for _ in 0..IN_FLIGHT {
        send(&mut s, A, &packet, 7 * MS);
    }
    assert_eq!(departures(&mut s, 12 * MS).len(), IN_FLIGHT / 4);
    // None of the slow ones is lost.
    let late = departures(&mut s, u64::MAX);
    assert_eq!(late.len(), IN_FLIGHT / 2);
    assert!(late.iter().all(|(due, _)| *due == 3600 * 1000 * MS));
}

#[test]
fn contradictions_are_refused() {
    let mut twice = config(None);
    twice.nodes[1].interfaces[0].v4 = twice.nodes[0].interfaces[0].v4;
    assert!(matches!(
        Switch::new(twice),
        Err(FabricError::DuplicateAddress(_))
    ));
    let mut beyond = config(None);
    beyond.networks[0]
        .links
        .push((A, NodeIndex(3), LinkProperties::default()));
    assert!(matches!(
        Switch::new(beyond),
        Err(FabricError::UnknownNode(_))
    ));
}

/// A TCP super-packet from A to B with 60,000 bytes of data: 42 segments of 1448 bytes at most.
pub(super) fn super_packet() -> Frame {
    let mut p = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0];
    p.extend([10, 77, 0, 2, 10, 77, 0, 3, 0x10, 0, 0, 80]);
    p.extend([0; 8]);
    p.extend([5 << 4, 0x10, 1, 0, 0, 0, 0, 0]);
    p.extend([7; 60_000]);
    let length = (p.len() as u16).to_be_bytes();
    p[2..4].copy_from_slice(&length);
    let mut frame = Frame::around(&p);
    (frame[0], frame[1]) = (1, 1);
    frame[4..6].copy_from_slice(&1448_u16.to_ne_bytes());
    frame[6..8].copy_from_slice(&20_u16.to_ne_bytes());
    frame[8..10].copy_from_slice(&16_u16.to_ne_bytes());
    frame
}

pub(super) fn set(s: &mut Switch, change: impl Fn(&mut LinkProperties)) {
    let mut properties = LinkProperties {
        delay: Duration::from_millis(5),
        ..LinkProperties::default()
    };
    change(&mut properties);
    s.change(&[LinkChange {
        network: NETWORK,
        from: A,
        to: B,
        properties,
        down: false,
    }])
    .unwrap();
}

/// 1 Mbit/s down at B: 100 bytes take 0.8 ms, whoever they are from, and in the order of arrival.
#[test]
fn the_downlink_is_shared_by_all_that_is_sent_to_a_node() {
    let mut s = switch();
    let slow = AccessChange {
        node: B,
        uplink: None,
        downlink: Some(BitRate(1_000_000)),
    };
    s.change_access(&[slow]).unwrap();
    for from in [A, C, A] {
        send(&mut s, from, &datagram(four(from), four(B)), 0);
    }
    send(&mut s, A, &datagram(four(A), four(C)), 0);
    let due = |n: u64| 5 * MS + n * 800_000;
    assert_eq!(departures(&mut s, due(1) - 1), [(due(0), C)]);
    assert_eq!(departures(&mut s, due(1)), [(due(1), B)]);
    assert_eq!(departures(&mut s, due(3)), [(due(2), B), (due(3), B)]);
    for _ in 0..400 {
        send(&mut s, A, &datagram(four(A), four(B)), 100 * MS);
    }
    assert_eq!(
        departures(&mut s, 1000 * MS).len(),
        300,
        "30,000 bytes may wait"
    );
    assert_eq!(s.counters(0)[0].dropped.queue, 100);
}

#[test]
fn copies_and_harm_are_counted_and_seen() {
    let mut s = switch();
    set(&mut s, |p| {
        p.duplicate = Ratio(1.0);
        p.corrupt = Ratio(1.0);
    });
    let sent = datagram(four(A), four(B));
    send(&mut s, A, &sent, 0);
    let mut got = Vec::new();
    while let Some(departure) = s.depart(5 * MS) {
        got.push(offload::packet(&departure.frame).to_vec());
        s.done(departure, None, 5 * MS);
    }
    let flipped =
        |p: &Vec<u8>| -> u32 { p.iter().zip(&sent).map(|(a, b)| (a ^ b).count_ones()).sum() };
    assert_eq!(got.iter().map(flipped).collect::<Vec<_>>(), [1, 1]);
    assert_ne!(got[0], got[1]);
    let c = s.counters(0)[0];
    assert_eq!((c.packets, c.duplicated, c.corrupted), (2, 1, 2));
}

#[test]
fn traces_are_given_before_they_are_named() {
    let mut s = switch();
    let mut properties = config(None).networks[0].default_link;
    properties.trace = Some(TraceIndex(0));
    let change = LinkChange {
        network: NETWORK,
        from: A,
        to: B,
        properties,
        down: false,
    };
    assert!(matches!(
        s.change(&[change]),
        Err(FabricError::UnknownTrace(_))
    ));
    s.set_traces(vec![Arc::new("10\n".parse().unwrap())], 0);
    s.change(&[change]).unwrap();
    send(&mut s, A, &datagram(four(A), four(B)), 0);
    assert_eq!(s.next_due(), Some(15 * MS));
}
