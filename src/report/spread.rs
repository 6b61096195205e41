//! Whole runs taken together: medians, their intervals, and differences between two groups of runs.
//!
//! A run is one observation: requests of several runs are never pooled. Intervals are those of order
//! statistics, which suppose nothing about the distribution (sign test; Hodges and Lehmann 1963 with
//! the distribution of Mann and Whitney's U).

use serde::Serialize;

/// Chance of being outside an interval that is aimed at.
const ALPHA: f64 = 0.05;
/// Pairs of runs up to which the distribution of U is counted out; above it is as good as normal.
const COUNTED: usize = 2_500;

/// A value over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many runs have the value.
    pub runs: usize,
    /// Its median.
    pub median: f64,
    /// The interval in which the median lies; none with one run.
    pub interval: Option<Interval>,
}

/// From here to there, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its begin.
    pub low: f64,
    /// Its end.
    pub high: f64,
    /// Chance that such an interval holds the true value: at least 0.95 where there are runs enough.
    pub confidence: f64,
}

impl Spread {
    /// Of the values of runs; none without any.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (median, runs) = (median(&sorted)?, sorted.len());
        let (rank, confidence) = rank(runs);
        let interval = (runs > 1).then(|| Interval {
            low: sorted[rank - 1],
            high: sorted[runs - rank],
            confidence,
        });
        Some(Spread {
            runs,
            median,
            interval,
        })
    }
}

/// How much larger the second group's values are than the first one's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Median of the differences between every run of one and every run of the other.
    pub median: f64,
    /// In which it lies; none with one run in each.
    pub interval: Option<Interval>,
}

impl Difference {
    /// From `a` to `b`; none when one has no values.
    pub fn between(a: &[f64], b: &[f64]) -> Option<Difference> {
        let pairs = b.iter().flat_map(|b| a.iter().map(move |a| b - a));
        let mut sorted: Vec<f64> = pairs.collect();
        sorted.sort_by(f64::total_cmp);
        let all = sorted.len();
        let (rank, confidence) = pair_rank(a.len(), b.len());
        Some(Difference {
            median: median(&sorted)?,
            interval: (all > 1).then(|| Interval {
                low: sorted[rank - 1],
                high: sorted[all - rank],
                confidence,
            }),
        })
    }

    /// Whether the runs show that there is one.
    pub fn is_shown(&self) -> bool {
        let apart = |one: &Interval| one.low > 0.0 || one.high < 0.0;
        self.interval
            .is_some_and(|one| one.confidence >= 1.0 - ALPHA && apart(&one))
    }
}

/// How many of so many runs must agree before it counts as known what the median run does: all of
/// them up to five, then as many as the interval of the median needs.
pub fn needed(runs: usize) -> usize {
    match runs {
        0 => 1,
        runs => runs + 1 - rank(runs).0,
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let at = sorted.len() / 2;
    let upper = sorted.get(at)?;
    match sorted.len() % 2 {
        0 => Some((sorted[at - 1] + upper) / 2.0),
        _ => Some(*upper),
    }
}

/// The rank from below and above that bounds the median, from 1, and its confidence.
fn rank(runs: usize) -> (usize, f64) {
    let mut chance = 0.5_f64.powi(i32::try_from(runs).unwrap_or(i32::MAX));
    let (mut below, mut best) = (chance, (1, 1.0 - 2.0 * chance));
    for k in 1..runs / 2 {
        // Chance of exactly k values below the median.
        chance *= (runs - k + 1) as f64 / k as f64;
        below += chance;
        if 2.0 * below > ALPHA {
            break;
        }
        best = (k + 1, 1.0 - 2.0 * below);
    }
    (best.0, best.1.max(0.0))
}

/// The same for the differences of two groups.
fn pair_rank(m: usize, n: usize) -> (usize, f64) {
    if m == 0 || n == 0 {
        return (1, 0.0);
    }
    if m * n > COUNTED {
        let (m, n) = (m as f64, n as f64);
        let spread = (m * n * (m + n + 1.0) / 12.0).sqrt();
        return (((m * n / 2.0 - 1.96 * spread) as usize).max(1), 1.0 - ALPHA);
    }
    let counts = mann_whitney(m, n);
    let all: f64 = counts.iter().sum();
    let mut below = counts[0] / all;
    let mut best = (1, (1.0 - 2.0 * below).max(0.0));
    for (u, count) in counts.iter().enumerate().skip(1) {
        below += count / all;
        if 2.0 * below > ALPHA {
            break;
        }
        best = (u + 1, 1.0 - 2.0 * below);
    }
    best
}

/// In how many orders of `m` and `n` values U is 0, 1, …: the coefficients of a Gaussian binomial.
fn mann_whitney(m: usize, n: usize) -> Vec<f64> {
    let mut counts = vec![0.0; m * n + 1];
    counts[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..counts.len()).rev() {
            counts[u] -= counts[u - n - i];
        }
        for u in i..counts.len() {
            counts[u] += counts[u - i];
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_runs_span_all_of_them_and_say_how_sure_that_is() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0]).unwrap().interval, None);
        let five = Spread::of(&[5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        let interval = five.interval.unwrap();
        assert_eq!((five.median, interval.low, interval.high), (3.0, 1.0, 5.0));
        assert_eq!(interval.confidence, 1.0 - 2.0 / 32.0);
        assert_eq!(Spread::of(&[1.0, 2.0]).unwrap().median, 1.5);
    }

    /// The ranks that tables of the sign test have for 95 %.
    #[test]
    fn ranks_are_those_of_the_tables() {
        for (runs, expected) in [(5, 1), (6, 1), (9, 2), (12, 3), (20, 6), (50, 18)] {
            assert_eq!(rank(runs).0, expected, "{runs}");
        }
        assert!(rank(1000).1 >= 0.95);
        assert_eq!([1, 5, 6, 9, 20].map(needed), [1, 5, 6, 8, 15]);
    }

    /// The counts and the critical values that tables of U have for 95 %, two-sided.
    #[test]
    fn differences_have_the_intervals_of_the_tables() {
        assert_eq!(mann_whitney(2, 2), [1.0, 1.0, 2.0, 1.0, 1.0]);
        // U is critical at 2 for 5 and 5, at 23 for 10 and 10.
        assert_eq!(pair_rank(5, 5).0, 3);
        assert_eq!(pair_rank(10, 10).0, 24);
        assert_eq!(pair_rank(1, 1), (1, 0.0));
        let (low, high) = ([1.0, 2.0, 3.0, 4.0, 5.0], [11.0, 12.0, 13.0, 14.0, 15.0]);
        let apart = Difference::between(&low, &high).unwrap();
        assert_eq!(apart.median, 10.0);
        assert!(apart.is_shown());
        assert!(!Difference::between(&low, &low).unwrap().is_shown());
        assert!(!Difference::between(&[1.0], &[9.0]).unwrap().is_shown());
    }
}
