//! The devices of the node `host`, and the ports that are published from it.
//!
//! Owns the order of both. When it is done is the core's to say, how it is done `publish`'s.

use super::wiring::{WIRING, tell_wired};
use super::{AgentError, Driver, Input, Message, Seat, Specs, Wired, said, sys};
use crate::agent::publish::{Publisher, Wanted, wanted};
use crate::engine::Engine;
use crate::fabric::wire::wire;
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::record::stream::Published;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::timeout;

impl<E: Engine + 'static> Driver<E> {
    /// Wires the network of `host` and publishes all ports of the lab; both, or nothing.
    pub(super) fn wire_host(&mut self, node: NodeIndex, serial: u64) -> Result<(), AgentError> {
        let (specs, ports) = (self.fabric.wire_specs(node)?, wanted(&self.core.lab));
        let (publisher, inbox) = (Arc::clone(&self.publisher), self.sender.clone());
        let epoch = self.moves.epoch();
        spawn_local(async move {
            let wiring = spawn_blocking(move || open(&publisher, &specs, &ports));
            let result = match timeout(WIRING, wiring).await {
                Err(_) => Err(format!("it took more than {}s", WIRING.as_secs())),
                Ok(Err(error)) => Err(said(&error)),
                Ok(Ok(result)) => result,
            };
            let result = match result {
                Ok((wired, ports)) => {
                    let published = Message::Input(Input::Published { ports });
                    let _ = inbox.send(published).await; // the agent may be ending
                    Ok(wired)
                }
                Err(why) => Err(why),
            };
            tell_wired(&inbox, Seat { epoch, node }, serial, result).await;
        });
        Ok(())
    }

    /// Publishes what `lab` wants beside what is published; after an error nothing new is.
    pub(super) fn publish(&self, lab: &Lab) -> Result<(), String> {
        let opened = self.lock_publisher().open(&wanted(lab));
        opened.map_err(|error| said(&error))
    }

    /// After an adoption that failed.
    pub(super) fn publish_as_before(&self) {
        let mut publisher = self.lock_publisher();
        let before = wanted(&self.core.lab);
        if let Err(error) = publisher.open(&before) {
            tracing::error!(%error, "a port that was published is lost");
        }
        publisher.close_others(&before);
    }

    /// After an adoption: what the lab no longer wants is gone.
    pub(super) fn published(&mut self) {
        let ports = {
            let mut publisher = self.lock_publisher();
            publisher.close_others(&wanted(&self.core.lab));
            publisher.published()
        };
        self.core.handle(sys::now(), Input::Published { ports });
    }

    fn lock_publisher(&self) -> MutexGuard<'_, Publisher> {
        self.publisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(
    publisher: &Mutex<Publisher>,
    specs: &Specs,
    ports: &[Wanted],
) -> Result<(Wired, Vec<Published>), String> {
    let mut publisher = publisher.lock().unwrap_or_else(PoisonError::into_inner);
    let network = publisher.network().map_err(|error| said(&error))?;
    let netns = sys::namespace_number(network).map_err(|error| said(&error))?;
    let mut tuns = Vec::with_capacity(specs.len());
    for (place, spec) in specs {
        tuns.push((*place, wire(network, spec).map_err(|error| said(&error))?));
    }
    publisher.open(ports).map_err(|error| said(&error))?;
    let wired = Wired {
        tuns,
        pid: 0,
        netns,
    };
    Ok((wired, publisher.published()))
}
