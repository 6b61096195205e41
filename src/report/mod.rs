//! From a record to something to read: text, `summary.json`, and a page. Pure.
//!
//! Owns windows, percentiles, the summary and its rendering. Must not touch the engine, the disk,
//! a clock or a terminal.

mod compare;
mod diagnosis;
pub mod exposition;
mod page;
mod palette;
pub mod picture;
mod quantity;
mod spread;
pub mod suite;
mod summary;
mod text;

pub use crate::check::{Kind as WindowKind, Window};
pub use compare::{Comparison, text as comparison_text};
pub use diagnosis::{Diagnosis, LogTail};
pub use page::{Group as PageGroup, PageError, Source, comparison_html, html};
pub use palette::Palette;
pub use quantity::{latency, share};
pub use summary::{
    FORMAT, FaultSummary, OccurrenceSummary, RoleSummary, Summary, WindowSummary, checks_over,
};
pub use text::{check_proofs, checks, text};

/// Windows beside faults, which checks look at, too.
mod window {
    pub use crate::check::{Frame, Kind};
    pub use crate::record::view::frame;
}

/// Requests added up.
mod stats {
    pub use crate::metrics::Stats;
}

#[cfg(test)]
mod tests;
