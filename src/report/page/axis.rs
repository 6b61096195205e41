//! Axes: from values to pixels, and where the ticks stand.

/// How a vertical axis spreads its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Equal steps, from zero.
    Linear,
    /// Equal factors: latencies differ by orders of magnitude.
    Log,
}

/// A vertical axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    spread: Spread,
    low: f64,
    high: f64,
    /// Values at which a line is drawn, ascending.
    pub ticks: Vec<f64>,
}

impl Axis {
    /// From zero to a round number at or above `most`.
    pub fn linear(most: f64) -> Axis {
        let step = round_step(most.max(f64::MIN_POSITIVE) / 3.0);
        let count = (most / step - 1e-9).ceil().max(1.0) as usize;
        Axis {
            spread: Spread::Linear,
            low: 0.0,
            high: step * count as f64,
            ticks: (0..=count).map(|n| step * n as f64).collect(),
        }
    }

    /// From zero to one.
    pub fn share() -> Axis {
        Axis {
            spread: Spread::Linear,
            low: 0.0,
            high: 1.0,
            ticks: vec![0.0, 0.5, 1.0],
        }
    }

    /// Around what is between `least` and `most`, both above zero: in steps of 1, 2 and 5 over up to
    /// two decades, in whole decades over more.
    pub fn log(least: f64, most: f64) -> Axis {
        let (least, most) = (least.max(f64::MIN_POSITIVE), most.max(least));
        let first = least.log10().floor() as i32;
        let decades = (most.log10().ceil() as i32 - first).max(1);
        let steps: &[f64] = if decades > 2 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let values =
            (first..=first + decades).flat_map(|n| steps.iter().map(move |s| s * 10_f64.powi(n)));
        let mut ticks: Vec<f64> = values.collect();
        let near = 1e-9;
        let above = ticks.partition_point(|tick| *tick < most * (1.0 - near));
        ticks.truncate((above + 1).max(2));
        let below = ticks.partition_point(|tick| *tick <= least * (1.0 + near));
        ticks.drain(..below.saturating_sub(1).min(ticks.len() - 2));
        Axis {
            spread: Spread::Log,
            low: ticks[0].log10(),
            high: ticks[ticks.len() - 1].log10(),
            ticks,
        }
    }

    /// Where a value stands: 0 at the low end, 1 at the high one, never outside.
    pub fn place(&self, value: f64) -> f64 {
        let value = match self.spread {
            Spread::Linear => value,
            Spread::Log => value.max(f64::MIN_POSITIVE).log10(),
        };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// 1, 2 or 5 times a power of ten, at least `least`.
fn round_step(least: f64) -> f64 {
    let decade = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fits = |step: &&f64| **step * decade >= least * (1.0 - 1e-9);
    steps.iter().find(fits).unwrap_or(&10.0) * decade
}

/// Round seconds between `from` and `to`, about eight of them.
pub(super) fn seconds(from: f64, to: f64) -> Vec<f64> {
    let step = round_step(((to - from) / 8.0).max(0.1));
    let first = (from / step).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axes_end_at_round_numbers() {
        assert_eq!(Axis::linear(87.0).ticks, [0.0, 50.0, 100.0]);
        assert_eq!(Axis::linear(200.0).ticks, [0.0, 100.0, 200.0]);
        assert_eq!(Axis::linear(0.0).ticks.len(), 2);
        assert_eq!(Axis::linear(100.0).place(50.0), 0.5);
        assert_eq!(Axis::linear(100.0).place(-4.0), 0.0);
    }

    #[test]
    fn log_axes_are_no_longer_than_their_values() {
        let axis = Axis::log(1.2, 430.0);
        assert_eq!(axis.ticks, [1.0, 10.0, 100.0, 1000.0]);
        assert!((axis.place(10.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(Axis::log(12.3, 15.1).ticks, [10.0, 20.0]);
        assert_eq!(Axis::log(10.0, 10.0).ticks, [10.0, 20.0]);
        assert_eq!(
            Axis::log(3.0, 60.0).ticks,
            [2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        );
    }

    #[test]
    fn times_are_round() {
        assert_eq!(seconds(-2.0, 10.0), [-2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(seconds(0.0, 0.05).len(), 1);
    }
}
