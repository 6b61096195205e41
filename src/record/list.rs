//! Which runs there are, and what can be said of them without reading them whole.

use super::event::{Event, What};
use super::home::is_run_id;
use super::{EVENTS, LAB, LOGS, ReadError, SUMMARY};
use crate::id::Name;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Most bytes of a summary that are read, and of either end of a file.
const SUMMARY_BYTES: u64 = 16 << 20;
const END_BYTES: u64 = 64 << 10;

/// A directory that holds a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The run's id: orders runs by time.
    pub id: String,
    /// The lab's name.
    pub lab: String,
    /// Its directory.
    pub dir: PathBuf,
}

/// What is known of a run at a glance. Times as in [`Event::t`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Brief {
    /// What it is worth, in the words of `summary.json`; none: its record has no end.
    pub verdict: Option<String>,
    /// End of the warm-up.
    pub warmup: i64,
    /// End of what was measured.
    pub end: i64,
}

/// All runs below `runs`, oldest first. A folder that is not there holds none.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(runs: &Path) -> Result<Vec<Place>, ReadError> {
    let mut places = Vec::new();
    for lab in folders(runs)? {
        places.extend(of_lab(&lab)?);
    }
    places.sort();
    Ok(places)
}

/// The runs in the folder of a lab, oldest first.
///
/// # Errors
/// A folder that cannot be read.
pub fn of_lab(folder: &Path) -> Result<Vec<Place>, ReadError> {
    let Some(lab) = name(folder).filter(|lab| Name::new(*lab).is_ok()) else {
        return Ok(Vec::new());
    };
    let mut places = Vec::new();
    for dir in folders(folder)? {
        let (Some(id), lab) = (name(&dir), lab.to_owned()) else {
            continue;
        };
        if is_run_id(id) {
            let id = id.to_owned();
            places.push(Place { id, lab, dir });
        }
    }
    places.sort();
    Ok(places)
}

/// Whether a directory holds a run that was brought home.
pub fn is_run(dir: &Path) -> bool {
    dir.join(LAB).is_file()
}

fn name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

/// The folders in `folder`.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError::File {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            all.push(path);
        }
    }
    Ok(all)
}

/// What can be said of the run in `dir`: from its summary, or else from the ends of its events.
pub fn brief(dir: &Path) -> Brief {
    let summary = File::open(dir.join(SUMMARY)).map(|file| file.take(SUMMARY_BYTES));
    if let Ok(Ok(brief)) = summary.map(|file| serde_json::from_reader(io::BufReader::new(file))) {
        return brief;
    }
    let path = dir.join(EVENTS);
    let parsed = |line: &str| serde_json::from_str::<Event>(line).ok();
    let mut brief = Brief::default();
    let (first, last) = (head(&path), tail(&path));
    if let Some(event) = first
        .as_deref()
        .and_then(|text| parsed(text.lines().next()?))
        && let What::RunStarted { warmup, .. } = event.what
    {
        brief.warmup = warmup;
    }
    let whole = |text: &str| text.rfind('\n').map(|end| text[..end].to_owned());
    let last = last.ok().as_deref().and_then(whole);
    if let Some(event) = last.and_then(|text| parsed(text.lines().last()?)) {
        brief.end = event.t;
        if let What::RunEnded { verdict, .. } = event.what {
            let word = serde_json::to_value(verdict).ok();
            brief.verdict = word.and_then(|word| word.as_str().map(str::to_owned));
        }
    }
    brief
}

/// The last lines of a node's log in the record in `dir`; none when there is no such log.
pub fn log_tail(dir: &Path, node: &str, lines: usize) -> Vec<String> {
    let Ok(node) = Name::new(node) else {
        return Vec::new();
    };
    let text = tail(&dir.join(LOGS).join(format!("{node}.log"))).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    let last = &all[all.len().saturating_sub(lines)..];
    last.iter().map(|line| printable(line)).collect()
}

/// What a terminal may be shown of a line that a program wrote.
fn printable(line: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\t' { '·' } else { c };
    line.trim_end().chars().take(500).map(shown).collect()
}

fn head(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(END_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The end of a file, from the beginning of a line.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(END_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(END_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match from {
        0 => Ok(text),
        _ => Ok(text
            .split_once('\n')
            .map_or_else(String::new, |(_, rest)| rest.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: &str = r#"{"t":0,"event":"run-started","run":"20261122T211500Z-7","seed":7,"warmup":1000000000,"end":4000000000}"#;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn runs_are_folders_with_the_names_of_runs_oldest_first() {
        let files = [
            ("b/20261122T211500Z-7/lab.json", ""),
            ("a/20261122T211600Z-7/lab.json", ""),
            ("a/20261122T211400Z-7-2/events.jsonl", ""),
            ("a/notes/lab.json", ""),
            ("Not A Lab/20261122T211500Z-7/lab.json", ""),
            ("README", ""),
        ];
        let folder = folder_with(&files);
        let places = list(folder.path()).unwrap();
        let found: Vec<_> = places
            .iter()
            .map(|p| (p.lab.as_str(), p.id.as_str()))
            .collect();
        let expected = [
            ("a", "20261122T211400Z-7-2"),
            ("b", "20261122T211500Z-7"),
            ("a", "20261122T211600Z-7"),
        ];
        assert_eq!(found, expected);
        let at_home: Vec<bool> = places.iter().map(|place| is_run(&place.dir)).collect();
        assert_eq!(at_home, [false, true, true]);
        assert!(list(&folder.path().join("none")).unwrap().is_empty());
    }

    /// A summary says it; without one the ends of the events do, also of a record that was cut off.
    #[test]
    fn a_glance_needs_no_whole_record() {
        let summary = r#"{"verdict":"failed","warmup":5,"end":9,"faults":[]}"#;
        let folder = folder_with(&[("summary.json", summary)]);
        let told = |verdict: Option<&str>, warmup, end| Brief {
            verdict: verdict.map(str::to_owned),
            warmup,
            end,
        };
        assert_eq!(brief(folder.path()), told(Some("failed"), 5, 9));

        let second = 1_000_000_000;
        let ended = r#"{"t":4100000000,"event":"run-ended","verdict":"passed","reasons":[]}"#;
        let whole = format!("{STARTED}\n{ended}\n");
        let folder = folder_with(&[("events.jsonl", &whole)]);
        assert_eq!(
            brief(folder.path()),
            told(Some("passed"), second, 4_100_000_000)
        );
        let torn =
            format!("{STARTED}\n{{\"t\":2000000000,\"event\":\"warmup-ended\"}}\n{{\"t\":21");
        let folder = folder_with(&[("events.jsonl", &torn)]);
        assert_eq!(brief(folder.path()), told(None, second, 2 * second));
        assert_eq!(brief(&folder.path().join("none")), Brief::default());
    }

    #[test]
    fn the_end_of_a_log_is_bounded_and_harmless() {
        let long = "x".repeat(100_000) + "\nlast but one\nlast \u{1b}[2Jwords\n";
        let folder = folder_with(&[("logs/server.log", &long), ("logs/client.log", "")]);
        let tail = |node| log_tail(folder.path(), node, 2);
        assert_eq!(tail("server"), ["last but one", "last ·[2Jwords"]);
        assert!(tail("client").is_empty());
        assert!(tail("../server").is_empty());
        assert_eq!(log_tail(folder.path(), "server", 9).len(), 2);
    }
}
