//! Answers that go wrong because the node was told so.

use super::*;
use crate::role::client::Client;
use crate::role::server::Server;
use crate::role::store::Store;
use netlab_protocol::conduct::{How, Misbehaviour};
use netlab_protocol::role::{self, Data, File};

fn server() -> Server {
    let files = vec![File {
        name: "film".into(),
        bytes: 3000,
    }];
    let role = role::Server {
        port: 80,
        service: service(MS, 8, 64),
        data: Data::Memory,
        files,
    };
    Server::new(7, "server", &role, Store::default())
}

fn wrong(how: How, share: f64, delay: u64) -> Misbehaviour {
    Misbehaviour {
        how,
        share,
        delay: Duration::from_nanos(delay),
    }
}

fn behave(sim: &mut Sim, m: usize, wrong: &[Misbehaviour]) {
    let wrong = wrong.to_vec();
    sim.give(m, Event::Behave { wrong });
}

fn ask(sim: &mut Sim, id: u64, request: Request) {
    sim.give(0, Event::Request { id, request });
}

/// The body of the answer to request `id`, and whether its digest fits.
fn body(sim: &Sim, id: u64) -> (Vec<u8>, bool) {
    let (_, _, answer) = sim
        .answers
        .iter()
        .find(|(_, other, _)| *other == id)
        .unwrap();
    let body = match &answer.body {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Generated(content) => content.chunk(0, 1 << 20),
    };
    let fits = answer.digest == Some(digest(&body));
    (body, fits)
}

#[test]
fn a_corrupt_answer_does_not_fit_its_digest() {
    let mut sim = Sim::alone(server());
    ask(&mut sim, 0, put("/keys/a", "value"));
    sim.run(2 * MS);
    behave(&mut sim, 0, &[wrong(How::Corrupt, 1.0, 0)]);
    for (id, path) in [(1, "/keys/a"), (2, "/files/film"), (3, "/probe")] {
        ask(&mut sim, id, get(path));
    }
    sim.run(9 * MS);
    behave(&mut sim, 0, &[]);
    for (id, path) in [(4, "/keys/a"), (5, "/files/film"), (6, "/probe")] {
        ask(&mut sim, id, get(path));
    }
    sim.run(S);
    for id in 1..4 {
        let ((spoilt, fits), (right, is_right)) = (body(&sim, id), body(&sim, id + 3));
        assert!(!fits && is_right, "{id}");
        assert_eq!(spoilt.len(), right.len());
    }
    let bits = |(a, b): (&u8, &u8)| (a ^ b).count_ones();
    let (spoilt, right) = (body(&sim, 1).0, body(&sim, 4).0);
    assert_eq!(spoilt.iter().zip(&right).map(bits).sum::<u32>(), 1);
    assert_eq!(sim.machines[0].spoilt(), 2, "a probe is no work");
}

#[test]
fn a_stale_answer_is_what_the_last_write_replaced() {
    let mut sim = Sim::alone(server());
    for (id, value) in [(0, "one"), (1, "two")] {
        ask(&mut sim, id, put("/keys/a", value));
        sim.run((id + 1) * 2 * MS);
    }
    ask(&mut sim, 2, put("/keys/b", "new"));
    behave(&mut sim, 0, &[wrong(How::Stale, 1.0, 0)]);
    sim.run(6 * MS);
    for (id, path) in [(3, "/keys/a"), (4, "/keys/b"), (5, "/keys/none")] {
        ask(&mut sim, id, get(path));
    }
    sim.run(S);
    let told: Vec<_> = sim.answers[3..]
        .iter()
        .map(|(_, _, a)| (a.status, a.version))
        .collect();
    assert_eq!(told, [(200, Some(1)), (404, None), (404, None)]);
    assert_eq!(body(&sim, 3), (b"one".to_vec(), true));
    assert_eq!(sim.machines[0].spoilt(), 2, "what never was is not stale");
}

/// Held back by both faults together; what is withheld never comes, and takes effect all the same.
#[test]
fn answers_come_late_or_never() {
    let mut sim = Sim::alone(server());
    let slow = |ms| wrong(How::Slow, 1.0, ms * MS);
    behave(&mut sim, 0, &[slow(20), slow(30)]);
    ask(&mut sim, 0, get("/keys/a"));
    ask(&mut sim, 1, get("/keys/a"));
    sim.run(10 * MS);
    sim.give(0, Event::Gone { id: 1 });
    behave(&mut sim, 0, &[wrong(How::Withhold, 1.0, 0)]);
    ask(&mut sim, 2, put("/keys/a", "x"));
    sim.run(20 * MS);
    behave(&mut sim, 0, &[]);
    ask(&mut sim, 3, get("/keys/a"));
    sim.run(S);
    assert_eq!(sim.statuses(), [(21 * MS, 3, 200), (51 * MS, 0, 404)]);
    assert_eq!(sim.machines[0].next_timer(), None);
}

/// 2,000 answers with a share of 30 %: the standard deviation is 20, so 100 is five of it. Another
/// misbehaviour changes none of these fates, and the same seed gives the same ones.
#[test]
fn a_share_is_drawn_for_each_answer_on_its_own() {
    let fates = |more: &[Misbehaviour]| -> Vec<bool> {
        let mut sim = Sim::alone(server());
        let mut all = vec![wrong(How::Withhold, 0.3, 0)];
        all.extend(more);
        behave(&mut sim, 0, &all);
        for id in 0..2000 {
            ask(&mut sim, id, get("/keys/a"));
            sim.run((id + 1) * 2 * MS);
        }
        let came: BTreeSet<u64> = sim.answers.iter().map(|(_, id, _)| *id).collect();
        (0..2000).map(|id| came.contains(&id)).collect()
    };
    let plain = fates(&[]);
    let withheld = plain.iter().filter(|came| !**came).count();
    assert!(withheld.abs_diff(600) < 100, "{withheld}");
    assert_eq!(plain, fates(&[wrong(How::Corrupt, 0.5, 0)]));
}

/// What a client counts: the corrupt as such, the stale beside its success, the withheld as a timeout.
#[test]
fn who_asks_notices() {
    let load = Load {
        writes: 0.5,
        keys: 5,
        timeout: Duration::from_millis(100),
        ..load(open(100.0, 64))
    };
    let asking = role::Client {
        targets: vec![endpoint(0)],
        load,
    };
    let client = Client::new(7, "client-1", &asking);
    let mut sim = Sim::new(MS, vec![Box::new(client), Box::new(server())], &[1, 1]);
    sim.give_all(|| Event::Go { at: 0 });
    for (second, how) in (1..).zip([How::Corrupt, How::Stale, How::Withhold]) {
        sim.run(second * 2 * S - S);
        let before = sim.outcomes(0);
        assert!(
            before.keys().all(|outcome| outcome.is_success()),
            "{before:?}"
        );
        let stale = sim.sample(0, "reads_stale_total");
        behave(&mut sim, 1, &[wrong(how, 1.0, 0)]);
        sim.run(second * 2 * S - S / 5);
        behave(&mut sim, 1, &[]);
        sim.run(second * 2 * S);
        let during = sim.outcomes(0);
        let count = |outcome| during.get(&outcome).copied().unwrap_or(0);
        let found = sim.sample(0, "reads_stale_total") - stale;
        let is_stale = found >= 10.0;
        let (corrupt, late) = (count(Outcome::Corrupt), count(Outcome::Timeout));
        match how {
            How::Corrupt => assert!(corrupt > 20 && late == 0 && !is_stale, "{during:?}"),
            How::Stale => assert!(is_stale && corrupt == 0 && late == 0, "{found}"),
            _ => assert!(late >= 70 && corrupt == 0 && !is_stale, "{during:?}"),
        }
    }
}
