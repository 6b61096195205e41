//! One bit of packets of every kind, and what a receiver's checksum says to it.

use super::super::packet::{parse, transport_checksum, udp};
use super::*;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const A4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
const B4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 3));
const A6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2));
const B6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 3));

fn datagrams(data: &[u8]) -> [Vec<u8>; 2] {
    [(A4, B4), (A6, B6)].map(|(s, t)| udp((s, 4000), (t, 53), data).unwrap())
}

/// A TCP segment with a header of 20 bytes.
fn segment(source: IpAddr, target: IpAddr, data: &[u8]) -> Vec<u8> {
    let mut packet = udp((source, 80), (target, 4000), &[&[0; 12], data].concat()).unwrap();
    let at = parse(&packet).unwrap().payload;
    packet[if at == 40 { 6 } else { 9 }] = TCP;
    packet[at + 4..at + 20].fill(0);
    packet[at + 12] = 0x50;
    let sum = transport_checksum(&packet, at, TCP);
    packet[at + 16..at + 18].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Puts extension headers (kind, bytes) between the header of IPv6 and the rest.
fn extended(packet: &[u8], headers: &[(u8, &[u8])]) -> Vec<u8> {
    let mut chain = Vec::new();
    let kinds = headers.iter().map(|(kind, _)| *kind).chain([packet[6]]);
    for ((_, bytes), next) in headers.iter().zip(kinds.skip(1)) {
        chain.push(next);
        chain.extend(&bytes[1..]);
    }
    let mut all = [&packet[..40], &chain, &packet[40..]].concat();
    let length = (all.len() - 40) as u16;
    all[4..6].copy_from_slice(&length.to_be_bytes());
    all[6] = headers[0].0;
    all
}

/// Whether the checksum of TCP or UDP at `at` is right.
fn is_right(packet: &[u8], at: usize, protocol: u8) -> bool {
    let field = at + if protocol == TCP { 16 } else { 6 };
    let mut copy = packet.to_vec();
    let said = packet::be16(packet, field);
    copy[field..field + 2].fill(0);
    let sum = transport_checksum(&copy, at, protocol);
    sum == said || (protocol == TCP && sum == 0xffff && said == 0)
}

fn flips(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

/// A packet, where its transport header and its data begin, and the protocol.
type Sample = (Vec<u8>, usize, usize, u8);

fn samples(data: &[u8]) -> Vec<Sample> {
    let [four, six] = datagrams(data);
    let options: &[u8] = &[0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let routed = extended(&six, &[(HOP_BY_HOP, &[0; 8]), (OPTIONS, options)]);
    let mut all = vec![(four, 20, UDP), (six, 40, UDP), (routed, 64, UDP)];
    all.push((segment(A4, B4, data), 20, TCP));
    all.push((segment(A6, B6, data), 40, TCP));
    let head = |protocol| if protocol == TCP { 20 } else { 8 };
    let sample = |(packet, at, protocol)| (packet, at, at + head(protocol), protocol);
    all.into_iter().map(sample).collect()
}

proptest! {
    /// Whatever the bit, the receiver's sum is wrong, and nothing before the data has changed.
    #[test]
    fn a_wrong_checksum_tells(data in prop::collection::vec(any::<u8>(), 0..40), draw: u64) {
        for (packet, at, begin, protocol) in samples(&data) {
            let mut harmed = packet.clone();
            let header = parse(&packet).unwrap();
            prop_assert!(corrupt(&mut harmed, &header, draw, Checksum::Wrong));
            prop_assert_eq!(flips(&harmed, &packet), 1);
            prop_assert!(!is_right(&harmed, at, protocol));
            let kept = if data.is_empty() { at } else { begin };
            prop_assert_eq!(&harmed[..kept], &packet[..kept]);
        }
    }

    /// Whatever the bit, the receiver's sum is right, and one bit of the data is not.
    #[test]
    fn a_fixed_checksum_does_not(data in prop::collection::vec(any::<u8>(), 0..40), draw: u64) {
        for (packet, at, begin, protocol) in samples(&data) {
            let mut harmed = packet.clone();
            let header = parse(&packet).unwrap();
            let done = corrupt(&mut harmed, &header, draw, Checksum::Fixed);
            prop_assert_eq!(done, !data.is_empty());
            prop_assert_eq!(flips(&harmed[begin..], &packet[begin..]), u32::from(done));
            prop_assert!(is_right(&harmed, at, protocol));
            let field = at + if protocol == TCP { 16 } else { 6 };
            prop_assert_eq!(&harmed[..field], &packet[..field]);
        }
    }

    #[test]
    fn hostile_bytes_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 60..140),
        first in prop::sample::select(vec![0x45, 0x4f, 0x60]),
        next in prop::sample::select(vec![0, 1, 6, 17, 43, 44, 51, 58, 60, 99]),
        draw in any::<u64>(),
        fixed in any::<bool>(),
    ) {
        let length = bytes.len() as u16;
        (bytes[0], bytes[6], bytes[9]) = (first, next, next);
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        if first == 0x60 {
            bytes[4..6].copy_from_slice(&(length - 40).to_be_bytes());
        }
        let header = parse(&bytes).unwrap();
        let mut copy = bytes.clone();
        let checksum = if fixed { Checksum::Fixed } else { Checksum::Wrong };
        let harmed = corrupt(&mut copy, &header, draw, checksum);
        prop_assert_eq!(harmed, copy != bytes);
        prop_assert_eq!(&copy[..header.payload], &bytes[..header.payload]);
    }
}

#[test]
fn a_datagram_without_checksum_gets_one_so_that_it_can_be_wrong() {
    for (packet, at) in datagrams(b"abc").into_iter().zip([20, 40]) {
        let mut bare = packet.clone();
        bare[at + 6..at + 8].fill(0);
        let header = parse(&bare).unwrap();
        let mut harmed = bare.clone();
        assert!(corrupt(&mut harmed, &header, 1 << 60, Checksum::Wrong));
        assert_eq!(harmed[at + 6..at + 8], packet[at + 6..at + 8]);
        assert!(!is_right(&harmed, at, UDP));
        let mut harmed = bare.clone();
        assert!(corrupt(&mut harmed, &header, 1 << 60, Checksum::Fixed));
        assert_eq!(
            (flips(&harmed, &bare), &harmed[at + 6..at + 8]),
            (1, &[0, 0][..])
        );
    }
}

/// The first fragment has the header, those behind it have nothing but data.
#[test]
fn fragments_are_harmed_in_their_data() {
    let [mut four, six] = datagrams(&[0; 16]);
    four[6] = 0x20; // more follow
    let first = extended(&six, &[(FRAGMENT, &[0, 0, 0, 1, 0, 0, 0, 9])]);
    let later = extended(&six, &[(FRAGMENT, &[0, 0, 0, 8, 0, 0, 0, 9])]);
    let mut later_four = four.clone();
    later_four[7] = 1;
    for (packet, data) in [(four, 28), (first, 56), (later_four, 20), (later, 48)] {
        let header = parse(&packet).unwrap();
        for draw in [0, u64::MAX] {
            let mut harmed = packet.clone();
            assert!(corrupt(&mut harmed, &header, draw, Checksum::Wrong));
            assert_eq!(flips(&harmed[data..], &packet[data..]), 1);
            let at = if draw == 0 { data } else { packet.len() - 1 };
            assert_ne!(harmed[at], packet[at]);
        }
    }
}

/// A header that says to be shorter than its checksum's place: the field is not corrected away.
#[test]
fn a_header_that_lies_about_its_length_is_one_of_twenty_bytes() {
    let mut packet = segment(A4, B4, b"abcd");
    packet[32] = 0x30;
    let header = parse(&packet).unwrap();
    for draw in (0..64).map(|i| i << 58) {
        let mut harmed = packet.clone();
        assert!(corrupt(&mut harmed, &header, draw, Checksum::Fixed));
        assert_eq!(flips(&harmed[40..], &packet[40..]), 1);
    }
}

#[test]
fn what_is_behind_the_packet_is_not_harmed() {
    let [four, _] = datagrams(b"");
    let padded = [four.as_slice(), &[0; 40]].concat();
    let header = parse(&padded).unwrap();
    let mut harmed = padded.clone();
    assert!(corrupt(&mut harmed, &header, u64::MAX, Checksum::Wrong));
    assert_eq!(flips(&harmed[20..24], &padded[20..24]), 1, "a port");
}
