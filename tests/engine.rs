//! The Docker engine itself. Without one these tests say so and pass, unless `NETLAB_TESTS_STRICT`
//! is set: then that is a failure.

#![allow(clippy::unwrap_used)]

#[path = "plan/labs.rs"]
mod labs;

use futures_util::StreamExt;
use labs::{lab, name, server};
use netlab::engine::image::OwnImages;
use netlab::engine::{Docker, Engine, ExecSpec, LogOptions};
use netlab::plan::{self, ContainerSpec, Mount, Options, Restart, Snapshot, labels};
use netlab::run::{self, Scope};
use netlab_protocol::role::Data;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

/// Patience with the engine, which shares a loaded host.
const PATIENCE: Duration = Duration::from_secs(20);

async fn engine() -> Option<Docker> {
    match Docker::connect().await {
        Ok(docker) => Some(docker),
        Err(error) if std::env::var_os("NETLAB_TESTS_STRICT").is_none() => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Whom the objects of one test belong to.
fn owner(test: &str) -> String {
    format!("test-engine-{test}-{}", std::process::id())
}

/// A small image that is there: the node's, whose program here is the gate's, too.
async fn node_image(engine: &Docker, owner: &str) -> OwnImages {
    let info = engine.describe().await.unwrap();
    let program = std::fs::read(env!("CARGO_BIN_EXE_netlab")).unwrap();
    let images = OwnImages::new(owner, &info.architecture, program).unwrap();
    let image = &images.node;
    engine
        .create_image(&image.tag, image.archive())
        .await
        .unwrap();
    images
}

async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A container that waits: a node's program that finds no agent to talk to.
fn waiting(images: &OwnImages, owner: &str, at: &str) -> ContainerSpec {
    let pairs = [
        (labels::OWNER, owner),
        (labels::LAB, "t"),
        (labels::NODE, at),
    ];
    ContainerSpec {
        name: format!("netlab-{owner}.{at}"),
        image: images.node.tag.clone(),
        hostname: at.to_owned(),
        entrypoint: vec!["/netlab-node".to_owned()],
        command: vec!["run".to_owned()],
        labels: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        mounts: vec![
            Mount::NewVolume {
                target: "/.netlab".to_owned(),
            },
            Mount::NewVolume {
                target: "/data".to_owned(),
            },
        ],
        read_only: true,
        ..ContainerSpec::default()
    }
}

async fn clean(engine: &Docker, owner: &str, images: &OwnImages) {
    let scope = Scope::All {
        owner: owner.to_owned(),
    };
    run::down(engine, &scope, &|_| ()).await.unwrap();
    for tag in [&images.agent.tag, &images.node.tag] {
        engine.remove_image(tag).await.unwrap();
        assert_eq!(engine.image(tag).await.unwrap(), None);
    }
    let wanted = [(labels::OWNER, owner)];
    assert!(engine.containers(&wanted).await.unwrap().is_empty());
    assert!(engine.volumes(&wanted).await.unwrap().is_empty());
    assert!(engine.images(&wanted).await.unwrap().is_empty());
}

#[tokio::test]
async fn images_go_in_and_run() {
    let Some(engine) = engine().await else { return };
    let owner = &owner("images");
    let images = node_image(&engine, owner).await;
    let (agent, node) = (&images.agent, &images.node);
    engine
        .create_image(&agent.tag, agent.archive())
        .await
        .unwrap();
    for (image, path, command) in [(agent, "/netlab", "agent"), (node, "/netlab-node", "run")] {
        let info = engine.image(&image.tag).await.unwrap().unwrap();
        assert_eq!(
            (info.entrypoint, info.command),
            (vec![path.into()], vec![command.into()])
        );
        assert_eq!(info.labels[labels::OWNER], *owner);
        assert!(info.labels.contains_key(labels::BUILD));
    }
    // The plan reuses what is there.
    let lab = lab("engine-images", vec![("a", server(Data::Memory))]);
    let options = Options {
        owner: owner.clone(),
        agent_image: agent.tag.clone(),
        node_image: node.tag.clone(),
        ..Options::default()
    };
    let snapshot = run::snapshot(&engine, &lab, &options).await.unwrap();
    assert_eq!(snapshot.images, [agent.tag.clone(), node.tag.clone()]);
    let plan = plan::up(&lab, &snapshot, &options).unwrap();
    assert!(!plan.to_string().contains("image:"), "{plan}");

    let spec = ContainerSpec {
        command: vec!["--version".to_owned()],
        ..waiting(&images, owner, "v")
    };
    let id = engine.create(&spec).await.unwrap();
    engine.start(&id).await.unwrap();
    let state = || async { engine.inspect(&id).await.unwrap().unwrap() };
    eventually("it has ended", || async {
        state().await.status == "exited"
    })
    .await;
    assert_eq!(state().await.exit_code, 0);
    let mut log = engine.logs(&id, &LogOptions::default()).await.unwrap();
    let mut text = Vec::new();
    while let Some(line) = log.next().await {
        text.extend(line.unwrap().bytes);
    }
    assert_eq!(
        String::from_utf8_lossy(&text),
        concat!("netlab-node ", env!("CARGO_PKG_VERSION"), "\n")
    );
    clean(&engine, owner, &images).await;
}

#[tokio::test]
async fn a_containers_life() {
    let Some(engine) = engine().await else { return };
    let owner = &owner("life");
    let images = node_image(&engine, owner).await;
    let mut events = engine.events(&[(labels::OWNER, owner)]).await.unwrap();
    let id = engine.create(&waiting(&images, owner, "a")).await.unwrap();
    let status = || async { engine.inspect(&id).await.unwrap().unwrap().status };
    let is = |wanted: &'static str| async move { status().await == wanted };
    assert_eq!(status().await, "created");
    engine.start(&id).await.unwrap();
    engine.start(&id).await.unwrap();
    let state = engine.inspect(&id).await.unwrap().unwrap();
    assert!(state.status == "running" && state.pid > 0, "{state:?}");
    assert_eq!(state.labels[labels::NODE], "a");
    engine.pause(&id).await.unwrap();
    assert_eq!(status().await, "paused");
    engine.unpause(&id).await.unwrap();
    engine.kill(&id, "SIGKILL").await.unwrap();
    eventually("it is dead", || is("exited")).await;
    assert_eq!(engine.inspect(&id).await.unwrap().unwrap().exit_code, 137);
    engine.start(&id).await.unwrap();
    engine.stop(&id, Duration::from_secs(1)).await.unwrap();
    assert_eq!(status().await, "exited");
    engine.start(&id).await.unwrap();
    engine.remove(&id).await.unwrap();
    engine.remove(&id).await.unwrap();
    assert_eq!(engine.inspect(&id).await.unwrap(), None);

    let mut seen = Vec::new();
    while !seen.contains(&"destroy".to_owned()) {
        let next = tokio::time::timeout(PATIENCE, events.next()).await;
        let event = next.unwrap().unwrap().unwrap();
        assert_eq!(event.id, id);
        assert_eq!(event.attributes[labels::NODE], "a");
        seen.push(event.action);
    }
    for action in ["start", "pause", "unpause", "die"] {
        assert!(seen.contains(&action.to_owned()), "{action} in {seen:?}");
    }
    clean(&engine, owner, &images).await;
}

#[tokio::test]
async fn others_are_never_touched() {
    let Some(engine) = engine().await else { return };
    let (owner, you) = (&owner("mine"), &owner("yours"));
    let images = node_image(&engine, owner).await;
    let mine = engine.create(&waiting(&images, owner, "a")).await.unwrap();
    let yours = engine.create(&waiting(&images, you, "a")).await.unwrap();
    let mut foreign = waiting(&images, &format!("{owner}-foreign"), "a");
    foreign.labels = BTreeMap::new();
    let foreign = engine.create(&foreign).await.unwrap();
    engine.start(&foreign).await.unwrap();

    // A container has its image's labels, the owner among them: only `netlab.lab` makes it a lab's.
    let wanted = [(labels::OWNER, owner.as_str()), (labels::LAB, "")];
    let found = engine.containers(&wanted).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, found[0].state.as_str()), (&mine, "created"));
    assert_eq!(found[0].volumes.len(), 2);
    assert_eq!(
        engine
            .volumes(&[(labels::OWNER, owner)])
            .await
            .unwrap()
            .len(),
        2
    );
    let all = Scope::All {
        owner: owner.clone(),
    };
    run::down(&engine, &all, &|_| ()).await.unwrap();
    assert_eq!(engine.inspect(&mine).await.unwrap(), None);
    assert_eq!(
        engine.inspect(&yours).await.unwrap().unwrap().status,
        "created"
    );
    assert_eq!(
        engine.inspect(&foreign).await.unwrap().unwrap().status,
        "running"
    );
    let theirs = Scope::Lab {
        lab: name("t"),
        owner: owner.clone(),
    };
    run::down(&engine, &theirs, &|_| ()).await.unwrap_err();

    engine.remove(&foreign).await.unwrap();
    run::down(&engine, &Scope::All { owner: you.clone() }, &|_| ())
        .await
        .unwrap();
    clean(&engine, owner, &images).await;
}

#[tokio::test]
async fn files_and_commands() {
    let Some(engine) = engine().await else { return };
    let owner = &owner("files");
    let images = node_image(&engine, owner).await;
    let id = engine.create(&waiting(&images, owner, "a")).await.unwrap();
    let pack = |bytes: &[u8]| {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, "init", bytes).unwrap();
        archive.into_inner().unwrap()
    };
    // Into a volume of a container that was never started, and whose root is read-only.
    engine
        .upload(&id, "/.netlab", pack(images.node_program()))
        .await
        .unwrap();
    let back = engine.download(&id, "/.netlab/init").await.unwrap();
    assert!(back.windows(4096).next().is_some() && back.len() > images.node_program().len());
    let error = engine
        .upload(&id, "/nowhere", pack(b"x"))
        .await
        .unwrap_err();
    assert_eq!(error.status, Some(404), "{error:?}");

    engine.start(&id).await.unwrap();
    let run = |command: &'static [&'static str]| {
        let (engine, id) = (engine.clone(), id.clone());
        async move {
            let command = command.iter().map(|word| (*word).to_owned()).collect();
            let spec = ExecSpec {
                command,
                ..ExecSpec::default()
            };
            let mut exec = engine.exec(&id, &spec).await.unwrap();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            while let Some(piece) = exec.output.next().await {
                let piece = piece.unwrap();
                if piece.stderr { &mut err } else { &mut out }.extend(piece.bytes);
            }
            let code = engine.exec_exit_code(&exec.id).await.unwrap();
            (
                code,
                String::from_utf8(out).unwrap(),
                String::from_utf8(err).unwrap(),
            )
        }
    };
    let (code, out, _) = run(&["/netlab-node", "--version"]).await;
    assert_eq!((code, out.starts_with("netlab-node ")), (Some(0), true));
    let (code, _, err) = run(&["/netlab-node", "nonsense"]).await;
    assert_eq!(
        (code, err.starts_with("usage: ")),
        (Some(64), true),
        "{err}"
    );
    let (code, ..) = run(&["/no-such-program"]).await;
    assert!(matches!(code, Some(126 | 127)), "{code:?}");
    let error = engine.start("no-such-container").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "start container no-such-container failed"
    );
    assert_eq!(error.status, Some(404));
    clean(&engine, owner, &images).await;
}

#[tokio::test]
async fn specifications_arrive() {
    let Some(engine) = engine().await else { return };
    let owner = &owner("spec");
    let images = node_image(&engine, owner).await;
    let lab = lab("engine-spec", vec![("a", server(Data::Volume))]);
    let options = Options {
        owner: owner.clone(),
        agent_image: images.node.tag.clone(),
        node_image: images.node.tag.clone(),
        engine_socket: engine.host_socket().to_owned(),
        ..Options::default()
    };
    let empty = Snapshot::default();
    let agent = plan::agent_spec(&lab, &empty, &options, "one");
    assert_eq!(agent.restart, Restart::OnFailure);
    let agent = engine.create(&agent).await.unwrap();
    let state = engine.inspect(&agent).await.unwrap().unwrap();
    let gate = &state.volumes[plan::AGENT_GATE];
    assert!(state.volumes.contains_key(plan::AGENT_STATE));
    let mut node = plan::node_spec(&lab, &lab.nodes[0], &empty, &options, "one", gate).unwrap();
    node.entrypoint = vec!["/netlab-node".to_owned()];
    let node = engine.create(&node).await.unwrap();
    engine.start(&node).await.unwrap();
    let pid = engine.inspect(&node).await.unwrap().unwrap().pid;
    // On a remote engine there is no such file here.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    if Path::new(engine.host_socket()).exists() && !status.is_empty() {
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    // The agent's volumes outlive the nodes that mount them, and go with the agent.
    engine.remove(&node).await.unwrap();
    assert_eq!(
        engine
            .volumes(&[(labels::OWNER, owner)])
            .await
            .unwrap()
            .len(),
        2
    );
    engine.remove(&agent).await.unwrap();
    assert!(
        engine
            .volumes(&[(labels::OWNER, owner)])
            .await
            .unwrap()
            .is_empty()
    );
    clean(&engine, owner, &images).await;
}
