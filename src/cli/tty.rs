//! Joins this process's streams to a command inside a node.

use super::exit::{Exit, Failure};
use crate::engine::docker::Docker;
use crate::engine::{Engine, ExecSpec, TerminalSize};
use futures_util::StreamExt;
use nix::sys::termios::{self, SetArg, Termios};
use std::io::{self, Write};
use terminal_size::{Height, Width};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// The terminal in raw mode, until dropped.
struct Raw(Termios);

impl Raw {
    /// None when standard input is no terminal.
    fn enter() -> Option<Raw> {
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &raw).ok()?;
        Some(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing is left to try when it fails.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Runs `spec` in container `id` and returns its exit code.
///
/// # Errors
/// The engine's, or standard output is gone.
pub async fn join(engine: &Docker, id: &str, spec: &ExecSpec) -> Result<Exit, Failure> {
    let mut exec = engine.exec(id, spec).await?;
    let raw = if spec.tty { Raw::enter() } else { None };
    let resizing = spec.tty.then(|| {
        let (engine, exec) = (engine.clone(), exec.id.clone());
        tokio::spawn(async move { follow_size(&engine, &exec).await })
    });
    let forward = spec.stdin.then(|| {
        let mut input = exec.input;
        tokio::spawn(async move {
            let mut stdin = tokio::io::stdin();
            let mut buffer = [0; 4096];
            // The command may end before its input does.
            while let Ok(read @ 1..) = stdin.read(&mut buffer).await {
                if input.write_all(&buffer[..read]).await.is_err() || input.flush().await.is_err() {
                    return;
                }
            }
            let _ = input.shutdown().await;
        })
    });
    let mut result = Ok(());
    while let (Some(piece), Ok(())) = (exec.output.next().await, &result) {
        result = match piece {
            Err(error) => Err(error.into()),
            Ok(piece) if piece.stderr => write(io::stderr().lock(), &piece.bytes),
            Ok(piece) => write(io::stdout().lock(), &piece.bytes),
        };
    }
    for task in [forward, resizing].into_iter().flatten() {
        task.abort();
    }
    drop(raw);
    result?;
    let code = engine.exec_exit_code(&exec.id).await?;
    let code = code.and_then(|code| u8::try_from(code).ok());
    code.map(Exit::Command)
        .ok_or_else(|| Failure::Bug("a command ended without an exit code".into()))
}

/// Tells the command the size of this terminal, now and whenever it changes.
async fn follow_size(engine: &Docker, exec: &str) {
    let Ok(mut changed) = signal(SignalKind::window_change()) else {
        return;
    };
    while let Some((Width(columns), Height(rows))) = terminal_size::terminal_size() {
        // A command that has just ended has no terminal any more.
        let _ = engine
            .exec_resize(exec, TerminalSize { columns, rows })
            .await;
        if changed.recv().await.is_none() {
            return;
        }
    }
}

fn write(mut to: impl Write, bytes: &[u8]) -> Result<(), Failure> {
    to.write_all(bytes)
        .and_then(|()| to.flush())
        .map_err(Failure::Output)
}
