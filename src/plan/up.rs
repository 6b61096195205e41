//! The plan that brings a lab up.

use super::{
    Action, Found, Operation, Options, OwnImage, Plan, PlanError, Snapshot, agent_hash, agent_spec,
    config_hash, down, labels, node_spec,
};
use crate::id::{Name, NodeIndex};
use crate::lab::Lab;

/// What has to be done so that the engine holds `lab`, ready and (with [`Options::play`]) playing.
///
/// # Errors
/// Any [`PlanError`].
pub fn up(lab: &Lab, snapshot: &Snapshot, options: &Options) -> Result<Plan, PlanError> {
    down::refuse_other_owner(&lab.name, snapshot, &options.owner)?;
    let wanted = wanted(lab, snapshot, options)?;
    let mut steps = Steps::default();
    match standing(lab, snapshot, options, &wanted)? {
        Standing::Complete => steps.finish(lab, options, AS_THE_FILE_SAYS, Vec::new()),
        Standing::Absent => create(&mut steps, lab, snapshot, options),
        Standing::HalfMade(why) => {
            let cause = format!("the lab is half-made: {why}");
            down::removals(&mut steps.0, &snapshot.containers, &cause);
            create(&mut steps, lab, snapshot, options);
        }
    }
    Ok(Plan {
        lab: lab.name.clone(),
        operations: steps.0,
    })
}

const AS_THE_FILE_SAYS: &str = "nothing to create: the lab is as the file says";

/// Config hashes by node, the agent's first.
fn wanted(
    lab: &Lab,
    snapshot: &Snapshot,
    options: &Options,
) -> Result<Vec<(String, String)>, PlanError> {
    let agent = agent_spec(lab, snapshot, options, "");
    let agent = (
        labels::AGENT.to_owned(),
        agent_hash(&agent, lab, options.ttl),
    );
    let nodes = lab.nodes.iter().map(|node| {
        let spec = node_spec(lab, node, snapshot, options, "", "")?;
        Ok((node.name.to_string(), config_hash(&spec)))
    });
    std::iter::once(Ok(agent)).chain(nodes).collect()
}

/// How what was found stands to what is wanted.
enum Standing {
    Absent,
    Complete,
    HalfMade(String),
}

fn standing(
    lab: &Lab,
    snapshot: &Snapshot,
    options: &Options,
    wanted: &[(String, String)],
) -> Result<Standing, PlanError> {
    let found = &snapshot.containers;
    if found.is_empty() {
        return Ok(Standing::Absent);
    }
    if let Some(other) = found.iter().find(|found| found.build != options.build) {
        return Err(PlanError::OtherBuild {
            lab: lab.name.clone(),
            build: other.build.clone(),
            this: options.build.clone(),
        });
    }
    // Without its agent a lab is lost, whatever file it came from.
    let Some(agent) = found.iter().find(|found| found.node == labels::AGENT) else {
        return Ok(Standing::HalfMade("it has no agent".to_owned()));
    };
    if let Some(what) = difference(found, agent, wanted) {
        let lab = lab.name.clone();
        return Err(PlanError::Differs { lab, what });
    }
    Ok(half_made(found, agent, wanted).map_or(Standing::Complete, Standing::HalfMade))
}

/// What of the lab was made from another file. The agent's hash covers the whole lab, so that an
/// equal one means the same file and the same options.
fn difference(found: &[Found], agent: &Found, wanted: &[(String, String)]) -> Option<String> {
    let want = |name: &str| wanted.iter().find(|(node, _)| node == name);
    if want(labels::AGENT).is_some_and(|(_, hash)| *hash == agent.config_hash) {
        return None;
    }
    let mut nodes: Vec<&str> = Vec::new();
    for (name, hash) in wanted.iter().filter(|(name, _)| name != labels::AGENT) {
        let same = |found: &Found| found.node == *name && found.config_hash == *hash;
        if !found.iter().any(same) {
            nodes.push(name);
        }
    }
    let unknown = found.iter().filter(|found| want(&found.node).is_none());
    nodes.extend(unknown.map(|found| found.node.as_str()));
    Some(match nodes.len() {
        0 => "its links, scenario or options".to_owned(),
        1 => format!("node {}", nodes[0]),
        2..=5 => format!("nodes {}", nodes.join(", ")),
        n => format!("nodes {} and {} more", nodes[..4].join(", "), n - 4),
    })
}

fn half_made(found: &[Found], agent: &Found, wanted: &[(String, String)]) -> Option<String> {
    let missing = |name: &String| !found.iter().any(|found| found.node == *name);
    if !agent.running {
        return Some("its agent does not run".to_owned());
    }
    if let Some((name, _)) = wanted.iter().find(|(name, _)| missing(name)) {
        return Some(format!("node {name} is missing"));
    }
    if let Some(other) = found.iter().find(|f| f.instance != agent.instance) {
        return Some(format!("node {} is of an earlier creation", other.node));
    }
    let idle = found.iter().find(|found| found.never_started)?;
    Some(format!("node {} was never started", idle.node))
}

/// Operations under construction.
#[derive(Default)]
struct Steps(Vec<Operation>);

impl Steps {
    fn push(&mut self, resource: String, action: Action, cause: &str, after: Vec<u32>) -> u32 {
        let id = self.0.len() as u32 + 1;
        self.0.push(Operation {
            id,
            resource,
            action,
            cause: cause.to_owned(),
            after,
        });
        id
    }

    fn image(&mut self, snapshot: &Snapshot, tag: &str, image: OwnImage) -> Option<u32> {
        if snapshot.images.iter().any(|have| have == tag) {
            return None;
        }
        let action = Action::CreateImage(image);
        Some(self.push(format!("image:{tag}"), action, "not there", Vec::new()))
    }

    fn finish(&mut self, lab: &Lab, options: &Options, cause: &str, after: Vec<u32>) {
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

/// Creates and starts everything, after what `steps` already holds.
fn create(steps: &mut Steps, lab: &Lab, snapshot: &Snapshot, options: &Options) {
    let mut before: Vec<u32> = steps.0.iter().map(|operation| operation.id).collect();
    let cause = match before.is_empty() {
        true => "not there",
        false => "removed before",
    };
    let agent_image = steps.image(snapshot, &options.agent_image, OwnImage::Agent);
    let own = |node: &crate::lab::Node| matches!(node.program, crate::lab::Program::Role(_));
    let node_image = match lab.nodes.iter().any(own) {
        true => steps.image(snapshot, &options.node_image, OwnImage::Node),
        false => None,
    };
    before.extend(agent_image);
    let agent = steps.push("agent".into(), Action::CreateAgent, cause, before);
    let full = steps.push("volumes".into(), Action::FillVolumes, "empty", vec![agent]);
    let started = steps.push("agent".into(), Action::StartAgent, "created", vec![full]);

    let resource = |name: &Name| format!("node:{name}");
    let mut all = vec![started];
    for (index, node) in lab.nodes.iter().enumerate() {
        let index = NodeIndex(index as u32);
        let image = node_image.filter(|_| own(node));
        let after = image.into_iter().chain([agent]).collect();
        let create = Action::CreateNode(index);
        let created = steps.push(resource(&node.name), create, cause, after);
        let (start, after) = (Action::StartNode(index), vec![started, created]);
        all.push(steps.push(resource(&node.name), start, "created", after));
    }
    steps.finish(lab, options, "all are started", all);
}
