//! What `test` found out about several files: the data, and how it is written as text, JUnit and
//! annotations. Pure.
//!
//! Owns how runs of one file become its verdict. Must not run anything, nor decide exit codes.

mod checks;
mod github;
mod junit;
mod proofs;
mod text;

pub use github::{annotations, job_summary};
pub use junit::junit;
pub use proofs::{CheckProof, Differing};
pub use text::{case as case_text, totals};

use super::diagnosis::Diagnosis;
use super::spread::needed;
use super::summary::Summary;
use crate::record::event::Verdict;
use serde::Serialize;
use std::path::PathBuf;

/// Version of [`Suite`]'s serialised form.
pub const FORMAT: u32 = 1;

/// Everything that one `test` found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suite {
    /// [`FORMAT`].
    pub format: u32,
    /// The process's exit code.
    pub exit_code: u8,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// One for each file, in the order of the command line.
    pub cases: Vec<Case>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Case {
    /// As it was named.
    pub file: String,
    /// The lab's name, where the file could be read.
    pub lab: Option<String>,
    /// What it came to.
    pub status: Status,
    /// The exit code of this file alone.
    pub exit_code: u8,
    /// Why it did not pass, where no run says it.
    pub reasons: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its runs that count, in the order of their seeds.
    pub trials: Vec<Trial>,
    /// Runs that were inconclusive and done again.
    pub retried: Vec<Trial>,
    /// Its checks, over all runs that count.
    pub checks: Vec<CheckOver>,
    /// What its checks prove, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proofs: Option<Vec<CheckProof>>,
    /// Annotations of a file that is no topology, made where its mistakes are known.
    #[serde(skip)]
    pub annotations: Option<String>,
}

/// What a file, a run or a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All is as the file says.
    Passed,
    /// A check does not hold.
    Failed,
    /// Nothing can be concluded.
    Inconclusive,
    /// The file is no topology.
    Invalid,
    /// The engine, the agent or netlab failed.
    Broken,
    /// Nothing was played.
    Skipped,
    /// A signal came.
    Interrupted,
}

impl Status {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Inconclusive => "inconclusive",
            Status::Invalid => "invalid",
            Status::Broken => "broken",
            Status::Skipped => "skipped",
            Status::Interrupted => "interrupted",
        }
    }
}

/// One run of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// Its seed.
    pub seed: u64,
    /// Its id; none when it did not begin.
    pub run: Option<String>,
    /// Where its record lies.
    pub record: Option<PathBuf>,
    /// What it came to.
    pub status: Status,
    /// Whether the scenario was played as the file says, whatever its checks make of it.
    pub played: bool,
    /// Why, where the summary does not say it.
    pub reasons: Vec<String>,
    /// How long it took, start and removal included, in seconds.
    pub seconds: f64,
    /// Whether its lab is still up.
    pub kept: bool,
    /// What was measured; none without a record.
    pub summary: Option<Summary>,
    /// What to look at, when it did not pass.
    pub diagnosis: Option<Diagnosis>,
}

/// A check over all runs of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckOver {
    /// Its name.
    pub name: String,
    /// What must be so.
    pub expect: String,
    /// What it came to.
    pub status: Status,
    /// In how many runs it passed.
    pub passed: usize,
    /// In how many runs it failed.
    pub failed: usize,
    /// In how many runs nothing can be concluded.
    pub inconclusive: usize,
    /// What was seen, one line for each of its functions: the value of the median run, and, with
    /// several runs, the interval of the median.
    pub observed: Vec<String>,
}

impl Case {
    /// A file of which nothing was played.
    pub fn unplayed(file: &str, status: Status, reason: impl Into<String>) -> Case {
        Case {
            file: file.to_owned(),
            lab: None,
            status,
            exit_code: 0,
            reasons: vec![reason.into()],
            seconds: 0.0,
            trials: Vec::new(),
            retried: Vec::new(),
            checks: Vec::new(),
            proofs: None,
            annotations: None,
        }
    }

    /// Judges the file by its runs and checks: what the median of its runs is known to be.
    pub fn judge(&mut self) {
        let first = |status| self.trials.iter().any(|trial| trial.status == status);
        let last_resort = [Status::Interrupted, Status::Broken, Status::Invalid];
        if let Some(status) = last_resort.into_iter().find(|status| first(*status)) {
            self.status = status;
            return;
        }
        let summaries = self
            .trials
            .iter()
            .filter_map(|trial| trial.summary.as_ref());
        self.checks = checks::checks(&summaries.collect::<Vec<_>>());
        let any = |status| self.checks.iter().any(|check| check.status == status);
        self.status = match () {
            () if any(Status::Failed) => Status::Failed,
            () if !self.is_played() || any(Status::Inconclusive) => Status::Inconclusive,
            () => Status::Passed,
        };
    }

    /// Takes what its checks prove: one that proves nothing fails it.
    pub fn prove(&mut self, proofs: Vec<CheckProof>) {
        if proofs.iter().any(|proof| !proof.proven) {
            self.status = Status::Failed;
        }
        self.proofs = Some(proofs);
    }

    /// Its checks that prove nothing.
    pub(super) fn idle(&self) -> impl Iterator<Item = &CheckProof> {
        let proofs = self.proofs.iter().flatten();
        proofs.filter(|proof| !proof.proven)
    }

    /// Whether the scenario was played in so many runs that the checks mean something.
    pub(super) fn is_played(&self) -> bool {
        let played = self.trials.iter().filter(|trial| trial.played);
        played.count() >= needed(self.trials.len())
    }

    /// The run to look at: the first that came to what the file came to.
    pub fn telling(&self) -> Option<&Trial> {
        let same = |trial: &&Trial| trial.status == self.status;
        let worse = |trial: &&Trial| trial.status != Status::Passed;
        let mut all = self.trials.iter();
        all.clone().find(same).or_else(|| all.find(worse))
    }
}

/// What a run is worth, as a status.
impl From<Verdict> for Status {
    fn from(verdict: Verdict) -> Status {
        match verdict {
            Verdict::Passed => Status::Passed,
            Verdict::Failed => Status::Failed,
            Verdict::Inconclusive => Status::Inconclusive,
            // Somebody else closed it: a signal is told otherwise.
            Verdict::Interrupted => Status::Inconclusive,
        }
    }
}

#[cfg(test)]
mod tests;
