//! Where a program in a node tells its metrics: `http://:9100/metrics`.

use super::MetricKind;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A page of metrics in a node itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// TCP port.
    pub port: u16,
    /// Path, `/` at its begin.
    pub path: String,
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Endpoint, &'static str> {
        let rest = text
            .strip_prefix("http://")
            .ok_or("it is read over HTTP: `http://:9100/metrics`")?;
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/metrics"),
        };
        let (name, port) = host
            .split_once(':')
            .ok_or("say its port: `http://:9100/metrics`")?;
        if !matches!(name, "" | "localhost" | "127.0.0.1") {
            return Err("it is read inside the node itself: `http://:9100/metrics`");
        }
        let port: u16 = port.parse().unwrap_or(0);
        let plain = |b: u8| b.is_ascii_graphic();
        if port == 0 {
            return Err("a port is a number from 1 to 65535");
        }
        if path.len() > 200 || !path.bytes().all(plain) {
            return Err("a path is at most 200 printable ASCII characters without blanks");
        }
        Ok(Endpoint {
            port,
            path: path.to_owned(),
        })
    }
}

/// A metric as a check names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// Its unit.
    pub unit: &'static str,
    /// Whether it is one of netlab's own; a node's program tells it else.
    pub is_own: bool,
}

/// The metric of this name: one of the table, or, told by its name alone as Prometheus has it, one of
/// a node's program; none where that is no name.
pub fn named(name: &str) -> Option<Named> {
    if let Some(own) = super::metric_named(name) {
        return Some(Named {
            name: name.to_owned(),
            kind: own.kind,
            unit: own.unit,
            is_own: true,
        });
    }
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    if name.is_empty() || !name.bytes().all(word) || name.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    let counts = ["_total", "_count", "_sum", "_bucket"];
    let counter = counts.iter().find(|end| name.ends_with(**end));
    let stem = name.strip_suffix("_total").unwrap_or(name);
    let stem = stem.strip_suffix("_sum").unwrap_or(stem);
    let units = [
        ("_seconds", "seconds"),
        ("_bytes", "bytes"),
        ("_ratio", "ratio"),
    ];
    let unit = units.iter().find(|(end, _)| stem.ends_with(end));
    Some(Named {
        name: name.to_owned(),
        kind: match counter {
            Some(_) => MetricKind::Counter,
            None => MetricKind::Gauge,
        },
        unit: unit.map_or("1", |(_, unit)| unit),
        is_own: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_inside_the_node() {
        let read = |text: &str| text.parse::<Endpoint>().map(|e| (e.port, e.path));
        assert_eq!(read("http://:9100/metrics"), Ok((9100, "/metrics".into())));
        assert_eq!(read("http://localhost:1"), Ok((1, "/metrics".into())));
        for bad in [
            "https://:9100/metrics",
            ":9100",
            "http:///metrics",
            "http://example.org:80/metrics",
            "http://:0/",
            "http://:70000/",
            "http://:1/a b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_says_what_a_metric_is() {
        let told = |name| named(name).map(|n| (n.kind, n.unit, n.is_own));
        use MetricKind::{Counter, Gauge};
        assert_eq!(told("restarts_total"), Some((Counter, "1", true)));
        assert_eq!(
            told("process_cpu_seconds_total"),
            Some((Counter, "seconds", false))
        );
        assert_eq!(
            told("rpc_duration_seconds_sum"),
            Some((Counter, "seconds", false))
        );
        assert_eq!(
            told("go_memstats_alloc_bytes"),
            Some((Gauge, "bytes", false))
        );
        assert_eq!(
            told("rpc_duration_seconds_count"),
            Some((Counter, "1", false))
        );
        assert_eq!(told("redis up"), None);
        assert_eq!(told("9lives"), None);
    }
}
