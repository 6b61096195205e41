//! The key and file service that servers and peers offer: declared capacity before a store.
//!
//! Work takes effect when its worker is done with it. `W` says who asked.

use super::content::Content;
use super::http::{Answer, Body};
use super::route::Operation;
use super::service::Service;
use super::store::{Record, Store};
use super::{Action, stats};
use bytes::Bytes;
use netlab_protocol::control::Sample;
use netlab_protocol::role::{Data, File};
use std::collections::BTreeMap;

/// Most names in the answer to `GET /keys`.
const LISTED: usize = 1_000;

/// A key and file service.
pub struct Keys<W> {
    service: Service<(W, Operation)>,
    store: Store,
    is_logged: bool,
    files: BTreeMap<String, Content>,
    /// Answers given, by status.
    answered: BTreeMap<u16, u64>,
}

/// Work that is done.
pub struct Done<W> {
    /// Who asked.
    pub who: W,
    /// What to answer.
    pub answer: Answer,
    /// What must be in the log before.
    pub record: Option<Record>,
}

impl<W> Keys<W> {
    /// A service of this capacity, holding `store`.
    pub fn new(service: &netlab_protocol::role::Service, data: Data, store: Store) -> Keys<W> {
        Keys {
            service: Service::new(service),
            store,
            is_logged: data == Data::Volume,
            files: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    /// The same, whose service times are those of `node` under `seed`, where they are drawn.
    pub fn of(self, seed: u64, node: &str) -> Keys<W> {
        let service = self.service.of(seed, node);
        Keys { service, ..self }
    }

    /// Offers these files, made up from `seed`, and no others.
    pub fn offer_files(&mut self, seed: u64, files: &[File]) {
        let content = |f: &File| (f.name.clone(), Content::new(seed, &f.name, f.bytes));
        self.files = files.iter().map(content).collect();
    }

    /// Another capacity from now on; the keys stay.
    pub fn change(&mut self, now: u64, service: &netlab_protocol::role::Service) {
        self.service.change(now, service);
    }

    /// Takes work; false when the queue is full.
    pub fn offer(&mut self, now: u64, who: W, operation: Operation) -> bool {
        self.service.offer(now, (who, operation)).is_ok()
    }

    /// Takes work back that still waits.
    pub fn leave(&mut self, is_it: impl Fn(&W) -> bool) {
        self.service.leave(|(who, _)| is_it(who));
    }

    /// The work that is done by `now`.
    pub fn advance(&mut self, now: u64) -> Vec<Done<W>> {
        let done = self.service.advance(now);
        done.into_iter()
            .map(|(who, operation)| {
                let (answer, record) = self.perform(operation);
                let record = record.filter(|_| self.is_logged);
                Done {
                    who,
                    answer,
                    record,
                }
            })
            .collect()
    }

    fn perform(&mut self, operation: Operation) -> (Answer, Option<Record>) {
        match operation {
            Operation::Get(key) => match self.store.get(&key) {
                Some((version, value)) => (Answer::ok(value).version(version), None),
                None => (Answer::status(404), None),
            },
            Operation::Put(key, value) => match self.store.put(&key, value) {
                Ok(record) => {
                    let status = if record.version == 1 { 201 } else { 200 };
                    let answer = Answer::status(status).version(record.version);
                    (answer, Some(record))
                }
                Err(super::store::Full) => (Answer::status(507), None),
            },
            Operation::Delete(key) => match self.store.delete(&key) {
                Some(record) => (Answer::status(200).version(record.version), Some(record)),
                None => (Answer::status(404), None),
            },
            Operation::File(name) => match self.files.get(&name) {
                Some(content) => {
                    let body = Body::Generated(*content);
                    let ok = Answer::status(200);
                    (Answer { body, ..ok }, None)
                }
                None => (Answer::status(404), None),
            },
        }
    }

    /// The answer to `GET /keys`: how many, and the first names.
    pub fn list(&self) -> Answer {
        let names: Vec<&str> = self.store.names().take(LISTED).collect();
        let list = serde_json::json!({ "count": self.store.len(), "keys": names });
        Answer::ok(Bytes::from(format!("{list}\n")))
    }

    /// Answers request `id`, and counts it.
    pub fn answer(&mut self, id: u64, answer: Answer, record: Option<Record>) -> Action {
        *self.answered.entry(answer.status).or_default() += 1;
        Action::Answer { id, answer, record }
    }

    /// When work is next done.
    pub fn next_timer(&self) -> Option<u64> {
        self.service.next_timer()
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
    }
}
