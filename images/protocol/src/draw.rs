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

    /// 10^5 draws of p = 0.1: the count's standard deviation is 95, so 500 is more than 5 of it.
    #[test]
    fn units_are_uniform() {
        let hits = (0..100_000).filter(|i| unit(42, &[3, *i]) < 0.1).count();
        assert!(hits.abs_diff(10_000) < 500, "{hits}");
    }
}
