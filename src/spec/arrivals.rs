//! When requests are made: `rate`, `arrivals`, `users`, `think` of a `load`.
//!
//! Owns how a rate that changes is written. Must not know what is asked.

use super::defaults::{IN_FLIGHT, IN_FLIGHTS, MAX_STEPS, THINK, USERS};
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Kind, Shape, key};
use super::reader::Reader;
use super::tree::{Data, Value};
use crate::units::Frequency;
use netlab_protocol::role::{Arrivals, Distribution, Leg};
use std::time::Duration;

/// What `arrivals` takes.
const ARRIVALS: &[&str] = &["fixed", "poisson"];
/// What `distribution` of a time takes.
pub const SPREADS: &[&str] = &["fixed", "exponential"];

/// `rate`: one, or one that changes.
pub const RATE: Kind = Kind::Either(&[Kind::Frequency, Kind::Map(&CHANGING)]);
/// `arrivals`.
pub const GAPS: Kind = Kind::Word(ARRIVALS);
/// `think`: a time, or one that is drawn.
pub const THINKING: Kind = Kind::Either(&[Kind::Time, Kind::Map(&DRAWN)]);

const CHANGING: Shape = Shape {
    what: "`rate`",
    keys: &[
        key(
            "from",
            Kind::Frequency,
            "The rate when load begins, the warm-up included.",
        ),
        key("to", Kind::Frequency, "The rate at the end; it stays."),
        key(
            "over",
            Kind::Time,
            "How long it takes from the one to the other.",
        ),
        key(
            "steps",
            Kind::List(&Kind::Frequency),
            "Rates, one after the other; the last one stays.",
        ),
        key("every", Kind::Time, "How long each step lasts."),
    ],
    needs: &[],
    later: &[],
    instead: &[
        ("for", "write `over`"),
        ("ramp", "write `from`, `to` and `over`"),
    ],
};

const DRAWN: Shape = Shape {
    what: "`think`",
    keys: &[
        key("time", Kind::Time, "The time, or its mean."),
        key(
            "distribution",
            Kind::Word(SPREADS),
            "`fixed` (the default), or `exponential` around the mean.",
        ),
    ],
    needs: &["time"],
    later: &[],
    instead: &[("mean", "write `time`")],
};

/// A distribution by its word.
pub fn spread(word: &str) -> Distribution {
    match word {
        "exponential" | "poisson" => Distribution::Exponential,
        _ => Distribution::Fixed,
    }
}

impl Reader<'_> {
    /// When requests are made.
    pub(super) fn arrivals(&self, fields: &Fields<'_>) -> Option<Arrivals> {
        self.not_together(fields, "rate", &["users", "think"])?;
        self.not_together(fields, "users", &["in-flight", "arrivals"])?;
        if let Some(rate) = fields.get("rate") {
            let in_flight = fields.get("in-flight").map(|v| self.small(v, IN_FLIGHTS));
            let gaps = fields
                .get("arrivals")
                .map(|v| self.word(v, "a process", ARRIVALS));
            let (rate, legs) = self.rate(rate)?;
            return Some(Arrivals::Open {
                rate,
                legs,
                gaps: gaps.unwrap_or(Some("fixed")).map(spread)?,
                in_flight: in_flight.unwrap_or(Some(IN_FLIGHT))?,
            });
        }
        let help = "`rate: 20/s` (at a fixed pace) or `users: 10` (each waits for the answer)";
        let Some(users) = fields.get("users") else {
            self.report(
                Diagnostic::error("missing-key", "`load` needs `rate` or `users`")
                    .at(fields.span, "")
                    .help(help),
            );
            return None;
        };
        let think = fields.get("think").map(|v| self.think(v));
        let users = self.small(users, USERS);
        let (think, thinking) = think.unwrap_or(Some((THINK, Distribution::Fixed)))?;
        Some(Arrivals::Closed {
            users: users?,
            think,
            thinking,
        })
    }

    fn think(&self, value: &Value) -> Option<(Duration, Distribution)> {
        if !matches!(value.data, Data::Map(_)) {
            return Some((self.duration(value)?, Distribution::Fixed));
        }
        let fields = self.fields(value, &DRAWN, None)?;
        let time = fields.need(self, "time", "such as `time: 100ms`");
        let time = time.map(|v| self.duration(v));
        let word = fields.get("distribution");
        let word = word.map(|v| self.word(v, "a distribution", SPREADS));
        Some((time??, word.unwrap_or(Some("fixed")).map(spread)?))
    }

    fn frequency(&self, value: &Value) -> Option<f64> {
        let rate: Frequency = self.quantity(value, "a rate of requests", "/s")?;
        Some(rate.0)
    }

    /// The rate at the beginning, and how it goes on.
    fn rate(&self, value: &Value) -> Option<(f64, Vec<Leg>)> {
        if !matches!(value.data, Data::Map(_)) {
            return Some((self.frequency(value)?, Vec::new()));
        }
        let fields = self.fields(value, &CHANGING, None)?;
        self.not_together(&fields, "steps", &["from", "to", "over"])?;
        self.not_together(&fields, "every", &["from", "to", "over"])?;
        match fields.get("steps") {
            Some(steps) => self.steps_of(&fields, steps),
            None if fields.get("every").is_some() => {
                fields.need(self, "steps", "such as `steps: [10/s, 50/s, 100/s]`")?;
                None
            }
            None => self.ramp(&fields),
        }
    }

    fn ramp(&self, fields: &Fields<'_>) -> Option<(f64, Vec<Leg>)> {
        let help = "a ramp is `{ from: 10/s, to: 200/s, over: 60s }`";
        let said = |key| fields.need(self, key, help);
        let (from, to, over) = (said("from"), said("to"), said("over"));
        let from = from.map(|v| self.frequency(v));
        let to = to.map(|v| self.frequency(v));
        let over = over.map(|v| self.positive_duration(v, "a ramp"));
        let (over, to) = (over??, to??);
        Some((from??, vec![Leg { over, to }]))
    }

    fn steps_of(&self, fields: &Fields<'_>, steps: &Value) -> Option<(f64, Vec<Leg>)> {
        let every = fields.need(self, "every", "say how long each step lasts: `every: 10s`");
        let every = every.map(|v| self.positive_duration(v, "a step"));
        let list = match &steps.data {
            Data::List(list) if (1..=MAX_STEPS).contains(&list.len()) => list,
            _ => {
                let message = format!("`steps` is a list of up to {MAX_STEPS} rates");
                self.bad(steps.span, message);
                return None;
            }
        };
        let rates: Vec<Option<f64>> = list.iter().map(|v| self.frequency(v)).collect();
        let rates = rates.into_iter().collect::<Option<Vec<f64>>>()?;
        let over = every??;
        let step = |pair: &[f64]| {
            let hold = Leg { over, to: pair[0] };
            let (over, to) = (Duration::ZERO, pair[1]);
            [hold, Leg { over, to }]
        };
        Some((rates[0], rates.windows(2).flat_map(step).collect()))
    }
}
