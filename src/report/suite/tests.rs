//! Tests of results: as people, JUnit and GitHub read them.

use super::*;
use crate::report::Palette;
use crate::report::diagnosis::LogTail;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

fn trial(seed: u64, status: Status) -> Trial {
    Trial {
        seed,
        run: Some(format!("20261122T211500Z-{seed}")),
        record: Some(format!("runs/pair/20261122T211500Z-{seed}").into()),
        status,
        played: status == Status::Passed,
        reasons: Vec::new(),
        seconds: 12.5,
        kept: false,
        summary: None,
        diagnosis: None,
    }
}

fn case(file: &str, trials: Vec<Trial>) -> Case {
    let mut case = Case::unplayed(file, Status::Passed, "");
    case.reasons.clear();
    case.lab = Some("pair".into());
    case.seconds = 12.5;
    case.trials = trials;
    case.judge();
    case
}

fn unclear() -> Trial {
    let mut unclear = trial(7, Status::Inconclusive);
    unclear.reasons = vec!["`client-1` died & <nobody> wanted it".into()];
    unclear.diagnosis = Some(Diagnosis {
        fault: Some("loss (kill server), 1.00 s to 2.00 s".into()),
        nodes: vec!["client-1".into()],
        logs: vec![LogTail {
            node: "client-1".into(),
            lines: vec!["one".into(), "last \u{1b}[31mwords".into()],
        }],
    });
    unclear
}

fn suite() -> Suite {
    let invalid = "error[empty]: the file is empty\n --> bad.yaml:1:1\n";
    let mut retried = case("again.yaml", vec![trial(7, Status::Passed)]);
    retried.retried = vec![unclear()];
    Suite {
        format: FORMAT,
        exit_code: 4,
        seconds: 40.0,
        cases: vec![
            case("good.yaml", vec![trial(7, Status::Passed)]),
            case("unclear.yaml", vec![unclear()]),
            Case::unplayed("bad.yaml", Status::Invalid, invalid),
            Case::unplayed("part.yaml", Status::Skipped, "it has no scenario"),
            retried,
        ],
    }
}

#[test]
fn people_see_what_to_look_at() {
    let suite = suite();
    let text: String = suite
        .cases
        .iter()
        .map(|c| case_text(c, Palette::PLAIN))
        .collect();
    let expected = "\
passed        good.yaml  pair, seed 7, 12.5 s
inconclusive  unclear.yaml  pair, seed 7, 12.5 s
  why         `client-1` died & <nobody> wanted it
  fault       loss (kill server), 1.00 s to 2.00 s
  client-1    one
              last \u{1b}[31mwords
  record      runs/pair/20261122T211500Z-7
invalid       bad.yaml
  error[empty]: the file is empty
   --> bad.yaml:1:1
skipped       part.yaml
  why         it has no scenario
passed        again.yaml  pair, seed 7, 12.5 s
  again       seed 7: inconclusive: `client-1` died & <nobody> wanted it
";
    assert_eq!(text, expected);
    assert_eq!(
        totals(&suite, Palette::PLAIN),
        "\n5 files: 2 passed, 1 inconclusive, 1 invalid, 1 skipped; 40.0 s\n"
    );
}

/// Read back by the reader of a test runner that consumes JUnit.
#[test]
fn junit_is_read_back() {
    let suite = suite();
    let report = Report::deserialize_from_str(&junit(&suite, false).unwrap()).unwrap();
    let counts = (report.tests, report.failures, report.errors, report.skipped);
    assert_eq!(counts, (5, 1, 1, 1));
    let status = |at: usize| &report.test_suites[at].test_cases[0].status;
    let TestCaseStatus::NonSuccess { kind, message, .. } = status(1) else {
        panic!("{:?}", status(1));
    };
    assert_eq!(*kind, NonSuccessKind::Failure);
    let message = message.as_ref().unwrap().as_str();
    assert_eq!(
        message,
        "inconclusive: `client-1` died & <nobody> wanted it"
    );
    let evidence = report.test_suites[1].test_cases[0]
        .system_out
        .as_ref()
        .unwrap();
    assert!(evidence.as_str().contains("client-1: one"), "{evidence:?}");
    let TestCaseStatus::NonSuccess { kind, .. } = status(2) else {
        panic!("{:?}", status(2));
    };
    assert_eq!(*kind, NonSuccessKind::Error);
    assert!(matches!(status(3), TestCaseStatus::Skipped { .. }));
    let TestCaseStatus::Success { flaky_runs } = status(4) else {
        panic!("{:?}", status(4));
    };
    assert_eq!(flaky_runs.len(), 1);
    // What only warns is no failure.
    let report = Report::deserialize_from_str(&junit(&suite, true).unwrap()).unwrap();
    assert_eq!((report.failures, report.skipped), (0, 2));
}

#[test]
fn github_sees_one_annotation_for_each_file_and_a_table() {
    let mut suite = suite();
    suite.cases[1].exit_code = 3;
    let text = annotations(&suite);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines[0]
            .starts_with("::error file=unclear.yaml,title=pair%3A inconclusive::`client-1` died")
    );
    assert!(lines[0].contains("%0Arecord: runs/pair/"));
    assert!(lines[2].starts_with("::notice file=part.yaml"));
    let summary = job_summary(&suite);
    assert!(
        summary.starts_with("## netlab: 2 of 5 passed\n"),
        "{summary}"
    );
    assert!(
        summary.contains("| ⚠️ inconclusive | unclear.yaml | pair | 1 | 12.5 s |"),
        "{summary}"
    );
}

/// Each check is a case of its own, and a failing one says what was observed.
#[test]
fn checks_are_cases() {
    let check = |name: &str, status| CheckOver {
        name: name.into(),
        expect: "recovery(loss) < 2s".into(),
        status,
        passed: usize::from(status == Status::Passed),
        failed: usize::from(status == Status::Failed),
        inconclusive: 0,
        observed: vec!["recovery(loss) = 3 s (from slots)".into()],
    };
    let mut failed = trial(7, Status::Failed);
    failed.played = true;
    let mut one = case("x.yaml", vec![failed]);
    one.checks = vec![check("slow", Status::Failed), check("good", Status::Passed)];
    one.status = Status::Failed;
    let text = case_text(&one, Palette::PLAIN);
    let expected = "\
failed        x.yaml  pair, seed 7, 12.5 s
  check fails slow: recovery(loss) < 2s
              observed recovery(loss) = 3 s (from slots)
  record      runs/pair/20261122T211500Z-7
";
    assert_eq!(text, expected);
    let suite = Suite {
        cases: vec![one],
        ..suite()
    };
    let report = Report::deserialize_from_str(&junit(&suite, false).unwrap()).unwrap();
    let cases = &report.test_suites[0].test_cases;
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["scenario", "slow", "good"]);
    assert_eq!((report.failures, report.errors), (1, 0));
    let TestCaseStatus::NonSuccess { message, .. } = &cases[1].status else {
        panic!("{cases:?}");
    };
    let message = message.as_ref().unwrap().as_str();
    assert!(
        message.contains("observed recovery(loss) = 3 s"),
        "{message}"
    );
    assert!(job_summary(&suite).contains("slow: recovery(loss) < 2s, observed"));
}

/// What whole runs agree on: with few of them all must.
#[test]
fn a_verdict_over_several_runs() {
    let of = |passed: usize, unclear: usize| {
        let trials = (0..passed).map(|n| trial(n as u64, Status::Passed));
        let unclear = (0..unclear).map(|n| trial(n as u64, Status::Inconclusive));
        case("x.yaml", trials.chain(unclear).collect()).status
    };
    assert_eq!(of(5, 0), Status::Passed);
    assert_eq!(of(4, 1), Status::Inconclusive);
    assert_eq!(of(15, 5), Status::Passed);
    assert_eq!(of(14, 6), Status::Inconclusive);
    let broken = vec![trial(1, Status::Passed), trial(2, Status::Broken)];
    assert_eq!(case("x.yaml", broken).status, Status::Broken);
}

/// A check that says the same whatever happens fails its file, and is named everywhere.
#[test]
fn a_check_that_proves_nothing_is_named() {
    let mut found = case("idle.yaml", vec![trial(7, Status::Passed)]);
    let proof = |check: &str, differs: Vec<Differing>| CheckProof {
        check: check.to_owned(),
        verdict: crate::check::Judgement::Pass,
        proven: !differs.is_empty(),
        differs,
        runs: 2,
    };
    let differs = Differing {
        run: "without loss".into(),
        verdict: crate::check::Judgement::Fail,
    };
    found.prove(vec![
        proof("felt", vec![differs]),
        proof("idle", Vec::new()),
    ]);
    assert_eq!(found.status, Status::Failed);
    let said = "idle proves nothing: pass, and nothing else in 2 runs with a fault left out or never healed";
    let text = case_text(&found, Palette::PLAIN);
    assert!(text.contains(said) && !text.contains("felt"), "{text}");
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["proofs"][0]["differs"][0]["run"], "without loss");
    assert_eq!(json["proofs"][1]["proven"], false);
    let suite = Suite {
        format: FORMAT,
        exit_code: 1,
        seconds: 1.0,
        cases: vec![found],
    };
    let annotated = annotations(&suite);
    assert!(
        annotated.starts_with("::error") && annotated.contains("proves nothing"),
        "{annotated}"
    );
    assert!(job_summary(&suite).contains("proves nothing"));
    let report = Report::deserialize_from_str(&junit(&suite, false).unwrap()).unwrap();
    assert_eq!((report.tests, report.failures), (3, 1));
    let names: Vec<&str> = report.test_suites[0]
        .test_cases
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    let expected = [
        "scenario",
        "felt (proves something)",
        "idle (proves something)",
    ];
    assert_eq!(names, expected);
}
