//! A fault for a lab that runs, resolved as those of its file were.
//!
//! Owns how a resolved lab looks to selectors. Must not know how the fault was said.

use super::faults;
use super::model::{Lab, Links, ScheduledFault};
use super::networks::Places;
use super::roster::Roster;
use crate::fault::{Effect, NodeEffect};
use crate::spec::{
    self, Count, Diagnostic, Diagnostics, NodeSpec, Places as Said, ProgramSpec, Severity, Source,
    Span, Spanned, Topology,
};
use std::time::Duration;

/// A fault, and what its author should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct ByHand {
    /// The fault, which begins at once.
    pub fault: ScheduledFault,
    /// Warnings.
    pub warnings: Diagnostics,
}

/// Reads the map of a fault (`kill: server`, …) and resolves it against a lab that runs; messages
/// call it `name`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn by_hand(lab: &Lab, name: &str, source: &Source) -> Result<ByHand, Diagnostics> {
    let reading = spec::read_fault(name, source);
    let mut reports = reading.reports;
    let topology = outline(lab);
    let places = places(lab);
    let fault = match (Roster::new(&topology, &mut reports), &reading.fault) {
        (Some(roster), Some(spec)) => {
            let links: Vec<Links> = lab.networks.iter().map(|one| one.links.clone()).collect();
            let fault = faults::resolve(&roster, &places, Some(&links), spec, &mut reports);
            let refused = fault.as_ref().and_then(|fault| has_no_bound(lab, fault));
            reports.extend(refused.map(|report| report.at(spec.name.span, "")));
            fault.map(|fault| ScheduledFault {
                at: Duration::ZERO,
                lasts: spec.schedule.lasts.as_ref().map(|lasts| lasts.value),
                ..fault
            })
        }
        _ => None,
    };
    let failed = reports.iter().any(|d| d.severity == Severity::Error);
    let warnings = Diagnostics::new(reading.sources, reports);
    match fault {
        Some(fault) if !failed => Ok(ByHand { fault, warnings }),
        _ => Err(warnings),
    }
}

/// Only a volume of a size is filled. What the file says of it is known to the running lab alone.
fn has_no_bound(lab: &Lab, fault: &ScheduledFault) -> Option<Diagnostic> {
    let unbounded = fault.effects.iter().find_map(|effect| match effect {
        Effect::Node {
            node,
            effect: NodeEffect::Fill | NodeEffect::ReadOnly,
        } => Some(&lab.nodes[node.at()]).filter(|node| node.volume.is_none()),
        _ => None,
    })?;
    let message = format!(
        "`{}` cannot happen to `{}`: it has no volume that has a size",
        fault.kind, unbounded.name
    );
    let help = "name servers or peers whose file says `data: { volume: 64MiB }`";
    Some(Diagnostic::error("bad-target", message).help(help))
}

/// As much of the file as selectors look at.
fn outline(lab: &Lab) -> Topology {
    let mut nodes: Vec<NodeSpec> = Vec::new();
    for node in &lab.nodes {
        if let Some(last) = nodes.last_mut()
            && last.name.value == node.group
            && let Count::Many(count) = &mut last.count
        {
            *count += 1;
            continue;
        }
        let single = node.name == node.group;
        nodes.push(NodeSpec {
            name: Spanned::new(node.group.clone(), Span::default()),
            count: if single {
                Count::Single
            } else {
                Count::Many(1)
            },
            labels: node.labels.clone(),
            places: Said::Only,
            forward: None,
            uplink: None,
            downlink: None,
            ports: Vec::new(),
            role: Some(node.role()),
            program: node.is_host().then_some(ProgramSpec::Host),
        });
    }
    Topology {
        seed: lab.seed,
        nodes,
        nodes_complete: true,
        networks_complete: true,
        ..Topology::default()
    }
}

fn places(lab: &Lab) -> Places {
    let networks = lab.networks.iter();
    Places {
        subnets: networks.clone().map(super::Network::subnet).collect(),
        wires: networks.clone().map(|n| n.wires.clone()).collect(),
        reach: networks.map(|n| n.reach).collect(),
        interfaces: lab.nodes.iter().map(|n| n.interfaces.clone()).collect(),
        complete: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::LoadOptions;

    const TEXT: &str = "name: t
seed: 3
nodes:
  server: { role: server, labels: core }
  client: { role: client, count: 3, load: { target: server, rate: 1/s } }
  peer: { role: peer, count: 1 }
scenario:
  duration: 9s
  faults:
    kill: { at: 1s, for: 2s, kill: [label=core, { pick: 1, of: client }, peer] }
    split: { at: 1s, partition: [[server, client-*], rest] }
    cut: { at: 1s, cut: { from: role=client, to: { all_but: client } } }
";

    fn source(text: &str) -> Source {
        Source {
            name: "t".to_owned(),
            text: text.to_owned(),
        }
    }

    fn lab() -> Lab {
        let loaded = crate::lab::load(&source(TEXT), &LoadOptions::default());
        loaded.unwrap_or_else(|errors| panic!("{errors}")).lab
    }

    /// Whatever the file may say of a fault means the same for the lab that came out of it.
    #[test]
    fn a_running_lab_resolves_faults_as_its_file_does() {
        let lab = lab();
        let scenario = lab.scenario.clone().unwrap();
        for (fault, line) in scenario.faults.iter().zip(TEXT.lines().skip(9)) {
            let (name, map) = line.trim().split_once(": ").unwrap();
            let again = by_hand(&lab, name, &source(map));
            let again = again.unwrap_or_else(|errors| panic!("{errors}"));
            let fault = ScheduledFault {
                at: Duration::ZERO,
                ..fault.clone()
            };
            assert_eq!(again.fault, fault);
        }
    }

    /// The disk of the engine's host is nobody's to fill.
    #[test]
    fn only_a_volume_of_a_size_is_filled() {
        let nodes = TEXT.split("scenario").next().unwrap();
        let text = nodes.replace("labels: core", "data: { volume: 64MiB }");
        let lab = crate::lab::load(&source(&text), &LoadOptions::default())
            .unwrap()
            .lab;
        for kind in ["disk-fill", "read-only"] {
            let said =
                |node: &str| by_hand(&lab, kind, &source(&format!("at: 0s\n{kind}: {node}\n")));
            let allowed = said("server");
            assert!(allowed.is_ok(), "{}", allowed.unwrap_err());
            let refused = said("[server, client-2]").unwrap_err().to_string();
            assert!(
                refused.contains("`client-2`: it has no volume"),
                "{refused}"
            );
        }
    }

    #[test]
    fn mistakes_are_all_said_with_a_suggestion() {
        let wrong = by_hand(
            &lab(),
            "kill",
            &source("kill: [serverr, clent-2]\nfor: 5\nat: 0s\n"),
        );
        let text = wrong.unwrap_err().to_string();
        assert!(text.contains("did you mean `server`?"), "{text}");
        assert!(text.contains("did you mean `client-2`?"), "{text}");
        assert!(text.contains("`for`") || text.contains("unit"), "{text}");
    }
}
