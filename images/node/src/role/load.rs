//! When to ask, when to give up, and how it ended.
//!
//! Every intended request ends in exactly one outcome, counted at its *intended* time, whatever
//! the driver's lag: a slow service can therefore not hide the requests it kept from being asked.
//! The timeout runs from the intended time, too, and covers connecting and all attempts. Attempts are
//! counted by themselves, so that a storm of retries is seen even where requests succeed.
//!
//! What a request asks is [`super::question`]'s idea; how it travels is the role's.

use super::journal::Journal;
use super::ledger::Ledger;
use super::nanos;
use super::pace::Pace;
use super::question::{Question, Questions, Spread};
use super::stats::{self, Latency};
use netlab_protocol::control::{RequestRow, Sample};
use netlab_protocol::latency::{LatencyCount, Outcome};
use netlab_protocol::role::{Arrivals, Distribution, Load};
use std::collections::{BTreeMap, BTreeSet};

/// A closed-loop user whose request failed asks again no sooner than this after the one before,
/// so that a refused connection does not become a busy loop.
const LEAST_AFTER_FAILURE: u64 = 10_000_000;

/// What the role is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask; the answer goes to [`Loader::finish`].
    Ask(Asked),
    /// Its time, or that of its attempt, is over: forget what was asked.
    GiveUp(u64),
}

/// A request to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Names it.
    pub id: u64,
    /// What it asks.
    pub question: Question,
    /// When it is given up.
    pub deadline: u64,
}

/// What is due at some time; at one instant in this order, so that places are free before they
/// are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Deadline(u64),
    /// The time of the attempt under way is over.
    Attempt(u64),
    Retry(u64),
    Arrival,
    User(u32),
}

/// A request under way.
struct Flight {
    asked: Asked,
    intended: u64,
    /// When the first attempt was made; none: it was too late for one.
    sent: Option<u64>,
    /// Its number in its epoch.
    number: u64,
    attempts: u32,
    /// When the attempt under way is given up, where that is before the request is.
    attempt_ends: Option<u64>,
    /// Waits for its next attempt.
    is_pausing: bool,
    user: Option<u32>,
    /// Of the load it belongs to.
    epoch: u64,
    /// What was acknowledged before it was asked.
    expected: Option<u64>,
}

/// The load of one node.
pub struct Loader {
    questions: Questions,
    load: Option<Load>,
    /// Counts the changes of the load within a run.
    epoch: u64,
    /// Zero of the run's clock; none before the first run.
    zero: Option<u64>,
    is_stopped: bool,
    /// Zero of the open loop's schedule.
    schedule: u64,
    /// Number of the next request of this epoch.
    next: u64,
    /// Where the open loop's next request stands among those that its rate makes.
    place: f64,
    next_id: u64,
    due: BTreeSet<(u64, Due)>,
    flights: BTreeMap<u64, Flight>,
    latency: Latency,
    ledger: Ledger,
    journal: Journal,
    /// Attempts that ended, by how.
    attempts: BTreeMap<Outcome, u64>,
}

impl Loader {
    /// A load that waits for [`Loader::go`].
    pub fn new(questions: Questions, load: Option<Load>) -> Loader {
        Loader {
            questions,
            load,
            epoch: 0,
            zero: None,
            is_stopped: false,
            schedule: 0,
            next: 0,
            place: 0.0,
            next_id: 0,
            due: BTreeSet::new(),
            flights: BTreeMap::new(),
            latency: Latency::default(),
            ledger: Ledger::default(),
            journal: Journal::default(),
            attempts: BTreeMap::new(),
        }
    }

    /// A run begins: forgets the one before and starts at `at`. Requests intended before `now`
    /// (the node was started again in the middle of a run) never existed.
    pub fn go(&mut self, now: u64, at: u64) -> Vec<Step> {
        let forgotten = std::mem::take(&mut self.flights);
        self.latency.clear();
        self.ledger.clear();
        self.journal.clear();
        self.due.clear();
        self.epoch = 0;
        self.zero = Some(at);
        self.is_stopped = false;
        self.schedule = at;
        self.start(now.max(at));
        forgotten.into_keys().map(Step::GiveUp).collect()
    }

    /// Other seed and targets from now on; `moved` says where each target was moved to. A request
    /// under way whose target is gone can reach nobody any more, should it be asked again.
    pub fn retarget(&mut self, seed: u64, spread: Spread, moved: &[Option<u32>]) {
        self.questions = self.questions.anew(seed, spread);
        self.ledger.clear();
        for flight in self.flights.values_mut() {
            let target = &mut flight.asked.question.target;
            *target = moved
                .get(*target as usize)
                .copied()
                .flatten()
                .unwrap_or(u32::MAX);
        }
    }

    /// Other load from `now` on; requests under way end as they began.
    pub fn change(&mut self, now: u64, load: Option<Load>) {
        self.load = load;
        self.epoch += 1;
        self.unschedule();
        if let Some(zero) = self.zero {
            self.schedule = now.max(zero);
            self.start(self.schedule);
        }
    }

    /// No new requests.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.unschedule();
    }

    fn unschedule(&mut self) {
        self.due
            .retain(|(_, due)| !matches!(due, Due::Arrival | Due::User(_)));
    }

    /// Schedules the first requests at or after `from`.
    fn start(&mut self, from: u64) {
        self.next = 0;
        if self.is_stopped || self.questions.is_empty() {
            return;
        }
        match self.load.as_ref().map(|load| &load.arrivals) {
            Some(Arrivals::Open { rate, legs, .. }) if *rate > 0.0 => {
                let late = from.saturating_sub(self.schedule) as f64 / 1e9;
                let before = Pace { rate: *rate, legs }.by(late);
                self.next = before as u64;
                self.place = before;
                self.step();
                while self.arrival() < Some(from) {
                    self.next += 1;
                    self.step();
                }
                self.due.extend(self.arrival().map(|at| (at, Due::Arrival)));
            }
            Some(&Arrivals::Closed { users, think, .. }) => {
                let spread = nanos(think).max(LEAST_AFTER_FAILURE) as f64;
                for user in 0..users {
                    let offset = (self.questions.start(u64::from(user)) * spread) as u64;
                    self.due.insert((from + offset, Due::User(user)));
                }
            }
            Some(Arrivals::Open { .. }) | None => {}
        }
    }

    /// Moves on to the place of the open loop's next request. At a fixed pace requests stand one
    /// apart, starting at a place within the first interval that is drawn per node, so that nodes do
    /// not fire in one instant; in a Poisson process the distances are drawn.
    fn step(&mut self) {
        let arrivals = self.load.as_ref().map(|load| &load.arrivals);
        let Some(Arrivals::Open { gaps, .. }) = arrivals else {
            return;
        };
        match gaps {
            Distribution::Fixed => self.place = self.next as f64 + self.questions.start(0),
            Distribution::Exponential => self.place += self.questions.gap(self.epoch, self.next),
        }
    }

    /// When the open loop's next request is intended.
    fn arrival(&self) -> Option<u64> {
        let arrivals = self.load.as_ref().map(|load| &load.arrivals);
        let Some(Arrivals::Open { rate, legs, .. }) = arrivals else {
            return None;
        };
        let seconds = Pace { rate: *rate, legs }.when(self.place);
        Some(self.schedule.saturating_add((seconds * 1e9) as u64))
    }

    /// Everything that is due by `now`.
    pub fn advance(&mut self, now: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(&(at, due)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            match due {
                Due::Deadline(id) => {
                    if self.settle(at, id, Outcome::Timeout) {
                        steps.push(Step::GiveUp(id));
                    }
                }
                Due::Attempt(id) => {
                    steps.push(Step::GiveUp(id));
                    self.finish(at, id, Outcome::Timeout);
                }
                Due::Retry(id) => {
                    if let Some(flight) = self.flights.get_mut(&id) {
                        flight.is_pausing = false;
                        steps.push(Step::Ask(flight.asked));
                        self.attempt(at, id);
                    }
                }
                Due::Arrival => self.arrive(at, now, &mut steps),
                Due::User(user) => self.ask(at, now, Some(user), &mut steps),
            }
        }
        steps
    }

    /// The open loop's request intended at `at`, and the schedule of the next.
    fn arrive(&mut self, at: u64, now: u64, steps: &mut Vec<Step>) {
        let Some(Load {
            arrivals: Arrivals::Open { in_flight, .. },
            ..
        }) = self.load
        else {
            return;
        };
        if self.flights.len() < in_flight as usize {
            self.ask(at, now, None, steps);
        } else if let Some(question) = self.question() {
            self.count(at, question, Outcome::Dropped, at, (None, 0));
        }
        self.step();
        self.due.extend(self.arrival().map(|at| (at, Due::Arrival)));
    }

    fn question(&mut self) -> Option<Question> {
        let load = self.load.as_ref()?;
        let question = self.questions.ask(load, self.epoch, self.next);
        self.next += 1;
        Some(question)
    }

    /// Asks what was intended at `intended`.
    fn ask(&mut self, intended: u64, now: u64, user: Option<u32>, steps: &mut Vec<Step>) {
        let number = self.next;
        let Some(question) = self.question() else {
            return;
        };
        let timeout = self.load.as_ref().map_or(0, |load| nanos(load.timeout));
        let id = self.next_id;
        self.next_id += 1;
        let asked = Asked {
            id,
            question,
            deadline: intended.saturating_add(timeout),
        };
        let flight = Flight {
            asked,
            intended,
            sent: (asked.deadline > now).then_some(now),
            number,
            attempts: 1,
            attempt_ends: None,
            is_pausing: false,
            user,
            epoch: self.epoch,
            expected: self.ledger.expected(&question),
        };
        self.flights.insert(id, flight);
        if asked.deadline <= now {
            // The node itself stood still for so long that it is too late to ask.
            self.settle(asked.deadline, id, Outcome::Timeout);
        } else {
            self.due.insert((asked.deadline, Due::Deadline(id)));
            steps.push(Step::Ask(asked));
            self.attempt(now, id);
        }
    }

    /// An attempt of request `id` begins.
    fn attempt(&mut self, now: u64, id: u64) {
        let most = self.load.as_ref().and_then(|load| load.attempt_timeout);
        if let (Some(most), Some(flight)) = (most, self.flights.get_mut(&id)) {
            let end = now.saturating_add(nanos(most));
            if end < flight.asked.deadline {
                flight.attempt_ends = Some(end);
                self.due.insert((end, Due::Attempt(id)));
            }
        }
    }

    /// Request `id` was answered, with the version of the key that the answer speaks of.
    pub fn answered(&mut self, now: u64, id: u64, outcome: Outcome, version: Option<u64>) {
        if let Some(flight) = self.flights.get(&id) {
            let (question, expected) = (flight.asked.question, flight.expected);
            self.ledger.answered(&question, expected, outcome, version);
        }
        self.finish(now, id, outcome);
    }

    /// An attempt of request `id` ended; unknown ones were given up before.
    pub fn finish(&mut self, now: u64, id: u64, outcome: Outcome) {
        let retries = self.load.as_ref().map_or(0, |load| load.retries);
        // What was given up may still be answered by a worker of the own node.
        let Some(flight) = self.flights.get(&id).filter(|flight| !flight.is_pausing) else {
            return;
        };
        let (attempts, deadline) = (flight.attempts, flight.asked.deadline);
        let again = now.saturating_add(self.pause(flight));
        let may_retry = !outcome.is_success() && attempts <= retries && again < deadline;
        if !may_retry {
            self.settle(now, id, outcome);
            return;
        }
        *self.attempts.entry(outcome).or_default() += 1;
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.attempts += 1;
            flight.is_pausing = true;
            let ends = flight.attempt_ends.take();
            ends.map(|ends| self.due.remove(&(ends, Due::Attempt(id))));
        }
        self.due.insert((again, Due::Retry(id)));
    }

    /// How long a request waits for its next attempt.
    fn pause(&self, flight: &Flight) -> u64 {
        let backoff = self.load.as_ref().map(|load| load.backoff);
        let backoff = backoff.unwrap_or_default();
        let doubled = nanos(backoff.from).saturating_mul(1 << (flight.attempts - 1).min(40));
        let pause = doubled.min(nanos(backoff.to));
        let drawn = self
            .questions
            .jitter(flight.epoch, flight.number, flight.attempts);
        (pause as f64 * (1.0 - backoff.jitter * drawn)) as u64
    }

    /// Ends a request; whether an attempt of it is still under way.
    fn settle(&mut self, now: u64, id: u64, outcome: Outcome) -> bool {
        let Some(flight) = self.flights.remove(&id) else {
            return false;
        };
        self.due.remove(&(flight.asked.deadline, Due::Deadline(id)));
        if let Some(ends) = flight.attempt_ends {
            self.due.remove(&(ends, Due::Attempt(id)));
        }
        let attempts = match flight.sent {
            Some(_) => flight.attempts - u32::from(flight.is_pausing),
            None => 0,
        };
        if !flight.is_pausing && flight.sent.is_some() {
            *self.attempts.entry(outcome).or_default() += 1;
        }
        let asked = (flight.sent, attempts);
        self.count(flight.intended, flight.asked.question, outcome, now, asked);
        if let Some(user) = flight.user.filter(|_| flight.epoch == self.epoch) {
            self.think(user, &flight, now, outcome);
        }
        !flight.is_pausing
    }

    /// Schedules the next request of a closed-loop user.
    fn think(&mut self, user: u32, flight: &Flight, ended: u64, outcome: Outcome) {
        let Some(Load {
            arrivals: Arrivals::Closed {
                think, thinking, ..
            },
            ..
        }) = self.load
        else {
            return;
        };
        if self.is_stopped {
            return;
        }
        let mean = nanos(think);
        let think = match thinking {
            Distribution::Fixed => mean,
            Distribution::Exponential => {
                (mean as f64 * self.questions.think(self.epoch, flight.number)) as u64
            }
        };
        let mut next = ended.saturating_add(think);
        if !outcome.is_success() {
            next = next.max(flight.intended.saturating_add(LEAST_AFTER_FAILURE));
        }
        self.due.insert((next, Due::User(user)));
    }

    /// Counts a request that ended; `asked` says when it was first sent, and how often.
    fn count(
        &mut self,
        intended: u64,
        question: Question,
        outcome: Outcome,
        ended: u64,
        asked: (Option<u64>, u32),
    ) {
        let Some(zero) = self.zero else { return };
        if let Some(load) = self.load.as_ref().filter(|load| load.record) {
            self.journal.add(RequestRow {
                intended: intended.saturating_sub(zero),
                sent: asked.0.map(|at| at.saturating_sub(zero)),
                done: ended.saturating_sub(zero),
                op: question.op,
                key: load.path.is_none().then_some(question.key),
                outcome,
                attempts: asked.1,
            });
        }
        self.latency.count(
            intended.saturating_sub(zero),
            question.op,
            outcome,
            ended.saturating_sub(intended),
        );
    }

    /// When something is next due.
    pub fn next_timer(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The load at present.
    pub fn load(&self) -> Option<&Load> {
        self.load.as_ref()
    }

    /// Appends what can be read off it now.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        let in_flight = self.flights.len() as f64;
        out.push(stats::sample("inflight_requests", in_flight));
        let writes = |load: &Load| load.path.is_none() && load.writes > 0.0;
        if self.load.as_ref().is_some_and(writes) {
            self.ledger.samples(out);
        }
        for (outcome, count) in &self.attempts {
            let labels = format!("outcome={outcome}");
            out.push(stats::labelled("attempts_total", labels, *count as f64));
        }
    }

    /// Takes requests that ended one by one, and how many more found no place.
    pub fn requests(&mut self) -> (Vec<RequestRow>, u64) {
        self.journal.take()
    }

    /// Takes the counts of requests that ended.
    pub fn latency(&mut self) -> Vec<LatencyCount> {
        self.latency.take()
    }
}
