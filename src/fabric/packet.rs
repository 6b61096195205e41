//! IP packets as bytes: what the fabric reads from a header, and the few packets it writes itself.
//!
//! Owns header offsets, checksums and ICMP (RFC 791, 792, 768, 1071, 8200, 4443). Must not know
//! links, nodes or devices. Nothing here panics, whatever the bytes.

use netlab_protocol::draw;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const ICMP: u8 = 1;
pub(super) const IGMP: u8 = 2;
pub(super) const HOP_BY_HOP: u8 = 0;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
const FRAGMENT: u8 = 44;
pub(super) const ICMP6: u8 = 58;

/// What the fabric needs to know of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub source: IpAddr,
    pub target: IpAddr,
    /// Protocol after the IP header; extension headers of IPv6 are not skipped.
    pub protocol: u8,
    /// Where the payload of the IP header begins.
    pub payload: usize,
    /// Not the first fragment of a datagram: no ports.
    pub later_fragment: bool,
    /// Hash of source, target, protocol and, with TCP and UDP, the ports.
    pub flow: u64,
}

/// Reads the header; `None` for what is no whole IP packet.
pub(super) fn parse(packet: &[u8]) -> Option<Header> {
    match packet.first()? >> 4 {
        4 => parse_v4(packet),
        6 => parse_v6(packet),
        _ => None,
    }
}

fn parse_v4(packet: &[u8]) -> Option<Header> {
    let head: &[u8; 20] = packet.first_chunk()?;
    let payload = usize::from(head[0] & 15) * 4;
    let total = usize::from(be16(head, 2));
    if payload < 20 || total < payload || packet.len() < total {
        return None;
    }
    let source = u32::from_be_bytes([head[12], head[13], head[14], head[15]]);
    let target = u32::from_be_bytes([head[16], head[17], head[18], head[19]]);
    let (protocol, fragment) = (head[9], be16(head, 6) & 0x3fff);
    // Fragments carry ports in the first one only: none of them counts, so that all are one flow.
    let ports = ports(packet, protocol, payload).filter(|_| fragment == 0);
    let low = u64::from(protocol) << 32 | u64::from(ports.unwrap_or(0));
    Some(Header {
        source: IpAddr::V4(source.into()),
        target: IpAddr::V4(target.into()),
        protocol,
        payload,
        later_fragment: fragment & 0x1fff != 0,
        flow: draw::bits(4, &[u64::from(source) << 32 | u64::from(target), low]),
    })
}

fn parse_v6(packet: &[u8]) -> Option<Header> {
    let head: &[u8; 40] = packet.first_chunk()?;
    if packet.len() < 40 + usize::from(be16(head, 4)) {
        return None;
    }
    let word = |at: usize| {
        head[at..at + 8]
            .iter()
            .fold(0, |w, &b| w << 8 | u64::from(b))
    };
    let protocol = head[6];
    let low = u64::from(protocol) << 32 | u64::from(ports(packet, protocol, 40).unwrap_or(0));
    let address = |at: usize| (u128::from(word(at)) << 64) | u128::from(word(at + 8));
    Some(Header {
        source: IpAddr::V6(address(8).into()),
        target: IpAddr::V6(address(24).into()),
        protocol,
        payload: 40,
        later_fragment: protocol == FRAGMENT
            && packet.get(42..44).is_some_and(|f| be16(f, 0) & 0xfff8 != 0),
        flow: draw::bits(6, &[word(8), word(16), word(24), word(32), low]),
    })
}

fn ports(packet: &[u8], protocol: u8, at: usize) -> Option<u32> {
    let bytes = packet.get(at..)?.first_chunk::<4>()?;
    (protocol == TCP || protocol == UDP).then(|| u32::from_be_bytes(*bytes))
}

/// Two bytes at `at`, big endian; 0 beyond the end.
pub(super) fn be16(bytes: &[u8], at: usize) -> u16 {
    let pair = bytes.get(at..).and_then(|b| b.first_chunk::<2>());
    pair.map_or(0, |b| u16::from_be_bytes(*b))
}

/// The internet checksum (RFC 1071) of `parts`, each padded to an even length.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    // The sum does not depend on byte order (RFC 1071 §2), so whole words are added as they lie.
    let sum = |bytes: &[u8]| {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        let words = words.iter().chain([&last]);
        words
            .map(|w| u64::from(u32::from_ne_bytes(*w)))
            .sum::<u64>()
    };
    let mut sum: u64 = parts.iter().map(|part| sum(part)).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::from_be(sum as u16)
}

/// The checksum of `payload` with the pseudo header (RFC 768, RFC 8200 §8.1).
fn checksum_with_addresses(source: IpAddr, target: IpAddr, protocol: u8, payload: &[u8]) -> u16 {
    let tail = [0, protocol];
    let length = (payload.len() as u32).to_be_bytes();
    match (source, target) {
        (IpAddr::V4(s), IpAddr::V4(t)) => {
            checksum(&[&s.octets(), &t.octets(), &tail, &length, payload])
        }
        (IpAddr::V6(s), IpAddr::V6(t)) => {
            checksum(&[&s.octets(), &t.octets(), &length, &tail, payload])
        }
        _ => 0,
    }
}

/// The addresses of a packet, as in the pseudo header.
fn addresses(packet: &[u8]) -> &[u8] {
    match packet.first().map_or(0, |b| b >> 4) {
        4 => packet.get(12..20).unwrap_or_default(),
        _ => packet.get(8..40).unwrap_or_default(),
    }
}

/// The checksum of a TCP or UDP packet whose field is zero and whose transport header is at `at`.
pub(super) fn transport_checksum(packet: &[u8], at: usize, protocol: u8) -> u16 {
    let payload = packet.get(at..).unwrap_or_default();
    // Every part of a pseudo header has an even length, so their order does not matter.
    let length = (payload.len() as u32).to_be_bytes();
    match checksum(&[addresses(packet), &length, &[0, protocol], payload]) {
        0 => 0xffff, // for UDP 0 would say "no checksum" (RFC 768), for TCP it is the same number
        sum => sum,
    }
}

/// The folded sum of the pseudo header that belongs to `length` bytes of TCP or UDP in `packet`: what
/// stands in the field of a checksum that is not finished.
pub(super) fn pseudo_sum(packet: &[u8], length: usize, protocol: u8) -> u16 {
    let length = (length as u32).to_be_bytes();
    !checksum(&[addresses(packet), &length, &[0, protocol]])
}

/// A checksum after the word `before` under it became `after` (RFC 1624 §3, equation 3).
pub(super) fn updated(sum: u16, before: u16, after: u16) -> u16 {
    let sum = u32::from(!sum) + u32::from(!before) + u32::from(after);
    let sum = (sum >> 16) + (sum & 0xffff);
    !((sum >> 16) + sum) as u16
}

/// Puts an IP header before `payload`. `None` when the families differ or it is too long.
fn with_header(source: IpAddr, target: IpAddr, protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
    match (source, target) {
        (IpAddr::V4(s), IpAddr::V4(t)) => v4_packet(s, t, protocol, payload),
        (IpAddr::V6(s), IpAddr::V6(t)) => v6_packet(s, t, protocol, payload),
        _ => None,
    }
}

fn v4_packet(s: Ipv4Addr, t: Ipv4Addr, protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let total = u16::try_from(payload.len() + 20).ok()?.to_be_bytes();
    let mut packet = vec![
        0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0,
    ];
    packet.extend(s.octets());
    packet.extend(t.octets());
    let sum = checksum(&[&packet]).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet.extend(payload);
    Some(packet)
}

fn v6_packet(s: Ipv6Addr, t: Ipv6Addr, protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(payload.len()).ok()?.to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    packet.extend(s.octets());
    packet.extend(t.octets());
    packet.extend(payload);
    Some(packet)
}

/// A UDP datagram from `source` to `target`.
pub(super) fn udp(source: (IpAddr, u16), target: (IpAddr, u16), data: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(data.len() + 8).ok()?;
    let mut datagram = Vec::with_capacity(data.len() + 8);
    for field in [source.1, target.1, length, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend(data);
    let sum = match checksum_with_addresses(source.0, target.0, UDP, &datagram) {
        0 => 0xffff, // 0 would say "no checksum" (RFC 768)
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    with_header(source.0, target.0, UDP, &datagram)
}

/// An end of a TCP connection: address and port.
pub(super) type TcpEnd = (IpAddr, u16);

/// What the fabric needs to know of a TCP segment (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Of source and target.
    pub ports: (u16, u16),
    /// Its sequence number.
    pub number: u32,
    /// The number that the sender expects next; none: it has heard nothing yet.
    pub acknowledges: Option<u32>,
    /// SYN.
    pub begins: bool,
    /// FIN.
    pub finishes: bool,
    /// RST.
    pub resets: bool,
}

/// Reads the head of a TCP segment; `None` when it is too short.
pub(super) fn tcp(packet: &[u8], header: &Header) -> Option<Segment> {
    let head: &[u8; 14] = packet.get(header.payload..)?.first_chunk()?;
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let flag = |bit: u8| head[13] & bit != 0;
    Some(Segment {
        ports: (be16(head, 0), be16(head, 2)),
        number: word(4),
        acknowledges: flag(0x10).then(|| word(8)),
        begins: flag(2),
        finishes: flag(1),
        resets: flag(4),
    })
}

/// [`Header::flow`] of the segments from `source` to `target`.
pub(super) fn tcp_flow(source: TcpEnd, target: TcpEnd) -> u64 {
    let ports = u64::from(source.1) << 16 | u64::from(target.1);
    let low = u64::from(TCP) << 32 | ports;
    match (source.0, target.0) {
        (IpAddr::V4(s), IpAddr::V4(t)) => {
            let addresses = u64::from(s.to_bits()) << 32 | u64::from(t.to_bits());
            draw::bits(4, &[addresses, low])
        }
        (s, t) => {
            let [s, t] = [s, t].map(|address| match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
                IpAddr::V6(v6) => v6.to_bits(),
            });
            let words = [(s >> 64) as u64, s as u64, (t >> 64) as u64, t as u64, low];
            draw::bits(6, &words)
        }
    }
}

/// A TCP reset from `source` to `target`. With `acknowledges` it answers a SYN.
pub(super) fn tcp_reset(
    source: TcpEnd,
    target: TcpEnd,
    number: u32,
    acknowledges: Option<u32>,
) -> Option<Vec<u8>> {
    let mut segment = Vec::with_capacity(20);
    segment.extend(source.1.to_be_bytes());
    segment.extend(target.1.to_be_bytes());
    segment.extend(number.to_be_bytes());
    segment.extend(acknowledges.unwrap_or(0).to_be_bytes());
    let flags = if acknowledges.is_some() { 0x14 } else { 4 };
    segment.extend([5 << 4, flags, 0, 0, 0, 0, 0, 0]);
    let sum = checksum_with_addresses(source.0, target.0, TCP, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    with_header(source.0, target.0, TCP, &segment)
}

fn icmp(source: IpAddr, target: IpAddr, mut message: Vec<u8>) -> Option<Vec<u8>> {
    message.get_mut(2..4)?.fill(0);
    let (protocol, sum) = match source {
        IpAddr::V4(_) => (ICMP, checksum(&[&message])),
        IpAddr::V6(_) => (
            ICMP6,
            checksum_with_addresses(source, target, ICMP6, &message),
        ),
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    with_header(source, target, protocol, &message)
}

/// The answer to an echo request (ping); `None` when `packet` is none.
pub(super) fn echo_reply(packet: &[u8], header: &Header) -> Option<Vec<u8>> {
    let message = packet.get(header.payload..)?;
    let (protocol, request, reply) = match header.source {
        IpAddr::V4(_) => (ICMP, 8, 0),
        IpAddr::V6(_) => (ICMP6, 128, 129),
    };
    if header.protocol != protocol || *message.first()? != request || header.later_fragment {
        return None;
    }
    let mut message = message.to_vec();
    message[0] = reply;
    icmp(header.target, header.source, message)
}

/// Takes one from the time to live (hop limit) and corrects the checksum of an IPv4 header by the
/// difference. `false` when the packet must not go on (RFC 1812 §5.3.1).
pub(super) fn age(packet: &mut [u8]) -> bool {
    let at = match packet.first().map_or(0, |b| b >> 4) {
        4 => 8,
        _ => 7,
    };
    let before = be16(packet, at & !1);
    let Some(ttl) = packet.get_mut(at) else {
        return false;
    };
    if *ttl <= 1 {
        return false;
    }
    *ttl -= 1;
    if at == 8 {
        let sum = updated(be16(packet, 10), before, be16(packet, 8));
        if let Some(field) = packet.get_mut(10..12) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
    true
}

/// Why a packet cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreachable {
    /// No node has the address, or no way leads to it.
    Host,
    /// The network's rules forbid it.
    Prohibited,
    /// Its time to live was over at a hop.
    TimeExceeded,
    /// The resolver does not serve this port.
    Port,
    /// The link carries packets of at most so many bytes. Said of IPv4 packets that may be
    /// fragmented, too: the fabric does not fragment, and Linux heeds it all the same.
    TooBig(u32),
}

/// Whether a packet tells its receiver that another one was too big.
pub(super) fn is_too_big(packet: &[u8], header: &Header) -> bool {
    let kind = packet.get(header.payload..).unwrap_or_default();
    !header.later_fragment
        && match header.protocol {
            ICMP => kind.starts_with(&[3, 4]),
            ICMP6 => kind.starts_with(&[2, 0]),
            _ => false,
        }
}

/// Tells the sender of `packet` that it cannot be delivered; `reporter` gives the family's address.
/// `None` where an error must not be answered with an error (RFC 1122 §3.2.2, RFC 4443 §2.4).
pub(super) fn unreachable(
    packet: &[u8],
    header: &Header,
    reporter: (Ipv4Addr, Ipv6Addr),
    why: Unreachable,
) -> Option<Vec<u8>> {
    let kind = packet.get(header.payload).copied().unwrap_or(0);
    let is_error = match header.protocol {
        ICMP => !matches!(kind, 0 | 8),
        ICMP6 => kind < 128,
        _ => false,
    };
    if is_error || header.later_fragment || header.source.is_multicast() {
        return None;
    }
    let (reporter, room) = match header.source {
        IpAddr::V4(_) => (IpAddr::V4(reporter.0), 576 - 28),
        IpAddr::V6(_) => (IpAddr::V6(reporter.1), 1280 - 48),
    };
    let (kind, code, word) = match (header.source, why) {
        (IpAddr::V4(_), Unreachable::Host) => (3, 1, 0),
        (IpAddr::V4(_), Unreachable::Prohibited) => (3, 13, 0), // RFC 1812 §5.2.7.1
        (IpAddr::V4(_), Unreachable::TimeExceeded) => (11, 0, 0),
        (IpAddr::V4(_), Unreachable::Port) => (3, 3, 0),
        (IpAddr::V4(_), Unreachable::TooBig(mtu)) => (3, 4, mtu.min(0xffff)), // RFC 1191 §4
        (IpAddr::V6(_), Unreachable::Host) => (1, 3, 0),
        (IpAddr::V6(_), Unreachable::Prohibited) => (1, 1, 0),
        (IpAddr::V6(_), Unreachable::TimeExceeded) => (3, 0, 0),
        (IpAddr::V6(_), Unreachable::Port) => (1, 4, 0),
        (IpAddr::V6(_), Unreachable::TooBig(mtu)) => (2, 0, mtu), // RFC 4443 §3.2
    };
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend(&packet[..packet.len().min(room)]);
    icmp(reporter, header.source, message)
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
