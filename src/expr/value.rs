//! Kinds of values of the check language and how they are written.

use netlab_protocol::duration;
use std::time::Duration;

/// Kind of a value: only like is compared with like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Share of a whole; more than the whole is possible (a spent budget).
    Ratio,
    /// Length of time.
    Duration,
    /// A count, or another number without unit.
    Number,
    /// Events per second.
    Rate,
    /// Bytes.
    Bytes,
    /// Bits per second.
    BitRate,
}

impl Type {
    /// All.
    pub const ALL: [Type; 6] = [
        Type::Ratio,
        Type::Duration,
        Type::Number,
        Type::Rate,
        Type::Bytes,
        Type::BitRate,
    ];

    /// Its word, without an article.
    pub fn word(self) -> &'static str {
        match self {
            Type::Ratio => "ratio",
            Type::Duration => "duration",
            Type::Number => "number",
            Type::Rate => "rate",
            Type::Bytes => "size",
            Type::BitRate => "bit rate",
        }
    }

    /// How one is written.
    pub fn example(self) -> &'static str {
        match self {
            Type::Ratio => "99.9%",
            Type::Duration => "20ms",
            Type::Number => "5",
            Type::Rate => "50/s",
            Type::Bytes => "64KiB",
            Type::BitRate => "10mbit",
        }
    }
}

/// A value with its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// Its kind.
    pub kind: Type,
    /// How much: a share of 1, seconds, a number, per second, bytes, bits per second.
    pub amount: f64,
}

/// Units by kind, each with how much of the kind's own unit it is.
const UNITS: &[(&str, Type, f64)] = &[
    ("", Type::Number, 1.0),
    ("%", Type::Ratio, 0.01),
    ("h", Type::Duration, 3600.0),
    ("min", Type::Duration, 60.0),
    ("m", Type::Duration, 60.0),
    ("s", Type::Duration, 1.0),
    ("ms", Type::Duration, 1e-3),
    ("us", Type::Duration, 1e-6),
    ("µs", Type::Duration, 1e-6),
    ("ns", Type::Duration, 1e-9),
    ("/s", Type::Rate, 1.0),
    ("/min", Type::Rate, 1.0 / 60.0),
    ("/h", Type::Rate, 1.0 / 3600.0),
    ("GiB", Type::Bytes, 1_073_741_824.0),
    ("MiB", Type::Bytes, 1_048_576.0),
    ("KiB", Type::Bytes, 1024.0),
    ("GB", Type::Bytes, 1e9),
    ("MB", Type::Bytes, 1e6),
    ("kB", Type::Bytes, 1e3),
    ("B", Type::Bytes, 1.0),
    ("tbit", Type::BitRate, 1e12),
    ("gbit", Type::BitRate, 1e9),
    ("mbit", Type::BitRate, 1e6),
    ("kbit", Type::BitRate, 1e3),
    ("bit", Type::BitRate, 1.0),
];

/// Whether a word behind a number is its unit.
pub fn is_unit(word: &str) -> bool {
    !word.is_empty() && UNITS.iter().any(|(name, ..)| *name == word)
}

impl Quantity {
    /// A value of a kind.
    pub fn new(kind: Type, amount: f64) -> Quantity {
        Quantity { kind, amount }
    }

    /// Reads a number and its unit; none when either is not understood.
    pub fn parse(number: &str, unit: &str) -> Option<Quantity> {
        let &(_, kind, size) = UNITS.iter().find(|(name, ..)| *name == unit)?;
        let number: f64 = number.parse().ok()?;
        // 95 × 0.01 is not 0.95, 95 / 100 is.
        let amount = if kind == Type::Ratio {
            number / 100.0
        } else {
            number * size
        };
        amount.is_finite().then_some(Quantity { kind, amount })
    }
}

impl std::fmt::Display for Quantity {
    /// As a check has it, rounded to three significant digits but for whole numbers; what is not
    /// all or nothing is never rounded to it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let amount = self.amount;
        let text = match self.kind {
            Type::Ratio => format!("{}%", share(amount * 100.0)),
            Type::Number => number(amount),
            Type::Rate => format!("{}/s", significant(amount)),
            Type::Duration => time(amount),
            Type::Bytes => scaled(amount, &["B", "kB", "MB", "GB"]),
            Type::BitRate => scaled(amount, &["bit", "kbit", "mbit", "gbit"]),
        };
        f.write_str(&text)
    }
}

fn share(percent: f64) -> String {
    let near = if percent > 50.0 {
        (percent - 100.0).abs()
    } else {
        percent.abs()
    };
    // As many digits as it takes to tell it from none and from all.
    let digits = (2..=9).find(|d| near == 0.0 || near >= 10_f64.powi(-d));
    trimmed(&format!("{percent:.*}", digits.unwrap_or(9) as usize))
}

fn number(amount: f64) -> String {
    if amount.fract() == 0.0 && amount.abs() < 1e15 {
        return format!("{amount}");
    }
    significant(amount)
}

fn significant(amount: f64) -> String {
    let magnitude = amount.abs().max(1e-9).log10().floor() as i32;
    let digits = (2 - magnitude).clamp(0, 9) as usize;
    trimmed(&format!("{amount:.digits$}"))
}

fn time(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0s".to_owned();
    }
    match seconds.abs() {
        s if s < 1e-3 => format!("{}us", significant(seconds * 1e6)),
        s if s < 1.0 => format!("{}ms", significant(seconds * 1e3)),
        s if s < 600.0 => format!("{}s", significant(seconds)),
        s => duration::format(Duration::from_secs(s.round() as u64)),
    }
}

fn scaled(amount: f64, units: &[&str]) -> String {
    let steps = (amount.abs().max(1.0).log10() / 3.0).floor() as usize;
    let steps = steps.min(units.len() - 1);
    let value = amount / 1000_f64.powi(steps as i32);
    format!("{}{}", significant(value), units[steps])
}

fn trimmed(text: &str) -> String {
    if !text.contains('.') {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: Type, amount: f64) -> String {
        Quantity::new(kind, amount).to_string()
    }

    #[test]
    fn values_are_written_as_checks_have_them() {
        for (kind, amount, text) in [
            (Type::Ratio, 0.0, "0%"),
            (Type::Ratio, 1.0, "100%"),
            (Type::Ratio, 0.999_999, "99.9999%"),
            (Type::Ratio, 0.000_004, "0.0004%"),
            (Type::Ratio, 0.714_285, "71.43%"),
            (Type::Ratio, 3.5, "350%"),
            (Type::Duration, 0.0, "0s"),
            (Type::Duration, 0.012_34, "12.3ms"),
            (Type::Duration, 1.414, "1.41s"),
            (Type::Duration, 0.000_05, "50us"),
            (Type::Number, 12_345.0, "12345"),
            (Type::Number, 2.4, "2.4"),
            (Type::Rate, 159.96, "160/s"),
            (Type::Bytes, 1_500.0, "1.5kB"),
            (Type::BitRate, 98_700_000.0, "98.7mbit"),
        ] {
            assert_eq!(shown(kind, amount), text);
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for kind in Type::ALL {
            let text = kind.example();
            let at = text.find(|c: char| !c.is_ascii_digit() && c != '.');
            let (number, unit) = text.split_at(at.unwrap_or(text.len()));
            let read = Quantity::parse(number, unit).unwrap();
            assert_eq!(read.kind, kind);
        }
        assert_eq!(Quantity::parse("95", "%").unwrap().amount, 0.95);
        assert_eq!(Quantity::parse("1", "parsec"), None);
    }
}
