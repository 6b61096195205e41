//! Lists for people and for programs.

use crate::report::Palette;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    #[default]
    Table,
    /// One JSON array.
    Json,
    /// Comma-separated values under a line of names (RFC 4180).
    Csv,
}

/// `rows` in this format; `cells` are those under `heads` of the table.
pub fn list<T: Serialize>(
    format: Format,
    rows: &[T],
    heads: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
    palette: Palette,
) -> String {
    match format {
        Format::Json => json(&rows),
        Format::Csv => csv(rows),
        Format::Table => {
            let rows: Vec<_> = rows.iter().map(cells).collect();
            table(heads, &rows, palette)
        }
    }
}

/// The fields of `rows`, those of inner maps as `outer.inner`; a field that a row lacks is empty.
pub fn csv<T: Serialize>(rows: &[T]) -> String {
    Looks::default().csv(rows)
}

/// Lists for programs, one look after the other: each row with the time of its look.
#[derive(Default)]
pub struct Looks {
    head: Vec<String>,
}

/// A row, and when it was so.
#[derive(Serialize)]
struct Timed<'a, T> {
    time: &'a str,
    #[serde(flatten)]
    row: &'a T,
}

impl Looks {
    /// Each row of the look made now: as CSV a line under a head that comes again only when it is another,
    /// else as a JSON object on a line of its own.
    pub fn lines<T: Serialize>(&mut self, format: Format, rows: &[T]) -> String {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let timed = rows.iter().map(|row| Timed { time: &time, row });
        match format {
            Format::Csv => self.csv(&timed.collect::<Vec<_>>()),
            _ => timed.map(|row| json_line(&row)).collect(),
        }
    }

    fn csv<T: Serialize>(&mut self, rows: &[T]) -> String {
        let mut names: Vec<String> = Vec::new();
        let mut lines = Vec::new();
        for row in rows {
            let mut line = BTreeMap::new();
            let row = serde_json::to_value(row).unwrap_or_default();
            flatten("", &row, &mut |name, text| {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
                line.insert(name.to_owned(), text);
            });
            lines.push(line);
        }
        let mut out = String::new();
        if !rows.is_empty() && names != self.head {
            out = names.join(",") + "\n";
            self.head = names;
        }
        for line in lines {
            let cell = |name| line.get(name).map_or_else(String::new, |text| cell(text));
            out.push_str(&self.head.iter().map(cell).collect::<Vec<_>>().join(","));
            out.push('\n');
        }
        out
    }
}

/// A field of a CSV line.
fn cell(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn flatten(name: &str, value: &Value, tell: &mut impl FnMut(&str, String)) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = match name {
                    "" => field.clone(),
                    outer => format!("{outer}.{field}"),
                };
                flatten(&name, value, tell);
            }
        }
        Value::Array(all) => {
            let text = |value: &Value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            };
            tell(name, all.iter().map(text).collect::<Vec<_>>().join(" "));
        }
        Value::Null => tell(name, String::new()),
        Value::String(text) => tell(name, text.clone()),
        other => tell(name, other.to_string()),
    }
}

/// A JSON text with its newline.
pub fn json(value: &impl Serialize) -> String {
    written(serde_json::to_string_pretty(value))
}

/// A JSON text on one line, with its newline.
fn json_line(value: &impl Serialize) -> String {
    written(serde_json::to_string(value))
}

fn written(json: serde_json::Result<String>) -> String {
    match json {
        Ok(text) => text + "\n",
        // Only maps with keys that are no text fail, and there are none.
        Err(error) => format!("{{\"error\":\"{error}\"}}\n"),
    }
}

/// Aligned columns under a quiet heading; the last column is not padded.
pub fn table(heads: &[&str], rows: &[Vec<String>], palette: Palette) -> String {
    let columns = |text: &str| text.chars().count();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let widest = cells.map(|cell| columns(cell)).max().unwrap_or(0);
        widest.max(columns(heads[at]))
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - columns(cell) + 2));
        }
        line.trim_end().to_owned()
    };
    let mut out = palette.quiet(&line(&mut heads.iter().copied())) + "\n";
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
        out.push('\n');
    }
    out
}

/// How long ago, in one unit: `40 s`, `12 min`, `3 h`, `2 d`.
pub fn age(seconds: i64) -> String {
    match seconds {
        i64::MIN..120 => format!("{} s", seconds.max(0)),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A size that is counted, as [`size`].
pub fn counted_size(bytes: u64) -> String {
    size(i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// Bytes in the unit that keeps the number short.
pub fn size(bytes: i64) -> String {
    match bytes {
        i64::MIN..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["a".into(), "1".into()],
            vec!["long".into(), "2".into()],
        ];
        assert_eq!(
            table(&["LAB", "N"], &rows, Palette::PLAIN),
            "LAB   N\na     1\nlong  2\n"
        );
    }

    #[test]
    fn csv_quotes_what_it_must() {
        let rows = [
            serde_json::json!({ "a": "x,\"y\"", "b": { "c": 1, "d": ["p", "q"] } }),
            serde_json::json!({ "a": null, "e": true }),
        ];
        assert_eq!(csv(&rows), "a,b.c,b.d,e\n\"x,\"\"y\"\"\",1,p q,\n,,,true\n");
    }

    #[test]
    fn looks_have_one_head_and_the_time_of_each_row() {
        let row = |a: u8| serde_json::json!({ "a": a });
        let mut looks = Looks::default();
        assert_eq!(looks.lines::<u8>(Format::Csv, &[]), "");
        let first = looks.lines(Format::Csv, &[row(1), row(2)]);
        let second = looks.lines(Format::Csv, &[row(3)]);
        let other = looks.lines(Format::Csv, &[serde_json::json!({ "b": 4 })]);
        let heads = |text: &str| text.lines().filter(|line| line.contains("time")).count();
        assert_eq!([&first, &second, &other].map(|text| heads(text)), [1, 0, 1]);
        assert_eq!(
            [&first, &second, &other].map(|text| text.lines().count()),
            [3, 1, 2]
        );
        let line = looks.lines(Format::Json, &[row(5)]);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((value["a"].as_u64(), line.lines().count()), (Some(5), 1));
        assert!(humantime::parse_rfc3339(value["time"].as_str().unwrap()).is_ok());
    }

    #[test]
    fn ages() {
        assert_eq!(age(-3), "0 s");
        assert_eq!(age(119), "119 s");
        assert_eq!(age(120), "2 min");
        assert_eq!(age(90_000), "25 h");
    }
}
