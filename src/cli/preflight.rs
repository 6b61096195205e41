//! What this host and engine can do: the same checks and words for `doctor` and `up`.

use super::exit::Failure;
use crate::engine::{Container, EngineInfo, Volume};
use crate::plan::labels;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Free disk below this is worth a warning.
const LITTLE_DISK: u64 = 1 << 30;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Good.
    Ok,
    /// Cannot be known from here.
    Unknown,
    /// Works, but.
    Warn,
    /// Labs will not work.
    Fail,
}

/// One line of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub cure: Option<String>,
}

impl Check {
    /// All is well.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Check {
        Check {
            name,
            state: State::Ok,
            detail: detail.into(),
            cure: None,
        }
    }

    /// Something is not.
    pub fn not(
        name: &'static str,
        state: State,
        detail: impl Into<String>,
        cure: impl Into<String>,
    ) -> Check {
        Check {
            name,
            state,
            detail: detail.into(),
            cure: Some(cure.into()),
        }
    }

    /// The failure that a command ends with when this check failed.
    ///
    /// # Errors
    /// [`Failure::Unfit`].
    pub fn require(self) -> Result<(), Failure> {
        match self.state {
            State::Ok | State::Unknown | State::Warn => Ok(()),
            State::Fail => Err(Failure::Unfit {
                what: self.detail,
                cure: self.cure.unwrap_or_default(),
            }),
        }
    }
}

/// Whether the engine's kernel is the one that this process runs on.
pub fn is_local(info: &EngineInfo) -> bool {
    let own = nix::sys::utsname::uname();
    let same = own.is_ok_and(|own| own.release().to_string_lossy() == info.kernel);
    info.endpoint.starts_with("unix://") && same
}

/// What `up` needs of the host; each as in `doctor`.
///
/// # Errors
/// [`Failure::Unfit`] for the first that is missing.
pub fn require_host(info: &EngineInfo) -> Result<(), Failure> {
    let local = is_local(info);
    tun(local).require()?;
    ipv6(local).require()
}

/// Whether the kernel has TUN devices.
pub fn tun(local: bool) -> Check {
    match (local, Path::new("/dev/net/tun").exists()) {
        (false, _) => remote("tun", "/dev/net/tun"),
        (true, true) => Check::ok("tun", "/dev/net/tun is there"),
        (true, false) => Check::not(
            "tun",
            State::Fail,
            "this host has no /dev/net/tun, through which nodes reach the network",
            "load the module (`sudo modprobe tun`); inside a container, start that container with \
             `--device /dev/net/tun`",
        ),
    }
}

/// Whether the kernel speaks IPv6.
pub fn ipv6(local: bool) -> Check {
    match (local, Path::new("/proc/sys/net/ipv6").exists()) {
        (false, _) => remote("ipv6", "IPv6"),
        (true, true) => Check::ok("ipv6", "the kernel speaks it"),
        (true, false) => Check::not(
            "ipv6",
            State::Fail,
            "this host's kernel has no IPv6, which every node gets an address of",
            "boot without `ipv6.disable=1`, or load the module (`sudo modprobe ipv6`)",
        ),
    }
}

fn remote(name: &'static str, what: &str) -> Check {
    Check {
        name,
        state: State::Unknown,
        detail: format!("{what}: the engine runs on another machine, `up` will tell"),
        cure: None,
    }
}

/// Which cgroups the host has; both are fine.
pub fn cgroups(local: bool) -> Check {
    if !local {
        return remote("cgroups", "cgroups");
    }
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    Check::ok("cgroups", if unified { "version 2" } else { "version 1" })
}

/// Whether there is room for records at `path`.
pub fn disk(path: &Path) -> Check {
    let Ok(stat) = nix::sys::statvfs::statvfs(path) else {
        let cure = "look at it with `df`";
        return Check::not("disk", State::Warn, "the disk cannot be read", cure);
    };
    #[allow(
        clippy::unnecessary_cast,
        reason = "the types differ between platforms"
    )]
    let free = stat.blocks_available() as u64 * stat.fragment_size() as u64;
    let told = format!("{:.1} GB free here", free as f64 / 1e9);
    if free < LITTLE_DISK {
        let cure = "make room: records grow by about 1 MB per minute and node";
        return Check::not("disk", State::Warn, told, cure);
    }
    Check::ok("disk", told)
}

/// Labs whose agent is gone, and volumes without a container.
pub fn leftovers(containers: &[Container], volumes: &[Volume], owner: &str) -> Check {
    let label = |of: &BTreeMap<String, String>, key: &str| of.get(key).cloned().unwrap_or_default();
    let mut labs: BTreeSet<(String, String)> = BTreeSet::new();
    let mut alive: BTreeSet<String> = BTreeSet::new();
    for container in containers {
        let lab = label(&container.labels, labels::LAB);
        let agent = label(&container.labels, labels::NODE) == labels::AGENT;
        if agent && matches!(container.state.as_str(), "running" | "restarting") {
            alive.insert(lab.clone());
        }
        labs.insert((lab, label(&container.labels, labels::OWNER)));
    }
    for volume in volumes {
        let owner = label(&volume.labels, labels::OWNER);
        labs.insert((label(&volume.labels, labels::LAB), owner));
    }
    labs.retain(|(lab, _)| !alive.contains(lab));
    if labs.is_empty() {
        return Check::ok("leftovers", "none");
    }
    let (mine, others): (Vec<_>, Vec<_>) = labs.iter().partition(|(_, of)| of == owner);
    let names = |labs: &[&(String, String)]| {
        let names: Vec<&str> = labs.iter().map(|(lab, _)| lab.as_str()).collect();
        names.join(" ")
    };
    let others: Vec<String> = others
        .iter()
        .map(|(lab, of)| format!("{lab} of {of}"))
        .collect();
    let all: Vec<String> = mine
        .iter()
        .map(|(lab, _)| lab.clone())
        .chain(others)
        .collect();
    let cure = match mine.is_empty() {
        true => "ask their owners to take them down".to_owned(),
        false => format!("netlab down {}", names(&mine)),
    };
    let detail = format!("labs without an agent: {}", all.join(", "));
    Check::not("leftovers", State::Warn, detail, cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_without_agent_is_left_over() {
        let container = |lab: &str, node: &str, owner: &str| Container {
            state: "running".into(),
            labels: [
                (labels::LAB, lab),
                (labels::NODE, node),
                (labels::OWNER, owner),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
            ..Container::default()
        };
        let whole = [
            container("a", "agent", "me"),
            container("a", "server", "me"),
        ];
        assert_eq!(leftovers(&whole, &[], "me").state, State::Ok);
        let lost = [
            container("b", "server", "me"),
            container("c", "server", "you"),
        ];
        let check = leftovers(&lost, &[], "me");
        assert_eq!(check.detail, "labs without an agent: b, c of you");
        assert_eq!(check.cure.as_deref(), Some("netlab down b"));
    }
}
