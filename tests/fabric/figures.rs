//! Figures, not verdicts: the fabric beside a bare veth pair in one run. Run by hand:
//! `cargo test --release --test fabric -- --ignored --nocapture figures`

use crate::lab::*;
use netlab::link::LinkProperties;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Two namespaces joined by a veth pair, as A and B.
fn veth() -> [Namespace; 2] {
    let pair = [A, B].map(|_| Namespace::new());
    let peer = pair[1].run(|| nix::unistd::gettid().to_string());
    let run = |at: &Namespace, line: String| {
        let command = move || Command::new("ip").args(line.split(' ')).status();
        assert!(at.run(command).unwrap().success());
    };
    run(
        &pair[0],
        format!("link add eth0 type veth peer name eth0 netns {peer}"),
    );
    for (at, node) in pair.iter().zip([A, B]) {
        run(at, "link set eth0 up".to_owned());
        run(at, format!("addr add {}/16 dev eth0", four(node)));
        run(at, format!("addr add {}/64 dev eth0 nodad", six(node)));
    }
    pair
}

/// Median and 99th percentile of 5000 round trips of a UDP packet, with a pause before each.
fn round_trips(a: &Namespace, b: &Namespace, pause: Duration) -> (Duration, Duration) {
    // Echoes do not end: each has a port of its own.
    let port = if pause.is_zero() { 9 } else { 10 };
    echo(b.udp(port));
    let socket = a.udp(4000);
    let count = if pause.is_zero() { 5000 } else { 1000 };
    let mut all: Vec<Duration> = (0..count)
        .map(|_| {
            std::thread::sleep(pause);
            let begin = Instant::now();
            socket.send_to(&[0; 64], v4(B, port)).unwrap();
            socket.recv(&mut [0; 64]).unwrap();
            begin.elapsed()
        })
        .collect();
    all.sort();
    (all[count / 2], all[count * 99 / 100])
}

/// Gbit/s of one TCP connection over two seconds.
fn throughput(a: &Namespace, b: &Namespace) -> f64 {
    let listener = b.run(|| TcpListener::bind(("::", 80)).unwrap());
    let target: SocketAddr = v4(B, 80);
    let mut stream = a.run(move || TcpStream::connect_timeout(&target, PATIENCE).unwrap());
    let sender = std::thread::spawn(move || {
        let block = vec![0; 1 << 17];
        while stream.write_all(&block).is_ok() {}
    });
    let (mut stream, _) = listener.accept().unwrap();
    let (mut block, mut bytes, begin) = (vec![0; 1 << 17], 0, Instant::now());
    while begin.elapsed() < Duration::from_secs(2) {
        bytes += stream.read(&mut block).unwrap();
    }
    let rate = bytes as f64 * 8e-9 / begin.elapsed().as_secs_f64();
    drop(stream);
    sender.join().unwrap();
    rate
}

#[test]
#[ignore = "prints figures that depend on the host"]
fn figures() {
    if !able() {
        return;
    }
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let (namespace, begin) = (Namespace::new(), Instant::now());
            let _tun = namespace.wire(A);
            begin.elapsed()
        })
        .collect();
    times.sort();
    println!("wiring one node: p50 {:?} worst {:?}", times[25], times[49]);
    let clean = lab(3, LinkProperties::default());
    let bare = veth();
    let pause = Duration::from_millis(4);
    for (name, [a, b]) in [
        ("veth", [&bare[0], &bare[1]]),
        ("clean link", [&clean.1[0], &clean.1[1]]),
    ] {
        let (p50, p99) = round_trips(a, b, Duration::ZERO);
        println!("{name}: RTT p50 {p50:?} p99 {p99:?}");
        let (p50, p99) = round_trips(a, b, pause);
        println!("{name}: RTT after pauses of {pause:?}: p50 {p50:?} p99 {p99:?}");
    }
    // In turns, because other work on the host comes and goes.
    let mut ratios: Vec<f64> = (0..5)
        .map(|_| {
            let veth = throughput(&bare[0], &bare[1]);
            let (before, rate) = (carried(&clean.0), throughput(&clean.1[0], &clean.1[1]));
            let packets = (carried(&clean.0) - before) / 2;
            println!(
                "TCP: veth {veth:.2}, clean link {rate:.2} Gbit/s ({packets} packets/s on the wire)"
            );
            rate / veth
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "TCP, clean link to veth: {:.2} (worst {:.2}, best {:.2})",
        ratios[2], ratios[0], ratios[4]
    );
    drop((clean, bare));
    let (fabric, [a, b, _c]) = lab(3, delayed(2));
    println!("declared RTT 4 ms: TCP {:.2} Gbit/s", throughput(&a, &b));
    let (lag, own) = (fabric.lag().unwrap(), fabric.delays(NETWORK, A, B).unwrap());
    let (p50, p99) = round_trips(&a, &b, Duration::ZERO);
    let lag = fabric.lag().unwrap().since(&lag);
    let own = fabric.delays(NETWORK, A, B).unwrap().since(&own);
    println!(
        "declared RTT 4 ms: p50 {p50:?} p99 {p99:?}; on the link p50 {:?} p99 {:?}; lag p50 {:?} p99 {:?} p99.5 {:?} max {:?}, {:?}",
        own.quantile(0.5),
        own.quantile(0.99),
        lag.quantile(0.5),
        lag.quantile(0.99),
        lag.quantile(0.995),
        lag.max(),
        fabric.priority().unwrap()
    );
    let lossy = LinkProperties {
        loss: netlab::units::Ratio(1e-9),
        ..LinkProperties::default()
    };
    let (fabric, [a, b, _c]) = lab(3, lossy);
    let before = carried(&fabric);
    let rate = throughput(&a, &b);
    let packets = (carried(&fabric) - before) / 2;
    println!("packet by packet: TCP {rate:.2} Gbit/s, {packets} packets/s");
}

/// Packets delivered so far.
fn carried(fabric: &netlab::fabric::Fabric) -> u64 {
    fabric.counters().unwrap().iter().map(|c| c.packets).sum()
}
