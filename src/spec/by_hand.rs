//! One fault that does not stand in a file: what the command line says, in the file's words.
//!
//! Owns which words a kind takes where, for who builds the text. Must not know what is wrong with
//! a fault (`scenario`).

use super::degrade::DEGRADE;
use super::diagnostic::Diagnostic;
use super::keys::{Key, Kind as Holds};
use super::reader::Reader;
use super::schedule::TIMES;
use super::source::{Source, Sources, Span, Spanned};
use super::targets::ENDS;
use super::template::Templates;
use super::topology::FaultSpec;
use super::tree::Entry;
use super::yaml;
use crate::fault::{Kind, ParamKind, TargetShape};
use std::collections::BTreeMap;

/// A word that stands with a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultWord {
    /// The key.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// What it may be, when it is one of some words.
    pub values: &'static [&'static str],
    /// The word for what it holds: `TIME`.
    pub holds: &'static str,
    /// Whether it stands in the target's map, not beside the kind.
    pub inside: bool,
}

/// The keys that a fault of this kind takes, but for the kind itself and when it begins.
pub fn fault_words(kind: &Kind) -> Vec<FaultWord> {
    let plain = |inside| {
        move |key: &Key| FaultWord {
            name: key.name,
            help: key.help,
            values: &[],
            holds: holds(&key.kind),
            inside,
        }
    };
    let times = TIMES.iter().filter(|key| key.name == "for" && kind.lasts);
    let params = kind.params.iter().map(|param| FaultWord {
        name: param.name,
        help: param.help,
        values: match param.kind {
            ParamKind::Word(words) => words,
            _ => &[],
        },
        holds: match param.kind {
            ParamKind::Word(_) => "WORD",
            ParamKind::Duration | ParamKind::LongTime(_) => "TIME",
            ParamKind::Share => "SHARE",
            ParamKind::Integer(..) => "NUMBER",
            ParamKind::Cores => "CORES",
            ParamKind::Size(_) => "SIZE",
        },
        inside: false,
    });
    let inside = match kind.target {
        TargetShape::Links => ENDS.keys,
        TargetShape::Degraded => DEGRADE.keys,
        TargetShape::Nodes | TargetShape::Groups => &[],
    };
    let beside = times.map(plain(false)).chain(params);
    // A trace is read with a topology; by hand there is none.
    let inside = inside.iter().filter(|key| key.name != "trace");
    beside.chain(inside.map(plain(true))).collect()
}

fn holds(kind: &Holds) -> &'static str {
    match kind {
        Holds::Time => "TIME",
        Holds::Nodes => "NODES",
        Holds::Pair => "A,B",
        Holds::Share => "SHARE",
        Holds::Bytes => "SIZE",
        Holds::BitRate | Holds::Frequency => "RATE",
        _ => "VALUE",
    }
}

/// A fault as far as it could be read, with everything that is wrong.
#[derive(Clone, Debug)]
pub struct FaultReading {
    /// What it says.
    pub fault: Option<FaultSpec>,
    /// What is wrong.
    pub reports: Vec<Diagnostic>,
    /// The text that all places are in.
    pub sources: Sources,
}

/// Reads the map behind a fault's name.
pub fn read_fault(name: &str, source: &Source) -> FaultReading {
    let sources = Sources::new(source);
    let (fault, reports) = match yaml::parse(&source.text, 0) {
        Err(wrong) => (None, vec![wrong]),
        Ok(value) => {
            let texts = BTreeMap::new();
            let reader = Reader::new(&sources, &texts, Templates::new(&BTreeMap::new()));
            let key = Spanned::new(name.to_owned(), Span { start: 0, end: 1 });
            let fault = reader.fault(0, &Entry { key, value }, false);
            (fault, reader.into_reports())
        }
    };
    FaultReading {
        fault,
        reports,
        sources,
    }
}
