//! What a shell is told when somebody asks it to complete a word: commands and options, and the names of
//! labs, nodes, faults and runs that there are now.
//!
//! Owns which argument stands for which names, and how long the engine may be asked. Whatever is wrong,
//! a shell that completes is told nothing, in time: this must not write to standard error, nor fail.

use super::{Cli, fault, labs, owner};
use crate::engine::docker::Docker;
use crate::record;
use clap::{Command, CommandFactory};
use clap_complete::env::Shells;
use clap_complete::{ArgValueCompleter, CompleteEnv, CompletionCandidate};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

/// The variable by which a shell's script asks; its value is the shell.
const ASKED: &str = "NETLAB_COMPLETE";
/// Longest that the engine and an agent are waited for: whoever presses a key does not wait longer.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Runs that are offered, the newest.
const RUNS: usize = 50;

/// Answers a shell, when one asks; whether one did.
pub fn answer() -> bool {
    let words = std::env::args_os();
    let here = std::env::current_dir().ok();
    let env = CompleteEnv::with_factory(|| with_names(Cli::command())).var(ASKED);
    // A shell that is not known gets nothing, as one that is gone.
    env.try_complete(words, here.as_deref()).unwrap_or(true)
}

/// The script that makes a shell ask; none: the shell is not known.
pub fn script(shell: &str) -> Option<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(shell)?;
    let written = shell.write_registration(ASKED, "netlab", "netlab", "netlab", &mut script);
    written.ok().map(|()| script)
}

/// What an argument's value is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Labs,
    Nodes,
    /// Nodes and groups, several of them with commas or slashes between.
    Selectors,
    Faults,
    Runs,
}

/// By the word of the command and the argument's id.
fn names(command: &str, argument: &str) -> Option<Names> {
    let is_fault = crate::fault::kind(command).is_some();
    match (command, argument) {
        ("compare", "groups") | ("report", "run") => Some(Names::Runs),
        ("heal", "fault") => Some(Names::Faults),
        (_, "lab" | "labs") => Some(Names::Labs),
        (_, "node" | "groups" | "from" | "to" | "between") if is_fault => Some(Names::Selectors),
        (_, "node" | "nodes") => Some(Names::Nodes),
        _ => None,
    }
}

fn with_names(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|argument| match names(&name, argument.get_id().as_str()) {
        Some(names) => argument.add(ArgValueCompleter::new(move |now: &OsStr| {
            complete(names, now)
        })),
        None => argument,
    });
    command.mut_subcommands(with_names)
}

fn complete(names: Names, now: &OsStr) -> Vec<CompletionCandidate> {
    let Some(now) = now.to_str() else {
        return Vec::new();
    };
    // Of a list only the last word is completed.
    let begun = match names {
        Names::Selectors => now.rfind([',', '/']).map_or(0, |at| at + 1),
        _ => 0,
    };
    let (before, word) = now.split_at(begun);
    let found = match names {
        Names::Labs => known_labs(),
        Names::Nodes => known_nodes(false),
        Names::Selectors => known_nodes(true),
        Names::Faults => known_faults(),
        Names::Runs => known_runs(),
    };
    let found = found.into_iter().filter(|(name, _)| name.starts_with(word));
    let candidate = |(at, (name, help)): (usize, (String, Option<String>))| {
        CompletionCandidate::new(format!("{before}{name}"))
            .help(help.map(Into::into))
            .display_order(Some(at))
    };
    found.enumerate().map(candidate).collect()
}

/// A name, and what it is.
type Known = (String, Option<String>);

/// Asks the engine; nothing when it does not answer in time.
fn ask<T>(question: impl Future<Output = Option<T>>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.ok()?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, question).await });
    runtime.shutdown_background();
    answer.ok().flatten()
}

/// The labs of mine, of which the line may name one.
async fn mine() -> Option<(Docker, Vec<labs::Seen>)> {
    let engine = Docker::connect().await.ok()?;
    let mut labs = labs::all(&engine).await.ok()?;
    let (owner, named) = (owner::owner(), option("--lab"));
    let is_named = |lab: &labs::Seen| named.as_ref().is_none_or(|name| *name == lab.name);
    labs.retain(|lab| lab.owner == owner && is_named(lab));
    Some((engine, labs))
}

fn known_labs() -> Vec<Known> {
    let owner = owner::owner();
    let all = ask(async {
        let engine = Docker::connect().await.ok()?;
        labs::all(&engine).await.ok()
    });
    let mine = all
        .unwrap_or_default()
        .into_iter()
        .filter(|lab| lab.owner == owner);
    mine.map(|lab| (lab.name, None)).collect()
}

fn known_nodes(with_groups: bool) -> Vec<Known> {
    let (_, labs) = match ask(mine()) {
        Some(found) => found,
        None => return Vec::new(),
    };
    let nodes = labs.iter().flat_map(|lab| &lab.nodes).map(labs::node_name);
    let nodes: Vec<&str> = nodes.collect();
    let group = |node: &str| {
        let (group, number) = node.rsplit_once('-')?;
        number.parse::<u32>().ok().map(|_| group.to_owned())
    };
    let mut groups: BTreeSet<String> = BTreeSet::new();
    if with_groups {
        groups.extend(nodes.iter().filter_map(|node| group(node)));
    }
    let all_of = |group: String| {
        let text = format!("all of {group}-*");
        (group, Some(text))
    };
    let names = nodes.iter().map(|node| ((*node).to_owned(), None));
    names.chain(groups.into_iter().map(all_of)).collect()
}

/// Those in force: what is to come cannot be healed.
fn known_faults() -> Vec<Known> {
    let asked = async {
        let (engine, labs) = mine().await?;
        fault::faults(&engine, labs.first()?).await.ok()
    };
    let rows = ask(asked).unwrap_or_default().into_iter();
    let begun = rows.filter(|row| row.begins_ns <= 0);
    begun
        .map(|row| (row.fault, Some(format!("{} {}", row.kind, row.target))))
        .collect()
}

/// Ids of runs, the newest first, then labs that have some.
fn known_runs() -> Vec<Known> {
    let folder = option("--runs").map(PathBuf::from);
    let folder = folder.or_else(|| std::env::var_os("NETLAB_RUNS").map(PathBuf::from));
    let all = record::list(&folder.unwrap_or_else(|| "runs".into())).unwrap_or_default();
    let labs: BTreeSet<String> = all.iter().map(|place| place.lab.clone()).collect();
    let newest = all.into_iter().rev().take(RUNS);
    let runs = newest.map(|place| (place.id, Some(place.lab)));
    let its_newest = |lab: String| {
        let text = format!("the newest run of {lab}");
        (lab, Some(text))
    };
    runs.chain(labs.into_iter().map(its_newest)).collect()
}

/// The value of an option in the line that is completed.
fn option(name: &str) -> Option<String> {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let joined = |word: &String| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    let apart = || {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).cloned()
    };
    words.iter().find_map(joined).or_else(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every argument that stands for a name completes: who renames one is told here.
    #[test]
    fn arguments_that_are_names_are_known() {
        let mut found: BTreeSet<String> = BTreeSet::new();
        fn walk(command: &Command, path: &str, found: &mut BTreeSet<String>) {
            let name = command.get_name();
            for argument in command.get_arguments() {
                if let Some(names) = names(name, argument.get_id().as_str()) {
                    found.insert(format!("{path}{name} {} {names:?}", argument.get_id()));
                }
            }
            for next in command.get_subcommands() {
                walk(next, &format!("{path}{name} "), found);
            }
        }
        walk(&Cli::command(), "", &mut found);
        for wanted in [
            "netlab capture nodes Nodes",
            "netlab compare groups Runs",
            "netlab down labs Labs",
            "netlab exec node Nodes",
            "netlab fault heal fault Faults",
            "netlab fault heal lab Labs",
            "netlab fault inject cut between Selectors",
            "netlab fault inject cut from Selectors",
            "netlab fault inject kill node Selectors",
            "netlab fault inject partition groups Selectors",
            "netlab links nodes Nodes",
            "netlab logs nodes Nodes",
            "netlab port node Nodes",
            "netlab ps lab Labs",
            "netlab report run Runs",
            "netlab shell node Nodes",
            "netlab wait lab Labs",
        ] {
            assert!(found.contains(wanted), "{wanted}: {found:#?}");
        }
    }
}
