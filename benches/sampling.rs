//! What sampling costs the agent: one lab of idle nodes, sampled every second and ten times a second in
//! turns, without a restart in between.
//!
//! The agent's processor time is read from `/proc`, not from its own samples. All that happens at a
//! sample (cgroups, host, the nodes' reports, the record) happens ten times as often in every other
//! window, so that a ninth of the difference is what one sample a second costs beside none at all.
//! `cargo bench --bench sampling -- [NODES] [ROUNDS] [SECONDS]`; needs an engine on this machine.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const AGENT: &str = "netlab-sampling-bench.agent";
/// Clock ticks per second in what the kernel tells (USER_HZ).
const TICKS: f64 = 100.0;

fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    let numbers: Vec<u64> = words.map(|word| word.parse()).collect::<Result<_, _>>()?;
    let number = |at: usize, usual: u64| numbers.get(at).copied().unwrap_or(usual);
    let (nodes, rounds, seconds) = (number(0, 100), number(1, 3), number(2, 20));
    let folder = std::env::temp_dir().join(format!("netlab-sampling-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = measure(&folder, nodes, rounds, seconds);
    let down = netlab(&["down", "sampling-bench", "--images"]);
    fs::remove_dir_all(&folder)?;
    let (seldom, often) = measured?;
    down?;
    let mut table = String::from("| samples | agent, share of one core |\n| --- | --- |\n");
    for (what, shares) in [("1 per second", &seldom), ("10 per second", &often)] {
        let each: Vec<String> = shares
            .iter()
            .map(|s| format!("{:.1} %", s * 100.0))
            .collect();
        let _ = writeln!(table, "| {what} | {} |", each.join(", "));
    }
    let cost = (mean(&often) - mean(&seldom)) / 9.0;
    println!("{nodes} idle nodes, {rounds} windows of {seconds} s each\n\n{table}");
    println!(
        "one sample a second costs {:.2} % of a core (budget: 10 %)",
        cost * 100.0
    );
    match cost <= 0.10 {
        true => Ok(()),
        false => Err("sampling is dearer than its budget".into()),
    }
}

fn measure(folder: &Path, nodes: u64, rounds: u64, seconds: u64) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let (mut seldom, mut often) = (Vec::new(), Vec::new());
    sample_every(folder, nodes, "1s")?;
    let pid = Command::new("docker")
        .args(["inspect", "--format", "{{.State.Pid}}", AGENT])
        .output()?;
    let pid: i32 = String::from_utf8(pid.stdout)?.trim().parse()?;
    for _ in 0..rounds {
        for (every, shares) in [("1s", &mut seldom), ("100ms", &mut often)] {
            sample_every(folder, nodes, every)?;
            let (before, begin) = (processor_time(pid)?, Instant::now());
            sleep(Duration::from_secs(seconds));
            let spent = processor_time(pid)? - before;
            shares.push(spent / begin.elapsed().as_secs_f64());
        }
    }
    Ok((seldom, often))
}

/// Brings the lab to this interval; the agent and the nodes go on.
fn sample_every(folder: &Path, nodes: u64, every: &str) -> Outcome<()> {
    let file: PathBuf = folder.join("lab.yaml");
    let text = format!(
        "name: sampling-bench\nsampling: {every}\nnodes: {{ server: {{ role: server, count: {nodes} }} }}\n"
    );
    fs::write(&file, text)?;
    netlab(&["up", "-d", &file.display().to_string()])
}

/// Seconds that all threads of a process have run (proc_pid_stat(5), utime and stime).
fn processor_time(pid: i32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').ok_or("no process")?.1;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields
        .get(11..13)
        .ok_or("too few fields")?
        .iter()
        .filter_map(|f| f.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / TICKS)
}

fn netlab(arguments: &[&str]) -> Outcome<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netlab"));
    let done = command.args(arguments).stdin(Stdio::null()).output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned().into()),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
