//! Datagrams with a number and the time at which they were sent, and who counts them.

use super::lab::{Namespace, PATIENCE, echo, v4};
use netlab::id::NodeIndex;
use nix::sys::socket::{setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Payload of the smallest datagram: number and time.
pub const SMALL: usize = 16;
/// Payload that fills a packet of the usual mtu.
pub const FULL: usize = 1472;
/// Bytes of IPv4 and UDP headers.
pub const HEADERS: usize = 28;
/// Room of a receiver's socket; enough for all that is under way here.
const ROOM: usize = 64 << 20;

/// A datagram that arrived, times in ns on CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub number: u64,
    pub sent: u64,
    pub at: u64,
}

impl Seen {
    /// How long it was under way, as the two applications see it, in ms.
    pub fn ms(&self) -> f64 {
        self.at.saturating_sub(self.sent) as f64 / 1e6
    }
}

pub fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// What is sent.
#[derive(Clone, Copy)]
pub struct Flow {
    pub to: NodeIndex,
    pub port: u16,
    pub payload: usize,
    pub count: u64,
    pub pace: Pace,
}

/// When the next datagram is sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Evenly: so many per second. Who overslept catches up.
    Even(f64),
    /// At once, while no more than so many are neither counted as arrived nor as lost.
    Window(u64),
}

pub fn receiver(at: &Namespace, port: u16) -> UdpSocket {
    let socket = at.udp(port);
    setsockopt(&socket, sockopt::RcvBufForce, &ROOM).unwrap();
    socket
}

/// Sends a flow from `a` to `b` and returns what arrived there until `silence` passed without any.
pub fn run([a, b]: [&Namespace; 2], flow: Flow, silence: Duration) -> Vec<Seen> {
    let socket = receiver(b, flow.port);
    socket.set_read_timeout(Some(silence)).unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let sender = a.udp(flow.port);
    let counted = Arc::clone(&count);
    let sending = std::thread::spawn(move || send(&sender, flow, &counted));
    let mut seen = Vec::with_capacity(flow.count as usize);
    let mut bytes = [0; 2048];
    while (seen.len() as u64) < flow.count * 2 {
        match socket.recv(&mut bytes) {
            Ok(_) => {
                let at = now();
                let word = |i: usize| u64::from_ne_bytes(bytes[i..i + 8].try_into().unwrap());
                let (number, sent) = (word(0), word(8));
                seen.push(Seen { number, sent, at });
                // What a number jumps over is lost, or comes later.
                count.fetch_max(number + 1, Ordering::Relaxed);
                if number + 1 == flow.count {
                    socket.set_read_timeout(Some(silence / 2)).unwrap();
                }
            }
            Err(_) if sending.is_finished() => break,
            Err(_) => {}
        }
    }
    sending.join().unwrap();
    seen
}

fn send(socket: &UdpSocket, flow: Flow, arrived: &AtomicU64) {
    let target: SocketAddr = v4(flow.to, flow.port);
    let mut bytes = vec![0; flow.payload.max(SMALL)];
    let begin = now();
    for number in 0..flow.count {
        wait(flow.pace, begin, number, arrived);
        bytes[..8].copy_from_slice(&number.to_ne_bytes());
        bytes[8..16].copy_from_slice(&now().to_ne_bytes());
        let _ = socket.send_to(&bytes, target); // a refused one is missed by the receiver
    }
}

fn wait(pace: Pace, begin: u64, number: u64, arrived: &AtomicU64) {
    match pace {
        Pace::Even(rate) => {
            let at = begin + (number as f64 * 1e9 / rate) as u64;
            std::thread::sleep(Duration::from_nanos(at.saturating_sub(now())));
        }
        Pace::Window(most) => {
            let deadline = Instant::now() + Duration::from_millis(200);
            while number - arrived.load(Ordering::Relaxed).min(number) >= most {
                std::thread::yield_now();
                if Instant::now() > deadline {
                    break; // the last ones were lost
                }
            }
        }
    }
}

/// Round trips of a small datagram with a pause before each, in µs.
pub fn round_trips(
    [a, b]: [&Namespace; 2],
    to: NodeIndex,
    port: u16,
    pause: Duration,
    count: usize,
) -> Vec<f64> {
    echo(b.udp(port)); // does not end: each call has a port of its own
    let socket = a.udp(port);
    let turn = |_| {
        std::thread::sleep(pause);
        let begin = Instant::now();
        socket.send_to(&[0; 64], v4(to, port)).unwrap();
        socket.recv(&mut [0; 64]).unwrap();
        begin.elapsed().as_secs_f64() * 1e6
    };
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (0..count).map(turn).collect()
}

/// Offers `rate` bits of IP packets per second for `time`, in blocks that the kernel segments, so that sending costs
/// little: bits per second that were offered, and that arrived.
pub fn overload([a, b]: [&Namespace; 2], to: NodeIndex, rate: f64, time: Duration) -> (f64, f64) {
    let socket = receiver(b, 950);
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let sender = a.udp(950);
    setsockopt(&sender, sockopt::UdpGsoSegment, &(FULL as i32)).unwrap();
    let sending = std::thread::spawn(move || offer(&sender, to, rate, time));
    let (mut bytes, mut packets, mut first, mut last) = ([0; 2048], 0_u64, 0, 0);
    loop {
        match socket.recv(&mut bytes) {
            Ok(_) => {
                last = now();
                first = if packets == 0 { last } else { first };
                packets += 1;
            }
            Err(_) if sending.is_finished() => break,
            Err(_) => {}
        }
    }
    let bits = ((FULL + HEADERS) * 8) as f64;
    let arrived = packets.saturating_sub(1) as f64 * bits * 1e9 / (last - first).max(1) as f64;
    (sending.join().unwrap(), arrived)
}

/// Blocks of about a quarter of a millisecond, of 1 to 40 datagrams.
fn offer(socket: &UdpSocket, to: NodeIndex, rate: f64, time: Duration) -> f64 {
    let bits = ((FULL + HEADERS) * 8) as f64;
    let block = (rate / bits / 4000.0).clamp(1.0, 40.0) as usize;
    let bytes = vec![0; block * FULL];
    let target: SocketAddr = v4(to, 950);
    let (begin, arrived) = (now(), AtomicU64::new(0));
    let (pace, mut blocks) = (Pace::Even(rate / bits / block as f64), 0);
    while now() - begin < time.as_nanos() as u64 {
        wait(pace, begin, blocks, &arrived);
        blocks += u64::from(socket.send_to(&bytes, target).is_ok());
    }
    (blocks * block as u64) as f64 * bits * 1e9 / (now() - begin) as f64
}
