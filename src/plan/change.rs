//! What differs between a lab that is up and its file, for people.

use crate::id::NodeIndex;
use crate::lab::Lab;
use std::fmt;

/// Names that one line shows.
const SHOWN: usize = 5;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How it is brought about.
    pub kind: ChangeKind,
    /// What it is about: `link client-1 -> server`, `client-1 … client-20`.
    pub what: String,
    /// From what to what, or why: `delay 10ms → 80ms`.
    pub cause: String,
}

/// How a difference is brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// By the agent, while everything goes on.
    Live,
    /// By new containers.
    Create,
    /// By new containers instead of old ones.
    Recreate,
    /// By starting what is there.
    Start,
    /// By removing containers.
    Remove,
}

impl ChangeKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            ChangeKind::Live => "live",
            ChangeKind::Create => "create",
            ChangeKind::Recreate => "recreate",
            ChangeKind::Start => "start",
            ChangeKind::Remove => "remove",
        }
    }
}

impl fmt::Display for Change {
    /// `live      link client-1 -> server: delay 10ms → 80ms`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { kind, what, cause } = self;
        write!(f, "{:<9} {what}: {cause}", kind.word())
    }
}

/// The nodes that two labs have in common, by name.
pub(super) struct Common {
    /// For each node after: its place before, when it stays.
    pub was: Vec<Option<NodeIndex>>,
    /// For each node before: its place after, when it stays.
    pub becomes: Vec<Option<NodeIndex>>,
}

impl Common {
    /// Nodes of both labs that `stays` accepts, by their places before.
    pub fn new(before: &Lab, after: &Lab, stays: impl Fn(&str) -> bool) -> Common {
        let names = before.nodes.iter().zip(0..);
        let before_by_name: std::collections::BTreeMap<&str, u32> =
            names.map(|(node, at)| (node.name.as_str(), at)).collect();
        let mut common = Common {
            was: vec![None; after.nodes.len()],
            becomes: vec![None; before.nodes.len()],
        };
        for (node, at) in after.nodes.iter().zip(0..) {
            let found = before_by_name.get(node.name.as_str());
            if let Some(&old) = found.filter(|_| stays(node.name.as_str())) {
                common.was[at as usize] = Some(NodeIndex(old));
                common.becomes[old as usize] = Some(NodeIndex(at));
            }
        }
        common
    }

    /// Places before and after of what stays.
    pub fn pairs(&self) -> impl Iterator<Item = (NodeIndex, NodeIndex)> + '_ {
        let all = self.was.iter().zip(0..);
        all.filter_map(|(was, at)| Some(((*was)?, NodeIndex(at))))
    }
}

/// `server, client-1 … client-20`; a row of replicas is drawn together.
pub(super) fn row(names: &[&str]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = names;
    while let Some(first) = rest.first() {
        let run = 1 + rest
            .windows(2)
            .take_while(|two| follows(two[0], two[1]))
            .count();
        let run = if run < 3 { 1 } else { run };
        parts.push(match run {
            1 => (*first).to_owned(),
            _ => format!("{first} … {}", rest[run - 1]),
        });
        rest = &rest[run..];
    }
    shown(parts)
}

fn follows(one: &str, next: &str) -> bool {
    let number = |name: &str| {
        let (stem, number) = name.rsplit_once('-')?;
        Some((stem.to_owned(), number.parse::<u32>().ok()?))
    };
    match (number(one), number(next)) {
        (Some((stem, n)), Some((other, m))) => stem == other && n.checked_add(1) == Some(m),
        _ => false,
    }
}

/// The first few, and how many more there are.
pub(super) fn shown(mut parts: Vec<String>) -> String {
    if parts.len() > SHOWN + 1 {
        let more = parts.len() - SHOWN;
        parts.truncate(SHOWN);
        return format!("{} and {more} more", parts.join(", "));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_names() {
        assert_eq!(row(&["server"]), "server");
        assert_eq!(row(&["a-1", "a-2"]), "a-1, a-2");
        let names = ["server", "c-9", "c-10", "c-11", "d-1", "c-13"];
        assert_eq!(row(&names), "server, c-9 … c-11, d-1, c-13");
        let many = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(row(&many), "a, b, c, d, e and 2 more");
    }
}
