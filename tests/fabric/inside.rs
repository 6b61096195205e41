//! What stays inside a network, and what a capture says of packets that went no further.

use super::lab::*;
use super::networks::{two_networks, wired};
use netlab::fabric::capture::Filter;
use netlab::fabric::{Answers, Fabric, LinkChange, ResolverChange, ResolverManner};
use netlab::link::{LinkMtu, LinkProperties};
use netlab::units::{BitRate, Ratio};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);

/// A socket of one family that has joined the group, at a node with this address.
fn member(at: &Namespace, own: Option<Ipv4Addr>) -> UdpSocket {
    let socket = at.run(move || match own {
        Some(own) => {
            let socket = UdpSocket::bind("0.0.0.0:9").unwrap();
            socket.join_multicast_v4(&GROUP, &own).unwrap();
            socket
        }
        None => {
            let index = nix::net::if_::if_nametoindex("eth0").unwrap();
            let socket = UdpSocket::bind("[::]:9").unwrap();
            socket.join_multicast_v6(&GROUP6, index).unwrap();
            socket
        }
    });
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A is in one network, C in another, B in both.
#[test]
fn broadcast_and_multicast_stay_in_their_network() {
    if !able() {
        return;
    }
    let config = two_networks();
    let fabric = Fabric::start(config.clone()).unwrap();
    let nodes = wired(&fabric, &config);
    let far = config.nodes[2].interfaces[0].v4;
    let any: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
    let families: [(&[SocketAddr], bool); 2] = [
        (
            &[
                (GROUP, 9).into(),
                (Ipv4Addr::BROADCAST, 9).into(),
                (Ipv4Addr::new(10, 77, 255, 255), 9).into(),
            ],
            true,
        ),
        (&[(GROUP6, 9).into()], false),
    ];
    for (targets, v4) in families {
        let own = |address: Ipv4Addr| v4.then_some(address);
        let (near, outside) = (member(&nodes[1], own(four(B))), member(&nodes[2], own(far)));
        let from = move || match v4 {
            true => UdpSocket::bind((four(A), 4000)).unwrap(),
            false => UdpSocket::bind((any, 4000)).unwrap(),
        };
        let sender = nodes[0].run(from);
        if v4 {
            sender.set_broadcast(true).unwrap();
        }
        for (target, number) in targets.iter().zip(1_u8..) {
            sender.send_to(&[number; 8], target).unwrap();
            let mut bytes = [0; 8];
            near.recv(&mut bytes).unwrap();
            assert_eq!(bytes, [number; 8], "{target}");
        }
        outside.set_read_timeout(Some(SILENCE)).unwrap();
        let silent = outside.recv(&mut [0; 8]).unwrap_err().kind();
        assert!(
            matches!(silent, ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{silent}"
        );
    }
}

/// Who has no address of its own choice sends from its link-local one, and is answered there.
#[test]
fn link_local_addresses_reach_the_network() {
    if !able() {
        return;
    }
    let (_fabric, [a, b, _c]) = lab(3, LinkProperties::default());
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 0x23);
    let index = || nix::net::if_::if_nametoindex("eth0").unwrap();
    let near = b.run(move || {
        let socket = UdpSocket::bind("[::]:9").unwrap();
        socket.join_multicast_v6(&group, index()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    let sender = a.run(move || {
        let socket = UdpSocket::bind("[::]:4000").unwrap();
        let to = SocketAddrV6::new(group, 9, 0, index());
        socket.send_to(b"who is there", to).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    let mut bytes = [0; 16];
    let (length, from) = near.recv_from(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"who is there");
    assert_eq!(from.ip(), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
    near.send_to(b"I am", from).unwrap();
    let (length, from) = sender.recv_from(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"I am");
    assert_eq!(from.ip(), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3));
}

/// One packet or more of every cause; the file says as many times what the counters say.
#[test]
fn a_capture_holds_what_was_dropped_and_why() {
    if !able() {
        return;
    }
    let (fabric, [a, _b, c]) = lab(3, LinkProperties::default());
    let path = std::env::temp_dir().join(format!("netlab-causes-{}.pcapng", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    let capture = fabric
        .capture(Filter::Link { from: A, to: B }, 1 << 26, file)
        .unwrap();
    let set = |properties: LinkProperties, down: bool| {
        let change = LinkChange {
            network: NETWORK,
            from: A,
            to: B,
            properties,
            down,
        };
        fabric.change(&[change]).unwrap();
    };
    let usual = LinkProperties::default();
    let black_hole = true;
    let mtu = Some(LinkMtu {
        bytes: 500,
        black_hole,
    });
    let (loss, rate) = (Ratio(1.0), Some(BitRate(1_000_000)));
    let socket = a.udp(4000);
    let ways = [
        (LinkProperties { loss, ..usual }, false),
        (usual, true),
        (
            LinkProperties {
                down: true,
                ..usual
            },
            false,
        ),
        (LinkProperties { mtu, ..usual }, false),
        (LinkProperties { rate, ..usual }, false),
        (usual, false),
    ];
    let mut sent = 0;
    for (at, (properties, down)) in ways.into_iter().enumerate() {
        set(properties, down);
        if at == ways.len() - 1 {
            fabric.detach(B).unwrap();
        }
        for _ in 0..40 {
            socket.send_to(&[0; 1000], v4(B, 9)).unwrap();
        }
        sent += 40;
        eventually("settled", || settled(&fabric, A, B) == sent);
    }
    let summary = capture.stop().unwrap();
    let text = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let dropped = counted(&fabric, A, B).unwrap().dropped;
    assert_eq!((summary.packets, summary.lost), (sent, 0));
    for (cause, count) in [
        ("loss", dropped.loss),
        ("down", dropped.down),
        ("mtu", dropped.mtu),
        ("queue", dropped.queue),
        ("no_port", dropped.no_port),
    ] {
        let comment = format!("dropped: {cause}");
        let found = text
            .windows(comment.len())
            .filter(|w| *w == comment.as_bytes());
        assert_eq!(found.count() as u64, count, "{cause}");
        assert!(count > 0, "{cause}");
    }
    drop(c);
}

#[test]
fn the_resolver_is_late_or_silent_for_those_who_shall_wait() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, LinkProperties::default());
    let mut query = vec![0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6];
    query.extend(b"node-1\0\0\x01\0\x01");
    let resolver: SocketAddr = (Ipv4Addr::new(10, 77, 0, 1).to_ipv6_mapped(), 53).into();
    let ask = |at: &Namespace, patience: Duration| {
        let (socket, begin) = (at.udp(0), Instant::now());
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.send_to(&query, resolver).unwrap();
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes).ok()?;
        Some((bytes[length - 4..length].to_vec(), begin.elapsed()))
    };
    let set = |delay: u64, answers| {
        let delay = Duration::from_millis(delay);
        let manner = ResolverManner { delay, answers };
        fabric
            .change_resolver(&[ResolverChange { node: A, manner }])
            .unwrap();
    };
    set(80, Answers::Right);
    let (answer, took) = ask(&a, PATIENCE).unwrap();
    assert_eq!(answer, four(B).octets());
    assert!(took >= Duration::from_millis(80), "{took:?}");
    set(0, Answers::Lies);
    assert_ne!(ask(&a, PATIENCE).unwrap().0, four(B).octets());
    set(0, Answers::Silence);
    assert_eq!(ask(&a, SILENCE), None);
    assert_eq!(
        ask(&b, PATIENCE).unwrap().0,
        four(B).octets(),
        "others are answered"
    );
    set(0, Answers::Right);
    assert_eq!(ask(&a, PATIENCE).unwrap().0, four(B).octets());
}
