//! Durations on the wire are text with a unit (`"20ms"`), so records read as files are written.
//!
//! For `#[serde(with = "netlab_protocol::duration")]`; [`option`] for optional ones.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use std::time::Duration;

/// Writes `d` in the largest unit that needs no fraction: `1500ms`, `2s`, `250us`.
pub fn format(d: Duration) -> String {
    let ns = d.as_nanos();
    if ns == 0 {
        return "0s".into();
    }
    for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if ns.is_multiple_of(size) {
            return format!("{}{unit}", ns / size);
        }
    }
    format!("{ns}ns")
}

/// Reads what [`format`] wrote; files are read by the root package, which says more on errors.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let size = match unit {
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    Some(Duration::from_nanos(number.checked_mul(size)?))
}

/// Serialises as [`format`] writes.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&format(*d))
}

/// Deserialises what [`serialize`] wrote.
///
/// # Errors
/// Text that is not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(d)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a duration")))
}

/// The same for `Option<Duration>`.
pub mod option {
    use super::*;

    /// Serialises `None` as null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => s.serialize_some(&super::format(*d)),
            None => s.serialize_none(),
        }
    }

    /// Deserialises what [`serialize`] wrote.
    ///
    /// # Errors
    /// Text that is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(d)?;
        text.map(|t| {
            super::parse(&t).ok_or_else(|| D::Error::custom(format!("`{t}` is not a duration")))
        })
        .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for ns in [0, 1, 999, 1_000, 1_500_000, 20_000_000, 90_000_000_000] {
            let d = Duration::from_nanos(ns);
            assert_eq!(parse(&format(d)), Some(d), "{ns}");
        }
        assert_eq!(parse("10"), None);
        assert_eq!(parse("ms"), None);
        assert_eq!(parse("99999999999999999999s"), None);
    }
}
