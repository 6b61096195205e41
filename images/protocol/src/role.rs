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
}

/// Declared capacity: timers, not burnt CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Time one worker is busy with one request.
    #[serde(with = "duration")]
    pub time: Duration,
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
    /// At a fixed pace, whatever becomes of the requests before.
    Open {
        /// Requests per second.
        rate: f64,
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
    },
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
    /// Bytes of a written value.
    pub value_bytes: u32,
    /// Attempts after the first, within the same timeout.
    pub retries: u32,
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
