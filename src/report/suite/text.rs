//! What `test` found out, for people.

use super::{Case, CheckOver, Status, Suite, Trial};
use crate::report::palette::Palette;
use std::fmt::Write as _;

/// Columns of the word for a status.
const WORD: usize = 12;

/// One file: a line, and below it what to know when it did not pass.
pub fn case(case: &Case, palette: Palette) -> String {
    let word = format!("{:<WORD$}", case.status.word());
    let mut out = format!("{}  {}", paint(case.status)(palette, &word), case.file);
    let _ = writeln!(out, "{}", palette.quiet(&about(case)));
    let mut below = Below {
        out: &mut out,
        palette,
    };
    for trial in &case.retried {
        below.line("again", &format!("seed {}: {}", trial.seed, told(trial)));
    }
    for check in &case.checks {
        if check.status != Status::Passed || case.trials.len() > 1 {
            check_lines(check, case.trials.len(), &mut below);
        }
    }
    for proof in case.idle() {
        below.line("unproven", &format!("{} {}", proof.check, proof.sentence()));
    }
    for reason in &case.reasons {
        match reason.trim_end() {
            line if !line.contains('\n') => below.line("why", line),
            // Diagnostics have a form of their own.
            lines => below.text(lines),
        }
    }
    if let (Some(trial), false) = (case.telling(), case.status == Status::Passed) {
        trial_lines(trial, &mut below);
    }
    out
}

/// What stands below the line of a file.
struct Below<'o> {
    out: &'o mut String,
    palette: Palette,
}

impl Below<'_> {
    fn line(&mut self, head: &str, text: &str) {
        let head = self.palette.quiet(&format!("{head:<11}"));
        let _ = writeln!(self.out, "  {head} {text}");
    }

    fn text(&mut self, text: &str) {
        for line in text.lines() {
            let line = format!("  {line}");
            let _ = writeln!(self.out, "{}", line.trim_end());
        }
    }
}

/// `  client-server, seed 7, 24.1 s`
fn about(case: &Case) -> String {
    let mut words = Vec::new();
    words.extend(case.lab.clone());
    match case.trials.as_slice() {
        [] => {}
        [one] => words.push(format!("seed {}", one.seed)),
        [first, .., last] => {
            let passed = case.trials.iter().filter(|t| t.status == Status::Passed);
            let all = case.trials.len();
            words.push(format!("seeds {} to {}", first.seed, last.seed));
            words.push(format!("{} of {all} runs passed", passed.count()));
        }
    }
    if case.seconds > 0.0 {
        words.push(format!("{:.1} s", case.seconds));
    }
    match words.is_empty() {
        true => String::new(),
        false => format!("  {}", words.join(", ")),
    }
}

fn check_lines(check: &CheckOver, runs: usize, below: &mut Below<'_>) {
    let head = match check.status {
        Status::Passed => "check",
        Status::Failed => "check fails",
        _ => "check open",
    };
    let of = match runs {
        1 => String::new(),
        runs => format!("  ({} of {runs} runs)", check.passed),
    };
    below.line(head, &format!("{}: {}{of}", check.name, check.expect));
    for observed in &check.observed {
        below.line("", &format!("observed {observed}"));
    }
}

/// What there is to see of the run that tells most.
fn trial_lines(trial: &Trial, below: &mut Below<'_>) {
    if trial.status != Status::Passed {
        for reason in &trial.all_reasons() {
            below.line("why", reason);
        }
    }
    if let Some(diagnosis) = &trial.diagnosis {
        if let Some(fault) = &diagnosis.fault {
            below.line("fault", fault);
        }
        for log in &diagnosis.logs {
            for (at, line) in log.shown().into_iter().enumerate() {
                below.line(if at == 0 { &log.node } else { "" }, line);
            }
        }
    }
    if let Some(record) = &trial.record {
        below.line("record", &record.display().to_string());
    }
    if let (true, Some(summary)) = (trial.kept, &trial.summary) {
        below.line("kept", &format!("netlab down {}", summary.lab));
    }
}

impl Trial {
    /// Why it came to what it did.
    pub(super) fn all_reasons(&self) -> Vec<String> {
        let summary = self.summary.iter().flat_map(|summary| &summary.reasons);
        self.reasons.iter().chain(summary).cloned().collect()
    }
}

fn told(trial: &Trial) -> String {
    let reasons = trial.all_reasons();
    match reasons.is_empty() {
        true => trial.status.word().to_owned(),
        false => format!("{}: {}", trial.status.word(), reasons.join("; ")),
    }
}

fn paint(status: Status) -> fn(Palette, &str) -> String {
    match status {
        Status::Passed => Palette::good,
        Status::Failed | Status::Invalid | Status::Broken => Palette::bad,
        Status::Inconclusive | Status::Interrupted => Palette::warn,
        Status::Skipped => Palette::quiet,
    }
}

/// `4 files: 2 passed, 1 failed, 1 invalid; 62.3 s`
pub fn totals(suite: &Suite, palette: Palette) -> String {
    let all = match suite.cases.len() {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    let statuses = [
        Status::Passed,
        Status::Failed,
        Status::Inconclusive,
        Status::Invalid,
        Status::Broken,
        Status::Interrupted,
        Status::Skipped,
    ];
    let counted = statuses.into_iter().filter_map(|status| {
        let count = suite
            .cases
            .iter()
            .filter(|case| case.status == status)
            .count();
        let text = format!("{count} {}", status.word());
        (count > 0).then(|| paint(status)(palette, &text))
    });
    let counted: Vec<String> = counted.collect();
    format!("\n{all}: {}; {:.1} s\n", counted.join(", "), suite.seconds)
}
