//! What waits to be told to the agent, while it is busy or away. Bounded: the oldest goes first.

use netlab_protocol::control::{Report, ToAgent};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Reports kept: two minutes of them.
pub const MAX_REPORTS: usize = 120;
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
    /// Adds a report; the oldest is dropped when there are too many.
    pub fn report(&self, report: Report) {
        let mut reports = self.reports.borrow_mut();
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
