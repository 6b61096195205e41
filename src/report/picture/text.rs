//! Text in pictures: how wide it is, how it is shortened, and how it is escaped.

/// Width of text of one pixel's size, in pixels, estimated for a common sans-serif font; a little more
/// than it takes, so that nothing is cut off.
pub(in crate::report) fn width(text: &str, size: f64) -> f64 {
    let wide = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.33,
        'f' | 't' | 'r' | ' ' | '-' | '(' | ')' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' => 0.95,
        'A'..='Z' => 0.72,
        c if c.is_ascii() => 0.62,
        _ => 1.0,
    };
    text.chars().map(wide).sum::<f64>() * size
}

/// At most `most` characters; of a longer text the middle is left out, since both ends tell.
pub(in crate::report) fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most / 3;
    let head: String = text.chars().take(most - tail - 1).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{head}…{end}")
}

/// For XML text and attributes; control characters, which XML forbids, become a replacement sign.
pub(in crate::report) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Lines of at most `most` pixels, broken between words.
pub(super) fn wrapped(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or("", String::as_str);
        let next = match line.is_empty() {
            true => word.to_owned(),
            false => format!("{line} {word}"),
        };
        if width(&next, size) <= most || line.is_empty() {
            lines.pop();
            lines.push(next);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_harmless_and_short() {
        assert_eq!(
            xml("<a b=\"'\">&\u{1}"),
            "&lt;a b=&quot;&#39;&quot;&gt;&amp;\u{fffd}"
        );
        assert_eq!(shortened("abcdefghij", 7), "abcd…ij");
        assert_eq!(shortened("abc", 7), "abc");
        assert_eq!(wrapped("aa bb cc", 10.0, 40.0), ["aa bb", "cc"]);
    }
}
