//! Namespaces, addresses and a small lab for the fabric's tests.

use netlab::fabric::wire::{WireSpec, wire};
use netlab::fabric::{
    Config, Fabric, InterfaceConfig, LinkCounters, NetworkConfig, NodeConfig, Reach, Tun, Wires,
};
use netlab::id::{NetworkIndex, NodeIndex};
use netlab::link::LinkProperties;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const NETWORK: NetworkIndex = NetworkIndex(0);
pub const A: NodeIndex = NodeIndex(0);
pub const B: NodeIndex = NodeIndex(1);
pub const C: NodeIndex = NodeIndex(2);
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Long against every declared delay here, short against a test.
pub const SILENCE: Duration = Duration::from_millis(300);

/// Whether this host can run the tests; says why not.
pub fn able() -> bool {
    let why = if !nix::unistd::geteuid().is_root() {
        "not root"
    } else if !std::path::Path::new("/dev/net/tun").exists() {
        "no /dev/net/tun"
    } else {
        return true;
    };
    assert!(
        std::env::var_os("NETLAB_TESTS_STRICT").is_none(),
        "cannot run: {why}"
    );
    println!("SKIP: {why}");
    false
}

pub type Job = Box<dyn FnOnce() + Send>;

/// A network namespace that lives as long as its thread.
pub struct Namespace {
    pub netns: Option<OwnedFd>,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Namespace {
    pub fn new() -> Namespace {
        let (jobs, inbox) = channel::<Job>();
        let (opened, netns) = channel();
        let thread = std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let file = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
            opened.send(OwnedFd::from(file)).unwrap();
            inbox.into_iter().for_each(|job| job());
        });
        Namespace {
            netns: netns.recv().ok(),
            jobs: Some(jobs),
            thread: Some(thread),
        }
    }

    /// Runs `work` inside.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let job = Box::new(move || done.send(work()).unwrap());
        self.jobs.as_ref().unwrap().send(job).unwrap();
        result.recv_timeout(PATIENCE).unwrap()
    }

    pub fn udp(&self, port: u16) -> UdpSocket {
        let socket = self.run(move || UdpSocket::bind(("::", port)).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    pub fn wire(&self, node: NodeIndex) -> Tun {
        let spec = WireSpec::new(four(node), six(node));
        wire(self.netns.as_ref().unwrap().as_fd(), &spec).unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.netns = None;
        self.jobs = None;
        let _ = self.thread.take().unwrap().join();
    }
}

pub fn four(node: NodeIndex) -> Ipv4Addr {
    Ipv4Addr::from(0x0a4d_0002 + node.0)
}

pub fn six(node: NodeIndex) -> Ipv6Addr {
    Ipv6Addr::from((0xfd77 << 112) + 2 + u128::from(node.0))
}

pub fn v4(node: NodeIndex, port: u16) -> SocketAddr {
    (four(node).to_ipv6_mapped(), port).into()
}

pub fn v6(node: NodeIndex, port: u16) -> SocketAddr {
    (six(node), port).into()
}

pub fn delayed(ms: u64) -> LinkProperties {
    LinkProperties {
        delay: Duration::from_millis(ms),
        ..LinkProperties::default()
    }
}

pub fn config(nodes: u32, default_link: LinkProperties) -> Config {
    let node = |i| NodeConfig {
        name: format!("node-{i}"),
        forward: false,
        interfaces: vec![InterfaceConfig {
            network: NETWORK,
            v4: four(NodeIndex(i)),
            v6: six(NodeIndex(i)),
        }],
        uplink: None,
        downlink: None,
    };
    let all = (0..nodes).map(NodeIndex).collect();
    Config {
        seed: 7,
        networks: vec![NetworkConfig {
            name: "lab".to_owned(),
            v4: (Ipv4Addr::new(10, 77, 0, 0), 16),
            v6: (Ipv6Addr::from(0xfd77 << 112), 64),
            resolver: (
                Ipv4Addr::new(10, 77, 0, 1),
                Ipv6Addr::from((0xfd77 << 112) + 1),
            ),
            wires: Wires::Full,
            ends: Vec::new(),
            reach: Reach::Routed,
            default_link,
            links: Vec::new(),
        }],
        nodes: (0..nodes).map(node).collect(),
        names: BTreeMap::from([("node".to_owned(), all)]),
    }
}

/// `nodes` nodes, of which the first three are wired.
pub fn lab(nodes: u32, default_link: LinkProperties) -> (Fabric, [Namespace; 3]) {
    let fabric = Fabric::start(config(nodes, default_link)).unwrap();
    let wired = [A, B, C].map(|node| {
        let namespace = Namespace::new();
        fabric.attach(node, NETWORK, namespace.wire(node)).unwrap();
        namespace
    });
    (fabric, wired)
}

pub fn counted(fabric: &Fabric, from: NodeIndex, to: NodeIndex) -> Option<LinkCounters> {
    let all = fabric.counters().unwrap().into_iter();
    all.into_iter().find(|c| (c.from, c.to) == (from, to))
}

/// Packets that came to an end on a link, delivered or not.
pub fn settled(fabric: &Fabric, from: NodeIndex, to: NodeIndex) -> u64 {
    counted(fabric, from, to).map_or(0, |c| c.packets + c.dropped.total())
}

pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}

/// Answers every datagram until the socket's namespace is no longer of interest.
pub fn echo(socket: UdpSocket) {
    std::thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let _ = socket.send_to(&bytes[..length], from);
        }
    });
}
