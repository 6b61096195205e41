//! netlab: declarative network labs. A YAML topology describes a client-server or peer-to-peer
//! lab; `netlab up` starts it as containers, plays the declared faults and measures what happens.
//!
//! # Architecture
//!
//! Data flows one way:
//!
//! ```text
//! text ─► Topology ─► Lab ─► Plan, Timeline ─► Docker engine + agent ─► Events, Samples ─► Record ─► Report
//! spec/   (as written) (resolved)  (pure)        engine/ agent/ fabric/                    record/   report/
//! ```
//!
//! Imports go only to a lower level; `tests/layers.rs` enforces it. Levels 0 to 4 are synchronous
//! and deterministic: no clock, entropy, disk or network.
//!
//! | level | module | its single job |
//! | --- | --- | --- |
//! | 7 | [`cli`] | one file per command; loads files, prints, decides the exit code |
//! | 6 | [`agent`] | the process inside the lab: plays the timeline, owns the fabric, collects samples |
//! | 6 | [`run`] | walks a plan over the engine, concurrently; undoes; follows the agent |
//! | 6 | [`report`] | record → text and JSON, pure |
//! | 5 | [`engine`] | effects on Docker, one function per operation |
//! | 5 | [`fabric`] | packets: devices, link model, scheduler, counters, resolver |
//! | 5 | [`record`] | the run directory: only writer and reader of artefacts |
//! | 4 | [`check`] | what a run was like → pass, fail, inconclusive; one function per file |
//! | 4 | [`plan`] | (lab, snapshot) → operations with causes |
//! | 4 | [`timeline`] | what is due when, seeded |
//! | 3 | [`lab`] | topology → lab: everything expanded, resolved, defaulted |
//! | 2 | [`spec`] | the YAML as written, with its places; diagnostics |
//! | 1 | [`fault`], [`expr`] | the vocabulary of faults; the language of checks |
//! | 0 | [`id`], [`units`], [`words`], [`link`], [`port`], [`metrics`], `netlab_protocol` | names, quantities, near words, link properties, published ports, metrics, wire types |
//!
//! `images/node` is the program inside the nodes (start gate and roles); it shares
//! `netlab_protocol` with the agent and knows nothing of this package.

pub mod agent;
pub mod check;
pub mod cli;
pub mod engine;
pub mod expr;
pub mod fabric;
pub mod fault;
pub mod id;
pub mod lab;
pub mod link;
pub mod metrics;
pub mod plan;
pub mod port;
pub mod record;
pub mod report;
pub mod run;
pub mod spec;
pub mod timeline;
pub mod units;
pub mod words;
