//! Connections of a published TCP port, on the thread in the network of `host`.
//!
//! Owns what is carried from the one accepted to the one made. Must not know whose port it is.
//!
//! A connection is accepted before its node has answered: what the link does is felt by what is sent. Where
//! the node refuses or resets, the other side is reset; the end of one direction is passed on alone.

use super::super::sys;
use super::{AGAIN, CONNECTIONS};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Bytes read ahead in each direction of a connection.
const BUFFER: usize = 64 << 10;
/// How long a node may take to accept: as long as Linux tries by itself (tcp_syn_retries in tcp(7)).
const PATIENCE: Duration = Duration::from_secs(127);

/// Takes connections, each on its own; ends them when it is dropped.
pub(super) async fn accept(listener: TcpListener, to: Arc<Mutex<SocketAddr>>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a port cannot be watched"),
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((client, _)) => {
                let to = *to.lock().unwrap_or_else(PoisonError::into_inner);
                connections.spawn(async move {
                    carry(client, to).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Carries one connection to its end. However it ends but in order, both sides are reset.
async fn carry(mut client: TcpStream, to: SocketAddr) {
    if sys::reset_when_closed(&client, true).is_err() || client.set_nodelay(true).is_err() {
        return;
    }
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let Ok(socket) = socket else {
        return;
    };
    // Before it connects: who hangs up meanwhile resets a node that has accepted already.
    if sys::reset_when_closed(&socket, true).is_err() || socket.set_nodelay(true).is_err() {
        return;
    }
    let connecting = tokio::time::timeout(PATIENCE, socket.connect(to));
    let mut node = tokio::select! {
        made = connecting => match made {
            Ok(Ok(node)) => node,
            Ok(Err(_)) | Err(_) => return,
        },
        // Who has hung up waits for nothing.
        _ = client.ready(tokio::io::Interest::ERROR) => return,
    };
    let carried = copy_bidirectional_with_sizes(&mut client, &mut node, BUFFER, BUFFER).await;
    if carried.is_ok() {
        for side in [&client, &node] {
            let _ = sys::reset_when_closed(side, false); // it only has to end
        }
    }
}
