//! Whether a healed lab is what it was: compared, not assumed. Pure.
//!
//! Owns what is remembered at the beginning of a run, and which differences matter. What is, is the
//! driver's to find out.

use super::core::{Action, Core};
use super::desire::Actual;
use super::process::NodeSight;
use crate::fabric::{Place, ResolverManner, Standing};
use crate::id::NodeIndex;
use crate::link::LinkProperties;
use crate::record::event::What;
use serde_json::Value;
use std::collections::BTreeMap;

/// Differences that are told of one comparison.
const MOST: usize = 5;

/// What a lab is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stand {
    /// Links that are not as their network's default.
    pub links: Vec<Standing>,
    /// All nodes.
    pub nodes: Vec<NodeSight>,
    /// Nodes that the resolver does not answer as usual.
    pub manners: Vec<(NodeIndex, ResolverManner)>,
}

/// What was remembered, and what is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    before: Option<Stand>,
    waits: bool,
}

impl Memory {
    /// Whether a comparison was asked for and not yet made.
    pub fn is_waiting(&self) -> bool {
        self.waits
    }
}

impl Core {
    /// The lab is as it should be after every heal of this run.
    pub(super) fn remember(&mut self) {
        self.memory = Memory::default();
        self.act(Action::Stand);
    }

    /// All faults have healed.
    pub(super) fn compare(&mut self) {
        if self.memory.before.is_some() && self.run.is_some() {
            self.memory.waits = true;
            self.act(Action::Stand);
        }
    }

    /// What the lab is now.
    pub(super) fn stood(&mut self, now: u64, stand: Stand) {
        self.memory.waits = false;
        let Some(before) = &self.memory.before else {
            self.memory.before = Some(stand);
            return;
        };
        // A fault that began meanwhile makes a difference of its own.
        if !self.faults.list().is_empty() {
            return;
        }
        let mut all = self.differences(before, &stand);
        if all.is_empty() {
            return;
        }
        let more = all.len().saturating_sub(MOST);
        all.truncate(MOST);
        if more > 0 {
            all.push(format!("and {more} more"));
        }
        let text = all.join("; ");
        self.reason(format!("healed, but not as it was before: {text}"));
        self.event(now, What::NotRestored { what: all });
        // Said once; the next comparison is with what there is now.
        self.memory.before = Some(stand);
    }

    fn differences(&self, before: &Stand, after: &Stand) -> Vec<String> {
        let mut all = self.link_differences(before, after);
        let nodes = before.nodes.iter().zip(&after.nodes).zip(0..);
        for ((was, is), at) in nodes {
            let name = self.name(NodeIndex(at));
            // That one is dead was said when it died, or did not come back.
            let known = self.state.members[at as usize].actual == Actual::Dead;
            let what = node_difference(was, is).filter(|_| !known);
            all.extend(what.map(|what| format!("`{name}` {what}")));
        }
        let manner = |stand: &Stand, node| stand.manners.iter().find(|(n, _)| *n == node).copied();
        for node in self.state.indices() {
            if manner(before, node) != manner(after, node) {
                all.push(format!(
                    "`{}` is answered otherwise by the resolver",
                    self.name(node)
                ));
            }
        }
        all
    }

    fn link_differences(&self, before: &Stand, after: &Stand) -> Vec<String> {
        let by_place = |stand: &Stand| -> BTreeMap<Place, Standing> {
            let links = stand.links.iter();
            links.map(|link| (link.place, *link)).collect()
        };
        let (was, is) = (by_place(before), by_place(after));
        let usual = |place: Place| Standing {
            place,
            properties: self.lab.networks[place.0.at()].links.default,
            down: false,
        };
        let places: std::collections::BTreeSet<Place> =
            was.keys().chain(is.keys()).copied().collect();
        let difference = |place: Place| {
            let was = was.get(&place).copied().unwrap_or_else(|| usual(place));
            let is = is.get(&place).copied().unwrap_or_else(|| usual(place));
            let what = match (was.down, is.down) {
                (false, true) => "is down".to_owned(),
                (true, false) => "is no longer down".to_owned(),
                _ if was.properties == is.properties => return None,
                _ => changed(&was.properties, &is.properties),
            };
            let (from, to) = (self.name(place.1), self.name(place.2));
            Some(format!("`{from} → {to}` {what}"))
        };
        places.into_iter().filter_map(difference).collect()
    }
}

fn node_difference(was: &NodeSight, is: &NodeSight) -> Option<String> {
    match (was.process, is.process) {
        (Some(_), None) => return Some("has no process".to_owned()),
        (None, None) => return None,
        (_, Some(_)) => {}
    }
    if is.frozen == Some(true) && was.frozen != Some(true) {
        return Some("is frozen".to_owned());
    }
    if let (Some(was), Some(is)) = (was.volume, is.volume) {
        if is.read_only && !was.read_only {
            return Some("has a volume that is read-only".to_owned());
        }
        if is.free == 0 && was.free > 0 {
            return Some("has a volume that is full".to_owned());
        }
    }
    let changed = |(what, limit): &(&str, String)| {
        let other = was.limits.iter().find(|(w, _)| w == what);
        let (_, before) = other.filter(|(_, before)| before != limit)?;
        Some(format!("has {what} {limit}, was {before}"))
    };
    is.limits.iter().find_map(changed)
}

/// `has delay 0.105, was 0.005`, in the words of `lab.json`.
pub(super) fn changed(was: &LinkProperties, is: &LinkProperties) -> String {
    let fields = |link: &LinkProperties| match serde_json::to_value(link) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (was, is) = (fields(was), fields(is));
    let keys: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let none = Value::Null;
    let said = |key: &&String| {
        let (was, is) = (
            was.get(*key).unwrap_or(&none),
            is.get(*key).unwrap_or(&none),
        );
        (was != is).then(|| format!("{key} {is}, was {was}"))
    };
    let all: Vec<String> = keys.iter().filter_map(said).collect();
    format!("has {}", all.join(", "))
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
