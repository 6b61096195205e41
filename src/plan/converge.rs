//! From a lab that is up to the lab of a file: the fewest operations that lead there.
//!
//! Containers are compared by config hash, everything else as `lab.json`. The agent adopts the new
//! lab first: it changes live what can change live, lets go of containers before they are removed
//! (so that their end is nobody's fault), and knows the names that will knock at its gate.

use super::change::{Change, ChangeKind, Common, row};
use super::compare::{change, live, node_differences};
use super::up::{Steps, is_own, resource};
use super::{
    Action, Found, Leaving, Options, OwnImage, PlanError, Running, Snapshot, lab_hash, labels, spec,
};
use crate::id::{Name, NodeIndex};
use crate::lab::{Interface, Lab, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const AS_THE_FILE_SAYS: &str = "nothing to create: the lab is as the file says";
const NEW: &str = "new in the file";
const MOVED: &str = "another address";
const ROUTED: &str = "other routes between networks";
const GONE: &str = "no longer in the file";

/// What becomes of a node of the file.
enum Fate<'s> {
    /// Nothing.
    Keep,
    /// It is there and does not run.
    Start(&'s Found, &'static str),
    /// It is made, after what is there of it was removed.
    Make(Vec<&'s Found>, ChangeKind, String),
}

/// Appends what leads from `snapshot` to `lab`. `wanted` are the nodes' config hashes.
///
/// # Errors
/// [`PlanError::OtherAgent`].
pub(super) fn converge(
    steps: &mut Steps,
    lab: &Lab,
    snapshot: &Snapshot,
    options: &Options,
    agent: &Found,
    wanted: &[String],
) -> Result<(), PlanError> {
    refuse_other_agent(lab, snapshot, options, agent)?;
    let running = snapshot.running.as_ref().filter(|_| !agent.never_started);
    let fates = fates(lab, snapshot, agent, running, wanted);
    let names: BTreeSet<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
    let others = snapshot.containers.iter();
    let mut gone: Vec<&Found> = others
        .filter(|found| found.node != labels::AGENT && !names.contains(found.node.as_str()))
        .collect();
    gone.sort_by(|a, b| (&a.node, &a.id).cmp(&(&b.node, &b.id)));

    if let Some(running) = running {
        steps.changes = live_changes(lab, running, options.ttl, &fates);
    }
    steps.changes.extend(container_changes(lab, &fates, &gone));

    let node_image = match lab
        .nodes
        .iter()
        .zip(&fates)
        .any(|(node, fate)| is_own(node) && matches!(fate, Fate::Make(..)))
    {
        true => steps.image(snapshot, &options.node_image, OwnImage::Node),
        false => None,
    };
    let mut before: Vec<u32> = node_image.into_iter().collect();
    let started = agent_ready(steps, agent);
    if let Some(started) = started {
        before.push(started);
        before.extend(steps.publish(lab, vec![started]));
    }
    let is_same = running.is_none_or(|running| {
        options.ttl == running.ttl && lab_hash(&running.lab) == lab_hash(lab)
    });
    let idle = gone.is_empty() && fates.iter().all(|fate| matches!(fate, Fate::Keep));
    if let Some(running) = running.filter(|_| !(is_same && idle)) {
        let adopt = adopt(running, lab, &fates, &gone);
        let cause = adopt_cause(&steps.changes);
        before = vec![steps.push("lab".to_owned(), adopt, &cause, before)];
    }
    let mut last = before.clone();
    for found in gone {
        last.push(remove(steps, found, GONE, &before));
    }
    for ((node, fate), index) in lab.nodes.iter().zip(&fates).zip(0..) {
        last.extend(make(steps, &node.name, NodeIndex(index), fate, &before));
    }
    let cause = match steps.operations.is_empty() {
        true => AS_THE_FILE_SAYS,
        false => "all else is done",
    };
    last.sort_unstable();
    last.dedup();
    steps.finish(lab, options, cause, last);
    Ok(())
}

/// The agent is what all else hangs on: one that does not fit is never replaced silently.
fn refuse_other_agent(
    lab: &Lab,
    snapshot: &Snapshot,
    options: &Options,
    agent: &Found,
) -> Result<(), PlanError> {
    // One with more rights than are needed now does as well.
    let fits = spec::Rights::of(lab, snapshot).and_more().any(|rights| {
        let mut spec = spec::agent_with(rights, lab, options, "");
        spec.labels.remove(labels::CONFIG_HASH).as_ref() == Some(&agent.config_hash)
    });
    let lab = lab.name.clone();
    if fits {
        Ok(())
    } else {
        Err(PlanError::OtherAgent { lab })
    }
}

fn fates<'s>(
    lab: &Lab,
    snapshot: &'s Snapshot,
    agent: &Found,
    running: Option<&Running>,
    wanted: &[String],
) -> Vec<Fate<'s>> {
    let mut by_name: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in &snapshot.containers {
        by_name.entry(&found.node).or_default().push(found);
    }
    let old = |name: &str| {
        let lab = &running?.lab;
        lab.nodes.get(lab.node(name)?.at())
    };
    let fate = |(node, hash): (&crate::lab::Node, &String)| {
        if node.is_host() {
            return Fate::Keep;
        }
        let name = node.name.as_str();
        let found = by_name.get(name).cloned().unwrap_or_default();
        let [one] = found[..] else {
            let cause = match (old(name), running) {
                (Some(_), _) | (_, None) => "missing",
                (None, Some(_)) => NEW,
            };
            return Fate::Make(found, ChangeKind::Create, cause.to_owned());
        };
        let remake = |cause: String| Fate::Make(vec![one], ChangeKind::Recreate, cause);
        if one.instance != agent.instance {
            remake("of an earlier creation".to_owned())
        } else if one.config_hash != *hash {
            let mut causes = old(name).map_or_else(Vec::new, |old| node_differences(old, node));
            if let (Some(running), Some(old)) = (running, old(name))
                && let Some(cause) = other_devices((&running.lab, old), (lab, node))
            {
                causes.retain(|cause| !cause.starts_with("interfaces"));
                causes.insert(0, cause);
            }
            remake(match causes.is_empty() {
                true => "made from another file, or its image says something else".to_owned(),
                false => super::change::shown(causes),
            })
        } else if one.never_started {
            Fate::Start(one, "was never started")
        } else if !one.running {
            Fate::Start(one, "does not run")
        } else {
            Fate::Keep
        }
    };
    lab.nodes.iter().zip(wanted).map(fate).collect()
}

/// Why a node's devices would be others.
fn other_devices((before, old): (&Lab, &Node), (after, new): (&Lab, &Node)) -> Option<String> {
    let networks = |lab: &Lab, node: &Node| {
        let named = |one: &Interface| lab.networks.get(one.network.at());
        let found = node.interfaces.iter().filter_map(named);
        let names: Vec<&str> = found.map(|network| network.name.as_str()).collect();
        names.join(", ")
    };
    let (was, is) = (networks(before, old), networks(after, new));
    if was != is {
        Some(format!("networks {was} → {is}"))
    } else if old.interfaces != new.interfaces {
        Some(MOVED.to_owned())
    } else {
        let routed = spec::routing(before, old) != spec::routing(after, new);
        routed.then(|| ROUTED.to_owned())
    }
}

fn live_changes(
    lab: &Lab,
    running: &Running,
    ttl: Option<Duration>,
    fates: &[Fate<'_>],
) -> Vec<Change> {
    let made = lab.nodes.iter().zip(fates);
    let made = made.filter(|(_, fate)| matches!(fate, Fate::Make(..)));
    let made: BTreeSet<&str> = made.map(|(node, _)| node.name.as_str()).collect();
    let common = Common::new(&running.lab, lab, |name| !made.contains(name));
    let mut changes = live(&running.lab, lab, &common);
    if running.ttl != ttl {
        let text =
            |ttl: Option<Duration>| ttl.map_or("none".to_owned(), crate::units::duration::format);
        let cause = format!("{} → {}", text(running.ttl), text(ttl));
        changes.push(change("lease", cause));
    }
    let quiet = changes.is_empty() && made.is_empty();
    if quiet && running.lab.nodes.len() == lab.nodes.len() && running.lab != *lab {
        changes.push(change("lab", "order of nodes and names".to_owned()));
    }
    changes
}

/// What is done to containers: those with the same fate and cause are one change.
fn container_changes(lab: &Lab, fates: &[Fate<'_>], gone: &[&Found]) -> Vec<Change> {
    let mut grouped: BTreeMap<(ChangeKind, String), Vec<&str>> = BTreeMap::new();
    for (node, fate) in lab.nodes.iter().zip(fates) {
        let key = match fate {
            Fate::Keep => continue,
            Fate::Start(_, cause) => (ChangeKind::Start, (*cause).to_owned()),
            Fate::Make(_, kind, cause) => (*kind, cause.clone()),
        };
        grouped.entry(key).or_default().push(node.name.as_str());
    }
    let mut changes: Vec<Change> = Vec::new();
    for ((kind, cause), names) in grouped {
        let what = row(&names);
        changes.push(Change { kind, what, cause });
    }
    if !gone.is_empty() {
        let names: Vec<&str> = gone.iter().map(|found| found.node.as_str()).collect();
        changes.push(Change {
            kind: ChangeKind::Remove,
            what: row(&in_order(names)),
            cause: GONE.to_owned(),
        });
    }
    changes
}

/// `client-2` before `client-10`.
fn in_order(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_by_key(|name| match name.rsplit_once('-') {
        Some((stem, number)) => (stem.to_owned(), number.parse::<u32>().unwrap_or(0)),
        None => ((*name).to_owned(), 0),
    });
    names
}

/// Fills and starts an agent that is there and does not run.
fn agent_ready(steps: &mut Steps, agent: &Found) -> Option<u32> {
    if agent.never_started {
        let filled = steps.push(
            "volumes".into(),
            Action::FillVolumes,
            "half-made",
            Vec::new(),
        );
        let cause = "was never started";
        return Some(steps.push("agent".into(), Action::StartAgent, cause, vec![filled]));
    }
    let start = || {
        steps.push(
            "agent".into(),
            Action::StartAgent,
            "does not run",
            Vec::new(),
        )
    };
    (!agent.running).then(start)
}

fn adopt(running: &Running, lab: &Lab, fates: &[Fate<'_>], gone: &[&Found]) -> Action {
    let mut leaving: Vec<&Found> = gone.to_vec();
    let mut starting: Vec<Name> = Vec::new();
    for (node, fate) in lab.nodes.iter().zip(fates) {
        match fate {
            Fate::Keep => {}
            Fate::Start(..) => starting.push(node.name.clone()),
            Fate::Make(old, ..) => leaving.extend(old),
        }
    }
    let leaving = leaving.into_iter().map(|found| Leaving {
        node: found.node.clone(),
        container: found.id.clone(),
    });
    Action::Adopt {
        from: lab_hash(&running.lab),
        leaving: leaving.collect(),
        starting,
    }
}

fn adopt_cause(changes: &[Change]) -> String {
    let live: Vec<&Change> = changes
        .iter()
        .filter(|c| c.kind == ChangeKind::Live)
        .collect();
    match live.as_slice() {
        [] => "the agent must know who comes and goes".to_owned(),
        [one] => format!("{}: {}", one.what, one.cause),
        many => format!("{} live changes", many.len()),
    }
}

fn remove(steps: &mut Steps, found: &Found, cause: &str, after: &[u32]) -> u32 {
    let action = Action::Remove {
        id: found.id.clone(),
        node: found.node.clone(),
    };
    steps.push(
        format!("node:{}", found.node),
        action,
        cause,
        after.to_vec(),
    )
}

/// What is done to one node; the number of the last step.
fn make(
    steps: &mut Steps,
    name: &Name,
    index: NodeIndex,
    fate: &Fate<'_>,
    before: &[u32],
) -> Option<u32> {
    let (old, cause) = match fate {
        Fate::Keep => return None,
        Fate::Start(found, cause) => {
            let action = Action::StartFound {
                id: found.id.clone(),
            };
            return Some(steps.push(resource(name), action, cause, before.to_vec()));
        }
        Fate::Make(old, _, cause) => (old, cause),
    };
    let mut after = before.to_vec();
    for found in old {
        after = vec![remove(steps, found, cause, before)];
    }
    let cause = if old.is_empty() {
        cause
    } else {
        "removed before"
    };
    let created = steps.push(resource(name), Action::CreateNode(index), cause, after);
    let start = Action::StartNode(index);
    Some(steps.push(resource(name), start, "created", vec![created]))
}
