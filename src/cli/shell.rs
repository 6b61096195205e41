//! `netlab shell`: a shell inside a node whose image has one.

use super::exit::{Exit, Failure};
use super::{Context, LabOption, exec, labs, tty};
use crate::engine::docker::Docker;
use crate::engine::{Engine, ExecSpec};
use clap::Args;
use futures_util::StreamExt;
use std::io::IsTerminal;

/// Arguments of `netlab shell`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  netlab shell web")]
pub struct Arguments {
    /// The node
    node: String,
    #[command(flatten)]
    lab: LabOption,
}

/// bash where there is one, sh otherwise.
const ANY_SHELL: &str = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi";

/// Opens the shell and passes on its exit code.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (engine, lab) = labs::open(arguments.lab.lab.as_deref(), &context.owner).await?;
    let node = exec::running(lab.node(&arguments.node)?, &arguments.node)?;
    if !has_shell(&engine, &node.id).await? {
        let state = engine.inspect(&node.id).await?;
        let pid = state.map_or(0, |state| state.pid);
        return Err(Failure::usage(
            format!(
                "node `{}` has no shell: its image holds only its program",
                arguments.node
            ),
            format!(
                "use the tools of the engine's host inside the node's network: \
                 `sudo nsenter --net=/proc/{pid}/ns/net bash`"
            ),
        ));
    }
    let spec = ExecSpec {
        command: ["/bin/sh", "-c", ANY_SHELL].map(str::to_owned).to_vec(),
        tty: std::io::stdin().is_terminal(),
        stdin: true,
    };
    tty::join(&engine, &node.id, &spec).await
}

/// Whether `/bin/sh` can be run. What cannot ends with 126 or 127, or is refused at once.
async fn has_shell(engine: &Docker, id: &str) -> Result<bool, Failure> {
    let spec = ExecSpec {
        command: ["/bin/sh", "-c", ":"].map(str::to_owned).to_vec(),
        tty: false,
        stdin: false,
    };
    let Ok(mut exec) = engine.exec(id, &spec).await else {
        return Ok(false);
    };
    while exec.output.next().await.is_some() {}
    Ok(engine.exec_exit_code(&exec.id).await? == Some(0))
}
