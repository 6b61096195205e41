//! What each check came to over whole runs.

use super::{CheckOver, Status};
use crate::check::{CheckResult, Judgement};
use crate::expr::{Quantity, Type};
use crate::report::spread::{Spread, needed};
use crate::report::summary::Summary;

/// What each check came to over whole runs: known is what so many of them agree on that the median
/// run must, too.
pub(super) fn checks(summaries: &[&Summary]) -> Vec<CheckOver> {
    let longest = summaries.iter().max_by_key(|summary| summary.checks.len());
    let names = longest.map_or(&[][..], |summary| &summary.checks);
    let over = |(at, check): (usize, &CheckResult)| {
        let all = summaries
            .iter()
            .filter_map(|summary| summary.checks.get(at));
        over(check, &all.collect::<Vec<_>>(), summaries.len())
    };
    names.iter().enumerate().map(over).collect()
}

/// One check in those of so many runs that could be judged.
fn over(check: &CheckResult, all: &[&CheckResult], runs: usize) -> CheckOver {
    let count = |verdict| all.iter().filter(|one| one.verdict == verdict).count();
    let (passed, failed) = (count(Judgement::Pass), count(Judgement::Fail));
    let enough = needed(runs);
    let observed = (0..check.observed.len()).map(|at| observed(at, check, all, runs));
    CheckOver {
        name: check.name.clone(),
        expect: check.expect.clone(),
        status: match () {
            () if passed >= enough => Status::Passed,
            () if failed >= enough => Status::Failed,
            () => Status::Inconclusive,
        },
        passed,
        failed,
        inconclusive: runs - passed - failed,
        observed: observed.collect(),
    }
}

/// What a function said: of one run with how it was worked out, of several the median and its interval.
fn observed(at: usize, check: &CheckResult, all: &[&CheckResult], runs: usize) -> String {
    let one = &check.observed[at];
    if runs == 1 {
        return format!("{} = {}: {}", one.call, one.text, one.how);
    }
    let seen = all
        .iter()
        .filter_map(|result| result.observed.get(at)?.value);
    let values: Vec<f64> = seen.collect();
    let mut kinds = Type::ALL.into_iter();
    let kind = kinds.find(|kind| kind.word() == one.kind);
    let text = |value| Quantity::new(kind.unwrap_or(Type::Number), value).to_string();
    match Spread::of(&values) {
        None => format!("{} = –: {}", one.call, one.how),
        Some(spread) => {
            let interval = spread.interval.map_or_else(String::new, |interval| {
                format!(", {} to {}", text(interval.low), text(interval.high))
            });
            let (call, median) = (&one.call, text(spread.median));
            format!(
                "{call} = {median} (median of {} runs{interval})",
                values.len()
            )
        }
    }
}
