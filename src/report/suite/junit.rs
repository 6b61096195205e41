//! What `test` found out, as JUnit XML: a suite for each file, in it the scenario and each check.

use super::{Case, CheckOver, CheckProof, Status, Suite, Trial};
use quick_junit::{
    NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestRerun,
    TestSuite,
};
use std::time::Duration;

/// Name of the case that says whether the scenario was played.
const SCENARIO: &str = "scenario";
/// Behind the name of a check, in that of the case that says whether it proves something.
const PROVES: &str = "(proves something)";

/// The whole file. `warn` tells whether what is inconclusive counts as skipped instead of failed.
///
/// # Errors
/// None that is known: what XML cannot hold is left out of texts.
pub fn junit(suite: &Suite, warn: bool) -> Result<String, SerializeError> {
    let mut report = Report::new("netlab");
    report.set_time(time(suite.seconds));
    for case in &suite.cases {
        report.add_test_suite(of_file(case, warn));
    }
    report.to_string()
}

fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn of_file(case: &Case, warn: bool) -> TestSuite {
    let mut suite = TestSuite::new(&case.file);
    suite.set_time(time(case.seconds));
    let mut property = |name: &str, value: String| {
        suite.add_property(Property::new(name, value));
    };
    if let Some(lab) = &case.lab {
        property("lab", lab.clone());
    }
    for trial in &case.trials {
        property("seed", trial.seed.to_string());
        if let Some(record) = &trial.record {
            property("record", record.display().to_string());
        }
    }
    suite.add_test_case(scenario(case, warn));
    for check in &case.checks {
        suite.add_test_case(of_check(check, case, warn));
    }
    for proof in case.proofs.iter().flatten() {
        suite.add_test_case(of_proof(proof, case));
    }
    suite
}

/// Whether the scenario could be played; what its checks say stands beside it.
fn scenario(case: &Case, warn: bool) -> TestCase {
    let status = match case.status {
        Status::Failed | Status::Inconclusive if case.is_played() => Status::Passed,
        status => status,
    };
    let telling = case.telling();
    let mut reasons = case.reasons.clone();
    if status != Status::Passed {
        reasons.extend(telling.iter().flat_map(|trial| trial.all_reasons()));
    }
    let message = reasons.first().map_or("", |reason| reason.as_str());
    let message = message.lines().next().unwrap_or_default();
    let mut junit = status_of(status, message, &reasons.join("\n"), warn);
    if status != Status::Skipped {
        junit.add_reruns(case.retried.iter().map(rerun));
    }
    let mut test = TestCase::new(SCENARIO, junit);
    test.set_classname(&case.file).set_time(time(case.seconds));
    if let (Some(trial), false) = (telling, status == Status::Passed) {
        test.set_system_out(evidence(trial));
    }
    test
}

fn of_check(check: &CheckOver, case: &Case, warn: bool) -> TestCase {
    let observed = check.observed.join("; ");
    let runs = case.trials.len();
    let message = match runs {
        1 => format!("{}: observed {observed}", check.expect),
        _ => format!(
            "{}: {} of {runs} runs; observed {observed}",
            check.expect, check.passed
        ),
    };
    let junit = status_of(check.status, &message, &message, warn);
    let mut test = TestCase::new(&check.name, junit);
    test.set_classname(&case.file);
    match (check.status, case.telling()) {
        (Status::Passed, _) | (_, None) => test.set_system_out(message),
        (_, Some(trial)) => test.set_system_out(evidence(trial)),
    };
    test
}

/// Whether a check can say something else.
fn of_proof(proof: &CheckProof, case: &Case) -> TestCase {
    let status = match proof.proven {
        true => Status::Passed,
        false => Status::Failed,
    };
    let sentence = proof.sentence();
    let junit = status_of(status, &sentence, &sentence, false);
    let mut test = TestCase::new(format!("{} {PROVES}", proof.check), junit);
    test.set_classname(&case.file).set_system_out(sentence);
    test
}

/// A file that could not be read, and an engine that failed, are errors; what does not hold is a
/// failure, as what is inconclusive unless that is only a warning.
fn status_of(status: Status, message: &str, text: &str, warn: bool) -> TestCaseStatus {
    let mut junit = match status {
        Status::Passed => return TestCaseStatus::success(),
        Status::Skipped | Status::Interrupted => TestCaseStatus::skipped(),
        Status::Inconclusive if warn => TestCaseStatus::skipped(),
        Status::Failed | Status::Inconclusive => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        Status::Invalid | Status::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let message = match message {
        "" => status.word().to_owned(),
        message => format!("{}: {message}", status.word()),
    };
    junit.set_message(message).set_type(status.word());
    junit.set_description(text);
    junit
}

fn rerun(trial: &Trial) -> TestRerun {
    let mut rerun = TestRerun::new(NonSuccessKind::Failure);
    let reasons = trial.all_reasons();
    rerun
        .set_time(time(trial.seconds))
        .set_type(trial.status.word());
    rerun.set_message(reasons.join("; "));
    rerun.set_description(evidence(trial));
    rerun
}

/// What there is to see of a run.
fn evidence(trial: &Trial) -> String {
    let mut lines = Vec::new();
    let diagnosis = trial.diagnosis.iter();
    for diagnosis in diagnosis {
        lines.extend(
            diagnosis
                .fault
                .iter()
                .map(|fault| format!("fault: {fault}")),
        );
        for log in &diagnosis.logs {
            let named = log
                .shown()
                .into_iter()
                .map(|line| format!("{}: {line}", log.node));
            lines.extend(named);
        }
    }
    let record = trial.record.iter();
    lines.extend(record.map(|record| format!("record: {}", record.display())));
    lines.join("\n")
}
