//! Facts → lines of `doctor`. Pure: whatever was seen, the same facts give the same lines.

use crate::agent::Probe;
use crate::cli::preflight::{Check, State};
use crate::engine::EngineInfo;

/// Memory and disk below this are worth a warning, in bytes.
const LITTLE_MEMORY: u64 = 512 << 20;
const LITTLE_DISK: u64 = 1 << 30;
/// A wake-up that takes longer, in µs, is worth a hint.
const SLOW_WAKE: u64 = 30;
/// What the agent cannot do without, with its number (capabilities(7)).
const CAPABILITIES: [(&str, u32); 3] = [("NET_ADMIN", 12), ("SYS_ADMIN", 21), ("SYS_NICE", 23)];

/// Where the command runs and how it found its engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    /// `$DOCKER_HOST`, when it is set.
    pub docker_host: Option<String>,
    /// The Docker context in use, when one is chosen.
    pub context: Option<String>,
    /// Whether this kernel is that of the Windows Subsystem for Linux.
    pub wsl: bool,
    /// Whether the engine's kernel is this one.
    pub local: bool,
}

/// How the endpoint was chosen.
pub fn context(here: &Here) -> Check {
    let told = match (&here.docker_host, &here.context) {
        (Some(host), Some(context)) => {
            let detail = format!("DOCKER_HOST={host} goes before the context `{context}`");
            let cure = "`unset DOCKER_HOST` to use the context";
            return Check::not("context", State::Warn, detail, cure);
        }
        (Some(host), None) => format!("DOCKER_HOST={host}"),
        (None, Some(context)) => format!("`{context}`"),
        (None, None) => "none chosen: the usual socket".to_owned(),
    };
    Check::ok("context", told)
}

/// Which machine the engine runs on.
pub fn place(here: &Here, info: &EngineInfo) -> Check {
    let desktop = info.os.contains("Docker Desktop");
    let network = info
        .endpoint
        .strip_prefix("tcp://")
        .or(info.endpoint.strip_prefix("http://"));
    if let Some(address) = network {
        let loopback = ["127.", "localhost", "[::1]"]
            .iter()
            .any(|own| address.starts_with(own));
        if !loopback {
            let detail =
                format!("the engine at {address} is spoken to without encryption or password");
            let cure = "forward its socket over ssh instead: `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`, DOCKER_HOST=unix:///tmp/docker.sock";
            return Check::not("place", State::Warn, detail, cure);
        }
        return Check::ok("place", format!("over the network, at {address}"));
    }
    let told = match (desktop, here.wsl, here.local) {
        (true, true, _) => "Docker Desktop, with this WSL distribution integrated",
        (true, false, _) => "Docker Desktop, in its virtual machine",
        (false, true, true) => "this WSL distribution",
        (false, _, true) => "this machine",
        (false, _, false) => "another machine or kernel, through a forwarded socket",
    };
    Check::ok("place", told)
}

/// What to do on WSL when no engine was found: without integration there is no socket.
pub fn wsl_cure(here: &Here) -> Option<&'static str> {
    here.wsl.then_some(
        "switch this distribution on in Docker Desktop (Settings, Resources, WSL integration), or install Docker inside it",
    )
}

/// Cores of the engine's host.
pub fn cores(info: &EngineInfo) -> Check {
    let told = match info.cores {
        1 => "1 core".to_owned(),
        n => format!("{n} cores"),
    };
    match info.cores < 2 {
        true => Check::not(
            "cores",
            State::Warn,
            format!("{told}: the fabric and the nodes share it, so latencies grow with load"),
            "give the engine's machine two or more",
        ),
        false => Check::ok("cores", format!("{told}, {}", info.architecture)),
    }
}

/// The cgroups of the engine's host, and which limits it can set.
pub fn cgroups(info: &EngineInfo) -> Check {
    let missing: Vec<&str> = [
        ("memory", info.memory_limit),
        ("processes", info.pids_limit),
    ]
    .iter()
    .filter(|(_, able)| *able == Some(false))
    .map(|(what, _)| *what)
    .collect();
    let version = match info.cgroups.as_str() {
        "" => "version not told".to_owned(),
        version => format!("version {version}"),
    };
    if missing.is_empty() {
        return Check::ok("cgroups", version);
    }
    let detail = format!(
        "{version}, without limits of {}: a node may take all there is",
        missing.join(" and ")
    );
    let cure = "boot with `cgroup_enable=memory` (cgroups 1), or delegate the controllers to the engine (rootless, cgroups 2)";
    Check::not("cgroups", State::Warn, detail, cure)
}

/// What the container saw.
pub fn inside(probe: &Probe) -> Vec<Check> {
    [
        tun(probe),
        ipv6(probe),
        capabilities(probe),
        memory(probe),
        disk(probe),
    ]
    .into_iter()
    .chain(probe.wake.map(wake))
    .collect()
}

fn tun(probe: &Probe) -> Check {
    match &probe.tun {
        None => Check::ok("tun", "/dev/net/tun opens in a container"),
        Some(why) => Check::not(
            "tun",
            State::Fail,
            format!(
                "/dev/net/tun does not open in a container ({why}); nodes reach the network through it"
            ),
            "load the module on the engine's machine (`sudo modprobe tun`); inside a container, start that container with `--device /dev/net/tun`",
        ),
    }
}

fn ipv6(probe: &Probe) -> Check {
    match probe.ipv6 {
        true => Check::ok("ipv6", "the engine's kernel speaks it"),
        false => Check::not(
            "ipv6",
            State::Fail,
            "the engine's kernel has no IPv6, which every node gets an address of",
            "boot it without `ipv6.disable=1`, or load the module (`sudo modprobe ipv6`)",
        ),
    }
}

fn capabilities(probe: &Probe) -> Check {
    let missing = CAPABILITIES
        .iter()
        .filter(|(_, bit)| probe.capabilities >> bit & 1 == 0);
    let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
    if !missing.is_empty() {
        let detail = format!("the engine does not grant {}", missing.join(", "));
        let cure = "use an engine that runs as root, without a policy that takes capabilities away";
        return Check::not("rights", State::Fail, detail, cure);
    }
    if !probe.host_processes {
        let cure =
            "use an engine without user namespaces (`userns-remap`), or one that runs as root";
        let detail =
            "the agent does not see the processes of the host, whose namespaces it has to enter";
        return Check::not("rights", State::Fail, detail, cure);
    }
    let names: Vec<&str> = CAPABILITIES.iter().map(|(name, _)| *name).collect();
    Check::ok(
        "rights",
        format!("{}, the host's processes", names.join(", ")),
    )
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

fn memory(probe: &Probe) -> Check {
    match probe.memory {
        None => Check::not(
            "memory",
            State::Warn,
            "the kernel does not tell",
            "look at it with `free`",
        ),
        Some(bytes) if bytes < LITTLE_MEMORY => Check::not(
            "memory",
            State::Warn,
            format!("{} available", gigabytes(bytes)),
            "stop what is not needed, or give the engine's machine more",
        ),
        Some(bytes) => Check::ok("memory", format!("{} available", gigabytes(bytes))),
    }
}

fn disk(probe: &Probe) -> Check {
    match probe.disk {
        None => Check::not(
            "storage",
            State::Warn,
            "the engine's disk cannot be read",
            "look at it with `docker system df`",
        ),
        Some(bytes) if bytes < LITTLE_DISK => Check::not(
            "storage",
            State::Warn,
            format!("{} free where the engine keeps its data", gigabytes(bytes)),
            "make room: `docker system prune` removes what is not in use",
        ),
        Some(bytes) => Check::ok(
            "storage",
            format!("{} free where the engine keeps its data", gigabytes(bytes)),
        ),
    }
}

/// Not a matter of right or wrong: some hosts save power so.
fn wake(micros: u64) -> Check {
    let told = format!("a thread that sleeps runs {micros} µs after it is woken");
    match micros > SLOW_WAKE {
        true => Check::ok(
            "wake",
            format!(
                "{told}, which a packet after a silence takes longer for at each stop; while root holds /dev/cpu_dma_latency open with 0 in it, processors do not sleep so deeply"
            ),
        ),
        false => Check::ok("wake", told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(os: &str, endpoint: &str) -> EngineInfo {
        EngineInfo {
            os: os.into(),
            endpoint: endpoint.into(),
            cores: 4,
            architecture: "x86_64".into(),
            ..EngineInfo::default()
        }
    }

    fn here(wsl: bool, local: bool) -> Here {
        Here {
            wsl,
            local,
            ..Here::default()
        }
    }

    /// State, what was found, and whether there is a cure, one line each.
    fn lines(checks: &[Check]) -> String {
        let line = |check: &Check| {
            assert_eq!(check.state == State::Ok, check.cure.is_none(), "{check:?}");
            format!("{:?} {}: {}\n", check.state, check.name, check.detail)
        };
        checks.iter().map(line).collect()
    }

    #[test]
    fn a_good_container() {
        let probe = Probe {
            ipv6: true,
            capabilities: 1 << 12 | 1 << 21 | 1 << 23,
            host_processes: true,
            memory: Some(8_000_000_000),
            disk: Some(50_000_000_000),
            tun: None,
            wake: Some(12),
            processes: Vec::new(),
        };
        let expected = "\
Ok tun: /dev/net/tun opens in a container
Ok ipv6: the engine's kernel speaks it
Ok rights: NET_ADMIN, SYS_ADMIN, SYS_NICE, the host's processes
Ok memory: 8.0 GB available
Ok storage: 50.0 GB free where the engine keeps its data
Ok wake: a thread that sleeps runs 12 µs after it is woken
";
        assert_eq!(lines(&inside(&probe)), expected);
        let sleepy = Probe {
            wake: Some(60),
            ..probe.clone()
        };
        assert!(inside(&sleepy)[5].detail.contains("/dev/cpu_dma_latency"));
        let remapped = Probe {
            host_processes: false,
            ..probe
        };
        assert_eq!(inside(&remapped)[2].state, State::Fail);
    }

    #[test]
    fn a_container_that_can_do_nothing() {
        let probe = Probe {
            tun: Some("Permission denied".into()),
            capabilities: 1 << 12,
            memory: Some(1000),
            disk: Some(1000),
            ..Probe::default()
        };
        let expected = "\
Fail tun: /dev/net/tun does not open in a container (Permission denied); nodes reach the network through it
Fail ipv6: the engine's kernel has no IPv6, which every node gets an address of
Fail rights: the engine does not grant SYS_ADMIN, SYS_NICE
Warn memory: 0.0 GB available
Warn storage: 0.0 GB free where the engine keeps its data
";
        assert_eq!(lines(&inside(&probe)), expected);
    }

    #[test]
    fn every_place_of_an_engine_has_its_words() {
        let unix = "unix:///var/run/docker.sock";
        let at = |os: &str, endpoint: &str, here: Here| place(&here, &info(os, endpoint));
        let checks = [
            at("Debian", unix, here(false, true)),
            at("Docker Desktop", unix, here(false, false)),
            at("Docker Desktop", unix, here(true, true)),
            at("Ubuntu", unix, here(true, true)),
            at("Debian", unix, here(false, false)),
            at("Debian", "tcp://127.0.0.1:2375", here(false, false)),
            at("Debian", "tcp://lab:2375", here(false, false)),
        ];
        let expected = "\
Ok place: this machine
Ok place: Docker Desktop, in its virtual machine
Ok place: Docker Desktop, with this WSL distribution integrated
Ok place: this WSL distribution
Ok place: another machine or kernel, through a forwarded socket
Ok place: over the network, at 127.0.0.1:2375
Warn place: the engine at lab:2375 is spoken to without encryption or password
";
        assert_eq!(lines(&checks), expected);
        assert!(wsl_cure(&here(true, false)).is_some_and(|cure| cure.contains("WSL integration")));
    }

    #[test]
    fn limits_cores_and_contexts() {
        let weak = EngineInfo {
            cores: 1,
            cgroups: "2".into(),
            memory_limit: Some(false),
            pids_limit: Some(true),
            ..EngineInfo::default()
        };
        let both = Here {
            docker_host: Some("unix:///x".into()),
            context: Some("lab".into()),
            ..Here::default()
        };
        let checks = [
            cgroups(&weak),
            cores(&weak),
            context(&both),
            context(&Here::default()),
        ];
        let expected = "\
Warn cgroups: version 2, without limits of memory: a node may take all there is
Warn cores: 1 core: the fabric and the nodes share it, so latencies grow with load
Warn context: DOCKER_HOST=unix:///x goes before the context `lab`
Ok context: none chosen: the usual socket
";
        assert_eq!(lines(&checks), expected);
    }
}
