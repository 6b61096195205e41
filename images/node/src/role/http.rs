//! Requests and answers as roles see them. Knows no sockets and no header syntax.

use super::content::Content;
use bytes::Bytes;
use netlab_protocol::conduct::digest;

/// What a request wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Write.
    Put,
    /// Remove.
    Delete,
    /// Anything else: answered 405.
    Other,
}

/// A request, sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it wants done.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The written value.
    pub body: Bytes,
    /// Nanoseconds that were left to answer it when it was sent; peers pass it on.
    pub left: Option<u64>,
}

/// An answer, sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Version of the key it speaks of.
    pub version: Option<u64>,
    /// With 502: what became of the request farther along its path.
    pub failure: Option<Failure>,
    /// Digest of the body that is meant; none where nobody vouches for it.
    pub digest: Option<u64>,
    /// Of an answer that was received: its body is not the one that its digest vouches for.
    pub is_corrupt: bool,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// These bytes.
    Bytes(Bytes),
    /// Content that is made up while it is sent.
    Generated(Content),
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection was refused.
    Refused,
    /// The connection was reset or closed before the answer was complete.
    Reset,
    /// The network said that there is no way.
    Unreachable,
    /// The kernel gave up waiting for the other side.
    Silent,
    /// Anything else.
    Other,
}

impl Answer {
    /// An answer of nothing but a status.
    pub fn status(status: u16) -> Answer {
        Answer {
            status,
            version: None,
            failure: None,
            digest: None,
            is_corrupt: false,
            body: Body::Bytes(Bytes::new()),
        }
    }

    /// 200 with a body, and its digest.
    pub fn ok(body: Bytes) -> Answer {
        Answer {
            digest: Some(digest(&body)),
            body: Body::Bytes(body),
            ..Answer::status(200)
        }
    }

    /// The same answer, speaking of a version.
    pub fn version(self, version: u64) -> Answer {
        Answer {
            version: Some(version),
            ..self
        }
    }
}

impl Failure {
    /// The word for it between peers.
    pub fn as_str(self) -> &'static str {
        match self {
            Failure::Refused => "refused",
            Failure::Reset => "reset",
            Failure::Unreachable => "unreachable",
            Failure::Silent => "silent",
            Failure::Other => "error",
        }
    }

    /// Reads what [`Failure::as_str`] wrote.
    pub fn parse(word: &str) -> Option<Failure> {
        use Failure::{Other, Refused, Reset, Silent, Unreachable};
        [Refused, Reset, Unreachable, Silent, Other]
            .into_iter()
            .find(|f| f.as_str() == word)
    }
}
