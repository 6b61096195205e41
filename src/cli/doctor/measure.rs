//! A small real lab that runs for two seconds, and what it took. Everything of it is removed.

use super::fit::{Available, Measured};
use crate::agent::Probe;
use crate::cli::exit::Failure;
use crate::engine::docker::Docker;
use crate::engine::image::OwnImages;
use crate::engine::{Engine, ExecSpec};
use crate::lab::Lab;
use crate::plan::{self, AGENT_PROGRAM, Options, labels};
use crate::run::{self, CONCURRENCY, RunEvent, Scope};
use futures_util::StreamExt;
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The lab that is measured: a server, and clients that ask this often each.
const CLIENTS: u32 = 2;
const RATE: u32 = 400;
/// Between the two looks.
const WINDOW: Duration = Duration::from_secs(2);
/// The nodes have to be ready within this time.
const READY: Duration = Duration::from_secs(15);
/// The lab removes itself after this, should this process be killed.
const LEASE: Duration = Duration::from_secs(60);

/// Starts the lab, looks twice, and takes it down, also when `cancel` fires.
///
/// # Errors
/// The lab cannot be started or looked at.
pub async fn measure(
    engine: &Docker,
    images: &OwnImages,
    owner: &str,
    cancel: &CancellationToken,
) -> Result<(Measured, Available), Failure> {
    let text = format!(
        "link: {{ rtt: 2ms }}\nnodes:\n  server: {{ role: server }}\n  client: {{ role: client, count: {CLIENTS}, load: {{ target: server, rate: {RATE}/s }} }}\n"
    );
    let lab = super::inside::lab("fit", &text)
        .ok_or_else(|| Failure::Bug("the lab that is measured is invalid".to_owned()))?;
    let options = Options {
        ttl: Some(LEASE),
        play: true,
        ..super::inside::options(engine, images, owner)
    };
    let known = [&images.agent.tag, &images.node.tag];
    let had = (
        engine.image(known[0]).await?.is_some(),
        engine.image(known[1]).await?.is_some(),
    );
    let result = with_lab(engine, images, &lab, &options, cancel).await;
    let scope = Scope::Lab {
        lab: lab.name.clone(),
        owner: owner.to_owned(),
    };
    let down = run::down(engine, &scope, &|_| ()).await;
    for (tag, had) in [(known[0], had.0), (known[1], had.1)] {
        if !had {
            engine.remove_image(tag).await?;
        }
    }
    down.map_err(|error| Failure::step("taking the measured lab down failed", error))?;
    result
}

async fn with_lab(
    engine: &Docker,
    images: &OwnImages,
    lab: &Lab,
    options: &Options,
    cancel: &CancellationToken,
) -> Result<(Measured, Available), Failure> {
    let snapshot = run::snapshot(engine, lab, options).await?;
    let plan = plan::up(lab, &snapshot, options)?;
    let spent = Cell::new(Duration::ZERO);
    let on_event = |event: RunEvent| {
        if let RunEvent::OperationDone { what, took, .. } = event
            && what.starts_with("node:")
        {
            spent.set(spent.get() + took);
        }
    };
    let walk = run::Context {
        lab,
        snapshot: &snapshot,
        options,
        images,
        concurrency: CONCURRENCY,
        ready_timeout: READY,
        replace: false,
        cancel: cancel.clone(),
        on_event: &on_event,
    };
    let before = super::inside::look(engine, images, &options.owner, cancel).await;
    let before = before.map_err(|error| Failure::step("looking around failed", error))?;
    let started = run::up(engine, &plan, &walk).await;
    let started = started.map_err(|error| Failure::step("the measured lab failed", error))?;
    let nodes = lab.nodes.len();
    let pids = processes(engine, lab, &started.agent).await?;
    let first = look(engine, &started.agent, &pids).await?;
    let begun = now();
    tokio::select! {
        () = tokio::time::sleep(WINDOW) => {}
        () = cancel.cancelled() => {}
    }
    let second = look(engine, &started.agent, &pids).await?;
    let available = Available {
        memory: before.memory.unwrap_or_default(),
        cores: std::cmp::max(1, engine.describe().await?.cores).unsigned_abs(),
    };
    let start = spent.get() / nodes.max(1) as u32 / nodes.clamp(1, CONCURRENCY) as u32;
    let took = begun.elapsed();
    Ok((measured(start, took, &first, &second)?, available))
}

#[allow(clippy::disallowed_methods, reason = "measuring needs a clock")]
fn now() -> Instant {
    Instant::now()
}

/// First processes of the agent and of the nodes, the agent's first.
async fn processes(engine: &Docker, lab: &Lab, agent: &str) -> Result<Vec<i32>, Failure> {
    let wanted = [(labels::LAB, lab.name.as_str())];
    let mut pids = Vec::new();
    for container in engine.containers(&wanted).await? {
        if let Some(state) = engine.inspect(&container.id).await? {
            let at = if container.id == agent { 0 } else { pids.len() };
            pids.insert(at, state.pid);
        }
    }
    Ok(pids)
}

/// What the agent's container sees of these processes.
async fn look(engine: &Docker, agent: &str, pids: &[i32]) -> Result<Probe, Failure> {
    let mut command = vec![
        AGENT_PROGRAM.to_owned(),
        "agent".to_owned(),
        "probe".to_owned(),
    ];
    command.extend(pids.iter().map(i32::to_string));
    let spec = ExecSpec {
        command,
        ..ExecSpec::default()
    };
    let mut exec = engine.exec(agent, &spec).await?;
    let mut bytes = Vec::new();
    while let Some(line) = exec.output.next().await {
        bytes.extend(line?.bytes);
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::step("the measured lab's agent did not tell what it sees", error))
}

fn measured(
    start: Duration,
    took: Duration,
    first: &Probe,
    second: &Probe,
) -> Result<Measured, Failure> {
    let missing = || Failure::Bug("the measured lab's processes are missing".to_owned());
    let (agent, nodes) = second.processes.split_first().ok_or_else(missing)?;
    let (agent_before, nodes_before) = first.processes.split_first().ok_or_else(missing)?;
    // The kernel's and the engine's own part, which is small, is not seen.
    let all = nodes.iter().map(|node| node.memory + node.parent_memory);
    let packets = |all: &[crate::agent::Process]| all.iter().map(|one| one.sent).sum::<u64>();
    let crossed = packets(nodes).saturating_sub(packets(nodes_before)).max(1);
    let cpu = |all: &[crate::agent::Process]| all.iter().map(|one| one.cpu).sum::<Duration>();
    let requests = f64::from(CLIENTS * RATE) * took.as_secs_f64();
    let agent_cpu = agent.cpu.saturating_sub(agent_before.cpu);
    Ok(Measured {
        nodes: nodes.len(),
        start,
        node_memory: all.max().unwrap_or_default(),
        agent_memory: agent.memory,
        packets_per_request: crossed as f64 / requests,
        packet: agent_cpu / u32::try_from(crossed).unwrap_or(u32::MAX),
        request: cpu(nodes)
            .saturating_sub(cpu(nodes_before))
            .div_f64(requests.max(1.0)),
    })
}
