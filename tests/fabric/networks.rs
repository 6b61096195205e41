//! Hops and routers with real kernels at the ends.

use super::lab::*;
use netlab::fabric::wire::wire;
use netlab::fabric::{Config, Fabric, InterfaceConfig, Reach, Wires};
use netlab::id::{NetworkIndex, NodeIndex};
use netlab::link::LinkProperties;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

const D: NodeIndex = NodeIndex(3);
pub const FAR: NetworkIndex = NetworkIndex(1);

/// Gives every node of `config` its namespace and devices.
pub fn wired(fabric: &Fabric, config: &Config) -> Vec<Namespace> {
    let nodes = config.nodes.iter().zip((0..).map(NodeIndex));
    nodes
        .map(|(node, at)| {
            let namespace = Namespace::new();
            if node.forward {
                namespace.run(|| {
                    for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                        std::fs::write(format!("/proc/sys/net/{key}"), "1").unwrap();
                    }
                });
            }
            attach(fabric, at, &namespace);
            namespace
        })
        .collect()
}

fn attach(fabric: &Fabric, node: NodeIndex, namespace: &Namespace) {
    for (network, spec) in fabric.wire_specs(node).unwrap() {
        let tun = wire(namespace.netns.as_ref().unwrap().as_fd(), &spec).unwrap();
        fabric.attach(node, network, tun).unwrap();
    }
}

/// What `ping` says about one request with this time to live.
fn ping(from: &Namespace, ttl: u8, target: IpAddr) -> String {
    let output = from.run(move || {
        let ttl = ttl.to_string();
        let family = if target.is_ipv4() { "-4" } else { "-6" };
        let target = target.to_string();
        let args = [family, "-n", "-c", "1", "-W", "15", "-t", &ttl, &target];
        Command::new("ping").args(args).output().unwrap()
    });
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The shortest of some round trips of a datagram.
fn round_trip(from: &Namespace, target: SocketAddr) -> Duration {
    let socket = from.udp(0);
    let turn = |i: u8| {
        let (begin, mut bytes) = (Instant::now(), [0; 8]);
        socket.send_to(&[i; 8], target).unwrap();
        assert_eq!(socket.recv_from(&mut bytes).unwrap(), (8, target));
        begin.elapsed()
    };
    (0..10).map(turn).min().unwrap()
}

/// A - B - C - D with 4, 8 and 2 ms: 28 ms there and back.
#[test]
fn a_line_shows_its_hops_and_adds_its_delays() {
    if !able() {
        return;
    }
    let mut line = config(4, LinkProperties::default());
    let wires = [(A, B, 4), (B, C, 8), (C, D, 2)];
    let network = &mut line.networks[0];
    network.wires = Wires::Edges(wires.iter().map(|&(a, b, _)| (a, b)).collect());
    for (a, b, ms) in wires {
        network.links.push((a, b, delayed(ms)));
        network.links.push((b, a, delayed(ms)));
    }
    let fabric = Fabric::start(line.clone()).unwrap();
    let nodes = wired(&fabric, &line);
    echo(nodes[3].udp(9));
    for target in [v4(D, 9), v6(D, 9)] {
        let shortest = round_trip(&nodes[0], target);
        assert!(shortest >= Duration::from_millis(28), "{shortest:?}");
        println!("{target}: declared 28 ms, shortest {shortest:?}");
    }
    for (ttl, hop) in [(1, B), (2, C)] {
        for (target, from) in [
            (IpAddr::V4(four(D)), IpAddr::V4(four(hop))),
            (IpAddr::V6(six(D)), IpAddr::V6(six(hop))),
        ] {
            let said = ping(&nodes[0], ttl, target).to_lowercase();
            let shown = said.contains(&format!("from {from}")) && said.contains("exceeded");
            assert!(shown, "{ttl}: {said}");
        }
    }
    let said = ping(&nodes[0], 3, four(D).into());
    assert!(said.contains(" 0% packet loss"), "{said}");
    // Without the hop there is silence, and with it the way again.
    fabric.detach(B).unwrap();
    let socket = nodes[0].udp(0);
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    socket.connect(v4(D, 9)).unwrap();
    socket.send(&[1; 8]).unwrap();
    let silent = socket.recv(&mut [0; 8]).unwrap_err().kind();
    assert!(
        matches!(silent, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{silent}"
    );
}

#[test]
fn neighbours_only_means_that_others_are_refused() {
    if !able() {
        return;
    }
    let mut line = config(3, delayed(1));
    line.networks[0].wires = Wires::Edges(vec![(A, B), (B, C)]);
    line.networks[0].reach = Reach::Adjacent;
    let fabric = Fabric::start(line.clone()).unwrap();
    let nodes = wired(&fabric, &line);
    // As ip(7) and the kernel's tables have it: no route for IPv4's code 13, no right for IPv6's 1.
    for (to, expected) in [
        (v4(C, 80), ErrorKind::HostUnreachable),
        (v6(C, 80), ErrorKind::PermissionDenied),
    ] {
        let error = nodes[0].run(move || TcpStream::connect_timeout(&to, PATIENCE).unwrap_err());
        assert_eq!(error.kind(), expected, "{to}: {error}");
    }
    let refused = nodes[0].run(|| TcpStream::connect_timeout(&v4(B, 80), PATIENCE).unwrap_err());
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "B is reached");
}

pub fn far(node: u8) -> (Ipv4Addr, Ipv6Addr) {
    let v6 = (0xfd78 << 112) + u128::from(node);
    (Ipv4Addr::new(10, 78, 0, node), Ipv6Addr::from(v6))
}

/// A in one network, C in another, B in both passes on.
pub fn two_networks() -> Config {
    let mut config = config(3, delayed(3));
    let mut network = config.networks[0].clone();
    network.name = "far".to_owned();
    network.v4 = (Ipv4Addr::new(10, 78, 0, 0), 16);
    network.v6 = (Ipv6Addr::from(0xfd78 << 112), 64);
    network.resolver = far(1);
    config.networks.push(network);
    let place = |host| InterfaceConfig {
        network: FAR,
        v4: far(host).0,
        v6: far(host).1,
    };
    config.nodes[1].forward = true;
    config.nodes[1].interfaces.push(place(3));
    config.nodes[2].interfaces = vec![place(4)];
    config
}

#[test]
fn a_router_joins_two_networks() {
    if !able() {
        return;
    }
    let config = two_networks();
    let fabric = Fabric::start(config.clone()).unwrap();
    let nodes = wired(&fabric, &config);
    echo(nodes[2].udp(9));
    let listener = nodes[2].run(|| TcpListener::bind(("::", 80)).unwrap());
    let targets: [IpAddr; 2] = [far(4).0.to_ipv6_mapped().into(), far(4).1.into()];
    for target in targets {
        let shortest = round_trip(&nodes[0], (target, 9).into());
        assert!(shortest >= Duration::from_millis(12), "{shortest:?}");
        let connect = move || TcpStream::connect_timeout(&(target, 80).into(), PATIENCE).unwrap();
        let mut stream = nodes[0].run(connect);
        stream.write_all(&[7; 1 << 16]).unwrap();
        drop(stream);
        let mut got = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), 1 << 16);
    }
    // The router answers from whichever of its addresses is asked (TCP: with UDP an application on
    // several addresses must see to that itself, on any machine).
    let _listener = nodes[1].run(|| TcpListener::bind(("::", 80)).unwrap());
    for target in [
        v4(B, 80),
        v6(B, 80),
        (far(3).0.to_ipv6_mapped(), 80).into(),
        (far(3).1, 80).into(),
    ] {
        for from in [&nodes[0], &nodes[2]] {
            from.run(move || TcpStream::connect_timeout(&target, PATIENCE).unwrap());
        }
    }
    let said = ping(&nodes[0], 1, far(4).0.into()).to_lowercase();
    assert!(
        said.contains(&format!("from {}", four(B))) && said.contains("exceeded"),
        "{said}"
    );
    let spoofed: u64 = fabric
        .port_counters()
        .unwrap()
        .iter()
        .map(|c| c.spoofed)
        .sum();
    assert_eq!(spoofed, 0);
    let socket = nodes[0].udp(0);
    fabric.detach(B).unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    socket.send_to(&[1; 8], (targets[0], 9)).unwrap();
    let silent = socket.recv(&mut [0; 8]).unwrap_err().kind();
    assert!(
        matches!(silent, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{silent}"
    );
    eventually("the lost devices are gone", || {
        nodes[1].run(|| !std::path::Path::new("/proc/sys/net/ipv4/conf/eth0").exists())
    });
    attach(&fabric, B, &nodes[1]);
    round_trip(&nodes[0], (targets[0], 9).into());
}
