//! What is wrong with a topology, and how that is shown.
//!
//! Owns the look of messages. Must not know what they are about.

use super::source::{Sources, Span};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// Messages shown; the rest is counted.
const SHOWN: usize = 40;
/// Places farther apart (in bytes) than this are not shown together.
const APART: usize = 64 << 10;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken, but probably not meant so.
    Warning,
}

impl Severity {
    /// Its word: `error` or `warning`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// A stable word for the kind of mistake.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Where, with a word beside each; the first is the place itself.
    pub labels: Vec<(Span, String)>,
    /// What is known, and what to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: Vec::new(),
            help: None,
        }
    }

    /// A warning without a place yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(code, message)
        }
    }

    /// The same with every place moved by `start`.
    #[must_use]
    pub fn shifted(mut self, start: usize) -> Diagnostic {
        for (span, _) in &mut self.labels {
            *span = span.shifted(start);
        }
        self
    }

    /// Adds a place; the first one is where the mistake is.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Diagnostic {
        self.labels.push((span, label.into()));
        self
    }

    /// Adds help.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Diagnostic {
        self.maybe_help(Some(help.into()))
    }

    /// Adds help, if there is any.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help.or(self.help);
        self
    }
}

/// All that is wrong with a topology, in the order of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    sources: Sources,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Sorts by place and drops repetitions (an alias repeats what its anchor holds).
    pub fn new(sources: Sources, mut list: Vec<Diagnostic>) -> Diagnostics {
        list.sort_by_key(|d| d.labels.first().map_or(0, |(span, _)| span.start));
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(list.len());
        for one in list {
            let start = |d: &Diagnostic| d.labels.first().map(|(span, _)| span.start);
            let same_place = kept.iter().rev().take_while(|k| start(k) == start(&one));
            if !same_place.clone().any(|k| *k == one) {
                kept.push(one);
            }
        }
        Diagnostics {
            sources,
            list: kept,
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        let error = |d: &&Diagnostic| d.severity == Severity::Error;
        self.list.iter().filter(error).count()
    }

    /// The text for people, ended by a newline; with colours for terminals.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut out = String::new();
        for (at, diagnostic) in self.list.iter().take(SHOWN).enumerate() {
            if at > 0 {
                out.push('\n');
            }
            out.push_str(&self.one(diagnostic, &renderer));
            out.push('\n');
        }
        if self.list.len() > SHOWN {
            out.push_str(&format!("… and {} more\n", self.list.len() - SHOWN));
        }
        match self.errors() {
            0 => {}
            1 => out.push_str("1 error; nothing was started\n"),
            n => out.push_str(&format!("{n} errors; nothing was started\n")),
        }
        out
    }

    /// For programs: a JSON object with
    ///
    /// - `format`: 1;
    /// - `errors`, `warnings`: how many there are;
    /// - `diagnostics`: each with `severity` (`error` or `warning`), `code` (a stable word), `message`,
    ///   `help` (text or null) and `places`, the first of which is the place itself: `file`, `line` and
    ///   `column` of the first character, `end_line` and `end_column` behind the last one (lines and
    ///   characters are counted from 1), and `label` (text, may be empty).
    pub fn json(&self) -> serde_json::Value {
        let lines = Lines::new(&self.sources);
        let one = |diagnostic: &Diagnostic| {
            let places = diagnostic.labels.iter().map(|(span, label)| {
                let place = lines.place(*span);
                serde_json::json!({
                    "file": place.file,
                    "line": place.line,
                    "column": place.column,
                    "end_line": place.end_line,
                    "end_column": place.end_column,
                    "label": label,
                })
            });
            serde_json::json!({
                "severity": diagnostic.severity.word(),
                "code": diagnostic.code,
                "message": diagnostic.message,
                "help": diagnostic.help,
                "places": places.collect::<Vec<_>>(),
            })
        };
        serde_json::json!({
            "format": 1,
            "errors": self.errors(),
            "warnings": self.list.len() - self.errors(),
            "diagnostics": self.list.iter().map(one).collect::<Vec<_>>(),
        })
    }

    /// Annotations for GitHub Actions, one line each: `::error file=…,line=…::message` (workflow
    /// commands; line ends, `%`, and in properties `:` and `,` are escaped).
    pub fn github(&self) -> String {
        let lines = Lines::new(&self.sources);
        let data = |text: &str| {
            text.replace('%', "%25")
                .replace('\r', "%0D")
                .replace('\n', "%0A")
        };
        let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
        let mut out = String::new();
        for diagnostic in &self.list {
            let first = diagnostic.labels.first().map(|(span, _)| *span);
            let place = lines.place(first.unwrap_or_default());
            let help = diagnostic.help.iter().map(|help| format!("\nhelp: {help}"));
            let text = diagnostic.message.clone() + &help.collect::<String>();
            out.push_str(&format!(
                "::{} file={},line={},col={},endLine={},endColumn={},title={}::{}\n",
                diagnostic.severity.word(),
                property(place.file),
                place.line,
                place.column,
                place.end_line,
                place.end_column,
                property(diagnostic.code),
                data(&text),
            ));
        }
        out
    }

    fn one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut title = level.primary_title(&diagnostic.message);
        title = title.id(diagnostic.code);
        let mut group = Group::with_title(title);
        if diagnostic.labels.is_empty() {
            group = group.element(annotate_snippets::Origin::path(self.sources.file(0).0));
        } else {
            group = self.snippets(group, diagnostic);
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }

    /// One snippet for each file that has places of this mistake, the place itself first.
    fn snippets<'a>(&'a self, mut group: Group<'a>, diagnostic: &'a Diagnostic) -> Group<'a> {
        let mut labels: Vec<(usize, &(Span, String))> =
            diagnostic.labels.iter().enumerate().collect();
        while let Some((_, (first, _))) = labels.first() {
            let (name, file) = self.sources.file(first.start);
            let first = first.start;
            let here = |span: &Span| file.contains(&span.start) || span.start == file.end;
            let (near, others): (Vec<_>, Vec<_>) =
                labels.into_iter().partition(|(_, (span, _))| here(span));
            labels = others;
            group = group.element(self.snippet(name, file.clone(), first, &near));
        }
        group
    }

    /// The lines from the first to the last of these places, as far as they are near.
    fn snippet<'a>(
        &'a self,
        name: &'a str,
        file: Range<usize>,
        first: usize,
        labels: &[(usize, &'a (Span, String))],
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let text = &self.sources.text[file.clone()];
        let near = |span: &Span| span.start.abs_diff(first) <= APART;
        let labels: Vec<_> = labels.iter().filter(|(_, (s, _))| near(s)).collect();
        let range = |span: Span| first_line(text, span, file.start);
        let ranges: Vec<_> = labels.iter().map(|(_, (span, _))| range(*span)).collect();
        let from = ranges.iter().map(|r| r.start).min().unwrap_or(0);
        let from = text[..from].rfind('\n').map_or(0, |at| at + 1);
        let to = ranges.iter().map(|r| r.end).max().unwrap_or(0);
        let to = text[to..].find('\n').map_or(text.len(), |at| to + at);
        let line = text[..from].matches('\n').count() + 1;
        let mut snippet = Snippet::source(visible(&text[from..to]))
            .line_start(line)
            .path(name);
        for ((at, (_, label)), range) in labels.into_iter().zip(ranges) {
            let kind = match at {
                0 => AnnotationKind::Primary,
                _ => AnnotationKind::Context,
            };
            let label = (!label.is_empty()).then_some(label.as_str());
            let range = range.start - from..range.end - from;
            snippet = snippet.annotation(kind.span(range).label(label));
        }
        snippet
    }
}

/// Where lines begin, so that places need not be counted each time.
struct Lines<'s> {
    sources: &'s Sources,
    /// First bytes of lines, over all texts.
    starts: Vec<usize>,
}

/// A place for programs.
struct Place<'s> {
    file: &'s str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Lines<'_> {
    fn new(sources: &Sources) -> Lines<'_> {
        let ends = sources.text.match_indices('\n').map(|(at, _)| at + 1);
        Lines {
            sources,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    fn place(&self, span: Span) -> Place<'_> {
        let range = span.within(&self.sources.text);
        let (file, bytes) = self.sources.file(range.start);
        let first = self.line(bytes.start);
        let place = |at: usize| {
            let line = self.line(at);
            let start = self.starts.get(line).copied().unwrap_or(0);
            let before = &self.sources.text[start..at];
            // Nobody looks at such a line; counting it for each of many places would take long.
            let column = match before.len() > APART {
                true => before.len() + 1,
                false => before.chars().count() + 1,
            };
            (line - first + 1, column)
        };
        let (line, column) = place(range.start);
        let (end_line, end_column) = place(range.end.min(bytes.end).max(range.start));
        Place {
            file,
            line,
            column,
            end_line,
            end_column,
        }
    }

    /// The line that holds a byte, counted from 0 over all texts.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at) - 1
    }
}

/// The part of a place that lies on its first line, in a file that begins at `start`.
fn first_line(text: &str, span: Span, start: usize) -> Range<usize> {
    let local = Span {
        start: span.start.saturating_sub(start),
        end: span.end.saturating_sub(start),
    };
    let mut range = local.within(text);
    if let Some(at) = text[range.clone()].find(['\n', '\r']) {
        range.end = range.start + at;
    }
    range
}

/// The text with control characters, which could paint on a terminal, blanked out; same length.
fn visible(text: &str) -> String {
    let blank = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars()
        .flat_map(|c| {
            let (keep, spaces) = if blank(c) {
                (None, c.len_utf8())
            } else {
                (Some(c), 0)
            };
            keep.into_iter().chain(std::iter::repeat_n(' ', spaces))
        })
        .collect()
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
