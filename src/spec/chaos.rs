//! `chaos`: faults of several kinds at drawn times, as written.
//!
//! Must not know which nodes there are, nor what is drawn.

use super::diagnostic::Diagnostic;
use super::drawn::{Drawn, FRAME, LENGTH, LengthSpec};
use super::fields::Fields;
use super::keys::{Key, Kind as Holds, Shape, joined, key};
use super::reader::Reader;
use super::selector::Selection;
use super::source::Spanned;
use super::topology::KindRef;
use super::tree::{Data, Entry, Value};
use crate::fault::{self, KINDS};
use crate::units::Frequency;

/// Kinds that are never drawn, and why.
const NEVER: &[(&str, &str)] = &[(
    "tcp-reset",
    "a drawn link may carry no connection, and then nothing would be proven",
)];

/// The words of [`KINDS`].
const WORDS: [&str; KINDS.len()] = {
    let mut words = [""; KINDS.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = KINDS[at].name;
        at += 1;
    }
    words
};

/// Faults that may be in force at once.
const MAX_AT_ONCE: u64 = 100;

/// What may stand behind `chaos`.
pub const DRAWS: Shape = Shape {
    what: "`chaos`",
    keys: &[
        key(
            "kinds",
            Holds::List(&Holds::Word(&WORDS)),
            "What may happen; each as likely as the others.",
        ),
        key("rate", Holds::Frequency, "How often, on average."),
        key(
            "targets",
            Holds::Nodes,
            "To whom, and to the links between them; all nodes unless said.",
        ),
        key(
            "for",
            LENGTH,
            "How long each lasts, a second at least; 5s unless said.",
        ),
        key(
            "max_at_once",
            Holds::Integer(1, MAX_AT_ONCE),
            "So many are in force together; 1 unless said. The next one waits for its turn.",
        ),
    ],
    needs: &["kinds", "rate"],
    later: &["weights"],
    instead: &[
        ("every", "write `rate: 2/min`"),
        ("times", "write `rate: 2/min`"),
        ("at", "it stands beside `chaos`"),
        ("until", "it stands beside `chaos`"),
        ("target", "write `targets`"),
        ("max-at-once", "write `max_at_once`"),
    ],
};

const OWN: [Key; 1] = [key(
    "chaos",
    Holds::Map(&DRAWS),
    "Faults of several kinds: what, to whom and when is drawn from the seed.",
)];
const KEYS: [Key; 3] = joined(OWN, FRAME);

/// A fault of this kind.
pub const CHAOS: Shape = Shape {
    what: "a fault of kind `chaos`",
    keys: &KEYS,
    needs: &["chaos"],
    later: &[],
    instead: &[
        (
            "for",
            "inside `chaos` it says how long each lasts; `until` ends all",
        ),
        ("every", "write `rate` inside `chaos`"),
        ("times", "write `rate` inside `chaos`"),
        ("kinds", "it stands inside `chaos`"),
        ("rate", "it stands inside `chaos`"),
        ("targets", "it stands inside `chaos`"),
    ],
};

/// `chaos`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChaosSpec {
    /// What may happen.
    pub kinds: Vec<Spanned<KindRef>>,
    /// How often, on average.
    pub rate: Frequency,
    /// To whom; all unless said.
    pub targets: Option<Selection>,
    /// How long each lasts; a default unless said.
    pub lasts: Option<LengthSpec>,
    /// So many are in force at once.
    pub max_at_once: u32,
}

impl Reader<'_> {
    /// The fields of the fault, and what they say of it.
    pub(super) fn chaos<'t>(&self, entry: &'t Entry) -> Option<(Fields<'t>, Option<Drawn>)> {
        let outer = self.fields(&entry.value, &CHAOS, Some(entry.key.span))?;
        let spec = outer.entry("chaos").and_then(|inner| self.draws(inner));
        Some((outer, spec.map(Drawn::Chaos)))
    }

    fn draws(&self, entry: &Entry) -> Option<ChaosSpec> {
        let fields = self.fields(&entry.value, &DRAWS, Some(entry.key.span))?;
        let kinds = fields.need(self, "kinds", "say what may happen: `kinds: [kill, cut]`");
        let kinds = kinds.and_then(|v| self.kinds(v));
        let rate = fields.need(self, "rate", "say how often: `rate: 2/min`");
        let rate = rate.and_then(|v| {
            let rate = self.quantity::<Frequency>(v, "a rate", "/min")?;
            if rate.0 <= 0.0 {
                self.bad(v.span, "a rate is more than nothing");
                return None;
            }
            Some(rate)
        });
        let targets = fields.get("targets").map(|v| self.selection(v));
        let lasts = fields.get("for").map(|v| self.length(v, "`for`"));
        let most = 1..=MAX_AT_ONCE as u32;
        let max_at_once = fields.get("max_at_once").map(|v| self.small(v, most));
        Some(ChaosSpec {
            kinds: kinds?,
            rate: rate?,
            targets: targets.map_or(Some(None), |t| t.map(Some))?,
            lasts: lasts.map_or(Some(None), |l| l.map(Some))?,
            max_at_once: max_at_once.unwrap_or(Some(1))?,
        })
    }

    fn kinds(&self, value: &Value) -> Option<Vec<Spanned<KindRef>>> {
        if !matches!(value.data, Data::List(_)) {
            self.wrong(value, "a list of kinds, `[kill, cut]`");
            return None;
        }
        let words = self.one_or_more(value);
        if words.is_empty() {
            self.bad(value.span, "at least one kind may happen");
            return None;
        }
        let kinds: Vec<_> = words
            .into_iter()
            .map(|word| self.drawn_kind(word))
            .collect();
        kinds.into_iter().collect()
    }

    fn drawn_kind(&self, value: &Value) -> Option<Spanned<KindRef>> {
        let word = self.word(value, "a kind of fault", &WORDS)?;
        if let Some((_, why)) = NEVER.iter().find(|(never, _)| *never == word) {
            let message = format!("`{word}` cannot be drawn: {why}");
            self.report(Diagnostic::error("bad-value", message).at(value.span, ""));
            return None;
        }
        Some(Spanned::new(KindRef(fault::kind(word)?), value.span))
    }
}
