//! `churn`: nodes that leave and join, as written.
//!
//! Must not know which nodes there are, nor when they leave.

use super::diagnostic::Diagnostic;
use super::drawn::{Distribution, Drawn, FRAME, LENGTH, LengthSpec};
use super::fields::Fields;
use super::keys::{Key, Kind as Holds, Shape, joined, key};
use super::reader::Reader;
use super::selector::Selection;
use super::source::Spanned;
use super::tree::Entry;
use crate::units::{Frequency, Ratio};
use std::time::Duration;

const AS: [&str; 2] = ["machine", "process"];

const OWN: [Key; 7] = [
    key(
        "churn",
        Holds::Nodes,
        "Nodes that leave and join, each on its own: which, and when, is drawn from the seed.",
    ),
    key("session", LENGTH, "How long a node stays."),
    key(
        "rate",
        Holds::Frequency,
        "Instead of `session`: how often each node leaves while it is there.",
    ),
    key(
        "population",
        Holds::Share,
        "Instead of `session`: the share of the nodes that is there on average.",
    ),
    key(
        "absence",
        LENGTH,
        "How long a node is away; a second at least.",
    ),
    key(
        "keep",
        Holds::Share,
        "This share is always there: who would make them fewer stays for another session.",
    ),
    key(
        "as",
        Holds::Word(&AS),
        "What is lost, as of `kill`: the whole machine, or only its processes.",
    ),
];
const KEYS: [Key; 9] = joined(OWN, FRAME);

/// A fault of this kind.
pub const CHURN: Shape = Shape {
    what: "`churn`",
    keys: &KEYS,
    needs: &["churn", "absence"],
    later: &["data"],
    instead: &[
        ("for", "write `until`; how long a node is away is `absence`"),
        ("every", "write `session`, or `rate: 2/min`"),
        ("times", "write `until`"),
        ("jitter", "write `session: { mean: 20s }`"),
        ("uptime", "write `session`"),
        ("downtime", "write `absence`"),
    ],
};

/// `churn`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChurnSpec {
    /// Who.
    pub nodes: Selection,
    /// How long each stays.
    pub session: LengthSpec,
    /// How long each is away.
    pub absence: LengthSpec,
    /// The share that is always there.
    pub keep: Option<Spanned<Ratio>>,
    /// Whether only the processes are lost.
    pub process: bool,
}

impl Reader<'_> {
    /// The fields of the fault, and what they say of it.
    pub(super) fn churn<'t>(&self, entry: &'t Entry) -> Option<(Fields<'t>, Option<Drawn>)> {
        let fields = self.fields(&entry.value, &CHURN, Some(entry.key.span))?;
        let nodes = fields.get("churn").and_then(|v| self.selection(v));
        let help = "say how long a node is away: `absence: 5s`, or `{ mean: 5s }`";
        let absence = fields.need(self, "absence", help);
        let absence = absence.and_then(|v| self.length(v, "an absence"));
        let session = self.session(&fields, absence);
        let keep = fields.get("keep").map(|v| {
            let share = self.quantity::<Ratio>(v, "a share", "%")?;
            Some(Spanned::new(share, v.span))
        });
        let way = fields
            .get("as")
            .map_or(Some("machine"), |v| self.word(v, "a value of `as`", &AS));
        let spec = || {
            Some(ChurnSpec {
                nodes: nodes?,
                session: session?,
                absence: absence?,
                keep: keep.unwrap_or(None),
                process: way? == "process",
            })
        };
        Some((fields, spec().map(Drawn::Churn)))
    }

    /// How long nodes stay, however it is said.
    fn session(&self, fields: &Fields<'_>, absence: Option<LengthSpec>) -> Option<LengthSpec> {
        let ways = ["session", "rate", "population"];
        let said = fields.among(&ways);
        let [(way, entry)] = said.as_slice() else {
            self.report_ways(fields, &said);
            return None;
        };
        let value = &entry.value;
        let mean = match *way {
            "session" => return self.length(value, "a session"),
            "rate" => {
                let rate = self.quantity::<Frequency>(value, "a rate", "/min")?;
                match rate.0 > 0.0 {
                    true => 1.0 / rate.0,
                    false => {
                        self.bad(value.span, "a rate is more than nothing");
                        return None;
                    }
                }
            }
            _ => {
                let share = self.quantity::<Ratio>(value, "a share", "%")?.0;
                if !(0.01..=0.99).contains(&share) {
                    self.bad(value.span, "`population` is from 1% to 99%");
                    return None;
                }
                absence?.mean.as_secs_f64() * share / (1.0 - share)
            }
        };
        Some(LengthSpec {
            mean: Duration::try_from_secs_f64(mean).unwrap_or(Duration::MAX),
            distribution: Distribution::Exponential,
            span: value.span,
        })
    }

    fn report_ways(&self, fields: &Fields<'_>, said: &[(&str, &Entry)]) {
        let help = "say `session: 20s`, `rate: 2/min` or `population: 80%`";
        let report = match said {
            [] => Diagnostic::error("missing-key", "`churn` needs to know how long nodes stay")
                .at(fields.span, ""),
            several => several.iter().fold(
                Diagnostic::error("conflict", "how long nodes stay is said twice"),
                |report, (_, entry)| report.at(entry.key.span, ""),
            ),
        };
        self.report(report.help(help));
    }
}
