//! The README says what the program does: its examples load, its commands and exit codes are those
//! of `--help`, and its first command names a shipped topology.

#![allow(clippy::unwrap_used)]

use netlab::spec::{LoadOptions, Source};
use netlab_protocol::latency::Outcome;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of this language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let begin = format!("```{language}\n");
    let after = text.split(begin.as_str()).skip(1);
    after
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_netlab"))
        .arg("--help")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_topology_loads() {
    let text = readme();
    let topologies = blocks(&text, "yaml");
    assert!(topologies.len() >= 3);
    for topology in topologies {
        let source = Source {
            name: "README.md".into(),
            text: topology.into(),
        };
        if let Err(diagnostics) = netlab::lab::load(&source, &LoadOptions::default()) {
            panic!("{topology}\n{diagnostics}");
        }
    }
}

#[test]
fn commands_are_those_of_the_help() {
    let help = help();
    let listed = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let offered: BTreeSet<&str> = listed
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .filter(|c| *c != "help")
        .collect();
    let text = readme();
    let table = text
        .split("| command | does |")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let first = table
        .lines()
        .skip(2)
        .filter_map(|row| row.split('|').nth(1));
    let named: BTreeSet<&str> = first
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter_map(|code| code.split_whitespace().next())
        .filter(|word| !word.starts_with('-'))
        .collect();
    assert_eq!(named, offered);
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let text = readme();
    let table = text
        .split("| code | meaning |")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let help = help();
    let codes = help.split("Exit codes:").nth(1).unwrap();
    for row in table.lines().skip(2) {
        for code in row.split('|').nth(1).unwrap().split(',') {
            assert!(codes.contains(code.trim()), "{code} is not in --help");
        }
    }
}

/// What becomes of a request stands in the README as records have it.
#[test]
fn outcomes_are_those_of_records() {
    let text = readme();
    let listed = text.split("`outcome` is one of ").nth(1).unwrap();
    let (listed, _) = listed.split_once(", of which the first two").unwrap();
    let known = Outcome::ALL.map(Outcome::as_str);
    assert_eq!(listed.split(", ").collect::<Vec<_>>(), known);
    let succeeds: Vec<bool> = Outcome::ALL.iter().map(|one| one.is_success()).collect();
    assert!(succeeds[..2].iter().all(|is| *is) && !succeeds[2..].contains(&true));
}

#[test]
fn the_first_command_names_a_shipped_topology() {
    let text = readme();
    let commands = blocks(&text, "sh").concat();
    let file = commands
        .split_whitespace()
        .find(|word| word.ends_with(".yaml"))
        .unwrap();
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(),
        "{file}"
    );
}

/// The table of functions is that of the check language.
#[test]
fn functions_are_those_of_the_language() {
    let text = readme();
    let mut parts = text.split("| function | gives | what |\n| --- | --- | --- |\n");
    let table = parts.nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = netlab::expr::FUNCTIONS.iter().map(|function| {
        let (signature, gives) = (function.signature(), function.result());
        format!("| `{signature}` | {gives} | {} |", function.help)
    });
    assert_eq!(table.lines().collect::<Vec<_>>(), rows.collect::<Vec<_>>());
}
