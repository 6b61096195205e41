//! What a node does wrong with the answers it gives to others, because it was told to.
//!
//! Owns which answers are spoilt and how, and those that are held back. Every answer has a number and
//! every misbehaviour draws for it on its own, so none shifts what befalls the answers of another. What
//! an answer should be is [`super::keys`]'s idea.

use super::content::Content;
use super::http::{Answer, Body};
use super::{Action, nanos, stats};
use netlab_protocol::conduct::{How, Misbehaviour};
use netlab_protocol::control::Sample;
use netlab_protocol::draw;
use std::collections::BTreeMap;

/// Purposes of draws; [`super::question`] has the ones below.
const FATE: u64 = 11;
const PROBED: u64 = 12;
const BIT: u64 = 13;

/// What befalls one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    corrupt: bool,
    withhold: bool,
    stale: bool,
    /// Nanoseconds.
    delay: u64,
    number: u64,
}

impl Fate {
    /// Whether it is to be what the last write replaced.
    pub fn is_stale(self) -> bool {
        self.stale
    }
}

/// Why an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody's work is done.
    Work,
    /// Somebody looks how this node answers.
    Probe,
}

/// The conduct of one node.
pub struct Conduct {
    seed: u64,
    node: u64,
    wrong: Vec<Misbehaviour>,
    /// Numbers of the next answers.
    worked: u64,
    probed: u64,
    /// Answers that are held back: when they are due, to whom.
    late: BTreeMap<(u64, u64), Answer>,
    /// Answers to work that were spoilt.
    spoilt: BTreeMap<How, u64>,
}

impl Conduct {
    /// The node does nothing wrong.
    pub fn new(seed: u64, node: &str) -> Conduct {
        Conduct {
            seed,
            node: draw::name(node),
            wrong: Vec::new(),
            worked: 0,
            probed: 0,
            late: BTreeMap::new(),
            spoilt: BTreeMap::new(),
        }
    }

    /// What is to go wrong from now on. Answers that are held back stay so until they are due.
    pub fn change(&mut self, wrong: Vec<Misbehaviour>) {
        self.wrong = wrong;
    }

    /// What befalls the next answer. `replaced`: whether there is something stale to answer with.
    pub fn fate(&mut self, occasion: Occasion, replaced: bool) -> Fate {
        let (purpose, next) = match occasion {
            Occasion::Work => (FATE, &mut self.worked),
            Occasion::Probe => (PROBED, &mut self.probed),
        };
        let number = *next;
        *next += 1;
        let mut fate = Fate {
            number,
            ..Fate::default()
        };
        for (at, wrong) in (0..).zip(&self.wrong) {
            let drawn = draw::unit(self.seed, &[self.node, purpose, at, number]);
            if drawn >= wrong.share {
                continue;
            }
            match wrong.how {
                How::Corrupt => fate.corrupt = true,
                How::Withhold => fate.withhold = true,
                How::Slow => fate.delay = fate.delay.saturating_add(nanos(wrong.delay)),
                How::Stale => fate.stale |= replaced,
            }
        }
        fate
    }

    /// Gives `answer` to request `id` as its fate wants it: at once, later, spoilt, or not at all.
    pub fn give(
        &mut self,
        now: u64,
        id: u64,
        mut answer: Answer,
        (occasion, fate): (Occasion, Fate),
        out: &mut Vec<Action>,
    ) {
        let is_corrupt = fate.corrupt && self.corrupt(&mut answer, fate.number);
        let done = [
            (How::Corrupt, is_corrupt),
            (How::Withhold, fate.withhold),
            (How::Slow, fate.delay > 0),
            (How::Stale, fate.stale),
        ];
        if occasion == Occasion::Work {
            for (how, _) in done.into_iter().filter(|(_, is_done)| *is_done) {
                *self.spoilt.entry(how).or_default() += 1;
            }
        }
        match fate {
            Fate { withhold: true, .. } => {}
            Fate { delay: 0, .. } => out.push(Action::Answer { id, answer }),
            Fate { delay, .. } => drop(self.late.insert((now.saturating_add(delay), id), answer)),
        }
    }

    /// Changes a bit of what is answered, not of the digest of what is meant; false where there is
    /// nothing to change, or nobody could notice.
    fn corrupt(&self, answer: &mut Answer, number: u64) -> bool {
        if answer.digest.is_none() {
            return false;
        }
        let drawn = |n| draw::below(self.seed, &[self.node, BIT, number], n);
        match &mut answer.body {
            Body::Bytes(bytes) if !bytes.is_empty() => {
                let mut spoilt = bytes.to_vec();
                let bit = drawn(spoilt.len() as u64 * 8);
                if let Some(byte) = spoilt.get_mut((bit / 8) as usize) {
                    *byte ^= 1 << (bit % 8);
                }
                *bytes = spoilt.into();
                true
            }
            Body::Bytes(_) => false,
            Body::Generated(content) => {
                *content = Content::new(self.seed, "another", content.bytes);
                content.bytes > 0
            }
        }
    }

    /// Gives the answers that were held back until `now`.
    pub fn advance(&mut self, now: u64, out: &mut Vec<Action>) {
        while let Some(entry) = self.late.first_entry().filter(|e| e.key().0 <= now) {
            let ((_, id), answer) = entry.remove_entry();
            out.push(Action::Answer { id, answer });
        }
    }

    /// Nobody waits for the answer to request `id` any more.
    pub fn leave(&mut self, id: u64) {
        self.late.retain(|(_, other), _| *other != id);
    }

    /// When the next answer is due that is held back.
    pub fn next_timer(&self) -> Option<u64> {
        self.late.first_key_value().map(|((at, _), _)| *at)
    }

    /// Answers to work that were spoilt so far, each once for everything that was wrong with it.
    pub fn spoilt(&self) -> u64 {
        self.spoilt.values().sum()
    }

    /// Appends how many were spoilt, and how.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for (how, count) in &self.spoilt {
            let labels = format!("how={}", how.as_str());
            let metric = "answers_spoilt_total";
            out.push(stats::labelled(metric, labels, *count as f64));
        }
    }
}
