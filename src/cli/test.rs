//! `netlab test`: several labs for continuous integration, and one verdict.
//!
//! Owns which files are tested, how many at once, and where results go. What becomes of one file is
//! [`play`]'s job.

mod files;
mod play;

use super::exit::{Exit, Failure};
use super::launch::Settings;
use super::progress::Shows;
use super::screen::Region;
use super::signal::Signals;
use super::source::{Overrides, Topology};
use super::{Context, RunsOption, screen, table};
use crate::report::Palette;
use crate::report::suite::{self, Case, Status, Suite};
use clap::Args;
use files::Prepared;
use futures_util::{StreamExt, stream};
use play::Player;
use std::cell::RefCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
From a folder all *.yaml and *.yml are taken, sorted, those of folders inside it too, but nothing whose
name begins with `.` or `_` (keep parts for `include:` there). Every file is read before anything is
started; one that is wrong counts as code 4, and the others are played. A file without a scenario is
skipped. The code is that of the worst: 70, 5, 4, 1, 3, 0; 130 or 143 when interrupted.

With --repeat the runs have the seeds of the file, and the next ones. A check holds when the median run
is known to: up to five runs must all agree, of twenty fifteen; otherwise it is inconclusive.

Examples:
  netlab test topologies --junit out.xml
  netlab test lab.yaml --repeat 20 --jobs 2 --json
  netlab test topologies --prove-checks
  netlab test topologies --github --on-inconclusive retry:2 --fail-fast";

/// Arguments of `netlab test`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Topologies, and folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    targets: Vec<String>,
    /// Labs at once; measurements of labs that share a host disturb each other
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
    /// Runs of each file, with seeds in sequence; the verdict is that of all of them
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=1000))]
    repeat: u64,
    /// Longest time of one run, its start included; five minutes more than its scenario unless said
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
    /// What an inconclusive run is: fail (code 3), warn (code 0), or retry:N (again, N times at most)
    #[arg(long, value_name = "WHAT", default_value = "fail", value_parser = parse_inconclusive)]
    on_inconclusive: OnInconclusive,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the results as one JSON object; what people read goes to standard error
    #[arg(long)]
    json: bool,
    /// Print annotations for GitHub Actions, and append to the summary of the job
    #[arg(long)]
    github: bool,
    /// Run each file again with each fault left out, and never healed: a check that says the same in all
    /// runs proves nothing (code 1)
    #[arg(long)]
    prove_checks: bool,
    /// Leave the lab of a run that does not pass up, until its lease is over
    #[arg(long, conflicts_with = "prove_checks")]
    keep_on_failure: bool,
    /// Begin no further file once one did not pass
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    runs: RunsOption,
}

/// What becomes of inconclusive runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnInconclusive {
    Fail,
    Warn,
    /// So many times at most; then as [`OnInconclusive::Fail`].
    Retry(u32),
}

/// Most times that a run is done again.
const RETRIES: u32 = 100;

fn parse_inconclusive(text: &str) -> Result<OnInconclusive, String> {
    match text.split_once(':') {
        None if text == "fail" => Ok(OnInconclusive::Fail),
        None if text == "warn" => Ok(OnInconclusive::Warn),
        Some(("retry", times)) => match times.parse() {
            Ok(times @ 1..=RETRIES) => Ok(OnInconclusive::Retry(times)),
            _ => Err(format!("say how often, 1 to {RETRIES}: `retry:2`")),
        },
        _ => Err("write `fail`, `warn` or `retry:2`".to_owned()),
    }
}

fn parse_time(text: &str) -> Result<Duration, String> {
    crate::units::parse_duration(text).map_err(|e| e.to_string())
}

/// Only for the time that people are told.
fn now() -> Instant {
    Instant::now()
}

/// Plays all files and says what came out.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let begun = now();
    let prepared = files::prepare(arguments, context.terminal)?;
    let board = Board::new(arguments, context, prepared.len());
    let (mut cases, signals) = match prepared.iter().any(|one| one.topology.is_ok()) {
        // An engine that is not there is one failure, not one for each file.
        true => {
            super::connect::connect().await?;
            // Before hours of labs, not after them.
            for path in arguments.junit.iter().chain(&job_summary(arguments)) {
                write(path, "", true)?;
            }
            let signals = Signals::listen()?;
            (
                play_all(prepared, arguments, context, &board, &signals).await,
                Some(signals),
            )
        }
        false => (
            prepared
                .into_iter()
                .map(|one| board.unplayed(one))
                .collect(),
            None,
        ),
    };
    drop(board);
    cases.sort_by_key(|(at, _)| *at);
    let signal = signals.and_then(|signals| signals.seen());
    let exit = match signal {
        Some(signal) => signal.exit(),
        None => cases
            .iter()
            .fold(Exit::Passed, |exit, (_, (_, one))| exit.worst(*one)),
    };
    let suite = Suite {
        format: suite::FORMAT,
        exit_code: exit.code(),
        seconds: begun.elapsed().as_secs_f64(),
        cases: cases.into_iter().map(|(_, (case, _))| case).collect(),
    };
    publish(&suite, arguments, context)?;
    if exit == Exit::Passed
        && suite
            .cases
            .iter()
            .all(|case| case.status == Status::Skipped)
    {
        return Err(Failure::usage(
            "nothing was tested: no file has a scenario",
            "add one: `scenario: { duration: 30s }`",
        ));
    }
    Ok(exit)
}

type Judged = (usize, (Case, Exit));

/// Plays what can be played, so many at once; labs of the same name one after the other.
async fn play_all(
    prepared: Vec<Prepared>,
    arguments: &Arguments,
    context: &Context,
    board: &Board<'_>,
    signals: &Signals,
) -> Vec<Judged> {
    let player = Player::new(arguments, context, signals.clone());
    let one = async |one: Prepared| match one.topology {
        Ok(_) if board.is_over() => board.not_begun(one),
        Ok(topology) => {
            board.begins(&one.file);
            let judged = player.play(&one.file, topology).await;
            board.ends((one.at, judged))
        }
        Err(_) => board.unplayed(one),
    };
    // Errors first: nothing has to be waited for.
    let (wrong, right): (Vec<_>, Vec<_>) = prepared.into_iter().partition(|p| p.topology.is_err());
    let jobs = usize::try_from(arguments.jobs).unwrap_or(1);
    let mut playing = stream::iter(wrong.into_iter().chain(right))
        .map(one)
        .buffer_unordered(jobs);
    let mut all = Vec::new();
    while let Some(judged) = playing.next().await {
        all.push(judged);
    }
    all
}

/// What a person sees while it goes on.
struct Board<'a> {
    context: &'a Context,
    /// Where cases are told: standard output, unless that is for a program.
    to_stdout: bool,
    fail_fast: bool,
    all: usize,
    region: Region,
    done: RefCell<Vec<Status>>,
    failed: std::cell::Cell<bool>,
}

impl<'a> Board<'a> {
    fn new(arguments: &Arguments, context: &'a Context, all: usize) -> Board<'a> {
        Board {
            context,
            to_stdout: !arguments.json,
            fail_fast: arguments.fail_fast,
            all,
            region: Region::last(),
            done: RefCell::new(Vec::new()),
            failed: std::cell::Cell::new(false),
        }
    }

    /// Whether no further file is begun.
    fn is_over(&self) -> bool {
        self.fail_fast && self.failed.get()
    }

    fn begins(&self, file: &str) {
        let terminal = self.context.terminal;
        if !terminal.live {
            let at = self.done.borrow().len() + 1;
            terminal.tell(&format!("{file}: begins, {at} of {}", self.all));
        }
        self.draw();
    }

    fn ends(&self, judged: Judged) -> Judged {
        let (_, (case, exit)) = &judged;
        self.done.borrow_mut().push(case.status);
        self.failed.set(self.failed.get() || *exit != Exit::Passed);
        let terminal = self.context.terminal;
        match self.to_stdout {
            true => {
                let text = suite::case_text(case, terminal.out);
                // Whoever does not read has the exit code.
                let _ = terminal.print(&text);
            }
            false => terminal.tell(suite::case_text(case, terminal.err).trim_end()),
        }
        self.draw();
        judged
    }

    /// A file of which nothing can be played.
    fn unplayed(&self, one: Prepared) -> Judged {
        let case = match one.topology {
            Err(case) => *case,
            Ok(_) => Case::unplayed(&one.file, Status::Skipped, "not begun"),
        };
        let exit = play::exit_of(case.status);
        self.ends((
            one.at,
            (
                Case {
                    exit_code: exit.code(),
                    ..case
                },
                exit,
            ),
        ))
    }

    fn not_begun(&self, one: Prepared) -> Judged {
        let why = "not begun: another file did not pass (--fail-fast)";
        let case = Case::unplayed(&one.file, Status::Skipped, why);
        self.ends((one.at, (case, Exit::Passed)))
    }

    fn draw(&self) {
        let done = self.done.borrow();
        if self.context.terminal.live && done.len() < self.all {
            let bad = done
                .iter()
                .filter(|status| !matches!(status, Status::Passed | Status::Skipped))
                .count();
            let bad = if bad > 0 {
                format!(", {bad} not passed")
            } else {
                String::new()
            };
            let text = format!("{} of {} files done{bad}", done.len(), self.all);
            self.region
                .draw(vec![self.context.terminal.err.quiet(&text)]);
        }
    }
}

/// How much of a running lab is shown.
fn shows(arguments: &Arguments) -> Shows {
    match arguments.jobs {
        1 => Shows::View,
        _ => Shows::Line,
    }
}

/// Where GitHub wants the summary of the job.
fn job_summary(arguments: &Arguments) -> Option<PathBuf> {
    let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
    path.filter(|_| arguments.github).map(PathBuf::from)
}

/// Writes the results to where they are wanted.
fn publish(suite: &Suite, arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let terminal = context.terminal;
    if let Some(path) = &arguments.junit {
        let warn = arguments.on_inconclusive == OnInconclusive::Warn;
        let text = suite::junit(suite, warn)
            .map_err(|e| Failure::step("the results could not be made JUnit", e))?;
        write(path, &text, false)?;
    }
    if arguments.github {
        let text = suite::annotations(suite);
        match arguments.json {
            true => screen::above(text.as_bytes()),
            false => terminal.print(&text)?,
        }
        if let Some(path) = job_summary(arguments) {
            write(&path, &suite::job_summary(suite), true)?;
        }
    }
    match arguments.json {
        true => {
            terminal.tell(suite::totals(suite, Palette::PLAIN).trim());
            terminal.print(&table::json(suite))
        }
        false => terminal.print(&suite::totals(suite, terminal.out)),
    }
}

fn write(path: &Path, text: &str, append: bool) -> Result<(), Failure> {
    let failed = |source| Failure::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options
        .create(true)
        .append(append)
        .write(true)
        .truncate(!append);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
