//! netlab's own images, made from memory: no registry, no builder, no Dockerfile.
//!
//! Owns the archive (at once a docker-archive and an OCI layout, so that every engine loads it),
//! tags derived from content, and the check that an executable can be an image. Equal executables
//! and labels give equal bytes. Must not know bollard.

mod archive;
mod elf;

pub use elf::architecture_of;

use crate::plan::{AGENT_PROGRAM, NODE_PROGRAM, labels};
use archive::Layout;
use bytes::Bytes;
use std::fs;
use std::io;
use std::path::Path;

/// The node program, built with netlab.
const NODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/netlab-node"));
/// What `docker build` needs to make the node's image by hand.
const DOCKERFILE: &str = include_str!("../../images/node/Dockerfile");

/// Names this build: equal sources give equal ids.
pub const BUILD: &str = env!("NETLAB_BUILD");

/// Why an executable cannot be an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The own executable could not be read.
    #[error("netlab cannot read its own executable, which becomes the agent's image")]
    ReadSelf(#[source] io::Error),
    /// No Linux program.
    #[error(
        "the agent's image is made from netlab's own executable, and this one is no 64-bit Linux program: run netlab on Linux (on other systems in a virtual machine or container that reaches the engine)"
    )]
    NotLinux,
    /// Needs a loader and libraries that the image does not have.
    #[error(
        "this netlab is a dynamic program and cannot become the agent's image: unset RUSTFLAGS and build in the clone (`cargo build --release`), or install it with `cargo install --target {target} --config 'build.rustflags=[\"-Ctarget-feature=+crt-static\"]'`"
    )]
    Dynamic {
        /// Rust's name of this target.
        target: String,
    },
    /// The engine's host runs other machine code.
    #[error(
        "the engine runs on {engine} and this netlab is built for {own}: use a netlab built for {engine} (`rustup target add {engine}-unknown-linux-gnu`, `cargo build --release --target {engine}-unknown-linux-gnu`)"
    )]
    Architecture {
        /// The engine's architecture.
        engine: String,
        /// This executable's.
        own: String,
    },
}

/// netlab's two images.
#[derive(Clone, Debug)]
pub struct OwnImages {
    /// Made from netlab's own executable.
    pub agent: Image,
    /// Made from the embedded node program.
    pub node: Image,
}

/// An image in memory.
#[derive(Clone, Debug)]
pub struct Image {
    /// `netlab-agent:…` or `netlab-node:…`, derived from all of its content.
    pub tag: String,
    layout: Layout,
}

impl Image {
    /// The archive, in pieces that share the executable's memory.
    pub fn archive(&self) -> Vec<Bytes> {
        self.layout.archive(&self.tag)
    }
}

impl OwnImages {
    /// The images of this executable for an engine of `architecture` (in Rust's words), labelled
    /// with `owner`.
    ///
    /// # Errors
    /// Any [`ImageError`].
    pub fn of_this_executable(owner: &str, architecture: &str) -> Result<OwnImages, ImageError> {
        // The link in /proc opens the very file, even if another has taken its name.
        let own = Path::new("/proc/self/exe");
        let read = match own.exists() {
            true => fs::read(own),
            false => std::env::current_exe().and_then(fs::read),
        };
        OwnImages::new(owner, architecture, read.map_err(ImageError::ReadSelf)?)
    }

    /// The images with `program` as the agent's executable.
    ///
    /// # Errors
    /// Any [`ImageError`] but [`ImageError::ReadSelf`].
    pub fn new(owner: &str, architecture: &str, program: Vec<u8>) -> Result<OwnImages, ImageError> {
        let mut program = Bytes::from(program);
        let own = elf::check(&program)?;
        if own != architecture {
            return Err(ImageError::Architecture {
                engine: architecture.to_owned(),
                own: own.to_owned(),
            });
        }
        // What lies behind the loaded segments is for debuggers: in a debug build most of the file.
        program.truncate(elf::loaded_bytes(&program));
        let layout = |path: &str, command: &str, program: Bytes| {
            let labels = [(labels::BUILD, BUILD), (labels::OWNER, owner)];
            Layout::new(own, path, command, &labels, program)
        };
        let agent = layout(AGENT_PROGRAM, "agent", program);
        let node = layout(NODE_PROGRAM, "run", Bytes::from_static(NODE));
        Ok(OwnImages {
            agent: Image {
                tag: format!("netlab-agent:{}", agent.short_digest()),
                layout: agent,
            },
            node: Image {
                tag: format!("netlab-node:{}", node.short_digest()),
                layout: node,
            },
        })
    }

    /// The embedded node program, which is also the gate's `init`.
    pub fn node_program(&self) -> &'static [u8] {
        NODE
    }
}

/// Writes what `docker build` needs to make the node's image by hand: the embedded program and its
/// Dockerfile.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn export(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let program = folder.join("netlab-node");
    fs::write(&program, NODE)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(folder.join("Dockerfile"), DOCKERFILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn equal_content_is_equal_bytes() {
        let one = OwnImages::new("me", std::env::consts::ARCH, own()).unwrap();
        let two = OwnImages::new("me", std::env::consts::ARCH, own()).unwrap();
        assert_eq!(one.agent.tag, two.agent.tag);
        assert_eq!(one.node.archive(), two.node.archive());
        let other = OwnImages::new("you", std::env::consts::ARCH, own()).unwrap();
        assert_ne!(one.node.tag, other.node.tag);
    }

    #[test]
    fn what_cannot_be_an_image() {
        let error = OwnImages::new("me", "riscv64", own()).unwrap_err();
        assert!(
            error.to_string().contains("built for riscv64")
                || error.to_string().contains("riscv64")
        );
        let error = OwnImages::new("me", "x86_64", b"#!/bin/sh".to_vec()).unwrap_err();
        assert!(matches!(error, ImageError::NotLinux));
    }

    #[test]
    fn exported_context() {
        let folder = tempfile::tempdir().unwrap();
        export(folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("netlab-node")).unwrap(), NODE);
        assert!(folder.path().join("Dockerfile").exists());
    }
}
