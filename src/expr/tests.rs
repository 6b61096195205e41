//! What is understood, and what is said about what is not.

use super::*;
use proptest::prelude::*;

fn mistakes(text: &str) -> Vec<(String, String)> {
    let found = parse(text).unwrap_err();
    let one = |m: Mistake| {
        (
            text[m.place].to_owned(),
            m.message + &m.help.map_or_else(String::new, |h| format!(" | {h}")),
        )
    };
    found.into_iter().map(one).collect()
}

/// The one mistake of a text: where, and a part of what is said.
fn wrong(text: &str, place: &str, part: &str) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    assert_eq!(found[0].0, place, "{text}: {found:?}");
    assert!(found[0].1.contains(part), "{text}: {found:?}");
}

#[test]
fn every_shipped_spelling_is_understood() {
    for text in [
        "availability(client, during=server-loss) < 20%",
        "recovery(server-loss) < 2s",
        "lost_writes(client) == 0",
        "latency(client, p99, after=split) <= 2 * latency(client, p99, before=split)",
        "latency(p99.9) < 50 ms",
        "errors(client-*, timeout, between=10s..20s) == 0 or not success() < 99.9%",
        "(throughput(role=peer) > 150/s and requests(write) > 0)",
        "metric(\"queue_length\", max, server) < 256",
        "metric(\"bytes_sent_total\", rate) < 10mbit",
        "latency(op=write, nodes=\"client-1\", percentile=max) < 1s",
        "90% < success(client)",
        "budget_used(99.9%) <= 100%",
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
    }
}

#[test]
fn and_binds_closer_than_or() {
    let shape = |expr: &Expr| match expr {
        Expr::Or(left, right) => (calls(left), calls(right)),
        other => panic!("{other:?}"),
    };
    fn calls(expr: &Expr) -> usize {
        expr.calls().len()
    }
    let a = "crashes() == 0";
    let expr = parse(&format!("{a} or {a} and {a}")).unwrap();
    assert_eq!(shape(&expr), (1, 2));
    let expr = parse(&format!("({a} or {a}) and {a}")).unwrap();
    assert!(matches!(expr, Expr::And(..)));
}

#[test]
fn different_kinds_are_not_compared() {
    wrong(
        "success(client) < 2s",
        "<",
        "a ratio is compared with a duration",
    );
    wrong("success(client) < 20", "<", "write `20%`");
    wrong("latency(p99) < 20", "<", "write `20ms`");
    wrong(
        "latency() > success()",
        ">",
        "a duration is compared with a ratio",
    );
    wrong(
        "metric(\"keys_held\", max) > 5/s",
        ">",
        "a number is compared with a rate",
    );
}

#[test]
fn names_are_suggested() {
    wrong("sucess(client) > 99%", "sucess", "did you mean `success`?");
    wrong(
        "latency(persentile=p99) < 1s",
        "persentile",
        "did you mean `percentile`?",
    );
    // It may be a metric of a node's program: who knows the lab says so.
    let text = "metric(\"queue_lenght\", max) < 3";
    let found = parse(text).unwrap();
    let (name, place) = found.calls()[0].foreign_metric().unwrap();
    let told = unknown_metric(name, place);
    assert_eq!(&text[told.place], "\"queue_lenght\"");
    let help = told.help.unwrap();
    assert!(help.contains("did you mean `queue_length`?"), "{help}");
    wrong(
        "metric(\"queue lenght\", max) < 3",
        "\"queue lenght\"",
        "in quotes",
    );
    wrong("metric(\"queue_length\", avg) < 3", "avg", "min, mean, max");
    wrong(
        "errors(client, outcome=timeot) == 0",
        "timeot",
        "did you mean `timeout`?",
    );
}

#[test]
fn mistakes_have_their_places() {
    wrong(
        "success(client)",
        ")",
        "a comparison (<, <=, >, >=, ==, !=) is missing at the end",
    );
    wrong(
        "success(client) > ",
        ">",
        "a function or a value is missing at the end",
    );
    wrong(
        "success(client > 99%",
        ">",
        "expected `,` or `)`, found `>`",
    );
    wrong("success() > 99% && crashes() == 0", "&&", "write `and`");
    wrong("success() = 1", "=", "compare with `==`");
    wrong("1% < success() < 2%", "<", "write `a < x and x < b`");
    wrong("success > 1%", ">", "expected `(`, found `>`");
    wrong("20% < 30%", "20% < 30%", "asks nothing of the run");
    wrong("latency() < 5parsec", "5parsec", "is no quantity");
    wrong(
        "recovery(server-loss, during=x) < 1s",
        "during",
        "takes no `during`",
    );
    wrong("recovery() < 1s", "recovery()", "needs the name of a fault");
    wrong("success(during=a, after=b) > 1%", "after=b", "one window");
    wrong(
        "success(between=20s..10s) > 1%",
        "between=20s..10s",
        "ends before it begins",
    );
    wrong(
        "metric(\"queue_length\", rate) > 1/s",
        "metric(\"queue_length\", rate)",
        "goes up and down",
    );
    wrong("errors(a, b) == 0", "b", "takes no such argument");
    wrong("crashes(a, b) == 0", "b", "takes no further argument");
    assert_eq!(mistakes("sucess() > 1% and latenzy() < 1s").len(), 2);
    assert_eq!(mistakes("").len(), 1);
}

proptest! {
    #[test]
    fn hostile_text_never_panics(text in "[a-z0-9 ()<>=!.,%\"*µ-]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_text_never_panics(text in ".{0,60}") {
        let _ = parse(&text);
    }
}
