//! When a fault happens, as written: `at`, `for`, `every`, `times`, `jitter`, `after`, `when`, `within`.
//!
//! Must not know what happens, nor what comes of times that refer to each other.

use super::checks::CheckSpec;
use super::defaults::MAX_OCCURRENCES;
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Key, Kind as Holds, Shape, key};
use super::reader::Reader;
use super::source::{Span, Spanned};
use super::tree::{Data, Value};
use crate::fault::Kind;
use std::time::Duration;

/// Keys of a fault that stand beside its kind; `for` only where the kind lasts.
pub const TIMES: [Key; 8] = [
    key("at", Holds::Time, "When it begins, after the warm-up."),
    key(
        "for",
        Holds::Time,
        "How long; until the end of the scenario unless said.",
    ),
    key(
        "every",
        Holds::Time,
        "It begins again this long after it began, over and over.",
    ),
    key(
        "times",
        Holds::Integer(1, MAX_OCCURRENCES as u64),
        "How often it begins; as often as the scenario has room for unless said.",
    ),
    key(
        "jitter",
        Holds::Time,
        "Each time it begins up to this much later, drawn from the seed.",
    ),
    key(
        "after",
        Holds::Either(&[Holds::Name, Holds::Map(&AFTER)]),
        "Instead of `at`: it begins when the fault of this name is healed, each time.",
    ),
    key(
        "when",
        Holds::Text(CONDITION),
        "Instead of `at`: it begins when this first holds of what is known so far, of the last 5s unless a window says otherwise.",
    ),
    key(
        "within",
        Holds::Time,
        "The time after the warm-up by which `when` has to hold; when all faults have to have healed unless said.",
    ),
];

/// How a condition looks.
const CONDITION: &str = "throughput(client) > 50/s";

/// What may stand behind `after`.
pub const AFTER: Shape = Shape {
    what: "`after`",
    keys: &[
        key("fault", Holds::Name, "The other fault."),
        key(
            "event",
            Holds::Word(&EVENTS),
            "Whether its begin or its heal counts; `healed` unless said.",
        ),
        key(
            "delay",
            Holds::Time,
            "So long after that; at once unless said.",
        ),
    ],
    needs: &["fault"],
    later: &[],
    instead: &[("at", "write `event: begun` or `event: healed`")],
};

const EVENTS: [&str; 2] = ["begun", "healed"];

/// When a fault happens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScheduleSpec {
    /// `at`.
    pub at: Option<Spanned<Duration>>,
    /// `after`.
    pub after: Option<AfterSpec>,
    /// `when`: a check with the fault's name.
    pub when: Option<Box<CheckSpec>>,
    /// `within`.
    pub within: Option<Spanned<Duration>>,
    /// `for`.
    pub lasts: Option<Spanned<Duration>>,
    /// `every`.
    pub every: Option<Spanned<Duration>>,
    /// `times`.
    pub times: Option<Spanned<u32>>,
    /// `jitter`.
    pub jitter: Option<Spanned<Duration>>,
}

/// `after`.
#[derive(Clone, Debug, PartialEq)]
pub struct AfterSpec {
    /// Name of the other fault.
    pub fault: Spanned<String>,
    /// Whether its heal counts, not its begin.
    pub healed: bool,
    /// So long after that.
    pub delay: Duration,
}

impl ScheduleSpec {
    /// Where it is written when the fault begins.
    pub fn begins(&self) -> Option<Span> {
        let after = self.after.as_ref().map(|after| after.fault.span);
        let when = self.when.as_ref().map(|when| when.expect.span);
        self.at.as_ref().map(|at| at.span).or(after).or(when)
    }
}

impl Reader<'_> {
    /// The schedule of a fault of this name and kind; what is wrong with it is reported. `foreign`:
    /// whether a node tells metrics that are none of netlab's own.
    pub(super) fn schedule(
        &self,
        name: &Spanned<String>,
        kind: Option<&Kind>,
        fields: &Fields<'_>,
        foreign: bool,
    ) -> ScheduleSpec {
        let positive = |name: &'static str| {
            let value = fields.get(name)?;
            let time = self.positive_duration(value, &format!("`{name}`"))?;
            Some(Spanned::new(time, value.span))
        };
        let spec = ScheduleSpec {
            at: fields
                .get("at")
                .and_then(|v| Some(Spanned::new(self.duration(v)?, v.span))),
            after: fields.get("after").and_then(|v| self.after(v)),
            when: fields
                .get("when")
                .and_then(|v| self.asked(name.clone(), v, foreign))
                .map(|asked| {
                    let expr = asked.expr.trailing();
                    Box::new(CheckSpec { expr, ..asked })
                }),
            within: positive("within"),
            lasts: positive("for"),
            every: positive("every"),
            times: fields.get("times").and_then(|v| {
                let times = self.small(v, 1..=MAX_OCCURRENCES as u32)?;
                Some(Spanned::new(times, v.span))
            }),
            jitter: positive("jitter"),
        };
        self.begin(fields);
        self.repeat(kind, fields);
        self.lasting(kind, fields);
        spec
    }

    fn after(&self, value: &Value) -> Option<AfterSpec> {
        let Data::Map(_) = value.data else {
            let fault = self.text(value, "the name of a fault")?;
            return Some(AfterSpec {
                fault,
                healed: true,
                delay: Duration::ZERO,
            });
        };
        let fields = self.fields(value, &AFTER, None)?;
        let help = "say after which fault: `fault: other`";
        let fault = fields.need(self, "fault", help);
        let fault = fault.and_then(|v| self.text(v, "the name of a fault"));
        let event = fields
            .get("event")
            .map(|v| self.word(v, "an event of a fault", &EVENTS));
        let delay = fields.get("delay").map(|v| self.duration(v));
        Some(AfterSpec {
            fault: fault?,
            healed: event.unwrap_or(Some("healed"))? == "healed",
            delay: delay.unwrap_or(Some(Duration::ZERO))?,
        })
    }

    /// Reports a fault of which nothing, or two things, say when it begins.
    fn begin(&self, fields: &Fields<'_>) {
        self.waiting(fields);
        match fields.among(&["at", "after", "when"]).as_slice() {
            [] => {
                let help = "say when it begins: `at: 10s` (after the warm-up), or `after: other`";
                fields.need(self, "at", help);
            }
            [(_, at), ("after", after)] => {
                let message = "a fault begins `at` a time or `after` another one, not both";
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(after.key.span, "")
                        .at(at.key.span, "")
                        .help("`after: { fault: other, delay: 5s }` begins some time after it"),
                );
            }
            _ => {}
        }
    }

    /// Reports what does not fit a condition, and a deadline without one.
    fn waiting(&self, fields: &Fields<'_>) {
        match (fields.entry("when"), fields.entry("within")) {
            (None, Some(within)) => self.report(
                Diagnostic::error("conflict", "`within` is the deadline of a condition")
                    .at(within.key.span, "")
                    .help(format!("say what it waits for: `when: {CONDITION}`")),
            ),
            (Some(when), _) => {
                for (name, other) in fields.among(&["at", "after", "every"]) {
                    let message =
                        format!("a fault begins once `when` something holds, without `{name}`");
                    self.report(
                        Diagnostic::error("conflict", message)
                            .at(other.key.span, "")
                            .at(when.key.span, "")
                            .help(
                                "another fault can follow it: `after: { fault: this, delay: 5s }`",
                            ),
                    );
                }
            }
            (None, None) => {}
        }
    }

    fn repeat(&self, kind: Option<&Kind>, fields: &Fields<'_>) {
        let lasts = kind.is_some_and(|kind| kind.lasts);
        if let (Some(every), None, true) = (fields.entry("every"), fields.entry("for"), lasts) {
            self.report(
                Diagnostic::error("missing-key", "a fault that is repeated needs `for`")
                    .at(every.key.span, "")
                    .help("without `for` it lasts until the end: write `for: 2s`"),
            );
        }
        if let (Some(times), None) = (fields.entry("times"), fields.entry("every")) {
            self.report(
                Diagnostic::error("conflict", "`times` counts what `every` repeats")
                    .at(times.key.span, "")
                    .help("say how far they are apart, `every: 4s`; or leave `times` out"),
            );
        }
    }

    fn lasting(&self, kind: Option<&Kind>, fields: &Fields<'_>) {
        if let Some(kind) = kind
            && !kind.lasts
            && let Some(entry) = fields.entry("for")
        {
            let message = format!(
                "`{}` takes no `for`: it is over when it has happened",
                kind.name
            );
            self.report(Diagnostic::error("conflict", message).at(entry.key.span, ""));
        }
    }
}
