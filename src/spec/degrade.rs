//! `degrade:` links and what changes about them: each property as under `link:`, or with a sign, as a
//! step from what there is.
//!
//! Owns which values are steps. What a property takes without a sign is the business of `properties`.

use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Key, Shape, joined};
use super::properties::{INSTEAD, PROPERTIES};
use super::reader::Reader;
use super::source::Spanned;
use super::targets::END_KEYS;
use super::topology::{DegradeSpec, Ends};
use super::tree::{Data, Entry, Value};
use crate::fault::Degradation;
use crate::link::{Quantity, Step, Steps};
use crate::units::pattern;
use std::time::Duration;

const KEYS: [Key; END_KEYS.len() + PROPERTIES.len()] = joined(END_KEYS, PROPERTIES);
/// What stands behind `degrade`.
pub const DEGRADE: Shape = Shape {
    what: "`degrade`",
    keys: &KEYS,
    needs: &[],
    later: &[],
    instead: INSTEAD,
};

/// Properties that take a step, with how one looks.
pub fn stepped() -> [(&'static str, String); 11] {
    let (time, share) = (pattern::time_step, pattern::share_step);
    let (rate, size) = (pattern::bit_rate_step, pattern::bytes_step);
    [
        ("delay", time()),
        ("rtt", time()),
        ("jitter", time()),
        ("loss", share()),
        ("corrupt", share()),
        ("duplicate", share()),
        ("reorder", share()),
        ("rate", rate()),
        ("burst", size()),
        ("queue", size()),
        ("mtu", size()),
    ]
}

impl Reader<'_> {
    /// The links and what changes about them.
    pub(super) fn degrade(&self, value: &Value) -> Option<(Ends, Box<DegradeSpec>)> {
        let fields = self.fields(value, &DEGRADE, None)?;
        let ends = self.ends(&fields);
        let names = PROPERTIES.map(|key| key.name);
        let said = fields.among(&names);
        if said.is_empty() {
            let message = "this `degrade` changes nothing";
            self.report(
                Diagnostic::error("missing-key", message)
                    .at(fields.span, "")
                    .help("say what changes, as `delay: +100ms`, `loss: 5%` or `rate: -20%`"),
            );
        }
        let both = fields.get("between").is_some();
        let (rest, steps) = self.steps(&fields, both);
        let set = self.change(&rest, both);
        let texts = said.iter().map(|(name, entry)| {
            let text = self.in_short(&entry.value);
            Spanned::new(format!("{name} {text}"), entry.value.span)
        });
        let spec = DegradeSpec {
            said: texts.collect(),
            change: Degradation {
                set: set?.patch,
                by: steps?,
            },
        };
        Some((ends?, Box::new(spec))).filter(|_| !said.is_empty())
    }

    /// The steps among the fields, and the other fields.
    fn steps<'t>(&self, fields: &Fields<'t>, both: bool) -> (Fields<'t>, Option<Steps>) {
        let signed = stepped().map(|(name, _)| {
            let text = fields.get(name).and_then(|value| self.signed(value));
            (name, text)
        });
        let written = |name: &str| {
            let mut all = signed.iter();
            all.find(|(other, _)| *other == name)
                .and_then(|(_, text)| text.as_ref())
        };
        let rtt = self.step::<Duration>(written("rtt"));
        let exclusive = self.exclusive_delay(fields, both);
        let steps = || {
            let delay = self.step(written("delay"))?;
            let half = |step| match step {
                Step::More(time) => Step::More(time / 2),
                Step::Less(time) => Step::Less(time / 2),
                Step::Percent(percent) => Step::Percent(percent),
            };
            Some(Steps {
                delay: delay.or(rtt?.map(half)),
                jitter: self.step(written("jitter"))?,
                loss: self.step(written("loss"))?,
                duplicate: self.step(written("duplicate"))?,
                corrupt: self.step(written("corrupt"))?,
                reorder: self.step(written("reorder"))?,
                rate: self.step(written("rate"))?,
                burst: self.step(written("burst"))?,
                queue: self.step(written("queue"))?,
                mtu: self.step(written("mtu"))?,
            })
        };
        let steps = steps().filter(|_| exclusive);
        let absolute = |name: &str| written(name).is_none();
        (fields.only(absolute), steps)
    }

    /// The text of a value with a sign before it.
    fn signed(&self, value: &Value) -> Option<Spanned<String>> {
        let text = self.scalar_text(value)?;
        let signed = text.trim_start().starts_with(['+', '-']);
        signed.then(|| Spanned::new(text, value.span))
    }

    /// Outer none: it is wrong; inner none: nothing is said.
    fn step<T: Quantity>(&self, text: Option<&Spanned<String>>) -> Option<Option<Step<T>>> {
        let Some(text) = text else {
            return Some(None);
        };
        match text.value.parse() {
            Ok(step) => Some(Some(step)),
            Err(wrong) => {
                self.report(
                    Diagnostic::error("bad-unit", wrong.0)
                        .at(text.span, "")
                        .help("a step is written with sign and unit: `+100ms`, `-20%`"),
                );
                None
            }
        }
    }

    /// A value in one line, as the file could have it.
    fn in_short(&self, value: &Value) -> String {
        let value = self.rendered(value).unwrap_or_else(|| value.clone());
        match &value.data {
            Data::Null => String::new(),
            Data::Bool(bool) => bool.to_string(),
            Data::Int(number) => number.to_string(),
            Data::Float(number) => number.to_string(),
            Data::Text(text) => text.clone(),
            Data::List(list) => {
                let all: Vec<String> = list.iter().map(|value| self.in_short(value)).collect();
                format!("[{}]", all.join(", "))
            }
            Data::Map(entries) => {
                let one =
                    |entry: &Entry| format!("{}: {}", entry.key.value, self.in_short(&entry.value));
                let all: Vec<String> = entries.iter().map(one).collect();
                format!("{{ {} }}", all.join(", "))
            }
        }
    }

    /// The text that stands as a value, when it is text, its template rendered; reports nothing.
    fn scalar_text(&self, value: &Value) -> Option<String> {
        match self.rendered(value)?.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }
}
