//! A node that writes anything into its device, as fast as it can, and what is left to others beside it.

use super::lab::*;
use netlab::id::NodeIndex;
use netlab_protocol::draw;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, sendto, socket,
};
use std::net::SocketAddrV6;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// A thread in a namespace that writes junk through `eth0`, past the kernel's own rules.
pub struct Junk {
    over: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Junk {
    pub fn of(namespace: &Namespace) -> Junk {
        let (over, written) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stop, count) = (Arc::clone(&over), Arc::clone(&written));
        // With the header included the kernel passes any bytes on, IPv6 or not (raw(7), ipv6(7)).
        let socket = namespace.run(|| {
            let (family, kind) = (AddressFamily::Inet6, SockType::Raw);
            socket(family, kind, SockFlag::empty(), SockProtocol::Raw).unwrap()
        });
        let way = SockaddrIn6::from(SocketAddrV6::new(six(B), 0, 0, 0));
        let thread = std::thread::spawn(move || {
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let frame = frame(number);
                // A full queue is not the point.
                let sent = sendto(socket.as_raw_fd(), &frame, &way, MsgFlags::MSG_DONTWAIT);
                count.fetch_add(u64::from(sent.is_ok()), Ordering::Relaxed);
            }
        });
        Junk {
            over,
            written,
            thread: Some(thread),
        }
    }

    /// Ends it; how much was written.
    pub fn end(mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for Junk {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Bytes that look like a packet, more or less: of any version and length, from and to anyone.
fn frame(number: u64) -> Vec<u8> {
    let bits = |salt: u64| draw::bits(number, &[salt]);
    let length = 40 + draw::below(number, &[1], 1400) as usize;
    let mut bytes = vec![bits(2) as u8; length];
    let six = number % 3 == 1;
    let start = if six { 0x60 } else { 0x45 };
    bytes[0] = if number % 3 == 2 {
        bits(3) as u8
    } else {
        start
    };
    let told = if number.is_multiple_of(5) {
        bits(4) as u16
    } else {
        length as u16
    };
    let told = if six { told.saturating_sub(40) } else { told };
    let host = |salt: u64| 1 + draw::below(number, &[salt], 6) as u32;
    let four = |salt| (0x0a4d_0000 | host(salt)).to_be_bytes();
    let any_six = |salt| ((0xfd77_u128 << 112) | u128::from(host(salt))).to_be_bytes();
    let (own, other) = (number.is_multiple_of(2), bits(7).is_multiple_of(8));
    let source = if own { four_bytes(C) } else { four(5) };
    let target = if other { [255; 4] } else { four(6) };
    let header: Vec<u8> = if six {
        let source = if own { six_bytes(C) } else { any_six(5) };
        let kind = [0, 17, 43, 44, 58, 60][draw::below(number, &[8], 6) as usize];
        let length = told.to_be_bytes();
        let mut header = vec![
            bytes[0],
            0,
            0,
            0,
            length[0],
            length[1],
            kind,
            1 + bits(9) as u8 % 64,
        ];
        header.extend([source, any_six(6)].concat());
        header
    } else {
        let length = told.to_be_bytes();
        let kind = [1, 2, 6, 17, 47, 99][draw::below(number, &[8], 6) as usize];
        let mut header = vec![
            bytes[0],
            0,
            length[0],
            length[1],
            0,
            0,
            bits(9) as u8 & 0x3f,
            0,
            1,
            kind,
            0,
            0,
        ];
        header.extend([source, target].concat());
        header
    };
    let head = header.len().min(bytes.len());
    bytes[..head].copy_from_slice(&header[..head]);
    bytes
}

fn four_bytes(node: NodeIndex) -> [u8; 4] {
    four(node).octets()
}

fn six_bytes(node: NodeIndex) -> [u8; 16] {
    six(node).octets()
}

/// Packets per second from A to B, sent as fast as they arrive.
fn rate(a: &Namespace, b: &Namespace, port: u16) -> f64 {
    const COUNT: u64 = 8_000;
    let (sender, receiver) = (a.udp(0), b.udp(port));
    let got = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&got);
    let begin = Instant::now();
    let thread = std::thread::spawn(move || {
        while seen.load(Ordering::Relaxed) < COUNT {
            receiver.recv(&mut [0; 64]).unwrap();
            seen.fetch_add(1, Ordering::Relaxed);
        }
    });
    for sent in 0..COUNT {
        // Some are under way, fewer than a socket holds.
        eventually("packets arrive beside junk", || {
            got.load(Ordering::Relaxed) + 60 > sent
        });
        sender.send_to(&[0; 32], v4(B, port)).unwrap();
    }
    thread.join().unwrap();
    COUNT as f64 / begin.elapsed().as_secs_f64()
}

/// Packets per second from A to B while C writes junk into a device that the fabric reads, turn by turn,
/// and beside it turns in which as much is written into one that nobody reads (in the namespace
/// `apart`, wired as C): so what differs is the fabric's doing. Each sorted: where the host puts
/// four threads on few processors makes single turns of little worth.
pub fn rates(turns: u16, [a, b, c]: [&Namespace; 3], apart: &Namespace) -> [Vec<f64>; 2] {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        let idle = Junk::of(apart);
        without.push(rate(a, b, 9 + turn));
        idle.end();
        let junk = Junk::of(c);
        with.push(rate(a, b, 9 + turn));
        assert!(junk.end() > 0);
    }
    with.sort_by(f64::total_cmp);
    without.sort_by(f64::total_cmp);
    [with, without]
}
