//! What the j-th request of a node asks: a pure function of seed, node, epoch and j.
//!
//! So a request is the same whatever became of those before it, and two runs with one seed ask the
//! same questions in the same order.

use netlab_protocol::draw;
use netlab_protocol::latency::Op;
use netlab_protocol::role::Load;

/// Purposes of draws, so that none shares a number with another.
const KEY: u64 = 1;
const WRITE: u64 = 2;
/// The phase of the open loop and the first instants of users.
const START: u64 = 3;
const GAP: u64 = 4;
const THINK: u64 = 5;
const JITTER: u64 = 6;

/// Among whom requests are spread.
#[derive(Clone, Copy, Debug)]
pub enum Spread {
    /// Request j goes to target j mod n, whatever its key.
    Targets(u32),
    /// Requests go to owners in seeded permutations of all `peers`, so that after every `peers`
    /// requests each owner was asked equally often; key i is owned by peer i mod `peers`. Where keys
    /// are skewed, owners are as their keys are.
    Owners {
        /// Who asks.
        index: u32,
        /// How many owners.
        peers: u32,
    },
}

/// What a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whom.
    pub target: u32,
    /// Which key.
    pub key: u32,
    /// What.
    pub op: Op,
}

/// The row of questions of one node.
pub struct Questions {
    seed: u64,
    node: u64,
    spread: Spread,
    /// The permutation that was needed last, and for which cycle.
    cycle: (u64, Vec<u32>),
}

impl Questions {
    /// The questions of `node`.
    pub fn new(seed: u64, node: &str, spread: Spread) -> Questions {
        Questions {
            seed,
            node: draw::name(node),
            spread,
            cycle: (u64::MAX, Vec::new()),
        }
    }

    /// Those of the same node with another seed or spread.
    pub fn anew(&self, seed: u64, spread: Spread) -> Questions {
        Questions {
            seed,
            node: self.node,
            spread,
            cycle: (u64::MAX, Vec::new()),
        }
    }

    /// Whether there is nobody to ask.
    pub fn is_empty(&self) -> bool {
        matches!(
            self.spread,
            Spread::Targets(0) | Spread::Owners { peers: 0, .. }
        )
    }

    /// A number in `[0, 1)` that is the node's own: where in an interval it starts.
    pub fn start(&self, user: u64) -> f64 {
        draw::unit(self.seed, &[self.node, START, user])
    }

    /// By how many mean gaps request `j` comes after the one before, where gaps are exponential.
    pub fn gap(&self, epoch: u64, j: u64) -> f64 {
        draw::exponential(self.seed, &[self.node, GAP, epoch, j])
    }

    /// How many mean times the user of request `j` thinks after it, where that is exponential.
    pub fn think(&self, epoch: u64, j: u64) -> f64 {
        draw::exponential(self.seed, &[self.node, THINK, epoch, j])
    }

    /// A number in `[0, 1)` for the pause before an attempt of request `j`.
    pub fn jitter(&self, epoch: u64, j: u64, attempt: u32) -> f64 {
        draw::unit(
            self.seed,
            &[self.node, JITTER, epoch, j, u64::from(attempt)],
        )
    }

    /// What request `j` asks; `epoch` counts the changes of the load.
    pub fn ask(&mut self, load: &Load, epoch: u64, j: u64) -> Question {
        let node = self.node;
        let drawn = |purpose| [node, purpose, epoch, j];
        let is_write = load.path.is_none() && draw::unit(self.seed, &drawn(WRITE)) < load.writes;
        let keys = u64::from(load.keys.max(1));
        let seed = self.seed;
        let uniform = |n| draw::below(seed, &drawn(KEY), n);
        let skewed = (load.skew > 0.0).then(|| draw::zipf(seed, &drawn(KEY), keys, load.skew));
        match self.spread {
            Spread::Targets(n) => Question {
                target: (j % u64::from(n.max(1))) as u32,
                key: skewed.unwrap_or_else(|| uniform(keys)) as u32,
                op: if is_write { Op::Write } else { Op::Read },
            },
            Spread::Owners { index, peers } => {
                let n = u64::from(peers.max(1));
                // Keys owner, owner + n, owner + 2n … below `keys`; its first one if there is none.
                let share = |owner: u64| keys.saturating_sub(owner).div_ceil(n).max(1);
                let (owner, key) = match skewed {
                    Some(key) => ((key % n) as u32, key as u32),
                    None => {
                        let owner = self.owner(peers, j);
                        let nth = uniform(share(u64::from(owner)));
                        (owner, owner.saturating_add((nth * n) as u32))
                    }
                };
                Question {
                    target: owner,
                    key,
                    op: match (owner == index, is_write) {
                        (false, false) => Op::Read,
                        (false, true) => Op::Write,
                        (true, false) => Op::LocalRead,
                        (true, true) => Op::LocalWrite,
                    },
                }
            }
        }
    }

    /// The owner that request `j` goes to.
    fn owner(&mut self, peers: u32, j: u64) -> u32 {
        let n = u64::from(peers.max(1));
        let number = j / n;
        if self.cycle.0 != number || self.cycle.1.is_empty() {
            let order = draw::permutation(self.seed, &[self.node, number], peers.max(1));
            self.cycle = (number, order);
        }
        self.cycle.1[(j % n) as usize]
    }
}

/// Which peer owns a key: `key-i` is owned by i mod n, any other by a hash of its name.
pub fn owner_of(key: &str, peers: u32) -> u32 {
    let number = key
        .strip_prefix("key-")
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u64>().ok());
    (number.unwrap_or_else(|| draw::name(key)) % u64::from(peers.max(1))) as u32
}
