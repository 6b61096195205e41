//! Empties the volume of a node that waits at its gate.
//!
//! Owns how files go. That its program has not begun, so that nothing is written meanwhile, is the
//! core's care.

use super::{Driver, Input, sys, volume};
use crate::agent::volumes::VolumeState;
use crate::agent::wipes::Emptied;
use crate::engine::Engine;
use crate::id::NodeIndex;
use netlab_protocol::role::DATA;
use std::fs;
use std::io;
use std::path::Path;

impl<E: Engine + 'static> Driver<E> {
    pub(super) fn empty(&mut self, node: NodeIndex, volume: bool) {
        let pid = self.ports[node.at()].pid;
        // The folder as the node has it mounted; it is a mount, and no link.
        let path = format!("/proc/{pid}/root{DATA}");
        let keeps = self.sabotage.keeps();
        let place = &self.core.lab.nodes[node.at()];
        let writable = match place.volume {
            Some(_) => volume::set(&volume::folder(place), VolumeState::default()),
            None => Ok(()),
        };
        let emptied = writable.and_then(|()| match volume {
            true => empty(Path::new(&path), keeps),
            false => Ok(Emptied {
                volume: false,
                had: 0,
                left: 0,
            }),
        });
        let result = emptied.map_err(|error| error.to_string());
        self.core
            .handle(sys::now(), Input::Emptied { node, result });
    }
}

/// Removes all that is in a folder, unless it is to be kept, and looks what is left.
fn empty(folder: &Path, keeps: bool) -> io::Result<Emptied> {
    let mut had = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        had += 1;
        match entry.file_type()?.is_dir() {
            _ if keeps => {}
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(Emptied {
        volume: true,
        had,
        left: fs::read_dir(folder)?.count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_but_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("keys.log"), "k").unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let kept = empty(folder.path(), true).unwrap();
        assert_eq!((kept.had, kept.left), (2, 2));
        let gone = empty(folder.path(), false).unwrap();
        assert_eq!((gone.had, gone.left), (2, 0));
        assert!(folder.path().exists() && empty(&folder.path().join("x"), false).is_err());
    }
}
