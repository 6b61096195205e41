//! What a check comes to, with everything that people ask about it.

use super::answer::{Answer, Range};
use super::function::answer;
use super::logic::{Judgement, compare};
use super::scope::Scope;
use super::view::View;
use crate::expr::{Call, Expr, Quantity, Term, Type};
use crate::lab::Check;
use serde::{Deserialize, Serialize};

/// A check and what came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Its name.
    pub name: String,
    /// What must be so.
    pub expect: String,
    /// Whether it is so.
    pub verdict: Judgement,
    /// What each of its functions said, in the order of the text; one that is written twice, once.
    pub observed: Vec<Observed>,
}

impl CheckResult {
    /// What its functions said: `crashes() = 2, latency(client) = –`.
    pub fn seen(&self) -> String {
        let told = |one: &Observed| format!("{} = {}", one.call, one.text);
        self.observed
            .iter()
            .map(told)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// What one function said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The function with its arguments, as it is written.
    pub call: String,
    /// Kind of the value: `ratio`, `duration`, `number`, `rate`, `size`, `bit rate`.
    pub kind: String,
    /// What was measured: a share of 1, seconds, a number, per second, bytes, bits per second; none:
    /// there is no value.
    pub value: Option<f64>,
    /// Least that it can have been.
    pub low: Option<f64>,
    /// Most that it can have been; none: the run ended first.
    pub high: Option<f64>,
    /// The value as a check has it, `≥` before it where the run ended first; `–` for none.
    pub text: String,
    /// The windows that were looked at: begin and end, in nanoseconds since go.
    pub windows: Vec<(i64, i64)>,
    /// From what the value was worked out, or why there is none.
    pub how: String,
}

/// A check that cannot be understood.
pub(super) fn unknown(check: &Check, why: String) -> CheckResult {
    let observed = Observed {
        call: check.expect.clone(),
        kind: String::new(),
        value: None,
        low: None,
        high: None,
        text: NONE.to_owned(),
        windows: Vec::new(),
        how: why,
    };
    CheckResult {
        name: check.name.clone(),
        expect: check.expect.clone(),
        verdict: Judgement::Inconclusive,
        observed: vec![observed],
    }
}

const NONE: &str = "–";

/// Works out `expr`, which is that of `check`.
pub(super) fn judged(check: &Check, expr: &Expr, view: &View<'_>) -> CheckResult {
    let mut judge = Judge {
        check,
        view,
        observed: Vec::new(),
    };
    let verdict = judge.expr(expr);
    CheckResult {
        name: check.name.clone(),
        expect: check.expect.clone(),
        verdict,
        observed: judge.observed,
    }
}

struct Judge<'r> {
    check: &'r Check,
    view: &'r View<'r>,
    observed: Vec<Observed>,
}

impl Judge<'_> {
    fn expr(&mut self, expr: &Expr) -> Judgement {
        match expr {
            // Both sides are worked out: people want to see both.
            Expr::And(left, right) => self.expr(left).and(self.expr(right)),
            Expr::Or(left, right) => self.expr(left).or(self.expr(right)),
            Expr::Not(inner) => self.expr(inner).negated(),
            Expr::Compare(left, sign, right) => {
                let (left, right) = (self.term(left), self.term(right));
                match left.zip(right) {
                    Some((left, right)) => compare(&left, *sign, &right),
                    None => Judgement::Inconclusive,
                }
            }
        }
    }

    fn term(&mut self, term: &Term) -> Option<Range> {
        match term {
            Term::Quantity(quantity) => Some(Range {
                seen: quantity.amount,
                low: quantity.amount,
                high: quantity.amount,
                how: String::new(),
            }),
            Term::Call(factor, call) => {
                let range = self.call(call)?;
                Some(Range {
                    seen: factor * range.seen,
                    low: factor * range.low,
                    high: factor * range.high,
                    how: range.how,
                })
            }
        }
    }

    fn call(&mut self, call: &Call) -> Option<Range> {
        let (answer, windows) = match Scope::new(call, self.check, self.view) {
            Err(why) => (Answer::Nothing(why), Vec::new()),
            Ok(scope) => {
                let bounds = scope.windows.iter().map(|w| (w.range.start, w.range.end));
                (answer(call, &scope), bounds.collect())
            }
        };
        let (range, how) = match answer {
            Answer::Seen(mut range) => {
                if self.view.running && call.function.grows {
                    range.high = f64::INFINITY;
                }
                (Some(range.clone()), range.how)
            }
            Answer::Nothing(why) => (None, why),
        };
        // Written twice, it says the same twice.
        if self.observed.iter().any(|one| one.call == call.text) {
            return range;
        }
        let finite = |value: f64| value.is_finite().then_some(value);
        self.observed.push(Observed {
            call: call.text.clone(),
            kind: call.kind.word().to_owned(),
            value: range.as_ref().and_then(|range| finite(range.seen)),
            low: range.as_ref().and_then(|range| finite(range.low)),
            high: range.as_ref().and_then(|range| finite(range.high)),
            text: range
                .as_ref()
                .map_or(NONE.to_owned(), |r| shown(call.kind, r)),
            windows,
            how,
        });
        range
    }
}

fn shown(kind: Type, range: &Range) -> String {
    let text = Quantity::new(kind, range.seen).to_string();
    match range.high.is_infinite() {
        true => format!("≥ {text}"),
        false => text,
    }
}
