//! `checks:`: names, and what must be so, in the language of [`crate::expr`].
//!
//! Owns the places of a check's words in the file. Must not know what the names stand for.

use super::defaults::{MAX_CHECK_NAME, MAX_CHECKS};
use super::diagnostic::Diagnostic;
use super::keys::{Kind, Shape, key};
use super::reader::Reader;
use super::selector::Selection;
use super::source::{Span, Spanned};
use super::tree::{Data, Entry, Value, short};
use crate::expr::{self, Expr, Mistake, Place};

/// How a check looks.
const EXAMPLE: &str = "availability(client, during=server-loss) < 20%";

/// A check: what must be so, or the long form.
pub const CHECK: Kind = Kind::Either(&[Kind::Text(EXAMPLE), Kind::Map(&LONG)]);

/// A check in its long form.
pub const LONG: Shape = Shape {
    what: "a check",
    keys: &[
        key("expect", Kind::Text(EXAMPLE), "What must be so."),
        key(
            "abort",
            Kind::Flag,
            "Whether the run ends as soon as it can be so no more; false unless said.",
        ),
    ],
    needs: &["expect"],
    later: &["severity", "every", "within", "claim"],
    instead: &[
        ("check", "write `expect`"),
        ("assert", "write `expect`"),
        ("that", "write `expect`"),
    ],
};

/// One entry of `checks`.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckSpec {
    /// Its key.
    pub name: Spanned<String>,
    /// What must be so.
    pub expect: Spanned<String>,
    /// `abort`.
    pub abort: bool,
    /// The same, understood.
    pub expr: Expr,
    /// The nodes of each function that names some, as they are written.
    pub selections: Vec<(String, Selection)>,
    /// The faults that it names.
    pub faults: Vec<Spanned<String>>,
}

impl Reader<'_> {
    /// `foreign`: whether a node tells metrics that are none of netlab's own.
    pub(super) fn checks(&self, value: &Value, foreign: bool) -> Vec<CheckSpec> {
        if let Data::List(_) = value.data {
            let message = "checks are a map, so that each has a name";
            self.report(
                Diagnostic::error("wrong-type", message)
                    .at(value.span, "a list")
                    .help(format!("write `the loss is felt: {EXAMPLE}`")),
            );
            return Vec::new();
        }
        let Some(entries) = self.entries(value, "`checks`") else {
            return Vec::new();
        };
        if entries.len() > MAX_CHECKS {
            let message = format!("a lab has at most {MAX_CHECKS} checks");
            self.bad(value.span, message);
            return Vec::new();
        }
        let checks = entries.into_iter().map(|e| self.check(e, foreign));
        checks.flatten().collect()
    }

    fn check(&self, entry: &Entry, foreign: bool) -> Option<CheckSpec> {
        let name = self.check_name(&entry.key);
        let (expect, abort) = match &entry.value.data {
            Data::Map(_) => {
                let fields = self.fields(&entry.value, &LONG, Some(entry.key.span))?;
                let help = format!("say what must be so: `expect: {EXAMPLE}`");
                let expect = fields.need(self, "expect", &help);
                let abort = fields.get("abort").and_then(|v| self.flag(v));
                (expect?, abort.unwrap_or(false))
            }
            _ => (&entry.value, false),
        };
        let asked = self.asked(entry.key.clone(), expect, foreign)?;
        Some(CheckSpec {
            name: name?,
            abort,
            ..asked
        })
    }

    /// What must be so, understood; the name is taken as it is.
    pub(super) fn asked(
        &self,
        name: Spanned<String>,
        expect: &Value,
        foreign: bool,
    ) -> Option<CheckSpec> {
        let expect = self.text(expect, &format!("a check, `{EXAMPLE}`"))?;
        let expr = match expr::parse(&expect.value) {
            Ok(expr) => expr,
            Err(_) if self.is_cut_off(&expect) => {
                let message = "in `{ … }` the comma after this ends it";
                let diagnostic = Diagnostic::error("bad-value", message).at(expect.span, "");
                self.report(diagnostic.help("put all of it in quotes"));
                return None;
            }
            Err(mistakes) => {
                let told = |mistake| self.report(self.placed(&expect, mistake));
                mistakes.into_iter().for_each(told);
                return None;
            }
        };
        let calls = expr.calls().into_iter();
        let unknown = calls.filter_map(|call| call.foreign_metric());
        let unknown = unknown.filter(|_| !foreign);
        let unknown: Vec<_> = unknown
            .map(|(name, at)| expr::unknown_metric(name, at))
            .collect();
        if !unknown.is_empty() {
            let told = |mistake| self.report(self.placed(&expect, mistake));
            unknown.into_iter().for_each(told);
            return None;
        }
        let place = |place: &Place| self.inside(&expect, place);
        let (mut selections, mut faults) = (Vec::new(), Vec::new());
        for call in expr.calls() {
            for (text, at) in call.selections() {
                let selection = self.selection_of(&Spanned::new(text.to_owned(), place(at)))?;
                selections.push((text.to_owned(), selection));
            }
            let named = |(name, at): (&str, &Place)| Spanned::new(name.to_owned(), place(at));
            faults.extend(call.faults().map(named));
        }
        Some(CheckSpec {
            name,
            expect,
            abort: false,
            expr,
            selections,
            faults,
        })
    }

    /// Whether a text ends within parentheses, at a comma, as YAML reads it between braces.
    fn is_cut_off(&self, text: &Spanned<String>) -> bool {
        let count = |c: char| text.value.matches(c).count();
        let end = text.span.within(&self.source.text).end;
        count('(') > count(')') && self.source.text[end..].trim_start().starts_with(',')
    }

    fn check_name(&self, key: &Spanned<String>) -> Option<Spanned<String>> {
        let length = key.value.chars().count();
        let plain = key.value.trim() == key.value && !key.value.chars().any(char::is_control);
        if plain && (1..=MAX_CHECK_NAME).contains(&length) && !key.value.contains("{{") {
            return Some(key.clone());
        }
        let message = format!("`{}` is no name of a check", short(&key.value));
        let help = format!("a name is 1 to {MAX_CHECK_NAME} characters on one line");
        self.report(
            Diagnostic::error("bad-name", message)
                .at(key.span, "")
                .help(help),
        );
        None
    }

    fn placed(&self, text: &Spanned<String>, mistake: Mistake) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(mistake.code, mistake.message);
        diagnostic = diagnostic.at(self.inside(text, &mistake.place), "");
        for (place, label) in mistake.labels {
            diagnostic = diagnostic.at(self.inside(text, &place), label);
        }
        diagnostic.maybe_help(mistake.help)
    }

    /// The place in the file of a part of a text: the whole value where the file does not hold the
    /// text as it is (a template, an escape).
    fn inside(&self, text: &Spanned<String>, place: &Place) -> Span {
        let range = text.span.within(&self.source.text);
        let written = &self.source.text[range.clone()];
        let inner = aligned(written, &text.value, place);
        inner.map_or(text.span, |inner| Span {
            start: range.start + inner.start,
            end: range.start + inner.end,
        })
    }
}

/// Where a part of `text` is in `written`, which is the same but for quotes around it and for blank
/// space (YAML folds lines).
fn aligned(written: &str, text: &str, place: &Place) -> Option<Place> {
    let mut at = written.find(|c| text.trim_start().starts_with(c))?;
    let (mut start, mut end) = (None, None);
    for (index, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let rest = &written[at..];
        at += rest.len() - rest.trim_start().len();
        if !written[at..].starts_with(c) {
            return None;
        }
        if index >= place.start && start.is_none() {
            start = Some(at);
        }
        at += c.len_utf8();
        if index < place.end {
            end = Some(at);
        }
    }
    let start = start.unwrap_or(at);
    Some(start..end.unwrap_or(at).max(start))
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn places_are_found_over_quotes_and_folds() {
        let found = |written: &str, text: &str, part: &str| {
            let start = text.find(part).unwrap();
            let place = aligned(written, text, &(start..start + part.len()))?;
            Some(written[place].to_owned())
        };
        assert_eq!(found("a() < 5s", "a() < 5s", "<").as_deref(), Some("<"));
        assert_eq!(
            found("\"a() < 5s\"", "a() < 5s", "5s").as_deref(),
            Some("5s")
        );
        let folded = found("a()\n     < 5s", "a() < 5s", "5s");
        assert_eq!(folded.as_deref(), Some("5s"));
        assert_eq!(found("\"a() < {{ n }}s\"", "a() < 5s", "5s"), None);
    }
}
