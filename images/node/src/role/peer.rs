//! The role `peer`: serves its share of the keys, asks for all of them, and passes requests on.
//!
//! A peer speaks to overlay neighbours only. A request for a farther owner goes to the neighbour
//! that is first on the shortest path there, with the time that is left; each peer on the path
//! passes it on, and answers 504 when the time is over. How long a message travelled it cannot know,
//! so the deadline of who asked first ends first; the connections along the path then close one
//! after the other. Passing on costs no worker, but is bounded.
//!
//! What becomes of a request farther along its path comes back as a status: the owner's own answer
//! (200, 404, 503 …), 504 when the time was over, or 502 with the [`Failure`] that the peer before
//! the break saw. Who asked counts it as if it had seen it itself, so a dead owner looks the same
//! from every distance: refused when its process is gone, a timeout when its machine is.

use super::client::{failed, outcome, request, value};
use super::http::{Answer, Failure, Method, Request};
use super::keys::{Asker, Done, Keys};
use super::load::{Asked, Loader, Step};
use super::question::{Questions, Spread, owner_of};
use super::route::{Operation, Route, route};
use super::store::Store;
use super::{Action, Event, Machine, Ticket, moved, stats};
use bytes::Bytes;
use netlab_protocol::control::{RequestRow, Sample};
use netlab_protocol::latency::{LatencyCount, Outcome};
use netlab_protocol::role::{self, Endpoint, Role};
use std::collections::{BTreeMap, BTreeSet};

/// Requests of others passed on at once; one more is answered 503.
pub const MAX_FORWARDS: usize = 256;
/// Time for a request that does not say how much it has (it came from no peer).
const DEFAULT_LEFT: u64 = 5_000_000_000;
/// Longest time a request may ask for.
const MAX_LEFT: u64 = 60_000_000_000;

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// A request that came in.
    Other(u64),
    /// One of its own load.
    Own(u64),
}

impl Asker for Who {
    fn is_other(&self) -> bool {
        matches!(self, Who::Other(_))
    }
}

/// A peer at work.
pub struct Peer {
    index: u32,
    peers: std::sync::Arc<[Endpoint]>,
    next_hop: Vec<Option<u32>>,
    keys: Keys<Who>,
    loader: Loader,
    value: Bytes,
    /// Requests of others that were passed on, with their deadlines.
    forwards: BTreeMap<u64, u64>,
    deadlines: BTreeSet<(u64, u64)>,
    forwarded: u64,
}

impl Peer {
    /// The peer `node`, holding `store`.
    pub fn new(seed: u64, node: &str, role: &role::Peer, store: Store) -> Peer {
        let spread = Spread::Owners {
            index: role.index,
            peers: role.peers.len() as u32,
        };
        let questions = Questions::new(seed, node, spread);
        Peer {
            index: role.index,
            peers: role.peers.clone(),
            next_hop: role.next_hop.clone(),
            keys: Keys::new((seed, node), &role.service, role.data, store),
            loader: Loader::new(questions, role.load.clone()),
            value: value(seed, role.load.as_ref()),
            forwards: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            forwarded: 0,
        }
    }

    /// Takes its place among other peers. The keys it holds stay with it: those that are another's
    /// share now are found there only when they are written again.
    fn become_(&mut self, now: u64, seed: u64, role: role::Peer) {
        let spread = Spread::Owners {
            index: role.index,
            peers: role.peers.len() as u32,
        };
        let moved = moved(&self.peers, &role.peers);
        self.value = value(seed, role.load.as_ref());
        (self.index, self.peers, self.next_hop) = (role.index, role.peers, role.next_hop);
        self.keys.change(now, &role.service);
        self.loader.retarget(seed, spread, &moved);
        self.loader.change(now, role.load);
    }

    fn next_hop(&self, owner: u32) -> Option<u32> {
        self.next_hop.get(owner as usize).copied().flatten()
    }

    /// Does what is due by `now`, until nothing is: one step can make the next.
    fn advance(&mut self, now: u64, out: &mut Vec<Action>) {
        loop {
            let steps = self.loader.advance(now);
            let done = self.keys.advance(now, out);
            if steps.is_empty() && done.is_empty() {
                break;
            }
            for step in steps {
                self.step(now, step, out);
            }
            for work in done {
                self.give(now, work, out);
            }
        }
        while let Some(&(_, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.forget(id);
            out.push(Action::Cancel(Ticket::Forward(id)));
            out.push(self.keys.answer(id, Answer::status(504)));
        }
    }

    fn give(&mut self, now: u64, done: Done<Who>, out: &mut Vec<Action>) {
        let Done { who, answer, fate } = done;
        match who {
            Who::Other(id) => self.keys.give(now, id, answer, fate, out),
            Who::Own(id) => {
                let outcome = outcome(&answer);
                self.loader.answered(now, id, outcome, answer.version);
            }
        }
    }

    fn step(&mut self, now: u64, step: Step, out: &mut Vec<Action>) {
        match step {
            Step::Ask(asked) => self.ask(now, &asked, out),
            Step::GiveUp(id) => {
                self.keys.leave(|who| *who == Who::Own(id));
                out.push(Action::Cancel(Ticket::Own(id)));
            }
        }
    }

    /// Sends a request of its own load on its way.
    fn ask(&mut self, now: u64, asked: &Asked, out: &mut Vec<Action>) {
        let message = request(now, asked, self.loader.load(), &self.value);
        let outcome = if asked.question.target == self.index {
            match route(message) {
                Route::Work(operation) => {
                    let is_taken = self.keys.offer(now, Who::Own(asked.id), operation);
                    (!is_taken).then_some(Outcome::Busy)
                }
                _ => Some(Outcome::Error),
            }
        } else if let Some(to) = self.next_hop(asked.question.target) {
            out.push(Action::Send {
                ticket: Ticket::Own(asked.id),
                to,
                request: message,
                body_wanted: false,
            });
            None
        } else {
            Some(Outcome::Unreachable)
        };
        if let Some(outcome) = outcome {
            self.loader.finish(now, asked.id, outcome);
        }
    }

    /// Takes a request that came in.
    fn request(&mut self, now: u64, id: u64, request: Request, out: &mut Vec<Action>) {
        let passed_on = request.clone();
        let answer = match route(request) {
            Route::Work(Operation::File(_)) => Answer::status(404),
            Route::Work(operation) => {
                let owner = owner_of(key(&operation), self.peers.len() as u32);
                if owner != self.index {
                    return self.forward(now, id, owner, passed_on, out);
                }
                if self.keys.offer(now, Who::Other(id), operation) {
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

    /// Passes a request on to the neighbour that is nearer to its owner.
    fn forward(&mut self, now: u64, id: u64, owner: u32, request: Request, out: &mut Vec<Action>) {
        let left = request.left.unwrap_or(DEFAULT_LEFT).min(MAX_LEFT);
        let refusal = match self.next_hop(owner) {
            _ if left == 0 => Some(Answer::status(504)),
            None => Some(broken(Failure::Unreachable)),
            Some(_) if self.forwards.len() >= MAX_FORWARDS => Some(Answer::status(503)),
            Some(to) => {
                self.forwards.insert(id, now + left);
                self.deadlines.insert((now + left, id));
                self.forwarded += 1;
                out.push(Action::Send {
                    ticket: Ticket::Forward(id),
                    to,
                    body_wanted: request.method == Method::Get,
                    request: Request {
                        left: Some(left),
                        ..request
                    },
                });
                None
            }
        };
        if let Some(answer) = refusal {
            out.push(self.keys.answer(id, answer));
        }
    }

    /// Ends the passing on of request `id`; false if it had ended.
    fn forget(&mut self, id: u64) -> bool {
        let Some(deadline) = self.forwards.remove(&id) else {
            return false;
        };
        self.deadlines.remove(&(deadline, id))
    }

    /// The other side's answer to something that was sent.
    fn answered(&mut self, now: u64, ticket: Ticket, answer: Answer, out: &mut Vec<Action>) {
        match ticket {
            Ticket::Own(id) => {
                if let Some(outcome) = outcome_of(&answer) {
                    self.loader.answered(now, id, outcome, answer.version);
                }
            }
            Ticket::Forward(id) => {
                if self.forget(id) {
                    out.push(self.keys.answer(id, answer));
                }
            }
        }
    }
}

impl Machine for Peer {
    fn handle(&mut self, now: u64, event: Event, out: &mut Vec<Action>) {
        // First what was due before the event: an answer after the deadline is no answer. But
        // what is asked from now on is numbered as the new parameters are.
        if !matches!(event, Event::Become { .. }) {
            self.advance(now, out);
        }
        match event {
            Event::Timer => {}
            Event::Request { id, request } => self.request(now, id, request, out),
            Event::Gone { id } => {
                self.keys.leave(|who| *who == Who::Other(id));
                self.keys.forget(id);
                if self.forget(id) {
                    out.push(Action::Cancel(Ticket::Forward(id)));
                }
            }
            Event::Answered { ticket, answer } => self.answered(now, ticket, answer, out),
            // The time that is left ends it.
            Event::Failed {
                failure: Failure::Silent,
                ..
            } => {}
            Event::Failed { ticket, failure } => self.answered(now, ticket, broken(failure), out),
            Event::Go { at } => {
                for step in self.loader.go(now, at) {
                    self.step(now, step, out);
                }
            }
            Event::Become { seed, role } => {
                if let Role::Peer(role) = *role {
                    self.become_(now, seed, role);
                }
            }
            Event::Logged { is_kept } => {
                if let Some(done) = self.keys.logged(is_kept) {
                    self.give(now, done, out);
                }
            }
            Event::Behave { wrong } => self.keys.behave(wrong),
            Event::Stop => self.loader.stop(),
        }
        self.advance(now, out);
    }

    fn next_timer(&self) -> Option<u64> {
        let forward = self.deadlines.first().map(|(at, _)| *at);
        let timers = [self.loader.next_timer(), self.keys.next_timer(), forward];
        timers.into_iter().flatten().min()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.peers
    }

    fn latency(&mut self) -> Vec<LatencyCount> {
        self.loader.latency()
    }

    fn requests(&mut self) -> (Vec<RequestRow>, u64) {
        self.loader.requests()
    }

    fn spoilt(&self) -> u64 {
        self.keys.spoilt()
    }

    fn samples(&self, out: &mut Vec<Sample>) {
        self.keys.samples(out);
        self.loader.samples(out);
        let forwarded = self.forwarded as f64;
        out.push(stats::sample("requests_forwarded_total", forwarded));
    }
}

fn key(operation: &Operation) -> &str {
    match operation {
        Operation::Get(key) | Operation::Put(key, _) | Operation::Delete(key) => key,
        Operation::File(name) => name,
    }
}

/// 502: there was no answer farther along the path.
fn broken(failure: Failure) -> Answer {
    Answer {
        failure: Some(failure),
        ..Answer::status(502)
    }
}

/// What an answer from a peer means; none for one that only the deadline ends.
fn outcome_of(answer: &Answer) -> Option<Outcome> {
    match (answer.status, answer.failure) {
        (504, _) => Some(Outcome::Timeout),
        (502, Some(failure)) => failed(failure),
        _ => Some(outcome(answer)),
    }
}
