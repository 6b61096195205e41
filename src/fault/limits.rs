//! What a node may take of processor and memory, as data.
//!
//! Owns how limits fold: the tighter one counts, so that they may come and go in any order. Must not
//! know how they are set.

use crate::units::{ByteSize, Cores};
use serde::{Deserialize, Serialize};

/// What a node's processes may take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time per time; none: as much as there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cores>,
    /// Memory, and with it no swap; none: as much as there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
}

impl Limits {
    /// The tighter of both, in each thing.
    pub fn and(self, other: Limits) -> Limits {
        fn tighter<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
            a.into_iter().chain(b).min()
        }
        Limits {
            cpu: tighter(self.cpu, other.cpu),
            memory: tighter(self.memory, other.memory),
        }
    }
}

impl std::fmt::Display for Limits {
    /// `20% of a core and 32MiB`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.cpu, self.memory) {
            (None, None) => write!(f, "no limit"),
            (Some(cpu), None) => write!(f, "{cpu} of a core"),
            (None, Some(memory)) => write!(f, "{memory}"),
            (Some(cpu), Some(memory)) => write!(f, "{cpu} of a core and {memory}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_limit_counts_in_any_order() {
        let limits = |cpu: Option<u32>, memory: Option<u64>| Limits {
            cpu: cpu.map(Cores),
            memory: memory.map(ByteSize),
        };
        let declared = limits(None, Some(256));
        let (slow, small) = (limits(Some(200), None), limits(Some(500), Some(32)));
        let both = limits(Some(200), Some(32));
        assert_eq!(declared.and(slow).and(small), both);
        assert_eq!(declared.and(small).and(slow), both);
        assert_eq!(declared.and(slow), limits(Some(200), Some(256)));
        assert_eq!(both.to_string(), "20% of a core and 32B");
    }
}
