//! Segments of super-packets against a receiver that puts them together again.

use super::*;
use crate::fabric::packet::{checksum, parse};
use proptest::prelude::*;

/// A TCP super-packet with options as a kernel would send it, with PSH, FIN and CWR set.
fn tcp(six: bool, data: usize, size: u16) -> Vec<u8> {
    let fixed = if six { 40 } else { 20 };
    let mut p = vec![0; fixed + 32];
    if six {
        p[0] = 0x60;
        p[6] = TCP;
        p[4..6].copy_from_slice(&((32 + data) as u16).to_be_bytes());
        (p[8], p[24], p[23], p[39]) = (0xfd, 0xfd, 2, 3);
    } else {
        p[0] = 0x45;
        p[2..4].copy_from_slice(&((52 + data) as u16).to_be_bytes());
        p[4..6].copy_from_slice(&0xffff_u16.to_be_bytes());
        (p[6], p[8], p[9]) = (0x40, 64, TCP);
        p[12..20].copy_from_slice(&[10, 77, 0, 2, 10, 77, 0, 3]);
    }
    p[fixed..fixed + 4].copy_from_slice(&[0x10, 0, 0, 80]);
    p[fixed + 4..fixed + 8].copy_from_slice(&0xffff_fff0_u32.to_be_bytes());
    p[fixed + 12] = 8 << 4;
    p[fixed + 13] = CWR | FIN_PSH | 0x10;
    p.extend((0..data).map(|i| (i % 251) as u8));
    let kind = if six { TCP6 } else { TCP4 };
    let mut frame = vec![NEEDS_CHECKSUM, kind];
    for word in [fixed as u16 + 32, size, fixed as u16, 16] {
        frame.extend(word.to_ne_bytes());
    }
    frame.extend(p);
    frame
}

fn segments(frame: &[u8]) -> Vec<Vec<u8>> {
    let parts = parts(frame).unwrap().unwrap();
    let mut out = Frame::small();
    let made = |n| {
        let whole = parts.segment(frame, n, &mut out);
        complete(&mut out);
        whole.then(|| out.to_vec())
    };
    (0..).map_while(made).collect()
}

fn checksums_are_right(packet: &[u8], at: usize, protocol: u8) {
    if packet[0] >> 4 == 4 {
        assert_eq!(checksum(&[&packet[..at]]), 0);
    }
    let addresses = match packet[0] >> 4 {
        4 => &packet[12..20],
        _ => &packet[8..40],
    };
    let length = ((packet.len() - at) as u32).to_be_bytes();
    // With its own field in it the sum is zero.
    let sum = checksum(&[addresses, &length, &[0, protocol], &packet[at..]]);
    assert_eq!(sum, 0);
}

#[test]
fn tcp_segments_are_what_a_wire_would_carry() {
    for (six, at) in [(false, 20), (true, 40)] {
        let frame = tcp(six, 5000, 1400);
        let parts = parts(&frame).unwrap().unwrap();
        let all = segments(&frame);
        assert_eq!((parts.count(), all.len()), (4, 4));
        assert_eq!(
            parts.bytes(),
            all.iter().map(|s| s.len() - HEAD).sum::<usize>()
        );
        let mut data: Vec<u8> = Vec::new();
        for (i, segment) in all.iter().enumerate() {
            assert_eq!(segment[..HEAD], PLAIN);
            let p = packet(segment);
            assert!(parse(p).is_some() && p.len() <= 1500);
            checksums_are_right(p, at, TCP);
            let sequence = u32::from_be_bytes(*p[at + 4..].first_chunk().unwrap());
            assert_eq!(sequence, 0xffff_fff0_u32.wrapping_add(data.len() as u32));
            let expected = 0x10 | if i == 0 { CWR } else { 0 } | if i == 3 { FIN_PSH } else { 0 };
            assert_eq!(p[at + 13], expected, "flags of {i}");
            if !six {
                assert_eq!(super::packet::be16(p, 4), 0xffff_u16.wrapping_add(i as u16));
            }
            data.extend(&p[at + 32..]);
        }
        assert_eq!(data, frame[HEAD + at + 32..]);
    }
}

#[test]
fn udp_segments_are_datagrams() {
    let whole = super::packet::udp(
        ("10.77.0.2".parse().unwrap(), 4000),
        ("10.77.0.3".parse().unwrap(), 9),
        &[7; 2500],
    );
    let mut frame = Frame::around(&whole.unwrap());
    (frame[0], frame[1]) = (NEEDS_CHECKSUM, UDP_L4);
    frame[4..6].copy_from_slice(&1000_u16.to_ne_bytes());
    frame[6..8].copy_from_slice(&20_u16.to_ne_bytes());
    let all = segments(&frame);
    let lengths: Vec<_> = all.iter().map(|s| s.len() - HEAD - 28).collect();
    assert_eq!(lengths, [1000, 1000, 500]);
    for segment in &all {
        let p = packet(segment);
        checksums_are_right(p, 20, UDP);
        assert_eq!(usize::from(super::packet::be16(p, 24)), p.len() - 20);
    }
}

#[test]
fn an_unfinished_checksum_is_finished_once() {
    let (source, target) = ("fd77::2".parse().unwrap(), "fd77::3".parse().unwrap());
    let right = super::packet::udp((source, 1), (target, 2), b"hello").unwrap();
    let mut frame = Frame::around(&right);
    // As a kernel leaves it: the folded sum of the pseudo header in the field.
    let pseudo = !checksum(&[&right[8..40], &[0, 0, 0, 13], &[0, UDP]]);
    frame[HEAD + 46..HEAD + 48].copy_from_slice(&pseudo.to_be_bytes());
    frame[0] = NEEDS_CHECKSUM;
    frame[6..8].copy_from_slice(&40_u16.to_ne_bytes());
    frame[8..10].copy_from_slice(&6_u16.to_ne_bytes());
    for _ in 0..2 {
        complete(&mut frame);
        assert_eq!(frame[..], Frame::around(&right)[..]);
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let good = tcp(false, 3000, 1448);
    assert!(parts(&good).is_ok());
    let lies: [(usize, u8); 6] = [(1, TCP6), (1, 3), (4, 0), (6, 1), (9 + HEAD, UDP), (0, 0)];
    for (at, value) in lies {
        let mut bad = good.clone();
        bad[at] = value;
        if at == 4 {
            bad[5] = 0;
        }
        assert_eq!(parts(&bad), Err(Malformed), "{at}");
    }
    assert_eq!(parts(&good[..good.len() - 1]), Err(Malformed));
}

/// A checksum that is to be written into the header of IP would change an address that was looked at.
#[test]
fn a_checksum_has_its_place_behind_the_header() {
    let (source, target) = ("10.77.0.2".parse().unwrap(), "10.77.0.3".parse().unwrap());
    let packet = super::packet::udp((source, 1), (target, 2), b"hello").unwrap();
    let frame = |flags: u8, (start, offset): (u16, u16), header: u16| {
        let words = [header, 0, start, offset].map(u16::to_ne_bytes).concat();
        [&[flags, 0], words.as_slice(), &packet].concat()
    };
    let last = packet.len() as u16 - 2;
    for good in [(20, 6), (24, 0), (last, 0)] {
        assert_eq!(parts(&frame(1, good, 33)), Ok(None), "{good:?}");
    }
    for bad in [
        (6, 6),
        (0, 12),
        (19, 1),
        (20, 12),
        (last, 1),
        (u16::MAX, u16::MAX),
    ] {
        assert_eq!(parts(&frame(1, bad, 33)), Err(Malformed), "{bad:?}");
        assert_eq!(parts(&frame(2, bad, 33)), Ok(None), "it says nothing there");
    }
    assert_eq!(
        parts(&frame(1, (20, 6), 34)),
        Err(Malformed),
        "longer than all"
    );
    assert_eq!(parts(&frame(4, (20, 6), 0)), Err(Malformed), "unknown flag");
    assert_eq!(parts(&frame(1, (20, 6), 0)[..HEAD]), Err(Malformed));
}

#[test]
fn one_frame_does_not_stand_for_tens_of_thousands() {
    assert!(parts(&tcp(false, 60_000, 48)).is_ok());
    assert_eq!(parts(&tcp(false, 60_000, 1)), Err(Malformed));
    assert_eq!(parts(&tcp(true, 60_000, 40)), Err(Malformed));
}

proptest! {
    #[test]
    fn hostile_frames_never_panic(
        head in prop::array::uniform10(any::<u8>()),
        start in 0_u16..80,
        size in 0_u16..100,
        six: bool,
        mut packet in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut frame = head.to_vec();
        frame[0] |= 1;
        frame[1] = [0, TCP4, TCP6, UDP_L4][usize::from(frame[1] % 4)];
        frame[4..6].copy_from_slice(&size.to_ne_bytes());
        frame[6..8].copy_from_slice(&start.to_ne_bytes());
        let length = packet.len();
        if length >= 10 {
            packet[0] = if six { 0x60 } else { 0x45 };
            let at = if six { 4 } else { 2 };
            let told = length.saturating_sub(if six { 40 } else { 0 });
            packet[at..at + 2].copy_from_slice(&(told as u16).to_be_bytes());
            packet[if six { 6 } else { 9 }] = if frame[1] == UDP_L4 { UDP } else { TCP };
        }
        frame.extend(packet);
        if let Ok(Some(parts)) = parts(&frame) {
            let mut out = Frame::small();
            let made = (0..).take_while(|n| parts.segment(&frame, *n, &mut out)).count();
            prop_assert_eq!(made, parts.count());
        }
        complete(&mut frame);
    }
}
