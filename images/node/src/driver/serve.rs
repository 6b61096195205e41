//! Connections of others: HTTP/1.1 in, the role's answers out, everything bounded.
//!
//! The bounds: connections at once (more wait in the kernel's backlog), bytes of a request's head
//! (431) and body (413), bytes of all bodies at once (503), time for the head of a request and
//! between two (closed), time for its body (408), time in which sent bytes must be acknowledged
//! (closed).

use super::exchange::number;
use super::node::{Node, add};
use super::{LEFT, REASON};
use crate::role::content::Content;
use crate::role::http::{Answer, Body, Method, Request};
use crate::role::route::MAX_VALUE;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use netlab_protocol::conduct::{DIGEST, VERSION};
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout};
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

/// Most connections at once.
const MAX_CONNECTIONS: usize = 1_024;
/// Connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 1_024;
/// Most bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;
/// Most bytes of all bodies that are being read or wait for their answer.
const MAX_BODIES: usize = 64 << 20;
/// For the head of a request, and between two requests.
const IDLE: Duration = Duration::from_secs(60);
/// For the body of a request.
const BODY: Duration = Duration::from_secs(10);
/// Bytes of a file that are made at a time.
const CHUNK: usize = 16 << 10;

/// What others take up.
#[derive(Default)]
pub struct Guests {
    connections: Cell<usize>,
    bodies: Rc<Cell<usize>>,
}

impl Guests {
    /// Their connections.
    pub fn open(&self) -> usize {
        self.connections.get()
    }

    fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let bodies = Rc::clone(&self.bodies);
        let all = bodies.get() + bytes;
        (all <= MAX_BODIES).then(|| {
            bodies.set(all);
            Reserved { bodies, bytes }
        })
    }
}

/// Bytes set aside for a body.
struct Reserved {
    bodies: Rc<Cell<usize>>,
    bytes: usize,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.bodies.set(self.bodies.get() - self.bytes);
    }
}

/// Listens on `port` of all addresses, IPv6 and IPv4; IPv4 alone where there is no IPv6.
///
/// # Errors
/// Those of binding.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let bind = |socket: TcpSocket, address: SocketAddr| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let v6 = TcpSocket::new_v6().and_then(|socket| bind(socket, ([0_u16; 8], port).into()));
    match v6 {
        Err(e) if e.kind() != io::ErrorKind::AddrInUse => {
            bind(TcpSocket::new_v4()?, ([0_u8; 4], port).into())
        }
        result => result,
    }
}

/// Takes connections for as long as the node lives.
pub async fn serve(node: Rc<Node>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let node = Rc::clone(&node);
                spawn_local(async move {
                    let guests = &node.guests.connections;
                    guests.set(guests.get() + 1);
                    connection(&node, stream).await;
                    guests.set(guests.get() - 1);
                    drop(place);
                });
            }
            // Out of descriptors, or the connection broke before it was taken.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(node: &Rc<Node>, stream: TcpStream) {
    // Both only make it better: a connection without them is served as well.
    let _ = stream.set_nodelay(true);
    let _ = setsockopt(&stream, TcpUserTimeout, &(IDLE.as_millis() as u32));
    let service = service_fn(|request| answer(Rc::clone(node), request));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A connection that broke has nobody left to tell; its requests told the role.
    drop(served);
}

type Response = hyper::Response<Outgoing>;

async fn answer(node: Rc<Node>, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
    let length = number::<u64>(request.headers(), CONTENT_LENGTH.as_str());
    let has_body = !hyper::body::Body::is_end_stream(request.body());
    let most = if has_body {
        length.map_or(MAX_VALUE, |n| n.min(MAX_VALUE as u64) as usize)
    } else {
        0
    };
    if has_body && length.is_some_and(|n| n > MAX_VALUE as u64) {
        return Ok(response(&node, refusal(413)));
    }
    let Some(_reserved) = node.guests.reserve(most) else {
        return Ok(response(&node, refusal(503)));
    };
    let request = match read(&node, request).await {
        Ok(request) => request,
        Err(status) => return Ok(response(&node, refusal(status))),
    };
    let (_asking, answer) = node.ask(request);
    let answer = answer.await.unwrap_or_else(|_| Answer::status(500));
    Ok(response(&node, answer))
}

/// An answer of the driver itself. A body that was not read makes hyper close the connection.
fn refusal(status: u16) -> Answer {
    Answer::status(status)
}

async fn read(node: &Node, request: hyper::Request<Incoming>) -> Result<Request, u16> {
    let (head, body) = request.into_parts();
    let collected = timeout(BODY, Limited::new(body, MAX_VALUE).collect()).await;
    let body = collected
        .map_err(|_| 408_u16)?
        .map_err(|e| match e.is::<LengthLimitError>() {
            true => 413_u16,
            false => 400,
        })?
        .to_bytes();
    add(&node.traffic.received, body.len());
    let left: Option<u64> = number(&head.headers, LEFT);
    Ok(Request {
        method: match head.method {
            hyper::Method::GET => Method::Get,
            hyper::Method::PUT => Method::Put,
            hyper::Method::DELETE => Method::Delete,
            _ => Method::Other,
        },
        path: head.uri.path().to_owned(),
        body,
        left: left.map(|us| us.saturating_mul(1_000)),
    })
}

fn response(node: &Rc<Node>, answer: Answer) -> Response {
    let body = match answer.body {
        Body::Bytes(bytes) => {
            add(&node.traffic.sent, bytes.len());
            Outgoing::Bytes(Full::new(bytes))
        }
        Body::Generated(content) => Outgoing::Generated {
            node: Rc::clone(node),
            content,
            offset: 0,
        },
    };
    let mut response = hyper::Response::new(body);
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::BAD_GATEWAY);
    if let Some(version) = answer.version {
        response.headers_mut().insert(VERSION, version.into());
    }
    if let Some(digest) = answer.digest
        && let Ok(digest) = HeaderValue::from_str(&format!("{digest:016x}"))
    {
        response.headers_mut().insert(DIGEST, digest);
    }
    if let Some(failure) = answer.failure {
        let word = HeaderValue::from_static(failure.as_str());
        response.headers_mut().insert(REASON, word);
    }
    response
}

/// The body of an answer on its way out.
enum Outgoing {
    Bytes(Full<Bytes>),
    /// Made while it is sent, as fast as the other side reads.
    Generated {
        node: Rc<Node>,
        content: Content,
        offset: u64,
    },
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Outgoing::Bytes(full) => Pin::new(full).poll_frame(context),
            Outgoing::Generated {
                node,
                content,
                offset,
            } => {
                let chunk = content.chunk(*offset, CHUNK);
                *offset += chunk.len() as u64;
                add(&node.traffic.sent, chunk.len());
                let frame = (!chunk.is_empty()).then(|| Ok(Frame::data(chunk.into())));
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Bytes(full) => full.is_end_stream(),
            Outgoing::Generated {
                content, offset, ..
            } => *offset >= content.bytes,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Bytes(full) => full.size_hint(),
            Outgoing::Generated {
                content, offset, ..
            } => SizeHint::with_exact(content.bytes - offset),
        }
    }
}
