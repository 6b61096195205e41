//! What became of acknowledged writes: a later answer for the same key must speak of a version no older.
//!
//! A node knows only of its own writes, and expects of a request only what was acknowledged before it
//! was asked: what is under way at the same time may come in any order. The version of a key rises with
//! every write and never falls while its store lives, so an older version, or none, is a write that
//! is lost. (Where keys had several holders it could be one that is late: the read is stale either way.)

use super::question::Question;
use super::stats;
use netlab_protocol::control::Sample;
use netlab_protocol::latency::{Op, Outcome};
use std::collections::BTreeMap;

/// Keys whose last write is remembered; the writes of others are not looked at.
const MAX_REMEMBERED: usize = 20_000;

/// The last acknowledged write of a key.
#[derive(Clone, Copy, Debug)]
struct Written {
    version: u64,
    /// Whether a later answer was looked at.
    is_checked: bool,
}

/// Acknowledged writes of one node, and what became of them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By target and key.
    written: BTreeMap<(u32, u32), Written>,
    writes_checked: u64,
    writes_lost: u64,
    reads_checked: u64,
    reads_stale: u64,
}

impl Ledger {
    /// The least version that an answer to this question must speak of, if it is asked now.
    pub fn expected(&self, question: &Question) -> Option<u64> {
        let written = self.written.get(&(question.target, question.key))?;
        Some(written.version)
    }

    /// Takes an answer, of which `expected` was known when it was asked for.
    pub fn answered(
        &mut self,
        question: &Question,
        expected: Option<u64>,
        outcome: Outcome,
        version: Option<u64>,
    ) {
        let is_write = matches!(question.op, Op::Write | Op::LocalWrite);
        let found = match (outcome, version) {
            (Outcome::Ok, Some(version)) => version,
            (Outcome::Missing, _) => 0,
            // A failure, or a server that knows no versions.
            _ => return,
        };
        let mut is_lost = false;
        if let Some(expected) = expected {
            // A write makes a version of its own.
            is_lost = found < expected + u64::from(is_write);
            self.check(question, expected, is_lost, is_write);
        }
        if is_write && outcome == Outcome::Ok {
            self.write(question, found, is_lost);
        }
    }

    fn check(&mut self, question: &Question, expected: u64, is_lost: bool, is_write: bool) {
        if !is_write {
            self.reads_checked += 1;
            self.reads_stale += u64::from(is_lost);
        }
        let key = (question.target, question.key);
        let Some(written) = self.written.get_mut(&key) else {
            return;
        };
        if written.version != expected {
            return;
        }
        if !std::mem::replace(&mut written.is_checked, true) {
            self.writes_checked += 1;
        }
        if is_lost {
            self.writes_lost += 1;
            self.written.remove(&key);
        }
    }

    fn write(&mut self, question: &Question, version: u64, is_anew: bool) {
        let key = (question.target, question.key);
        let before = self.written.get(&key).map(|written| written.version);
        let has_room = before.is_some() || self.written.len() < MAX_REMEMBERED;
        if has_room && (is_anew || before.is_none_or(|before| before < version)) {
            let is_checked = false;
            let written = Written {
                version,
                is_checked,
            };
            self.written.insert(key, written);
        }
    }

    /// Forgets what was written: who is asked, or what for, is another.
    pub fn clear(&mut self) {
        self.written.clear();
    }

    /// Appends what became of them.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for (metric, count) in [
            ("writes_checked_total", self.writes_checked),
            ("writes_lost_total", self.writes_lost),
            ("reads_checked_total", self.reads_checked),
            ("reads_stale_total", self.reads_stale),
        ] {
            out.push(stats::sample(metric, count as f64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(op: Op) -> Question {
        let (target, key) = (0, 7);
        Question { target, key, op }
    }

    /// Checked and lost writes, checked and stale reads.
    fn counts(ledger: &Ledger) -> [u64; 4] {
        let Ledger {
            writes_checked,
            writes_lost,
            reads_checked,
            reads_stale,
            ..
        } = *ledger;
        [writes_checked, writes_lost, reads_checked, reads_stale]
    }

    #[test]
    fn a_write_is_lost_once_and_a_read_is_stale_each_time() {
        let mut ledger = Ledger::default();
        let (read, write) = (question(Op::Read), question(Op::Write));
        ledger.answered(&write, None, Outcome::Ok, Some(5));
        assert_eq!(ledger.expected(&read), Some(5));
        ledger.answered(&read, Some(5), Outcome::Ok, Some(6));
        assert_eq!(counts(&ledger), [1, 0, 1, 0]);
        ledger.answered(&read, Some(5), Outcome::Missing, None);
        ledger.answered(&read, Some(5), Outcome::Ok, Some(4));
        assert_eq!(counts(&ledger), [1, 1, 3, 2]);
        assert_eq!(ledger.expected(&read), None);
    }

    #[test]
    fn a_write_that_begins_anew_shows_that_the_one_before_is_lost() {
        let mut ledger = Ledger::default();
        let write = question(Op::LocalWrite);
        ledger.answered(&write, None, Outcome::Ok, Some(5));
        ledger.answered(&write, Some(5), Outcome::Ok, Some(1));
        assert_eq!(counts(&ledger), [1, 1, 0, 0]);
        assert_eq!(ledger.expected(&write), Some(1));
    }

    /// A request that was asked before a write was acknowledged may miss it, and writes may be
    /// acknowledged in any order; failures and servers without versions say nothing.
    #[test]
    fn what_is_under_way_at_the_same_time_proves_nothing() {
        let mut ledger = Ledger::default();
        let (read, write) = (question(Op::Read), question(Op::Write));
        ledger.answered(&write, None, Outcome::Ok, Some(5));
        ledger.answered(&write, None, Outcome::Ok, Some(4));
        ledger.answered(&read, None, Outcome::Missing, None);
        ledger.answered(&read, Some(5), Outcome::Timeout, None);
        ledger.answered(&read, Some(5), Outcome::Ok, None);
        assert_eq!(counts(&ledger), [0; 4]);
        assert_eq!(ledger.expected(&read), Some(5));
    }
}
