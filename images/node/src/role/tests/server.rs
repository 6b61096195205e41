//! The server: capacity, bounds, keys.

use super::*;
use crate::role::server::Server;
use crate::role::store::Store;
use netlab_protocol::role::{self, Data, File, Role};

fn role(time: u64, workers: u32, queue: u32, data: Data) -> role::Server {
    let files = vec![File {
        name: "film".into(),
        bytes: 1 << 20,
    }];
    role::Server {
        port: 80,
        service: service(time, workers, queue),
        data,
        files,
    }
}

fn server(time: u64, workers: u32, queue: u32, data: Data) -> Sim {
    let role = role(time, workers, queue, data);
    Sim::alone(Server::new(7, "server", &role, Store::default()))
}

fn ask(sim: &mut Sim, id: u64, request: Request) {
    sim.give(0, Event::Request { id, request });
}

/// 2 ms, one worker, four places: of seven at once five are served one after the other, two are
/// told at once that there is no place.
#[test]
fn one_worker_serves_in_order_and_the_queue_is_bounded() {
    let mut sim = server(2 * MS, 1, 4, Data::Memory);
    for id in 0..7 {
        ask(&mut sim, id, get("/keys/a"));
    }
    assert_eq!(sim.sample(0, "queue_length"), 4.0);
    sim.run(S);
    let expected = [
        (0, 5, 503),
        (0, 6, 503),
        (2 * MS, 0, 404),
        (4 * MS, 1, 404),
        (6 * MS, 2, 404),
        (8 * MS, 3, 404),
        (10 * MS, 4, 404),
    ];
    assert_eq!(sim.statuses(), expected);
    assert_eq!(sim.sample(0, "busy_workers"), 0.0);
}

#[test]
fn workers_serve_at_once() {
    let mut sim = server(10 * MS, 3, 0, Data::Memory);
    for id in 0..4 {
        ask(&mut sim, id, get("/files/film"));
    }
    sim.run(S);
    let ends: Vec<_> = sim.statuses().iter().map(|(at, ..)| *at).collect();
    assert_eq!(ends, [0, 10 * MS, 10 * MS, 10 * MS]);
}

/// Three requests wait for one worker of 2 ms; the driver notices only at 7 ms. Two are done, and
/// the third ends at 6 ms of its own schedule: the lag cost nothing of the capacity.
#[test]
fn lag_does_not_lower_the_capacity() {
    let mut sim = server(2 * MS, 1, 9, Data::Memory);
    for id in 0..4 {
        ask(&mut sim, id, get("/keys/a"));
    }
    sim.now = 7 * MS;
    sim.give(0, Event::Timer);
    assert_eq!(sim.answers.len(), 3);
    assert_eq!(sim.machines[0].next_timer(), Some(8 * MS));
    // Who comes late finds the worker as free as it is.
    sim.now = 9 * MS;
    ask(&mut sim, 4, get("/keys/a"));
    assert_eq!(sim.machines[0].next_timer(), Some(11 * MS));
}

#[test]
fn who_goes_away_frees_the_place_but_not_the_worker() {
    let mut sim = server(2 * MS, 1, 1, Data::Memory);
    ask(&mut sim, 0, put("/keys/a", "x"));
    ask(&mut sim, 1, get("/keys/a"));
    sim.give(0, Event::Gone { id: 1 });
    ask(&mut sim, 2, get("/keys/a"));
    sim.give(0, Event::Gone { id: 0 });
    sim.run(S);
    // The write that was being served is done, though nobody waits for it any more.
    let expected = [(2 * MS, 0, 201), (4 * MS, 2, 200)];
    assert_eq!(sim.statuses(), expected);
}

#[test]
fn versions_rise_and_never_come_back() {
    let mut sim = server(0, 1, 0, Data::Volume);
    let requests = [
        put("/keys/a", "one"),
        put("/keys/a", "two"),
        get("/keys/a"),
        Request {
            method: Method::Delete,
            ..get("/keys/a")
        },
        get("/keys/a"),
        put("/keys/a", "three"),
    ];
    for (id, request) in requests.into_iter().enumerate() {
        ask(&mut sim, id as u64, request);
    }
    let all: Vec<_> = sim
        .answers
        .iter()
        .map(|(_, _, a)| (a.status, a.version))
        .collect();
    let expected = [
        (201, Some(1)),
        (200, Some(2)),
        (200, Some(2)),
        (200, Some(2)),
        (404, None),
        (200, Some(3)),
    ];
    assert_eq!(all, expected);
    assert_eq!(sim.log.len(), 4, "writes and removals are logged");
    assert_eq!(sim.sample(0, "keys_held"), 1.0);
}

#[test]
fn other_paths_take_no_worker() {
    let mut sim = server(S, 1, 0, Data::Memory);
    ask(&mut sim, 0, get("/keys/a"));
    for (id, path) in [(1, "/healthz"), (2, "/keys"), (3, "/else")] {
        ask(&mut sim, id, get(path));
    }
    let expected = [(0, 1, 200), (0, 2, 200), (0, 3, 404)];
    assert_eq!(sim.statuses(), expected);
}

#[test]
fn a_file_has_its_declared_size() {
    let mut sim = server(0, 1, 0, Data::Memory);
    ask(&mut sim, 0, get("/files/film"));
    let Body::Generated(content) = &sim.answers[0].2.body else {
        panic!("made while it is sent");
    };
    assert_eq!(content.bytes, 1 << 20);
}

/// What cannot be kept did not happen: neither who asked nor anybody later sees it, and its version is
/// given to the next write that is kept. Of a burst only what was kept is answered so.
#[test]
fn a_write_that_cannot_be_logged_changes_nothing() {
    let mut sim = server(0, 1, 9, Data::Volume);
    ask(&mut sim, 0, put("/keys/a", "kept"));
    sim.disk_is_full = true;
    let delete = Request {
        method: Method::Delete,
        ..get("/keys/a")
    };
    for (id, request) in [put("/keys/a", "lost"), put("/keys/b", "lost"), delete]
        .into_iter()
        .enumerate()
    {
        ask(&mut sim, id as u64 + 1, request);
    }
    sim.disk_is_full = false;
    for (id, path) in [(4, "/keys/a"), (5, "/keys/b")] {
        ask(&mut sim, id, get(path));
    }
    ask(&mut sim, 6, put("/keys/a", "again"));
    let all: Vec<_> = sim
        .answers
        .iter()
        .map(|(_, _, a)| (a.status, a.version))
        .collect();
    let failed = (500, None);
    let expected = [
        (201, Some(1)),
        failed,
        failed,
        failed,
        (200, Some(1)),
        (404, None),
        (200, Some(2)),
    ];
    assert_eq!(all, expected);
    assert_eq!(sim.log.len(), 2);
}

/// Four workers end at once: what is behind a change that is being logged is done after it, in order.
#[test]
fn changes_that_end_together_are_logged_one_after_the_other() {
    let mut sim = server(2 * MS, 4, 0, Data::Volume);
    for (id, request) in [
        put("/keys/a", "one"),
        get("/keys/a"),
        put("/keys/a", "two"),
        get("/keys/a"),
    ]
    .into_iter()
    .enumerate()
    {
        ask(&mut sim, id as u64, request);
    }
    sim.run(S);
    let versions: Vec<_> = sim.answers.iter().map(|(_, _, a)| a.version).collect();
    assert_eq!(versions, [Some(1), Some(1), Some(2), Some(2)]);
    let logged: Vec<_> = sim.log.iter().map(|record| record.version).collect();
    assert_eq!(logged, [1, 2]);
}

/// One worker of 10 ms has two requests waiting; then there are two workers of 2 ms. What was being
/// served ends when it would have, the others at once and quickly, and nobody is turned away.
#[test]
fn capacity_changes_under_those_who_wait() {
    let mut sim = server(10 * MS, 1, 2, Data::Memory);
    ask(&mut sim, 0, put("/keys/a", "1"));
    sim.run(10 * MS);
    for id in 1..4 {
        ask(&mut sim, id, get("/keys/a"));
    }
    sim.run(11 * MS);
    let role = Box::new(Role::Server(role(2 * MS, 2, 0, Data::Memory)));
    sim.give(0, Event::Become { seed: 7, role });
    sim.run(S);
    let expected = [
        (10 * MS, 0, 201),
        (13 * MS, 2, 200),
        (15 * MS, 3, 200),
        (20 * MS, 1, 200),
    ];
    assert_eq!(sim.statuses(), expected);
}
