//! By how much counters grew, over restarts of their nodes.

use super::scope::Scope;
use crate::id::NodeIndex;
use crate::metrics::SampleRow;
use std::collections::BTreeMap;

type Series<'r> = BTreeMap<(Option<NodeIndex>, &'r str), Vec<&'r SampleRow>>;

/// The rows of a metric of the nodes of a scope, in the order of time.
fn series<'r>(scope: &'r Scope<'_>, metric: &str) -> Series<'r> {
    let mut series = Series::new();
    let samples = scope.view.samples.iter();
    for row in samples.filter(|row| row.metric == metric && scope.tells(row)) {
        series.entry((row.node, &row.labels)).or_default().push(row);
    }
    series
}

/// By how much that grew within the windows of a scope which is never taken back: what a gauge
/// has at some moment and does not fall below until the run ends.
pub fn stays(scope: &Scope<'_>, metric: &str) -> f64 {
    let least = |rows: &[&SampleRow]| rows.iter().map(|row| row.value).reduce(f64::min);
    let mut more = 0.0;
    for rows in series(scope, metric).values() {
        // At the first value at or after `t`, or at the last one.
        let at = |t: i64| {
            let from = rows.partition_point(|row| row.t < t);
            least(&rows[from.min(rows.len() - 1)..]).unwrap_or(0.0)
        };
        let windows = scope.windows.iter().map(|window| &window.range);
        more += windows
            .map(|range| at(range.end) - at(range.start))
            .sum::<f64>();
    }
    more
}

/// By how much a counter of the nodes of a scope grew within its windows; none where no node told it
/// twice. Samples are a second apart: the borders are that much blurred, outwards.
pub fn growth(scope: &Scope<'_>, metric: &str) -> Option<f64> {
    let mut grown = None;
    for rows in series(scope, metric).values() {
        for window in &scope.windows {
            let (from, to) = (window.range.start, window.range.end);
            if let Some(more) = between(rows, from, to) {
                *grown.get_or_insert(0.0) += more;
            }
        }
    }
    grown
}

/// From the last value at or before `from` to the first one at or after `to`, or as near as there is.
fn between(rows: &[&SampleRow], from: i64, to: i64) -> Option<f64> {
    let first = rows.iter().rposition(|row| row.t <= from).unwrap_or(0);
    let last = rows.iter().position(|row| row.t >= to);
    let last = last.unwrap_or(rows.len().checked_sub(1)?);
    if first >= last || rows.get(first)?.t >= to {
        return None;
    }
    let pairs = rows[first..=last].windows(2);
    // A counter that fell began anew, with its node.
    let more = pairs.map(|two| match two[1].value - two[0].value {
        more if more < 0.0 => two[1].value,
        more => more,
    });
    Some(more.sum())
}
