//! `link:` and `links:`.

use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Key, Kind, Shape, key};
use super::reader::Reader;
use super::source::Span;
use super::topology::{Ends, LinkChange, LinkSpec};
use super::tree::{Data, Entry, Value};
use super::{matrix, profile};
use std::collections::BTreeMap;
use std::ops::Range;

const LATER: &[&str] = &[
    "corrupt",
    "duplicate",
    "reorder",
    "mtu",
    "trace",
    "queue",
    "limit",
    "distribution",
    "down",
    "shape",
    "burst",
    "matrix",
];
const INSTEAD: &[(&str, &str)] = &[
    (
        "latency",
        "write `delay` (one way) or `rtt` (there and back)",
    ),
    ("bandwidth", "write `rate`"),
    ("endpoints", "write `between: [a, b]`"),
    ("nodes", "write `between: [a, b]`"),
];

const DELAY: Key = key("delay", Kind::Time, "One-way delay.");
const RTT: Key = key(
    "rtt",
    Kind::Time,
    "There and back: half of it in each direction.",
);
const JITTER: Key = key("jitter", Kind::Time, "The delay varies by up to this much.");
const LOSS: Key = key("loss", Kind::Share, "Share of the packets that is lost.");
const RATE: Key = key(
    "rate",
    Kind::BitRate,
    "Serialisation rate; as fast as can be unless said.",
);
const PROFILE: Key = key(
    "profile",
    Kind::Word(profile::NAMES),
    "Figures of a kind of access; properties beside it replace them.",
);
/// The properties.
const PROPERTIES: [&str; 6] = ["delay", "rtt", "jitter", "loss", "rate", "profile"];

/// `link`.
pub const DEFAULT: Shape = Shape {
    what: "`link`",
    keys: &[DELAY, RTT, JITTER, LOSS, RATE, PROFILE],
    needs: &[],
    later: LATER,
    instead: INSTEAD,
};
const ONE: Shape = Shape {
    what: "an entry of `links`",
    keys: &[
        key("between", Kind::Pair, "Both directions between these two."),
        key("from", Kind::Nodes, "One direction: who sends."),
        key("to", Kind::Nodes, "One direction: who receives."),
        key(
            "network",
            Kind::Name,
            "Only in this network; in every one that both ends are in unless said.",
        ),
        DELAY,
        RTT,
        JITTER,
        LOSS,
        RATE,
        PROFILE,
    ],
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
    /// `link:`, the properties of every pair.
    pub(super) fn default_link(&self, entry: &Entry) -> Option<LinkChange> {
        let fields = self.fields(&entry.value, &DEFAULT, Some(entry.key.span))?;
        self.change(&fields, true)
    }

    /// `links:`, a list.
    pub(super) fn links(
        &self,
        value: &Value,
        tables: &BTreeMap<Span, Range<usize>>,
    ) -> Vec<LinkSpec> {
        let Data::List(list) = &value.data else {
            self.wrong(value, "a list: `- { between: [a, b], delay: 20ms }`");
            return Vec::new();
        };
        let mut links = Vec::with_capacity(list.len());
        for one in list {
            match one.entry("rtt-matrix") {
                Some(path) => {
                    if let Some(fields) = self.fields(one, &MATRIX, None) {
                        links.extend(self.matrix(&fields, &path.value, tables));
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
        if fields.among(&PROPERTIES).is_empty() {
            let message = "this entry of `links` changes nothing";
            self.report(
                Diagnostic::error("missing-key", message)
                    .at(fields.span, "")
                    .help(format!("say at least one of {}", PROPERTIES.join(", "))),
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

    fn change(&self, fields: &Fields<'_>, both: bool) -> Option<LinkChange> {
        let delay = fields.get("delay").map(|v| self.duration(v));
        let rtt = fields.get("rtt").map(|v| self.duration(v));
        let jitter = fields.get("jitter").map(|v| self.duration(v));
        let loss = fields.get("loss").map(|v| self.quantity(v, "a share", "%"));
        let rate = fields
            .get("rate")
            .map(|v| self.quantity(v, "a bit rate", "mbit"));
        let profile = fields
            .get("profile")
            .map(|v| self.word(v, "a profile", profile::NAMES));
        let delay = match (fields.entry("delay"), fields.entry("rtt")) {
            (Some(delay), Some(rtt)) => {
                let message = "`delay` (one way) and `rtt` (there and back) exclude each other";
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(rtt.key.span, "")
                        .at(delay.key.span, ""),
                );
                None
            }
            (None, Some(entry)) if !both => {
                let message = "one direction has a `delay`; `rtt` is there and back";
                self.report(Diagnostic::error("conflict", message).at(entry.key.span, ""));
                None
            }
            _ => Some(delay.or(rtt.map(|rtt| rtt.map(|time| time / 2)))),
        };
        let said = LinkChange {
            delay: delay?.map_or(Some(None), |d| d.map(Some))?,
            jitter: jitter.map_or(Some(None), |j| j.map(Some))?,
            loss: loss.map_or(Some(None), |l| l.map(Some))?,
            rate: rate.map_or(Some(None), |r| r.map(Some))?,
            span: fields.span,
        };
        match profile {
            Some(name) => Some(profile::under(name?, said)),
            None => Some(said),
        }
    }
}
