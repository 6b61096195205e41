//! The pcapng file format, as far as it is written here (draft-ietf-opsawg-pcapng).
//!
//! Owns blocks and options. Must not know where packets come from. One section, raw IP packets
//! (LINKTYPE_RAW), nanoseconds; an interface for every link, named when its first packet comes.

use std::io::{self, Write};

const SECTION: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const STATISTICS: u32 = 5;
/// Bytes of the block that [`Writer::statistics`] writes.
const STATISTICS_BYTES: usize = 52;
const RECEIVED: u16 = 4;
const DROPPED: u16 = 5;
/// LINKTYPE_RAW: begins with an IPv4 or IPv6 header.
const RAW: u16 = 101;
const COMMENT: u16 = 1;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
const APPLICATION: u16 = 4;

/// Writes one file.
pub(super) struct Writer<W> {
    out: W,
    interfaces: u32,
    block: Vec<u8>,
    /// Bytes written so far.
    pub written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins the file.
    pub(super) fn new(out: W) -> io::Result<Writer<W>> {
        let mut writer = Writer {
            out,
            interfaces: 0,
            block: Vec::new(),
            written: 0,
        };
        writer.block.extend(BYTE_ORDER.to_le_bytes());
        writer.block.extend([1, 0, 0, 0]); // version 1.0
        writer.block.extend(u64::MAX.to_le_bytes()); // length unknown
        writer.option(APPLICATION, b"netlab");
        writer.end_options();
        writer.finish(SECTION)?;
        Ok(writer)
    }

    /// Adds an interface; returns its number.
    pub(super) fn interface(&mut self, name: &str) -> io::Result<u32> {
        self.block.extend(RAW.to_le_bytes());
        self.block.extend([0; 6]); // reserved; packets of any length
        self.option(NAME, name.as_bytes());
        self.option(RESOLUTION, &[9]);
        self.end_options();
        self.finish(INTERFACE)?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Adds a packet seen at `time` (ns since 1970).
    pub(super) fn packet(
        &mut self,
        interface: u32,
        time: u64,
        packet: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let length = packet.len() as u32;
        for word in [interface, (time >> 32) as u32, time as u32, length, length] {
            self.block.extend(word.to_le_bytes());
        }
        self.block.extend(packet);
        self.pad();
        if let Some(comment) = comment {
            self.option(COMMENT, comment.as_bytes());
            self.end_options();
        }
        self.finish(PACKET)
    }

    /// Says how many packets the file has and how many are `missing`, as of its first interface. A file
    /// without interfaces has no place for it.
    pub(super) fn statistics(&mut self, packets: u64, missing: u64) -> io::Result<()> {
        if self.interfaces == 0 {
            return Ok(());
        }
        self.block.extend([0; 12]); // interface 0, no time
        self.option(RECEIVED, &packets.to_le_bytes());
        self.option(DROPPED, &missing.to_le_bytes());
        self.end_options();
        self.finish(STATISTICS)
    }

    /// Hands everything on to the file.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn pad(&mut self) {
        let end = self.block.len().next_multiple_of(4);
        self.block.resize(end, 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.block.extend(code.to_le_bytes());
        self.block.extend((value.len() as u16).to_le_bytes());
        self.block.extend(value);
        self.pad();
    }

    fn end_options(&mut self) {
        self.block.extend([0; 4]);
    }

    /// Writes what was gathered as a block of `kind`: type, length, body, length again.
    fn finish(&mut self, kind: u32) -> io::Result<()> {
        let length = self.block.len() as u32 + 12;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.written += u64::from(length);
        self.block.clear();
        Ok(())
    }
}

/// What [`Writer::statistics`] wrote at the end of a file.
pub(super) fn statistics(file: &[u8]) -> Option<(u64, u64)> {
    let block = file.get(file.len().checked_sub(STATISTICS_BYTES)?..)?;
    let kind = u32::from_le_bytes(*block.first_chunk()?);
    let number = |at: usize| Some(u64::from_le_bytes(*block.get(at..)?.first_chunk()?));
    // Type, length, interface and time, then two options: four bytes of head, eight of value.
    let numbers = (number(24)?, number(36)?);
    (kind == STATISTICS).then_some(numbers)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// (interface name, time, packet, comment) of every packet of a file; panics on a broken one.
    pub(in super::super) fn read(file: &[u8]) -> Vec<(String, u64, Vec<u8>, Option<String>)> {
        let word = |b: &[u8], at: usize| u32::from_le_bytes(*b[at..].first_chunk().unwrap());
        let option = |mut b: &[u8], code: u16| {
            while b.len() >= 4 {
                let head = word(b, 0);
                let (found, length) = (head as u16, (head >> 16) as usize);
                if found == 0 {
                    return None;
                }
                if found == code {
                    return Some(String::from_utf8_lossy(&b[4..4 + length]).into_owned());
                }
                b = &b[4 + length.next_multiple_of(4)..];
            }
            None
        };
        assert_eq!((word(file, 0), word(file, 8)), (SECTION, BYTE_ORDER));
        let (mut at, mut names, mut packets) = (0, Vec::new(), Vec::new());
        while at < file.len() {
            let length = word(file, at + 4) as usize;
            assert_eq!(word(file, at + length - 4) as usize, length);
            let body = &file[at + 8..at + length - 4];
            match word(file, at) {
                INTERFACE => {
                    assert_eq!(word(body, 0), u32::from(RAW));
                    names.push(option(&body[8..], NAME).unwrap());
                }
                PACKET => {
                    let time = u64::from(word(body, 4)) << 32 | u64::from(word(body, 8));
                    let size = word(body, 12) as usize;
                    let comment = option(&body[20 + size.next_multiple_of(4)..], COMMENT);
                    let name = names[word(body, 0) as usize].clone();
                    packets.push((name, time, body[20..20 + size].to_vec(), comment));
                }
                STATISTICS => assert_eq!(at + length, file.len()),
                kind => assert_eq!((kind, at), (SECTION, 0)),
            }
            at += length;
        }
        packets
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file).unwrap();
        let first = writer.interface("a > b").unwrap();
        writer.packet(first, 1 << 60, &[0x45, 1, 2], None).unwrap();
        let second = writer.interface("b > a").unwrap();
        let comment = Some("dropped: loss");
        writer.packet(second, 7, &[0x60; 1500], comment).unwrap();
        let written = writer.written;
        assert_eq!(written, file.len() as u64);
        let expected = [
            ("a > b".to_owned(), 1 << 60, vec![0x45, 1, 2], None),
            (
                "b > a".to_owned(),
                7,
                vec![0x60; 1500],
                comment.map(str::to_owned),
            ),
        ];
        assert_eq!(read(&file), expected);
    }
}
