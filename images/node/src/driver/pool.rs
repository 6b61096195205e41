//! Connections to the nodes that are asked.
//!
//! A request takes an idle connection if there is one that is still open, else it makes its own,
//! whatever the others wait for: a connection attempt that hangs delays nobody else, and is
//! dropped with its request. So there are never more connections than requests under way and
//! [`MAX_IDLE`] idle ones.

use crate::driver::clock;
use crate::role::http::Failure;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, spawn_local};

/// Most idle connections, to all nodes together.
const MAX_IDLE: usize = 256;
/// Idle connections are closed after this time, in nanoseconds: before servers do it.
const IDLE: u64 = 15_000_000_000;
/// Most bytes of an answer's head.
const MAX_HEAD: usize = 16 << 10;

/// A connection; dropping it closes it.
pub struct Connection {
    /// Sends on it.
    pub sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
    open: Rc<Cell<usize>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
        self.open.set(self.open.get() - 1);
    }
}

struct Idle {
    to: SocketAddr,
    since: u64,
    connection: Connection,
}

/// The idle connections of a node.
#[derive(Default)]
pub struct Pool {
    /// The one that was used last is last.
    idle: RefCell<Vec<Idle>>,
    open: Rc<Cell<usize>>,
}

impl Pool {
    /// An open connection to `to`.
    ///
    /// # Errors
    /// Why it could not be made.
    pub async fn take(&self, to: SocketAddr) -> Result<Connection, Failure> {
        while let Some(mut connection) = self.take_idle(to) {
            // Not ready means closed meanwhile.
            if !connection.sender.is_closed() && connection.sender.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        let stream = TcpStream::connect(to).await.map_err(|e| of_io(&e))?;
        stream.set_nodelay(true).map_err(|e| of_io(&e))?;
        let (sender, driven) = Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| of_hyper(&e))?;
        // How it ends is told to the request on it.
        let task = spawn_local(async { drop(driven.await) }).abort_handle();
        self.open.set(self.open.get() + 1);
        Ok(Connection {
            sender,
            task,
            open: Rc::clone(&self.open),
        })
    }

    fn take_idle(&self, to: SocketAddr) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let at = idle.iter().rposition(|i| i.to == to)?;
        Some(idle.remove(at).connection)
    }

    /// Gives a connection back whose answer was read to its end.
    pub fn give_back(&self, to: SocketAddr, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if !connection.sender.is_closed() && idle.len() < MAX_IDLE {
            idle.push(Idle {
                to,
                since: clock::now(),
                connection,
            });
        }
    }

    /// Closes the idle connections to `to`: a request to it was not answered in time, so they may
    /// be dead as well.
    pub fn doubt(&self, to: SocketAddr) {
        self.idle.borrow_mut().retain(|i| i.to != to);
    }

    /// Closes connections that were idle for long or that the other side closed.
    pub fn sweep(&self) {
        let now = clock::now();
        self.idle
            .borrow_mut()
            .retain(|i| !i.connection.sender.is_closed() && now.saturating_sub(i.since) < IDLE);
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.get()
    }
}

/// What an error of the system means for a request.
pub fn of_io(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Failure::Reset,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Failure::Unreachable
        }
        ErrorKind::TimedOut => Failure::Silent,
        _ => Failure::Other,
    }
}

/// What an error of the HTTP connection means for a request.
pub fn of_hyper(error: &hyper::Error) -> Failure {
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        Some(io) => of_io(io),
        None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
            Failure::Reset
        }
        None => Failure::Other,
    }
}
