//! Watches the engine's events of the lab, and asks for everything anew after a gap.

use super::core::{EngineStatus, Input};
use super::driver::Message;
use super::identity::{Identity, Seat};
use super::sys;
use crate::engine::{Engine, EngineEvent};
use crate::id::NodeIndex;
use crate::plan::labels;
use futures_util::StreamExt;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Pause before the engine is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// Containers that are asked for at once.
const AT_ONCE: usize = 4;

/// Watches until the agent ends.
pub(super) async fn watch<E: Engine>(
    engine: Rc<E>,
    identity: Rc<Identity<E>>,
    instance: String,
    inbox: mpsc::Sender<Message>,
) {
    loop {
        let labels = [(labels::INSTANCE, instance.as_str())];
        // Events first, the list second: what happens between the two is seen twice, not never.
        match engine.events(&labels).await {
            Err(error) => tracing::warn!(%error, "the engine's events cannot be read"),
            Ok(mut events) => {
                see_all(&engine, &identity, &inbox).await;
                while let Some(Ok(event)) = events.next().await {
                    let Some(message) = understand(&identity, event) else {
                        continue;
                    };
                    if inbox.send(message).await.is_err() {
                        return;
                    }
                }
                tracing::warn!("the stream of the engine's events broke");
            }
        }
        if inbox.is_closed() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn understand<E: Engine>(identity: &Identity<E>, event: EngineEvent) -> Option<Message> {
    let Seat { epoch, node } = identity.node(event.attributes.get(labels::NODE)?)?;
    let container = event.id;
    let exit_code = event
        .attributes
        .get("exitCode")
        .and_then(|code| code.parse().ok());
    let input = match event.action.as_str() {
        "die" => Input::Died {
            node,
            container,
            exit_code: exit_code.unwrap_or(-1),
        },
        _ => Input::Changed {
            node,
            container,
            action: event.action,
        },
    };
    Some(Message::OfNode { epoch, input })
}

/// Asks for every container of the lab.
async fn see_all<E: Engine>(
    engine: &Rc<E>,
    identity: &Rc<Identity<E>>,
    inbox: &mpsc::Sender<Message>,
) {
    let known = match identity.refresh().await {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!(%error, "the lab's containers could not be listed");
            return;
        }
    };
    let seen = futures_util::stream::iter(known)
        .map(|(container, Seat { epoch, node })| async move {
            (epoch, see(&**engine, node, container).await)
        })
        .buffer_unordered(AT_ONCE);
    let mut seen = std::pin::pin!(seen);
    while let Some((epoch, input)) = seen.next().await {
        if let Some(input) = input
            && inbox.send(Message::OfNode { epoch, input }).await.is_err()
        {
            return;
        }
    }
}

/// Asks for one container; none when the engine does not answer.
pub(super) async fn see<E: Engine>(
    engine: &E,
    node: NodeIndex,
    container: String,
) -> Option<Input> {
    let asked = sys::now();
    let state = match engine.inspect(&container).await {
        Ok(state) => state,
        Err(error) => {
            tracing::warn!(%error, "a container's state is not known");
            return None;
        }
    };
    let status = state.map(|state| EngineStatus {
        status: state.status,
        exit_code: state.exit_code,
        oom_killed: state.oom_killed,
        limits: state.limits,
    });
    Some(Input::Seen {
        node,
        container,
        asked,
        status,
    })
}
