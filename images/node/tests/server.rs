//! A server as a process, over real sockets: HTTP, bounds, volume, signals.

#![allow(clippy::unwrap_used)]

mod support;

use netlab_protocol::conduct::{DIGEST, How, Misbehaviour, VERSION, digest};
use netlab_protocol::control::{ToAgent, ToNode};
use netlab_protocol::role::{Data, Role};
use std::io::Write;
use std::time::Duration;
use support::*;

#[test]
fn keys_and_files_over_http() {
    let port = free_port();
    let _lab = Lab::new(Role::Server(server(port, service(1, 4, 10), Data::Memory)));
    assert_eq!(http(port, "GET", "/keys/a", "").0, 404);
    let (status, head, _) = http(port, "PUT", "/keys/a", "value");
    assert_eq!(status, 201);
    assert!(head.contains("\r\nversion: 1"), "{head}");
    let (status, head, body) = http(port, "GET", "/keys/a", "");
    assert_eq!((status, body.as_str()), (200, "value"));
    assert!(head.contains("\r\nversion: 1"), "{head}");
    assert_eq!(http(port, "PUT", "/keys/a", "other").0, 200);
    let (_, _, list) = http(port, "GET", "/keys", "");
    assert_eq!(list, "{\"count\":1,\"keys\":[\"a\"]}\n");
    assert_eq!(http(port, "DELETE", "/keys/a", "").0, 200);
    assert_eq!(http(port, "GET", "/keys/a", "").0, 404);
    let (status, head, body) = http(port, "GET", "/files/film", "");
    assert_eq!(status, 200);
    assert!(head.contains("\r\ncontent-length: 100000"), "{head}");
    assert!(body.len() > 10_000);
    assert_eq!(http(port, "GET", "/healthz", "").0, 200);
    assert_eq!(http(port, "GET", "/", "").0, 404);
    assert_eq!(http(port, "POST", "/keys/a", "").0, 405);
}

#[test]
fn what_is_too_large_or_no_http_is_refused() {
    let port = free_port();
    let lab = Lab::new(Role::Server(server(port, service(1, 4, 10), Data::Memory)));
    assert!(speak(port, b"what?\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    assert!(speak(port, head.as_bytes()).starts_with("HTTP/1.1 431 "));
    let declared = b"PUT /keys/a HTTP/1.1\r\nhost: x\r\ncontent-length: 1048577\r\n\r\n";
    assert!(speak(port, declared).starts_with("HTTP/1.1 413 "));
    let mut chunked =
        b"PUT /keys/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..17 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&[b'x'; 0x10000]);
        chunked.extend_from_slice(b"\r\n");
    }
    let heard = speak(port, &chunked);
    assert!(
        heard.is_empty() || heard.starts_with("HTTP/1.1 413 "),
        "{heard}"
    );
    let long = format!("/keys/{}", "k".repeat(257));
    assert_eq!(http(port, "GET", &long, "").0, 400);
    let value = "v".repeat(1 << 20);
    assert_eq!(http(port, "PUT", "/keys/large", &value).0, 201);
    assert_eq!(http(port, "GET", "/healthz", "").0, 200);
    drop(lab);
}

/// One worker of 1 s and one place: whoever waits there and hangs up makes room for the next.
#[test]
fn who_hangs_up_frees_the_place_in_the_queue() {
    steady(|| {
        let port = free_port();
        let mut lab = Lab::new(Role::Server(server(
            port,
            service(1_000, 1, 1),
            Data::Memory,
        )));
        let request = b"GET /keys/a HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut served = connect(port);
        served.write_all(request).unwrap();
        let mut waits = connect(port);
        waits.write_all(request).unwrap();
        // Both are in, so there is no place; the server says so before a worker is free.
        lab.until(|lab, _| lab.last.is_some());
        let mut first = http(port, "GET", "/keys/a", "").0;
        while first != 503 {
            // The two were served meanwhile: fill the server again.
            served = connect(port);
            served.write_all(request).unwrap();
            waits = connect(port);
            waits.write_all(request).unwrap();
            first = http(port, "GET", "/keys/a", "").0;
        }
        drop(waits);
        let mut tries = 0;
        while http(port, "GET", "/keys/a", "").0 == 503 {
            tries += 1;
            assert!(tries < 100, "the place is not freed");
        }
        drop(served);
    });
}

#[test]
fn acknowledged_writes_outlive_a_killed_process_and_a_torn_record() {
    let port = free_port();
    let role = Role::Server(server(port, service(0, 1, 10), Data::Volume));
    let mut lab = Lab::new(role.clone());
    for i in 0..20 {
        assert_eq!(
            http(port, "PUT", &format!("/keys/k{}", i % 5), &format!("v{i}")).0 / 100,
            2
        );
    }
    lab.node.kill().unwrap();
    lab.node.wait().unwrap();
    let log = lab.folder.path().join("keys.log");
    let mut file = std::fs::OpenOptions::new().append(true).open(log).unwrap();
    file.write_all(&[9, 0, 0, 0, 1, 2, 3]).unwrap();

    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        lab.folder.path().join("keys.log"),
        folder.path().join("keys.log"),
    )
    .unwrap();
    drop(lab);
    let mut lab = Lab::started(folder);
    lab.connected();
    lab.configure(role);
    for k in 0..5 {
        let (status, head, body) = http(port, "GET", &format!("/keys/k{k}"), "");
        assert_eq!((status, body), (200, format!("v{}", 15 + k)));
        assert!(head.contains("\r\nversion: 4"), "{head}");
    }
    lab.until(|lab, _| !lab.problems.is_empty());
    assert!(
        lab.problems[0].starts_with("7 bytes of a write"),
        "{:?}",
        lab.problems
    );
}

/// `/dev/full` is a log that never takes anything.
#[test]
fn a_write_that_cannot_be_kept_is_refused_and_leaves_nothing() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("keys.log");
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let mut lab = Lab::started(folder);
    lab.connected();
    lab.configure(Role::Server(server(port, service(0, 1, 10), Data::Volume)));
    assert_eq!(http(port, "PUT", "/keys/a", "x").0, 500);
    assert_eq!(http(port, "PUT", "/keys/b", "x").0, 500);
    assert_eq!(http(port, "GET", "/keys/a", "").0, 404);
    std::fs::remove_file(&log).unwrap();
    assert_eq!(http(port, "PUT", "/keys/a", "x").0, 201);
    // The first is told, and the end with the number; not each.
    lab.until(|lab, _| lab.problems.len() >= 2);
    let [first, last] = lab.problems.as_slice() else {
        panic!("{:?}", lab.problems)
    };
    assert!(first.starts_with("a write of a could not be kept"));
    assert_eq!(last, "writes are kept on the volume again; 2 could not be");
}

/// Told before it is configured it never answers rightly; told otherwise it does at once.
#[test]
fn it_misbehaves_as_it_is_told() {
    let port = free_port();
    let mut lab = Lab::started(tempfile::tempdir().unwrap());
    lab.connected();
    let wrong = |how| Misbehaviour {
        how,
        share: 1.0,
        delay: Duration::from_millis(300),
    };
    let behave = |lab: &mut Lab, number, wrong: Vec<Misbehaviour>| {
        lab.tell(&ToNode::Behave { number, wrong });
        lab.until(|_, told| matches!(told, ToAgent::Behaves { number: n, .. } if *n == number));
    };
    behave(&mut lab, 1, vec![wrong(How::Corrupt), wrong(How::Stale)]);
    lab.configure(Role::Server(server(port, service(0, 1, 10), Data::Memory)));
    let probe = || {
        let begin = std::time::Instant::now();
        let (_, head, body) = http(port, "GET", "/probe", "");
        let meant = format!("{DIGEST}: {:016x}", digest(body.as_bytes()));
        let is_new = head.contains(&format!("\r\n{VERSION}: 2"));
        (head.contains(&meant), is_new, begin.elapsed())
    };
    let (fits, is_new, _) = probe();
    assert!(!fits && !is_new);
    behave(&mut lab, 2, vec![wrong(How::Slow)]);
    let (fits, is_new, took) = probe();
    assert!(fits && is_new && took >= Duration::from_millis(300));
    behave(&mut lab, 3, Vec::new());
    let (fits, is_new, _) = probe();
    assert!(fits && is_new);
}

#[test]
fn sigterm_ends_it_at_once_with_a_last_report() {
    steady(|| {
        let port = free_port();
        let mut lab = Lab::new(Role::Server(server(port, service(0, 1, 10), Data::Memory)));
        assert_eq!(http(port, "PUT", "/keys/a", "x").0, 201);
        let begin = std::time::Instant::now();
        lab.signal("TERM");
        while lab.next().is_some() {}
        assert_eq!(lab.sample("keys_held"), 1.0);
        let (status, said) = lab.ended();
        assert!(status.success(), "{said}");
        assert!(begin.elapsed().as_secs() < 2);
    });
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut lab = Lab::started(tempfile::tempdir().unwrap());
    lab.connected();
    lab.tell_role(Role::Server(server(port, service(0, 1, 10), Data::Memory)));
    lab.until(|lab, _| !lab.problems.is_empty());
    let (status, said) = lab.ended();
    assert_eq!(status.code(), Some(78));
    assert!(
        said.contains(&format!("cannot listen on port {port}: ")),
        "{said}"
    );
}
