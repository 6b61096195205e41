//! `netlab logs`: what the programs in nodes wrote, each line with its node.

use super::exit::{Exit, Failure};
use super::labs::{self, Seen, node_name};
use super::merge::{Line, Lines, Merged};
use super::{Context, LabOption};
use crate::engine::docker::Docker;
use crate::engine::{Container, Engine, LogOptions};
use crate::plan::labels;
use clap::Args;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a dead node is looked at again while it is followed.
const AGAIN: Duration = Duration::from_millis(500);
/// Lines that wait for the terminal.
const WAITING: usize = 1000;

/// Arguments of `netlab logs`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netlab logs server -f\n  netlab logs --tail 20\n  netlab logs agent"
)]
pub struct Arguments {
    /// The nodes, or `agent`; all nodes unless named
    nodes: Vec<String>,
    /// Go on as lines are written, also after a restart of the node
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines of each node
    #[arg(long, value_name = "LINES")]
    tail: Option<u64>,
    #[command(flatten)]
    lab: LabOption,
}

/// Prints the lines.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    let nodes = wanted(&lab, &arguments.nodes)?;
    let widest = nodes.iter().map(|node| node_name(node).len()).max();
    let print = |at: usize, line: &Line| {
        let name = format!("{:<1$} |", node_name(&nodes[at]), widest.unwrap_or(0));
        let name = context.terminal.out.nth(at, &name);
        context.terminal.print(&format!("{name} {}\n", line.text))
    };
    let options = LogOptions {
        follow: arguments.follow,
        tail: arguments.tail,
        timestamps: true,
    };
    if !arguments.follow {
        let mut streams = Vec::new();
        for node in &nodes {
            streams.push(Lines::new(engine.logs(&node.id, &options).await?));
        }
        let mut merged = Merged::new(streams).await?;
        while let Some((at, line)) = merged.next().await? {
            print(at, &line)?;
        }
        return Ok(Exit::Passed);
    }
    let (tell, mut told) = mpsc::channel(WAITING);
    for (at, node) in nodes.iter().enumerate() {
        let (engine, id, tell) = (engine.clone(), node.id.clone(), tell.clone());
        let options = options.clone();
        tokio::spawn(async move { followed(&engine, &id, options, at, &tell).await });
    }
    drop(tell);
    while let Some((at, line)) = told.recv().await {
        print(at, &line)?;
    }
    Ok(Exit::Passed)
}

fn wanted(lab: &Seen, names: &[String]) -> Result<Vec<Container>, Failure> {
    if names.is_empty() {
        return Ok(lab.nodes.clone());
    }
    let one = |name: &String| match (&lab.agent, name == labels::AGENT) {
        (Some(agent), true) => Ok(agent.clone()),
        _ => lab.node(name).cloned(),
    };
    names.iter().map(one).collect()
}

/// Sends the lines of a node until its container is gone or nobody listens.
async fn followed(
    engine: &Docker,
    id: &str,
    mut options: LogOptions,
    at: usize,
    tell: &mpsc::Sender<(usize, Line)>,
) {
    let mut last = String::new();
    loop {
        if let Ok(pieces) = engine.logs(id, &options).await {
            let mut lines = Lines::new(pieces);
            while let Ok(Some(line)) = lines.next().await {
                // A stream that is opened again repeats what it has said.
                if line.at <= last {
                    continue;
                }
                last.clone_from(&line.at);
                if tell.send((at, line)).await.is_err() {
                    return;
                }
            }
        }
        // The node has died: wait until it is started again, or removed.
        loop {
            tokio::time::sleep(AGAIN).await;
            match engine.inspect(id).await {
                Ok(Some(state)) if state.status == "running" => break,
                Ok(Some(_)) if !tell.is_closed() => {}
                Ok(_) | Err(_) => return,
            }
        }
        options.tail = Some(WAITING as u64);
    }
}
