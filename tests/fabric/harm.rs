//! Offload packets, corruption, mtu and capture against the real kernel.

use crate::lab::*;
use netlab::fabric::capture::Filter;
use netlab::link::{LinkMtu, LinkProperties};
use netlab::units::Ratio;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Sends `bytes` over TCP from A to B; they arrive unchanged.
fn transfer(a: &Namespace, b: &Namespace, bytes: usize) {
    let listener = b.run(|| TcpListener::bind(("::", 80)).unwrap());
    let mut stream = a.run(|| TcpStream::connect_timeout(&v4(B, 80), PATIENCE).unwrap());
    let sent: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let copy = sent.clone();
    let sender = std::thread::spawn(move || stream.write_all(&copy).unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert!(got == sent, "{} of {bytes} bytes, or other ones", got.len());
    sender.join().unwrap();
}

/// A number of /proc/net/snmp inside a namespace.
fn snmp(at: &Namespace, protocol: &'static str, field: &'static str) -> u64 {
    let text = at.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = text.lines().filter(|l| l.starts_with(protocol));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|n| n == field).unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

/// Were whole offload packets lost, the share of lost packets would be the same, but they would go
/// 40 at a time: so the model's own count per packet is compared with the wire's.
#[test]
fn loss_meets_single_packets_of_a_tcp_stream() {
    if !able() {
        return;
    }
    let lossy = LinkProperties {
        loss_every: 100,
        ..LinkProperties::default()
    };
    let (fabric, [a, b, _c]) = lab(3, lossy);
    transfer(&a, &b, 8 << 20);
    let c = counted(&fabric, A, B).unwrap();
    let all = c.packets + c.dropped.loss;
    // One flow: every hundredth of its packets, so the number is exact.
    assert_eq!(c.dropped.loss, all / 100, "{c:?}");
    // 8 MiB in segments of 1448 bytes are 5,794 packets and more.
    assert!(all > 5_700 && c.bytes / c.packets <= 1500, "{c:?}");
}

/// Every second packet is harmed on the wire: the receiver's kernel drops and counts exactly those.
#[test]
fn corrupted_packets_are_never_delivered_as_good_data() {
    if !able() {
        return;
    }
    let harmful = LinkProperties {
        corrupt: Ratio(0.5),
        ..LinkProperties::default()
    };
    let (fabric, [a, b, _c]) = lab(3, harmful);
    let (receiver, socket) = (b.udp(9), a.udp(4000));
    let mut good = 0;
    for batch in 1..=20 {
        for _ in 0..20 {
            socket.send_to(&[7; 100], v4(B, 9)).unwrap();
        }
        eventually("settled", || settled(&fabric, A, B) == batch * 20);
        let harmed = counted(&fabric, A, B).unwrap().corrupted;
        while good < batch * 20 - harmed {
            let mut bytes = [0; 200];
            assert_eq!(receiver.recv(&mut bytes).unwrap(), 100);
            assert_eq!(bytes[..100], [7; 100]);
            good += 1;
        }
    }
    receiver.set_nonblocking(true).unwrap();
    assert!(receiver.recv(&mut [0; 200]).is_err(), "and nothing else");
    let c = counted(&fabric, A, B).unwrap();
    assert!(c.corrupted > 100 && c.packets == 400, "{c:?}");
    eventually("the kernel counted", || {
        snmp(&b, "Udp:", "InErrors") >= c.corrupted
    });
    assert_eq!(snmp(&b, "Udp:", "InCsumErrors"), c.corrupted);
}

#[test]
fn tcp_survives_harm_of_every_kind() {
    if !able() {
        return;
    }
    let harmful = LinkProperties {
        loss: Ratio(0.005),
        corrupt: Ratio(0.005),
        duplicate: Ratio(0.01),
        ..LinkProperties::default()
    };
    let (fabric, [a, b, _c]) = lab(3, harmful);
    transfer(&a, &b, 2 << 20);
    let c = counted(&fabric, A, B).unwrap();
    assert!(c.corrupted > 0 && c.duplicated > 0, "{c:?}");
    assert!(snmp(&b, "Tcp:", "InCsumErrors") > 0);
}

#[test]
fn tcp_finds_the_mtu_of_a_link() {
    if !able() {
        return;
    }
    let narrow = LinkProperties {
        mtu: Some(LinkMtu {
            bytes: 1200,
            black_hole: false,
        }),
        ..LinkProperties::default()
    };
    let (fabric, [a, b, _c]) = lab(3, narrow);
    transfer(&a, &b, 4 << 20);
    let c = counted(&fabric, A, B).unwrap();
    assert!(c.dropped.mtu > 0 && c.bytes / c.packets <= 1200, "{c:?}");
    assert!(c.dropped.mtu < 100, "told once: {c:?}");
}

#[test]
fn a_capture_holds_a_tcp_stream_as_on_a_wire() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, delayed(1));
    let path = std::env::temp_dir().join(format!("netlab-capture-{}.pcapng", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    let capture = fabric.capture(Filter::Node(B), 1 << 30, file).unwrap();
    transfer(&a, &b, 1 << 20);
    let carried = |from, to| counted(&fabric, from, to).map_or(0, |c| c.packets);
    let summary = capture.stop().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(summary.bytes, bytes.len() as u64);
    assert_eq!(summary.lost, 0, "{summary:?}");
    assert!(summary.packets > 725, "1 MiB in segments: {summary:?}");
    assert!(summary.packets <= carried(A, B) + carried(B, A));
}
