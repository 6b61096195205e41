//! The text format of Prometheus (0.0.4) and OpenMetrics (1.0), as far as values go.
//!
//! Owns what of a page becomes samples, within a bound. Comments, types, times and exemplars are read
//! over. Who wrote the page is not trusted. Source: prometheus.io/docs/instrumenting/exposition_formats.

use super::metric_named;
use netlab_protocol::control::Sample;
use std::collections::BTreeSet;

/// Longest name in bytes.
const MAX_NAME: usize = 200;
/// Longest text of labels in bytes.
const MAX_LABELS: usize = 1000;

/// What a page says.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// Its values, labels as `key=value` joined by `,`.
    pub samples: Vec<Sample>,
    /// Values left out: too many, too long, no finite number, said twice, or with a name of netlab's own.
    pub dropped: u64,
}

/// Reads a page, of which at most `most` values are taken.
///
/// # Errors
/// The first line that is none of the format: then nothing of the page is believed.
pub fn read_page(text: &str, most: usize) -> Result<Page, String> {
    let mut page = Page::default();
    let mut known = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let sample = sample(line).ok_or_else(|| format!("line {} is no sample", at + 1))?;
        let fits = sample.value.is_finite()
            && sample.metric.len() <= MAX_NAME
            && sample.labels.len() <= MAX_LABELS
            && metric_named(&sample.metric).is_none();
        let id = (sample.metric.clone(), sample.labels.clone());
        if fits && page.samples.len() < most && known.insert(id) {
            page.samples.push(sample);
        } else {
            page.dropped += 1;
        }
    }
    Ok(page)
}

/// `name{key="value",…} number [time] [# exemplar]`
fn sample(line: &str) -> Option<Sample> {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = line.find(|c| !name(c))?;
    let (metric, rest) = line.split_at(end);
    if metric.is_empty() || metric.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => labels(inner)?,
        None => (String::new(), rest),
    };
    let rest = rest.split_once(" # ").map_or(rest, |(value, _)| value);
    let mut words = rest.split_whitespace();
    let value = words.next()?.parse().ok()?;
    let time = words.next().is_none_or(|time| time.parse::<f64>().is_ok());
    (time && words.next().is_none()).then(|| Sample {
        metric: metric.to_owned(),
        labels,
        value,
    })
}

/// Labels behind the opening brace, and what follows the closing one.
fn labels(mut rest: &str) -> Option<(String, &str)> {
    let mut all = String::new();
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((all, behind));
        }
        let (key, behind) = rest.split_once('=')?;
        let key = key.trim();
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if key.is_empty() || !key.bytes().all(word) {
            return None;
        }
        let (value, behind) = quoted(behind.trim_start())?;
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(key);
        all.push('=');
        all.push_str(&value);
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// A text in quotes, and what follows. What would break a row of a record becomes `_`.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        let c = match c {
            '"' => return Some((value, &inner[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            },
            c => c,
        };
        value.push(match c {
            ',' | '=' | '"' => '_',
            c if c.is_control() => '_',
            c => c,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<(String, String, f64)> {
        let page = read_page(text, 100).unwrap();
        let row = |s: Sample| (s.metric, s.labels, s.value);
        page.samples.into_iter().map(row).collect()
    }

    fn row(metric: &str, labels: &str, value: f64) -> (String, String, f64) {
        (metric.into(), labels.into(), value)
    }

    /// The example of the format's own page, and what OpenMetrics adds.
    #[test]
    fn what_the_formats_allow_is_read() {
        let text = r#"
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
http_request_duration_seconds_bucket{le="0.05",} 24054 # {trace_id="a b"} 0.02 1.5
# EOF
"#;
        let read = rows(text);
        assert_eq!(
            read,
            [
                row("http_requests_total", "method=post,code=200", 1027.0),
                row("http_requests_total", "method=post,code=400", 3.0),
                row(
                    "msdos_file_access_time_seconds",
                    "path=C:\\DIR\\FILE.TXT,error=Cannot find file:__FILE.TXT_",
                    1.458255915e9
                ),
                row("metric_without_timestamp_and_labels", "", 12.47),
                row("http_request_duration_seconds_bucket", "le=0.05", 24054.0),
            ]
        );
        assert_eq!(
            read_page(text, 100).unwrap().dropped,
            1,
            "infinity is no value"
        );
    }

    /// A page as exporters send it to who asks for OpenMetrics: units, histograms with exemplars, a
    /// summary, times with fractions, an info, a state set, and its end.
    #[test]
    fn a_page_of_openmetrics_is_read() {
        let text = r#"# TYPE rpc_seconds histogram
# UNIT rpc_seconds seconds
# HELP rpc_seconds With "quotes", a \\ and a # in it.
rpc_seconds_bucket{le="0.1"} 8 # {} 0.04
rpc_seconds_bucket{le="+Inf"} 11 # {trace_id="KOO5S4vxi0o",a="} # {"} 0.67 1520879607.789
rpc_seconds_count 11
rpc_seconds_sum 3.245e-1
rpc_seconds_created 1605281325.25
# TYPE wait summary
wait{quantile="0.5",path="a{b} # c"} 4.2 1520879607.789
wait{quantile="0.99"} NaN
wait_count 7
# TYPE build info
build_info{version="1.2",text="\"a\\b\""} 1
# TYPE state stateset
state{state="on"} 1
state{state="off"} 0
low -Inf
# EOF
"#;
        let page = read_page(text, 100).unwrap();
        assert_eq!(page.dropped, 2, "what is no number: NaN, and infinity");
        assert_eq!(
            rows(text),
            [
                row("rpc_seconds_bucket", "le=0.1", 8.0),
                row("rpc_seconds_bucket", "le=+Inf", 11.0),
                row("rpc_seconds_count", "", 11.0),
                row("rpc_seconds_sum", "", 0.3245),
                row("rpc_seconds_created", "", 1605281325.25),
                row("wait", "quantile=0.5,path=a{b} # c", 4.2),
                row("wait_count", "", 7.0),
                row("build_info", "version=1.2,text=_a\\b_", 1.0),
                row("state", "state=on", 1.0),
                row("state", "state=off", 0.0),
            ]
        );
    }

    #[test]
    fn what_is_none_of_the_format_is_refused_with_its_line() {
        for line in [
            "<html>",
            "1up 3",
            "up",
            "up x",
            "up 1 2 3",
            "up{a=b} 1",
            "up{a=\"b} 1",
            "up{a=\"b\" c=\"d\"} 1",
            "up{=\"b\"} 1",
            "up{a=\"\\x\"} 1",
            "{} 1",
        ] {
            let error = read_page(&format!("ok 1\n{line}\n"), 100).unwrap_err();
            assert_eq!(error, "line 2 is no sample", "{line}");
        }
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let many: String = (0..50).map(|n| format!("a{n} 1\n")).collect();
        let page = read_page(&many, 10).unwrap();
        assert_eq!((page.samples.len(), page.dropped), (10, 40));
        let long = format!(
            "a{{x=\"{}\"}} 1\nb 1\nb 2\nrestarts_total 7\nc NaN\n",
            "y".repeat(2000)
        );
        let page = read_page(&long, 10).unwrap();
        assert_eq!((page.samples.len(), page.dropped), (1, 4));
    }

    proptest! {
        /// No bytes make it panic, and what it takes can stand in a row.
        #[test]
        fn junk_does_no_harm(text in "[a-z{}\"=,\\\\\n 0-9#+.\u{e4}]{0,200}") {
            if let Ok(page) = read_page(&text, 20) {
                for sample in page.samples {
                    prop_assert!(sample.value.is_finite());
                    prop_assert!(!sample.labels.contains(['"', '\n']));
                }
            }
        }
    }
}
