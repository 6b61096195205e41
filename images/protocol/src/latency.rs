//! Latency buckets: log-linear in microseconds, 32 steps per octave, so at most 3.2 % wide.
//!
//! The layout is that of an HDR histogram with five bits of precision (hdrhistogram.org): values
//! below 64 µs are exact, above them a bucket covers 1/32 of its octave.

use serde::{Deserialize, Serialize};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A read that went to another node.
    Read,
    /// A write that went to another node.
    Write,
    /// A read that a peer answered from its own keys.
    LocalRead,
    /// A write that a peer made to its own keys.
    LocalWrite,
}

/// How a request ended. Exactly one per intended request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered with success (HTTP 2xx).
    Ok,
    /// Answered: there is no such key (404). An answer, not a failure.
    Missing,
    /// Answered: the queue is full (503).
    Busy,
    /// No answer within the timeout, counted from the intended time.
    Timeout,
    /// The connection was refused.
    Refused,
    /// The connection was reset or closed before the answer was complete.
    Reset,
    /// The network said that there is no way (ICMP unreachable, no route).
    Unreachable,
    /// The name did not resolve.
    Unresolved,
    /// Answered, but not with what was meant: the body does not fit its digest.
    Corrupt,
    /// Any other answer or failure.
    Error,
    /// Never sent: the open loop was at its cap of requests in flight.
    Dropped,
}

impl Op {
    /// All, in the order of the file format.
    pub const ALL: [Op; 4] = [Op::Read, Op::Write, Op::LocalRead, Op::LocalWrite];

    /// The word used in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Read => "read",
            Op::Write => "write",
            Op::LocalRead => "local-read",
            Op::LocalWrite => "local-write",
        }
    }
}

impl Outcome {
    /// All, in the order of the file format.
    pub const ALL: [Outcome; 11] = [
        Outcome::Ok,
        Outcome::Missing,
        Outcome::Busy,
        Outcome::Timeout,
        Outcome::Refused,
        Outcome::Reset,
        Outcome::Unreachable,
        Outcome::Unresolved,
        Outcome::Corrupt,
        Outcome::Error,
        Outcome::Dropped,
    ];

    /// The word used in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Missing => "missing",
            Outcome::Busy => "busy",
            Outcome::Timeout => "timeout",
            Outcome::Refused => "refused",
            Outcome::Reset => "reset",
            Outcome::Unreachable => "unreachable",
            Outcome::Unresolved => "unresolved",
            Outcome::Corrupt => "corrupt",
            Outcome::Error => "error",
            Outcome::Dropped => "dropped",
        }
    }

    /// Whether the service answered as it should: `ok` and `missing`.
    pub fn is_success(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Missing)
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Length of a slot of the *intended* time, in nanoseconds.
pub const SLOT_NS: u64 = 100_000_000;

/// `count` requests whose latency was at most `le_us` (and above the bucket below it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyCount {
    /// 100 ms slot of the intended time since the run's go.
    pub slot: u32,
    /// What was asked.
    pub op: Op,
    /// How it ended.
    pub outcome: Outcome,
    /// Upper edge of the bucket in microseconds, from the intended time; 0 for `dropped`.
    pub le_us: u64,
    /// How many; rows with equal keys add up.
    pub count: u32,
}

/// The upper edge, in microseconds, of the bucket that holds `us`.
pub fn bucket(us: u64) -> u64 {
    const BITS: u32 = 5;
    if us < 1 << (BITS + 1) {
        return us;
    }
    let shift = 63 - us.leading_zeros() - BITS;
    (((us >> shift) + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_value_within_an_octaves_32nd() {
        for us in (0..100_000).chain((0..50).map(|i| 1_u64 << i)) {
            let edge = bucket(us);
            assert!(edge >= us, "{us}: {edge}");
            assert!(edge - us <= us / 32, "{us}: {edge}");
            assert_eq!(bucket(edge), edge, "an edge is in its own bucket");
        }
    }

    #[test]
    fn words_are_those_of_serde() {
        for outcome in Outcome::ALL {
            assert_eq!(
                serde_json::to_string(&outcome).unwrap(),
                format!("\"{outcome}\"")
            );
        }
        for op in Op::ALL {
            assert_eq!(serde_json::to_string(&op).unwrap(), format!("\"{op}\""));
        }
    }
}
