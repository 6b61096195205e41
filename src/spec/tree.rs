//! A document as a tree of values, each with its place in the text.
//!
//! Must not know what the keys mean, nor which reader made the tree.

use super::source::{Span, Spanned};

/// A value of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Where it is written.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A map, in the file's order, with every repetition of a key.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// Its value.
    pub value: Value,
}

impl Value {
    /// The first entry of a map with this key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key.value == key),
            _ => None,
        }
    }

    /// How many values it holds, itself included.
    pub fn weight(&self) -> usize {
        match &self.data {
            Data::List(list) => 1 + list.iter().map(Value::weight).sum::<usize>(),
            Data::Map(entries) => 1 + entries.iter().map(|e| e.value.weight()).sum::<usize>(),
            Data::Text(text) => 1 + text.len() / 64,
            _ => 1,
        }
    }

    /// What it is, for messages: `a list of 2`, `the text `abc``.
    pub fn describe(&self) -> String {
        match &self.data {
            Data::Null => "nothing".to_owned(),
            Data::Bool(b) => format!("`{b}`"),
            Data::Int(i) => format!("the number `{i}`"),
            Data::Float(f) => format!("the number `{f}`"),
            Data::Text(text) => format!("the text `{}`", short(text)),
            Data::List(list) => format!("a list of {}", list.len()),
            Data::Map(_) => "a map".to_owned(),
        }
    }
}

/// `text`, cut after 60 characters, without control characters.
pub fn short(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut out: String = text.chars().take(60).map(clean).collect();
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}
