//! What nodes do, as state machines: events and the time go in, actions come out.
//!
//! Nothing here owns a socket, a clock or a file. Time is `u64` nanoseconds of `CLOCK_MONOTONIC`,
//! chance is a pure function of the seed, so a role behaves the same under the driver's sockets
//! and under a simulated clock, and messages can be counted exactly.
//!
//! | module | one idea |
//! |---|---|
//! | [`server`], [`client`], [`peer`] | the roles |
//! | [`load`] | when to ask, when to give up, how it ended |
//! | [`pace`] | when an open loop's requests are due |
//! | [`question`] | what the j-th request asks |
//! | [`keys`] | the key and file service of servers and peers |
//! | [`conduct`] | what goes wrong with their answers when they are told to misbehave |
//! | [`service`] | workers and their bounded queue |
//! | [`store`] | versioned keys and their log |
//! | [`ledger`], [`journal`] | what became of writes, and of each request |
//! | [`http`], [`route`], [`content`], [`stats`] | messages, paths, made-up bytes, counts |

pub mod client;
pub mod conduct;
pub mod content;
pub mod http;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod load;
pub mod pace;
pub mod peer;
pub mod question;
pub mod route;
pub mod server;
pub mod service;
pub mod stats;
pub mod store;
#[cfg(test)]
mod tests;

use http::{Answer, Failure, Request};
use netlab_protocol::conduct::Misbehaviour;
use netlab_protocol::control::{Configure, RequestRow, Sample};
use netlab_protocol::latency::LatencyCount;
use netlab_protocol::role::{Endpoint, Role};
use std::time::Duration;
use store::{Record, Store};

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// The time that [`Machine::next_timer`] named has come.
    Timer,
    /// A request came in; `id` is the driver's number for it.
    Request {
        /// The driver's number.
        id: u64,
        /// The request.
        request: Request,
    },
    /// Who sent the request `id` went away before it was answered.
    Gone {
        /// The driver's number.
        id: u64,
    },
    /// The answer to [`Action::Send`].
    Answered {
        /// Which.
        ticket: Ticket,
        /// The answer.
        answer: Answer,
    },
    /// There will be no answer to [`Action::Send`].
    Failed {
        /// Which.
        ticket: Ticket,
        /// Why.
        failure: Failure,
    },
    /// A run begins: its clock's zero.
    Go {
        /// Nanoseconds of `CLOCK_MONOTONIC`.
        at: u64,
    },
    /// Other parameters of the same role from now on; what cannot change live is refused before.
    Become {
        /// The lab's seed.
        seed: u64,
        /// The role.
        role: Box<Role>,
    },
    /// Whether the change of the last [`Action::Log`] is in the log.
    Logged {
        /// If not, it did not happen.
        is_kept: bool,
    },
    /// What is to go wrong with answers to others from now on.
    Behave {
        /// All of it.
        wrong: Vec<Misbehaviour>,
    },
    /// No new requests.
    Stop,
}

/// Something is to be done, in the order given.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Answer the request `id`.
    Answer {
        /// The driver's number.
        id: u64,
        /// With this.
        answer: Answer,
    },
    /// A change that must be in the log before it is made. To be answered by [`Event::Logged`] before
    /// any other event; there is at most one at a time.
    Log(Record),
    /// Send a request.
    Send {
        /// Names it in [`Event::Answered`] and [`Event::Failed`].
        ticket: Ticket,
        /// Index into [`Machine::endpoints`].
        to: u32,
        /// The request.
        request: Request,
        /// Whether the body of the answer is wanted, or only its length.
        body_wanted: bool,
    },
    /// Give up a request that was sent: close its connection, say nothing more about it.
    Cancel(Ticket),
}

/// A request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ticket {
    /// Of the node's own load.
    Own(u64),
    /// Passed on for somebody else, who asked with this number of the driver.
    Forward(u64),
}

/// A role at work.
pub trait Machine {
    /// Takes an event and appends what is to be done.
    fn handle(&mut self, now: u64, event: Event, out: &mut Vec<Action>);
    /// When it next wants [`Event::Timer`]; later is tolerated, but delays answers.
    fn next_timer(&self) -> Option<u64>;
    /// Whom it may send to.
    fn endpoints(&self) -> &[Endpoint];
    /// Takes the counts of requests that ended.
    fn latency(&mut self) -> Vec<LatencyCount>;
    /// Takes requests that ended one by one, and how many more found no place.
    fn requests(&mut self) -> (Vec<RequestRow>, u64) {
        (Vec::new(), 0)
    }

    /// Answers to others that it has spoilt because it was told to.
    fn spoilt(&self) -> u64 {
        0
    }
    /// Appends what can be read off it now.
    fn samples(&self, out: &mut Vec<Sample>);
}

/// The machine for a role, holding the keys of `store`.
pub fn machine(configure: &Configure, store: Store) -> Box<dyn Machine> {
    let Configure { seed, node, .. } = configure;
    match &configure.role {
        Role::Server(role) => Box::new(server::Server::new(*seed, node, role, store)),
        Role::Client(role) => Box::new(client::Client::new(*seed, node, role)),
        Role::Peer(role) => Box::new(peer::Peer::new(*seed, node, role, store)),
    }
}

/// Whom a role may send to.
pub fn endpoints(role: &Role) -> &[Endpoint] {
    match role {
        Role::Server(_) => &[],
        Role::Client(client) => &client.targets,
        Role::Peer(peer) => &peer.peers,
    }
}

/// Where each of `before` is in `after`.
pub fn moved(before: &[Endpoint], after: &[Endpoint]) -> Vec<Option<u32>> {
    let at = |one| after.iter().position(|other| other == one);
    before
        .iter()
        .map(|one| at(one).map(|at| at as u32))
        .collect()
}

/// A duration in nanoseconds; 584 years at most.
pub fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
