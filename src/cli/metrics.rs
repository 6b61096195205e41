//! `netlab metrics`: what every node does now, as a table, or as a page for Prometheus.

mod listen;
mod rates;

use super::exit::{Exit, Failure};
use super::labs::{self, Seen};
use super::signal::Signals;
use super::table::{self, Format, Looks};
use super::{Context, LabOption};
use crate::engine::docker::Docker;
use crate::record::look::MetricRow;
use crate::record::stream::{Reply, Request};
use crate::run::attach::{self, AttachError};
use clap::Args;
use rates::{Line, Look};
use std::net::SocketAddr;
use std::time::Duration;

/// How long the agent may take for each part of its answer.
const ASK: Duration = Duration::from_secs(10);
/// Pause between two looks.
const AGAIN: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  netlab metrics --watch                     every node, every second
  netlab metrics client-1 --format json      what one does, over a second
  netlab metrics --listen 127.0.0.1:9600     a page for Prometheus, until Ctrl-C";

/// Arguments of `netlab metrics`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Only these nodes
    #[arg(conflicts_with = "listen")]
    nodes: Vec<String>,
    /// Look again every second; in json and csv each row is a line with its time
    #[arg(short, long, conflicts_with = "listen")]
    watch: bool,
    /// How the list is printed: table, json or csv
    #[arg(long, default_value = "table", hide_possible_values = true)]
    format: Format,
    /// Serve a page for Prometheus at /metrics; other places than loopback ask for a token
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_place)]
    listen: Option<SocketAddr>,
    /// What who reads the page has to say: `Authorization: Bearer TOKEN`
    #[arg(
        long,
        env = "NETLAB_METRICS_TOKEN",
        hide_env_values = true,
        requires = "listen"
    )]
    token: Option<String>,
    #[command(flatten)]
    lab: LabOption,
}

fn parse_place(text: &str) -> Result<SocketAddr, String> {
    let wrong = |_| "write an address and a port: `127.0.0.1:9600`".to_owned();
    text.parse().map_err(wrong)
}

/// Prints the list, once or again and again, or serves the page.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    if let Some(at) = arguments.listen {
        return listen::serve(at, arguments.token.as_deref(), &engine, &lab, context).await;
    }
    for name in &arguments.nodes {
        lab.node(name)?;
    }
    let mut signals = Signals::listen()?;
    let mut before = Look::new(&ask(&engine, &lab).await?);
    let mut looks = Looks::default();
    loop {
        tokio::select! {
            signal = signals.wait() => return Ok(signal.exit()),
            () = tokio::time::sleep(AGAIN) => {}
        }
        let now = Look::new(&ask(&engine, &lab).await?);
        let mut lines = rates::lines(&before, &now);
        lines.retain(|line| arguments.nodes.is_empty() || arguments.nodes.contains(&line.node));
        let text = match arguments.watch && arguments.format != Format::Table {
            true => looks.lines(arguments.format, &lines),
            false => render(&lines, arguments, context),
        };
        if !arguments.watch {
            context.terminal.print(&text)?;
            return Ok(Exit::Passed);
        }
        context.terminal.show(&text)?;
        before = now;
    }
}

/// Asks the agent for everything that it knows.
async fn ask(engine: &Docker, lab: &Seen) -> Result<Vec<MetricRow>, Failure> {
    let failed = |e: AttachError| Failure::step("the agent did not say what nodes do", e);
    let agent = lab.answering_agent()?;
    let open = attach::open(engine, &agent.id, &Request::Metrics);
    let mut replies = open.await.map_err(failed)?;
    let mut all = Vec::new();
    loop {
        match replies.next(ASK).await.map_err(failed)? {
            Reply::Metrics { rows, more } => {
                all.extend(rows);
                if !more {
                    return Ok(all);
                }
            }
            Reply::Refused { why } => return Err(Failure::usage(why, "")),
            other => return Err(failed(AttachError::unexpected(&other))),
        }
    }
}

fn render(lines: &[Line], arguments: &Arguments, context: &Context) -> String {
    if lines.is_empty() && arguments.format == Format::Table {
        return "nothing was measured yet\n".to_owned();
    }
    let heads = [
        "NODE", "ROLE", "RATE", "SUCCESS", "P50", "P99", "CPU", "MEMORY", "DROPPED",
    ];
    let none = || "–".to_owned();
    let ms = |ms: Option<f64>| ms.map_or_else(none, |ms| format!("≤ {ms} ms"));
    let cells = |line: &Line| {
        vec![
            line.node.clone(),
            line.role.clone(),
            line.rate.map_or_else(none, |rate| format!("{rate:.0}/s")),
            line.success
                .map_or_else(none, |share| format!("{:.1} %", share * 100.0)),
            ms(line.p50_ms),
            ms(line.p99_ms),
            line.cpu
                .map_or_else(none, |cores| format!("{:.1} %", cores * 100.0)),
            line.memory_bytes
                .map_or_else(none, |bytes| table::size(bytes as i64)),
            match line.dropped_packets {
                0.0 => none(),
                packets => format!("{packets:.0}"),
            },
        ]
    };
    table::list(arguments.format, lines, &heads, cells, context.terminal.out)
}
