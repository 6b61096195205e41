//! The properties of a link: those of `link:`, and those that an entry of `links:` changes.
//!
//! Owns their keys, how each is written, and what excludes what within one map. Must not know which
//! pairs they are for. A property with a correlation is a share, or a map that holds the share:
//! `loss: 1%`, `loss: { share: 1%, correlation: 25% }`. Said again, a property replaces the earlier one
//! as a whole: after `loss: 0%` there are no bursts.

use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Key, Kind, Shape, key};
use super::profile;
use super::reader::Reader;
use super::topology::LinkChange;
use super::tree::{Data, Entry, Value};
use crate::link::{
    Checksum, Correlated, Corrupt, Distribution, GilbertElliott, Jitter, LinkMtu, LinkPatch, Loss,
    MTU_MAX, MTU_MIN, Reorder, Trace, TraceIndex,
};
use crate::units::Ratio;
use std::time::Duration;

/// Keys of the full language that this version does not have.
pub const LATER: &[&str] = &["shape", "matrix"];
/// What people bring from elsewhere.
pub const INSTEAD: &[(&str, &str)] = &[
    (
        "latency",
        "write `delay` (one way) or `rtt` (there and back)",
    ),
    ("bandwidth", "write `rate`"),
    ("limit", "write `queue`, in bytes"),
    ("corruption", "write `corrupt`"),
    ("reordering", "write `reorder`"),
    ("endpoints", "write `between: [a, b]`"),
    ("nodes", "write `between: [a, b]`"),
];

/// Words of `distribution`.
const DISTRIBUTIONS: &[&str] = &["uniform", "normal", "pareto"];
/// Words of `oversize`.
const OVERSIZE: &[&str] = &["icmp", "drop"];
/// Words of `checksum`.
const CHECKSUMS: &[&str] = &["wrong", "fixed"];
/// The largest gap, and the largest `every`.
const MANY: u32 = 1_000_000;

const SHARE: Key = key("share", Kind::Share, "Share of the packets.");
const CORRELATION: Key = key(
    "correlation",
    Kind::Share,
    "How much a packet's draw depends on that of the packet before it in its flow.",
);
const JITTER: Shape = Shape {
    what: "`jitter`",
    keys: &[
        key("time", Kind::Time, "The delay varies by up to this much."),
        CORRELATION,
    ],
    needs: &["time"],
    later: &[],
    instead: &[("share", "write `time`")],
};
const LOSS: Shape = Shape {
    what: "`loss`",
    keys: &[
        SHARE,
        CORRELATION,
        key(
            "every",
            Kind::Integer(2, MANY as u64),
            "Of every so many packets of a flow one is lost.",
        ),
        key(
            "bursts",
            Kind::Map(&BURSTS),
            "A channel with a good and a bad state (Gilbert and Elliott).",
        ),
    ],
    needs: &[],
    later: &[],
    instead: &[("gemodel", "write `bursts`")],
};
const BURSTS: Shape = Shape {
    what: "`bursts`",
    keys: &[
        key(
            "p",
            Kind::Share,
            "Probability, per packet, that the good state turns bad.",
        ),
        key(
            "r",
            Kind::Share,
            "Probability, per packet, that the bad state turns good: a burst lasts 1/r packets.",
        ),
        key(
            "bad",
            Kind::Share,
            "Share lost in the bad state (1-h); 100% unless said.",
        ),
        key(
            "good",
            Kind::Share,
            "Share lost in the good state (1-k); 0% unless said.",
        ),
    ],
    needs: &["p", "r"],
    later: &[],
    instead: &[("1-h", "write `bad`"), ("1-k", "write `good`")],
};
const CORRELATED: Shape = Shape {
    what: "the property",
    keys: &[SHARE, CORRELATION],
    needs: &["share"],
    later: &[],
    instead: &[],
};
const CORRUPT: Shape = Shape {
    what: "`corrupt`",
    keys: &[
        SHARE,
        CORRELATION,
        key(
            "checksum",
            Kind::Word(CHECKSUMS),
            "Wrong: the receiver's kernel drops the packet; fixed: the application gets the wrong bit.",
        ),
    ],
    needs: &["share"],
    later: &[],
    instead: &[],
};
const REORDER: Shape = Shape {
    what: "`reorder`",
    keys: &[
        SHARE,
        CORRELATION,
        key(
            "gap",
            Kind::Integer(1, MANY as u64),
            "At least so many minus one packets of a flow keep their turn between two that overtake.",
        ),
    ],
    needs: &["share"],
    later: &[],
    instead: &[],
};
const NARROW: Shape = Shape {
    what: "`mtu`",
    keys: &[
        key(
            "bytes",
            Kind::Integer(MTU_MIN as u64, MTU_MAX as u64),
            "Largest IP packet, in bytes.",
        ),
        key(
            "oversize",
            Kind::Word(OVERSIZE),
            "Larger packets are answered by ICMP, or dropped in silence (a black hole).",
        ),
    ],
    needs: &["bytes"],
    later: &[],
    instead: &[],
};

/// The properties.
pub const PROPERTIES: [Key; 15] = [
    key("delay", Kind::Time, "One-way delay."),
    key(
        "rtt",
        Kind::Time,
        "There and back: half of it in each direction.",
    ),
    key(
        "jitter",
        Kind::Either(&[Kind::Time, Kind::Map(&JITTER)]),
        "The delay varies by up to this much.",
    ),
    key(
        "distribution",
        Kind::Word(DISTRIBUTIONS),
        "How the jitter is distributed: `uniform` unless said; else it is the standard deviation.",
    ),
    key(
        "loss",
        Kind::Either(&[Kind::Share, Kind::Map(&LOSS)]),
        "Share of the packets that is lost, or how they are lost.",
    ),
    key(
        "rate",
        Kind::BitRate,
        "Serialisation rate; as fast as can be unless said.",
    ),
    key(
        "burst",
        Kind::Bytes,
        "Bytes that pass at once after silence, before the rate holds.",
    ),
    key(
        "queue",
        Kind::Bytes,
        "Bytes that may wait for the rate; rate x RTT, at least 20 packets, unless said.",
    ),
    key(
        "trace",
        Kind::Text("lte.trace"),
        "A file with recorded capacity, in Mahimahi's format.",
    ),
    key(
        "corrupt",
        Kind::Either(&[Kind::Share, Kind::Map(&CORRUPT)]),
        "Share of the packets in which one bit is turned over.",
    ),
    key(
        "duplicate",
        Kind::Either(&[Kind::Share, Kind::Map(&CORRELATED)]),
        "Share of the packets that arrive twice.",
    ),
    key(
        "reorder",
        Kind::Either(&[Kind::Share, Kind::Map(&REORDER)]),
        "Share of the packets that overtake others by skipping the delay.",
    ),
    key(
        "mtu",
        Kind::Either(&[
            Kind::Integer(MTU_MIN as u64, MTU_MAX as u64),
            Kind::Map(&NARROW),
        ]),
        "Largest IP packet in bytes, 68 to 1500; 1500 unless said. Below 1280 no IPv6 passes (RFC 8200).",
    ),
    key(
        "down",
        Kind::Flag,
        "Nothing passes, in silence: there is a wire, and nobody is told that it is cut.",
    ),
    key(
        "profile",
        Kind::Word(profile::NAMES),
        "Figures of a kind of access; properties beside it replace them.",
    ),
];

/// `link`.
pub const LINK: Shape = Shape {
    what: "`link`",
    keys: &PROPERTIES,
    needs: &[],
    later: LATER,
    instead: INSTEAD,
};

impl Reader<'_> {
    /// `link:`, the properties of every pair.
    pub(super) fn default_link(&self, entry: &Entry) -> Option<LinkChange> {
        let fields = self.fields(&entry.value, &LINK, Some(entry.key.span))?;
        self.change(&fields, true)
    }

    /// What a map says about a link; `both`: for both directions. All that is wrong is reported, so
    /// every property is read before the first failure counts.
    pub(super) fn change(&self, fields: &Fields<'_>, both: bool) -> Option<LinkChange> {
        let bytes = |key| {
            let value = fields.get(key);
            value.map(|v| self.quantity(v, "a size", "KiB"))
        };
        let rate = fields.get("rate");
        let word = fields.get("distribution");
        let said = (
            self.delay(fields, both),
            fields.get("jitter").map(|v| self.jitter(v)),
            word.map(|v| self.word(v, "a distribution", DISTRIBUTIONS)),
            fields.get("loss").map(|v| self.loss(v)),
            rate.map(|v| self.quantity(v, "a bit rate", "mbit")),
            (bytes("burst"), bytes("queue")),
            fields.get("trace").map(|v| self.trace(v)),
            (
                fields.get("corrupt").map(|v| self.corrupt(v)),
                fields.get("duplicate").map(|v| self.correlated(v)),
            ),
            fields.get("reorder").map(|v| self.reorder(v)),
            (
                fields.get("mtu").map(|v| self.mtu(v)),
                fields.get("down").map(|v| self.flag(v)),
            ),
        );
        let profile = fields
            .get("profile")
            .map(|v| self.word(v, "a profile", profile::NAMES));
        let (delay, jitter, distribution, loss, rate, sizes, trace, harm, reorder, bounds) = said;
        let patch = LinkPatch {
            delay: delay?,
            jitter: whole(jitter)?,
            distribution: whole(distribution)?.map(distribution_of),
            loss: whole(loss)?,
            rate: whole(rate)?,
            burst: whole(sizes.0)?,
            queue: whole(sizes.1)?,
            trace: whole(trace)?,
            corrupt: whole(harm.0)?,
            duplicate: whole(harm.1)?,
            reorder: whole(reorder)?,
            mtu: whole(bounds.0)?,
            down: whole(bounds.1)?,
        };
        let patch = match profile {
            Some(name) => profile::under(name?, patch),
            None => patch,
        };
        Some(LinkChange {
            patch,
            span: fields.span,
        })
    }

    /// `delay`, or half of `rtt`. Outer none: it is wrong; inner none: nothing is said.
    fn delay(&self, fields: &Fields<'_>, both: bool) -> Option<Option<Duration>> {
        let delay = fields.get("delay").map(|v| self.duration(v));
        let rtt = fields.get("rtt").map(|v| self.duration(v));
        let exclusive = self.exclusive_delay(fields, both);
        let said = whole(delay.or(rtt.map(|rtt| rtt.map(|time| time / 2))));
        said.filter(|_| exclusive)
    }

    /// Reports `delay` beside `rtt`, and an `rtt` of one direction; whether neither is so.
    pub(super) fn exclusive_delay(&self, fields: &Fields<'_>, both: bool) -> bool {
        let (message, place, other) = match (fields.entry("delay"), fields.entry("rtt")) {
            (Some(delay), Some(rtt)) => (
                "`delay` (one way) and `rtt` (there and back) exclude each other",
                rtt.key.span,
                Some(delay.key.span),
            ),
            (None, Some(rtt)) if !both => (
                "one direction has a `delay`; `rtt` is there and back",
                rtt.key.span,
                None,
            ),
            _ => return true,
        };
        let report = Diagnostic::error("conflict", message).at(place, "");
        self.report(match other {
            Some(other) => report.at(other, ""),
            None => report,
        });
        false
    }

    fn jitter(&self, value: &Value) -> Option<Jitter> {
        if !is_map(value) {
            let time = self.duration(value)?;
            return Some(Jitter {
                time,
                correlation: Ratio(0.0),
            });
        }
        let fields = self.fields(value, &JITTER, None)?;
        let time = fields.need(self, "time", "how much it varies: `time: 5ms`");
        let (time, correlation) = (
            time.map(|v| self.duration(v)),
            self.share(&fields, "correlation", 0.0),
        );
        Some(Jitter {
            time: time??,
            correlation: correlation?,
        })
    }

    fn loss(&self, value: &Value) -> Option<Loss> {
        if !is_map(value) {
            let share = self.quantity(value, "a share", "%")?;
            return Some(Loss {
                share,
                ..Loss::default()
            });
        }
        let fields = self.fields(value, &LOSS, None)?;
        let share = self.share(&fields, "share", 0.0);
        let correlation = self.share(&fields, "correlation", 0.0);
        let every = fields.get("every").map(|v| self.small(v, 2..=MANY));
        let bursts = fields.entry("bursts").map(|entry| self.bursts(entry));
        Some(Loss {
            share: share?,
            correlation: correlation?,
            every: whole(every)?.unwrap_or(0),
            bursts: whole(bursts)?,
        })
    }

    fn bursts(&self, entry: &Entry) -> Option<GilbertElliott> {
        let fields = self.fields(&entry.value, &BURSTS, Some(entry.key.span))?;
        let needed = |key| fields.need(self, key, "a channel needs `p` and `r`, each a share");
        let read = |value: Option<&Value>| value.map(|v| self.quantity(v, "a share", "%"));
        let (p, r) = (read(needed("p")), read(needed("r")));
        let (bad, good) = (
            self.share(&fields, "bad", 1.0),
            self.share(&fields, "good", 0.0),
        );
        Some(GilbertElliott {
            p: p??,
            r: r??,
            bad: bad?,
            good: good?,
        })
    }

    fn correlated(&self, value: &Value) -> Option<Correlated> {
        if !is_map(value) {
            let share = self.quantity(value, "a share", "%")?;
            return Some(Correlated {
                share,
                correlation: Ratio(0.0),
            });
        }
        let fields = self.fields(value, &CORRELATED, None)?;
        self.share_of(&fields)
    }

    fn corrupt(&self, value: &Value) -> Option<Corrupt> {
        if !is_map(value) {
            return Some(Corrupt {
                packets: self.correlated(value)?,
                checksum: Checksum::Wrong,
            });
        }
        let fields = self.fields(value, &CORRUPT, None)?;
        let checksum = fields.get("checksum");
        let checksum = checksum.map(|v| self.word(v, "what becomes of the checksum", CHECKSUMS));
        let packets = self.share_of(&fields);
        Some(Corrupt {
            packets: packets?,
            checksum: match whole(checksum)? {
                Some("fixed") => Checksum::Fixed,
                _ => Checksum::Wrong,
            },
        })
    }

    fn reorder(&self, value: &Value) -> Option<Reorder> {
        if !is_map(value) {
            let Correlated { share, correlation } = self.correlated(value)?;
            return Some(Reorder {
                share,
                correlation,
                gap: 0,
            });
        }
        let fields = self.fields(value, &REORDER, None)?;
        let gap = fields.get("gap").map(|v| self.small(v, 1..=MANY));
        let Correlated { share, correlation } = self.share_of(&fields)?;
        Some(Reorder {
            share,
            correlation,
            gap: whole(gap)?.unwrap_or(0),
        })
    }

    /// `share` and `correlation` of a map.
    fn share_of(&self, fields: &Fields<'_>) -> Option<Correlated> {
        let share = fields.need(self, "share", "how many packets: `share: 1%`");
        let share = share.map(|v| self.quantity(v, "a share", "%"));
        let correlation = self.share(fields, "correlation", 0.0);
        Some(Correlated {
            share: share??,
            correlation: correlation?,
        })
    }

    fn share(&self, fields: &Fields<'_>, key: &str, otherwise: f64) -> Option<Ratio> {
        match fields.get(key) {
            Some(value) => self.quantity(value, "a share", "%"),
            None => Some(Ratio(otherwise)),
        }
    }

    fn mtu(&self, value: &Value) -> Option<LinkMtu> {
        if !is_map(value) {
            let bytes = self.small(value, MTU_MIN..=MTU_MAX)?;
            return Some(LinkMtu {
                bytes,
                black_hole: false,
            });
        }
        let fields = self.fields(value, &NARROW, None)?;
        let bytes = fields.need(self, "bytes", "the largest packet: `bytes: 1200`");
        let bytes = bytes.map(|v| self.small(v, MTU_MIN..=MTU_MAX));
        let oversize = fields.get("oversize");
        let oversize = oversize.map(|v| self.word(v, "what becomes of larger packets", OVERSIZE));
        Some(LinkMtu {
            bytes: bytes??,
            black_hole: whole(oversize)? == Some("drop"),
        })
    }

    /// The trace in the file that `path` names.
    fn trace(&self, path: &Value) -> Option<TraceIndex> {
        let range = self.text_at(path, "the path of a trace")?;
        match self.source.text[range].parse::<Trace>() {
            Ok(trace) => Some(self.keep_trace(trace)),
            Err(wrong) => {
                self.report(
                    Diagnostic::error("bad-trace", wrong.0)
                        .at(path.span, "read here")
                        .help("each line is a time in ms at which 1500 bytes may be sent (Mahimahi's format)"),
                );
                None
            }
        }
    }
}

fn is_map(value: &Value) -> bool {
    matches!(value.data, Data::Map(_))
}

/// A value that is there is right: outer none otherwise.
fn whole<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        Some(None) => None,
        Some(said) => Some(said),
        None => Some(None),
    }
}

fn distribution_of(word: &str) -> Distribution {
    match word {
        "normal" => Distribution::Normal,
        "pareto" => Distribution::Pareto,
        _ => Distribution::Uniform,
    }
}
