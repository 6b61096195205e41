//! The role `server`: answers requests for keys and files with a declared capacity.

use super::http::{Answer, Request};
use super::keys::Keys;
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
    /// The server `node` that holds `store`.
    pub fn new(seed: u64, node: &str, role: &role::Server, store: Store) -> Server {
        let mut keys = Keys::new(&role.service, role.data, store).of(seed, node);
        keys.offer_files(seed, &role.files);
        Server { keys }
    }

    fn request(&mut self, now: u64, id: u64, request: Request) -> Option<Action> {
        let answer = match route(request) {
            Route::Work(operation) => {
                if self.keys.offer(now, id, operation) {
                    return None;
                }
                Answer::status(503)
            }
            Route::List => self.keys.list(),
            Route::Health => Answer::ok(Bytes::from_static(b"ok\n")),
            Route::Refuse(status) => Answer::status(status),
        };
        Some(self.keys.answer(id, answer, None))
    }

    fn finish(&mut self, now: u64, out: &mut Vec<Action>) {
        for done in self.keys.advance(now) {
            out.push(self.keys.answer(done.who, done.answer, done.record));
        }
    }
}

impl Machine for Server {
    fn handle(&mut self, now: u64, event: Event, out: &mut Vec<Action>) {
        self.finish(now, out);
        match event {
            Event::Request { id, request } => out.extend(self.request(now, id, request)),
            Event::Gone { id } => self.keys.leave(|who| *who == id),
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

    fn samples(&self, out: &mut Vec<Sample>) {
        self.keys.samples(out);
    }
}
