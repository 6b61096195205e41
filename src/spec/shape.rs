//! Shapes of edges, as `overlay:` and networks say them: a word with its parameters.

use super::diagnostic::Diagnostic;
use super::fields::Fields;
use super::keys::{Key, Kind, Shape, key};
use super::reader::Reader;
use super::source::Span;
use super::topology::{Edges, ShapeSpec};
use super::tree::{Data, Value};
use crate::units::Ratio;

/// Words of shapes.
pub const SHAPES: &[&str] = &[
    "full",
    "star",
    "ring",
    "line",
    "grid",
    "tree",
    "random",
    "small-world",
];
/// Neighbours that `degree` may ask for; more is nearly everyone, for which there is `full`.
const DEGREES: (u64, u64) = (1, 100);
/// What `children` and `width` may be.
const SIZES: (u64, u64) = (1, 1000);
/// Neighbours of each in a random or small-world graph.
const DEGREE: u32 = 4;
/// Children of each in a tree.
const CHILDREN: u32 = 2;
/// Share of a small world's edges that are drawn anew (Watts, Strogatz: "Collective dynamics of
/// 'small-world' networks", Nature 393, 1998: both short paths and clusters lie around 0.1).
const REWIRE: Ratio = Ratio(0.1);

/// `overlay`.
pub const OVERLAY: Kind = Kind::Either(&[Kind::Word(SHAPES), Kind::Map(&MAP)]);

const MAP: Shape = Shape {
    what: "`overlay`",
    keys: &[
        key("shape", Kind::Word(SHAPES), "Which peers know each other."),
        key(
            "hub",
            Kind::Nodes,
            "The peer in the middle of a star; the first one unless said.",
        ),
        DEGREE_KEY,
        REWIRE_KEY,
        CHILDREN_KEY,
        WIDTH_KEY,
    ],
    needs: &["shape"],
    later: &["seed", "edges", "file"],
    instead: &[
        ("kind", "write `shape`"),
        ("type", "write `shape`"),
        ("centre", "write `hub`"),
        ("center", "write `hub`"),
    ],
};

/// `degree`.
pub const DEGREE_KEY: Key = key(
    "degree",
    Kind::Integer(DEGREES.0, DEGREES.1),
    "Neighbours of each in `random` and `small-world`; 4 unless said.",
);
/// `rewire`.
pub const REWIRE_KEY: Key = key(
    "rewire",
    Kind::Share,
    "Share of the edges of a `small-world` that are drawn anew; 10% unless said.",
);
/// `children`.
pub const CHILDREN_KEY: Key = key(
    "children",
    Kind::Integer(SIZES.0, SIZES.1),
    "Nodes below each in a `tree`; 2 unless said.",
);
/// `width`.
pub const WIDTH_KEY: Key = key(
    "width",
    Kind::Integer(SIZES.0, SIZES.1),
    "Nodes in a row of a `grid`; the smallest square that holds all unless said.",
);

/// Which shape takes which parameter.
const TAKES: &[(&str, &[&str])] = &[
    ("hub", &["star"]),
    ("degree", &["random", "small-world"]),
    ("rewire", &["small-world"]),
    ("children", &["tree"]),
    ("width", &["grid"]),
];

impl Reader<'_> {
    pub(super) fn overlay(&self, value: &Value) -> Edges {
        self.read_overlay(value).unwrap_or_default()
    }

    fn read_overlay(&self, value: &Value) -> Option<Edges> {
        let what = "an overlay of peers";
        if !matches!(value.data, Data::Map(_)) || self.is_bare_template(value) {
            let word = self.word(value, what, SHAPES)?;
            return Some(Edges::of_word(word, value.span));
        }
        let fields = self.fields(value, &MAP, None)?;
        let help = "say which: `{ shape: random, degree: 3 }`";
        let word = self.word(fields.need(self, "shape", help)?, what, SHAPES)?;
        Some(self.edges(word, &fields, value.span))
    }

    /// The shape `word` with the parameters that stand in `fields`.
    pub(super) fn edges(&self, word: &str, fields: &Fields<'_>, span: Span) -> Edges {
        for (parameter, shapes) in TAKES {
            if let (Some(entry), false) = (fields.entry(parameter), shapes.contains(&word)) {
                let message = format!("`{parameter}` means nothing to `{word}`");
                self.report(
                    Diagnostic::error("conflict", message)
                        .at(entry.key.span, "")
                        .help(format!("it belongs to {}", shapes.join(" and "))),
                );
            }
        }
        let small = |key: &str, (low, high): (u64, u64)| {
            let range = low as u32..=high as u32;
            fields.get(key).and_then(|v| self.small(v, range))
        };
        let parameters = Parameters {
            degree: small("degree", DEGREES),
            rewire: fields
                .get("rewire")
                .and_then(|v| self.quantity(v, "a share", "%")),
            children: small("children", SIZES),
            width: small("width", SIZES),
        };
        let hub = fields.get("hub").map(|v| self.selection(v));
        Edges {
            shape: shape(word, parameters),
            hub: hub.flatten(),
            span,
        }
    }
}

impl Edges {
    /// The shape of this word with the parameters that nobody said.
    pub(super) fn of_word(word: &str, span: Span) -> Edges {
        Edges {
            shape: shape(word, Parameters::default()),
            hub: None,
            span,
        }
    }
}

#[derive(Default)]
struct Parameters {
    degree: Option<u32>,
    rewire: Option<Ratio>,
    children: Option<u32>,
    width: Option<u32>,
}

fn shape(word: &str, parameters: Parameters) -> ShapeSpec {
    let degree = parameters.degree.unwrap_or(DEGREE);
    match word {
        "star" => ShapeSpec::Star,
        "ring" => ShapeSpec::Ring,
        "line" => ShapeSpec::Line,
        "grid" => ShapeSpec::Grid(parameters.width),
        "tree" => ShapeSpec::Tree(parameters.children.unwrap_or(CHILDREN)),
        "random" => ShapeSpec::Random(degree),
        "small-world" => ShapeSpec::SmallWorld {
            degree,
            rewire: parameters.rewire.unwrap_or(REWIRE),
        },
        _ => ShapeSpec::Full,
    }
}
