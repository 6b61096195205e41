//! The heat map of links: what each ordered pair carried and lost, one square per pair.
//!
//! Two maps side by side, senders below each other and receivers beside each other. A pair without a
//! packet is blank. Strength of colour says the same as the number in it, where there is room for one.
//! Of more nodes than have room for their names, those are shown whose links lost and carried most.

use crate::metrics::LinkMetric;
use crate::record::{LinkSample, Run};
use crate::report::picture::{shortened, width, xml};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Most nodes of which names and squares can be read.
const MOST: usize = 36;
/// Largest side of a square, and the least one in which a number has room.
const SQUARE: f64 = 46.0;
const READABLE: f64 = 30.0;
/// Width of both maps together.
const WIDTH: f64 = 960.0;

/// What a pair carried in the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Carried {
    packets: u64,
    bytes: u64,
    dropped: u64,
}

impl Carried {
    fn lost(&self) -> f64 {
        self.dropped as f64 / (self.packets + self.dropped).max(1) as f64
    }
}

/// The heat map; none when the record has no counters of links.
pub(super) fn svg(run: &Run) -> Option<String> {
    let all = carried(&run.links);
    if all.is_empty() {
        return None;
    }
    let nodes = &run.lab.nodes;
    let shown = shown(nodes.len(), &all);
    let names = shown.iter().filter_map(|&at| nodes.get(at));
    let names: Vec<&str> = names.map(|node| node.name.as_str()).collect();
    let carried = among(&shown, &all);
    let margin = names
        .iter()
        .map(|name| width(&shortened(name, 14), 11.0))
        .fold(20.0, f64::max)
        + 8.0;
    let side = ((WIDTH / 2.0 - margin - 20.0) / names.len() as f64).min(SQUARE);
    let below = margin + 30.0 + side * names.len() as f64;
    let is_part = names.len() < nodes.len();
    let height = below + if is_part { 24.0 } else { 0.0 };
    let mut out = format!(
        "<svg class=\"chart heat\" viewBox=\"0 0 {WIDTH} {height:.1}\" role=\"img\" aria-label=\"What each link carried and lost\">\n"
    );
    let most = carried
        .values()
        .map(|c| c.packets)
        .max()
        .unwrap_or(0)
        .max(1) as f64;
    let map = Map {
        names: &names,
        carried: &carried,
        margin,
        side,
    };
    map.draw(&mut out, 0.0, "Packets delivered", "carried", |c| {
        (
            (c.packets as f64 + 1.0).ln() / (most + 1.0).ln(),
            count(c.packets),
        )
    });
    map.draw(
        &mut out,
        WIDTH / 2.0,
        "Share of packets lost, by whatever cause",
        "lost",
        |c| {
            let text = match c.dropped {
                0 => "0".to_owned(),
                _ if c.lost() < 0.001 => "<0.1%".to_owned(),
                _ => format!("{:.1}%", c.lost() * 100.0),
            };
            // The square root lets one percent be seen beside fifty.
            (c.lost().sqrt(), text)
        },
    );
    if is_part {
        let _ = writeln!(
            out,
            "<text class=\"tick left part\" x=\"{margin:.1}\" y=\"{:.1}\">{} of {} nodes: those of the links that lost most, then of those that carried most</text>",
            below + 14.0,
            names.len(),
            nodes.len()
        );
    }
    out.push_str("</svg>\n");
    Some(out)
}

/// The nodes that are shown, in their order.
fn shown(nodes: usize, carried: &BTreeMap<(usize, usize), Carried>) -> BTreeSet<usize> {
    if nodes <= MOST {
        return (0..nodes).collect();
    }
    let mut pairs: Vec<_> = carried.iter().collect();
    pairs.sort_by_key(|(pair, carried)| (Reverse((carried.dropped, carried.packets)), **pair));
    let mut shown = BTreeSet::new();
    for (&(from, to), _) in pairs {
        let more = [from, to].iter().filter(|at| !shown.contains(*at)).count();
        if shown.len() + more <= MOST {
            shown.extend([from, to]);
        }
    }
    shown
}

/// What pairs of shown nodes carried, by their places among these.
fn among(
    shown: &BTreeSet<usize>,
    all: &BTreeMap<(usize, usize), Carried>,
) -> BTreeMap<(usize, usize), Carried> {
    let places: BTreeMap<usize, usize> = shown.iter().copied().zip(0..).collect();
    let place = |(&(from, to), carried): (&(usize, usize), &Carried)| {
        Some(((*places.get(&from)?, *places.get(&to)?), *carried))
    };
    all.iter().filter_map(place).collect()
}

/// Growth of the counters of every pair, restarts of the agent allowed for.
fn carried(rows: &[LinkSample]) -> BTreeMap<(usize, usize), Carried> {
    let mut last = BTreeMap::new();
    let mut carried: BTreeMap<_, Carried> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.metric.is_counter()) {
        let pair = (row.from.at(), row.to.at());
        let before = last.insert((pair, row.metric), row.value).unwrap_or(0);
        // A counter that falls began anew.
        let grown = if row.value >= before {
            row.value - before
        } else {
            row.value
        };
        let sum = carried.entry(pair).or_default();
        match row.metric {
            LinkMetric::PacketsTotal => sum.packets += grown,
            LinkMetric::BytesTotal => sum.bytes += grown,
            metric if metric.is_drop() => sum.dropped += grown,
            _ => {}
        }
    }
    carried
}

struct Map<'a> {
    names: &'a [&'a str],
    carried: &'a BTreeMap<(usize, usize), Carried>,
    margin: f64,
    side: f64,
}

impl Map<'_> {
    fn draw(
        &self,
        out: &mut String,
        left: f64,
        title: &str,
        class: &str,
        value: impl Fn(&Carried) -> (f64, String),
    ) {
        let (margin, side) = (self.margin, self.side);
        let (x0, y0) = (left + margin, 26.0 + margin);
        let _ = writeln!(
            out,
            "<text class=\"panel-title\" x=\"{x0:.1}\" y=\"16\">{}</text>",
            xml(title)
        );
        self.names(out, x0, y0);
        for (&(from, to), carried) in self.carried {
            let (strength, text) = value(carried);
            let (x, y) = (x0 + to as f64 * side, y0 + from as f64 * side);
            let tip = format!(
                "{} to {}: {} packets, {} bytes delivered; {} lost",
                self.names[from], self.names[to], carried.packets, carried.bytes, carried.dropped
            );
            let _ = writeln!(
                out,
                "<rect class=\"cell {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{0:.1}\" height=\"{0:.1}\" fill-opacity=\"{1:.2}\"><title>{2}</title></rect>",
                (side - 1.0).max(0.8),
                strength.clamp(0.0, 1.0) * 0.75,
                xml(&tip)
            );
            if side >= READABLE {
                let (x, y) = (x + side / 2.0, y + side / 2.0);
                let _ = writeln!(
                    out,
                    "<text class=\"cell-text\" x=\"{x:.1}\" y=\"{y:.1}\" dy=\"3.5\">{}</text>",
                    xml(&text)
                );
            }
        }
    }

    fn names(&self, out: &mut String, x0: f64, y0: f64) {
        for (at, name) in self.names.iter().enumerate() {
            let name = xml(&shortened(name, 14));
            let middle = (at as f64 + 0.5) * self.side;
            let _ = writeln!(
                out,
                "<text class=\"tick left\" x=\"{:.1}\" y=\"{:.1}\" dy=\"4\">{name}</text>",
                x0 - 6.0,
                y0 + middle
            );
            let (x, y) = (x0 + middle, y0 - 6.0);
            let _ = writeln!(
                out,
                "<text class=\"tick up\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\" dy=\"4\">{name}</text>"
            );
        }
    }
}

fn count(value: u64) -> String {
    match value {
        0..10_000 => value.to_string(),
        10_000..10_000_000 => format!("{}k", value / 1_000),
        _ => format!("{}M", value / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIndex;

    #[test]
    fn counters_that_begin_anew_are_added_up() {
        let row = |metric, value| LinkSample {
            t: 0,
            from: NodeIndex(0),
            to: NodeIndex(1),
            metric,
            value,
        };
        let rows = [
            row(LinkMetric::PacketsTotal, 10),
            row(LinkMetric::PacketsTotal, 25),
            row(LinkMetric::DroppedLossTotal, 5),
            row(LinkMetric::QueueBytes, 999),
            row(LinkMetric::PacketsTotal, 5),
        ];
        let all = carried(&rows);
        let expected = Carried {
            packets: 30,
            bytes: 0,
            dropped: 5,
        };
        assert_eq!(all[&(0, 1)], expected);
        assert!((expected.lost() - 1.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn of_many_nodes_those_are_shown_whose_links_lost_and_carried_most() {
        let star = (1..200).map(|at| {
            let carried = Carried {
                packets: at as u64,
                bytes: 0,
                dropped: u64::from(at == 3),
            };
            ((at, 0), carried)
        });
        let all = star.collect();
        let shown = shown(200, &all);
        assert_eq!(shown.len(), MOST);
        assert!([0, 3, 199].iter().all(|at| shown.contains(at)) && !shown.contains(&4));
        let part = among(&shown, &all);
        assert_eq!((part.len(), part[&(1, 0)].dropped), (MOST - 1, 1));
    }
}
