//! `netlab exec`: a program inside a node.

use super::exit::{Exit, Failure};
use super::{Context, LabOption, labs, tty};
use crate::engine::{Container, ExecSpec};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  netlab exec web -- nginx -T
  netlab exec -it cache -- redis-cli";

/// Arguments of `netlab exec`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The node
    node: String,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// With a terminal
    #[arg(short, long)]
    tty: bool,
    #[command(flatten)]
    lab: LabOption,
}

/// Runs the program and passes on its exit code.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    let node = running(lab.node(&arguments.node)?, &arguments.node)?;
    let spec = ExecSpec {
        command: arguments.command.clone(),
        tty: arguments.tty,
        stdin: arguments.interactive,
    };
    tty::join(&engine, &node.id, &spec).await
}

/// The node, when a command can be run in it.
///
/// # Errors
/// [`Failure::Usage`].
pub fn running<'a>(node: &'a Container, name: &str) -> Result<&'a Container, Failure> {
    match node.state.as_str() {
        "running" => Ok(node),
        state => Err(Failure::usage(
            format!("node `{name}` is {state}"),
            "wait until its fault has healed (`netlab ps` shows which is in effect)",
        )),
    }
}
