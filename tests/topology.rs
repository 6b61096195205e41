//! Topologies and what becomes of them: `tests/topology/ok/NAME.yaml` gives the lab `NAME.json`,
//! `tests/topology/err/NAME.yaml` the messages `NAME.stderr`. A pair of files is a test;
//! `UPDATE_GOLDENS=1` writes what is missing or different. A line `# set: name=value` stands for
//! `--set`, `# env: NAME=value` for a variable of the environment, `# params: FILE` for `--params`, and
//! `# strict` for `--strict`; what files include lies in the folder `parts/` beside them.

#![allow(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

use netlab::lab::{Lab, Loaded, load};
use netlab::spec::{Diagnostics, Files, LoadOptions, Source};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = root().join(folder);
    let entries = fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "no topologies in {}", folder.display());
    files
}

fn load_file(file: &Path) -> Result<Loaded, Diagnostics> {
    let text = fs::read_to_string(file).unwrap();
    let name = file.strip_prefix(root()).unwrap().display().to_string();
    let said = |what: &str| -> Vec<(String, String)> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(what));
        let pairs = lines.map(|line| line.split_once('=').unwrap_or((line, "")));
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    };
    let params = said("# params: ").into_iter().next();
    let options = LoadOptions {
        seed: None,
        sets: said("# set: "),
        name: None,
        params: params.map(|(path, _)| beside(&name, &path).unwrap()),
        env: said("# env: ").into_iter().collect(),
        files: Files::new(beside),
        strict: !said("# strict").is_empty(),
    };
    load(&Source { name, text }, &options)
}

/// The file at `path`, relative to the folder of the file `from`.
fn beside(from: &str, path: &str) -> Result<Source, String> {
    let name = Path::new(from).with_file_name(path);
    let text = fs::read_to_string(root().join(&name)).map_err(|e| e.kind().to_string())?;
    let name = name.display().to_string();
    Ok(Source { name, text })
}

fn json(lab: &Lab) -> String {
    serde_json::to_string_pretty(lab).unwrap() + "\n"
}

/// Compares with the golden file, or writes it; returns what is wrong.
fn golden(file: &Path, extension: &str, text: &str) -> Option<String> {
    let golden = file.with_extension(extension);
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if expected == text {
        return None;
    }
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&golden, text).unwrap();
        return None;
    }
    let name = golden.display();
    Some(format!("{name}\n--- expected\n{expected}\n--- got\n{text}"))
}

fn none_wrong(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE_GOLDENS=1 writes the new ones",
        wrong.join("\n")
    );
}

#[test]
fn good_files_give_their_labs() {
    let mut wrong = Vec::new();
    for file in files("tests/topology/ok") {
        match load_file(&file) {
            Ok(loaded) => {
                wrong.extend(golden(&file, "json", &json(&loaded.lab)));
                let warnings = loaded.warnings.to_string();
                if !warnings.is_empty() || file.with_extension("stderr").exists() {
                    wrong.extend(golden(&file, "stderr", &warnings));
                }
            }
            Err(errors) => wrong.push(format!("{}\n{errors}", file.display())),
        }
    }
    none_wrong(&wrong);
}

#[test]
fn bad_files_give_their_messages() {
    let mut wrong = Vec::new();
    for file in files("tests/topology/err") {
        match load_file(&file) {
            Ok(_) => wrong.push(format!("{} was taken", file.display())),
            Err(errors) => wrong.extend(golden(&file, "stderr", &errors.to_string())),
        }
    }
    none_wrong(&wrong);
}

#[test]
fn every_golden_file_has_its_topology() {
    for folder in ["tests/topology/ok", "tests/topology/err"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let file = entry.unwrap().path();
            if file.is_dir() {
                continue;
            }
            let stem = file.file_name().unwrap().to_string_lossy().into_owned();
            let stem = stem.split('.').next().unwrap().to_owned();
            let topology = file.with_file_name(stem).with_extension("yaml");
            assert!(
                topology.exists(),
                "{} belongs to no topology",
                file.display()
            );
        }
    }
}

#[test]
fn shipped_topologies_load_without_warnings() {
    for file in files("topologies") {
        let loaded = load_file(&file).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("# "),
            "{} says what it shows",
            file.display()
        );
        assert!(text.contains("What to look at"), "{}", file.display());
    }
}

/// What `netlab init` writes; its name is filled in there.
#[test]
fn scaffolds_load_without_warnings() {
    for file in files("src/cli/init") {
        let text = fs::read_to_string(&file).unwrap().replace("NAME", "my-lab");
        let name = file.display().to_string();
        let loaded = load(&Source { name, text }, &LoadOptions::default());
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}

#[test]
fn the_same_text_gives_the_same_lab_and_a_lab_reads_back() {
    let all = [files("tests/topology/ok"), files("topologies")].concat();
    for file in all {
        let first = load_file(&file).unwrap().lab;
        let text = json(&first);
        assert_eq!(text, json(&load_file(&file).unwrap().lab));
        let back: Lab = serde_json::from_str(&text).unwrap();
        assert_eq!(back, first, "{}", file.display());
    }
}

/// A topology as a schema sees it; none when it cannot be written as JSON.
fn as_json(file: &Path) -> Option<serde_json::Value> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    let text = fs::read_to_string(file).unwrap();
    serde_yaml::from_str_with_options(&text, options).ok()
}

#[test]
fn the_schema_takes_every_good_file() {
    let schema = netlab::spec::schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for file in [files("tests/topology/ok"), files("topologies")].concat() {
        let instance = as_json(&file).unwrap_or_else(|| panic!("{}", file.display()));
        let wrong: Vec<String> = validator
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", file.display());
    }
    for example in schema["examples"].as_array().unwrap() {
        assert!(validator.is_valid(example));
        let text = example.to_string();
        let name = "example".into();
        load(&Source { name, text }, &LoadOptions::default()).unwrap();
    }
}

/// What a schema cannot see (references, exclusions, what is no YAML at all) is listed by name, so
/// that a schema that became blind is noticed.
#[test]
fn the_schema_refuses_every_bad_file_that_it_can() {
    let validator = jsonschema::validator_for(&netlab::spec::schema()).unwrap();
    let mut taken = String::new();
    for file in files("tests/topology/err") {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        match as_json(&file) {
            None => taken.push_str(&format!("{name}: not YAML, or not once\n")),
            Some(instance) if validator.is_valid(&instance) => {
                taken.push_str(&format!("{name}: taken\n"));
            }
            Some(_) => {}
        }
    }
    let list = root().join("tests/topology/schema.txt");
    none_wrong(&Vec::from_iter(golden(&list, "txt", &taken)));
}

#[test]
fn messages_for_programs() {
    let mut wrong = Vec::new();
    for name in [
        "include-with-mistakes",
        "unknown-key",
        "set-of-an-unknown-parameter",
    ] {
        let file = root().join(format!("tests/topology/err/{name}.yaml"));
        let errors = load_file(&file).unwrap_err();
        let json = serde_json::to_string_pretty(&errors.json()).unwrap() + "\n";
        wrong.extend(golden(&file, "diagnostics.json", &json));
        wrong.extend(golden(&file, "github", &errors.github()));
    }
    none_wrong(&wrong);
}

#[test]
fn colours_change_nothing_but_the_colours() {
    let file = root().join("tests/topology/err/unknown-key.yaml");
    let errors = load_file(&file).unwrap_err();
    let coloured = errors.render(true);
    assert!(coloured.contains("\u{1b}["));
    assert_eq!(
        anstream::adapter::strip_str(&coloured).to_string(),
        errors.to_string()
    );
}

#[test]
fn a_seed_from_the_command_line_replaces_the_file_s() {
    let source = Source {
        name: "-".into(),
        text: "name: t\nseed: 7\nnodes: { a: { role: peer } }".into(),
    };
    let seeded = |seed| {
        let options = LoadOptions {
            seed,
            ..LoadOptions::default()
        };
        netlab::lab::load(&source, &options).unwrap().lab.seed
    };
    assert_eq!((seeded(None), seeded(Some(8))), (7, 8));
}

#[test]
fn a_name_from_the_command_line_replaces_the_file_s() {
    let options = LoadOptions {
        name: Some(netlab::id::Name::new("second").unwrap()),
        ..LoadOptions::default()
    };
    for text in [
        "name: t\nnodes: { a: { role: peer } }",
        "nodes: { a: { role: peer } }",
    ] {
        let source = Source {
            name: "-".into(),
            text: text.into(),
        };
        assert_eq!(load(&source, &options).unwrap().lab.name.as_str(), "second");
    }
}
