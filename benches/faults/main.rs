//! How soon faults take effect and heal, and what they do: the README's table.
//!
//! `cargo bench --bench faults [-- TIMES]` plays each row of `tests/support/kinds.rs` so many times
//! (10 unless said), one begin at a time, on the engine that is there, and reads the record. Rows that
//! miss a budget are marked; a kind of fault without a row is an error.

mod read;

use bollard::models;
use bollard::query_parameters as query;
use netlab::engine::image::OwnImages;
use netlab::engine::{Docker, Engine};
use read::{Occurrence, Record};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

#[path = "../../tests/support/kinds.rs"]
mod kinds;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Between two begins.
const SLOT_MS: usize = 450;
/// After the last begin of a round, until the first of the next.
const REST_MS: usize = 3_000;

/// What a link fault may take to begin and to heal, in ms.
const LINK_BUDGET: f64 = 2.0;
/// What anything done to a node's processes may.
const NODE_BUDGET: f64 = 100.0;
/// A heal by start against the engine's own start.
const START_BUDGET: f64 = 1.5;

#[tokio::main]
async fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let times: usize = arguments.next().map_or(Ok(10), |word| word.parse())?;
    let known = |kind: &&str| kinds::ROWS.iter().all(|row| row.kind != *kind);
    let without: Vec<&str> = netlab::fault::KINDS
        .iter()
        .map(|kind| kind.name)
        .filter(known)
        .collect();
    if !without.is_empty() {
        return Err(format!(
            "tests/support/kinds.rs has no row for {}",
            without.join(", ")
        )
        .into());
    }
    let owner = format!("bench-faults-{}", std::process::id());
    let folder = tempfile::tempdir()?;
    let played = play(folder.path(), &owner, times);
    let bare = match &played {
        Ok(_) => bare_start(&owner, times).await,
        Err(_) => Ok(f64::NAN),
    };
    netlab(&owner, folder.path(), &["down", "--all", "--images"])?;
    print(&played?, bare?, times);
    Ok(())
}

/// Plays all rows, and reads what was recorded.
fn play(folder: &Path, owner: &str, times: usize) -> Outcome<Record> {
    let period = kinds::ROWS.len() * SLOT_MS + REST_MS;
    let when = |at: usize| {
        let first = 1_000 + at * SLOT_MS;
        format!("at: {first}ms, every: {period}ms, times: {times}")
    };
    let text = format!(
        "name: faults\nseed: 3\nlink: {{ rtt: 4ms }}\nnodes:{}\nscenario:\n  warmup: 2s\n  duration: {}ms\n  faults:{}\n",
        kinds::nodes(),
        period * times + REST_MS,
        kinds::faults(when)
    );
    let file = folder.join("faults.yaml");
    std::fs::write(&file, text)?;
    eprintln!(
        "{} rows, {times} times each: {} s",
        kinds::ROWS.len(),
        period * times / 1_000
    );
    let code = netlab(owner, folder, &["run", &file.display().to_string()])?;
    if code != 0 {
        eprintln!("the run's exit code is {code}: see what it says above");
    }
    let runs = std::fs::read_dir(folder.join("faults"))?;
    let run = runs.flatten().next().ok_or("no record was written")?;
    Record::read(&run.path())
}

fn netlab(owner: &str, folder: &Path, words: &[&str]) -> Outcome<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netlab"));
    command.args(words).arg("--quiet");
    command
        .env("NETLAB_OWNER", owner)
        .env("NETLAB_RUNS", folder);
    // The table alone is the result.
    let output = command.output()?;
    let code = output.status.code().unwrap_or(-1);
    if code != 0 {
        eprint!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(code)
}

/// Median of the engine's own starts of one container that was killed, in ms: what a heal by start
/// cannot be faster than.
async fn bare_start(owner: &str, times: usize) -> Outcome<f64> {
    let engine = Docker::connect().await?;
    let raw = bollard::Docker::connect_with_host(engine.endpoint())?;
    let program = std::fs::read(env!("CARGO_BIN_EXE_netlab"))?;
    let image = OwnImages::new(owner, &engine.describe().await?.architecture, program)?.node;
    engine.create_image(&image.tag, image.archive()).await?;
    let body = models::ContainerCreateBody {
        image: Some(image.tag.clone()),
        host_config: Some(models::HostConfig {
            network_mode: Some("none".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let options = query::CreateContainerOptions {
        name: Some(owner.to_owned()),
        ..Default::default()
    };
    let id = raw.create_container(Some(options), body).await?.id;
    let mut all = Vec::new();
    for _ in 0..=times {
        let begun = Instant::now();
        raw.start_container(&id, None::<query::StartContainerOptions>)
            .await?;
        all.push(begun.elapsed().as_secs_f64() * 1e3);
        // It may have ended by itself.
        let _ = raw
            .kill_container(&id, None::<query::KillContainerOptions>)
            .await;
        let mut ended = raw.wait_container(&id, None::<query::WaitContainerOptions>);
        let _ = futures_util::StreamExt::next(&mut ended).await;
    }
    let remove = query::RemoveContainerOptions {
        force: true,
        ..Default::default()
    };
    raw.remove_container(&id, Some(remove)).await?;
    // The first only warms up.
    Ok(quantile(&all[1..], 0.5))
}

fn print(record: &Record, bare: f64, times: usize) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    println!("{times} times each, load {load}; the engine's own start: {bare:.0} ms\n");
    println!(
        "| fault | in effect after: median, p99 | budget | healed after: median, p99 | budget | seen |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for row in kinds::ROWS {
        let all = record.occurrences(row.name, row.node);
        let begins: Vec<f64> = all.iter().map(|once| once.begin_ms).collect();
        let heals: Vec<f64> = all.iter().filter_map(|once| once.heal_ms).collect();
        let on_node = record.acts_on_nodes(row.name);
        let most = if on_node { NODE_BUDGET } else { LINK_BUDGET };
        let by_start = all.iter().any(|once| once.by_start);
        let most_heal = if by_start { START_BUDGET * bare } else { most };
        let lasts = netlab::fault::kind(row.kind).is_some_and(|kind| kind.lasts);
        let instant = !lasts && !by_start;
        let heal = match heals.is_empty() || instant {
            true => "– | –".to_owned(),
            false => format!("{} | {}", both(&heals), verdict(&heals, most_heal)),
        };
        println!(
            "| `{}` | {} | {} | {heal} | {} |",
            row.fault.replace('|', "/"),
            both(&begins),
            verdict(&begins, most),
            seen(record, row, &all)
        );
    }
}

/// What the client saw, and what proved it.
fn seen(record: &Record, row: &kinds::Row, all: &[Occurrence]) -> String {
    let proof = all.iter().find_map(|once| once.proof.clone());
    let proof = proof.unwrap_or_else(|| "**not proven**".to_owned());
    match record.felt(row.client, all) {
        Some(felt) => format!("{felt}; {proof}"),
        None => proof,
    }
}

fn both(values: &[f64]) -> String {
    let digits = if quantile(values, 0.5) < 10.0 { 2 } else { 0 };
    let of = |q| format!("{:.digits$} ms", quantile(values, q));
    format!("{}, {}", of(0.5), of(0.99))
}

/// Whether the median keeps the budget, and whether the slowest do, which a busy host may hold up.
fn verdict(values: &[f64], most: f64) -> String {
    let within = |q| quantile(values, q) <= most;
    match (within(0.5), within(0.99)) {
        (true, true) => format!("≤ {most:.0} ms"),
        (true, false) => format!("≤ {most:.0} ms, p99 missed"),
        (false, _) => format!("**missed**: ≤ {most:.0} ms"),
    }
}

/// The value that a share `q` does not exceed.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (q * sorted.len() as f64).ceil() as usize;
    sorted
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}
