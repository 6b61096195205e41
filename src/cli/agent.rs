//! `netlab agent`: the process inside a lab, and the other end of the attached stream.

use super::exit::{Exit, Failure};
use clap::{Args, Subcommand};

/// Arguments of `netlab agent`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The network in which it begins is the engine host's, where ports are published
    #[arg(long)]
    publish: bool,
    #[command(subcommand)]
    command: Option<AgentCommand>,
}

#[derive(Debug, Subcommand)]
enum AgentCommand {
    /// Join standard input and output to the agent's socket
    Attach,
    /// Print what this container has, as JSON, for `netlab doctor`
    Probe {
        /// Processes of the host to look at
        pids: Vec<i32>,
    },
}

/// Runs until the lab is gone, or the stream has ended.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        None => crate::agent::run(arguments.publish)
            .map_err(|e| Failure::step("the agent failed", e))?,
        Some(AgentCommand::Probe { pids }) => {
            let text = super::table::json(&crate::agent::probe(pids));
            let mut out = std::io::stdout().lock();
            std::io::Write::write_all(&mut out, text.as_bytes()).map_err(Failure::Output)?;
        }
        Some(AgentCommand::Attach) => {
            crate::agent::attach().map_err(|e| Failure::step("attaching failed", e))?;
        }
    }
    Ok(Exit::Passed)
}
