//! One tree out of several files: `include:`, and the texts of matrices.
//!
//! Owns which files are asked for, how many, and how their parts are joined. Must not read files
//! (the caller's [`Files`](super::Files) does) nor know what the values mean.
//!
//! What an including file says comes behind what it includes, so that the last one said counts:
//! `networks`, `nodes` and `links` are joined, `params`, `defaults`, `link` and `checks` are joined key by key, and any
//! other key replaces the included one. Two nodes, or two networks, of the same
//! name are a mistake.

use super::LoadOptions;
use super::diagnostic::Diagnostic;
use super::source::{Source, Sources, Span};
use super::tree::{Data, Entry, Value, short};
use super::yaml::{self, MAX_BYTES};
use std::collections::BTreeMap;
use std::ops::Range;

/// Files that a topology may be made of.
const MAX_FILES: usize = 64;
/// Levels of files that include files.
const MAX_DEPTH: usize = 8;
/// Keys of the top level below which links, or what faults make of them, are described.
const HOLD_PATHS: [&str; 4] = ["link", "links", "networks", "scenario"];
/// Levels below such a key at which a link's properties may stand.
const PATH_DEPTH: usize = 4;

/// Everything that was read, before any of it is understood.
pub struct Gathered {
    /// All texts.
    pub sources: Sources,
    /// The joined tree; none when a file could not be read.
    pub root: Option<Value>,
    /// The tree of `--params`.
    pub params: Option<Value>,
    /// Where the text of each matrix and trace lies, by the place where its path is written; none: it
    /// could not be read, which is reported.
    pub texts: BTreeMap<Span, Option<Range<usize>>>,
    /// What went wrong.
    pub reports: Vec<Diagnostic>,
}

/// Reads `source`, what it includes, and the file of parameters.
pub fn gather(source: &Source, options: &LoadOptions) -> Gathered {
    let mut gatherer = Gatherer {
        options,
        open: vec![source.name.clone()],
        gathered: Gathered {
            sources: Sources::new(source),
            root: None,
            params: None,
            texts: BTreeMap::new(),
            reports: Vec::new(),
        },
    };
    gatherer.gathered.root = gatherer.file(source, 0);
    if let Some(params) = &options.params {
        let start = gatherer.gathered.sources.add(params);
        gatherer.gathered.params = gatherer.parse(params, start);
    }
    gatherer.gathered
}

struct Gatherer<'o> {
    options: &'o LoadOptions,
    /// Names of the files that are being read, outermost first.
    open: Vec<String>,
    gathered: Gathered,
}

impl Gatherer<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.gathered.reports.push(diagnostic);
    }

    fn parse(&mut self, source: &Source, start: usize) -> Option<Value> {
        match yaml::parse(&source.text, start) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.report(wrong);
                None
            }
        }
    }

    /// The tree of a file, joined with what it includes.
    fn file(&mut self, source: &Source, start: usize) -> Option<Value> {
        let value = self.parse(source, start)?;
        let Data::Map(mut entries) = value.data else {
            return Some(value);
        };
        for entry in &entries {
            if HOLD_PATHS.contains(&entry.key.value.as_str()) {
                self.texts(&source.name, &entry.value, 0);
            }
        }
        let include = entries.iter().position(|e| e.key.value == "include");
        let Some(include) = include.map(|at| entries.remove(at)) else {
            return Some(Value {
                data: Data::Map(entries),
                span: value.span,
            });
        };
        let mut joined = Vec::new();
        let mut complete = true;
        for path in self.paths(&include) {
            match self.included(&source.name, &path) {
                Some(more) => joined = join(joined, more),
                None => complete = false,
            }
        }
        complete.then(|| Value {
            data: Data::Map(join(joined, entries)),
            span: value.span,
        })
    }

    /// The paths that an `include` names.
    fn paths(&mut self, include: &Entry) -> Vec<Value> {
        let list = match &include.value.data {
            Data::List(list) => list.clone(),
            _ => vec![include.value.clone()],
        };
        let is_path = |value: &Value| matches!(&value.data, Data::Text(t) if !t.is_empty());
        let (paths, others): (Vec<_>, Vec<_>) = list.into_iter().partition(is_path);
        for other in others {
            let message = format!("expected the path of a file, found {}", other.describe());
            self.report(Diagnostic::error("wrong-type", message).at(other.span, ""));
        }
        paths
    }

    fn included(&mut self, from: &str, path: &Value) -> Option<Vec<Entry>> {
        let (source, start) = self.fetch(from, path)?;
        if self.open.contains(&source.name) {
            let message = format!("`{}` includes itself", short(&source.name));
            let chain = self.open.join(" includes ");
            self.report(
                Diagnostic::error("include", message)
                    .at(path.span, "")
                    .help(format!("{chain} includes {}", source.name)),
            );
            return None;
        }
        if self.open.len() >= MAX_DEPTH {
            let message = format!("files include each other more than {MAX_DEPTH} levels deep");
            self.report(Diagnostic::error("include", message).at(path.span, ""));
            return None;
        }
        self.open.push(source.name.clone());
        let value = self.file(&source, start);
        self.open.pop();
        let value = value?;
        match value.data {
            Data::Map(entries) => Some(entries),
            Data::Null => Some(Vec::new()),
            _ => {
                let message = "an included file is a map, as a topology is";
                self.report(
                    Diagnostic::error("include", message)
                        .at(value.span, "")
                        .at(path.span, "included here"),
                );
                None
            }
        }
    }

    /// Notes the texts of `rtt-matrix: FILE` and `trace: FILE` anywhere below a key that may hold links.
    fn texts(&mut self, from: &str, value: &Value, depth: usize) {
        if depth > PATH_DEPTH {
            return;
        }
        let entries = match &value.data {
            Data::List(list) => {
                list.iter().for_each(|v| self.texts(from, v, depth + 1));
                return;
            }
            Data::Map(entries) => entries,
            _ => return,
        };
        for entry in entries {
            let value = &entry.value;
            if !["rtt-matrix", "trace"].contains(&entry.key.value.as_str()) {
                self.texts(from, value, depth + 1);
            } else if matches!(value.data, Data::Text(_))
                && !self.gathered.texts.contains_key(&value.span)
            {
                let found = self.fetch(from, value);
                let range = found.map(|(source, start)| start..start + source.text.len());
                self.gathered.texts.insert(value.span, range);
            }
        }
    }

    /// The file that `path` names, and where its text begins.
    fn fetch(&mut self, from: &str, path: &Value) -> Option<(Source, usize)> {
        let Data::Text(name) = &path.data else {
            return None;
        };
        let refuse = |message: String| Diagnostic::error("include", message).at(path.span, "");
        if self.gathered.sources.count() >= MAX_FILES {
            let message = format!("a topology is made of at most {MAX_FILES} files");
            self.report(refuse(message));
            return None;
        }
        let source = match self.options.files.read(from, name) {
            Ok(source) => source,
            Err(reason) => {
                self.report(refuse(format!("cannot read `{}`: {reason}", short(name))));
                return None;
            }
        };
        if source.text.len() + self.gathered.sources.text.len() > MAX_BYTES {
            let message = format!("the files together have more than {MAX_BYTES} bytes (4 MiB)");
            self.report(refuse(message));
            return None;
        }
        let start = self.gathered.sources.add(&source);
        Some((source, start))
    }
}

/// `said` behind `before`.
fn join(before: Vec<Entry>, said: Vec<Entry>) -> Vec<Entry> {
    let mut joined = before;
    let mut seen: Vec<String> = Vec::new();
    for entry in said {
        let key = entry.key.value.clone();
        // A key that stands twice in one file stays twice, and is reported as that.
        let again = seen.contains(&key);
        match joined.iter_mut().find(|old| old.key.value == key) {
            Some(old) if !again => replace(old, entry),
            _ => joined.push(entry),
        }
        seen.push(key);
    }
    joined
}

fn replace(old: &mut Entry, new: Entry) {
    old.key = new.key;
    match (&mut old.value.data, new.value.data) {
        (Data::List(all), Data::List(more)) if old.key.value == "links" => all.extend(more),
        (Data::Map(all), Data::Map(more))
            if ["nodes", "networks"].contains(&old.key.value.as_str()) =>
        {
            all.extend(more)
        }
        (Data::Map(all), Data::Map(more))
            if ["params", "defaults", "link", "checks"].contains(&old.key.value.as_str()) =>
        {
            *all = overlay(&old.key.value, std::mem::take(all), more);
        }
        (data, new) => *data = new,
    }
    old.value.span = new.value.span;
}

/// What something said makes void beside it: whoever says `users` means no `rate`.
type Rules = &'static [(&'static str, &'static [&'static str])];

const LOAD: Rules = &[
    ("rate", &["users", "think"]),
    ("users", &["rate", "in-flight"]),
    ("path", &["writes", "keys", "value"]),
    ("writes", &["path"]),
    ("keys", &["path"]),
    ("value", &["path"]),
];
const LINK: Rules = &[
    ("delay", &["rtt"]),
    ("rtt", &["delay"]),
    ("profile", &["delay", "rtt", "jitter", "loss", "rate"]),
];

/// The entries of `said` over those of `before`, both the value of `key`: maps are joined, anything
/// else is replaced, and what cannot stand beside what is said falls away.
pub fn overlay(key: &str, before: Vec<Entry>, said: Vec<Entry>) -> Vec<Entry> {
    let rules = match key {
        "load" => LOAD,
        "link" => LINK,
        _ => &[],
    };
    let says = |name: &str| said.iter().any(|entry| entry.key.value == name);
    let void = |entry: &Entry| {
        let mut rules = rules.iter();
        rules.any(|(by, what)| says(by) && what.contains(&entry.key.value.as_str()))
    };
    let mut joined: Vec<Entry> = before.into_iter().filter(|entry| !void(entry)).collect();
    let inherited = joined.len();
    let mut seen: Vec<String> = Vec::new();
    for entry in said {
        let key = entry.key.value.clone();
        let old = joined[..inherited].iter_mut().find(|e| e.key.value == key);
        match old {
            Some(old) if !seen.contains(&key) => lay_over(old, entry),
            _ => joined.push(entry),
        }
        seen.push(key);
    }
    joined
}

fn lay_over(old: &mut Entry, new: Entry) {
    old.key = new.key;
    match (&mut old.value.data, new.value.data) {
        (Data::Map(all), Data::Map(more)) => {
            *all = overlay(&old.key.value, std::mem::take(all), more);
        }
        (data, new) => *data = new,
    }
    old.value.span = new.value.span;
}
