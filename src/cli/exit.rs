//! What ended a command, and the exit code of it: decided here and nowhere else.

use crate::engine::EngineError;
use crate::plan::PlanError;
use crate::record::event::Verdict;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well, all checks passed.
    Passed,
    /// A check failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// Nothing can be concluded from the run.
    Inconclusive,
    /// The topology is invalid or unreadable.
    Invalid,
    /// The engine or the agent failed, or something was left over.
    Engine,
    /// netlab has a bug.
    Bug,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// The code of the command that `exec` or `shell` ran.
    Command(u8),
}

impl Exit {
    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Inconclusive => 3,
            Exit::Invalid => 4,
            Exit::Engine => 5,
            Exit::Bug => 70,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Command(code) => code,
        }
    }

    /// The worse of two: what several labs together say to the caller.
    #[must_use]
    pub fn worst(self, other: Exit) -> Exit {
        match self.severity() >= other.severity() {
            true => self,
            false => other,
        }
    }

    /// 130, 143 > 70 > 5 > 4 > 2 > 1 > 3 > 0.
    fn severity(self) -> u8 {
        match self {
            Exit::Passed | Exit::Command(_) => 0,
            Exit::Inconclusive => 1,
            Exit::Failed => 2,
            Exit::Usage => 3,
            Exit::Invalid => 4,
            Exit::Engine => 5,
            Exit::Bug => 6,
            Exit::Interrupted | Exit::Terminated => 7,
        }
    }

    /// The exit of a run that the agent ended with `code`, and whose record is worth this much: what
    /// checks say is known only from the record.
    pub fn of_record(code: u8, verdict: Verdict) -> Exit {
        match (Exit::of_run(code), verdict) {
            (Exit::Passed | Exit::Inconclusive, Verdict::Failed) => Exit::Failed,
            (Exit::Passed, Verdict::Inconclusive) => Exit::Inconclusive,
            (exit, _) => exit,
        }
    }

    /// The exit that an agent's code stands for.
    pub fn of_run(code: u8) -> Exit {
        match code {
            0 => Exit::Passed,
            1 => Exit::Failed,
            3 => Exit::Inconclusive,
            130 => Exit::Interrupted,
            _ => Exit::Engine,
        }
    }
}

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for does not fit together.
    #[error("{what}")]
    Usage {
        /// What.
        what: String,
        /// What to do.
        cure: String,
    },
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is wrong; the text names every error with its place.
    #[error("{rendered}")]
    Invalid {
        /// All diagnostics, as they are printed.
        rendered: String,
    },
    /// What was asked for is wrong in itself; the text names every error with its place.
    #[error("{rendered}")]
    Misworded {
        /// All diagnostics, as they are printed.
        rendered: String,
    },
    /// Engine or host cannot do what netlab needs.
    #[error("{what}")]
    Unfit {
        /// What is missing.
        what: String,
        /// What to do.
        cure: String,
    },
    /// A call to the engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A step in the life of a lab failed.
    #[error("{what}")]
    Step {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file of ours could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Standard output is gone.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// A signal asked to stop, and everything was undone or left in order.
    #[error("interrupted")]
    Signal(super::signal::Signal),
    /// A broken invariant.
    #[error("{0}")]
    Bug(String),
}

impl Failure {
    /// A step that failed, with its cause.
    pub fn step(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Failure {
        Failure::Step {
            what: what.into(),
            source: Box::new(source),
        }
    }

    /// A command line that makes no sense here.
    pub fn usage(what: impl Into<String>, cure: impl Into<String>) -> Failure {
        Failure::Usage {
            what: what.into(),
            cure: cure.into(),
        }
    }

    /// What the process says about it to its caller.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Usage { .. } | Failure::Misworded { .. } => Exit::Usage,
            Failure::Unreadable { .. } | Failure::Invalid { .. } => Exit::Invalid,
            Failure::Plan(error) => match error {
                PlanError::OtherAgent { .. }
                | PlanError::OtherOwner { .. }
                | PlanError::OtherBuild { .. } => Exit::Usage,
                PlanError::NothingToRun { .. } => Exit::Invalid,
                PlanError::NoImage { .. } => Exit::Engine,
                PlanError::NoContainer => Exit::Bug,
            },
            Failure::Unfit { .. }
            | Failure::Engine(_)
            | Failure::Step { .. }
            | Failure::Write { .. } => Exit::Engine,
            // Whoever read our output has seen enough.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Passed,
            Failure::Output(_) => Exit::Engine,
            Failure::Signal(signal) => signal.exit(),
            Failure::Bug(_) => Exit::Bug,
        }
    }

    /// The text for people: the chain of causes and the cure; empty when nothing is to be said.
    pub fn render(&self, palette: crate::report::Palette) -> String {
        match self {
            Failure::Invalid { rendered } | Failure::Misworded { rendered } => {
                return rendered.clone();
            }
            Failure::Signal(_) => return String::new(),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return String::new();
            }
            _ => {}
        }
        let mut text = format!("{}: {self}\n", palette.bad("error"));
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !said.contains(&words) {
                let _ = writeln!(text, "  cause: {}", words.replace('\n', "\n  "));
                said = words;
            }
            cause = error.source();
        }
        if let Failure::Usage { cure, .. } | Failure::Unfit { cure, .. } = self {
            let _ = writeln!(text, "  {}: {cure}", palette.strong("help"));
        }
        if let Failure::Engine(error) = self
            && error.status == Some(409)
            && error.operation.starts_with("create container")
        {
            let _ = writeln!(text, "  {}: {TAKEN}", palette.strong("help"));
        }
        if let Failure::Bug(_) = self {
            let _ = writeln!(text, "  {}: {REPORT}", palette.strong("help"));
        }
        text
    }
}

/// Whose name it is that is taken.
const TAKEN: &str = "this lab may be started by somebody else at this moment: see `netlab ps` before anything is removed";

/// Where bugs go.
pub const REPORT: &str = "this is a bug in netlab: please report it where you got netlab from, \
     with these lines and what `netlab doctor` prints; `netlab down` removes the lab";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Palette;

    #[test]
    fn the_chain_is_said_once() {
        let engine = EngineError {
            operation: "create container netlab-x.server".into(),
            status: Some(409),
            source: "name is in use".into(),
        };
        let failure = Failure::from(engine);
        assert_eq!(
            failure.render(Palette::PLAIN),
            format!(
                "error: create container netlab-x.server failed\n  cause: name is in use\n  help: {TAKEN}\n"
            )
        );
        assert_eq!(failure.exit().code(), 5);
    }

    #[test]
    fn the_worst_counts() {
        let from_worst = [
            Exit::Interrupted,
            Exit::Bug,
            Exit::Engine,
            Exit::Invalid,
            Exit::Failed,
            Exit::Inconclusive,
            Exit::Passed,
        ];
        for pair in from_worst.windows(2) {
            assert_eq!(pair[0].worst(pair[1]), pair[0]);
            assert_eq!(pair[1].worst(pair[0]), pair[0]);
        }
    }

    #[test]
    fn a_broken_pipe_is_quiet() {
        let failure = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(
            (failure.exit().code(), failure.render(Palette::PLAIN)),
            (0, String::new())
        );
    }
}
