//! Which path means what.

use super::http::{Method, Request};
use bytes::Bytes;
use netlab_protocol::conduct::PROBE;

/// Longest key, in bytes.
pub const MAX_KEY: usize = 256;
/// Largest value, in bytes.
pub const MAX_VALUE: usize = 1 << 20;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Work that takes a worker's time.
    Work(Operation),
    /// `GET /keys`: how many keys are held.
    List,
    /// `GET /healthz`.
    Health,
    /// `GET /probe`: how this node answers.
    Probe,
    /// Nothing that is offered: answer this status.
    Refuse(u16),
}

/// Work that takes a worker's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read a key.
    Get(String),
    /// Write a key.
    Put(String, Bytes),
    /// Remove a key.
    Delete(String),
    /// Read a declared file.
    File(String),
}

/// The path of a key.
pub fn key_path(key: u32) -> String {
    format!("/keys/key-{key}")
}

/// What `request` asks for.
pub fn route(request: Request) -> Route {
    let path = request.path.as_str();
    if let Some(key) = path.strip_prefix("/keys/") {
        if key.is_empty() || key.len() > MAX_KEY {
            return Route::Refuse(400);
        }
        let key = key.to_owned();
        return match request.method {
            Method::Get => Route::Work(Operation::Get(key)),
            Method::Put if request.body.len() > MAX_VALUE => Route::Refuse(413),
            Method::Put => Route::Work(Operation::Put(key, request.body)),
            Method::Delete => Route::Work(Operation::Delete(key)),
            Method::Other => Route::Refuse(405),
        };
    }
    let known = match path {
        "/keys" => Some(Route::List),
        "/healthz" => Some(Route::Health),
        PROBE => Some(Route::Probe),
        _ => path
            .strip_prefix("/files/")
            .map(|name| Route::Work(Operation::File(name.to_owned()))),
    };
    match (known, request.method) {
        (Some(route), Method::Get) => route,
        (Some(_), _) => Route::Refuse(405),
        (None, _) => Route::Refuse(404),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, path: &str) -> Route {
        route(Request {
            method,
            path: path.into(),
            body: Bytes::new(),
            left: None,
        })
    }

    #[test]
    fn paths() {
        let get = |key: &str| Route::Work(Operation::Get(key.into()));
        assert_eq!(of(Method::Get, "/keys/a"), get("a"));
        assert_eq!(of(Method::Get, "/keys/a/b"), get("a/b"));
        assert_eq!(of(Method::Get, "/keys/"), Route::Refuse(400));
        let long = format!("/keys/{}", "k".repeat(257));
        assert_eq!(of(Method::Get, &long), Route::Refuse(400));
        assert_eq!(of(Method::Other, "/keys/a"), Route::Refuse(405));
        assert_eq!(of(Method::Get, "/keys"), Route::List);
        assert_eq!(of(Method::Put, "/keys"), Route::Refuse(405));
        assert_eq!(of(Method::Get, "/healthz"), Route::Health);
        assert_eq!(of(Method::Get, "/probe"), Route::Probe);
        assert_eq!(of(Method::Delete, "/files/f"), Route::Refuse(405));
        assert_eq!(of(Method::Get, "/"), Route::Refuse(404));
        assert_eq!(of(Method::Get, &key_path(3)), get("key-3"));
    }
}
