//! The pace of an open loop: how many requests a rate that changes makes, and when each is due.
//!
//! A rate is a line of straight legs; where it ends it stays. Pure, and without a sum over requests,
//! so that the millionth is as exact as the first.

use netlab_protocol::role::Leg;

/// A rate over time, from its beginning on.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'a> {
    /// Requests per second at the beginning.
    pub rate: f64,
    /// How it goes on.
    pub legs: &'a [Leg],
}

impl Pace<'_> {
    /// Requests within the first `t` seconds.
    pub fn by(&self, t: f64) -> f64 {
        let (mut rate, mut begin, mut sum) = (self.rate, 0.0, 0.0);
        for leg in self.legs {
            let over = leg.over.as_secs_f64();
            if t < begin + over {
                let within = t - begin;
                return sum + within * (rate + (leg.to - rate) * within / over / 2.0);
            }
            sum += over * (rate + leg.to) / 2.0;
            begin += over;
            rate = leg.to;
        }
        sum + (t - begin) * rate
    }

    /// After how many seconds there are `n` requests; [`Pace::by`] turned around.
    pub fn when(&self, n: f64) -> f64 {
        let (mut rate, mut begin, mut sum) = (self.rate, 0.0, 0.0);
        for leg in self.legs {
            let over = leg.over.as_secs_f64();
            let within = over * (rate + leg.to) / 2.0;
            if n < sum + within {
                let rest = n - sum;
                // Of the two roots the one that does not cancel, also for a rate that stays.
                let slope = (leg.to - rate) / over;
                let root = (rate * rate + 2.0 * slope * rest).max(0.0).sqrt();
                return begin + 2.0 * rest / (rate + root);
            }
            sum += within;
            begin += over;
            rate = leg.to;
        }
        begin + (n - sum) / rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn leg(seconds: u64, to: f64) -> Leg {
        Leg {
            over: Duration::from_secs(seconds),
            to,
        }
    }

    /// 10/s to 200/s in 60 s are 6300 requests, half of them when (10 t + 95/60 t²) = 3150; then
    /// 200/s. Up by a step, down by a ramp.
    #[test]
    fn rates_add_up() {
        let legs = [leg(60, 200.0), leg(10, 200.0), leg(0, 50.0), leg(20, 10.0)];
        let pace = Pace {
            rate: 10.0,
            legs: &legs,
        };
        for (t, n) in [
            (0.0, 0.0),
            (60.0, 6300.0),
            (70.0, 8300.0),
            (90.0, 8900.0),
            (100.0, 9000.0),
        ] {
            assert!((pace.by(t) - n).abs() < 1e-6, "{t}: {}", pace.by(t));
        }
        for i in 0..1000 {
            let n = f64::from(i) * 9.5;
            let t = pace.when(n);
            assert!((pace.by(t) - n).abs() < 1e-6, "{n}: {t}");
        }
        let plain = Pace {
            rate: 20.0,
            legs: &[],
        };
        assert_eq!(plain.when(200.0), 10.0);
    }
}
