//! The client: paces, deadlines, outcomes.

use super::*;
use crate::role::client::Client;
use crate::role::server::Server;
use crate::role::store::Store;
use netlab_protocol::role::{self, Data, Role};

fn asking(load: Load) -> role::Client {
    role::Client {
        targets: vec![endpoint(0)],
        load,
    }
}

fn client(load: Load) -> Client {
    Client::new(7, "client-1", &asking(load))
}

fn other(load: Load) -> Event {
    let role = Box::new(Role::Client(asking(load)));
    Event::Become { seed: 7, role }
}

/// A client (machine 0) and a server (machine 1), 5 ms apart.
fn pair(load: Load, time: u64, workers: u32, queue: u32) -> Sim {
    let role = role::Server {
        port: 80,
        service: service(time, workers, queue),
        data: Data::Memory,
        files: Vec::new(),
    };
    let server = Server::new(7, "server", &role, Store::default());
    Sim::new(
        5 * MS,
        vec![Box::new(client(load)), Box::new(server)],
        &[1, 1],
    )
}

fn go(sim: &mut Sim, at: u64) {
    sim.give(0, Event::Go { at });
}

/// 20/s for 10 s: exactly 200 intended, each answered after two delays and the service time.
#[test]
fn the_open_loop_keeps_its_pace() {
    let mut sim = pair(load(open(20.0, 10)), 2 * MS, 1, 4);
    go(&mut sim, S);
    sim.run(11 * S - 1);
    sim.give(0, Event::Stop);
    sim.run(20 * S);
    let rows = sim.machines[0].latency();
    assert_eq!(rows.iter().map(|r| r.count).sum::<u32>(), 200);
    assert_eq!(sim.messages, 200);
    // 12 ms is in the bucket up to 12031 us: 32 steps from 8192 to 16384 are 256 wide.
    assert!(
        rows.iter()
            .all(|r| r.outcome == Outcome::Missing && r.le_us == 12_031)
    );
    assert!(rows.iter().all(|r| r.slot < 100), "slots are of 100 ms");
    assert_eq!(sim.sample(0, "inflight_requests"), 0.0);
}

/// The server is silent from 2 s to 5 s of the run. All requests intended then time out, each
/// after exactly 1 s, and none of them keeps a later one from being asked.
#[test]
fn silence_times_out_from_the_intended_time() {
    let mut sim = pair(load(open(20.0, 30)), 2 * MS, 1, 4);
    go(&mut sim, 0);
    sim.run(2 * S);
    sim.silent.insert(1);
    sim.run(5 * S);
    sim.silent.clear();
    sim.run(10 * S - 1);
    sim.give(0, Event::Stop);
    sim.run(20 * S);
    let mut all: BTreeMap<Outcome, u32> = BTreeMap::new();
    for row in sim.machines[0].latency() {
        *all.entry(row.outcome).or_default() += row.count;
        if row.outcome == Outcome::Timeout {
            assert!((19..50).contains(&row.slot), "{row:?}");
            assert_eq!(row.le_us, netlab_protocol::latency::bucket(1_000_000));
        }
    }
    let expected = BTreeMap::from([(Outcome::Missing, 140), (Outcome::Timeout, 60)]);
    assert_eq!(all, expected);
}

/// At 20/s and a timeout of 1 s there are 20 under way when nobody answers; five may be.
#[test]
fn the_open_loop_drops_what_is_over_its_cap() {
    let mut sim = pair(load(open(20.0, 5)), 2 * MS, 1, 4);
    sim.silent.insert(1);
    go(&mut sim, 0);
    sim.run(10 * S - 1);
    let all = sim.outcomes(0);
    // Each second five are sent and end exactly when the next five places are needed.
    assert_eq!(sim.messages, 50);
    assert_eq!(all[&Outcome::Dropped], 150);
    assert!(sim.sample(0, "inflight_requests") <= 5.0);
}

#[test]
fn a_full_queue_is_busy_and_a_dead_process_refuses() {
    let mut sim = pair(load(open(100.0, 50)), 100 * MS, 1, 0);
    go(&mut sim, 0);
    sim.run(10 * S - 1);
    // One of ten or eleven fits: 100 ms and the way there.
    let all = sim.outcomes(0);
    assert!((90..=100).contains(&all[&Outcome::Missing]), "{all:?}");
    sim.refusing.insert(1);
    sim.run(11 * S);
    assert!(sim.outcomes(0)[&Outcome::Refused] >= 98);
}

/// Four users, 10 ms away and back, 2 ms of service, 88 ms of thinking: 10 requests a second each.
#[test]
fn the_closed_loop_waits_for_answers() {
    let think = Duration::from_millis(88);
    let mut sim = pair(load(closed(4, think)), 2 * MS, 4, 0);
    go(&mut sim, 0);
    sim.run(10 * S);
    let n: u32 = sim.outcomes(0).values().sum();
    assert!((396..=400).contains(&n), "{n}");
    assert!(sim.sample(0, "inflight_requests") <= 4.0);
    // A refused user does not spin.
    sim.refusing.insert(1);
    sim.delay = 0;
    let spinning = closed(1, Duration::ZERO);
    sim.give(0, other(load(spinning)));
    sim.outcomes(0);
    sim.run(11 * S);
    let n: u32 = sim.outcomes(0)[&Outcome::Refused];
    assert!((99..=104).contains(&n), "{n}");
}

#[test]
fn retries_only_if_asked_and_within_the_timeout() {
    for (retries, sent) in [(0, 1), (2, 3), (100, 7)] {
        let asked = Load {
            retries,
            ..load(open(0.1, 1))
        };
        let mut sim = pair(asked, 0, 1, 0);
        sim.refusing.insert(1);
        go(&mut sim, 0);
        sim.run(10 * S);
        // Attempts end 10 ms after their begin and pause 10, 20, 40 … ms: the seventh ends at
        // 700 ms, and its pause of 640 ms would be over after the timeout.
        assert_eq!(sim.messages, sent, "{retries} retries");
        assert_eq!(sim.outcomes(0), BTreeMap::from([(Outcome::Refused, 1)]));
    }
}

#[test]
fn the_same_seed_asks_the_same_and_nodes_start_apart() {
    let sent = |name: &str| {
        let role = role::Client {
            targets: vec![endpoint(0)],
            load: Load {
                writes: 0.5,
                ..load(open(50.0, 1000))
            },
        };
        let mut machine = Client::new(7, name, &role);
        let mut out = Vec::new();
        machine.handle(0, Event::Go { at: 0 }, &mut out);
        let first = machine.next_timer().unwrap();
        machine.handle(S - 1, Event::Timer, &mut out);
        (first, out)
    };
    assert_eq!(sent("client-1"), sent("client-1"));
    assert_ne!(sent("client-1").0, sent("client-2").0);
    let (first, actions) = sent("client-1");
    assert!(first < 20 * MS);
    let writes = actions
        .iter()
        .filter(|a| matches!(a, Action::Send { request, .. } if request.method == Method::Put));
    // 50 draws of one half: the standard deviation is 3.5, the bound more than 4 of it.
    assert!(writes.count().abs_diff(25) < 15);
}

/// A node started again at 5 s never intended what lies before; one that stood still (paused) did.
#[test]
fn a_late_start_is_no_pause() {
    let mut sim = pair(load(open(20.0, 100)), 0, 1, 0);
    sim.now = 5 * S;
    go(&mut sim, 0);
    sim.run(10 * S - 1);
    assert_eq!(sim.messages, 100);

    let mut paused = pair(load(open(20.0, 100)), 0, 1, 0);
    go(&mut paused, 0);
    paused.now = 5 * S;
    paused.give(0, Event::Timer);
    paused.run(10 * S - 1);
    paused.give(0, Event::Stop);
    paused.run(20 * S);
    let all = paused.outcomes(0);
    // What was intended in the first four seconds was too late when it woke.
    assert_eq!(all[&Outcome::Timeout], 80);
    assert_eq!(all[&Outcome::Missing], 120);
}

#[test]
fn a_new_run_starts_anew_and_other_load_starts_at_once() {
    let mut sim = pair(load(open(20.0, 100)), 0, 1, 0);
    go(&mut sim, 0);
    sim.run(3 * S);
    go(&mut sim, 4 * S);
    assert!(sim.outcomes(0).is_empty(), "the run before is forgotten");
    sim.run(5 * S - 1);
    let before = sim.messages;
    sim.give(0, other(load(open(100.0, 100))));
    sim.run(6 * S - 2);
    assert_eq!(sim.messages - before, 100);
    sim.give(0, Event::Stop);
    let before = sim.messages;
    sim.run(9 * S);
    assert_eq!(sim.messages, before);
    let rows = sim.machines[0].latency();
    assert_eq!(rows.iter().map(|r| r.count).sum::<u32>(), 120);
    assert!(
        rows.iter().all(|r| r.slot < 20),
        "slots are of the run's clock"
    );
}

#[test]
fn any_web_server_can_be_asked_for_a_path() {
    let mut asked = load(open(10.0, 10));
    asked.path = Some("/index.html".into());
    asked.writes = 1.0;
    let mut machine = client(asked);
    let mut out = Vec::new();
    machine.handle(0, Event::Go { at: 0 }, &mut out);
    machine.handle(99 * MS, Event::Timer, &mut out);
    let [Action::Send { request, .. }] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(
        (request.method, request.path.as_str()),
        (Method::Get, "/index.html")
    );
}

/// What is under way to a target that stays is answered; from then on both are asked in turn.
#[test]
fn other_targets_are_asked_from_now_on() {
    let mut sim = pair(load(open(20.0, 100)), 2 * MS, 4, 4);
    go(&mut sim, 0);
    sim.run(S);
    let role = role::Client {
        targets: vec![endpoint(5), endpoint(0)],
        load: load(open(20.0, 100)),
    };
    let mut out = Vec::new();
    let role = Box::new(Role::Client(role));
    sim.machines[0].handle(S, Event::Become { seed: 7, role }, &mut out);
    sim.machines[0].handle(2 * S - 1, Event::Timer, &mut out);
    let to = |action: &Action| match action {
        Action::Send { to, .. } => Some(*to),
        _ => None,
    };
    let asked: Vec<u32> = out.iter().filter_map(to).collect();
    assert_eq!(asked.len(), 20);
    assert!(
        asked.iter().zip(0..).all(|(to, j)| *to == j % 2),
        "{asked:?}"
    );
    assert_eq!(sim.machines[0].endpoints().len(), 2);
}

/// Half of the requests write four keys. As long as the server remembers, nothing is lost; one that
/// begins anew in the middle of the run has lost every key, which is seen once for each.
#[test]
fn acknowledged_writes_that_are_lost_are_counted() {
    let writing = Load {
        writes: 0.5,
        keys: 4,
        ..load(open(100.0, 50))
    };
    let mut sim = pair(writing, MS, 4, 16);
    go(&mut sim, 0);
    sim.run(5 * S);
    assert!(sim.sample(0, "writes_checked_total") > 100.0);
    assert!(sim.sample(0, "reads_checked_total") > 100.0);
    assert_eq!(sim.sample(0, "writes_lost_total"), 0.0);
    assert_eq!(sim.sample(0, "reads_stale_total"), 0.0);
    let role = role::Server {
        port: 80,
        service: service(MS, 4, 16),
        data: Data::Memory,
        files: Vec::new(),
    };
    sim.machines[1] = Box::new(Server::new(7, "server", &role, Store::default()));
    sim.run(8 * S);
    assert_eq!(sim.sample(0, "writes_lost_total"), 4.0);
}
