//! Chance on a link: correlated events, bursts, distributions.
//!
//! Owns every random decision of the model as a pure function of (seed, link, stage, flow, index in
//! the flow, epoch of the stage). Must not know properties' order or time.
//!
//! Nothing is remembered from packet to packet, and still packets depend on each other: what a
//! chain's state is at packet i is found by looking back over the draws of the packets before it,
//! until one that decides alone (Propp and Wilson, "Coupling from the past", 1996). So the fate of
//! a packet can be asked for in any order, and a chain is in balance from its first packet on. Two
//! bounds keep the way back short: chains begin anew, in balance, every [`BLOCK`] packets.

use crate::link::{Distribution, GilbertElliott};
use netlab_protocol::draw;

/// Chains begin anew at multiples of this index. Bursts of more than some thousand packets are cut.
const BLOCK: u64 = 4096;

/// Which decision a draw is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Stage {
    Loss = 1,
    Jitter,
    /// Second draw of a Gaussian pair.
    JitterPair,
    /// State of the Gilbert-Elliott channel.
    Channel,
    /// Loss within that state.
    ChannelLoss,
    Duplicate,
    Corrupt,
    /// Which bit is turned over.
    CorruptBit,
    Reorder,
}

/// Beside a stage: whether a packet draws anew or repeats the draw of the one before it.
const REPEAT: u64 = 1 << 32;
/// Beside a stage: the state with which a block begins.
const BALANCE: u64 = 1 << 33;
/// Beside a stage: for the second copy of a duplicated packet.
const COPY: u64 = 1 << 34;

/// The draws of one packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    pub seed: u64,
    pub link: u64,
    pub flow: u64,
    pub index: u64,
    /// This is the second copy of the packet.
    pub copy: bool,
}

impl Chance {
    fn key(&self, stage: u64, index: u64, epoch: u64) -> [u64; 5] {
        let copy = if self.copy { COPY } else { 0 };
        [self.link, stage | copy, self.flow, index, epoch]
    }

    fn unit(&self, stage: u64, index: u64, epoch: u64) -> f64 {
        draw::unit(self.seed, &self.key(stage, index, epoch))
    }

    /// 64 free bits.
    pub(super) fn bits(&self, stage: Stage, epoch: u64) -> u64 {
        draw::bits(self.seed, &self.key(stage as u64, self.index, epoch))
    }

    /// First packet of the block in which this one is.
    fn block(&self) -> u64 {
        self.index & !(BLOCK - 1)
    }

    /// The packet whose draw counts for this one: its own, or, with the probability `correlation`
    /// at each step, that of the packet before it. So the draws keep their distribution, and
    /// packets at a distance of k have the correlation `correlation`^k.
    fn source(&self, stage: Stage, epoch: u64, correlation: f64) -> u64 {
        if correlation <= 0.0 {
            return self.index;
        }
        let repeats = |i: &u64| self.unit(stage as u64 | REPEAT, *i, epoch) < correlation;
        let back = (self.block() + 1..=self.index).rev().take_while(repeats);
        self.index - back.count() as u64
    }

    /// Whether something with the probability `share` happens.
    pub(super) fn hits(&self, stage: Stage, epoch: u64, share: f64, correlation: f64) -> bool {
        share > 0.0 && {
            let source = self.source(stage, epoch, correlation);
            self.unit(stage as u64, source, epoch) < share
        }
    }

    /// Whether the channel loses this packet.
    pub(super) fn channel_loses(&self, epoch: u64, channel: &GilbertElliott) -> bool {
        let bad = self.channel_is_bad(epoch, channel);
        let share = if bad { channel.bad.0 } else { channel.good.0 };
        share > 0.0 && self.unit(Stage::ChannelLoss as u64, self.index, epoch) < share
    }

    /// A draw u turns good to bad when u < p, and bad to good when u ≥ 1 − r. Below both limits, or
    /// above both, it leads to one state from either; in between it keeps the state, or swaps it.
    fn channel_is_bad(&self, epoch: u64, channel: &GilbertElliott) -> bool {
        let (p, stay) = (channel.p.0, 1.0 - channel.r.0);
        let (low, high) = (p.min(stay), p.max(stay));
        let mut swapped = false;
        for before in (self.block()..self.index).rev() {
            let u = self.unit(Stage::Channel as u64, before, epoch);
            if u < low || u >= high {
                return (u < low) != swapped;
            }
            swapped ^= p > stay;
        }
        let balance = p / (p + channel.r.0); // not a number when neither changes: good
        let u = self.unit(Stage::Channel as u64 | BALANCE, self.block(), epoch);
        (u < balance) != swapped
    }

    /// How far from the mean, in units of the jitter.
    pub(super) fn deviation(&self, epoch: u64, shape: Distribution, correlation: f64) -> f64 {
        let source = self.source(Stage::Jitter, epoch, correlation);
        let u = self.unit(Stage::Jitter as u64, source, epoch);
        match shape {
            Distribution::Uniform => 2.0 * u - 1.0,
            // Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
            Distribution::Normal => {
                let turn = self.unit(Stage::JitterPair as u64, source, epoch);
                (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
            }
            // Shape 3 and minimum 1: mean 3/2, variance 3/4.
            Distribution::Pareto => ((1.0 - u).powf(-1.0 / 3.0) - 1.5) / 0.75_f64.sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ratio;

    fn at(index: u64) -> Chance {
        Chance {
            seed: 7,
            link: 1,
            flow: 2,
            index,
            copy: false,
        }
    }

    /// Mean, variance and correlation of neighbours.
    fn moments(values: &[f64]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let pairs = values.windows(2).map(|w| (w[0] - mean) * (w[1] - mean));
        (mean, variance, pairs.sum::<f64>() / n / variance)
    }

    /// Distance of the values' distribution from `cumulative`. 99 % of samples of n values lie
    /// within 1.63 / √n (Kolmogorov and Smirnov).
    fn distance(mut values: Vec<f64>, cumulative: impl Fn(f64) -> f64) -> f64 {
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let gap = |(i, v): (usize, &f64)| {
            let expected = cumulative(*v);
            (expected - i as f64 / n).max((i + 1) as f64 / n - expected)
        };
        values.iter().enumerate().map(gap).fold(0.0, f64::max)
    }

    /// Φ by the trapezoidal rule.
    fn gauss(x: f64) -> f64 {
        let steps = 400;
        let h = x / f64::from(steps);
        let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let inner: f64 = (1..steps).map(|i| density(f64::from(i) * h)).sum();
        0.5 + h * (inner + (density(0.0) + density(x)) / 2.0)
    }

    #[test]
    fn jitter_has_the_declared_distribution() {
        let draws = |shape| -> Vec<f64> {
            let draw = |i| at(i).deviation(0, shape, 0.0);
            (0..100_000).map(draw).collect()
        };
        let limit = 1.63 / 100_000_f64.sqrt();
        let uniform = distance(draws(Distribution::Uniform), |x| (x + 1.0) / 2.0);
        assert!(uniform < limit, "{uniform}");
        let normal = distance(draws(Distribution::Normal), gauss);
        assert!(normal < limit, "{normal}");
        let pareto = |x: f64| 1.0 - (x * 0.75_f64.sqrt() + 1.5).powi(-3);
        let pareto = distance(draws(Distribution::Pareto), pareto);
        assert!(pareto < limit, "{pareto}");
        // Standard errors: 1/√n of the mean (0.0032), √(2/n) of the variance (0.0045).
        let (mean, variance, correlation) = moments(&draws(Distribution::Normal));
        assert!(mean.abs() < 0.011 && (variance - 1.0).abs() < 0.015);
        assert!(correlation.abs() < 0.011, "{correlation}");
        let (mean, ..) = moments(&draws(Distribution::Pareto));
        assert!(mean.abs() < 0.011, "{mean}");
    }

    /// Correlation leaves mean and variance alone: the effective number of draws falls by
    /// (1 + ρ) / (1 − ρ), so 5 standard errors of 10^5 draws are 0.016 √((1 + ρ) / (1 − ρ)).
    #[test]
    fn correlation_is_as_declared_and_moves_no_share() {
        for rho in [0.25_f64, 0.9] {
            let room = 0.016 * ((1.0 + rho) / (1.0 - rho)).sqrt();
            let draw = |i| at(i).deviation(0, Distribution::Normal, rho);
            let (mean, _, found) = moments(&(0..100_000).map(draw).collect::<Vec<_>>());
            assert!(mean.abs() < room, "{mean}");
            assert!((found - rho).abs() < room, "{rho}: {found}");
            let hit = |i: &u64| at(*i).hits(Stage::Loss, 0, 0.1, rho);
            let share = (0..100_000).filter(hit).count() as f64 / 1e5;
            assert!((share - 0.1).abs() < 0.3 * room, "{rho}: {share}");
        }
    }

    /// Burst lengths are geometric with mean 1/r; of n bursts the mean is within 2.58 √(1 − r) / (r √n)
    /// with 99 %. The share of bad packets has the variance π(1 − π)(2 / (p + r) − 1) / n.
    #[test]
    fn the_channel_is_that_of_gilbert_and_elliott() {
        let ratios = [
            (0.01, 0.2),
            (0.05, 0.5),
            (0.3, 0.9),
            (0.7, 0.8),
            (0.002, 0.02),
        ];
        for (p, r) in ratios {
            let channel = GilbertElliott {
                p: Ratio(p),
                r: Ratio(r),
                bad: Ratio(1.0),
                good: Ratio(0.0),
            };
            let n = 400_000;
            let lost: Vec<bool> = (0..n).map(|i| at(i).channel_loses(3, &channel)).collect();
            let share = lost.iter().filter(|l| **l).count() as f64 / n as f64;
            let pi = channel.share();
            let spread = (pi * (1.0 - pi) * (2.0 / (p + r) - 1.0) / n as f64).sqrt();
            assert!(
                (share - pi).abs() < 2.58 * spread,
                "{p} {r}: {share} of {pi}"
            );
            let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
            let length = share * n as f64 / bursts;
            let room = 2.58 * (1.0 - r).sqrt() / r / bursts.sqrt() + r / 100.0;
            assert!((length - 1.0 / r).abs() < room, "{p} {r}: {length}");
        }
    }

    #[test]
    fn both_states_lose_their_share() {
        let channel = GilbertElliott {
            p: Ratio(0.1),
            r: Ratio(0.3),
            bad: Ratio(0.5),
            good: Ratio(0.02),
        };
        let hits = (0..200_000).filter(|i| at(*i).channel_loses(0, &channel));
        let (share, expected) = (hits.count() as f64 / 2e5, channel.share());
        // As above, with room for the loss within the states: 2.58 √(0.14 · 0.86 · 4 / n) < 0.004.
        assert!((share - expected).abs() < 0.004, "{share} of {expected}");
        let never = GilbertElliott {
            p: Ratio(0.0),
            r: Ratio(0.0),
            bad: Ratio(1.0),
            good: Ratio(0.0),
        };
        assert!((0..10_000).all(|i| !at(i).channel_loses(0, &never)));
    }
}
