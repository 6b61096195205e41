//! `metric`: what nodes report, made into one value.

use crate::check::answer::{Answer, many};
use crate::check::growth::growth;
use crate::check::scope::Scope;
use crate::expr::{Aggregate, Argument, Call, Type};
use crate::id::NodeIndex;
use std::collections::BTreeMap;

pub fn answer(call: &Call, scope: &Scope<'_>) -> Answer {
    let (Some(Argument::Metric(metric, _)), Some(Argument::Aggregate(aggregate))) =
        (call.argument("name"), call.argument("aggregate"))
    else {
        return Answer::nothing("no metric is named");
    };
    let none = || Answer::Nothing(format!("no node told `{}` then", metric.name));
    match aggregate {
        Aggregate::Increase | Aggregate::Rate => {
            let Some(grown) = growth(scope, &metric.name) else {
                return none();
            };
            let seconds = scope.seconds();
            let bits = if call.kind == Type::BitRate { 8.0 } else { 1.0 };
            match aggregate {
                Aggregate::Rate if seconds == 0.0 => none(),
                Aggregate::Rate => {
                    let how = format!("in {seconds:.1} s, all nodes added up");
                    Answer::exact(bits * grown / seconds, how)
                }
                _ => Answer::exact(grown, "all nodes added up"),
            }
        }
        Aggregate::Last => {
            let mut last: BTreeMap<(Option<NodeIndex>, &str), f64> = BTreeMap::new();
            for row in scope.samples(&metric.name) {
                last.insert((row.node, &row.labels), row.value);
            }
            match last.len() {
                0 => none(),
                n => Answer::exact(last.values().sum(), format!("{n} series")),
            }
        }
        Aggregate::Min | Aggregate::Mean | Aggregate::Max => {
            let values: Vec<f64> = scope.samples(&metric.name).map(|row| row.value).collect();
            if values.is_empty() {
                return none();
            }
            let value = match aggregate {
                Aggregate::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
                Aggregate::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                _ => values.iter().sum::<f64>() / values.len() as f64,
            };
            Answer::exact(value, many(values.len() as u64, "sample"))
        }
    }
}
