//! What was cut becomes what it was, and nothing else is put together.

use super::super::frame::Frame;
use super::super::offload;
use super::*;
use proptest::prelude::*;

const SIZE: usize = 1400;

/// A super-packet of TCP as a kernel sends it, with finished IP header and `flags`.
fn whole(six: bool, data: usize, flags: u8) -> Vec<u8> {
    let transport = if six { 40 } else { 20 };
    let mut p = vec![0_u8; transport + 32];
    let total = transport + 32 + data;
    if six {
        (p[0], p[6], p[7]) = (0x60, TCP, 64);
        p[4..6].copy_from_slice(&((total - 40) as u16).to_be_bytes());
        p[8..40].copy_from_slice(&[7; 32]);
    } else {
        (p[0], p[6], p[8], p[9]) = (0x45, 0x40, 64, TCP);
        p[2..4].copy_from_slice(&(total as u16).to_be_bytes());
        p[12..20].copy_from_slice(&[10, 77, 0, 2, 10, 77, 0, 3]);
        let sum = packet::checksum(&[&p]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    p[transport..transport + 4].copy_from_slice(&[0x10, 0, 0, 80]);
    p[transport + 4..transport + 8].copy_from_slice(&0xffff_fff0_u32.to_be_bytes());
    (p[transport + 12], p[transport + 13]) = (8 << 4, flags);
    let sum = packet::pseudo_sum(&p, total - transport, TCP);
    p[transport + SUM..transport + SUM + 2].copy_from_slice(&sum.to_be_bytes());
    p.extend((0..data).map(|i| (i % 251) as u8));
    let mut frame = vec![NEEDS_CHECKSUM, if six { TCP6 } else { TCP4 }];
    for word in [transport + 32, SIZE, transport, SUM] {
        frame.extend((word as u16).to_ne_bytes());
    }
    frame.extend(p);
    frame
}

fn segments(frame: &[u8]) -> Vec<Vec<u8>> {
    let parts = offload::parts(frame).unwrap().unwrap();
    let mut out = Frame::small();
    let segment = |n| {
        parts.segment(frame, n, &mut out);
        out.to_vec()
    };
    (0..parts.count()).map(segment).collect()
}

fn slices(frames: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> + Clone {
    frames.iter().map(|frame| &frame[..])
}

/// The bytes that are written.
fn written(frames: &[Vec<u8>]) -> Vec<u8> {
    let head = Head::of(slices(frames)).unwrap();
    let mut parts = [IoSlice::new(&[]); SEGMENTS + 1];
    let count = head.parts(slices(frames), &mut parts);
    parts[..count]
        .iter()
        .flat_map(|part| part.to_vec())
        .collect()
}

#[test]
fn what_was_cut_becomes_what_it_was() {
    for (six, data) in [(false, 2800), (true, 5000), (false, 60_000), (true, 1401)] {
        let frame = whole(six, data, ACK | PSH);
        let all = segments(&frame);
        assert_eq!(run(slices(&all)), all.len());
        assert_eq!(written(&all), frame);
    }
}

#[test]
fn what_does_not_follow_is_not_put_together() {
    let all = segments(&whole(false, 10 * SIZE, ACK));
    assert_eq!(run(slices(&all)), 10);
    assert_eq!(run(slices(&all[..1])), 1);
    assert_eq!(run(slices(&[])), 1);
    let without = |at: usize| [&all[..at], &all[at + 1..]].concat();
    assert_eq!(run(slices(&without(4))), 4, "a lost one");
    let with = |change: fn(&mut Vec<u8>)| {
        let mut other = all.clone();
        change(&mut other[4]);
        run(slices(&other))
    };
    let at = HEAD + 20;
    assert_eq!(at, 30, "where TCP begins in the changes below");
    assert_eq!(with(|f| f[30 + 1] = 1), 4, "another port");
    assert_eq!(with(|f| f[30 + 11] = 1), 4, "another acknowledgement");
    assert_eq!(with(|f| f[30 + 13] = ACK | 1), 4, "FIN");
    assert_eq!(with(|f| f[30 + 13] = ACK | 0x80), 4, "CWR");
    assert_eq!(with(|f| f[30 + 13] = ACK | PSH), 5, "PSH is the last");
    assert_eq!(with(|f| f[30 + 15] = 1), 4, "another window");
    assert_eq!(with(|f| f[30 + 25] = 1), 4, "another option");
    assert_eq!(with(|f| f[HEAD + 1] = 3), 4, "congestion was experienced");
    assert_eq!(with(|f| f[HEAD + 8] = 63), 4, "another time to live");
    assert_eq!(with(|f| f[HEAD + 6] |= 0x20), 4, "a fragment");
    assert_eq!(
        with(|f| offload::complete(f)),
        4,
        "it was finished, perhaps to be harmed"
    );
    let short = segments(&whole(true, 2 * SIZE - 1, ACK));
    let twice = [&short[..], &short[..]].concat();
    assert_eq!(run(slices(&twice)), 2, "a short one is the last");
}

#[test]
fn no_packet_is_longer_than_ip_allows() {
    let (mut all, mut next) = (Vec::new(), segments(&whole(false, SIZE, ACK)));
    for number in 0..60_u32 {
        let sequence = 0xffff_fff0_u32.wrapping_add(number * SIZE as u32);
        next[0][HEAD + 24..HEAD + 28].copy_from_slice(&sequence.to_be_bytes());
        all.extend(next.clone());
    }
    let count = run(slices(&all));
    assert_eq!(count, SEGMENTS);
    assert!(written(&all[..count]).len() <= HEAD + 65_535);
}

proptest! {
    #[test]
    fn hostile_frames_never_panic(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..140), 0..4),
        start in 0_u16..60,
        same: bool,
    ) {
        let make = |mut frame: Vec<u8>| {
            if frame.len() > HEAD + 20 {
                (frame[0], frame[1]) = (NEEDS_CHECKSUM, 0);
                frame[6..8].copy_from_slice(&start.to_ne_bytes());
                frame[8..10].copy_from_slice(&16_u16.to_ne_bytes());
                let length = (frame.len() - HEAD) as u16;
                frame[HEAD] = 0x45;
                frame[HEAD + 2..HEAD + 4].copy_from_slice(&length.to_be_bytes());
                (frame[HEAD + 6], frame[HEAD + 9]) = (0x40, TCP);
            }
            frame
        };
        let mut frames: Vec<_> = frames.into_iter().map(make).collect();
        if let (true, Some(first)) = (same, frames.first().cloned()) {
            frames.push(first);
        }
        let count = run(slices(&frames));
        if count > 1 {
            let length = written(&frames[..count]).len();
            prop_assert!(length <= HEAD + 65_535);
        }
    }
}
