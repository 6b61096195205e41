//! Fills data volumes and makes them read-only.
//!
//! Owns how: through the mount of each that the agent holds. A volume is full because of a file of the
//! agent's that takes all that is free, and read-only because its file system is, for whoever has it
//! mounted. Only volumes of a size are touched, never a disk of the engine's host.

use super::{Driver, Input, Message};
use crate::agent::process::VolumeSight;
use crate::agent::volumes::VolumeState;
use crate::engine::Engine;
use crate::id::NodeIndex;
use crate::lab::Node;
use crate::plan;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// The file that takes what is free.
const BALLAST: &str = ".netlab-ballast";
/// How much of it is written at once.
const PIECE: usize = 1 << 20;
/// Nobody fills for longer than this at once.
const LONGEST: Duration = Duration::from_secs(5);

/// Where the agent has a node's volume.
pub(super) fn folder(node: &Node) -> PathBuf {
    PathBuf::from(plan::agent_data(&node.name))
}

impl<E: Engine + 'static> Driver<E> {
    pub(super) fn set_volume(&mut self, node: NodeIndex, serial: u64, condition: VolumeState) {
        let spared = self.sabotage.spares_volumes();
        let folder = folder(&self.core.lab.nodes[node.at()]);
        let (inbox, epoch) = (self.sender.clone(), self.moves.epoch());
        spawn_blocking(move || {
            let result = match spared {
                true => Ok(()),
                false => set(&folder, condition).map_err(|error| error.to_string()),
            };
            let input = Input::VolumeSet {
                node,
                serial,
                result,
            };
            let _ = inbox.blocking_send(Message::OfNode { epoch, input }); // the agent may be ending
        });
    }
}

/// What the kernel says of the volume that is mounted there.
pub(super) fn see(folder: &Path) -> io::Result<VolumeSight> {
    let stat = statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
    Ok(VolumeSight {
        free: bytes(stat.blocks_available()),
        size: bytes(stat.blocks()),
        read_only: stat.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// Makes the volume that is mounted there so.
pub(super) fn set(folder: &Path, condition: VolumeState) -> io::Result<()> {
    let ballast = folder.join(BALLAST);
    let seen = see(folder)?;
    let writes = match condition.full {
        true => seen.free > 0,
        false => fs::symlink_metadata(&ballast).is_ok(),
    };
    if seen.read_only && (writes || !condition.read_only) {
        remount(folder, MsFlags::empty())?;
    }
    match condition.full {
        true if writes => fill(&ballast)?,
        false if writes => fs::remove_file(&ballast)?,
        _ => {}
    }
    if condition.read_only && (writes || !seen.read_only) {
        remount(folder, MsFlags::MS_RDONLY)?;
    }
    Ok(())
}

/// Takes all that is free.
fn fill(ballast: &Path) -> io::Result<()> {
    // A node may have put anything there: no link is followed, and nothing waits for a pipe.
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(ballast)?;
    let until = Instant::now() + LONGEST;
    let piece = vec![0; PIECE];
    while Instant::now() < until {
        match file.write(&piece) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    let why = format!("it was not full within {}s", LONGEST.as_secs());
    Err(io::Error::new(io::ErrorKind::TimedOut, why))
}

/// Mounts the file system again with these flags: every mount of it follows.
fn remount(folder: &Path, flags: MsFlags) -> io::Result<()> {
    let none = None::<&str>;
    let flags = flags | MsFlags::MS_REMOUNT;
    mount(none, folder, none, flags, none).map_err(|errno| match errno {
        Errno::EBUSY => io::Error::other(
            "the kernel keeps its volume writable, since a file on it is open for writing",
        ),
        Errno::EPERM | Errno::EACCES => io::Error::other(
            "the engine lets the agent mount nothing (a seccomp profile, AppArmor or SELinux)",
        ),
        errno => errno.into(),
    })
}
