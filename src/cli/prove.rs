//! `--prove-checks`: runs of a lab with each fault left out, and never healed.

use super::Context;
use super::exit::{Exit, Failure};
use super::launch::{Launch, Settings};
use super::progress::{Progress, Shows};
use super::signal::Signals;
use super::source::Topology;
use super::terminal::Terminal;
use super::trial::{self, Rules};
use crate::check::{CheckResult, Proof, Variation, proofs, variations};
use crate::lab::{Lab, Scenario};
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
    /// How much of a running lab is shown.
    pub shows: Shows,
}

/// What the checks say of a run that differs from the file.
pub type Varied = Vec<(Variation, Vec<CheckResult>)>;

/// Runs every variation and prints what the checks of `first`, the run of the lab as it is, prove.
/// [`Exit::Failed`] when one of them proves nothing.
///
/// # Errors
/// A run that could not be made.
pub async fn prove(
    variant: &Variant<'_>,
    first: &Run,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let terminal = variant.context.terminal;
    let varied = vary(variant, first, terminal, signals).await?;
    if let Some(signal) = signals.seen() {
        return Ok(signal.exit());
    }
    let checks = report::checks_over(first, first);
    let proofs = proofs(&checks, &varied);
    terminal.print(&report::check_proofs(&proofs, terminal.out))?;
    Ok(match proofs.iter().all(Proof::is_proven) {
        true => Exit::Passed,
        false => Exit::Failed,
    })
}

/// The lab with the times that its first run gave to what waits for conditions: all runs are judged over
/// the windows of that one.
fn timed(lab: &Lab, first: &Run) -> Lab {
    let mut timed = lab.clone();
    let waits = |scenario: &Scenario| !scenario.conditions.is_empty();
    if let (true, Some(timeline)) = (lab.scenario.as_ref().is_some_and(waits), &first.timeline)
        && timeline.onto(&mut timed).is_err()
    {
        return lab.clone();
    }
    timed
}

/// Runs every variation, one after the other, until a signal comes; `teller` tells which.
///
/// # Errors
/// A run that could not be made.
pub async fn vary(
    variant: &Variant<'_>,
    first: &Run,
    teller: Terminal,
    signals: &mut Signals,
) -> Result<Varied, Failure> {
    let name = &variant.topology.lab.name;
    let mut varied = Vec::new();
    for (variation, lab) in variations(&timed(&variant.topology.lab, first)) {
        teller.tell(&format!("{name}: once more {variation}"));
        let topology = Topology {
            lab,
            ..variant.topology.clone()
        };
        let progress = Progress::of(teller, &topology.lab, variant.shows);
        let prepared = Launch::prepare(variant.context, variant.settings, variant.runs, topology);
        let launch = prepared.await?;
        let outcome = trial::play(&launch, variant.rules, &progress, signals).await?;
        drop(progress);
        if signals.seen().is_some() {
            break;
        }
        let Some((record, _)) = outcome.record else {
            let problem = outcome.problems.into_iter().next();
            return Err(problem.unwrap_or_else(|| Failure::Bug("a run without a record".into())));
        };
        varied.push((variation, report::checks_over(&record, first)));
    }
    Ok(varied)
}
