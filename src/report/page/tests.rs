//! Tests of the page: what it holds, and that nothing of a record becomes markup.

use super::*;
use crate::report::tests::{quiet, server_loss};

fn page(run: &Run, topology: Option<&str>) -> String {
    let summary = Summary::new(run);
    let source = Source {
        run,
        summary: &summary,
        topology,
    };
    html(source).unwrap()
}

#[test]
fn the_loss_of_a_server_is_told_and_drawn() {
    let page = page(&server_loss(), Some("name: client-server\n"));
    if let Some(path) = std::env::var_os("NETLAB_PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    for told in [
        "<h1>client-server</h1>",
        "At 10.04 s the fault server-loss (kill server) was in effect, 38 ms after it was due.",
        "Success of client was 100.0 % before and 0.0 % during it, 99.9 % after it",
        "of the failures 735 were timeout",
        "class=\"band fault\"",
        "Failures per second",
        "name: client-server",
    ] {
        assert!(page.contains(told), "no {told:?} in\n{page}");
    }
    // 35 s in bins of 200 ms: each with a reading of its own.
    assert_eq!(page.matches("client: ").count(), 175);
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page(&server_loss(), None);
    let bare = page.replace("http://www.w3.org/2000/svg", ""); // the name of SVG, no address
    for outside in ["http:", "https:", "//www", "src=\"/", "@import", "url("] {
        assert!(!bare.contains(outside), "{outside}");
    }
}

#[test]
fn nothing_of_a_record_becomes_markup() {
    let evil = "</script><script>alert(1)</script>";
    let mut run = server_loss();
    for event in &mut run.events {
        if let crate::record::event::What::FaultBegan { target, .. } = &mut event.what {
            *target = evil.to_owned();
        }
    }
    let page = page(&run, Some(evil));
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn a_run_without_faults_has_a_page_and_equal_records_equal_pages() {
    let run = quiet();
    let first = page(&run, None);
    assert!(first.contains("intended 60 requests") && !first.contains("Faults: before"));
    assert_eq!(first, page(&run, None));
}

#[test]
fn links_are_shown_as_squares() {
    let mut run = server_loss();
    let row = |metric, value| crate::record::LinkSample {
        t: 0,
        from: crate::id::NodeIndex(0),
        to: crate::id::NodeIndex(1),
        metric,
        value,
    };
    run.links = vec![
        row(crate::metrics::LinkMetric::PacketsTotal, 99),
        row(crate::metrics::LinkMetric::DroppedDownTotal, 1),
    ];
    let page = page(&run, None);
    assert!(page.contains("client-1 to server: 99 packets, 0 bytes delivered; 1 lost"));
    assert!(page.contains(">1.0%</text>"), "{page}");
}

#[test]
fn runs_are_drawn_beside_each_other_with_their_differences() {
    let run = |id: &str| {
        let run = Run {
            id: id.to_owned(),
            ..server_loss()
        };
        let summary = Summary::new(&run);
        (run, summary)
    };
    let groups = vec![vec![run("one")], vec![run("two"), run("three")]];
    let summaries: Vec<Vec<Summary>> = groups
        .iter()
        .map(|group| group.iter().map(|run| run.1.clone()).collect())
        .collect();
    let comparison = crate::report::Comparison::new(&summaries);
    let page = comparison_html(&groups, &comparison).unwrap();
    if let Some(path) = std::env::var_os("NETLAB_PAGE") {
        std::fs::write(
            std::path::Path::new(&path).with_file_name("compare.html"),
            &page,
        )
        .unwrap();
    }
    // Four panels with a line for each of three runs.
    assert_eq!(page.matches("<path class=\"line s").count(), 12);
    for told in [
        "<dd>client-server  run one</dd>",
        "2 runs, two … three",
        "during server-loss",
        "B − A",
    ] {
        assert!(page.contains(told), "no {told:?} in {page}");
    }
}

#[test]
fn checks_are_shown_with_what_was_seen() {
    let run = server_loss();
    let mut summary = Summary::new(&run);
    summary.checks = vec![crate::check::CheckResult {
        name: "it <is> felt".into(),
        expect: "success(client) < 5%".into(),
        verdict: crate::check::Judgement::Fail,
        observed: Vec::new(),
    }];
    let source = Source {
        run: &run,
        summary: &summary,
        topology: None,
    };
    let page = html(source).unwrap();
    assert!(
        page.contains("it &lt;is&gt; felt<br><code>success(client) &lt; 5%</code>"),
        "{page}"
    );
    assert!(page.contains("<td class=\"bad\" title=\"fail\">✗</td>"));
}

#[test]
fn what_was_proven_of_a_fault_is_shown() {
    let run = server_loss();
    let mut summary = Summary::new(&run);
    let seen = "214 packets tried, 0 passed".to_owned();
    summary.faults[0].occurrences[0].proof = Some(crate::report::summary::Proof::Proven { seen });
    let source = Source {
        run: &run,
        summary: &summary,
        topology: None,
    };
    let page = html(source).unwrap();
    assert!(page.contains("<p class=\"proof good\">proven: 214 packets tried, 0 passed</p>"));
}
