//! `netlab validate`: every mistake of topologies, without an engine.

use super::Context;
use super::exit::{Exit, Failure};
use super::source::{self, Overrides};
use crate::lab::Loaded;
use clap::{Args, ValueEnum};

/// Arguments of `netlab validate`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netlab validate topologies/*.yaml\n  netlab validate --strict --format github topologies/*.yaml\n  generate | netlab validate -"
)]
pub struct Arguments {
    /// Topologies; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// How to print what was found; json and github go to standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    #[command(flatten)]
    overrides: Overrides,
}

/// How mistakes are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For editors: one JSON object for each file, each on a line of its own.
    Json,
    /// Annotations for GitHub Actions.
    Github,
}

/// Says for each file whether it is right, and every mistake of those that are not.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut exit = Exit::Passed;
    let terminal = context.terminal;
    for file in &arguments.files {
        let (_, result) = match source::resolve(file, &arguments.overrides) {
            Err(failure) if failure.exit() == Exit::Invalid => {
                super::screen::above(failure.render(terminal.err).as_bytes());
                exit = Exit::Invalid;
                continue;
            }
            other => other?,
        };
        let found = match &result {
            Ok(loaded) => &loaded.warnings,
            Err(diagnostics) => diagnostics,
        };
        match arguments.format {
            Format::Json => terminal.print(&format!("{}\n", found.json()))?,
            Format::Github => terminal.print(&found.github())?,
            Format::Text if found.is_empty() => {}
            Format::Text => super::screen::above(found.render(terminal.err.coloured).as_bytes()),
        }
        match &result {
            Err(_) => exit = Exit::Invalid,
            Ok(Loaded { lab, .. }) if arguments.format == Format::Text => {
                let name = source::name(file);
                terminal.print(&format!("{name}: lab {}, {}\n", lab.name, told(lab)))?;
            }
            Ok(_) => {}
        }
    }
    Ok(exit)
}

/// `6 nodes, 1 fault in 30s after 5s of warm-up`.
fn told(lab: &crate::lab::Lab) -> String {
    let many = |n: usize, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    let nodes = many(lab.containers().count(), "node");
    let time = netlab_protocol::duration::format;
    let checks = match lab.checks.len() {
        0 => String::new(),
        n => format!(", {}", many(n, "check")),
    };
    match &lab.scenario {
        None => format!("{nodes}, no scenario"),
        Some(scenario) => format!(
            "{nodes}, {} in {} after {} of warm-up{checks}",
            many(scenario.fault_names().count(), "fault"),
            time(scenario.duration),
            time(scenario.warmup),
        ),
    }
}
