//! Path mtus that the kernel of a node has learned, forgotten.
//!
//! Owns how a kernel is brought to it. Must not know why.
//!
//! A kernel that is told "too big" keeps what it learned for ten minutes, beside the route that the
//! packet took. In IPv6 such an entry can be deleted. In IPv4 it goes with its route only (the
//! other way, a file under /proc/sys, is read-only in a container): each route is replaced, in one
//! step, by one that differs in the number that says who made it. Connections look for their route
//! again and find the full mtu. Routes of other makers than the kernel, us, and people who type `ip
//! route` stay as they are.

use super::netlink::{self, Netlink};
use super::sys::Tun;
use super::wire::inside;
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;
use std::os::fd::AsFd;

/// Makers whose routes are replaced, beside [`OURS`].
const KNOWN: [RouteProtocol; 3] = [
    RouteProtocol::Kernel,
    RouteProtocol::Boot,
    RouteProtocol::Static,
];
/// Numbers of makers that nobody else uses (linux/rtnetlink.h names none above 192).
const OURS: std::ops::RangeInclusive<u8> = 200..=255;

/// Has the kernel on the other side of `tun` forget what it learned about routes through this device.
pub(super) fn path_mtus(tun: &Tun) -> io::Result<()> {
    let netns = tun.namespace()?;
    inside(netns.as_fd(), || {
        let mut net = Netlink::open()?;
        let device = net.link(netlink::by_name(tun.name()))?.header.index;
        forget_v4(&mut net, device)?;
        forget_v6(&mut net, device)
    })??
}

fn forget_v4(net: &mut Netlink, device: u32) -> io::Result<()> {
    let mut routes = routes(net, AddressFamily::Inet)?;
    let ours = |protocol| OURS.contains(&u8::from(protocol));
    routes.retain(|route| {
        let RouteHeader {
            table,
            kind,
            flags,
            protocol,
            ..
        } = route.header;
        table == RouteHeader::RT_TABLE_MAIN
            && kind == RouteType::Unicast
            && !flags.contains(RouteFlags::Cloned)
            && (KNOWN.contains(&protocol) || ours(protocol))
            && leaves_through(route, device)
    });
    let taken = |number: &u8| {
        let mut makers = routes.iter().map(|route| u8::from(route.header.protocol));
        makers.any(|maker| maker == *number)
    };
    // What is learned belongs to all routes that are alike but for their targets: none of those there
    // are may be like a new one.
    let maker = OURS.clone().find(|number| !taken(number));
    let maker = maker.ok_or_else(|| io::Error::other("its routes have too many makers"))?;
    for mut route in routes {
        route.header.protocol = maker.into();
        let message = RouteNetlinkMessage::NewRoute(route);
        match net.ask(message, netlink::REPLACE) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
            _ => {} // it may be gone meanwhile
        }
    }
    Ok(())
}

fn forget_v6(net: &mut Netlink, device: u32) -> io::Result<()> {
    for mut route in routes(net, AddressFamily::Inet6)? {
        let learned = route.header.flags.contains(RouteFlags::Cloned);
        if !learned || !leaves_through(&route, device) {
            continue;
        }
        route.attributes.retain(|attribute| {
            matches!(
                attribute,
                RouteAttribute::Destination(_)
                    | RouteAttribute::Source(_)
                    | RouteAttribute::Oif(_)
                    | RouteAttribute::Gateway(_)
                    | RouteAttribute::Table(_)
            )
        });
        match net.ask(RouteNetlinkMessage::DelRoute(route), 0) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error),
            _ => {} // it may be gone meanwhile
        }
    }
    Ok(())
}

fn leaves_through(route: &RouteMessage, device: u32) -> bool {
    let through = RouteAttribute::Oif(device);
    route.attributes.contains(&through)
}

/// All routes of a family, learned ones included (Linux 5.3).
fn routes(net: &mut Netlink, family: AddressFamily) -> io::Result<Vec<RouteMessage>> {
    let mut all = RouteMessage::default();
    all.header.address_family = family;
    let found = net.dump(RouteNetlinkMessage::GetRoute(all))?;
    let route = |message| match message {
        RouteNetlinkMessage::NewRoute(route) => Some(route),
        _ => None,
    };
    Ok(found.into_iter().filter_map(route).collect())
}
