//! Faults that are drawn from the seed, as written: when they are drawn, and how long what is drawn
//! lasts.
//!
//! Owns what the drawn ones share. Must not know what is drawn (`churn`, `chaos`), nor draw.

use super::chaos::ChaosSpec;
use super::churn::ChurnSpec;
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Key, Kind as Holds, Shape, key};
use super::reader::Reader;
use super::source::{Span, Spanned};
use super::tree::{Data, Entry, Value};
use crate::id::Name;
use std::time::Duration;

/// The keys that say that a fault is drawn.
pub const DRAWN: [&str; 2] = ["churn", "chaos"];

/// A length of time that is drawn: fixed, or by its mean.
pub const LENGTH: Holds = Holds::Either(&[Holds::Time, Holds::Map(&LENGTHS)]);

/// A drawn length of time.
pub const LENGTHS: Shape = Shape {
    what: "a drawn time",
    keys: &[
        key("mean", Holds::Time, "Its mean."),
        key(
            "distribution",
            Holds::Word(&Distribution::WORDS),
            "`exponential` unless said; `pareto` has a heavy tail (shape 1.5), `uniform` is from nothing to twice the mean.",
        ),
    ],
    needs: &["mean"],
    later: &["tail", "min", "max"],
    instead: &[("rate", "write the mean time: `mean: 20s`")],
};

/// When draws begin and end.
pub const FRAME: [Key; 2] = [
    key("at", Holds::Time, "From when on; 0s unless said."),
    key(
        "until",
        Holds::Time,
        "By then all that was drawn has healed; the end of the scenario unless said.",
    ),
];

/// A fault of which each occurrence is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnSpec {
    /// Its name.
    pub name: Spanned<Name>,
    /// Its place among the faults of the file.
    pub place: usize,
    /// `at`.
    pub at: Option<Spanned<Duration>>,
    /// `until`.
    pub until: Option<Spanned<Duration>>,
    /// What is drawn.
    pub what: Drawn,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Drawn {
    /// Nodes that leave and join.
    Churn(ChurnSpec),
    /// Faults of several kinds.
    Chaos(ChaosSpec),
}

/// A length of time that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthSpec {
    /// Its mean.
    pub mean: Duration,
    /// Its distribution.
    pub distribution: Distribution,
    /// Where it is written.
    pub span: Span,
}

/// How a length of time is distributed around its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Always the mean.
    Fixed,
    /// From nothing to twice the mean.
    Uniform,
    /// Without memory.
    Exponential,
    /// With a heavy tail: shape 1.5, so that its variance is infinite.
    Pareto,
}

impl Distribution {
    /// The words, in the order of [`Distribution::ALL`].
    pub const WORDS: [&'static str; 4] = ["fixed", "uniform", "exponential", "pareto"];
    const ALL: [Distribution; 4] = [
        Distribution::Fixed,
        Distribution::Uniform,
        Distribution::Exponential,
        Distribution::Pareto,
    ];
}

/// Whether the map of a fault says that it is drawn.
pub(super) fn is_drawn(value: &Value) -> bool {
    let Data::Map(entries) = &value.data else {
        return false;
    };
    entries
        .iter()
        .any(|entry| DRAWN.contains(&entry.key.value.as_str()))
}

impl Reader<'_> {
    /// A drawn fault; none when something was reported.
    pub(super) fn drawn(&self, place: usize, entry: &Entry) -> Option<DrawnSpec> {
        let name = self.key_name(&entry.key);
        let open = self.open_fields(&entry.value, "a fault", Some(entry.key.span))?;
        if let [(_, churn), (_, chaos)] = open.among(&DRAWN).as_slice() {
            let message = "a fault is of one kind; this is `churn` and `chaos`";
            self.report(
                Diagnostic::error("conflict", message)
                    .at(chaos.key.span, "")
                    .at(churn.key.span, "")
                    .help("write two faults; they may overlap"),
            );
            return None;
        }
        let (fields, what) = match open.get("churn") {
            Some(_) => self.churn(entry)?,
            None => self.chaos(entry)?,
        };
        let (at, until) = self.frame(&fields)?;
        Some(DrawnSpec {
            name: name?,
            place,
            at,
            until,
            what: what?,
        })
    }

    fn frame(&self, fields: &Fields<'_>) -> Option<Frame> {
        let time = |key: &str| match fields.get(key) {
            None => Some(None),
            Some(value) => Some(Some(Spanned::new(self.duration(value)?, value.span))),
        };
        let (at, until) = (time("at"), time("until"));
        let (at, until) = (at?, until?);
        let from = at.as_ref().map_or(Duration::ZERO, |at| at.value);
        if let Some(until) = &until
            && until.value <= from
        {
            self.bad(until.span, "`until` is later than `at`");
            return None;
        }
        Some((at, until))
    }

    /// A drawn length of time: `20s`, or `{ mean: 20s, distribution: pareto }`.
    pub(super) fn length(&self, value: &Value, what: &str) -> Option<LengthSpec> {
        let span = value.span;
        let is_map = matches!(value.data, Data::Map(_)) && !self.is_bare_template(value);
        if !is_map {
            return Some(LengthSpec {
                mean: self.positive_duration(value, what)?,
                distribution: Distribution::Fixed,
                span,
            });
        }
        let fields = self.fields(value, &LENGTHS, None)?;
        let distribution = match fields.get("distribution") {
            None => Some(Distribution::Exponential),
            Some(value) => {
                let word = self.word(value, "a distribution", &Distribution::WORDS);
                let at = word.and_then(|word| Distribution::WORDS.iter().position(|w| *w == word));
                at.map(|at| Distribution::ALL[at])
            }
        };
        let mean = fields.need(self, "mean", "say its mean: `mean: 20s`");
        let mean = mean.and_then(|value| self.positive_duration(value, "the mean of a time"));
        Some(LengthSpec {
            mean: mean?,
            distribution: distribution?,
            span,
        })
    }
}

type Frame = (Option<Spanned<Duration>>, Option<Spanned<Duration>>);
