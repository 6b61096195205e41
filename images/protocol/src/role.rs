//! The roles of netlab's own nodes, resolved: every default filled in, every name an address.

use crate::duration;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// The port that servers and peers listen on, unless the topology says otherwise.
pub const PORT: u16 = 80;
/// Where a node with `data: volume` finds it.
pub const DATA: &str = "/data";

/// What a node does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// HTTP/1.1 key-value and file service.
    Server(Server),
    /// Load generator.
    Client(Client),
    /// Serves its share of the keys and requests all of them.
    Peer(Peer),
}

impl Role {
    /// The word used in topologies.
    pub fn as_str(&self) -> &'static str {
        match self {
            Role::Server(_) => "server",
            Role::Client(_) => "client",
            Role::Peer(_) => "peer",
        }
    }

    /// What it asks of others; none: nothing.
    pub fn load(&self) -> Option<&Load> {
        match self {
            Role::Server(_) => None,
            Role::Client(client) => Some(&client.load),
            Role::Peer(peer) => peer.load.as_ref(),
        }
    }

    /// The same, to be changed.
    pub fn load_mut(&mut self) -> Option<&mut Load> {
        match self {
            Role::Server(_) => None,
            Role::Client(client) => Some(&mut client.load),
            Role::Peer(peer) => peer.load.as_mut(),
        }
    }
}

/// How times spread around their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Each is the mean.
    #[default]
    Fixed,
    /// Exponential, without memory: of gaps between requests it makes a Poisson process.
    Exponential,
}

impl Distribution {
    /// Whether each time is the mean.
    pub fn is_fixed(&self) -> bool {
        *self == Distribution::Fixed
    }
}

/// Declared capacity: timers, not burnt CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Time one worker is busy with one request.
    #[serde(with = "duration")]
    pub time: Duration,
    /// How that time is spread; `time` is the mean.
    #[serde(default, skip_serializing_if = "Distribution::is_fixed")]
    pub distribution: Distribution,
    /// Requests served at once.
    pub workers: u32,
    /// Requests that wait for a worker; one more is answered 503.
    pub queue: u32,
}

/// Where keys are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// Lost with the process.
    Memory,
    /// On the volume at [`DATA`]: survives a restart.
    Volume,
}

/// A file that a server offers under `/files/<name>`, with content made up from the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name in the path.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The role `server`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// TCP port.
    pub port: u16,
    /// Capacity.
    pub service: Service,
    /// Where keys are kept.
    pub data: Data,
    /// Files it offers.
    pub files: Vec<File>,
}

/// Where a request can be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The node's name, sent as `Host`.
    pub name: String,
    /// Its IPv4 address: the one that is used.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
    /// TCP port.
    pub port: u16,
}

/// When requests are intended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// At a pace of their own, whatever becomes of the requests before.
    Open {
        /// Requests per second, at the beginning.
        rate: f64,
        /// How the rate goes on from there, one after the other; the last one stays.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        legs: Vec<Leg>,
        /// How the time between two requests is spread.
        #[serde(default, skip_serializing_if = "Distribution::is_fixed")]
        gaps: Distribution,
        /// Requests in flight at once; one more is `dropped`, never queued.
        in_flight: u32,
    },
    /// A fixed number of users, each asking, waiting for the answer, thinking.
    Closed {
        /// Users.
        users: u32,
        /// Time between an answer and the next request of the same user.
        #[serde(with = "duration")]
        think: Duration,
        /// How that time is spread; `think` is the mean.
        #[serde(default, skip_serializing_if = "Distribution::is_fixed")]
        thinking: Distribution,
    },
}

impl Arrivals {
    /// The largest rate of an open loop, in requests per second; none of a closed one.
    pub fn peak(&self) -> Option<f64> {
        match self {
            Arrivals::Open { rate, legs, .. } => {
                Some(legs.iter().fold(*rate, |peak, leg| peak.max(leg.to)))
            }
            Arrivals::Closed { .. } => None,
        }
    }
}

/// A stretch of time in which a rate changes evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// How long it takes; zero is a step.
    #[serde(with = "duration")]
    pub over: Duration,
    /// The rate at its end, in requests per second.
    pub to: f64,
}

/// Pauses between the attempts of a request: doubled each time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// Before the first retry.
    #[serde(with = "duration")]
    pub from: Duration,
    /// The longest.
    #[serde(with = "duration")]
    pub to: Duration,
    /// The share of a pause, 0 to 1, of which a part that is drawn evenly is left out.
    pub jitter: f64,
}

impl Backoff {
    /// Unless said otherwise.
    pub const DEFAULT: Backoff = Backoff {
        from: Duration::from_millis(10),
        to: Duration::from_secs(2),
        jitter: 0.0,
    };

    fn is_default(&self) -> bool {
        *self == Backoff::DEFAULT
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::DEFAULT
    }
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// What is asked, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// When.
    pub arrivals: Arrivals,
    /// From the intended time to giving up, which closes the connection.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Share of the requests that are writes, 0 to 1.
    pub writes: f64,
    /// Requests go to keys `key-0` … `key-<keys-1>`.
    pub keys: u32,
    /// Exponent of Zipf's law by which keys are drawn: the i-th (from 1) with a weight of 1 / i^skew.
    /// 0: all alike.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skew: f64,
    /// Bytes of a written value.
    pub value_bytes: u32,
    /// Attempts after the first, within the same timeout.
    pub retries: u32,
    /// Pauses before them.
    #[serde(default, skip_serializing_if = "Backoff::is_default")]
    pub backoff: Backoff,
    /// After which an attempt is given up, so that another one can be made; none: only the timeout
    /// of the request ends it.
    #[serde(
        default,
        with = "duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub attempt_timeout: Option<Duration>,
    /// Whether each request is recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub record: bool,
    /// Read this path instead of keys (`GET path`), so that any web server can be loaded.
    pub path: Option<String>,
}

/// The role `client`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// The servers; request i goes to target i mod their number.
    pub targets: Vec<Endpoint>,
    /// The load.
    pub load: Load,
}

/// The role `peer`: key i is owned by peer i mod N.
///
/// Each peer asks the owners in seeded permutations of all N, itself included (answered locally).
/// It speaks to overlay neighbours only: a request for a farther owner goes to `next_hop` with the
/// time that is left, and is forwarded there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// TCP port.
    pub port: u16,
    /// Capacity.
    pub service: Service,
    /// Where keys are kept.
    pub data: Data,
    /// This peer's place in `peers`.
    pub index: u32,
    /// All peers of the group, this one included, in order of ownership. Shared, since every peer of a
    /// group has the same list.
    #[serde(with = "shared")]
    pub peers: Arc<[Endpoint]>,
    /// For each peer, the neighbour (an index) that is first on the shortest overlay path there;
    /// the peer itself for neighbours, none where there is no path.
    pub next_hop: Vec<Option<u32>>,
    /// The load; none: it only serves.
    pub load: Option<Load>,
}

/// Shared lists are written as plain ones.
mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub fn serialize<T: Serialize, S: Serializer>(
        list: &Arc<[T]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        list.as_ref().serialize(to)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<[T]>, D::Error> {
        Vec::deserialize(from).map(Arc::from)
    }
}
