//! The architecture's direction, enforced: imports go only to a lower level (within level 0, names
//! and quantities, also sideways), the engine's library
//! stays in one place, and the pure levels touch neither clock nor disk nor network.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of `src/` and their levels, as the map in `src/lib.rs` has them.
const LEVELS: &[(&str, u32)] = &[
    ("id", 0),
    ("units", 0),
    ("link", 0),
    ("metrics", 0),
    ("words", 0),
    ("port", 0),
    ("fault", 1),
    ("expr", 1),
    ("spec", 2),
    ("lab", 3),
    ("check", 4),
    ("plan", 4),
    ("timeline", 4),
    ("engine", 5),
    ("fabric", 5),
    ("record", 5),
    ("agent", 6),
    ("run", 6),
    ("report", 6),
    ("cli", 7),
    ("main", 8),
];

/// Highest level that must be synchronous and deterministic.
const PURE: u32 = 4;

/// What a pure level may not name.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "std::fs",
    "std::env",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::thread",
    "tokio",
    "rand::",
];

fn level(module: &str) -> Option<u32> {
    LEVELS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, level)| *level)
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Code without comments and without its test module (which, by habit, ends a file).
fn code(text: &str) -> String {
    let code = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Modules named in `crate::x…`, `netlab::x…`, also inside one-level groups `crate::{a, b::c}`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for root in ["crate::", "netlab::"] {
        for (at, _) in code.match_indices(root) {
            let boundary = code[..at].chars().next_back();
            if boundary.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &code[at + root.len()..];
            let word = |text: &str| -> String {
                text.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect()
            };
            match rest.strip_prefix('{') {
                Some(group) => {
                    let mut depth = 0;
                    let mut item = true;
                    for (i, c) in group.char_indices() {
                        match c {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            ',' if depth == 0 => item = true,
                            c if item && c.is_alphabetic() => {
                                found.push(word(&group[i..]));
                                item = false;
                            }
                            _ => {}
                        }
                    }
                }
                None => found.push(word(rest)),
            }
        }
    }
    found
}

/// The module a file belongs to: `src/fault/kill.rs` → `fault`.
fn module_of(root: &Path, file: &Path) -> String {
    let first = file
        .strip_prefix(root)
        .unwrap()
        .components()
        .next()
        .unwrap();
    first
        .as_os_str()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_string()
}

/// All violations in a tree of sources, as sentences.
fn violations(sources: &BTreeMap<(String, String), String>) -> Vec<String> {
    let mut found = Vec::new();
    for ((module, file), text) in sources {
        let Some(own) = level(module) else {
            if module != "lib" {
                found.push(format!(
                    "{file}: module `{module}` has no level in tests/layers.rs"
                ));
            }
            continue;
        };
        let code = code(text);
        for import in imports(&code) {
            if let Some(other) = level(&import)
                && import != *module
                && (other > own || other == own && own > 0)
            {
                found.push(format!(
                    "{file}: `{module}` (level {own}) imports `{import}` (level {other})"
                ));
            }
        }
        if (code.contains("bollard::") || code.contains("use bollard"))
            && !file.contains("engine/docker")
        {
            found.push(format!("{file}: bollard outside src/engine/docker.rs"));
        }
        if own <= PURE {
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                found.push(format!("{file}: `{word}` in a pure level"));
            }
        }
    }
    found
}

fn sources() -> BTreeMap<(String, String), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |file: &PathBuf| {
        let key = (
            module_of(&root, file),
            file.strip_prefix(&root).unwrap().display().to_string(),
        );
        (key, fs::read_to_string(file).unwrap())
    };
    rust_files(&root).iter().map(read).collect()
}

#[test]
fn imports_go_down() {
    let found = violations(&sources());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for (module, _) in sources()
        .into_keys()
        .filter(|(m, _)| m != "lib" && m != "main")
    {
        assert!(
            map.contains(&format!("[`{module}`]")),
            "src/lib.rs does not mention [`{module}`]"
        );
    }
}

#[test]
fn every_module_says_what_it_owns() {
    for ((_, file), text) in sources() {
        assert!(
            text.starts_with("//!"),
            "src/{file} does not open with what it owns"
        );
    }
}

#[test]
fn nodes_do_not_know_the_root_package() {
    for member in ["images/node", "images/protocol"] {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(member)
            .join("Cargo.toml");
        let text = fs::read_to_string(manifest).unwrap();
        assert!(
            !text.contains("\nnetlab ") && !text.contains("\nnetlab."),
            "{member}"
        );
    }
}

/// The ruler itself: each rule fires on a source that breaks it.
#[test]
fn a_violation_is_found() {
    let cases = [
        ("spec", "spec/a.rs", "use crate::lab::Lab;", "imports `lab`"),
        (
            "run",
            "run/a.rs",
            "use crate::{id, agent::X};",
            "imports `agent`",
        ),
        (
            "plan",
            "plan/a.rs",
            "let x = crate::engine::y();",
            "imports `engine`",
        ),
        ("run", "run/b.rs", "use bollard::Docker;", "bollard outside"),
        (
            "timeline",
            "timeline/a.rs",
            "let t = Instant::now();",
            "pure level",
        ),
        ("helper", "helper.rs", "", "no level"),
    ];
    for (module, file, text, expected) in cases {
        let tree = BTreeMap::from([((module.into(), file.into()), text.to_string())]);
        let found = violations(&tree).join("\n");
        assert!(found.contains(expected), "{text}: {found}");
    }
}
