//! What became of acknowledged writes: a later answer for the same key must speak of a version no older.
//!
//! A node knows only of its own writes, and expects of a request only what was acknowledged before it
//! was asked: what is under way at the same time may come in any order. A read with less than that is
//! stale, but that alone is no lost write: who answers may lie, or be late. The version of a key rises by
//! one with every write and never falls while its store lives. So a write is lost once no version
//! is known of its key, one older than that which it replaced, or a write begins anew. Where a read
//! speaks of just what it replaced, it is in doubt until the next answer: what is still in doubt when
//! faults have healed is lost as well, which is for who reads the samples to say.

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
    /// Whether the last one spoke of what it had replaced.
    is_doubted: bool,
}

/// Acknowledged writes of one node, and what became of them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By target and key.
    written: BTreeMap<(u32, u32), Written>,
    writes_checked: u64,
    writes_lost: u64,
    writes_doubted: u64,
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
        let mut is_anew = false;
        if let Some(expected) = expected {
            // A write makes a version of its own.
            let is_older = found < expected + u64::from(is_write);
            if !is_write {
                self.reads_checked += 1;
                self.reads_stale += u64::from(is_older);
            }
            let is_doubted = is_older && !is_write && found > 0 && found + 1 == expected;
            is_anew = is_older && is_write;
            self.check(question, expected, is_older && !is_doubted, is_doubted);
        }
        if is_write && outcome == Outcome::Ok {
            self.write(question, found, is_anew);
        }
    }

    fn check(&mut self, question: &Question, expected: u64, is_lost: bool, is_doubted: bool) {
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
        self.writes_doubted -= u64::from(written.is_doubted);
        self.writes_doubted += u64::from(is_doubted);
        written.is_doubted = is_doubted;
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
            let written = Written {
                version,
                is_checked: false,
                is_doubted: false,
            };
            let before = self.written.insert(key, written);
            let was_doubted = before.is_some_and(|before| before.is_doubted);
            self.writes_doubted -= u64::from(was_doubted);
        }
    }

    /// Forgets what was written: who is asked, or what for, is another.
    pub fn clear(&mut self) {
        self.written.clear();
        self.writes_doubted = 0;
    }

    /// Appends what became of them.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for (metric, count) in [
            ("writes_checked_total", self.writes_checked),
            ("writes_lost_total", self.writes_lost),
            ("writes_doubted", self.writes_doubted),
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

    /// What answers with what the last write replaced is stale; whether the write is lost, too, the next
    /// answer says.
    #[test]
    fn a_stale_read_is_no_lost_write() {
        let mut ledger = Ledger::default();
        let (read, write) = (question(Op::Read), question(Op::Write));
        ledger.answered(&write, None, Outcome::Ok, Some(5));
        for _ in 0..2 {
            ledger.answered(&read, Some(5), Outcome::Ok, Some(4));
        }
        assert_eq!((counts(&ledger), ledger.writes_doubted), ([1, 0, 2, 2], 1));
        ledger.answered(&read, Some(5), Outcome::Ok, Some(5));
        assert_eq!((counts(&ledger), ledger.writes_doubted), ([1, 0, 3, 2], 0));

        ledger.answered(&read, Some(5), Outcome::Ok, Some(4));
        ledger.answered(&write, Some(5), Outcome::Ok, Some(6));
        assert_eq!((counts(&ledger), ledger.writes_doubted), ([1, 0, 4, 3], 0));

        // The store began anew, and others had written just so often.
        ledger.answered(&read, Some(6), Outcome::Ok, Some(5));
        ledger.answered(&write, Some(6), Outcome::Ok, Some(6));
        assert_eq!((counts(&ledger), ledger.writes_doubted), ([2, 1, 5, 4], 0));
        assert_eq!(ledger.expected(&read), Some(6));
        ledger.answered(&read, Some(6), Outcome::Ok, Some(4));
        assert_eq!(counts(&ledger), [3, 2, 6, 5]);
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
