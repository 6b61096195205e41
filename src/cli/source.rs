//! Reads a topology: a file, or `-` for standard input, up to a bound.

use super::exit::Failure;
use super::terminal::Terminal;
use crate::id::Name;
use crate::lab::{self, Lab, Loaded, Program};
use crate::spec::{Diagnostics, Files, LoadOptions, MAX_BYTES, Source};
use crate::timeline::Recorded;
use clap::Args;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a recorded timeline.
const MAX_TIMELINE: u64 = 64 << 20;

/// What the command line changes about a file.
#[derive(Args, Clone, Debug, Default)]
pub struct Overrides {
    /// Another name for the lab, so that one file can run twice
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<Name>,
    /// Another seed than the file's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Set a parameter of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_set)]
    sets: Vec<(String, String)>,
    /// Take parameters from this YAML file; --set goes before it
    #[arg(long, value_name = "FILE")]
    params: Option<String>,
    /// Play the timeline of a recorded run (its `timeline.json`) in place of the file's scenario
    #[arg(long, value_name = "FILE")]
    timeline: Option<String>,
    /// Record what every load does one by one, as if each said `record: requests` in the file
    #[arg(long, value_name = "WHAT")]
    record: Option<Records>,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
}

/// What is recorded besides what always is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Records {
    /// Each request, in `requests.csv`.
    Requests,
}

impl Overrides {
    /// The same with this seed.
    pub fn seeded(&self, seed: u64) -> Overrides {
        Overrides {
            seed: Some(seed),
            ..self.clone()
        }
    }

    /// Whether the lab is given another name.
    pub fn renames(&self) -> bool {
        self.name.is_some()
    }

    /// What the reader of topologies is given: of the environment it looks only at what a file
    /// names, and it reads other files through here.
    fn options(&self) -> Result<LoadOptions, Failure> {
        let source = |path: &String| -> Result<Source, Failure> {
            let text = read(path)?;
            Ok(Source {
                name: name(path).to_owned(),
                text,
            })
        };
        let variable = |(key, value): (OsString, OsString)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        };
        Ok(LoadOptions {
            sets: self.sets.clone(),
            name: self.name.clone(),
            seed: self.seed,
            params: self.params.as_ref().map(source).transpose()?,
            env: std::env::vars_os().filter_map(variable).collect(),
            files: Files::new(beside),
            strict: self.strict,
        })
    }
}

/// The file at `path` as the file `from` names it: beside that file, unless it is absolute.
fn beside(from: &str, path: &str) -> Result<Source, String> {
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let full = folder.join(path).display().to_string();
    match read(&full) {
        Ok(text) => Ok(Source { name: full, text }),
        Err(Failure::Unreadable { source, .. }) => Err(source.to_string()),
        Err(_) => Err("it cannot be read".to_owned()),
    }
}

fn parse_name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|e| e.to_string())
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as `clients=50`".to_owned()),
    }
}

/// A topology that was read and resolved.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The file's text.
    pub text: String,
    /// What it says.
    pub lab: Lab,
}

/// Reads and resolves `file`; warnings go to stderr.
///
/// # Errors
/// [`Failure::Unreadable`], [`Failure::Invalid`].
pub fn load(file: &str, overrides: &Overrides, terminal: Terminal) -> Result<Topology, Failure> {
    let (text, result) = resolve(file, overrides)?;
    let coloured = terminal.err.coloured;
    match result {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                super::screen::above(loaded.warnings.render(coloured).as_bytes());
            }
            Ok(Topology {
                text,
                lab: loaded.lab,
            })
        }
        Err(diagnostics) => Err(Failure::Invalid {
            rendered: diagnostics.render(coloured),
        }),
    }
}

/// Reads `file` and resolves it, and says nothing: its text, and the lab or what is wrong.
///
/// # Errors
/// [`Failure::Unreadable`].
pub fn resolve(
    file: &str,
    overrides: &Overrides,
) -> Result<(String, Result<Loaded, Diagnostics>), Failure> {
    let text = read(file)?;
    let result = resolve_text(file, text.clone(), overrides)?;
    Ok((text, result))
}

/// Resolves a text that was read from `file` before.
///
/// # Errors
/// [`Failure::Unreadable`] for a file of parameters.
pub fn resolve_text(
    file: &str,
    text: String,
    overrides: &Overrides,
) -> Result<Result<Loaded, Diagnostics>, Failure> {
    let options = overrides.options()?;
    let name = name(file).to_owned();
    let mut loaded = lab::load(&Source { name, text }, &options);
    if let (Ok(loaded), Some(path)) = (&mut loaded, &overrides.timeline) {
        replay(path, &mut loaded.lab)?;
    }
    if let (Ok(loaded), Some(Records::Requests)) = (&mut loaded, overrides.record) {
        record_requests(&mut loaded.lab);
    }
    Ok(loaded)
}

fn record_requests(lab: &mut Lab) {
    for node in &mut lab.nodes {
        if let Program::Role(role) = &mut node.program
            && let Some(load) = role.load_mut()
        {
            load.record = true;
        }
    }
}

/// Puts a recorded timeline in the place of the lab's scenario.
fn replay(path: &str, lab: &mut Lab) -> Result<(), Failure> {
    let timeline = Recorded::parse(&read_bounded(path, MAX_TIMELINE)?);
    let fits = timeline.and_then(|timeline| timeline.onto(lab));
    fits.map_err(|misfit| Failure::Invalid {
        rendered: format!(
            "error[timeline]: {}: {misfit}\n1 error; nothing was started\n",
            name(path)
        ),
    })
}

/// The text of `file`, which is a topology or a part of one.
fn read(file: &str) -> Result<String, Failure> {
    read_bounded(file, MAX_BYTES as u64)
}

/// The text of `file`, up to so many bytes.
fn read_bounded(file: &str, most: u64) -> Result<String, Failure> {
    let unreadable = |source| Failure::Unreadable {
        path: name(file).to_owned(),
        source,
    };
    let opened: Box<dyn Read> = match file {
        "-" => Box::new(io::stdin()),
        path => Box::new(File::open(path).map_err(unreadable)?),
    };
    let mut bytes = Vec::new();
    let read = opened.take(most + 1).read_to_end(&mut bytes);
    read.map_err(unreadable)?;
    if bytes.len() as u64 > most {
        let message = format!("it is larger than {most} bytes");
        return Err(unreadable(io::Error::other(message)));
    }
    let no_text = |_| unreadable(io::Error::other("it is not UTF-8 text"));
    String::from_utf8(bytes).map_err(no_text)
}

/// What messages call it.
pub fn name(file: &str) -> &str {
    if file == "-" { "<stdin>" } else { file }
}
