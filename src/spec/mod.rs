//! The topology file as written: YAML with templates in values, to a typed [`Topology`] whose parts
//! remember where they stand.
//!
//! A topology may be made of several files: `include: lib/peers.yaml` (a path, or a list of them) puts
//! the parts of another one below this one's, `- { rtt-matrix: rtt.csv }` takes round trips from a
//! table, and `trace: lte.trace` a link's capacity from a recording. Other files are read by the caller ([`LoadOptions::files`]).
//!
//! `params:` are values that the command line may set (`--set`, `--params`), used in templates:
//!
//! ```yaml
//! params:
//!   clients: 10                                   # its kind is that of the value: a whole number
//!   token: { env: TOKEN, default: none }          # from the environment, if TOKEN is there
//!   users: { type: integer }                      # no value: has to be set
//! nodes:
//!   client: { role: client, count: "{{ clients }}", load: { target: server, users: "{{ users }}" } }
//! ```
//!
//! Owns syntax, units, keys, defaults ([`defaults`]) and how mistakes are shown. All mistakes of a
//! file are reported at once. Must not touch engine, clock or environment, nor know which nodes a
//! selector selects.

mod arrivals;
mod by_hand;
mod chaos;
mod churn;
pub mod defaults;
mod degrade;
mod diagnostic;
mod document;
mod drawn;
mod fields;
mod image;
mod include;
mod keys;
mod links;
mod load;
mod matrix;
mod networks;
mod nodes;
mod params;
mod ports;
mod profile;
mod properties;
mod reader;
mod roles;
mod scenario;
mod schedule;
mod schema;
mod selector;
mod shape;
mod source;
mod targets;
mod template;
mod topology;
mod tree;
mod yaml;

pub use by_hand::{FaultReading, FaultWord, fault_words, read_fault};
pub use chaos::ChaosSpec;
pub use churn::ChurnSpec;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use drawn::{Distribution, Drawn, DrawnSpec, LengthSpec};
pub use schedule::{AfterSpec, ScheduleSpec};
pub use schema::schema;
pub use selector::{ROLES, Selection, Selector, matches};
pub use source::{Files, Source, Sources, Span, Spanned};
pub use topology::{
    Count, DegradeSpec, Edges, Ends, FaultSpec, KindRef, LinkChange, LinkSpec, Listener,
    NetworkSpec, NodeSpec, PlaceSpec, Places, ProgramSpec, ScenarioSpec, ShapeSpec, TargetSpec,
    Topology,
};
pub use tree::short;
pub use yaml::MAX_BYTES;

mod checks;

pub use crate::words::{list, nearest};
pub use checks::CheckSpec;

use crate::id::Name;
use crate::words;
use reader::Reader;
use std::collections::BTreeMap;
use template::Templates;

/// What the command line says about a file, and what it may ask for.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `--set name=value`, in order; the last one said counts.
    pub sets: Vec<(String, String)>,
    /// `--name`, in place of the file's.
    pub name: Option<Name>,
    /// `--seed`, in place of the file's.
    pub seed: Option<u64>,
    /// `--params FILE`: a map of parameters. `--set` goes before it, the file's values after it.
    pub params: Option<Source>,
    /// Variables of the environment: only those are looked at that the file names.
    pub env: BTreeMap<String, String>,
    /// Reads what the file includes.
    pub files: Files,
    /// `--strict`: warnings are errors.
    pub strict: bool,
}

/// A file as far as it could be read, with everything that is wrong.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it says.
    pub topology: Topology,
    /// What is wrong.
    pub reports: Vec<Diagnostic>,
    /// The texts that all places are in.
    pub sources: Sources,
}

/// Reads a file as far as it can be read.
pub fn read(source: &Source, options: &LoadOptions) -> Reading {
    let gathered = include::gather(source, options);
    let mut reports = gathered.reports;
    let topology = match &gathered.root {
        None => Topology::default(),
        Some(root) => {
            let templates = Templates::new(&BTreeMap::new());
            let reader = Reader::new(&gathered.sources, &gathered.texts, templates);
            let outside = document::Outside {
                options,
                params: gathered.params.as_ref(),
            };
            let (topology, reader) = document::topology(reader, root, &outside);
            reports.extend(reader.into_reports());
            topology
        }
    };
    Reading {
        topology,
        reports,
        sources: gathered.sources,
    }
}
