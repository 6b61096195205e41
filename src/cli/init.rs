//! `netlab init`: a commented topology to begin with, and the schema that editors read.
//!
//! Writes only files that are not there yet.

use super::exit::{Exit, Failure};
use super::{Context, schema};
use crate::id::Name;
use clap::{Args, ValueEnum};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The schema's file, beside the topology.
const SCHEMA: &str = "netlab.schema.json";

const EXAMPLES: &str = "\
Examples:
  netlab init                        client-server.yaml here
  netlab init --kind mesh labs       labs/mesh.yaml
  netlab init --kind mesh my.yaml    my.yaml";

/// Arguments of `netlab init`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What kind of lab
    #[arg(long, value_enum, default_value = "client-server")]
    kind: Kind,
    /// The file (it ends in .yaml or .yml), or the folder for it
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    target: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    ClientServer,
    Mesh,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::ClientServer => "client-server",
            Kind::Mesh => "mesh",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Kind::ClientServer => include_str!("init/client-server.yaml"),
            Kind::Mesh => include_str!("init/mesh.yaml"),
        }
    }
}

/// Writes the two files and says so.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let file = file(&arguments.target, arguments.kind);
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| Failure::Write { path, source }
    };
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let text = format!(
        "# yaml-language-server: $schema={SCHEMA}\n{}",
        arguments
            .kind
            .text()
            .replace("NAME", &name(&file, arguments.kind))
    );
    if !write_new(&file, &text).map_err(failed(&file))? {
        return Err(Failure::usage(
            format!("{} is there already", file.display()),
            "name another file: `netlab init my-lab.yaml`; nothing is overwritten",
        ));
    }
    let beside = folder.join(SCHEMA);
    let fresh = write_new(&beside, &schema::text()).map_err(failed(&beside))?;
    let kept = if fresh {
        ""
    } else {
        " (was there; left as it is)"
    };
    context
        .terminal
        .print(&format!("{}\n{}{kept}\n", file.display(), beside.display()))?;
    context
        .terminal
        .tell(&format!("start it: netlab up {}", file.display()));
    Ok(Exit::Passed)
}

/// The topology's file: the one that is named, or one in the folder that is named.
fn file(target: &Path, kind: Kind) -> PathBuf {
    let extension = target.extension().and_then(|e| e.to_str());
    match extension {
        Some("yaml" | "yml") if !target.is_dir() => target.to_owned(),
        _ => target.join(kind.word()).with_extension("yaml"),
    }
}

/// The lab's name: the file's, if that is one.
fn name(file: &Path, kind: Kind) -> String {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let name = stem.and_then(|stem| Name::new(stem).ok());
    name.map_or_else(|| kind.word().to_owned(), |name| name.to_string())
}

/// Writes a file unless it is there; whether it was written.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
