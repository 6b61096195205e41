//! Medians, intervals and distances.

use std::time::Duration;

/// 99 % of a normal distribution lie within so many standard deviations.
const Z99: f64 = 2.576;

/// The value that a share `q` does not exceed. Empty: not a number.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = (q * last as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Median with the range: `0.84 (0.71 to 0.93)`.
pub fn spread(values: &[f64]) -> String {
    let [low, middle, high] = [0.0, 0.5, 1.0].map(|q| quantile(values, q));
    format!("{middle:.2} ({low:.2} to {high:.2})")
}

/// The interval in which 99 % of the counts of `n` trials of probability `p` lie, as shares; at
/// least one trial wide. `inflation` is how much larger the variance is than that of independent trials.
pub fn binomial99(n: u64, p: f64, inflation: f64) -> (f64, f64) {
    let n = n as f64;
    let half = Z99 * (n * p * (1.0 - p) * inflation).sqrt() + 0.5;
    (((n * p - half) / n).max(0.0), (n * p + half) / n)
}

/// The interval in which 99 % of the means of `n` values lie.
pub fn mean99(n: u64, mean: f64, deviation: f64) -> (f64, f64) {
    let half = Z99 * deviation / (n as f64).sqrt();
    (mean - half, mean + half)
}

/// Largest distance between the values' distribution and `cumulative`, and the distance within which
/// 99 % of such samples lie (Kolmogorov and Smirnov).
pub fn kolmogorov(values: &[f64], cumulative: impl Fn(f64) -> f64) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let gap = |(i, value): (usize, &f64)| {
        let expected = cumulative(*value);
        (expected - i as f64 / n).max((i + 1) as f64 / n - expected)
    };
    let distance = sorted.iter().enumerate().map(gap).fold(0.0, f64::max);
    (distance, 1.628 / n.sqrt())
}

/// The normal distribution function, by the trapezoidal rule.
pub fn gauss(x: f64) -> f64 {
    let (x, steps) = (x.clamp(-8.0, 8.0), 400);
    let h = x / f64::from(steps);
    let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let inner: f64 = (1..steps).map(|i| density(f64::from(i) * h)).sum();
    0.5 + h * (inner + (density(0.0) + density(x)) / 2.0)
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
