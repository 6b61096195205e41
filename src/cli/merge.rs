//! Pieces of output into lines, and the lines of several nodes into one order of time.

use crate::engine::{EngineError, LogLine};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::collections::VecDeque;

/// Longest line that is kept whole; a longer one is cut into several.
const MAX_LINE: usize = 64 << 10;

/// A line that a node wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The engine's time stamp (RFC 3339, so that texts sort as times do).
    pub at: String,
    /// The text, without its end.
    pub text: String,
}

/// Lines of one node's output.
pub struct Lines {
    pieces: BoxStream<'static, Result<LogLine, EngineError>>,
    /// The beginning of a line, of stdout and stderr.
    begun: [Vec<u8>; 2],
    ready: VecDeque<Line>,
    ended: bool,
}

impl Lines {
    /// Of output with the engine's time stamps.
    pub fn new(pieces: BoxStream<'static, Result<LogLine, EngineError>>) -> Lines {
        Lines {
            pieces,
            begun: Default::default(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// The stream's.
    pub async fn next(&mut self) -> Result<Option<Line>, EngineError> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            match self.pieces.next().await {
                Some(piece) => self.take(piece?),
                None => {
                    self.ended = true;
                    for begun in std::mem::take(&mut self.begun) {
                        if !begun.is_empty() {
                            self.ready.push_back(parse(&begun));
                        }
                    }
                }
            }
        }
    }

    fn take(&mut self, piece: LogLine) {
        let begun = &mut self.begun[usize::from(piece.stderr)];
        for part in piece.bytes.split_inclusive(|&byte| byte == b'\n') {
            begun.extend_from_slice(part);
            if begun.ends_with(b"\n") || begun.len() > MAX_LINE {
                self.ready.push_back(parse(begun));
                begun.clear();
            }
        }
    }
}

/// Splits the time stamp off and makes the rest harmless for a terminal.
fn parse(bytes: &[u8]) -> Line {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\n', '\r']);
    let (at, text) = text.split_once(' ').unwrap_or((text, ""));
    Line {
        at: at.to_owned(),
        text: text.to_owned(),
    }
}

/// Several nodes' lines, the earliest first.
pub struct Merged {
    nodes: Vec<Lines>,
    heads: Vec<Option<Line>>,
}

impl Merged {
    /// Reads the first line of each.
    ///
    /// # Errors
    /// A stream's.
    pub async fn new(mut nodes: Vec<Lines>) -> Result<Merged, EngineError> {
        let mut heads = Vec::with_capacity(nodes.len());
        for node in &mut nodes {
            heads.push(node.next().await?);
        }
        Ok(Merged { nodes, heads })
    }

    /// The next line and its node's place; none when all have ended.
    ///
    /// # Errors
    /// A stream's.
    pub async fn next(&mut self) -> Result<Option<(usize, Line)>, EngineError> {
        let heads = self.heads.iter().enumerate();
        let heads = heads.filter_map(|(at, head)| Some((&head.as_ref()?.at, at)));
        let Some((_, first)) = heads.min() else {
            return Ok(None);
        };
        let next = self.nodes[first].next().await?;
        let line = std::mem::replace(&mut self.heads[first], next);
        Ok(line.map(|line| (first, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Lines {
        let piece = |text: &&str| {
            Ok(LogLine {
                stderr: false,
                bytes: text.as_bytes().to_vec(),
            })
        };
        let pieces: Vec<_> = pieces.iter().map(piece).collect();
        Lines::new(futures_util::stream::iter(pieces).boxed())
    }

    #[tokio::test]
    async fn lines_of_several_nodes_in_the_order_of_time() {
        let one = lines(&["1 a\n3 ", "c\n"]);
        let two = lines(&["2 b\n", "4 d"]);
        let mut merged = Merged::new(vec![one, two]).await.unwrap();
        let mut told = Vec::new();
        while let Some((node, line)) = merged.next().await.unwrap() {
            told.push(format!("{node} {}", line.text));
        }
        assert_eq!(told, ["0 a", "1 b", "0 c", "1 d"]);
    }
}
