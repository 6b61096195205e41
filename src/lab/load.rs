//! From text to lab.

use super::model::{FORMAT, Lab, Links, Network, SAMPLING};
use super::networks::Places;
use super::roster::Roster;
use crate::spec::{self, Diagnostic, Diagnostics, LoadOptions, Severity, Source, Topology};

/// A lab, and what its author should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The lab.
    pub lab: Lab,
    /// Warnings.
    pub warnings: Diagnostics,
}

/// Reads and resolves a topology. Takes time and memory in proportion to the file and the lab,
/// both of which are bounded, whatever the text says.
///
/// # Errors
/// Everything that is wrong with the file, warnings included.
pub fn load(source: &Source, options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    let reading = spec::read(source, options);
    let mut reports = reading.reports;
    let lab = resolve(&reading.topology, &mut reports);
    if options.strict {
        for report in &mut reports {
            report.severity = Severity::Error;
        }
    }
    let failed = reports.iter().any(|d| d.severity == Severity::Error);
    let diagnostics = Diagnostics::new(reading.sources, reports);
    match lab {
        Some(lab) if !failed => Ok(Loaded {
            lab,
            warnings: diagnostics,
        }),
        _ => Err(diagnostics),
    }
}

/// The lab, or none when something was reported; every part is tried.
fn resolve(topology: &Topology, reports: &mut Vec<Diagnostic>) -> Option<Lab> {
    let roster = Roster::new(topology, reports)?;
    let places = super::networks::places(&roster, reports);
    let nodes = super::programs::nodes(&roster, &places, reports);
    let links = super::links::links(&roster, &places, reports);
    let scenario = topology.scenario.as_ref().map(|scenario| {
        super::faults::scenario(&roster, &places, links.as_deref(), scenario, reports)
    });
    let checks = super::checks::checks(&roster, reports);
    // Who has mistakes to mend is not told what is unusual besides.
    let failed = reports.iter().any(|d| d.severity == Severity::Error);
    if let (Some(nodes), false) = (&nodes, failed) {
        super::advice::look(&roster, nodes, reports);
    }
    let lab = Lab {
        format: FORMAT,
        name: topology.name.clone()?.value,
        seed: topology.seed,
        networks: networks(topology, places, links?),
        nodes: nodes?,
        groups: roster.groups(),
        sampling: topology.sampling.unwrap_or(SAMPLING),
        traces: topology.traces.clone(),
        scenario: match scenario {
            Some(scenario) => Some(scenario?),
            None => None,
        },
        checks: checks?,
    };
    if !failed {
        super::reach::look(&roster, &lab, reports);
    }
    Some(lab)
}

fn networks(topology: &Topology, places: Places, links: Vec<Links>) -> Vec<Network> {
    let specs = topology.networks.iter().zip(links);
    let parts = places
        .subnets
        .into_iter()
        .zip(places.wires)
        .zip(places.reach);
    specs
        .zip(parts)
        .map(|((spec, links), ((subnet, wires), reach))| Network {
            wires,
            reach,
            ..Network::new(spec.name.value.clone(), subnet, links)
        })
        .collect()
}
