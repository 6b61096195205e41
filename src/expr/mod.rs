//! The check language: comparisons of what functions say about a run, joined by `and`, `or`, `not`.
//!
//! ```text
//! availability(client, during=server-loss) < 20% and lost_writes(client) == 0
//! ```
//!
//! ```text
//! check      = conjunction ("or" conjunction)*
//! conjunction= negation ("and" negation)*
//! negation   = "not" negation | "(" check ")" | term comparison term
//! comparison = "<" | "<=" | ">" | ">=" | "==" | "!="
//! term       = [number "*"] (quantity | function "(" [argument ("," argument)*] ")")
//! argument   = [name "="] (word | quantity | "text" | quantity ".." quantity)
//! ```
//!
//! Owns grammar, kinds of values and the table of functions ([`FUNCTIONS`]). Everything about a text
//! is checked here but what its names stand for. Must not know nodes, faults, or how a function is
//! worked out.

mod argument;
mod function;
mod parse;
mod token;
mod value;

pub use argument::{Argument, Moment, Window, unknown_metric};
pub use function::{
    Aggregate, FUNCTIONS, Function, Gives, Id, Param, ParamKind, WINDOWS, function,
};
pub use value::{Quantity, Type};

use std::ops::Range;

/// Bytes of a text.
pub type Place = Range<usize>;

/// Most bytes of a check.
pub const MAX_LENGTH: usize = 1000;
/// Of how many seconds a condition tells, where a function of it says no window.
pub const TRAILING: f64 = 5.0;

/// Something that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// A stable word for the kind of mistake.
    pub code: &'static str,
    /// Where.
    pub place: Place,
    /// One sentence.
    pub message: String,
    /// Other places, with what they are.
    pub labels: Vec<(Place, String)>,
    /// What is known, and what to do.
    pub help: Option<String>,
}

impl Mistake {
    fn new(code: &'static str, place: Place, message: impl Into<String>) -> Mistake {
        Mistake {
            code,
            place,
            message: message.into(),
            labels: Vec::new(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }
}

/// A check, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Both hold.
    And(Box<Expr>, Box<Expr>),
    /// One of them holds.
    Or(Box<Expr>, Box<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// One value beside another.
    Compare(Term, Comparison, Term),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Comparison {
    const ALL: [(&'static str, Comparison); 6] = [
        ("<", Comparison::Less),
        ("<=", Comparison::AtMost),
        (">", Comparison::More),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
    ];

    /// Its sign.
    pub fn sign(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, one)| *one == self)
            .map_or("", |(sign, _)| sign)
    }
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Written in the file.
    Quantity(Quantity),
    /// Said by a function, so many times.
    Call(f64, Box<Call>),
}

impl Term {
    /// Kind of its value.
    pub fn kind(&self) -> Type {
        match self {
            Term::Quantity(quantity) => quantity.kind,
            Term::Call(_, call) => call.kind,
        }
    }
}

/// A function with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which.
    pub function: &'static Function,
    /// Kind of its value.
    pub kind: Type,
    /// Its arguments by name.
    pub arguments: Vec<(&'static str, Argument)>,
    /// When; none: all of the scenario.
    pub window: Option<Window>,
    /// As it is written.
    pub text: String,
    /// Where.
    pub place: Place,
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.id == other.id
    }
}

impl Call {
    /// The argument with this name.
    pub fn argument(&self, name: &str) -> Option<&Argument> {
        let mut all = self.arguments.iter();
        all.find(|(other, _)| *other == name).map(|(_, one)| one)
    }

    /// A metric in it that is none of netlab's own, and where it stands.
    pub fn foreign_metric(&self) -> Option<(&str, &Place)> {
        match self.argument("name")? {
            Argument::Metric(metric, place) if !metric.is_own => Some((&metric.name, place)),
            _ => None,
        }
    }

    /// Its selection of nodes, if there is one.
    pub fn nodes(&self) -> Option<(&str, &Place)> {
        self.selections().next()
    }

    /// Every selection of nodes in it.
    pub fn selections(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.arguments.iter().filter_map(|(_, one)| match one {
            Argument::Nodes(text, place) => Some((text.as_str(), place)),
            _ => None,
        })
    }

    /// The faults that it names.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &Place)> {
        let arguments = self.arguments.iter().filter_map(|(_, one)| match one {
            Argument::Fault(name, place) => Some((name.as_str(), place)),
            _ => None,
        });
        let window = self.window.iter().filter_map(|window| match window {
            Window::Of(_, name, place) => Some((name.as_str(), place)),
            Window::Between(..) | Window::Last(_) => None,
        });
        arguments.chain(window)
    }
}

impl Expr {
    /// Every function of it, in the order of the text.
    pub fn calls<'e>(&'e self) -> Vec<&'e Call> {
        match self {
            Expr::And(left, right) | Expr::Or(left, right) => {
                let mut calls = left.calls();
                calls.extend(right.calls());
                calls
            }
            Expr::Not(inner) => inner.calls(),
            Expr::Compare(left, _, right) => {
                let call = |term: &'e Term| match term {
                    Term::Call(_, call) => Some(call.as_ref()),
                    Term::Quantity(_) => None,
                };
                [left, right].into_iter().filter_map(call).collect()
            }
        }
    }

    /// The same as a condition: where a function says no window, it tells of the last
    /// [`TRAILING`] seconds.
    #[must_use]
    pub fn trailing(self) -> Expr {
        let boxed = |inner: Box<Expr>| Box::new(inner.trailing());
        let term = |term| match term {
            Term::Call(factor, mut call) => {
                if call.function.windows {
                    call.window.get_or_insert(Window::Last(TRAILING));
                }
                Term::Call(factor, call)
            }
            quantity @ Term::Quantity(_) => quantity,
        };
        match self {
            Expr::And(left, right) => Expr::And(boxed(left), boxed(right)),
            Expr::Or(left, right) => Expr::Or(boxed(left), boxed(right)),
            Expr::Not(inner) => Expr::Not(boxed(inner)),
            Expr::Compare(left, sign, right) => Expr::Compare(term(left), sign, term(right)),
        }
    }
}

/// Understands a text.
///
/// # Errors
/// Everything that is wrong with it: what can be known without knowing the lab.
pub fn parse(text: &str) -> Result<Expr, Vec<Mistake>> {
    parse::parse(text)
}

#[cfg(test)]
mod tests;
