//! The resolver told to be slow, to fail, to be silent and to lie, without a device.

use super::super::tests::*;
use super::*;
use crate::fabric::FabricError;
use crate::fault::ResolverFailure;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, Question, RCODE, TYPE};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

fn question(name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(77);
    let name = Name::new_unchecked(name);
    let asked = Question::new(name, kind.into(), CLASS::IN.into(), false);
    packet.questions.push(asked);
    packet.build_bytes_vec().unwrap()
}

/// A node asks for the address of n1; the packet it gets at once.
fn ask(s: &mut Switch, who: NodeIndex, now: u64) -> Option<Vec<u8>> {
    let query = question("n1", TYPE::A);
    let packet = packet::udp((four(who), 4000), (RESOLVER, DOMAIN), &query).unwrap();
    send(s, who, &packet, now)
}

/// Code and IPv4 addresses in an answer.
fn read(answer: &[u8]) -> (RCODE, Vec<IpAddr>) {
    let reply = Packet::parse(&answer[28..]).unwrap();
    let address = |data: &RData| match data {
        RData::A(a) => IpAddr::V4(Ipv4Addr::from(a.address)),
        other => panic!("{other:?}"),
    };
    let all = reply.answers.iter().map(|r| address(&r.rdata)).collect();
    (reply.rcode(), all)
}

fn change(node: NodeIndex, delay_ms: u64, answers: Answers) -> ResolverChange {
    let delay = Duration::from_millis(delay_ms);
    let manner = ResolverManner { delay, answers };
    ResolverChange { node, manner }
}

fn late(s: &mut Switch, now: u64) -> Vec<(PortIndex, Vec<u8>)> {
    std::iter::from_fn(|| s.late_answer(now)).collect()
}

#[test]
fn each_asker_is_answered_in_its_own_manner() {
    let mut s = switch();
    let failure = Answers::Failure;
    let set = |s: &mut Switch, answers| s.change_resolver(&[change(A, 0, answers)]).unwrap();
    let truth = (RCODE::NoError, vec![four(B)]);
    for (answers, code) in [
        (failure(ResolverFailure::ServFail), RCODE::ServerFailure),
        (failure(ResolverFailure::NxDomain), RCODE::NameError),
    ] {
        set(&mut s, answers);
        assert_eq!(read(&ask(&mut s, A, 0).unwrap()), (code, vec![]));
        assert_eq!(read(&ask(&mut s, C, 0).unwrap()), truth);
    }
    set(&mut s, Answers::Silence);
    assert_eq!(ask(&mut s, A, 0), None);
    set(&mut s, Answers::Lies);
    let lies: Vec<_> = (0..8).map(|_| read(&ask(&mut s, A, 0).unwrap())).collect();
    assert!(lies.iter().all(|lie| *lie == lies[0]), "the same lie");
    assert!(lies[0].1 == [four(A)] || lies[0].1 == [four(C)], "{lies:?}");
    assert_eq!(read(&ask(&mut s, C, 0).unwrap()), truth);
    assert_eq!(s.port_counters()[0].resolver_disturbed, 11);
    s.change_resolver(&[change(A, 0, Answers::default())])
        .unwrap();
    assert_eq!(read(&ask(&mut s, A, 0).unwrap()), truth, "healed");
    let counted: Vec<_> = s
        .port_counters()
        .iter()
        .map(|c| c.resolver_disturbed)
        .collect();
    assert_eq!(counted, [11, 0, 0]);
}

#[test]
fn a_set_of_changes_is_applied_whole_or_not_at_all() {
    let mut s = switch();
    let silent = |node| change(node, 0, Answers::Silence);
    let refused = s.change_resolver(&[silent(A), silent(NodeIndex(3))]);
    assert!(matches!(
        refused,
        Err(FabricError::UnknownNode(NodeIndex(3)))
    ));
    assert!(ask(&mut s, A, 0).is_some(), "as it was");
    s.change_resolver(&[silent(A), silent(B)]).unwrap();
    assert_eq!((ask(&mut s, A, 0), ask(&mut s, B, 0)), (None, None));
}

#[test]
fn slow_answers_come_in_time_and_keep_it() {
    let mut s = switch();
    s.change_resolver(&[change(A, 20, Answers::Right), change(B, 5, Answers::Lies)])
        .unwrap();
    assert_eq!(ask(&mut s, A, 0), None);
    assert_eq!(ask(&mut s, B, MS), None);
    assert_eq!(s.next_due(), Some(6 * MS));
    assert_eq!(late(&mut s, 6 * MS - 1), []);
    let early = late(&mut s, 6 * MS);
    assert_eq!((early.len(), early[0].0), (1, port(B)));
    // Healed meanwhile: the one under way still comes late, a new one at once.
    s.change_resolver(&[change(A, 0, Answers::Right)]).unwrap();
    assert!(ask(&mut s, A, 7 * MS).is_some());
    let answers = late(&mut s, 20 * MS);
    assert_eq!((answers.len(), answers[0].0), (1, port(A)));
    assert_eq!(read(&answers[0].1), (RCODE::NoError, vec![four(B)]));
    assert_eq!(s.next_due(), None);
}

#[test]
fn what_waits_is_bounded_and_what_is_dropped_is_counted() {
    let mut s = switch();
    let slow = |node| change(node, 1000, Answers::Right);
    s.change_resolver(&[slow(A), slow(C)]).unwrap();
    (0..WAITING).for_each(|_| drop(ask(&mut s, A, 0)));
    let dropped = |s: &Switch, at: usize| s.port_counters()[at].resolver_dropped as usize;
    assert_eq!(dropped(&s, 0), WAITING / 2, "one node gets half");
    (0..WAITING / 4).for_each(|_| drop(ask(&mut s, C, 0)));
    assert_eq!(dropped(&s, 2), 0, "another is not in its way");
    // With its device goes what waits for it.
    s.set_alive(port(A), false);
    assert_eq!(dropped(&s, 0), WAITING);
    assert_eq!(late(&mut s, 1000 * MS).len(), WAITING / 4);
}

#[test]
fn manners_and_answers_follow_their_nodes() {
    let mut s = switch();
    let slow = |node| change(node, 20, Answers::Right);
    s.change_resolver(&[slow(A), slow(B)]).unwrap();
    for node in [A, B] {
        assert_eq!(ask(&mut s, node, 0), None);
    }
    // B is node 0 now, C node 1, and A is gone.
    let mut next = config(None);
    next.nodes.remove(0);
    s.reconfigure(Switch::new(next).unwrap(), &[Some(B), Some(C)], MS)
        .unwrap();
    let answers = late(&mut s, 20 * MS);
    assert_eq!((answers.len(), answers[0].0), (1, PortIndex(0)));
    let asked = |s: &mut Switch, from: NodeIndex, now: u32| {
        let query = question("n1", TYPE::A);
        let packet = packet::udp((four(from), 4000), (RESOLVER, DOMAIN), &query).unwrap();
        send(s, NodeIndex(now), &packet, 0)
    };
    assert!(asked(&mut s, B, 0).is_none() && asked(&mut s, C, 1).is_some());
}

#[test]
fn only_queries_are_disturbed() {
    let mut s = switch();
    s.change_resolver(&[change(A, 20, Answers::Silence)])
        .unwrap();
    assert!(
        send(&mut s, A, &datagram(four(A), RESOLVER), 0).is_some(),
        "refused"
    );
    assert_eq!(s.port_counters()[0].resolver_disturbed, 0);
}
