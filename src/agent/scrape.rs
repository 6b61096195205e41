//! Reads a page of metrics from a program in a node, over a socket inside its network.
//!
//! Owns deadline and bounds. No byte is trusted. Every socket resets its connection when it is closed,
//! so that a read which is broken off leaves nothing in the node's network; who breaks off drops the
//! future.

use super::identity::Caller;
use super::sys;
use crate::fabric::wire::inside;
use crate::lab::Addresses;
use crate::metrics::{Endpoint, Page, read_page};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long one read may take, from the first packet to the last.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest head of an answer in bytes.
const MAX_HEAD: usize = 16 << 10;
/// Longest page in bytes.
const MAX_PAGE: usize = 1 << 20;
/// Formats that are read, the plainer one first.
const ACCEPT: &str =
    "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4";
/// Most series of one node in a run; the rest is counted.
pub(super) const MAX_SERIES: usize = 1000;

/// Reads the page at `endpoint` of the node whose network `caller` holds.
///
/// # Errors
/// Why there is no page, as a sentence without its end.
pub(super) async fn scrape(
    caller: Caller,
    addresses: Addresses,
    endpoint: Endpoint,
) -> Result<Page, String> {
    let read = timeout(PATIENCE, read(caller, addresses, &endpoint));
    let late = |_| format!("it took more than {}s", PATIENCE.as_secs());
    let body = read.await.map_err(late)??;
    let text = String::from_utf8(body).map_err(|_| "it is no UTF-8".to_owned())?;
    read_page(&text, MAX_SERIES)
}

async fn read(caller: Caller, addresses: Addresses, to: &Endpoint) -> Result<Vec<u8>, String> {
    let said = |error: io::Error| error.to_string();
    let mut stream = connect(caller, addresses, to.port).await.map_err(said)?;
    // HTTP/1.0: the end of the answer is the end of the connection, whatever else it says.
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: localhost:{}\r\nAccept: {ACCEPT}\r\nAccept-Encoding: identity\r\n\r\n",
        to.path, to.port
    );
    stream.write_all(request.as_bytes()).await.map_err(said)?;
    answer(&mut stream).await
}

/// Loopback first: it is where such pages often are, and it crosses nothing.
async fn connect(caller: Caller, addresses: Addresses, port: u16) -> io::Result<TcpStream> {
    let places = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        (addresses.v4, port).into(),
        (addresses.v6, port).into(),
    ];
    let make = move || {
        let socket = |to: &SocketAddr| {
            let socket = match to {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            sys::reset_when_closed(&socket, true)?;
            Ok((*to, socket))
        };
        let all = || places.iter().map(socket).collect::<io::Result<Vec<_>>>();
        // The namespace is let go of here; the sockets hold it from now on.
        inside(caller.namespace.as_fd(), all)??
    };
    let sockets = spawn_blocking(make).await.map_err(io::Error::other)??;
    let mut failed = io::Error::from(io::ErrorKind::ConnectionRefused);
    for (to, socket) in sockets {
        match socket.connect(to).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The body of an answer that is a page.
async fn answer(from: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if bytes.len() > MAX_HEAD {
            return Err(format!(
                "the head of its answer is longer than {MAX_HEAD} bytes"
            ));
        }
        if more(from, &mut bytes).await? == 0 {
            return Err("it hung up before it had answered".to_owned());
        }
    };
    let mut body = bytes.split_off(head + 4);
    let length = understand(&String::from_utf8_lossy(&bytes))?;
    if length.is_some_and(|length| length > MAX_PAGE) {
        return Err(format!("its page is longer than {MAX_PAGE} bytes"));
    }
    while length.is_none_or(|length| body.len() < length) {
        if more(from, &mut body).await? == 0 {
            break;
        }
        if body.len() > MAX_PAGE {
            return Err(format!("its page is longer than {MAX_PAGE} bytes"));
        }
    }
    match length {
        Some(length) if body.len() < length => Err("its page ended early".to_owned()),
        Some(length) => {
            body.truncate(length);
            Ok(body)
        }
        None => Ok(body),
    }
}

async fn more(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> Result<usize, String> {
    into.reserve(8 << 10);
    from.read_buf(into).await.map_err(|error| error.to_string())
}

/// The length that the head of an answer says, if it says one.
fn understand(head: &str) -> Result<Option<usize>, String> {
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let code = status
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split_whitespace().nth(1));
    match code {
        Some("200") => {}
        Some(code) => {
            let code: String = code.chars().take(3).collect();
            return Err(format!("it answered with {code}"));
        }
        None => return Err("it does not speak HTTP".to_owned()),
    }
    let mut length = None;
    for (key, value) in lines.filter_map(|line| line.split_once(':')) {
        if key.eq_ignore_ascii_case("transfer-encoding") {
            return Err("it answered in chunks, which HTTP/1.0 does not know".to_owned());
        }
        let encoding = value.trim();
        if key.eq_ignore_ascii_case("content-encoding")
            && !encoding.eq_ignore_ascii_case("identity")
        {
            let encoding: String = encoding.chars().take(20).collect();
            return Err(format!(
                "it answered in {encoding:?}, which it was not asked for"
            ));
        }
        if key.eq_ignore_ascii_case("content-length") {
            let said = value.trim().parse();
            length = Some(said.map_err(|_| "its content-length is no number".to_owned())?);
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(bytes: &[u8]) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut from = bytes;
        let body = runtime.block_on(answer(&mut from));
        body.map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn an_answer_is_taken_as_far_as_it_is_one() {
        let ok = |text: &str| Ok(text.to_owned());
        let why = |text: &str| Err(text.to_owned());
        let head = "HTTP/1.1 200 OK\r\n";
        for (bytes, result) in [
            (format!("{head}\r\nup 1\n"), ok("up 1\n")),
            (
                format!("{head}Content-Length: 5\r\n\r\nup 1\nmore"),
                ok("up 1\n"),
            ),
            (
                format!("{head}content-length: 9\r\n\r\nup 1\n"),
                why("its page ended early"),
            ),
            (
                format!("{head}content-length: 99999999999\r\n\r\n"),
                why("its page is longer than 1048576 bytes"),
            ),
            (
                format!("{head}content-length: -1\r\n\r\n"),
                why("its content-length is no number"),
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                why("it answered in chunks, which HTTP/1.0 does not know"),
            ),
            (
                format!("{head}Content-Encoding: gzip\r\n\r\n\x1f\u{8b}"),
                why("it answered in \"gzip\", which it was not asked for"),
            ),
            (
                format!("{head}content-encoding: identity\r\n\r\nup 1\n"),
                ok("up 1\n"),
            ),
            (
                format!("{head}\r\n{}", "x".repeat(MAX_PAGE + 1)),
                why("its page is longer than 1048576 bytes"),
            ),
            (
                "HTTP/1.1 404 Not Found\r\n\r\n".into(),
                why("it answered with 404"),
            ),
            (
                "SSH-2.0-OpenSSH\r\n\r\n".into(),
                why("it does not speak HTTP"),
            ),
            (
                "HTTP/1.1 200 OK\r\n".into(),
                why("it hung up before it had answered"),
            ),
            (
                "y".repeat(MAX_HEAD + 1),
                why("the head of its answer is longer than 16384 bytes"),
            ),
        ] {
            assert_eq!(answered(bytes.as_bytes()), result, "{:.60}", bytes);
        }
    }
}
