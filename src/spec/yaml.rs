//! Text to tree. The only place that knows the YAML library.
//!
//! Owns the limits on size, nesting and aliases, and the sentences for YAML's traps. Must not know
//! what keys mean.

use super::diagnostic::Diagnostic;
use super::source::{Span, Spanned};
use super::tree::{Data, Entry, Value, short};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::DuplicateKeyPolicy;
use std::fmt;

/// Bytes that a topology may have.
pub const MAX_BYTES: usize = 4 << 20;
/// Levels of lists and maps.
const MAX_DEPTH: usize = 48;
/// Lists, maps and scalars, aliases expanded.
const MAX_NODES: usize = 200_000;

/// Reads the document `text`, which begins at `start` of all texts.
///
/// # Errors
/// What is no YAML, or beyond a limit.
pub fn parse(text: &str, start: usize) -> Result<Value, Diagnostic> {
    if text.len() > MAX_BYTES {
        return Err(Diagnostic::error(
            "too-large",
            format!(
                "the file has {} bytes; a topology may have {MAX_BYTES} (4 MiB)",
                text.len()
            ),
        ));
    }
    let root: Node = serde_yaml::from_str_with_options(text, options())
        .map_err(|error| refused(text, error.without_snippet()).shifted(start))?;
    Ok(root.into_value(text, start))
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_documents: 2,
            max_total_scalar_bytes: 2 * MAX_BYTES,
            max_recorded_anchor_bytes: 2 * MAX_BYTES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

/// A node as the library gives it.
struct Node(serde_yaml::Spanned<Content>);

enum Content {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        serde_yaml::Spanned::deserialize(deserializer).map(Node)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Content, D::Error> {
        Content::deserialize(inner)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(i64::try_from(value).map_or(Content::Float(value as f64), Content::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Text(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Content, E> {
        Err(E::custom("binary values are not used in topologies"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Node>()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Content::Map(entries))
    }
}

impl Node {
    fn into_value(self, text: &str, start: usize) -> Value {
        let span = place(self.0.defined).shifted(start);
        let data = match self.0.value {
            Content::Null => Data::Null,
            Content::Bool(b) => Data::Bool(b),
            Content::Int(i) => Data::Int(i),
            Content::Float(f) => Data::Float(f),
            Content::Text(t) => Data::Text(t),
            Content::List(list) => {
                let values = list.into_iter().map(|n| n.into_value(text, start));
                Data::List(values.collect())
            }
            Content::Map(entries) => {
                let entry = |(key, value): (Node, Node)| Entry {
                    key: key.into_key(text, start),
                    value: value.into_value(text, start),
                };
                Data::Map(entries.into_iter().map(entry).collect())
            }
        };
        Value { data, span }
    }

    /// A key as it is written; keys that are no scalars become the text they begin with, which no
    /// table knows.
    fn into_key(self, text: &str, start: usize) -> Spanned<String> {
        let span = place(self.0.defined);
        let key = match self.0.value {
            Content::Text(t) => t,
            _ => text[span.within(text)].to_owned(),
        };
        Spanned::new(key, span.shifted(start))
    }
}

fn place(location: serde_yaml::Location) -> Span {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    Span {
        start,
        end: start.saturating_add(span.byte_len().unwrap_or(0) as usize),
    }
}

/// The library's error as a diagnostic in our words.
fn refused(text: &str, error: &serde_yaml::Error) -> Diagnostic {
    use serde_yaml::Error;
    if let Error::AliasError { error, .. } = error {
        return refused(text, error);
    }
    let span = error.location().map(|location| locate(text, location));
    let (code, message, help) = match error {
        Error::Budget { breach, .. } => ("too-complex", budget(breach), None),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "too-complex",
            format!("aliases expand to more than {MAX_NODES} values, or through too many levels"),
            None,
        ),
        Error::MultipleDocuments { .. } => (
            "several-documents",
            "the file holds more than one document; one file is one lab".to_owned(),
            Some("remove the `---`, or split the file".to_owned()),
        ),
        Error::UnknownAnchor { .. } => (
            "yaml",
            "`*` at the beginning of a value is an alias, and there is no such anchor".to_owned(),
            Some("quote a pattern: \"*-1\"".to_owned()),
        ),
        Error::NonFiniteFloat { value, .. } => (
            "bad-value",
            format!("`{}` is not a number that can be used here", short(value)),
            None,
        ),
        other if other.to_string().contains("recursion limit") => ("too-complex", too_deep(), None),
        other => {
            let message = plain(&other.to_string());
            let help = span.and_then(|span| trap(text, span, &message));
            ("yaml", message, help)
        }
    };
    let mut diagnostic = Diagnostic::error(code, message);
    if let Some(span) = span {
        diagnostic = diagnostic.at(span, "");
    }
    diagnostic.maybe_help(help)
}

fn too_deep() -> String {
    format!("lists and maps are nested more than {MAX_DEPTH} levels deep")
}

fn budget(breach: &serde_yaml::budget::BudgetBreach) -> String {
    use serde_yaml::budget::BudgetBreach as Breach;
    match breach {
        Breach::Depth { .. } => too_deep(),
        Breach::Documents { .. } => {
            "the file holds more than one document; one file is one lab".to_owned()
        }
        Breach::ScalarBytes { .. } | Breach::RecordedAnchorBytes { .. } => format!(
            "the texts of the file, aliases expanded, have more than {} bytes",
            2 * MAX_BYTES
        ),
        _ => format!("the file, aliases expanded, has more than {MAX_NODES} values"),
    }
}

/// Without the place that the library appends: the snippet shows it.
fn plain(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let message = message.split(" at line ").next().unwrap_or(message);
    format!("this is not valid YAML: {}", short_sentence(message))
}

fn short_sentence(message: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    message.chars().take(200).map(clean).collect()
}

/// Bytes of a place that the library may know by line and column only.
fn locate(text: &str, location: serde_yaml::Location) -> Span {
    if location.span().byte_offset().is_some() {
        return place(location);
    }
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let before: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = &text[before..];
    let inside = rest
        .char_indices()
        .take_while(|(_, c)| *c != '\n')
        .nth(column - 1)
        .map_or_else(|| rest.find('\n').unwrap_or(rest.len()), |(at, _)| at);
    let start = before + inside;
    Span {
        start,
        end: start + text[start..].chars().next().map_or(0, char::len_utf8),
    }
}

/// A sentence for the traps that people fall into, by the look of the line (or the one before).
fn trap(text: &str, span: Span, message: &str) -> Option<String> {
    let at = span.within(text).start;
    let begin = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line = text[begin..].lines().next().unwrap_or_default();
    let value = line.split_once(": ").map_or(line, |(_, v)| v).trim_start();
    let value = value.strip_prefix("- ").unwrap_or(value);
    let sentence = if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        "YAML is indented with spaces; this line has a tab"
    } else if value.starts_with("{{") || line.contains(": {{") {
        "quote a value that holds a template: \"{{ clients }}/s\""
    } else if value.starts_with(['*', '&', '!', '%', '@', '`', '|', '>']) {
        "quote a value that begins with a special character: \"*-1\""
    } else if message.contains("mapping values") {
        "put a map in braces, `{ rtt: 5ms }`; quote a text that holds `: `"
    } else if message.contains("flow") {
        "a `{` or `[` is not closed, here or on a line before"
    } else {
        return None;
    };
    Some(sentence.to_owned())
}
