//! Typed values out of the tree: each mistake is reported, and the reading goes on.
//!
//! Owns templates' rendering, units and their sentences. Must not know what the values are for.

use super::diagnostic::Diagnostic;
use super::source::{Sources, Span, Spanned};
use super::template::{self, Templates};
use super::tree::{Data, Value, short};
use super::words;
use crate::id::Name;
use crate::link::{Trace, TraceIndex};
use crate::units::{self, UnitError};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

/// Diagnostics kept of one file; a file with more mistakes is no longer read with profit.
const MAX_REPORTS: usize = 1000;

/// Words that YAML 1.1 took for booleans and YAML 1.2 takes for text.
const AMBIGUOUS: &[&str] = &[
    "yes", "no", "on", "off", "Yes", "No", "On", "Off", "YES", "NO", "ON", "OFF",
];

/// Reads values and collects what is wrong with them.
pub struct Reader<'s> {
    /// The texts.
    pub source: &'s Sources,
    /// Where the texts of other files are that this one names, by the place of the name; none: it could not
    /// be read.
    pub texts: &'s BTreeMap<Span, Option<Range<usize>>>,
    templates: Templates,
    reports: RefCell<Vec<Diagnostic>>,
    traces: RefCell<Vec<Trace>>,
}

impl<'s> Reader<'s> {
    /// A reader of `source`'s values.
    pub fn new(
        source: &'s Sources,
        texts: &'s BTreeMap<Span, Option<Range<usize>>>,
        templates: Templates,
    ) -> Reader<'s> {
        Reader {
            source,
            texts,
            templates,
            reports: RefCell::default(),
            traces: RefCell::default(),
        }
    }

    /// The same with other templates.
    #[must_use]
    pub fn with_templates(self, templates: Templates) -> Reader<'s> {
        Reader { templates, ..self }
    }

    /// Notes a mistake.
    pub fn report(&self, diagnostic: Diagnostic) {
        let mut reports = self.reports.borrow_mut();
        if reports.len() < MAX_REPORTS {
            reports.push(diagnostic);
        }
    }

    /// The place of a trace in the list of all, each of which is there once.
    pub fn keep_trace(&self, trace: Trace) -> TraceIndex {
        let mut traces = self.traces.borrow_mut();
        let known = traces.iter().position(|other| *other == trace);
        let at = known.unwrap_or(traces.len());
        if known.is_none() {
            traces.push(trace);
        }
        TraceIndex(at as u32)
    }

    /// All traces.
    pub fn take_traces(&self) -> Vec<Trace> {
        self.traces.take()
    }

    /// All that was noted.
    pub fn into_reports(self) -> Vec<Diagnostic> {
        self.reports.into_inner()
    }

    /// Reports an unquoted template, which YAML reads as a map in a map.
    pub fn is_bare_template(&self, value: &Value) -> bool {
        let text = self.source.text.get(value.span.start..).unwrap_or_default();
        let bare = matches!(value.data, Data::Map(_)) && text.starts_with("{{");
        if bare {
            let line = text.lines().next().unwrap_or_default();
            let length = line.find("}}").map_or(2, |at| at + 2);
            let span = Span {
                start: value.span.start,
                end: value.span.start + length,
            };
            let written = short(&line[..length]);
            self.report(
                Diagnostic::error("bare-template", "a template must be quoted")
                    .at(span, "YAML reads this as a map")
                    .help(format!("write \"{written}\"")),
            );
        }
        bare
    }

    /// The value with its template rendered; reports what cannot be read as a scalar.
    pub fn scalar(&self, value: &Value, expected: &str) -> Option<Value> {
        match &value.data {
            Data::Text(text) if template::is_template(text) => self
                .templates
                .render(&self.source.text, text, value.span)
                .map_err(|wrong| self.report(wrong))
                .ok(),
            Data::Text(text) if self.is_ambiguous(value, text) => None,
            Data::Map(_) if self.is_bare_template(value) => None,
            Data::Map(_) | Data::List(_) | Data::Null => {
                self.wrong(value, expected);
                None
            }
            _ => Some(value.clone()),
        }
    }

    /// The value with its template rendered; reports nothing.
    pub fn rendered(&self, value: &Value) -> Option<Value> {
        match &value.data {
            Data::Text(text) if template::is_template(text) => self
                .templates
                .render(&self.source.text, text, value.span)
                .ok(),
            _ => Some(value.clone()),
        }
    }

    fn is_ambiguous(&self, value: &Value, text: &str) -> bool {
        let written = &self.source.text[value.span.within(&self.source.text)];
        let ambiguous = AMBIGUOUS.contains(&text) && written == text;
        if ambiguous {
            self.report(ambiguous_word(text, value.span));
        }
        ambiguous
    }

    /// Reports that `value` is not `expected`.
    pub fn wrong(&self, value: &Value, expected: &str) {
        let text = &self.source.text;
        let from = value.span.within(text).start;
        if value.data == Data::Null && (text[from..].starts_with('!') || tagged(&text[..from])) {
            self.report(
                Diagnostic::error(
                    "tag",
                    "a value that begins with `!` is a tag to YAML, and has no value",
                )
                .at(value.span, "")
                .help("quote it if it is meant as text: \"!…\""),
            );
            return;
        }
        let message = format!("expected {expected}, found {}", value.describe());
        self.report(Diagnostic::error("wrong-type", message).at(value.span, ""));
    }

    /// Reports a value that has the right type and is not possible.
    pub fn bad(&self, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error("bad-value", message).at(span, ""));
    }

    /// Text.
    pub fn text(&self, value: &Value, expected: &str) -> Option<Spanned<String>> {
        let scalar = self.scalar(value, expected)?;
        match scalar.data {
            Data::Text(text) => Some(Spanned::new(text, value.span)),
            _ => {
                self.wrong(&scalar, expected);
                None
            }
        }
    }

    /// Where the text of the file lies that `path` names.
    pub fn text_at(&self, path: &Value, expected: &str) -> Option<Range<usize>> {
        match self.texts.get(&path.span) {
            Some(range) => range.clone(), // that it could not be read has been said
            None => {
                self.text(path, expected)?;
                let message = format!("{expected} cannot be said here");
                let help =
                    "files are read with a topology: name it there, in a fault of the `scenario`";
                self.report(
                    Diagnostic::error("no-file", message)
                        .at(path.span, "")
                        .help(help),
                );
                None
            }
        }
    }

    /// Any scalar as the text that it is written as (`1.10` stays `1.10`).
    pub fn verbatim(&self, value: &Value, expected: &str) -> Option<String> {
        let scalar = self.scalar(value, expected)?;
        Some(match (scalar.data, &value.data) {
            (Data::Text(text), _) => text,
            (Data::Bool(b), Data::Text(_)) => b.to_string(),
            (Data::Int(i), Data::Text(_)) => i.to_string(),
            (Data::Float(f), Data::Text(_)) => f.to_string(),
            _ => self.source.text[value.span.within(&self.source.text)].to_owned(),
        })
    }

    /// A whole number.
    pub fn integer(&self, value: &Value, range: RangeInclusive<u64>) -> Option<u64> {
        let scalar = self.scalar(value, "a whole number")?;
        let number = match scalar.data {
            Data::Int(i) => u64::try_from(i).ok(),
            // `{{ clients / 2 }}` is a float even where it divides.
            Data::Float(f) if f.fract() == 0.0 && (0.0..1e15).contains(&f) => Some(f as u64),
            Data::Float(f) if f.fract() == 0.0 => None,
            _ => {
                self.wrong(&scalar, "a whole number");
                return None;
            }
        };
        let fits = number.filter(|n| range.contains(n));
        if fits.is_none() {
            let (low, high) = (range.start(), range.end());
            let message = match scalar.data {
                Data::Int(i) => format!("`{i}` is out of range: {low} to {high}"),
                _ => format!("this is out of range: {low} to {high}"),
            };
            self.bad(value.span, message);
        }
        fits
    }

    /// The same as [`Reader::integer`], for counts.
    pub fn small(&self, value: &Value, range: RangeInclusive<u32>) -> Option<u32> {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        self.integer(value, range).and_then(|n| n.try_into().ok())
    }

    /// `true` or `false`.
    pub fn flag(&self, value: &Value) -> Option<bool> {
        let scalar = self.scalar(value, "`true` or `false`")?;
        match scalar.data {
            Data::Bool(said) => Some(said),
            _ => {
                self.wrong(&scalar, "`true` or `false`");
                None
            }
        }
    }

    /// A quantity with a unit; `example` is how one is written.
    pub fn quantity<T: FromStr<Err = UnitError>>(
        &self,
        value: &Value,
        what: &str,
        unit: &str,
    ) -> Option<T> {
        self.measured(value, what, unit, str::parse)
    }

    /// A time.
    pub fn duration(&self, value: &Value) -> Option<Duration> {
        self.measured(value, "a time", "ms", units::parse_duration)
    }

    /// A time that is not zero.
    pub fn positive_duration(&self, value: &Value, what: &str) -> Option<Duration> {
        let time = self.duration(value)?;
        if time.is_zero() {
            self.bad(value.span, format!("{what} must be longer than zero"));
            return None;
        }
        Some(time)
    }

    fn measured<T>(
        &self,
        value: &Value,
        what: &str,
        unit: &str,
        parse: impl Fn(&str) -> Result<T, UnitError>,
    ) -> Option<T> {
        let scalar = self.scalar(value, &format!("{what} with its unit"))?;
        let fraction = match scalar.data {
            Data::Float(f) if unit == "%" && f > 0.0 && f < 1.0 => {
                format!(", or `{}%` for that part of the whole", rounded(f * 100.0))
            }
            _ => String::new(),
        };
        let no_unit = |number: &dyn Display, negative: bool| {
            let problem = if negative {
                format!("{what} is not negative, got `{number}`")
            } else {
                let meant = format!("{number}{unit}");
                match parse(&meant) {
                    Ok(_) => format!("`{number}` has no unit: write `{meant}`{fraction}"),
                    Err(wrong) => wrong.0,
                }
            };
            self.report(Diagnostic::error("bad-unit", problem).at(value.span, ""));
            None
        };
        match &scalar.data {
            Data::Text(text) => match parse(text) {
                Ok(quantity) => Some(quantity),
                Err(error) => {
                    let problem = error.0.replace(text.as_str(), &short(text));
                    self.report(Diagnostic::error("bad-unit", problem).at(value.span, ""));
                    None
                }
            },
            Data::Int(i) => no_unit(i, *i < 0),
            Data::Float(f) => no_unit(f, *f < 0.0),
            _ => {
                self.wrong(&scalar, &format!("{what} with its unit"));
                None
            }
        }
    }

    /// One of some words.
    pub fn word<'w>(&self, value: &Value, what: &str, words: &[&'w str]) -> Option<&'w str> {
        let text = self.text(value, what)?;
        let found = words.iter().find(|word| **word == text.value);
        if found.is_none() {
            let near = words::nearest(&text.value, words.iter().copied());
            let near = near.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
            let message = format!("`{}` is not {what}", short(&text.value));
            self.report(
                Diagnostic::error("bad-value", message)
                    .at(value.span, "")
                    .help(format!("one of {}{near}", words.join(", "))),
            );
        }
        found.copied()
    }

    /// A name of a lab.
    pub fn name(&self, value: &Value, what: &str) -> Option<Spanned<Name>> {
        let text = self.text(value, what)?;
        self.checked_name(&text)
    }

    /// A key that is a name.
    pub fn key_name(&self, key: &Spanned<String>) -> Option<Spanned<Name>> {
        let written = &self.source.text[key.span.within(&self.source.text)];
        let word = key.value.as_str();
        let ambiguous = AMBIGUOUS.contains(&word) || ["true", "false"].contains(&word);
        if ambiguous && written == key.value {
            self.report(ambiguous_word(&key.value, key.span));
            return None;
        }
        if template::is_template(&key.value) {
            let message = "templates stand in values, not in keys";
            self.report(Diagnostic::error("template", message).at(key.span, ""));
            return None;
        }
        self.checked_name(key)
    }

    fn checked_name(&self, text: &Spanned<String>) -> Option<Spanned<Name>> {
        match Name::new(text.value.clone()) {
            Ok(name) => Some(Spanned::new(name, text.span)),
            Err(rule) => {
                let message = format!("`{}` is not a name", short(&text.value));
                self.report(
                    Diagnostic::error("bad-name", message)
                        .at(text.span, "")
                        .help(rule.to_string()),
                );
                None
            }
        }
    }

    /// A list's values; a single value counts as a list of one.
    pub fn one_or_more<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match &value.data {
            Data::List(list) => list.iter().collect(),
            _ => vec![value],
        }
    }
}

/// Without the last digits, in which a product of decimals is wrong.
fn rounded(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

/// Whether the text ends in a tag, `!word`, after which YAML looks for a value.
fn tagged(before: &str) -> bool {
    let word = before.trim_end().rsplit([' ', '\n', ',', '[', '{']).next();
    word.is_some_and(|word| word.starts_with('!'))
}

fn ambiguous_word(word: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        "ambiguous-word",
        format!("`{word}` is a truth value to YAML readers, or to some of them"),
    )
    .at(span, "")
    .help(format!(
        "quote it if it is meant as text: \"{word}\"; truth values are `true` and `false`"
    ))
}
