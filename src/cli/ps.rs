//! `netlab ps`: labs, or the nodes of one.

use super::exit::{Exit, Failure};
use super::labs::{self, Seen, node_name};
use super::table::{self, Format};
use super::{Context, connect, export};
use crate::engine::docker::Docker;
use crate::engine::image::BUILD;
use crate::lab::Lab;
use crate::record::stream::{NodeState, Phase, Reply, Request, Status};
use crate::run::attach;
use clap::Args;
use serde::Serialize;
use std::time::Duration;

/// How long a lab may take to say how it is.
const ASK: Duration = Duration::from_secs(5);

/// Arguments of `netlab ps`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  netlab ps\n  netlab ps client-server --format json")]
pub struct Arguments {
    /// List the nodes of this lab
    lab: Option<String>,
    /// How the list is printed: table, json or csv
    #[arg(long, default_value = "table", hide_possible_values = true)]
    format: Format,
}

#[derive(Serialize)]
struct LabRow {
    lab: String,
    state: String,
    nodes: usize,
    running: usize,
    run: Option<String>,
    faults: Vec<String>,
    created: i64,
    owner: String,
    build: String,
}

#[derive(Serialize)]
struct NodeRow {
    node: String,
    role: Option<&'static str>,
    state: String,
    ipv4: Option<String>,
    ipv6: Option<String>,
    ports: Vec<String>,
    container: String,
    image: String,
}

/// Prints the list.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, _) = connect::connect().await?;
    let seen = labs::all(&engine).await?;
    let text = match &arguments.lab {
        None => list_labs(&engine, &seen, arguments.format, context).await,
        Some(name) => {
            let lab = labs::choose(&seen, Some(name), &context.owner)?;
            list_nodes(&engine, lab, arguments.format, context).await
        }
    };
    context.terminal.print(&text)?;
    Ok(Exit::Passed)
}

async fn list_labs(engine: &Docker, seen: &[Seen], format: Format, context: &Context) -> String {
    let asked = seen.iter().map(|lab| status(engine, lab, context));
    let answers = futures_util::future::join_all(asked).await;
    let rows: Vec<LabRow> = seen.iter().zip(&answers).map(lab_row).collect();
    let now = i64::try_from(export::now()).unwrap_or(i64::MAX);
    let cells = |row: &LabRow| {
        vec![
            row.lab.clone(),
            row.state.clone(),
            format!("{}/{}", row.running, row.nodes),
            row.run.clone().unwrap_or_else(|| "–".into()),
            table::age(now - row.created),
            row.owner.clone(),
        ]
    };
    let heads = ["LAB", "STATE", "NODES", "RUN", "AGE", "OWNER"];
    table::list(format, &rows, &heads, cells, context.terminal.out)
}

/// What the lab's agent says; none when it is not ours to ask, or does not answer.
async fn status(engine: &Docker, lab: &Seen, context: &Context) -> Option<Status> {
    let agent = lab.running_agent()?;
    if lab.owner != context.owner || lab.build != BUILD {
        return None;
    }
    match attach::ask(engine, &agent.id, &Request::Status, ASK).await {
        Ok(Reply::Status(status)) => Some(status),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(lab = lab.name, "{}", connect::chain(&error));
            None
        }
    }
}

fn lab_row((lab, status): (&Seen, &Option<Status>)) -> LabRow {
    let running = lab.nodes.iter().filter(|node| node.state == "running");
    let state = match status {
        Some(status) if !status.faults.is_empty() => {
            format!(
                "{}, in effect: {}",
                phase(status.phase),
                status.faults.join(" ")
            )
        }
        Some(status) => phase(status.phase).to_owned(),
        None if lab.running_agent().is_none() => "left over: no agent".to_owned(),
        None if lab.build != BUILD => "of another build".to_owned(),
        None => "up".to_owned(),
    };
    LabRow {
        lab: lab.name.clone(),
        state,
        nodes: lab.nodes.len(),
        running: running.count(),
        run: status.as_ref().and_then(|status| status.run.clone()),
        faults: status
            .as_ref()
            .map_or(Vec::new(), |status| status.faults.clone()),
        created: lab.created,
        owner: lab.owner.clone(),
        build: lab.build.clone(),
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::Playing => "playing",
        Phase::Running => "running",
    }
}

fn node_state(state: NodeState) -> &'static str {
    match state {
        NodeState::Waiting => "waiting",
        NodeState::Wired => "wired",
        NodeState::Ready => "ready",
        NodeState::Paused => "paused",
        NodeState::Dead => "dead",
    }
}

async fn list_nodes(engine: &Docker, lab: &Seen, format: Format, context: &Context) -> String {
    let (status, resolved) = tokio::join!(status(engine, lab, context), resolved(engine, lab));
    let all = status.as_ref().map_or(&[][..], |status| &status.ports);
    let told_ports = |name: &str| {
        let own = all.iter().filter(|port| port.node == name);
        own.map(|port| format!("{}->{}{}", port.address, port.port, port.protocol.suffix()))
            .collect()
    };
    let row = |container: &crate::engine::Container| {
        let name = node_name(container);
        let node = resolved
            .as_ref()
            .and_then(|l| l.node(name).map(|at| &l.nodes[at.at()]));
        let told = status
            .as_ref()
            .and_then(|s| s.nodes.iter().find(|n| n.node == name));
        NodeRow {
            node: name.to_owned(),
            role: node.map(|node| node.role()),
            state: told.map_or_else(|| container.state.clone(), |n| node_state(n.state).into()),
            ipv4: node.map(|node| node.addresses().v4.to_string()),
            ipv6: node.map(|node| node.addresses().v6.to_string()),
            ports: told_ports(name),
            container: container.name.clone(),
            image: container.image.clone(),
        }
    };
    let rows: Vec<NodeRow> = lab.nodes.iter().map(row).collect();
    let some = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".into());
    let cells = |row: &NodeRow| {
        vec![
            row.node.clone(),
            row.role.unwrap_or("–").to_owned(),
            row.state.clone(),
            some(&row.ipv4),
            some(&row.ipv6),
            match row.ports.is_empty() {
                true => "–".to_owned(),
                false => row.ports.join(" "),
            },
            row.container.clone(),
        ]
    };
    let heads = [
        "NODE",
        "ROLE",
        "STATE",
        "IPV4",
        "IPV6",
        "PORTS",
        "CONTAINER",
    ];
    table::list(format, &rows, &heads, cells, context.terminal.out)
}

/// The lab as its agent has it, for roles and addresses; none when it cannot be had.
async fn resolved(engine: &Docker, lab: &Seen) -> Option<Lab> {
    let agent = lab.agent.as_ref()?;
    crate::run::lab_of(engine, &agent.id).await.ok()?
}
