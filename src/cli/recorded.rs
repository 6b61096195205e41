//! Finds recorded runs by what people call them.

use super::exit::Failure;
use crate::record::{self, Place, Run};
use crate::report::Summary;
use std::path::Path;

/// Most runs that one word stands for.
const MOST: usize = 1000;

/// What may be written for a run, for `--help`.
pub const WAYS: &str = "\
A run is its id or the beginning of it, its folder, or the name of a lab: its newest run. Several are
written LAB:20 (the newest 20), LAB:all, a lab's folder, or a list with commas.";

/// The runs that `wanted` stands for, oldest first, at least one.
///
/// # Errors
/// [`Failure::Usage`] when there is none, or several could be meant.
pub fn find(runs: &Path, wanted: &str) -> Result<Vec<Place>, Failure> {
    let mut found = Vec::new();
    let all = list(runs)?;
    for word in wanted.split(',').filter(|word| !word.is_empty()) {
        found.extend(one(&all, word, runs)?);
    }
    found.dedup();
    match found.len() {
        0 => Err(Failure::usage("which run?", WAYS)),
        1..=MOST => Ok(found),
        n => Err(Failure::usage(
            format!("{n} runs are more than {MOST}"),
            "name fewer: `LAB:20`",
        )),
    }
}

/// The newest of all runs.
///
/// # Errors
/// [`Failure::Usage`] when there is none.
pub fn newest(runs: &Path) -> Result<Place, Failure> {
    list(runs)?.pop().ok_or_else(|| none(runs))
}

/// All runs, oldest first.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(runs: &Path) -> Result<Vec<Place>, Failure> {
    record::list(runs).map_err(|e| Failure::step("the recorded runs cannot be listed", e))
}

/// Reads a run, and sums it up.
///
/// # Errors
/// A record that cannot be read.
pub fn read(place: &Place) -> Result<(Run, Summary), Failure> {
    if !record::is_run(&place.dir) {
        return Err(Failure::usage(
            format!("run {} of lab `{}` is not at home yet", place.id, place.lab),
            format!("`netlab down {}` brings it home", place.lab),
        ));
    }
    let failed = |e| Failure::step(format!("run {} cannot be read", place.id), e);
    let record = Run::read(&place.dir).map_err(failed)?;
    let summary = Summary::new(&record);
    Ok((record, summary))
}

fn one(all: &[Place], word: &str, runs: &Path) -> Result<Vec<Place>, Failure> {
    let path = Path::new(word);
    if path.is_dir() {
        return in_folder(path, word);
    }
    let (lab, count) = match word.rsplit_once(':') {
        Some((lab, "all")) => (lab, usize::MAX),
        Some((lab, count)) => match count.parse() {
            Ok(count @ 1..) => (lab, count),
            _ => {
                let cure = "write `LAB:20` for its newest 20 runs, or `LAB:all`";
                return Err(Failure::usage(
                    format!("`{word}` is no number of runs"),
                    cure,
                ));
            }
        },
        None => (word, 1),
    };
    let of_lab: Vec<&Place> = all.iter().filter(|place| place.lab == lab).collect();
    let newest = &of_lab[of_lab.len().saturating_sub(count)..];
    if !newest.is_empty() {
        return Ok(newest.iter().map(|place| (*place).clone()).collect());
    }
    let by_id: Vec<&Place> = all
        .iter()
        .filter(|place| place.id.starts_with(word))
        .collect();
    match by_id.as_slice() {
        [one] => Ok(vec![(*one).clone()]),
        [] => Err(unknown(all, lab, runs)),
        several => {
            // The same instant and seed in two labs, or the beginning of several ids.
            let exact: Vec<_> = several.iter().filter(|place| place.id == word).collect();
            match exact.as_slice() {
                [one] => Ok(vec![(**one).clone()]),
                _ => {
                    let names = several
                        .iter()
                        .take(5)
                        .map(|p| format!("{}/{}", p.lab, p.id));
                    Err(Failure::usage(
                        format!("`{word}` is the beginning of {} runs", several.len()),
                        format!("write more of it: {}", names.collect::<Vec<_>>().join(", ")),
                    ))
                }
            }
        }
    }
}

/// A run's own folder, or that of a lab with its runs.
fn in_folder(path: &Path, word: &str) -> Result<Vec<Place>, Failure> {
    let text = |path: Option<&Path>| {
        let name = path.and_then(Path::file_name).unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    // A relative path may end in `.`.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if record::is_run(path) {
        let (id, lab) = (text(Some(path)), text(path.parent()));
        let dir = path.clone();
        return Ok(vec![Place { id, lab, dir }]);
    }
    let runs = record::of_lab(path);
    let runs = runs.map_err(|e| Failure::step("the recorded runs cannot be listed", e))?;
    match runs.is_empty() {
        true => Err(Failure::usage(
            format!("{word} holds no recorded run"),
            "a record is runs/LAB/RUN; `netlab runs` lists them",
        )),
        false => Ok(runs),
    }
}

fn none(runs: &Path) -> Failure {
    Failure::usage(
        format!("no run is recorded in {}", runs.display()),
        "`netlab run FILE` records one; --runs names another folder",
    )
}

fn unknown(all: &[Place], word: &str, runs: &Path) -> Failure {
    if all.is_empty() {
        return none(runs);
    }
    let mut labs: Vec<&str> = all.iter().map(|place| place.lab.as_str()).collect();
    labs.sort_unstable();
    labs.dedup();
    let near = crate::spec::nearest(word, labs.iter().copied());
    let meant = near.map(|near| format!("did you mean `{near}`? "));
    labs.truncate(10);
    Failure::usage(
        format!("no run and no lab `{word}` in {}", runs.display()),
        format!(
            "{}there are runs of {}; `netlab runs` lists them",
            meant.unwrap_or_default(),
            labs.join(", ")
        ),
    )
}
