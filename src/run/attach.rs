//! Talks to the agent: `/netlab agent attach`, run in its container, carries JSON lines.
//!
//! Owns framing, deadlines and reconnection. Must not know what requests are for.

use crate::engine::{Engine, EngineError, Exec, ExecSpec};
use crate::plan::AGENT_PROGRAM;
use crate::record::event::What;
use crate::record::stream::{Reply, Request};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Longest line that is accepted, in bytes.
const MAX_LINE: usize = 4 << 20;
/// Bytes per second that a connection to an agent carries at least.
const SLOWEST: u64 = 1 << 20;
/// A followed agent says something every second; after this much silence it is asked again. Needed
/// also on healthy engines: when the agent's process is killed, the engine (seen with 20.10) may
/// leave the exec stream open for ever.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a followed agent may be gone before it is given up.
const GONE: Duration = Duration::from_secs(60);
/// Pause between two looks at whether the agent's side is there.
const LOOK: Duration = Duration::from_secs(1);
/// Pause between two attempts.
const AGAIN: Duration = Duration::from_millis(100);

/// Why the agent could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The command could not be run in the agent's container.
    #[error("the agent cannot be reached")]
    Open(#[source] EngineError),
    /// The request could not be written.
    #[error("the request could not be sent to the agent")]
    Send(#[source] std::io::Error),
    /// The stream broke.
    #[error("the connection to the agent broke")]
    Receive(#[source] EngineError),
    /// Not a [`Reply`].
    #[error("the agent said something that is not understood: `{line}`")]
    Malformed {
        /// The beginning of what it said.
        line: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line longer than any reply.
    #[error("the agent's reply is longer than {MAX_LINE} bytes")]
    TooLong,
    /// The stream ended without a reply; what the command wrote to stderr.
    #[error("the agent closed the connection{}", said(.0))]
    Closed(String),
    /// Nothing came in time.
    #[error("no reply within {} s", .0.as_secs())]
    Late(Duration),
    /// A reply that does not answer the request.
    #[error("the agent's reply does not fit the request: {0}")]
    Unexpected(String),
}

fn said(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

impl AttachError {
    /// For a reply that does not answer the request.
    pub fn unexpected(reply: &Reply) -> AttachError {
        AttachError::Unexpected(clip(&format!("{reply:?}")))
    }
}

fn clip(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The replies to one request, as they come.
pub struct Replies {
    exec: Exec,
    line: Vec<u8>,
    /// Bytes of `line` already searched for a line's end.
    searched: usize,
    stderr: String,
}

/// Sends `request` to the agent in container `agent`.
///
/// # Errors
/// [`AttachError::Open`], [`AttachError::Send`].
pub async fn open<E: Engine>(
    engine: &E,
    agent: &str,
    request: &Request,
) -> Result<Replies, AttachError> {
    open_with(engine, agent, (request, &[])).await
}

/// The same with the bytes that the request announces.
async fn open_with<E: Engine>(
    engine: &E,
    agent: &str,
    request: (&Request, &[u8]),
) -> Result<Replies, AttachError> {
    Line::open(engine, agent).await?.say(request).await
}

/// A connection to an agent on which nothing was said yet. Making one takes most of the time that a
/// request takes; the agent waits ten seconds for the request.
pub struct Line(Exec);

impl Line {
    /// Connects to the agent in container `agent`.
    ///
    /// # Errors
    /// [`AttachError::Open`].
    pub async fn open<E: Engine>(engine: &E, agent: &str) -> Result<Line, AttachError> {
        let command = [AGENT_PROGRAM, "agent", "attach"];
        let spec = ExecSpec {
            command: command.map(str::to_owned).to_vec(),
            tty: false,
            stdin: true,
        };
        let exec = engine.exec(agent, &spec).await.map_err(AttachError::Open)?;
        Ok(Line(exec))
    }

    /// Sends a request and the bytes that it announces.
    async fn say(self, (request, payload): (&Request, &[u8])) -> Result<Replies, AttachError> {
        let Line(mut exec) = self;
        let mut line = serde_json::to_vec(request).unwrap_or_default();
        line.push(b'\n');
        let send = async {
            exec.input.write_all(&line).await?;
            exec.input.write_all(payload).await?;
            exec.input.flush().await
        };
        let patience = SILENCE + Duration::from_secs(payload.len() as u64 / SLOWEST);
        match timeout(patience, send).await {
            Ok(sent) => sent.map_err(AttachError::Send)?,
            Err(_) => return Err(AttachError::Late(patience)),
        }
        Ok(Replies {
            exec,
            line: Vec::new(),
            searched: 0,
            stderr: String::new(),
        })
    }

    /// Asks once and returns the first reply.
    ///
    /// # Errors
    /// Any but [`AttachError::Open`].
    pub async fn ask(
        self,
        request: (&Request, &[u8]),
        within: Duration,
    ) -> Result<Reply, AttachError> {
        self.say(request).await?.next(within).await
    }
}

impl Replies {
    /// The next reply; may be dropped and called again without losing one.
    ///
    /// # Errors
    /// Any but [`AttachError::Open`] and [`AttachError::Send`]; [`AttachError::Closed`] at the end.
    pub async fn next(&mut self, within: Duration) -> Result<Reply, AttachError> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(line) = self.take_line() {
                return serde_json::from_slice(&line).map_err(|source| AttachError::Malformed {
                    line: clip(&String::from_utf8_lossy(&line)),
                    source,
                });
            }
            let piece = timeout_at(deadline, self.exec.output.next()).await;
            match piece.map_err(|_| AttachError::Late(within))? {
                None => return Err(AttachError::Closed(std::mem::take(&mut self.stderr))),
                Some(Err(source)) => return Err(AttachError::Receive(source)),
                Some(Ok(piece)) if piece.stderr => {
                    let text = String::from_utf8_lossy(&piece.bytes);
                    self.stderr.push_str(&clip(&text));
                    self.stderr = clip(&self.stderr);
                }
                Some(Ok(piece)) => self.line.extend_from_slice(&piece.bytes),
            }
            if self.line.len() > MAX_LINE {
                return Err(AttachError::TooLong);
            }
        }
    }

    /// The next bytes as they are, for a request whose answer goes on without lines; none at the end.
    ///
    /// # Errors
    /// As [`Replies::next`], without a deadline: a quiet link has nothing to say.
    pub async fn bytes(&mut self) -> Result<Option<Vec<u8>>, AttachError> {
        if !self.line.is_empty() {
            self.searched = 0;
            return Ok(Some(std::mem::take(&mut self.line)));
        }
        while let Some(piece) = self.exec.output.next().await {
            let piece = piece.map_err(AttachError::Receive)?;
            if !piece.stderr {
                return Ok(Some(piece.bytes.to_vec()));
            }
        }
        Ok(None)
    }

    /// Waits for the end of the agent's side, of which [`Replies::bytes`] may never hear: the engine (seen with
    /// 20.10) can leave the stream open for ever when the container is killed. What the agent said
    /// before may still come. Whether it ended in order.
    pub fn over<'e, E: Engine>(&self, engine: &'e E) -> impl Future<Output = bool> + use<'e, E> {
        let id = self.exec.id.clone();
        async move {
            loop {
                match engine.exec_exit_code(&id).await {
                    Ok(None) => {}
                    Ok(Some(code)) => return code == 0,
                    Err(error) if error.status == Some(404) => return false,
                    Err(error) => tracing::debug!(%error, "not known whether the agent is there"),
                }
                sleep(LOOK).await;
            }
        }
    }

    /// Tells the agent that nothing more is wanted; what is on its way still comes.
    pub async fn enough(&mut self) {
        // A connection that is gone has told it already.
        let _ = timeout(SILENCE, self.exec.input.shutdown()).await;
    }

    /// The next whole line of what has come so far, without its end.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let fresh = self.line.get(self.searched..)?;
        let Some(at) = fresh.iter().position(|&byte| byte == b'\n') else {
            self.searched = self.line.len();
            return None;
        };
        let rest = self.line.split_off(self.searched + at + 1);
        let mut line = std::mem::replace(&mut self.line, rest);
        self.searched = 0;
        line.pop();
        Some(line)
    }
}

/// Asks once and returns the first reply, trying again while the agent is not there yet.
///
/// # Errors
/// The last attempt's when `within` is over.
pub async fn ask<E: Engine>(
    engine: &E,
    agent: &str,
    request: &Request,
    within: Duration,
) -> Result<Reply, AttachError> {
    ask_with(engine, agent, (request, &[]), within).await
}

/// The same with the bytes that the request announces.
///
/// # Errors
/// As [`ask`].
pub async fn ask_with<E: Engine>(
    engine: &E,
    agent: &str,
    request: (&Request, &[u8]),
    within: Duration,
) -> Result<Reply, AttachError> {
    let deadline = Instant::now() + within;
    loop {
        let attempt = async {
            let mut replies = open_with(engine, agent, request).await?;
            replies.next(within).await
        };
        let error = match timeout_at(deadline, attempt).await {
            Err(_) => return Err(AttachError::Late(within)),
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(error)) => error,
        };
        // Only what a starting or restarting agent looks like is worth another attempt.
        let again = match &error {
            AttachError::Open(source) => source.status != Some(404),
            AttachError::Closed(_) | AttachError::Receive(_) | AttachError::Send(_) => true,
            _ => false,
        };
        if !again || Instant::now() + AGAIN >= deadline {
            return Err(error);
        }
        sleep(AGAIN).await;
    }
}

/// Follows a run to its end, across restarts of the agent.
pub struct Follower<'e, E> {
    engine: &'e E,
    agent: String,
    replies: Option<Replies>,
    run: Option<String>,
    /// Events of `run` that were handed out.
    seen: usize,
    /// Events of the present connection.
    read: usize,
    /// When the agent was last heard.
    heard: Instant,
    ended: bool,
}

/// Follows the current run of the agent in container `agent`.
pub fn follow<'e, E: Engine>(engine: &'e E, agent: &str) -> Follower<'e, E> {
    Follower {
        engine,
        agent: agent.to_owned(),
        replies: None,
        run: None,
        seen: 0,
        read: 0,
        heard: Instant::now(),
        ended: false,
    }
}

impl<E: Engine> Follower<'_, E> {
    /// The next event, progress or end; none after the end. An event is never handed out twice.
    /// May be dropped and called again without losing one, but then its deadline starts anew.
    ///
    /// # Errors
    /// When the agent is gone for a minute, its container no longer exists, or it speaks nonsense.
    pub async fn next(&mut self) -> Result<Option<Reply>, AttachError> {
        while !self.ended {
            let error = match self.step().await {
                Ok(Some(reply)) => return Ok(Some(reply)),
                Ok(None) => continue,
                Err(error) => error,
            };
            self.replies = None;
            let gone = matches!(&error, AttachError::Open(source) if source.status == Some(404));
            let nonsense = matches!(
                error,
                AttachError::Malformed { .. } | AttachError::TooLong | AttachError::Unexpected(_)
            );
            if gone || nonsense || self.heard.elapsed() > GONE {
                return Err(error);
            }
            sleep(AGAIN).await;
        }
        Ok(None)
    }

    /// One reply that the caller has not seen; none: one that it has.
    async fn step(&mut self) -> Result<Option<Reply>, AttachError> {
        let replies = match &mut self.replies {
            Some(replies) => replies,
            none => {
                self.read = 0;
                none.insert(open(self.engine, &self.agent, &Request::Follow).await?)
            }
        };
        let reply = replies.next(SILENCE).await?;
        self.heard = Instant::now();
        match &reply {
            Reply::Event(event) => {
                if let What::RunStarted { run, .. } = &event.what
                    && self.run.as_ref() != Some(run)
                {
                    self.run = Some(run.clone());
                    (self.seen, self.read) = (0, 0);
                }
                self.read += 1;
                if self.read <= self.seen {
                    return Ok(None);
                }
                self.seen = self.read;
            }
            Reply::Ended { .. } => self.ended = true,
            Reply::Refused { .. } => self.ended = true,
            Reply::Progress(_) | Reply::Status(_) => {}
            Reply::Playing { .. }
            | Reply::Stopped
            | Reply::Adopted
            | Reply::Published { .. }
            | Reply::Links { .. }
            | Reply::Metrics { .. }
            | Reply::Injected { .. }
            | Reply::Failed { .. }
            | Reply::Healed { .. }
            | Reply::Faults { .. }
            | Reply::Capturing => {
                return Err(AttachError::unexpected(&reply));
            }
        }
        Ok(Some(reply))
    }
}
