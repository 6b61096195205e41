//! `links:`: which pairs of nodes differ from `link:`.
//!
//! Owns the entries and their ends. Must not know what properties a link has (`properties`).

use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Key, Kind, Shape, joined, key};
use super::matrix;
use super::properties::{INSTEAD, LATER, PROPERTIES};
use super::reader::Reader;
use super::topology::{Ends, LinkSpec};
use super::tree::{Data, Value};

const ENDS: [Key; 4] = [
    key("between", Kind::Pair, "Both directions between these two."),
    key("from", Kind::Nodes, "One direction: who sends."),
    key("to", Kind::Nodes, "One direction: who receives."),
    key(
        "network",
        Kind::Name,
        "Only in this network; in every one that both ends are in unless said.",
    ),
];
const KEYS: [Key; ENDS.len() + PROPERTIES.len()] = joined(ENDS, PROPERTIES);
const ONE: Shape = Shape {
    what: "an entry of `links`",
    keys: &KEYS,
    needs: &[],
    later: LATER,
    instead: INSTEAD,
};
const MATRIX: Shape = Shape {
    what: "a matrix",
    keys: &[
        key(
            "rtt-matrix",
            Kind::Text("rtt.csv"),
            "A table of round trips: names in the first line and column.",
        ),
        key(
            "unit",
            Kind::Word(matrix::UNITS),
            "Unit of cells that are numbers.",
        ),
    ],
    needs: &["rtt-matrix"],
    later: &["symmetric"],
    instead: &[],
};
/// An entry of `links`.
pub const ENTRY: Kind = Kind::Either(&[Kind::Map(&ONE), Kind::Map(&MATRIX)]);

impl Reader<'_> {
    /// `links:`, a list.
    pub(super) fn links(&self, value: &Value) -> Vec<LinkSpec> {
        let Data::List(list) = &value.data else {
            self.wrong(value, "a list: `- { between: [a, b], delay: 20ms }`");
            return Vec::new();
        };
        let mut links = Vec::with_capacity(list.len());
        for one in list {
            match one.entry("rtt-matrix") {
                Some(path) => {
                    if let Some(fields) = self.fields(one, &MATRIX, None) {
                        links.extend(self.matrix(&fields, &path.value));
                    }
                }
                None => links.extend(self.link(one)),
            }
        }
        links
    }

    fn link(&self, value: &Value) -> Option<LinkSpec> {
        let fields = self.fields(value, &ONE, None)?;
        let ends = self.ends(&fields);
        let both = fields.get("between").is_some();
        let change = self.change(&fields, both);
        let names = PROPERTIES.map(|key| key.name);
        if fields.among(&names).is_empty() {
            let message = "this entry of `links` changes nothing";
            self.report(
                Diagnostic::error("missing-key", message)
                    .at(fields.span, "")
                    .help(format!("say at least one of {}", names.join(", "))),
            );
        }
        let network = fields.get("network");
        let network = network.map(|v| self.name(v, "a network's name"));
        Some(LinkSpec {
            network: network.map_or(Some(None), |n| n.map(Some))?,
            ends: ends?,
            change: change?,
            of_table: false,
        })
    }

    /// `between: [a, b]`, or `from:` and `to:`.
    pub(super) fn ends(&self, fields: &Fields<'_>) -> Option<Ends> {
        let parts = (
            fields.entry("between"),
            fields.entry("from"),
            fields.entry("to"),
        );
        let (from, to, both) = match parts {
            (Some(between), None, None) => match &between.value.data {
                Data::List(pair) if pair.len() == 2 => (&pair[0], &pair[1], true),
                _ => {
                    self.wrong(&between.value, "two ends, `between: [a, b]`");
                    return None;
                }
            },
            (None, Some(from), Some(to)) => (&from.value, &to.value, false),
            (Some(between), Some(other), _) | (Some(between), None, Some(other)) => {
                let message = "`between` is both directions, `from` and `to` are one";
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(other.key.span, "")
                        .at(between.key.span, ""),
                );
                return None;
            }
            (None, _, _) => {
                self.report(
                    Diagnostic::error("missing-key", "a link needs both of its ends")
                        .at(fields.span, "")
                        .help("`between: [a, b]` for both directions, or `from: a` and `to: b`"),
                );
                return None;
            }
        };
        let (from, to) = (self.selection(from), self.selection(to));
        Some(Ends {
            from: from?,
            to: to?,
            both,
            span: fields.span,
        })
    }
}
