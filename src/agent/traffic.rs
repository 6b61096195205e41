//! What links carried since a run began, as rows of its record. Pure.
//!
//! Owns which rows are written: those whose value has changed. The fabric counts by network; here
//! a pair of nodes that shares several is one.

use crate::fabric::LinkCounters;
use crate::id::NodeIndex;
use crate::metrics::LinkMetric;
use crate::record::LinkSample;
use std::collections::BTreeMap;

/// Values of one pair, in the order of [`LinkMetric::ALL`].
type Values = [u64; LinkMetric::ALL.len()];
type Pair = (NodeIndex, NodeIndex);

/// Turns the fabric's counters into rows.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    before: BTreeMap<Pair, Values>,
    written: BTreeMap<Pair, Values>,
    last: i64,
}

impl Traffic {
    /// Counts from here on.
    pub fn since(counters: &[LinkCounters]) -> Traffic {
        Traffic {
            before: pairs(counters),
            ..Traffic::default()
        }
    }

    /// What differs from the last call at `t`, in ns since go. Counters that were read beside others come
    /// late at times: they never go back.
    pub fn rows(&mut self, t: i64, counters: &[LinkCounters]) -> Vec<LinkSample> {
        let mut rows = Vec::new();
        if t < self.last {
            return rows;
        }
        self.last = t;
        for (pair, now) in pairs(counters) {
            let before = self.before.get(&pair).copied().unwrap_or_default();
            let written = self.written.entry(pair).or_default();
            for (at, metric) in LinkMetric::ALL.into_iter().enumerate() {
                let value = match metric.is_counter() {
                    true => now[at].saturating_sub(before[at]).max(written[at]),
                    false => now[at],
                };
                if value != written[at] {
                    written[at] = value;
                    let (from, to) = pair;
                    rows.push(LinkSample {
                        t,
                        from,
                        to,
                        metric,
                        value,
                    });
                }
            }
        }
        rows
    }

    /// One row that says once more what the last one of its kind said.
    pub fn unchanged(&self, t: i64) -> Option<LinkSample> {
        let (&(from, to), values) = self.written.iter().next()?;
        let [metric, ..] = LinkMetric::ALL;
        Some(LinkSample {
            t,
            from,
            to,
            metric,
            value: values[0],
        })
    }
}

fn pairs(counters: &[LinkCounters]) -> BTreeMap<Pair, Values> {
    let mut pairs: BTreeMap<Pair, Values> = BTreeMap::new();
    for link in counters {
        let sum = pairs.entry((link.from, link.to)).or_default();
        for (sum, metric) in sum.iter_mut().zip(LinkMetric::ALL) {
            *sum += value(link, metric);
        }
    }
    pairs
}

fn value(link: &LinkCounters, metric: LinkMetric) -> u64 {
    let dropped = &link.dropped;
    match metric {
        LinkMetric::PacketsTotal => link.packets,
        LinkMetric::BytesTotal => link.bytes,
        LinkMetric::DroppedLossTotal => dropped.loss,
        LinkMetric::DroppedDownTotal => dropped.down,
        LinkMetric::DroppedMtuTotal => dropped.mtu,
        LinkMetric::DroppedQueueTotal => dropped.queue,
        LinkMetric::DroppedReceiverTotal => dropped.no_port + dropped.device,
        LinkMetric::DroppedTtlTotal => dropped.ttl,
        LinkMetric::DuplicatedTotal => link.duplicated,
        LinkMetric::CorruptedTotal => link.corrupted,
        LinkMetric::QueueBytes => link.queue_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::Dropped;
    use crate::id::NetworkIndex;

    fn link(network: u32, packets: u64, loss: u64, queue_bytes: u64) -> LinkCounters {
        LinkCounters {
            network: NetworkIndex(network),
            from: NodeIndex(0),
            to: NodeIndex(1),
            packets,
            bytes: 0,
            dropped: Dropped {
                loss,
                ..Dropped::default()
            },
            duplicated: 0,
            corrupted: 0,
            queue_bytes,
            under_way: 0,
        }
    }

    #[test]
    fn only_changes_since_the_begin_are_written_once_for_all_networks() {
        let mut traffic = Traffic::since(&[link(0, 10, 1, 7)]);
        let row = |rows: &[LinkSample]| -> Vec<_> {
            rows.iter().map(|r| (r.t, r.metric, r.value)).collect()
        };
        let rows = traffic.rows(5, &[link(0, 13, 1, 7), link(1, 4, 0, 0)]);
        assert_eq!(
            row(&rows),
            [
                (5, LinkMetric::PacketsTotal, 7),
                (5, LinkMetric::QueueBytes, 7)
            ]
        );
        assert!(traffic.rows(6, &[link(0, 17, 1, 7)]).is_empty());
        let rows = traffic.rows(7, &[link(0, 17, 3, 0)]);
        assert_eq!(
            row(&rows),
            [
                (7, LinkMetric::DroppedLossTotal, 2),
                (7, LinkMetric::QueueBytes, 0)
            ]
        );
    }
}
