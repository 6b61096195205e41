//! The fabric on the real kernel: TUN devices in network namespaces of this process, no containers.
//!
//! Needs root and /dev/net/tun; skips with a reason otherwise, and fails instead when
//! `NETLAB_TESTS_STRICT` is set. Timing is asserted on one side only: a packet is never early, and
//! how late it is depends on the host and is printed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harm;
mod inside;
mod junk;
mod lab;
mod mtu;
mod networks;
mod noise;
mod reconfigure;

use lab::*;
use netlab::fabric::LinkChange;
use netlab::fabric::wire::{WireSpec, wire};
use netlab::fabric::{Fabric, Tun};
use netlab::id::NodeIndex;
use netlab::link::LinkProperties;
use netlab::units::{BitRate, Ratio};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

#[test]
fn echo_over_both_families_takes_the_declared_time() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, delayed(5));
    echo(b.udp(9));
    let socket = a.udp(4000);
    for target in [v4(B, 9), v6(B, 9)] {
        let mut round_trips: Vec<Duration> = (0..50_u8)
            .map(|i| {
                let (begin, mut bytes) = (Instant::now(), [0; 8]);
                socket.send_to(&[i; 8], target).unwrap();
                assert_eq!(socket.recv_from(&mut bytes).unwrap(), (8, target));
                assert_eq!(bytes, [i; 8]);
                begin.elapsed()
            })
            .collect();
        round_trips.sort();
        assert!(
            round_trips[0] >= Duration::from_millis(10),
            "{round_trips:?}"
        );
        println!(
            "{target}: declared 10 ms, median {:?}, worst {:?}",
            round_trips[25], round_trips[49]
        );
    }
    let there = counted(&fabric, A, B).unwrap();
    // 100 datagrams of 8 bytes with 28 bytes of headers over IPv4 and 48 over IPv6.
    assert_eq!((there.packets, there.bytes), (100, 50 * 36 + 50 * 56));
    assert_eq!(there.dropped.total(), 0);
    let lag = fabric.lag().unwrap();
    let drops = fabric.undeclared_drops().unwrap();
    assert_eq!(drops, [(A, 0), (B, 0), (C, 0)]);
    println!(
        "{:?} p50 {:?} p99 {:?}",
        fabric.priority().unwrap(),
        lag.quantile(0.5),
        lag.quantile(0.99)
    );
    fabric.stop().unwrap();
}

#[test]
fn tcp_carries_every_byte() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, delayed(1));
    let listener = b.run(|| TcpListener::bind(("::", 80)).unwrap());
    let sent: Vec<u8> = (0..8_u32 << 20).map(|i| (i % 251) as u8).collect();
    let copy = sent.clone();
    let sender = std::thread::spawn(move || {
        let mut stream = a.run(|| TcpStream::connect_timeout(&v4(B, 80), PATIENCE).unwrap());
        stream.write_all(&copy).unwrap();
        a
    });
    let (mut stream, _) = listener.accept().unwrap();
    let (begin, mut got) = (Instant::now(), Vec::new());
    stream.read_to_end(&mut got).unwrap();
    assert!(
        got == sent,
        "{} of {} bytes, or other ones",
        got.len(),
        sent.len()
    );
    println!(
        "TCP: {:.0} Mbit/s",
        got.len() as f64 * 8e-6 / begin.elapsed().as_secs_f64()
    );
    drop((sender.join().unwrap(), fabric));
}

#[test]
fn a_cut_is_silence_and_heals() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, delayed(1));
    echo(b.udp(9));
    let socket = a.udp(4000);
    let mut bytes = [0; 8];
    let cut = |down| LinkChange {
        network: NETWORK,
        from: A,
        to: B,
        properties: delayed(1),
        down,
    };
    fabric.change(&[cut(true)]).unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    // A connected socket would report an ICMP error: there must be none.
    socket.connect(v4(B, 9)).unwrap();
    socket.send(&[1; 8]).unwrap();
    let silent = socket.recv(&mut bytes).unwrap_err();
    assert!(
        matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{silent}"
    );
    assert_eq!(counted(&fabric, A, B).unwrap().dropped.down, 1);
    fabric.change(&[cut(false)]).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(&[2; 8]).unwrap();
    assert_eq!(socket.recv(&mut bytes).unwrap(), 8);
    assert_eq!(bytes, [2; 8]);
}

#[test]
fn names_are_resolved_and_unknown_addresses_refused() {
    if !able() {
        return;
    }
    let (fabric, [a, _b, _c]) = lab(3, delayed(5));
    let mut query = vec![0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6];
    query.extend(b"node-1\0\0\x01\0\x01");
    let socket = a.udp(4000);
    let four: IpAddr = Ipv4Addr::new(10, 77, 0, 1).to_ipv6_mapped().into();
    for at in [four, "fd77::1".parse().unwrap()] {
        let mut bytes = [0; 512];
        socket.send_to(&query, (at, 53)).unwrap();
        let (length, from) = socket.recv_from(&mut bytes).unwrap();
        assert_eq!(from, SocketAddr::from((at, 53)));
        assert_eq!(bytes[length - 4..length], [10, 77, 0, 3]);
    }
    // Nobody's address is refused at once; a node without device is silent.
    let connect = |to: SocketAddr| {
        let begin = Instant::now();
        let error = a.run(move || TcpStream::connect_timeout(&to, SILENCE).unwrap_err());
        (error.kind(), begin.elapsed())
    };
    for to in ["[fd77::99]:80", "10.77.9.9:80"] {
        assert_eq!(
            connect(to.parse().unwrap()).0,
            ErrorKind::HostUnreachable,
            "{to}"
        );
    }
    fabric.detach(B).unwrap();
    let (kind, after) = connect(v6(B, 80));
    assert!(
        kind == ErrorKind::TimedOut && after >= SILENCE,
        "{kind} {after:?}"
    );
    assert!(counted(&fabric, A, B).unwrap().dropped.no_port >= 1);
}

/// Each broadcast is delivered to exactly one of B and C, whichever state holds: were a set of
/// changes seen half, one packet would reach both or none.
#[test]
fn a_set_of_a_hundred_changes_is_atomic() {
    if !able() {
        return;
    }
    let (fabric, [a, _b, _c]) = lab(103, LinkProperties::default());
    let change = |to, down| LinkChange {
        network: NETWORK,
        from: A,
        to,
        properties: LinkProperties::default(),
        down,
    };
    // First and last of the set are the observed ones.
    let set = |odd: bool| -> Vec<LinkChange> {
        let between = (3..101).map(|i| change(NodeIndex(i), odd));
        let first = std::iter::once(change(B, odd));
        first.chain(between).chain([change(C, !odd)]).collect()
    };
    fabric.change(&set(false)).unwrap();
    let socket = a.run(|| UdpSocket::bind("0.0.0.0:4000").unwrap());
    socket.set_broadcast(true).unwrap();
    let sender = std::thread::spawn(move || {
        for _ in 0..5_000 {
            socket.send_to(&[0; 8], "255.255.255.255:9").unwrap();
        }
    });
    let mut changes = 0_u32;
    let mut last = 0;
    while !sender.is_finished() || changes < 100 {
        let at = fabric.change(&set(changes.is_multiple_of(2))).unwrap();
        assert!(at >= last);
        (changes, last) = (changes + 1, at);
    }
    sender.join().unwrap();
    eventually("all broadcasts settled", || settled(&fabric, A, C) == 5_000);
    let (b, c) = (
        counted(&fabric, A, B).unwrap(),
        counted(&fabric, A, C).unwrap(),
    );
    assert_eq!(b.packets + c.packets, 5_000, "{b:?} {c:?}");
    assert_eq!(b.dropped.down + c.dropped.down, 5_000);
    println!(
        "{changes} sets of 100 changes; {} to B, {} to C",
        b.packets, c.packets
    );
}

/// Sends `count` datagrams of `size` bytes from A's port 4000, no more than 1000 ahead of the fabric.
fn flood(fabric: &Fabric, from: &Namespace, count: u64, size: usize) {
    let socket = from.udp(4000);
    for sent in 0..count {
        if sent % 500 == 0 {
            eventually("the fabric reads", || settled(fabric, A, B) + 1000 > sent);
        }
        socket.send_to(&vec![0; size], v4(B, 9)).unwrap();
    }
}

/// 99 % of binomial(20000, 0.01) lie within 200 ± 2.576 √198 = 200 ± 36. Addresses, ports and seed
/// are fixed, so the number is the same in every run.
#[test]
fn loss_is_within_the_binomial_interval_and_repeats() {
    if !able() {
        return;
    }
    let lost: Vec<u64> = (0..2)
        .map(|_| {
            let lossy = LinkProperties {
                loss: Ratio(0.01),
                ..LinkProperties::default()
            };
            let (fabric, [a, _b, _c]) = lab(3, lossy);
            flood(&fabric, &a, 20_000, 32);
            eventually("all settled", || settled(&fabric, A, B) == 20_000);
            let counters = counted(&fabric, A, B).unwrap();
            assert_eq!(counters.dropped.total(), counters.dropped.loss);
            counters.dropped.loss
        })
        .collect();
    assert!(lost[0].abs_diff(200) <= 36, "{lost:?}");
    assert_eq!(lost[0], lost[1]);
}

/// 20 Mbit/s, datagrams of 1000 bytes on the wire: one every 400 µs. However slow the host is, nothing
/// arrives before its turn, and more than the queue holds at once is dropped.
#[test]
fn a_rate_is_never_exceeded() {
    if !able() {
        return;
    }
    let limited = LinkProperties {
        rate: Some(BitRate(20_000_000)),
        delay: Duration::from_millis(20),
        ..LinkProperties::default()
    };
    let (fabric, [a, b, _c]) = lab(3, limited);
    let (receiver, socket) = (b.udp(9), a.udp(4000));
    let begin = Instant::now();
    // The queue holds 100 packets (20 Mbit/s × 40 ms): it is full when more come in 40 ms.
    eventually("the queue is full", || {
        for _ in 0..500 {
            socket.send_to(&[0; 972], v4(B, 9)).unwrap();
        }
        counted(&fabric, A, B).is_some_and(|c| c.dropped.queue > 0)
    });
    for arrived in 1..=60 {
        receiver.recv(&mut [0; 2048]).unwrap();
        // The first was sent after the beginning, each takes its time behind it; a socket holds 90.
        let earliest = Duration::from_millis(20) + arrived * Duration::from_micros(400);
        assert!(begin.elapsed() >= earliest, "{arrived} packets too early");
    }
    eventually("all settled", || {
        counted(&fabric, A, B).is_some_and(|c| c.under_way == 0)
    });
    let c = counted(&fabric, A, B).unwrap();
    assert!(c.packets >= 100 && c.dropped.total() == c.dropped.queue);
    println!("{} carried, {} dropped", c.packets, c.dropped.queue);
}

#[test]
fn nothing_of_ours_keeps_a_namespace_alive() {
    if !able() {
        return;
    }
    let mut child = std::process::Command::new("unshare")
        .args(["-n", "sleep", "60"])
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/ns/net", child.id());
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    eventually("a namespace of its own", || {
        std::fs::read_link(&path).is_ok_and(|netns| netns != own)
    });
    let netns = std::fs::File::open(&path).unwrap();
    let tun = wire(netns.as_fd(), &WireSpec::new(four(A), six(A))).unwrap();
    drop(netns);
    let gone = |tun: &Tun| {
        let mut ports = [PollFd::new(tun.as_fd(), PollFlags::POLLIN)];
        poll(&mut ports, PollTimeout::ZERO).unwrap();
        ports[0].revents().unwrap().contains(PollFlags::POLLERR)
    };
    assert!(!gone(&tun));
    child.kill().unwrap();
    child.wait().unwrap();
    let begin = Instant::now();
    eventually("the device reports its end", || gone(&tun));
    println!("device gone after {:?}", begin.elapsed());
    assert!(tun.send(&[0x45; 40]).is_err());
}

#[test]
fn a_lost_device_is_reported_once_and_can_be_replaced() {
    if !able() {
        return;
    }
    let (fabric, [a, b, c]) = lab(3, delayed(1));
    let (lost, reports) = channel();
    fabric
        .on_lost_device(move |node| lost.send(node).unwrap())
        .unwrap();
    fabric.detach(C).unwrap();
    drop((b, c));
    assert_eq!(reports.recv_timeout(PATIENCE), Ok(B));
    let again = Namespace::new();
    fabric.attach(B, NETWORK, again.wire(B)).unwrap();
    echo(again.udp(9));
    let socket = a.udp(4000);
    socket.send_to(&[1; 8], v4(B, 9)).unwrap();
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 8);
    assert!(
        reports.try_recv().is_err(),
        "B once, C was let go on purpose"
    );
}

/// The queue holds 10,000 packets; the kernel's own chatter may take a few of the places.
#[test]
fn the_device_is_as_specified_and_its_drops_are_seen() {
    if !able() {
        return;
    }
    let (fabric, namespace) = (
        Fabric::start(config(3, delayed(1))).unwrap(),
        Namespace::new(),
    );
    let tun = namespace.wire(A);
    let mtu = namespace.run(|| std::fs::read_to_string("/proc/sys/net/ipv6/conf/eth0/mtu"));
    assert_eq!(mtu.unwrap().trim(), "1500");
    let socket = namespace.udp(4000);
    for _ in 0..10_050 {
        let _ = socket.send_to(&[0; 8], v4(B, 9));
    }
    fabric.attach(A, NETWORK, tun).unwrap();
    let (node, dropped) = fabric.undeclared_drops().unwrap()[0];
    assert!(node == A && (50..70).contains(&dropped), "{dropped}");
    eventually("the rest is read", || {
        settled(&fabric, A, B) >= 10_050 - dropped
    });
}
