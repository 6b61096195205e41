//! From a record to something to read: text, `summary.json`, and a page. Pure.
//!
//! Owns windows, percentiles, the summary and its rendering. Must not touch the engine, the disk,
//! a clock or a terminal.

mod compare;
mod diagnosis;
mod page;
mod palette;
pub mod picture;
mod quantity;
mod spread;
mod stats;
pub mod suite;
mod summary;
mod text;
mod window;

pub use compare::{Comparison, text as comparison_text};
pub use diagnosis::{Diagnosis, LogTail};
pub use page::{Group as PageGroup, PageError, Source, comparison_html, html};
pub use palette::Palette;
pub use quantity::{latency, share};
pub use summary::{FORMAT, FaultSummary, RoleSummary, Summary, WindowSummary};
pub use text::text;
pub use window::{Kind as WindowKind, Window};

#[cfg(test)]
mod tests;
