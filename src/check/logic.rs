//! Three-valued logic (Kleene): what is inconclusive may yet be decided by what stands beside it.

use super::answer::Range;
use crate::expr::Comparison;
use serde::{Deserialize, Serialize};

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It is so.
    Pass,
    /// It is not so.
    Fail,
    /// Nobody knows.
    Inconclusive,
}

impl Judgement {
    fn of(known: Option<bool>) -> Judgement {
        match known {
            Some(true) => Judgement::Pass,
            Some(false) => Judgement::Fail,
            None => Judgement::Inconclusive,
        }
    }

    fn known(self) -> Option<bool> {
        match self {
            Judgement::Pass => Some(true),
            Judgement::Fail => Some(false),
            Judgement::Inconclusive => None,
        }
    }

    /// Both.
    pub fn and(self, other: Judgement) -> Judgement {
        Judgement::of(match (self.known(), other.known()) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        })
    }

    /// The contrary.
    pub fn negated(self) -> Judgement {
        Judgement::of(self.known().map(|known| !known))
    }

    /// One of them.
    pub fn or(self, other: Judgement) -> Judgement {
        self.negated().and(other.negated()).negated()
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Judgement::Pass => "pass",
            Judgement::Fail => "fail",
            Judgement::Inconclusive => "inconclusive",
        }
    }
}

/// Compares two values of which only ranges are known.
pub fn compare(left: &Range, sign: Comparison, right: &Range) -> Judgement {
    let less = || decided(left.high < right.low, left.low >= right.high);
    let more = || decided(left.low > right.high, left.high <= right.low);
    match sign {
        Comparison::Less => less(),
        Comparison::AtLeast => less().negated(),
        Comparison::More => more(),
        Comparison::AtMost => more().negated(),
        Comparison::Equal => equal(left, right),
        Comparison::Unequal => equal(left, right).negated(),
    }
}

fn equal(left: &Range, right: &Range) -> Judgement {
    let apart = left.high < right.low || left.low > right.high;
    let point = |range: &Range| range.low == range.high;
    // Both came out of divisions: the last digits say nothing.
    let close = (left.seen - right.seen).abs() <= 1e-9 * left.seen.abs().max(right.seen.abs());
    let points = point(left) && point(right);
    decided(points && close, apart && !(points && close))
}

fn decided(is: bool, is_not: bool) -> Judgement {
    Judgement::of(match (is, is_not) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::{Fail, Inconclusive, Pass};

    fn range(low: f64, high: f64) -> Range {
        Range {
            seen: low,
            low,
            high,
            how: String::new(),
        }
    }

    #[test]
    fn what_decides_decides() {
        assert_eq!(Fail.and(Inconclusive), Fail);
        assert_eq!(Pass.and(Inconclusive), Inconclusive);
        assert_eq!(Pass.or(Inconclusive), Pass);
        assert_eq!(Fail.or(Inconclusive), Inconclusive);
        assert_eq!(
            (Inconclusive.negated(), Pass.negated()),
            (Inconclusive, Fail)
        );
    }

    #[test]
    fn ranges_are_compared_as_far_as_they_are_known() {
        let two = range(2.0, 2.0);
        let judged = |low, sign, high| compare(&range(low, high), sign, &two);
        assert_eq!(judged(1.0, Comparison::Less, 1.0), Pass);
        assert_eq!(judged(2.0, Comparison::Less, 2.0), Fail);
        assert_eq!(judged(2.0, Comparison::AtMost, 2.0), Pass);
        assert_eq!(judged(1.0, Comparison::Less, 3.0), Inconclusive);
        assert_eq!(judged(3.0, Comparison::Less, f64::INFINITY), Fail);
        assert_eq!(judged(1.0, Comparison::Less, f64::INFINITY), Inconclusive);
        assert_eq!(judged(3.0, Comparison::More, f64::INFINITY), Pass);
        assert_eq!(judged(2.0, Comparison::AtLeast, 2.0), Pass);
        assert_eq!(judged(2.0, Comparison::Equal, 2.0), Pass);
        assert_eq!(judged(1.0, Comparison::Equal, 3.0), Inconclusive);
        assert_eq!(judged(3.0, Comparison::Unequal, 4.0), Pass);
        let third = range(1.0 / 3.0 * 6.0, 1.0 / 3.0 * 6.0);
        assert_eq!(compare(&third, Comparison::Equal, &two), Pass);
    }
}
