//! Published ports: listeners in the network of the engine's host, and the network of the node
//! `host`, out of which each connection goes on to its node.
//!
//! Owns both ends and what is carried between them. Must not know links, faults or clients: what a
//! connection meets on its way is the fabric's to say.
//!
//! ```text
//! somebody ──► listener        task        socket ──► eth0 of `host` ──► fabric ──► node
//!              (engine's network)          (network of `host`)
//! ```
//!
//! A socket stays in the network in which it was made. Listeners are bound by a short-lived thread that
//! enters the engine's network; all else happens on one thread, which lives in the network of `host`
//! and ends with the last port. So the kernel takes all of it away when the agent dies.
//!
//! What is carried is `connections`' and `datagrams`' to know.

mod connections;
mod datagrams;

use super::{position, sys};
use crate::fabric::wire::inside;
use crate::lab::Lab;
use crate::port::{PortMapping, Protocol};
use crate::record::stream::Published;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Connections of one port at once, of which more wait to be accepted; or clients of a UDP port.
const CONNECTIONS: usize = 256;
/// Pause when nothing can be taken (too many open files).
const AGAIN: Duration = Duration::from_millis(100);
/// How long a port may take to close.
const CLOSING: Duration = Duration::from_secs(1);
/// Where the numbers of free ports are kept, so that they are the same after the agent's own restart.
const FILE: &str = "ports.json";

/// Why a port is not published.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    /// The agent was made without.
    #[error("the agent of this lab cannot publish ports: take the lab down first (`netlab down`)")]
    NotAllowed,
    /// No thread, or no network for it.
    #[error("no network for the node `host` could be made")]
    Home(#[source] io::Error),
    /// Somebody listens there.
    #[error(
        "port {address}{} of the engine's host is taken: `{node}` cannot be published there; name another in `ports:`, or none for a free one",
        protocol.suffix()
    )]
    Taken {
        address: SocketAddr,
        protocol: Protocol,
        node: String,
    },
    /// The engine's host has another address than that.
    #[error(
        "the engine's host has no address {0}: name one that it has in `ports:`, or none for loopback"
    )]
    NoAddress(std::net::IpAddr),
    /// Any other answer of the kernel.
    #[error("port {address}{} of the engine's host cannot be listened at", protocol.suffix())]
    Listen {
        address: SocketAddr,
        protocol: Protocol,
        #[source]
        source: io::Error,
    },
}

/// A port that shall be published.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    node: String,
    mapping: PortMapping,
    /// The node's address in the fabric.
    to: SocketAddr,
}

/// Everything that a lab publishes.
pub(super) fn wanted(lab: &Lab) -> Vec<Wanted> {
    let of = |node: &crate::lab::Node| {
        let (node, addresses, ports) =
            (node.name.to_string(), node.addresses(), node.ports.clone());
        ports.into_iter().map(move |mapping| Wanted {
            node: node.clone(),
            mapping,
            to: (addresses.v4, mapping.port).into(),
        })
    };
    lab.nodes.iter().flat_map(of).collect()
}

/// What a listener is known by: its place, or whose how manieth free one it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Fixed(SocketAddr, Protocol),
    Free(String),
}

fn keyed(wanted: &[Wanted]) -> BTreeMap<Key, &Wanted> {
    let mut found = BTreeMap::new();
    for one in wanted {
        let mapping = one.mapping;
        if mapping.host_port.is_some() {
            found.insert(Key::Fixed(mapping.listens(), mapping.protocol), one);
            continue;
        }
        let name = |n| format!("{n} {mapping} of {}", one.node);
        let mut names = (1..).map(|n| Key::Free(name(n)));
        if let Some(free) = names.find(|name| !found.contains_key(name)) {
            found.insert(free, one);
        }
    }
    found
}

/// One listener.
struct Listening {
    mapping: PortMapping,
    told: Published,
    to: Arc<Mutex<SocketAddr>>,
    task: AbortHandle,
    /// Ends with the task, when its socket is closed.
    closed: Receiver<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        // So that who comes next, perhaps at every address, finds the port free.
        let _ = self.closed.recv_timeout(CLOSING);
    }
}

/// A socket at a port of the host.
enum Door {
    Connections(TcpListener),
    Datagrams(UdpSocket),
}

impl Door {
    /// Bound in the network of the calling thread.
    fn bind(protocol: Protocol, address: SocketAddr) -> io::Result<Door> {
        Ok(match protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Door::Connections(listener)
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                Door::Datagrams(socket)
            }
        })
    }

    fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Door::Connections(listener) => listener.local_addr(),
            Door::Datagrams(socket) => socket.local_addr(),
        }
    }

    /// Carries all of it to `to`, until dropped.
    async fn serve(self, to: Arc<Mutex<SocketAddr>>, dropped: Arc<AtomicU64>) {
        match self {
            Door::Connections(listener) => connections::accept(listener, to).await,
            Door::Datagrams(socket) => {
                datagrams::serve(socket, to, dropped, datagrams::LIMITS).await;
            }
        }
    }
}

/// All listeners of a lab.
pub(super) struct Publisher {
    outside: Option<Arc<OwnedFd>>,
    state: PathBuf,
    open: BTreeMap<Key, Listening>,
    home: Option<Home>,
    /// Clients of UDP ports that gave way to others.
    dropped: Arc<AtomicU64>,
}

impl Publisher {
    /// Nothing is published yet. `outside`: the network of the engine's host.
    pub fn new(outside: Option<Arc<OwnedFd>>, state: PathBuf) -> Publisher {
        Publisher {
            outside,
            state,
            open: BTreeMap::new(),
            home: None,
            dropped: Arc::default(),
        }
    }

    /// The network of `host`, which is made when there is none.
    pub fn network(&mut self) -> Result<BorrowedFd<'_>, PublishError> {
        Ok(self.home()?.network.as_fd())
    }

    fn home(&mut self) -> Result<&Home, PublishError> {
        if self.outside.is_none() {
            return Err(PublishError::NotAllowed);
        }
        let home = match self.home.take() {
            Some(home) => home,
            None => Home::open().map_err(PublishError::Home)?,
        };
        Ok(self.home.insert(home))
    }

    /// Publishes what is wanted and not published yet. What is published and not wanted stays, but
    /// for what is in the way. After an error nothing is published that was not before.
    pub fn open(&mut self, wanted: &[Wanted]) -> Result<(), PublishError> {
        let keyed = keyed(wanted);
        self.open.retain(|key, one| {
            let in_the_way = |new: &Wanted| new.mapping.clashes(&one.mapping);
            keyed.contains_key(key) || !wanted.iter().any(in_the_way)
        });
        let numbers = self.numbers();
        let mut added = Vec::new();
        for (key, one) in keyed {
            if let Some(known) = self.open.get_mut(&key) {
                *known.to.lock().unwrap_or_else(PoisonError::into_inner) = one.to;
                known.told = told(one, known.told.address);
                continue;
            }
            let number = match &key {
                Key::Free(name) => numbers.get(name).copied(),
                Key::Fixed(..) => None,
            };
            match self.listen(one, number) {
                Ok(listening) => {
                    added.push(key.clone());
                    self.open.insert(key, listening);
                }
                Err(error) => {
                    self.open.retain(|key, _| !added.contains(key));
                    return Err(error);
                }
            }
        }
        self.keep_numbers();
        Ok(())
    }

    /// Publishes nothing beside what is wanted.
    pub fn close_others(&mut self, wanted: &[Wanted]) {
        let keyed = keyed(wanted);
        self.open.retain(|key, _| keyed.contains_key(key));
        if keyed.is_empty() {
            self.home = None;
        }
    }

    /// What is published.
    pub fn published(&self) -> Vec<Published> {
        let mut all: Vec<Published> = self.open.values().map(|one| one.told.clone()).collect();
        let place = |one: &Published| (one.node.clone(), one.port, one.protocol, one.address);
        all.sort_by_cached_key(place);
        all
    }

    /// Clients of UDP ports that gave way to others so far; nothing where there is no such port.
    pub fn flows_dropped(&self) -> Option<u64> {
        let mut open = self.open.values();
        let any = open.any(|one| one.mapping.protocol == Protocol::Udp);
        any.then(|| self.dropped.load(Ordering::Relaxed))
    }

    /// A listener, at the free port with this number if that is still free.
    fn listen(&mut self, wanted: &Wanted, number: Option<u16>) -> Result<Listening, PublishError> {
        let outside = self.outside.clone().ok_or(PublishError::NotAllowed)?;
        let protocol = wanted.mapping.protocol;
        let mut address = wanted.mapping.listens();
        let bind = |address| {
            inside(outside.as_fd(), || Door::bind(protocol, address))
                .flatten()
                .flatten()
        };
        let again = number.map(|number| bind(SocketAddr::new(address.ip(), number)));
        let door = match again {
            Some(Ok(door)) => door,
            _ => bind(address).map_err(|source| refused(wanted, source))?,
        };
        let bound = door.address().map_err(|source| refused(wanted, source))?;
        address.set_port(bound.port());
        let to = Arc::new(Mutex::new(wanted.to));
        let serving = door.serve(Arc::clone(&to), Arc::clone(&self.dropped));
        let (open, closed) = sync_channel(0);
        let task = self.home()?.runtime.spawn(async move {
            let _open: std::sync::mpsc::SyncSender<()> = open;
            serving.await;
        });
        Ok(Listening {
            mapping: wanted.mapping,
            told: told(wanted, address),
            to,
            task: task.abort_handle(),
            closed,
        })
    }

    fn numbers(&self) -> BTreeMap<String, u16> {
        let read = std::fs::read(self.state.join(FILE));
        let numbers = read
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        numbers.unwrap_or_default()
    }

    fn keep_numbers(&self) {
        let free = self.open.iter().filter_map(|(key, one)| match key {
            Key::Free(name) => Some((name.clone(), one.told.address.port())),
            Key::Fixed(..) => None,
        });
        let numbers: BTreeMap<String, u16> = free.collect();
        let bytes = serde_json::to_vec(&numbers).unwrap_or_default();
        if let Err(error) = position::replace(&self.state, FILE, &bytes) {
            tracing::warn!(%error, "the numbers of free ports are not kept");
        }
    }
}

fn told(wanted: &Wanted, address: SocketAddr) -> Published {
    Published {
        node: wanted.node.clone(),
        port: wanted.mapping.port,
        protocol: wanted.mapping.protocol,
        address,
    }
}

fn refused(wanted: &Wanted, source: io::Error) -> PublishError {
    let (address, protocol) = (wanted.mapping.listens(), wanted.mapping.protocol);
    match source.kind() {
        io::ErrorKind::AddrInUse => PublishError::Taken {
            address,
            protocol,
            node: wanted.node.clone(),
        },
        io::ErrorKind::AddrNotAvailable => PublishError::NoAddress(address.ip()),
        _ => PublishError::Listen {
            address,
            protocol,
            source,
        },
    }
}

/// The thread in the network of `host`. Dropping it ends all connections.
struct Home {
    network: OwnedFd,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Home {
    fn open() -> io::Result<Home> {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("netlab-host".to_owned());
        let thread = thread.spawn(move || {
            let made = sys::leave_network().and_then(|_| {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_io().enable_time().build()?;
                Ok((sys::own_network()?, runtime))
            });
            let (made, runtime) = match made {
                Ok((network, runtime)) => (Ok((network, runtime.handle().clone())), Some(runtime)),
                Err(error) => (Err(error), None),
            };
            let _ = tell.send(made); // the asker waits for it
            if let Some(runtime) = runtime {
                let _ = runtime.block_on(stopped); // dropped or sent, it is the end
            }
        })?;
        let gone = |_| io::Error::other("the thread ended at once");
        let (network, runtime) = told.recv().map_err(gone)??;
        Ok(Home {
            network,
            runtime,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic was told where it happened
        }
    }
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
