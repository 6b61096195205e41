//! Names and indices: what a lab, a node and a fault may be called.
//!
//! Owns the one rule for names. Must not know anything else.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A node's place in [`crate::lab::Lab::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// As an index into a slice.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// A network's place in [`crate::lab::Lab::networks`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NetworkIndex(pub u32);

impl NetworkIndex {
    /// As an index into a slice.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// A name of a lab, network or node: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`, a DNS label (RFC 1123, §2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 63 of a-z, 0-9 and -, and begins and ends with a letter or digit")]
pub struct NameError;

impl Name {
    /// Checks `text` against the rule.
    ///
    /// # Errors
    /// The rule, when `text` breaks it.
    pub fn new(text: impl Into<String>) -> Result<Name, NameError> {
        let text = text.into();
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let fits = (1..=63).contains(&bytes.len())
            && bytes.iter().all(|&b| inner(b) || b == b'-')
            && bytes.first().copied().is_some_and(inner)
            && bytes.last().copied().is_some_and(inner);
        if fits { Ok(Name(text)) } else { Err(NameError) }
    }

    /// The name of a lab's network where the file names none: `lab`.
    pub fn implicit_network() -> Name {
        Name("lab".to_owned())
    }

    /// The name of the node that stands for the engine's host: `host`.
    pub fn host() -> Name {
        Name("host".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Name, NameError> {
        Name::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A fault's name, with the number of the occurrence where it is not the first: `slow #2`.
pub fn occurrence_label(fault: &str, occurrence: u32) -> String {
    match occurrence {
        0 | 1 => fault.to_owned(),
        later => format!("{fault} #{later}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        for good in ["a", "7", "client-1", "a--b", &"a".repeat(63)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"a".repeat(64)] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }
}
