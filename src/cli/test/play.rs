//! What becomes of one file: its runs, one after the other, and those that are done again.

use super::{Arguments, OnInconclusive, shows};
use crate::check::proofs;
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::launch::{Launch, Settings};
use crate::cli::progress::Progress;
use crate::cli::prove::{self, Variant};
use crate::cli::signal::Signals;
use crate::cli::source::{self, Topology};
use crate::cli::terminal::Terminal;
use crate::cli::trial::{self, Keep, Outcome, Rules};
use crate::id::Name;
use crate::record::event::Verdict;
use crate::record::{self, Run};
use crate::report::suite::{Case, CheckProof, Status, Trial};
use crate::report::{self, Diagnosis, LogTail, Palette, Summary};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How much longer than its scenario a run may take: images, start, heals, last reports.
const ALLOWANCE: Duration = Duration::from_secs(300);
/// How much longer than a run may take its lab may be there.
const LEASE: Duration = Duration::from_secs(120);
/// The same for a lab that is kept.
const KEPT: Duration = Duration::from_secs(3600);
/// Lines of a node's log that are shown.
const LOG_LINES: usize = 8;
/// Largest seed.
const LARGEST: u64 = i64::MAX as u64;

/// The exit code of what a file came to.
pub fn exit_of(status: Status) -> Exit {
    match status {
        Status::Passed | Status::Skipped => Exit::Passed,
        Status::Failed => Exit::Failed,
        Status::Inconclusive => Exit::Inconclusive,
        Status::Invalid => Exit::Invalid,
        Status::Broken => Exit::Engine,
        Status::Interrupted => Exit::Interrupted,
    }
}

/// Plays files.
pub struct Player<'a> {
    arguments: &'a Arguments,
    /// What trials are told: problems, but not how they go.
    context: Context,
    terminal: Terminal,
    signals: Signals,
    /// One lab of a name at a time.
    names: RefCell<BTreeMap<Name, Rc<Mutex<()>>>>,
}

impl<'a> Player<'a> {
    /// With what the command line says.
    pub fn new(arguments: &'a Arguments, context: &Context, signals: Signals) -> Player<'a> {
        let terminal = Terminal {
            quiet: true,
            ..context.terminal
        };
        Player {
            arguments,
            context: Context {
                terminal,
                ..context.clone()
            },
            terminal: context.terminal,
            signals,
            names: RefCell::default(),
        }
    }

    /// All runs of a file, and what they come to together.
    pub async fn play(&self, file: &str, topology: Topology) -> (Case, Exit) {
        let begun = super::now();
        let name = topology.lab.name.clone();
        let alone = Rc::clone(self.names.borrow_mut().entry(name.clone()).or_default());
        let _alone = alone.lock().await;
        let mut case = Case::unplayed(file, Status::Passed, "");
        case.reasons.clear();
        case.lab = Some(name.to_string());
        let first = topology.lab.seed;
        let mut bug = false;
        for n in 0..self.arguments.repeat {
            let seed = first.wrapping_add(n) & LARGEST;
            let trial = match self.seeded(file, &topology, seed) {
                Ok(topology) => self.conclusive(topology, &mut case.retried).await,
                Err(reason) => (unstarted(seed, Status::Invalid, reason), false),
            };
            bug |= trial.1;
            case.trials.push(trial.0);
            let last = case.trials.last().map(|trial| trial.status);
            if !matches!(
                last,
                Some(Status::Passed | Status::Failed | Status::Inconclusive)
            ) {
                break;
            }
        }
        case.judge();
        if self.arguments.prove_checks {
            bug |= self.prove(file, &topology, &mut case).await;
        }
        case.seconds = begun.elapsed().as_secs_f64();
        let warn = self.arguments.on_inconclusive == OnInconclusive::Warn;
        let exit = match case.status {
            _ if bug => Exit::Bug,
            Status::Inconclusive if warn => Exit::Passed,
            status => exit_of(status),
        };
        case.exit_code = exit.code();
        (case, exit)
    }

    /// Finds out what the checks of a file prove, with the seed of its first run; whether netlab has a bug.
    async fn prove(&self, file: &str, topology: &Topology, case: &mut Case) -> bool {
        let first = case.trials.first().and_then(|trial| trial.record.clone());
        let (Status::Passed | Status::Failed, Some(dir)) = (case.status, first) else {
            let why = "what its checks prove is not known: it was not played to its end";
            case.reasons.push(why.to_owned());
            return false;
        };
        if topology.lab.checks.is_empty() {
            case.prove(Vec::new());
            return false;
        }
        self.terminal
            .tell(&format!("{file}: what do its checks prove?"));
        let timeout = self.timeout(topology);
        let variant = Variant {
            context: &self.context,
            settings: &self.leased(timeout),
            runs: &self.arguments.runs.runs,
            topology,
            rules: Rules {
                keep: Keep::Never,
                timeout: Some(timeout),
            },
            shows: shows(self.arguments),
        };
        let mut signals = self.signals.clone();
        let varying = async {
            let read = Run::read(&dir);
            let first = read.map_err(|e| Failure::step("the first run cannot be read", e))?;
            let varied = prove::vary(&variant, &first, self.terminal, &mut signals).await?;
            Ok((report::checks_over(&first, &first), varied))
        };
        match varying.await {
            _ if self.signals.seen().is_some() => case.status = Status::Interrupted,
            Ok((checks, varied)) => {
                let proofs = proofs(&checks, &varied);
                let proofs = proofs.iter().map(|one| CheckProof::new(one, varied.len()));
                case.prove(proofs.collect());
            }
            Err(failure) => {
                case.status = Status::Broken;
                case.reasons.push(said(&failure));
                return matches!(failure, Failure::Bug(_));
            }
        }
        false
    }

    /// The lab with another seed.
    fn seeded(&self, file: &str, topology: &Topology, seed: u64) -> Result<Topology, String> {
        if seed == topology.lab.seed {
            return Ok(topology.clone());
        }
        let overrides = self.arguments.overrides.seeded(seed);
        let text = topology.text.clone();
        match source::resolve_text(file, text.clone(), &overrides) {
            Ok(Ok(loaded)) => Ok(Topology {
                text,
                lab: loaded.lab,
            }),
            Ok(Err(diagnostics)) => Err(diagnostics.render(false)),
            Err(failure) => Err(said(&failure)),
        }
    }

    /// One run, again as long as it is inconclusive and may be done again; whether netlab has a bug.
    async fn conclusive(&self, topology: Topology, retried: &mut Vec<Trial>) -> (Trial, bool) {
        let mut left = match self.arguments.on_inconclusive {
            OnInconclusive::Retry(times) => times,
            OnInconclusive::Fail | OnInconclusive::Warn => 0,
        };
        loop {
            let (trial, bug) = self.once(topology.clone()).await;
            if trial.status != Status::Inconclusive || left == 0 {
                return (trial, bug);
            }
            left -= 1;
            retried.push(trial);
        }
    }

    async fn once(&self, topology: Topology) -> (Trial, bool) {
        let begun = super::now();
        let seed = topology.lab.seed;
        let timeout = self.timeout(&topology);
        let rules = Rules {
            keep: match self.arguments.keep_on_failure {
                true => Keep::OnFailure,
                false => Keep::Never,
            },
            timeout: Some(timeout),
        };
        let settings = self.leased(timeout);
        let mut signals = self.signals.clone();
        let progress = Progress::of(self.terminal, &topology.lab, shows(self.arguments));
        let runs = &self.arguments.runs.runs;
        let playing = async {
            if let Some(signal) = signals.seen() {
                return Err(Failure::Signal(signal));
            }
            let launch = Launch::prepare(&self.context, &settings, runs, topology).await?;
            trial::play(&launch, rules, &progress, &mut signals).await
        };
        let played = playing.await;
        drop(progress);
        let bug = matches!(&played, Err(Failure::Bug(_)));
        let mut trial = match played {
            Ok(outcome) => self.told(outcome, seed),
            Err(failure) => {
                let status = match failure.exit() {
                    Exit::Interrupted | Exit::Terminated => Status::Interrupted,
                    Exit::Invalid => Status::Invalid,
                    _ => Status::Broken,
                };
                unstarted(seed, status, said(&failure))
            }
        };
        trial.seconds = begun.elapsed().as_secs_f64();
        (trial, bug)
    }

    /// Longest time of a run.
    fn timeout(&self, topology: &Topology) -> Duration {
        let scenario = topology.lab.scenario.as_ref();
        let scenario = scenario.map_or(Duration::ZERO, |s| s.warmup.saturating_add(s.duration));
        let enough = scenario.saturating_add(ALLOWANCE);
        self.arguments.timeout.unwrap_or(enough)
    }

    /// A lease in any case: whatever becomes of this process, the lab goes.
    fn leased(&self, timeout: Duration) -> Settings {
        let longer = if self.arguments.keep_on_failure {
            KEPT
        } else {
            LEASE
        };
        let lease = timeout.saturating_add(longer);
        self.arguments.settings.leased(lease)
    }

    /// A run that had begun.
    fn told(&self, outcome: Outcome, seed: u64) -> Trial {
        let status = match (outcome.exit, &outcome.record) {
            _ if self.signals.seen().is_some() => Status::Interrupted,
            (Exit::Engine | Exit::Bug, _) | (_, None) => Status::Broken,
            _ if outcome.why.is_some() => Status::Inconclusive,
            (_, Some((_, summary))) => summary.verdict.into(),
        };
        let problems = outcome.problems.iter().map(said);
        let reasons: Vec<String> = outcome.why.into_iter().chain(problems).collect();
        let mut trial = unstarted(seed, status, String::new());
        trial.reasons = reasons;
        trial.kept = outcome.kept;
        if let Some((record, summary)) = outcome.record {
            let ended = record.verdict();
            trial.played = ended.is_some_and(|(verdict, _)| verdict == Verdict::Passed);
            trial.run = Some(record.id.clone());
            trial.record = Some(record.dir.clone());
            if status != Status::Passed {
                trial.diagnosis = Some(diagnosed(&record, &summary));
            }
            trial.summary = Some(summary);
        }
        trial
    }
}

/// With the last lines of the nodes concerned.
fn diagnosed(record: &Run, summary: &Summary) -> Diagnosis {
    let mut diagnosis = Diagnosis::new(record, summary);
    for node in &diagnosis.nodes {
        let lines = record::log_tail(&record.dir, node, LOG_LINES);
        let node = node.clone();
        diagnosis.logs.push(LogTail { node, lines });
    }
    diagnosis
}

fn unstarted(seed: u64, status: Status, reason: String) -> Trial {
    Trial {
        seed,
        run: None,
        record: None,
        status,
        played: false,
        reasons: vec![reason],
        seconds: 0.0,
        kept: false,
        summary: None,
        diagnosis: None,
    }
}

/// A failure as one text, without the word that heads it.
fn said(failure: &Failure) -> String {
    let text = failure.render(Palette::PLAIN);
    let text = text.trim_end();
    text.strip_prefix("error: ").unwrap_or(text).to_owned()
}
