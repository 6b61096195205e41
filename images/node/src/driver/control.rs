//! One connection to the agent: lines in, lines out.
//!
//! What the lines mean is [`super::life`]'s idea. Nothing here blocks the role: an agent that does
//! not read only lets the outbox fill.

use super::outbox::Outbox;
use netlab_protocol::control::{MAX_LINE, SOCKET, ToAgent, ToNode};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// Between two attempts to connect.
const BACKOFF: Duration = Duration::from_millis(100);
/// In which the agent must take a line.
const WRITE: Duration = Duration::from_secs(5);

/// Where the agent's socket is; tests put another path into `NETLAB_CONTROL`.
pub fn socket() -> PathBuf {
    std::env::var_os("NETLAB_CONTROL").map_or_else(|| SOCKET.into(), PathBuf::from)
}

/// A connection to the agent.
pub struct Control {
    stream: UnixStream,
    /// Bytes that were read and are not yet a line.
    read: Vec<u8>,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Broken {
    /// It was closed, or the agent takes nothing: connect again.
    Lost,
    /// The agent says what this node cannot understand.
    Nonsense(String),
}

impl Control {
    /// Connects, however long it takes.
    pub async fn connect() -> Control {
        loop {
            if let Ok(stream) = UnixStream::connect(socket()).await {
                return Control {
                    stream,
                    read: Vec::new(),
                };
            }
            sleep(BACKOFF).await;
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn send(&mut self, message: &ToAgent) -> Result<(), Broken> {
        let Ok(mut line) = serde_json::to_vec(message) else {
            return Ok(());
        };
        line.push(b'\n');
        match timeout(WRITE, self.stream.write_all(&line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Broken::Lost),
        }
    }

    /// Sends all that waits in the outbox, and what is added, until the connection ends or a
    /// message comes.
    ///
    /// # Errors
    /// The connection is lost, or the agent sent something else than a message.
    pub async fn next(&mut self, outbox: &Outbox) -> Result<ToNode, Broken> {
        loop {
            while let Some(message) = outbox.pop() {
                self.send(&message).await?;
            }
            if let Some(message) = self.line()? {
                return Ok(message);
            }
            tokio::select! {
                more = read_some(&mut self.stream, &mut self.read) => more.map_err(|_| Broken::Lost)?,
                () = outbox.filled() => {}
            }
        }
    }

    /// A message that was read whole.
    fn line(&mut self) -> Result<Option<ToNode>, Broken> {
        let Some(end) = self.read.iter().position(|byte| *byte == b'\n') else {
            if self.read.len() > MAX_LINE {
                let text = format!("the agent sent a line of more than {MAX_LINE} bytes");
                return Err(Broken::Nonsense(text));
            }
            return Ok(None);
        };
        let line: Vec<u8> = self.read.drain(..=end).collect();
        if self.read.is_empty() {
            self.read = Vec::new();
        }
        serde_json::from_slice(&line).map(Some).map_err(|error| {
            Broken::Nonsense(format!("the agent's message was not understood: {error}"))
        })
    }
}

/// Cancel-safe: what was read is in `buffer`.
async fn read_some(stream: &mut UnixStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.reserve(4 << 10);
    match stream.read_buf(buffer).await? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
