//! What `test` found out, for GitHub Actions: annotations, and the summary of the job as Markdown.

use super::{Case, Status, Suite};
use std::fmt::Write as _;

/// One line for each file that did not pass (workflow commands; `%`, line ends, and in properties `:`
/// and `,` are escaped).
pub fn annotations(suite: &Suite) -> String {
    suite.cases.iter().filter_map(annotation).collect()
}

fn annotation(case: &Case) -> Option<String> {
    if let Some(text) = &case.annotations {
        return Some(text.clone());
    }
    let level = match case.status {
        Status::Passed => return None,
        Status::Skipped => "notice",
        Status::Inconclusive if case.exit_code == 0 => "warning",
        _ => "error",
    };
    let title = format!(
        "{}: {}",
        case.lab.as_deref().unwrap_or("netlab"),
        case.status.word()
    );
    let text = lines(case).join("\n");
    Some(format!(
        "::{level} file={},title={}::{}\n",
        property(&case.file),
        property(&title),
        data(&text)
    ))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Why a file did not pass.
fn lines(case: &Case) -> Vec<String> {
    let mut lines = case.reasons.clone();
    let open = case
        .checks
        .iter()
        .filter(|check| check.status != Status::Passed);
    lines.extend(open.map(|check| {
        let observed = check.observed.join("; ");
        format!("{}: {}, observed {observed}", check.name, check.expect)
    }));
    let idle = case.idle();
    lines.extend(idle.map(|proof| format!("{}: {}", proof.check, proof.sentence())));
    if let Some(trial) = case.telling() {
        lines.extend(trial.all_reasons());
        let fault = trial.diagnosis.iter().filter_map(|d| d.fault.as_ref());
        lines.extend(fault.map(|fault| format!("fault: {fault}")));
        let record = trial.record.iter();
        lines.extend(record.map(|record| format!("record: {}", record.display())));
    }
    lines
}

/// A table of all files, and below it what is known about those that did not pass.
pub fn job_summary(suite: &Suite) -> String {
    let passed = suite
        .cases
        .iter()
        .filter(|case| case.status == Status::Passed);
    let mut out = format!(
        "## netlab: {} of {} passed\n\n| | file | lab | runs | time |\n| --- | --- | --- | --- | --- |\n",
        passed.count(),
        suite.cases.len()
    );
    for case in &suite.cases {
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {:.1} s |",
            mark(case.status),
            case.status.word(),
            cell(&case.file),
            cell(case.lab.as_deref().unwrap_or("")),
            case.trials.len(),
            case.seconds
        );
    }
    for case in suite
        .cases
        .iter()
        .filter(|case| case.status != Status::Passed)
    {
        let text = lines(case).join("\n").replace("```", "'''");
        let _ = write!(
            out,
            "\n<details><summary>{}: {}</summary>\n\n```text\n{text}\n```\n\n</details>\n",
            cell(&case.file),
            case.status.word()
        );
    }
    out
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Passed => "✅",
        Status::Failed | Status::Invalid | Status::Broken => "❌",
        Status::Inconclusive | Status::Interrupted => "⚠️",
        Status::Skipped => "⏭️",
    }
}

/// Text that cannot end a cell, or become markup.
fn cell(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    escaped.replace('|', "\\|").replace('\n', " ")
}
