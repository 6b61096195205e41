//! The properties of a link, as data. A link is one *ordered* pair of nodes.
//!
//! Owns names, units and defaults of the properties and the format of bandwidth traces. Must not
//! know packets (`fabric`) or YAML.

mod patch;

pub use patch::{Correlated, Corrupt, Jitter, LinkPatch, Loss, MTU_MAX, Quantity, Step, Steps};

use crate::units::{BitRate, ByteSize, Ratio, UnitError, duration};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What happens to packets on the way from one node to another. Meaning as in tc-netem(8), except
/// that every decision is per packet on the wire, and that a correlation does not change the share
/// it belongs to (in netem it does).
///
/// Everything that is left out does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkProperties {
    /// One-way delay.
    #[serde(with = "duration")]
    pub delay: Duration,
    /// How much the delay varies ([`Distribution`]); packets may overtake each other, as in netem.
    #[serde(with = "duration")]
    pub jitter: Duration,
    /// How the jitter is distributed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub distribution: Distribution,
    /// How much the jitter of a packet depends on that of the packet before it in its flow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub jitter_correlation: Ratio,
    /// Share of the packets that is lost.
    pub loss: Ratio,
    /// How much the loss of a packet depends on that of the packet before it in its flow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loss_correlation: Ratio,
    /// Loss in bursts, beside the other kinds of loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_bursts: Option<GilbertElliott>,
    /// Every so many packets of a flow one is lost; 0: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loss_every: u32,
    /// Share of the packets that arrive twice.
    #[serde(default, skip_serializing_if = "is_default")]
    pub duplicate: Ratio,
    /// How much a duplication depends on that of the packet before it in its flow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub duplicate_correlation: Ratio,
    /// Share of the packets in which one bit of the payload is turned over.
    #[serde(default, skip_serializing_if = "is_default")]
    pub corrupt: Ratio,
    /// Whether the receiver can tell.
    #[serde(default, skip_serializing_if = "is_default")]
    pub corrupt_checksum: Checksum,
    /// How much a corruption depends on that of the packet before it in its flow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub corrupt_correlation: Ratio,
    /// Packets that overtake others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reorder: Option<Reorder>,
    /// Serialisation rate; none: as fast as the fabric is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate: Option<BitRate>,
    /// Bytes that pass at once after silence, before the rate holds (tc-tbf(8), `burst`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_burst: Option<ByteSize>,
    /// Bytes that may wait for rate or trace; none: [`LinkProperties::queue_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<ByteSize>,
    /// Recorded capacity instead of, or behind, a rate: which of the lab's traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceIndex>,
    /// Largest packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<LinkMtu>,
    /// Nothing passes, and nobody is told.
    #[serde(default, skip_serializing_if = "is_default")]
    pub down: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How jitter is distributed. None of them makes a packet earlier than its entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Evenly between delay − jitter and delay + jitter.
    #[default]
    Uniform,
    /// Gaussian; the jitter is the standard deviation.
    Normal,
    /// Pareto with shape 3 (as in iproute2), moved to mean 0; the jitter is the standard deviation.
    /// The tail is not cut: one packet in 10^6 is 114 times the jitter late.
    Pareto,
}

/// The checksum of a packet in which a bit was turned over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// As it was: the receiver's kernel drops the packet and counts a checksum error.
    #[default]
    Wrong,
    /// Corrected, as by a broken router or memory: the application gets the wrong bit.
    Fixed,
}

/// A channel with a good and a bad state (tc-netem(8), `loss gemodel p r 1-h 1-k`). Each flow has
/// its own, so that no flow moves the losses of another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GilbertElliott {
    /// Probability, per packet, that the good state turns bad (p).
    pub p: Ratio,
    /// Probability, per packet, that the bad state turns good (r): a burst lasts 1 / r packets.
    pub r: Ratio,
    /// Share that is lost in the bad state (1 − h).
    pub bad: Ratio,
    /// Share that is lost in the good state (1 − k).
    #[serde(default, skip_serializing_if = "is_default")]
    pub good: Ratio,
}

impl GilbertElliott {
    /// The share that is lost in the long run.
    pub fn share(&self) -> f64 {
        let (p, r) = (self.p.0, self.r.0);
        if p + r == 0.0 {
            return self.good.0;
        }
        (p * self.bad.0 + r * self.good.0) / (p + r)
    }
}

/// Packets that leave at once, without delay and jitter, and so overtake others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reorder {
    /// Share of the candidates that overtakes.
    pub share: Ratio,
    /// How much it depends on the candidate before it in its flow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub correlation: Ratio,
    /// A packet is a candidate when at least `gap − 1` of its flow did not overtake since the last
    /// one that did; 0 and 1: every packet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gap: u32,
}

/// The largest packet a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMtu {
    /// Bytes of the IP packet.
    pub bytes: u32,
    /// Larger packets vanish without the ICMP error that would tell the sender.
    #[serde(default, skip_serializing_if = "is_default")]
    pub black_hole: bool,
}

/// Position in the lab's list of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TraceIndex(pub u32);

/// Link mtu in bytes.
pub const MTU: u32 = 1500;

/// The smallest mtu that IPv4 allows (RFC 791 §3.2).
pub const MTU_MIN: u32 = 68;

impl LinkProperties {
    /// Bytes that may wait before the rate limiter, where nothing else is declared: the larger of
    /// rate × RTT and 20 mtu, where the RTT is taken as twice this link's own delay. One packet
    /// more is dropped (drop-tail).
    pub fn queue_bytes(&self) -> u64 {
        self.queue_bytes_at(self.rate)
    }

    /// The same for a line of another rate, such as the mean of a trace.
    pub fn queue_bytes_at(&self, rate: Option<BitRate>) -> u64 {
        if let Some(ByteSize(declared)) = self.queue {
            return declared;
        }
        let floor = u64::from(20 * MTU);
        let Some(rate) = rate else { return floor };
        let bits = u128::from(rate.0) * 2 * self.delay.as_nanos() / 1_000_000_000;
        u64::try_from(bits / 8).unwrap_or(u64::MAX).max(floor)
    }

    /// Whether more than a constant delay applies, so that packets must be looked at one by one.
    pub fn per_packet(&self) -> bool {
        let constant = LinkProperties {
            delay: self.delay,
            distribution: self.distribution,
            jitter_correlation: self.jitter_correlation,
            loss_correlation: self.loss_correlation,
            duplicate_correlation: self.duplicate_correlation,
            corrupt_correlation: self.corrupt_correlation,
            corrupt_checksum: self.corrupt_checksum,
            down: self.down,
            rate_burst: self.rate_burst,
            queue: self.queue,
            ..LinkProperties::default()
        };
        *self != constant
    }

    /// What two properties say against each other, or what can never have an effect: one sentence.
    pub fn contradiction(&self) -> Option<String> {
        let correlated = [
            (self.jitter_correlation, self.jitter.is_zero(), "jitter"),
            (self.loss_correlation, self.loss.0 == 0.0, "loss"),
            (
                self.duplicate_correlation,
                self.duplicate.0 == 0.0,
                "duplicate",
            ),
            (self.corrupt_correlation, self.corrupt.0 == 0.0, "corrupt"),
        ];
        if let Some((.., what)) = correlated.iter().find(|(c, none, _)| c.0 > 0.0 && *none) {
            return Some(format!(
                "a correlation of {what} needs a {what} of more than zero"
            ));
        }
        let small = self.mtu.filter(|mtu| mtu.bytes < MTU_MIN);
        if let Some(LinkMtu { bytes, .. }) = small {
            return Some(format!(
                "an mtu of {bytes} is too small: IPv4 needs {MTU_MIN} bytes (and IPv6 1280)"
            ));
        }
        let stuck = self.reorder.is_some() && self.delay.is_zero();
        if stuck {
            return Some("reorder needs a delay: packets overtake by skipping it".to_owned());
        }
        if self.corrupt_checksum == Checksum::Fixed && self.corrupt.0 == 0.0 {
            return Some("a fixed checksum needs a corrupt of more than zero".to_owned());
        }
        let aimless = self.rate_burst.is_some() && self.rate.is_none();
        aimless.then(|| "a burst of the rate needs a rate".to_owned())
    }
}

/// Recorded capacity in Mahimahi's format: a line for each opportunity to send [`OPPORTUNITY`]
/// bytes, which says after how many milliseconds it comes; after the last line the trace begins
/// again. An opportunity that nobody uses is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct Trace(Vec<u32>);

/// Bytes per line of a trace.
pub const OPPORTUNITY: u32 = 1500;

/// More lines are refused; a day at 12 Mbit/s has 86 million.
pub const TRACE_LINES: usize = 4 << 20;

impl TryFrom<Vec<u32>> for Trace {
    type Error = UnitError;

    fn try_from(milliseconds: Vec<u32>) -> Result<Trace, UnitError> {
        if milliseconds.len() > TRACE_LINES {
            let lines = milliseconds.len();
            return Err(UnitError(format!(
                "a trace has {TRACE_LINES} lines at most, got {lines}"
            )));
        }
        if !milliseconds.is_sorted() {
            return Err(UnitError("the times of a trace must not fall".to_owned()));
        }
        match milliseconds.last() {
            None | Some(0) => Err(UnitError(
                "a trace must end after more than 0 ms".to_owned(),
            )),
            Some(_) => Ok(Trace(milliseconds)),
        }
    }
}

impl From<Trace> for Vec<u32> {
    fn from(trace: Trace) -> Vec<u32> {
        trace.0
    }
}

impl std::str::FromStr for Trace {
    type Err = UnitError;

    /// Reads the text of a trace file.
    fn from_str(text: &str) -> Result<Trace, UnitError> {
        let lines = text.lines().zip(1..);
        let times = lines.filter(|(line, _)| !line.trim().is_empty());
        let times = times.take(TRACE_LINES + 1).map(|(line, number)| {
            let time = line.trim();
            time.parse::<u32>().map_err(|_| {
                let shown: String = time.chars().take(20).collect();
                UnitError(format!(
                    "line {number} of the trace is no number of milliseconds: `{shown}`"
                ))
            })
        });
        Trace::try_from(times.collect::<Result<Vec<u32>, UnitError>>()?)
    }
}

impl Trace {
    /// Time until it begins again, in ns.
    fn period(&self) -> u64 {
        u64::from(self.0.last().copied().unwrap_or(1)) * 1_000_000
    }

    /// Time of opportunity `number` (from 0) after the beginning, in ns.
    pub fn at(&self, number: u64) -> u64 {
        let lines = self.0.len().max(1) as u64;
        let within = self.0.get((number % lines) as usize).copied().unwrap_or(0);
        (number / lines) * self.period() + u64::from(within) * 1_000_000
    }

    /// Number of the first opportunity that is not before `time` (ns after the beginning).
    pub fn first_from(&self, time: u64) -> u64 {
        let (round, rest) = (time / self.period(), time % self.period());
        // A whole period later is the last line of that round: opportunities at its end and at the
        // beginning of the next one fall on the same instant.
        let (round, rest) = match rest {
            0 if round > 0 => (round - 1, self.period()),
            _ => (round, rest),
        };
        let before = self
            .0
            .partition_point(|&ms| u64::from(ms) * 1_000_000 < rest);
        round * self.0.len() as u64 + before as u64
    }

    /// Its mean rate.
    pub fn mean_rate(&self) -> BitRate {
        let bits = self.0.len() as u128 * u128::from(OPPORTUNITY) * 8 * 1_000_000_000;
        BitRate((bits / u128::from(self.period())) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of earlier builds stay readable and byte-identical.
    #[test]
    fn what_is_not_said_is_not_written() {
        let plain = LinkProperties {
            delay: Duration::from_millis(5),
            loss: Ratio(0.01),
            ..LinkProperties::default()
        };
        let text = serde_json::to_string(&plain).unwrap();
        assert_eq!(text, r#"{"delay":"5ms","jitter":"0s","loss":"1%"}"#);
        assert_eq!(
            serde_json::from_str::<LinkProperties>(&text).unwrap(),
            plain
        );
    }

    #[test]
    fn everything_is_written_with_units_and_read_back() {
        let all = LinkProperties {
            delay: Duration::from_millis(5),
            jitter: Duration::from_micros(250),
            distribution: Distribution::Pareto,
            jitter_correlation: Ratio(0.25),
            loss: Ratio(0.01),
            loss_correlation: Ratio(0.5),
            loss_bursts: Some(GilbertElliott {
                p: Ratio(0.01),
                r: Ratio(0.3),
                bad: Ratio(0.9),
                good: Ratio(0.001),
            }),
            loss_every: 100,
            duplicate: Ratio(0.02),
            duplicate_correlation: Ratio(0.1),
            corrupt: Ratio(0.03),
            corrupt_correlation: Ratio(0.2),
            reorder: Some(Reorder {
                share: Ratio(0.25),
                correlation: Ratio(0.5),
                gap: 5,
            }),
            rate: Some(BitRate(10_000_000)),
            rate_burst: Some(ByteSize(4096)),
            queue: Some(ByteSize(65_536)),
            trace: Some(TraceIndex(1)),
            mtu: Some(LinkMtu {
                bytes: 1200,
                black_hole: true,
            }),
            corrupt_checksum: Checksum::Fixed,
            down: true,
        };
        let text = serde_json::to_string(&all).unwrap();
        for part in [
            r#""distribution":"pareto""#,
            r#""loss_bursts":{"p":"1%","r":"30%","bad":"90%","good":"0.1%"}"#,
            r#""reorder":{"share":"25%","correlation":"50%","gap":5}"#,
            r#""rate_burst":"4KiB","queue":"64KiB","trace":1"#,
            r#""mtu":{"bytes":1200,"black_hole":true},"down":true"#,
            r#""corrupt":"3%","corrupt_checksum":"fixed""#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(serde_json::from_str::<LinkProperties>(&text).unwrap(), all);
        assert_eq!(all.contradiction(), None);
        assert_eq!(all.queue_bytes(), 65_536);
        assert!(all.per_packet());
    }

    #[test]
    fn only_a_constant_delay_lets_packets_pass_unseen() {
        let mut link = LinkProperties {
            delay: Duration::from_secs(1),
            queue: Some(ByteSize(1)),
            ..LinkProperties::default()
        };
        assert!(!link.per_packet());
        link.jitter = Duration::from_nanos(1);
        assert!(link.per_packet());
    }

    #[test]
    fn contradictions_are_named() {
        let sentence = |change: fn(&mut LinkProperties)| {
            let mut link = LinkProperties::default();
            change(&mut link);
            link.contradiction().unwrap_or_default()
        };
        let correlated = sentence(|l| l.loss_correlation = Ratio(0.1));
        assert!(correlated.contains("loss"), "{correlated}");
        let small = sentence(|l| {
            l.mtu = Some(LinkMtu {
                bytes: 67,
                black_hole: false,
            })
        });
        assert!(small.contains("67"), "{small}");
        assert_eq!(sentence(|l| l.loss = Ratio(1.0)), "");
    }

    #[test]
    fn traces_repeat_and_are_checked() {
        let trace: Trace = "0\n2\n2\n\n10\n".parse().unwrap();
        let ms = |n| trace.at(n) / 1_000_000;
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 7, 8].map(ms),
            [0, 2, 2, 10, 10, 12, 20, 20]
        );
        let first = |ms: u64| trace.first_from(ms * 1_000_000);
        assert_eq!([0, 1, 2, 3, 10, 11, 20].map(first), [0, 1, 1, 3, 3, 5, 7]);
        assert_eq!(trace.mean_rate(), BitRate(4_800_000));
        for (text, part) in [
            ("", "more than 0"),
            ("0\n0", "more than 0"),
            ("5\n4", "must not fall"),
            ("1\nx", "line 2"),
            ("-1", "line 1"),
        ] {
            let error = text.parse::<Trace>().unwrap_err().0;
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
