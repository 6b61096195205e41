//! What links carried within windows, out of counters that are read once in a while.
//!
//! Counters are read each second, and when a fault comes into effect, begins to heal and has healed: at
//! those borders they are exact. Elsewhere a border lies between two looks, and what was counted between
//! them may belong to either side: the value is a range.

use super::answer::{Answer, many};
use super::scope::Scope;
use crate::expr::{Argument, Call};
use crate::id::NodeIndex;
use crate::metrics::{LinkMetric, LinkSample};
use netlab_protocol::latency::SLOT_NS;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A look no further from a border than a slot is at the border.
const NEAR: i64 = SLOT_NS as i64;

/// The values of one link's counter, as one that never began anew; by time.
type Series = Vec<(i64, u64)>;

/// What the links of a scope carried.
pub struct Traffic {
    /// When counters were read, in order; the first time is the run's begin.
    looks: Vec<i64>,
    series: BTreeMap<LinkMetric, Vec<Series>>,
    /// The windows without what does not count in them.
    windows: Vec<Range<i64>>,
    links: usize,
}

/// A growth: what was seen, the least and the most that it can have been.
#[derive(Clone, Copy, Default)]
struct Grown {
    seen: u64,
    low: u64,
    high: u64,
}

/// The looks around a border.
struct Border {
    before: i64,
    behind: i64,
}

impl Traffic {
    /// Adds up what the record says of the links that are meant.
    pub fn of(scope: &Scope<'_>) -> Traffic {
        let mut looks: Vec<i64> = scope.view.links.iter().map(|row| row.t).collect();
        looks.push(0);
        looks.sort_unstable();
        looks.dedup();
        let mut rows: BTreeMap<(LinkMetric, NodeIndex, NodeIndex), Vec<&LinkSample>> =
            BTreeMap::new();
        let meant = |row: &&LinkSample| scope.means_link(row.from, row.to);
        for row in scope.view.links.iter().filter(meant) {
            let key = (row.metric, row.from, row.to);
            rows.entry(key).or_default().push(row);
        }
        let links: BTreeSet<_> = rows.keys().map(|(_, from, to)| (from, to)).collect();
        let links = links.len();
        let mut series: BTreeMap<LinkMetric, Vec<Series>> = BTreeMap::new();
        for ((metric, ..), rows) in rows {
            series
                .entry(metric)
                .or_default()
                .push(steady(metric, &rows));
        }
        let windows = scope.windows.iter().flat_map(|window| {
            let whole = window.range.clone();
            window.without.iter().fold(vec![whole], cut)
        });
        Traffic {
            looks,
            series,
            windows: windows.collect(),
            links,
        }
    }

    /// Length of the windows.
    pub fn seconds(&self) -> f64 {
        let length = |window: &Range<i64>| (window.end - window.start).max(0) as f64 / 1e9;
        self.windows.iter().map(length).sum()
    }

    /// By how much these counters grew.
    pub fn count(&self, metrics: &[LinkMetric]) -> Answer {
        let Some(tried) = self.tried() else {
            return self.silence();
        };
        let grown = self.grown(metrics);
        let (seen, low, high) = (grown.seen as f64, grown.low as f64, grown.high as f64);
        let mut how = format!("of {}", self.packets(tried.seen));
        if grown.low < grown.high {
            how = format!(
                "{how}; {} to {}: counters are read once a second",
                grown.low, grown.high
            );
        }
        Answer::between(seen, low, high, how)
    }

    /// The same as a share of the packets that were sent.
    pub fn share(&self, metrics: &[LinkMetric]) -> Answer {
        let Some(tried) = self.tried().filter(|tried| tried.seen > 0) else {
            return self.silence();
        };
        let lost = self.grown(metrics);
        let of = |part: u64, rest: u64| match part + rest {
            0 => 0.0,
            all => part as f64 / all as f64,
        };
        let seen = of(lost.seen, tried.seen.saturating_sub(lost.seen));
        let low = of(lost.low, tried.high.saturating_sub(lost.low));
        let high = of(lost.high, tried.low.saturating_sub(lost.high));
        let how = format!("{} of {}", lost.seen, self.packets(tried.seen));
        Answer::between(seen, low, high, how)
    }

    /// The largest value of one link.
    pub fn most(&self, metric: LinkMetric) -> Answer {
        if self.tried().is_none() {
            return self.silence();
        }
        let values = self.series.get(&metric).into_iter().flatten();
        let within = |series: &Series, window: &Range<i64>| {
            let before = at(series, window.start);
            let rows = series.iter().filter(|(t, _)| window.contains(t));
            rows.map(|(_, value)| *value).fold(before, u64::max)
        };
        let each = values.flat_map(|series| self.windows.iter().map(|w| within(series, w)));
        let looks = |window: &Range<i64>| {
            let inside = self.looks.iter().filter(|t| window.contains(t));
            inside.count() as u64
        };
        let looks = self.windows.iter().map(looks).sum();
        let how = format!(
            "{} at {}",
            many(self.links as u64, "link"),
            many(looks, "look")
        );
        Answer::exact(each.max().unwrap_or(0) as f64, how)
    }

    fn packets(&self, count: u64) -> String {
        let links = many(self.links as u64, "link");
        format!("{} sent over {links}", many(count, "packet"))
    }

    /// What was sent, delivered or not; none: nothing was.
    fn tried(&self) -> Option<Grown> {
        let metrics = LinkMetric::ALL.into_iter();
        let sent: Vec<LinkMetric> = metrics
            .filter(|metric| metric.is_drop() || *metric == LinkMetric::PacketsTotal)
            .collect();
        Some(self.grown(&sent)).filter(|tried| tried.high > 0)
    }

    fn silence(&self) -> Answer {
        Answer::nothing("no packet was sent over these links then")
    }

    fn grown(&self, metrics: &[LinkMetric]) -> Grown {
        let series = metrics.iter().filter_map(|metric| self.series.get(metric));
        let series: Vec<&Series> = series.flatten().collect();
        let total = |t: i64| series.iter().map(|series| at(series, t)).sum::<u64>();
        let mut all = Grown::default();
        for window in self.windows.iter().filter(|w| w.start < w.end) {
            let (from, to) = (self.border(window.start), self.border(window.end));
            let more = |from, to| total(to).saturating_sub(total(from));
            let high = more(from.before, to.behind);
            all.seen += high;
            all.low += more(from.behind, to.before).min(high);
            all.high += high;
        }
        all
    }

    /// The look that is at `t`; else the last one before it and the first one behind it.
    fn border(&self, t: i64) -> Border {
        let place = self.looks.partition_point(|look| *look < t);
        let behind = self.looks.get(place).copied();
        let before = place.checked_sub(1).and_then(|at| self.looks.get(at));
        let before = before.copied().unwrap_or(0);
        match behind {
            Some(behind) if behind - t <= NEAR => Border {
                before: behind,
                behind,
            },
            None => Border {
                before,
                behind: before,
            },
            Some(_) if t - before <= NEAR => Border {
                before,
                behind: before,
            },
            Some(behind) => Border { before, behind },
        }
    }
}

/// The counters of packets that were not delivered: all, or that of the cause which a call names.
pub fn drops(call: &Call) -> Vec<LinkMetric> {
    match call.argument("cause") {
        Some(Argument::Cause(metric)) => vec![*metric],
        _ => {
            let metrics = LinkMetric::ALL.into_iter();
            metrics.filter(|metric| metric.is_drop()).collect()
        }
    }
}

/// The value at `t`: the last one that was written until then.
fn at(series: &Series, t: i64) -> u64 {
    let place = series.partition_point(|(written, _)| *written <= t);
    let last = place.checked_sub(1).and_then(|place| series.get(place));
    last.map_or(0, |(_, value)| *value)
}

/// Values as they are, but a counter that fell (its agent began anew) goes on from where it was.
fn steady(metric: LinkMetric, rows: &[&LinkSample]) -> Series {
    let (mut offset, mut last) = (0, 0);
    let value = |row: &&LinkSample| {
        if metric.is_counter() && row.value < last {
            offset += last;
        }
        last = row.value;
        (row.t, offset + row.value)
    };
    rows.iter().map(value).collect()
}

/// The stretches without one.
fn cut(stretches: Vec<Range<i64>>, without: &Range<i64>) -> Vec<Range<i64>> {
    let parts = |one: Range<i64>| {
        let before = one.start..one.end.min(without.start);
        let behind = one.start.max(without.end)..one.end;
        [before, behind]
            .into_iter()
            .filter(|part| part.start < part.end)
    };
    stretches.into_iter().flat_map(parts).collect()
}
