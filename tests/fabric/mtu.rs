//! Links that carry less than a full packet, with real kernels that learn it and forget it again.

use super::lab::*;
use super::networks::{FAR, far, two_networks, wired};
use netlab::fabric::{Fabric, LinkChange, LinkCounters};
use netlab::id::{NetworkIndex, NodeIndex};
use netlab::link::{LinkMtu, LinkProperties};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// A stream from one namespace to another that stays open over changes.
struct Stream {
    near: TcpStream,
    far: TcpStream,
}

impl Stream {
    fn open(from: &Namespace, to: &Namespace, target: SocketAddr) -> Stream {
        let listener = to.run(move || TcpListener::bind(("::", target.port())).unwrap());
        let near = from.run(move || TcpStream::connect_timeout(&target, PATIENCE).unwrap());
        let (far, _) = listener.accept().unwrap();
        for end in [&near, &far] {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
            end.set_write_timeout(Some(PATIENCE)).unwrap();
        }
        Stream { near, far }
    }

    /// Carries a MiB.
    fn carry(&mut self) {
        let mut near = self.near.try_clone().unwrap();
        let sender = std::thread::spawn(move || near.write_all(&[7; 1 << 20]).unwrap());
        let mut got = vec![0; 1 << 20];
        self.far.read_exact(&mut got).unwrap();
        assert!(got.iter().all(|byte| *byte == 7));
        sender.join().unwrap();
    }
}

/// A link whose mtu changes, and what it did since the last look.
struct Watched<'f> {
    fabric: &'f Fabric,
    network: NetworkIndex,
    ends: (NodeIndex, NodeIndex),
    usual: LinkProperties,
    before: (u64, u64, u64),
}

impl Watched<'_> {
    fn set(&self, mtu: Option<LinkMtu>) {
        let change = LinkChange {
            network: self.network,
            from: self.ends.0,
            to: self.ends.1,
            properties: LinkProperties { mtu, ..self.usual },
            down: false,
        };
        self.fabric.change(&[change]).unwrap();
    }

    fn counters(&self) -> LinkCounters {
        let all = self.fabric.counters().unwrap().into_iter();
        let mut mine = all.filter(|c| (c.network, (c.from, c.to)) == (self.network, self.ends));
        mine.next().unwrap()
    }

    /// Mean size of the packets delivered since the last look, and how many were too big.
    fn look(&mut self) -> (u64, u64) {
        let c = self.counters();
        let now = (c.packets, c.bytes, c.dropped.mtu);
        let was = std::mem::replace(&mut self.before, now);
        ((now.1 - was.1) / (now.0 - was.0).max(1), now.2 - was.2)
    }
}

fn mtu(bytes: u32, black_hole: bool) -> Option<LinkMtu> {
    Some(LinkMtu { bytes, black_hole })
}

/// TCP of a narrow link to `target` learns its mtu, and forgets it when the link is wide again: the
/// connection that was open meanwhile, and a new one. Twice.
fn learns_and_forgets(
    link: &mut Watched<'_>,
    from: &Namespace,
    to: &Namespace,
    target: SocketAddr,
    narrow: u32,
) {
    for turn in 0..2 {
        link.set(mtu(narrow, false));
        let mut stream = Stream::open(from, to, target);
        link.look();
        stream.carry();
        let (size, too_big) = link.look();
        assert!(
            size <= u64::from(narrow) && too_big > 0,
            "{turn}: {size} {too_big}"
        );
        assert!(
            size > u64::from(narrow) - 150,
            "{turn}: at full size: {size}"
        );
        assert!(too_big < 100, "{turn}: told once: {too_big}");
        link.set(None);
        let port = SocketAddr::new(target.ip(), target.port() + 1);
        for mut stream in [stream, Stream::open(from, to, port)] {
            stream.carry(); // packets that were made before the heal may be among these
            link.look();
            stream.carry();
            let (size, too_big) = link.look();
            assert!(
                size > 1400 && too_big == 0,
                "{turn}: healed: {size} {too_big}"
            );
        }
    }
}

#[test]
fn tcp_learns_the_mtu_of_a_link_and_forgets_it_when_it_heals() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, LinkProperties::default());
    let mut link = Watched {
        fabric: &fabric,
        network: NETWORK,
        ends: (A, B),
        usual: LinkProperties::default(),
        before: (0, 0, 0),
    };
    learns_and_forgets(&mut link, &a, &b, v4(B, 80), 1200);
    learns_and_forgets(&mut link, &a, &b, v6(B, 80), 1300);
}

/// The narrow link is behind a router, whose fabric port tells.
#[test]
fn what_was_learned_behind_a_router_is_forgotten_too() {
    if !able() {
        return;
    }
    let config = two_networks();
    let fabric = Fabric::start(config.clone()).unwrap();
    let nodes = wired(&fabric, &config);
    let mut link = Watched {
        fabric: &fabric,
        network: FAR,
        ends: (B, C),
        usual: config.networks[1].default_link,
        before: (0, 0, 0),
    };
    let (v4, v6) = far(4);
    let target = (v4.to_ipv6_mapped(), 80).into();
    learns_and_forgets(&mut link, &nodes[0], &nodes[2], target, 1200);
    learns_and_forgets(&mut link, &nodes[0], &nodes[2], (v6, 80).into(), 1300);
}

#[test]
fn a_black_hole_is_one_until_it_heals() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, LinkProperties::default());
    let mut link = Watched {
        fabric: &fabric,
        network: NETWORK,
        ends: (A, B),
        usual: LinkProperties::default(),
        before: (0, 0, 0),
    };
    link.set(mtu(1200, true));
    for target in [v4(B, 80), v6(B, 81)] {
        let mut stream = Stream::open(&a, &b, target); // small packets pass
        stream.near.write_all(&[7; 100]).unwrap();
        stream.far.read_exact(&mut [0; 100]).unwrap();
        stream.near.write_all(&[7; 1 << 16]).unwrap();
        stream.far.set_read_timeout(Some(SILENCE)).unwrap();
        let silent = stream.far.read(&mut [0; 1]).unwrap_err().kind();
        assert!(
            matches!(silent, ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{silent}"
        );
        assert!(link.look().1 > 0, "counted");
        link.set(None);
        stream.far.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut got = vec![0; 1 << 16];
        stream.far.read_exact(&mut got).unwrap();
        link.set(mtu(1200, true));
    }
}
