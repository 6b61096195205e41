//! `netlab doctor`: what this host and engine can do, each line with its cure.
//!
//! Owns looking and printing; what facts mean is decided in `judge`, without looking.

mod fit;
mod inside;
mod judge;
mod measure;

use super::Context;
use super::connect;
use super::exit::{Exit, Failure};
use super::preflight::{self, Check, State};
use super::signal::Signals;
use super::source::{self, Overrides};
use super::table::{self, Format};
use crate::engine::docker::Docker;
use crate::engine::image::OwnImages;
use crate::engine::{Engine, EngineInfo};
use crate::plan::labels;
use crate::report::Palette;
use clap::Args;
use judge::Here;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Arguments of `netlab doctor`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// How the checks are printed: table, json or csv
    #[arg(long, default_value = "table", hide_possible_values = true)]
    format: Format,
    /// Estimate whether this machine carries the lab of this topology, from a small lab that runs for
    /// two seconds; exit code 3 when it does not
    #[arg(long, value_name = "FILE")]
    fit: Option<String>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Runs every check; exit code 5 when one fails.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let cancel = CancellationToken::new();
    let work = async {
        match &arguments.fit {
            Some(file) => fits(file, arguments, context, &cancel).await,
            None => all(arguments, context, &cancel).await,
        }
    };
    tokio::pin!(work);
    // What was made is removed before the process ends.
    tokio::select! {
        exit = &mut work => exit,
        signal = signals.wait() => {
            cancel.cancel();
            let _ = work.await;
            Err(Failure::Signal(signal))
        }
    }
}

/// What the lab of `file` needs, and what there is.
async fn fits(
    file: &str,
    arguments: &Arguments,
    context: &Context,
    cancel: &CancellationToken,
) -> Result<Exit, Failure> {
    let lab = source::load(file, &arguments.overrides, context.terminal)?.lab;
    let (engine, info) = connect::connect().await?;
    preflight::require_host(&info)?;
    let images = connect::own_images(&context.owner, &info.architecture)?;
    context
        .terminal
        .tell("running a lab of three nodes for two seconds");
    let (measured, available) = measure::measure(&engine, &images, &context.owner, cancel).await?;
    if cancel.is_cancelled() {
        return Ok(Exit::Interrupted);
    }
    let demand = fit::demand(&lab);
    let lines = fit::estimate(&demand, &measured, &available);
    let text = match arguments.format {
        Format::Json => table::json(&serde_json::json!({
            "lab": lab.name,
            "demand": demand,
            "measured": measured,
            "available": available,
            "lines": lines,
        })),
        Format::Csv => table::csv(&lines),
        Format::Table => fit_table(&lines, context.terminal.out),
    };
    context.terminal.print(&text)?;
    let fails = lines.iter().any(|line| line.check.state == State::Fail);
    Ok(if fails {
        Exit::Inconclusive
    } else {
        Exit::Passed
    })
}

fn fit_table(lines: &[fit::Estimate], palette: Palette) -> String {
    let rows = lines.iter().map(|line| {
        let verdict = match line.check.state {
            State::Ok | State::Unknown => "fits",
            State::Warn => "slow",
            State::Fail => "too much",
        };
        let cure = line.check.cure.clone().unwrap_or_default();
        let cells = [
            line.check.name,
            &line.needed,
            &line.available,
            verdict,
            &cure,
        ];
        cells.map(str::to_owned).to_vec()
    });
    let heads = ["WHAT", "NEEDED", "AVAILABLE", "VERDICT", "CURE"];
    table::table(&heads, &rows.collect::<Vec<_>>(), palette)
}

async fn all(
    arguments: &Arguments,
    context: &Context,
    cancel: &CancellationToken,
) -> Result<Exit, Failure> {
    let checks = checks(&context.owner, cancel).await;
    let text = match arguments.format {
        Format::Json => table::json(&checks),
        Format::Csv => table::csv(&checks),
        Format::Table => render(&checks, context.terminal.out),
    };
    context.terminal.print(&text)?;
    let failed = checks.iter().any(|check| check.state == State::Fail);
    Ok(if failed { Exit::Engine } else { Exit::Passed })
}

async fn checks(owner: &str, cancel: &CancellationToken) -> Vec<Check> {
    let mut checks = Vec::new();
    let reached = connect::connect().await;
    // Without an engine the host is taken to be the one that labs would run on.
    let (local, architecture) = match &reached {
        Ok((_, info)) => (preflight::is_local(info), info.architecture.clone()),
        Err(_) => (true, std::env::consts::ARCH.to_owned()),
    };
    let here = here(local);
    match &reached {
        Ok((_, info)) => {
            checks.push(engine(info));
            checks.push(Check::ok("api", format!("version {}", info.api)));
            checks.push(judge::place(&here, info));
        }
        Err(failure) => checks.push(no_engine(failure, &here)),
    }
    checks.push(judge::context(&here));
    let images = connect::own_images(owner, &architecture);
    checks.push(executable(&images, &architecture));
    match &reached {
        Ok((_, info)) => {
            checks.push(judge::cores(info));
            checks.push(judge::cgroups(info));
        }
        Err(_) => checks.push(preflight::cgroups(local)),
    }
    match (&reached, &images) {
        (Ok((docker, _)), Ok(images)) => {
            checks.extend(host(docker, images, owner, local, cancel).await)
        }
        _ => checks.extend([preflight::tun(local), preflight::ipv6(local)]),
    }
    checks.push(preflight::disk(Path::new(".")));
    if let Ok((docker, _)) = &reached {
        checks.push(leftovers(docker, owner).await);
    }
    checks
}

fn here(local: bool) -> Here {
    let kernel = nix::sys::utsname::uname();
    let kernel = kernel.map(|own| own.release().to_string_lossy().to_lowercase());
    Here {
        docker_host: std::env::var("DOCKER_HOST")
            .ok()
            .filter(|host| !host.is_empty()),
        context: Docker::chosen_context(),
        // As Microsoft's kernels call themselves.
        wsl: kernel.is_ok_and(|kernel| kernel.contains("microsoft")),
        local,
    }
}

fn no_engine(failure: &Failure, here: &Here) -> Check {
    let (what, cure) = match failure {
        Failure::Unfit { what, cure } => (what.clone(), cure.clone()),
        other => (
            other.to_string(),
            "look whether `docker info` works".to_owned(),
        ),
    };
    let cure = judge::wsl_cure(here).map_or(cure, str::to_owned);
    Check::not("engine", State::Fail, what, cure)
}

/// What only a container can know; where this host shows already that none will do, that.
async fn host(
    docker: &Docker,
    images: &OwnImages,
    owner: &str,
    local: bool,
    cancel: &CancellationToken,
) -> Vec<Check> {
    let seen = [preflight::tun(local), preflight::ipv6(local)];
    if seen.iter().any(|check| check.state == State::Fail) {
        return seen.into();
    }
    match inside::look(docker, images, owner, cancel).await {
        Ok(probe) => judge::inside(&probe),
        Err(error) => {
            let cure = "an engine with these rights is needed: see the README, \"Rights it needs, and why\"";
            let detail = format!(
                "a container like the agent's does not run: {}",
                connect::chain(&error)
            );
            vec![Check::not("rights", State::Fail, detail, cure)]
        }
    }
}

fn engine(info: &EngineInfo) -> Check {
    let detail = format!(
        "version {} at {}, {} with {} cores and {:.1} GB",
        info.version,
        info.endpoint,
        info.architecture,
        info.cores,
        info.memory as f64 / 1e9
    );
    if info.rootless {
        let cure = "use an engine that runs as root: agents need its host's network namespaces";
        return Check::not("engine", State::Warn, format!("{detail}, rootless"), cure);
    }
    Check::ok("engine", detail)
}

fn executable(images: &Result<OwnImages, Failure>, architecture: &str) -> Check {
    match images {
        Err(Failure::Unfit { what, cure }) => Check::not("executable", State::Fail, what, cure),
        Ok(_) | Err(_) => Check::ok("executable", format!("static, for {architecture}")),
    }
}

async fn leftovers(docker: &Docker, owner: &str) -> Check {
    let wanted = [(labels::LAB, "")];
    let (containers, volumes) = tokio::join!(docker.containers(&wanted), docker.volumes(&wanted));
    match (containers, volumes) {
        (Ok(containers), Ok(volumes)) => preflight::leftovers(&containers, &volumes, owner),
        (Err(error), _) | (_, Err(error)) => {
            let cure = "look whether `docker ps` works";
            Check::not("leftovers", State::Warn, error.to_string(), cure)
        }
    }
}

fn render(checks: &[Check], palette: Palette) -> String {
    let widest = checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let word = match check.state {
            State::Ok => palette.good("ok     "),
            State::Unknown => palette.quiet("unknown"),
            State::Warn => palette.warn("warn   "),
            State::Fail => palette.bad("fail   "),
        };
        let name = format!("{:<widest$}", check.name);
        out.push_str(&format!("{word}  {name}  {}\n", check.detail));
        if let Some(cure) = &check.cure {
            let indent = " ".repeat(widest + 11);
            out.push_str(&format!("{indent}{} {cure}\n", palette.strong("→")));
        }
    }
    out
}
