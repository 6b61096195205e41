//! Nodes with an image: Compose's `image`, `command`, `env` and `healthcheck`.

use super::defaults::PORTS;
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::reader::Reader;
use super::roles::HEALTHCHECK;
use super::topology::ProgramSpec;
use super::tree::{Data, Entry, Value, short};
use crate::metrics::Endpoint;
use std::collections::BTreeMap;

impl Reader<'_> {
    pub(super) fn image(&self, fields: &Fields<'_>) -> Option<ProgramSpec> {
        let value = fields.get("image")?;
        let image = self.text(value, "an image, such as `redis:7`");
        let command = fields.get("command").map(|v| self.command(v));
        let env = fields
            .get("env")
            .map_or_else(BTreeMap::new, |v| self.env(v));
        let port = self.port(fields);
        let health = fields.entry("healthcheck");
        let health = health.map(|entry| self.healthcheck(entry));
        let metrics = fields.get("metrics").and_then(|v| self.metrics(v));
        let image = image?;
        let blank = |c: char| c.is_whitespace() || c.is_control();
        if image.value.is_empty() || image.value.len() > 512 || image.value.contains(blank) {
            self.bad(
                value.span,
                "this is no reference of an image; write one such as `redis:7`",
            );
            return None;
        }
        Some(ProgramSpec::Image {
            image: image.value,
            command: command.flatten(),
            env,
            port,
            health: health.flatten(),
            metrics,
        })
    }

    /// Where the program tells its metrics.
    fn metrics(&self, value: &Value) -> Option<Endpoint> {
        let what = "where its metrics are read: `http://:9100/metrics`";
        let text = self.text(value, what)?;
        match text.value.parse() {
            Ok(endpoint) => Some(endpoint),
            Err(cure) => {
                let message = format!(
                    "`{}` is no page of metrics in this node",
                    short(&text.value)
                );
                self.report(
                    Diagnostic::error("bad-value", message)
                        .at(value.span, "")
                        .help(cure),
                );
                None
            }
        }
    }

    /// The TCP port at which the program takes connections when it is ready.
    fn healthcheck(&self, entry: &Entry) -> Option<u16> {
        let fields = self.fields(&entry.value, &HEALTHCHECK, Some(entry.key.span))?;
        let port = fields.need(self, "tcp", "at which port it is ready: `tcp: 6379`")?;
        self.small(port, PORTS)?.try_into().ok()
    }

    /// A list of words, or text that is split as a shell would, without expanding anything.
    fn command(&self, value: &Value) -> Option<Vec<String>> {
        let words = match &value.data {
            Data::List(list) => {
                let words: Vec<_> = list.iter().map(|v| self.verbatim(v, "a word")).collect();
                words.into_iter().collect::<Option<Vec<_>>>()?
            }
            _ => {
                let text = self.text(value, "a command: text, or a list of words")?;
                match split_words(&text.value) {
                    Some(words) => words,
                    None => {
                        self.bad(value.span, "a quotation mark in this command is not closed");
                        return None;
                    }
                }
            }
        };
        if words.is_empty() || words.iter().any(|word| word.contains('\0')) {
            self.bad(value.span, "a command has at least one word");
            return None;
        }
        Some(words)
    }

    fn env(&self, value: &Value) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        for entry in self.entries(value, "`env`").unwrap_or_default() {
            let name = &entry.key.value;
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("`{}` is no name for a variable", short(name));
                self.report(Diagnostic::error("bad-name", message).at(entry.key.span, ""));
            } else if let Some(text) = self.verbatim(&entry.value, "text") {
                if text.contains('\0') {
                    self.bad(entry.value.span, "a variable holds no null character");
                }
                env.insert(name.clone(), text);
            }
        }
        env
    }
}

/// Splits at blanks outside quotation marks; a backslash takes the next character as it is, except
/// in single quotes. As POSIX shells do (XCU 2.2), without expansion. None: a quote is not closed.
fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().push(chars.next()?),
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split_words;

    #[test]
    fn words_as_a_shell_splits_them() {
        let split = |text| split_words(text).map(|words| words.join("|"));
        assert_eq!(split("a  b").as_deref(), Some("a|b"));
        assert_eq!(
            split(r#"sh -c "a b" 'c\d' e\ f"#).as_deref(),
            Some(r"sh|-c|a b|c\d|e f")
        );
        assert_eq!(split("x ''").as_deref(), Some("x|"));
        assert_eq!(split("'open"), None);
        assert_eq!(split("end\\"), None);
    }
}
