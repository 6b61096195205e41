//! Which packets pass whole and which one by one, without a device.

use super::super::packet;
use super::super::tests::*;
use super::super::{AccessChange, LinkProperties, Outcome};
use super::*;
use crate::link::LinkMtu;
use crate::units::{BitRate, Ratio};
use std::time::Duration;

/// Of [`super_packet`].
const SEGMENTS: u64 = 42;
const WIRE_BYTES: u64 = 60_000 + SEGMENTS * 40;

/// Lengths of the frames that leave until `now`, without their offload headers.
fn lengths(s: &mut Switch, now: u64) -> Vec<usize> {
    let mut all = Vec::new();
    while let Some(departure) = s.depart(now) {
        all.push(offload::packet(&departure.frame).len());
        s.done(departure, None, now);
    }
    all
}

#[test]
fn a_super_packet_passes_whole_where_only_a_delay_applies() {
    let mut s = switch();
    send_frame(&mut s, A, &mut super_packet(), 0);
    assert_eq!(lengths(&mut s, 5 * MS), [60_040]);
    let c = s.counters(0)[0];
    assert_eq!((c.packets, c.bytes), (SEGMENTS, WIRE_BYTES), "as on a wire");
    assert_eq!(c.under_way, 0);
    // Without a delay it does not even wait.
    set(&mut s, |p| p.delay = Duration::ZERO);
    let direct = s.receive(port(A), &mut super_packet(), 0);
    assert!(matches!(direct, Outcome::Direct(_)));
}

#[test]
fn a_super_packet_is_cut_as_soon_as_something_else_applies() {
    let cases: [fn(&mut LinkProperties); 7] = [
        |p| p.loss = Ratio(1e-9),
        |p| p.duplicate = Ratio(1e-9),
        |p| p.corrupt = Ratio(1e-9),
        |p| p.rate = Some(BitRate(1_000_000_000_000)),
        |p| p.jitter = Duration::from_nanos(1),
        |p| {
            p.mtu = Some(LinkMtu {
                bytes: 1500,
                black_hole: false,
            })
        },
        |p| p.loss_every = 1000,
    ];
    for case in cases {
        let mut s = switch();
        set(&mut s, case);
        send_frame(&mut s, A, &mut super_packet(), 0);
        let all = lengths(&mut s, 100 * MS);
        assert_eq!(all.len() as u64, SEGMENTS);
        assert_eq!(all.iter().sum::<usize>() as u64, WIRE_BYTES);
    }
    for (uplink, downlink) in [
        (Some(BitRate(1 << 40)), None),
        (None, Some(BitRate(1 << 40))),
    ] {
        let mut s = switch();
        for node in [A, B] {
            let change = AccessChange {
                node,
                uplink: uplink.filter(|_| node == A),
                downlink: downlink.filter(|_| node == B),
            };
            s.change_access(&[change]).unwrap();
        }
        send_frame(&mut s, A, &mut super_packet(), 0);
        assert_eq!(lengths(&mut s, 100 * MS).len() as u64, SEGMENTS);
    }
}

/// 1 % of the segments, not of the super-packets: 99 % of binomial(21,000, 0.01) lie within 210 ± 37.
/// Were whole super-packets lost, the number would be a multiple of 42 with a spread of 93.
#[test]
fn loss_is_per_packet_on_the_wire() {
    let mut s = switch();
    set(&mut s, |p| p.loss = Ratio(0.01));
    for _ in 0..500 {
        send_frame(&mut s, A, &mut super_packet(), 0);
        lengths(&mut s, 5 * MS);
    }
    let c = s.counters(0)[0];
    assert_eq!(c.packets + c.dropped.loss, 500 * SEGMENTS);
    assert!(c.dropped.loss.abs_diff(210) <= 37, "{}", c.dropped.loss);
}

#[test]
fn what_passed_whole_counts_for_the_fates_of_the_rest() {
    let mut s = switch();
    send_frame(&mut s, A, &mut super_packet(), 0);
    set(&mut s, |p| p.loss_every = 50);
    send_frame(&mut s, A, &mut super_packet(), 0);
    lengths(&mut s, 5 * MS);
    let c = s.counters(0)[0];
    assert_eq!(
        (c.packets, c.dropped.loss),
        (83, 1),
        "the 50th is number 8 of the second one"
    );
}

#[test]
fn too_big_is_said_once_per_packet_and_within_the_bound() {
    let mut s = switch();
    let mtu = |bytes, black_hole| {
        move |p: &mut LinkProperties| p.mtu = Some(LinkMtu { bytes, black_hole })
    };
    set(&mut s, mtu(1200, false));
    let error = send_frame(&mut s, A, &mut super_packet(), 0).unwrap();
    let header = packet::parse(&error).unwrap();
    assert_eq!((header.source, header.target), (RESOLVER, four(A)));
    // Fragmentation needed, next hop's mtu (RFC 1191); the quoted packet is one segment.
    assert_eq!(error[20..22], [3, 4]);
    assert_eq!(error[26..28], 1200_u16.to_be_bytes());
    assert_eq!(error[30..32], 1488_u16.to_be_bytes());
    assert_eq!(
        s.counters(0)[0].dropped.mtu,
        41,
        "the last segment is small"
    );
    let large = packet::udp((six(A), 1), (six(B), 2), &[0; 1300]).unwrap();
    set(&mut s, mtu(1280, false));
    let error = send(&mut s, A, &large, 0).unwrap();
    assert_eq!((error[40], error[41]), (2, 0), "packet too big (RFC 4443)");
    assert_eq!(error[44..48], 1280_u32.to_be_bytes());
    set(&mut s, mtu(1200, true));
    assert_eq!(send_frame(&mut s, A, &mut super_packet(), 0), None);
    assert_eq!(s.counters(0)[0].dropped.mtu, 41 + 1 + 41);
}
