//! `netlab completions`: scripts for shells, which ask netlab itself (`complete`) at each key.

use super::exit::{Exit, Failure};
use super::{Context, complete};
use clap::Args;
use clap_complete::Shell;

const EXAMPLES: &str = "\
Labs, nodes, faults in force and recorded runs are completed as they are at that moment.

Examples:
  netlab completions bash > ~/.local/share/bash-completion/completions/netlab
  netlab completions zsh > \"${fpath[1]}/_netlab\"
  netlab completions fish > ~/.config/fish/completions/netlab.fish
  source <(netlab completions bash)           for this shell alone";

/// Arguments of `netlab completions`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let shell = arguments.shell.to_string();
    let script =
        complete::script(&shell).ok_or_else(|| Failure::Bug(format!("no script for {shell}")))?;
    context.terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Passed)
}
