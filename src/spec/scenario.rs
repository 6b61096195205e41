//! `scenario:` and its faults, by the table of [`crate::fault::KINDS`].

use super::defaults::{MAX_FAULTS, WARMUP};
use super::diagnostic::Diagnostic;
use super::drawn::{DRAWN, DrawnSpec, is_drawn};
use super::fields::Fields;
use super::keys::{Kind as Holds, Shape, key};
use super::reader::Reader;
use super::schedule::{ScheduleSpec, TIMES};
use super::source::Spanned;
use super::topology::{FaultSpec, KindRef, ScenarioSpec};
use super::tree::{Data, Entry, Value, short};
use super::words;
use crate::fault::{self, KINDS, Kind, ParamKind, ParamValue, Params};
use crate::units::{ByteSize, Cores, UnitError};
use std::time::Duration;

/// `scenario`.
pub const SCENARIO: Shape = Shape {
    what: "`scenario`",
    keys: &[
        key(
            "warmup",
            Holds::Time,
            "Load runs and nothing counts yet; 0s unless said.",
        ),
        key(
            "duration",
            Holds::Time,
            "From the end of the warm-up to the end.",
        ),
        key(
            "quiet",
            Holds::Time,
            "The last part of `duration`, before which every fault has healed; 0s unless said.",
        ),
        key("faults", Holds::Dict(&Holds::Fault), "The faults by name."),
    ],
    needs: &["duration"],
    later: &["repeat", "phases", "load", "seed", "until"],
    instead: &[
        ("time", "write `duration`"),
        ("cooldown", "write `quiet`, the last part of `duration`"),
        ("checks", "`checks:` stands at the top level"),
    ],
};

/// Kinds and keys of the full language that this version does not have.
const LATER: &[&str] = &["chance", "misbehave", "slow"];

/// The keys of a map.
fn keys_of(value: &Value) -> Vec<String> {
    match &value.data {
        Data::Map(entries) => entries.iter().map(|e| e.key.value.clone()).collect(),
        _ => Vec::new(),
    }
}

impl Reader<'_> {
    /// `foreign`: whether a node tells metrics that are none of netlab's own.
    pub(super) fn scenario(&self, entry: &Entry, foreign: bool) -> Option<ScenarioSpec> {
        let fields = self.fields(&entry.value, &SCENARIO, Some(entry.key.span))?;
        let warmup = fields.get("warmup").and_then(|v| self.duration(v));
        let help = "say how long it lasts after the warm-up: `duration: 60s`";
        let duration = fields.need(self, "duration", help);
        let duration = duration.and_then(|v| {
            let time = self.positive_duration(v, "a scenario")?;
            Some(Spanned::new(time, v.span))
        });
        let quiet = fields.get("quiet");
        let faults = fields.get("faults").map(|v| self.faults(v, foreign));
        let (faults, drawn) = faults.unwrap_or_default();
        Some(ScenarioSpec {
            warmup: warmup.unwrap_or(WARMUP),
            duration,
            quiet: quiet.and_then(|v| Some(Spanned::new(self.duration(v)?, v.span))),
            faults,
            drawn,
            fault_names: fields.get("faults").map_or_else(Vec::new, keys_of),
        })
    }

    fn faults(&self, value: &Value, foreign: bool) -> (Vec<FaultSpec>, Vec<DrawnSpec>) {
        let none = Default::default;
        if let Data::List(_) = value.data {
            let message = "faults are a map, so that each has a name";
            self.report(
                Diagnostic::error("wrong-type", message)
                    .at(value.span, "a list")
                    .help("write `server-loss: { at: 10s, for: 5s, kill: server }`"),
            );
            return none();
        }
        let Some(entries) = self.entries(value, "`faults`") else {
            return none();
        };
        if entries.len() > MAX_FAULTS {
            self.bad(
                value.span,
                format!("a scenario has at most {MAX_FAULTS} faults"),
            );
            return none();
        }
        let (mut faults, mut drawn) = (Vec::new(), Vec::new());
        for (place, entry) in entries.into_iter().enumerate() {
            match is_drawn(&entry.value) {
                true => drawn.extend(self.drawn(place, entry)),
                false => faults.extend(self.fault(place, entry, foreign)),
            }
        }
        (faults, drawn)
    }

    /// The fault at this place of the file's.
    pub(super) fn fault(&self, place: usize, entry: &Entry, foreign: bool) -> Option<FaultSpec> {
        let name = self.key_name(&entry.key);
        let fields = self.open_fields(&entry.value, "a fault", Some(entry.key.span))?;
        let kind = self.kind(&fields, &entry.value);
        let schedule = self.schedule(&entry.key, kind, &fields, foreign);
        let kind = kind?;
        let target = fields.get(kind.name).and_then(|v| self.target(kind, v));
        self.fault_needs(kind, &fields);
        let params = self.fault_params(kind, &fields);
        self.fault_fits(kind, &params, &schedule);
        Some(FaultSpec {
            name: name?,
            place,
            kind: KindRef(kind),
            target,
            schedule,
            params,
        })
    }

    /// The one kind of the fault; the keys beside it are checked.
    fn kind(&self, fields: &Fields<'_>, value: &Value) -> Option<&'static Kind> {
        let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let found = fields.among(&kinds);
        let all = || kinds.iter().chain(&DRAWN).copied().collect::<Vec<_>>();
        let kind = found.first().and_then(|(name, _)| fault::kind(name));
        let unknown = self.beside(kind, &kinds, value);
        match found.as_slice() {
            [] if !unknown => {
                self.report(
                    Diagnostic::error("missing-key", "this fault does not say what happens")
                        .at(fields.span, "")
                        .help(format!("the kinds are {}", all().join(", "))),
                );
                None
            }
            [_, (second, entry), ..] => {
                let (first, place) = found[0];
                let message = format!("a fault is of one kind; this is `{first}` and `{second}`");
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(entry.key.span, "")
                        .at(place.key.span, "")
                        .help("write two faults; they may overlap"),
                );
                None
            }
            _ => kind,
        }
    }

    /// Reports keys that belong to no fault; whether there were any.
    fn beside(&self, kind: Option<&Kind>, kinds: &[&str], value: &Value) -> bool {
        let Data::Map(entries) = &value.data else {
            return false;
        };
        let params = kind.map_or(&[][..], |kind| kind.params);
        let mut known: Vec<&str> = TIMES.iter().map(|key| key.name).collect();
        known.extend(params.iter().map(|param| param.name));
        let mut strange = false;
        for entry in entries {
            let key = entry.key.value.as_str();
            if known.contains(&key) || kinds.contains(&key) {
                continue;
            }
            strange = true;
            self.strange_fault_key(kind, &known, kinds, &entry.key);
        }
        strange
    }

    fn strange_fault_key(
        &self,
        kind: Option<&Kind>,
        known: &[&str],
        kinds: &[&str],
        key: &Spanned<String>,
    ) {
        let word = key.value.as_str();
        let diagnostic = if LATER.contains(&word) {
            let message = format!("`{word}` is not supported in this version");
            Diagnostic::error("unsupported", message).at(key.span, "")
        } else if let Some(kind) = kind {
            let message = format!("`{}` has no parameter `{}`", kind.name, short(word));
            let help = words::known("keys", word, known.iter().copied());
            Diagnostic::error("unknown-key", message)
                .at(key.span, "")
                .help(help)
        } else {
            let message = format!("there is no fault `{}`", short(word));
            let help = words::known("kinds", word, kinds.iter().chain(&DRAWN).copied());
            Diagnostic::error("unknown-fault", message)
                .at(key.span, "")
                .help(help)
        };
        self.report(diagnostic);
    }

    fn fault_params(&self, kind: &'static Kind, fields: &Fields<'_>) -> Params {
        let read = |param: &'static fault::Param| {
            let value = fields.get(param.name)?;
            let read = match param.kind {
                ParamKind::Word(words) => {
                    let what = format!("a value of `{}`", param.name);
                    ParamValue::Word(self.word(value, &what, words)?.to_owned())
                }
                ParamKind::Duration => ParamValue::Duration(self.duration(value)?),
                ParamKind::LongTime(least) => {
                    ParamValue::Duration(self.long_time(value, param.name, least)?)
                }
                ParamKind::Share => ParamValue::Share(self.quantity(value, "a share", "%")?),
                ParamKind::Integer(low, high) => {
                    ParamValue::Integer(self.integer(value, low..=high)?)
                }
                ParamKind::Cores => ParamValue::Cores(self.cores(value)?),
                ParamKind::Size(least) => {
                    ParamValue::Size(self.large_size(value, param.name, least)?)
                }
            };
            Some((param.name, read))
        };
        kind.params.iter().filter_map(read).collect()
    }

    fn long_time(&self, value: &Value, name: &str, least: Duration) -> Option<Duration> {
        let time = self.duration(value)?;
        if time < least {
            self.bad(value.span, format!("`{name}` is {least:?} or longer"));
            return None;
        }
        Some(time)
    }

    /// Reports a fault that says nothing of what it needs.
    fn fault_needs(&self, kind: &Kind, fields: &Fields<'_>) {
        let needed = fault::needed(kind);
        if needed.is_empty() || !fields.among(needed).is_empty() {
            return;
        }
        let message = format!(
            "`{}` needs at least one of {}",
            kind.name,
            needed.join(", ")
        );
        self.report(Diagnostic::error("missing-key", message).at(fields.span, ""));
    }

    /// Reports a fault that heals before it can have done what it says.
    fn fault_fits(&self, kind: &Kind, params: &Params, schedule: &ScheduleSpec) {
        let (Some(shortest), Some(lasts)) = (fault::shortest(kind, params), &schedule.lasts) else {
            return;
        };
        if shortest >= lasts.value {
            let message = format!(
                "`{}` takes more than {shortest:?} for what it says",
                kind.name
            );
            let help = "let it last longer, or say less of it";
            self.report(
                Diagnostic::error("conflict", message)
                    .at(lasts.span, "")
                    .help(help),
            );
        }
    }

    fn large_size(&self, value: &Value, name: &str, least: u64) -> Option<ByteSize> {
        let size: ByteSize = self.quantity(value, "a size", "MiB")?;
        if size.0 < least {
            let least = ByteSize(least);
            self.bad(value.span, format!("`{name}` is {least} or more"));
            return None;
        }
        Some(size)
    }

    /// Processor cores: the only quantity that needs no unit.
    fn cores(&self, value: &Value) -> Option<Cores> {
        const WHAT: &str = "a part of a core, such as `20%` or `0.5`";
        let scalar = self.scalar(value, WHAT)?;
        let text = match &scalar.data {
            Data::Text(text) => short(text).to_string(),
            Data::Int(number) => number.to_string(),
            Data::Float(number) => number.to_string(),
            _ => {
                self.wrong(&scalar, WHAT);
                return None;
            }
        };
        let read = text.parse::<Cores>();
        let wrong = |error: UnitError| {
            self.report(Diagnostic::error("bad-unit", error.0).at(value.span, ""));
        };
        read.map_err(wrong).ok()
    }
}
