//! How a node's program answers whoever asks it: asked from inside its own network, so that no link
//! and no other fault of the network is in the way.
//!
//! Owns the question and what an answer shows. Must not know which fault wants to know; what is to
//! be expected is `judge`'s.

use netlab_protocol::conduct::{DIGEST, PROBE, VERSION, digest};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Most bytes of an answer.
const MOST: usize = 4096;
/// Between two looks at connections that have not answered.
const PAUSE: Duration = Duration::from_millis(2);
/// For a connection, which crosses no link.
const CONNECT: Duration = Duration::from_millis(200);

/// What to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Questions {
    /// How often, all at once.
    pub tries: u32,
    /// How long answers are waited for.
    pub patience: Duration,
    /// From when on one is late.
    pub late: Duration,
}

/// What came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Replies {
    /// How many questions were asked.
    pub asked: u32,
    /// Answers as they should be, however late.
    pub right: u32,
    /// Answers whose body is not what their digest says.
    pub corrupt: u32,
    /// Answers of an older version.
    pub stale: u32,
    /// Answers that came late, whatever they said.
    pub late: u32,
    /// Questions without an answer.
    pub silent: u32,
}

/// A question that is under way.
struct Asked {
    stream: TcpStream,
    since: Instant,
    read: Vec<u8>,
    /// When the answer was whole.
    took: Option<Duration>,
}

/// Asks at this address, from the network of the calling thread.
pub(super) fn ask(address: SocketAddr, questions: Questions) -> Replies {
    let mut all: Vec<Asked> = (0..questions.tries)
        .filter_map(|_| begin(address).ok())
        .collect();
    let end = Instant::now() + questions.patience;
    loop {
        let mut waits = false;
        for asked in all.iter_mut().filter(|asked| asked.took.is_none()) {
            waits |= !asked.is_over();
        }
        if !waits || Instant::now() >= end {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    let mut replies = Replies {
        asked: questions.tries,
        ..Replies::default()
    };
    for asked in &all {
        if let Some(took) = asked.took {
            replies.late += u32::from(took >= questions.late);
            replies.take(&asked.read);
        }
    }
    let answered = replies.right + replies.corrupt + replies.stale;
    replies.silent = replies.asked.saturating_sub(answered);
    replies
}

fn begin(address: SocketAddr) -> io::Result<Asked> {
    let since = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, CONNECT)?;
    let question = format!("GET {PROBE} HTTP/1.1\r\nhost: netlab\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    stream.set_nonblocking(true)?;
    Ok(Asked {
        stream,
        since,
        read: Vec::new(),
        took: None,
    })
}

impl Asked {
    /// Reads what there is; whether nothing more will come.
    fn is_over(&mut self) -> bool {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(n) if n > 0 && self.read.len() < MOST => {
                    self.read.extend_from_slice(&buffer[..n]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The end, a reset, or more than any answer is.
                Ok(_) | Err(_) => {
                    self.took = Some(self.since.elapsed());
                    return true;
                }
            }
        }
    }
}

impl Replies {
    /// Counts an answer; what makes no sense counts as none.
    fn take(&mut self, read: &[u8]) {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            return;
        };
        let (head, body) = (String::from_utf8_lossy(&read[..end]), &read[end + 4..]);
        let header = |name: &str| {
            let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().to_owned())
        };
        if !head.starts_with("HTTP/1.1 200") {
            return;
        }
        let meant = header(DIGEST).and_then(|hex| u64::from_str_radix(&hex, 16).ok());
        let fits = meant == Some(digest(body));
        let is_new = header(VERSION).as_deref() == Some("2");
        self.corrupt += u32::from(!fits);
        self.stale += u32::from(fits && !is_new);
        self.right += u32::from(fits && is_new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answer(version: u8, body: &str, meant: &str) -> String {
        let meant = digest(meant.as_bytes());
        format!("HTTP/1.1 200 OK\r\nVersion: {version}\r\n{DIGEST}: {meant:016x}\r\n\r\n{body}")
    }

    /// Four questions: one is answered as it should be, one with another bit, one with what is old, and
    /// one never.
    #[test]
    fn each_answer_shows_what_is_wrong_with_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let mut held = Vec::new();
            for said in [
                answer(2, "x", "x"),
                answer(2, "y", "x"),
                answer(1, "x", "x"),
                String::new(),
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut buffer = [0; 256];
                assert!(stream.read(&mut buffer).unwrap() > 0);
                stream.write_all(said.as_bytes()).unwrap();
                held.extend(said.is_empty().then_some(stream));
            }
            std::thread::sleep(Duration::from_millis(300));
        });
        let questions = Questions {
            tries: 4,
            patience: Duration::from_millis(200),
            late: Duration::from_secs(1),
        };
        let replies = ask(address, questions);
        let expected = Replies {
            asked: 4,
            right: 1,
            corrupt: 1,
            stale: 1,
            late: 0,
            silent: 1,
        };
        assert_eq!(replies, expected);
        serving.join().unwrap();
    }
}
