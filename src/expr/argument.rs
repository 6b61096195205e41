//! Arguments of functions: which parameter each belongs to, and whether it fits.

use super::function::{Aggregate, Function, Gives, Param, ParamKind, WINDOWS};
use super::token::{Kind, Token};
use super::value::{Quantity, Type};
use super::{Mistake, Place};
use crate::metrics::{self, LinkMetric, MetricKind};
use crate::words;
use netlab_protocol::latency::Outcome;
use std::collections::BTreeSet;

/// Least seconds of `last`: what is measured is read once a second.
const SHORTEST: f64 = 1.0;

/// What an argument says.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A node, group, role or pattern, and where it stands.
    Nodes(String, Place),
    /// A fault, and where it stands.
    Fault(String, Place),
    /// A share of the requests: 0.99 for `p99`, 1 for `max`.
    Percentile(f64),
    /// How requests ended.
    Outcome(Outcome),
    /// Whether writes are meant, not reads.
    IsWrite(bool),
    /// A share.
    Share(f64),
    /// A metric.
    Metric(metrics::Named, Place),
    /// What is made of its values.
    Aggregate(Aggregate),
    /// The counter of packets that did not arrive because of one cause.
    Cause(LinkMetric),
}

/// A part of the scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// Beside a fault, and where that stands.
    Of(Moment, String, Place),
    /// From one time of the scenario to another, in seconds.
    Between(f64, f64),
    /// The last seconds of what is known: up to now while a run goes on, up to its end afterwards.
    Last(f64),
}

/// Where beside a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Until it is asked for.
    Before,
    /// From its effect to the start of its healing.
    During,
    /// From when it has healed to the next fault.
    After,
}

/// An argument as it stands in the text.
#[derive(Debug)]
pub struct Written {
    /// Its name.
    pub name: Option<(String, Place)>,
    /// Its value.
    pub value: Token,
    /// The second half of a range.
    pub to: Option<Token>,
}

impl Written {
    fn place(&self) -> Place {
        let end = self.to.as_ref().unwrap_or(&self.value).place.end;
        let start = self
            .name
            .as_ref()
            .map_or(&self.value.place, |(_, place)| place);
        start.start..end
    }
}

/// Arguments and window of a call.
pub type Bound = (Vec<(&'static str, Argument)>, Option<Window>);

/// Gives every written argument to its parameter.
///
/// # Errors
/// Every argument that does not fit, and what is missing.
pub fn bind(
    function: &'static Function,
    written: &[Written],
    place: &Place,
) -> Result<Bound, Vec<Mistake>> {
    let mut bound: Vec<(&'static str, Argument)> = Vec::new();
    let (mut window, mut mistakes) = (None, Vec::new());
    for one in written {
        let result = match window_of(function, one) {
            Some(found) => found.and_then(|found| match window.replace(found) {
                None => Ok(()),
                Some(_) => {
                    let message = "a function looks at one window, and this is the second";
                    Err(Mistake::new("conflict", one.place(), message))
                }
            }),
            None => bind_one(function, one, &bound).map(|argument| bound.push(argument)),
        };
        mistakes.extend(result.err());
    }
    let has = |name| bound.iter().any(|(other, _)| *other == name);
    let missing = |param: &&Param| !param.optional && !has(param.name);
    if mistakes.is_empty()
        && let Some(param) = function.params.iter().find(missing)
    {
        let message = format!("`{}` needs {}", function.name, expected(param.kind));
        let help = format!("write it as {}", function.signature());
        mistakes.push(Mistake::new("missing-argument", place.clone(), message).help(help));
    }
    if mistakes.is_empty() {
        Ok((bound, window))
    } else {
        Err(mistakes)
    }
}

/// The window that an argument says; none: it says none.
fn window_of(function: &Function, one: &Written) -> Option<Result<Window, Mistake>> {
    let (name, place) = one.name.as_ref()?;
    if !WINDOWS.contains(&name.as_str()) {
        return None;
    }
    if !function.windows {
        let message = format!("`{}` takes no `{name}`", function.name);
        let help = format!("write it as {}", function.signature());
        return Some(Err(Mistake::new(
            "unknown-argument",
            place.clone(),
            message,
        )
        .help(help)));
    }
    let moment = match name.as_str() {
        "before" => Moment::Before,
        "during" => Moment::During,
        "after" => Moment::After,
        "last" => return Some(last(one)),
        _ => return Some(between(one)),
    };
    Some(match (text_of(&one.value), &one.to) {
        (Some(fault), None) => Ok(Window::Of(moment, fault, one.value.place.clone())),
        _ => Err(Mistake::new(
            "wrong-type",
            one.place(),
            format!("`{name}` is beside a fault: `{name}=server-loss`"),
        )),
    })
}

/// The seconds that are written.
fn time(token: &Token) -> Option<f64> {
    match token.kind {
        Kind::Quantity(Quantity {
            kind: Type::Duration,
            amount,
        }) => Some(amount),
        _ => None,
    }
}

fn last(one: &Written) -> Result<Window, Mistake> {
    match (time(&one.value), &one.to) {
        (Some(seconds), None) if seconds >= SHORTEST => Ok(Window::Last(seconds)),
        (Some(_), None) => {
            let message = "`last` is 1s at least";
            Err(Mistake::new("bad-value", one.place(), message))
        }
        _ => {
            let message = "`last` takes a length of time: `last=5s`";
            Err(Mistake::new("wrong-type", one.place(), message))
        }
    }
}

fn between(one: &Written) -> Result<Window, Mistake> {
    let ends = time(&one.value).zip(one.to.as_ref().and_then(time));
    match ends {
        Some((from, to)) if from < to => Ok(Window::Between(from, to)),
        Some(_) => {
            let message = "this window ends before it begins";
            Err(Mistake::new("bad-value", one.place(), message))
        }
        None => {
            let message = "`between` takes two times of the scenario: `between=10s..20s`";
            Err(Mistake::new("wrong-type", one.place(), message))
        }
    }
}

fn bind_one(
    function: &'static Function,
    one: &Written,
    bound: &[(&'static str, Argument)],
) -> Result<(&'static str, Argument), Mistake> {
    let free = |param: &&Param| !bound.iter().any(|(other, _)| *other == param.name);
    if let Some(to) = &one.to {
        let message = "a range, `a..b`, stands only at `between`";
        return Err(Mistake::new("wrong-type", to.place.clone(), message));
    }
    let Some((name, place)) = &one.name else {
        // A word that only one parameter knows belongs to that one, whatever stands before it.
        let params = || function.params.iter().filter(free);
        let closed = params().filter(|param| is_closed(param.kind));
        let closed = closed.filter_map(|param| Some((param.name, fit(param.kind, &one.value)?)));
        let open = params().filter(|param| !is_closed(param.kind));
        let open = open.filter_map(|param| Some((param.name, fit(param.kind, &one.value)?)));
        // What is needed, and is one of certain words, is not mistaken for nodes.
        let needed = params().find(|param| !param.optional && is_closed(param.kind));
        let open = open.filter(|_| needed.is_none());
        return closed.chain(open).next().ok_or_else(|| match needed {
            Some(needed) => strange(function, one, std::iter::once(needed)),
            None => strange(function, one, params()),
        });
    };
    let param = function.params.iter().find(|param| param.name == name);
    let Some(param) = param else {
        let known = function.params.iter().map(|param| param.name);
        let windows = WINDOWS.into_iter().filter(|_| function.windows);
        let known: Vec<&str> = known.chain(windows).collect();
        let message = format!("`{}` has no argument `{name}`", function.name);
        let help = words::known("arguments", name, known.iter().copied());
        return Err(Mistake::new("unknown-argument", place.clone(), message).help(help));
    };
    if !free(&param) {
        let message = format!("`{name}` is said twice");
        return Err(Mistake::new("conflict", one.place(), message));
    }
    match fit(param.kind, &one.value) {
        Some(argument) => Ok((param.name, argument)),
        None => {
            let message = format!("`{name}` is {}", expected(param.kind));
            Err(Mistake::new("wrong-type", one.value.place.clone(), message)
                .help(suggestion(param.kind, &one.value)))
        }
    }
}

/// An argument without a name that fits nowhere.
fn strange<'p>(
    function: &Function,
    one: &Written,
    free: impl Iterator<Item = &'p Param>,
) -> Mistake {
    let kinds: Vec<ParamKind> = free.map(|param| param.kind).collect();
    let message = match kinds.as_slice() {
        [] => format!("`{}` takes no further argument", function.name),
        [kind] => format!("here `{}` takes {}", function.name, expected(*kind)),
        _ => format!("`{}` takes no such argument", function.name),
    };
    let help = match kinds.as_slice() {
        [kind] => suggestion(*kind, &one.value),
        _ => format!("write it as {}", function.signature()),
    };
    Mistake::new("wrong-type", one.value.place.clone(), message).help(help)
}

/// Whether only certain words are possible.
fn is_closed(kind: ParamKind) -> bool {
    !matches!(kind, ParamKind::Nodes | ParamKind::Fault)
}

fn text_of(token: &Token) -> Option<String> {
    match &token.kind {
        Kind::Word(text) | Kind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn fit(kind: ParamKind, token: &Token) -> Option<Argument> {
    let place = token.place.clone();
    let text = text_of(token);
    let word = text.as_deref();
    match kind {
        ParamKind::Nodes => text.map(|text| Argument::Nodes(text, place)),
        ParamKind::Fault => text.map(|text| Argument::Fault(text, place)),
        ParamKind::Percentile => percentile(word?).map(Argument::Percentile),
        ParamKind::Outcome => {
            let mut all = Outcome::ALL.into_iter();
            let found = all.find(|outcome| Some(outcome.as_str()) == word)?;
            (!found.is_success()).then_some(Argument::Outcome(found))
        }
        ParamKind::Op => match word? {
            "read" => Some(Argument::IsWrite(false)),
            "write" => Some(Argument::IsWrite(true)),
            _ => None,
        },
        ParamKind::Share => match token.kind {
            Kind::Quantity(Quantity {
                kind: Type::Ratio,
                amount,
            }) if amount <= 1.0 => Some(Argument::Share(amount)),
            _ => None,
        },
        ParamKind::Metric => match &token.kind {
            Kind::Text(name) => metrics::named(name).map(|metric| Argument::Metric(metric, place)),
            _ => None,
        },
        ParamKind::Aggregate => {
            let mut all = Aggregate::ALL.into_iter();
            let found = all.find(|(name, _)| Some(*name) == word)?;
            Some(Argument::Aggregate(found.1))
        }
        ParamKind::Cause => {
            let mut all = LinkMetric::ALL.into_iter();
            let found = all.find(|metric| metric.cause().is_some_and(|c| Some(c) == word))?;
            Some(Argument::Cause(found))
        }
    }
}

fn percentile(word: &str) -> Option<f64> {
    if word == "max" {
        return Some(1.0);
    }
    let percent: f64 = word.strip_prefix('p')?.parse().ok()?;
    (percent > 0.0 && percent <= 100.0).then_some(percent / 100.0)
}

fn expected(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Nodes => "nodes: a name, a role or a pattern",
        ParamKind::Fault => "the name of a fault",
        ParamKind::Percentile => "a percentile: `p50`, `p99`, `p99.9` or `max`",
        ParamKind::Outcome => "how requests fail",
        ParamKind::Op => "`read` or `write`",
        ParamKind::Share => "a share from 0% to 100%",
        ParamKind::Metric => "a metric in quotes: \"queue_length\"",
        ParamKind::Aggregate => "what is made of the values",
        ParamKind::Cause => "why packets did not arrive",
    }
}

/// What may stand there, and what is nearest.
fn suggestion(kind: ParamKind, token: &Token) -> String {
    let word = text_of(token).unwrap_or_default();
    match kind {
        ParamKind::Outcome => {
            let failures = Outcome::ALL.into_iter().filter(|o| !o.is_success());
            words::known("outcomes", &word, failures.map(Outcome::as_str))
        }
        ParamKind::Aggregate => {
            let all = Aggregate::ALL.iter().map(|(name, _)| *name);
            words::known("words", &word, all)
        }
        ParamKind::Cause => {
            let all = LinkMetric::ALL.into_iter().filter_map(LinkMetric::cause);
            words::known("causes", &word, all)
        }
        ParamKind::Metric => {
            let all: BTreeSet<&str> = metrics::METRICS.iter().map(|m| m.name).collect();
            words::known("metrics", &word, all.iter().copied())
        }
        kind => format!("write {}", expected(kind)),
    }
}

/// A metric that is none of netlab's own, where no node has others.
pub fn unknown_metric(name: &str, place: &Place) -> Mistake {
    let message = format!("here `metric` takes {}", expected(ParamKind::Metric));
    let all = metrics::METRICS.iter().map(|metric| metric.name);
    let all: BTreeSet<&str> = all.collect();
    let help = words::known("metrics", name, all.iter().copied());
    Mistake::new("wrong-type", place.clone(), message).help(help)
}

/// Kind of what a function gives with these arguments.
///
/// # Errors
/// A metric of which this cannot be made.
pub fn kind_of(
    function: &Function,
    arguments: &[(&'static str, Argument)],
    place: &Place,
) -> Result<Type, Mistake> {
    let (metric, aggregate) = match function.gives {
        Gives::Kind(kind) => return Ok(kind),
        Gives::OfMetric => {
            let metric = arguments.iter().find_map(|(_, one)| match one {
                Argument::Metric(metric, _) => Some(metric),
                _ => None,
            });
            let aggregate = arguments.iter().find_map(|(_, one)| match one {
                Argument::Aggregate(aggregate) => Some(*aggregate),
                _ => None,
            });
            // What is missing was reported.
            let Some(found) = metric.zip(aggregate) else {
                return Ok(Type::Number);
            };
            found
        }
    };
    let grows = matches!(aggregate, Aggregate::Increase | Aggregate::Rate);
    if grows && metric.kind == MetricKind::Gauge {
        let message = format!("`{}` goes up and down: it has no increase", metric.name);
        let help = "write min, mean, max or last";
        return Err(Mistake::new("wrong-type", place.clone(), message).help(help));
    }
    Ok(match (metric.unit, aggregate) {
        ("bytes", Aggregate::Rate) => Type::BitRate,
        (_, Aggregate::Rate) => Type::Rate,
        ("bytes", _) => Type::Bytes,
        ("seconds", _) => Type::Duration,
        ("ratio", _) => Type::Ratio,
        _ => Type::Number,
    })
}
