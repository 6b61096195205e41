//! How numbers are written for people.

/// Written where there is no value.
pub const NONE: &str = "–";

/// A share in percent with one digit; `100.0 %` only when it is all, `0.0 %` only when it is none.
pub fn share(part: u64, of: u64) -> String {
    if of == 0 {
        return NONE.to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(of);
    if tenths == 0 && part > 0 {
        return "<0.1 %".to_owned();
    }
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A latency in microseconds with three digits that mean something.
pub fn latency(us: Option<u64>) -> String {
    match us {
        None => NONE.to_owned(),
        Some(us) if us < 1_000 => format!("{us} µs"),
        Some(us) if us < 100_000 => format!("{:.1} ms", us as f64 / 1e3),
        Some(us) if us < 1_000_000 => format!("{} ms", us / 1_000),
        Some(us) => format!("{:.2} s", us as f64 / 1e6),
    }
}

/// A point of scenario time, from nanoseconds.
pub fn instant(ns: i64) -> String {
    format!("{:.2} s", ns as f64 / 1e9)
}

/// A short length of time, from nanoseconds.
pub fn length(ns: i64) -> String {
    match ns {
        ns if ns < 10_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        ns if ns < 1_000_000_000 => format!("{:.0} ms", ns as f64 / 1e6),
        ns => format!("{:.2} s", ns as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_to_all_or_none() {
        assert_eq!(share(9_999, 10_000), "99.9 %");
        assert_eq!(share(10_000, 10_000), "100.0 %");
        assert_eq!(share(1, 10_000), "<0.1 %");
        assert_eq!(share(0, 10), "0.0 %");
        assert_eq!(share(0, 0), NONE);
    }

    #[test]
    fn latencies() {
        assert_eq!(latency(Some(950)), "950 µs");
        assert_eq!(latency(Some(12_095)), "12.1 ms");
        assert_eq!(latency(Some(999_423)), "999 ms");
        assert_eq!(latency(Some(1_003_519)), "1.00 s");
        assert_eq!(latency(None), NONE);
    }

    #[test]
    fn times() {
        assert_eq!(instant(10_004_000_000), "10.00 s");
        assert_eq!(length(38_200_000), "38 ms");
        assert_eq!(length(1_900_000), "1.9 ms");
        assert_eq!(length(1_412_000_000), "1.41 s");
    }
}
