//! `netlab schema`: the JSON Schema of topologies.

use super::Context;
use super::exit::{Exit, Failure};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  netlab schema > netlab.schema.json
  # and as the first line of a topology, for editors:
  # yaml-language-server: $schema=netlab.schema.json";

/// Arguments of `netlab schema`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {}

/// Prints the schema.
pub fn run(_: &Arguments, context: &Context) -> Result<Exit, Failure> {
    context.terminal.print(&text())?;
    Ok(Exit::Passed)
}

/// The schema as it is printed and written.
pub(super) fn text() -> String {
    format!("{:#}\n", crate::spec::schema())
}
