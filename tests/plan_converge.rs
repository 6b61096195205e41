//! Plans that change a lab that is up, as text: from one file to another, nothing more than differs.

#![allow(clippy::unwrap_used)]

use netlab::lab::{self, Lab};
use netlab::plan::{self, Found, Options, Plan, Running, Snapshot, labels as keys};
use netlab::spec::{LoadOptions, Source};
use std::path::Path;
use std::time::Duration;

const STAR: &str = "name: star
seed: 7
link: { rtt: 10ms }
nodes:
  server: { role: server, service: { time: 2ms } }
  cache: { image: 'redis:7' }
  client: { role: client, count: 20, load: { target: server, rate: 20/s } }
links:
  - { between: [client-1, server], rtt: 20ms }
scenario:
  duration: 30s
  faults:
    loss: { at: 10s, for: 5s, kill: server }
";

const MESH: &str = "name: mesh
overlay: ring
nodes:
  peer: { role: peer, count: 4, load: { rate: 20/s } }
";

const ROUTED: &str = "name: routed
networks:
  lan: { link: { delay: 2ms } }
  dmz: { link: { delay: 8ms }, subnet: 10.20.0.0/24 }
nodes:
  server: { role: server, networks: dmz }
  router: { role: server, networks: [lan, dmz], forward: true }
  client: { role: client, count: 3, networks: lan, load: { target: server, rate: 20/s } }
";

fn resolve(text: &str) -> Lab {
    let source = Source {
        name: "lab.yaml".to_owned(),
        text: text.to_owned(),
    };
    lab::load(&source, &LoadOptions::default()).unwrap().lab
}

fn options() -> Options {
    Options {
        owner: "me@here".to_owned(),
        build: "0.1.0-abc".to_owned(),
        agent_image: "netlab-agent:aaaaaaaaaaaa".to_owned(),
        node_image: "netlab-node:bbbbbbbbbbbb".to_owned(),
        engine_socket: "/var/run/docker.sock".to_owned(),
        ttl: None,
        play: true,
    }
}

/// An engine on which `lab` is up, and which has the images of `next`.
fn up(lab: &Lab, next: &Lab) -> Snapshot {
    let (options, empty) = (options(), Snapshot::assumed(lab));
    let agent = plan::agent_spec(lab, &empty, &options, "one");
    let nodes = lab.containers();
    let nodes =
        nodes.map(|(_, node)| plan::node_spec(lab, node, &empty, &options, "one", "v").unwrap());
    let found = |(index, spec): (usize, plan::ContainerSpec)| Found {
        id: format!("id-{index}"),
        node: spec.labels[keys::NODE].clone(),
        instance: spec.labels[keys::INSTANCE].clone(),
        owner: spec.labels[keys::OWNER].clone(),
        build: spec.labels[keys::BUILD].clone(),
        config_hash: spec.labels[keys::CONFIG_HASH].clone(),
        running: true,
        never_started: false,
    };
    let containers = std::iter::once(agent).chain(nodes).enumerate().map(found);
    Snapshot {
        containers: containers.collect(),
        running: Some(Running {
            lab: lab.clone(),
            ttl: None,
        }),
        images: vec![options.agent_image, options.node_image],
        ..Snapshot::assumed(next)
    }
}

fn converge(from: &str, to: &str) -> Plan {
    let (from, to) = (resolve(from), resolve(to));
    let snapshot = up(&from, &to);
    let to = plan::settled(to, &snapshot);
    plan::up(&to, &snapshot, &options()).unwrap()
}

#[track_caller]
fn golden(name: &str, plan: &Plan) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join(format!("tests/plan/converge-{name}.plan.txt"));
    let text = plan.to_string();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, want,
        "{name}: UPDATE_GOLDENS=1 writes what is printed now"
    );
    for operation in &plan.operations {
        let earlier = |id: &u32| *id < operation.id;
        assert!(operation.after.iter().all(earlier), "{operation}");
    }
}

/// The plan from `STAR` to `STAR` with one text replaced.
#[track_caller]
fn changed(name: &str, from: &str, to: &str) {
    assert_eq!(STAR.matches(from).count(), 1, "{from}");
    golden(name, &converge(STAR, &STAR.replace(from, to)));
}

#[test]
fn an_unchanged_file_changes_nothing() {
    let plan = converge(STAR, STAR);
    assert!(plan.changes.is_empty());
    golden("nothing", &plan);
}

#[test]
fn links() {
    changed("one-link", "rtt: 20ms", "rtt: 80ms");
    changed(
        "every-link",
        "link: { rtt: 10ms }",
        "link: { rtt: 10ms, loss: 1% }",
    );
    let one_way = "{ from: client-2, to: server, loss: 5% }";
    changed(
        "another-link",
        "rtt: 20ms }\n",
        &format!("rtt: 20ms }}\n  - {one_way}\n"),
    );
    changed(
        "many-links",
        "between: [client-1, server]",
        "between: [client, server]",
    );
    changed(
        "uplink",
        "{ role: server, ",
        "{ role: server, uplink: 100mbit, ",
    );
}

#[test]
fn scaling() {
    changed("up", "count: 20", "count: 25");
    golden(
        "down",
        &converge(
            &STAR.replace("count: 20", "count: 25"),
            &STAR.replace("count: 20", "count: 15"),
        ),
    );
}

#[test]
fn load_and_roles() {
    changed("load", "rate: 20/s", "rate: 40/s");
    changed("closed-loop", "rate: 20/s", "users: 5, think: 100ms");
    changed("service", "time: 2ms", "time: 5ms, workers: 8");
    changed(
        "port",
        "service: { time: 2ms }",
        "service: { time: 2ms }, port: 8080",
    );
    changed(
        "data",
        "service: { time: 2ms }",
        "service: { time: 2ms }, data: volume",
    );
}

#[test]
fn nodes_that_need_a_new_container() {
    changed("image", "redis:7", "redis:8");
    changed(
        "command",
        "{ image: 'redis:7' }",
        "{ image: 'redis:7', command: [redis-server, --save, ''] }",
    );
    changed("rename", "  cache: {", "  store: {");
    let moved = STAR.replace("  cache: { image: 'redis:7' }\n", "");
    golden("removed-before-others", &converge(STAR, &moved));
}

#[test]
fn scenario_and_seed() {
    changed("scenario", "at: 10s, for: 5s", "at: 12s, for: 5s");
    changed(
        "another-fault",
        "kill: server }\n",
        "kill: server }\n    cut: { at: 20s, for: 1s, cut: { between: [client-1, server] } }\n",
    );
    changed("fault-target", "kill: server }", "kill: client-1 }");
    changed("fault-kind", "kill: server }", "stop: server, grace: 1s }");
    changed(
        "fault-manner",
        "kill: server }",
        "kill: server, as: process }",
    );
    let quiet = &STAR[..STAR.find("scenario:").unwrap()];
    golden("no-scenario", &converge(STAR, quiet));
    changed("seed", "seed: 7", "seed: 8");
}

#[test]
fn overlays() {
    golden(
        "overlay",
        &converge(MESH, &MESH.replace("overlay: ring", "overlay: full")),
    );
    golden(
        "more-peers",
        &converge(MESH, &MESH.replace("count: 4", "count: 6")),
    );
}

#[test]
fn everything_at_once_on_a_half_made_lab() {
    let from = resolve(STAR);
    let to = STAR
        .replace("redis:7", "redis:8")
        .replace("count: 20", "count: 3");
    let to = resolve(&to.replace("rtt: 20ms", "rtt: 80ms"));
    let mut snapshot = up(&from, &to);
    snapshot.containers.retain(|found| found.node != "client-2");
    let server = snapshot
        .containers
        .iter_mut()
        .find(|found| found.node == "server");
    server.unwrap().running = false;
    golden("everything", &plan::up(&to, &snapshot, &options()).unwrap());
}

#[test]
fn the_lease_changes_live() {
    let lab = resolve(MESH);
    let leased = Options {
        ttl: Some(Duration::from_secs(3600)),
        ..options()
    };
    golden("lease", &plan::up(&lab, &up(&lab, &lab), &leased).unwrap());
}

#[test]
fn an_owner_and_a_build_of_others_are_refused() {
    let (from, to) = (
        resolve(STAR),
        resolve(&STAR.replace("rtt: 20ms", "rtt: 80ms")),
    );
    let you = Options {
        owner: "you".to_owned(),
        ..options()
    };
    let newer = Options {
        build: "0.2.0-x".to_owned(),
        ..options()
    };
    let refused = |options: &Options| {
        plan::up(&to, &up(&from, &to), options)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&you).contains("belongs to `me@here` and you are `you`"));
    assert!(refused(&newer).contains("another build of netlab (0.1.0-abc; this is 0.2.0-x)"));
}

/// An image that the engine has not is known before anything is changed.
#[test]
fn a_missing_image_is_refused() {
    let (from, to) = (resolve(STAR), resolve(&STAR.replace("redis:7", "redis:8")));
    let mut snapshot = up(&from, &to);
    snapshot.user_images.remove("redis:8");
    let refused = plan::up(&to, &snapshot, &options())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("`docker pull redis:8`"), "{refused}");
}

const PUBLISHED: &str = "name: published
nodes:
  server: { role: server, ports: ['8080:80'] }
  cache: { image: 'redis:7', ports: ['6379'] }
";

/// Ports come and go live; only the first one needs an agent that may publish.
#[test]
fn ports() {
    let to = |from: &str, to: &str| {
        assert_eq!(PUBLISHED.matches(from).count(), 1, "{from}");
        converge(PUBLISHED, &PUBLISHED.replace(from, to))
    };
    golden("ports", &to("'8080:80'", "'0.0.0.0:8081:80', '80'"));
    golden("ports-of-one", &to(", ports: ['6379']", ""));
    let none = PUBLISHED
        .replace(", ports: ['6379']", "")
        .replace(", ports: ['8080:80']", "");
    golden("ports-of-none", &converge(PUBLISHED, &none));
    golden("ports-unchanged", &converge(PUBLISHED, PUBLISHED));
    // A node before `host` moves its place, not its address.
    golden(
        "ports-and-a-node",
        &to("  cache", "  more: { role: server }\n  cache"),
    );

    let (from, to) = (resolve(&none), resolve(PUBLISHED));
    let error = plan::up(&to, &up(&from, &to), &options()).unwrap_err();
    assert!(error.to_string().contains("take it down first"), "{error}");

    let mut dead = up(&to, &to);
    dead.containers[0].running = false;
    golden(
        "ports-without-agent",
        &plan::up(&to, &dead, &options()).unwrap(),
    );
    let first = plan::up(&to, &Snapshot::assumed(&to), &options()).unwrap();
    golden("ports-up", &first);
}

#[test]
fn only_an_agent_that_publishes_begins_in_the_network_of_the_host() {
    let lab = resolve(PUBLISHED);
    let spec = |lab: &Lab| plan::agent_spec(lab, &Snapshot::assumed(lab), &options(), "one");
    let agent = spec(&lab);
    assert!(agent.host_network && agent.command == ["agent", "--publish"]);
    assert!(agent.capabilities.contains(&"NET_BIND_SERVICE".to_owned()));
    assert_eq!(agent.labels[keys::NODES], "2", "`host` is no container");
    let host = &lab.nodes[lab.host().unwrap().at()];
    let none = plan::node_spec(&lab, host, &Snapshot::assumed(&lab), &options(), "one", "v");
    assert!(none.is_err());

    let agent = spec(&resolve(STAR));
    assert!(!agent.host_network && agent.command == ["agent"]);
    assert_eq!(agent.capabilities, ["NET_ADMIN", "SYS_ADMIN", "SYS_NICE"]);
}

/// A link of one network changes live, and so does a shape where nobody's routes depend on it; who gets
/// other devices or routes is made anew.
#[test]
fn networks() {
    let to = |from: &str, to: &str| {
        assert_eq!(ROUTED.matches(from).count(), 1, "{from}");
        converge(ROUTED, &ROUTED.replace(from, to))
    };
    golden("network-link", &to("delay: 8ms", "delay: 20ms"));
    golden("network-subnet", &to("10.20.0.0/24", "10.30.0.0/24"));
    golden(
        "network-of-a-node",
        &to("networks: dmz }", "networks: [dmz, lan] }"),
    );
    let backup = "  backup: { role: server, networks: [lan, dmz], forward: true }\nnodes";
    let other = ROUTED.replace("nodes", "  wan: {}\nnodes").replace(
        "  client:",
        &format!(
            "{}  client:",
            backup
                .replace("nodes", "")
                .replace("[lan, dmz]", "[lan, wan]")
        ),
    );
    golden("network-new", &converge(ROUTED, &other));
    let shape = |shape: &str| {
        format!("name: hops\nshape: {shape}\nnodes: {{ n: {{ role: server, count: 5 }} }}\n")
    };
    golden("network-shape", &converge(&shape("ring"), &shape("line")));
}

const APART: &str = "name: apart
networks:
  one: { shape: ring }
  two: { link: { delay: 1ms } }
nodes:
  both: { role: server, count: 2, networks: [one, two] }
  edge: { role: server, count: 3, networks: one }
";

/// Where nobody passes packets on there are no routes to networks of others.
#[test]
fn networks_without_a_router() {
    golden(
        "apart-shape",
        &converge(APART, &APART.replace("ring", "line")),
    );
    let more = APART
        .replace("nodes:", "  far: {}\nnodes:")
        .replace("nodes:", "nodes:\n  alone: { role: server, networks: far }");
    golden("apart-new", &converge(APART, &more));
}
