//! The heat map of links: who could reach whom how well, one square per ordered pair.

use crate::record::Run;

/// The heat map; none when the record has no counters of links.
pub(super) fn svg(_: &Run) -> Option<String> {
    None
}
