//! A recorded sequence of packets has the same fates however it is told: in another order of its
//! flows, among other flows, in super-packets, with other stages, and with changes on the way.

use super::tests::*;
use super::*;
use crate::link::{Checksum, GilbertElliott, LinkMtu, Reorder};
use crate::units::{ByteSize, Ratio};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Flows of the sequence, every second one of IPv6.
const FLOWS: usize = 4;

/// What becomes of a packet: of each copy that arrives, which bits of its data are wrong, and how
/// long it took.
type Fate = Vec<(Vec<usize>, u64)>;
/// By flow, and number in it.
type Fates = BTreeMap<(usize, u32), Fate>;

/// How the sequence is told.
#[derive(Clone, Debug)]
struct Telling {
    /// Which flow is next, among those that have packets left; then each in turn.
    order: Vec<usize>,
    /// Whose packets come in between: no flow of the sequence.
    others: Vec<usize>,
    /// So many packets of a flow are one super-packet.
    bundle: usize,
    /// Nanoseconds from one packet to the next.
    pace: u64,
    jitter: bool,
    rate: bool,
    fixed: bool,
    mtu: bool,
    /// Another delay from the middle on.
    slower: bool,
}

impl Telling {
    fn plain() -> Telling {
        Telling {
            order: Vec::new(),
            others: Vec::new(),
            bundle: 1,
            pace: 1,
            jitter: false,
            rate: false,
            fixed: false,
            mtu: false,
            slower: false,
        }
    }

    fn moves_times(&self) -> bool {
        self.jitter || self.rate || self.slower
    }

    fn link(&self, delay: u64) -> LinkProperties {
        LinkProperties {
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(if self.jitter { 3 } else { 0 }),
            loss: Ratio(0.2),
            loss_correlation: Ratio(0.3),
            loss_every: 7,
            loss_bursts: Some(GilbertElliott {
                p: Ratio(0.1),
                r: Ratio(0.5),
                bad: Ratio(0.9),
                good: Ratio(0.01),
            }),
            duplicate: Ratio(0.3),
            duplicate_correlation: Ratio(0.2),
            corrupt: Ratio(0.4),
            corrupt_checksum: match self.fixed {
                true => Checksum::Fixed,
                false => Checksum::Wrong,
            },
            reorder: Some(Reorder {
                share: Ratio(0.4),
                correlation: Ratio(0.1),
                gap: 2,
            }),
            rate: self.rate.then_some(BitRate(5_000_000)),
            queue: Some(ByteSize(1 << 30)),
            mtu: self.mtu.then_some(LinkMtu {
                bytes: 65_535,
                black_hole: false,
            }),
            ..LinkProperties::default()
        }
    }
}

fn ends(flow: usize) -> ((IpAddr, u16), (IpAddr, u16)) {
    let port = 4000 + flow as u16;
    match flow % 2 {
        0 => ((four(A), port), (four(B), 80)),
        _ => ((six(A), port), (six(B), 80)),
    }
}

/// Bytes of each packet of a flow: its name four times, so that one wrong bit does not hide it.
fn data(flow: usize, number: u32) -> Vec<u8> {
    let name = [flow as u32, number].map(u32::to_be_bytes).concat();
    let mut data = name.repeat(4);
    data.resize(40 + 20 * flow, 0x5a);
    data
}

/// The name that most of the data says, and the bits that are not as they were.
fn read(data: &[u8]) -> ((usize, u32), Vec<usize>) {
    let mut names: Vec<&[u8]> = data[..32].chunks(8).collect();
    names.sort_unstable();
    let name = names[1]; // three of four are equal at least
    let word = |at: usize| u32::from_be_bytes(*name[at..].first_chunk().unwrap());
    let (flow, number) = (word(0) as usize, word(4));
    let sent = self::data(flow, number);
    let bits = 0..data.len() * 8;
    let wrong = bits.filter(|bit| (sent[bit / 8] ^ data[bit / 8]) >> (bit % 8) & 1 == 1);
    ((flow, number), wrong.collect())
}

/// Consecutive packets of a flow, as a kernel hands them over.
fn frame(flow: usize, numbers: std::ops::Range<u32>) -> Frame {
    let count = numbers.len();
    let all: Vec<u8> = numbers.flat_map(|number| data(flow, number)).collect();
    let (source, target) = ends(flow);
    let packet = packet::udp(source, target, &all).unwrap();
    let mut frame = Frame::around(&packet);
    if count > 1 {
        let start = if source.0.is_ipv4() { 20 } else { 40 };
        let size = (all.len() / count) as u16;
        (frame[0], frame[1]) = (1, 5);
        for (at, word) in [(2, start + 8), (4, size), (6, start), (8, 6)] {
            frame[at..at + 2].copy_from_slice(&u16::to_ne_bytes(word));
        }
    }
    frame
}

/// A packet that is none of the sequence's.
fn another(kind: usize) -> (NodeIndex, Vec<u8>) {
    let broadcast = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    match kind {
        0 => (
            A,
            packet::udp((four(A), 9), (four(B), 80), &[0; 50]).unwrap(),
        ),
        1 => (C, datagram(four(C), four(B))),
        2 => (A, datagram(six(A), six(C))),
        3 => (B, datagram(four(B), four(A))),
        _ => (
            A,
            packet::udp((four(A), 8), (broadcast, 80), &[0; 50]).unwrap(),
        ),
    }
}

/// Tells a sequence that has so many packets of each flow.
fn tell(counts: &[u32], telling: &Telling) -> Fates {
    let mut s = switch();
    set(&mut s, |link| *link = telling.link(5));
    let mut next = [0; FLOWS];
    let mut order: VecDeque<usize> = telling.order.iter().copied().collect();
    let mut others = telling.others.iter();
    let total: u32 = counts.iter().sum();
    let (mut now, mut told, mut turn, mut slow) = (0, 0, 0, false);
    while told < total {
        let wish = order.pop_front().unwrap_or_else(|| {
            turn += 1;
            turn
        });
        let flow = (wish..wish + FLOWS)
            .map(|f| f % FLOWS)
            .find(|f| next[*f] < counts[*f])
            .unwrap();
        let until = (next[flow] + telling.bundle as u32).min(counts[flow]);
        let mut frame = frame(flow, next[flow]..until);
        assert!(send_frame(&mut s, A, &mut frame, now).is_none());
        (told, next[flow]) = (told + until - next[flow], until);
        if let Some(&kind) = others.next() {
            let (who, packet) = another(kind);
            send(&mut s, who, &packet, now);
        }
        if telling.slower && !slow && told > total / 2 {
            slow = true;
            set(&mut s, |link| *link = telling.link(9));
        }
        now += telling.pace;
    }
    arrivals(&mut s)
}

/// What arrives of the sequence.
fn arrivals(s: &mut Switch) -> Fates {
    let mut fates = Fates::new();
    while let Some(departure) = s.depart(u64::MAX) {
        let packet = offload::packet(&departure.frame);
        let header = packet::parse(packet).unwrap();
        let data = &packet[header.payload + 8..];
        let port = packet::be16(packet, header.payload);
        if (4000..4000 + FLOWS as u16).contains(&port)
            && packet::be16(packet, header.payload + 2) == 80
        {
            let (name, wrong) = read(data);
            let took = departure.due - departure.entered;
            fates.entry(name).or_default().push((wrong, took));
        }
        s.done(departure, None, u64::MAX);
    }
    fates.values_mut().for_each(|fate| fate.sort());
    fates
}

fn telling() -> impl Strategy<Value = Telling> {
    let stages = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    let order = prop::collection::vec(0..FLOWS, 0..150);
    let others = prop::collection::vec(0..5_usize, 0..150);
    (order, others, 1..6_usize, 0..3_000_000_u64, stages).prop_map(
        |(order, others, bundle, pace, (jitter, rate, fixed, mtu, slower))| Telling {
            order,
            others,
            bundle,
            pace,
            jitter,
            rate,
            fixed,
            mtu,
            slower,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_sequence_has_the_same_fates_however_it_is_told(
        counts in prop::collection::vec(1..60_u32, FLOWS),
        telling in telling(),
    ) {
        let untimed = |fates: Fates| -> Fates {
            let wrong = |(wrong, _)| (wrong, 0);
            let bits = |fate: Fate| fate.into_iter().map(wrong).collect::<Fate>();
            fates.into_iter().map(|(name, fate)| (name, bits(fate))).collect()
        };
        let (recorded, again) = (tell(&counts, &Telling::plain()), tell(&counts, &telling));
        match telling.moves_times() {
            true => prop_assert_eq!(untimed(recorded), untimed(again)),
            false => prop_assert_eq!(recorded, again),
        }
    }
}

/// The comparison above would see it: there are fates of every kind.
#[test]
fn a_sequence_has_fates_of_every_kind() {
    let fates = tell(&[200; FLOWS], &Telling::plain());
    let any = |what: fn(&Fate) -> bool| fates.values().filter(|fate| what(fate)).count();
    let lost = 4 * 200 - fates.len();
    let twice = any(|fate| fate.len() == 2);
    let harmed = any(|fate| fate.iter().any(|(wrong, _)| wrong.len() == 1));
    let early = any(|fate| fate.iter().any(|(_, took)| *took == 0));
    assert!(
        lost > 100 && twice > 50 && harmed > 100 && early > 50,
        "{lost} {twice} {harmed} {early}"
    );
    let other = tell(
        &[200; FLOWS],
        &Telling {
            bundle: 3,
            ..Telling::plain()
        },
    );
    assert_eq!(fates, other);
}
