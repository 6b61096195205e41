//! Plans as text, compared with `tests/plan/*.plan.txt`; `UPDATE_GOLDENS=1` writes them.

#![allow(clippy::unwrap_used)]

#[path = "plan/labs.rs"]
mod labs;

use labs::{image, lab, name, scenario, server};
use netlab::id::NodeIndex;
use netlab::lab::Lab;
use netlab::plan::{
    self, Action, Found, ImageConfig, Mount, Options, PlanError, Running, Snapshot, labels,
};
use netlab_protocol::role::Data;
use std::path::Path;

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

fn ring() -> Lab {
    let nodes = ["a", "b", "c"].map(|name| (name, server(Data::Memory)));
    lab("ring", nodes.to_vec())
}

/// A snapshot of `lab` as `up` leaves it.
fn complete(lab: &Lab) -> Snapshot {
    let (options, empty) = (options(), Snapshot::assumed(lab));
    let agent = plan::agent_spec(lab, &empty, &options, "one");
    let nodes = lab
        .nodes
        .iter()
        .map(|node| plan::node_spec(lab, node, &empty, &options, "one", "volume-1").unwrap());
    let found = |(index, spec): (usize, plan::ContainerSpec)| Found {
        id: format!("id-{index}"),
        node: spec.labels[labels::NODE].clone(),
        instance: spec.labels[labels::INSTANCE].clone(),
        owner: spec.labels[labels::OWNER].clone(),
        build: spec.labels[labels::BUILD].clone(),
        config_hash: spec.labels[labels::CONFIG_HASH].clone(),
        running: true,
        never_started: false,
    };
    Snapshot {
        containers: std::iter::once(agent)
            .chain(nodes)
            .enumerate()
            .map(found)
            .collect(),
        running: Some(Running {
            lab: lab.clone(),
            ttl: None,
        }),
        images: vec![options.agent_image, options.node_image],
        ..empty
    }
}

#[track_caller]
fn golden(name: &str, plan: &plan::Plan) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/plan/{name}.plan.txt"));
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
    let changes = match plan.changes.len() {
        0 => 0,
        n => n + 1,
    };
    assert_eq!(text.lines().count(), changes + plan.operations.len());
}

#[test]
fn empty_engine() {
    let plan = plan::up(&ring(), &Snapshot::default(), &options()).unwrap();
    golden("empty", &plan);
}

#[test]
fn images_are_there_and_nothing_is_played() {
    let mut lab = lab(
        "mixed",
        vec![("web", image("nginx:1")), ("s", server(Data::Volume))],
    );
    lab.scenario = Some(scenario());
    let mut snapshot = Snapshot::assumed(&lab);
    snapshot.images = vec![options().agent_image];
    let options = Options {
        play: false,
        ..options()
    };
    golden("mixed", &plan::up(&lab, &snapshot, &options).unwrap());
}

#[test]
fn the_same_file_again() {
    let mut lab = ring();
    lab.scenario = Some(scenario());
    golden(
        "again",
        &plan::up(&lab, &complete(&lab), &options()).unwrap(),
    );
}

#[test]
fn half_made_labs_are_completed() {
    let mut lab = ring();
    lab.nodes[1].program = server(Data::Volume);
    let mut snapshot = complete(&lab);
    snapshot.containers[3].never_started = true;
    snapshot.containers.remove(2);
    golden("half-made", &plan::up(&lab, &snapshot, &options()).unwrap());

    // Killed before the agent was started: it has nothing to say yet.
    let mut snapshot = complete(&lab);
    snapshot.containers.truncate(2);
    for found in &mut snapshot.containers {
        (found.never_started, found.running) = (true, false);
    }
    snapshot.running = None;
    golden(
        "agent-never-started",
        &plan::up(&lab, &snapshot, &options()).unwrap(),
    );

    let mut snapshot = complete(&lab);
    snapshot.containers[0].running = false;
    snapshot.containers[1].running = false;
    golden(
        "agent-stopped",
        &plan::up(&lab, &snapshot, &options()).unwrap(),
    );
}

#[test]
fn a_lab_that_lost_its_agent_is_made_anew() {
    let lab = ring();
    let mut snapshot = complete(&lab);
    snapshot.containers.remove(0);
    snapshot.running = None;
    golden("no-agent", &plan::up(&lab, &snapshot, &options()).unwrap());

    let mut snapshot = complete(&lab);
    snapshot.running = None;
    let plan = plan::up(&lab, &snapshot, &options()).unwrap();
    let cause = "the lab is half-made: its agent does not say what the lab is";
    assert_eq!(plan.operations[0].cause, cause);

    let mut snapshot = complete(&lab);
    snapshot.containers[1].instance = "two".to_owned();
    let plan = plan::up(&lab, &snapshot, &options()).unwrap();
    assert_eq!(
        plan.changes[0].to_string(),
        "recreate  a: of an earlier creation"
    );
}

#[test]
fn down_removes_nodes_then_the_agent() {
    let lab = ring();
    let plan = plan::down(&lab.name, &complete(&lab), "me@here").unwrap();
    golden("down", &plan);
    let none = plan::down(&lab.name, &Snapshot::default(), "me@here").unwrap();
    assert!(none.operations.is_empty());
}

#[test]
fn what_is_refused() {
    let lab = ring();
    let up = |lab: &Lab, snapshot: &Snapshot, options: &Options| {
        plan::up(lab, snapshot, options).unwrap_err().to_string()
    };
    let there = complete(&lab);
    let socket = Options {
        engine_socket: "/run/other.sock".to_owned(),
        ..options()
    };
    assert!(up(&lab, &there, &socket).contains("another engine socket than it needs now"));
    // An image with a user of its own needs an agent with more rights, but not the other way round.
    let foreign = labs::lab("ring", vec![("a", image("web:1"))]);
    let mut with_image = complete(&foreign);
    let user = ImageConfig {
        entrypoint: vec!["/web".to_owned()],
        user: "101".to_owned(),
        ..ImageConfig::default()
    };
    with_image.user_images.insert("web:1".to_owned(), user);
    assert!(up(&foreign, &with_image, &options()).contains("other rights"));
    let mut rich = complete(&ring());
    let agent = plan::agent_spec(&ring(), &with_image, &options(), "one");
    rich.containers[0].config_hash = agent.labels[labels::CONFIG_HASH].clone();
    assert!(
        plan::up(&ring(), &rich, &options())
            .unwrap()
            .changes
            .is_empty()
    );

    let you = Options {
        owner: "you".to_owned(),
        ..options()
    };
    assert!(up(&lab, &there, &you).contains("belongs to `me@here` and you are `you`"));
    assert!(plan::down(&lab.name, &there, "you").is_err());
    let newer = Options {
        build: "0.2.0-x".to_owned(),
        ..options()
    };
    assert!(
        up(&lab, &there, &newer).contains("another build of netlab (0.1.0-abc; this is 0.2.0-x)")
    );

    let web = labs::lab("web", vec![("web", image("nginx:1"))]);
    assert!(up(&web, &Snapshot::default(), &options()).contains("`docker pull nginx:1`"));
    let mut empty = Snapshot::assumed(&web);
    empty
        .user_images
        .insert("nginx:1".to_owned(), ImageConfig::default());
    assert!(up(&web, &empty, &options()).contains("give node `web` a `command:`"));
}

#[test]
fn specifications() {
    let lab = lab(
        "mixed",
        vec![("web", image("nginx:1")), ("s", server(Data::Volume))],
    );
    let mut snapshot = Snapshot::assumed(&lab);
    let config = ImageConfig {
        entrypoint: vec!["/start".to_owned()],
        command: vec!["now".to_owned()],
        user: "101".to_owned(),
    };
    snapshot.user_images.insert("nginx:1".to_owned(), config);
    let node = |at: usize, instance: &str, gate: &str| {
        plan::node_spec(&lab, &lab.nodes[at], &snapshot, &options(), instance, gate).unwrap()
    };
    let web = node(0, "one", "gate");
    assert_eq!(web.name, "netlab-mixed.web");
    assert_eq!(web.entrypoint, ["/.netlab/init"]);
    assert_eq!(web.command, ["/start", "now"]);
    assert_eq!(web.dns, ["10.77.0.1", "fd77::1"]);
    assert_eq!(web.extra_hosts, ["web:10.77.0.2", "web:fd77::2"]);
    assert!(web.read_only && web.capabilities.is_empty() && web.memory.is_none());
    let data = Mount::NewVolume {
        target: "/data".to_owned(),
    };
    assert!(node(1, "one", "gate").mounts.contains(&data));

    let hash = |spec: &plan::ContainerSpec| spec.labels[labels::CONFIG_HASH].clone();
    assert_eq!(hash(&web), hash(&node(0, "two", "other")));
    assert_eq!(hash(&web).len(), 16);
    assert_ne!(hash(&web), hash(&node(1, "one", "gate")));

    let agent = plan::agent_spec(&lab, &snapshot, &options(), "one");
    assert_eq!(agent.labels[labels::NODES], "2");
    assert!(agent.capabilities.contains(&"SYS_PTRACE".to_owned()));
    let agent = plan::agent_spec(&ring(), &Snapshot::default(), &options(), "one");
    assert!(!agent.capabilities.contains(&"SYS_PTRACE".to_owned()));
}

#[test]
fn equal_input_gives_equal_plans() {
    let plans = [(); 2].map(|()| plan::up(&ring(), &Snapshot::default(), &options()).unwrap());
    assert_eq!(plans[0], plans[1]);
    assert_eq!(
        plans[0].operations[5].action,
        Action::CreateNode(NodeIndex(0))
    );
}

#[test]
fn errors_name_the_lab() {
    let error = PlanError::NothingToRun {
        node: name("a"),
        image: "x".to_owned(),
    };
    assert!(error.to_string().contains("node `a`"));
}

#[test]
fn only_a_node_that_forwards_may_pass_packets_on() {
    let mut lab = ring();
    lab.nodes[1].forward = true;
    let (options, empty) = (options(), Snapshot::assumed(&lab));
    for node in &lab.nodes {
        let spec = plan::node_spec(&lab, node, &empty, &options, "one", "volume-1").unwrap();
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            let expected = node.forward.then_some("1");
            assert_eq!(spec.sysctls.get(key).map(String::as_str), expected);
        }
    }
}
