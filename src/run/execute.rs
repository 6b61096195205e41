//! Carries out operations: each as soon as those before it are over, a bounded number at once.

use super::attach::Line;
use super::{Context, Failure, RunEvent, Started, ready};
use crate::engine::{Engine, EngineError, LogOptions};
use crate::id::{Name, NodeIndex};
use crate::lab::Node;
use crate::plan::{
    self, AGENT_GATE, AGENT_STATE, Action, AgentConfig, Operation, OwnImage, Plan, labels,
};
use crate::record::stream::Published;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Lines of a log that a failure shows.
const LAST_WORDS: u64 = 8;

/// A plan being carried out, and what it has made so far.
pub(super) struct Walk<'a, E> {
    engine: &'a E,
    context: &'a Context<'a>,
    made: RefCell<Made>,
    /// To the agent, before it is used.
    line: Cell<Option<Line>>,
}

/// What the walk has made or found.
#[derive(Default)]
struct Made {
    /// The agent's container.
    agent: Option<String>,
    /// Its volumes that nodes mount, by where it has them.
    volumes: BTreeMap<String, String>,
    nodes: BTreeMap<NodeIndex, String>,
    /// Names and ids of the containers that this walk created, in that order.
    created: Vec<(String, String)>,
    instance: String,
    run: Option<String>,
    ports: Vec<Published>,
}

impl<'a, E: Engine> Walk<'a, E> {
    pub(super) fn new(engine: &'a E, context: &'a Context<'a>, line: Option<Line>) -> Walk<'a, E> {
        let found = &context.snapshot.containers;
        let agent = found.iter().find(|found| found.node == labels::AGENT);
        let made = Made {
            agent: agent.map(|agent| agent.id.clone()),
            instance: agent
                .map(|agent| agent.instance.clone())
                .unwrap_or_default(),
            ..Made::default()
        };
        Walk {
            engine,
            context,
            made: RefCell::new(made),
            line: Cell::new(line),
        }
    }

    /// Names and ids of the containers that were created, in that order, and their instance.
    pub(super) fn created(&self) -> (Vec<(String, String)>, String) {
        let made = self.made.borrow();
        (made.created.clone(), made.instance.clone())
    }

    /// Whether the lab was there before this walk, and still is.
    pub(super) fn stays(&self) -> bool {
        let instance = &self.made.borrow().instance;
        let mut known = self.context.snapshot.containers.iter();
        known.any(|found| found.instance == *instance)
    }

    pub(super) fn started(&self) -> Started {
        let made = self.made.borrow();
        Started {
            agent: made.agent.clone().unwrap_or_default(),
            instance: made.instance.clone(),
            run: made.run.clone(),
            ports: made.ports.clone(),
        }
    }

    /// Carries out all of `plan`. After a failure nothing new begins; what is under way is awaited.
    pub(super) async fn all(&self, plan: &Plan) -> Result<(), Failure> {
        let mut waiting: BTreeMap<u32, &Operation> =
            plan.operations.iter().map(|op| (op.id, op)).collect();
        let mut done: BTreeSet<u32> = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        let mut failure = None;
        loop {
            while failure.is_none() && running.len() < self.context.concurrency.max(1) {
                let free = |op: &&&Operation| op.after.iter().all(|id| done.contains(id));
                let Some(&operation) = waiting.values().find(free) else {
                    break;
                };
                waiting.remove(&operation.id);
                running.push(async move { (operation.id, self.one(operation).await) });
            }
            let cancelled = self.context.cancel.cancelled();
            tokio::select! {
                biased;
                () = cancelled, if failure.is_none() => failure = Some(Failure::Cancelled),
                Some((id, result)) = running.next(), if !running.is_empty() => match result {
                    Ok(()) => { done.insert(id); }
                    Err(error) => { failure.get_or_insert(error); }
                },
                else => break,
            }
            if running.is_empty() && (failure.is_some() || waiting.is_empty()) {
                break;
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn one(&self, operation: &Operation) -> Result<(), Failure> {
        let (id, what) = (operation.id, operation.to_string());
        (self.context.on_event)(RunEvent::OperationStarted {
            id,
            what: what.clone(),
        });
        let begun = Instant::now();
        self.perform(operation).await?;
        let took = begun.elapsed();
        (self.context.on_event)(RunEvent::OperationDone { id, what, took });
        Ok(())
    }

    async fn perform(&self, operation: &Operation) -> Result<(), Failure> {
        let called = |result: Result<(), EngineError>| {
            result.map_err(|source| Failure::Engine {
                id: operation.id,
                what: operation.to_string(),
                source,
            })
        };
        match &operation.action {
            Action::CreateImage(image) => called(self.create_image(*image).await),
            Action::CreateAgent => called(self.create_agent().await),
            Action::FillVolumes => {
                let agent = self.agent()?;
                called(self.fill_volumes(&agent).await)
            }
            Action::StartAgent => {
                let agent = self.agent()?;
                called(self.engine.start(&agent).await)
            }
            Action::CreateNode(index) => {
                called(self.find_volumes().await)?;
                let spec = self.node_spec(*index)?;
                called(self.create_node(*index, spec).await)
            }
            Action::StartNode(index) => {
                let id = self.made.borrow().nodes.get(index).cloned();
                let id = id.ok_or(Failure::Order("a node's container"))?;
                called(self.engine.start(&id).await)
            }
            Action::StartFound { id } => called(self.engine.start(id).await),
            Action::Adopt {
                from,
                leaving,
                starting,
            } => self.adopt((from, leaving, starting)).await,
            Action::Publish => self.publish().await,
            Action::AwaitReady => self.await_ready().await,
            Action::Play => self.play().await,
            Action::Remove { id, .. } => called(self.engine.remove(id).await),
        }
    }

    fn agent(&self) -> Result<String, Failure> {
        let agent = self.made.borrow().agent.clone();
        agent.ok_or(Failure::Order("the agent"))
    }

    async fn create_image(&self, image: OwnImage) -> Result<(), EngineError> {
        let image = match image {
            OwnImage::Agent => &self.context.images.agent,
            OwnImage::Node => &self.context.images.node,
        };
        self.engine.create_image(&image.tag, image.archive()).await
    }

    async fn create_agent(&self) -> Result<(), EngineError> {
        let Context {
            lab,
            snapshot,
            options,
            ..
        } = self.context;
        let instance = super::new_instance(&lab.name);
        let spec = plan::agent_spec(lab, snapshot, options, &instance);
        self.made.borrow_mut().instance = instance;
        let id = self.engine.create(&spec).await?;
        {
            let mut made = self.made.borrow_mut();
            made.created.push((spec.name.clone(), id.clone()));
            made.agent = Some(id.clone());
        }
        self.find_volumes().await
    }

    /// Asks which volumes nodes mount, unless that is known.
    async fn find_volumes(&self) -> Result<(), EngineError> {
        let agent = match &*self.made.borrow() {
            Made {
                volumes,
                agent: Some(agent),
                ..
            } if volumes.is_empty() => agent.clone(),
            _ => return Ok(()),
        };
        let state = self.engine.inspect(&agent).await?;
        let volumes = state.map_or_else(BTreeMap::new, |state| state.volumes);
        let lab = self.context.lab;
        let held = lab.nodes.iter().filter(|node| node.volume.is_some());
        let held = held.map(|node| plan::agent_data(&node.name));
        for target in held.chain([AGENT_GATE.to_owned()]) {
            if !volumes.contains_key(&target) {
                return Err(EngineError {
                    operation: format!("find the volume {target} of the lab's agent"),
                    status: None,
                    source: "the engine made none".into(),
                });
            }
        }
        self.made.borrow_mut().volumes = volumes;
        Ok(())
    }

    async fn fill_volumes(&self, agent: &str) -> Result<(), EngineError> {
        let Context { lab, options, .. } = self.context;
        let config = AgentConfig {
            lab: lab.name.clone(),
            instance: self.made.borrow().instance.clone(),
            owner: options.owner.clone(),
            build: options.build.clone(),
            ttl: options.ttl,
            sabotage: sabotage(),
        };
        let packed = super::fill::archives(lab, &config, self.context.images.node_program());
        let (gate, state) = packed.map_err(|source| EngineError {
            operation: "pack the lab's files".to_owned(),
            status: None,
            source: source.into(),
        })?;
        self.engine.upload(agent, AGENT_GATE, gate).await?;
        self.engine.upload(agent, AGENT_STATE, state).await
    }

    fn node_spec(&self, index: NodeIndex) -> Result<plan::ContainerSpec, Failure> {
        let Context {
            lab,
            snapshot,
            options,
            ..
        } = self.context;
        let node: &Node = lab.nodes.get(index.at()).ok_or(Failure::Order("a node"))?;
        let made = self.made.borrow();
        let volume = |target: &str| {
            let found = made.volumes.get(target);
            found.ok_or(Failure::Order("the agent"))
        };
        let gate = volume(AGENT_GATE)?;
        let spec = plan::node_spec(lab, node, snapshot, options, &made.instance, gate);
        let mut spec = spec.map_err(Failure::Plan)?;
        if node.volume.is_some() {
            plan::mount_data(&mut spec, volume(&plan::agent_data(&node.name))?);
        }
        Ok(spec)
    }

    async fn create_node(
        &self,
        index: NodeIndex,
        spec: plan::ContainerSpec,
    ) -> Result<(), EngineError> {
        let id = self.engine.create(&spec).await?;
        let mut made = self.made.borrow_mut();
        made.created.push((spec.name, id.clone()));
        made.nodes.insert(index, id);
        Ok(())
    }

    async fn adopt(&self, what: (&str, &[plan::Leaving], &[Name])) -> Result<(), Failure> {
        let agent = self.agent()?;
        let line = self.line.take();
        let adopt = super::adopt::adopt(self.engine, &agent, line, what, self.context);
        self.unless_cancelled(adopt).await
    }

    async fn await_ready(&self) -> Result<(), Failure> {
        let agent = self.agent()?;
        let fresh = !self.made.borrow().created.is_empty();
        let wait = ready::await_ready(self.engine, &agent, fresh, self.context);
        let ports = self.unless_cancelled(wait).await?;
        self.made.borrow_mut().ports = ports;
        Ok(())
    }

    async fn publish(&self) -> Result<(), Failure> {
        let agent = self.agent()?;
        let publish = ready::publish(self.engine, &agent);
        self.unless_cancelled(publish).await
    }

    async fn play(&self) -> Result<(), Failure> {
        let agent = self.agent()?;
        let play = ready::play(self.engine, &agent, self.context);
        let run = self.unless_cancelled(play).await?;
        self.made.borrow_mut().run = Some(run);
        Ok(())
    }

    /// The long waits are broken off by a cancellation; calls that make something are not.
    async fn unless_cancelled<T>(
        &self,
        wait: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => Err(Failure::Cancelled),
            result = wait => result,
        }
    }

    /// The last lines of the agent and of nodes that ended, when that may explain `cause`.
    pub(super) async fn last_words(&self, cause: &Failure) -> Vec<String> {
        let (agent, nodes) = match cause {
            Failure::Agent { .. } | Failure::AgentDied(_) => (true, &[][..]),
            Failure::NotReady { nodes, .. } => (true, &nodes[..]),
            Failure::NodesDied(nodes) => (false, &nodes[..]),
            _ => return Vec::new(),
        };
        let made = self.made.borrow().created.clone();
        let mut wanted: Vec<String> = nodes.iter().take(3).cloned().collect();
        if agent {
            wanted.insert(0, labels::AGENT.to_owned());
        }
        let mut lines = Vec::new();
        for node in wanted {
            let name = plan::container_name(&self.context.lab.name, &node);
            if let Some((_, id)) = made.iter().find(|(created, _)| *created == name) {
                lines.extend(self.tail(&node, id).await);
            }
        }
        lines
    }

    async fn tail(&self, node: &str, id: &str) -> Vec<String> {
        let options = LogOptions {
            tail: Some(LAST_WORDS),
            ..LogOptions::default()
        };
        let read = async {
            let mut text = Vec::new();
            let mut log = self.engine.logs(id, &options).await.ok()?;
            while let Some(Ok(piece)) = log.next().await {
                text.extend_from_slice(&piece.bytes);
            }
            Some(text)
        };
        let read = tokio::time::timeout(Duration::from_secs(5), read).await;
        let text = read.ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().map(|line| format!("{node}: {line}")).collect()
    }
}

/// What a test wants to go wrong; a release has no word for it.
fn sabotage() -> Vec<String> {
    let said = match cfg!(debug_assertions) {
        true => std::env::var("NETLAB_TEST_SABOTAGE").unwrap_or_default(),
        false => String::new(),
    };
    let words = said.split(',').filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}
