//! The role `server`: answers requests for keys and files with a declared capacity.

use super::http::{Answer, Request};
use super::keys::{Asker, Done, Keys};
use super::route::{Route, route};
use super::store::Store;
use super::{Action, Event, Machine};
use bytes::Bytes;
use netlab_protocol::control::Sample;
use netlab_protocol::latency::LatencyCount;
use netlab_protocol::role::{self, Endpoint, Role};

/// A server at work.
pub struct Server {
    keys: Keys<u64>,
}

impl Server {
    /// The server `node`, holding `store`.
    pub fn new(seed: u64, node: &str, role: &role::Server, store: Store) -> Server {
        let mut keys = Keys::new((seed, node), &role.service, role.data, store);
        keys.offer_files(seed, &role.files);
        Server { keys }
    }

    fn request(&mut self, now: u64, id: u64, request: Request, out: &mut Vec<Action>) {
        let answer = match route(request) {
            Route::Work(operation) => {
                if self.keys.offer(now, id, operation) {
                    return;
                }
                Answer::status(503)
            }
            Route::List => self.keys.list(),
            Route::Health => Answer::ok(Bytes::from_static(b"ok\n")),
            Route::Probe => return self.keys.probe(now, id, out),
            Route::Refuse(status) => Answer::status(status),
        };
        out.push(self.keys.answer(id, answer));
    }

    fn finish(&mut self, now: u64, out: &mut Vec<Action>) {
        for done in self.keys.advance(now, out) {
            self.give(now, done, out);
        }
    }

    fn give(&mut self, now: u64, done: Done<u64>, out: &mut Vec<Action>) {
        let Done { who, answer, fate } = done;
        self.keys.give(now, who, answer, fate, out);
    }
}

impl Asker for u64 {
    fn is_other(&self) -> bool {
        true
    }
}

impl Machine for Server {
    fn handle(&mut self, now: u64, event: Event, out: &mut Vec<Action>) {
        self.finish(now, out);
        match event {
            Event::Request { id, request } => self.request(now, id, request, out),
            Event::Gone { id } => {
                self.keys.leave(|who| *who == id);
                self.keys.forget(id);
            }
            Event::Logged { is_kept } => {
                if let Some(done) = self.keys.logged(is_kept) {
                    self.give(now, done, out);
                }
            }
            Event::Behave { wrong } => self.keys.behave(wrong),
            Event::Timer | Event::Go { .. } | Event::Stop => {}
            Event::Become { seed, role } => {
                if let Role::Server(role) = *role {
                    self.keys.change(now, &role.service);
                    self.keys.offer_files(seed, &role.files);
                }
            }
            Event::Answered { .. } | Event::Failed { .. } => {}
        }
        self.finish(now, out);
    }

    fn next_timer(&self) -> Option<u64> {
        self.keys.next_timer()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &[]
    }

    fn latency(&mut self) -> Vec<LatencyCount> {
        Vec::new()
    }

    fn spoilt(&self) -> u64 {
        self.keys.spoilt()
    }

    fn samples(&self, out: &mut Vec<Sample>) {
        self.keys.samples(out);
    }
}
