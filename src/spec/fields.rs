//! Reads the fields of a map: unknown, unsupported and repeated keys are reported, and the values
//! come back by name.
//!
//! Owns the sentences about keys. Must not know what any key means.

use super::diagnostic::Diagnostic;
use super::keys::Shape;
use super::reader::Reader;
use super::source::{Span, Spanned};
use super::tree::{Data, Entry, Value, short};
use super::words;

/// The fields of one map.
pub struct Fields<'t> {
    entries: Vec<&'t Entry>,
    what: &'static str,
    /// Where the map is named: its key, or its first character.
    pub span: Span,
}

impl<'t> Fields<'t> {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&'t Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Key and value.
    pub fn entry(&self, key: &str) -> Option<&'t Entry> {
        self.entries.iter().find(|e| e.key.value == key).copied()
    }

    /// The fields without those whose key is not wanted.
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Fields<'t> {
        let entries = self.entries.iter().copied();
        Fields {
            entries: entries.filter(|e| wanted(&e.key.value)).collect(),
            ..*self
        }
    }

    /// A key that is probably a slip of `meant`, with `meant`.
    pub fn nearest<'k>(&self, meant: &'k str) -> Option<(String, &'k str)> {
        let keys = self.entries.iter().map(|entry| entry.key.value.as_str());
        words::nearest(meant, keys).map(|slip| (short(slip), meant))
    }

    /// Those of `keys` that are there.
    pub fn among<'k>(&self, keys: &'k [&str]) -> Vec<(&'k str, &'t Entry)> {
        let found = |key: &&'k str| self.entry(key).map(|entry| (*key, entry));
        keys.iter().filter_map(found).collect()
    }

    /// The value of `key`; its absence is reported.
    pub fn need(&self, reader: &Reader<'_>, key: &str, help: &str) -> Option<&'t Value> {
        let value = self.get(key);
        if value.is_none() {
            reader.report(
                Diagnostic::error("missing-key", format!("{} needs `{key}`", self.what))
                    .at(self.span, "")
                    .help(help),
            );
        }
        value
    }
}

impl Reader<'_> {
    /// The entries of a map, each key once; `span` is where the map is named.
    pub fn entries<'t>(&self, value: &'t Value, what: &str) -> Option<Vec<&'t Entry>> {
        let Data::Map(entries) = &value.data else {
            let message = format!("{what} is a map, `key: value`, not {}", value.describe());
            self.report(Diagnostic::error("wrong-type", message).at(value.span, ""));
            return None;
        };
        let mut seen = std::collections::BTreeMap::<&str, Span>::new();
        let mut once = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = entry.key.value.as_str();
            if let Some(first) = seen.get(key) {
                let message = format!("the key `{}` stands twice in {what}", short(key));
                self.report(
                    Diagnostic::error("duplicate-key", message)
                        .at(entry.key.span, "again")
                        .at(*first, "first"),
                );
                continue;
            }
            seen.insert(key, entry.key.span);
            once.push(entry);
        }
        Some(once)
    }

    /// The fields of a map of this shape; `named` is where it is named (its key), if anywhere.
    pub fn fields<'t>(
        &self,
        value: &'t Value,
        shape: &Shape,
        named: Option<Span>,
    ) -> Option<Fields<'t>> {
        let fields = self.open_fields(value, shape.what, named)?;
        let names = shape.names();
        for entry in &fields.entries {
            if !names.contains(&entry.key.value.as_str()) {
                self.strange_key(shape, &entry.key);
            }
        }
        Some(fields)
    }

    /// The fields of a map whose keys the caller checks.
    pub fn open_fields<'t>(
        &self,
        value: &'t Value,
        what: &'static str,
        named: Option<Span>,
    ) -> Option<Fields<'t>> {
        if self.is_bare_template(value) {
            return None;
        }
        Some(Fields {
            entries: self.entries(value, what)?,
            what,
            span: named.unwrap_or(value.span),
        })
    }

    /// Reports a key that is not among those of `shape`.
    pub fn strange_key(&self, shape: &Shape, key: &Spanned<String>) {
        let (what, word) = (shape.what, key.value.as_str());
        let shown = short(word);
        if shape.later.contains(&word) {
            let message = format!("`{shown}` is not supported in this version");
            self.report(Diagnostic::error("unsupported", message).at(key.span, ""));
            return;
        }
        let keys = shape.names();
        let instead = shape.instead.iter().find(|(other, _)| *other == word);
        let hint = match (instead, words::nearest(word, keys.iter().copied())) {
            (Some((_, instead)), _) => format!("; {instead}"),
            (None, Some(near)) => format!("; did you mean `{near}`?"),
            (None, None) => String::new(),
        };
        let message = format!("{what} has no key `{shown}`");
        self.report(
            Diagnostic::error("unknown-key", message)
                .at(key.span, "unknown key")
                .help(format!("the keys are {}{hint}", keys.join(", "))),
        );
    }
}
