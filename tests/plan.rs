//! Plans as text, compared with `tests/plan/*.plan.txt`; `UPDATE_GOLDENS=1` writes them.

#![allow(clippy::unwrap_used)]

#[path = "plan/labs.rs"]
mod labs;

use labs::{image, lab, name, scenario, server};
use netlab::id::NodeIndex;
use netlab::lab::Lab;
use netlab::plan::{self, Action, Found, ImageConfig, Mount, Options, PlanError, Snapshot, labels};
use netlab_protocol::role::Data;
use std::path::Path;
use std::time::Duration;

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
    assert_eq!(text.lines().count(), plan.operations.len());
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
fn half_made_labs_are_made_anew() {
    let lab = ring();
    let mut snapshot = complete(&lab);
    snapshot.containers.remove(2);
    golden("half-made", &plan::up(&lab, &snapshot, &options()).unwrap());

    let cause = |change: &dyn Fn(&mut Vec<Found>)| {
        let mut snapshot = complete(&lab);
        change(&mut snapshot.containers);
        let plan = plan::up(&lab, &snapshot, &options()).unwrap();
        plan.operations[0].cause.clone()
    };
    assert_eq!(
        cause(&|found| drop(found.remove(0))),
        "the lab is half-made: it has no agent"
    );
    assert_eq!(
        cause(&|found| found[0].running = false),
        "the lab is half-made: its agent does not run"
    );
    assert_eq!(
        cause(&|found| found[3].never_started = true),
        "the lab is half-made: node c was never started"
    );
    assert_eq!(
        cause(&|found| found[1].instance = "two".to_owned()),
        "the lab is half-made: node a is of an earlier creation"
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
    let mut other = ring();
    other.nodes[1].program = server(Data::Volume);
    other.nodes[2].name = name("d");
    assert_eq!(
        up(&other, &there, &options()),
        "lab `ring` is up and differs from the file in nodes b, d, c: take it down first \
         (`netlab down ring`), or give this one another name (`--name`)"
    );
    let mut other = ring();
    other.seed = 8;
    assert!(up(&other, &there, &options()).contains("its links, scenario or options"));
    let ttl = Options {
        ttl: Some(Duration::from_secs(60)),
        ..options()
    };
    assert!(up(&lab, &there, &ttl).contains("its links, scenario or options"));

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
    assert_eq!(hash(&web), plan::config_hash(&web));
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
