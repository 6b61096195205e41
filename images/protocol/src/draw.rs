//! Counter-based draws: a pure function from a seed and a list of counters to a number.
//!
//! No generator state means that a draw is moved neither by other draws nor by their order. The
//! mixing function is the finaliser of SplitMix64 (Steele, Lea, Flood: "Fast Splittable
//! Pseudorandom Number Generators", OOPSLA 2014), applied once per counter.

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 64 uniform bits for (`seed`, `counters`).
pub fn bits(seed: u64, counters: &[u64]) -> u64 {
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    counters
        .iter()
        .fold(mix(seed.wrapping_add(golden)), |state, counter| {
            mix(state.wrapping_add(golden) ^ mix(counter.wrapping_add(golden)))
        })
}

/// A uniform number in `[0, 1)` for (`seed`, `counters`).
pub fn unit(seed: u64, counters: &[u64]) -> f64 {
    (bits(seed, counters) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A uniform integer in `0..n` (0 for n = 0); the bias is below n / 2^64.
pub fn below(seed: u64, counters: &[u64], n: u64) -> u64 {
    ((u128::from(bits(seed, counters)) * u128::from(n)) >> 64) as u64
}

/// A number of the exponential distribution with mean 1 (by inversion), for (`seed`, `counters`).
pub fn exponential(seed: u64, counters: &[u64]) -> f64 {
    -(-unit(seed, counters)).ln_1p()
}

/// A number `0..n` by Zipf's law: `i` is drawn with a weight of `1 / (i + 1)^exponent`, for (`seed`,
/// `counters`). 0 for n = 0. In constant time and memory, by rejection-inversion (Hörmann, Derflinger:
/// "Rejection-inversion to generate variates from monotone discrete distributions", ACM TOMACS 6(3),
/// 1996).
pub fn zipf(seed: u64, counters: &[u64], n: u64, exponent: f64) -> u64 {
    if n <= 1 {
        return 0;
    }
    // The integral of x^-exponent, and its inverse; near exponent 1 they are ln and exp.
    let beside = 1.0 - exponent;
    let integral = |x: f64| {
        let log = x.ln();
        match (beside * log).abs() < 1e-8 {
            true => log,
            false => (beside * log).exp_m1() / beside,
        }
    };
    let inverse = |y: f64| {
        let scaled = (beside * y).max(-1.0);
        match scaled.abs() < 1e-8 {
            true => y.exp(),
            false => (scaled.ln_1p() / beside).exp(),
        }
    };
    let weight = |x: f64| (-exponent * x.ln()).exp();
    let (first, last) = (integral(1.5) - 1.0, integral(n as f64 + 0.5));
    let sure = 2.0 - inverse(integral(2.5) - weight(2.0));
    let state = bits(seed, counters);
    // One attempt in eight is rejected at worst, so that 64 in a row never are.
    for attempt in 0..64 {
        let y = last + unit(state, &[attempt]) * (first - last);
        let x = inverse(y);
        let k = x.round().clamp(1.0, n as f64);
        if k - x <= sure || y >= integral(k + 0.5) - weight(k) {
            return k as u64 - 1;
        }
    }
    0
}

/// A seeded permutation of `0..n` (Fisher and Yates).
pub fn permutation(seed: u64, counters: &[u64], n: u32) -> Vec<u32> {
    let mut all: Vec<u32> = (0..n).collect();
    let state = bits(seed, counters);
    for i in (1..all.len()).rev() {
        all.swap(i, below(state, &[i as u64], i as u64 + 1) as usize);
    }
    all
}

/// A number for a name, to be used as a counter (FNV-1a).
pub fn name(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequence is part of the contract "same seed, same run": it may never change.
    #[test]
    fn the_sequence_is_frozen() {
        let drawn: Vec<u64> = (0..4).map(|i| below(7, &[1, i], 1000)).collect();
        assert_eq!(drawn, FROZEN);
        assert_eq!(permutation(7, &[0], 8), FROZEN_PERMUTATION);
    }
    const FROZEN: [u64; 4] = [220, 201, 468, 853];
    const FROZEN_PERMUTATION: [u32; 8] = [2, 7, 6, 4, 1, 3, 5, 0];

    /// 10^5 draws: of a mean of 1 the standard deviation is 0.0032; above 3 lie e^-3 = 4979 of them,
    /// with one of 69.
    #[test]
    fn exponentials_have_their_mean_and_tail() {
        let drawn: Vec<f64> = (0..100_000).map(|i| exponential(42, &[4, i])).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.016, "{mean}");
        let tail = drawn.iter().filter(|x| **x > 3.0).count();
        assert!(tail.abs_diff(4979) < 345, "{tail}");
        assert!(drawn.iter().all(|x| x.is_finite() && *x >= 0.0));
    }

    /// Each key's count lies within 5 standard deviations of what its weight demands, for exponents
    /// below, at and above 1, of few keys and of many.
    #[test]
    fn zipf_draws_by_weight() {
        for exponent in [0.2, 0.99, 1.0, 1.5, 3.0] {
            for n in [2_u64, 10, 1_000] {
                let mut counts = vec![0_u64; n as usize];
                for i in 0..100_000 {
                    counts[zipf(42, &[5, i], n, exponent) as usize] += 1;
                }
                let all: f64 = (1..=n).map(|i| (i as f64).powf(-exponent)).sum();
                for (i, count) in counts.iter().enumerate() {
                    let share = (i as f64 + 1.0).powf(-exponent) / all;
                    let (mean, deviation) = (1e5 * share, (1e5 * share * (1.0 - share)).sqrt());
                    let off = (*count as f64 - mean).abs();
                    assert!(
                        off < 5.0 * deviation + 3.0,
                        "{i} of {n}, exponent {exponent}: {count}, not {mean}"
                    );
                }
            }
        }
        assert_eq!(zipf(1, &[], 0, 1.0), 0);
        assert!(zipf(1, &[2], 1_000_000, 1.0) < 1_000_000);
    }

    /// 10^5 draws of p = 0.1: the count's standard deviation is 95, so 500 is more than 5 of it.
    #[test]
    fn units_are_uniform() {
        let hits = (0..100_000).filter(|i| unit(42, &[3, *i]) < 0.1).count();
        assert!(hits.abs_diff(10_000) < 500, "{hits}");
    }
}
