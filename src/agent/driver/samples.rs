//! What the driver reads of the fabric once in a while: packets that devices dropped, and what links
//! carried.
//!
//! Owns how often. Reading takes a walk over all devices or pairs, so it is done beside the driver and
//! comes back as a [`Message`]; only at the borders of faults the driver waits for what links carried, so
//! that checks know it exactly. What the numbers mean is the core's and the record's to say.

use super::{AgentError, Driver, Message, SIGN_OF_LIFE, sys};
use crate::engine::Engine;
use crate::fabric::LinkCounters;
use crate::id::NodeIndex;
use crate::record::event::What;
use std::sync::Arc;
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
}
