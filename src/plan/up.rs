//! The plan that brings a lab up: from nothing, or from what there is.

use super::{
    Action, Change, Found, Operation, Options, OwnImage, Plan, PlanError, Snapshot, converge, down,
    labels, node_spec,
};
use crate::id::Name;
use crate::lab::{Lab, Node, Program};
use crate::port::PortMapping;

/// What has to be done so that the engine holds `lab`, ready and (with [`Options::play`]) playing.
///
/// What is up already is converged to `lab`: nothing is touched that need not be.
///
/// # Errors
/// Any [`PlanError`].
pub fn up(lab: &Lab, snapshot: &Snapshot, options: &Options) -> Result<Plan, PlanError> {
    down::refuse_other_owner(&lab.name, snapshot, &options.owner)?;
    let wanted = wanted(lab, snapshot, options)?;
    let found = &snapshot.containers;
    if let Some(other) = found.iter().find(|found| found.build != options.build) {
        return Err(PlanError::OtherBuild {
            lab: lab.name.clone(),
            build: other.build.clone(),
            this: options.build.clone(),
        });
    }
    let mut steps = Steps::default();
    match standing(snapshot) {
        Standing::Absent => create(&mut steps, lab, snapshot, options),
        Standing::Lost(why) => {
            let cause = format!("the lab is half-made: {why}");
            down::removals(&mut steps.operations, found, &cause);
            create(&mut steps, lab, snapshot, options);
        }
        Standing::There(agent) => {
            converge::converge(&mut steps, lab, snapshot, options, agent, &wanted)?;
        }
    }
    Ok(Plan {
        lab: lab.name.clone(),
        changes: steps.changes,
        operations: steps.operations,
    })
}

/// Config hashes of the nodes, in the lab's order.
fn wanted(lab: &Lab, snapshot: &Snapshot, options: &Options) -> Result<Vec<String>, PlanError> {
    let hash = |node: &Node| {
        if node.is_host() {
            return Ok(String::new());
        }
        let mut spec = node_spec(lab, node, snapshot, options, "", "")?;
        Ok(spec.labels.remove(labels::CONFIG_HASH).unwrap_or_default())
    };
    lab.nodes.iter().map(hash).collect()
}

/// What there is of a lab.
enum Standing<'s> {
    /// Nothing.
    Absent,
    /// Something that cannot be completed, and why.
    Lost(&'static str),
    /// A lab with this agent.
    There(&'s Found),
}

fn standing(snapshot: &Snapshot) -> Standing<'_> {
    let found = &snapshot.containers;
    if found.is_empty() {
        return Standing::Absent;
    }
    match found.iter().find(|found| found.node == labels::AGENT) {
        // The volumes that all nodes mount are gone with it.
        None => Standing::Lost("it has no agent"),
        Some(agent) if agent.never_started || snapshot.running.is_some() => Standing::There(agent),
        Some(_) => Standing::Lost("its agent does not say what the lab is"),
    }
}

/// A plan under construction.
#[derive(Default)]
pub(super) struct Steps {
    pub operations: Vec<Operation>,
    pub changes: Vec<Change>,
}

impl Steps {
    pub fn push(&mut self, resource: String, action: Action, cause: &str, after: Vec<u32>) -> u32 {
        let id = self.operations.len() as u32 + 1;
        self.operations.push(Operation {
            id,
            resource,
            action,
            cause: cause.to_owned(),
            after,
        });
        id
    }

    pub fn image(&mut self, snapshot: &Snapshot, tag: &str, image: OwnImage) -> Option<u32> {
        if snapshot.images.iter().any(|have| have == tag) {
            return None;
        }
        let action = Action::CreateImage(image);
        Some(self.push(format!("image:{tag}"), action, "not there", Vec::new()))
    }

    /// The wait for what the agent publishes, where it does.
    pub fn publish(&mut self, lab: &Lab, after: Vec<u32>) -> Option<u32> {
        lab.host()?;
        let cause = published(lab);
        Some(self.push("host".to_owned(), Action::Publish, &cause, after))
    }

    pub fn finish(&mut self, lab: &Lab, options: &Options, cause: &str, after: Vec<u32>) {
        let ready = self.push("lab".to_owned(), Action::AwaitReady, cause, after);
        if options.play {
            let cause = match lab.scenario {
                Some(_) => "the scenario begins when all are ready",
                None => "load begins when all are ready",
            };
            self.push("lab".to_owned(), Action::Play, cause, vec![ready]);
        }
    }
}

/// `127.0.0.1:8080 -> server:80, 127.0.0.1 -> names:53/udp`.
pub(super) fn published(lab: &Lab) -> String {
    let of = |node: &Node| {
        let name = node.name.clone();
        let text = move |port: &PortMapping| {
            let to = format!("{name}:{}{}", port.port, port.protocol.suffix());
            match port.host_port {
                Some(_) => format!("{} -> {to}", port.listens()),
                None => format!("{} -> {to}", port.address),
            }
        };
        node.ports.iter().map(text).collect::<Vec<_>>()
    };
    super::change::shown(lab.nodes.iter().flat_map(of).collect())
}

/// Whether netlab's own program runs in it.
pub(super) fn is_own(node: &Node) -> bool {
    matches!(node.program, Program::Role(_))
}

pub(super) fn resource(name: &Name) -> String {
    format!("node:{name}")
}

/// Creates and starts everything, after what `steps` already holds.
fn create(steps: &mut Steps, lab: &Lab, snapshot: &Snapshot, options: &Options) {
    let mut before: Vec<u32> = steps
        .operations
        .iter()
        .map(|operation| operation.id)
        .collect();
    let cause = match before.is_empty() {
        true => "not there",
        false => "removed before",
    };
    let agent_image = steps.image(snapshot, &options.agent_image, OwnImage::Agent);
    let node_image = match lab.nodes.iter().any(is_own) {
        true => steps.image(snapshot, &options.node_image, OwnImage::Node),
        false => None,
    };
    before.extend(agent_image);
    let agent = steps.push("agent".into(), Action::CreateAgent, cause, before);
    let full = steps.push("volumes".into(), Action::FillVolumes, "empty", vec![agent]);
    let started = steps.push("agent".into(), Action::StartAgent, "created", vec![full]);

    let mut all = vec![started];
    all.extend(steps.publish(lab, vec![started]));
    for (index, node) in lab.containers() {
        let image = node_image.filter(|_| is_own(node));
        let after = image.into_iter().chain([agent]).collect();
        let create = Action::CreateNode(index);
        let created = steps.push(resource(&node.name), create, cause, after);
        let (start, after) = (Action::StartNode(index), vec![started, created]);
        all.push(steps.push(resource(&node.name), start, "created", after));
    }
    steps.finish(lab, options, "all are started", all);
}
