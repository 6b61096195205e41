//! A summary as text, at most 80 columns wide.

use super::palette::Palette;
use super::quantity::{NONE, instant, latency, length, share};
use super::summary::{FaultSummary, OccurrenceSummary, Proof, RoleSummary, Summary, WindowSummary};
use crate::check::{self, Judgement, Kind, Observed};
use crate::record::event::Verdict;
use std::fmt::Write;

const WIDTH: usize = 80;
/// Left edge of the column of failures.
const FAILED: usize = 59;

/// The whole summary, ending in a newline.
pub fn text(summary: &Summary, palette: Palette) -> String {
    let mut out = String::new();
    head(&mut out, summary, palette);
    if !summary.checks.is_empty() {
        let _ = writeln!(out, "\n{}", palette.strong("checks"));
        out.push_str(&checks(summary, palette));
    }
    for fault in &summary.faults {
        fault_head(&mut out, fault, summary, palette);
        fault.roles.iter().for_each(|r| role(&mut out, r, palette));
    }
    if summary.faults.is_empty() {
        out.push('\n');
        let roles = summary.roles.iter();
        roles.for_each(|r| role(&mut out, r, palette));
    }
    if summary.roles.is_empty() {
        out.push_str(&palette.quiet("no node of this lab sends requests\n"));
    }
    if !summary.notes.is_empty() {
        let _ = writeln!(out, "\n{}", palette.strong("notes"));
    }
    for note in &summary.notes {
        wrapped(&mut out, "  ", note, palette);
    }
    out
}

/// `client-server  run 20261122T211500Z-7                            passed, 30.0 s`
fn head(out: &mut String, summary: &Summary, palette: Palette) {
    let paint = match summary.verdict {
        Verdict::Passed => Palette::good,
        Verdict::Failed => Palette::bad,
        Verdict::Inconclusive | Verdict::Interrupted => Palette::warn,
    };
    let word = summary.verdict.as_str();
    let run = format!("run {}", summary.run);
    let measured = (summary.end - summary.warmup).max(0) as f64 / 1e9;
    let time = format!("{measured:.1} s");
    let used = columns(&summary.lab) + 2 + columns(&run) + columns(word) + 2 + columns(&time);
    let gap = " ".repeat(WIDTH.saturating_sub(used).max(2));
    let _ = writeln!(
        out,
        "{}  {}{gap}{}, {time}",
        palette.strong(&summary.lab),
        palette.quiet(&run),
        paint(palette, word),
    );
    for reason in &summary.reasons {
        wrapped(out, "  ", reason, palette);
    }
}

/// A line for each check; of those that did not pass, what was expected and how it was worked out.
pub fn checks(summary: &Summary, palette: Palette) -> String {
    let mut out = String::new();
    for check in &summary.checks {
        let (mark, paint): (&str, fn(Palette, &str) -> String) = match check.verdict {
            Judgement::Pass => ("✓", Palette::good),
            Judgement::Fail => ("✗", Palette::bad),
            Judgement::Inconclusive => ("?", Palette::warn),
        };
        let observed: Vec<&str> = check.observed.iter().map(|one| one.text.as_str()).collect();
        let line = format!("{}: {}", check.name, observed.join(", "));
        let _ = writeln!(out, "  {} {}", paint(palette, mark), fill_line(&line));
        let found = check.observed.iter().map(|one| seen(one, summary.warmup));
        if check.verdict != Judgement::Pass {
            let expected = format!("expected {}", check.expect);
            wrapped(&mut out, "      ", &expected, palette);
        }
        found.for_each(|text| wrapped(&mut out, "      ", &text, palette));
    }
    out
}

/// A line for each check: of which variations it says something else, or that it proves nothing.
pub fn check_proofs(proofs: &[check::Proof], palette: Palette) -> String {
    let mut out = format!("\n{}\n", palette.strong("what the checks prove"));
    for proof in proofs {
        let differs = proof.differs.iter();
        let told = differs.map(|(variation, verdict)| format!("{} {variation}", verdict.as_str()));
        let told: Vec<String> = told.collect();
        let (mark, text) = match proof.is_proven() {
            true => (palette.good("✓"), told.join(", ")),
            false => {
                let same = format!("{} in all runs: it proves nothing", proof.verdict.as_str());
                (palette.bad("✗"), same)
            }
        };
        let _ = writeln!(out, "  {mark} {}", fill_line(&proof.check));
        wrapped(&mut out, "      ", &text, palette);
    }
    out
}

/// `latency(client) = 12ms: of 800 answers, 0.00 s to 5.00 s`
pub(super) fn seen(observed: &Observed, warmup: i64) -> String {
    let window = match observed.windows.as_slice() {
        [] => String::new(),
        [(from, to)] => format!(", {} to {}", instant(from - warmup), instant(to - warmup)),
        many => format!(", in {} windows", many.len()),
    };
    format!(
        "{} = {}: {}{window}",
        observed.call, observed.text, observed.how
    )
}

/// No longer than a line behind a mark.
fn fill_line(text: &str) -> String {
    let room = WIDTH - 4;
    if columns(text) <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

/// Occurrences that have a line of their own.
const SHOWN: usize = 8;

fn fault_head(out: &mut String, fault: &FaultSummary, summary: &Summary, palette: Palette) {
    let name = palette.fault(&palette.strong(&format!("fault {}", fault.name)));
    let FaultSummary { kind, target, .. } = fault;
    if let [once] = fault.occurrences.as_slice() {
        let _ = writeln!(out, "\n{name}  {kind} {target}, {}", until(once, summary));
        let _ = writeln!(out, "{}", palette.quiet(&format!("  {}", speed(once))));
        proven(out, once, palette);
        return;
    }
    let is_drawn =
        |once: &OccurrenceSummary| once.times.target != *target || once.times.kind != *kind;
    let drawn = fault.occurrences.iter().any(is_drawn);
    let what = if drawn {
        kind.clone()
    } else {
        format!("{kind} {target}")
    };
    let _ = writeln!(out, "\n{name}  {what}, {} times", fault.occurrences.len());
    for once in fault.occurrences.iter().take(SHOWN) {
        let number = format!("#{}", once.times.occurrence);
        let line = format!("{number:<4} {}", one_of_many(once, drawn, summary));
        wrapped(out, "  ", &line, palette);
        proven(out, once, palette);
    }
    let more = fault.occurrences.len().saturating_sub(SHOWN);
    if more > 0 {
        wrapped(
            out,
            "  ",
            &format!("and {more} more in summary.json"),
            palette,
        );
    }
}

/// `12.0 s to 13.0 s: in effect +40 ms, healed +300 ms`; what is late counts from when it was due.
fn one_of_many(once: &OccurrenceSummary, drawn: bool, summary: &Summary) -> String {
    let what = match drawn {
        true => format!("{} {}, ", once.times.kind, once.times.target),
        false => String::new(),
    };
    let late = |from: i64, at: i64| length((at - from).max(0));
    let healed = match (
        once.times.heal_due.or(Some(once.times.due)),
        once.times.healed,
    ) {
        (Some(due), Some(at)) => format!("healed +{}", late(due, at)),
        _ => "not healed".to_owned(),
    };
    let (when, effect) = (until(once, summary), late(once.times.due, once.times.began));
    format!("{what}{when}: in effect +{effect}, {healed}")
}

/// `10.0 s to 20.0 s`, as it was due.
fn until(once: &OccurrenceSummary, summary: &Summary) -> String {
    let scenario = |ns: i64| instant(ns - summary.warmup);
    match once.times.heal_due {
        Some(due) => format!("{} to {}", scenario(once.times.due), scenario(due)),
        None => format!("at {}", scenario(once.times.due)),
    }
}

/// `in effect after 38.0 ms, healed after 412 ms`.
fn speed(once: &OccurrenceSummary) -> String {
    let effect = length((once.times.began - once.times.due).max(0));
    let healed = match (once.times.heal_due, once.times.healed) {
        (Some(due), Some(at)) => format!(", healed after {}", length((at - due).max(0))),
        (None, Some(at)) => format!(", over after {}", length((at - once.times.due).max(0))),
        (_, None) => ", not healed in this run".to_owned(),
    };
    format!("in effect after {effect}{healed}")
}

/// What proves that it happened.
fn proven(out: &mut String, once: &OccurrenceSummary, palette: Palette) {
    if let Some(proof) = &once.proof {
        wrapped(out, "  ", &self::proof(proof), palette);
    }
    if let Some(heal) = &once.heal {
        wrapped(out, "  ", &self::heal(heal), palette);
    }
}

/// `proven: 214 packets tried, 0 passed`
pub(super) fn proof(proof: &Proof) -> String {
    match proof {
        Proof::Proven { seen } => format!("proven: {seen}"),
        Proof::Masked { by, seen } if seen.is_empty() => format!("hidden by {}", by.join(", ")),
        Proof::Masked { by, seen } => format!("hidden by {}: {seen}", by.join(", ")),
        Proof::Unproven { why } => format!("not proven: {why}"),
    }
}

/// `gone: 2 links as without it, 16 of 16 packets made for them pass`
pub(super) fn heal(heal: &Proof) -> String {
    match heal {
        Proof::Proven { seen } => format!("gone: {seen}"),
        Proof::Masked { by, .. } => format!("its end is hidden by {}", by.join(", ")),
        Proof::Unproven { why } => format!("healed, but not all is back: {why}"),
    }
}

fn role(out: &mut String, role: &RoleSummary, palette: Palette) {
    let head = format!(
        "  {:<9} {:>8} {:>8} {:>8} {:>8} {:>9}  failed",
        role.role, "requests", "success", "p50", "p99", "answers/s"
    );
    let _ = writeln!(out, "{}", palette.quiet(&head));
    for window in &role.windows {
        row(out, window, palette);
    }
    let local: Vec<String> = role.windows.iter().filter_map(local).collect();
    if !local.is_empty() {
        let local = local.join(", ");
        let text =
            format!("of these own keys, answered without network, not in p50 and p99: {local}");
        wrapped(out, "    ", &text, palette);
    }
}

fn local(window: &WindowSummary) -> Option<String> {
    let one = || format!("{} {}", window.local, window.window.as_str());
    let whole = || window.local.to_string();
    (window.local > 0).then(|| match window.window {
        Kind::Whole => whole(),
        Kind::Before | Kind::During | Kind::After => one(),
    })
}

fn row(out: &mut String, window: &WindowSummary, palette: Palette) {
    let ratio = (window.requests > 0).then(|| window.succeeded as f64 / window.requests as f64);
    let rate = window.answers_per_second;
    let rate = rate.map_or(NONE.to_owned(), |rate| format!("{rate:.1}"));
    let success = format!("{:>8}", share(window.succeeded, window.requests));
    let head = format!(
        "    {:<7} {:>8} {} {:>8} {:>8} {:>9}",
        window.window.as_str(),
        window.requests,
        palette.success(ratio, &success),
        latency(window.p50_us),
        latency(window.p99_us),
        rate,
    );
    let failed = fill(&failures(window), WIDTH - FAILED);
    let mut lines = failed.iter().map(|line| palette.bad(line));
    let first = lines.next().map(|line| format!("  {line}"));
    let _ = writeln!(out, "{head}{}", first.unwrap_or_default());
    for line in lines {
        let _ = writeln!(out, "{}{line}", " ".repeat(FAILED));
    }
}

/// `timeout 790`, …: the most frequent first.
fn failures(window: &WindowSummary) -> Vec<String> {
    let mut failed: Vec<_> = window.outcomes.iter().collect();
    failed.retain(|(outcome, count)| !outcome.is_success() && **count > 0);
    failed.sort_by_key(|(outcome, count)| (std::cmp::Reverse(**count), **outcome));
    let one = |(outcome, count): &(_, &u64)| format!("{outcome} {count}");
    failed.iter().map(one).collect()
}

/// Pieces joined by commas into lines of at most `width` columns.
fn fill(pieces: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if columns(line) + columns(piece) + 2 <= width => {
                line.push_str(", ");
                line.push_str(piece);
            }
            Some(line) => {
                line.push(',');
                lines.push(piece.clone());
            }
            None => lines.push(piece.clone()),
        }
    }
    lines
}

/// A sentence, broken at words, with `indent` before each line.
fn wrapped(out: &mut String, indent: &str, sentence: &str, palette: Palette) {
    let mut line = indent.to_owned();
    for word in sentence.split(' ') {
        if columns(&line) + columns(word) + 1 > WIDTH && line.trim() != "" {
            let _ = writeln!(out, "{}", palette.quiet(line.trim_end()));
            line = indent.to_owned() + "  ";
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(out, "{}", palette.quiet(line.trim_end()));
}

fn columns(text: &str) -> usize {
    text.chars().count()
}
