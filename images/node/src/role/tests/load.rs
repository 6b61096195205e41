//! Paces, skew, thinking, retries: what is drawn is what was declared.

use super::*;
use crate::role::client::Client;
use crate::role::server::Server;
use crate::role::store::Store;
use netlab_protocol::role::{self, Data, Leg};

fn client(name: &str, load: Load) -> Client {
    let role = role::Client {
        targets: vec![endpoint(0)],
        load,
    };
    Client::new(7, name, &role)
}

/// A client (machine 0) and a server (machine 1), 5 ms apart.
fn pair(load: Load, service: Service) -> Sim {
    let role = role::Server {
        port: 80,
        service,
        data: Data::Memory,
        files: Vec::new(),
    };
    let server = Server::new(7, "server", &role, Store::default());
    let client = client("client-1", load);
    Sim::new(5 * MS, vec![Box::new(client), Box::new(server)], &[1, 1])
}

/// Requests by slot of the intended time.
fn slots(sim: &mut Sim) -> BTreeMap<u32, u32> {
    let mut slots = BTreeMap::new();
    for row in sim.machines[0].latency() {
        *slots.entry(row.slot).or_default() += row.count;
    }
    slots
}

fn intended(sim: &mut Sim, seconds: std::ops::Range<u32>) -> u32 {
    let slots = slots(sim);
    let range = seconds.start * 10..seconds.end * 10;
    slots.range(range).map(|(_, n)| n).sum()
}

fn paced(rate: f64, legs: Vec<Leg>, gaps: Distribution) -> Load {
    load(Arrivals::Open {
        rate,
        legs,
        gaps,
        in_flight: 10_000,
    })
}

fn leg(seconds: u64, to: f64) -> Leg {
    Leg {
        over: Duration::from_secs(seconds),
        to,
    }
}

/// 10/s to 110/s within 10 s are 600 requests: 10 + 10 t a second, so 65 in the fourth second... and
/// 110 in each second after it.
#[test]
fn a_rate_climbs_evenly_and_stays() {
    for (from, to, within) in [(0, 10, 600), (3, 4, 45), (10, 12, 220)] {
        let load = paced(10.0, vec![leg(10, 110.0)], Distribution::Fixed);
        let mut sim = pair(load, service(0, 1, 0));
        sim.give(0, Event::Go { at: 0 });
        sim.run(13 * S);
        let n = intended(&mut sim, from..to);
        assert!(n.abs_diff(within) <= 1, "{from} to {to} s: {n}");
    }
}

#[test]
fn a_rate_goes_by_steps() {
    let steps = vec![leg(2, 10.0), leg(0, 50.0), leg(2, 50.0), leg(0, 100.0)];
    let mut sim = pair(paced(10.0, steps, Distribution::Fixed), service(0, 1, 0));
    sim.give(0, Event::Go { at: 0 });
    sim.run(7 * S);
    let slots = slots(&mut sim);
    for (second, n) in [(0, 10), (1, 10), (2, 50), (3, 50), (4, 100), (5, 100)] {
        let range = second * 10..second * 10 + 10;
        let found: u32 = slots.range(range).map(|(_, n)| n).sum();
        assert!(found.abs_diff(n) <= 1, "second {second}: {found}");
    }
}

/// 200/s for 100 s: the number's standard deviation is 141, and so is the variance of the numbers of
/// 1000 slots 20 (its own standard deviation: 0.9). A node started again halfway keeps the rate.
#[test]
fn poisson_arrivals_have_mean_and_variance_of_a_poisson_process() {
    let load = paced(200.0, Vec::new(), Distribution::Exponential);
    let mut sim = pair(load, service(0, 1, 0));
    sim.give(0, Event::Go { at: 0 });
    sim.run(100 * S);
    let counts = slots(&mut sim);
    let count = |slot| f64::from(counts.get(&slot).copied().unwrap_or(0));
    let mean = (0..1000).map(count).sum::<f64>() / 1e3;
    assert!((mean - 20.0).abs() < 0.7, "{mean}");
    let variance = (0..1000).map(|s| (count(s) - mean).powi(2)).sum::<f64>() / 999.0;
    assert!((variance - 20.0).abs() < 4.5, "{variance}");

    let load = paced(200.0, Vec::new(), Distribution::Exponential);
    let mut late = pair(load, service(0, 1, 0));
    late.now = 50 * S;
    late.give(0, Event::Go { at: 0 });
    late.run(100 * S);
    let n = intended(&mut late, 50..99);
    assert!(n.abs_diff(9800) < 500, "{n}");
    assert!(slots(&mut late).range(..500).next().is_none());
}

/// 20 users who think 90 ms on the average and wait 10 ms for the answer: 200 requests a second;
/// over 100 s the standard deviation is below 1 %.
#[test]
fn users_think_as_long_as_declared_on_the_average() {
    let thinking = Arrivals::Closed {
        users: 20,
        think: Duration::from_millis(90),
        thinking: Distribution::Exponential,
    };
    let mut sim = pair(load(thinking), service(0, 1, 0));
    sim.give(0, Event::Go { at: 0 });
    sim.run(100 * S);
    let n: u32 = sim.outcomes(0).values().sum();
    assert!(n.abs_diff(20_000) < 600, "{n}");
}

/// Zipf's law with exponent 1 over 10 keys: 1/H(10) = 34.1 % of the requests ask for the first key, half
/// of that for the second. Of 10000 the standard deviation is below 48.
#[test]
fn keys_are_skewed_as_declared() {
    let skewed = Load {
        keys: 10,
        skew: 1.0,
        ..load(open(1000.0, 10_000))
    };
    let mut machine = client("client-1", skewed);
    let mut out = Vec::new();
    machine.handle(0, Event::Go { at: 0 }, &mut out);
    for s in 1..=10 {
        machine.handle(s * S - 1, Event::Timer, &mut out);
    }
    let asked = |key: u32| {
        let path = format!("/keys/key-{key}");
        let of_key =
            |a: &&Action| matches!(a, Action::Send { request, .. } if request.path == path);
        out.iter().filter(of_key).count()
    };
    let all: usize = (0..10).map(asked).sum();
    assert_eq!(all, 10_000);
    for (key, n) in [(0, 3414), (1, 1707), (9, 341)] {
        assert!(asked(key).abs_diff(n) < 240, "{key}: {}", asked(key));
    }
}

/// Exponential service of 10 ms on the average: 2000 requests one after the other take 20 s; the
/// standard deviation is 2.2 %.
#[test]
fn service_times_are_drawn() {
    let exponential = Service {
        distribution: Distribution::Exponential,
        ..service(10 * MS, 1, 10_000)
    };
    let mut sim = pair(load(open(1.0, 1)), exponential);
    for id in 0..2000 {
        let request = get("/keys/a");
        sim.give(1, Event::Request { id, request });
    }
    sim.run(40 * S);
    let ends: Vec<u64> = sim.statuses().iter().map(|(at, ..)| *at).collect();
    assert_eq!(ends.len(), 2000);
    let last = ends[1999] as f64 / S as f64;
    assert!((last - 20.0).abs() < 2.2, "{last}");
    let short = ends.windows(2).filter(|w| w[1] - w[0] < 10 * MS).count();
    // 1 - 1/e of them.
    assert!(short.abs_diff(1264) < 110, "{short}");
}

/// The pauses before the retries of a refused request, to the next attempt.
fn pauses(backoff: Backoff) -> Vec<u64> {
    let asked = Load {
        retries: 6,
        backoff,
        timeout: Duration::from_secs(20),
        ..load(open(0.01, 1))
    };
    let mut machine = client("client-1", asked);
    let (mut out, mut pauses, mut failed) = (Vec::new(), Vec::new(), None);
    machine.handle(0, Event::Go { at: 0 }, &mut out);
    while let Some(now) = machine.next_timer().filter(|now| *now < 100 * S) {
        out.clear();
        machine.handle(now, Event::Timer, &mut out);
        if let Some(Action::Send { ticket, .. }) = out.first() {
            pauses.extend(failed.map(|failed| now - failed));
            let (ticket, failure) = (*ticket, Failure::Refused);
            failed = Some(now);
            machine.handle(now, Event::Failed { ticket, failure }, &mut Vec::new());
        }
    }
    pauses
}

#[test]
fn pauses_double_up_to_the_longest_and_are_jittered() {
    let backoff = Backoff {
        from: Duration::from_millis(50),
        to: Duration::from_millis(300),
        jitter: 0.0,
    };
    let expected = [50, 100, 200, 300, 300, 300].map(|ms| ms * MS);
    assert_eq!(pauses(backoff), expected);
    let jittered = pauses(Backoff {
        jitter: 0.5,
        ..backoff
    });
    assert_eq!(jittered.len(), 6);
    for (is, whole) in jittered.iter().zip(expected) {
        assert!((whole / 2..=whole).contains(is), "{jittered:?}");
    }
    assert_ne!(jittered, expected);
}

/// The server is silent for 300 ms; attempts are given up after 100 ms. The request that begins with
/// the silence succeeds with a later attempt, and its latency counts from the intended time.
#[test]
fn an_attempt_that_hangs_is_made_again() {
    let asked = Load {
        retries: 5,
        attempt_timeout: Some(Duration::from_millis(100)),
        ..load(open(10.0, 100))
    };
    let mut sim = pair(asked, service(MS, 4, 4));
    sim.give(0, Event::Go { at: 0 });
    sim.run(S);
    sim.silent.insert(1);
    sim.run(S + 300 * MS);
    sim.silent.clear();
    sim.run(3 * S - 1);
    sim.give(0, Event::Stop);
    sim.run(5 * S);
    let rows = sim.machines[0].latency();
    assert!(rows.iter().all(|row| row.outcome == Outcome::Missing));
    assert_eq!(rows.iter().map(|row| row.count).sum::<u32>(), 30);
    let slowest = rows.iter().map(|row| row.le_us).max().unwrap_or_default();
    assert!((250_000..450_000).contains(&slowest), "{slowest}");
    let mut samples = Vec::new();
    sim.machines[0].samples(&mut samples);
    let ended = |outcome: &str| {
        let labels = format!("outcome={outcome}");
        let of = |s: &&Sample| s.metric == "attempts_total" && s.labels == labels;
        samples.iter().find(of).map_or(0.0, |s| s.value)
    };
    assert_eq!(ended("missing"), 30.0);
    // Three requests meet the silence, the first of them with up to three attempts.
    assert!((3.0..=8.0).contains(&ended("timeout")), "{samples:?}");
    assert_eq!(sim.messages as f64, ended("missing") + ended("timeout"));
}

/// What the same node asks is the same whatever the driver's timing.
#[test]
fn what_is_drawn_is_the_same_each_time_and_differs_by_node() {
    let first = |name: &str| {
        let load = paced(50.0, Vec::new(), Distribution::Exponential);
        let mut machine = client(name, load);
        machine.handle(0, Event::Go { at: 0 }, &mut Vec::new());
        let mut times = Vec::new();
        for _ in 0..20 {
            let now = machine.next_timer().unwrap_or_default();
            times.push(now);
            machine.handle(now, Event::Timer, &mut Vec::new());
        }
        times
    };
    assert_eq!(first("client-1"), first("client-1"));
    assert_ne!(first("client-1"), first("client-2"));
}

/// Each request has one row, with the attempts that were made; what finds no place is counted.
#[test]
fn requests_are_told_one_by_one() {
    let asked = Load {
        retries: 1,
        record: true,
        timeout: Duration::from_millis(500),
        ..load(open(10.0, 3))
    };
    let mut sim = pair(asked, service(MS, 4, 4));
    sim.give(0, Event::Go { at: S });
    sim.run(2 * S);
    sim.refusing.insert(1);
    sim.run(3 * S);
    sim.refusing.clear();
    sim.silent.insert(1);
    sim.run(4 * S - 1);
    sim.give(0, Event::Stop);
    sim.run(6 * S);
    let counted = sim.outcomes(0);
    let (rows, missed) = sim.machines[0].requests();
    assert_eq!((rows.len(), missed), (30, 0));
    for (outcome, attempts) in [
        (Outcome::Missing, 1),
        (Outcome::Refused, 2),
        (Outcome::Timeout, 1),
        (Outcome::Dropped, 0),
    ] {
        let of: Vec<_> = rows.iter().filter(|row| row.outcome == outcome).collect();
        assert_eq!(of.len() as u32, counted[&outcome], "{outcome}");
        assert!(of.iter().any(|row| row.attempts == attempts), "{of:?}");
    }
    for row in &rows {
        assert!(row.sent.unwrap_or(row.intended) >= row.intended && row.done >= row.intended);
        assert_eq!(row.sent.is_none(), row.attempts == 0);
    }
    // More than a report holds.
    let fast = Load {
        record: true,
        ..load(open(30_000.0, 100_000))
    };
    let mut machine = client("client-1", fast);
    machine.handle(0, Event::Go { at: 0 }, &mut Vec::new());
    machine.handle(S - 1, Event::Timer, &mut Vec::new());
    machine.handle(2 * S + 1, Event::Timer, &mut Vec::new());
    let (rows, missed) = machine.requests();
    assert_eq!(rows.len(), netlab_protocol::control::MAX_REQUESTS);
    assert_eq!(missed, 10_000);
    assert_eq!(machine.requests(), (Vec::new(), 0));
}
