//! `up -d` and `down` against the engine's floor, alternating in one run.
//!
//! The floor is the same containers and volumes, created, started and force-removed by raw API
//! calls with the best concurrency, image present, network none. netlab's part is its plan and run
//! until the last start returns. `cargo bench --bench updown -- [NODES,…] [ROUNDS]`; with
//! `docker-compose` installed, that too, with the same containers.

use bollard::models;
use bollard::query_parameters as query;
use futures_util::{StreamExt, stream};
use netlab::engine::image::OwnImages;
use netlab::engine::{Docker, Engine};
use netlab::lab::Lab;
use netlab::plan::{self, Action, Options, Plan, labels};
use netlab::run::{self, Context, Scope};
use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

#[path = "../tests/plan/labs.rs"]
mod labs;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What is compared.
struct Bench {
    engine: Docker,
    raw: bollard::Docker,
    images: OwnImages,
    options: Options,
    lab: Lab,
}

/// Seconds of one round.
#[derive(Clone, Copy)]
struct Pair {
    up: f64,
    down: f64,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let nodes = arguments.next().unwrap_or("20,100".to_owned());
    let rounds: usize = arguments.next().map_or(Ok(5), |word| word.parse())?;
    let compose = Command::new("docker-compose")
        .arg("version")
        .output()
        .is_ok();
    for count in nodes.split(',') {
        let bench = Bench::new(count.parse()?).await?;
        let result = bench.rounds(rounds, compose).await;
        let scope = Scope::All {
            owner: bench.options.owner.clone(),
        };
        run::down(&bench.engine, &scope, &|_| ()).await?;
        for tag in [&bench.images.agent.tag, &bench.images.node.tag] {
            bench.engine.remove_image(tag).await?;
        }
        result?;
    }
    Ok(())
}

impl Bench {
    async fn new(nodes: usize) -> Outcome<Bench> {
        let engine = Docker::connect().await?;
        let owner = format!("bench-{}", std::process::id());
        let program = std::fs::read(env!("CARGO_BIN_EXE_netlab"))?;
        let images = OwnImages::new(&owner, &engine.describe().await?.architecture, program)?;
        for image in [&images.agent, &images.node] {
            engine.create_image(&image.tag, image.archive()).await?;
        }
        let names: Vec<String> = (1..=nodes).map(|n| format!("n{n}")).collect();
        let server = || labs::server(netlab_protocol::role::Data::Memory);
        let nodes = names.iter().map(|name| (name.as_str(), server()));
        let options = Options {
            owner,
            build: "bench".to_owned(),
            agent_image: images.agent.tag.clone(),
            node_image: images.node.tag.clone(),
            engine_socket: engine.host_socket().to_owned(),
            ttl: None,
            play: false,
        };
        Ok(Bench {
            raw: bollard::Docker::connect_with_host(engine.endpoint())?,
            lab: labs::lab(&format!("bench-{}", std::process::id()), nodes.collect()),
            engine,
            images,
            options,
        })
    }

    async fn rounds(&self, rounds: usize, compose: bool) -> Outcome<()> {
        let mut results: Vec<(String, Vec<Pair>)> = Vec::new();
        let mut add = |name: &str, pair: Pair| match results.iter_mut().find(|(n, _)| n == name) {
            Some((_, pairs)) => pairs.push(pair),
            None => results.push((name.to_owned(), vec![pair])),
        };
        for round in 0..=rounds {
            // The first round only warms up.
            for concurrency in [4, 8] {
                let floor = self.floor(concurrency).await?;
                let netlab = self.netlab().await?;
                if round > 0 {
                    add(&format!("floor, {concurrency} at once"), floor);
                    add("netlab", netlab);
                }
            }
            if compose && round > 0 {
                add("docker-compose", self.compose()?);
            }
        }
        let best = |of: fn(&Pair) -> f64| {
            let floors = results.iter().filter(|(name, _)| name.starts_with("floor"));
            floors
                .map(|(_, pairs)| median(pairs, of))
                .fold(f64::MAX, f64::min)
        };
        let (up, down) = (best(|pair| pair.up), best(|pair| pair.down));
        println!(
            "{} nodes, medians of {rounds} rounds, ratios to the best floor",
            self.lab.nodes.len()
        );
        for (name, pairs) in &results {
            let (own_up, own_down) = (
                median(pairs, |pair| pair.up),
                median(pairs, |pair| pair.down),
            );
            println!(
                "  {name:<22} up {own_up:6.2} s {:5.2} x   down {own_down:6.2} s {:5.2} x",
                own_up / up,
                own_down / down
            );
        }
        Ok(())
    }

    /// netlab: snapshot, plan and run, without the wait for readiness; then down.
    async fn netlab(&self) -> Outcome<Pair> {
        let begun = Instant::now();
        let snapshot = run::snapshot(&self.engine, &self.lab, &self.options).await?;
        let mut plan: Plan = plan::up(&self.lab, &snapshot, &self.options)?;
        plan.operations
            .retain(|operation| operation.action != Action::AwaitReady);
        let context = Context {
            lab: &self.lab,
            snapshot: &snapshot,
            options: &self.options,
            images: &self.images,
            concurrency: run::CONCURRENCY,
            ready_timeout: run::READY_TIMEOUT,
            replace: false,
            cancel: CancellationToken::new(),
            on_event: &|_| (),
        };
        run::up(&self.engine, &plan, &context).await?;
        let up = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let scope = Scope::All {
            owner: self.options.owner.clone(),
        };
        run::down(&self.engine, &scope, &|_| ()).await?;
        let down = begun.elapsed().as_secs_f64();
        Ok(Pair { up, down })
    }

    /// The same containers by raw calls: the agent's with its volumes, then all others at once.
    async fn floor(&self, concurrency: usize) -> Outcome<Pair> {
        let begun = Instant::now();
        let agent = self.create(labels::AGENT, None).await?;
        let inspect = self
            .raw
            .inspect_container(&agent, None::<query::InspectContainerOptions>);
        let mounts = inspect.await?.mounts.unwrap_or_default();
        let gate = mounts
            .iter()
            .find(|mount| mount.destination.as_deref() == Some("/a"));
        let gate = gate
            .and_then(|mount| mount.name.clone())
            .unwrap_or_default();
        let start = |id: String| async move {
            let options = None::<query::StartContainerOptions>;
            self.raw.start_container(&id, options).await.map(|()| id)
        };
        let node = |name: &str| {
            let (name, gate) = (name.to_owned(), gate.clone());
            async move { start(self.create(&name, Some(gate)).await?).await }
        };
        let agent = start(agent).await?;
        let nodes = self.lab.nodes.iter().map(|one| node(one.name.as_str()));
        let ids: Vec<_> = stream::iter(nodes)
            .buffer_unordered(concurrency)
            .collect()
            .await;
        let ids = ids.into_iter().collect::<Result<Vec<_>, _>>()?;
        let up = begun.elapsed().as_secs_f64();

        let begun = Instant::now();
        let remove = |id: String| async move {
            let options = query::RemoveContainerOptions {
                force: true,
                v: true,
                link: false,
            };
            self.raw.remove_container(&id, Some(options)).await
        };
        let all: Vec<_> = stream::iter(ids.into_iter().map(remove))
            .buffer_unordered(concurrency)
            .collect()
            .await;
        all.into_iter().collect::<Result<Vec<_>, _>>()?;
        remove(agent).await?;
        let down = begun.elapsed().as_secs_f64();
        Ok(Pair { up, down })
    }

    async fn create(
        &self,
        name: &str,
        gate: Option<String>,
    ) -> Result<String, bollard::errors::Error> {
        let volume = |source: Option<String>, target: &str| models::Mount {
            typ: Some(models::MountType::VOLUME),
            target: Some(target.to_owned()),
            read_only: Some(source.is_some()),
            source,
            ..Default::default()
        };
        let owned = [
            (labels::OWNER, &self.options.owner),
            (labels::LAB, &"bench".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()));
        let body = models::ContainerCreateBody {
            image: Some(self.options.node_image.clone()),
            labels: Some(HashMap::from(owned)),
            host_config: Some(models::HostConfig {
                network_mode: Some("none".to_owned()),
                mounts: Some(match gate {
                    None => vec![volume(None, "/a"), volume(None, "/b")],
                    gate => vec![volume(gate, "/.netlab")],
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = query::CreateContainerOptions {
            name: Some(format!("netlab-{}-floor.{name}", self.options.owner)),
            ..Default::default()
        };
        Ok(self.raw.create_container(Some(options), body).await?.id)
    }

    fn compose(&self) -> Outcome<Pair> {
        let folder = std::env::temp_dir().join(&self.options.owner);
        std::fs::create_dir_all(&folder)?;
        let mut text = "services:\n".to_owned();
        for index in 0..=self.lab.nodes.len() {
            let image = &self.options.node_image;
            text += &format!("  n{index}: {{ image: \"{image}\", network_mode: none }}\n");
        }
        std::fs::write(folder.join("compose.yaml"), text)?;
        let timed = |words: &[&str]| -> Outcome<f64> {
            let begun = Instant::now();
            let status = Command::new("docker-compose")
                .args(["-f", "compose.yaml", "-p", &self.options.owner])
                .args(words)
                .current_dir(&folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?;
            match status.success() {
                true => Ok(begun.elapsed().as_secs_f64()),
                false => Err(format!("docker-compose {words:?} failed").into()),
            }
        };
        let up = timed(&["up", "-d"]);
        let down = timed(&["down", "-v", "-t", "0"]);
        std::fs::remove_dir_all(&folder)?;
        Ok(Pair {
            up: up?,
            down: down?,
        })
    }
}

fn median(pairs: &[Pair], of: fn(&Pair) -> f64) -> f64 {
    let mut values: Vec<f64> = pairs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
