//! Each thing that the core says, and who of the driver does it.
//!
//! Owns what takes a line or a call of the engine; the rest has modules of its own. Must not decide.

use super::{AgentError, Driver, GateAnswer, Message, Outgoing, Wanted, said, sys, watch};
use crate::agent::core::{Action, Input};
use crate::agent::desire::Operation;
use crate::engine::Engine;
use crate::id::NodeIndex;
use netlab_protocol::control::ToNode;
use std::rc::Rc;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

impl<E: Engine + 'static> Driver<E> {
    /// Does one thing.
    pub(super) fn do_one(&mut self, action: Action) -> Result<(), AgentError> {
        match action {
            Action::WireKnock {
                node,
                knock,
                serial,
            } => self.wire_knock(node, knock, serial)?,
            Action::WireContainer {
                node,
                container,
                serial,
            } => {
                self.wire_container(node, container, serial)?;
            }
            Action::WireHost { node, serial } => self.wire_host(node, serial)?,
            Action::Attach { node, serial } => self.attach(node, serial)?,
            Action::Discard { serial } => drop(self.tuns.remove(&serial)),
            Action::Detach { node } => {
                self.reads.end(node);
                self.fabric.detach(node)?;
            }
            Action::Pin { node } => self.pin(node),
            Action::Unpin { node } => self.ports[node.at()].pin = None,
            Action::Empty { node, volume } => self.empty(node, volume),
            Action::SetVolume {
                node,
                serial,
                condition,
            } => self.set_volume(node, serial, condition),
            Action::OpenGate { knock } => {
                if let Some(waiting) = self.knocks.remove(&knock) {
                    let _ = waiting.answer.send(GateAnswer::Go); // it may have hung up
                }
            }
            Action::DropKnock { knock } => drop(self.knocks.remove(&knock)),
            Action::Send { conn, message } => {
                self.tell_program(conn, self.sabotage.program(message));
            }
            Action::Close { conn } => drop(self.programs.remove(&conn)),
            Action::Network { links, resolver } => {
                let links = self.sabotage.links(links, &self.core.lab);
                let resolver = self.sabotage.resolver(resolver);
                let mut at = self.fabric.change(&links)?;
                if !resolver.is_empty() {
                    at = self.fabric.change_resolver(&resolver)?;
                }
                self.core.handle(sys::now(), Input::LinksHold { at });
            }
            Action::Abort { fault, links } => {
                let count = match self.sabotage.aborts() {
                    true => 0,
                    false => self.fabric.abort(&links)?.0,
                };
                self.core
                    .handle(sys::now(), Input::Aborted { fault, count });
            }
            Action::Look(look) => self.look(look)?,
            Action::Stand => self.stand()?,
            Action::Operate {
                node,
                container,
                serial,
                operation,
            } => {
                self.operate(node, container, serial, operation);
            }
            Action::Probe {
                node,
                container,
                serial,
                port,
            } => self.probe(node, container, serial, port),
            Action::Inspect { node, container } => self.inspect(node, container),
            Action::OpenRun { id, go } => {
                self.fabric.begin_traces(go)?;
                self.recorder.open(&id, go, &self.core.lab, &self.fabric)?;
            }
            Action::ReopenRun { id, go } => {
                self.fabric.begin_traces(go)?;
                self.recorder.reopen(&id, go, &self.fabric)?;
            }
            Action::Timeline(moments) => self.recorder.timeline(&self.core.lab, &moments)?,
            Action::Event(event) => {
                self.at_border |= self.is_border(&event.what);
                self.recorder.event(&event)?;
            }
            Action::Latency { node, counts } => {
                self.recorder
                    .latency(self.core.lab.nodes[node.at()].name.as_str(), &counts)?;
            }
            Action::Requests { node, rows } => {
                let name = self.core.lab.nodes[node.at()].name.as_str();
                self.recorder.requests(name, &rows)?;
            }
            Action::Samples { node, t, samples } => {
                let nodes = &self.core.lab.nodes;
                let name = node.map_or("", |node| nodes[node.at()].name.as_str());
                self.recorder.samples(t, name, &samples)?;
            }
            Action::CloseRun { drops } => {
                self.recorder.close(drops, &self.core.lab, &self.fabric)?;
            }
            Action::TellLinks { client } => self.read_for(client, Wanted::Links),
            Action::TellMetrics { client } => self.read_for(client, Wanted::Metrics),
            Action::Capture {
                client,
                filter,
                most,
            } => self.capture(client, filter, most)?,
            Action::Reply {
                client,
                reply,
                last,
            } => self.reply(client, reply, last),
            Action::Backlog { client, events } => {
                if let Some(sender) = self.clients.get(&client) {
                    let _ = sender.try_send(Outgoing::Many(events)); // the first in its queue
                }
            }
            Action::Log(text) => tracing::info!("{text}"),
        }
        Ok(())
    }

    fn tell_program(&mut self, conn: u64, message: ToNode) {
        let full = |sender: &mpsc::Sender<ToNode>| sender.try_send(message).is_err();
        if self.programs.get(&conn).is_some_and(full) {
            // It does not read: it is hung up on, and connects again when it is better.
            self.programs.remove(&conn);
        }
    }

    fn operate(&mut self, node: NodeIndex, container: String, serial: u64, operation: Operation) {
        let (engine, inbox) = (Rc::clone(&self.engine), self.sender.clone());
        let epoch = self.moves.epoch();
        let stopped = self.sabotage.stops(operation);
        spawn_local(async move {
            let result = match operation {
                _ if stopped => Ok(()),
                Operation::Kill => engine.kill(&container, "SIGKILL").await,
                Operation::Stop(grace) => engine.stop(&container, grace).await,
                Operation::Pause => engine.pause(&container).await,
                Operation::Unpause => engine.unpause(&container).await,
                Operation::Start => engine.start(&container).await,
                Operation::Limit(limits) => engine.limit(&container, limits).await,
            };
            if let Some(input) = watch::see(&*engine, node, container).await {
                let _ = inbox.send(Message::OfNode { epoch, input }).await; // the agent may be ending
            }
            let result = result.map_err(|error| said(&error));
            let input = Input::Done {
                node,
                serial,
                result,
            };
            let _ = inbox.send(Message::OfNode { epoch, input }).await;
        });
    }

    fn inspect(&self, node: NodeIndex, container: String) {
        let (engine, inbox) = (Rc::clone(&self.engine), self.sender.clone());
        let epoch = self.moves.epoch();
        spawn_local(async move {
            if let Some(input) = watch::see(&*engine, node, container).await {
                let _ = inbox.send(Message::OfNode { epoch, input }).await; // the agent may be ending
            }
        });
    }
}
