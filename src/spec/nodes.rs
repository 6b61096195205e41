//! `nodes:`.

use super::arrivals;
use super::defaults::{MAX_FILE_BYTES, MAX_FILES, MAX_NODES, PORTS, QUEUE, SERVICE, WORKERS};
use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::include;
use super::reader::Reader;
use super::roles::{BOUNDED, DATA_WORDS, DEFAULTS, SERVICE_SHAPE, VOLUME, shape};
use super::selector::ROLES;
use super::topology::{Count, Listener, NodeSpec, ProgramSpec, Topology};
use super::tree::{Data, Entry, Value, short};
use crate::units::ByteSize;
use netlab_protocol::role::{Data as Keeps, File, PORT, Service};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names that mean something else: words of selectors, and names the lab uses itself.
const RESERVED: &[&str] = &[
    "all",
    "rest",
    "host",
    "internet",
    "agent",
    "resolver",
    "localhost",
];

/// Values that all nodes together may take from `defaults`, as for aliases.
const MAX_INHERITED: usize = 200_000;
/// Labels of one node.
const MAX_LABELS: usize = 32;

/// The defaults of each role.
pub type Defaults<'t> = BTreeMap<&'static str, Inherited<'t>>;

/// What a role's nodes take from `defaults`.
pub struct Inherited<'t> {
    entries: &'t [Entry],
    weight: usize,
}

impl Reader<'_> {
    /// What `defaults` says; keys that cannot stand there are reported.
    pub(super) fn defaults<'t>(&self, value: &'t Value) -> Defaults<'t> {
        let mut defaults = Defaults::new();
        let Some(fields) = self.fields(value, &DEFAULTS, None) else {
            return defaults;
        };
        for (role, entry) in fields.among(ROLES) {
            let (Some(inner), Some(role)) = (
                self.fields(&entry.value, shape(role), Some(entry.key.span)),
                ROLES.iter().find(|known| **known == role),
            ) else {
                continue;
            };
            let own = inner.among(&["role", "image", "count"]);
            for (key, entry) in &own {
                let message = format!("each node says its `{key}` itself");
                self.report(Diagnostic::error("conflict", message).at(entry.key.span, ""));
            }
            if let (Data::Map(entries), true) = (&entry.value.data, own.is_empty()) {
                let weight = entry.value.weight();
                defaults.insert(role, Inherited { entries, weight });
            }
        }
        defaults
    }

    pub(super) fn nodes(&self, nodes: &Entry, defaults: &Defaults<'_>, topology: &mut Topology) {
        let Some(entries) = self.entries(&nodes.value, "`nodes`") else {
            topology.nodes_complete = false;
            return;
        };
        if entries.is_empty() {
            self.report(
                Diagnostic::error("empty", "a lab needs at least one node").at(nodes.key.span, ""),
            );
        }
        let mut inherited = 0;
        let none = Defaults::new();
        for entry in entries {
            let defaults = match inherited > MAX_INHERITED {
                true => &none,
                false => defaults,
            };
            let before = inherited;
            let node = self.node(entry, defaults, &mut inherited);
            if before <= MAX_INHERITED && inherited > MAX_INHERITED {
                let message = format!(
                    "the nodes take more than {MAX_INHERITED} values from `defaults` in all"
                );
                self.report(
                    Diagnostic::error("too-complex", message)
                        .at(entry.key.span, "here it becomes too much"),
                );
            }
            match node {
                Some(node) => topology.nodes.push(node),
                None => topology.nodes_complete = false,
            }
        }
        self.add_host(topology);
    }

    fn node(
        &self,
        entry: &Entry,
        defaults: &Defaults<'_>,
        inherited: &mut usize,
    ) -> Option<NodeSpec> {
        let name = self.key_name(&entry.key);
        let fields = self.open_fields(&entry.value, "a node", Some(entry.key.span));
        let (name, fields) = (name?, fields?);
        if RESERVED.contains(&name.value.as_str()) {
            self.report(
                Diagnostic::error(
                    "bad-name",
                    format!("`{}` is a word of netlab's own", name.value),
                )
                .at(name.span, "")
                .help(format!("these cannot be nodes: {}", RESERVED.join(", "))),
            );
        }
        let role = self.role(&fields);
        self.role_word(&name.value, role, name.span);
        let taken = role.and_then(|role| defaults.get(role));
        *inherited += taken.map_or(0, |taken| taken.weight);
        let merged = role.map(|role| with_defaults(&entry.value, role, defaults));
        let exact = match (role, &merged) {
            (Some(role), Some(value)) => self.fields(value, shape(role), Some(fields.span)),
            _ => None,
        };
        let fields = exact.unwrap_or(fields);
        let count = match fields
            .get("count")
            .map(|v| self.integer(v, 1..=u64::from(MAX_NODES)))
        {
            None => Count::Single,
            Some(Some(count)) => Count::Many(count as u32),
            Some(None) => Count::Unreadable,
        };
        let access = |key| {
            let value = fields.get(key);
            value.and_then(|v| self.quantity(v, "a bit rate", "mbit"))
        };
        Some(NodeSpec {
            name,
            count,
            labels: fields
                .get("labels")
                .map_or_else(Vec::new, |v| self.labels(v)),
            places: self.places(&fields),
            forward: fields
                .get("forward")
                .filter(|v| self.flag(v) == Some(true))
                .map(|v| v.span),
            uplink: access("uplink"),
            downlink: access("downlink"),
            ports: fields.get("ports").map_or_else(Vec::new, |v| self.ports(v)),
            role,
            program: role.and_then(|role| self.program(role, &fields)),
        })
    }

    fn labels(&self, value: &Value) -> Vec<String> {
        let written = self.one_or_more(value);
        if written.len() > MAX_LABELS {
            self.bad(
                value.span,
                format!("a node has at most {MAX_LABELS} labels"),
            );
            return Vec::new();
        }
        let label = |value: &&Value| {
            let text = self.text(value, "a label: a word such as `zone-a`")?;
            self.checked_label(&text)
        };
        written.iter().filter_map(label).collect()
    }

    /// The word for what the node is; `role` and `image` exclude each other.
    fn role(&self, fields: &Fields<'_>) -> Option<&'static str> {
        match (fields.entry("role"), fields.entry("image")) {
            (Some(role), None) => self.word(&role.value, "a role", &ROLES[..3]),
            (None, Some(_)) => Some("image"),
            (Some(role), Some(image)) => {
                let message = "a node has a `role` or an `image`, not both";
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(image.key.span, "")
                        .at(role.key.span, ""),
                );
                None
            }
            (None, None) => {
                let slip = fields.nearest("role").or_else(|| fields.nearest("image"));
                let help = match slip {
                    Some((word, meant)) => format!("did you mean `{meant}` by `{word}`?"),
                    None => {
                        "roles are server, client and peer; `image:` takes any image".to_owned()
                    }
                };
                self.report(
                    Diagnostic::error("missing-key", "a node needs `role` or `image`")
                        .at(fields.span, "")
                        .help(help),
                );
                None
            }
        }
    }

    /// A role's word as the name of a node with another role would mislead every reader.
    fn role_word(&self, name: &crate::id::Name, role: Option<&str>, span: super::Span) {
        if let Some(role) = role
            && ROLES.contains(&name.as_str())
            && name.as_str() != role
        {
            let message = format!("`{name}` is the name of a role, but this node is not one");
            self.report(
                Diagnostic::error("bad-name", message)
                    .at(span, format!("this is of role {role}"))
                    .help("choose another name"),
            );
        }
    }

    fn program(&self, role: &str, fields: &Fields<'_>) -> Option<ProgramSpec> {
        match role {
            "server" => Some(ProgramSpec::Server {
                listener: self.listener(fields),
                files: fields.get("files").map_or_else(Vec::new, |v| self.files(v)),
            }),
            "client" => {
                let help = "say whom it asks and how often: `load: { target: server, rate: 20/s }`";
                fields.need(self, "load", help)?;
                let (target, load) = self.load(fields.entry("load")?, true)?;
                Some(ProgramSpec::Client {
                    target: target?,
                    load,
                })
            }
            "peer" => {
                let load = fields.entry("load").map(|entry| self.load(entry, false));
                Some(ProgramSpec::Peer {
                    listener: self.listener(fields),
                    load: load.flatten(),
                })
            }
            _ => self.image(fields),
        }
    }

    fn listener(&self, fields: &Fields<'_>) -> Listener {
        let (data, volume) = match fields.entry("data") {
            None => (Keeps::Memory, None),
            Some(entry) => self.keeps(entry),
        };
        Listener {
            port: self.port(fields),
            service: fields.entry("service").map_or(SERVICE, |e| self.service(e)),
            data,
            volume,
        }
    }

    /// Where keys are kept, and how much may be.
    fn keeps(&self, entry: &Entry) -> (Keeps, Option<ByteSize>) {
        let value = &entry.value;
        if matches!(value.data, Data::Map(_)) && !self.is_bare_template(value) {
            let fields = self.fields(value, &BOUNDED, Some(entry.key.span));
            let help = "say how much it holds: `data: { volume: 64MiB }`";
            let size = fields.and_then(|fields| fields.need(self, "volume", help));
            let size = size.and_then(|size| self.volume_size(size));
            return (Keeps::Volume, size);
        }
        match self.word(value, "a place for data", DATA_WORDS) {
            Some("volume") => (Keeps::Volume, None),
            _ => (Keeps::Memory, None),
        }
    }

    fn volume_size(&self, value: &Value) -> Option<ByteSize> {
        let size: ByteSize = self.quantity(value, "a size", "MiB")?;
        if !VOLUME.contains(&size.0) {
            let (least, most) = (ByteSize(*VOLUME.start()), ByteSize(*VOLUME.end()));
            self.bad(
                value.span,
                format!("a volume holds {least} to {most}, got {size}"),
            );
            return None;
        }
        Some(size)
    }

    pub(super) fn port(&self, fields: &Fields<'_>) -> u16 {
        let port = fields.get("port").and_then(|v| self.small(v, PORTS));
        port.and_then(|p| p.try_into().ok()).unwrap_or(PORT)
    }

    fn service(&self, entry: &Entry) -> Service {
        let Some(fields) = self.fields(&entry.value, &SERVICE_SHAPE, Some(entry.key.span)) else {
            return SERVICE;
        };
        let time = fields.get("time").and_then(|v| self.duration(v));
        let word = fields.get("distribution");
        let word = word.and_then(|v| self.word(v, "a distribution", arrivals::SPREADS));
        let workers = fields.get("workers").and_then(|v| self.small(v, WORKERS));
        let queue = fields.get("queue").and_then(|v| self.small(v, QUEUE));
        Service {
            time: time.unwrap_or(SERVICE.time),
            distribution: word.map_or(SERVICE.distribution, arrivals::spread),
            workers: workers.unwrap_or(SERVICE.workers),
            queue: queue.unwrap_or(SERVICE.queue),
        }
    }

    fn files(&self, value: &Value) -> Vec<File> {
        let Some(entries) = self.entries(value, "`files`") else {
            return Vec::new();
        };
        if entries.len() > MAX_FILES {
            self.bad(
                value.span,
                format!("a server offers at most {MAX_FILES} files"),
            );
            return Vec::new();
        }
        entries.into_iter().filter_map(|e| self.file(e)).collect()
    }

    fn file(&self, entry: &Entry) -> Option<File> {
        let name = entry.key.value.as_str();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(1..=255).contains(&name.len()) || name.starts_with('.') || !name.chars().all(plain) {
            self.report(
                Diagnostic::error(
                    "bad-name",
                    format!("`{}` is no name for a file", short(name)),
                )
                .at(entry.key.span, "")
                .help("letters, digits, `.`, `-` and `_`, and no `.` in front"),
            );
            return None;
        }
        let size: ByteSize = self.quantity(&entry.value, "a size", "KiB")?;
        if size.0 > MAX_FILE_BYTES {
            self.bad(entry.value.span, "a file has at most 16GiB");
            return None;
        }
        Some(File {
            name: name.to_owned(),
            bytes: size.0,
        })
    }
}

/// What a node says, over what `defaults` says of its role.
fn with_defaults<'t>(value: &'t Value, role: &str, defaults: &Defaults<'_>) -> Cow<'t, Value> {
    match (&value.data, defaults.get(role)) {
        (Data::Map(said), Some(before)) => Cow::Owned(Value {
            data: Data::Map(include::overlay("", before.entries.to_vec(), said.clone())),
            span: value.span,
        }),
        _ => Cow::Borrowed(value),
    }
}
