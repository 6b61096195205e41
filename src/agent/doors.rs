//! The agent's three sockets: the gate, the control socket, the attach socket.
//!
//! Owns connections, their bounds and deadlines; turns bytes into [`Message`]s and back. Must not
//! decide: what is said to whom is the core's.

use super::core::Input;
use super::driver::{GateAnswer, Message, Outgoing};
use super::identity::Identity;
use super::sys;
use crate::engine::Engine;
use crate::plan::Adoption;
use crate::record::stream::{MAX_ADOPTION, Reply, Request};
use futures_util::StreamExt;
use netlab_protocol::control::{MAX_LINE, ToAgent, ToNode};
use netlab_protocol::gate::{GO, REFUSE};
use serde::Serialize;
use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};
use tokio_util::codec::{FramedRead, LinesCodec};

/// Somebody who connects says who they are within this time; a line is written within it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages that may wait for a node's program.
const TO_NODE: usize = 32;
/// Answers that may wait for a client; who reads more slowly misses progress, then is hung up on.
pub(super) const TO_CLIENT: usize = 512;
/// Clients at once.
const CLIENTS: usize = 32;
/// Connections of one node at once, to each of its two doors.
pub(super) const PER_NODE: usize = 4;
/// Bytes of a request's line; a fault by hand may name every node of a large lab.
const MAX_REQUEST: usize = 4 << 20;
/// For what follows a request.
const DELIVERY: Duration = Duration::from_secs(120);
/// A program that says more lines than this in a second is cut off.
const LINES_PER_SECOND: u32 = 200;

/// What all doors need.
pub(super) struct Doors<E> {
    pub identity: Rc<Identity<E>>,
    pub inbox: mpsc::Sender<Message>,
    pub next: Cell<u64>,
    pub nodes: usize,
}

impl<E: Engine + 'static> Doors<E> {
    fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    /// Listens at the gate and at the control socket in `gate`, and for clients in `state`; what
    /// limits the callers of the first two is returned.
    ///
    /// # Errors
    /// The socket that cannot be made.
    pub fn open(self: Rc<Self>, gate: &Path, state: &Path) -> io::Result<Vec<Arc<Semaphore>>> {
        let callers = PER_NODE * self.nodes + 64;
        let doors = Rc::clone(&self);
        let gates = serve(&gate.join("gate.sock"), 0o666, callers, move |s| {
            Rc::clone(&doors).gate(s)
        })?;
        let doors = Rc::clone(&self);
        let controls = serve(&gate.join("control.sock"), 0o666, callers, move |s| {
            Rc::clone(&doors).control(s)
        })?;
        serve(&state.join("attach.sock"), 0o600, CLIENTS, move |s| {
            Rc::clone(&self).client(s)
        })?;
        Ok(vec![gates, controls])
    }

    /// A node's gate: it says nothing; the answer opens it.
    async fn gate(self: Rc<Self>, mut stream: UnixStream) {
        let Some(pid) = stream.peer_cred().ok().and_then(|cred| cred.pid()) else {
            return;
        };
        let caller = match self.identity.caller(pid).await {
            Ok(caller) => caller,
            Err(why) => {
                tracing::warn!(%why, "a stranger at the gate");
                let line = format!("{REFUSE}{why}\n");
                let _ = timeout(PATIENCE, stream.write_all(line.as_bytes())).await;
                return;
            }
        };
        let (answer, answered) = oneshot::channel();
        let knock = self.number();
        let message = Message::Knock {
            knock,
            caller,
            answer,
        };
        if self.inbox.send(message).await.is_err() {
            return;
        }
        // A caller that hangs up is gone; its answer goes nowhere.
        let (mut reads, mut writes) = stream.split();
        let mut byte = [0];
        tokio::select! {
            answer = answered => if let Ok(GateAnswer::Go) = answer {
                let _ = timeout(PATIENCE, writes.write_all(GO.as_bytes())).await;
            },
            _ = reads.read(&mut byte) => {}
        }
    }

    /// A node's program.
    async fn control(self: Rc<Self>, stream: UnixStream) {
        let pid = stream.peer_cred().ok().and_then(|cred| cred.pid());
        let Some(netns) = pid.and_then(|pid| sys::namespace_of(pid).ok()) else {
            return;
        };
        let conn = self.number();
        let (reads, writes) = stream.into_split();
        let mut lines = FramedRead::new(reads, LinesCodec::new_with_max_length(MAX_LINE));
        let first = timeout(PATIENCE, lines.next()).await;
        let hello = match first {
            Ok(Some(Ok(line))) => serde_json::from_str(&line).ok(),
            _ => None,
        };
        let Some(ToAgent::Hello { protocol }) = hello else {
            return;
        };
        let (sender, messages) = mpsc::channel(TO_NODE);
        let message = Message::Program {
            conn,
            netns,
            protocol,
            sender,
        };
        if self.inbox.send(message).await.is_err() {
            return;
        }
        let why = self.converse(conn, lines, writes, messages).await;
        let closed = Input::ConnClosed { conn, why };
        let _ = self.inbox.send(Message::Input(closed)).await; // the agent may be ending
    }

    /// Carries lines both ways; returns what the program did wrong.
    async fn converse(
        &self,
        conn: u64,
        mut lines: FramedRead<OwnedReadHalf, LinesCodec>,
        mut writes: OwnedWriteHalf,
        mut messages: mpsc::Receiver<ToNode>,
    ) -> Option<String> {
        let (mut since, mut count) = (Instant::now(), 0);
        loop {
            tokio::select! {
                message = messages.recv() => {
                    // A program that reads nothing for so long is hung up on.
                    say(&mut writes, &message?).await.ok()?;
                }
                line = lines.next() => {
                    let line = match line? {
                        Ok(line) => line,
                        Err(error) => return Some(error.to_string()),
                    };
                    if since.elapsed() > Duration::from_secs(1) {
                        (since, count) = (Instant::now(), 0);
                    }
                    count += 1;
                    if count > LINES_PER_SECOND {
                        return Some(format!("it says more than {LINES_PER_SECOND} lines a second"));
                    }
                    let input = match serde_json::from_str(&line) {
                        Ok(ToAgent::Ready) => Input::Ready { conn },
                        Ok(ToAgent::Report(report)) => Input::Report { conn, report },
                        Ok(ToAgent::Behaves { number, spoilt }) => Input::Behaves {
                            conn,
                            number,
                            spoilt,
                        },
                        Ok(ToAgent::Problem { text }) => Input::Problem { conn, text },
                        Ok(ToAgent::Hello { .. }) => return Some("it says hello twice".into()),
                        Err(error) => return Some(format!("its line is not understood: {error}")),
                    };
                    self.inbox.send(Message::Input(input)).await.ok()?;
                }
            }
        }
    }

    /// A client: one request, then answers.
    async fn client(self: Rc<Self>, stream: UnixStream) {
        let (reads, mut writes) = stream.into_split();
        let mut lines = FramedRead::new(reads, LinesCodec::new_with_max_length(MAX_REQUEST));
        let Ok(Some(Ok(line))) = timeout(PATIENCE, lines.next()).await else {
            return;
        };
        let request: Request = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(error) => {
                let why = format!(
                    "this agent does not understand the request ({error}): use the netlab that made the lab"
                );
                let _ = say(&mut writes, &Reply::Refused { why }).await;
                return;
            }
        };
        let adoption = match request {
            Request::Adopt { bytes } => match adoption(&mut lines, bytes).await {
                Ok(adoption) => Some(adoption),
                Err(error) => {
                    let why = format!("what was sent is no lab ({error}): say `netlab up` again");
                    let _ = say(&mut writes, &Reply::Refused { why }).await;
                    return;
                }
            },
            _ => None,
        };
        let (sender, mut answers) = mpsc::channel(TO_CLIENT);
        let client = self.number();
        let captures = matches!(request, Request::Capture { .. });
        let mut hears = captures || matches!(request, Request::Follow);
        let message = Message::Client {
            client,
            request,
            adoption,
            sender,
        };
        if self.inbox.send(message).await.is_err() {
            return;
        }
        loop {
            let answer = tokio::select! {
                answer = answers.recv() => answer,
                // One who follows or captures may leave; the others are answered, even with their input
                // closed.
                more = lines.next(), if hears => {
                    if more.is_some_and(|line| line.is_ok()) {
                        continue;
                    }
                    if captures {
                        // Of a capture the end of its file is still to come.
                        hears = false;
                        let gone = Message::Input(Input::ClientGone { client });
                        let _ = self.inbox.send(gone).await; // the agent may be ending
                        continue;
                    }
                    None
                }
            };
            let told = match answer {
                None => break,
                Some(Outgoing::One(reply)) => say(&mut writes, &reply).await,
                Some(Outgoing::Bytes(bytes)) => write(&mut writes, &bytes).await,
                Some(Outgoing::Many(events)) => {
                    let mut told = Ok(());
                    for event in events {
                        told = say(&mut writes, &Reply::Event(event)).await;
                        if told.is_err() {
                            break;
                        }
                    }
                    told
                }
            };
            if told.is_err() {
                break;
            }
        }
        let gone = Input::ClientGone { client };
        let _ = self.inbox.send(Message::Input(gone)).await; // the agent may be ending
    }
}

async fn say(writes: &mut OwnedWriteHalf, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    write(writes, &line).await
}

async fn write(writes: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
    let sent = timeout(PATIENCE, writes.write_all(bytes)).await;
    sent.map_err(io::Error::other)?
}

/// Accepts at `path`, with at most `most` connections at once; those beyond wait in the backlog.
fn serve<F>(
    path: &Path,
    mode: u32,
    most: usize,
    talk: impl Fn(UnixStream) -> F + 'static,
) -> io::Result<Arc<Semaphore>>
where
    F: Future<Output = ()> + 'static,
{
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    let places = Arc::new(Semaphore::new(most));
    let room = Arc::clone(&places);
    spawn_local(async move {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let talk = talk(stream);
                    spawn_local(async move {
                        talk.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(room)
}

/// The bytes after a request, which are as many as it says.
async fn adoption(
    lines: &mut FramedRead<OwnedReadHalf, LinesCodec>,
    bytes: u64,
) -> io::Result<Box<Adoption>> {
    if bytes > MAX_ADOPTION {
        return Err(io::Error::other(format!("more than {MAX_ADOPTION} bytes")));
    }
    let read = std::mem::take(lines.read_buffer_mut());
    let mut all = read.to_vec();
    let rest = bytes.saturating_sub(all.len() as u64);
    let mut rest = lines.get_mut().take(rest);
    timeout(DELIVERY, rest.read_to_end(&mut all)).await??;
    Ok(serde_json::from_slice(&all)?)
}
