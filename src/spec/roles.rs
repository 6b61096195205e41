//! What each role's map may hold: the tables that `nodes:` and `defaults:` are read by.
//!
//! Must not know how they are read.

use super::defaults::{MAX_NODES, PORTS, QUEUE, WORKERS};
use super::keys::{Key, Kind, Shape, key};
use super::{arrivals, load, networks};

const LATER: &[&str] = &[
    "profile",
    "mtu",
    "cpus",
    "cpu",
    "memory",
    "volumes",
    "user",
    "cap_add",
    "privileged",
    "entrypoint",
    "depends_on",
    "restart",
    "env_file",
    "working_dir",
    "sysctls",
    "tmpfs",
    "replicas",
    "store",
    "checks",
];

const INSTEAD: &[(&str, &str)] = &[
    ("overlay", "`overlay:` stands at the top level"),
    ("network", "write `networks`"),
    ("shape", "`shape` stands at a network, or at the top level"),
    ("router", "write `forward: true`"),
    ("environment", "write `env`"),
    ("scale", "write `count`"),
    (
        "link",
        "`link:` stands at the top level, exceptions under `links:`",
    ),
    ("bandwidth", "write `uplink` and `downlink`"),
    ("label", "write `labels`"),
    (
        "healthcheck",
        "only nodes with an `image` need one: roles say themselves when they are ready",
    ),
];

const COUNT: Key = key(
    "count",
    Kind::Integer(1, MAX_NODES as u64),
    "How many, named NAME-1, NAME-2 and so on.",
);
const LABELS: Key = key(
    "labels",
    LABEL_LIST,
    "Words that `label=WORD` selects the node by.",
);
const UPLINK: Key = key(
    "uplink",
    Kind::BitRate,
    "Access link towards the network, shared by all flows of the node.",
);
const DOWNLINK: Key = key(
    "downlink",
    Kind::BitRate,
    "Access link towards the node, shared by all flows to it.",
);
const NETWORKS: Key = key(
    "networks",
    networks::PLACES,
    "The networks that the node is in, the primary one first; the only one unless said.",
);
const FORWARD: Key = key(
    "forward",
    Kind::Flag,
    "Whether the node passes packets on between its networks.",
);
const SERVICE_KEY: Key = key(
    "service",
    Kind::Map(&SERVICE_SHAPE),
    "Declared capacity: timers, not burnt CPU.",
);
const DATA: Key = key(
    "data",
    Kind::Either(&[Kind::Word(DATA_WORDS), Kind::Map(&BOUNDED)]),
    "Where keys are kept: `memory` (the default) is lost with the process, `volume` survives a restart, `{ volume: 64MiB }` is one of that size.",
);
const PORT_KEY: Key = key(
    "port",
    Kind::Integer(*PORTS.start() as u64, *PORTS.end() as u64),
    "TCP port on which it takes requests; 80 unless said.",
);
const PORTS_KEY: Key = key(
    "ports",
    PORT_LIST,
    "Ports that are reached from the engine's host, as Compose writes them: TCP, or `/udp`.",
);
const PORT_LIST: Kind = Kind::List(&Kind::Either(&[
    Kind::Text("8080:80"),
    Kind::Integer(*PORTS.start() as u64, *PORTS.end() as u64),
]));
const LOAD_KEY: Key = key(
    "load",
    Kind::Map(&load::LOAD),
    "What it asks, and how often.",
);
const LABEL_LIST: Kind = Kind::Either(&[Kind::Text("zone-a"), Kind::List(&Kind::Text("zone-a"))]);
/// What `data` takes.
pub const DATA_WORDS: &[&str] = &["memory", "volume"];
/// A volume of a size.
pub const BOUNDED: Shape = Shape {
    what: "a volume of a size",
    keys: &[key(
        "volume",
        Kind::Bytes,
        "How much it holds, 64KiB to 1GiB. It lies in the memory of the engine's host.",
    )],
    needs: &["volume"],
    later: &[],
    instead: &[("size", "`data: { volume: 64MiB }` says the size")],
};
/// What a volume may hold in bytes.
pub const VOLUME: std::ops::RangeInclusive<u64> = 64 << 10..=1 << 30;

/// A server.
pub const SERVER: Shape = Shape {
    what: "a server",
    keys: &[
        key(
            "role",
            Kind::Word(&["server"]),
            "HTTP key-value and file service.",
        ),
        COUNT,
        NETWORKS,
        FORWARD,
        UPLINK,
        DOWNLINK,
        SERVICE_KEY,
        DATA,
        key(
            "files",
            Kind::Dict(&Kind::Bytes),
            "Files that it offers under /files/NAME, with their sizes.",
        ),
        PORT_KEY,
        PORTS_KEY,
        LABELS,
    ],
    needs: &[],
    later: LATER,
    instead: INSTEAD,
};
/// A client.
pub const CLIENT: Shape = Shape {
    what: "a client",
    keys: &[
        key("role", Kind::Word(&["client"]), "Load generator."),
        COUNT,
        NETWORKS,
        FORWARD,
        UPLINK,
        DOWNLINK,
        LOAD_KEY,
        LABELS,
    ],
    needs: &[],
    later: LATER,
    instead: INSTEAD,
};
/// A peer.
pub const PEER: Shape = Shape {
    what: "a peer",
    keys: &[
        key(
            "role",
            Kind::Word(&["peer"]),
            "Serves its share of the keys and asks for all of them.",
        ),
        COUNT,
        NETWORKS,
        FORWARD,
        UPLINK,
        DOWNLINK,
        SERVICE_KEY,
        DATA,
        PORT_KEY,
        PORTS_KEY,
        LOAD_KEY,
        LABELS,
    ],
    needs: &[],
    later: LATER,
    instead: INSTEAD,
};
/// A node with an image.
pub const IMAGE: Shape = Shape {
    what: "an image node",
    keys: &[
        key(
            "image",
            Kind::Text("redis:7"),
            "Any image; it has to be on the engine already.",
        ),
        COUNT,
        NETWORKS,
        FORWARD,
        UPLINK,
        DOWNLINK,
        key(
            "command",
            Kind::Either(&[
                Kind::Text("redis-server --save ''"),
                Kind::List(&Kind::Scalar),
            ]),
            "Replaces the image's command.",
        ),
        key(
            "env",
            Kind::Dict(&Kind::Scalar),
            "Variables of its environment.",
        ),
        key(
            "healthcheck",
            Kind::Map(&HEALTHCHECK),
            "What has to be so before it counts as ready; that its program runs unless said.",
        ),
        key(
            "metrics",
            Kind::Text("http://:9100/metrics"),
            "Where its program tells metrics, read inside the node at each sample.",
        ),
        PORT_KEY,
        PORTS_KEY,
        LABELS,
    ],
    needs: &[],
    later: LATER,
    instead: INSTEAD,
};
/// `healthcheck`.
pub const HEALTHCHECK: Shape = Shape {
    what: "`healthcheck`",
    keys: &[key(
        "tcp",
        Kind::Integer(*PORTS.start() as u64, *PORTS.end() as u64),
        "It takes connections at this TCP port.",
    )],
    needs: &["tcp"],
    later: &[
        "http",
        "test",
        "interval",
        "timeout",
        "retries",
        "start_period",
    ],
    instead: &[("port", "write `tcp`")],
};
/// `service`.
pub const SERVICE_SHAPE: Shape = Shape {
    what: "`service`",
    keys: &[
        key(
            "time",
            Kind::Time,
            "Time one worker is busy with one request; 1ms unless said.",
        ),
        key(
            "distribution",
            Kind::Word(arrivals::SPREADS),
            "Each request takes `time` (`fixed`, the default), or one drawn around that mean (`exponential`).",
        ),
        key(
            "workers",
            Kind::Integer(*WORKERS.start() as u64, *WORKERS.end() as u64),
            "Requests served at once; 4 unless said.",
        ),
        key(
            "queue",
            Kind::Integer(*QUEUE.start() as u64, *QUEUE.end() as u64),
            "Requests that wait for a worker; one more is answered 503; 256 unless said.",
        ),
    ],
    needs: &[],
    later: &["jitter"],
    instead: &[("threads", "write `workers`")],
};
/// `defaults`.
pub const DEFAULTS: Shape = Shape {
    what: "`defaults`",
    keys: &[
        key("server", Kind::Map(&SERVER), "Of every server."),
        key("client", Kind::Map(&CLIENT), "Of every client."),
        key("peer", Kind::Map(&PEER), "Of every peer."),
        key("image", Kind::Map(&IMAGE), "Of every node with an image."),
    ],
    needs: &[],
    later: &[],
    instead: &[
        ("link", "`link:` stands at the top level"),
        ("nodes", "name a role"),
    ],
};

/// The map of a role, or of a node with an image.
pub fn shape(role: &str) -> &'static Shape {
    match role {
        "server" => &SERVER,
        "client" => &CLIENT,
        "peer" => &PEER,
        _ => &IMAGE,
    }
}
