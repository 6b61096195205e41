//! The kernel as the agent needs it: clocks, rights, namespaces and the callers of sockets.
//!
//! Must not know nodes or labs.

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::stat::fstat;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// CLOCK_MONOTONIC in nanoseconds: the clock of nodes and fabric, too.
pub(super) fn now() -> u64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    // clock_gettime(2) cannot fail for CLOCK_MONOTONIC.
    nix::time::clock_gettime(clock).map_or(0, |t| {
        t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
    })
}

/// Seconds since the epoch.
pub(super) fn unix_time() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs())
}

/// Identifies the machine's boot, in which alone monotonic times compare (proc(5)).
pub(super) fn boot_id() -> io::Result<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(text.trim().to_owned())
}

/// Capabilities the agent works with: TUN devices and addresses; entering namespaces; the fabric's
/// rank; namespaces of processes that have more rights than the agent; ports below 1024.
const KEPT: [Capability; 5] = [
    Capability::CAP_NET_ADMIN,
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_NICE,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_NET_BIND_SERVICE,
];

/// Gives up every capability but those of [`KEPT`] that were granted, and returns these. To be
/// called before any thread is started: capabilities belong to threads.
pub(super) fn drop_capabilities() -> io::Result<Vec<String>> {
    let granted = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
    let kept: CapsHashSet = KEPT.into_iter().filter(|c| granted.contains(c)).collect();
    caps::clear(None, CapSet::Inheritable).map_err(io::Error::other)?;
    caps::set(None, CapSet::Effective, &kept).map_err(io::Error::other)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(io::Error::other)?;
    let mut names: Vec<String> = kept.iter().map(ToString::to_string).collect();
    names.sort();
    Ok(names)
}

/// The network namespace of a process. The descriptor pins it: close it soon.
pub(super) fn network_namespace(pid: i32) -> io::Result<OwnedFd> {
    Ok(File::open(format!("/proc/{pid}/ns/net"))?.into())
}

/// The number by which a namespace is known while it lives.
pub(super) fn namespace_number(namespace: impl AsFd) -> io::Result<u64> {
    Ok(fstat(namespace)?.st_ino)
}

/// The number of a process's network namespace, without pinning it.
pub(super) fn namespace_of(pid: i32) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(format!("/proc/{pid}/ns/net"))?.ino())
}

/// The cgroups of a process, as the kernel lists them (cgroups(7)).
pub(super) fn cgroups(pid: i32) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/cgroup"))
}

/// Leaves the calling thread's network namespace for a new, empty one, and returns the old one.
pub(super) fn leave_network() -> io::Result<OwnedFd> {
    let before = own_network()?;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    Ok(before)
}

/// The network namespace of the calling thread. The descriptor pins it.
pub(super) fn own_network() -> io::Result<OwnedFd> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// Whether closing a TCP socket resets its connection at once (SO_LINGER of zero, socket(7)), also when
/// its process is killed.
pub(super) fn reset_when_closed(socket: &impl AsFd, reset: bool) -> io::Result<()> {
    let linger = libc::linger {
        l_onoff: i32::from(reset),
        l_linger: 0,
    };
    Ok(setsockopt(socket, sockopt::Linger, &linger)?)
}

/// Load average of the last minute.
pub(super) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

/// The kernel's release.
pub(super) fn kernel() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}
