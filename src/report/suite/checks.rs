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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Observed;

    fn result(verdict: Judgement, value: Option<f64>) -> CheckResult {
        CheckResult {
            name: "quick".into(),
            expect: "recovery(loss) < 2s".into(),
            verdict,
            observed: vec![Observed {
                call: "recovery(loss)".into(),
                kind: "duration".into(),
                value,
                low: value,
                high: value,
                text: value.map_or("–".into(), |value| format!("{value} s")),
                windows: Vec::new(),
                how: "from slots".into(),
            }],
        }
    }

    fn all(results: &[CheckResult]) -> CheckOver {
        let found: Vec<&CheckResult> = results.iter().collect();
        over(&results[0], &found, results.len())
    }

    #[test]
    fn one_run_says_how_its_value_was_worked_out() {
        let one = all(&[result(Judgement::Fail, Some(3.0))]);
        assert_eq!(one.status, Status::Failed);
        assert_eq!(one.observed, ["recovery(loss) = 3 s: from slots"]);
    }

    #[test]
    fn several_runs_give_the_median_and_its_interval() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        let mut runs = values.map(|v| result(Judgement::Pass, Some(v))).to_vec();
        let five = all(&runs);
        assert_eq!((five.status, five.passed), (Status::Passed, 5));
        let seen = &five.observed[0];
        assert!(seen.contains("median of 5 runs, "), "{seen}");
        // With few runs one that disagrees leaves it open, as one that says nothing.
        runs[0] = result(Judgement::Fail, Some(9.0));
        assert_eq!(all(&runs).status, Status::Inconclusive);
        runs[0] = result(Judgement::Inconclusive, None);
        let open = all(&runs);
        assert_eq!((open.status, open.inconclusive), (Status::Inconclusive, 1));
        assert!(open.observed[0].contains("median of 4 runs"), "{open:?}");
    }

    #[test]
    fn of_twenty_runs_five_may_disagree() {
        let runs = |failed: usize| -> Vec<CheckResult> {
            let verdict = |at| match at < failed {
                true => Judgement::Fail,
                false => Judgement::Pass,
            };
            let one = |at| result(verdict(at), Some(at as f64));
            (0..20).map(one).collect()
        };
        assert_eq!(all(&runs(5)).status, Status::Passed);
        assert_eq!(all(&runs(6)).status, Status::Inconclusive);
        assert_eq!(all(&runs(15)).status, Status::Failed);
    }
}
