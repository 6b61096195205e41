//! From tokens to a check whose kinds fit.

use super::argument::{Written, bind, kind_of};
use super::function::{FUNCTIONS, function};
use super::token::{Kind, Token, tokens};
use super::value::{Quantity, Type};
use super::{Call, Comparison, Expr, MAX_LENGTH, Mistake, Place, Term};
use crate::words;

/// How deep `not` and parentheses may be nested.
const MAX_DEPTH: usize = 32;
/// Words that join comparisons, and so are no names.
const KEYWORDS: [&str; 3] = ["and", "or", "not"];

/// Understands a text.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<Expr, Vec<Mistake>> {
    if text.len() > MAX_LENGTH {
        let message = format!("a check has at most {MAX_LENGTH} bytes");
        return Err(vec![Mistake::new("too-large", 0..text.len(), message)]);
    }
    let tokens = tokens(text).map_err(|mistake| vec![mistake])?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        depth: 0,
        mistakes: Vec::new(),
    };
    let expr = parser.either().and_then(|expr| {
        parser.expect_end()?;
        Ok(expr)
    });
    match expr {
        Ok(Some(expr)) if parser.mistakes.is_empty() => {
            if expr.calls().is_empty() {
                let message = "this check asks nothing of the run";
                let help = format!("the functions are {}", names());
                return Err(vec![
                    Mistake::new("constant", 0..text.len(), message).help(help),
                ]);
            }
            Ok(expr)
        }
        Ok(_) => Err(parser.mistakes),
        Err(mistake) => {
            parser.mistakes.push(mistake);
            Err(parser.mistakes)
        }
    }
}

fn names() -> String {
    let names: Vec<&str> = FUNCTIONS.iter().map(|f| f.name).collect();
    names.join(", ")
}

/// What is understood; none where something was noted that does not keep the rest from being read.
type Read<T> = Result<Option<T>, Mistake>;

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    mistakes: Vec<Mistake>,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().kind, Kind::Sign(other) if other == sign);
        self.at += usize::from(found);
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(&self.peek().kind, Kind::Word(other) if other == word);
        self.at += usize::from(found);
        found
    }

    fn expect_end(&self) -> Result<(), Mistake> {
        let token = self.peek();
        if token.kind == Kind::End {
            return Ok(());
        }
        let message = format!("`{}` is not expected here", self.written(&token.place));
        let help = "comparisons are joined by `and` and `or`";
        Err(Mistake::new("syntax", token.place.clone(), message).help(help))
    }

    fn written(&self, place: &Place) -> &str {
        &self.text[place.clone()]
    }

    /// What is missing before the next token.
    fn missing(&self, what: &str) -> Mistake {
        let token = self.peek();
        let message = match token.kind {
            Kind::End => format!("{what} is missing at the end"),
            _ => format!("expected {what}, found `{}`", self.written(&token.place)),
        };
        let end = self.text.trim_end().len();
        let place = match token.kind {
            Kind::End => end.saturating_sub(1)..end,
            _ => token.place.clone(),
        };
        Mistake::new("syntax", place, message)
    }

    fn either(&mut self) -> Read<Expr> {
        let mut left = self.both()?;
        while self.takes_word("or") {
            let right = self.both()?;
            left = left
                .zip(right)
                .map(|(left, right)| Expr::Or(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn both(&mut self) -> Read<Expr> {
        let mut left = self.negation()?;
        while self.takes_word("and") {
            let right = self.negation()?;
            left = left
                .zip(right)
                .map(|(left, right)| Expr::And(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Read<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("a check is nested at most {MAX_DEPTH} levels deep");
            let place = self.peek().place.clone();
            return Err(Mistake::new("too-complex", place, message));
        }
        let read = if self.takes_word("not") {
            let inner = self.negation()?;
            inner.map(|inner| Expr::Not(Box::new(inner)))
        } else if self.takes_sign("(") {
            let inner = self.either()?;
            if !self.takes_sign(")") {
                return Err(self.missing("`)`"));
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(read)
    }

    fn comparison(&mut self) -> Read<Expr> {
        let (left, left_place) = self.term()?;
        let Some((sign, sign_place)) = self.sign()? else {
            let help = "compare the function with a value: `success(client) > 99%`";
            return Err(self
                .missing("a comparison (<, <=, >, >=, ==, !=)")
                .help(help));
        };
        let (right, right_place) = self.term()?;
        if let Some((_, place)) = self.sign()? {
            let message = "two comparisons in a row";
            let help = "write `a < x and x < b`";
            return Err(Mistake::new("syntax", place, message).help(help));
        }
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(None);
        };
        if left.kind() != right.kind() {
            let places = (left_place, sign_place, right_place);
            let mistake = unlike(&left, &right, places, self.text);
            self.mistakes.push(mistake);
            return Ok(None);
        }
        Ok(Some(Expr::Compare(left, sign, right)))
    }

    fn sign(&mut self) -> Read<(Comparison, Place)> {
        let token = self.peek();
        let Kind::Sign(sign) = token.kind else {
            return Ok(None);
        };
        let place = token.place.clone();
        if sign == "=" {
            let message = "`=` names an argument";
            return Err(Mistake::new("syntax", place, message).help("compare with `==`"));
        }
        let mut all = Comparison::ALL.into_iter();
        let found = all.find(|(other, _)| *other == sign);
        self.at += usize::from(found.is_some());
        Ok(found.map(|(_, comparison)| (comparison, place)))
    }

    fn term(&mut self) -> Result<(Option<Term>, Place), Mistake> {
        let token = self.peek().clone();
        match token.kind {
            Kind::Quantity(quantity) => {
                self.at += 1;
                if !self.takes_sign("*") {
                    return Ok((Some(Term::Quantity(quantity)), token.place));
                }
                let factor = match quantity.kind {
                    Type::Number => quantity.amount,
                    Type::Ratio => quantity.amount,
                    _ => {
                        let message = "a function is multiplied by a plain number or a share";
                        return Err(Mistake::new("wrong-type", token.place, message));
                    }
                };
                let (call, place) = self.call()?;
                let place = token.place.start..place.end;
                Ok((call.map(|call| Term::Call(factor, Box::new(call))), place))
            }
            Kind::Word(word) if !KEYWORDS.contains(&word.as_str()) => {
                let (call, place) = self.call()?;
                Ok((call.map(|call| Term::Call(1.0, Box::new(call))), place))
            }
            _ => Err(self.missing("a function or a value")),
        }
    }

    fn call(&mut self) -> Result<(Option<Call>, Place), Mistake> {
        let token = self.peek().clone();
        let Kind::Word(name) = token.kind else {
            return Err(self.missing("a function"));
        };
        self.at += 1;
        let start = token.place.start;
        let found = function(&name);
        if !self.takes_sign("(") {
            if found.is_some() {
                return Err(self.missing("`(`"));
            }
            let message = format!("`{name}` is no value");
            let help = format!("a function has parentheses; the functions are {}", names());
            return Err(Mistake::new("syntax", token.place, message).help(help));
        }
        let written = self.arguments()?;
        let place = start..self.tokens[self.at - 1].place.end;
        let Some(function) = found else {
            let message = format!("there is no function `{name}`");
            let help = unknown(&name);
            self.mistakes
                .push(Mistake::new("unknown-function", token.place, message).help(help));
            return Ok((None, place));
        };
        let (arguments, window) = match bind(function, &written, &place) {
            Ok(bound) => bound,
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                return Ok((None, place));
            }
        };
        let kind = match kind_of(function, &arguments, &place) {
            Ok(kind) => kind,
            Err(mistake) => {
                self.mistakes.push(mistake);
                return Ok((None, place));
            }
        };
        let call = Call {
            function,
            kind,
            arguments,
            window,
            text: self
                .written(&place)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            place: place.clone(),
        };
        Ok((Some(call), place))
    }

    /// Up to and with the closing parenthesis.
    fn arguments(&mut self) -> Result<Vec<Written>, Mistake> {
        let mut written = Vec::new();
        if self.takes_sign(")") {
            return Ok(written);
        }
        loop {
            written.push(self.argument()?);
            if self.takes_sign(")") {
                return Ok(written);
            }
            if !self.takes_sign(",") {
                return Err(self.missing("`,` or `)`"));
            }
        }
    }

    fn argument(&mut self) -> Result<Written, Mistake> {
        let mut value = self.value()?;
        let mut name = None;
        if self.takes_sign("=") {
            let Kind::Word(word) = value.kind else {
                let message = "this is no name of an argument";
                return Err(Mistake::new("syntax", value.place, message));
            };
            let (place, of) = (value.place, self.value()?);
            // `role=peer` and `label=zone-a` are selectors, as elsewhere in the file.
            if let (true, Kind::Word(what)) = (word == "role" || word == "label", &of.kind) {
                value = Token {
                    kind: Kind::Text(format!("{word}={what}")),
                    place: place.start..of.place.end,
                };
            } else {
                (name, value) = (Some((word, place)), of);
            }
        }
        let to = if self.takes_sign("..") {
            Some(self.value()?)
        } else {
            None
        };
        Ok(Written { name, value, to })
    }

    fn value(&mut self) -> Result<Token, Mistake> {
        match self.peek().kind {
            Kind::Word(_) | Kind::Text(_) | Kind::Quantity(_) => Ok(self.next()),
            Kind::Sign(_) | Kind::End => Err(self.missing("an argument")),
        }
    }
}

fn unknown(name: &str) -> String {
    let known = FUNCTIONS.iter().map(|function| function.name);
    let near = words::nearest(name, known);
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("the functions are {}{near}", names())
}

/// A comparison of different kinds.
fn unlike(left: &Term, right: &Term, places: (Place, Place, Place), text: &str) -> Mistake {
    let (a, b) = (left.kind().word(), right.kind().word());
    let (left_place, sign, right_place) = places;
    let message = format!("a {a} is compared with a {b}");
    let mut mistake = Mistake::new("unlike", sign, message);
    mistake.labels = vec![
        (left_place, format!("a {a}")),
        (right_place.clone(), format!("a {b}")),
    ];
    match right {
        // Most often the unit was forgotten.
        Term::Quantity(Quantity {
            kind: Type::Number, ..
        }) => {
            let unit = match left.kind() {
                Type::Ratio => "%",
                Type::Duration => "ms",
                Type::Rate => "/s",
                Type::Bytes => "kB",
                Type::BitRate => "mbit",
                Type::Number => "",
            };
            let written = &text[right_place];
            mistake.help(format!("write `{written}{unit}`, if that is meant"))
        }
        Term::Quantity(_) => {
            let example = left.kind().example();
            mistake.help(format!("a {a} is written as `{example}`"))
        }
        Term::Call(..) => mistake,
    }
}
