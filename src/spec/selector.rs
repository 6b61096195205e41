//! Selectors as written: which nodes are meant.
//!
//! Owns their grammar. Must not know which nodes there are (`lab` does).

use super::defaults::MAX_NODES;
use super::diagnostic::Diagnostic;
use super::keys::{Kind, Shape, key};
use super::reader::Reader;
use super::source::{Span, Spanned};
use super::tree::{Data, Value, short};
use super::words;

/// The words that `role=` takes.
pub const ROLES: &[&str] = &["server", "client", "peer", "image"];
/// Selectors that one list may have.
const MAX_TERMS: usize = 10_000;
/// Bytes of one selector.
const MAX_TERM: usize = 128;

/// A selector that is made of others.
pub const COMPOSED: Shape = Shape {
    what: "a selector",
    keys: &[
        key(
            "pick",
            Kind::Integer(1, MAX_NODES as u64),
            "So many of them, drawn from the seed.",
        ),
        key("of", Kind::Nodes, "Of whom."),
        key("all_but", Kind::Nodes, "Everyone else."),
    ],
    needs: &[],
    later: &["seed", "near"],
    instead: &[
        ("all-but", "write `all_but`"),
        ("not", "write `all_but`"),
        ("from", "write `of`"),
    ],
};

/// A selector, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Each of them.
    pub terms: Vec<Spanned<Selector>>,
    /// Where they are written.
    pub span: Span,
}

/// One selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `all`
    All,
    /// `rest`
    Rest,
    /// `role=peer`
    Role(&'static str),
    /// `label=zone-a`
    Label(String),
    /// `{ pick: 2, of: peer }`: so many of them, drawn from the seed.
    Pick(u32, Box<Selection>),
    /// `{ all_but: server }`
    AllBut(Box<Selection>),
    /// `client-*`
    Glob(String),
    /// A node, a group or a role.
    Name(String),
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Selector::All => f.write_str("all"),
            Selector::Rest => f.write_str("rest"),
            Selector::Role(role) => write!(f, "role={role}"),
            Selector::Label(label) => write!(f, "label={label}"),
            Selector::Pick(count, of) => write!(f, "{count} of ({of})"),
            Selector::AllBut(of) => write!(f, "all but ({of})"),
            Selector::Glob(text) | Selector::Name(text) => f.write_str(text),
        }
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, term) in self.terms.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{}", term.value)?;
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// A selector or a list of them; `rest` is refused.
    pub fn selection(&self, value: &Value) -> Option<Selection> {
        self.selection_with(value, false)
    }

    /// A selector or a list of them; `rest` may stand alone if `rest` says so.
    pub fn selection_with(&self, value: &Value, rest: bool) -> Option<Selection> {
        let written = self.one_or_more(value);
        if written.is_empty() || written.len() > MAX_TERMS {
            let message = format!("a list of nodes has 1 to {MAX_TERMS} entries");
            self.bad(value.span, message);
            return None;
        }
        let alone = !matches!(value.data, Data::List(_));
        // All are read, so that every mistake is reported.
        let terms: Vec<_> = written.iter().map(|term| self.selector(term)).collect();
        let terms: Option<Vec<_>> = terms.into_iter().collect();
        let terms = terms?;
        if let Some(term) = terms.iter().find(|t| t.value == Selector::Rest)
            && !(rest && alone)
        {
            self.report(
                Diagnostic::error("bad-selector", "`rest` has no meaning here")
                    .at(term.span, "")
                    .help("`rest` is a whole group of a partition: the nodes in no other group"),
            );
            return None;
        }
        Some(Selection {
            terms,
            span: value.span,
        })
    }

    fn selector(&self, value: &Value) -> Option<Spanned<Selector>> {
        if let Data::Map(_) = &value.data
            && !self.is_bare_template(value)
        {
            return self.composed(value);
        }
        let text = self.verbatim(value, "the name of a node or group, or a pattern")?;
        let text = Spanned::new(text, value.span);
        let selector = self.parse_selector(&text)?;
        Some(Spanned::new(selector, text.span))
    }

    /// `{ pick: 2, of: peer }` or `{ all_but: server }`.
    fn composed(&self, value: &Value) -> Option<Spanned<Selector>> {
        let fields = self.fields(value, &COMPOSED, None)?;
        let selector = match (fields.entry("pick"), fields.entry("all_but")) {
            (Some(pick), None) => {
                let help = "say of whom: `{ pick: 2, of: peer }`";
                let of = fields.need(self, "of", help);
                let count = self.small(&pick.value, 1..=MAX_NODES);
                let of = of.and_then(|of| self.selection(of));
                Selector::Pick(count?, Box::new(of?))
            }
            (None, Some(all_but)) => {
                if let Some(of) = fields.entry("of") {
                    let message = "`of` stands beside `pick`";
                    self.report(Diagnostic::error("conflict", message).at(of.key.span, ""));
                }
                Selector::AllBut(Box::new(self.selection(&all_but.value)?))
            }
            (Some(pick), Some(all_but)) => {
                let message = "a selector has either `pick` or `all_but`";
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(all_but.key.span, "")
                        .at(pick.key.span, "")
                        .help("one may stand in the other: `{ pick: 2, of: { all_but: server } }`"),
                );
                return None;
            }
            (None, None) => {
                let message = "a map that selects nodes has `pick` or `all_but`";
                self.report(
                    Diagnostic::error("missing-key", message)
                        .at(value.span, "")
                        .help("`{ pick: 2, of: peer }` or `{ all_but: server }`"),
                );
                return None;
            }
        };
        Some(Spanned::new(selector, value.span))
    }

    /// A name, group or pattern that does not stand in YAML.
    pub fn selection_of(&self, text: &Spanned<String>) -> Option<Selection> {
        let term = Spanned::new(self.parse_selector(text)?, text.span);
        if term.value == Selector::Rest {
            self.bad(text.span, "`rest` has no meaning here");
            return None;
        }
        Some(Selection {
            terms: vec![term],
            span: text.span,
        })
    }

    /// A label, if it is a word.
    pub fn checked_label(&self, text: &Spanned<String>) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let word = text.value.as_str();
        if (1..=63).contains(&word.len()) && word.chars().all(plain) {
            return Some(word.to_owned());
        }
        self.report(
            Diagnostic::error("bad-name", format!("`{}` is no label", short(word)))
                .at(text.span, "")
                .help("a label is 1 to 63 letters, digits, `-`, `_` and `.`"),
        );
        None
    }

    fn parse_selector(&self, text: &Spanned<String>) -> Option<Selector> {
        let word = text.value.as_str();
        let refuse = |code, message: String, help: Option<String>| {
            self.report(
                Diagnostic::error(code, message)
                    .at(text.span, "")
                    .maybe_help(help),
            );
            None
        };
        if word.len() > MAX_TERM {
            let message = format!("a selector has at most {MAX_TERM} bytes");
            return refuse("bad-selector", message, None);
        }
        if let Some((key, role)) = word.split_once('=') {
            return match (key.trim(), role.trim()) {
                ("role", role) => match ROLES.iter().find(|known| **known == role) {
                    Some(known) => Some(Selector::Role(known)),
                    None => refuse(
                        "bad-selector",
                        format!("there is no role `{}`", short(role)),
                        Some(words::known("roles", role, ROLES.iter().copied())),
                    ),
                },
                ("label", label) => {
                    let label = Spanned::new(label.to_owned(), text.span);
                    self.checked_label(&label).map(Selector::Label)
                }
                (other, _) => refuse(
                    "bad-selector",
                    format!("`{}=` selects nothing", short(other)),
                    Some(
                        "write a name, a pattern such as \"client-*\", role=peer or label=zone-a"
                            .to_owned(),
                    ),
                ),
            };
        }
        Some(match word {
            "all" => Selector::All,
            "rest" => Selector::Rest,
            pattern if pattern.contains(['*', '?']) => Selector::Glob(pattern.to_owned()),
            name => Selector::Name(name.to_owned()),
        })
    }
}

/// Whether `pattern` (`*` any text, `?` one character) matches the whole of `text`. Time is at
/// most the product of the lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("*", "a"),
            ("client-*", "client-12"),
            ("*-1", "a-1"),
            ("p??r", "peer"),
            ("a*b*c", "axxbyyc"),
            ("a**", "a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("client-*", "client"),
            ("?", ""),
            ("?", "ab"),
            ("a*b", "ac"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(60), &"b".repeat(63)));
    }
}
