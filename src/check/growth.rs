//! By how much counters grew, over restarts of their nodes.

use super::scope::Scope;
use crate::id::NodeIndex;
use crate::metrics::SampleRow;
use std::collections::BTreeMap;

/// By how much a counter of the nodes of a scope grew within its windows; none where no node told it
/// twice. Samples are a second apart: the borders are that much blurred, outwards.
pub fn growth(scope: &Scope<'_>, metric: &str) -> Option<f64> {
    let mut series: BTreeMap<(Option<NodeIndex>, &str), Vec<&SampleRow>> = BTreeMap::new();
    let samples = scope.view.samples.iter();
    for row in samples.filter(|row| row.metric == metric && scope.tells(row)) {
        series.entry((row.node, &row.labels)).or_default().push(row);
    }
    let mut grown = None;
    for rows in series.values() {
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
