//! `load:` of clients and peers: what they ask. When they do is `arrivals`' business.

use super::arrivals;
use super::defaults::{
    IN_FLIGHT, IN_FLIGHTS, KEY_COUNTS, KEYS, MAX_SKEW, MAX_VALUE_BYTES, RETRIES, TIMEOUT, USERS,
    VALUE_BYTES,
};
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Kind, Shape, key};
use super::reader::Reader;
use super::selector::Selection;
use super::tree::{Data, Entry, Value, short};
use crate::units::{ByteSize, Ratio};
use netlab_protocol::role::{Arrivals, Backoff, Distribution, Load};
use std::time::Duration;

/// `load` of a client.
pub const LOAD: Shape = Shape {
    what: "`load`",
    keys: &[
        key(
            "target",
            Kind::Nodes,
            "Who is asked; a client needs it, peers ask all of their kind.",
        ),
        key(
            "rate",
            arrivals::RATE,
            "Requests per second of each node, whatever becomes of them: one rate, a ramp (`from`, `to`, `over`) or `steps`.",
        ),
        key(
            "arrivals",
            arrivals::GAPS,
            "How a `rate` is kept: at a `fixed` pace (the default), or as a `poisson` process.",
        ),
        key(
            "users",
            Kind::Integer(*USERS.start() as u64, *USERS.end() as u64),
            "Users of each node who ask, wait for the answer, and think.",
        ),
        key(
            "think",
            arrivals::THINKING,
            "Time between an answer and the same user's next request; 0s unless said.",
        ),
        key(
            "timeout",
            Kind::Time,
            "From the intended time to giving up; 1s unless said.",
        ),
        key(
            "writes",
            Kind::Share,
            "Share of the requests that write; 0% unless said.",
        ),
        key(
            "keys",
            Kind::Integer(*KEY_COUNTS.start() as u64, *KEY_COUNTS.end() as u64),
            "How many keys are asked for; 100 unless said.",
        ),
        key(
            "skew",
            Kind::Either(&[Kind::Word(UNIFORM), Kind::Map(&SKEW)]),
            "How often each key is: `uniform` (the default), or by Zipf's law.",
        ),
        key(
            "value",
            Kind::Bytes,
            "Size of a written value; 128B unless said, at most 1MiB.",
        ),
        key(
            "retries",
            Kind::Integer(*RETRIES.start() as u64, *RETRIES.end() as u64),
            "Attempts after the first, within the timeout; 0 unless said.",
        ),
        key(
            "backoff",
            Kind::Map(&BACKOFF),
            "Pauses before the attempts after the first: doubled each time.",
        ),
        key(
            "attempt-timeout",
            Kind::Time,
            "After which an attempt is given up and made again; only `timeout` ends one unless said.",
        ),
        key(
            "record",
            Kind::Word(RECORDED),
            "`requests` records each request in `requests.csv`, besides counting it.",
        ),
        key(
            "path",
            Kind::Text("/index.html"),
            "Reads this path instead of keys.",
        ),
        key(
            "in-flight",
            Kind::Integer(*IN_FLIGHTS.start() as u64, *IN_FLIGHTS.end() as u64),
            "Requests at once of each node; one more is dropped, never queued; 1000 unless said.",
        ),
    ],
    needs: &[],
    later: &["requests", "duration", "method", "body", "headers", "port"],
    instead: &[
        ("concurrency", "write `users` or `in-flight`"),
        ("server", "write `target`"),
        ("rps", "write `rate: 20/s`"),
        (
            "distribution",
            "write `arrivals: poisson`, or `distribution` within `think`",
        ),
    ],
};

const RECORDED: &[&str] = &["requests"];
const UNIFORM: &[&str] = &["uniform"];
const SKEW: Shape = Shape {
    what: "`skew`",
    keys: &[key(
        "zipf",
        Kind::Number(0, MAX_SKEW),
        "The exponent: the i-th key is asked for with a weight of 1 / i^exponent, `key-0` most often.",
    )],
    needs: &["zipf"],
    later: &[],
    instead: &[("exponent", "write `zipf`")],
};
const BACKOFF: Shape = Shape {
    what: "`backoff`",
    keys: &[
        key("from", Kind::Time, "The first pause; 10ms unless said."),
        key("to", Kind::Time, "The longest; 2s unless said."),
        key(
            "jitter",
            Kind::Share,
            "The share of a pause of which a random part is left out; 0% unless said.",
        ),
    ],
    needs: &[],
    later: &[],
    instead: &[("max", "write `to`"), ("base", "write `from`")],
};

impl Reader<'_> {
    /// The target and the load; `client` says whether a target must be given.
    pub(super) fn load(&self, entry: &Entry, client: bool) -> Option<(Option<Selection>, Load)> {
        let fields = self.fields(&entry.value, &LOAD, Some(entry.key.span))?;
        let target = if client {
            fields.need(self, "target", "say whom it asks: `target: server`")
        } else {
            fields.get("target")
        };
        let selected = target.map(|value| self.selection(value));
        let arrivals = self.arrivals(&fields);
        let load = self.requests(&fields, client);
        // Everything has been read, so that all mistakes are reported.
        let load = Load {
            arrivals: arrivals?,
            ..load?
        };
        match selected {
            Some(None) => None,
            Some(target) => Some((target, load)),
            None if client => None,
            None => Some((None, load)),
        }
    }

    /// What is asked, with arrivals still to be filled in; none when something was refused.
    fn requests(&self, fields: &Fields<'_>, client: bool) -> Option<Load> {
        let path = fields.get("path").map(|v| self.path(v, client));
        let clash = self.not_together(fields, "path", &["writes", "keys", "skew", "value"]);
        let timeout = fields
            .get("timeout")
            .map(|v| self.positive_duration(v, "a timeout"));
        let writes = fields
            .get("writes")
            .map(|v| self.quantity::<Ratio>(v, "a share", "%"));
        let keys = fields.get("keys").map(|v| self.small(v, KEY_COUNTS));
        let value = fields.get("value").map(|v| self.value_bytes(v));
        let record = fields.get("record");
        let record = record.map(|v| self.word(v, "what is recorded", RECORDED));
        let skew = fields.get("skew").map(|v| self.skew(v));
        let (timeout, retries) = (timeout.unwrap_or(Some(TIMEOUT)), self.retries(fields));
        let attempt = self.attempt_timeout(fields, timeout);
        clash?;
        let (retries, backoff) = retries?;
        Some(Load {
            arrivals: Arrivals::Open {
                rate: 0.0,
                legs: Vec::new(),
                gaps: Distribution::Fixed,
                in_flight: IN_FLIGHT,
            },
            timeout: timeout?,
            writes: writes.unwrap_or(Some(Ratio::default()))?.0,
            keys: keys.unwrap_or(Some(KEYS))?,
            value_bytes: value.unwrap_or(Some(VALUE_BYTES))?,
            skew: skew.unwrap_or(Some(0.0))?,
            retries,
            backoff,
            attempt_timeout: attempt?,
            record: record.map_or(Some(false), |word| word.map(|_| true))?,
            path: match path {
                Some(path) => Some(path?),
                None => None,
            },
        })
    }

    /// How often, and after which pauses, a request is made again.
    fn retries(&self, fields: &Fields<'_>) -> Option<(u32, Backoff)> {
        let retries = fields.get("retries").map(|v| self.small(v, RETRIES));
        let backoff = fields.get("backoff").map(|v| self.backoff(v));
        let retries = retries.unwrap_or(Some(0))?;
        for key in ["backoff", "attempt-timeout"] {
            if let Some(entry) = fields.entry(key).filter(|_| retries == 0) {
                let message = format!("`{key}` says nothing where no request is made again");
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(entry.key.span, "")
                        .help("say how often: `retries: 3`"),
                );
                return None;
            }
        }
        Some((retries, backoff.unwrap_or(Some(Backoff::DEFAULT))?))
    }

    fn backoff(&self, value: &Value) -> Option<Backoff> {
        let fields = self.fields(value, &BACKOFF, None)?;
        let time = |key| {
            fields
                .get(key)
                .map(|v| self.positive_duration(v, "a pause"))
        };
        let (from, to) = (time("from"), time("to"));
        let jitter = fields.get("jitter");
        let jitter = jitter.map(|v| self.quantity::<Ratio>(v, "a share", "%"));
        let from = from.unwrap_or(Some(Backoff::DEFAULT.from))?;
        let longest = to.unwrap_or(Some(Backoff::DEFAULT.to.max(from)))?;
        if longest < from {
            let span = fields.get("to").map_or(fields.span, |to| to.span);
            self.bad(
                span,
                "the longest pause (`to`) is shorter than the first (`from`)",
            );
            return None;
        }
        Some(Backoff {
            from,
            to: longest,
            jitter: jitter.unwrap_or(Some(Ratio::default()))?.0,
        })
    }

    /// Outer none: it is wrong; inner none: nothing is said.
    fn attempt_timeout(
        &self,
        fields: &Fields<'_>,
        timeout: Option<Duration>,
    ) -> Option<Option<Duration>> {
        let Some(value) = fields.get("attempt-timeout") else {
            return Some(None);
        };
        let time = self.positive_duration(value, "a timeout")?;
        if timeout.is_some_and(|timeout| time >= timeout) {
            let message = "an attempt's timeout is shorter than that of its request (`timeout`)";
            self.bad(value.span, message);
            return None;
        }
        Some(Some(time))
    }

    /// The exponent of Zipf's law; 0 for keys that are all alike.
    fn skew(&self, value: &Value) -> Option<f64> {
        if !matches!(value.data, Data::Map(_)) {
            let word = self.text(value, "`uniform`, or `{ zipf: 1.0 }`")?.value;
            if UNIFORM.contains(&word.as_str()) {
                return Some(0.0);
            }
            let message = format!("`{}` is no skew of keys", short(&word));
            self.report(
                Diagnostic::error("bad-value", message)
                    .at(value.span, "")
                    .help("`uniform`, or by Zipf's law `{ zipf: 1.0 }`"),
            );
            return None;
        }
        let fields = self.fields(value, &SKEW, None)?;
        let exponent = fields.need(self, "zipf", "such as `zipf: 1.0`")?;
        let expected = format!("a number from 0 to {MAX_SKEW}");
        let scalar = self.scalar(exponent, &expected)?;
        let number = match scalar.data {
            Data::Int(i) => Some(i as f64),
            Data::Float(f) => Some(f),
            _ => None,
        };
        let number = number.filter(|n| (0.0..=MAX_SKEW as f64).contains(n));
        if number.is_none() {
            self.wrong(&scalar, &expected);
        }
        number
    }

    fn value_bytes(&self, value: &Value) -> Option<u32> {
        let size: ByteSize = self.quantity(value, "a size", "B")?;
        if size.0 > MAX_VALUE_BYTES {
            self.bad(value.span, "a value has at most 1MiB");
            return None;
        }
        u32::try_from(size.0).ok()
    }

    fn path(&self, value: &Value, client: bool) -> Option<String> {
        let path = self.text(value, "a path, such as `/index.html`")?.value;
        let plain = |c: char| c.is_ascii_graphic() && c != '#';
        if !client {
            self.bad(
                value.span,
                "peers ask for keys; only a client's load takes a `path`",
            );
            return None;
        }
        if !path.starts_with('/') || path.len() > 1024 || !path.chars().all(plain) {
            self.bad(
                value.span,
                "a path begins with `/` and has at most 1024 printable characters, no blanks",
            );
            return None;
        }
        Some(path)
    }

    /// Reports the first of `others` that stands beside `key`.
    pub(super) fn not_together(
        &self,
        fields: &Fields<'_>,
        key: &str,
        others: &[&str],
    ) -> Option<()> {
        let (Some(entry), Some((other, second))) =
            (fields.entry(key), fields.among(others).first().copied())
        else {
            return Some(());
        };
        let message = format!("`{key}` and `{other}` exclude each other");
        self.report(
            Diagnostic::error("conflict", message)
                .at(second.key.span, "")
                .at(entry.key.span, ""),
        );
        None
    }
}
