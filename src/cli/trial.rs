//! One lab from its start to its removal: what `run` does once, and `test` for every run of a file.
//!
//! Owns that the lab goes again, however the run ended. Must not print results.

use super::down;
use super::exit::{Exit, Failure};
use super::follow::{Followed, follow};
use super::launch::Launch;
use super::progress::Progress;
use super::signal::{Signal, Signals};
use crate::record::Run;
use crate::report::Summary;
use crate::run::{self, Scope, Started};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// When a lab stays up after its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// It goes.
    #[default]
    Never,
    /// It stays when the run did not pass.
    OnFailure,
    /// It stays.
    Always,
}

/// What a trial is held to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Whether the lab stays. A signal takes it down in any case.
    pub keep: Keep,
    /// Longest time from the beginning of the start to the end of the scenario.
    pub timeout: Option<Duration>,
}

/// What became of a lab that had started.
#[derive(Debug)]
pub struct Outcome {
    /// What its run is worth.
    pub exit: Exit,
    /// Why, where the record does not say it.
    pub why: Option<String>,
    /// What was recorded, with its summary; none when it could not be brought home.
    pub record: Option<(Run, Summary)>,
    /// Whether the lab is still up.
    pub kept: bool,
    /// What went wrong while the record was brought home and the lab removed.
    pub problems: Vec<Failure>,
}

/// How the playing ended.
enum Ending {
    Played(u8),
    Late(Duration),
    Signal(Signal),
    Broken(Failure),
}

/// Starts the lab, plays its scenario, brings the record home and removes the lab.
///
/// # Errors
/// The lab was not started; what was made is undone.
pub async fn play(
    launch: &Launch<'_>,
    rules: Rules,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<Outcome, Failure> {
    require_new(launch)?;
    let begun = Instant::now();
    let started = launch.start(false, progress, signals).await?;
    launch.tell_ports(&started);
    let ending = match launch.keep(&started) {
        Ok(()) => watch(launch, &started, (rules, begun), progress, signals).await,
        Err(failure) => Ending::Broken(failure),
    };
    progress.undoing(match &ending {
        Ending::Played(_) => "over: bringing the record home",
        Ending::Late(_) => "out of time: taking the lab down",
        Ending::Signal(_) => "interrupted: taking the lab down",
        Ending::Broken(_) => "failed: taking the lab down",
    });
    let mut outcome = conclude(launch, &started, ending).await;
    outcome.kept = signals.seen().is_none()
        && match rules.keep {
            Keep::Never => false,
            Keep::OnFailure => outcome.exit != Exit::Passed,
            Keep::Always => true,
        };
    if !outcome.kept {
        remove(launch, &mut outcome).await;
    }
    if let Some(signal) = signals.seen() {
        outcome.exit = signal.exit();
    }
    Ok(outcome)
}

/// Refuses what is not this command's to remove, and what would never end.
fn require_new(launch: &Launch<'_>) -> Result<(), Failure> {
    let name = &launch.lab().name;
    if launch.is_there() {
        return Err(Failure::usage(
            format!("lab `{name}` is there already"),
            format!("remove it: `netlab down {name}`; or run this one beside it: `--name NAME`"),
        ));
    }
    if launch.lab().scenario.is_none() {
        return Err(Failure::usage(
            format!("lab `{name}` has no scenario, so its run would never be over"),
            "add one: `scenario: { duration: 30s }`; `netlab up` starts a lab without",
        ));
    }
    Ok(())
}

async fn watch(
    launch: &Launch<'_>,
    started: &Started,
    (rules, begun): (Rules, Instant),
    progress: &Progress,
    signals: &mut Signals,
) -> Ending {
    let following = follow(&launch.engine, &started.agent, progress, signals);
    let followed = match rules.timeout {
        None => following.await,
        Some(most) => match timeout_at(begun + most, following).await {
            Ok(followed) => followed,
            Err(_) => return Ending::Late(most),
        },
    };
    match followed {
        Ok(Followed::Ended { exit_code, .. }) => Ending::Played(exit_code),
        Ok(Followed::Signal(signal)) => Ending::Signal(signal),
        Err(failure) => Ending::Broken(failure),
    }
}

/// Closes the record, if the run did not do so itself, brings it home and judges.
async fn conclude(launch: &Launch<'_>, started: &Started, ending: Ending) -> Outcome {
    let mut problems = Vec::new();
    if !matches!(ending, Ending::Played(_))
        && let Err(error) = run::stop(&launch.engine, &started.agent).await
    {
        problems.push(Failure::step("the agent did not close its record", error));
    }
    let record = match &started.run {
        Some(run) => launch.home(run).await,
        None => Err(Failure::Bug("a lab with a scenario did not play it".into())),
    };
    let record = match record {
        Ok(record) => {
            let summary = Summary::new(&record);
            Some((record, summary))
        }
        Err(failure) => {
            problems.push(failure);
            None
        }
    };
    let (exit, why) = match ending {
        Ending::Played(_) if record.is_none() => (Exit::Engine, None),
        Ending::Played(code) => {
            let verdict = record.as_ref().map(|(_, summary)| summary.verdict);
            let exit = verdict.map_or(Exit::of_run(code), |v| Exit::of_record(code, v));
            (exit, None)
        }
        Ending::Late(most) => {
            let time = netlab_protocol::duration::format(most);
            (
                Exit::Inconclusive,
                Some(format!("not over within {time} (--timeout)")),
            )
        }
        Ending::Signal(signal) => (signal.exit(), Some("interrupted".to_owned())),
        Ending::Broken(failure) => {
            let exit = failure.exit();
            problems.insert(0, failure);
            (exit, None)
        }
    };
    Outcome {
        exit,
        why,
        record,
        kept: false,
        problems,
    }
}

/// Removes the lab and everything of it; what is left makes the outcome worse.
async fn remove(launch: &Launch<'_>, outcome: &mut Outcome) {
    let scope = Scope::Lab {
        lab: launch.lab().name.clone(),
        owner: launch.owner().to_owned(),
    };
    if let Err(failure) = down::remove(&launch.engine, &scope).await {
        outcome.exit = outcome.exit.worst(failure.exit());
        outcome.problems.push(failure);
    }
}
