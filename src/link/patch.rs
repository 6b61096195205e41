//! Changes of link properties: a [`LinkPatch`] says what they are, [`Steps`] say by how much.
//!
//! Owns what a change makes of properties: it is defined for all of them, and its result is within
//! the bounds of each. Must not know why or for how long anything changes.

use super::{
    Checksum, Distribution, GilbertElliott, LinkMtu, LinkProperties, MTU, MTU_MIN, Reorder,
    TraceIndex,
};
use crate::units::{self, BitRate, ByteSize, Ratio, UnitError, duration};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The largest mtu of a link: that of the nodes' devices. A larger one would have no effect.
pub const MTU_MAX: u32 = super::MTU;
/// No step makes a time longer than this.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
/// The largest relative step in percent: a hundred times as much.
const PERCENT: f64 = 10_000.0;

/// Properties that are said, to be laid over others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkPatch {
    /// One-way delay.
    #[serde(with = "duration::option", default, skip_serializing_if = "none")]
    pub delay: Option<Duration>,
    /// Jitter.
    #[serde(default, skip_serializing_if = "none")]
    pub jitter: Option<Jitter>,
    /// How the jitter is distributed.
    #[serde(default, skip_serializing_if = "none")]
    pub distribution: Option<Distribution>,
    /// Loss of every kind.
    #[serde(default, skip_serializing_if = "none")]
    pub loss: Option<Loss>,
    /// Rate.
    #[serde(default, skip_serializing_if = "none")]
    pub rate: Option<BitRate>,
    /// Bytes that pass before the rate holds.
    #[serde(default, skip_serializing_if = "none")]
    pub burst: Option<ByteSize>,
    /// Bytes that may wait for the rate.
    #[serde(default, skip_serializing_if = "none")]
    pub queue: Option<ByteSize>,
    /// Recorded capacity.
    #[serde(default, skip_serializing_if = "none")]
    pub trace: Option<TraceIndex>,
    /// Packets with a wrong bit.
    #[serde(default, skip_serializing_if = "none")]
    pub corrupt: Option<Corrupt>,
    /// Packets that arrive twice.
    #[serde(default, skip_serializing_if = "none")]
    pub duplicate: Option<Correlated>,
    /// Packets that overtake; a share of zero: none.
    #[serde(default, skip_serializing_if = "none")]
    pub reorder: Option<Reorder>,
    /// Largest packet.
    #[serde(default, skip_serializing_if = "none")]
    pub mtu: Option<LinkMtu>,
    /// Whether nothing passes.
    #[serde(default, skip_serializing_if = "none")]
    pub down: Option<bool>,
}

fn none<T>(value: &Option<T>) -> bool {
    value.is_none()
}

/// `jitter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Jitter {
    /// How much.
    #[serde(with = "duration")]
    pub time: Duration,
    /// With the packet before.
    pub correlation: Ratio,
}

/// `corrupt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Corrupt {
    /// How many.
    pub packets: Correlated,
    /// Whether the receiver can tell.
    pub checksum: Checksum,
}

/// `duplicate`, and a part of `corrupt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correlated {
    /// How many.
    pub share: Ratio,
    /// With the packet before.
    pub correlation: Ratio,
}

/// `loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// How much, at random.
    pub share: Ratio,
    /// With the packet before.
    pub correlation: Ratio,
    /// One of so many; 0: none.
    pub every: u32,
    /// In bursts.
    #[serde(default, skip_serializing_if = "none")]
    pub bursts: Option<GilbertElliott>,
}

impl LinkPatch {
    /// `properties` with what is said here.
    pub fn over(&self, properties: &LinkProperties) -> LinkProperties {
        let before = *properties;
        let jitter = self.jitter.unwrap_or(Jitter {
            time: before.jitter,
            correlation: before.jitter_correlation,
        });
        let loss = self.loss.unwrap_or(Loss {
            share: before.loss,
            correlation: before.loss_correlation,
            every: before.loss_every,
            bursts: before.loss_bursts,
        });
        let corrupt = self.corrupt.unwrap_or(Corrupt {
            packets: Correlated {
                share: before.corrupt,
                correlation: before.corrupt_correlation,
            },
            checksum: before.corrupt_checksum,
        });
        LinkProperties {
            delay: self.delay.unwrap_or(before.delay),
            jitter: jitter.time,
            jitter_correlation: jitter.correlation,
            distribution: self.distribution.unwrap_or(before.distribution),
            loss: loss.share,
            loss_correlation: loss.correlation,
            loss_every: loss.every,
            loss_bursts: loss.bursts,
            duplicate: self.duplicate.map_or(before.duplicate, |said| said.share),
            duplicate_correlation: self
                .duplicate
                .map_or(before.duplicate_correlation, |said| said.correlation),
            corrupt: corrupt.packets.share,
            corrupt_correlation: corrupt.packets.correlation,
            corrupt_checksum: corrupt.checksum,
            reorder: match self.reorder {
                Some(said) => Some(said).filter(|reorder| reorder.share.0 > 0.0),
                None => before.reorder,
            },
            rate: self.rate.or(before.rate),
            rate_burst: self.burst.or(before.rate_burst),
            queue: self.queue.or(before.queue),
            trace: self.trace.or(before.trace),
            mtu: self.mtu.or(before.mtu),
            down: self.down.unwrap_or(before.down),
        }
    }
}

/// By how much properties change. Of shares the step is in points: `+5%` makes 1% of 6%.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    /// Of the one-way delay.
    #[serde(default, skip_serializing_if = "none")]
    pub delay: Option<Step<Duration>>,
    /// Of the jitter.
    #[serde(default, skip_serializing_if = "none")]
    pub jitter: Option<Step<Duration>>,
    /// Of the share lost at random.
    #[serde(default, skip_serializing_if = "none")]
    pub loss: Option<Step<Ratio>>,
    /// Of the share that arrives twice.
    #[serde(default, skip_serializing_if = "none")]
    pub duplicate: Option<Step<Ratio>>,
    /// Of the share with a wrong bit.
    #[serde(default, skip_serializing_if = "none")]
    pub corrupt: Option<Step<Ratio>>,
    /// Of the share that overtakes.
    #[serde(default, skip_serializing_if = "none")]
    pub reorder: Option<Step<Ratio>>,
    /// Of the rate; where there is none, there is none.
    #[serde(default, skip_serializing_if = "none")]
    pub rate: Option<Step<BitRate>>,
    /// Of the bytes that pass before the rate holds.
    #[serde(default, skip_serializing_if = "none")]
    pub burst: Option<Step<ByteSize>>,
    /// Of the bytes that may wait, said or not ([`LinkProperties::queue_bytes`]).
    #[serde(default, skip_serializing_if = "none")]
    pub queue: Option<Step<ByteSize>>,
    /// Of the largest packet, said or not.
    #[serde(default, skip_serializing_if = "none")]
    pub mtu: Option<Step<ByteSize>>,
}

impl Steps {
    /// `properties`, one step further.
    pub fn over(&self, properties: &LinkProperties) -> LinkProperties {
        let before = *properties;
        let mut after = before;
        step(&self.delay, &mut after.delay);
        step(&self.jitter, &mut after.jitter);
        step(&self.loss, &mut after.loss);
        step(&self.duplicate, &mut after.duplicate);
        step(&self.corrupt, &mut after.corrupt);
        if self.reorder.is_some() {
            let mut reorder = before.reorder.unwrap_or_default();
            step(&self.reorder, &mut reorder.share);
            after.reorder = Some(reorder).filter(|reorder| reorder.share.0 > 0.0);
        }
        if let Some(rate) = &mut after.rate {
            step(&self.rate, rate);
        }
        if self.burst.is_some() {
            let mut burst = before.rate_burst.unwrap_or(ByteSize(0));
            step(&self.burst, &mut burst);
            after.rate_burst = Some(burst);
        }
        if self.queue.is_some() {
            let mut queue = ByteSize(before.queue_bytes());
            step(&self.queue, &mut queue);
            after.queue = Some(queue);
        }
        if self.mtu.is_some() {
            let mtu = before.mtu.unwrap_or(LinkMtu {
                bytes: MTU,
                black_hole: false,
            });
            let mut bytes = ByteSize(u64::from(mtu.bytes));
            step(&self.mtu, &mut bytes);
            let bytes = bytes.0.clamp(u64::from(MTU_MIN), u64::from(MTU_MAX)) as u32;
            after.mtu = Some(LinkMtu { bytes, ..mtu });
        }
        after
    }
}

fn step<T: Quantity>(step: &Option<Step<T>>, value: &mut T) {
    if let Some(step) = step {
        *value = step.from(*value);
    }
}

/// By how much a quantity changes, written with its sign: `+100ms`, `-20%`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String", bound = "T: Quantity")]
pub enum Step<T> {
    /// More by so much.
    More(T),
    /// Less by so much.
    Less(T),
    /// More, or (below zero) less, by so many percent of what it is.
    Percent(f64),
}

/// What a step can be of.
pub trait Quantity: Copy + PartialEq {
    /// Whether percent are a part of what it is; of a share they are points.
    const SCALES: bool;

    /// Reads it, without sign.
    ///
    /// # Errors
    /// As the topology's units say.
    fn read(text: &str) -> Result<Self, UnitError>;

    /// Writes it.
    fn show(self) -> String;

    /// As a number.
    fn number(self) -> f64;

    /// The nearest one within the bounds.
    fn nearest(number: f64) -> Self;
}

impl<T: Quantity> Step<T> {
    /// One step from `value`, within the bounds of what it is.
    pub fn from(self, value: T) -> T {
        let number = value.number();
        T::nearest(match self {
            Step::More(by) => number + by.number(),
            Step::Less(by) => number - by.number(),
            Step::Percent(percent) => number * (1.0 + percent / 100.0),
        })
    }

    /// Whether `value` is too little for it.
    pub fn exceeds(self, value: T) -> bool {
        matches!(self, Step::Less(by) if by.number() > value.number())
    }
}

impl<T: Quantity> FromStr for Step<T> {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Step<T>, UnitError> {
        let text = text.trim();
        let (sign, amount) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(amount), _) => (1.0, amount.trim_start()),
            (None, Some(amount)) => (-1.0, amount.trim_start()),
            (None, None) => return Err(UnitError(format!("`{text}` has no sign"))),
        };
        if let (true, Some(percent)) = (T::SCALES, amount.strip_suffix('%')) {
            let percent = percent.trim_end().parse::<f64>();
            return match percent.map(|percent| percent * sign) {
                Ok(percent) if (-100.0..=PERCENT).contains(&percent) => Ok(Step::Percent(percent)),
                _ => Err(UnitError(format!(
                    "`{text}` is out of range: -100% to +{PERCENT}%"
                ))),
            };
        }
        let amount = T::read(amount)?;
        Ok(match sign > 0.0 {
            true => Step::More(amount),
            false => Step::Less(amount),
        })
    }
}

impl<T: Quantity> fmt::Display for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::More(by) => write!(f, "+{}", by.show()),
            Step::Less(by) => write!(f, "-{}", by.show()),
            Step::Percent(percent) => write!(f, "{percent:+}%"),
        }
    }
}

impl<T: Quantity> TryFrom<String> for Step<T> {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Step<T>, UnitError> {
        text.parse()
    }
}

impl<T: Quantity> From<Step<T>> for String {
    fn from(step: Step<T>) -> String {
        step.to_string()
    }
}

impl Quantity for Duration {
    const SCALES: bool = true;

    fn read(text: &str) -> Result<Duration, UnitError> {
        units::parse_duration(text)
    }

    fn show(self) -> String {
        duration::format(self)
    }

    fn number(self) -> f64 {
        self.as_nanos() as f64
    }

    fn nearest(number: f64) -> Duration {
        Duration::from_nanos(number.round() as u64).min(LONGEST)
    }
}

impl Quantity for Ratio {
    const SCALES: bool = false;

    fn read(text: &str) -> Result<Ratio, UnitError> {
        text.parse()
    }

    fn show(self) -> String {
        self.to_string()
    }

    fn number(self) -> f64 {
        self.0
    }

    fn nearest(number: f64) -> Ratio {
        Ratio(number.clamp(0.0, 1.0))
    }
}

impl Quantity for BitRate {
    const SCALES: bool = true;

    fn read(text: &str) -> Result<BitRate, UnitError> {
        text.parse()
    }

    fn show(self) -> String {
        self.to_string()
    }

    fn number(self) -> f64 {
        self.0 as f64
    }

    fn nearest(number: f64) -> BitRate {
        BitRate(number.round().clamp(1.0, 1e13) as u64)
    }
}

impl Quantity for ByteSize {
    const SCALES: bool = true;

    fn read(text: &str) -> Result<ByteSize, UnitError> {
        text.parse()
    }

    fn show(self) -> String {
        self.to_string()
    }

    fn number(self) -> f64 {
        self.0 as f64
    }

    fn nearest(number: f64) -> ByteSize {
        ByteSize(number.round().clamp(0.0, 1e15) as u64)
    }
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
