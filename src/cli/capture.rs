//! `netlab capture`: packets of a running lab as a pcapng file.

use super::exit::{Exit, Failure};
use super::signal::Signals;
use super::{Context, LabOption, labs, table};
use crate::fabric::capture::summary;
use crate::record::look::Captured;
use crate::record::stream::{Reply, Request};
use crate::run::attach::{self, AttachError, Replies};
use crate::units::{ByteSize, parse_duration};
use clap::Args;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How long the agent may take to begin, and to end the file.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what an agent said before its end may be under way.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// Bytes at the end of a file in which its summary stands.
const TAIL: usize = 64;

const EXAMPLES: &str = "\
Examples:
  netlab capture -w lab.pcapng                     the whole lab, until Ctrl-C
  netlab capture server -w server.pcapng --for 10s  what one node sends and is sent
  netlab capture client-1 server | tshark -r -      the link between two, both directions

Dropped packets are in the file, with the cause as their comment.";

/// Arguments of `netlab capture`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// One node, or the two ends of a link; the whole lab unless named
    #[arg(num_args = 0..=2)]
    nodes: Vec<String>,
    /// Write to this file; `-` or nothing: to standard output
    #[arg(short, long, value_name = "FILE")]
    write: Option<String>,
    /// Stop after this time
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    lasts: Option<Duration>,
    /// Stop when the file has about this size
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_size)]
    limit: ByteSize,
    #[command(flatten)]
    lab: LabOption,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| e.to_string())
}

fn parse_size(text: &str) -> Result<ByteSize, String> {
    text.parse()
        .map_err(|e: crate::units::UnitError| e.to_string())
}

/// Captures until it is enough.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    for name in &arguments.nodes {
        lab.end(name)?;
    }
    let of = match arguments.nodes.as_slice() {
        [] => Captured::Lab,
        [node] => Captured::Node(node.clone()),
        [a, b, ..] if a == b => {
            return Err(Failure::usage(
                format!("there is no link from `{a}` to itself"),
                "name one node to capture what it sends and is sent",
            ));
        }
        [a, b, ..] => Captured::Between(a.clone(), b.clone()),
    };
    let path = arguments.write.as_deref().filter(|path| *path != "-");
    if path.is_none() && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "a capture is no text for a terminal",
            "name a file, `-w lab.pcapng`, or pass it on, `| tshark -r -`",
        ));
    }
    let mut signals = Signals::listen()?;
    let failed = |e: AttachError| Failure::step("the packets could not be captured", e);
    let request = Request::Capture {
        of,
        most: arguments.limit.0,
    };
    let agent = lab.answering_agent()?;
    let mut replies = attach::open(&engine, &agent.id, &request)
        .await
        .map_err(failed)?;
    match replies.next(PATIENCE).await.map_err(failed)? {
        Reply::Capturing => {}
        Reply::Refused { why } => return Err(Failure::usage(why, "")),
        other => return Err(failed(AttachError::unexpected(&other))),
    }
    // Not before: what the file holds is lost.
    let mut file = target(path)?;
    context
        .terminal
        .tell(&format!("{}: capturing, Ctrl-C ends it", lab.name));
    let enough = async {
        match arguments.lasts {
            Some(time) => tokio::select! {
                () = tokio::time::sleep(time) => {}
                _ = signals.wait() => {}
            },
            None => drop(signals.wait().await),
        }
    };
    let broken = |error, bytes| broken(path, error, bytes);
    let over = replies.over(&engine);
    let written = copy(&mut replies, file.as_mut(), (enough, over), broken).await?;
    context.terminal.tell(&written.said(&lab.name));
    Ok(Exit::Passed)
}

/// The file, or standard output.
fn target(path: Option<&str>) -> Result<Box<dyn Write + Send>, Failure> {
    match path {
        Some(path) => {
            let file = File::create(path)
                .map_err(|e| Failure::step(format!("`{path}` cannot be written"), e))?;
            Ok(Box::new(file))
        }
        None => Ok(Box::new(io::stdout())),
    }
}

/// The file takes no more.
fn broken(path: Option<&str>, error: io::Error, bytes: u64) -> Failure {
    match path {
        Some(path) => {
            let size = table::counted_size(bytes);
            Failure::step(
                format!("`{path}` could not be written any further, after {size}"),
                error,
            )
        }
        None => Failure::Output(error),
    }
}

/// What was written.
struct Written {
    bytes: u64,
    /// Packets in the file, and packets that are missing.
    packets: Option<(u64, u64)>,
}

impl Written {
    fn said(&self, lab: &str) -> String {
        let size = table::counted_size(self.bytes);
        match self.packets {
            None => format!("{lab}: no packet, {size} written"),
            Some((packets, 0)) => format!("{lab}: {packets} packets, {size} written"),
            Some((packets, missing)) => format!(
                "{lab}: {packets} packets, {size} written; {missing} are missing, because writing was too slow"
            ),
        }
    }
}

/// Copies the file until its end, which comes when it has its size, or soon after `enough`; an agent that is `over` before
/// has left it without.
async fn copy(
    replies: &mut Replies,
    file: &mut (dyn Write + Send),
    (enough, over): (impl Future<Output = ()>, impl Future<Output = bool>),
    broken: impl Fn(io::Error, u64) -> Failure,
) -> Result<Written, Failure> {
    let failed = |e: AttachError| Failure::step("the capture broke off", e);
    let (mut enough, mut over) = (std::pin::pin!(enough), std::pin::pin!(over));
    let forever = Duration::from_secs(365 * 86_400);
    let mut end = std::pin::pin!(tokio::time::sleep(forever));
    let (mut bytes, mut tail, mut ending, mut ended) = (0, Vec::new(), false, None);
    loop {
        let piece = tokio::select! {
            piece = replies.bytes() => piece.map_err(failed)?,
            () = &mut enough, if !ending => {
                ending = true;
                end.as_mut().reset(tokio::time::Instant::now() + PATIENCE);
                replies.enough().await;
                continue;
            }
            in_order = &mut over, if ended.is_none() => {
                (ending, ended) = (true, Some(in_order));
                end.as_mut().reset(tokio::time::Instant::now() + UNDER_WAY);
                continue;
            }
            () = &mut end => None,
        };
        let Some(piece) = piece else { break };
        file.write_all(&piece)
            .and_then(|()| file.flush())
            .map_err(|e| broken(e, bytes))?;
        bytes += piece.len() as u64;
        tail.extend_from_slice(&piece);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }
    let packets = summary(&tail);
    let in_order = match (packets, ended) {
        (Some(_), _) => true,
        (None, Some(in_order)) => in_order,
        (None, None) => tokio::time::timeout(UNDER_WAY, over).await.unwrap_or(false),
    };
    match in_order {
        true => Ok(Written { bytes, packets }),
        false => {
            let what = format!("the capture broke off after {}", table::counted_size(bytes));
            Err(Failure::step(what, AttachError::Closed(String::new())))
        }
    }
}
