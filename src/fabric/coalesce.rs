//! Neighbouring segments of one TCP stream, put together again for the receiver's kernel.
//!
//! Owns which frames may be written as one super-packet and how its headers look (the reverse of
//! [`super::offload`]). Must not know links, devices or time. What became of each packet is decided and
//! counted before: this only saves the kernel one pass through its stack per packet, as network
//! cards and the kernel's own GRO do. Nothing here panics, whatever the bytes.
//!
//! Only segments whose checksum is unfinished are put together: nothing happened to them since their
//! sender's kernel made them. They carry nothing but ACK, the last one also PSH, and have the same
//! headers but for length, identification and sequence number.

use super::offload::{HEAD, NEEDS_CHECKSUM, TCP4, TCP6, ne16};
use super::packet::{self, TCP};
use std::io::IoSlice;

/// Segments of one super-packet at most: those of 64 KiB at an mtu of 1500.
pub(super) const SEGMENTS: usize = 45;
/// Longest headers that are put together, IP and TCP with options.
const HEADERS: usize = 40 + 60;
const ACK: u8 = 0x10;
const PSH: u8 = 0x08;
/// Where the checksum is in a TCP header.
const SUM: usize = 16;

/// A frame that is one TCP segment and may be part of something larger.
#[derive(Clone, Copy)]
struct Segment<'f> {
    packet: &'f [u8],
    /// Where TCP's header and its data begin.
    transport: usize,
    data: usize,
}

impl<'f> Segment<'f> {
    fn of(frame: &'f [u8]) -> Option<Segment<'f>> {
        let unfinished = frame.get(..2)? == [NEEDS_CHECKSUM, 0];
        let (transport, packet) = (ne16(frame, 6), frame.get(HEAD..)?);
        let plain = match packet.first()? >> 4 {
            4 => {
                let head = usize::from(packet.first()? & 15) * 4;
                let single = packet::be16(packet, 6) & 0x3fff == 0;
                packet.get(9) == Some(&TCP) && transport == head && single
            }
            6 => packet.get(6) == Some(&TCP) && transport == 40,
            _ => false,
        };
        let words = packet.get(transport + 12)? >> 4;
        let data = transport + usize::from(words) * 4;
        let fits = transport >= 20 && words >= 5 && data < packet.len() && data <= HEADERS;
        let flags = packet.get(transport + 13)? & !PSH == ACK;
        let whole = unfinished && plain && fits && flags && ne16(frame, 8) == SUM;
        (whole && length(packet) == packet.len()).then_some(Segment {
            packet,
            transport,
            data,
        })
    }

    fn payload(&self) -> &'f [u8] {
        &self.packet[self.data..]
    }

    fn sequence(&self) -> u32 {
        let at = self.transport + 4;
        let bytes = self.packet.get(at..).and_then(|b| b.first_chunk());
        bytes.map_or(0, |b| u32::from_be_bytes(*b))
    }

    fn pushes(&self) -> bool {
        self.packet[self.transport + 13] & PSH != 0
    }

    /// Whether the headers are the same but for what differs from segment to segment.
    fn is_like(&self, other: &Segment<'_>) -> bool {
        let t = self.transport;
        let same =
            |range: std::ops::Range<usize>| self.packet[range.clone()] == other.packet[range];
        let ip = match self.packet[0] >> 4 {
            // All but length, identification and checksum.
            4 => same(0..2) && same(6..10) && same(12..t),
            _ => same(0..4) && same(6..t),
        };
        (t, self.data) == (other.transport, other.data)
            && self.packet[0] == other.packet[0]
            && ip
            && same(t..t + 4)
            && same(t + 8..t + 13)
            && same(t + 14..t + SUM)
            && same(t + SUM + 2..self.data)
    }
}

fn length(packet: &[u8]) -> usize {
    match packet.first().map_or(0, |b| b >> 4) {
        4 => usize::from(packet::be16(packet, 2)),
        _ => 40 + usize::from(packet::be16(packet, 4)),
    }
}

/// How many of `frames`, from the first one on, may be written as one: at least 1.
pub(super) fn run<'f>(mut frames: impl Iterator<Item = &'f [u8]>) -> usize {
    let Some(first) = frames.next().and_then(Segment::of) else {
        return 1;
    };
    let size = first.payload().len();
    let (mut count, mut bytes, mut ended) = (1, size, first.pushes());
    for next in frames.map(Segment::of) {
        let Some(next) = next.filter(|_| !ended && count < SEGMENTS) else {
            break;
        };
        let more = next.payload().len();
        let follows = next.sequence() == first.sequence().wrapping_add(bytes as u32);
        if !follows || more > size || first.data + bytes + more > 65_535 || !first.is_like(&next) {
            break;
        }
        (count, bytes, ended) = (count + 1, bytes + more, next.pushes() || more < size);
    }
    count
}

/// The headers of the super-packet that a [`run`] makes.
pub(super) struct Head {
    bytes: [u8; HEAD + HEADERS],
    length: usize,
}

impl Head {
    /// `None` for less than two frames.
    pub(super) fn of<'f>(mut frames: impl Iterator<Item = &'f [u8]>) -> Option<Head> {
        let first = frames.next().and_then(Segment::of)?;
        let rest = frames.filter_map(Segment::of);
        let (bytes, last) = rest.fold((0, None), |(sum, _), s| (sum + s.payload().len(), Some(s)));
        let total = first.packet.len() + bytes;
        let (transport, size) = (first.transport, first.payload().len());
        let mut head = Head {
            bytes: [0; HEAD + HEADERS],
            length: HEAD + first.data,
        };
        let (unfinished, headers) = head.bytes.split_at_mut(HEAD);
        let headers = headers.get_mut(..first.data)?;
        headers.copy_from_slice(first.packet.get(..first.data)?);
        if last?.pushes() {
            headers[transport + 13] |= PSH;
        }
        let kind = match headers[0] >> 4 {
            4 => {
                headers[2..4].copy_from_slice(&(total as u16).to_be_bytes());
                headers[10..12].fill(0);
                let sum = packet::checksum(&[&headers[..transport]]);
                headers[10..12].copy_from_slice(&sum.to_be_bytes());
                TCP4
            }
            _ => {
                headers[4..6].copy_from_slice(&((total - 40) as u16).to_be_bytes());
                TCP6
            }
        };
        let sum = packet::pseudo_sum(headers, total - transport, TCP);
        headers[transport + SUM..transport + SUM + 2].copy_from_slice(&sum.to_be_bytes());
        (unfinished[0], unfinished[1]) = (NEEDS_CHECKSUM, kind);
        for (at, word) in [(2, first.data), (4, size), (6, transport), (8, SUM)] {
            unfinished[at..at + 2].copy_from_slice(&(word as u16).to_ne_bytes());
        }
        Some(head)
    }

    /// The super-packet as the parts of one write, into `slices`: how many there are.
    pub(super) fn parts<'f>(
        &'f self,
        frames: impl Iterator<Item = &'f [u8]>,
        slices: &mut [IoSlice<'f>; SEGMENTS + 1],
    ) -> usize {
        slices[0] = IoSlice::new(&self.bytes[..self.length]);
        let payloads = frames.map(|frame| frame.get(self.length..).unwrap_or_default());
        let mut count = 1;
        for (slot, payload) in slices[1..].iter_mut().zip(payloads) {
            *slot = IoSlice::new(payload);
            count += 1;
        }
        count
    }
}

#[cfg(test)]
#[path = "coalesce_tests.rs"]
mod tests;
