//! Offload packets, corruption, mtu and capture against the real kernel.

use crate::lab::*;
use netlab::fabric::Fabric;
use netlab::fabric::capture::Filter;
use netlab::link::{Checksum, LinkMtu, LinkProperties};
use netlab::units::Ratio;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Sends `bytes` over TCP from A to B; what was sent, and what came.
fn stream(a: &Namespace, b: &Namespace, target: SocketAddr, bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let listener = b.run(|| TcpListener::bind(("::", 80)).unwrap());
    let mut stream = a.run(move || TcpStream::connect_timeout(&target, PATIENCE).unwrap());
    let sent: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let copy = sent.clone();
    let sender = std::thread::spawn(move || stream.write_all(&copy).unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    sender.join().unwrap();
    (sent, got)
}

/// The same; they arrive unchanged.
fn transfer(a: &Namespace, b: &Namespace, bytes: usize) {
    let (sent, got) = stream(a, b, v4(B, 80), bytes);
    assert!(got == sent, "{} of {bytes} bytes, or other ones", got.len());
}

/// A number of /proc/net/snmp inside a namespace.
fn snmp(at: &Namespace, protocol: &'static str, field: &'static str) -> u64 {
    let text = at.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = text.lines().filter(|l| l.starts_with(protocol));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|n| n == field).unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

/// The same of /proc/net/snmp6, where UDP over IPv6 is counted.
fn snmp6(at: &Namespace, field: &'static str) -> u64 {
    let text = at.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp6").unwrap());
    let mut words = text.split_whitespace().skip_while(|word| *word != field);
    words.nth(1).unwrap().parse().unwrap()
}

/// Half of the packets are harmed.
fn harmful(share: f64, corrupt_checksum: Checksum) -> LinkProperties {
    LinkProperties {
        corrupt: Ratio(share),
        corrupt_checksum,
        ..LinkProperties::default()
    }
}

/// Packets that the device of a namespace took, what was written at once as one.
fn written(at: &Namespace) -> u64 {
    let devices = at.run(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap());
    let numbers = devices.split("eth0:").nth(1).unwrap();
    numbers.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Were whole offload packets lost, the share of lost packets would be the same, but they would go
/// 40 at a time: so the model's own count per packet is compared with the wire's. What is left and due
/// at the same time is written together.
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
    assert!(written(&b) < c.packets / 2, "{} of {c:?}", written(&b));
}

/// Sends 400 datagrams of 100 times 7 from A to B; returns the bits that are wrong in each that arrives.
fn datagrams(
    fabric: &Fabric,
    a: &Namespace,
    b: &Namespace,
    target: SocketAddr,
    all_arrive: bool,
) -> Vec<u32> {
    let (receiver, socket) = (b.udp(9), a.udp(4000));
    let before = counted(fabric, A, B).map_or((0, 0), |c| (c.packets, c.corrupted));
    let mut wrong = Vec::new();
    for batch in 1..=20 {
        for _ in 0..20 {
            socket.send_to(&[7; 100], target).unwrap();
        }
        eventually("settled", || settled(fabric, A, B) == before.0 + batch * 20);
        let harmed = counted(fabric, A, B).unwrap().corrupted - before.1;
        let arrive = batch * 20 - if all_arrive { 0 } else { harmed };
        while (wrong.len() as u64) < arrive {
            let mut bytes = [0; 200];
            assert_eq!(receiver.recv(&mut bytes).unwrap(), 100);
            wrong.push(
                bytes[..100]
                    .iter()
                    .map(|byte| (byte ^ 7).count_ones())
                    .sum(),
            );
        }
    }
    receiver.set_nonblocking(true).unwrap();
    assert!(receiver.recv(&mut [0; 200]).is_err(), "and nothing else");
    wrong
}

/// Every second packet is harmed on the wire: the receiver's kernel drops and counts exactly those.
#[test]
fn corrupted_packets_are_never_delivered_as_good_data() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, harmful(0.5, Checksum::Wrong));
    let errors: fn(&Namespace) -> u64 = |b| snmp(b, "Udp:", "InCsumErrors");
    let errors6: fn(&Namespace) -> u64 = |b| snmp6(b, "Udp6InCsumErrors");
    let mut before = 0;
    for (target, errors) in [(v4(B, 9), errors), (v6(B, 9), errors6)] {
        let wrong = datagrams(&fabric, &a, &b, target, false);
        assert!(wrong.iter().all(|bits| *bits == 0), "{wrong:?}");
        let corrupted = counted(&fabric, A, B).unwrap().corrupted - before;
        assert!((100..300).contains(&corrupted), "{corrupted}");
        eventually("the kernel counted", || errors(&b) >= corrupted);
        assert_eq!(errors(&b), corrupted);
        before += corrupted;
    }
}

/// With the checksum fixed the kernel sees nothing, and the application one wrong bit.
#[test]
fn fixed_checksums_show_applications_what_was_corrupted() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, harmful(0.5, Checksum::Fixed));
    let mut seen = 0;
    for target in [v4(B, 9), v6(B, 9)] {
        let wrong = datagrams(&fabric, &a, &b, target, true);
        assert!(wrong.iter().all(|bits| *bits <= 1), "{wrong:?}");
        seen += wrong.iter().sum::<u32>();
        let corrupted = counted(&fabric, A, B).unwrap().corrupted;
        assert_eq!(u64::from(seen), corrupted);
    }
    for target in [v4(B, 80), v6(B, 80)] {
        let before = counted(&fabric, A, B).unwrap().corrupted;
        let (sent, got) = stream(&a, &b, target, 1 << 20);
        let bits = sent.iter().zip(&got).map(|(a, b)| (a ^ b).count_ones());
        let wrong = u64::from(bits.sum::<u32>());
        let corrupted = counted(&fabric, A, B).unwrap().corrupted - before;
        // What is sent twice without need is received once.
        assert!(sent.len() == got.len() && wrong > 100, "{wrong}");
        assert!(wrong <= corrupted, "{wrong} of {corrupted}");
    }
    let errors = [
        snmp(&b, "Udp:", "InCsumErrors"),
        snmp(&b, "Tcp:", "InCsumErrors"),
        snmp6(&b, "Udp6InCsumErrors"),
    ];
    assert_eq!(errors, [0; 3]);
}

/// TCP's kernels count every packet that was harmed, those without data, too, and repair the rest.
#[test]
fn corrupted_segments_are_counted_and_sent_again() {
    if !able() {
        return;
    }
    let (fabric, [a, b, _c]) = lab(3, harmful(0.02, Checksum::Wrong));
    for target in [v4(B, 80), v6(B, 80)] {
        // About a hundred acknowledgements per MiB, for segments are written together.
        let (sent, got) = stream(&a, &b, target, 12 << 20);
        assert!(
            sent == got,
            "{} of {} bytes, or other ones",
            got.len(),
            sent.len()
        );
    }
    let corrupted = |from, to| counted(&fabric, from, to).unwrap().corrupted;
    assert!(corrupted(A, B) > 5 && corrupted(B, A) > 0);
    for (at, from, to) in [(&b, A, B), (&a, B, A)] {
        eventually("the kernel counted what was corrupted", || {
            snmp(at, "Tcp:", "InCsumErrors") == corrupted(from, to)
        });
    }
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
