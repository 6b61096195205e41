//! Words, quantities and signs of the check language, each with its place in the text.

use super::value::{Quantity, Type, is_unit};
use super::{Mistake, Place};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A name, a keyword or a pattern: `server-loss`, `and`, `client-*`, `p99.9`.
    Word(String),
    /// Text in quotes.
    Text(String),
    /// A number, with a unit or without one.
    Quantity(Quantity),
    /// `(`, `)`, `,`, `=`, `..`, `*` or a comparison.
    Sign(&'static str),
    /// Behind the last one.
    End,
}

/// A token and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What.
    pub kind: Kind,
    /// Where.
    pub place: Place,
}

/// Longer signs stand before those that they begin with.
const SIGNS: &[&str] = &[
    "<=", ">=", "==", "!=", "..", "<", ">", "(", ")", ",", "=", "*",
];

/// Signs of other languages, with what is written here.
const FOREIGN: &[(&str, &str)] = &[
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("!", "write `not`"),
    ("≤", "write `<=`"),
    ("≥", "write `>=`"),
];

/// All tokens of a text, ended by [`Kind::End`].
///
/// # Errors
/// What is no token.
pub fn tokens(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else {
            let place = at..at;
            tokens.push(Token {
                kind: Kind::End,
                place,
            });
            return Ok(tokens);
        };
        let (kind, length) = match first {
            c if c.is_ascii_digit() => number(rest, at)?,
            '.' if second_is_digit(rest) => number(rest, at)?,
            c if is_word(c) => word(rest),
            '"' | '\'' => quoted(rest, first, at)?,
            _ => sign(rest, first, at)?,
        };
        let place = at..at + length;
        at = place.end;
        tokens.push(Token { kind, place });
    }
}

fn second_is_digit(text: &str) -> bool {
    text.chars().nth(1).is_some_and(|c| c.is_ascii_digit())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word goes on over `-`, patterns, and a dot between digits (`p99.9`).
fn word(text: &str) -> (Kind, usize) {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let goes_on = |(at, c): &(usize, char)| match c {
        '-' | '*' | '?' => true,
        '.' => *at > 0 && digit(at - 1) && digit(at + 1),
        c => is_word(*c),
    };
    let end = text.char_indices().find(|one| !goes_on(one));
    let length = end.map_or(text.len(), |(at, _)| at);
    (Kind::Word(text[..length].to_owned()), length)
}

fn number(text: &str, at: usize) -> Result<(Kind, usize), Mistake> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let in_number = |at: &usize| digit(*at) || bytes.get(*at) == Some(&b'.') && digit(at + 1);
    let digits = (0..text.len()).take_while(in_number).count();
    let rest = &text[digits..];
    let spaced = rest.trim_start_matches(' ');
    let (gap, unit) = match () {
        () if spaced.starts_with('%') => (rest.len() - spaced.len(), 1),
        () if rest.starts_with('/') => (0, 1 + letters(&rest[1..])),
        () if is_unit(&spaced[..letters(spaced)]) => (rest.len() - spaced.len(), letters(spaced)),
        () => (0, letters(rest)),
    };
    let length = digits + gap + unit;
    match Quantity::parse(&text[..digits], &text[digits + gap..length]) {
        Some(quantity) => Ok((Kind::Quantity(quantity), length)),
        None => {
            let place = at..at + length;
            let message = format!("`{}` is no quantity", &text[..length]);
            let examples = Type::ALL.iter().map(|kind| format!("`{}`", kind.example()));
            let help = format!("write {}", examples.collect::<Vec<_>>().join(", "));
            Err(Mistake::new("bad-unit", place, message).help(help))
        }
    }
}

fn letters(text: &str) -> usize {
    let end = text.char_indices().find(|(_, c)| !is_word(*c));
    end.map_or(text.len(), |(at, _)| at)
}

fn quoted(text: &str, quote: char, at: usize) -> Result<(Kind, usize), Mistake> {
    match text[1..].find(quote) {
        Some(end) => Ok((Kind::Text(text[1..=end].to_owned()), end + 2)),
        None => {
            let place = at..at + text.len();
            Err(Mistake::new("syntax", place, "this quote is not closed"))
        }
    }
}

fn sign(text: &str, first: char, at: usize) -> Result<(Kind, usize), Mistake> {
    let known = SIGNS.iter().find(|sign| text.starts_with(**sign));
    if let Some(sign) = known {
        return Ok((Kind::Sign(sign), sign.len()));
    }
    let foreign = FOREIGN.iter().find(|(sign, _)| text.starts_with(sign));
    let length = foreign.map_or(first.len_utf8(), |(sign, _)| sign.len());
    let message = format!("`{}` has no meaning in a check", &text[..length]);
    let mistake = Mistake::new("syntax", at..at + length, message);
    Err(match foreign {
        Some((_, instead)) => mistake.help(*instead),
        None => mistake,
    })
}
