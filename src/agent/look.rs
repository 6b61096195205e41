//! What is asked about links and packets: the state of links, and captures.
//!
//! Owns how names become indices and counters become rows, and the captures under way. Must not
//! change the lab.

use super::core::{Action, Core};
use super::driver::{Driver, Outgoing};
use crate::engine::Engine;
use crate::fabric::capture::{Capture, Filter};
use crate::fabric::{Dropped, Fabric, FabricError, LinkCounters, LinkState, PortCounters};
use crate::id::NodeIndex;
use crate::record::look::{Captured, DroppedPackets, LINKS_PER_REPLY, LinkRow, MetricRow, PortRow};
use crate::record::stream::Reply;
use std::io::{self, Write};
use tokio::sync::mpsc;

/// Captures at once.
const CAPTURES: usize = 8;

/// What a client may ask about links.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Links,
    Metrics,
}

/// What was read for a client, by places in the lab.
pub(super) enum Found {
    Links(Vec<LinkState>, Vec<PortCounters>),
    Counters(Vec<LinkCounters>),
}

impl Wanted {
    pub(super) fn read(self, fabric: &Fabric) -> Result<Found, FabricError> {
        Ok(match self {
            Wanted::Links => Found::Links(fabric.links()?, fabric.port_counters()?),
            Wanted::Metrics => Found::Counters(fabric.counters()?),
        })
    }
}

impl Core {
    /// Captures, or says which name is unknown.
    pub(super) fn asked_to_capture(&mut self, client: u64, of: &Captured, most: u64) {
        let node = |name: &String| self.lab.node(name).ok_or_else(|| name.clone());
        let filter = match of {
            Captured::Lab => Ok(Filter::All),
            Captured::Node(name) => node(name).map(Filter::Node),
            Captured::Between(a, b) => node(a).and_then(|a| node(b).map(|b| Filter::Between(a, b))),
        };
        match filter {
            Ok(Filter::Between(a, b)) if !self.are_neighbours(a, b) => {
                let [a, b] = [a, b].map(|node| &self.lab.nodes[node.at()].name);
                let why = format!(
                    "there is no wire between `{a}` and `{b}`: packets between them cross others; capture one of the two"
                );
                self.reply(client, Reply::Refused { why }, true);
            }
            Ok(filter) => self.act(Action::Capture {
                client,
                filter,
                most,
            }),
            Err(name) => {
                let why = format!("the lab has no node `{name}`");
                self.reply(client, Reply::Refused { why }, true);
            }
        }
    }

    /// Whether there is a link between two nodes.
    fn are_neighbours(&self, a: NodeIndex, b: NodeIndex) -> bool {
        let mut shared = self.lab.shared(a, b);
        shared.any(|network| self.lab.networks[network.at()].wires.has(a, b))
    }

    fn row(&self, state: &LinkState) -> LinkRow {
        let counters = &state.counters;
        let (from, to) = (counters.from, counters.to);
        let network = &self.lab.networks[counters.network.at()];
        let name = |node: NodeIndex| self.lab.nodes[node.at()].name.to_string();
        let micros = |time: Option<std::time::Duration>| time.map(|t| t.as_micros() as u64);
        let now = self.links.folded(&self.lab, (counters.network, from, to));
        LinkRow {
            network: network.name.to_string(),
            from: name(from),
            to: name(to),
            declared: *network.links.get(from, to),
            in_force: now.properties,
            down: now.down,
            packets: counters.packets,
            bytes: counters.bytes,
            dropped: causes(&counters.dropped),
            duplicated: counters.duplicated,
            corrupted: counters.corrupted,
            queue_bytes: counters.queue_bytes,
            under_way: counters.under_way,
            delay_p50_us: micros(state.delays.quantile(0.5)),
            delay_p99_us: micros(state.delays.quantile(0.99)),
            delays_us: state.delays.steps().collect(),
        }
    }
}

impl Core {
    fn port_row(&self, counters: &PortCounters) -> PortRow {
        PortRow {
            node: self.lab.nodes[counters.node.at()].name.to_string(),
            spoofed: counters.spoofed,
            malformed: counters.malformed,
            unroutable: counters.unroutable,
            resolver: counters.resolver,
            resolver_disturbed: counters.resolver_disturbed,
            resolver_dropped: counters.resolver_dropped,
            noise: counters.noise,
            rests: counters.rests,
        }
    }
}

fn causes(dropped: &Dropped) -> DroppedPackets {
    // By name, so that a cause that is new here is not forgotten.
    let Dropped {
        loss,
        down,
        mtu,
        queue,
        no_port,
        device,
        ttl,
    } = *dropped;
    DroppedPackets {
        loss,
        down,
        mtu,
        queue,
        no_port,
        device,
        ttl,
    }
}

impl<E: Engine + 'static> Driver<E> {
    /// Tells a client what links carried.
    pub(super) fn tell_links(&mut self, client: u64, states: &[LinkState], ports: &[PortCounters]) {
        let rows: Vec<LinkRow> = states.iter().map(|state| self.core.row(state)).collect();
        let nodes = ports.iter().map(|port| self.core.port_row(port)).collect();
        let mut parts = rows.chunks(LINKS_PER_REPLY).map(<[LinkRow]>::to_vec);
        let last = parts.next_back().unwrap_or_default();
        for rows in parts {
            let reply = Reply::Links {
                rows,
                nodes: Vec::new(),
                more: true,
            };
            self.reply(client, reply, false);
        }
        let reply = Reply::Links {
            rows: last,
            nodes,
            more: false,
        };
        self.reply(client, reply, true);
    }

    /// Tells a client what every node does, and what the links from it carried.
    pub(super) fn tell_metrics(&mut self, client: u64, counters: &[LinkCounters]) {
        let mut rows = self.core.metric_rows();
        rows.extend(self.link_rows(counters));
        let mut parts = rows.chunks(LINKS_PER_REPLY).peekable();
        while let Some(part) = parts.next() {
            let more = parts.peek().is_some();
            let rows = part.to_vec();
            self.reply(client, Reply::Metrics { rows, more }, !more);
        }
    }

    /// Of each node what links from it carried: a large lab has too many pairs.
    fn link_rows(&self, counters: &[LinkCounters]) -> Vec<MetricRow> {
        let nodes = &self.core.lab.nodes;
        let mut sums = vec![(0, Dropped::default()); nodes.len()];
        for link in counters {
            if let Some((packets, dropped)) = sums.get_mut(link.from.at()) {
                *packets += link.packets;
                dropped.add(&link.dropped);
            }
        }
        let mut rows = Vec::new();
        for (node, (packets, dropped)) in nodes.iter().zip(sums) {
            let row = |metric: &str, labels: String, value: u64| MetricRow {
                node: node.name.to_string(),
                role: node.role().to_owned(),
                metric: metric.to_owned(),
                labels,
                value: value as f64,
            };
            rows.push(row("link_packets_total", String::new(), packets));
            let by_cause = causes(&dropped).by_cause();
            rows.extend(by_cause.map(|(cause, count)| {
                row(
                    "link_dropped_packets_total",
                    format!("cause={cause}"),
                    count,
                )
            }));
        }
        rows
    }

    /// Writes packets to a client until it says no more.
    pub(super) fn capture(
        &mut self,
        client: u64,
        filter: Filter,
        most: u64,
    ) -> Result<(), FabricError> {
        self.captures.retain(|(_, capture)| !capture.is_over());
        if self.captures.len() >= CAPTURES {
            let why = format!("{CAPTURES} captures are under way: end one of them");
            self.reply(client, Reply::Refused { why }, true);
            return Ok(());
        }
        self.reply(client, Reply::Capturing, false);
        // From here on only the capture holds the client: its end is the end of the connection.
        if let Some(client_end) = self.clients.remove(&client) {
            let capture = self.fabric.capture(filter, most, Pipe(client_end))?;
            self.captures.push((client, capture));
        }
        Ok(())
    }

    /// Ends the capture of a client that says no more; what was seen is written before.
    pub(super) fn end_capture(&mut self, client: u64) {
        self.captures.retain(|(whose, _)| *whose != client);
    }
}

/// Captures under way, with the clients they are for.
pub(super) type Captures = Vec<(u64, Capture)>;

/// The way of a capture's bytes to its client. Waits for a slow one: the capture's own bounded queue
/// loses packets then, which the file says.
struct Pipe(mpsc::Sender<Outgoing>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Outgoing::Bytes(bytes.to_vec()));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
