//! Quantities with units, read from text and written back without loss.
//!
//! Owns the units of the topology file: durations (`20ms`), bit rates (`100mbit`), ratios
//! (`0.1%`), sizes (`64KiB`) and frequencies (`50/s`). Must not know where the text came from.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use netlab_protocol::duration;

/// Why a text is no quantity: one sentence that names the text and shows a right one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(pub String);

/// Bits per second, as in tc: `kbit` = 1000 bit/s (tc(8), "UNITS").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BitRate(pub u64);

/// A share from 0 to 1, written in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ratio(pub f64);

/// Bytes: `kB` = 1000, `KiB` = 1024 (IEC 80000-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(pub u64);

/// Events per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Frequency(pub f64);

/// Thousandths of one processor core: `20%` and `0.2` are 200, `2` and `200%` are 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cores(pub u32);

const TIMES: &[(&str, f64)] = &[
    ("h", 3600e9),
    ("min", 60e9),
    ("m", 60e9),
    ("s", 1e9),
    ("ms", 1e6),
    ("us", 1e3),
    ("µs", 1e3),
    ("ns", 1.0),
];
const RATES: &[(&str, f64)] = &[
    ("tbit", 1e12),
    ("gbit", 1e9),
    ("mbit", 1e6),
    ("kbit", 1e3),
    ("bit", 1.0),
];
const SIZES: &[(&str, f64)] = &[
    ("GiB", 1_073_741_824.0),
    ("MiB", 1_048_576.0),
    ("KiB", 1024.0),
    ("GB", 1e9),
    ("MB", 1e6),
    ("kB", 1e3),
    ("B", 1.0),
];
const FREQUENCIES: &[(&str, f64)] = &[("/s", 1.0), ("/min", 1.0 / 60.0), ("/h", 1.0 / 3600.0)];

/// How quantities look, as regular expressions (ECMA-262, as JSON Schema has them), by the same tables
/// that read them.
pub mod pattern {
    use super::{FREQUENCIES, RATES, SIZES, TIMES};

    const NUMBER: &str = r"([0-9]+\.?[0-9]*|\.[0-9]+)";

    fn of(units: &[(&str, f64)]) -> String {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        format!(r"^\s*{NUMBER}\s*({})\s*$", names.join("|"))
    }

    /// By how much a quantity of these units, or of percent, changes.
    fn step(units: &[(&str, f64)]) -> String {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        let all = [&names[..], &["%"]].concat().join("|");
        format!(r"^\s*[+-]\s*{NUMBER}\s*({all})\s*$")
    }

    /// A change of a time.
    pub fn time_step() -> String {
        step(TIMES)
    }

    /// A change of a bit rate.
    pub fn bit_rate_step() -> String {
        step(RATES)
    }

    /// A change of a size.
    pub fn bytes_step() -> String {
        step(SIZES)
    }

    /// A change of a share, in points.
    pub fn share_step() -> String {
        step(&[])
    }

    /// A time.
    pub fn time() -> String {
        of(TIMES)
    }

    /// A bit rate.
    pub fn bit_rate() -> String {
        of(RATES)
    }

    /// A size.
    pub fn bytes() -> String {
        of(SIZES)
    }

    /// Events per second.
    pub fn frequency() -> String {
        of(FREQUENCIES)
    }

    /// Processor cores as text: a share of one, or a number.
    pub fn cores() -> String {
        format!(r"^\s*{NUMBER}\s*%?\s*$")
    }

    /// A share.
    pub fn share() -> String {
        format!(r"^\s*\+?{NUMBER}\s*%\s*$")
    }
}

/// Splits `text` into number and unit and scales; `None` when either is not understood.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let at = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(at);
    let (_, size) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    let value = number.parse::<f64>().ok()? * size;
    value.is_finite().then_some(value)
}

/// Reads a duration such as `20ms`, `1.5s`, `2min`.
///
/// # Errors
/// A missing or unknown unit, a sign, or more than a year.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(UnitError(format!("a time is not negative, got `{text}`")));
    }
    if text.parse::<f64>().is_ok() {
        return Err(UnitError(format!(
            "`{text}` has no unit: write `{text}ms` or `{text}s`"
        )));
    }
    match scaled(text, TIMES) {
        Some(ns) if ns <= 365.0 * 86_400e9 => Ok(Duration::from_nanos(ns.round() as u64)),
        Some(_) => Err(UnitError(format!("`{text}` is longer than a year"))),
        None => Err(UnitError(format!(
            "`{text}` is not a time: write `250us`, `20ms`, `1.5s`, `2min` or `1h`"
        ))),
    }
}

/// Writes the shortest exact text: the largest unit that divides `value`.
fn largest(value: u64, units: &[(&str, f64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |size: f64| value.is_multiple_of(size as u64);
    match units
        .iter()
        .find(|(_, size)| *size >= 1.0 && value > 0 && fits(*size))
    {
        Some((name, size)) => write!(f, "{}{name}", value / *size as u64),
        None => write!(f, "{value}{}", units.last().map_or("", |u| u.0)),
    }
}

macro_rules! quantity {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = UnitError;
            fn try_from(text: String) -> Result<Self, UnitError> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    };
}
quantity!(BitRate);
quantity!(Ratio);
quantity!(ByteSize);
quantity!(Cores);
quantity!(Frequency);

impl FromStr for BitRate {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        match scaled(text.trim(), RATES) {
            Some(bits) if (1.0..=1e13).contains(&bits) => Ok(BitRate(bits.round() as u64)),
            Some(_) => Err(UnitError(format!(
                "`{text}` is out of range: 1bit to 10tbit"
            ))),
            None => Err(UnitError(format!(
                "`{text}` is not a bit rate: write `500kbit`, `100mbit` or `1gbit`"
            ))),
        }
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        largest(self.0, RATES, f)
    }
}

impl FromStr for Ratio {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = text
            .trim()
            .strip_suffix('%')
            .and_then(|n| n.trim().parse::<f64>().ok());
        match number {
            Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Ratio(percent / 100.0)),
            Some(_) => Err(UnitError(format!("`{text}` is out of range: 0% to 100%"))),
            None => Err(UnitError(format!(
                "`{text}` is not a share: write it in percent, as `0.1%` or `20%`"
            ))),
        }
    }
}

impl fmt::Display for Ratio {
    /// The shortest percentage that reads back as the same share.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0 * 100.0;
        let short = (0..12)
            .map(|digits| format!("{exact:.digits$}"))
            .find(|text| text.parse::<f64>().is_ok_and(|p| p / 100.0 == self.0));
        write!(f, "{}%", short.unwrap_or_else(|| exact.to_string()))
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        match scaled(text.trim(), SIZES) {
            Some(bytes) if bytes <= 1e15 => Ok(ByteSize(bytes.round() as u64)),
            Some(_) => Err(UnitError(format!(
                "`{text}` is out of range: up to 1000000GB"
            ))),
            None => Err(UnitError(format!(
                "`{text}` is not a size: write `512B`, `64KiB`, `1MB` or `2GiB`"
            ))),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        largest(self.0, SIZES, f)
    }
}

impl FromStr for Cores {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = match text.trim().strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map(|n| n / 100.0),
            None => text.trim().parse::<f64>(),
        };
        match number.map(|cores| cores * 1000.0) {
            Ok(thousandths) if (9.5..=1e6).contains(&thousandths) => {
                Ok(Cores(thousandths.round() as u32))
            }
            Ok(_) => Err(UnitError(format!(
                "`{text}` is out of range: 1% of a core to 1000 cores"
            ))),
            Err(_) => Err(UnitError(format!(
                "`{text}` is no part of a core: write `20%`, or cores, as `0.5`"
            ))),
        }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10.0)
    }
}

impl FromStr for Frequency {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        match scaled(text.trim(), FREQUENCIES) {
            Some(hz) if (1e-6..=1e6).contains(&hz) => Ok(Frequency(hz)),
            Some(_) => Err(UnitError(format!(
                "`{text}` is out of range: above 0, up to 1000000/s"
            ))),
            None => Err(UnitError(format!(
                "`{text}` is not a rate of requests: write `20/s` or `30/min`"
            ))),
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_need_a_unit_and_no_sign() {
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2 min"), Ok(Duration::from_secs(120)));
        for (text, part) in [
            ("10", "`10ms`"),
            ("-5s", "not negative"),
            ("5 parsecs", "not a time"),
            ("", "not a time"),
        ] {
            let error = parse_duration(text).unwrap_err().0;
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn shortest_text() {
        assert_eq!(BitRate(100_000_000).to_string(), "100mbit");
        assert_eq!(BitRate(1_500_000).to_string(), "1500kbit");
        assert_eq!(ByteSize(65_536).to_string(), "64KiB");
        assert_eq!(ByteSize(0).to_string(), "0B");
        assert_eq!(Ratio(0.001).to_string(), "0.1%");
        assert_eq!(Frequency(20.0).to_string(), "20/s");
    }

    proptest! {
        #[test]
        fn text_round_trips(bits in 1..10_u64.pow(13), share in 0.0..=1.0_f64, hz in 1e-6..1e6_f64) {
            prop_assert_eq!(BitRate(bits).to_string().parse(), Ok(BitRate(bits)));
            prop_assert_eq!(ByteSize(bits).to_string().parse(), Ok(ByteSize(bits)));
            prop_assert_eq!(Frequency(hz).to_string().parse(), Ok(Frequency(hz)));
            let back: Ratio = Ratio(share).to_string().parse().unwrap();
            prop_assert!((back.0 - share).abs() < 1e-12);
        }

        #[test]
        fn hostile_text_never_panics(text in ".{0,40}") {
            let _ = (parse_duration(&text), text.parse::<BitRate>(), text.parse::<Ratio>());
            let _ = (text.parse::<ByteSize>(), text.parse::<Frequency>());
        }
    }
}
