//! The instruments against theory, on the real engine: a closed loop's knee, an open loop's queue.
//!
//! `cargo test --test labs_instruments -- --nocapture` prints the table that stands in the README.

#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;
use support::requests::{Row, rows};
use support::{SECOND, Sandbox, steady};

/// Seconds that are measured, after a warm-up of 5.
const MEASURED: u64 = 40;
/// Service demand and think time of the closed loops, in seconds: the knee is at (D + Z) / D = 10.
const D: f64 = 0.020;
const Z: f64 = 0.180;
/// Users of the closed loops.
const USERS: [u32; 5] = [1, 5, 10, 15, 30];
/// Requests per second that a server of the open loops serves, all of the time.
const MU: f64 = 50.0;
/// Utilisations, by the letter of the nodes' names.
const RHO: [(char, f64); 2] = [('l', 0.5), ('h', 0.8)];
/// Queues of each utilisation.
const QUEUES: usize = 4;

fn instruments() -> String {
    let mut nodes = String::new();
    for users in USERS {
        writeln!(
            nodes,
            "  sc-{users}: {{ role: server, service: {{ time: {D}s, workers: 1, queue: 1000 }} }}
  c-{users}: {{ role: client, load: {{ target: sc-{users}, users: {users}, think: {Z}s, timeout: 10s, record: requests }} }}"
        )
        .unwrap();
    }
    for (letter, rho) in RHO {
        for i in 1..=QUEUES {
            let (time, rate) = (1e3 / MU, rho * MU);
            writeln!(
                nodes,
                "  s{letter}-{i}: {{ role: server, service: {{ time: {time}ms, distribution: exponential, workers: 1, queue: 10000 }} }}
  {letter}-{i}: {{ role: client, load: {{ target: s{letter}-{i}, rate: {rate}/s, arrivals: poisson, timeout: 10s, record: requests }} }}"
            )
            .unwrap();
        }
    }
    format!(
        "name: instruments\nseed: 1\nnodes:\n{nodes}scenario: {{ warmup: 5s, duration: {MEASURED}s }}\n"
    )
}

/// Throughput and mean latency of the requests of these nodes, after the warm-up.
fn mean(rows: &[Row], wanted: impl Fn(&str) -> bool) -> (f64, f64) {
    let of: Vec<f64> = rows
        .iter()
        .filter(|row| row.intended >= 5 * SECOND && wanted(&row.node))
        .map(Row::took)
        .collect();
    let n = of.len() as f64;
    (n / MEASURED as f64, of.iter().sum::<f64>() / n)
}

/// One server with N users who think is as fast as the users up to the knee N* = (D + Z) / D, and as
/// fast as the server beyond it (operational analysis: Lazowska et al., "Quantitative System
/// Performance", 1984, ch. 5); a queue with Poisson arrivals and exponential service takes
/// 1 / (µ − λ) (M/M/1). Bounds: the knee ± 15 %; of four queues' means together three standard
/// deviations of a run like this one, 15 % at ρ = 0.5 and 30 % at 0.8.
#[test]
fn measured_servers_agree_with_theory() {
    steady(|| {
        let Some(sandbox) = Sandbox::new("instruments") else {
            return;
        };
        let file = sandbox.topology("instruments.yaml", &instruments());
        sandbox.netlab(&["up", &file]).expect(0);
        let rows = rows(&sandbox.record("instruments"));
        println!("| load | measured | theory | ratio |\n| --- | --- | --- | --- |");
        let tell = |what: &str, is: f64, theory: f64, unit: &str| {
            let ratio = is / theory;
            println!("| {what} | {is:.2} {unit} | {theory:.2} {unit} | {ratio:.3} |");
            ratio
        };
        let mut rates = Vec::new();
        for users in USERS {
            let (x, r) = mean(&rows, |node| node == format!("c-{users}"));
            let n = f64::from(users);
            tell(
                &format!("users {users}: throughput"),
                x,
                (n / (D + Z)).min(1.0 / D),
                "/s",
            );
            if users == 1 || n * D > D + Z {
                let theory = D.max(n * D - Z) * 1e3;
                tell(&format!("users {users}: latency"), r * 1e3, theory, "ms");
            }
            // Little's law: whoever is not waiting thinks.
            let little = x * (r + Z) / n;
            assert!((0.95..1.05).contains(&little), "{users} users: {little}");
            rates.push(x);
        }
        let knee = rates[USERS.len() - 1] / rates[0];
        let ratio = tell("knee", knee, (D + Z) / D, "users");
        assert!((0.85..1.15).contains(&ratio), "the knee is at {knee}");
        for ((letter, rho), tolerance) in RHO.into_iter().zip([0.15, 0.30]) {
            let (_, r) = mean(&rows, |node| node.starts_with(&format!("{letter}-")));
            let theory = 1e3 / (MU - rho * MU);
            let what = format!("open loop, ρ = {rho}: latency");
            let ratio = tell(&what, r * 1e3, theory, "ms");
            assert!((ratio - 1.0).abs() < tolerance, "ρ = {rho}: {ratio}");
        }
        sandbox.netlab(&["down", "instruments"]).expect(0);
    });
}
