//! Peers: shares, paths, deadlines.

use super::*;
use crate::role::peer::{MAX_FORWARDS, Peer};
use crate::role::store::Store;
use netlab_protocol::role::{self, Data, Role};

type NextHop = fn(usize, usize, usize) -> Option<u32>;

/// How peers are lost.
type Lose = fn(&mut Sim);

/// Everybody knows everybody.
fn full(_n: usize, _me: usize, owner: usize) -> Option<u32> {
    Some(owner as u32)
}

/// Everybody knows the one before and the one behind; the shorter way, forward if equal.
fn ring(n: usize, me: usize, owner: usize) -> Option<u32> {
    let ahead = (owner + n - me) % n;
    let step = if ahead <= n / 2 { 1 } else { n - 1 };
    Some(((me + step) % n) as u32)
}

fn peer_of(
    n: usize,
    index: usize,
    hop: NextHop,
    load: Option<&Load>,
    capacity: &Service,
) -> role::Peer {
    role::Peer {
        port: 80,
        service: capacity.clone(),
        data: Data::Memory,
        index: index as u32,
        peers: (0..n).map(endpoint).collect(),
        next_hop: (0..n).map(|owner| hop(n, index, owner)).collect(),
        load: load.cloned(),
    }
}

/// `n` peers 5 ms apart.
fn mesh(n: usize, hop: NextHop, load: Option<&Load>, capacity: &Service) -> Sim {
    let peer = |index: usize| {
        let role = peer_of(n, index, hop, load, capacity);
        let name = format!("peer-{}", index + 1);
        Box::new(Peer::new(7, &name, &role, Store::default())) as Box<dyn Machine>
    };
    Sim::new(5 * MS, (0..n).map(peer).collect(), &vec![0; n])
}

fn totals(sim: &mut Sim, live: impl Iterator<Item = usize>) -> BTreeMap<Outcome, u32> {
    let mut all = BTreeMap::new();
    for m in live {
        for (outcome, count) in sim.outcomes(m) {
            *all.entry(outcome).or_default() += count;
        }
    }
    all
}

fn play(sim: &mut Sim, seconds: u64) {
    sim.give_all(|| Event::Go { at: 0 });
    sim.run(seconds * S - 1);
    sim.give_all(|| Event::Stop);
    sim.run((seconds + 5) * S);
}

/// 8 peers at 20/s for 10 s: of 200 requests each peer asks every owner 25 times, itself too.
#[test]
fn every_owner_is_asked_equally_often() {
    let mut sim = mesh(8, full, Some(&load(open(20.0, 50))), &service(MS, 4, 50));
    play(&mut sim, 10);
    // Every request to another is one message.
    assert_eq!(sim.messages, 8 * 175);
    for m in 0..8 {
        let rows = sim.machines[m].latency();
        let local: u32 = rows
            .iter()
            .filter(|r| is_local(r.op))
            .map(|r| r.count)
            .sum();
        assert_eq!(local, 25);
        assert_eq!(rows.iter().map(|r| r.count).sum::<u32>(), 200);
        assert!(rows.iter().all(|r| r.outcome == Outcome::Missing));
        // Served: 25 from each of the 7 others; its own are not answered to anybody.
        assert_eq!(sim.sample(m, "requests_served_total"), 175.0);
    }
}

/// Losing 2 of 8 peers costs the 6 others exactly 2/8 of their requests: as timeouts when the
/// machines are silent, as refusals when only the processes are gone.
#[test]
fn losing_peers_costs_exactly_their_share() {
    let lose: [(Outcome, Lose); 2] = [
        (Outcome::Timeout, |sim| sim.silent.extend([2, 5])),
        (Outcome::Refused, |sim| sim.refusing.extend([2, 5])),
    ];
    for (outcome, lose) in lose {
        let mut sim = mesh(8, full, Some(&load(open(20.0, 50))), &service(MS, 4, 50));
        lose(&mut sim);
        play(&mut sim, 10);
        let live = (0..8).filter(|m| ![2, 5].contains(m));
        let expected = BTreeMap::from([(Outcome::Missing, 6 * 150), (outcome, 6 * 50)]);
        assert_eq!(totals(&mut sim, live), expected);
    }
}

/// In a ring of 6 an owner is 1, 2, 3, 2 or 1 hops away: nine messages per cycle of six requests.
#[test]
fn a_ring_forwards_along_the_shortest_path() {
    let mut sim = mesh(6, ring, Some(&load(open(60.0, 50))), &service(MS, 4, 50));
    play(&mut sim, 1);
    assert_eq!(sim.messages, 6 * 10 * 9);
    let forwarded: f64 = (0..6)
        .map(|m| sim.sample(m, "requests_forwarded_total"))
        .sum();
    assert_eq!(forwarded, 6.0 * 10.0 * 4.0);
    let mut rows = sim.machines[0].latency();
    rows.retain(|r| !is_local(r.op));
    assert!(rows.iter().all(|r| r.outcome == Outcome::Missing));
    let mut by_latency: BTreeMap<u64, u32> = BTreeMap::new();
    for row in rows {
        *by_latency.entry(row.le_us / 1_000).or_default() += row.count;
    }
    // One, two and three hops there and back, and 1 ms of service.
    assert_eq!(by_latency, BTreeMap::from([(11, 20), (21, 20), (31, 10)]));
}

/// A write is read back by everybody, through whomever.
#[test]
fn what_is_written_is_read_from_everywhere() {
    let mut sim = mesh(6, ring, None, &service(MS, 1, 9));
    sim.give(
        0,
        Event::Request {
            id: 1,
            request: put("/keys/key-3", "v"),
        },
    );
    sim.run(S);
    sim.give(
        5,
        Event::Request {
            id: 2,
            request: get("/keys/key-3"),
        },
    );
    sim.run(2 * S);
    let all: Vec<_> = sim
        .answers
        .iter()
        .map(|(_, id, a)| (*id, a.status, a.version))
        .collect();
    assert_eq!(all, [(1, 201, Some(1)), (2, 200, Some(1))]);
    assert_eq!(sim.sample(3, "keys_held"), 1.0);
}

/// Peer 0 asks peer 2 through peer 1. Peer 2 is silent: all give up when the time is over, the
/// first of them the one who asked first.
#[test]
fn a_forwarded_request_keeps_its_deadline() {
    let mut sim = mesh(5, ring, None, &service(MS, 1, 9));
    sim.silent.insert(2);
    let request = Request {
        left: Some(100 * MS),
        ..get("/keys/key-2")
    };
    sim.give(0, Event::Request { id: 1, request });
    sim.run(S);
    assert_eq!(sim.statuses(), [(100 * MS, 1, 504)]);
    assert_eq!(sim.messages, 2);
    assert!(
        (0..2).all(|m| sim.machines[m].next_timer().is_none()),
        "nothing is left behind"
    );
    // Nothing left: not passed on at all.
    let request = Request {
        left: Some(0),
        ..get("/keys/key-2")
    };
    sim.give(0, Event::Request { id: 2, request });
    assert_eq!(sim.answers[1].2.status, 504);
    assert_eq!(sim.messages, 2);
}

/// Owner 2's process is gone: whoever is two hops away counts `refused`, as its neighbours do.
#[test]
fn a_failure_farther_along_is_counted_as_what_it_was() {
    let mut sim = mesh(5, ring, Some(&load(open(50.0, 50))), &service(MS, 4, 50));
    sim.refusing.insert(2);
    play(&mut sim, 1);
    let all = totals(&mut sim, [0, 4].into_iter());
    // Peer 0 reaches 2 through 1 and peer 4 reaches 2 through 3; 10 requests to each owner. Nobody
    // else's path from them crosses 2.
    let expected = BTreeMap::from([(Outcome::Missing, 80), (Outcome::Refused, 20)]);
    assert_eq!(all, expected);
}

#[test]
fn no_path_is_unreachable() {
    let lonely: NextHop = |_, _, _| None;
    let mut sim = mesh(4, lonely, Some(&load(open(40.0, 50))), &service(MS, 4, 50));
    play(&mut sim, 1);
    assert_eq!(sim.messages, 0);
    let expected = BTreeMap::from([(Outcome::Missing, 10), (Outcome::Unreachable, 30)]);
    assert_eq!(sim.outcomes(0), expected);
    sim.give(
        0,
        Event::Request {
            id: 1,
            request: get("/keys/key-1"),
        },
    );
    let answer = &sim.answers[0].2;
    assert_eq!(
        (answer.status, answer.failure),
        (502, Some(Failure::Unreachable))
    );
}

#[test]
fn passing_on_is_bounded_and_ends_with_who_asked() {
    let mut sim = mesh(3, full, None, &service(MS, 1, 9));
    sim.silent.insert(1);
    let n = MAX_FORWARDS as u64;
    for id in 0..=n {
        sim.give(
            0,
            Event::Request {
                id,
                request: get("/keys/key-1"),
            },
        );
    }
    assert_eq!(sim.statuses(), [(0, n, 503)]);
    sim.give(0, Event::Gone { id: 0 });
    sim.give(
        0,
        Event::Request {
            id: n + 1,
            request: get("/keys/key-1"),
        },
    );
    assert_eq!(sim.answers.len(), 1, "the place is free again");
}

/// Its own load waits in its own queue like anybody's.
#[test]
fn local_requests_use_the_declared_capacity() {
    let mut sim = mesh(
        1,
        full,
        Some(&load(open(100.0, 50))),
        &service(20 * MS, 1, 0),
    );
    play(&mut sim, 1);
    assert_eq!(sim.messages, 0);
    let all = sim.outcomes(0);
    assert_eq!(all.values().sum::<u32>(), 100);
    // 10 ms apart, 20 ms of work: every other one finds the worker busy.
    assert_eq!(all[&Outcome::Busy], 50);
}

/// Of four peers three become a lab of their own, then all four again: nobody loses a key, and
/// nobody asks who is not there.
#[test]
fn peers_change_their_number_and_keep_their_keys() {
    let capacity = service(MS, 4, 50);
    let mut sim = mesh(4, full, None, &capacity);
    let become_ = |sim: &mut Sim, n: usize, load: Option<&Load>| {
        for m in 0..n {
            let role = peer_of(n, m, full, load, &capacity);
            let role = Box::new(Role::Peer(role));
            sim.give(m, Event::Become { seed: 7, role });
        }
    };
    // Key 3 is the fourth's among four, the first's among three.
    sim.give(
        0,
        Event::Request {
            id: 1,
            request: put("/keys/key-3", "x"),
        },
    );
    sim.run(S);
    assert_eq!(sim.sample(3, "keys_held"), 1.0);
    become_(&mut sim, 3, None);
    sim.give(
        1,
        Event::Request {
            id: 2,
            request: get("/keys/key-3"),
        },
    );
    sim.run(2 * S);
    become_(&mut sim, 4, None);
    sim.give(
        1,
        Event::Request {
            id: 3,
            request: get("/keys/key-3"),
        },
    );
    sim.run(3 * S);
    let statuses: Vec<(u64, u16)> = sim.statuses().iter().map(|s| (s.1, s.2)).collect();
    assert_eq!(statuses, [(1, 201), (2, 404), (3, 200)]);

    sim.give_all(|| Event::Go { at: 3 * S });
    become_(&mut sim, 3, Some(&load(open(20.0, 50))));
    sim.run(8 * S);
    let served = sim.sample(3, "requests_forwarded_total");
    assert_eq!(
        sim.outcomes(0).keys().collect::<Vec<_>>(),
        [&Outcome::Missing]
    );
    assert_eq!((served, sim.sample(3, "keys_held")), (0.0, 1.0));
}
