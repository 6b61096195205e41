//! Connections that are aborted: who gets which reset, and what passes.

use super::super::tests::{A, B, C, MS, config, four, port, send, six, switch};
use super::*;
use std::net::IpAddr;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 0x10;

/// A segment from A's port 4000 to B's port 80, or with `back` the other way.
fn segment(of: fn(NodeIndex) -> IpAddr, back: bool, number: u32, ack: u32, flags: u8) -> Vec<u8> {
    let (a, b) = ((of(A), 4000), (of(B), 80));
    let (source, target) = if back { (b, a) } else { (a, b) };
    let mut packet = packet::tcp_reset(source, target, number, Some(ack)).unwrap();
    let payload = packet::parse(&packet).unwrap().payload;
    packet[payload + 13] = flags;
    packet
}

/// A reset: who gets it, and its number, or (of an answer to a SYN) what it acknowledges.
fn told(packet: &[u8]) -> (IpAddr, u32, Option<u32>) {
    let header = packet::parse(packet).unwrap();
    let segment = packet::tcp(packet, &header).unwrap();
    assert!(segment.resets);
    (header.target, segment.number, segment.acknowledges)
}

fn abort(switch: &mut Switch, links: &[(NodeIndex, NodeIndex)]) -> (u64, Vec<(u32, u32)>) {
    let (count, packets) = switch.abort(links).unwrap();
    let mut all: Vec<_> = packets
        .iter()
        .map(|(to, packet)| (to.0, told(packet).1))
        .collect();
    all.sort_unstable();
    (count, all)
}

#[test]
fn both_ends_get_the_number_that_they_expect() {
    for of in [four, six] {
        let mut s = switch();
        assert_eq!(send(&mut s, A, &segment(of, false, 100, 500, ACK), 0), None);
        assert_eq!(send(&mut s, B, &segment(of, true, 500, 160, ACK), 1), None);
        let resets = vec![(port(A).0, 500), (port(B).0, 160)];
        assert_eq!(abort(&mut s, &[(A, B)]), (1, resets));
        assert_eq!(abort(&mut s, &[(A, B)]).0, 0, "once");
        // It had got more: it says so, gets that number, and nothing passes.
        let late = send(&mut s, A, &segment(of, false, 160, 900, ACK), MS).unwrap();
        assert_eq!(told(&late), (of(A), 900, None));
        let late = send(&mut s, B, &segment(of, true, 900, 200, ACK | FIN), MS).unwrap();
        assert_eq!(told(&late), (of(B), 200, None));
    }
}

#[test]
fn the_same_ports_may_begin_anew() {
    let mut s = switch();
    send(&mut s, A, &segment(four, false, 100, 500, ACK), 0);
    assert_eq!(abort(&mut s, &[(A, B)]).0, 1);
    // B was not heard before: it is aborted all the same.
    assert!(send(&mut s, B, &segment(four, true, 500, 160, ACK), 1).is_some());
    assert_eq!(send(&mut s, A, &segment(four, false, 7, 0, SYN), 2), None);
    assert_eq!(
        send(&mut s, B, &segment(four, true, 70, 8, SYN | ACK), 3),
        None
    );
    assert_eq!(send(&mut s, A, &segment(four, false, 8, 71, ACK), 4), None);
    assert_eq!(abort(&mut s, &[(B, A)]).0, 1);
}

#[test]
fn a_handshake_is_refused() {
    let mut s = switch();
    send(&mut s, A, &segment(four, false, 100, 0, SYN), 0);
    let (count, packets) = s.abort(&[(A, B)]).unwrap();
    assert_eq!(count, 1);
    assert_eq!(told(&packets[0].1), (four(A), 0, Some(101)));
}

#[test]
fn other_links_and_finished_connections_are_left_alone() {
    let mut s = switch();
    send(&mut s, A, &segment(four, false, 100, 500, ACK), 0);
    assert_eq!(
        abort(&mut s, &[(B, A), (A, C), (C, B)]).0,
        0,
        "only A has sent"
    );
    send(&mut s, A, &segment(four, false, 100, 500, ACK | FIN), 1);
    send(&mut s, B, &segment(four, true, 500, 101, ACK | FIN), 2);
    send(&mut s, A, &segment(four, false, 101, 501, ACK), 3);
    assert_eq!(abort(&mut s, &[(A, B), (B, A)]).0, 0, "both have finished");
    send(&mut s, A, &segment(four, false, 7, 0, SYN), 4);
    send(&mut s, B, &segment(four, true, 0, 8, RST | ACK), 5);
    assert_eq!(abort(&mut s, &[(A, B), (B, A)]).0, 0, "refused");
    assert!(s.abort(&[(A, NodeIndex(9))]).is_err());
}

#[test]
fn a_node_that_is_gone_is_forgotten() {
    let mut s = switch();
    s.set_alive(port(A), true);
    send(&mut s, A, &segment(four, false, 100, 500, ACK), 0);
    s.set_alive(port(A), false);
    assert_eq!(abort(&mut s, &[(A, B)]).0, 0);
}

/// Nothing is sent on it after the change: what was known before has to do.
#[test]
fn an_idle_connection_is_known_after_a_reconfiguration() {
    let mut s = switch();
    send(&mut s, A, &segment(four, false, 100, 500, ACK), 0);
    send(&mut s, B, &segment(four, true, 500, 160, ACK), 1);
    // B is node 0 now, A node 1, and C is gone.
    let mut next = config(None);
    next.nodes.truncate(2);
    next.nodes.swap(0, 1);
    let was = [Some(B), Some(A)];
    s.reconfigure(Switch::new(next).unwrap(), &was, MS).unwrap();
    let (a, b) = (NodeIndex(1), NodeIndex(0));
    let resets = vec![(port(b).0, 160), (port(a).0, 500)];
    assert_eq!(abort(&mut s, &[(a, b)]), (1, resets));
    // It is aborted after one more, too.
    s.reconfigure(switch(), &[Some(a), Some(b), None], MS)
        .unwrap();
    let late = send(&mut s, A, &segment(four, false, 160, 900, ACK), MS).unwrap();
    assert_eq!(told(&late), (four(A), 900, None));
    // Who is gone has none.
    let mut alone = config(None);
    alone.nodes.remove(0);
    let was = [Some(B), Some(C)];
    s.reconfigure(Switch::new(alone).unwrap(), &was, MS)
        .unwrap();
    s.reconfigure(switch(), &[None, Some(A), Some(B)], MS)
        .unwrap();
    assert_eq!(
        send(&mut s, A, &segment(four, false, 160, 900, ACK), MS),
        None
    );
}
