//! Devices for nodes: wires namespaces, hands devices to the fabric, holds namespaces.
//!
//! Owns how long a wiring may take. Who is wired when is the core's to say.

use super::{AgentError, Caller, Driver, Input, Message, Seat, Specs, Wired, said, sys};
use crate::engine::Engine;
use crate::fabric::wire::{WireSpec, wire};
use crate::id::{NetworkIndex, NodeIndex};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::timeout;

/// A namespace is wired within this time, or the attempt has failed.
pub(super) const WIRING: Duration = Duration::from_secs(10);
/// Pause before a running container is wired again after a failure.
const AGAIN: Duration = Duration::from_millis(500);

impl<E: Engine + 'static> Driver<E> {
    pub(super) fn wire_knock(
        &mut self,
        node: NodeIndex,
        knock: u64,
        serial: u64,
    ) -> Result<(), AgentError> {
        let caller = self
            .knocks
            .get_mut(&knock)
            .and_then(|waiting| waiting.caller.take());
        let (specs, inbox) = (self.fabric.wire_specs(node)?, self.sender.clone());
        let epoch = self.moves.epoch();
        spawn_local(async move {
            let result = match caller {
                Some(caller) => wire_caller(caller, specs).await,
                None => Err("its gate hung up".into()),
            };
            tell_wired(&inbox, Seat { epoch, node }, serial, result).await;
        });
        Ok(())
    }

    pub(super) fn wire_container(
        &mut self,
        node: NodeIndex,
        container: String,
        serial: u64,
    ) -> Result<(), AgentError> {
        let (specs, inbox) = (self.fabric.wire_specs(node)?, self.sender.clone());
        let (engine, identity) = (Rc::clone(&self.engine), Rc::clone(&self.identity));
        let epoch = self.moves.epoch();
        spawn_local(async move {
            let result = async {
                let state = engine.inspect(&container).await.map_err(|e| said(&e))?;
                let pid = state.map_or(0, |state| state.pid);
                let seat = Seat { epoch, node };
                let caller = identity.open(pid, seat, container).map_err(|e| said(&e))?;
                wire_caller(caller, specs).await
            };
            let result = result.await;
            if result.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
            tell_wired(&inbox, Seat { epoch, node }, serial, result).await;
        });
        Ok(())
    }

    pub(super) fn attach(&mut self, node: NodeIndex, serial: u64) -> Result<(), AgentError> {
        let Some(Wired { tuns, pid, netns }) = self.tuns.remove(&serial) else {
            return Ok(());
        };
        let member = &self.core.state.members[node.at()];
        let port = &mut self.ports[node.at()];
        (port.pid, port.netns, port.drops) = (pid, netns, 0);
        port.container = member.container.clone().unwrap_or_default();
        for (network, tun) in tuns {
            self.fabric.attach(node, network, tun)?;
        }
        Ok(())
    }

    /// Holds the namespace of a node, so that its kernel goes on answering when its processes end.
    pub(super) fn pin(&mut self, node: NodeIndex) {
        let epoch = self.moves.epoch();
        let seat = Seat { epoch, node };
        let port = &mut self.ports[node.at()];
        let why = match self.identity.open(port.pid, seat, port.container.clone()) {
            Ok(caller) if caller.netns == port.netns => {
                port.pin = Some(caller.namespace);
                return;
            }
            Ok(_) => "its network has changed".to_owned(),
            Err(why) => said(&why),
        };
        self.core.handle(sys::now(), Input::PinFailed { node, why });
    }
}

pub(super) async fn tell_wired(
    inbox: &mpsc::Sender<Message>,
    Seat { epoch, node }: Seat,
    serial: u64,
    result: Result<Wired, String>,
) {
    let wired = Message::Wired {
        epoch,
        node,
        serial,
        result,
    };
    let _ = inbox.send(wired).await; // the agent may be ending
}

async fn wire_caller(caller: Caller, specs: Specs) -> Result<Wired, String> {
    let (pid, netns) = (caller.pid, caller.netns);
    // The namespace is closed with `caller`, whatever comes of the wiring; devices made before one
    // that fails go with their descriptors.
    let wiring = spawn_blocking(move || {
        let device = |(network, spec): &(NetworkIndex, WireSpec)| {
            wire(caller.namespace.as_fd(), spec).map(|tun| (*network, tun))
        };
        specs.iter().map(device).collect::<Result<Vec<_>, _>>()
    });
    match timeout(WIRING, wiring).await {
        Err(_) => Err(format!("it took more than {}s", WIRING.as_secs())),
        Ok(Err(error)) => Err(said(&error)),
        Ok(Ok(Err(error))) => Err(said(&error)),
        Ok(Ok(Ok(tuns))) => Ok(Wired { tuns, pid, netns }),
    }
}
