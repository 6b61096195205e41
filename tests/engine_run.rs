//! Walking plans over an engine in memory: concurrency, undoing, cancelling, taking down.

#![allow(clippy::unwrap_used)]

#[path = "plan/labs.rs"]
mod labs;

use labs::{lab, server};
use netlab::engine::image::OwnImages;
use netlab::engine::{Container, Engine};
use netlab::lab::Lab;
use netlab::plan::{self, Options, Plan, Snapshot, labels};
use netlab::record::event::{Event, Verdict, What};
use netlab::record::stream::{Reply, Request};
use netlab::run::fake::Fake;
use netlab::run::{
    self, Context, DownFailed, Failure, RunEvent, RunFailed, Scope, Started, attach,
};
use netlab_protocol::role::Data;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn images() -> &'static OwnImages {
    static IMAGES: OnceLock<OwnImages> = OnceLock::new();
    IMAGES.get_or_init(|| OwnImages::of_this_executable("me", std::env::consts::ARCH).unwrap())
}

fn options() -> Options {
    Options {
        owner: "me".to_owned(),
        build: "b".to_owned(),
        agent_image: images().agent.tag.clone(),
        node_image: images().node.tag.clone(),
        engine_socket: "/var/run/docker.sock".to_owned(),
        ttl: None,
        play: true,
    }
}

fn some_lab(nodes: usize) -> Lab {
    let names: Vec<String> = (1..=nodes).map(|n| format!("n{n}")).collect();
    let nodes = names
        .iter()
        .map(|name| (name.as_str(), server(Data::Volume)));
    lab("some", nodes.collect())
}

struct Walked {
    result: Result<Started, RunFailed>,
    events: Vec<RunEvent>,
}

async fn walk(engine: &Fake, lab: &Lab, concurrency: usize, cancel: CancellationToken) -> Walked {
    let options = options();
    let snapshot = run::snapshot(engine, lab, &options).await.unwrap();
    let plan = plan::up(lab, &snapshot, &options).unwrap();
    walk_plan(engine, lab, &plan, &snapshot, concurrency, cancel).await
}

async fn walk_plan(
    engine: &Fake,
    lab: &Lab,
    plan: &Plan,
    snapshot: &Snapshot,
    concurrency: usize,
    cancel: CancellationToken,
) -> Walked {
    let events = RefCell::new(Vec::new());
    let context = Context {
        lab,
        snapshot,
        options: &options(),
        images: images(),
        concurrency,
        ready_timeout: Duration::from_secs(5),
        replace: false,
        cancel,
        on_event: &|event| events.borrow_mut().push(event),
    };
    let result = run::up(engine, plan, &context).await;
    let events = events.take();
    Walked { result, events }
}

fn mine() -> Scope {
    Scope::All {
        owner: "me".to_owned(),
    }
}

#[tokio::test]
async fn a_lab_comes_up_and_goes_down() {
    let engine = Fake::new();
    let lab = some_lab(3);
    let walked = walk(&engine, &lab, 8, CancellationToken::new()).await;
    let started = walked.result.unwrap();
    assert_eq!(started.run.as_deref(), Some("1-1"));
    let agent = run::agent_of(&engine, &lab.name).await.unwrap().unwrap();
    assert_eq!(agent.id, started.agent);
    assert_eq!(agent.labels[labels::INSTANCE], started.instance);
    let done = |event: &&RunEvent| matches!(event, RunEvent::OperationDone { .. });
    let plan = plan::up(&lab, &Snapshot::default(), &options()).unwrap();
    assert_eq!(
        walked.events.iter().filter(done).count(),
        plan.operations.len()
    );

    // Said again: nothing is created.
    let before = engine.calls().len();
    let again = walk(&engine, &lab, 8, CancellationToken::new()).await;
    assert_eq!(again.result.unwrap().agent, started.agent);
    assert!(
        engine.calls()[before..]
            .iter()
            .all(|call| !call.starts_with("create"))
    );

    let removed = run::down(&engine, &mine(), &|_| ()).await.unwrap();
    assert_eq!((removed.containers, removed.labs.len()), (4, 1));
    assert_eq!(engine.names(), Vec::<String>::new());
    let last = engine.calls().pop().unwrap();
    assert_eq!(
        last, "remove netlab-some.agent",
        "its volumes are free only then"
    );
    let again = run::down(&engine, &mine(), &|_| ()).await.unwrap();
    assert_eq!(again, run::Removed::default());
}

#[tokio::test]
async fn the_order_of_the_plan_is_kept_and_concurrency_bounded() {
    for concurrency in [1, 3, 8] {
        let engine = Fake::new();
        engine.rule(|_| (Duration::from_millis(2), None));
        let lab = some_lab(6);
        let walked = walk(&engine, &lab, concurrency, CancellationToken::new()).await;
        // Six nodes and the agent are all that can be under way.
        let most = engine.most_at_once();
        assert!(
            most <= concurrency && most >= concurrency.min(6),
            "{most} of {concurrency}"
        );
        // Every operation begins after all those that the plan puts before it are done.
        let plan = plan::up(&lab, &Snapshot::default(), &options()).unwrap();
        let mut done = Vec::new();
        for event in &walked.events {
            match event {
                RunEvent::OperationStarted { id, .. } => {
                    let operation = &plan.operations[*id as usize - 1];
                    assert!(
                        operation.after.iter().all(|id| done.contains(id)),
                        "{operation}"
                    );
                }
                RunEvent::OperationDone { id, .. } => done.push(*id),
                _ => {}
            }
        }
    }
}

/// A rule that fails the `index`-th call.
fn failing(index: usize) -> impl Fn(&str) -> (Duration, Option<String>) + Send + Sync {
    let count = AtomicUsize::new(0);
    move |_| {
        let now = count.fetch_add(1, Ordering::Relaxed);
        (Duration::ZERO, (now == index).then(|| "broken".to_owned()))
    }
}

#[tokio::test]
async fn a_failure_anywhere_undoes_everything_in_reverse() {
    let lab = some_lab(3);
    let whole = Fake::new();
    walk(&whole, &lab, 1, CancellationToken::new())
        .await
        .result
        .unwrap();
    for index in 0..whole.calls().len() {
        let engine = Fake::new();
        engine.rule(failing(index));
        let walked = walk(&engine, &lab, 1, CancellationToken::new()).await;
        if engine.calls()[index].starts_with("exec") {
            // An agent that is not there yet is asked again.
            walked.result.unwrap();
            continue;
        }
        let failed = walked.result.unwrap_err();
        assert!(failed.cleanup.is_empty(), "{index}: {:?}", failed.cleanup);
        assert_eq!(
            engine.names(),
            Vec::<String>::new(),
            "after call {index} failed"
        );
        let calls = engine.calls();
        let named = |verb: &str| -> Vec<String> {
            let names = calls[..].iter().filter_map(|call| call.strip_prefix(verb));
            names
                .filter(|name| name.starts_with("netlab-"))
                .map(str::to_owned)
                .collect()
        };
        let (mut created, removed) = (named("create "), named("remove "));
        if calls[index].starts_with("create netlab-") {
            created.pop();
        }
        created.reverse();
        assert_eq!(created, removed, "after call {index} failed");
        let cause = failed.cause.to_string();
        let ours = cause.contains("operation #") || cause.contains("agent") || cause == "broken";
        assert!(ours, "{cause}");
    }
}

#[tokio::test]
async fn errors_of_the_clean_up_stand_beside_the_cause() {
    let engine = Fake::new();
    engine.rule(|call| {
        let broken = call == "start netlab-some.n2" || call == "remove netlab-some.n1";
        (Duration::ZERO, broken.then(|| "broken".to_owned()))
    });
    let failed = walk(&engine, &some_lab(2), 4, CancellationToken::new())
        .await
        .result
        .unwrap_err();
    assert!(
        failed.cause.to_string().contains("node:n2 start"),
        "{}",
        failed.cause
    );
    // Once by its id, once more by its label.
    assert_eq!(failed.cleanup.len(), 2);
    assert!(engine.names().contains(&"netlab-some.n1".to_owned()));
    assert!(!engine.names().contains(&"netlab-some.n2".to_owned()));
}

#[tokio::test]
async fn cancelling_at_any_call_leaves_nothing() {
    let lab = some_lab(3);
    let whole = Fake::new();
    walk(&whole, &lab, 4, CancellationToken::new())
        .await
        .result
        .unwrap();
    for index in 0..whole.calls().len() {
        let (engine, cancel) = (Fake::new(), CancellationToken::new());
        let (count, token) = (Arc::new(AtomicUsize::new(0)), cancel.clone());
        engine.rule(move |_| {
            if count.fetch_add(1, Ordering::Relaxed) == index {
                token.cancel();
            }
            (Duration::from_millis(1), None)
        });
        let result = walk(&engine, &lab, 4, cancel).await.result;
        let failed = result.expect_err("cancelled");
        assert!(
            matches!(failed.cause, Failure::Cancelled),
            "{index}: {:?}",
            failed.cause
        );
        assert_eq!(
            engine.names(),
            Vec::<String>::new(),
            "cancelled at call {index}"
        );
    }
}

#[tokio::test]
async fn a_failure_in_a_lab_that_was_up_removes_nothing() {
    let engine = Fake::new();
    let lab = some_lab(2);
    walk(&engine, &lab, 4, CancellationToken::new())
        .await
        .result
        .unwrap();
    let names = engine.names();
    engine.rule(|call| {
        (
            Duration::ZERO,
            (call == "agent play").then(|| "it plays".to_owned()),
        )
    });
    let failed = walk(&engine, &lab, 4, CancellationToken::new())
        .await
        .result
        .unwrap_err();
    assert!(matches!(&failed.cause, Failure::Refused(why) if why == "it plays"));
    assert_eq!(engine.names(), names);
}

#[tokio::test]
async fn half_made_labs_are_removed_and_made_again() {
    let engine = Fake::new();
    let lab = some_lab(3);
    walk(&engine, &lab, 4, CancellationToken::new())
        .await
        .result
        .unwrap();
    let n2 = engine.containers(&[(labels::NODE, "n2")]).await.unwrap();
    engine.remove(&n2[0].id).await.unwrap();
    walk(&engine, &lab, 4, CancellationToken::new())
        .await
        .result
        .unwrap();
    let agents = engine
        .containers(&[(labels::NODE, labels::AGENT)])
        .await
        .unwrap();
    assert_eq!(agents.len(), 1);
    assert_eq!(engine.containers(&[]).await.unwrap().len(), 4);
}

fn container(name: &str, lab: &str, owner: &str) -> Container {
    let pairs = [
        (labels::LAB, lab),
        (labels::OWNER, owner),
        (labels::NODE, name),
    ];
    Container {
        id: format!("other-{name}"),
        name: name.to_owned(),
        labels: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        state: "running".to_owned(),
        ..Container::default()
    }
}

#[tokio::test]
async fn down_waits_for_what_a_killed_up_still_creates() {
    let engine = Fake::new();
    engine.put(container("first", "some", "me"));
    let (late, scope) = (engine.clone(), mine());
    let (down, ()) = tokio::join!(run::down(&engine, &scope, &|_| ()), async move {
        // Appears when the first look has found nothing more.
        for _ in 0..1000 {
            if late.names().is_empty() {
                tokio::time::sleep(Duration::from_millis(300)).await;
                return late.put(container("late", "some", "me"));
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(down.unwrap().containers, 2);
    assert_eq!(engine.names(), Vec::<String>::new());
}

#[tokio::test]
async fn down_touches_nothing_of_others() {
    let engine = Fake::new();
    engine.put(container("theirs", "other", "you"));
    engine.put(Container {
        name: "foreign".to_owned(),
        labels: BTreeMap::new(),
        ..Container::default()
    });
    run::down(&engine, &mine(), &|_| ()).await.unwrap();
    let scope = Scope::Lab {
        lab: labs::name("other"),
        owner: "me".to_owned(),
    };
    let error = run::down(&engine, &scope, &|_| ()).await.unwrap_err();
    assert!(matches!(error, DownFailed::OtherOwner(_)), "{error}");
    assert_eq!(engine.names(), ["theirs", "foreign"]);
}

#[tokio::test]
async fn asking_and_following() {
    let engine = Fake::new();
    let lab = some_lab(1);
    let agent = walk(&engine, &lab, 4, CancellationToken::new())
        .await
        .result
        .unwrap()
        .agent;
    let within = Duration::from_secs(2);
    let reply = attach::ask(&engine, &agent, &Request::Status, within)
        .await
        .unwrap();
    assert!(matches!(reply, Reply::Status(_)));
    run::stop(&engine, &agent).await.unwrap();

    let event = |t: i64, what: What| Reply::Event(Event { t, what });
    let begun = event(
        0,
        What::RunStarted {
            run: "1-1".to_owned(),
            seed: 7,
            warmup: 0,
            end: None,
        },
    );
    let warm = event(5, What::WarmupEnded);
    // The agent restarts after the second event, and tells all of them again.
    engine.replies(vec![begun.clone(), warm.clone()]);
    let mut follower = attach::follow(&engine, &agent);
    assert_eq!(follower.next().await.unwrap(), Some(begun.clone()));
    let ended = Reply::Ended {
        run: "1-1".to_owned(),
        verdict: Verdict::Passed,
        exit_code: 0,
    };
    let resumed = event(9, What::AgentResumed { from: 5 });
    engine.replies(vec![begun, warm.clone(), resumed.clone(), ended.clone()]);
    assert_eq!(follower.next().await.unwrap(), Some(warm));
    assert_eq!(follower.next().await.unwrap(), Some(resumed));
    assert_eq!(follower.next().await.unwrap(), Some(ended));
    assert_eq!(follower.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_dead_agent_is_an_error_in_time() {
    let engine = Fake::new();
    engine.rule(|call| {
        (
            Duration::ZERO,
            call.starts_with("exec").then(|| "not running".to_owned()),
        )
    });
    let within = Duration::from_millis(300);
    let begun = std::time::Instant::now();
    let error = attach::ask(&engine, "id-1", &Request::Stop, within)
        .await
        .unwrap_err();
    assert!(begun.elapsed() < 60 * within, "it never gives up");
    assert_eq!(error.to_string(), "the agent cannot be reached");
}
