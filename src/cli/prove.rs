//! `--prove-checks`: runs of a lab with each fault left out, and never healed.

use super::Context;
use super::exit::{Exit, Failure};
use super::launch::{Launch, Settings};
use super::progress::{Progress, Shows};
use super::signal::Signals;
use super::source::Topology;
use super::trial::{self, Rules};
use crate::check::{Proof, proofs, variations};
use crate::record::Run;
use crate::report;
use std::path::Path;

/// How the variations of a lab are run.
pub struct Variant<'a> {
    /// Who asks.
    pub context: &'a Context,
    /// What the command line says.
    pub settings: &'a Settings,
    /// Where records go.
    pub runs: &'a Path,
    /// The lab as it is.
    pub topology: &'a Topology,
    /// What every run is held to.
    pub rules: Rules,
}

/// Runs every variation, one after the other, and prints what the checks of `first`, the run of the lab as
/// it is, prove. [`Exit::Failed`] when one of them proves nothing.
///
/// # Errors
/// A run that could not be made; a signal.
pub async fn prove(
    variant: &Variant<'_>,
    first: &Run,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let terminal = variant.context.terminal;
    let name = &variant.topology.lab.name;
    let mut varied = Vec::new();
    for (variation, lab) in variations(&variant.topology.lab) {
        terminal.tell(&format!("{name}: once more {variation}"));
        let topology = Topology {
            lab,
            ..variant.topology.clone()
        };
        let progress = Progress::of(terminal, &topology.lab, Shows::All);
        let prepared = Launch::prepare(variant.context, variant.settings, variant.runs, topology);
        let launch = prepared.await?;
        let outcome = trial::play(&launch, variant.rules, &progress, signals).await?;
        drop(progress);
        if let Some(signal) = signals.seen() {
            return Ok(signal.exit());
        }
        let Some((record, _)) = outcome.record else {
            let problem = outcome.problems.into_iter().next();
            return Err(problem.unwrap_or_else(|| Failure::Bug("a run without a record".into())));
        };
        varied.push((variation, report::checks_over(&record, first)));
    }
    let checks = report::checks_over(first, first);
    let proofs = proofs(&checks, &varied);
    terminal.print(&report::check_proofs(&proofs, terminal.out))?;
    Ok(match proofs.iter().all(Proof::is_proven) {
        true => Exit::Passed,
        false => Exit::Failed,
    })
}
