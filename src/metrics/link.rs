//! What is counted of every ordered pair of nodes: the columns `metric` of `links.csv`.

use serde::{Deserialize, Serialize};

/// A number about an ordered pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkMetric {
    /// Packets delivered, copies included, counted as on a wire.
    PacketsTotal,
    /// Their bytes, IP header included.
    BytesTotal,
    /// Packets lost because the link says so.
    DroppedLossTotal,
    /// Packets lost because the link was down.
    DroppedDownTotal,
    /// Packets larger than the link's mtu.
    DroppedMtuTotal,
    /// Packets for which a queue had no room.
    DroppedQueueTotal,
    /// Packets whose receiver was not there or did not take them.
    DroppedReceiverTotal,
    /// Packets whose time to live was over.
    DroppedTtlTotal,
    /// Packets of which a copy was made.
    DuplicatedTotal,
    /// Packets in which a bit was turned over.
    CorruptedTotal,
    /// Bytes waiting in the link's queue at that moment.
    QueueBytes,
}

impl LinkMetric {
    /// All, in the order of the file.
    pub const ALL: [LinkMetric; 11] = [
        LinkMetric::PacketsTotal,
        LinkMetric::BytesTotal,
        LinkMetric::DroppedLossTotal,
        LinkMetric::DroppedDownTotal,
        LinkMetric::DroppedMtuTotal,
        LinkMetric::DroppedQueueTotal,
        LinkMetric::DroppedReceiverTotal,
        LinkMetric::DroppedTtlTotal,
        LinkMetric::DuplicatedTotal,
        LinkMetric::CorruptedTotal,
        LinkMetric::QueueBytes,
    ];

    /// The word used in records.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkMetric::PacketsTotal => "packets_total",
            LinkMetric::BytesTotal => "bytes_total",
            LinkMetric::DroppedLossTotal => "dropped_loss_total",
            LinkMetric::DroppedDownTotal => "dropped_down_total",
            LinkMetric::DroppedMtuTotal => "dropped_mtu_total",
            LinkMetric::DroppedQueueTotal => "dropped_queue_total",
            LinkMetric::DroppedReceiverTotal => "dropped_receiver_total",
            LinkMetric::DroppedTtlTotal => "dropped_ttl_total",
            LinkMetric::DuplicatedTotal => "duplicated_total",
            LinkMetric::CorruptedTotal => "corrupted_total",
            LinkMetric::QueueBytes => "queue_bytes",
        }
    }

    /// The metric with this word.
    pub fn named(word: &str) -> Option<LinkMetric> {
        LinkMetric::ALL
            .into_iter()
            .find(|metric| metric.as_str() == word)
    }

    /// Whether it only grows, but for a restart of the agent.
    pub fn is_counter(self) -> bool {
        self != LinkMetric::QueueBytes
    }

    /// Why the packets that it counts did not arrive; none: it counts others.
    pub fn cause(self) -> Option<&'static str> {
        let word = self.as_str().strip_prefix("dropped_")?;
        word.strip_suffix("_total")
    }

    /// Whether it counts packets that did not arrive.
    pub fn is_drop(self) -> bool {
        matches!(
            self,
            LinkMetric::DroppedLossTotal
                | LinkMetric::DroppedDownTotal
                | LinkMetric::DroppedMtuTotal
                | LinkMetric::DroppedQueueTotal
                | LinkMetric::DroppedReceiverTotal
                | LinkMetric::DroppedTtlTotal
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_serde_and_lead_back() {
        for metric in LinkMetric::ALL {
            let json = serde_json::to_string(&metric).unwrap();
            assert_eq!(json, format!("\"{}\"", metric.as_str()));
            assert_eq!(LinkMetric::named(metric.as_str()), Some(metric));
            assert_eq!(metric.is_drop(), metric.as_str().starts_with("dropped_"));
        }
    }
}
