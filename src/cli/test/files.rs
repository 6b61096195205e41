//! Which files are tested, and what they say: read before anything is started.

use super::{Arguments, Topology};
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::cli::{screen, source};
use crate::report::Palette;
use crate::report::suite::{Case, Status};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Most files of one `test`.
const FILES: usize = 10_000;
/// Folders inside folders.
const DEPTH: usize = 16;

/// A file that was read.
pub struct Prepared {
    /// Its place on the command line.
    pub at: usize,
    /// As it is named.
    pub file: String,
    /// What it says, or why it is not played.
    pub topology: Result<Topology, Box<Case>>,
}

/// Reads all files that are meant; warnings go to stderr.
///
/// # Errors
/// A folder that cannot be read, or no file, or options that do not fit them.
pub fn prepare(arguments: &Arguments, terminal: Terminal) -> Result<Vec<Prepared>, Failure> {
    let files = collect(&arguments.targets)?;
    if files.is_empty() {
        let folders = arguments.targets.join(", ");
        return Err(Failure::usage(
            format!("no *.yaml and no *.yml in {folders}"),
            "name topologies, or a folder of them",
        ));
    }
    if files.len() > 1 && arguments.overrides.renames() {
        return Err(Failure::usage(
            format!("--name gives {} files the same name", files.len()),
            "leave it out, or test one file",
        ));
    }
    let numbered = files.into_iter().enumerate();
    numbered
        .map(|(at, file)| {
            let topology = read(&file, arguments, terminal)?;
            Ok(Prepared { at, file, topology })
        })
        .collect()
}

fn read(
    file: &str,
    arguments: &Arguments,
    terminal: Terminal,
) -> Result<Result<Topology, Box<Case>>, Failure> {
    let (text, result) = match source::resolve(file, &arguments.overrides) {
        Err(failure) if failure.exit() == Exit::Invalid => {
            let reason = failure.render(Palette::PLAIN);
            return Ok(Err(Box::new(Case::unplayed(file, Status::Invalid, reason))));
        }
        other => other?,
    };
    match result {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                screen::above(loaded.warnings.render(terminal.err.coloured).as_bytes());
            }
            let lab = loaded.lab;
            if lab.scenario.is_none() {
                let case = Case::unplayed(file, Status::Skipped, "it has no scenario");
                return Ok(Err(Box::new(case)));
            }
            Ok(Ok(Topology { text, lab }))
        }
        Err(diagnostics) => {
            let mut case = Case::unplayed(file, Status::Invalid, diagnostics.render(false));
            case.annotations = Some(diagnostics.github());
            Ok(Err(Box::new(case)))
        }
    }
}

/// The files that are named, and those in the folders that are named; none twice.
fn collect(targets: &[String]) -> Result<Vec<String>, Failure> {
    let (mut files, mut known) = (Vec::new(), BTreeSet::new());
    let mut add = |file: String| {
        if known.insert(file.clone()) {
            files.push(file);
        }
    };
    for target in targets {
        match Path::new(target).is_dir() {
            false => add(target.clone()),
            true => walk(Path::new(target), DEPTH, &mut add)?,
        }
    }
    match files.len() > FILES {
        true => Err(Failure::usage(
            format!("{} files are more than {FILES}", files.len()),
            "name the folder of the topologies",
        )),
        false => Ok(files),
    }
}

fn walk(folder: &Path, depth: usize, add: &mut impl FnMut(String)) -> Result<(), Failure> {
    let failed = |source| Failure::Unreadable {
        path: folder.display().to_string(),
        source,
    };
    let mut entries: Vec<_> = fs::read_dir(folder)
        .and_then(Iterator::collect)
        .map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_file = matches!(extension, Some("yaml" | "yml"));
        // Links to folders could lead round in circles.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if name.starts_with(['.', '_']) {
            continue;
        } else if is_folder && depth > 0 {
            walk(&path, depth - 1, add)?;
        } else if is_file && path.is_file() {
            add(path.display().to_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_in_order_and_nothing_comes_twice() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for inner in ["b", "_parts", ".git"] {
            fs::create_dir(root.join(inner)).unwrap();
        }
        for file in [
            "c.yml",
            "a.yaml",
            "b/x.yaml",
            "_parts/p.yaml",
            ".git/h.yaml",
            "_p.yaml",
            "n.txt",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        let name = |file: &str| root.join(file).display().to_string();
        let targets = [name("c.yml"), root.display().to_string()];
        let expected = [name("c.yml"), name("a.yaml"), name("b/x.yaml")];
        assert_eq!(collect(&targets).unwrap(), expected);
    }
}
