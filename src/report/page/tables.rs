//! Tables of the page, as values that the template lays out.

use crate::check::{CheckResult, Judgement};
use crate::id::NodeIndex;
use crate::record::Run;
use crate::report::quantity::{NONE, instant, latency, length, share};
use crate::report::summary::{
    FaultSummary, OccurrenceSummary, Proof, RoleSummary, Summary, WindowSummary,
};
use crate::report::text;
use serde::Serialize;

/// A fault with its tables.
#[derive(Debug, Serialize)]
pub(super) struct Fault {
    name: String,
    what: String,
    proofs: Vec<Proven>,
    each: Vec<Once>,
    facts: Vec<(String, String)>,
    roles: Vec<Role>,
}

/// The rows of a role.
#[derive(Debug, Serialize)]
pub(super) struct Role {
    role: String,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    window: &'static str,
    requests: u64,
    success: String,
    /// Width of the bar in percent.
    bar: f64,
    p50: String,
    p99: String,
    rate: String,
    failed: String,
}

/// One of several occurrences of a fault.
#[derive(Debug, Serialize)]
struct Once {
    name: String,
    told: String,
    proofs: Vec<Proven>,
}

/// What was proven of an occurrence of a fault.
#[derive(Debug, Serialize)]
struct Proven {
    class: &'static str,
    text: String,
}

fn proven(once: &OccurrenceSummary) -> Vec<Proven> {
    let paragraph = |proof, text: fn(&Proof) -> String| paragraph(proof, text(proof));
    let proof = once.proof.iter().map(|proof| paragraph(proof, text::proof));
    let heal = once.heal.iter().map(|heal| paragraph(heal, text::heal));
    proof.chain(heal).collect()
}

fn paragraph(proof: &Proof, text: String) -> Proven {
    let class = match proof {
        Proof::Proven { .. } => "good",
        Proof::Masked { .. } => "warn",
        Proof::Unproven { .. } => "bad",
    };
    Proven { class, text }
}

/// A check with what was seen of it.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    name: String,
    mark: &'static str,
    class: &'static str,
    verdict: &'static str,
    expect: String,
    seen: Vec<String>,
}

/// All checks in the file's order.
pub(super) fn checks(summary: &Summary) -> Vec<Check> {
    let one = |check: &CheckResult| {
        let (mark, class, verdict) = match check.verdict {
            Judgement::Pass => ("✓", "good", "pass"),
            Judgement::Fail => ("✗", "bad", "fail"),
            Judgement::Inconclusive => ("?", "warn", "inconclusive"),
        };
        let seen = check
            .observed
            .iter()
            .map(|one| text::seen(one, summary.warmup));
        Check {
            name: check.name.to_string(),
            mark,
            class,
            verdict,
            expect: check.expect.to_string(),
            seen: seen.collect(),
        }
    };
    summary.checks.iter().map(one).collect()
}

/// All faults in the order in which they came into effect.
pub(super) fn faults(summary: &Summary) -> Vec<Fault> {
    summary
        .faults
        .iter()
        .map(|f| fault(f, summary.warmup))
        .collect()
}

fn fault(fault: &FaultSummary, warmup: i64) -> Fault {
    let at = |ns: i64| instant(ns - warmup);
    let some = |ns: Option<i64>| ns.map_or(NONE.to_owned(), at);
    let effect = |once: &OccurrenceSummary| {
        let late = length((once.times.began - once.times.due).max(0));
        format!("{} ({late} after it was due)", at(once.times.began))
    };
    let single = |once: &OccurrenceSummary| {
        let times = &once.times;
        let facts = vec![
            ("due".to_owned(), at(times.due)),
            ("asked for".to_owned(), at(times.requested)),
            ("in effect".to_owned(), effect(once)),
            ("heal due".to_owned(), some(times.heal_due)),
            ("heal started".to_owned(), some(times.heal_started)),
            ("healed".to_owned(), some(times.healed)),
        ];
        (facts, proven(once), Vec::new())
    };
    let of_many = |once: &OccurrenceSummary| {
        let times = &once.times;
        let what = format!("{} {}", times.kind, times.target);
        let (from, healed) = (effect(once), some(times.healed));
        Once {
            name: format!("#{}", times.occurrence),
            told: format!("{what}, {from}, healed {healed}"),
            proofs: proven(once),
        }
    };
    let (facts, proofs, each) = match fault.occurrences.as_slice() {
        [once] => single(once),
        many => (Vec::new(), Vec::new(), many.iter().map(of_many).collect()),
    };
    Fault {
        proofs,
        each,
        name: fault.name.clone(),
        what: format!("{} {}", fault.kind, fault.target),
        facts,
        roles: fault.roles.iter().map(role).collect(),
    }
}

/// Roles over the whole scenario.
pub(super) fn whole(summary: &Summary) -> Vec<Role> {
    summary.roles.iter().map(role).collect()
}

fn role(role: &RoleSummary) -> Role {
    Role {
        role: role.role.clone(),
        rows: role.windows.iter().map(row).collect(),
    }
}

fn row(window: &WindowSummary) -> Row {
    let mut failed: Vec<_> = window
        .outcomes
        .iter()
        .filter(|(o, n)| !o.is_success() && **n > 0)
        .collect();
    failed.sort_by_key(|(outcome, count)| (std::cmp::Reverse(**count), **outcome));
    let failed: Vec<String> = failed.iter().map(|(o, n)| format!("{o} {n}")).collect();
    Row {
        window: window.window.as_str(),
        requests: window.requests,
        success: share(window.succeeded, window.requests),
        bar: match window.requests {
            0 => 0.0,
            all => (window.succeeded as f64 / all as f64 * 1000.0).round() / 10.0,
        },
        p50: latency(window.p50_us),
        p99: latency(window.p99_us),
        rate: window
            .answers_per_second
            .map_or(NONE.to_owned(), |rate| format!("{rate:.1}")),
        failed: failed.join(", "),
    }
}

/// What is known of the machine and of how exact it was.
pub(super) fn host(run: &Run) -> Vec<(&'static str, String)> {
    let Some(agent) = &run.agent else {
        return Vec::new();
    };
    let lag = match agent.fabric_lag.as_str() {
        "" => "not recorded: the run was cut off".to_owned(),
        lag => lag.to_owned(),
    };
    let mut rows = vec![
        ("packets left the fabric later than due by", lag),
        (
            "packets that devices dropped without being told to",
            agent.undeclared_drops.to_string(),
        ),
        (
            "load average, before and after",
            format!("{:.2}, {:.2}", agent.load_before, agent.load_after),
        ),
        ("cores", agent.cores.to_string()),
        ("kernel", agent.kernel.clone()),
        ("scheduling", agent.scheduling.clone()),
        ("netlab", format!("{} ({})", agent.version, agent.build)),
    ];
    rows.extend(measured(run));
    rows
}

/// What the samples say of the machine, the agent and the containers.
fn measured(run: &Run) -> Vec<(&'static str, String)> {
    let values = |metric: &str| -> Vec<f64> {
        let of = run.samples.iter().filter(|row| row.metric == metric);
        of.map(|row| row.value).collect()
    };
    let shares = |metric: &str| {
        let all = values(metric);
        let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
        let (low, high) = all.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), v| {
            (low.min(*v), high.max(*v))
        });
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let told = format!("{} ({} to {})", percent(mean), percent(low), percent(high));
        (!all.is_empty()).then_some(told)
    };
    let late = values("host_timer_lag_seconds");
    let late = late.into_iter().reduce(f64::max);
    let mut peak: Option<(f64, &str)> = None;
    for row in run
        .samples
        .iter()
        .filter(|row| row.metric == "memory_peak_bytes")
    {
        let node = row.node.and_then(|node| run.lab.nodes.get(node.at()));
        if peak.is_none_or(|(most, _)| row.value > most) {
            peak = Some((row.value, node.map_or("", |node| node.name.as_str())));
        }
    }
    let peak = peak.map(|(bytes, node)| format!("{:.1} MiB, {node}", bytes / 1048576.0));
    let rows = [
        (
            "processor time idle: mean (least to most)",
            shares("host_cpu_idle_ratio"),
        ),
        (
            "processor time stolen by other machines",
            shares("host_cpu_stolen_ratio"),
        ),
        (
            "latest timer of a program at rest",
            late.map(|s| format!("{:.1} ms", s * 1e3)),
        ),
        (
            "agent: processors in use",
            usage(run, None, "agent_cpu_seconds_total"),
        ),
        ("nodes: processors in use, all together", nodes_usage(run)),
        ("most memory that a node had", peak),
    ];
    let known = rows.into_iter();
    known
        .filter_map(|(name, text)| Some((name, text?)))
        .collect()
}

/// Processors in use on average, from a counter of seconds.
fn rate(run: &Run, node: Option<NodeIndex>, metric: &str) -> Option<f64> {
    let own = run.samples.iter();
    let own: Vec<_> = own
        .filter(|row| row.metric == metric && row.node == node)
        .collect();
    let seconds = (own.last()?.t - own.first()?.t) as f64 / 1e9;
    // A counter that fell began anew, with its node.
    let grown = own.windows(2).map(|two| match two[1].value - two[0].value {
        more if more < 0.0 => two[1].value,
        more => more,
    });
    (seconds > 0.0).then(|| grown.sum::<f64>() / seconds)
}

fn usage(run: &Run, node: Option<NodeIndex>, metric: &str) -> Option<String> {
    rate(run, node, metric).map(|cores| format!("{cores:.2}"))
}

fn nodes_usage(run: &Run) -> Option<String> {
    let nodes = (0..run.lab.nodes.len() as u32).map(|at| Some(NodeIndex(at)));
    let rates: Vec<f64> = nodes
        .filter_map(|node| rate(run, node, "cpu_seconds_total"))
        .collect();
    (!rates.is_empty()).then(|| format!("{:.2}", rates.iter().sum::<f64>()))
}
