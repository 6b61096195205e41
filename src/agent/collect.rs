//! Checks what nodes report. Pure.
//!
//! No byte from a node is trusted: names stand in the table of metrics or are dropped, numbers are
//! finite and bounded, and a report that no honest node makes gets its node cut off.

use crate::metrics::{self, Metric, Source};
use netlab_protocol::control::{MAX_REQUESTS, Report, RequestRow, Sample};
use netlab_protocol::latency::{LatencyCount, SLOT_NS};
use std::collections::BTreeSet;

/// Most rows of latency in a report.
const MAX_ROWS: usize = 200_000;
/// Most samples in a report.
const MAX_SAMPLES: usize = 1_000;
/// Longest text of labels.
const MAX_LABELS: usize = 120;
/// No request takes longer than an hour.
const MAX_LATENCY_US: u64 = 3_600_000_000;
/// How far ahead of now a slot may begin.
const AHEAD_NS: u64 = 1_000_000_000;

/// Rows that a node may report in a second: a flood is no measurement.
const MAX_ROWS_PER_SECOND: usize = 300_000;
/// Reports that it may make in a second; the shortest interval asks for ten, and what waited for an
/// agent that was away comes at once.
const MAX_REPORTS_PER_SECOND: u32 = 400;

/// How much a node has reported in this second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    since: u64,
    reports: u32,
    rows: usize,
}

impl Flow {
    /// Counts a report that came at `now` (ns).
    ///
    /// # Errors
    /// It is one too many.
    pub fn count(&mut self, report: &Report, now: u64) -> Result<(), String> {
        if now >= self.since + 1_000_000_000 {
            *self = Flow {
                since: now,
                ..Flow::default()
            };
        }
        self.reports += 1;
        self.rows += report.latency.len() + report.samples.len();
        if self.reports > MAX_REPORTS_PER_SECOND {
            return Err(format!(
                "it reported more than {MAX_REPORTS_PER_SECOND} times in a second"
            ));
        }
        if self.rows > MAX_ROWS_PER_SECOND {
            return Err(format!(
                "it reported more than {MAX_ROWS_PER_SECOND} values in a second"
            ));
        }
        Ok(())
    }
}

/// A report after the check.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Checked {
    /// Requests.
    pub latency: Vec<LatencyCount>,
    /// The same one by one, where they are told so, and how many more there were.
    pub requests: Vec<RequestRow>,
    /// How many are missing there.
    pub missed: u64,
    /// Values.
    pub samples: Vec<Sample>,
    /// Names that stand in no table.
    pub unknown: BTreeSet<String>,
}

impl Checked {
    /// Leaves out requests that were intended when the run was over, so long after go (ns).
    pub fn until(&mut self, length: Option<u64>) {
        let within = |row: &LatencyCount| length.is_none_or(|l| u64::from(row.slot) * SLOT_NS < l);
        self.latency.retain(within);
        self.requests
            .retain(|row| length.is_none_or(|l| row.intended < l));
    }
}

/// Checks `report` of a run that began at `go` (ns of CLOCK_MONOTONIC).
///
/// # Errors
/// Why no honest node reports this.
pub(super) fn check(report: Report, go: u64, now: u64) -> Result<Checked, String> {
    if report.latency.len() > MAX_ROWS || report.samples.len() > MAX_SAMPLES {
        return Err("its report has too many rows".into());
    }
    if report.requests.len() > MAX_REQUESTS {
        return Err("its report has too many rows".into());
    }
    if report.at > now.saturating_add(AHEAD_NS) {
        return Err("its report comes from the future".into());
    }
    let elapsed = now.saturating_sub(go) + AHEAD_NS;
    for row in &report.latency {
        if u64::from(row.slot) * SLOT_NS > elapsed || row.le_us > MAX_LATENCY_US {
            return Err("its report counts requests at impossible times".into());
        }
    }
    for row in &report.requests {
        let sent = row.sent.unwrap_or(row.intended);
        if row.intended > sent || sent > row.done || row.done > elapsed {
            return Err("its report tells of requests at impossible times".into());
        }
    }
    let mut checked = Checked {
        latency: report.latency,
        requests: report.requests,
        missed: report.requests_missed,
        ..Checked::default()
    };
    for sample in report.samples {
        if known(&sample) {
            checked.samples.push(sample);
        } else {
            let name = sample
                .metric
                .chars()
                .filter(char::is_ascii_graphic)
                .take(40);
            checked.unknown.insert(name.collect());
        }
    }
    Ok(checked)
}

fn known(sample: &Sample) -> bool {
    let program = |metric: &&Metric| metric.source == Source::Program;
    let Some(metric) = metrics::metric_named(&sample.metric).filter(program) else {
        return false;
    };
    let word = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b))
    };
    let labels: Vec<&str> = sample.labels.split(',').filter(|l| !l.is_empty()).collect();
    sample.value.is_finite()
        && sample.labels.len() <= MAX_LABELS
        && labels.len() == metric.labels.len()
        && labels.iter().all(|label| {
            let pair = label.split_once('=');
            pair.is_some_and(|(key, value)| metric.labels.contains(&key) && word(value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlab_protocol::latency::{Op, Outcome};

    fn row(slot: u32) -> LatencyCount {
        LatencyCount {
            slot,
            op: Op::Read,
            outcome: Outcome::Ok,
            le_us: 900,
            count: 3,
        }
    }

    fn sample(metric: &str, labels: &str, value: f64) -> Sample {
        Sample {
            metric: metric.into(),
            labels: labels.into(),
            value,
        }
    }

    #[test]
    fn only_known_metrics_with_their_labels_and_finite_values_pass() {
        let good = [
            sample("queue_length", "", 3.0),
            sample("requests_served_total", "status=200", 1.0),
        ];
        let bad = [
            sample("made_up", "", 1.0),
            sample("keys_held", "", f64::NAN),
            sample("busy_workers", "x=1", 1.0),
            sample("requests_served_total", "status=2\n0", 1.0),
        ];
        let samples = good.iter().chain(&bad).cloned().collect();
        let report = Report {
            samples,
            at: 10,
            ..Report::default()
        };
        let checked = check(report, 4, 20).unwrap();
        assert_eq!(checked.samples, good);
        assert_eq!(checked.unknown.len(), 4);
    }

    #[test]
    fn requests_one_by_one_are_of_the_run_and_in_order() {
        let row = |intended, sent, done| RequestRow {
            intended,
            sent,
            done,
            op: Op::Read,
            key: Some(1),
            outcome: Outcome::Ok,
            attempts: 1,
        };
        let check = |row| {
            let report = Report {
                requests: vec![row],
                requests_missed: 2,
                ..Report::default()
            };
            let mut checked = check(report, 0, 1_000)?;
            checked.until(Some(100));
            Ok::<_, String>(checked)
        };
        let good = row(50, Some(60), 150);
        let checked = check(good).unwrap();
        assert_eq!((checked.requests, checked.missed), (vec![good], 2));
        assert_eq!(check(row(100, None, 100)).unwrap().requests, []);
        for bad in [
            row(50, Some(40), 60),
            row(50, Some(60), 55),
            row(1, None, u64::MAX),
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_flood_is_refused_and_the_next_second_is_another() {
        let report = |rows| Report {
            samples: vec![sample("keys_held", "", 1.0); rows],
            ..Report::default()
        };
        let mut flow = Flow::default();
        let second = 1_000_000_000;
        for _ in 0..MAX_REPORTS_PER_SECOND {
            flow.count(&report(1), second).unwrap();
        }
        let why = flow.count(&report(1), second).unwrap_err();
        assert!(why.contains("400 times"), "{why}");
        flow.count(&report(1000), 2 * second).unwrap();
        let mut flow = Flow::default();
        let mut until = (0..).map(|_| flow.count(&report(1000), second));
        assert_eq!(until.position(|told| told.is_err()), Some(300));
    }

    #[test]
    fn requests_after_the_end_belong_to_no_run_and_the_future_is_refused() {
        let second = 1_000_000_000;
        let report = |slot| Report {
            latency: vec![row(slot)],
            ..Report::default()
        };
        let check = |slot| {
            let mut checked = check(report(slot), 0, 5 * second)?;
            checked.until(Some(2 * second));
            Ok::<_, String>(checked)
        };
        assert_eq!(check(19).unwrap().latency, [row(19)]);
        assert_eq!(check(20).unwrap().latency, []);
        assert!(check(u32::MAX).is_err());
    }
}
