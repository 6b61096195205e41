//! Builds the node program as a small static binary and hands it to `src/engine/image.rs`, with
//! the build id: a hash of the version, that binary and all sources.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::error::Error;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What must not reach the inner build: the outer build's flags, wrappers and folders.
const NOT_INHERITED: &[&str] = &[
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
];
const INPUTS: &[&str] = &[
    "images/node",
    "images/protocol",
    "src",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() -> Outcome<()> {
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if !features.split(',').any(|feature| feature == "crt-static") {
        println!(
            "cargo::warning=netlab is being built as a dynamic program, which cannot become the agent's image; unset RUSTFLAGS and build in the clone"
        );
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let node = build_node(&out)?;
    let bytes = fs::read(&node)?;
    let embedded = out.join("netlab-node");
    if fs::read(&embedded).ok().as_deref() != Some(&bytes[..]) {
        fs::write(&embedded, &bytes)?;
    }
    println!("cargo::rustc-env=NETLAB_BUILD={}", build_id(&bytes)?);
    Ok(())
}

/// Runs the inner build in a folder that debug, release, clippy and test builds share.
fn build_node(out: &Path) -> Outcome<PathBuf> {
    let target = env::var("TARGET")?;
    let outer = out
        .ancestors()
        .filter(|folder| folder.join("CACHEDIR.TAG").exists())
        .last()
        .ok_or("no ancestor of OUT_DIR is a target directory")?;
    let shared = outer.join("netlab-node");
    let mut cargo = Command::new(env::var("CARGO")?);
    for name in NOT_INHERITED {
        cargo.env_remove(name);
    }
    let status = cargo
        .args(["build", "--locked", "--quiet", "--package=netlab-node"])
        .args(["--profile=node", &format!("--target={target}")])
        .arg("--target-dir")
        .arg(&shared)
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static")
        .status()?;
    if !status.success() {
        return Err("the node program (images/node) does not build".into());
    }
    Ok(shared.join(target).join("node").join("netlab-node"))
}

/// Equal sources give equal ids, whatever the folder, the time and the state of git.
fn build_id(node: &[u8]) -> Outcome<String> {
    let version = env::var("CARGO_PKG_VERSION")?;
    // Its keys are fixed: the same bytes hash alike everywhere with one toolchain.
    let mut hasher = DefaultHasher::new();
    hasher.write(version.as_bytes());
    hasher.write(node);
    let mut files = Vec::new();
    for input in INPUTS {
        collect(Path::new(input), &mut files)?;
    }
    files.sort();
    for file in files {
        hasher.write(file.to_string_lossy().as_bytes());
        hasher.write(&fs::read(&file)?);
    }
    Ok(format!("{version}-{:012x}", hasher.finish() >> 16))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}
