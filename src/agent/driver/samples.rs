//! What the driver reads of the fabric once in a while: packets that devices dropped, and what links
//! carried, for the record and for who asks.
//!
//! Owns how often. Reading takes a walk over all devices or pairs, so it is done beside the driver and
//! comes back as a [`Message`]; only at the borders of faults the driver waits for what links carried, so
//! that checks know it exactly. What the numbers mean is the core's and the record's to say.

use super::{AgentError, Driver, Message, SIGN_OF_LIFE, sys};
use crate::agent::cgroup::usage;
use crate::agent::look::{Found, Wanted};
use crate::agent::machine::sample;
use crate::agent::measured::Measured;
use crate::agent::sampler::Tick;
use crate::engine::Engine;
use crate::fabric::{Fabric, FabricError, LagSnapshot, LinkCounters};
use crate::id::NodeIndex;
use crate::record::event::What;
use netlab_protocol::control::Sample;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

/// Pairs of nodes whose counters are read per second at most, so that a large lab's samples stay cheap.
const PAIRS_PER_SECOND: u64 = 10_000;

impl<E: Engine + 'static> Driver<E> {
    /// Takes what devices dropped since each was wired; all of it since the agent's start.
    pub(super) fn add_drops(&mut self, drops: &[(NodeIndex, u64)]) -> u64 {
        for &(node, total) in drops {
            let port = &mut self.ports[node.at()];
            self.drops += total.saturating_sub(port.drops);
            port.drops = total;
        }
        self.drops
    }

    /// Reads what devices dropped.
    pub(super) fn sample_drops(&self) {
        let (fabric, inbox) = (Arc::clone(&self.fabric), self.sender.clone());
        let epoch = self.moves.epoch();
        spawn_blocking(move || {
            if let Ok(drops) = fabric.undeclared_drops() {
                let _ = inbox.blocking_send(Message::Drops(epoch, drops)); // the agent may be ending
            }
        });
    }

    /// Whether counters of links are read before anything else changes: something begins or ends, and the
    /// lab is small enough.
    pub(super) fn is_border(&self, what: &What) -> bool {
        let border = matches!(
            what,
            What::WarmupEnded
                | What::FaultBegan { .. }
                | What::HealStarted { .. }
                | What::FaultHealed { .. }
        );
        let nodes = self.core.lab.nodes.len() as u64;
        border && nodes * nodes <= PAIRS_PER_SECOND && self.recorder.is_open()
    }

    /// Reads what links carried now, once for all events since the last change of the network.
    pub(super) fn look_at_border(&mut self) -> Result<(), AgentError> {
        if !std::mem::take(&mut self.at_border) {
            return Ok(());
        }
        let at = sys::now();
        let counters = self.fabric.counters()?;
        self.keep_links(at, &counters, true)
    }

    /// Records what links carried until `at`, and lets checks know that may end the run.
    pub(super) fn keep_links(
        &mut self,
        at: u64,
        counters: &[LinkCounters],
        border: bool,
    ) -> Result<(), AgentError> {
        let rows = self.recorder.links(at, counters, &self.core.lab, border)?;
        self.core.watched.keep_links(&self.core.lab, &rows);
        Ok(())
    }

    /// Measures containers and fabric, unless the measurement before is not over: then this one is
    /// missing.
    pub(super) fn measure(&mut self, tick: Tick) {
        if std::mem::replace(&mut self.measuring, true) {
            return;
        }
        let Tick { at, mut samples } = tick;
        let waited = sys::now().saturating_sub(at);
        samples.push(sample("agent_lag_seconds", waited as f64 / 1e9));
        let pids: Vec<(NodeIndex, i32)> = self.pids().collect();
        let (fabric, lag) = (Arc::clone(&self.fabric), Arc::clone(&self.lag));
        let publisher = Arc::clone(&self.publisher);
        let (inbox, epoch) = (self.sender.clone(), self.moves.epoch());
        spawn_blocking(move || {
            samples.extend(fabric_lag(&fabric, &lag));
            // Held for this alone: ports may be opened while containers are measured.
            let dropped = {
                let publisher = publisher.lock().unwrap_or_else(PoisonError::into_inner);
                publisher.flows_dropped()
            };
            samples.extend(dropped.map(|all| sample("udp_flows_dropped_total", all as f64)));
            let nodes = pids.into_iter().map(|(node, pid)| (node, usage(pid)));
            let measured = Measured {
                at,
                host: samples,
                nodes: nodes.collect(),
            };
            let _ = inbox.blocking_send(Message::Measured(epoch, measured)); // the agent may be ending
        });
    }

    /// First processes of the containers that have not ended.
    fn pids(&self) -> impl Iterator<Item = (NodeIndex, i32)> + '_ {
        let members = self.core.state.members.iter().zip(&self.ports).zip(0..);
        let live = members.filter(|((member, port), _)| member.port.is_some() && port.pid > 0);
        live.map(|((_, port), at)| (NodeIndex(at), port.pid))
    }

    /// Reads what links carried, more seldom in large labs: a sample is a walk over all pairs.
    pub(super) fn sample_links(&mut self, now: u64) {
        let nodes = self.core.lab.nodes.len() as u64;
        let seconds = (nodes * nodes).div_ceil(PAIRS_PER_SECOND).max(1);
        if now < self.links_sampled + seconds * SIGN_OF_LIFE || !self.recorder.is_open() {
            return;
        }
        self.links_sampled = now;
        let (fabric, inbox) = (Arc::clone(&self.fabric), self.sender.clone());
        let epoch = self.moves.epoch();
        spawn_blocking(move || {
            let at = sys::now();
            if let Ok(counters) = fabric.counters() {
                let _ = inbox.blocking_send(Message::Links(epoch, at, counters)); // the agent may be ending
            }
        });
    }

    /// Reads something for a client beside the driver, as a large lab's links take a while; it comes back
    /// as [`Message::Found`].
    pub(super) fn read_for(&self, client: u64, what: Wanted) {
        let (fabric, inbox) = (Arc::clone(&self.fabric), self.sender.clone());
        let epoch = self.moves.epoch();
        spawn_blocking(move || {
            let found = what.read(&fabric);
            let _ = inbox.blocking_send(Message::Found(epoch, client, what, found)); // the agent may be ending
        });
    }

    /// Tells a client what was read for it, or reads it again, if the lab is another one since.
    pub(super) fn tell_found(
        &mut self,
        epoch: u32,
        client: u64,
        what: Wanted,
        found: Result<Found, FabricError>,
    ) -> Result<(), FabricError> {
        if epoch != self.moves.epoch() {
            self.read_for(client, what);
            return Ok(());
        }
        match found? {
            Found::Links(states, ports) => self.tell_links(client, &states, &ports),
            Found::Counters(counters) => self.tell_metrics(client, &counters),
        }
        Ok(())
    }
}

/// How late packets left since the last call; nothing where none left.
fn fabric_lag(fabric: &Fabric, before: &Mutex<LagSnapshot>) -> Vec<Sample> {
    let Ok(now) = fabric.lag() else {
        return Vec::new();
    };
    let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
    let since = now.since(&before);
    *before = now;
    let quantile = |(share, label): (f64, &str)| {
        Some(Sample {
            labels: format!("quantile={label}"),
            ..sample("fabric_lag_seconds", since.quantile(share)?.as_secs_f64())
        })
    };
    let quantiles = [(0.5, "0.5"), (0.99, "0.99"), (1.0, "1")];
    quantiles.into_iter().filter_map(quantile).collect()
}
