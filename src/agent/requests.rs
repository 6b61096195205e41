//! Clients of the attach socket, and what nodes report to them. Pure.

use super::apply::after;
use super::collect::check;
use super::core::{Action, Core, Counts};
use super::position::Closing;
use super::state::Conn;
use crate::record::event::{Event, Verdict};
use crate::record::stream::{Phase, Progress, ProgressCount, Reply, Request, STREAM, Status};
use netlab_protocol::control::{Report, ToNode};
use std::time::Duration;

/// A client that waits for more than one answer.
#[derive(Clone, Debug)]
pub(super) enum Client {
    /// Wants to know when the lab is ready.
    Ready {
        /// When it gives up.
        deadline: u64,
        /// What it was told last.
        told: Option<Status>,
    },
    /// Wants to know when all ports are published.
    Publish {
        /// When it gives up.
        deadline: u64,
    },
    /// Follows the run.
    Follow,
    /// Waits for the end of everything.
    Stop,
    /// Waits until the effect of a fault by hand is seen.
    Injects {
        /// Its place.
        fault: usize,
    },
    /// Waits until faults have healed.
    Heals {
        /// Their names.
        faults: Vec<String>,
        /// Since when.
        since: u64,
        /// What did not come back, and why.
        failed: Vec<String>,
    },
}

impl Client {
    pub fn deadline(&self) -> Option<u64> {
        match self {
            Client::Ready { deadline, .. } | Client::Publish { deadline } => Some(*deadline),
            // Faults have deadlines of their own.
            Client::Follow | Client::Stop | Client::Injects { .. } | Client::Heals { .. } => None,
        }
    }
}

/// Exit code of `up`, `wait` and `run`.
pub(super) fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 1,
        Verdict::Inconclusive => 3,
        Verdict::Interrupted => 130,
    }
}

impl Core {
    pub(super) fn request(&mut self, now: u64, client: u64, request: Request) {
        match request {
            Request::Status => {
                let status = self.status();
                self.reply(client, Reply::Status(status), true);
            }
            Request::AwaitReady { timeout } => {
                let deadline = after(now, Duration::from_secs(timeout));
                let told = None;
                self.clients
                    .insert(client, Client::Ready { deadline, told });
            }
            Request::Publish { timeout } => self.asked_to_publish(now, client, timeout),
            Request::Play { replace } => self.asked_to_play(now, client, replace),
            // Its bytes make it another input.
            Request::Adopt { .. } => {}
            Request::Follow => self.follow(client),
            Request::Links => self.act(Action::TellLinks { client }),
            Request::Metrics => self.act(Action::TellMetrics { client }),
            Request::Capture { of, most } => self.asked_to_capture(client, &of, most),
            Request::Stop => {
                self.clients.insert(client, Client::Stop);
                self.close(now, Closing::Interrupted);
            }
            Request::Inject(injection) => self.asked_to_inject(now, client, injection),
            Request::Heal { fault } => self.asked_to_heal(now, client, fault.as_deref()),
            Request::Faults => self.tell_faults(now, client),
        }
    }

    fn asked_to_play(&mut self, now: u64, client: u64, replace: bool) {
        let playing = self.run.as_ref().map(|run| run.player.is_some());
        let refusal = match playing {
            _ if !self.state.ready => {
                Some("the lab is not ready yet: wait until `netlab ps` says so")
            }
            _ if self.play_next.is_some() || self.adopt_next.is_some() => {
                Some("another run is about to begin: wait for it")
            }
            Some(true) if !replace => {
                Some("a scenario is playing: wait for its end, or close it with --replace")
            }
            _ => None,
        };
        if let Some(why) = refusal {
            return self.reply(client, Reply::Refused { why: why.into() }, true);
        }
        self.play_next = Some(client);
        self.close(now, Closing::Interrupted);
    }

    pub(super) fn play_asked(&mut self, now: u64) {
        if let Some(client) = self.play_next.take() {
            let run = self.start_run(now);
            self.reply(client, Reply::Playing { run }, true);
        }
    }

    fn follow(&mut self, client: u64) {
        if let Some(run) = &self.run {
            let events = run.events.clone();
            self.clients.insert(client, Client::Follow);
            self.act(Action::Backlog { client, events });
        } else if let Some(last) = &self.last {
            let ended = Reply::Ended {
                run: last.id.clone(),
                verdict: last.verdict,
                exit_code: exit_code(last.verdict),
            };
            let events = last.events.clone();
            self.act(Action::Backlog { client, events });
            self.reply(client, ended, true);
        } else {
            let why = "nothing was played yet: `netlab up` plays the scenario".into();
            self.reply(client, Reply::Refused { why }, true);
        }
    }

    /// Tells everybody that the run is over, and does what waited for that.
    pub(super) fn run_over(&mut self, now: u64) {
        let ended = self.last.as_ref().map(|last| Reply::Ended {
            run: last.id.clone(),
            verdict: last.verdict,
            exit_code: exit_code(last.verdict),
        });
        let mut stopped = false;
        for (client, kind) in std::mem::take(&mut self.clients) {
            match (kind, &ended) {
                (Client::Follow, Some(ended)) => self.reply(client, ended.clone(), true),
                (Client::Stop, _) => {
                    stopped = true;
                    self.reply(client, Reply::Stopped, true);
                }
                (kind, _) => {
                    self.clients.insert(client, kind);
                }
            }
        }
        if stopped {
            self.load = None;
            self.tell_all(&ToNode::Stop);
        }
        self.play_asked(now);
    }

    pub(super) fn client_gone(&mut self, client: u64) {
        self.clients.remove(&client);
        // A run that was asked for is played, even when the asker does not hear of it.
    }

    /// Where the lab stands.
    pub(super) fn status(&self) -> Status {
        let run = self.run.as_ref();
        let last = self.last.as_ref();
        Status {
            stream: STREAM,
            phase: self.phase(),
            run: run
                .map(|run| run.id.clone())
                .or_else(|| last.map(|last| last.id.clone())),
            nodes: self.state.status(),
            faults: self.faults.names(),
            runs: self.runs.clone(),
            ports: self.published.clone(),
        }
    }

    fn phase(&self) -> Phase {
        match &self.run {
            _ if !self.state.ready => Phase::Starting,
            Some(run) if run.player.is_some() => Phase::Playing,
            _ if self.load.is_some() => Phase::Running,
            _ => Phase::Ready,
        }
    }

    /// Answers those who wait for the lab to be ready.
    pub(super) fn answer_waiting(&mut self, now: u64) {
        if !self
            .clients
            .values()
            .any(|c| matches!(c, Client::Ready { .. }))
        {
            return;
        }
        let status = self.status();
        let ready = status.phase != Phase::Starting;
        for (client, kind) in std::mem::take(&mut self.clients) {
            let Client::Ready { deadline, told } = kind else {
                self.clients.insert(client, kind);
                continue;
            };
            let last = ready || now >= deadline;
            if last || told.as_ref() != Some(&status) {
                self.reply(client, Reply::Status(status.clone()), last);
            }
            if !last {
                let told = Some(status.clone());
                self.clients
                    .insert(client, Client::Ready { deadline, told });
            }
        }
    }

    pub(super) fn tell_followers(&mut self, event: &Event) {
        for client in self.followers() {
            self.reply(client, Reply::Event(event.clone()), false);
        }
    }

    fn followers(&self) -> Vec<u64> {
        let follows = self
            .clients
            .iter()
            .filter(|(_, c)| matches!(c, Client::Follow));
        follows.map(|(client, _)| *client).collect()
    }

    pub(super) fn reply(&mut self, client: u64, reply: Reply, last: bool) {
        self.act(Action::Reply {
            client,
            reply,
            last,
        });
    }

    pub(super) fn every_second(&mut self, now: u64) {
        self.look_for_silence(now);
        self.abort_if_hopeless(now);
        self.watch_conditions(now);
        let counts = std::mem::take(&mut self.counts);
        if self.run.is_none() {
            return;
        }
        let progress = Progress {
            t: self.on_run_clock(now),
            requests: progress(&counts),
            faults: self.faults.names(),
            down: self.state.down(),
        };
        for client in self.followers() {
            self.reply(client, Reply::Progress(progress.clone()), false);
        }
    }

    pub(super) fn reported(&mut self, now: u64, conn: Conn, report: Report) {
        let Some(node) = self.state.by_conn(conn) else {
            return;
        };
        let number = self.number;
        let member = &mut self.state.members[node.at()];
        member.heard = now;
        // Load goes on between runs, and is counted then for those who look at the lab.
        let Some(go) = self.load.filter(|_| report.run == number) else {
            return;
        };
        let at = report.at;
        let flow = member.flow.count(&report, now);
        let mut checked = match flow.and_then(|()| check(report, go, now)) {
            Ok(checked) => checked,
            Err(why) => {
                member.conn = None;
                member.ready = false;
                self.act(Action::Close { conn });
                self.reason(format!("`{}` was cut off: {why}", self.name(node)));
                return self.note(now, Some(node), format!("it was cut off: {why}"));
            }
        };
        member.reported = member.reported.max(at);
        self.live.count(&member.name, &checked.latency);
        let Some(run) = &self.run else {
            return self.keep_samples(Some(node), at, checked.samples);
        };
        checked.until(run.end().map(|end| end.saturating_sub(go)));
        let role = member.role_name();
        let unknown = !checked.unknown.is_empty() && !std::mem::replace(&mut member.noted, true);
        for row in &checked.latency {
            let counts = self.counts.entry((role, row.op, row.outcome)).or_default();
            *counts.entry(row.le_us).or_default() += u64::from(row.count);
        }
        self.watched.keep_requests(&self.lab, node, &checked);
        if unknown {
            let names: Vec<_> = checked.unknown.into_iter().take(5).collect();
            let text = format!(
                "it reports unknown metrics, which are left out: {}",
                names.join(", ")
            );
            self.note(now, Some(node), text);
        }
        self.one_by_one(now, node, checked.requests, checked.missed);
        self.act(Action::Latency {
            node,
            counts: checked.latency,
        });
        self.keep_samples(Some(node), at, checked.samples);
    }
}

fn progress(counts: &Counts) -> Vec<ProgressCount> {
    let line = |(&(role, op, outcome), latencies): (
        &(&str, _, _),
        &std::collections::BTreeMap<u64, u64>,
    )| {
        let count: u64 = latencies.values().sum();
        let percentile = |of_hundred: u64| {
            let mut left = count.saturating_mul(of_hundred).div_ceil(100);
            let found = latencies.iter().find(|(_, n)| {
                left = left.saturating_sub(**n);
                left == 0
            });
            found.map_or(0, |(us, _)| *us)
        };
        ProgressCount {
            role: role.to_owned(),
            op,
            outcome,
            count,
            p50_us: percentile(50),
            p99_us: percentile(99),
        }
    };
    counts.iter().map(line).collect()
}
