//! Every default and limit of the topology file, in one place.

use netlab_protocol::role::{Distribution, Service};
use std::ops::RangeInclusive;
use std::time::Duration;

/// `seed`.
pub const SEED: u64 = 1;
/// `sampling`; nodes that are silent for longer than a second are looked for.
pub const SAMPLINGS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(1);
/// `scenario.warmup`.
pub const WARMUP: Duration = Duration::ZERO;
/// `service`: 1 ms, 4 workers, 256 that wait; so 4,000 requests/s.
pub const SERVICE: Service = Service {
    time: Duration::from_millis(1),
    distribution: Distribution::Fixed,
    workers: 4,
    queue: 256,
};
/// `load.timeout`.
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// `load.think`.
pub const THINK: Duration = Duration::ZERO;
/// `load.keys`.
pub const KEYS: u32 = 100;
/// `load.value`, in bytes.
pub const VALUE_BYTES: u32 = 128;
/// `load.in-flight`.
pub const IN_FLIGHT: u32 = 1000;

/// Nodes that a lab may have.
pub const MAX_NODES: u32 = 10_000;
/// Networks that a lab may have.
pub const MAX_NETWORKS: usize = 64;
/// Nodes that may pass packets on between networks.
pub const MAX_FORWARDERS: usize = 64;
/// Parameters that a file may have.
pub const MAX_PARAMS: usize = 1000;
/// Faults that a scenario may have.
pub const MAX_FAULTS: usize = 1000;
/// Checks that a lab may have.
pub const MAX_CHECKS: usize = 200;
/// Characters of a check's name.
pub const MAX_CHECK_NAME: usize = 60;
/// Times that the faults of a scenario may happen, all together.
pub const MAX_OCCURRENCES: usize = 10_000;
/// Files that a server may offer.
pub const MAX_FILES: usize = 1000;
/// Bytes of such a file: 16 GiB.
pub const MAX_FILE_BYTES: u64 = 16 << 30;
/// Bytes of a written value: 1 MiB.
pub const MAX_VALUE_BYTES: u64 = 1 << 20;
/// Ports that a file may publish.
pub const MAX_PUBLISHED: usize = 256;
/// TCP ports.
pub const PORTS: RangeInclusive<u32> = 1..=65_535;
/// Workers of a service.
pub const WORKERS: RangeInclusive<u32> = 1..=10_000;
/// Requests that may wait for one.
pub const QUEUE: RangeInclusive<u32> = 0..=1_000_000;
/// Users of a closed loop.
pub const USERS: RangeInclusive<u32> = 1..=10_000;
/// Requests in flight of an open loop.
pub const IN_FLIGHTS: RangeInclusive<u32> = 1..=100_000;
/// Keys that are asked for.
pub const KEY_COUNTS: RangeInclusive<u32> = 1..=1_000_000;
/// The largest exponent of Zipf's law.
pub const MAX_SKEW: u64 = 10;
/// Steps of a rate.
pub const MAX_STEPS: usize = 100;
/// Attempts after the first.
pub const RETRIES: RangeInclusive<u32> = 0..=100;
