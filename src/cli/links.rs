//! `netlab links`: what every link was declared to do, what it does under the faults in force, and what it
//! did; and what nodes sent that crossed none.

use super::exit::{Exit, Failure};
use super::labs::{self, Seen};
use super::signal::Signals;
use super::table::{self, Format, Looks};
use super::{Context, LabOption};
use crate::engine::docker::Docker;
use crate::link::LinkProperties;
use crate::record::look::{LinkRow, PortRow};
use crate::record::stream::{Reply, Request};
use crate::report::Palette;
use crate::run::attach::{self, AttachError};
use clap::Args;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long the agent may take for each part of its answer.
const ASK: Duration = Duration::from_secs(10);
/// Pause between two looks.
const AGAIN: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  netlab links                     links that carried or dropped something, since the lab is up
  netlab links --watch client-1    those of one node, every second
  netlab links --format csv
  netlab links --nodes             what nodes sent that crossed no link: spoofed, malformed, unroutable";

/// Arguments of `netlab links`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Only links from or to these nodes
    nodes: Vec<String>,
    /// Look again every second: rates, delays and losses are those of the time since the last look. In json and
    /// csv each row is a line with its time, and counts go on from the start
    #[arg(short, long)]
    watch: bool,
    /// What each node sent that crossed no link, instead of links; in a table of links those who sent
    /// something odd stand below it
    #[arg(long = "nodes")]
    of_nodes: bool,
    /// How the list is printed: table, json or csv
    #[arg(long, default_value = "table", hide_possible_values = true)]
    format: Format,
    #[command(flatten)]
    lab: LabOption,
}

/// Prints the list, once or again and again.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    for name in &arguments.nodes {
        lab.end(name)?;
    }
    let mut signals = Signals::listen()?;
    let mut before = Before::default();
    let mut looks = Looks::default();
    loop {
        let (rows, ports) = links(&engine, &lab, &arguments.nodes).await?;
        let palette = context.terminal.out;
        let format = arguments.format;
        let lines = arguments.watch && format != Format::Table;
        let text = match arguments.of_nodes {
            true if lines => looks.lines(format, &ports),
            false if lines => looks.lines(format, &rows),
            true => of_nodes(&ports, format, palette),
            false => render(&rows, &before, arguments, context) + &odd(&ports, arguments, palette),
        };
        if !arguments.watch {
            context.terminal.print(&text)?;
            return Ok(Exit::Passed);
        }
        context.terminal.show(&text)?;
        before = Before::of(rows);
        tokio::select! {
            signal = signals.wait() => return Ok(signal.exit()),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Asks the agent for all rows that are wanted.
async fn links(
    engine: &Docker,
    lab: &Seen,
    wanted: &[String],
) -> Result<(Vec<LinkRow>, Vec<PortRow>), Failure> {
    let failed = |e: AttachError| Failure::step("the agent did not say what links carried", e);
    let agent = lab.answering_agent()?;
    let open = attach::open(engine, &agent.id, &Request::Links);
    let mut replies = open.await.map_err(failed)?;
    let mut all = Vec::new();
    let mut ports = loop {
        match replies.next(ASK).await.map_err(failed)? {
            Reply::Links { rows, nodes, more } => {
                all.extend(rows);
                if !more {
                    break nodes;
                }
            }
            Reply::Refused { why } => return Err(Failure::usage(why, "")),
            other => return Err(failed(AttachError::unexpected(&other))),
        }
    };
    let is_wanted = |name: &String| wanted.is_empty() || wanted.contains(name);
    all.retain(|row: &LinkRow| is_wanted(&row.from) || is_wanted(&row.to));
    ports.retain(|row| is_wanted(&row.node));
    Ok((all, ports))
}

/// The rows of the last look, by link.
#[derive(Default)]
struct Before {
    at: Option<Instant>,
    rows: HashMap<[String; 3], LinkRow>,
}

impl Before {
    fn of(rows: Vec<LinkRow>) -> Before {
        Before {
            at: Some(Instant::now()),
            rows: rows.into_iter().map(|row| (link(&row), row)).collect(),
        }
    }

    /// What happened on a link since then; everything when nothing was seen before.
    fn since(&self, row: &LinkRow) -> LinkRow {
        let before = self.rows.get(&link(row));
        before.map_or_else(|| row.clone(), |before| row.since(before))
    }

    /// Packets and bits per second of what happened since then.
    fn rate(&self, since: &LinkRow) -> Option<(f64, f64)> {
        let seconds = self.at?.elapsed().as_secs_f64();
        let (packets, bits) = (since.packets as f64, since.bytes as f64 * 8.0);
        Some((packets / seconds, bits / seconds))
    }
}

fn link(row: &LinkRow) -> [String; 3] {
    [&row.network, &row.from, &row.to].map(String::clone)
}

fn render(rows: &[LinkRow], before: &Before, arguments: &Arguments, context: &Context) -> String {
    if rows.is_empty() && arguments.format == Format::Table {
        return "no packet has crossed a link yet\n".to_owned();
    }
    let watched = before.at.is_some();
    let any = |said: fn(&LinkRow) -> bool| rows.iter().any(said);
    let several = rows.iter().any(|row| row.network != rows[0].network);
    let changed = any(|row| in_force(row).is_some());
    let copied = any(|row| row.duplicated > 0);
    let corrupted = any(|row| row.corrupted > 0);
    let head = |is: bool, head: &'static str| is.then_some(head);
    let heads: Vec<&str> = [
        Some("LINK"),
        Some("DECLARED"),
        head(changed, "IN FORCE"),
        Some("PACKETS"),
        Some("SIZE"),
        head(watched, "PACKETS/S"),
        head(watched, "MBIT/S"),
        Some("P50"),
        Some("P99"),
        Some("LOST"),
        head(copied, "COPIED"),
        head(corrupted, "CORRUPTED"),
        Some("QUEUE"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let cells = |row: &LinkRow| {
        let since = before.since(row);
        let (packets, bits) = before.rate(&since).unwrap_or_default();
        let network = match several {
            true => format!(" ({})", row.network),
            false => String::new(),
        };
        let cell = |is: bool, text: String| is.then_some(text);
        let cells = [
            Some(format!("{} → {}{network}", row.from, row.to)),
            Some(dash(properties(&row.declared))),
            cell(changed, dash(in_force(row).unwrap_or_default())),
            Some(row.packets.to_string()),
            Some(table::counted_size(row.bytes)),
            cell(watched, format!("{packets:.0}")),
            cell(watched, format!("{:.3}", bits / 1e6)),
            Some(delay(since.delay_p50_us)),
            Some(delay(since.delay_p99_us)),
            Some(lost(&since)),
            cell(copied, count(since.duplicated)),
            cell(corrupted, count(since.corrupted)),
            Some(match row.queue_bytes {
                0 => "–".to_owned(),
                bytes => table::counted_size(bytes),
            }),
        ];
        cells.into_iter().flatten().collect()
    };
    table::list(arguments.format, rows, &heads, cells, context.terminal.out)
}

fn count(number: u64) -> String {
    match number {
        0 => "–".to_owned(),
        number => number.to_string(),
    }
}

fn dash(text: String) -> String {
    match text.is_empty() {
        true => "–".to_owned(),
        false => text,
    }
}

/// What holds now, in the words of the topology; none: what is declared.
fn in_force(row: &LinkRow) -> Option<String> {
    match row.in_force == row.declared {
        _ if row.down => Some("down".to_owned()),
        true => None,
        false => Some(match properties(&row.in_force) {
            nothing if nothing.is_empty() => "nothing".to_owned(),
            said => said,
        }),
    }
}

/// What each node sent that crossed no link.
fn of_nodes(ports: &[PortRow], format: Format, palette: Palette) -> String {
    let heads = [
        "NODE",
        "SPOOFED",
        "MALFORMED",
        "UNROUTABLE",
        "QUERIES",
        "DISTURBED",
        "LATE ANSWERS LOST",
        "NOISE",
        "RESTS",
    ];
    let cells = |row: &PortRow| {
        let numbers = [
            row.spoofed,
            row.malformed,
            row.unroutable,
            row.resolver,
            row.resolver_disturbed,
            row.resolver_dropped,
            row.noise,
            row.rests,
        ];
        std::iter::once(row.node.clone())
            .chain(numbers.map(count))
            .collect()
    };
    table::list(format, ports, &heads, cells, palette)
}

/// Below a table of links: the nodes that sent what nobody takes.
fn odd(ports: &[PortRow], arguments: &Arguments, palette: Palette) -> String {
    let is_odd = |row: &&PortRow| row.spoofed + row.malformed + row.unroutable > 0;
    let odd: Vec<PortRow> = ports.iter().filter(is_odd).cloned().collect();
    match arguments.format {
        Format::Table if !odd.is_empty() => format!("\n{}", of_nodes(&odd, Format::Table, palette)),
        _ => String::new(),
    }
}

/// Properties as the file writes them, without those that do nothing.
fn properties(link: &LinkProperties) -> String {
    let mut said = Vec::new();
    if link.down {
        said.push("down".to_owned());
    }
    if !link.delay.is_zero() || !link.jitter.is_zero() {
        let jitter = match link.jitter.is_zero() {
            true => String::new(),
            false => format!(" ±{:?}", link.jitter),
        };
        said.push(format!("{:?}{jitter}", link.delay));
    }
    let bursts = link.loss_bursts.map_or(0.0, |bursts| bursts.share());
    let every = if link.loss_every > 0 {
        1.0 / f64::from(link.loss_every)
    } else {
        0.0
    };
    let kept = (1.0 - link.loss.0) * (1.0 - bursts) * (1.0 - every);
    for (share, what) in [
        (1.0 - kept, "loss"),
        (link.corrupt.0, "corrupt"),
        (link.duplicate.0, "duplicate"),
        (
            link.reorder.map_or(0.0, |reorder| reorder.share.0),
            "reorder",
        ),
    ] {
        if share > 0.0 {
            said.push(format!("{} {what}", percent(share)));
        }
    }
    said.extend(link.rate.map(|rate| rate.to_string()));
    said.extend(link.trace.map(|_| "trace".to_owned()));
    said.extend(link.mtu.map(|mtu| format!("mtu {}", mtu.bytes)));
    said.join(", ")
}

/// At most three digits that say something.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent >= 10.0 {
        1
    } else if percent >= 1.0 {
        2
    } else {
        3
    };
    let text = format!("{percent:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}

fn delay(us: Option<u64>) -> String {
    us.map_or_else(|| "–".to_owned(), |us| format!("{:.3} ms", us as f64 / 1e3))
}

/// Share of the packets that were dropped, with the causes.
fn lost(row: &LinkRow) -> String {
    let total = row.dropped.total();
    if total == 0 {
        return "–".to_owned();
    }
    let causes = row.dropped.by_cause().into_iter().filter(|(_, n)| *n > 0);
    let causes: Vec<String> = causes.map(|(cause, n)| format!("{n} {cause}")).collect();
    let share = total as f64 / (row.packets + total) as f64;
    format!("{} ({})", percent(share), causes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::GilbertElliott;
    use crate::units::{BitRate, Ratio};

    #[test]
    fn every_cause_is_named() {
        let dropped = serde_json::json!({
            "loss": 1, "down": 2, "mtu": 3, "queue": 4, "no_port": 5, "device": 6, "ttl": 7
        });
        let mut row = LinkRow {
            packets: 28,
            bytes: 2800,
            dropped: serde_json::from_value(dropped).unwrap(),
            ..LinkRow::unused()
        };
        let said = "50% (1 loss, 2 down, 3 mtu, 4 queue, 5 no_port, 6 device, 7 ttl)";
        assert_eq!(lost(&row), said);
        row.dropped = crate::record::look::DroppedPackets::default();
        assert_eq!(lost(&row), "–");
        assert_eq!(in_force(&row), None);
        row.in_force.delay = Duration::from_millis(40);
        assert_eq!(in_force(&row).as_deref(), Some("40ms"));
        (row.declared, row.in_force) = (row.in_force, row.declared);
        assert_eq!(in_force(&row).as_deref(), Some("nothing"));
        row.down = true;
        assert_eq!(in_force(&row).as_deref(), Some("down"));
    }

    #[test]
    fn properties_are_said_in_short() {
        let link = LinkProperties {
            delay: Duration::from_millis(5),
            jitter: Duration::from_micros(500),
            loss: Ratio(0.001),
            rate: Some(BitRate(10_000_000)),
            ..LinkProperties::default()
        };
        assert_eq!(properties(&link), "5ms ±500µs, 0.1% loss, 10mbit");
        assert_eq!(properties(&LinkProperties::default()), "");
        let bursts = GilbertElliott {
            p: Ratio(0.01),
            r: Ratio(0.09),
            bad: Ratio(1.0),
            good: Ratio(0.0),
        };
        let bursty = LinkProperties {
            loss_bursts: Some(bursts),
            ..LinkProperties::default()
        };
        assert_eq!(properties(&bursty), "10% loss");
    }
}
