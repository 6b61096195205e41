//! What may be wrong with the resolver, as data.
//!
//! Must not know names, packets, or who asks.

use crate::units;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a fault does to the answers that a node gets from the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolverEffect {
    /// Answers come later.
    Slow {
        /// By so much.
        #[serde(with = "units::duration")]
        delay: Duration,
    },
    /// Answers are errors.
    Fail(ResolverFailure),
    /// No answer.
    Silent,
    /// Answers name another node than the one asked for.
    Lie,
}

/// The error that every query gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolverFailure {
    /// "Server failure" (RCODE 2): the resolver could not find out. Most clients ask again.
    ServFail,
    /// "No such name" (RCODE 3), also of names that there are. Clients believe it.
    NxDomain,
}
