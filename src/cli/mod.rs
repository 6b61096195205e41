//! The command line: one file per command.
//!
//! Owns arguments, what is printed, and exit codes ([`exit`]). Must not hold domain logic.

mod agent;
mod capture;
mod compare;
mod complete;
mod completions;
mod connect;
mod doctor;
mod down;
mod exec;
mod exit;
mod export;
mod fault;
mod follow;
mod graph;
mod images;
mod init;
mod labs;
mod launch;
mod links;
mod log;
mod logs;
mod merge;
mod metrics;
mod owner;
mod plan;
mod port;
mod preflight;
mod progress;
mod prove;
mod ps;
mod recorded;
mod report;
mod run;
mod runs;
mod schema;
mod screen;
mod shell;
mod signal;
mod source;
mod table;
mod terminal;
mod test;
mod trial;
mod tty;
mod up;
mod validate;
mod wait;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use exit::{Exit, Failure};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  netlab up topologies/client-server.yaml     start a lab, play it, print what happened
  netlab run topologies/mesh.yaml             the same and remove it: one go
  netlab test topologies --junit out.xml      all of a folder, for continuous integration
  netlab ps                                   which labs run
  netlab logs server -f                       what its program writes
  netlab down                                 bring the record home, remove everything

Exit codes: 0 passed, 1 a check failed, 2 usage, 3 inconclusive, 4 invalid topology,
5 engine or agent failure, 70 a bug, 130 and 143 interrupted";

/// Network labs as containers: declared links, declared faults, honest measurements
#[derive(Debug, Parser)]
#[command(name = "netlab", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Say more: -v what is done, -vv each call, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Hide progress; results and problems are still printed
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How progress and log lines are written to standard error: text or json
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    log_format: log::LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a lab, play its scenario and print what came out
    Up(up::Arguments),
    /// Start a lab, play it, print what came out and remove it: one go
    Run(run::Arguments),
    /// Run several labs for continuous integration: one verdict, JUnit, JSON, annotations
    Test(test::Arguments),
    /// Bring the record of labs home and remove everything of them
    Down(down::Arguments),
    /// List labs, or the nodes of one
    Ps(ps::Arguments),
    /// Print what the programs in nodes wrote
    Logs(logs::Arguments),
    /// Run a program in a node and pass on its exit code
    Exec(exec::Arguments),
    /// Open a shell in a node whose image has one
    Shell(shell::Arguments),
    /// List what every link was declared to do and what it did
    Links(links::Arguments),
    /// List what every node does now, or serve it to Prometheus
    Metrics(metrics::Arguments),
    /// Write packets of a running lab into a pcapng file
    Capture(capture::Arguments),
    /// Break something in a running lab by hand, list faults, heal them
    Fault(fault::Arguments),
    /// List where published ports are reached
    Port(port::Arguments),
    /// Wait until the scenario of a lab is over and return its exit code
    Wait(wait::Arguments),
    /// List recorded runs
    Runs(runs::Arguments),
    /// Say what came out of a recorded run
    Report(report::Arguments),
    /// Put recorded runs side by side
    Compare(compare::Arguments),
    /// Write a commented topology to begin with
    Init(init::Arguments),
    /// Print the JSON Schema of topologies, for editors
    Schema(schema::Arguments),
    /// Check topologies without an engine
    Validate(validate::Arguments),
    /// Print the operations that `up` would perform
    Plan(plan::Arguments),
    /// Draw a lab, or print the matrix of its links, without an engine
    Graph(graph::Arguments),
    /// Check what this host and engine can do, with the cure for what they cannot
    Doctor(doctor::Arguments),
    /// List, export or remove netlab's own images
    Images(images::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// The process inside a lab
    #[command(hide = true)]
    Agent(agent::Arguments),
}

/// Which lab a command is about.
#[derive(Args, Debug)]
struct LabOption {
    /// The lab; may be left out when exactly one of mine runs
    #[arg(long, value_name = "LAB")]
    lab: Option<String>,
}

/// Where records are kept.
#[derive(Args, Debug)]
struct RunsOption {
    /// Folder for the records of runs
    #[arg(long, value_name = "DIR", env = "NETLAB_RUNS", default_value = "runs")]
    runs: PathBuf,
}

/// How what came out of recorded runs is written, and where to.
#[derive(Args, Debug)]
struct WrittenOption {
    /// How it is printed: text, json, or html (one page that needs nothing else)
    #[arg(
        long,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    format: Written,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl WrittenOption {
    fn write(&self, text: &str, context: &Context) -> Result<(), Failure> {
        print_or_write(text, self.output.as_deref(), context)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Written {
    /// For people
    Text,
    /// One object with every value
    Json,
    /// For a browser
    Html,
}

/// What every command is given.
#[derive(Clone, Debug)]
struct Context {
    terminal: Terminal,
    owner: String,
}

/// Prints a result, or writes it to a file where one was named.
fn print_or_write(text: &str, file: Option<&Path>, context: &Context) -> Result<(), Failure> {
    match file {
        None => context.terminal.print(text)?,
        Some(path) => std::fs::write(path, text).map_err(|source| Failure::Write {
            path: path.to_owned(),
            source,
        })?,
    }
    Ok(())
}

/// Runs the program: parses, does, prints, and decides the exit code.
pub fn main() -> std::process::ExitCode {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        screen::clear();
        hook(info);
        screen::above(format!("netlab panicked; {}\n", exit::REPORT).as_bytes());
    }));
    let exit = catch_unwind(AssertUnwindSafe(start)).unwrap_or(Exit::Bug);
    exit.code().into()
}

fn start() -> Exit {
    if complete::answer() {
        return Exit::Passed;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; nobody can be told when the stream is gone.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Passed
            };
        }
    };
    let json = cli.global.log_format == log::LogFormat::Json;
    let terminal = Terminal::look(cli.global.quiet, json);
    log::start(
        cli.global.verbose,
        cli.global.log_format,
        terminal.err.coloured,
    );
    let context = Context {
        terminal,
        owner: owner::owner(),
    };
    match dispatch(cli.command, &context) {
        Ok(exit) => exit,
        Err(failure) => {
            let text = failure.render(terminal.err);
            screen::above(text.as_bytes());
            failure.exit()
        }
    }
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, Failure> {
    // The agent brings its own runtime, and these need none.
    match command {
        Command::Agent(arguments) => return agent::run(&arguments),
        Command::Validate(arguments) => return validate::run(&arguments, context),
        Command::Graph(arguments) => return graph::run(&arguments, context),
        Command::Runs(arguments) => return runs::run(&arguments, context),
        Command::Report(arguments) => return report::run(&arguments, context),
        Command::Compare(arguments) => return compare::run(&arguments, context),
        Command::Init(arguments) => return init::run(&arguments, context),
        Command::Schema(arguments) => return schema::run(&arguments, context),
        Command::Completions(arguments) => return completions::run(&arguments, context),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::step("starting threads failed", e))?;
    let result = runtime.block_on(with_engine(command, context));
    // A thread that reads standard input cannot be joined.
    runtime.shutdown_background();
    result
}

async fn with_engine(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Up(arguments) => up::run(&arguments, context).await,
        Command::Run(arguments) => run::run(&arguments, context).await,
        Command::Test(arguments) => test::run(&arguments, context).await,
        Command::Down(arguments) => down::run(&arguments, context).await,
        Command::Ps(arguments) => ps::run(&arguments, context).await,
        Command::Logs(arguments) => logs::run(&arguments, context).await,
        Command::Exec(arguments) => exec::run(&arguments, context).await,
        Command::Shell(arguments) => shell::run(&arguments, context).await,
        Command::Links(arguments) => links::run(&arguments, context).await,
        Command::Metrics(arguments) => metrics::run(&arguments, context).await,
        Command::Capture(arguments) => capture::run(&arguments, context).await,
        Command::Fault(arguments) => fault::run(&arguments, context).await,
        Command::Port(arguments) => port::run(&arguments, context).await,
        Command::Wait(arguments) => wait::run(&arguments, context).await,
        Command::Plan(arguments) => plan::run(&arguments, context).await,
        Command::Doctor(arguments) => doctor::run(&arguments, context).await,
        Command::Images(arguments) => images::run(&arguments, context).await,
        Command::Agent(_)
        | Command::Validate(_)
        | Command::Graph(_)
        | Command::Init(_)
        | Command::Runs(_)
        | Command::Report(_)
        | Command::Compare(_)
        | Command::Schema(_)
        | Command::Completions(_) => Err(Failure::Bug("a command without engine got one".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
