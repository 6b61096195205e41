//! The role `client`: asks servers for keys, or any web server for a path.

use super::http::{Answer, Failure, Method, Request};
use super::load::{Asked, Loader, Step};
use super::question::{Questions, Spread};
use super::route::key_path;
use super::{Action, Event, Machine, Ticket, moved};
use crate::role::content::Content;
use bytes::Bytes;
use netlab_protocol::control::{RequestRow, Sample};
use netlab_protocol::latency::{LatencyCount, Op, Outcome};
use netlab_protocol::role::{self, Endpoint, Load, Role};

/// A client at work.
pub struct Client {
    targets: Vec<Endpoint>,
    loader: Loader,
    value: Bytes,
}

impl Client {
    /// The client `node`.
    pub fn new(seed: u64, node: &str, role: &role::Client) -> Client {
        let spread = Spread::Targets(role.targets.len() as u32);
        let questions = Questions::new(seed, node, spread);
        Client {
            targets: role.targets.clone(),
            loader: Loader::new(questions, Some(role.load.clone())),
            value: value(seed, Some(&role.load)),
        }
    }

    fn become_(&mut self, now: u64, seed: u64, role: role::Client) {
        let spread = Spread::Targets(role.targets.len() as u32);
        let moved = moved(&self.targets, &role.targets);
        self.value = value(seed, Some(&role.load));
        self.targets = role.targets;
        self.loader.retarget(seed, spread, &moved);
        self.loader.change(now, Some(role.load));
    }

    fn act(&self, now: u64, step: Step) -> Action {
        match step {
            Step::GiveUp(id) => Action::Cancel(Ticket::Own(id)),
            Step::Ask(asked) => Action::Send {
                ticket: Ticket::Own(asked.id),
                to: asked.question.target,
                request: request(now, &asked, self.loader.load(), &self.value),
                body_wanted: false,
            },
        }
    }
}

impl Machine for Client {
    fn handle(&mut self, now: u64, event: Event, out: &mut Vec<Action>) {
        // First what was due before the event: an answer after the deadline is no answer. But
        // what is asked from now on is numbered as the new parameters are.
        let mut steps = match event {
            Event::Become { .. } => Vec::new(),
            _ => self.loader.advance(now),
        };
        match event {
            Event::Answered {
                ticket: Ticket::Own(id),
                answer,
            } => {
                let outcome = outcome(&answer);
                self.loader.answered(now, id, outcome, answer.version);
            }
            Event::Failed {
                ticket: Ticket::Own(id),
                failure,
            } => {
                if let Some(outcome) = failed(failure) {
                    self.loader.finish(now, id, outcome);
                }
            }
            Event::Go { at } => steps.extend(self.loader.go(now, at)),
            Event::Become { seed, role } => {
                if let Role::Client(role) = *role {
                    self.become_(now, seed, role);
                }
            }
            Event::Stop => self.loader.stop(),
            // A client serves nothing.
            Event::Request { .. } | Event::Gone { .. } | Event::Timer => {}
            Event::Logged { .. } | Event::Behave { .. } => {}
            Event::Answered { .. } | Event::Failed { .. } => {}
        }
        steps.extend(self.loader.advance(now));
        out.extend(steps.into_iter().map(|step| self.act(now, step)));
    }

    fn next_timer(&self) -> Option<u64> {
        self.loader.next_timer()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.targets
    }

    fn latency(&mut self) -> Vec<LatencyCount> {
        self.loader.latency()
    }

    fn requests(&mut self) -> (Vec<RequestRow>, u64) {
        self.loader.requests()
    }

    fn samples(&self, out: &mut Vec<Sample>) {
        self.loader.samples(out);
    }
}

/// The value that writes carry.
pub fn value(seed: u64, load: Option<&Load>) -> Bytes {
    let bytes = load.map_or(0, |load| load.value_bytes);
    Content::new(seed, "value", u64::from(bytes))
        .chunk(0, bytes as usize)
        .into()
}

/// The message that asks a question.
pub fn request(now: u64, asked: &Asked, load: Option<&Load>, value: &Bytes) -> Request {
    let path = load.and_then(|load| load.path.clone());
    let is_write = matches!(asked.question.op, Op::Write | Op::LocalWrite);
    // Only netlab's own nodes know what to do with it.
    let left = path.is_none().then(|| asked.deadline.saturating_sub(now));
    Request {
        method: if is_write { Method::Put } else { Method::Get },
        path: path.unwrap_or_else(|| key_path(asked.question.key)),
        body: if is_write {
            value.clone()
        } else {
            Bytes::new()
        },
        left,
    }
}

/// What an answer means.
pub fn outcome(answer: &Answer) -> Outcome {
    match answer.status {
        _ if answer.is_corrupt => Outcome::Corrupt,
        200..=299 => Outcome::Ok,
        404 => Outcome::Missing,
        503 => Outcome::Busy,
        _ => Outcome::Error,
    }
}

/// What a failure means; none for silence, which only the deadline ends.
pub fn failed(failure: Failure) -> Option<Outcome> {
    match failure {
        Failure::Refused => Some(Outcome::Refused),
        Failure::Reset => Some(Outcome::Reset),
        Failure::Unreachable => Some(Outcome::Unreachable),
        Failure::Silent => None,
        Failure::Other => Some(Outcome::Error),
    }
}
