//! What is carried between two sockets of this machine; networks are left to the tests on an engine.

use super::connections::accept;
use super::*;
use std::io::{Read, Write};
use std::net::TcpStream as Stream;

const SOON: Duration = Duration::from_secs(10);

/// A port that goes on to `to`, served by a thread until the test's process ends.
fn published(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(accept(listener, Arc::new(Mutex::new(to))));
    });
    address
}

fn connect(to: SocketAddr) -> Stream {
    let stream = Stream::connect(to).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

#[test]
fn the_end_of_one_direction_is_passed_on_alone() {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = connect(published(node.local_addr().unwrap()));
    client.write_all(b"question").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let (mut server, _) = node.accept().unwrap();
    server.set_read_timeout(Some(SOON)).unwrap();
    let mut asked = Vec::new();
    server.read_to_end(&mut asked).unwrap();
    assert_eq!(asked, b"question");
    // More than all buffers on the way, so that it is still under way when the server closes.
    let answer: Vec<u8> = (0..4 << 20).map(|n| n as u8).collect();
    let whole = answer.clone();
    let writer = std::thread::spawn(move || server.write_all(&whole));
    let mut answered = Vec::new();
    client.read_to_end(&mut answered).unwrap();
    writer.join().unwrap().unwrap();
    assert!(answered == answer, "{} bytes arrived", answered.len());
}

#[test]
fn who_is_refused_or_reset_is_reset() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = nobody.local_addr().unwrap();
    drop(nobody);
    let mut refused = connect(published(closed));
    let error = refused.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = connect(published(node.local_addr().unwrap()));
    let (server, _) = node.accept().unwrap();
    sys::reset_when_closed(&server, true).unwrap();
    drop(server);
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    let client = connect(published(node.local_addr().unwrap()));
    let (mut server, _) = node.accept().unwrap();
    server.set_read_timeout(Some(SOON)).unwrap();
    sys::reset_when_closed(&client, true).unwrap();
    drop(client);
    let error = server.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn listeners_are_known_by_their_place() {
    let wanted = |node: &str, port: &str| Wanted {
        node: node.to_owned(),
        mapping: port.parse().unwrap(),
        to: ([10, 77, 0, 2], 80).into(),
    };
    let all = [
        wanted("a", "8080:80"),
        wanted("b", "80"),
        wanted("b", "80"),
        wanted("c", "80"),
    ];
    let keys: Vec<Key> = keyed(&all).into_keys().collect();
    assert_eq!(keys.len(), 4);
    let moved = [wanted("b", "8080:80")];
    assert!(keys.contains(keyed(&moved).keys().next().unwrap()));
}
