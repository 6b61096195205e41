//! What the agent tells of links: what was declared, what was carried, and what may be captured;
//! and of faults.
//!
//! Owns the rows of `netlab links`, those about nodes included, and `netlab fault list`, and the choice of `netlab capture`. Must not know who counts.

use crate::link::LinkProperties;
use crate::metrics::at_rank;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows in one [`super::stream::Reply::Links`].
pub const LINKS_PER_REPLY: usize = 500;
/// Rows in one [`super::stream::Reply::Faults`].
pub const ROWS_PER_REPLY: usize = 1000;

/// One ordered pair of nodes that carried or dropped something since the agent's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRow {
    /// Name of the network.
    pub network: String,
    /// Name of the sender.
    pub from: String,
    /// Name of the receiver.
    pub to: String,
    /// What the topology says.
    pub declared: LinkProperties,
    /// What holds now: the same under the faults that are in force.
    pub in_force: LinkProperties,
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
    /// All of these times, in steps: no longer than so many microseconds were so many packets. In order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delays_us: Vec<(u64, u32)>,
}

impl LinkRow {
    /// The same link with only what happened after `earlier`; an agent that was restarted meanwhile counts
    /// from zero. What is declared, in force or waits is as it is now.
    pub fn since(&self, earlier: &LinkRow) -> LinkRow {
        if earlier.packets > self.packets || earlier.dropped.total() > self.dropped.total() {
            return self.clone();
        }
        let before: BTreeMap<u64, u32> = earlier.delays_us.iter().copied().collect();
        let more = self.delays_us.iter().map(|(us, packets)| {
            let before = before.get(us).copied().unwrap_or(0);
            (*us, packets.saturating_sub(before))
        });
        let delays: Vec<_> = more.filter(|(_, packets)| *packets > 0).collect();
        LinkRow {
            packets: self.packets - earlier.packets,
            bytes: self.bytes.saturating_sub(earlier.bytes),
            dropped: self.dropped.since(&earlier.dropped),
            duplicated: self.duplicated.saturating_sub(earlier.duplicated),
            corrupted: self.corrupted.saturating_sub(earlier.corrupted),
            delay_p50_us: quantile(&delays, 0.5),
            delay_p99_us: quantile(&delays, 0.99),
            delays_us: delays,
            ..self.clone()
        }
    }
}

/// What a share `q` of packets does not exceed.
fn quantile(steps: &[(u64, u32)], q: f64) -> Option<u64> {
    let steps = steps.iter().map(|(us, packets)| (*us, u64::from(*packets)));
    let all: u64 = steps.clone().map(|(_, packets)| packets).sum();
    at_rank(steps, (q * all as f64).ceil().max(1.0) as u64)
}

/// What a node sent that crossed no link, since the agent's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRow {
    /// Its name.
    pub node: String,
    /// Packets with a source address that the node may not use: dropped.
    pub spoofed: u64,
    /// Bytes that are no IP packet: dropped.
    pub malformed: u64,
    /// Packets to an address that no node has or to which no way leads: answered with ICMP.
    pub unroutable: u64,
    /// Queries to the resolver, answered or not.
    pub resolver: u64,
    /// Those among them that a fault kept from being answered at once and right.
    pub resolver_disturbed: u64,
    /// Late answers of the resolver that were dropped.
    pub resolver_dropped: u64,
    /// IPv6 link-local chatter and group reports: ignored.
    pub noise: u64,
    /// How often the node was left unread for about a millisecond, because it sent too much of all this.
    #[serde(default)]
    pub rests: u64,
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
    /// The receiver had no device: it is not there, or off.
    pub no_port: u64,
    /// The receiver's device refused the packet: nobody declared that.
    pub device: u64,
    /// The time to live was over at the hop where the link begins.
    pub ttl: u64,
}

impl DroppedPackets {
    /// With their names, as captures have them, in the order of the fields.
    pub fn by_cause(&self) -> [(&'static str, u64); 7] {
        [
            ("loss", self.loss),
            ("down", self.down),
            ("mtu", self.mtu),
            ("queue", self.queue),
            ("no_port", self.no_port),
            ("device", self.device),
            ("ttl", self.ttl),
        ]
    }

    /// Only those after `earlier`.
    fn since(&self, earlier: &DroppedPackets) -> DroppedPackets {
        DroppedPackets {
            loss: self.loss.saturating_sub(earlier.loss),
            down: self.down.saturating_sub(earlier.down),
            mtu: self.mtu.saturating_sub(earlier.mtu),
            queue: self.queue.saturating_sub(earlier.queue),
            no_port: self.no_port.saturating_sub(earlier.no_port),
            device: self.device.saturating_sub(earlier.device),
            ttl: self.ttl.saturating_sub(earlier.ttl),
        }
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.by_cause().iter().map(|(_, count)| count).sum()
    }
}

/// The newest value of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// Name of the node; empty for the machine and the agent.
    pub node: String,
    /// Its role.
    pub role: String,
    /// Name, of the table of metrics or of the node's own.
    pub metric: String,
    /// Labels, `key=value` joined by `,`.
    pub labels: String,
    /// The value.
    pub value: f64,
}

/// Where a fault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultState {
    /// The scenario will begin it.
    Scheduled,
    /// The scenario will begin it when its condition holds.
    Waiting,
    /// Asked for, its effect was not seen yet.
    Beginning,
    /// In effect.
    Active,
    /// It had no effect.
    Failed,
    /// Its effects are withdrawn, not all is back yet.
    Healing,
}

impl FaultState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            FaultState::Scheduled => "scheduled",
            FaultState::Waiting => "waiting",
            FaultState::Beginning => "beginning",
            FaultState::Active => "active",
            FaultState::Failed => "failed",
            FaultState::Healing => "healing",
        }
    }
}

/// A fault that is in force, or that the scenario will begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRow {
    /// Its name, by which it is healed.
    pub fault: String,
    /// Its kind.
    pub kind: String,
    /// Its target, for people.
    pub target: String,
    /// How far it is.
    pub state: FaultState,
    /// Whether it is not the scenario's.
    pub by_hand: bool,
    /// When it was or will be begun, in ns from now; before now it is negative. Of one that waits for a
    /// condition the deadline of that.
    pub begins_ns: i64,
    /// When it will be healed, in ns from now; none: at the end, or by hand, or it is being healed.
    pub heals_ns: Option<i64>,
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

#[cfg(test)]
impl LinkRow {
    /// A link from `a` to `b` that carried nothing.
    pub fn unused() -> LinkRow {
        LinkRow {
            network: "lab".to_owned(),
            from: "a".to_owned(),
            to: "b".to_owned(),
            declared: LinkProperties::default(),
            in_force: LinkProperties::default(),
            down: false,
            packets: 0,
            bytes: 0,
            dropped: DroppedPackets::default(),
            duplicated: 0,
            corrupted: 0,
            queue_bytes: 0,
            under_way: 0,
            delay_p50_us: None,
            delay_p99_us: None,
            delays_us: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_since_is_told_apart() {
        let row = |packets, lost, delays: &[(u64, u32)]| LinkRow {
            packets,
            bytes: packets * 100,
            dropped: DroppedPackets {
                loss: lost,
                ..DroppedPackets::default()
            },
            delay_p50_us: quantile(delays, 0.5),
            delay_p99_us: quantile(delays, 0.99),
            delays_us: delays.to_vec(),
            ..LinkRow::unused()
        };
        let before = row(1000, 1, &[(5120, 1000)]);
        let after = row(1010, 6, &[(5120, 1001), (106_496, 9)]);
        assert_eq!(after.delay_p50_us, Some(5120));
        let since = after.since(&before);
        assert_eq!(
            (since.packets, since.bytes, since.dropped.loss),
            (10, 1000, 5)
        );
        assert_eq!(since.delay_p50_us, Some(106_496));
        assert_eq!(since.delays_us, [(5120, 1), (106_496, 9)]);
        let nothing = after.since(&after);
        assert_eq!((nothing.packets, nothing.delay_p99_us), (0, None));
        assert_eq!(before.since(&after), before, "an agent that began anew");
    }
}
