//! netlab's words into the API's, and back.

use crate::engine::{Container, ContainerState, EngineInfo, ImageFound, ImageInfo, Volume};
use crate::fault::Limits;
use crate::plan::{ContainerSpec, Mount, Restart};
use crate::units::{ByteSize, Cores};
use bollard::models;
use std::collections::{BTreeMap, HashMap};

/// What one container's log may take on the engine's disk.
const LOG_OPTIONS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "2")];

fn texts<K: ToString, V: ToString>(
    pairs: impl IntoIterator<Item = (K, V)>,
) -> HashMap<String, String> {
    let pairs = pairs.into_iter();
    pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

/// The body of a create call.
pub(super) fn body(spec: &ContainerSpec) -> models::ContainerCreateBody {
    let env = spec.env.iter().map(|(key, value)| format!("{key}={value}"));
    models::ContainerCreateBody {
        hostname: Some(spec.hostname.clone()),
        image: Some(spec.image.clone()),
        entrypoint: some(&spec.entrypoint),
        cmd: some(&spec.command),
        env: Some(env.collect()),
        labels: Some(texts(&spec.labels)),
        tty: Some(false),
        host_config: Some(host_config(spec)),
        ..Default::default()
    }
}

fn host_config(spec: &ContainerSpec) -> models::HostConfig {
    let device = |path: &String| models::DeviceMapping {
        path_on_host: Some(path.clone()),
        path_in_container: Some(path.clone()),
        cgroup_permissions: Some("rw".to_owned()),
    };
    models::HostConfig {
        network_mode: Some(if spec.host_network { "host" } else { "none" }.to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: some(&spec.capabilities),
        security_opt: Some(security(spec)),
        readonly_rootfs: Some(spec.read_only),
        sysctls: Some(texts(&spec.sysctls)),
        dns: some(&spec.dns),
        // Otherwise the host's search domains would be tried on every name.
        dns_search: (!spec.dns.is_empty()).then(|| vec![".".to_owned()]),
        extra_hosts: some(&spec.extra_hosts),
        mounts: Some(spec.mounts.iter().map(|m| mount(m, spec)).collect()),
        devices: Some(spec.devices.iter().map(device).collect()),
        pid_mode: spec.host_pid.then(|| "host".to_owned()),
        pids_limit: spec.pids_limit,
        memory: spec.memory,
        // No swap: a node that needs more than its memory is killed, not slowed down.
        memory_swap: spec.memory,
        init: Some(false),
        restart_policy: Some(restart(spec.restart)),
        log_config: Some(models::HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(texts(LOG_OPTIONS)),
        }),
        ..Default::default()
    }
}

fn security(spec: &ContainerSpec) -> Vec<String> {
    let mut options = vec!["no-new-privileges".to_owned()];
    if spec.may_mount {
        options.push("apparmor=unconfined".to_owned());
    }
    options
}

/// The period in which processor time is counted, in microseconds: the kernel's default.
const PERIOD: i64 = 100_000;
/// What kernels take for no limit of memory, and say where there is none (cgroup v1; v2 says `max`).
/// The engine has no word that takes a limit away.
const ALL_MEMORY: i64 = i64::MAX & !0xfff;

/// The body of an update call.
pub(super) fn update(limits: Limits) -> models::ContainerUpdateBody {
    let bytes = |size: ByteSize| i64::try_from(size.0).unwrap_or(ALL_MEMORY);
    let memory = limits.memory.map_or(ALL_MEMORY, bytes).min(ALL_MEMORY);
    models::ContainerUpdateBody {
        cpu_period: Some(PERIOD),
        cpu_quota: Some((limits.cpu).map_or(-1, |Cores(cores)| i64::from(cores) * PERIOD / 1000)),
        memory: Some(memory),
        memory_swap: Some(memory),
        ..Default::default()
    }
}

/// What a container may take, from what the engine was told.
fn limits(config: &models::HostConfig) -> Limits {
    let positive = |value: Option<i64>| value.filter(|n| *n > 0);
    let period = positive(config.cpu_period).unwrap_or(PERIOD);
    let quota = positive(config.cpu_quota).map(|quota| quota * 1000 / period);
    let nano = positive(config.nano_cpus).map(|nano| nano / 1_000_000);
    let cores = quota.or(nano).and_then(|n| u32::try_from(n).ok());
    let memory = positive(config.memory).filter(|bytes| *bytes < ALL_MEMORY);
    Limits {
        cpu: cores.map(Cores),
        memory: memory.map(|bytes| ByteSize(bytes.unsigned_abs())),
    }
}

fn restart(restart: Restart) -> models::RestartPolicy {
    models::RestartPolicy {
        name: Some(match restart {
            Restart::Never => models::RestartPolicyNameEnum::NO,
            Restart::OnFailure => models::RestartPolicyNameEnum::ON_FAILURE,
        }),
        maximum_retry_count: None,
    }
}

fn mount(mount: &Mount, spec: &ContainerSpec) -> models::Mount {
    match mount {
        Mount::NewVolume { target } => models::Mount {
            typ: Some(models::MountType::VOLUME),
            target: Some(target.clone()),
            volume_options: Some(models::MountVolumeOptions {
                labels: Some(texts(&spec.labels)),
                ..Default::default()
            }),
            ..Default::default()
        },
        Mount::Bounded { target, size } => models::Mount {
            typ: Some(models::MountType::VOLUME),
            target: Some(target.clone()),
            volume_options: Some(models::MountVolumeOptions {
                labels: Some(texts(&spec.labels)),
                driver_config: Some(in_memory(*size)),
                ..Default::default()
            }),
            ..Default::default()
        },
        Mount::Volume {
            name,
            target,
            read_only,
        } => models::Mount {
            typ: Some(models::MountType::VOLUME),
            source: Some(name.clone()),
            target: Some(target.clone()),
            read_only: Some(*read_only),
            ..Default::default()
        },
        Mount::Bind { source, target } => models::Mount {
            typ: Some(models::MountType::BIND),
            source: Some(source.clone()),
            target: Some(target.clone()),
            ..Default::default()
        },
    }
}

/// What the engine mounts for a volume that holds so many bytes.
fn in_memory(size: u64) -> models::MountVolumeOptionsDriverConfig {
    let options = [
        ("type", "tmpfs".to_owned()),
        ("device", "tmpfs".to_owned()),
        ("o", format!("size={size}")),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value));
    models::MountVolumeOptionsDriverConfig {
        name: Some("local".to_owned()),
        options: Some(options.into()),
    }
}

pub(super) fn engine_info(info: models::SystemInfo, api: &str, endpoint: &str) -> EngineInfo {
    let security = info.security_options.unwrap_or_default();
    EngineInfo {
        version: info.server_version.unwrap_or_default(),
        api: api.to_owned(),
        architecture: rust_architecture(&info.architecture.unwrap_or_default()),
        os: info.operating_system.unwrap_or_default(),
        kernel: info.kernel_version.unwrap_or_default(),
        cores: info.ncpu.unwrap_or_default(),
        memory: info.mem_total.unwrap_or_default(),
        cgroups: info
            .cgroup_version
            .map(|v| v.to_string())
            .unwrap_or_default(),
        memory_limit: info.memory_limit,
        pids_limit: info.pids_limit,
        rootless: security.iter().any(|option| option == "name=rootless"),
        endpoint: endpoint.to_owned(),
    }
}

fn rust_architecture(name: &str) -> String {
    match name {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    }
    .to_owned()
}

fn volumes(mounts: Option<Vec<models::MountPoint>>) -> BTreeMap<String, String> {
    let mounts = mounts.unwrap_or_default().into_iter();
    let named = mounts.filter_map(|mount| Some((mount.destination?, mount.name?)));
    named.filter(|(_, name)| !name.is_empty()).collect()
}

fn sorted(labels: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    labels.unwrap_or_default().into_iter().collect()
}

pub(super) fn container(found: models::ContainerSummary) -> Container {
    let names = found.names.unwrap_or_default();
    let name = names.first().map(|name| name.trim_start_matches('/'));
    Container {
        id: found.id.unwrap_or_default(),
        name: name.unwrap_or_default().to_owned(),
        labels: sorted(found.labels),
        state: found.state.map(|s| s.to_string()).unwrap_or_default(),
        created: found.created.unwrap_or_default(),
        image: found.image.unwrap_or_default(),
        volumes: volumes(found.mounts),
    }
}

pub(super) fn volume(found: models::Volume) -> Volume {
    Volume {
        name: found.name,
        labels: found.labels.into_iter().collect(),
    }
}

pub(super) fn image_found(found: models::ImageSummary) -> ImageFound {
    ImageFound {
        tags: found.repo_tags,
        labels: found.labels.into_iter().collect(),
        size: found.size,
        created: found.created,
    }
}

pub(super) fn image_info(found: models::ImageInspect) -> ImageInfo {
    let config = found.config.unwrap_or_default();
    ImageInfo {
        id: found.id.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        labels: sorted(config.labels),
    }
}

pub(super) fn state(found: models::ContainerInspectResponse) -> ContainerState {
    let state = found.state.unwrap_or_default();
    ContainerState {
        status: state.status.map(|s| s.to_string()).unwrap_or_default(),
        pid: i32::try_from(state.pid.unwrap_or_default()).unwrap_or_default(),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        limits: found.host_config.as_ref().map(limits).unwrap_or_default(),
        volumes: volumes(found.mounts),
        labels: sorted(found.config.and_then(|config| config.labels)),
    }
}
