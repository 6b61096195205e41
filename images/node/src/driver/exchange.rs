//! One request to another node, and its answer.

use super::node::{Node, Target, add};
use super::pool::of_hyper;
use super::{LEFT, REASON};
use crate::role::http::{Answer, Body, Failure, Method, Request};
use crate::role::route::MAX_VALUE;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap};
use netlab_protocol::conduct::{self, DIGEST, VERSION};
use std::str::FromStr;

/// Sends `request` to `target` and reads the answer to its end.
///
/// # Errors
/// Why there is no whole answer. It never gives up by itself: who started it ends it.
pub async fn exchange(
    node: &Node,
    target: &Target,
    request: Request,
    body_wanted: bool,
) -> Result<Answer, Failure> {
    let length = request.body.len();
    let message = message(target, request).map_err(|_| Failure::Other)?;
    let mut connection = node.pool.take(target.address).await?;
    let sent = connection.sender.send_request(message);
    add(&node.traffic.sent, length);
    let response = sent.await.map_err(|e| of_hyper(&e))?;
    let (head, body) = response.into_parts();
    let meant = hexadecimal(&head.headers, DIGEST);
    let (body, is_corrupt) = read(node, body, body_wanted, meant).await?;
    node.pool.give_back(target.address, connection);
    Ok(Answer {
        status: head.status.as_u16(),
        version: number(&head.headers, VERSION),
        failure: head
            .headers
            .get(REASON)
            .and_then(|word| Failure::parse(word.to_str().ok()?)),
        digest: meant,
        is_corrupt,
        body: Body::Bytes(body),
    })
}

fn message(
    target: &Target,
    request: Request,
) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
    let method = match request.method {
        Method::Get | Method::Other => "GET",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let mut message = hyper::Request::builder()
        .method(method)
        .uri(request.path)
        .header(HOST, target.host.as_str());
    if let Some(left) = request.left {
        message = message.header(LEFT, left / 1_000);
    }
    if request.method == Method::Put {
        message = message.header(CONTENT_LENGTH, request.body.len());
    }
    message.body(Full::new(request.body))
}

/// Reads a body to its end; keeps it if it is wanted and no larger than a value may be. Beside it:
/// whether it is another than is meant.
async fn read(
    node: &Node,
    mut body: Incoming,
    is_wanted: bool,
    meant: Option<u64>,
) -> Result<(Bytes, bool), Failure> {
    let (mut kept, mut digest) = (Vec::new(), conduct::BASIS);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| of_hyper(&e))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        add(&node.traffic.received, data.len());
        if meant.is_some() {
            digest = conduct::more(digest, data);
        }
        if is_wanted {
            if kept.len() + data.len() > MAX_VALUE {
                return Err(Failure::Other);
            }
            kept.extend_from_slice(data);
        }
    }
    Ok((kept.into(), meant.is_some_and(|meant| meant != digest)))
}

/// A header that holds a hexadecimal number.
fn hexadecimal(headers: &HeaderMap, name: &str) -> Option<u64> {
    u64::from_str_radix(headers.get(name)?.to_str().ok()?, 16).ok()
}

/// A header that holds a number.
pub fn number<T: FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
