//! `netlab fault inject`: begins a fault now, or says what it would do.

use super::said::Said as Words;
use super::{Said, ask, time, unexpected};
use crate::cli::exit::{Exit, Failure};
use crate::cli::labs::{self, Seen};
use crate::cli::table;
use crate::cli::{Context, LabOption, screen};
use crate::engine::docker::Docker;
use crate::fault::Effect;
use crate::id::NodeIndex;
use crate::lab::{ByHand, Lab, ScheduledFault, by_hand};
use crate::plan::lab_hash;
use crate::record::stream::{Injection, Reply, Request};
use crate::run;
use crate::spec::Source;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
A fault heals after --for, by `netlab fault heal`, when the run ends, by the next `up`, or with `netlab down`.

Examples:
  netlab fault inject kill server --for 5s
  netlab fault inject kill server --as process
  netlab fault inject pause '{ pick: 2, of: client }' --for 3s
  netlab fault inject cut --between client-1,server
  netlab fault inject partition --groups server/client-* --dry-run";

/// Arguments of `netlab fault inject`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    said: Words<Options>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Lab")]
struct Options {
    /// Print what would happen, and let nothing happen
    #[arg(long)]
    dry_run: bool,
    /// How the answer is printed: text or json
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: AnswerFormat,
    #[command(flatten)]
    lab: LabOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AnswerFormat {
    /// A line for people.
    #[value(alias = "table")]
    Text,
    /// One JSON object.
    Json,
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Answer {
    fault: String,
    took_us: u64,
    run: Option<String>,
    #[serde(flatten)]
    what: What,
}

/// What a fault is, for programs.
#[derive(Serialize)]
struct What {
    kind: String,
    target: String,
    lasts_ns: Option<u64>,
    nodes: Vec<String>,
    links: Vec<[String; 2]>,
    /// What is looked for to prove it.
    proofs: Vec<&'static str>,
}

/// Resolves the fault against the lab that runs and has the agent begin it.
pub async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let options = &arguments.said.options;
    let (engine, seen) = labs::open(options.lab.lab.as_deref(), &context.owner).await?;
    let lab = running(&engine, &seen).await?;
    let fault = resolve(&arguments.said, &lab, context)?;
    let what = what(&fault, &lab);
    if options.dry_run {
        let text = match options.format {
            AnswerFormat::Text => dry(&fault, &what, &lab),
            AnswerFormat::Json => table::json(&what),
        };
        context.terminal.print(&text)?;
        return Ok(Exit::Passed);
    }
    let injection = Injection {
        lab: lab_hash(&lab),
        fault: fault.clone(),
    };
    let reply = match ask(&engine, &seen, &Request::Inject(injection), context).await? {
        Said::Reply(reply) => reply,
        said @ Said::Signal(_) => {
            let text = "it may be in force: `netlab fault list`, `netlab fault heal --all`";
            context.terminal.say(text);
            return said.exit();
        }
    };
    match reply {
        Reply::Injected {
            fault: name,
            took_us,
            run,
        } => {
            let text = match options.format {
                AnswerFormat::Text => told(&name, &fault, took_us, run.as_deref()),
                AnswerFormat::Json => table::json(&Answer {
                    fault: name,
                    took_us,
                    run,
                    what,
                }),
            };
            context.terminal.print(&text)?;
            Ok(Exit::Passed)
        }
        Reply::Failed { why } => {
            context.terminal.warn(&format!("fault {why}"));
            Ok(Exit::Inconclusive)
        }
        other => Err(unexpected(other, "what became of the fault")),
    }
}

/// The lab as its agent has it.
async fn running(engine: &Docker, seen: &Seen) -> Result<Lab, Failure> {
    let agent = seen.answering_agent()?;
    let lab = run::lab_of(engine, &agent.id).await?;
    lab.ok_or_else(|| {
        let name = &seen.name;
        Failure::usage(
            format!("lab `{name}` is half-made"),
            format!("remove it: `netlab down {name}`"),
        )
    })
}

/// The fault as a file would have it; warnings go to stderr.
fn resolve(said: &Words<Options>, lab: &Lab, context: &Context) -> Result<ScheduledFault, Failure> {
    let coloured = context.terminal.err.coloured;
    let source = Source {
        name: "fault".to_owned(),
        text: said.map.clone(),
    };
    match by_hand(lab, said.kind.name, &source) {
        Ok(ByHand { fault, warnings }) => {
            if !warnings.is_empty() {
                screen::above(warnings.render(coloured).as_bytes());
            }
            Ok(fault)
        }
        Err(errors) => Err(Failure::Misworded {
            rendered: errors.render(coloured),
        }),
    }
}

fn what(fault: &ScheduledFault, lab: &Lab) -> What {
    let name = |node: NodeIndex| lab.nodes[node.at()].name.to_string();
    let all = || (0..lab.nodes.len() as u32).map(NodeIndex);
    let mut nodes: Vec<NodeIndex> = fault
        .effects
        .iter()
        .flat_map(|effect| match effect {
            Effect::Node { node, .. } | Effect::Program { node, .. } => vec![*node],
            Effect::Resolver { nodes, .. } => nodes.clone(),
            Effect::Links { .. } | Effect::Abort { .. } => Vec::new(),
        })
        .collect();
    nodes.dedup();
    let hit = |from, to| {
        fault.effects.iter().any(|effect| match effect {
            Effect::Links { pairs, .. } | Effect::Abort { pairs } => pairs.contains(from, to),
            _ => false,
        })
    };
    let pairs = all().flat_map(|from| all().map(move |to| (from, to)));
    let wired = |from, to| {
        let mut shared = lab.shared(from, to);
        shared.any(|network| lab.networks[network.at()].wires.has(from, to))
    };
    let links = pairs
        .filter(|&(from, to)| from != to && hit(from, to) && wired(from, to))
        .map(|(from, to)| [name(from), name(to)]);
    What {
        kind: fault.kind.clone(),
        target: fault.target.clone(),
        lasts_ns: fault
            .lasts
            .and_then(|lasts| u64::try_from(lasts.as_nanos()).ok()),
        nodes: nodes.into_iter().map(name).collect(),
        links: links.collect(),
        proofs: proofs(fault),
    }
}

/// What is looked for while it is in force, each once.
fn proofs(fault: &ScheduledFault) -> Vec<&'static str> {
    let mut all: Vec<&str> = Vec::new();
    for effect in &fault.effects {
        let words = effect.proof().words();
        if !all.contains(&words) {
            all.push(words);
        }
    }
    all
}

/// `kill-1  kill server: in effect after 12.3 ms, heals after 5s`
fn told(name: &str, fault: &ScheduledFault, took_us: u64, run: Option<&str>) -> String {
    let kind = crate::fault::kind(&fault.kind);
    let heals = match fault.lasts {
        Some(lasts) => format!("heals after {lasts:?}"),
        None if kind.is_some_and(|kind| !kind.lasts) => "it heals itself".to_owned(),
        None => format!("until `netlab fault heal {name}`"),
    };
    let (kind, target) = (&fault.kind, &fault.target);
    let mut text = format!(
        "{name}  {kind} {target}: in effect after {}, {heals}\n",
        time(took_us)
    );
    if run.is_none() {
        text.push_str("  no run is playing: it is in no record\n");
    }
    text
}

fn dry(fault: &ScheduledFault, what: &What, lab: &Lab) -> String {
    /// Names that fit a screen.
    const FEW: usize = 12;
    let lasts = match fault.lasts {
        Some(lasts) => format!(", for {lasts:?}"),
        None => String::new(),
    };
    let mut text = format!("would {} {}{lasts}\n", fault.kind, fault.target);
    let mut list = |head: &str, names: Vec<String>| {
        if names.is_empty() {
            return;
        }
        let _ = writeln!(text, "  {head}");
        for name in names.iter().take(FEW) {
            let _ = writeln!(text, "    {name}");
        }
        if names.len() > FEW {
            let _ = writeln!(text, "    and {} more", names.len() - FEW);
        }
    };
    let nodes = format!("nodes ({} of {})", what.nodes.len(), lab.nodes.len());
    list(&nodes, what.nodes.clone());
    let links = what
        .links
        .iter()
        .map(|[from, to]| format!("{from} → {to}"))
        .collect::<Vec<_>>();
    list(&format!("links ({})", links.len()), links);
    let proofs = what.proofs.iter().map(|proof| (*proof).to_owned());
    list("looked for while it is in force", proofs.collect());
    text
}
