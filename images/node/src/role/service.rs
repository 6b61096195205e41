//! Declared capacity: workers that are each busy for a declared time, and a bounded queue before them.
//!
//! Capacity is timers, not burnt CPU, so a declared server is as fast on every machine. A worker
//! that becomes free takes the next job at the very instant its last one was due, even when the
//! driver notices a little late: lag delays answers but never lowers the capacity.

use netlab_protocol::draw;
use netlab_protocol::role::{self, Distribution};
use std::collections::VecDeque;

/// Of the service times, among what is drawn of a node.
const SERVICE: u64 = 7;

/// Workers and the queue before them; `T` is a job.
pub struct Service<T> {
    time: u64,
    distribution: Distribution,
    /// What times are drawn from, and how many were.
    drawn: (u64, u64),
    workers: usize,
    room: usize,
    /// Jobs being served with the time they end, the first to end first.
    busy: VecDeque<(u64, T)>,
    queue: VecDeque<T>,
}

impl<T> Service<T> {
    /// Workers as declared, all free; at least one.
    pub fn new(declared: &role::Service) -> Service<T> {
        Service {
            time: super::nanos(declared.time),
            distribution: declared.distribution,
            drawn: (0, 0),
            workers: declared.workers.max(1) as usize,
            room: declared.queue as usize,
            busy: VecDeque::new(),
            queue: VecDeque::new(),
        }
    }

    /// The same, whose times are those of `node` under `seed`, where they are drawn.
    pub fn of(self, seed: u64, node: &str) -> Service<T> {
        let drawn = (draw::bits(seed, &[draw::name(node), SERVICE]), 0);
        Service { drawn, ..self }
    }

    /// Takes a job, after [`Service::advance`] for the same `now`.
    ///
    /// # Errors
    /// The job itself when all workers are busy and the queue is full.
    pub fn offer(&mut self, now: u64, job: T) -> Result<(), T> {
        if self.busy.len() < self.workers {
            self.begin(now, job);
        } else if self.queue.len() < self.room {
            self.queue.push_back(job);
        } else {
            return Err(job);
        }
        Ok(())
    }

    /// The jobs that are done by `now`, in the order of their ends.
    pub fn advance(&mut self, now: u64) -> Vec<T> {
        let mut done = Vec::new();
        while self.busy.front().is_some_and(|(end, _)| *end <= now) {
            let Some((end, job)) = self.busy.pop_front() else {
                break;
            };
            done.push(job);
            self.fill(end);
        }
        done
    }

    /// Gives free workers what waits.
    fn fill(&mut self, now: u64) {
        while self.busy.len() < self.workers
            && let Some(next) = self.queue.pop_front()
        {
            self.begin(now, next);
        }
    }

    fn begin(&mut self, now: u64, job: T) {
        let end = now.saturating_add(self.next_time());
        // At the end, unless this one is shorter.
        let at = self.busy.partition_point(|(other, _)| *other <= end);
        self.busy.insert(at, (end, job));
    }

    fn next_time(&mut self) -> u64 {
        match self.distribution {
            Distribution::Fixed => self.time,
            Distribution::Exponential => {
                let (seed, n) = self.drawn;
                self.drawn.1 += 1;
                (self.time as f64 * draw::exponential(seed, &[n])) as u64
            }
        }
    }

    /// Another capacity from now on, after [`Service::advance`] for the same `now`. Jobs being
    /// served end when they would have; those that wait do so even beyond the new queue.
    pub fn change(&mut self, now: u64, declared: &role::Service) {
        let queue = std::mem::take(&mut self.queue);
        let busy = std::mem::take(&mut self.busy);
        *self = Service {
            busy,
            queue,
            drawn: self.drawn,
            ..Service::new(declared)
        };
        self.fill(now);
    }

    /// Takes a job back that still waits in the queue; one being served is served to its end.
    pub fn leave(&mut self, is_it: impl Fn(&T) -> bool) {
        if let Some(at) = self.queue.iter().position(is_it) {
            self.queue.remove(at);
        }
    }

    /// When the next job ends.
    pub fn next_timer(&self) -> Option<u64> {
        self.busy.front().map(|(end, _)| *end)
    }

    /// Jobs that wait.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Workers that are busy.
    pub fn busy(&self) -> usize {
        self.busy.len()
    }
}
