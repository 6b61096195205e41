//! What a function says: a range of values, or why there is none.

/// What a function says about a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It lies in this range.
    Seen(Range),
    /// There is no value; why, as a sentence without its end.
    Nothing(String),
}

/// Least and most that a value can have been, in its kind's unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// What was measured.
    pub seen: f64,
    /// Least.
    pub low: f64,
    /// Most; infinite where the run ended first.
    pub high: f64,
    /// From what it was worked out: `0 of 785 requests`.
    pub how: String,
}

impl Answer {
    /// Exactly this.
    pub fn exact(value: f64, how: impl Into<String>) -> Answer {
        Answer::between(value, value, value, how)
    }

    /// This was measured; without the host's stalls it had been in the range.
    pub fn between(seen: f64, low: f64, high: f64, how: impl Into<String>) -> Answer {
        Answer::Seen(Range {
            seen,
            low: low.min(seen),
            high: high.max(seen),
            how: how.into(),
        })
    }

    /// No less than this.
    pub fn at_least(value: f64, how: impl Into<String>) -> Answer {
        Answer::between(value, value, f64::INFINITY, how)
    }

    /// There is none.
    pub fn nothing(why: impl Into<String>) -> Answer {
        Answer::Nothing(why.into())
    }
}

/// `1 request`, `3 requests`.
pub fn many(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}
