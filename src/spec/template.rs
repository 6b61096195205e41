//! `params:` and the templates in values.
//!
//! Owns what a template may do: expressions over the parameters, bounded in time and memory. There
//! are no statements (`{% … %}`): with assignments a text could double itself at each step.

use super::diagnostic::Diagnostic;
use super::source::{Span, Spanned};
use super::tree::{Data, Value, short};
use super::words;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use std::collections::BTreeMap;

/// Instructions that one template may take.
const FUEL: u64 = 1000;
/// Bytes of a value with a template.
const MAX_TEMPLATE: usize = 1024;
/// Bytes of what comes out.
const MAX_OUTPUT: usize = 64 << 10;

/// A parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
}

impl Param {
    /// Reads `text` as the kind of value that this one is.
    pub fn parse_like(&self, text: &str) -> Option<Param> {
        match self {
            Param::Bool(_) => text.parse().ok().map(Param::Bool),
            Param::Int(_) => text.parse().ok().map(Param::Int),
            Param::Float(_) => {
                let number = text.parse::<f64>().ok().filter(|f| f.is_finite());
                number.map(Param::Float)
            }
            Param::Text(_) => Some(Param::Text(text.to_owned())),
        }
    }

    /// `value` as one of this one's kind: a whole number is a number, too.
    pub fn like(&self, value: Param) -> Option<Param> {
        match (self, value) {
            (Param::Float(_), Param::Int(i)) => Some(Param::Float(i as f64)),
            (kind, value) => {
                let same = std::mem::discriminant(kind) == std::mem::discriminant(&value);
                same.then_some(value)
            }
        }
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Param::Bool(_) => "`true` or `false`",
            Param::Int(_) => "a whole number",
            Param::Float(_) => "a number",
            Param::Text(_) => "text",
        }
    }

    fn to_engine(&self) -> minijinja::Value {
        match self {
            Param::Bool(b) => (*b).into(),
            Param::Int(i) => (*i).into(),
            Param::Float(f) => (*f).into(),
            Param::Text(t) => t.as_str().into(),
        }
    }
}

/// Renders values with the parameters.
pub struct Templates {
    engine: Environment<'static>,
    params: BTreeMap<String, minijinja::Value>,
}

/// Whether `text` holds a template.
pub fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

impl Templates {
    /// Templates over these parameters.
    pub fn new(params: &BTreeMap<String, Spanned<Param>>) -> Templates {
        let mut engine = Environment::empty();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_fuel(Some(FUEL));
        engine.set_recursion_limit(16);
        engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        let params = params
            .iter()
            .map(|(name, param)| (name.clone(), param.value.to_engine()))
            .collect();
        Templates { engine, params }
    }

    /// The value that the template `text`, written at `span` of `source`, stands for. What is one
    /// whole template keeps the type of its expression; anything else is text.
    ///
    /// # Errors
    /// The mistake in the template, with its place.
    pub fn render(&self, source: &str, text: &str, span: Span) -> Result<Value, Diagnostic> {
        let failed = |message: &str| Diagnostic::error("template", message).at(span, "");
        if text.len() > MAX_TEMPLATE {
            let message = format!("a value with a template has at most {MAX_TEMPLATE} bytes");
            return Err(failed(&message));
        }
        if text.contains("{%") || text.contains("{#") {
            return Err(failed("only expressions, `{{ … }}`, may stand in a value")
                .help("statements (`{% … %}`) and comments (`{# … #}`) are not supported"));
        }
        let data = match whole(text) {
            Some((at, expression)) => self
                .evaluate(expression)
                .map_err(|slip| slip.place(source, text, span, at))?,
            None => Data::Text(
                self.substitute(text)
                    .map_err(|slip| slip.place(source, text, span, 0))?,
            ),
        };
        Ok(Value { data, span })
    }

    fn evaluate(&self, expression: &str) -> Result<Data, Slip> {
        let compiled = self.engine.compile_expression(expression)?;
        self.known(expression, &compiled.undeclared_variables(false))?;
        let value = compiled.eval(&self.params)?;
        let wrong = |what: &str| Err(Slip::new(format!("the template gives {what}, not a value")));
        match value.kind() {
            ValueKind::Bool => Ok(Data::Bool(value.is_true())),
            ValueKind::Number if value.is_integer() => match i64::try_from(value) {
                Ok(i) => Ok(Data::Int(i)),
                Err(_) => wrong("a number that is too large"),
            },
            ValueKind::Number => match f64::try_from(value) {
                Ok(f) if f.is_finite() => Ok(Data::Float(f)),
                _ => wrong("a number that is too large"),
            },
            ValueKind::String => Ok(Data::Text(bounded(value.to_string())?)),
            ValueKind::Undefined | ValueKind::None => wrong("nothing"),
            _ => wrong("a list or a map"),
        }
    }

    fn substitute(&self, text: &str) -> Result<String, Slip> {
        let template = self.engine.template_from_str(text)?;
        self.known(text, &template.undeclared_variables(false))?;
        bounded(template.render(&self.params)?)
    }

    /// Refuses names that are no parameters.
    fn known(&self, text: &str, names: &std::collections::HashSet<String>) -> Result<(), Slip> {
        let unknown = |name: &&String| !self.params.contains_key(*name);
        let Some(name) = names.iter().filter(unknown).min() else {
            return Ok(());
        };
        let params = self.params.keys().map(String::as_str);
        Err(Slip {
            message: format!("`{}` is not a parameter", short(name)),
            range: text.find(name.as_str()).map(|at| at..at + name.len()),
            help: Some(known_params(name, params)),
        })
    }
}

/// `the parameters are a, b; did you mean `a`?`
pub fn known_params<'a>(name: &str, params: impl Iterator<Item = &'a str> + Clone) -> String {
    if params.clone().next().is_none() {
        return format!("the file has no parameters: add `params: {{ {name}: … }}`");
    }
    words::known("parameters", name, params)
}

/// The expression, and where it begins, when `text` is one `{{ … }}` and nothing else.
fn whole(text: &str) -> Option<(usize, &str)> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let at = text.find("{{")? + 2;
    (!inner.contains("{{") && !inner.contains("}}")).then_some((at, inner))
}

fn bounded(text: String) -> Result<String, Slip> {
    if text.len() <= MAX_OUTPUT {
        return Ok(text);
    }
    Err(Slip::new(format!(
        "the template gives more than {MAX_OUTPUT} bytes"
    )))
}

/// A mistake in a template, not yet placed in the file.
struct Slip {
    message: String,
    range: Option<std::ops::Range<usize>>,
    help: Option<String>,
}

impl Slip {
    fn new(message: String) -> Slip {
        Slip {
            message,
            range: None,
            help: None,
        }
    }

    /// Points into the value where the file holds its text verbatim, else at the whole value.
    fn place(self, source: &str, text: &str, span: Span, offset: usize) -> Diagnostic {
        let written = &source[span.within(source)];
        let inner = self.range.zip(written.find(text)).map(|(range, at)| Span {
            start: span.start + at + offset + range.start,
            end: span.start + at + offset + range.end,
        });
        let place = inner.filter(|inner| inner.end <= span.end).unwrap_or(span);
        Diagnostic::error("template", self.message)
            .at(place, "")
            .maybe_help(self.help)
    }
}

impl From<Error> for Slip {
    fn from(error: Error) -> Slip {
        let detail = error.detail().map(short).unwrap_or_default();
        let (message, help) = match error.kind() {
            ErrorKind::OutOfFuel => ("the template takes too long".to_owned(), None),
            ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest => (
                format!("{detail}: templates have no filters, functions or tests"),
                Some("use +, -, *, /, // (whole division), %, ~ (joins texts) and `a if b else c`"),
            ),
            ErrorKind::SyntaxError => (format!("the template is not valid: {detail}"), None),
            _ => (format!("the template fails: {detail}"), None),
        };
        Slip {
            message,
            range: error.range(),
            help: help.map(str::to_owned),
        }
    }
}
