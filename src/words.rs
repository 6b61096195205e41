//! Words and their nearest neighbours, for help in messages.

/// The word of `known` that is nearest to `word`, when it is near enough to be a slip.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(64).flat_map(char::to_lowercase).collect();
    let limit = word.len() / 3;
    let number = trailing_number(&word);
    known
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, candidate)| {
            let other: Vec<char> = candidate.chars().collect();
            (*far, trailing_number(&other).abs_diff(number))
        })
        .map(|(_, candidate)| candidate)
}

/// The number that a word ends with: of `db1` and `db2`, `db3` is nearer to the latter.
fn trailing_number(word: &[char]) -> u32 {
    let digits = word.iter().rev().map_while(|c| c.to_digit(10)).take(9);
    digits
        .zip(0..)
        .map(|(digit, place)| digit * 10_u32.pow(place))
        .sum()
}

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// `a, b, c`, cut after ten with the number of the others.
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let shown = words.len().min(10);
    let mut out = words[..shown].join(", ");
    if words.len() > shown {
        out.push_str(&format!(" and {} more", words.len() - shown));
    }
    out
}

/// `the roles are a, b; did you mean `a`?`
pub fn known<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = nearest(word, known.clone());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("the {what} are {}{near}", list(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["delay", "jitter", "loss", "rate"];
        assert_eq!(nearest("dealy", known), Some("delay"));
        assert_eq!(nearest("Loss", known), Some("loss"));
        assert_eq!(nearest("jiter", known), Some("jitter"));
        assert_eq!(nearest("bandwidth", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("as", ["at"]), None);
        assert_eq!(nearest("db3", ["db1", "db2"]), Some("db2"));
        assert_eq!(
            nearest("client-9", ["client-1", "client-5"]),
            Some("client-5")
        );
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(["a", "b"]), "a, b");
        assert_eq!(list(["x"; 13]).matches('x').count(), 10);
        assert!(list(["x"; 13]).ends_with("and 3 more"));
    }
}
