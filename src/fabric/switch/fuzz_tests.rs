//! Whatever a node's device holds: no panic, bounded work and memory, and nothing goes where it may not.
//!
//! Frames are drawn by number, so that one that fails can be made again: `NETLAB_FUZZ_SEED` says
//! where to begin.

use super::super::capture::{self, Filter};
use super::super::map::is_link_local;
use super::super::packet::{Header, ICMP, ICMP6, TCP, UDP, parse};
use super::super::{Answers, InterfaceConfig, Reach, ResolverChange, ResolverManner, Wires};
use super::tests::*;
use super::*;
use crate::link::{Checksum, GilbertElliott, LinkMtu, Reorder};
use crate::units::Ratio;
use netlab_protocol::draw;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

const FAR: NetworkIndex = NetworkIndex(1);
/// Most packets that one frame may become: its segments, twice, for both neighbours.
const MOST: u64 = 4 * 1_400;

/// Draws from a number.
struct Dice {
    seed: u64,
    drawn: u64,
}

impl Dice {
    fn bits(&mut self) -> u64 {
        self.drawn += 1;
        draw::bits(self.seed, &[self.drawn])
    }

    fn below(&mut self, n: usize) -> usize {
        self.drawn += 1;
        draw::below(self.seed, &[self.drawn], n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = (0..length.div_ceil(8)).map(|_| self.bits().to_ne_bytes());
        let mut bytes = words.collect::<Vec<_>>().concat();
        bytes.truncate(length);
        bytes
    }
}

fn far(host: u8) -> InterfaceConfig {
    InterfaceConfig {
        network: FAR,
        v4: Ipv4Addr::new(10, 78, 0, host),
        v6: Ipv6Addr::from((0xfd78 << 112) + u128::from(host)),
    }
}

/// n0 and n1 in one network, n1 and n2 in another.
fn routed() -> Config {
    let mut config = config(None);
    let mut network = config.networks[0].clone();
    network.name = "far".to_owned();
    network.v4.0 = Ipv4Addr::new(10, 78, 0, 0);
    network.v6.0 = Ipv6Addr::from(0xfd78 << 112);
    network.resolver = (far(1).v4, far(1).v6);
    config.networks.push(network);
    config.nodes[1].forward = true;
    config.nodes[1].interfaces.push(far(3));
    config.nodes[2].interfaces = vec![far(4)];
    config
}

/// All that a link can do at once.
fn everything(checksum: Checksum, mtu: u32) -> LinkProperties {
    LinkProperties {
        delay: Duration::from_micros(300),
        jitter: Duration::from_micros(200),
        loss: Ratio(0.05),
        loss_bursts: Some(GilbertElliott {
            p: Ratio(0.05),
            r: Ratio(0.5),
            bad: Ratio(1.0),
            good: Ratio(0.0),
        }),
        duplicate: Ratio(0.3),
        corrupt: Ratio(0.5),
        corrupt_checksum: checksum,
        reorder: Some(Reorder {
            share: Ratio(0.3),
            correlation: Ratio(0.2),
            gap: 2,
        }),
        mtu: Some(LinkMtu {
            bytes: mtu,
            black_hole: false,
        }),
        ..LinkProperties::default()
    }
}

/// Labs of every kind, all their nodes alive.
fn labs() -> Vec<Switch> {
    let clean = config(None);
    let mut harmful = config(None);
    harmful.networks[0].default_link = everything(Checksum::Fixed, 65_535);
    let mut narrow = config(Some(BitRate(50_000_000)));
    narrow.networks[0].default_link = everything(Checksum::Wrong, 1200);
    narrow.networks[0].default_link.rate = Some(BitRate(100_000_000));
    let mut line = config(None);
    line.networks[0].wires = Wires::Edges(vec![(A, B), (B, C)]);
    let mut harmful_line = line.clone();
    harmful_line.networks[0].default_link = everything(Checksum::Wrong, 1300);
    let mut neighbours = line.clone();
    neighbours.networks[0].reach = Reach::Adjacent;
    let all = [
        clean,
        harmful,
        narrow,
        line,
        harmful_line,
        neighbours,
        routed(),
    ];
    let alive = |config: Config| {
        let mut switch = Switch::new(config).unwrap();
        for port in 0..switch.map.len() as u32 {
            switch.set_alive(PortIndex(port), true);
        }
        switch
    };
    let mut all: Vec<_> = all.map(alive).into_iter().collect();
    let manner = |node, delay, answers| ResolverChange {
        node,
        manner: ResolverManner {
            delay: Duration::from_micros(delay),
            answers,
        },
    };
    let lies = [
        manner(A, 100, Answers::Lies),
        manner(B, 0, Answers::Silence),
    ];
    all[2].change_resolver(&lies).unwrap();
    all
}

/// Addresses, those that nobody has among them.
fn address(dice: &mut Dice, six: bool) -> IpAddr {
    let host = dice.of(&[1, 2, 3, 4, 9, 255]);
    let network = dice.of(&[77, 77, 77, 78]);
    match (six, dice.below(12)) {
        (false, 0) => Ipv4Addr::new(224, 0, 0, 251).into(),
        (false, 1) => Ipv4Addr::BROADCAST.into(),
        (false, 2) => Ipv4Addr::new(10, 77, 255, 255).into(),
        (false, _) => Ipv4Addr::new(10, network, 0, host).into(),
        (true, 0) => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(),
        (true, 1) => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1 + dice.below(4) as u16).into(),
        (true, _) => {
            Ipv6Addr::from((0xfd00 + u128::from(network)) << 112 | u128::from(host)).into()
        }
    }
}

/// A packet whose headers are right, behind extension headers now and then.
fn packet(dice: &mut Dice, from: &Switch, port: PortIndex) -> Vec<u8> {
    let (six, own) = (dice.one_in(2), *from.map.of(port));
    let own: IpAddr = if six { own.v6.into() } else { own.v4.into() };
    let source = if dice.one_in(8) {
        address(dice, six)
    } else {
        own
    };
    let target = address(dice, six);
    let protocol = dice.of(&[UDP, UDP, TCP, TCP, ICMP, ICMP6, 132, 47, 2]);
    let length = dice.of(&[0, 1, 7, 8, 20, 21, 60, 600, 1480, 3000, 9000, 65_000]);
    let mut body = dice.bytes(length);
    if body.len() > 20 && !dice.one_in(4) {
        let ports = [dice.below(3) as u16 + 4000, dice.of(&[53, 53, 80, 9])];
        body[..4].copy_from_slice(&ports.map(u16::to_be_bytes).concat());
        body[12] = dice.of(&[0x50, 0x80, 0xf0, 0x00]); // of TCP: how long its header is
        if dice.one_in(2) {
            body[0] = dice.of(&[0, 3, 8, 128, 2]); // of ICMP: what it is
        }
    }
    let mut packet = if six { vec![0; 40] } else { vec![0; 20] };
    let mut chain = Vec::new();
    if six {
        packet[0] = 0x60;
        packet[6] = protocol;
        for _ in 0..dice.of(&[0, 0, 0, 1, 2, 9]) {
            let kind = dice.of(&[0, 43, 44, 51, 60]);
            let mut header = dice.bytes(8);
            (header[0], header[1]) = (
                std::mem::replace(&mut packet[6], kind),
                dice.of(&[0, 0, 1, 255]),
            );
            chain.splice(..0, header);
        }
        packet[7] = dice.of(&[0, 1, 2, 64]);
    } else {
        (packet[0], packet[8], packet[9]) = (0x45, dice.of(&[0, 1, 2, 64]), protocol);
        if dice.one_in(8) {
            packet[0] = 0x46 + dice.below(10) as u8;
            chain = dice.bytes(usize::from(packet[0] & 15) * 4 - 20);
        }
        if dice.one_in(6) {
            packet[6] = dice.of(&[0x20, 0x40, 0x00, 0x3f]);
            packet[7] = dice.below(3) as u8;
        }
    }
    write_addresses(&mut packet, source, target);
    packet.extend(chain);
    packet.extend(body);
    let length = packet.len().min(65_535) as u16;
    match six {
        true => packet[4..6].copy_from_slice(&(length - 40).to_be_bytes()),
        false => packet[2..4].copy_from_slice(&length.to_be_bytes()),
    }
    packet
}

fn write_addresses(packet: &mut [u8], source: IpAddr, target: IpAddr) {
    match (source, target) {
        (IpAddr::V4(s), IpAddr::V4(t)) => {
            packet[12..20].copy_from_slice(&[s.octets(), t.octets()].concat());
        }
        (IpAddr::V6(s), IpAddr::V6(t)) => {
            packet[8..40].copy_from_slice(&[s.octets(), t.octets()].concat());
        }
        _ => {}
    }
}

/// What stands before a packet: plain, as a kernel writes it for many segments, or anything.
fn head(dice: &mut Dice, packet: &[u8]) -> [u8; offload::HEAD] {
    let mut head = [0; offload::HEAD];
    let six = packet.first().is_some_and(|b| b >> 4 == 6);
    let (kind, field) = match packet.get(if six { 6 } else { 9 }) {
        Some(&TCP) => (if six { 4 } else { 1 }, 16),
        _ => (5, 6),
    };
    let end = if six { 40 } else { 20 };
    let size = dice.of(&[1, 8, 48, 500, 1448, 9000, 65_535]);
    match dice.below(6) {
        0 | 1 => return head,
        2 => (head[0], head[1]) = (1, 0),
        3 | 4 => (head[0], head[1]) = (1, kind),
        _ => return dice.bytes(offload::HEAD).try_into().unwrap(),
    }
    let size = if head[1] == 0 { 0 } else { size };
    for (at, word) in [(2, end + 8), (4, size), (6, end), (8, field)] {
        head[at..at + 2].copy_from_slice(&u16::to_ne_bytes(word));
    }
    if dice.one_in(4) {
        let at = dice.below(offload::HEAD);
        head[at] = dice.bits() as u8;
    }
    head
}

/// The frame of a number.
fn written(dice: &mut Dice, switch: &Switch, port: PortIndex) -> Vec<u8> {
    if dice.one_in(10) {
        let length = dice.of(&[0, 1, 9, 10, 11, 29, 30, 50, 100]);
        return dice.bytes(length);
    }
    let mut packet = packet(dice, switch, port);
    let head = head(dice, &packet);
    if dice.one_in(3) {
        for _ in 0..=dice.below(3) {
            let near = packet.len().min(dice.of(&[20, 64, 65_535])).max(1);
            let at = dice.below(near);
            match dice.below(4) {
                0 => packet.truncate(at),
                1 => packet.extend(dice.bytes(8)),
                _ => packet
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|b| *b = dice.bits() as u8),
            }
        }
    }
    packet.truncate(offload::FRAME - offload::HEAD);
    [head.as_slice(), &packet].concat()
}

/// What comes out for a port may be there: its header is one, it is for this node or goes on from
/// it, and it is from its sender, or an error that a hop tells.
fn allowed(switch: &Switch, sent: Option<&Header>, to: PortIndex, out: &[u8]) {
    let packet = offload::packet(out);
    let header = parse(packet).expect("a packet");
    assert!(
        offload::parts(out).is_ok(),
        "a frame that the next kernel can take"
    );
    let owner = switch.map.node_with(header.target);
    let node = switch.map.of(to).node;
    let passes = switch.map.may_send(to, header.target); // its own address, or one behind it
    assert!(
        owner == Some(node) || passes || owner.is_none() && !is_link_local(header.target),
        "not for {to:?}: {header:?}"
    );
    let told = matches!(header.protocol, ICMP | ICMP6);
    let same =
        sent.is_some_and(|sent| (sent.source, sent.target) == (header.source, header.target));
    assert!(same || told || sent.is_none(), "{sent:?} became {header:?}");
    let known = switch.map.node_with(header.source).is_some()
        || is_link_local(header.source) // its sender's, or it would not be here
        || switch.map.target(to, header.source) == Target::Resolver;
    assert!(known, "from nobody: {header:?}");
}

/// Gives one frame to a switch, and looks at what becomes of it.
fn give(switch: &mut Switch, frame: &mut Frame, dice: &mut Dice, now: u64) {
    let port = PortIndex(dice.below(switch.map.len()) as u32);
    let bytes = written(dice, switch, port);
    let sent = bytes.get(offload::HEAD..).and_then(parse);
    frame.fill(&[&bytes]);
    let before = switch.packets();
    match switch.receive(port, frame, now) {
        Outcome::Done => {}
        Outcome::Reply(reply) => {
            let header = parse(&reply).expect("a reply is a packet");
            assert!(!header.target.is_multicast());
            let sender = switch.map.may_send(port, header.target);
            assert!(sender, "a reply is for who sent: {header:?}");
        }
        Outcome::Direct(direct) => {
            let header = sent.expect("a packet");
            assert!(switch.map.may_send(port, header.source), "spoofed");
            allowed(switch, Some(&header), direct.to, frame);
            switch.passed(&direct, frame, None, now);
        }
    }
    let more = switch.packets() - before;
    assert!(more <= MOST, "one frame became {more} packets");
}

impl Switch {
    /// Packets that came to an end or are under way.
    fn packets(&self) -> u64 {
        let of = |slot: &Slot| {
            let c = &slot.counters;
            c.packets + c.dropped.total() + slot.held.frames as u64
        };
        self.slots.iter().map(of).sum()
    }

    /// Lets everything leave; then nothing is held.
    fn drain(&mut self) {
        while let Some(departure) = self.depart(u64::MAX) {
            allowed(self, None, departure.to, &departure.frame);
            self.done(departure, None, u64::MAX);
        }
        while let Some((to, answer)) = self.late_answer(u64::MAX) {
            assert!(parse(&answer).is_some_and(|h| self.map.may_send(to, h.target)));
        }
        assert_eq!(self.next_due(), None);
        assert!(self.schedule.is_empty(), "something is held by nobody");
        let holds = |slot: &Slot| [slot.held, slot.bounded] != [Held::default(); 2];
        assert!(!self.slots.iter().any(holds));
        assert!(self.nodes.iter().all(|node| node.late == 0));
    }
}

/// All labs, and their time.
struct Yard {
    labs: Vec<Switch>,
    frame: Frame,
    now: u64,
}

impl Yard {
    fn new() -> Yard {
        Yard {
            labs: labs(),
            frame: Frame::large(),
            now: 0,
        }
    }

    /// Gives frames `first` to `first + count` to the labs.
    fn give(&mut self, first: u64, count: u64) {
        for seed in first..first + count {
            let mut dice = Dice { seed, drawn: 0 };
            let lab = dice.below(self.labs.len());
            self.now += dice.bits() % 100_000;
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
                give(&mut self.labs[lab], &mut self.frame, &mut dice, self.now);
                if seed % 64 == 63 {
                    self.labs.iter_mut().for_each(Switch::drain);
                }
            }));
            assert!(outcome.is_ok(), "frame {seed}, in lab {lab}");
        }
        self.labs.iter_mut().for_each(Switch::drain);
    }

    /// How many buffers each lab keeps.
    fn kept(&self) -> Vec<(usize, usize)> {
        self.labs.iter().map(|lab| lab.schedule.spare()).collect()
    }
}

#[test]
fn frames_of_every_kind_do_no_harm() {
    let mut yard = Yard::new();
    let (sieve, names) = yard.labs[1].to_capture(Filter::All);
    let (capture, tap) = capture::start(sieve, names, 0, 1 << 20, std::io::sink()).unwrap();
    yard.labs[1].tap(tap);
    yard.give(0, 4_000);
    assert!(capture.stop().unwrap().packets > 0);
}

/// A buffer that has been made is used again, and more are not made than are under way at once.
#[test]
fn buffers_come_back() {
    let mut yard = Yard::new();
    yard.give(0, 2_000);
    for from in [2_000, 0, 4_000] {
        let before = yard.kept();
        yard.give(from, 2_000);
        let after = yard.kept();
        let fewer = before
            .iter()
            .zip(&after)
            .any(|(b, a)| a.0 < b.0 || a.1 < b.1);
        assert!(!fewer, "{before:?} {after:?}");
    }
}

/// As many frames as `NETLAB_FUZZ` says, from `NETLAB_FUZZ_SEED` on. The number of one that makes it
/// panic is printed, and so is the one that takes longest.
///
/// `NETLAB_FUZZ=10000000 cargo test --release --lib -- --ignored fuzz`
#[test]
#[ignore = "takes as long as it is told to"]
fn fuzz() {
    let number = |name: &str, default: u64| {
        let value = std::env::var(name).ok();
        value.map_or(default, |value| value.parse().unwrap())
    };
    let (runs, first) = (number("NETLAB_FUZZ", 10_000), number("NETLAB_FUZZ_SEED", 0));
    let start = Instant::now();
    // New labs now and then: what a node did before must not hide what it does first.
    let step = 100_000;
    for from in (first..first + runs).step_by(step) {
        Yard::new().give(from, (step as u64).min(first + runs - from));
    }
    println!("{runs} frames, {:?}", start.elapsed());
}
