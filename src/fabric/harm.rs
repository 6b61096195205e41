//! Corruption: one bit of a packet turned over.
//!
//! Owns which bit, and what becomes of the checksum over it. Pure, never panics; must not know
//! links.
//!
//! The bit is one of the data behind TCP, UDP and ICMP headers, wherever those stand behind the
//! extension headers of IPv6: what routes a packet stays as it was. With [`Checksum::Wrong`]
//! - a packet without data has a bit of its ports, or of what follows type and checksum, turned over;
//! - a UDP datagram without checksum gets one first, else its receiver could not tell.
//!
//! With [`Checksum::Fixed`] the checksum is corrected by the difference (RFC 1624), so that the
//! application gets the bit. A packet without data is left alone then, and in fragments behind the first
//! one nothing can be corrected: their datagram is dropped by its receiver.

use super::packet::{self, Header, ICMP, ICMP6, TCP, UDP};
use crate::link::Checksum;

/// Extension headers looked at before giving up; senders use one or two.
const MANY: usize = 8;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const OPTIONS: u8 = 60;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Body {
    /// None: not known, or the rest of a datagram whose header is in another fragment.
    protocol: Option<u8>,
    /// Where it begins in the packet.
    at: usize,
    /// Where it ends.
    end: usize,
    /// More fragments follow.
    first_of_many: bool,
}

/// Turns one bit over; `draw` says which. `false`: nothing to turn over.
pub(super) fn corrupt(packet: &mut [u8], header: &Header, draw: u64, checksum: Checksum) -> bool {
    let Some(body) = body(packet, header) else {
        return false;
    };
    let fixed = checksum == Checksum::Fixed;
    let data = data(packet, &body);
    let region = match data.is_empty() {
        false => data,
        true if fixed => return false,
        true => header_bits(&body),
    };
    let bits = (region.len() * 8) as u64;
    if bits == 0 || region.end > packet.len() {
        return false;
    }
    let field = field(packet, &body);
    if let (Some(field), false) = (field, fixed) {
        fill_in(packet, &body, field);
    }
    let bit = (u128::from(draw) * u128::from(bits)) >> 64;
    let at = region.start + bit as usize / 8;
    let word = body.at + ((at - body.at) & !1);
    let before = word_at(packet, word, body.end);
    packet[at] ^= 1 << (bit % 8);
    if let (Some(field), true) = (field, fixed) {
        let after = word_at(packet, word, body.end);
        correct(packet, field, &body, before, after);
    }
    true
}

/// Finds what is behind all headers of IP.
fn body(packet: &[u8], header: &Header) -> Option<Body> {
    let mut body = Body {
        protocol: Some(header.protocol),
        at: header.payload,
        end: 0,
        first_of_many: false,
    };
    let is_v4 = header.source.is_ipv4();
    body.end = match is_v4 {
        true => usize::from(packet::be16(packet, 2)),
        false => 40 + usize::from(packet::be16(packet, 4)),
    };
    if is_v4 {
        body.note_fragment(header.later_fragment, packet::be16(packet, 6) & 0x2000 != 0);
        return Some(body);
    }
    for _ in 0..MANY {
        let Some(protocol) = body.protocol else {
            break;
        };
        let next = packet.get(body.at..body.end)?;
        let length = match protocol {
            HOP_BY_HOP | ROUTING | OPTIONS => (usize::from(*next.get(1)?) + 1) * 8,
            AUTHENTICATION => (usize::from(*next.get(1)?) + 2) * 4,
            FRAGMENT => 8,
            _ => break,
        };
        body.protocol = Some(*next.first()?);
        body.at += length;
        if protocol == FRAGMENT {
            let offset = packet::be16(next, 2);
            body.note_fragment(offset & 0xfff8 != 0, offset & 1 != 0);
        }
    }
    (body.at <= body.end).then_some(body)
}

impl Body {
    fn note_fragment(&mut self, later: bool, more: bool) {
        match later {
            true => self.protocol = None,
            false => self.first_of_many = more,
        }
    }
}

/// The bytes that are the application's.
fn data(packet: &[u8], body: &Body) -> std::ops::Range<usize> {
    let head = match body.protocol {
        // What says less than a header has is refused by its receiver, whatever the bit.
        Some(TCP) => packet
            .get(body.at + 12)
            .map_or(20, |b| usize::from(b >> 4) * 4)
            .max(20),
        Some(UDP | ICMP | ICMP6) => 8,
        _ => 0,
    };
    (body.at + head).min(body.end)..body.end
}

/// Of a packet without data: bytes that its checksum covers, and whose change nothing else tells.
fn header_bits(body: &Body) -> std::ops::Range<usize> {
    let (from, until) = match body.protocol {
        Some(TCP) => (0, 12), // ports and numbers; not how long the header is
        Some(UDP) => (0, 4),
        Some(ICMP | ICMP6) => (4, 8),
        _ => (0, 0),
    };
    (body.at + from).min(body.end)..(body.at + until).min(body.end)
}

/// Where the checksum is.
fn field(packet: &[u8], body: &Body) -> Option<usize> {
    let at = body.at
        + match body.protocol? {
            TCP => 16,
            UDP => 6,
            ICMP | ICMP6 => 2,
            _ => return None,
        };
    (at + 2 <= body.end && body.end <= packet.len()).then_some(at)
}

/// Gives a whole UDP datagram that has no checksum one.
fn fill_in(packet: &mut [u8], body: &Body, field: usize) {
    let none = packet::be16(packet, field) == 0;
    if body.protocol == Some(UDP) && none && !body.first_of_many {
        let whole = packet.get(..body.end).unwrap_or_default();
        let sum = packet::transport_checksum(whole, body.at, UDP);
        packet[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

fn correct(packet: &mut [u8], field: usize, body: &Body, before: u16, after: u16) {
    let sum = packet::be16(packet, field);
    if body.protocol == Some(UDP) && sum == 0 {
        return; // "no checksum" (RFC 768)
    }
    let sum = match packet::updated(sum, before, after) {
        0 if body.protocol == Some(UDP) => 0xffff,
        sum => sum,
    };
    packet[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// The word at `at`, as a checksum reads it: the last byte of an odd number is padded.
fn word_at(packet: &[u8], at: usize, end: usize) -> u16 {
    let byte = |at: usize| packet.get(at).filter(|_| at < end).copied().unwrap_or(0);
    u16::from_be_bytes([byte(at), byte(at + 1)])
}

#[cfg(test)]
#[path = "harm_tests.rs"]
mod tests;
