//! The process inside the lab: wires nodes, owns the fabric, plays the timeline, collects samples,
//! keeps record, position and lease.
//!
//! Owns what happens from the start of its container to its end. Must not print, nor parse the
//! topology: it is given `lab.json` and `agent.json`.
//!
//! ```text
//!  doors (gate, control, attach sockets) ─┐            ┌─► fabric, engine, wiring
//!  watch (events of the engine) ──────────┼─► driver ──┼─► recorder, position on disk
//!  clock ─────────────────────────────────┘    ▲ │     └─► answers to nodes and clients
//!                                       Action │ │ Input
//!                                             core (pure): state · play · apply · desire · player
//! ```
//!
//! Everything the core knows came as an [`core::Input`]; everything it wants leaves as an
//! [`core::Action`]. So whole lives of labs are tested without engine, network or clock.

mod abort;
mod adopt;
mod alarm;
mod apply;
mod attach;
mod by_hand;
mod cgroup;
mod collect;
mod compare;
mod conditions;
mod conduct;
mod core;
mod crashes;
mod desire;
mod doors;
mod driver;
mod healed;
mod host;
mod identity;
mod judge;
#[cfg(test)]
mod layout_tests;
mod lease;
mod limited;
mod links;
mod live;
mod look;
mod machine;
mod measured;
mod names;
mod nodes;
mod one_by_one;
mod play;
mod player;
mod position;
mod probe;
mod process;
mod prove;
mod publish;
mod recorder;
mod replies;
mod requests;
mod resume;
mod sampler;
mod scrape;
mod scraped;
mod state;
mod sys;
#[cfg(test)]
mod tests;
mod traffic;
mod volumes;
mod watch;
mod watched;
mod wipes;
#[cfg(test)]
mod world;

pub use attach::attach;
pub use probe::{Probe, Process, probe};

use self::core::Core;
use self::doors::Doors;
use self::driver::{Driver, Message, Sabotage};
use self::identity::Identity;
use self::recorder::Recorder;
use self::sampler::Sampler;
use crate::engine::{ConnectError, Docker, Engine, EngineError};
use crate::fabric::{self, Fabric, FabricError};
use crate::id::NodeIndex;
use crate::lab::Lab;
use crate::plan::{AGENT_ENGINE_SOCKET, AGENT_GATE, AGENT_STATE, AgentConfig};
use crate::record::WriteError;
use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Messages that may wait for the driver; who sends more waits.
const INBOX: usize = 1024;
/// Threads for wiring and sampling.
const BLOCKING_THREADS: usize = 8;

/// Why the agent ends; the engine starts it again.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A file that the CLI puts into the lab's volume.
    #[error("{} cannot be read: the lab is half-made, take it down", path.display())]
    Config {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel does not let the agent give up rights, or tell the boot.
    #[error("the agent could not set itself up")]
    Start(#[source] io::Error),
    /// No engine.
    #[error("the agent cannot reach the engine at {AGENT_ENGINE_SOCKET}")]
    Connect(#[source] ConnectError),
    /// A call to the engine.
    #[error("the engine refused")]
    Engine(#[source] EngineError),
    /// The fabric.
    #[error("the fabric failed")]
    Fabric(#[from] FabricError),
    /// A socket in the lab's volume.
    #[error("a socket could not be opened in the lab's volume")]
    Socket(#[source] io::Error),
    /// The record.
    #[error("the record could not be written")]
    Record(#[from] WriteError),
    /// The position.
    #[error("the agent's position could not be read or written")]
    Position(#[source] io::Error),
}

/// Where the agent finds and puts things.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder that nodes see as `/.netlab`.
    pub gate: PathBuf,
    /// The agent's own folder.
    pub state: PathBuf,
    /// The network of the engine's host, where ports are published; none: nowhere.
    pub outside: Option<Arc<OwnedFd>>,
}

impl Default for Places {
    /// Those of the agent's container.
    fn default() -> Places {
        Places {
            gate: AGENT_GATE.into(),
            state: AGENT_STATE.into(),
            outside: None,
        }
    }
}

/// Runs the agent in its container until SIGTERM: `netlab agent`. `publish`: the network in which it
/// begins is that of the engine's host, where it publishes ports; it works in one of its own.
///
/// # Errors
/// What the agent cannot live without.
pub fn run(publish: bool) -> Result<(), AgentError> {
    // Before any thread is started: rights belong to threads.
    let capabilities = sys::drop_capabilities().map_err(AgentError::Start)?;
    let outside = publish.then(sys::leave_network).transpose();
    let places = Places {
        outside: outside.map_err(AgentError::Start)?.map(Arc::new),
        ..Places::default()
    };
    runtime()?.block_on(async {
        let endpoint = format!("unix://{AGENT_ENGINE_SOCKET}");
        let engine = Docker::connect_to(&endpoint)
            .await
            .map_err(AgentError::Connect)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(AgentError::Start)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(AgentError::Start)?;
        let end = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serve(engine, places, capabilities, end).await
    })
}

/// The runtime that the agent works in: one thread, and a few for calls that block.
///
/// # Errors
/// The kernel's.
pub fn runtime() -> Result<tokio::runtime::Runtime, AgentError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(AgentError::Start)
}

/// The agent with any engine and in any folders, until `end` is over.
///
/// # Errors
/// What the agent cannot live without.
pub async fn serve<E: Engine + 'static>(
    engine: E,
    places: Places,
    capabilities: Vec<String>,
    end: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(serve_locally(engine, places, capabilities, end))
        .await
}

async fn serve_locally<E: Engine + 'static>(
    engine: E,
    places: Places,
    capabilities: Vec<String>,
    end: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let config: AgentConfig = read_json(&places.state.join("agent.json"))?;
    let lab: Lab = read_json(&places.state.join("lab.json"))?;
    let boot = sys::boot_id().map_err(AgentError::Start)?;
    let found = position::read(&places.state).map_err(AgentError::Position)?;
    let created = found
        .as_ref()
        .map_or_else(sys::unix_time, |position| position.created);

    let fabric = Fabric::start(fabric_config(&lab))?;
    fabric.set_traces(lab.traces.clone())?;
    let engine = Rc::new(engine);
    let outside = places.outside.as_ref();
    let outside = outside.and_then(|network| sys::namespace_number(network.as_ref()).ok());
    let identity = Identity::new(Rc::clone(&engine), &config.instance, &lab, outside);
    let identity = Rc::new(identity);
    let recorder = Recorder::new(places.state.join("runs"), capabilities, config.build);
    let (sender, inbox) = mpsc::channel(INBOX);
    watch_devices(&fabric, &sender, 0)?;

    let mut core = Core::new(lab, boot.clone(), created);
    core.runs = recorder.ids();
    let last = core
        .runs
        .last()
        .map_or_else(Vec::new, |id| recorder.events(id));
    core.resume(sys::now(), position::resume(found, &boot), last);
    let nodes = core.lab.nodes.len();
    let sampler = Sampler::start(core.lab.sampling, sender.clone()).map_err(AgentError::Start)?;
    let lease = (config.ttl, config.instance.clone());
    let sabotage = config.sabotage;
    let watched = watch::watch(
        Rc::clone(&engine),
        Rc::clone(&identity),
        config.instance,
        sender.clone(),
    );
    let doors = Rc::new(Doors {
        identity: Rc::clone(&identity),
        inbox: sender.clone(),
        next: Cell::new(0),
        nodes,
    });
    let mut driver = Driver::new(
        core, engine, identity, fabric, recorder, &places, lease, sender, sampler,
    );
    driver.sabotage = Sabotage::new(sabotage);
    driver.act()?;
    driver.rooms = doors
        .open(&places.gate, &places.state)
        .map_err(AgentError::Socket)?;
    tokio::task::spawn_local(watched);
    let hurries = alarm::hurry();
    tracing::info!(nodes, hurries, "the agent is at work");
    driver.run(inbox, end).await
}

/// A device that vanishes is told to the driver, whatever the engine says.
fn watch_devices(
    fabric: &Fabric,
    sender: &mpsc::Sender<Message>,
    epoch: u32,
) -> Result<(), AgentError> {
    let sender = sender.clone();
    fabric.on_lost_device(move |node| {
        let input = self::core::Input::DeviceLost { node };
        let lost = Message::OfNode { epoch, input };
        let _ = sender.try_send(lost); // the engine's die event says the same
    })?;
    Ok(())
}

fn fabric_config(lab: &Lab) -> fabric::Config {
    let place = |interface: &crate::lab::Interface| fabric::InterfaceConfig {
        network: interface.network,
        v4: interface.addresses.v4,
        v6: interface.addresses.v6,
    };
    let node = |node: &crate::lab::Node| fabric::NodeConfig {
        name: node.name.to_string(),
        forward: node.forward,
        interfaces: node.interfaces.iter().map(place).collect(),
        uplink: node.uplink,
        downlink: node.downlink,
    };
    let mut names = lab.groups.clone();
    for (at, node) in lab.nodes.iter().enumerate() {
        names.insert(node.name.to_string(), vec![NodeIndex(at as u32)]);
    }
    let link = |link: &crate::lab::Link| (link.from, link.to, link.properties);
    let network = |network: &crate::lab::Network| fabric::NetworkConfig {
        name: network.name.to_string(),
        v4: (network.v4, network.v4_prefix),
        v6: (network.v6, network.v6_prefix),
        resolver: (network.resolver.v4, network.resolver.v6),
        wires: network.wires.clone(),
        ends: lab.host().into_iter().collect(),
        reach: network.reach,
        default_link: network.links.default,
        links: network.links.others.iter().map(link).collect(),
    };
    fabric::Config {
        seed: lab.seed,
        networks: lab.networks.iter().map(network).collect(),
        nodes: lab.nodes.iter().map(node).collect(),
        names,
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, AgentError> {
    let read = || -> io::Result<T> { Ok(serde_json::from_slice(&std::fs::read(path)?)?) };
    read().map_err(|source| AgentError::Config {
        path: path.to_owned(),
        source,
    })
}
