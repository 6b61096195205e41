//! Datagrams of a published UDP port, on the thread in the network of `host`.
//!
//! Owns the flows: one for each client, and address of the host that it asked, so that answers find their
//! sender and leave from where they are expected. A flow is a socket of `host` connected to the node. It
//! ends when nothing has passed for [`Limits::idle`], or when more clients come than are remembered:
//! then the one silent for longest gives way, and is counted. Must not know whose port it is.
//!
//! A datagram that cannot be passed on at once is lost, as on any network. The kernel fragments
//! what is larger than the link's mtu. A node that refuses is silent: nobody can be reset.

use super::super::sys;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage,
    recvmsg, send, sendmsg, setsockopt, sockopt,
};
use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// What any datagram fits in.
const LARGEST: usize = 1 << 16;
/// Datagrams of one socket before others have their turn.
const TURN: usize = 32;
/// Bytes that wait at a port, and at each flow, for a thread that is busy.
const WAITING: [usize; 2] = [4 << 20, 1 << 20];

/// How many flows there are at once, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most of one port.
    pub flows: usize,
    /// How long one lasts in which nothing passes.
    pub idle: Duration,
}

/// As many as there are connections of a TCP port; as long as RFC 4787 asks of a NAT (REQ-5).
pub(super) const LIMITS: Limits = Limits {
    flows: super::CONNECTIONS,
    idle: Duration::from_secs(120),
};

/// Who asks, at which address of the host; none: unknown.
type Client = (SocketAddr, Option<IpAddr>);

/// The socket that clients send to.
struct Door(UdpSocket);

impl Door {
    fn new(socket: std::net::UdpSocket) -> io::Result<Door> {
        match socket.local_addr()? {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
        wait_room(&socket, WAITING[0]);
        Ok(Door(UdpSocket::from_std(socket)?))
    }

    /// The next datagram.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Client)> {
        self.0.try_io(Interest::READABLE, || {
            let mut space = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
            let mut parts = [IoSliceMut::new(buffer)];
            let (fd, flags) = (self.0.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            let got = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut space), flags)?;
            let from = got.address.as_ref().and_then(address);
            let from = from.ok_or(io::ErrorKind::InvalidData)?;
            Ok((got.bytes, (from, got.cmsgs()?.find_map(asked))))
        })
    }

    /// Answers from the address that was asked.
    fn send(&self, bytes: &[u8], (to, from): Client) -> io::Result<()> {
        let to = SockaddrStorage::from(to);
        let (v4, v6);
        let from = match from {
            None => None,
            Some(IpAddr::V4(from)) => {
                v4 = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(from.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                Some(ControlMessage::Ipv4PacketInfo(&v4))
            }
            Some(IpAddr::V6(from)) => {
                v6 = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: from.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                Some(ControlMessage::Ipv6PacketInfo(&v6))
            }
        };
        let (fd, flags) = (self.0.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        sendmsg(
            fd,
            &[IoSlice::new(bytes)],
            from.as_slice(),
            flags,
            Some(&to),
        )?;
        Ok(())
    }
}

fn address(of: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = of
        .as_sockaddr_in()
        .map(|&a: &SockaddrIn| SocketAddr::V4(a.into()));
    let v6 = || {
        of.as_sockaddr_in6()
            .map(|&a: &SockaddrIn6| SocketAddr::V6(a.into()))
    };
    v4.or_else(v6)
}

/// The address of the host that a datagram was sent to.
fn asked(told: ControlMessageOwned) -> Option<IpAddr> {
    match told {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            // One that came before the option was set has only what stands in its header.
            let told = match info.ipi_spec_dst.s_addr {
                0 => info.ipi_addr.s_addr,
                own => own,
            };
            Some(Ipv4Addr::from(told.to_ne_bytes()).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
        }
        _ => None,
    }
}

/// The kernel's own limit holds where more is not allowed.
fn wait_room(socket: &std::net::UdpSocket, bytes: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        let _ = setsockopt(socket, sockopt::RcvBuf, &bytes); // a smaller one loses more under load
    }
}

/// A client's way to the node.
struct Flow {
    to: SocketAddr,
    node: Arc<UdpSocket>,
    /// When something passed last, either way.
    last: Arc<AtomicU64>,
    answers: AbortHandle,
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.answers.abort();
    }
}

impl Flow {
    /// A socket in the network of the calling thread.
    fn open(
        to: SocketAddr,
        answers: impl FnOnce(Arc<UdpSocket>, Arc<AtomicU64>) -> AbortHandle,
    ) -> io::Result<Flow> {
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        wait_room(&socket, WAITING[1]);
        let node = Arc::new(UdpSocket::from_std(socket)?);
        let last = Arc::new(AtomicU64::new(sys::now()));
        let answers = answers(Arc::clone(&node), Arc::clone(&last));
        Ok(Flow {
            to,
            node,
            last,
            answers,
        })
    }

    fn send(&self, bytes: &[u8]) {
        self.last.store(sys::now(), Ordering::Relaxed);
        let send = || send(self.node.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT);
        // An error may be what became of an earlier one: refused, or too large for a link (udp(7)).
        if send().is_err() {
            let _ = send(); // lost
        }
    }

    fn silent_since(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

/// All flows of a port.
struct Flows {
    door: Arc<Door>,
    limits: Limits,
    all: HashMap<Client, Flow>,
    /// How many gave way.
    dropped: Arc<AtomicU64>,
    /// What answers are read into: nobody keeps it while waiting.
    buffer: Arc<Mutex<Vec<u8>>>,
    /// Whether the last flow could not be made, and that was said.
    said: bool,
}

impl Flows {
    /// Sends a client's datagram on to the node.
    fn pass_on(&mut self, client: Client, bytes: &[u8], to: SocketAddr) {
        if let Some(flow) = self.all.get(&client).filter(|flow| flow.to == to) {
            return flow.send(bytes);
        }
        self.all.remove(&client);
        self.make_room();
        let (door, buffer) = (Arc::downgrade(&self.door), Arc::clone(&self.buffer));
        let answers =
            |node, last| tokio::spawn(answer(node, door, client, last, buffer)).abort_handle();
        match Flow::open(to, answers) {
            Ok(flow) => {
                self.said = false;
                flow.send(bytes);
                self.all.insert(client, flow);
            }
            Err(error) if !self.said => {
                self.said = true;
                tracing::warn!(%error, "datagrams of a published port are not passed on");
            }
            Err(_) => {}
        }
    }

    fn make_room(&mut self) {
        if self.all.len() < self.limits.flows {
            return;
        }
        let silent = self.all.iter().min_by_key(|(_, flow)| flow.silent_since());
        if let Some(client) = silent.map(|(client, _)| *client) {
            self.all.remove(&client);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn forget_idle(&mut self) {
        let idle = u64::try_from(self.limits.idle.as_nanos()).unwrap_or(u64::MAX);
        let now = sys::now();
        self.all
            .retain(|_, flow| now.saturating_sub(flow.silent_since()) < idle);
    }
}

/// Carries datagrams both ways until it is dropped.
pub(super) async fn serve(
    socket: std::net::UdpSocket,
    to: Arc<Mutex<SocketAddr>>,
    dropped: Arc<AtomicU64>,
    limits: Limits,
) {
    let door = match Door::new(socket) {
        Ok(door) => Arc::new(door),
        Err(error) => return tracing::error!(%error, "a port cannot be watched"),
    };
    let mut flows = Flows {
        door: Arc::clone(&door),
        limits,
        all: HashMap::new(),
        dropped,
        buffer: Arc::new(Mutex::new(vec![0; LARGEST])),
        said: false,
    };
    let mut buffer = vec![0; LARGEST];
    let mut sweep = tokio::time::interval(limits.idle / 4);
    loop {
        tokio::select! {
            _ = sweep.tick() => flows.forget_idle(),
            _ = door.0.readable() => {
                let to = *to.lock().unwrap_or_else(PoisonError::into_inner);
                let failed = turn(&door, &mut buffer, |client, bytes| flows.pass_on(client, bytes, to));
                if let Err(error) = failed {
                    tracing::warn!(%error, "a datagram could not be received");
                    tokio::time::sleep(super::AGAIN).await;
                }
            }
        }
        // Others have their turn, even where clients never pause.
        tokio::task::yield_now().await;
    }
}

/// Takes what clients have sent, a few datagrams at most.
fn turn(door: &Door, buffer: &mut [u8], mut pass: impl FnMut(Client, &[u8])) -> io::Result<()> {
    for _ in 0..TURN {
        match door.receive(buffer) {
            Ok((length, client)) => pass(client, &buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends the node's answers to the client of one flow.
async fn answer(
    node: Arc<UdpSocket>,
    door: Weak<Door>,
    client: Client,
    last: Arc<AtomicU64>,
    buffer: Arc<Mutex<Vec<u8>>>,
) {
    while node.readable().await.is_ok() {
        let Some(door) = door.upgrade() else {
            return;
        };
        for _ in 0..TURN {
            let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
            match node.try_recv(&mut buffer) {
                Ok(length) => {
                    last.store(sys::now(), Ordering::Relaxed);
                    let _ = door.send(&buffer[..length], client); // lost
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What became of an earlier datagram: refused, or too large for a link (udp(7)).
                Err(_) => {}
            }
        }
        drop(door);
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
#[path = "datagrams_tests.rs"]
mod tests;
