//! Looks whether a program takes connections, from inside its node's network.
//!
//! Owns how long one look may take and how soon the next one is. What follows from it is the core's.

use super::{Driver, Input, Message, Seat};
use crate::agent::identity::Caller;
use crate::engine::Engine;
use crate::fabric::wire::inside;
use crate::id::NodeIndex;
use crate::lab::Addresses;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{spawn_blocking, spawn_local};

/// How long a connection may take; it crosses no link.
const PATIENCE: Duration = Duration::from_millis(500);
/// Pause before a look in vain is told, and so repeated.
const AGAIN: Duration = Duration::from_millis(100);

impl<E: Engine + 'static> Driver<E> {
    /// Connects to the node's own address: what only listens on loopback serves nobody.
    pub(super) fn probe(&mut self, node: NodeIndex, container: String, serial: u64, port: u16) {
        let epoch = self.moves.epoch();
        let (pid, inbox) = (self.ports[node.at()].pid, self.sender.clone());
        let addresses = self.core.lab.nodes[node.at()].addresses();
        let identity = Rc::clone(&self.identity);
        spawn_local(async move {
            let open = match identity.open(pid, Seat { epoch, node }, container) {
                Ok(caller) => takes_connections(caller, addresses, port).await,
                Err(_) => false, // its devices are not in place yet, or it is gone
            };
            if !open {
                tokio::time::sleep(AGAIN).await;
            }
            let input = Input::Probed { node, serial, open };
            let _ = inbox.send(Message::OfNode { epoch, input }).await; // the agent may be ending
        });
    }
}

async fn takes_connections(caller: Caller, addresses: Addresses, port: u16) -> bool {
    let looking = spawn_blocking(move || {
        let connects = || {
            let families = [
                SocketAddr::from((addresses.v4, port)),
                (addresses.v6, port).into(),
            ];
            let mut families = families.iter();
            families.any(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok())
        };
        matches!(inside(caller.namespace.as_fd(), connects), Ok(Ok(true)))
    });
    looking.await.unwrap_or(false)
}
