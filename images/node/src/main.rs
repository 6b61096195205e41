//! The program that runs in netlab's nodes.
//!
//! As `…/init` it is the start gate of every node; as `netlab-node run` it plays a built-in role.
//! It depends on nothing but the protocol crate, and runs without any file of its image.

mod driver;
mod gate;
mod role;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    if Path::new(&name).file_name().is_some_and(|n| n == "init") {
        return gate::run(arguments);
    }
    match arguments.first().and_then(|word| word.to_str()) {
        Some("run") if arguments.len() == 1 => driver::run(),
        Some("--version") => {
            println!("netlab-node {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!(
                "usage: netlab-node run | --version, or, under the name init: init COMMAND …"
            );
            ExitCode::from(64)
        }
    }
}
