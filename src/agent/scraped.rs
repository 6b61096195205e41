//! What pages of metrics in nodes say. Pure.
//!
//! Owns the bound of series, and how a page that could not be read is told: as a value, and once as a
//! note.

use super::core::Core;
use super::machine::sample;
use super::scrape::MAX_SERIES;
use crate::id::NodeIndex;
use crate::metrics::Page;
use std::collections::BTreeSet;
use std::time::Duration;

/// A page, or why there is none.
#[derive(Debug)]
pub(super) struct Scraped {
    /// When it was asked for, on CLOCK_MONOTONIC.
    pub at: u64,
    /// How long it took.
    pub took: Duration,
    /// What it says.
    pub page: Result<Page, String>,
}

/// What is known of a node's pages in a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    series: BTreeSet<(String, String)>,
    dropped: u64,
    failed: Option<String>,
}

impl Pages {
    /// Keeps the values of series that are known, and of new ones while there is room.
    fn keep(&mut self, page: &mut Page) {
        self.dropped += page.dropped;
        page.samples.retain(|sample| {
            let id = (sample.metric.clone(), sample.labels.clone());
            let kept = self.series.contains(&id)
                || (self.series.len() < MAX_SERIES && self.series.insert(id));
            self.dropped += u64::from(!kept);
            kept
        });
    }
}

impl Core {
    /// Records a page, or that there was none.
    pub(super) fn scraped(&mut self, now: u64, node: NodeIndex, scraped: Scraped) {
        let pages = &mut self.state.members[node.at()].pages;
        let mut samples = vec![
            sample("scrape_up", f64::from(u8::from(scraped.page.is_ok()))),
            sample("scrape_duration_seconds", scraped.took.as_secs_f64()),
        ];
        let failed = match scraped.page {
            Ok(mut page) => {
                pages.keep(&mut page);
                samples.append(&mut page.samples);
                None
            }
            Err(why) => Some(why),
        };
        samples.push(sample("scrape_dropped_total", pages.dropped as f64));
        let before = std::mem::replace(&mut pages.failed, failed.clone());
        if let Some(why) = failed.filter(|why| before.as_ref() != Some(why)) {
            let text = format!("its metrics could not be read: {why}");
            self.note(now, Some(node), text);
        }
        self.keep_samples(Some(node), scraped.at, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_so_many_series_whatever_it_names_them() {
        let mut pages = Pages::default();
        let page = |from: usize, count: usize| Page {
            samples: (from..from + count)
                .map(|n| sample(&format!("m{n}"), 1.0))
                .collect(),
            dropped: 0,
        };
        let mut kept = |from, count| {
            let mut page = page(from, count);
            pages.keep(&mut page);
            (page.samples.len(), pages.dropped)
        };
        assert_eq!(kept(0, MAX_SERIES - 1), (MAX_SERIES - 1, 0));
        assert_eq!(kept(0, MAX_SERIES + 4), (MAX_SERIES, 4));
        // Names that are always new are dropped, those that are known stay.
        assert_eq!(kept(5000, 100), (0, 104));
        assert_eq!(kept(0, 10), (10, 104));
    }
}
