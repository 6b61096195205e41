//! Which container a node and the agent become.

use super::{
    AGENT_DATA, AGENT_ENGINE_SOCKET, AGENT_GATE, AGENT_STATE, ContainerSpec, ImageConfig, Mount,
    Options, PlanError, Restart, Snapshot, labels,
};
use crate::id::Name;
use crate::lab::{Addresses, Image, Lab, Network, Node, Program, Wires};
use crate::units::ByteSize;
use netlab_protocol::role::Role;
use netlab_protocol::{gate, role};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Processes and threads of any node.
const NODE_PIDS: i64 = 256;
/// Processes and threads of the agent.
const AGENT_PIDS: i64 = 512;
/// Where the node program lies in its image.
pub const NODE_PROGRAM: &str = "/netlab-node";
/// Where netlab lies in the agent's image.
pub const AGENT_PROGRAM: &str = "/netlab";

/// Name of a lab's container: `netlab-<lab>.<node>`. A name holds no dot, so no two are equal.
pub fn container_name(lab: &Name, node: &str) -> String {
    format!("netlab-{lab}.{node}")
}

fn all_labels(
    lab: &Lab,
    node: &str,
    options: &Options,
    instance: &str,
) -> BTreeMap<String, String> {
    [
        (labels::LAB, lab.name.as_str()),
        (labels::NODE, node),
        (labels::OWNER, &options.owner),
        (labels::BUILD, &options.build),
        (labels::INSTANCE, instance),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// What an agent may do beyond what every agent may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    /// Enter the namespaces of other users' processes.
    foreign: bool,
    /// Listen in the network of the engine's host.
    publish: bool,
}

impl Rights {
    /// What the agent of a lab needs.
    pub fn of(lab: &Lab, snapshot: &Snapshot) -> Rights {
        let foreign =
            |image: &ImageConfig| !matches!(image.user.as_str(), "" | "0" | "root" | "0:0");
        Rights {
            foreign: snapshot.user_images.values().any(foreign),
            publish: lab.host().is_some(),
        }
    }

    /// These, and all that include them.
    pub fn and_more(self) -> impl Iterator<Item = Rights> {
        let all = [(false, false), (false, true), (true, false), (true, true)];
        all.into_iter()
            .map(|(foreign, publish)| Rights { foreign, publish })
            .filter(move |more| more.foreign >= self.foreign && more.publish >= self.publish)
    }
}

/// The agent's container: the only one with rights, and what each is for stands beside it.
pub fn agent_spec(
    lab: &Lab,
    snapshot: &Snapshot,
    options: &Options,
    instance: &str,
) -> ContainerSpec {
    agent_with(Rights::of(lab, snapshot), lab, options, instance)
}

/// The same with these rights.
pub(super) fn agent_with(
    rights: Rights,
    lab: &Lab,
    options: &Options,
    instance: &str,
) -> ContainerSpec {
    let mut capabilities = vec![
        "NET_ADMIN", // make TUN devices, set addresses and routes
        "SYS_ADMIN", // enter a node's network namespace
        "SYS_NICE",  // accurate timers
    ];
    let mut command = vec!["agent".to_owned()];
    if rights.foreign {
        capabilities.push("SYS_PTRACE"); // open the namespace file of another user's process
    }
    if rights.publish {
        capabilities.push("NET_BIND_SERVICE"); // listen below 1024
        command.push("--publish".to_owned());
    }
    let mut spec = ContainerSpec {
        name: container_name(&lab.name, labels::AGENT),
        image: options.agent_image.clone(),
        hostname: "netlab-agent".to_owned(),
        entrypoint: vec![AGENT_PROGRAM.to_owned()],
        command,
        labels: all_labels(lab, labels::AGENT, options, instance),
        capabilities: capabilities.into_iter().map(str::to_owned).collect(),
        mounts: vec![
            Mount::NewVolume {
                target: AGENT_GATE.to_owned(),
            },
            Mount::NewVolume {
                target: AGENT_STATE.to_owned(),
            },
            Mount::Bind {
                source: options.engine_socket.clone(),
                target: AGENT_ENGINE_SOCKET.to_owned(),
            },
        ],
        devices: vec!["/dev/net/tun".to_owned()],
        host_pid: true,
        // Only to listen there: the agent works in a network of its own.
        host_network: rights.publish,
        read_only: true,
        pids_limit: Some(AGENT_PIDS),
        restart: Restart::OnFailure,
        ..ContainerSpec::default()
    };
    let held = lab.nodes.iter().filter_map(|node| {
        let target = agent_data(&node.name);
        let ByteSize(size) = node.volume?;
        Some(Mount::Bounded { target, size })
    });
    spec.mounts.extend(held);
    // A volume is made read-only by mounting it again.
    spec.may_mount = lab.nodes.iter().any(|node| node.volume.is_some());
    let nodes = lab.containers().count().to_string();
    spec.labels.insert(labels::NODES.to_owned(), nodes);
    let hash = config_hash(&spec);
    spec.labels.insert(labels::CONFIG_HASH.to_owned(), hash);
    spec
}

/// Where the agent holds the data volume of a node, if it has a size.
pub fn agent_data(node: &Name) -> String {
    format!("{AGENT_DATA}/{node}")
}

/// Has a node's container mount this volume of the agent for its data.
pub fn mount_data(spec: &mut ContainerSpec, volume: &str) {
    for mount in &mut spec.mounts {
        match mount {
            Mount::Volume { name, target, .. } if target == role::DATA => volume.clone_into(name),
            _ => {}
        }
    }
}

/// A node's container; where its data lies on a volume of the agent, [`mount_data`] says which. `gate` is
/// the name of the agent's volume at [`AGENT_GATE`].
///
/// # Errors
/// [`PlanError::NoImage`], [`PlanError::NothingToRun`], [`PlanError::NoContainer`].
pub fn node_spec(
    lab: &Lab,
    node: &Node,
    snapshot: &Snapshot,
    options: &Options,
    instance: &str,
    gate: &str,
) -> Result<ContainerSpec, PlanError> {
    let (image, command, env) = match &node.program {
        Program::Role(_) => (
            options.node_image.clone(),
            vec![NODE_PROGRAM.to_owned(), "run".to_owned()],
            BTreeMap::new(),
        ),
        Program::Image(image) => (
            image.image.clone(),
            command_of(node, image, snapshot)?,
            image.env.clone(),
        ),
        Program::Host => return Err(PlanError::NoContainer),
    };
    let mut mounts = vec![Mount::Volume {
        name: gate.to_owned(),
        target: gate::MOUNT.to_owned(),
        read_only: true,
    }];
    let target = role::DATA.to_owned();
    match node.volume {
        Some(_) => mounts.push(Mount::Volume {
            name: String::new(),
            target,
            read_only: false,
        }),
        None if node.has_volume() => mounts.push(Mount::NewVolume { target }),
        None => {}
    }
    let primary = node.interfaces.first().map_or(0, |one| one.network.at());
    let resolver = lab.networks[primary].resolver;
    let Addresses { v4, v6 } = node.addresses();
    let mut spec = ContainerSpec {
        name: container_name(&lab.name, node.name.as_str()),
        image,
        hostname: node.name.to_string(),
        entrypoint: vec![gate::INIT.to_owned()],
        command,
        env,
        labels: all_labels(lab, node.name.as_str(), options, instance),
        sysctls: sysctls(node.forward),
        dns: vec![resolver.v4.to_string(), resolver.v6.to_string()],
        extra_hosts: vec![format!("{}:{v4}", node.name), format!("{}:{v6}", node.name)],
        mounts,
        read_only: true,
        pids_limit: Some(NODE_PIDS),
        memory: (node.limits().memory).and_then(|size| i64::try_from(size.0).ok()),
        ..ContainerSpec::default()
    };
    let wired = wired(lab, node);
    let hash = match &node.program {
        Program::Role(role) => hash(&[&canonical(&spec), &wired, &fixed(role)]),
        Program::Image(_) | Program::Host => hash(&[&canonical(&spec), &wired]),
    };
    spec.labels.insert(labels::CONFIG_HASH.to_owned(), hash);
    Ok(spec)
}

/// What the image would have run, which the gate runs when it opens.
fn command_of(node: &Node, image: &Image, snapshot: &Snapshot) -> Result<Vec<String>, PlanError> {
    let found = snapshot.user_images.get(&image.image);
    let config = found.ok_or_else(|| PlanError::NoImage {
        node: node.name.clone(),
        image: image.image.clone(),
    })?;
    let mut command = config.entrypoint.clone();
    command.extend_from_slice(image.command.as_ref().unwrap_or(&config.command));
    if command.is_empty() {
        return Err(PlanError::NothingToRun {
            node: node.name.clone(),
            image: image.image.clone(),
        });
    }
    Ok(command)
}

/// Under network mode `none` IPv6 is off and stays off for devices that come later; and a service
/// may listen below 1024 without a capability (ip-sysctl in the kernel's documentation). A node that
/// forwards passes packets on between its devices.
fn sysctls(forward: bool) -> BTreeMap<String, String> {
    let mut sysctls = BTreeMap::new();
    for device in ["all", "default", "lo"] {
        for (key, value) in [
            ("disable_ipv6", "0"),
            ("accept_dad", "0"),
            ("accept_ra", "0"),
        ] {
            sysctls.insert(format!("net.ipv6.conf.{device}.{key}"), value.to_owned());
        }
    }
    let port = "net.ipv4.ip_unprivileged_port_start".to_owned();
    sysctls.insert(port, "0".to_owned());
    if forward {
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            sysctls.insert(key.to_owned(), "1".to_owned());
        }
    }
    sysctls
}

/// What a container is made from, in 16 hex digits: everything in `spec` but what differs each
/// time it is created (instance, the gate's volume), how many nodes there are, and the hash itself.
fn config_hash(spec: &ContainerSpec) -> String {
    hash(&[&canonical(spec)])
}

/// What a role's program cannot change while it runs, beside its container.
fn fixed(role: &Role) -> Vec<u8> {
    let port = match role {
        Role::Server(server) => server.port,
        Role::Peer(peer) => peer.port,
        Role::Client(_) => 0,
    };
    format!("{} {port}", role.as_str()).into_bytes()
}

/// What a node's devices were made from: its interfaces and its routes. A device is configured once.
fn wired(lab: &Lab, node: &Node) -> Vec<u8> {
    serde_json::to_vec(&(&node.interfaces, routing(lab, node))).unwrap_or_default()
}

/// What a node's routes depend on: its own subnets; where somebody passes packets on between networks, all subnets
/// and who does; and, where it has a choice of devices, how far it is to the routers.
pub(super) fn routing(lab: &Lab, node: &Node) -> String {
    let several = |node: &&Node| node.interfaces.len() > 1;
    let routers = lab.nodes.iter().filter(|node| node.forward);
    let routers: Vec<_> = routers
        .filter(several)
        .map(|router| &router.interfaces)
        .collect();
    if routers.is_empty() {
        let own = node
            .interfaces
            .iter()
            .map(|own| &lab.networks[own.network.at()]);
        return format!("{:?}", own.map(Network::subnet).collect::<Vec<_>>());
    }
    let subnets: Vec<_> = lab.networks.iter().map(Network::subnet).collect();
    let wires = lab.networks.iter().filter(|_| several(&node));
    let wires: Vec<u64> = wires.map(|network| fingerprint(&network.wires)).collect();
    format!("{subnets:?} {routers:?} {wires:?}")
}

/// FNV-1a over the edges: there may be many, and this is asked for many nodes.
fn fingerprint(wires: &Wires) -> u64 {
    let edges = match wires {
        Wires::Full => return 0,
        Wires::Edges(edges) => edges,
    };
    let ends = edges.iter().flat_map(|(a, b)| [a.0, b.0]);
    ends.fold(0xcbf2_9ce4_8422_2325, |hash, end| {
        (hash ^ u64::from(end)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A whole lab in 16 hex digits.
pub fn lab_hash(lab: &Lab) -> String {
    hash(&[&serde_json::to_vec(lab).unwrap_or_default()])
}

fn canonical(spec: &ContainerSpec) -> Vec<u8> {
    let mut spec = spec.clone();
    spec.labels.remove(labels::INSTANCE);
    spec.labels.remove(labels::CONFIG_HASH);
    spec.labels.remove(labels::NODES);
    for mount in &mut spec.mounts {
        match mount {
            Mount::Volume { name, target, .. } if target == gate::MOUNT => name.clear(),
            _ => {}
        }
    }
    // Maps are sorted and fields stand in the struct's order, so that equal values are equal bytes.
    serde_json::to_vec(&spec).unwrap_or_default()
}

/// SHA-256 over the parts, each preceded by its length; the first 8 bytes in hex.
fn hash(parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    let digest = sha.finalize();
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}
