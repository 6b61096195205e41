//! How it goes with each role that asks: the last second, and the seconds before it.

use super::line::Line;
use crate::record::stream::ProgressCount;
use crate::report::{Palette, latency, share};
use netlab_protocol::latency::{Op, Outcome};
use std::collections::{BTreeMap, VecDeque};

/// Most seconds that are remembered.
const SECONDS: usize = 60;
/// Columns ahead of the history.
const AHEAD: usize = 50;
/// Columns that are left to what failed.
const FAILED: usize = 18;
/// A share of successes from none to all.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One role.
#[derive(Debug, Default)]
pub struct RoleNow {
    per_second: f64,
    requests: u64,
    succeeded: u64,
    /// Sum of medians by the requests that have them, and their number.
    medians: (u64, u64),
    p99_us: Option<u64>,
    failed: BTreeMap<Outcome, u64>,
    /// Share of successes of the last seconds, the newest last; none: nothing was asked.
    history: VecDeque<Option<f64>>,
}

impl RoleNow {
    /// A new second begins.
    pub fn begin(&mut self) {
        *self = RoleNow {
            history: std::mem::take(&mut self.history),
            ..RoleNow::default()
        };
    }

    /// Takes some of the second's requests in.
    pub fn add(&mut self, row: &ProgressCount) {
        self.requests += row.count;
        if !row.outcome.is_success() {
            *self.failed.entry(row.outcome).or_default() += row.count;
            return;
        }
        self.succeeded += row.count;
        if matches!(row.op, Op::Read | Op::Write) && row.count > 0 {
            // Reads and writes differ little: near enough for a glance.
            let (sum, count) = &mut self.medians;
            *sum = sum.saturating_add(row.p50_us.saturating_mul(row.count));
            *count += row.count;
            self.p99_us = self.p99_us.max(Some(row.p99_us));
        }
    }

    /// The second is over; it was so long.
    pub fn end(&mut self, seconds: f64) {
        self.per_second = self.requests as f64 / seconds;
        self.history.push_back(self.success());
        while self.history.len() > SECONDS {
            self.history.pop_front();
        }
    }

    fn success(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.succeeded as f64 / self.requests as f64)
    }

    fn p50_us(&self) -> Option<u64> {
        self.medians.0.checked_div(self.medians.1)
    }

    /// `timeout 160, refused 2`: the most frequent first.
    fn failures(&self) -> String {
        let mut failed: Vec<_> = self.failed.iter().collect();
        failed.sort_by_key(|(outcome, count)| (std::cmp::Reverse(**count), **outcome));
        let one = |(outcome, count): (_, _)| format!("{outcome} {count}");
        failed.into_iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// What the columns of [`RoleNow::line`] are.
    pub fn heads(width: usize) -> Line {
        let seconds = history_columns(width);
        let history = format!("last {seconds} s");
        Line::default().painted(
            Palette::quiet,
            format!(
                "  {:<8} {:>8}  {:>7}  {:>8}  {:>8}  {history:<seconds$}  failed",
                "", "rate", "success", "p50", "p99"
            ),
        )
    }

    /// The role in one line of a terminal of `width` columns.
    pub fn line(&self, role: &str, width: usize) -> Line {
        let seconds = history_columns(width);
        let shown = self.history.len().min(seconds);
        let mut line = Line::default()
            .plain(format!("  {role:<8} {:>6.0}/s", self.per_second))
            .painted(
                paint(self.success()),
                format!("  {:>7}", share(self.succeeded, self.requests)),
            )
            .plain(format!("  {:>8}", latency(self.p50_us())))
            .plain(format!("  {:>8}  ", latency(self.p99_us)))
            .plain(" ".repeat(seconds - shown));
        for success in self.history.iter().skip(self.history.len() - shown) {
            let bar = match success {
                None => ' ',
                Some(share) => BARS[(share * 7.0).floor().clamp(0.0, 7.0) as usize],
            };
            line = line.painted(paint(*success), bar);
        }
        match self.failures() {
            none if none.is_empty() => line,
            failures => line.painted(Palette::bad, format!("  {failures}")),
        }
    }

    /// The same in one plain line.
    pub fn plain(&self, role: &str) -> String {
        let mut text = format!(
            "{role} {:.0}/s, success {}, p50 {}, p99 {}",
            self.per_second,
            share(self.succeeded, self.requests),
            latency(self.p50_us()),
            latency(self.p99_us)
        );
        let failures = self.failures();
        if !failures.is_empty() {
            text = format!("{text}, {failures}");
        }
        text
    }
}

/// As many seconds as there is room for.
fn history_columns(width: usize) -> usize {
    let room = width.saturating_sub(AHEAD + FAILED + 1);
    room.clamp(10, SECONDS)
}

fn paint(success: Option<f64>) -> fn(Palette, &str) -> String {
    match success {
        None => Palette::quiet,
        Some(share) if share >= 0.99 => Palette::good,
        Some(share) if share >= 0.5 => Palette::warn,
        Some(_) => Palette::bad,
    }
}
