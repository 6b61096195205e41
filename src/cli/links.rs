//! `netlab links`: what every link was declared to do, and what it did.

use super::exit::{Exit, Failure};
use super::labs::{self, Seen};
use super::signal::Signals;
use super::table::{self, Format};
use super::{Context, LabOption, screen};
use crate::engine::docker::Docker;
use crate::link::LinkProperties;
use crate::record::look::LinkRow;
use crate::record::stream::{Reply, Request};
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
  netlab links --format csv";

/// Arguments of `netlab links`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Only links from or to these nodes
    nodes: Vec<String>,
    /// Look again every second, with what went over each link meanwhile
    #[arg(short, long)]
    watch: bool,
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
    loop {
        let rows = links(&engine, &lab, &arguments.nodes).await?;
        let text = render(&rows, &before, arguments, context);
        if !arguments.watch {
            context.terminal.print(&text)?;
            return Ok(Exit::Passed);
        }
        match context.terminal.live {
            true => screen::draw(context.terminal.fit(&text)),
            false => context.terminal.print(&text)?,
        }
        before = Before::of(&rows);
        tokio::select! {
            signal = signals.wait() => return Ok(signal.exit()),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Asks the agent for all rows that are wanted.
async fn links(engine: &Docker, lab: &Seen, nodes: &[String]) -> Result<Vec<LinkRow>, Failure> {
    let failed = |e: AttachError| Failure::step("the agent did not say what links carried", e);
    let agent = lab.answering_agent()?;
    let open = attach::open(engine, &agent.id, &Request::Links);
    let mut replies = open.await.map_err(failed)?;
    let mut all = Vec::new();
    loop {
        match replies.next(ASK).await.map_err(failed)? {
            Reply::Links { rows, more } => {
                all.extend(rows);
                if !more {
                    break;
                }
            }
            Reply::Refused { why } => return Err(Failure::usage(why, "")),
            other => return Err(failed(AttachError::unexpected(&other))),
        }
    }
    let wanted = |row: &LinkRow| {
        nodes.is_empty()
            || nodes
                .iter()
                .any(|name| [&row.from, &row.to].contains(&name))
    };
    all.retain(wanted);
    Ok(all)
}

/// Packets and bytes of the last look, by link.
#[derive(Default)]
struct Before {
    at: Option<Instant>,
    counts: HashMap<[String; 3], (u64, u64)>,
}

impl Before {
    fn of(rows: &[LinkRow]) -> Before {
        let count = |row: &LinkRow| {
            let link = [&row.network, &row.from, &row.to].map(String::clone);
            (link, (row.packets, row.bytes))
        };
        Before {
            at: Some(Instant::now()),
            counts: rows.iter().map(count).collect(),
        }
    }

    /// Packets and bits per second since then.
    fn rate(&self, row: &LinkRow) -> Option<(f64, f64)> {
        let seconds = self.at?.elapsed().as_secs_f64();
        let link = [&row.network, &row.from, &row.to].map(String::clone);
        let (packets, bytes) = self.counts.get(&link).copied().unwrap_or_default();
        // The agent that was restarted counts from zero.
        let packets = row.packets.saturating_sub(packets) as f64;
        let bits = row.bytes.saturating_sub(bytes) as f64 * 8.0;
        Some((packets / seconds, bits / seconds))
    }
}

fn render(rows: &[LinkRow], before: &Before, arguments: &Arguments, context: &Context) -> String {
    if rows.is_empty() && arguments.format == Format::Table {
        return "no packet has crossed a link yet\n".to_owned();
    }
    let watched = before.at.is_some();
    let several = rows.iter().any(|row| row.network != rows[0].network);
    let network = |row: &LinkRow| match several {
        true => format!(" ({})", row.network),
        false => String::new(),
    };
    let mut heads = vec!["LINK", "DECLARED", "PACKETS", "SIZE"];
    if watched {
        heads.extend(["PACKETS/S", "MBIT/S"]);
    }
    heads.extend(["P50", "P99", "LOST", "QUEUE"]);
    let cells = |row: &LinkRow| {
        let mut cells = vec![
            format!("{} → {}{}", row.from, row.to, network(row)),
            declared(row),
            row.packets.to_string(),
            table::size(i64::try_from(row.bytes).unwrap_or(i64::MAX)),
        ];
        if watched {
            let (packets, bits) = before.rate(row).unwrap_or_default();
            cells.extend([format!("{packets:.0}"), format!("{:.3}", bits / 1e6)]);
        }
        cells.extend([delay(row.delay_p50_us), delay(row.delay_p99_us), lost(row)]);
        cells.push(match row.queue_bytes {
            0 => "–".to_owned(),
            bytes => table::size(i64::try_from(bytes).unwrap_or(i64::MAX)),
        });
        cells
    };
    table::list(arguments.format, rows, &heads, cells, context.terminal.out)
}

/// What the topology says of a link, in its own words.
fn declared(row: &LinkRow) -> String {
    let said = properties(&row.declared);
    match (row.down, said.is_empty()) {
        (true, _) => "down now".to_owned(),
        (false, true) => "–".to_owned(),
        (false, false) => said,
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
            network: "lab".to_owned(),
            from: "a".to_owned(),
            to: "b".to_owned(),
            declared: LinkProperties::default(),
            down: false,
            packets: 28,
            bytes: 2800,
            dropped: serde_json::from_value(dropped).unwrap(),
            duplicated: 0,
            corrupted: 0,
            queue_bytes: 0,
            under_way: 0,
            delay_p50_us: None,
            delay_p99_us: None,
        };
        let said = "50% (1 loss, 2 down, 3 mtu, 4 queue, 5 no_port, 6 device, 7 ttl)";
        assert_eq!(lost(&row), said);
        row.dropped = crate::record::look::DroppedPackets::default();
        assert_eq!(lost(&row), "–");
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
