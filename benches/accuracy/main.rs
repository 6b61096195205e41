//! How exactly links do what is declared, as the README's tables.
//!
//! `cargo bench --bench accuracy [-- NAME …]` with names of `TABLES`; all of them take about two minutes and a half.
//! Needs root and /dev/net/tun. The rulers are two applications in namespaces of their own: their
//! clocks, what arrived there, and the receiver's kernel; only the lag is the fabric's own number.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../bed/mod.rs"]
mod bed;
mod chance;
mod rate;
mod time;

/// Name of a part, its columns, and how its rows are made.
type Table = (&'static str, &'static [&'static str], fn());

const TABLES: &[Table] = &[
    ("delay", time::COLUMNS, time::delays),
    ("jitter", COLUMNS, time::jitter),
    ("chance", COLUMNS, chance::shares),
    ("rate", COLUMNS, rate::rates),
    ("queue", COLUMNS, rate::queues),
];

const COLUMNS: &[&str] = &["what", "declared", "measured", "allowed", ""];

fn main() {
    if !bed::lab::able() {
        return;
    }
    let wanted = bed::words();
    let known = |word: &&String| TABLES.iter().any(|(name, ..)| name == word);
    if let Some(word) = wanted.iter().find(|word| !known(word)) {
        let names: Vec<_> = TABLES.iter().map(|(name, ..)| *name).collect();
        eprintln!("no table `{word}`; there are: {}", names.join(", "));
        std::process::exit(2);
    }
    println!("{}", bed::conditions());
    let mut columns: &[&str] = &[];
    for (name, head, measure) in TABLES {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            if columns != *head {
                println!();
                row(head);
                row(&vec!["---"; head.len()]);
                columns = head;
            }
            measure();
        }
    }
}

/// Prints a row of a Markdown table.
fn row(cells: &[&str]) {
    println!("| {} |", cells.join(" | "));
}

/// Prints a row that ends with whether `holds`.
fn verdict(what: &str, declared: &str, measured: &str, allowed: &str, holds: bool) {
    row(&[
        what,
        declared,
        measured,
        allowed,
        if holds { "✓" } else { "✗" },
    ]);
}
