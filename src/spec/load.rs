//! `load:` of clients and peers.

use super::defaults::{
    IN_FLIGHT, IN_FLIGHTS, KEY_COUNTS, KEYS, MAX_VALUE_BYTES, RETRIES, THINK, TIMEOUT, USERS,
    VALUE_BYTES,
};
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Kind, Shape, key};
use super::reader::Reader;
use super::selector::Selection;
use super::tree::{Entry, Value};
use crate::units::{ByteSize, Frequency, Ratio};
use netlab_protocol::role::{Arrivals, Load};

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
            Kind::Frequency,
            "Requests per second of each node, at a fixed pace whatever becomes of them.",
        ),
        key(
            "users",
            Kind::Integer(*USERS.start() as u64, *USERS.end() as u64),
            "Users of each node who ask, wait for the answer, and think.",
        ),
        key(
            "think",
            Kind::Time,
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
    later: &[
        "arrivals",
        "distribution",
        "skew",
        "requests",
        "duration",
        "method",
        "body",
        "headers",
        "port",
    ],
    instead: &[
        ("concurrency", "write `users` or `in-flight`"),
        ("server", "write `target`"),
        ("rps", "write `rate: 20/s`"),
    ],
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

    fn arrivals(&self, fields: &Fields<'_>) -> Option<Arrivals> {
        self.not_together(fields, "rate", &["users", "think"])?;
        self.not_together(fields, "users", &["in-flight"])?;
        if let Some(rate) = fields.get("rate") {
            let in_flight = fields.get("in-flight").map(|v| self.small(v, IN_FLIGHTS));
            let rate: Frequency = self.quantity(rate, "a rate of requests", "/s")?;
            return Some(Arrivals::Open {
                rate: rate.0,
                in_flight: in_flight.unwrap_or(Some(IN_FLIGHT))?,
            });
        }
        let help = "`rate: 20/s` (at a fixed pace) or `users: 10` (each waits for the answer)";
        let Some(users) = fields.get("users") else {
            self.report(
                Diagnostic::error("missing-key", "`load` needs `rate` or `users`")
                    .at(fields.span, "")
                    .help(help),
            );
            return None;
        };
        let think = fields.get("think").map(|v| self.duration(v));
        Some(Arrivals::Closed {
            users: self.small(users, USERS)?,
            think: think.unwrap_or(Some(THINK))?,
        })
    }

    /// What is asked, with arrivals still to be filled in; none when something was refused.
    fn requests(&self, fields: &Fields<'_>, client: bool) -> Option<Load> {
        let path = fields.get("path").map(|v| self.path(v, client));
        let clash = self.not_together(fields, "path", &["writes", "keys", "value"]);
        let timeout = fields
            .get("timeout")
            .map(|v| self.positive_duration(v, "a timeout"));
        let writes = fields
            .get("writes")
            .map(|v| self.quantity::<Ratio>(v, "a share", "%"));
        let keys = fields.get("keys").map(|v| self.small(v, KEY_COUNTS));
        let value = fields.get("value").map(|v| self.value_bytes(v));
        let retries = fields.get("retries").map(|v| self.small(v, RETRIES));
        clash?;
        Some(Load {
            arrivals: Arrivals::Open {
                rate: 0.0,
                in_flight: IN_FLIGHT,
            },
            timeout: timeout.unwrap_or(Some(TIMEOUT))?,
            writes: writes.unwrap_or(Some(Ratio::default()))?.0,
            keys: keys.unwrap_or(Some(KEYS))?,
            value_bytes: value.unwrap_or(Some(VALUE_BYTES))?,
            retries: retries.unwrap_or(Some(0))?,
            path: match path {
                Some(path) => Some(path?),
                None => None,
            },
        })
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
    fn not_together(&self, fields: &Fields<'_>, key: &str, others: &[&str]) -> Option<()> {
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
