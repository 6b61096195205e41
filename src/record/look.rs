//! What the agent tells of links: what was declared, what was carried, and what may be captured.
//!
//! Owns the rows of `netlab links` and the choice of `netlab capture`. Must not know who counts.

use crate::link::LinkProperties;
use serde::{Deserialize, Serialize};

/// Rows in one [`super::stream::Reply::Links`].
pub const LINKS_PER_REPLY: usize = 1000;

/// One ordered pair of nodes that carried or dropped something since the agent's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRow {
    /// Name of the network.
    pub network: String,
    /// Name of the sender.
    pub from: String,
    /// Name of the receiver.
    pub to: String,
    /// What the topology says; faults change what holds now.
    pub declared: LinkProperties,
    /// Whether a fault holds the link down now.
    pub down: bool,
    /// Packets delivered.
    pub packets: u64,
    /// Their bytes, IP header included.
    pub bytes: u64,
    /// Packets dropped, by cause.
    pub dropped: DroppedPackets,
    /// Packets of which a copy was made.
    pub duplicated: u64,
    /// Packets in which a bit was turned over.
    pub corrupted: u64,
    /// Bytes that wait before a rate now.
    pub queue_bytes: u64,
    /// Packets under way now.
    pub under_way: u64,
    /// Median time on the link in microseconds, from read to write; none before the first packet.
    pub delay_p50_us: Option<u64>,
    /// 99th percentile of the same.
    pub delay_p99_us: Option<u64>,
}

/// Why packets did not arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedPackets {
    /// Declared loss.
    pub loss: u64,
    /// The link was down.
    pub down: u64,
    /// Larger than the mtu.
    pub mtu: u64,
    /// A queue was full.
    pub queue: u64,
    /// The receiver was not there, or its device refused.
    pub receiver: u64,
}

impl DroppedPackets {
    /// With their names, in the order of the fields.
    pub fn by_cause(&self) -> [(&'static str, u64); 5] {
        [
            ("loss", self.loss),
            ("down", self.down),
            ("mtu", self.mtu),
            ("queue", self.queue),
            ("receiver", self.receiver),
        ]
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.by_cause().iter().map(|(_, count)| count).sum()
    }
}

/// Whose packets are captured, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Captured {
    /// Everybody's.
    Lab,
    /// Those that a node sends or is sent.
    Node(String),
    /// Those between two nodes, in both directions.
    Between(String, String),
}
