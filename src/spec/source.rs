//! The texts of a topology and places in them.
//!
//! Must not know YAML.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A topology file: what to call it, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages, as the user typed it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// How other files are read: the name of the file that asks (as in [`Source::name`]) and the path
/// as it stands there, to the file; or why not, as the end of a sentence. The caller decides what
/// may be read, and bounds how much.
type Read = dyn Fn(&str, &str) -> Result<Source, String> + Send + Sync;

/// Where `include:` and matrices come from; by default nothing can be read.
#[derive(Clone, Default)]
pub struct Files(Option<Arc<Read>>);

impl Files {
    /// Files that `read` reads.
    pub fn new(
        read: impl Fn(&str, &str) -> Result<Source, String> + Send + Sync + 'static,
    ) -> Files {
        Files(Some(Arc::new(read)))
    }

    /// The file at `path`, as the file `from` names it.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(&self, from: &str, path: &str) -> Result<Source, String> {
        match &self.0 {
            Some(read) => read(from, path),
            None => Err("other files cannot be read here".to_owned()),
        }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Files"
        } else {
            "no files"
        })
    }
}

/// All files that a topology is made of, one text behind the other: a [`Span`] is a place in the
/// whole, so that it says which file is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The texts.
    pub text: String,
    files: Vec<(String, Range<usize>)>,
}

impl Sources {
    /// The file that the user named.
    pub fn new(first: &Source) -> Sources {
        let mut sources = Sources {
            text: String::new(),
            files: Vec::new(),
        };
        sources.add(first);
        sources
    }

    /// Adds a file and tells where it begins.
    pub fn add(&mut self, source: &Source) -> usize {
        if !self.files.is_empty() {
            self.text.push('\n');
        }
        let start = self.text.len();
        self.text.push_str(&source.text);
        let range = start..self.text.len();
        self.files.push((source.name.clone(), range));
        start
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Name and bytes of the file that `at` lies in.
    pub fn file(&self, at: usize) -> (&str, Range<usize>) {
        let behind = self.files.partition_point(|(_, range)| range.start <= at);
        match self.files.get(behind.saturating_sub(1)) {
            Some((name, range)) => (name, range.clone()),
            None => ("", 0..0),
        }
    }
}

/// A place in [`Sources`]: byte offsets, end excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
}

impl Span {
    /// The bytes, as far as `text` has them and they lie on the borders of characters.
    pub fn within(self, text: &str) -> Range<usize> {
        let start = text.floor_char_boundary(self.start.min(text.len()));
        let end = text.ceil_char_boundary(self.end.clamp(start, text.len()));
        start..end
    }

    /// The same place when its text begins at `start`.
    #[must_use]
    pub fn shifted(self, start: usize) -> Span {
        Span {
            start: self.start.saturating_add(start),
            end: self.end.saturating_add(start),
        }
    }
}

/// A value with the place where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts the two together.
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }
}
