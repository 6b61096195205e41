//! Packets written and read back, and hostile bytes.

use super::*;
use proptest::prelude::*;

const A4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
const B4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 3));
const A6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2));
const B6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 3));
const REPORTER: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(10, 77, 0, 1),
    Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1),
);

/// A checksum field that is right makes the sum over everything zero (RFC 1071 §1).
fn sums_are_right(packet: &[u8]) -> bool {
    let h = parse(packet).unwrap();
    let payload = &packet[h.payload..];
    let header = h.source.is_ipv6() || checksum(&[&packet[..h.payload]]) == 0;
    let body = match h.protocol {
        ICMP => checksum(&[payload]),
        p => checksum_with_addresses(h.source, h.target, p, payload),
    };
    header && body == 0
}

#[test]
fn what_is_written_is_read_back() {
    for (s, t) in [(A4, B4), (A6, B6)] {
        let packet = udp((s, 4000), (t, 53), b"abc").unwrap();
        let header = parse(&packet).unwrap();
        assert_eq!((header.source, header.target, header.protocol), (s, t, UDP));
        assert!(sums_are_right(&packet));
        let other = parse(&udp((s, 4001), (t, 53), b"abc").unwrap()).unwrap();
        assert_ne!(header.flow, other.flow, "ports belong to the flow");
        for why in [
            Unreachable::Host,
            Unreachable::Port,
            Unreachable::TooBig(1300),
        ] {
            let error = unreachable(&packet, &header, REPORTER, why).unwrap();
            assert!(sums_are_right(&error));
            let again = parse(&error).unwrap();
            assert_eq!(again.target, s);
            assert_eq!(unreachable(&error, &again, REPORTER, why), None);
        }
    }
}

#[test]
fn resets_are_right_and_their_flow_is_known() {
    for (s, t) in [(A4, B4), (A6, B6)] {
        for acknowledges in [None, Some(9)] {
            let (source, target) = ((s, 80), (t, 4000));
            let packet = tcp_reset(source, target, 7, acknowledges).unwrap();
            assert!(sums_are_right(&packet));
            let header = parse(&packet).unwrap();
            assert_eq!(header.flow, tcp_flow(source, target));
            let segment = tcp(&packet, &header).unwrap();
            assert!(segment.resets && !segment.begins && !segment.finishes);
            assert_eq!((segment.ports, segment.number), ((80, 4000), 7));
            assert_eq!(segment.acknowledges, acknowledges);
        }
    }
}

/// The example of RFC 1071 §3: the words add up to 0xddf2.
#[test]
fn checksum_of_the_rfc() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum(&[&bytes]), !0xddf2);
}

#[test]
fn ping_is_answered_and_nothing_else() {
    for (s, t, request) in [(A4, B4, 8), (A6, B6, 128)] {
        let ping = icmp(s, t, vec![request, 0, 0, 0, 1, 2, 3, 4, 5]).unwrap();
        let reply = echo_reply(&ping, &parse(&ping).unwrap()).unwrap();
        assert!(sums_are_right(&reply));
        assert_eq!(parse(&reply).unwrap().target, s);
        assert_eq!(echo_reply(&reply, &parse(&reply).unwrap()), None);
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..120), six: bool) {
        if let Some(first) = bytes.first_mut() {
            *first = if six { 0x60 } else { 0x45 };
        }
        if let Some(header) = parse(&bytes) {
            let _ = echo_reply(&bytes, &header);
            let _ = unreachable(&bytes, &header, REPORTER, Unreachable::Host);
        }
    }
}
