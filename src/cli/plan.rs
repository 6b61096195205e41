//! `netlab plan`: the operations that `up` would perform, each with its cause.

use super::Context;
use super::exit::{Exit, Failure};
use super::launch::{Settings, plan_options};
use super::source::{self, Overrides};
use super::table;

use crate::plan::{self, Plan, Snapshot};
use crate::timeline::{Recorded, Timeline};
use clap::{Args, ValueEnum};
use serde_json::json;

/// Arguments of `netlab plan`.
#[derive(Args, Debug)]
#[command(
    after_help = "Of a lab that is up, it shows first what differs from the file; last comes when each fault\nbegins and heals.\n\nExamples:\n  netlab plan topologies/client-server.yaml --offline\n  netlab plan topologies/client-server.yaml --set clients=20"
)]
pub struct Arguments {
    /// The topology; `-` is standard input
    file: String,
    /// Ask no engine: assume one that holds nothing
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    settings: Settings,
    /// How the plan is printed: text or json
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: PlanFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlanFormat {
    /// One line per operation
    Text,
    /// One object with all operations
    Json,
}

/// Prints the plan.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let topology = source::load(&arguments.file, &arguments.overrides, context.terminal)?;
    let lab = topology.lab;
    let (plan, lab) = if arguments.offline {
        let note = "offline: assuming an engine that holds nothing of this lab";
        context.terminal.tell(note);
        let architecture = std::env::consts::ARCH;
        let images = super::connect::own_images(&context.owner, architecture)?;
        let socket = arguments.settings.socket("unix:///var/run/docker.sock");
        let options = plan_options(context, &arguments.settings, &images, socket, true);
        (plan::up(&lab, &Snapshot::assumed(&lab), &options)?, lab)
    } else {
        let (engine, info) = super::connect::connect().await?;
        let images = super::connect::own_images(&context.owner, &info.architecture)?;
        let socket = arguments.settings.socket(&info.endpoint);
        let options = plan_options(context, &arguments.settings, &images, socket, true);
        let snapshot = crate::run::snapshot(&engine, &lab, &options).await?;
        let lab = plan::settled(lab, &snapshot);
        (plan::up(&lab, &snapshot, &options)?, lab)
    };
    let text = match (arguments.format, &lab.scenario) {
        (PlanFormat::Text, None) => plan.to_string(),
        (PlanFormat::Text, Some(scenario)) => {
            let timeline = Timeline::new(scenario).told(scenario, lab.seed);
            format!("{plan}\n{timeline}")
        }
        (PlanFormat::Json, _) => table::json(&as_json(&plan, Recorded::of(&lab, &[]).as_ref())),
    };
    context.terminal.print(&text)?;
    Ok(Exit::Passed)
}

fn as_json(plan: &Plan, timeline: Option<&Recorded>) -> serde_json::Value {
    let operations = plan.operations.iter().map(|operation| {
        json!({
            "id": operation.id,
            "resource": operation.resource,
            "action": operation.action.verb(),
            "cause": operation.cause,
            "after": operation.after,
        })
    });
    let changes = plan.changes.iter().map(
        |change| json!({ "kind": change.kind.word(), "what": change.what, "cause": change.cause }),
    );
    json!({
        "lab": plan.lab,
        "changes": changes.collect::<Vec<_>>(),
        "operations": operations.collect::<Vec<_>>(),
        "timeline": timeline,
    })
}
