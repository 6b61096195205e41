//! The fabric's speed, beside a bare veth pair in the same run, with its budgets.
//!
//! `cargo bench --bench fabric [-- NAME …]` with names of [`FIGURES`]; all of them take about a minute and a
//! half. Needs root and /dev/net/tun. What is compared alternates, so that other work on the host
//! meets both; figures are medians with their range. Nothing here fails: it is read.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../bed/mod.rs"]
mod bed;
mod looks;
mod mahimahi;
mod packets;
mod scale;
mod throughput;

/// Name, what is measured, and how.
const FIGURES: &[(&str, &str, fn())] = &[
    ("tcp", "TCP on a clean link", throughput::clean),
    ("tcp-5ms", "TCP at a delay of 5 ms", throughput::delayed),
    ("rtt", "round trip on a clean link", packets::round_trip),
    ("small", "small packets", packets::small),
    ("lag", "how late packets leave", packets::lag),
    ("fair", "a bystander beside a flood", scale::fairness),
    (
        "junk",
        "a bystander beside one that writes junk",
        scale::junk,
    ),
    ("scale", "all pairs, 2 to 200 nodes", scale::all_pairs),
    (
        "looks",
        "packets while all links are looked at",
        looks::looks,
    ),
];

fn main() {
    if !bed::lab::able() {
        return;
    }
    let wanted = bed::words();
    let known = |word: &&String| FIGURES.iter().any(|(name, ..)| name == word);
    if let Some(word) = wanted.iter().find(|word| !known(word)) {
        let names: Vec<_> = FIGURES.iter().map(|(name, ..)| *name).collect();
        eprintln!("no figure `{word}`; there are: {}", names.join(", "));
        std::process::exit(2);
    }
    println!("{}", bed::conditions());
    for (name, what, measure) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("\n{name}: {what}");
            measure();
        }
    }
}

/// Prints one figure with its budget.
fn print(what: &str, value: &str, budget: &str) {
    println!("  {what:<38} {value:<28} {budget}");
}
