//! What packets to the resolver get: answers, now or later, or none.
//!
//! Owns how each node is answered, and the answers that wait. Must not know what a name stands for.
//!
//! Late answers are bounded for all nodes together, and one node gets no more places than it leaves
//! free, as links do ([`super::super::frame::Schedule::admits`]): who asks in a loop takes half of
//! them and nothing from the others. An answer is made when the query comes, and keeps its words and
//! its time whatever changes meanwhile; it goes with the device of the node that asked.

use super::super::config::{Answers, FabricError, ResolverChange, ResolverManner};
use super::super::map::PortIndex;
use super::super::packet::{self, Header, Unreachable};
use super::{Outcome, Switch};
use crate::id::NodeIndex;
use std::collections::BTreeMap;

/// DNS.
const DOMAIN: u16 = 53;
/// Answers that wait, of all nodes together.
pub(super) const WAITING: usize = 8192;

/// Answers that wait for their time: a packet and the port to which it goes.
#[derive(Default)]
pub(super) struct Late {
    /// By the time they are due, then as they came.
    answers: BTreeMap<(u64, u64), (PortIndex, Vec<u8>)>,
    came: u64,
}

impl Late {
    fn next_due(&self) -> Option<u64> {
        self.answers.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes out those whose port is not kept, and gives all others the number that `keep` says.
    fn sift(&mut self, keep: impl Fn(PortIndex) -> Option<PortIndex>) -> Vec<PortIndex> {
        let mut gone = Vec::new();
        self.answers.retain(|_, (port, _)| match keep(*port) {
            Some(now) => {
                *port = now;
                true
            }
            None => {
                gone.push(*port);
                false
            }
        });
        gone
    }
}

impl Switch {
    /// Applies a whole set of changes, or, when one names an unknown node, none.
    pub(in super::super) fn change_resolver(
        &mut self,
        changes: &[ResolverChange],
    ) -> Result<(), FabricError> {
        for change in changes {
            self.map.check(change.node)?;
        }
        for change in changes {
            self.nodes[change.node.at()].manner = change.manner;
        }
        Ok(())
    }

    /// What the resolver says to a packet sent to it, if it says it now.
    pub(super) fn resolve(
        &mut self,
        from: PortIndex,
        packet: &[u8],
        header: &Header,
        now: u64,
    ) -> Outcome {
        let node = self.map.of(from).node;
        if let Some(reply) = packet::echo_reply(packet, header) {
            return Outcome::Reply(reply);
        }
        let port = |at| packet::be16(packet, header.payload + at);
        if header.protocol != packet::UDP || header.later_fragment || port(2) != DOMAIN {
            if self.nodes[node.at()].icmp.pass(now, 1).is_none() {
                return Outcome::Done;
            }
            let by = self.map.resolver(from);
            let refused = packet::unreachable(packet, header, by, Unreachable::Port);
            return refused.map_or(Outcome::Done, Outcome::Reply);
        }
        let manner = self.nodes[node.at()].manner;
        let disturbed = manner != ResolverManner::default();
        self.nodes[node.at()].counters.resolver_disturbed += u64::from(disturbed);
        let Some(answer) = self.answer(node, packet, header, manner.answers) else {
            return Outcome::Done;
        };
        if manner.delay.is_zero() {
            return Outcome::Reply(answer);
        }
        let delay = u64::try_from(manner.delay.as_nanos()).unwrap_or(u64::MAX);
        self.answer_later(from, answer, now.saturating_add(delay));
        Outcome::Done
    }

    /// The packet that answers a query.
    fn answer(
        &mut self,
        node: NodeIndex,
        packet: &[u8],
        header: &Header,
        answers: Answers,
    ) -> Option<Vec<u8>> {
        let query = packet.get(header.payload + 8..)?;
        self.queries += 1;
        let near = |network| self.map.is_in(node, network);
        let reply = self.resolver.answer(query, self.queries, near, answers)?;
        let asker = (header.source, packet::be16(packet, header.payload));
        packet::udp((header.target, DOMAIN), asker, &reply)
    }

    fn answer_later(&mut self, to: PortIndex, answer: Vec<u8>, due: u64) {
        let node = self.map.of(to).node.at();
        let free = WAITING - self.late.answers.len().min(WAITING);
        if self.nodes[node].late >= free {
            self.nodes[node].counters.resolver_dropped += 1;
            return;
        }
        self.nodes[node].late += 1;
        self.late.came += 1;
        self.late
            .answers
            .insert((due, self.late.came), (to, answer));
    }

    /// When the next late answer is due.
    pub(super) fn next_answer_due(&self) -> Option<u64> {
        self.late.next_due()
    }

    /// The next late answer that is due at `now`, and the port to whose device it is to be written.
    pub(in super::super) fn late_answer(&mut self, now: u64) -> Option<(PortIndex, Vec<u8>)> {
        if self.late.next_due()? > now {
            return None;
        }
        let (_, (port, answer)) = self.late.answers.pop_first()?;
        self.nodes[self.map.of(port).node.at()].late -= 1;
        Some((port, answer))
    }

    /// Drops late answers of the ports that `keep` does not keep, and renumbers the others.
    pub(super) fn sift_answers(&mut self, keep: impl Fn(PortIndex) -> Option<PortIndex>) {
        for port in self.late.sift(keep) {
            let node = &mut self.nodes[self.map.of(port).node.at()];
            node.late -= 1;
            node.counters.resolver_dropped += 1;
        }
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
