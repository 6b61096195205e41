//! A fault as the command line says it: one subcommand per kind, made from the table of kinds, so
//! that a kind that a file may name can be said by hand.
//!
//! Owns words and their order; turns them into the map that a file would have.

use crate::fault::{self, KINDS, Kind, TargetShape};
use crate::spec::{FaultWord, fault_words};
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand};

/// The id of the positional targets.
const NODES: &str = "node";
/// The groups of a partition.
const GROUPS: &str = "groups";

/// A kind, its words, and the options that stand with every kind.
#[derive(Debug)]
pub struct Said<O> {
    /// Which kind.
    pub kind: &'static Kind,
    /// The map of the fault, as a file has it.
    pub map: String,
    /// The options.
    pub options: O,
}

impl<O: Args> Subcommand for Said<O> {
    fn augment_subcommands(command: Command) -> Command {
        let kinds = KINDS.iter().map(|kind| {
            // The options' own documentation would take the kind's place.
            O::augment_args(words(kind))
                .about(kind.help)
                .long_about(kind.help)
        });
        command
            .subcommands(kinds)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand_value_name("KIND")
            .subcommand_help_heading("Kinds")
            .disable_help_subcommand(true)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        fault::kind(name).is_some()
    }
}

impl<O: Args> FromArgMatches for Said<O> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(ErrorKind::MissingSubcommand);
        let (name, said) = matches.subcommand().ok_or_else(missing)?;
        let kind = fault::kind(name).ok_or_else(missing)?;
        Ok(Said {
            kind,
            map: map(kind, said),
            options: O::from_arg_matches(said)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The subcommand of a kind.
fn words(kind: &'static Kind) -> Command {
    let command = Command::new(kind.name);
    let command = match kind.target {
        TargetShape::Nodes => command.arg(
            Arg::new(NODES)
                .help("Nodes, groups, patterns, `role=client`, `all` or '{ pick: 2, of: client }'")
                .value_name("NODE")
                .required(true)
                .num_args(1..),
        ),
        TargetShape::Groups => command.arg(
            Arg::new(GROUPS)
                .long(GROUPS)
                .help("Groups with a slash between them, nodes with a comma: server,client-1/rest; or halves, majority, bridge, ring, '{ halves: peer }'")
                .value_name("A/B")
                .required(true),
        ),
        TargetShape::Links | TargetShape::Degraded => command,
    };
    let option = |word: &FaultWord| {
        let option = Arg::new(word.name)
            .long(word.name)
            .help(word.help)
            .value_name(word.holds)
            .allow_hyphen_values(true);
        match word.values {
            [] => option,
            values => option.value_parser(PossibleValuesParser::new(values)),
        }
    };
    command.args(fault_words(kind).iter().map(option))
}

/// The map that a file would have behind the fault's name.
fn map(kind: &Kind, said: &ArgMatches) -> String {
    let words = fault_words(kind);
    let line = |word: &FaultWord| {
        let value = said.get_one::<String>(word.name)?;
        let value = match word.name {
            "from" | "to" => selection(value),
            "between" => pair(value),
            _ => scalar(value),
        };
        Some(format!("{}: {value}", word.name))
    };
    let lines = |inside: bool| -> Vec<String> {
        let words = words.iter().filter(|word| word.inside == inside);
        words.filter_map(line).collect()
    };
    let target = match kind.target {
        TargetShape::Nodes => {
            let nodes = said.get_many::<String>(NODES).into_iter().flatten();
            selections(nodes.flat_map(|text| pieces(text, ',')))
        }
        TargetShape::Groups => {
            let text = said.get_one::<String>(GROUPS).map_or("", String::as_str);
            let groups: Vec<String> = pieces(text, '/').map(selection).collect();
            match groups.as_slice() {
                [way] => way.clone(),
                groups => format!("[{}]", groups.join(", ")),
            }
        }
        TargetShape::Links | TargetShape::Degraded => {
            format!("{{ {} }}", lines(true).join(", "))
        }
    };
    let mut map = vec![format!("{}: {target}", kind.name)];
    map.extend(lines(false));
    map.push("at: 0s".to_owned());
    map.join("\n") + "\n"
}

/// `a,b` as a list, one name as itself.
fn selection(text: &str) -> String {
    selections(pieces(text, ','))
}

fn selections<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<String> = texts.map(scalar).collect();
    match all.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

fn pair(text: &str) -> String {
    let ends: Vec<String> = pieces(text, ',').map(scalar).collect();
    format!("[{}]", ends.join(", "))
}

/// What stands between separators, unless it is a map or a list in YAML's own words.
fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let whole = is_flow(text);
    let parts = text.split(move |c| c == separator && !whole);
    parts.map(str::trim)
}

fn is_flow(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// A value as YAML: as it is where that is plain, else in quotes.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._%=/".contains(c);
    let first = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '-';
    let is_plain = text.starts_with(first) && text.chars().all(plain) && !text.ends_with('-');
    match is_plain || is_flow(text) {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Args, Debug)]
    struct None {}

    #[derive(clap::Parser, Debug)]
    struct Line {
        #[command(subcommand)]
        said: Said<None>,
    }

    fn said(line: &str) -> Result<String, clap::Error> {
        let words = line.split(' ').map(|word| word.replace('_', " "));
        let line = <Line as clap::Parser>::try_parse_from(std::iter::once("x".into()).chain(words));
        line.map(|line| line.said.map)
    }

    #[test]
    fn words_become_the_map_of_a_file() {
        for (line, map) in [
            ("kill server --for 5s", "kill: server\nfor: 5s\nat: 0s\n"),
            (
                "kill a,b c-* --as process",
                "kill: [a, b, \"c-*\"]\nas: process\nat: 0s\n",
            ),
            (
                "pause {_pick:_2,_of:_client_}",
                "pause: { pick: 2, of: client }\nat: 0s\n",
            ),
            (
                "partition --groups server,a-1/client-*/rest",
                "partition: [[server, a-1], \"client-*\", rest]\nat: 0s\n",
            ),
            (
                "cut --between a,b --for 1min",
                "cut: { between: [a, b] }\nfor: 1min\nat: 0s\n",
            ),
            (
                "cut --from role=client --to a,b",
                "cut: { from: role=client, to: [a, b] }\nat: 0s\n",
            ),
            ("restart a --grace -1s", "restart: a\ngrace: -1s\nat: 0s\n"),
        ] {
            assert_eq!(said(line).unwrap(), map, "{line}");
        }
    }

    #[test]
    fn an_unknown_kind_or_word_gets_a_suggestion() {
        let kind = said("kil server").unwrap_err().to_string();
        assert!(kind.contains("'kill'"), "{kind}");
        let word = said("stop server --grce 5s").unwrap_err().to_string();
        assert!(word.contains("'--grace'"), "{word}");
        assert!(said("restart server --for 5s").is_err(), "it does not last");
        assert!(said("kill").is_err() && said("partition").is_err());
    }

    /// Whatever is said, it stays one value of the map.
    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(scalar("a: b"), "\"a: b\"");
        assert_eq!(scalar("a\nkill: b"), "\"a\\nkill: b\"");
        assert_eq!(scalar("- a"), "\"- a\"");
        assert_eq!(scalar("*"), "\"*\"");
        assert_eq!(scalar(""), "\"\"");
    }
}
