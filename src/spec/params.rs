//! `params:`: their kinds, and where their values come from: `--set`, `--params`, the environment,
//! the file.

use super::LoadOptions;
use super::defaults::MAX_PARAMS;
use super::diagnostic::Diagnostic;
use super::document::Outside;
use super::keys::{Kind, Shape, key};
use super::reader::Reader;
use super::source::Spanned;
use super::template::{self, Param, known_params};
use super::tree::{Data, Entry, Value, short};
use std::collections::BTreeMap;

/// The kinds that `type` names.
pub const TYPES: &[&str] = &["text", "integer", "number", "boolean"];

/// What a parameter is: its value, or the long form.
pub const PARAM: Kind = Kind::Either(&[Kind::Scalar, Kind::Map(&LONG)]);

/// A parameter in its long form.
pub const LONG: Shape = Shape {
    what: "a parameter",
    keys: &[
        key(
            "default",
            Kind::Scalar,
            "Its value, unless something else says one.",
        ),
        key(
            "env",
            Kind::Text("TOKEN"),
            "A variable of the environment that gives the value.",
        ),
        key(
            "type",
            Kind::Word(TYPES),
            "Its kind; that of the default unless said, text without one.",
        ),
    ],
    needs: &[],
    later: &["min", "max", "choices", "secret"],
    instead: &[("value", "write `default`"), ("help", "write a comment")],
};

impl Reader<'_> {
    /// All parameters with their values.
    pub(super) fn params(
        &self,
        value: Option<&Value>,
        outside: &Outside<'_>,
    ) -> BTreeMap<String, Spanned<Param>> {
        let mut params = BTreeMap::new();
        let entries = value.and_then(|value| match value.data {
            Data::Null => None,
            _ => self.entries(value, "`params`"),
        });
        let entries = entries.unwrap_or_default();
        if entries.len() > MAX_PARAMS {
            let span = value.map(|v| v.span).unwrap_or_default();
            self.bad(span, format!("a file has at most {MAX_PARAMS} parameters"));
            return params;
        }
        let declared: Vec<&str> = entries.iter().map(|e| e.key.value.as_str()).collect();
        self.unknown_sets(outside.options, &declared);
        let given = self.given(outside.params, &declared);
        for entry in entries {
            let given = given.iter().find(|g| g.key.value == entry.key.value);
            if let Some(param) = self.param(entry, outside.options, given.copied()) {
                let param = Spanned::new(param, entry.value.span);
                params.insert(entry.key.value.clone(), param);
            }
        }
        params
    }

    fn unknown_sets(&self, options: &LoadOptions, declared: &[&str]) {
        for (name, _) in &options.sets {
            if !declared.contains(&name.as_str()) {
                let message = format!("`--set {}`: the file has no such parameter", short(name));
                self.report(
                    Diagnostic::error("unknown-param", message)
                        .help(known_params(name, declared.iter().copied())),
                );
            }
        }
    }

    /// The entries of the file of parameters, as far as they are parameters.
    fn given<'t>(&self, file: Option<&'t Value>, declared: &[&str]) -> Vec<&'t Entry> {
        let Some(file) = file.filter(|file| file.data != Data::Null) else {
            return Vec::new();
        };
        let mut entries = self
            .entries(file, "a file of parameters")
            .unwrap_or_default();
        entries.retain(|entry| {
            let known = declared.contains(&entry.key.value.as_str());
            if !known {
                let name = short(&entry.key.value);
                let message = format!("the topology has no parameter `{name}`");
                self.report(
                    Diagnostic::error("unknown-param", message)
                        .at(entry.key.span, "")
                        .help(known_params(&name, declared.iter().copied())),
                );
            }
            known
        });
        entries
    }

    /// One parameter: as `--set` says, else as the file of parameters, else as the environment, else
    /// as the topology does.
    fn param(&self, entry: &Entry, options: &LoadOptions, given: Option<&Entry>) -> Option<Param> {
        let name = entry.key.value.as_str();
        self.param_name(entry)?;
        let (kind, default, variable) = self.declared(entry)?;
        let wrong = |from: &str, text: &str| {
            let message = format!(
                "`{from}={}`: expected {}, as in the file",
                short(text),
                kind.kind()
            );
            let place = Diagnostic::error("bad-value", message);
            self.report(place.at(entry.value.span, "the parameter"));
        };
        let mut sets = options.sets.iter().rev();
        if let Some((_, text)) = sets.find(|(set, _)| set == name) {
            let read = kind.parse_like(text);
            if read.is_none() {
                wrong(&format!("--set {name}"), text);
            }
            return read;
        }
        if let Some(given) = given {
            return self.given_value(&kind, entry, given);
        }
        if let Some(variable) = &variable
            && let Some(text) = options.env.get(variable)
        {
            let read = kind.parse_like(text);
            if read.is_none() {
                // The environment's values may be secret: only the name is told.
                let message = format!(
                    "the variable {} of the environment is not {}",
                    short(variable),
                    kind.kind()
                );
                self.report(Diagnostic::error("bad-value", message).at(entry.value.span, ""));
            }
            return read;
        }
        if default.is_none() {
            self.without_value(entry, variable.as_deref());
        }
        default
    }

    fn param_name(&self, entry: &Entry) -> Option<()> {
        let name = entry.key.value.as_str();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(());
        }
        self.report(
            Diagnostic::error("bad-name", format!("`{}` is no name for a parameter", short(name)))
                .at(entry.key.span, "")
                .help("a parameter's name has letters, digits and _, so that templates can compute with it"),
        );
        None
    }

    fn without_value(&self, entry: &Entry, variable: Option<&str>) {
        let name = short(&entry.key.value);
        let variable = variable.map_or_else(String::new, |variable| {
            format!(
                ", set {} in the environment, or give it a `default`",
                short(variable)
            )
        });
        self.report(
            Diagnostic::error(
                "missing-param",
                format!("the parameter `{name}` has no value"),
            )
            .at(entry.key.span, "")
            .help(format!("say `--set {name}=…`{variable}")),
        );
    }

    /// A value of the parameter's kind, the value that the topology gives, and the variable that it
    /// names.
    fn declared(&self, entry: &Entry) -> Option<(Param, Option<Param>, Option<String>)> {
        if !matches!(entry.value.data, Data::Map(_)) {
            let default = self.param_value(&entry.value)?;
            return Some((default.clone(), Some(default), None));
        }
        let fields = self.fields(&entry.value, &LONG, Some(entry.key.span))?;
        let default = fields.get("default").map(|v| (self.param_value(v), v));
        let variable = fields
            .get("env")
            .map(|v| self.text(v, "the name of a variable"));
        let named = fields
            .get("type")
            .map(|v| self.word(v, "a kind of value", TYPES));
        let kind = match (named, &default) {
            (Some(word), _) => match word? {
                "integer" => Param::Int(0),
                "number" => Param::Float(0.0),
                "boolean" => Param::Bool(false),
                _ => Param::Text(String::new()),
            },
            (None, Some((default, _))) => default.clone()?,
            (None, None) => Param::Text(String::new()),
        };
        let default = match default {
            None => None,
            Some((value, place)) => {
                let fits = kind.like(value?);
                if fits.is_none() {
                    let message = format!("expected {}, as `type` says", kind.kind());
                    self.report(Diagnostic::error("wrong-type", message).at(place.span, ""));
                    return None;
                }
                fits
            }
        };
        let variable = match variable {
            Some(name) => Some(name?.value),
            None => None,
        };
        Some((kind, default, variable))
    }

    fn given_value(&self, kind: &Param, entry: &Entry, given: &Entry) -> Option<Param> {
        let value = kind.like(self.param_value(&given.value)?);
        if value.is_none() {
            let message = format!(
                "`{}` is {}, found {}",
                short(&entry.key.value),
                kind.kind(),
                given.value.describe()
            );
            self.report(
                Diagnostic::error("wrong-type", message)
                    .at(given.value.span, "")
                    .at(entry.value.span, "the parameter"),
            );
        }
        value
    }

    fn param_value(&self, value: &Value) -> Option<Param> {
        if let Data::Text(text) = &value.data
            && template::is_template(text)
        {
            let message = "a parameter's value is no template";
            self.report(Diagnostic::error("template", message).at(value.span, ""));
            return None;
        }
        let expected = "a number, text, `true` or `false`";
        match self.scalar(value, expected)?.data {
            Data::Bool(b) => Some(Param::Bool(b)),
            Data::Int(i) => Some(Param::Int(i)),
            Data::Float(f) => Some(Param::Float(f)),
            Data::Text(text) => Some(Param::Text(text)),
            Data::Null | Data::List(_) | Data::Map(_) => None,
        }
    }
}
