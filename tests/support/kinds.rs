//! How each kind of fault is tried, for who proves and who measures that it works: one row a kind.
//! A new kind that has none fails `tests/faults_proof.rs` and `benches/faults`.
#![allow(dead_code)]

/// How one kind of fault is tried, and how its effect is kept away.
pub struct Row {
    /// The kind.
    pub kind: &'static str,
    /// The fault's name, and that of a client of its own.
    pub name: &'static str,
    /// What it is, but for its time.
    pub fault: &'static str,
    /// Further nodes that it needs.
    pub nodes: &'static str,
    /// What is not done, in the words of `src/agent/driver/sabotage.rs`.
    pub sabotage: &'static str,
    /// The event that tells that it was not.
    pub told: &'static str,
    /// The node it acts on, where it does.
    pub node: &'static str,
    /// The client that feels it.
    pub client: &'static str,
}

pub const UNPROVEN: &str = "fault-unproven";
pub const FAILED: &str = "fault-failed";

const fn row(
    kind: &'static str,
    name: &'static str,
    fault: &'static str,
    sabotage: &'static str,
    told: &'static str,
) -> Row {
    Row {
        kind,
        name,
        fault,
        nodes: "",
        sabotage,
        told,
        node: name,
        client: name,
    }
}

/// At least one row for each kind. Each has nodes of its own, so that all are tried at once.
pub const ROWS: &[Row] = &[
    row("kill", "lost", "for: 2s, kill: lost", "kill", FAILED),
    row(
        "kill",
        "crash",
        "for: 2s, kill: crash, as: process",
        "kill",
        FAILED,
    ),
    row(
        "stop",
        "halt",
        "for: 2s, stop: halt, grace: 0s",
        "stop",
        FAILED,
    ),
    row("pause", "hang", "for: 2s, pause: hang", "pause", FAILED),
    row(
        "restart",
        "anew",
        "restart: anew, grace: 0s",
        "stop",
        FAILED,
    ),
    Row {
        nodes: "
  disk: { role: server, data: volume }",
        node: "disk",
        ..row("wipe", "blank", "for: 2s, wipe: disk", "kill", FAILED)
    },
    row(
        "throttle",
        "tight",
        "for: 2s, throttle: tight, cpu: 20%, memory: 64MiB",
        "limit",
        FAILED,
    ),
    row(
        "crash-loop",
        "loop",
        "for: 2s, crash-loop: loop, uptime: 300ms",
        "kill",
        FAILED,
    ),
    Row {
        nodes: "
  brim: { role: server, data: { volume: 1MiB } }",
        node: "brim",
        ..row(
            "disk-fill",
            "full",
            "for: 2s, disk-fill: brim",
            "volume",
            UNPROVEN,
        )
    },
    Row {
        nodes: "
  stiff: { role: server, data: { volume: 1MiB } }",
        node: "stiff",
        ..row(
            "read-only",
            "rigid",
            "for: 2s, read-only: stiff",
            "volume",
            UNPROVEN,
        )
    },
    row(
        "cut",
        "cut",
        "for: 2s, cut: { between: [cut, server] }",
        "links",
        UNPROVEN,
    ),
    row(
        "flap",
        "weak",
        "for: 2s, flap: { between: [weak, server] }, period: 400ms",
        "links",
        UNPROVEN,
    ),
    row(
        "partition",
        "split",
        "for: 2s, partition: [[split], [server, slow]]",
        "links",
        UNPROVEN,
    ),
    row(
        "degrade",
        "slow",
        "for: 2s, degrade: { between: [slow, server], delay: +50ms }",
        "links",
        UNPROVEN,
    ),
    Row {
        client: "reader",
        nodes: "
  pages: { role: server, files: { page: 20kB } }
  reader: { role: client, load: { target: pages, path: /files/page, rate: 20/s, timeout: 500ms } }",
        ..row(
            "mtu-blackhole",
            "hole",
            "for: 2s, mtu-blackhole: { from: pages, to: reader }",
            "links",
            UNPROVEN,
        )
    },
    Row {
        client: "asking",
        nodes: "
  busy: { role: server, service: { time: 400ms, workers: 64 } }
  asking: { role: client, load: { target: busy, rate: 20/s, timeout: 2s } }",
        ..row(
            "tcp-reset",
            "reset",
            "tcp-reset: { between: [asking, busy] }",
            "abort",
            FAILED,
        )
    },
    row(
        "dns",
        "names",
        "for: 2s, dns: names, mode: servfail",
        "resolver",
        UNPROVEN,
    ),
    Row {
        nodes: "
  liar: { role: server }",
        ..row(
            "misbehave",
            "lies",
            "for: 2s, misbehave: liar",
            "behave",
            UNPROVEN,
        )
    },
];

/// How much each client asks.
pub const LOAD: &str = "{ target: server, rate: 20/s, timeout: 500ms }";

/// The nodes of all rows, as lines of a file.
pub fn nodes() -> String {
    let client = |row: &Row| {
        let (name, more) = (row.name, row.nodes);
        format!("\n  {name}: {{ role: client, load: {LOAD} }}{more}")
    };
    let clients: String = ROWS.iter().map(client).collect();
    format!("\n  server: {{ role: server }}{clients}")
}

/// The faults of all rows, each at the time that is said for its place.
pub fn faults(when: impl Fn(usize) -> String) -> String {
    let fault = |(at, row): (usize, &Row)| {
        let (name, fault) = (row.name, row.fault);
        format!("\n    {name}: {{ {}, {fault} }}", when(at))
    };
    ROWS.iter().enumerate().map(fault).collect()
}
