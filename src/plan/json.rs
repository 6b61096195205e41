//! What differs between two JSON values, as short texts for people.

use serde_json::{Map, Value};

/// Longest text of one value, in characters.
const MAX_TEXT: usize = 60;

/// Every difference between `before` and `after`: `load.rate 20 → 40`, `faults.split is new`.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) if !is_other_variant(before, after) => {
            objects(path, before, after, found);
        }
        (Value::Null, Value::Object(_)) => found.push(format!("{path} is new")),
        (Value::Object(_), Value::Null) => found.push(format!("{path} is gone")),
        (Value::Array(before), Value::Array(after)) => arrays(path, before, after, found),
        _ => found.push(format!("{path} {} → {}", text(before), text(after))),
    }
}

/// Of an enum, as serde writes it: `{"open": …}` and `{"closed": …}`.
fn is_other_variant(before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
    let one = |map: &Map<String, Value>| match map.len() {
        1 => map.keys().next().cloned(),
        _ => None,
    };
    let variants = one(before).zip(one(after));
    variants.is_some_and(|(before, after)| before != after)
}

fn objects(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<String>,
) {
    let all = before
        .keys()
        .chain(after.keys().filter(|key| !before.contains_key(*key)));
    for key in all {
        let inner = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        let of = |map: &'_ Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        compare(&inner, &of(before), &of(after), found);
    }
}

fn arrays(path: &str, before: &[Value], after: &[Value], found: &mut Vec<String>) {
    let is_flat = |list: &[Value]| !list.iter().any(|v| v.is_object() || v.is_array());
    if is_flat(before) && is_flat(after) {
        let list = |list: &[Value]| {
            let words: Vec<String> = list.iter().map(text).collect();
            clip(&format!("[{}]", words.join(", ")))
        };
        found.push(format!("{path} {} → {}", list(before), list(after)));
    } else if before.len() == after.len() {
        for (at, (before, after)) in before.iter().zip(after).enumerate() {
            compare(&format!("{path}[{at}]"), before, after, found);
        }
    } else {
        found.push(format!("{path} {} → {} entries", before.len(), after.len()));
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => clip(text),
        Value::Object(variant) if variant.len() == 1 => {
            variant.keys().next().cloned().unwrap_or_default()
        }
        // 20.0 is 20 to people.
        Value::Number(number) => number
            .as_f64()
            .map_or(number.to_string(), |n| n.to_string()),
        other => clip(&other.to_string()),
    }
}

/// Without what a terminal would obey, and no longer than a line has room for.
fn clip(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '·' } else { c });
    let mut text: String = clean.take(MAX_TEXT + 1).collect();
    if text.chars().count() > MAX_TEXT {
        text = text.chars().take(MAX_TEXT - 1).chain(['…']).collect();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_difference_is_said_once() {
        let before = json!({
            "a": 20.0, "b": { "c": "10ms", "d": null }, "e": [1, 2], "same": { "x": 1 },
            "f": { "open": { "rate": 1 } }, "g": { "k": 1 }, "h": [{ "n": 1 }],
        });
        let after = json!({
            "a": 40.5, "b": { "c": "80ms", "d": { "y": 1 } }, "e": [1], "same": { "x": 1 },
            "f": { "closed": { "users": 1 } }, "h": [{ "n": 2 }], "i": "\u{1b}[2J",
        });
        let expected = [
            "a 20 → 40.5",
            "b.c 10ms → 80ms",
            "b.d is new",
            "e [1, 2] → [1]",
            "f open → closed",
            "g is gone",
            "h[0].n 1 → 2",
            "i none → ·[2J",
        ];
        assert_eq!(differences(&before, &after), expected);
        assert!(differences(&before, &before).is_empty());
    }
}
