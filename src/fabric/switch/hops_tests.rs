//! Ways of several hops and over several networks, without a device.

use super::super::tests::*;
use super::super::{Outcome, PortIndex, Switch};
use super::*;
use crate::fabric::{
    AccessChange, Config, InterfaceConfig, LinkChange, NetworkConfig, Reach, Wires,
};
use crate::id::{NetworkIndex, NodeIndex};
use crate::link::{LinkMtu, LinkProperties};
use crate::units::{BitRate, Ratio};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const D: NodeIndex = NodeIndex(3);
/// As 10.77.0.0/16 and fd77::/64, with the network's number added.
const FAR: NetworkIndex = NetworkIndex(1);

fn delayed(ms: u64) -> LinkProperties {
    LinkProperties {
        delay: Duration::from_millis(ms),
        ..LinkProperties::default()
    }
}

fn edges(pairs: &[(u32, u32)]) -> Wires {
    Wires::Edges(
        pairs
            .iter()
            .map(|&(a, b)| (NodeIndex(a), NodeIndex(b)))
            .collect(),
    )
}

/// `count` nodes with 5 ms between those that are wired, all of them with devices.
fn shaped(count: u8, wires: Wires, reach: Reach) -> Switch {
    alive(Switch::new(shape(count, wires, reach)).unwrap())
}

fn shape(count: u8, wires: Wires, reach: Reach) -> Config {
    let mut config = config(None);
    config.nodes = (0..count).map(|i| node(&format!("n{i}"), i + 2)).collect();
    (config.networks[0].wires, config.networks[0].reach) = (wires, reach);
    config
}

fn alive(mut s: Switch) -> Switch {
    (0..s.map().len() as u32).for_each(|port| s.set_alive(PortIndex(port), true));
    s
}

/// A - B - C - D.
fn line() -> Switch {
    shaped(4, edges(&[(0, 1), (1, 2), (2, 3)]), Reach::Routed)
}

/// All that leaves until `now`: when, through which port, and its bytes.
fn left(s: &mut Switch, now: u64) -> Vec<(u64, u32, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(departure) = s.depart(now) {
        let bytes = offload::packet(&departure.frame).to_vec();
        all.push((departure.due, departure.to.0, bytes));
        s.done(departure, None, now);
    }
    all
}

fn with_ttl(mut packet: Vec<u8>, ttl: u8) -> Vec<u8> {
    match packet[0] >> 4 {
        4 => {
            packet[8] = ttl;
            packet[10..12].fill(0);
            let sum = packet::checksum(&[&packet[..20]]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        _ => packet[7] = ttl,
    }
    packet
}

#[test]
fn delays_add_up_over_hops_and_the_time_to_live_goes_down() {
    for (from, to) in [(four(A), four(D)), (six(A), six(D))] {
        let mut s = line();
        let sent = datagram(from, to);
        assert_eq!(send(&mut s, A, &sent, 0), None);
        // However late the fabric looks, nothing is later for it.
        assert!(left(&mut s, 7 * MS).is_empty());
        let arrived = left(&mut s, 100 * MS);
        assert_eq!(arrived.len(), 1);
        let (due, end, bytes) = &arrived[0];
        assert_eq!((*due, *end), (15 * MS, D.0));
        assert_eq!(*bytes, with_ttl(sent, 62), "two hops, and a right checksum");
        let links: Vec<_> = s
            .counters(0)
            .iter()
            .map(|c| (c.from, c.to, c.packets))
            .collect();
        assert_eq!(links, [(A, B, 1), (B, C, 1), (C, D, 1)]);
        let hop = s.delays(port(B), port(C));
        assert_eq!(hop.quantile(1.0), s.delays(port(A), port(B)).quantile(1.0));
    }
}

#[test]
fn hops_show_themselves_when_the_time_to_live_is_over() {
    for (from, to, code) in [(four(A), four(D), [11, 0]), (six(A), six(D), [3, 0])] {
        for ttl in 1..=3 {
            let mut s = line();
            send(&mut s, A, &with_ttl(datagram(from, to), ttl), 0);
            let all = left(&mut s, 100 * MS);
            assert_eq!(all.len(), 1);
            let (due, port, bytes) = &all[0];
            if ttl == 3 {
                assert_eq!((*due, *port), (15 * MS, D.0));
                continue;
            }
            let hop = NodeIndex(u32::from(ttl));
            let by = if from.is_ipv4() { four(hop) } else { six(hop) };
            let header = packet::parse(bytes).unwrap();
            assert_eq!((header.source, header.target), (by, from));
            assert_eq!(bytes[header.payload..header.payload + 2], code);
            // There and back again.
            assert_eq!((*due, *port), (u64::from(ttl) * 10 * MS, A.0));
            let lost: Vec<_> = s.counters(0).iter().map(|c| c.dropped.ttl).collect();
            assert_eq!(lost.iter().sum::<u64>(), 1);
        }
    }
}

#[test]
fn a_hop_without_device_passes_nothing_on() {
    let mut s = line();
    s.set_alive(port(C), false);
    assert_eq!(send(&mut s, A, &datagram(four(A), four(D)), 0), None);
    assert!(left(&mut s, 100 * MS).is_empty(), "silence");
    let dropped: Vec<_> = s
        .counters(0)
        .iter()
        .map(|c| (c.from, c.dropped.no_port))
        .collect();
    assert_eq!(dropped, [(A, 0), (B, 1)]);
    s.set_alive(port(C), true);
    send(&mut s, A, &datagram(four(A), four(D)), 0);
    assert_eq!(left(&mut s, 100 * MS).len(), 1);
}

#[test]
fn a_hop_reports_what_is_too_big_for_its_link() {
    let mut s = line();
    let mut properties = delayed(5);
    properties.mtu = Some(LinkMtu {
        bytes: 1300,
        black_hole: false,
    });
    let change = LinkChange {
        network: NETWORK,
        from: B,
        to: C,
        properties,
        down: false,
    };
    s.change(&[change]).unwrap();
    let large = packet::udp((four(A), 1), (four(D), 2), &[0; 1300]).unwrap();
    assert_eq!(send(&mut s, A, &large, 0), None);
    let all = left(&mut s, 100 * MS);
    let header = packet::parse(&all[0].2).unwrap();
    assert_eq!((header.source, header.target), (four(B), four(A)));
    assert_eq!(all[0].2[20..22], [3, 4], "fragmentation needed (RFC 792)");
    assert_eq!((all.len(), all[0].0), (1, 10 * MS));
}

/// 1 Mbit/s at B, up and down: 100 bytes take 0.8 ms each way.
#[test]
fn what_a_hop_passes_on_goes_through_its_access_link() {
    let mut s = line();
    let rate = Some(BitRate(1_000_000));
    let slow = AccessChange {
        node: B,
        uplink: rate,
        downlink: rate,
    };
    s.change_access(&[slow]).unwrap();
    send(&mut s, A, &datagram(four(A), four(C)), 0);
    assert_eq!(left(&mut s, 100 * MS)[0].0, 10 * MS + 2 * 800_000);
}

#[test]
fn whole_super_packets_pass_hops_that_only_delay() {
    let mut s = line();
    send_frame(&mut s, A, &mut super_packet_to(C), 0);
    let all = left(&mut s, 100 * MS);
    assert_eq!((all.len(), all[0].2.len(), all[0].2[8]), (1, 60_040, 63));
    let mut properties = delayed(5);
    properties.loss = Ratio(1e-9);
    let change = LinkChange {
        network: NETWORK,
        from: B,
        to: C,
        properties,
        down: false,
    };
    s.change(&[change]).unwrap();
    send_frame(&mut s, A, &mut super_packet_to(C), 0);
    let all = left(&mut s, 200 * MS);
    assert_eq!(all.len(), 42, "cut where packets are looked at one by one");
    for (_, _, bytes) in all {
        assert_eq!((bytes[8], packet::checksum(&[&bytes[..20]])), (63, 0));
    }
}

fn super_packet_to(node: NodeIndex) -> Frame {
    let mut frame = super_packet();
    frame[offload::HEAD + 19] = node.0 as u8 + 2;
    frame[offload::HEAD + 10..offload::HEAD + 12].fill(0);
    let sum = packet::checksum(&[&frame[offload::HEAD..offload::HEAD + 20]]);
    frame[offload::HEAD + 10..offload::HEAD + 12].copy_from_slice(&sum.to_be_bytes());
    frame
}

#[test]
fn rules_and_missing_wires_are_told_apart() {
    let cases = [
        (Reach::Adjacent, C, [3, 13], [1, 1]),
        (Reach::Routed, D, [3, 1], [1, 3]),
    ];
    for (reach, to, v4, v6) in cases {
        let mut s = shaped(4, edges(&[(0, 1), (1, 2)]), reach);
        let error = send(&mut s, A, &datagram(four(A), four(to)), 0).unwrap();
        assert_eq!(error[20..22], v4);
        let error = send(&mut s, A, &datagram(six(A), six(to)), 0).unwrap();
        assert_eq!(error[40..42], v6);
        assert_eq!(s.port_counters()[0].unroutable, 2);
        send(&mut s, A, &datagram(four(A), four(B)), 0);
        assert_eq!(left(&mut s, 100 * MS).len(), 1, "neighbours are reached");
    }
}

#[test]
fn broadcast_goes_over_one_wire_and_no_further() {
    let mut s = line();
    send(
        &mut s,
        B,
        &datagram(four(B), IpAddr::V4(Ipv4Addr::BROADCAST)),
        0,
    );
    let ports: Vec<_> = left(&mut s, 100 * MS)
        .iter()
        .map(|(_, port, _)| *port)
        .collect();
    assert_eq!(ports, [A.0, C.0]);
}

/// A (near), B (near and far, passing on where `forward`), C (far).
fn two_networks(forward: bool) -> Config {
    let mut config = config(None);
    let near = config.networks[0].clone();
    config.networks.push(NetworkConfig {
        name: "far".to_owned(),
        v4: (Ipv4Addr::new(10, 78, 0, 0), 16),
        v6: (Ipv6Addr::from(0xfd78 << 112), 64),
        resolver: (
            Ipv4Addr::new(10, 78, 0, 1),
            Ipv6Addr::from((0xfd78 << 112) + 1),
        ),
        ..near
    });
    let far = |host: u8| InterfaceConfig {
        network: FAR,
        v4: Ipv4Addr::new(10, 78, 0, host),
        v6: Ipv6Addr::from((0xfd78 << 112) + u128::from(host)),
    };
    config.nodes[1].interfaces.push(far(3));
    config.nodes[1].forward = forward;
    config.nodes[2].interfaces = vec![far(4)];
    config
}
const B_FAR: PortIndex = PortIndex(2);
const C_FAR: PortIndex = PortIndex(3);

fn far(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 78, 0, host))
}

fn send_at(s: &mut Switch, port: PortIndex, packet: &[u8]) -> Option<Vec<u8>> {
    match s.receive(port, &mut Frame::around(packet), 0) {
        Outcome::Reply(reply) => Some(reply),
        _ => None,
    }
}

#[test]
fn a_node_that_passes_on_gets_what_is_for_another_network() {
    let mut s = alive(Switch::new(two_networks(true)).unwrap());
    let packet = datagram(four(A), far(4));
    send(&mut s, A, &packet, 0);
    let all = left(&mut s, 5 * MS);
    assert_eq!(
        (all.len(), all[0].1, &all[0].2),
        (1, B.0, &packet),
        "its kernel takes it"
    );
    assert_eq!(send_at(&mut s, B_FAR, &packet), None);
    assert_eq!(left(&mut s, 5 * MS)[0].1, C_FAR.0);
    let links: Vec<_> = s
        .counters(0)
        .iter()
        .map(|c| (c.network, c.from, c.to))
        .collect();
    assert_eq!(links, [(NETWORK, A, B), (FAR, B, C)]);
    // Both resolvers answer everywhere, and may be forwarded.
    let ping = datagram(four(A), far(1));
    assert!(send(&mut s, A, &ping, 0).is_some());
    assert_eq!(s.port_counters()[0].resolver, 1);
}

#[test]
fn only_nodes_that_pass_on_may_send_foreign_sources() {
    let spoofed = |s: &Switch, node: NodeIndex| s.port_counters()[node.at()].spoofed;
    let mut plain = alive(Switch::new(two_networks(false)).unwrap());
    let error = send(&mut plain, A, &datagram(four(A), far(4)), 0).unwrap();
    assert_eq!(error[20..22], [3, 1], "no way leads there");
    send_at(&mut plain, B_FAR, &datagram(four(A), far(4)));
    assert_eq!(spoofed(&plain, B), 1);
    // A reply from the address that was asked is its own, whichever device it leaves through.
    send_at(&mut plain, port(B), &datagram(far(3), four(A)));
    assert_eq!(spoofed(&plain, B), 1);
    let mut s = alive(Switch::new(two_networks(true)).unwrap());
    for (at, source) in [
        (B_FAR, far(4)),
        (port(B), four(A)),
        (B_FAR, "8.8.8.8".parse().unwrap()),
    ] {
        send_at(&mut s, at, &datagram(source, far(9)));
    }
    assert_eq!(
        spoofed(&s, B),
        3,
        "neither members of the network it sends into, nor nobody"
    );
    send_at(&mut s, C_FAR, &datagram(four(A), far(3)));
    assert_eq!(spoofed(&s, C), 1);
}

#[test]
fn devices_have_routes_to_where_they_lead() {
    let config = two_networks(true);
    let specs = |node| config.wire_specs(node);
    let a = specs(A);
    let prefixes = [
        ("10.78.0.0".parse().unwrap(), 16),
        ("fd78::".parse().unwrap(), 64),
    ];
    assert_eq!((a.len(), a[0].1.device.as_str()), (1, "eth0"));
    assert_eq!(a[0].1.routes, prefixes);
    let b = specs(B);
    assert_eq!((b[0].0, b[1].0), (NETWORK, FAR));
    assert_eq!((b[0].1.primary, b[1].1.primary), (true, false));
    assert_eq!((b[1].1.device.as_str(), b[1].1.routes.len()), ("eth1", 0));
    assert_eq!(two_networks(false).wire_specs(A)[0].1.routes, []);
}

proptest! {
    /// Every packet arrives when the delays of its hops are over, or is counted as dropped once. An
    /// error is sent for each that is too old, and is a packet, too.
    #[test]
    fn nothing_is_lost_without_being_counted(
        wires in prop::collection::vec((0_u32..6, 0_u32..6), 1..12),
        delays in prop::collection::vec((0_u32..6, 0_u32..6, 1_u64..9, any::<bool>()), 0..12),
        packets in prop::collection::vec((0_u32..6, 0_u32..6, 1_u8..6, 0_u64..20), 1..40),
        dead in prop::option::of(0_u32..6),
    ) {
        let wires: Vec<_> = wires.into_iter().filter(|(a, b)| a != b).collect();
        let mut config = shape(6, edges(&wires), Reach::Routed);
        for (from, to, ms, lossy) in delays {
            let mut properties = delayed(ms);
            properties.loss = Ratio(if lossy { 0.5 } else { 0.0 });
            config.networks[0].links.push((NodeIndex(from), NodeIndex(to), properties));
        }
        let mut s = alive(Switch::new(config.clone()).unwrap());
        dead.iter().for_each(|&port| s.set_alive(PortIndex(port), false));
        let (mut refused, mut sent, mut now) = (0, Vec::new(), 0);
        for (from, to, ttl, gap) in packets.into_iter().filter(|(a, b, ..)| a != b) {
            now += gap * MS;
            let (from, to) = (NodeIndex(from), NodeIndex(to));
            let id = 5000 + sent.len() as u16;
            let packet = packet::udp((four(from), id), (four(to), 9), &[0; 30]).unwrap();
            sent.push((now, from, to));
            refused += usize::from(send(&mut s, from, &with_ttl(packet, ttl), now).is_some());
        }
        let all = left(&mut s, now + 1000 * MS);
        prop_assert_eq!(s.next_due(), None);
        let due = |(begin, from, to): (u64, NodeIndex, NodeIndex)| {
            let (mut at, mut here) = (begin, port(from));
            while here != port(to) {
                let next = s.map().next(here, port(to)).unwrap();
                let declared = config.networks[0].links.iter().rev();
                let own = declared.clone().find(|l| (port(l.0), port(l.1)) == (here, next));
                let link = own.map_or(&config.networks[0].default_link, |l| &l.2);
                at += link.delay.as_nanos() as u64;
                here = next;
            }
            at
        };
        for (at, at_port, bytes) in &all {
            if bytes[9] == packet::UDP {
                let which = sent[usize::from(packet::be16(bytes, 20)) - 5000];
                prop_assert_eq!((*at, *at_port), (due(which), which.2.0));
                prop_assert_eq!(packet::checksum(&[&bytes[..20]]), 0);
            }
        }
        let counters = s.counters(now);
        let dropped: u64 = counters.iter().map(|c| c.dropped.total()).sum();
        let errors: u64 = counters.iter().map(|c| c.dropped.ttl).sum();
        prop_assert!(counters.iter().all(|c| c.under_way == 0));
        prop_assert_eq!(sent.len() as u64 + errors, refused as u64 + all.len() as u64 + dropped);
    }
}
