//! The page for Prometheus: a small HTTP server that asks the agent for each reader.
//!
//! Owns who may read. It listens where it is told, beyond loopback only with a token; readers, sizes
//! and times are bounded.

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::labs::Seen;
use super::super::signal::Signals;
use crate::engine::docker::Docker;
use crate::report::exposition::{MEDIA_TYPE, page};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longest request that is read, in bytes.
const MAX_REQUEST: usize = 8 << 10;
/// How long a reader may take to say what it wants, and to take it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves until somebody says no more. Readers are served one after the other: each costs the agent a
/// look at everything.
pub async fn serve(
    at: SocketAddr,
    token: Option<&str>,
    engine: &Docker,
    lab: &Seen,
    context: &Context,
) -> Result<Exit, Failure> {
    let token = token.filter(|token| !token.is_empty());
    if !at.ip().is_loopback() && token.is_none() {
        return Err(Failure::usage(
            format!("{at} can be reached by others, and they would need no token"),
            "set NETLAB_METRICS_TOKEN, or listen at 127.0.0.1",
        ));
    }
    lab.answering_agent()?;
    let failed = |e| Failure::step(format!("nothing can listen at {at}"), e);
    let listener = TcpListener::bind(at).await.map_err(failed)?;
    let own = listener.local_addr().map_err(failed)?;
    let mut signals = Signals::listen()?;
    context.terminal.print(&format!("http://{own}/metrics\n"))?;
    loop {
        let reader = tokio::select! {
            signal = signals.wait() => return Ok(signal.exit()),
            reader = listener.accept() => reader,
        };
        if let Ok((mut stream, _)) = reader {
            tokio::select! {
                signal = signals.wait() => return Ok(signal.exit()),
                () = answer(&mut stream, token, engine, lab) => {}
            }
        }
    }
}

async fn answer(stream: &mut TcpStream, token: Option<&str>, engine: &Docker, lab: &Seen) {
    let Ok(Some(request)) = timeout(PATIENCE, read(stream)).await else {
        return;
    };
    let (status, body) = match refusal(&request, token) {
        Some(status) => (status, format!("{status}\n")),
        None => match super::ask(engine, lab).await {
            Ok(rows) => ("200 OK", page(&lab.name, &rows)),
            Err(failure) => ("503 Service Unavailable", format!("{failure}\n")),
        },
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let write = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    };
    let _ = timeout(PATIENCE, write).await; // who does not take it has no page
}

/// The head of a request; none: it is too long, or was broken off.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        if bytes.len() > MAX_REQUEST || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Why a request is not answered with the page.
fn refusal(request: &str, token: Option<&str>) -> Option<&'static str> {
    let mut lines = request.lines();
    let mut words = lines.next().unwrap_or_default().split_whitespace();
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let told = lines.filter_map(|line| line.split_once(':'));
    let mut told = told.filter(|(key, _)| key.eq_ignore_ascii_case("authorization"));
    let told = told.next().map(|(_, value)| value.trim());
    let said = told.and_then(|value| value.strip_prefix("Bearer "));
    match token {
        Some(token) if !said.is_some_and(|said| same(said, token)) => Some("401 Unauthorized"),
        _ if path != "/metrics" => Some("404 Not Found"),
        _ if method != "GET" => Some("405 Method Not Allowed"),
        _ => None,
    }
}

/// Compares in a time that says nothing of where two texts differ.
fn same(a: &str, b: &str) -> bool {
    let differs = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_token_gets_no_page() {
        let get = |head: &str| format!("GET /metrics HTTP/1.1\r\n{head}\r\n");
        assert_eq!(refusal(&get(""), None), None);
        assert_eq!(refusal(&get(""), Some("s3")), Some("401 Unauthorized"));
        let wrong = get("Authorization: Bearer s4\r\n");
        assert_eq!(refusal(&wrong, Some("s3")), Some("401 Unauthorized"));
        assert_eq!(
            refusal(&get("authorization: Bearer s3\r\n"), Some("s3")),
            None
        );
        assert_eq!(refusal("GET / HTTP/1.1\r\n", None), Some("404 Not Found"));
        assert_eq!(
            refusal("PUT /metrics HTTP/1.1\r\n", None),
            Some("405 Method Not Allowed")
        );
        assert_eq!(refusal("", None), Some("404 Not Found"));
    }
}
