//! How a node's program is told to misbehave, and what an answer must carry so that it is noticed.
//!
//! Owns the wire form of misbehaviour, the digest of a body, and the path at which anybody can see how
//! a node answers. Must not know what a role does with it.

use crate::duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Header with a key's version.
pub const VERSION: &str = "version";
/// Header with the [`digest`] of the body that is meant, in hexadecimal.
pub const DIGEST: &str = "netlab-digest";
/// Path of a key that was written twice and is in no store: its answer shows how a node answers.
pub const PROBE: &str = "/probe";
/// The probe's value after its last write, and the one before: the versions 2 and 1.
pub const PROBE_VALUES: [&str; 2] = ["the first value\n", "the value since\n"];

/// What is wrong with answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// A bit of the body is another one.
    Corrupt,
    /// They never come.
    Withhold,
    /// They come later.
    Slow,
    /// Reads get what the last write replaced.
    Stale,
}

impl How {
    /// All, in the order in which counts are told.
    pub const ALL: [How; 4] = [How::Corrupt, How::Withhold, How::Slow, How::Stale];

    /// The word used in topologies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Corrupt => "corrupt",
            How::Withhold => "withhold",
            How::Slow => "slow",
            How::Stale => "stale",
        }
    }
}

/// What a node does wrong with a share of the answers that it gives to others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Misbehaviour {
    /// What.
    pub how: How,
    /// Of how many of its answers, 0 to 1; drawn for each.
    pub share: f64,
    /// How much later they come; nothing unless [`How::Slow`].
    #[serde(with = "duration")]
    pub delay: Duration,
}

/// FNV-1a of 64 bits: finds what was changed by accident, not by malice.
pub fn digest(bytes: &[u8]) -> u64 {
    more(BASIS, bytes)
}

/// What [`digest`] of nothing is; [`more`] goes on from there.
pub const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// The digest of what `hash` is the digest of, followed by `bytes`.
pub fn more(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test values of the FNV authors (draft-eastlake-fnv, appendix C).
    #[test]
    fn the_digest_is_fnv_1a_and_can_be_taken_in_parts() {
        assert_eq!(digest(b""), BASIS);
        assert_eq!(digest(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(more(digest(b"foo"), b"bar"), digest(b"foobar"));
    }
}
