//! A node's life: told what it is, told when a run begins, told to stop; and told the same again
//! when the agent was restarted, which changes nothing.

use super::control::{Broken, Control};
use super::node::Node;
use super::outbox::Outbox;
use super::serve;
use super::volume::Volume;
use crate::role::Event;
use crate::role::store::Store;
use netlab_protocol::PROTOCOL;
use netlab_protocol::conduct::Misbehaviour;
use netlab_protocol::control::{Configure, ToAgent, ToNode};
use netlab_protocol::role::{DATA, Data, Role};
use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// One sentence that says why the node ends.
pub type Fatal = String;

/// What the node knows of itself.
#[derive(Default)]
pub struct Life {
    /// What waits to be told to the agent.
    pub outbox: Rc<Outbox>,
    /// The node, once it is started.
    pub node: Rc<OnceCell<Rc<Node>>>,
    configured: Option<Configure>,
    /// What was said of its conduct before it was started.
    conduct: Vec<Misbehaviour>,
    go: Option<(u32, u64)>,
}

impl Life {
    /// Lives until something ends it.
    pub async fn live(&mut self) -> Fatal {
        loop {
            let mut control = Control::connect().await;
            match self.talk(&mut control).await {
                Ok(fatal) => return fatal,
                Err(Broken::Nonsense(text)) => self.outbox.problem(text),
                Err(Broken::Lost) => {}
            }
            // An agent that hangs up at once must not make this a busy loop.
            sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// One connection to the agent, until it breaks.
    async fn talk(&mut self, control: &mut Control) -> Result<Fatal, Broken> {
        let protocol = PROTOCOL;
        control.send(&ToAgent::Hello { protocol }).await?;
        loop {
            let told = match control.next(&self.outbox).await? {
                ToNode::Configure(configure) => {
                    let told = self.configure(*configure);
                    if told.is_ok() {
                        control.send(&ToAgent::Ready).await?;
                    }
                    told
                }
                ToNode::Go { run, at } => {
                    self.go(run, at);
                    Ok(())
                }
                ToNode::Behave { number, wrong } => {
                    let spoilt = self.behave(wrong);
                    control.send(&ToAgent::Behaves { number, spoilt }).await?;
                    Ok(())
                }
                ToNode::Stop => {
                    self.tell(Event::Stop);
                    Ok(())
                }
            };
            if let Err(fatal) = told {
                let text = fatal.clone();
                control.send(&ToAgent::Problem { text }).await?;
                return Ok(fatal);
            }
        }
    }

    fn tell(&self, event: Event) {
        if let Some(node) = self.node.get() {
            node.handle(event);
        }
    }

    /// Returns how many answers were spoilt until now.
    fn behave(&mut self, wrong: Vec<Misbehaviour>) -> u64 {
        let Some(node) = self.node.get() else {
            self.conduct = wrong;
            return 0;
        };
        node.handle(Event::Behave { wrong });
        node.spoilt()
    }

    fn go(&mut self, run: u32, at: u64) {
        if self.go != Some((run, at))
            && let Some(node) = self.node.get()
        {
            self.go = Some((run, at));
            node.go(run, at);
        }
    }

    fn configure(&mut self, configure: Configure) -> Result<(), Fatal> {
        if configure.protocol != PROTOCOL {
            return Err(format!(
                "the agent speaks protocol {} and this node {PROTOCOL}; remove the lab with the netlab that made it",
                configure.protocol
            ));
        }
        match &self.configured {
            None => {
                let wrong = std::mem::take(&mut self.conduct);
                let node = start(&configure, wrong, &self.outbox)?;
                self.node.get_or_init(|| node);
            }
            Some(before) if *before == configure => {}
            Some(before) => {
                if fixed(before) != fixed(&configure) {
                    let text = "the agent changed what a running node cannot change (name, role, port or data); restart the node";
                    return Err(text.to_owned());
                }
                if let Some(node) = self.node.get() {
                    node.become_(&configure);
                }
            }
        }
        self.configured = Some(configure);
        Ok(())
    }
}

/// Starts what `configure` says.
fn start(
    configure: &Configure,
    wrong: Vec<Misbehaviour>,
    outbox: &Rc<Outbox>,
) -> Result<Rc<Node>, Fatal> {
    let (port, data) = match &configure.role {
        Role::Server(role) => (Some(role.port), role.data),
        Role::Peer(role) => (Some(role.port), role.data),
        Role::Client(_) => (None, Data::Memory),
    };
    let (store, volume) = match data {
        Data::Memory => (Store::default(), None),
        Data::Volume => {
            let folder = folder();
            let found = Volume::open(&folder)
                .map_err(|e| format!("the keys in {} cannot be read: {e}", folder.display()))?;
            if found.torn > 0 {
                let torn = found.torn;
                outbox.problem(format!(
                    "{torn} bytes of a write that was never finished were cut off the log of keys"
                ));
            }
            (found.store, Some(found.volume))
        }
    };
    let node = Node::new(configure, store, volume, Rc::clone(outbox))
        .map_err(|e| format!("the node cannot make a timer: {e}"))?;
    // Nobody can ask before it is said how to answer.
    node.handle(Event::Behave { wrong });
    if let Some(port) = port {
        let listener = serve::listen(port)
            .map_err(|e| format!("the node cannot listen on port {port}: {e}"))?;
        spawn_local(serve::serve(Rc::clone(&node), listener));
    }
    tell_start(configure, port);
    spawn_local(ring(Rc::clone(&node), Rc::clone(outbox)));
    spawn_local(report(Rc::clone(&node)));
    Ok(node)
}

/// The first line of the log: what this node is.
fn tell_start(configure: &Configure, port: Option<u16>) {
    let does = match (&configure.role, port) {
        (Role::Client(client), _) => format!("asks {} nodes", client.targets.len()),
        (_, Some(port)) => format!("listens on port {port}"),
        (_, None) => "does nothing".to_owned(),
    };
    let (version, node) = (env!("CARGO_PKG_VERSION"), &configure.node);
    let role = configure.role.as_str();
    eprintln!("netlab: {node} is a {role} of netlab-node {version} and {does}");
}

async fn ring(node: Rc<Node>, outbox: Rc<Outbox>) {
    if let Err(error) = node.ring().await {
        outbox.problem(format!("the node's timer broke: {error}; restart the node"));
    }
}

async fn report(node: Rc<Node>) {
    loop {
        let every = node.report_every.get();
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        while node.report_every.get() == every {
            ticks.tick().await;
            node.report();
        }
    }
}

/// Where a volume is found; tests put another path into `NETLAB_DATA`.
fn folder() -> PathBuf {
    std::env::var_os("NETLAB_DATA").map_or_else(|| DATA.into(), PathBuf::from)
}

/// What a node keeps for its whole life.
fn fixed(configure: &Configure) -> (&str, &'static str, Option<u16>, Option<Data>) {
    let role = &configure.role;
    let (port, data) = match role {
        Role::Server(server) => (Some(server.port), Some(server.data)),
        Role::Peer(peer) => (Some(peer.port), Some(peer.data)),
        Role::Client(_) => (None, None),
    };
    (&configure.node, role.as_str(), port, data)
}
