//! What is carried between sockets of this machine; networks are left to the tests on an engine.

use super::*;
use std::net::UdpSocket as Socket;
use std::time::Instant;

const SOON: Duration = Duration::from_secs(10);

/// A port that goes on to `to`, served by a thread until the test's process ends; and what it counts.
fn published(at: &str, to: SocketAddr, limits: Limits) -> (SocketAddr, Arc<AtomicU64>) {
    let socket = Socket::bind(at).unwrap();
    let address = socket.local_addr().unwrap();
    socket.set_nonblocking(true).unwrap();
    let dropped = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&dropped);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let to = Arc::new(Mutex::new(to));
        runtime.block_on(serve(socket, to, count, limits));
    });
    (address, dropped)
}

fn socket(at: &str) -> Socket {
    let socket = Socket::bind(at).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

fn client(to: SocketAddr) -> Socket {
    let client = socket(match to {
        SocketAddr::V4(_) => "127.0.0.1:0",
        SocketAddr::V6(_) => "[::1]:0",
    });
    client.connect(to).unwrap();
    client
}

/// What arrives, and from whom.
fn next(socket: &Socket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; LARGEST];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    buffer.truncate(length);
    (buffer, from)
}

#[test]
fn answers_find_their_sender() {
    let node = socket("127.0.0.1:0");
    let of = |at: &str| published(at, node.local_addr().unwrap(), LIMITS).0;
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let port = of(at);
        let clients: Vec<Socket> = (0..5).map(|_| client(port)).collect();
        for (number, client) in (0..).zip(&clients) {
            client.send(&[number]).unwrap();
        }
        let mut asked: Vec<_> = clients.iter().map(|_| next(&node)).collect();
        asked.reverse();
        for (question, from) in &asked {
            node.send_to(&[question[0] + 100], from).unwrap();
        }
        for (number, client) in (0..).zip(&clients) {
            assert_eq!(next(client).0, [number + 100], "{at}");
        }
        // The flow is still the same one.
        clients[0].send(&[0]).unwrap();
        let again = next(&node).1;
        assert!(asked.contains(&(vec![0], again)));
    }
}

#[test]
fn datagrams_of_any_length_arrive_whole() {
    let node = socket("127.0.0.1:0");
    let client = client(published("127.0.0.1:0", node.local_addr().unwrap(), LIMITS).0);
    for length in [0, 1, 1_472, 1_473, 65_507] {
        let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
        client.send(&bytes).unwrap();
        let (got, from) = next(&node);
        assert!(got == bytes, "{length}: {}", got.len());
        node.send_to(&got, from).unwrap();
        assert!(next(&client).0 == bytes, "{length}: back");
    }
}

/// Whoever asked another address of the host than the kernel would answer from.
#[test]
fn an_answer_leaves_from_the_address_that_was_asked() {
    let node = socket("127.0.0.1:0");
    for at in ["0.0.0.0:0", "[::]:0"] {
        let port = published(at, node.local_addr().unwrap(), LIMITS).0.port();
        let asker = socket("127.0.0.1:0");
        for asked in ["127.0.0.1", "127.0.0.9"] {
            let asked: SocketAddr = format!("{asked}:{port}").parse().unwrap();
            asker.send_to(b"?", asked).unwrap();
            let from = next(&node).1;
            node.send_to(b"!", from).unwrap();
            assert_eq!(next(&asker), (b"!".to_vec(), asked), "{at}");
        }
    }
}

#[test]
fn who_is_silent_for_longest_gives_way_and_is_counted() {
    let node = socket("127.0.0.1:0");
    let limits = Limits { flows: 2, ..LIMITS };
    let (port, dropped) = published("127.0.0.1:0", node.local_addr().unwrap(), limits);
    let clients = [client(port), client(port), client(port)];
    let ask = |at: usize| {
        clients[at].send(&[at as u8]).unwrap();
        let (question, from) = next(&node);
        assert_eq!(question, [at as u8]);
        from
    };
    let (first, second) = (ask(0), ask(1));
    assert_eq!(ask(0), first);
    ask(2);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(ask(0), first, "it spoke after the second");
    assert_ne!(ask(1), second);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn an_idle_flow_ends_and_one_that_is_answered_does_not() {
    let node = socket("127.0.0.1:0");
    let idle = Duration::from_millis(400);
    let limits = Limits { idle, ..LIMITS };
    let (port, dropped) = published("127.0.0.1:0", node.local_addr().unwrap(), limits);
    let (silent, answered) = (client(port), client(port));
    silent.send(&[0]).unwrap();
    let gone = next(&node).1;
    answered.send(&[1]).unwrap();
    let kept = next(&node).1;
    // Answers alone keep a flow, and where a flow has ended its port is free again.
    let deadline = Instant::now() + SOON;
    while Socket::bind(("127.0.0.1", gone.port())).is_err() {
        assert!(Instant::now() < deadline, "the idle flow has not ended");
        node.send_to(b"!", kept).unwrap();
        assert_eq!(next(&answered).0, b"!");
        std::thread::sleep(idle / 40);
    }
    node.send_to(b"!", kept).unwrap();
    assert_eq!(next(&answered).0, b"!");
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
}

#[test]
fn a_node_that_refuses_is_silent_and_heard_when_it_is_back() {
    let node = socket("127.0.0.1:0");
    let at = node.local_addr().unwrap();
    let client = client(published("127.0.0.1:0", at, LIMITS).0);
    drop(node);
    client
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    for _ in 0..3 {
        client.send(b"?").unwrap();
        let error = client.recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
    let node = socket(&at.to_string());
    client.send(b"again").unwrap();
    assert_eq!(next(&node).0, b"again");
}
