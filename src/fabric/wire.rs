//! Wiring: a TUN device is created here, moved into a node's namespace and configured there.
//!
//! Owns the steps and their errors. Must not know links, packets or containers: a namespace is a
//! descriptor.
//!
//! Order: create, mtu and queue, move, then inside: `lo` up, rename, addresses, up, routes. The
//! descriptor of the device keeps the namespace in which it was *opened* alive (the agent's own),
//! not the one it was moved to, so a node's namespace dies with its last process, the device with
//! it, and the fabric reads EPOLLERR. The part inside runs on a thread that enters the namespace,
//! opens a netlink socket and ends before [`wire`] returns: nothing of ours stays.

use super::map;
use super::netlink::{self, Netlink};
use super::sys::Tun;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sched::{CloneFlags, setns};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// How the device shall look inside the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireSpec {
    /// Name of the device, usually `eth0`.
    pub device: String,
    /// IPv4 address and prefix length.
    pub v4: (Ipv4Addr, u8),
    /// IPv6 address and prefix length.
    pub v6: (Ipv6Addr, u8),
    /// Networks to which the device leads beside its own.
    pub routes: Vec<(IpAddr, u8)>,
    /// Multicast and limited broadcast leave through it: true for one device of a namespace.
    pub primary: bool,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Packets that wait in the device until the fabric reads them; beyond it the kernel drops in
    /// silence ([`super::Fabric::undeclared_drops`]).
    pub queue: u32,
}

impl WireSpec {
    /// `eth0`, the only device, with mtu 1500, a queue of 10,000 packets and netlab's prefix lengths.
    pub fn new(v4: Ipv4Addr, v6: Ipv6Addr) -> WireSpec {
        WireSpec {
            device: "eth0".to_owned(),
            v4: (v4, super::V4_PREFIX),
            v6: (v6, super::V6_PREFIX),
            routes: Vec::new(),
            primary: true,
            mtu: crate::link::MTU,
            queue: 10_000,
        }
    }
}

/// The step of wiring that failed.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The device could not be made.
    #[error(
        "a TUN device could not be created: is /dev/net/tun there, and may this process use it (CAP_NET_ADMIN)?"
    )]
    Create(#[source] io::Error),
    /// No netlink socket, here or inside the namespace.
    #[error("no netlink socket could be opened")]
    Socket(#[source] io::Error),
    /// The namespace could not be entered.
    #[error("the namespace could not be entered: it needs CAP_SYS_ADMIN")]
    Enter(#[source] io::Error),
    /// The thread that works inside the namespace could not be started or died.
    #[error("the thread that configures the namespace failed")]
    Thread(#[source] io::Error),
    /// The kernel refused a step of the configuration.
    #[error("{step} of the device `{device}` was refused by the kernel")]
    Configure {
        /// What was attempted, such as `address 10.77.0.2/16`.
        step: String,
        /// The device's name inside the namespace.
        device: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// Creates a TUN device, moves it into `netns` and configures it there.
///
/// # Errors
/// The step that failed, and why; the device is gone then.
pub fn wire(netns: BorrowedFd<'_>, spec: &WireSpec) -> Result<Tun, WireError> {
    let mut tun = Tun::create().map_err(WireError::Create)?;
    let mut here = Netlink::open().map_err(WireError::Socket)?;
    let index = here
        .link(netlink::by_name(tun.name()))
        .map_err(|e| refused("look-up", spec, e))?
        .header
        .index;
    let size = vec![
        LinkAttribute::Mtu(spec.mtu),
        LinkAttribute::TxQueueLen(spec.queue),
    ];
    set(&mut here, spec, "mtu and queue", index, size)?;
    let target = vec![LinkAttribute::NetNsFd(netns.as_raw_fd())];
    set(&mut here, spec, "move", index, target)?;
    inside(netns, || configure(tun.name(), spec))
        .map_err(WireError::Thread)?
        .map_err(WireError::Enter)??;
    tun.renamed(&spec.device);
    Ok(tun)
}

/// Runs `work` on a thread inside `netns` and waits for its end. The outer error is the thread's,
/// the inner one that of entering.
///
/// # Errors
/// No thread, or it panicked.
pub fn inside<T: Send>(
    netns: BorrowedFd<'_>,
    work: impl FnOnce() -> T + Send,
) -> io::Result<io::Result<T>> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("netlab-wire".to_owned())
            .stack_size(256 * 1024)
            .spawn_scoped(scope, || {
                setns(netns, CloneFlags::CLONE_NEWNET)?;
                Ok(work())
            })?;
        thread
            .join()
            .map_err(|_| io::Error::other("the thread panicked"))
    })
}

fn configure(found_as: &str, spec: &WireSpec) -> Result<(), WireError> {
    let mut net = Netlink::open().map_err(WireError::Socket)?;
    let up = |index| {
        let mut message = netlink::by_index(index, Vec::new());
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message
    };
    apply(&mut net, spec, "switching on lo beside", up(LOOPBACK))?;
    let index = net
        .link(netlink::by_name(found_as))
        .map_err(|e| refused("look-up after the move", spec, e))?
        .header
        .index;
    let name = vec![LinkAttribute::IfName(spec.device.clone())];
    set(&mut net, spec, "renaming", index, name)?;
    // The fabric knows the link-local address beforehand, and runs are alike: the kernel makes none.
    let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    let none = AfSpecUnspec::Inet6(vec![mode]);
    let attribute = vec![LinkAttribute::AfSpecUnspec(vec![none])];
    set(&mut net, spec, "no address of its own", index, attribute)?;
    address(&mut net, spec, index, (spec.v4.0.into(), spec.v4.1))?;
    address(&mut net, spec, index, (spec.v6.0.into(), spec.v6.1))?;
    apply(&mut net, spec, "switching on", up(index))?;
    // With it the kernel greets routers at once: a device that is not on yet would lose that.
    let local = (map::link_local(spec.v6.0).into(), LOCAL_PREFIX);
    address(&mut net, spec, index, local)?;
    let common = ROUTES.iter().filter(|_| spec.primary);
    for &(target, length) in common.chain(&spec.routes) {
        let message = RouteNetlinkMessage::NewRoute(route_message(index, target, length));
        match net.ask(message, netlink::CREATE) {
            // Some kernels add the IPv6 multicast route themselves.
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {}
            other => other.map_err(|e| refused(&format!("route {target}/{length}"), spec, e))?,
        }
    }
    Ok(())
}

/// Adds an address to a device.
fn address(
    net: &mut Netlink,
    spec: &WireSpec,
    index: u32,
    (address, length): (IpAddr, u8),
) -> Result<(), WireError> {
    let message = RouteNetlinkMessage::NewAddress(address_message(index, address, length));
    net.ask(message, netlink::CREATE)
        .map_err(|e| refused(&format!("address {address}/{length}"), spec, e))
}

/// Length of the link-local prefix (RFC 4291 §2.5.6).
const LOCAL_PREFIX: u8 = 64;
/// Index of `lo` in every namespace.
const LOOPBACK: u32 = 1;

/// Multicast and limited broadcast leave through the device, too.
const ROUTES: [(IpAddr, u8); 3] = [
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4),
    (IpAddr::V4(Ipv4Addr::BROADCAST), 32),
    (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8),
];

fn address_message(index: u32, address: IpAddr, length: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = length;
    // No duplicate address detection: the address serves at once.
    message.header.flags = AddressHeaderFlags::Nodad;
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
        AddressAttribute::Flags(AddressFlags::Nodad),
    ];
    message.header.family = match address {
        IpAddr::V4(v4) => {
            let host = u32::MAX.checked_shr(length.into()).unwrap_or(0);
            let broadcast = Ipv4Addr::from(u32::from(v4) | host);
            message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast));
            AddressFamily::Inet
        }
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message
}

fn route_message(index: u32, target: IpAddr, length: u8) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = match target {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.destination_prefix_length = length;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Link;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![
        RouteAttribute::Destination(RouteAddress::from(target)),
        RouteAttribute::Oif(index),
    ];
    message
}

fn set(
    net: &mut Netlink,
    spec: &WireSpec,
    step: &str,
    index: u32,
    attributes: Vec<LinkAttribute>,
) -> Result<(), WireError> {
    apply(net, spec, step, netlink::by_index(index, attributes))
}

fn apply(
    net: &mut Netlink,
    spec: &WireSpec,
    step: &str,
    message: LinkMessage,
) -> Result<(), WireError> {
    net.ask(RouteNetlinkMessage::SetLink(message), 0)
        .map_err(|e| refused(step, spec, e))
}

fn refused(step: &str, spec: &WireSpec, source: io::Error) -> WireError {
    WireError::Configure {
        step: step.to_owned(),
        device: spec.device.clone(),
        source,
    }
}

/// Packets that the kernel dropped because the queue of `tun` was full (`tx_dropped`), read inside
/// the namespace where the device is now; pins that namespace for some ten microseconds.
pub(super) fn dropped_by_device(tun: &Tun) -> io::Result<u64> {
    use std::os::fd::AsFd;
    let netns = tun.namespace()?;
    let link = inside(netns.as_fd(), || {
        Netlink::open()?.link(netlink::by_name(tun.name()))
    })???;
    let dropped = link.attributes.iter().find_map(|a| match a {
        LinkAttribute::Stats64(stats) => Some(stats.tx_dropped),
        _ => None,
    });
    dropped.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}
