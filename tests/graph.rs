//! Pictures of labs: `tests/graph/NAME.yaml` gives `NAME.svg`, `NAME.mmd`, `NAME.dot` and `NAME.csv`
//! (the matrix). `UPDATE_GOLDENS=1` writes what is missing or different; look at what it wrote.

#![allow(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn graph(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_netlab"))
        .arg("graph")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn topologies(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn pictures_are_as_they_were() {
    let mut wrong = Vec::new();
    for file in topologies("tests/graph") {
        for (extension, arguments) in [
            ("svg", &["--format", "svg"][..]),
            ("mmd", &["--format", "mermaid"]),
            ("dot", &["--format", "dot"]),
            ("csv", &["--matrix", "--format", "csv"]),
            ("txt", &["--matrix"]),
        ] {
            let text = graph(&file, arguments);
            let golden = file.with_extension(extension);
            if fs::read_to_string(&golden).unwrap_or_default() == text {
                continue;
            }
            match std::env::var_os("UPDATE_GOLDENS") {
                Some(_) => fs::write(&golden, text).unwrap(),
                None => wrong.push(format!("{}\n--- got\n{text}", golden.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every start tag has its end, attributes are quoted, and every text lies inside the page: read by
/// hand, since the writer's own escaping is what is looked at.
#[test]
fn svg_is_well_formed_and_needs_nothing_from_outside() {
    let mut files = topologies("tests/graph");
    files.extend(topologies("topologies"));
    for file in files {
        let svg = graph(&file, &[]);
        assert!(
            !svg.contains("<script") && !svg.contains("href"),
            "{}",
            file.display()
        );
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').unwrap();
            assert!(!text.contains('>') || tag == "style", "{text}");
            let name = tag.split([' ', '/']).next().unwrap();
            match tag.strip_prefix('/') {
                Some(end) => assert_eq!(open.pop(), Some(end.to_owned())),
                None if tag.ends_with('/') => assert_eq!(tag.matches('"').count() % 2, 0),
                None => open.push(name.to_owned()),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn a_lab_of_two_hundred_is_drawn_with_all_of_its_nodes() {
    let file = root().join("tests/graph/clients.yaml");
    let svg = graph(&file, &["--set", "clients=200"]);
    for client in [1, 17, 200] {
        assert!(
            svg.contains(&format!("<title>client-{client} (client")),
            "{client}"
        );
    }
    assert_eq!(svg, graph(&file, &["--set", "clients=200"]));
    let mermaid = graph(&file, &["--set", "clients=200", "--format", "mermaid"]);
    assert!(mermaid.contains("198 more"), "{mermaid}");
}

#[test]
fn the_name_of_the_output_says_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let file = root().join("topologies/ring.yaml");
    for (name, begins) in [
        ("a.dot", "digraph"),
        ("a.mmd", "flowchart"),
        ("a.svg", "<svg"),
    ] {
        let path = folder.path().join(name);
        graph(&file, &["-o", path.to_str().unwrap()]);
        assert!(
            fs::read_to_string(path).unwrap().starts_with(begins),
            "{name}"
        );
    }
    let path = folder.path().join("a.png");
    let mut netlab = Command::new(env!("CARGO_BIN_EXE_netlab"));
    netlab.arg("graph").arg(&file).arg("-o").arg(&path);
    let done = netlab.output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(!path.exists(), "not an svg with a false name");
}
