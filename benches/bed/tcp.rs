//! One TCP connection that sends all it can.

use super::lab::{B, Namespace, PATIENCE, v4};
use nix::sys::socket::{setsockopt, sockopt};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// The congestion controls of this kernel that are asked for.
pub fn available(wanted: &[&'static str]) -> Vec<&'static str> {
    let path = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let is_there = |name: &&&'static str| there.split_whitespace().any(|word| word == **name);
    wanted.iter().filter(is_there).copied().collect()
}

/// Bits per second that the receiver's application reads in `time`, after `warm`.
///
/// The congestion control is set for the namespaces, before there is a socket: one that was made under BBR
/// stays paced whatever is set later. Where a namespace may not have it as its own (tcp(7),
/// `tcp_allowed_congestion_control`), its sockets are made under Reno, which is not paced.
pub fn throughput(
    [a, b]: [&Namespace; 2],
    congestion: Option<&str>,
    warm: Duration,
    time: Duration,
) -> f64 {
    if let Some(name) = congestion {
        for node in [a, b] {
            let (path, name) = ("/proc/sys/net/ipv4/tcp_congestion_control", name.to_owned());
            let set = move || std::fs::write(path, name).or_else(|_| std::fs::write(path, "reno"));
            node.run(set).unwrap();
        }
    }
    let listener = b.run(|| TcpListener::bind(("::", 80)).unwrap());
    let target: SocketAddr = v4(B, 80);
    let mut stream = a.run(move || TcpStream::connect_timeout(&target, PATIENCE).unwrap());
    if let Some(name) = congestion {
        setsockopt(&stream, sockopt::TcpCongestion, &name.into()).unwrap();
    }
    let sender = std::thread::spawn(move || {
        let block = vec![0; 1 << 17];
        while stream.write_all(&block).is_ok() {}
    });
    let (mut stream, _) = listener.accept().unwrap();
    read_rate(&mut stream, warm).unwrap();
    let rate = read_rate(&mut stream, time).unwrap();
    drop(stream);
    sender.join().unwrap();
    rate
}

/// Bits per second that are read from a connection in `time`.
pub fn read_rate(stream: &mut TcpStream, time: Duration) -> std::io::Result<f64> {
    let mut block = vec![0; 1 << 17];
    let (mut bytes, begin) = (0, Instant::now());
    while begin.elapsed() < time {
        bytes += stream.read(&mut block)?;
    }
    Ok(bytes as f64 * 8.0 / begin.elapsed().as_secs_f64())
}
