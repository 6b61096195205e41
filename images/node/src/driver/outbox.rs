//! What waits to be told to the agent, while it is busy or away. Bounded: the oldest goes first.

use netlab_protocol::control::{MAX_REQUESTS, Report, ToAgent};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Reports kept: two minutes of them.
pub const MAX_REPORTS: usize = 120;
/// Requests told one by one that are kept, in all reports together.
const MAX_KEPT: usize = 2 * MAX_REQUESTS;
/// Problems kept.
const MAX_PROBLEMS: usize = 16;

/// What waits to be told.
#[derive(Default)]
pub struct Outbox {
    reports: RefCell<VecDeque<Report>>,
    problems: RefCell<VecDeque<String>>,
    dropped: Cell<u64>,
    filled: Notify,
}

impl Outbox {
    /// Adds a report; the oldest is dropped when there are too many. Requests one by one are left out
    /// of it, and counted, when too many of them wait already.
    pub fn report(&self, mut report: Report) {
        let mut reports = self.reports.borrow_mut();
        let waiting: usize = reports.iter().map(|report| report.requests.len()).sum();
        if waiting + report.requests.len() > MAX_KEPT {
            report.requests_missed += report.requests.len() as u64;
            report.requests = Vec::new();
        }
        if reports.len() >= MAX_REPORTS {
            reports.pop_front();
            self.dropped.set(self.dropped.get() + 1);
        }
        reports.push_back(report);
        self.filled.notify_one();
    }

    /// Adds a problem (one sentence), also on standard error; beyond a few they are only there.
    pub fn problem(&self, text: String) {
        eprintln!("netlab: {text}");
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push_back(text);
        }
        self.filled.notify_one();
    }

    /// The next message. It is gone from here: one that is lost on its way is not sent again.
    pub fn pop(&self) -> Option<ToAgent> {
        let dropped = self.dropped.take();
        if dropped > 0 {
            let text = format!(
                "{dropped} reports were dropped because the agent was away for longer than {MAX_REPORTS} s"
            );
            return Some(ToAgent::Problem { text });
        }
        let problem = self.problems.borrow_mut().pop_front();
        problem
            .map(|text| ToAgent::Problem { text })
            .or_else(|| self.reports.borrow_mut().pop_front().map(ToAgent::Report))
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.reports.borrow().is_empty() && self.problems.borrow().is_empty()
    }

    /// Waits until nothing waits.
    pub async fn emptied(&self) {
        while !self.is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until something was added.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_find_no_place_are_counted() {
        use netlab_protocol::control::RequestRow;
        use netlab_protocol::latency::{Op, Outcome};
        let outbox = Outbox::default();
        let row = RequestRow {
            intended: 1,
            sent: Some(2),
            done: 3,
            op: Op::Read,
            key: Some(4),
            outcome: Outcome::Ok,
            attempts: 1,
        };
        for _ in 0..3 {
            outbox.report(Report {
                requests: vec![row; MAX_REQUESTS],
                ..Report::default()
            });
        }
        let told = std::iter::from_fn(|| match outbox.pop()? {
            ToAgent::Report(report) => Some((report.requests.len(), report.requests_missed)),
            other => panic!("{other:?}"),
        });
        let most = MAX_REQUESTS;
        let told: Vec<(usize, u64)> = told.collect();
        assert_eq!(told, [(most, 0), (most, 0), (0, most as u64)]);
        // Even so a report fits into a line.
        let report = Report {
            requests: vec![row; most],
            ..Report::default()
        };
        let line = serde_json::to_string(&ToAgent::Report(report)).unwrap();
        assert!(line.len() < netlab_protocol::control::MAX_LINE / 2);
    }

    #[test]
    fn the_oldest_reports_are_dropped_and_the_loss_is_told_first() {
        let outbox = Outbox::default();
        for at in 0..125 {
            outbox.report(Report {
                at,
                ..Report::default()
            });
        }
        let Some(ToAgent::Problem { text }) = outbox.pop() else {
            panic!("the loss comes first");
        };
        assert!(text.starts_with("5 reports"), "{text}");
        let left: Vec<u64> = std::iter::from_fn(|| match outbox.pop()? {
            ToAgent::Report(report) => Some(report.at),
            other => panic!("{other:?}"),
        })
        .collect();
        assert_eq!(left, (5..125).collect::<Vec<_>>());
        assert!(outbox.is_empty());
    }
}
