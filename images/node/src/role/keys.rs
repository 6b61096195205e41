//! The key and file service that servers and peers offer: declared capacity before a store.
//!
//! Work takes effect when its worker is done with it; where keys are logged, when the change is in the
//! log: what cannot be kept did not happen. `W` says who asked.

use super::conduct::{Conduct, Fate, Occasion};
use super::content::Content;
use super::http::{Answer, Body};
use super::route::Operation;
use super::service::Service;
use super::store::{Record, Store};
use super::{Action, stats};
use bytes::Bytes;
use netlab_protocol::conduct::{self, Misbehaviour, PROBE_VALUES};
use netlab_protocol::control::Sample;
use netlab_protocol::role::{Data, File};
use std::collections::{BTreeMap, VecDeque};

/// Most names in the answer to `GET /keys`.
const LISTED: usize = 1_000;
/// Files up to this size carry a digest; a larger one would hold the node up too long at its start.
const DIGESTED: u64 = 8 << 20;
/// Bytes of a file that are looked at at once.
const CHUNK: usize = 64 << 10;

/// Somebody who asks for work.
pub trait Asker {
    /// Whether the answer goes to another node.
    fn is_other(&self) -> bool;
}

/// A key and file service.
pub struct Keys<W> {
    service: Service<(W, Operation)>,
    store: Store,
    is_logged: bool,
    files: BTreeMap<String, (Content, Option<u64>)>,
    conduct: Conduct,
    /// Work whose worker is done, behind a change that is on its way to the log.
    waiting: VecDeque<(W, Operation)>,
    /// The change that is on its way to the log.
    logging: Option<(W, Record)>,
    /// Answers given, by status.
    answered: BTreeMap<u16, u64>,
}

/// What an operation comes to.
enum Performed {
    /// An answer, and what befalls it.
    Read(Answer, Fate),
    /// A change to the store, not yet made.
    Change(Record),
}

/// Work that is done.
pub struct Done<W> {
    /// Who asked.
    pub who: W,
    /// What to answer.
    pub answer: Answer,
    /// What befalls that answer, should it be given to another node.
    pub fate: Fate,
}

impl<W: Asker> Keys<W> {
    /// A service of this capacity at `node`, holding `store`.
    pub fn new(
        (seed, node): (u64, &str),
        service: &netlab_protocol::role::Service,
        data: Data,
        store: Store,
    ) -> Keys<W> {
        Keys {
            service: Service::new(service).of(seed, node),
            store,
            is_logged: data == Data::Volume,
            files: BTreeMap::new(),
            conduct: Conduct::new(seed, node),
            waiting: VecDeque::new(),
            logging: None,
            answered: BTreeMap::new(),
        }
    }

    /// Offers these files, made up from `seed`, and no others.
    pub fn offer_files(&mut self, seed: u64, files: &[File]) {
        let content = |f: &File| {
            let content = Content::new(seed, &f.name, f.bytes);
            let digest = (f.bytes <= DIGESTED).then(|| digest_of(&content));
            (f.name.clone(), (content, digest))
        };
        self.files = files.iter().map(content).collect();
    }

    /// Another capacity from now on; the keys stay.
    pub fn change(&mut self, now: u64, service: &netlab_protocol::role::Service) {
        self.service.change(now, service);
    }

    /// What is to go wrong with answers to others from now on.
    pub fn behave(&mut self, wrong: Vec<Misbehaviour>) {
        self.conduct.change(wrong);
    }

    /// Answers that were spoilt so far.
    pub fn spoilt(&self) -> u64 {
        self.conduct.spoilt()
    }

    /// Takes work; false when the queue is full.
    pub fn offer(&mut self, now: u64, who: W, operation: Operation) -> bool {
        self.service.offer(now, (who, operation)).is_ok()
    }

    /// Takes work back that still waits for a worker.
    pub fn leave(&mut self, is_it: impl Fn(&W) -> bool) {
        self.service.leave(|(who, _)| is_it(who));
    }

    /// Nobody waits for the answer to request `id` any more.
    pub fn forget(&mut self, id: u64) {
        self.conduct.leave(id);
    }

    /// The work that is done by `now`. A change that must be in the log first is sent there, and what
    /// is behind it waits for [`Keys::logged`].
    pub fn advance(&mut self, now: u64, out: &mut Vec<Action>) -> Vec<Done<W>> {
        self.conduct.advance(now, out);
        self.waiting.extend(self.service.advance(now));
        let mut done = Vec::new();
        while self.logging.is_none()
            && let Some((who, operation)) = self.waiting.pop_front()
        {
            match self.perform(&who, operation) {
                Performed::Read(answer, fate) => done.push(Done { who, answer, fate }),
                Performed::Change(record) if self.is_logged => {
                    out.push(Action::Log(record.clone()));
                    self.logging = Some((who, record));
                }
                Performed::Change(record) => done.push(self.changed(who, record)),
            }
        }
        done
    }

    /// Whether the change is in the log; without that it did not happen.
    pub fn logged(&mut self, is_kept: bool) -> Option<Done<W>> {
        let (who, record) = self.logging.take()?;
        if is_kept {
            return Some(self.changed(who, record));
        }
        let fate = self.fate(&who, false);
        let answer = Answer::status(500);
        Some(Done { who, answer, fate })
    }

    fn changed(&mut self, who: W, record: Record) -> Done<W> {
        let is_new = record.value.is_some() && record.version == 1;
        let status = if is_new { 201 } else { 200 };
        let answer = Answer::status(status).version(record.version);
        self.store.apply(record);
        let fate = self.fate(&who, false);
        Done { who, answer, fate }
    }

    /// What befalls the next answer; `replaced`: whether it could be a stale one.
    fn fate(&mut self, who: &W, replaced: bool) -> Fate {
        match who.is_other() {
            true => self.conduct.fate(Occasion::Work, replaced),
            false => Fate::default(),
        }
    }

    fn perform(&mut self, who: &W, operation: Operation) -> Performed {
        let status = match operation {
            Operation::Put(key, value) => match self.store.plan_put(&key, value) {
                Ok(record) => return Performed::Change(record),
                Err(super::store::Full) => 507,
            },
            Operation::Delete(key) => match self.store.plan_delete(&key) {
                Some(record) => return Performed::Change(record),
                None => 404,
            },
            Operation::Get(key) => {
                let replaced = self.store.replaced(&key);
                let fate = self.fate(who, replaced.is_some());
                let held = match replaced {
                    Some(before) if fate.is_stale() => before,
                    _ => self.store.get(&key),
                };
                let answer = held.map_or(Answer::status(404), |(version, value)| {
                    Answer::ok(value).version(version)
                });
                return Performed::Read(answer, fate);
            }
            Operation::File(name) => match self.files.get(&name) {
                Some((content, digest)) => {
                    let answer = Answer {
                        body: Body::Generated(*content),
                        digest: *digest,
                        ..Answer::status(200)
                    };
                    return Performed::Read(answer, self.fate(who, false));
                }
                None => 404,
            },
        };
        let fate = self.fate(who, false);
        Performed::Read(Answer::status(status), fate)
    }

    /// The answer to `GET /keys`: how many, and the first names.
    pub fn list(&self) -> Answer {
        let names: Vec<&str> = self.store.names().take(LISTED).collect();
        let list = serde_json::json!({ "count": self.store.len(), "keys": names });
        Answer::ok(Bytes::from(format!("{list}\n")))
    }

    /// Answers request `id` as is right, and counts it.
    pub fn answer(&mut self, id: u64, answer: Answer) -> Action {
        *self.answered.entry(answer.status).or_default() += 1;
        Action::Answer { id, answer }
    }

    /// Answers request `id` as the answer's fate wants it.
    pub fn give(&mut self, now: u64, id: u64, answer: Answer, fate: Fate, out: &mut Vec<Action>) {
        *self.answered.entry(answer.status).or_default() += 1;
        let occasion = (Occasion::Work, fate);
        self.conduct.give(now, id, answer, occasion, out);
    }

    /// Answers who looks how this node answers, with a key that is in no store.
    pub fn probe(&mut self, now: u64, id: u64, out: &mut Vec<Action>) {
        let fate = self.conduct.fate(Occasion::Probe, true);
        let version = if fate.is_stale() { 1 } else { 2 };
        let value = Bytes::from_static(PROBE_VALUES[version - 1].as_bytes());
        let answer = Answer::ok(value).version(version as u64);
        let occasion = (Occasion::Probe, fate);
        self.conduct.give(now, id, answer, occasion, out);
    }

    /// When work is next done, or an answer due.
    pub fn next_timer(&self) -> Option<u64> {
        let timers = [self.service.next_timer(), self.conduct.next_timer()];
        timers.into_iter().flatten().min()
    }

    /// Appends what can be read off the service now.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        let service = &self.service;
        out.push(stats::sample("queue_length", service.queued() as f64));
        out.push(stats::sample("busy_workers", service.busy() as f64));
        out.push(stats::sample("keys_held", self.store.len() as f64));
        for (status, count) in &self.answered {
            let labels = format!("status={status}");
            let metric = "requests_served_total";
            out.push(stats::labelled(metric, labels, *count as f64));
        }
        self.conduct.samples(out);
    }
}

fn digest_of(content: &Content) -> u64 {
    let (mut hash, mut offset) = (conduct::BASIS, 0);
    loop {
        let chunk = content.chunk(offset, CHUNK);
        if chunk.is_empty() {
            return hash;
        }
        hash = conduct::more(hash, &chunk);
        offset += chunk.len() as u64;
    }
}
