//! What a fault happens to, by the shape that its kind asks for.
//!
//! Must not know which nodes there are.

use super::diagnostic::Diagnostic;
use super::keys::{Key, Kind as Holds, Shape, key};
use super::reader::Reader;
use super::selector::{Selection, Selector};
use super::source::Spanned;
use super::topology::TargetSpec;
use super::tree::{Data, Value};
use crate::fault::{Kind, Split, TargetShape};

/// The ends of links.
pub const END_KEYS: [Key; 3] = [
    key("between", Holds::Pair, "Both directions between these two."),
    key("from", Holds::Nodes, "One direction: who sends."),
    key("to", Holds::Nodes, "One direction: who receives."),
];

/// The links of a fault.
pub const ENDS: Shape = Shape {
    what: "the links of a fault",
    keys: &END_KEYS,
    needs: &[],
    later: &[],
    instead: &[
        ("delay", "write `degrade` for properties"),
        ("rtt", "write `degrade` for properties"),
        ("jitter", "write `degrade` for properties"),
        ("loss", "write `degrade` for properties"),
        ("rate", "write `degrade` for properties"),
    ],
};

/// A partition that is no list of groups.
pub const SPLIT: Shape = Shape {
    what: "`partition`",
    keys: &[
        key("halves", Holds::Nodes, "Two drawn halves of these."),
        key(
            "majority",
            Holds::Nodes,
            "A drawn majority of these, and the rest.",
        ),
        key(
            "bridge",
            Holds::Nodes,
            "Two drawn halves of these that share one node.",
        ),
        key(
            "ring",
            Holds::Nodes,
            "Each of these reaches a majority, no two the same one.",
        ),
        key("isolate", Holds::Nodes, "Each of these is alone."),
        key("from", Holds::Nodes, "One direction: who is not heard."),
        key("to", Holds::Nodes, "One direction: who does not hear."),
    ],
    needs: &[],
    later: &[],
    instead: &[
        ("between", "write the two groups: `partition: [[a], [b]]`"),
        ("minority", "write `majority`: the rest is the minority"),
        ("groups", "write them at once: `partition: [[a, b], rest]`"),
        ("one-way", "write `from` and `to`"),
        ("of", "write `{ halves: peer }`"),
    ],
};

/// The words that may stand alone: of all nodes.
pub fn split_words() -> Vec<&'static str> {
    let of_all = Split::ALL.iter().filter(|split| **split != Split::Isolate);
    of_all.map(|split| split.word()).collect()
}

impl Reader<'_> {
    /// What the fault happens to.
    pub(super) fn target(&self, kind: &Kind, value: &Value) -> Option<TargetSpec> {
        match kind.target {
            TargetShape::Nodes => self.selection(value).map(TargetSpec::Nodes),
            TargetShape::Links if !matches!(value.data, Data::Map(_)) => {
                self.wrong(
                    value,
                    "links, `{ between: [a, b] }` or `{ from: a, to: b }`",
                );
                None
            }
            TargetShape::Degraded if !matches!(value.data, Data::Map(_)) => {
                self.wrong(
                    value,
                    "links and properties, `{ between: [a, b], delay: +100ms }`",
                );
                None
            }
            TargetShape::Links => {
                let fields = self.fields(value, &ENDS, None)?;
                self.ends(&fields).map(TargetSpec::Links)
            }
            TargetShape::Degraded => self
                .degrade(value)
                .map(|(ends, change)| TargetSpec::Degraded(ends, change)),
            TargetShape::Groups => match &value.data {
                Data::List(_) => self.groups(value).map(TargetSpec::Groups),
                Data::Map(_) => self.split(value),
                _ => self.split_all(value),
            },
        }
    }

    fn groups(&self, value: &Value) -> Option<Vec<Selection>> {
        let list = match &value.data {
            Data::List(list) if list.len() >= 2 => list,
            _ => {
                self.wrong(value, "at least two groups, `[[a, b], rest]`");
                return None;
            }
        };
        let groups: Vec<_> = list.iter().map(|g| self.selection_with(g, true)).collect();
        groups.into_iter().collect()
    }

    /// `{ halves: peer }`, or `{ from: a, to: b }`.
    fn split(&self, value: &Value) -> Option<TargetSpec> {
        let fields = self.fields(value, &SPLIT, None)?;
        if fields.get("from").is_some() || fields.get("to").is_some() {
            let others = Split::ALL.map(Split::word);
            if let Some((word, entry)) = fields.among(&others).first() {
                let message = format!("`{word}` excludes `from` and `to`");
                self.report(Diagnostic::error("conflict", message).at(entry.key.span, ""));
                return None;
            }
            return self.ends(&fields).map(TargetSpec::Links);
        }
        let found: Vec<_> = Split::ALL
            .into_iter()
            .filter_map(|split| Some((split, fields.entry(split.word())?)))
            .collect();
        match found.as_slice() {
            [(split, entry)] => Some(TargetSpec::Split(*split, self.selection(&entry.value)?)),
            [(first, _), (second, entry), ..] => {
                let (first, second) = (first.word(), second.word());
                let message =
                    format!("a partition is split in one way, not `{first}` and `{second}`");
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(entry.key.span, "")
                        .help("write two faults; they may overlap"),
                );
                None
            }
            [] => {
                self.report(
                    Diagnostic::error("missing-key", "this partition does not say who is apart")
                        .at(fields.span, "")
                        .help("`[[a, b], rest]`, `{ halves: peer }` or `{ from: a, to: b }`"),
                );
                None
            }
        }
    }

    /// `halves`: of all nodes.
    fn split_all(&self, value: &Value) -> Option<TargetSpec> {
        let word = self.word(value, "a way to split, or a list of groups", &split_words())?;
        let split = Split::ALL.into_iter().find(|split| split.word() == word)?;
        let all = Selection {
            terms: vec![Spanned::new(Selector::All, value.span)],
            span: value.span,
        };
        Some(TargetSpec::Split(split, all))
    }
}
