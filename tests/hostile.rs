//! Whatever the text says: no panic, bounded time and memory, and labs that keep their promises.

#![allow(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

use netlab::id::{Name, NodeIndex};
use netlab::lab::{LAB_SUBNET, Lab, Loaded, Program, load};
use netlab::spec::{Diagnostics, LoadOptions, MAX_BYTES, Source};
use netlab_protocol::role::Role;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

fn try_load(text: impl Into<String>) -> Result<Loaded, Diagnostics> {
    let source = Source {
        name: "lab.yaml".into(),
        text: text.into(),
    };
    load(&source, &LoadOptions::default())
}

fn lab(text: &str) -> Lab {
    try_load(text)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .lab
}

/// Loads, and shows the errors if there are any: neither may panic.
fn survives(text: &str) {
    if let Err(errors) = try_load(text) {
        assert!(errors.errors() > 0, "refused without an error: {text}");
        let _ = errors.render(true);
    }
}

const SHIPPED: [&str; 5] = [
    include_str!("../topologies/client-server.yaml"),
    include_str!("../topologies/mesh.yaml"),
    include_str!("../topologies/ring.yaml"),
    include_str!("../topologies/routed.yaml"),
    include_str!("topology/ok/everything-said.yaml"),
];

/// Bits of syntax that the mutations put in.
const SPLINTERS: [&str; 24] = [
    "{{", "}}", "{{ n }}", "*a", "&a ", "<<: *a", "[", "]", "{", "}", ": ", "- ", "\t", "\n", "\"",
    "'", "!!x ", "~", "-5s", "1e999", "é", "\u{0}", "\u{feff}", "all",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_topologies(
        which in 0..SHIPPED.len(),
        cuts in proptest::collection::vec((0.0..1.0_f64, 0..12_usize, 0..SPLINTERS.len()), 1..5),
    ) {
        let mut text = SHIPPED[which].to_owned();
        for (place, gone, splinter) in cuts {
            let at = text.floor_char_boundary((text.len() as f64 * place) as usize);
            let end = text.ceil_char_boundary((at + gone).min(text.len()));
            text.replace_range(at..end, SPLINTERS[splinter]);
        }
        survives(&text);
    }

    #[test]
    fn replicas_have_names_and_addresses_of_their_own(
        counts in proptest::collection::vec(proptest::option::of(1..60_u32), 1..8),
    ) {
        let nodes: Vec<String> = counts
            .iter()
            .enumerate()
            .map(|(i, count)| {
                let count = count.map_or_else(String::new, |n| format!(", count: {n}"));
                format!("  n{i}x: {{ role: server{count} }}\n")
            })
            .collect();
        let lab = lab(&format!("name: t\nnodes:\n{}", nodes.concat()));
        let total: u32 = counts.iter().map(|count| count.unwrap_or(1)).sum();
        prop_assert_eq!(lab.nodes.len(), total as usize);
        // In the file's order, numbered from 1, by name or by number alike.
        let expected = counts.iter().enumerate().flat_map(|(i, count)| match count {
            None => vec![format!("n{i}x")],
            Some(count) => (1..=*count).map(|k| format!("n{i}x-{k}")).collect(),
        });
        let names: Vec<String> = lab.nodes.iter().map(|node| node.name.to_string()).collect();
        prop_assert_eq!(&names, &expected.collect::<Vec<_>>());
        prop_assert!(names.iter().all(|name| Name::new(name.clone()).is_ok()));
        prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let mut v4 = BTreeSet::from([LAB_SUBNET.host(1).v4, LAB_SUBNET.v4]);
        let mut v6 = BTreeSet::from([LAB_SUBNET.host(1).v6, LAB_SUBNET.v6]);
        for (i, node) in lab.nodes.iter().enumerate() {
            prop_assert!(v4.insert(node.addresses().v4) && v6.insert(node.addresses().v6));
            prop_assert_eq!(node.addresses().v4.to_bits(), LAB_SUBNET.v4.to_bits() + i as u32 + 2);
            prop_assert_eq!(node.addresses().v4.octets()[..2].to_vec(), vec![10, 77]);
            prop_assert_eq!(&node.addresses().v6.segments()[..4], &LAB_SUBNET.v6.segments()[..4]);
        }
    }

    #[test]
    fn the_last_link_said_counts(
        said in proptest::collection::vec((0..4_usize, 0..4_usize, 0..4_u64), 0..12),
        default in 0..4_u64,
    ) {
        let mut expected = [[default; 4]; 4];
        let mut text = format!("name: t\nlink: {{ delay: {default}ms }}\n");
        text.push_str("nodes: { n: { role: server, count: 4 } }\nlinks:\n  - { between: [all, all], loss: 0% }\n");
        for (from, to, delay) in said.into_iter().filter(|(from, to, _)| from != to) {
            expected[from][to] = delay;
            let (from, to) = (from + 1, to + 1);
            text.push_str(&format!("  - {{ from: n-{from}, to: n-{to}, delay: {delay}ms }}\n"));
        }
        let lab = lab(&text);
        let pairs: Vec<_> = lab.networks[0].links.others.iter().map(|link| (link.from, link.to)).collect();
        prop_assert!(pairs.is_sorted_by(|a, b| a < b), "sorted, no pair twice");
        prop_assert!(lab.networks[0].links.others.iter().all(|link| link.properties != lab.networks[0].links.default));
        for (from, row) in expected.iter().enumerate() {
            for (to, delay) in row.iter().enumerate().filter(|(to, _)| *to != from) {
                let (from, to) = (lab.node(&format!("n-{}", from + 1)), lab.node(&format!("n-{}", to + 1)));
                let properties = lab.networks[0].links.get(from.unwrap(), to.unwrap());
                prop_assert_eq!(properties.delay.as_millis(), u128::from(*delay));
            }
        }
    }
}

/// The share of requests that `topologies/ring.yaml` derives in its comment, counted on the
/// resolved tables: a request succeeds when no peer on its way, ends included, is lost.
#[test]
fn the_ring_s_success_is_the_one_that_its_comment_derives() {
    let lab = lab(include_str!("../topologies/ring.yaml"));
    let peer = |at: usize| match &lab.nodes[at].program {
        Program::Role(Role::Peer(peer)) => peer,
        other => panic!("not a peer: {other:?}"),
    };
    let lost = lab.node("peer-4").unwrap().at();
    let (mut asked, mut answered) = (0, 0);
    for from in (0..7).filter(|from| *from != lost) {
        for to in 0..7 {
            let mut at = from;
            while at != to && at != lost {
                at = peer(at).next_hop[to].unwrap() as usize;
            }
            asked += 1;
            answered += u32::from(at == to && at != lost);
        }
    }
    assert_eq!((answered, asked), (30, 42));
}

/// A figure of this process's memory, in KiB; 0 where there is none.
fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Files made to hurt. Each is refused or taken within a time that a person would wait; the figures
/// are printed, not asserted.
#[test]
fn files_made_to_hurt() {
    // A debug build reads 4 MiB in about ten seconds; a part shows the same.
    let bytes = match cfg!(debug_assertions) {
        true => MAX_BYTES / 16,
        false => MAX_BYTES - 1000,
    };
    let many = |part: &str, head: &str| head.to_owned() + &part.repeat(bytes / part.len());
    let faults = (0..600).fold(String::new(), |all, i| {
        all + &format!("    f{i}: {{ at: 1s, for: 1s, kill: [all, \"*\", role=server, x{i}] }}\n")
    });
    let servers = "name: t\nnodes:\n  s: { role: server, count: 10000 }\n";
    let scenario = format!("{servers}scenario:\n  duration: 9s\n  faults:\n{faults}");
    let links = format!(
        "{servers}links:\n{}",
        "  - { between: [s-1, all], loss: 1% }\n".repeat(4_000)
    );
    let bomb = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |all, i| {
        all + &format!("a{i}: &a{i} [*a{0}, *a{0}, *a{0}]\n", i - 1)
    });
    let globs = (0..900).fold(
        format!("{servers}scenario:\n  duration: 9s\n  faults:\n"),
        |all, i| all + &format!("    g{i}: {{ at: 1s, kill: \"{}\" }}\n", "*s".repeat(60)),
    );
    let picks = (0..900).fold(
        format!("{servers}scenario:\n  duration: 9s\n  faults:\n"),
        |all, i| {
            all + &format!(
                "    p{i}: {{ at: 1s, kill: {{ pick: 9999, of: {{ all_but: s-{} }} }} }}\n",
                i + 1
            )
        },
    );
    let warnings = format!(
        "{servers}links:\n{}",
        "  - { from: s-1, to: s-2, delay: 1ms, jitter: 2ms }\n".repeat(3000)
    );
    let nested = format!(
        "{servers}scenario:\n  duration: 9s\n  faults:\n    n: {{ at: 1s, kill: {}s-1{} }}\n",
        "{ all_but: ".repeat(40),
        " }".repeat(40)
    );
    let variables = (0..4000).fold(String::new(), |all, i| all + &format!("k{i}: v, "));
    let many_defaults = (0..9000).fold(
        format!("name: t\ndefaults: {{ image: {{ env: {{ {variables} }} }} }}\nnodes:\n"),
        |all, i| all + &format!("  n{i}: {{ image: x }}\n"),
    );
    let templates = "  - { between: [\"{{ a }}\", \"{{ b * 9 }}\"], loss: \"{{ c }}%\" }\n";
    let texts: Vec<(&str, String)> = vec![
        ("brackets", many("[", "")),
        ("keys", many("k: 1\n", "")),
        ("one long line", many("a, ", "name: [")),
        ("one long text", many("a ", "name: \"")),
        ("quotes", many("\"", "name: ")),
        ("anchors", many("- &a x\n", "")),
        ("aliases", many(" *a,", "a: &a [1,1,1,1,1,1,1,1]\nb: [")),
        (
            "templates",
            many(templates, "name: t\nparams: {a: 1}\nlinks:\n"),
        ),
        (
            "unknown nodes",
            many(
                "  - {between: [x, y], loss: 1%}\n",
                "name: t\nnodes: {s: {role: server}}\nlinks:\n",
            ),
        ),
        ("faults on all", scenario),
        ("links of all", links),
        ("too large", "#".repeat(MAX_BYTES + 1)),
        ("levels", "[".repeat(20_000)),
        ("a scalar of 100 MB", format!("name: {}", "a".repeat(100 << 20))),
        ("an alias bomb", bomb),
        ("a count of 10^9", "name: t\nnodes: { a: { role: server, count: 1000000000 } }".into()),
        ("globs", globs),
        ("picks", picks),
        ("warnings", warnings),
        ("nested picks", nested),
        ("small worlds", "name: t\noverlay: { shape: small-world, degree: 100, rewire: 100% }\nnodes: { p: { role: peer, count: 1000 } }".into()),
        ("random graphs", "name: t\noverlay: { shape: random, degree: 100 }\nnodes: { p: { role: peer, count: 1000 } }".into()),
        ("many defaults", many_defaults),
        ("variables of many", format!("name: t\nnodes: {{ n: {{ image: x, count: 10000, env: {{ {variables} }} }} }}")),
    ];
    let before = memory("VmRSS");
    for (what, text) in texts {
        let start = Instant::now();
        let outcome = try_load(text)
            .map(|_| "taken".to_owned())
            .unwrap_or_else(|errors| {
                assert!(errors.errors() > 0, "{what} is refused without an error");
                let text = errors.to_string();
                format!(
                    "{} errors, {} bytes: {}",
                    errors.errors(),
                    text.len(),
                    text.lines().next().unwrap_or_default()
                )
            });
        let time = start.elapsed();
        let more = memory("VmHWM").saturating_sub(before) >> 10;
        println!("{what}: {time:?}, so far {more} MiB beside the texts, {outcome:.120}");
    }
}

/// The figure belongs to a budget (50 ms in a release build); it is printed, not asserted.
#[test]
fn a_thousand_nodes_load() {
    for text in [
        "name: t\nlink: { rtt: 10ms }\nnodes:\n  server: { role: server }\n  client: { role: client, count: 999, load: { target: server, rate: 1/s } }\nlinks:\n  - { between: [client, server], loss: 1% }\n",
        "name: t\noverlay: ring\nnodes:\n  peer: { role: peer, count: 1000, load: { rate: 1/s } }\n",
    ] {
        let start = Instant::now();
        assert_eq!(lab(text).nodes.len(), 1000);
        println!("1,000 nodes: {:?}", start.elapsed());
    }
}

/// Figures of large labs in a release build: time (the best of five) and the process's largest memory.
/// `NETLAB_NODES=10000 cargo test --release --test hostile -- --ignored --nocapture figures`
#[test]
#[ignore = "figures for people"]
fn figures() {
    let nodes = std::env::var("NETLAB_NODES").ok();
    let nodes: u32 = nodes.map_or(1000, |nodes| nodes.parse().unwrap());
    let replicas = format!(
        "name: t\nlink: {{ rtt: 10ms }}\nnodes:\n  server: {{ role: server }}\n  client: {{ role: client, count: {}, load: {{ target: server, rate: 1/s }} }}\nlinks:\n  - {{ between: [client, server], loss: 1% }}\n",
        nodes - 1
    );
    let written = (1..nodes).fold("name: t\nnodes:\n  server: { role: server }\n".to_owned(), |all, i| {
        all + &format!("  client-{i}: {{ role: client, uplink: 10mbit, load: {{ target: server, rate: 1/s, timeout: 500ms }} }}\n")
    });
    let peers = format!(
        "name: t\noverlay: {{ shape: random, degree: 6 }}\nnodes:\n  peer: {{ role: peer, count: {}, load: {{ rate: 1/s }} }}\n",
        nodes.min(1000)
    );
    for (what, text) in [
        ("replicas", replicas),
        ("written out", written),
        ("peers", peers),
    ] {
        let time = |_| {
            let start = Instant::now();
            let loaded = try_load(text.clone());
            let time = start.elapsed();
            loaded.unwrap_or_else(|errors| panic!("{errors}"));
            time
        };
        let best = (0..5).map(time).min().unwrap();
        println!("{what}: {best:?}, so far {} MiB", memory("VmHWM") >> 10);
    }
}

/// Texts that mutations begin with: every topology there is, with what it includes.
fn corpus() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in [
        "topologies",
        "tests/topology/ok",
        "tests/topology/err",
        "tests/topology/ok/parts",
        "tests/topology/err/parts",
    ] {
        let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|file| file.extension().is_some_and(|e| e == "yaml" || e == "csv"))
            .collect();
        files.sort();
        texts.extend(
            files
                .iter()
                .map(|file| std::fs::read_to_string(file).unwrap()),
        );
    }
    texts.retain(|text| text.len() < 20_000);
    texts
}

/// Draws for one mutated text.
struct Mutator<'c> {
    corpus: &'c [String],
    seed: u64,
    drawn: u64,
}

impl Mutator<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.drawn += 1;
        netlab_protocol::draw::below(self.seed, &[self.drawn], n as u64) as usize
    }

    fn one_of<'t, T: ?Sized>(&mut self, list: &[&'t T]) -> &'t T {
        list[self.below(list.len())]
    }

    /// A line of any topology.
    fn line(&mut self) -> String {
        let at = self.below(self.corpus.len());
        let lines: Vec<&str> = self.corpus[at].split_inclusive('\n').collect();
        match lines.is_empty() {
            true => String::new(),
            false => self.one_of(&lines).to_owned(),
        }
    }

    /// A range of `text` on the borders of characters, at most `most` bytes.
    fn range(&mut self, text: &str, most: usize) -> std::ops::Range<usize> {
        let start = text.floor_char_boundary(self.below(text.len() + 1));
        let end = text.ceil_char_boundary((start + self.below(most + 1)).min(text.len()));
        start..end
    }

    fn mutate(&mut self, text: &mut String) {
        match self.below(8) {
            0 => {
                let range = self.range(text, 12);
                text.replace_range(range, "");
            }
            1 => {
                let range = self.range(text, 4);
                let splinter = self.one_of(&SPLINTERS);
                text.replace_range(range, splinter);
            }
            2 => {
                let line = self.line();
                let at = text
                    .match_indices('\n')
                    .map(|(at, _)| at + 1)
                    .collect::<Vec<_>>();
                let at = if at.is_empty() {
                    0
                } else {
                    at[self.below(at.len())]
                };
                text.insert_str(at, &line);
            }
            3 => {
                // A word of another place.
                let line = self.line();
                let words: Vec<&str> = line.split([' ', ',', '{', '}', '[', ']']).collect();
                let word = self.one_of(&words).to_owned();
                let range = self.range(text, 8);
                text.replace_range(range, &word);
            }
            4 => {
                let piece = self.range(text, 60);
                let piece = text[piece].to_owned();
                let at = self.range(text, 0).start;
                text.insert_str(at, &piece);
            }
            5 => {
                let digits: Vec<usize> = text
                    .match_indices(|c: char| c.is_ascii_digit())
                    .map(|(at, _)| at)
                    .collect();
                if !digits.is_empty() {
                    let at = digits[self.below(digits.len())];
                    let number = self.one_of(&[
                        "0",
                        "-1",
                        "65536",
                        "1e9",
                        "99999999999999999999",
                        "0.5",
                        "1000",
                        ".",
                        "3",
                    ]);
                    text.replace_range(at..=at, number);
                }
            }
            6 => {
                let other = self.below(self.corpus.len());
                let other = &self.corpus[other];
                let from = other.floor_char_boundary(other.len() / 2);
                let at = text.floor_char_boundary(text.len() / 2);
                text.truncate(at);
                text.push_str(&other[from..]);
            }
            _ => {
                let range = self.range(text, 1);
                let byte = self.below(128) as u8 as char;
                text.replace_range(range, &byte.to_string());
            }
        }
    }
}

/// As many mutated topologies as `NETLAB_FUZZ` says, from `NETLAB_FUZZ_SEED` on; what includes asks for
/// is itself drawn. A text that makes it panic is printed.
///
/// `NETLAB_FUZZ=5000000 cargo test --release --test hostile -- --ignored fuzz`
#[test]
#[ignore = "takes as long as it is told to"]
fn fuzz() {
    let number = |name: &str, default: u64| {
        let value = std::env::var(name).ok();
        value.map_or(default, |value| value.parse().unwrap())
    };
    let (runs, first) = (number("NETLAB_FUZZ", 10_000), number("NETLAB_FUZZ_SEED", 0));
    let corpus = std::sync::Arc::new(corpus());
    let (mut taken, mut slowest) = (0_u64, (std::time::Duration::ZERO, first));
    let start = Instant::now();
    for seed in first..first + runs {
        let mut mutator = Mutator {
            corpus: &corpus,
            seed,
            drawn: 0,
        };
        let mut text = corpus[mutator.below(corpus.len())].clone();
        for _ in 0..=mutator.below(6) {
            mutator.mutate(&mut text);
        }
        let parts = std::sync::Arc::clone(&corpus);
        let options = LoadOptions {
            files: netlab::spec::Files::new(move |_, path| {
                let at = netlab_protocol::draw::name(path) as usize % parts.len();
                let (name, text) = (path.to_owned(), parts[at].clone());
                Ok(Source { name, text })
            }),
            strict: seed % 5 == 0,
            ..LoadOptions::default()
        };
        let source = Source {
            name: "lab.yaml".into(),
            text,
        };
        let begin = Instant::now();
        let outcome =
            std::panic::catch_unwind(AssertUnwindSafe(|| match load(&source, &options) {
                Ok(loaded) => {
                    let _ = serde_json::to_string(&loaded.lab).unwrap();
                    true
                }
                Err(errors) => {
                    assert!(errors.errors() > 0);
                    let _ = (errors.render(false), errors.json(), errors.github());
                    false
                }
            }));
        slowest = slowest.max((begin.elapsed(), seed));
        match outcome {
            Ok(good) => taken += u64::from(good),
            Err(_) => panic!("seed {seed}:\n{}", source.text),
        }
    }
    println!(
        "{runs} texts, {taken} taken, slowest {:?} (seed {}), {:?}",
        slowest.0,
        slowest.1,
        start.elapsed()
    );
}

/// The largest labs with shapes and routes that a file can ask for are made, or refused, in time.
#[test]
fn many_networks_wires_and_forwarders_are_bounded() {
    let names: Vec<String> = (0..64).map(|i| format!("n{i}")).collect();
    let networks = |shape: &str| {
        let all = names
            .iter()
            .map(|name| format!("  {name}: {{ {shape} }}\n"));
        all.collect::<String>()
    };
    let list = names.join(", ");
    let everywhere = |count: u32, more: &str, shape: &str| {
        format!(
            "name: t\nnetworks:\n{}nodes:\n  n: {{ image: x, count: {count}, networks: [{list}]{more} }}\n",
            networks(shape)
        )
    };
    let dense = "shape: random, degree: 100";
    assert!(try_load(everywhere(10_000, "", "")).is_err());
    assert!(try_load(everywhere(150, "", dense)).is_err());
    let lab = lab(&everywhere(64, ", forward: true", "shape: line"));
    assert_eq!(lab.networks.len(), 64);
    assert_eq!(netlab::lab::route::routes(&lab, NodeIndex(0)), []);
}
