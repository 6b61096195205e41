//! Panels over one axis of time, as SVG: lines, stacked bars, and the bands of faults across all.
//!
//! Colours are classes of the page's style sheet (`s0` …), so that they follow light and dark; lines
//! differ in their dashes as well. Must not know what the values mean.

use super::axis::{Axis, seconds};
use crate::report::picture::{width, xml};
use std::fmt::Write as _;

/// Width of the whole figure in its own pixels.
const WIDTH: f64 = 960.0;
/// Room for the numbers of the axes.
const LEFT: f64 = 62.0;
/// Room for the names of lines.
const RIGHT: f64 = 110.0;
/// Height of a panel.
const PANEL: f64 = 118.0;
/// Room above a panel for its title.
const TITLE: f64 = 30.0;
/// Height of one row of names of bands.
const LANE: f64 = 20.0;
/// Height of the numbers below.
const BELOW: f64 = 34.0;
/// Lines and bars have this many colours.
pub(super) const COLOURS: usize = 6;

/// A figure: panels below each other that share the axis of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Figure {
    /// What it shows, for those who cannot see it.
    pub title: String,
    /// First and last second of scenario time.
    pub time: (f64, f64),
    /// Stretches to mark.
    pub bands: Vec<Band>,
    /// Its panels.
    pub panels: Vec<Panel>,
}

/// A stretch of time with a name.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Written above; empty: nothing.
    pub name: String,
    /// First and last second.
    pub time: (f64, f64),
    /// Class of the style sheet.
    pub class: &'static str,
}

/// One panel.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// Written above it.
    pub title: String,
    /// Its axis.
    pub axis: Axis,
    /// How its numbers are written.
    pub number: fn(f64) -> String,
    /// What is drawn.
    pub marks: Vec<Mark>,
}

/// Something drawn in a panel.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Its name, written at its right end.
    pub name: String,
    /// Its colour, below [`COLOURS`].
    pub colour: usize,
    /// How it is drawn.
    pub shape: Shape,
    /// Second of scenario time, and value; none breaks a line.
    pub points: Vec<(f64, Option<f64>)>,
}

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// A line.
    Line,
    /// A finer line.
    Fine,
    /// Bars of this many seconds, each on top of the marks before it.
    Bars(f64),
}

impl Figure {
    /// The figure as an SVG element.
    pub fn svg(&self) -> String {
        let lanes = lanes(&self.bands, |t| self.x(t));
        let top = LANE * lanes.iter().max().map_or(0.0, |most| *most as f64 + 1.0);
        let plots = self.panels.len() as f64 * (TITLE + PANEL);
        let height = top + plots + BELOW;
        let mut out = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" data-left=\"{LEFT}\" data-right=\"{}\" data-from=\"{}\" data-to=\"{}\">\n",
            xml(&self.title),
            WIDTH - RIGHT,
            self.time.0,
            self.time.1,
        );
        self.draw_bands(&mut out, &lanes, top, top + plots);
        for (at, panel) in self.panels.iter().enumerate() {
            self.panel(&mut out, panel, top + at as f64 * (TITLE + PANEL) + TITLE);
        }
        self.times(&mut out, top + plots);
        out.push_str("<line class=\"cursor\" y1=\"0\" y2=\"0\"/>\n</svg>\n");
        out
    }

    fn x(&self, time: f64) -> f64 {
        let (from, to) = self.time;
        let share = (time - from) / (to - from).max(1e-9);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    /// Bands are one picture, which is never darker than its group allows, and names stand before it.
    fn draw_bands(&self, out: &mut String, lanes: &[usize], top: f64, bottom: f64) {
        let y = |band: &Band, lane: usize| match band.name.is_empty() {
            true => top,
            false => LANE * lane as f64,
        };
        out.push_str("<g class=\"bands\">\n");
        for (band, &lane) in self.bands.iter().zip(lanes) {
            let (a, b, y) = (self.x(band.time.0), self.x(band.time.1), y(band, lane));
            let _ = writeln!(
                out,
                "<rect class=\"band {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                band.class,
                n(a),
                n(y),
                n((b - a).max(1.5)),
                n(bottom - y)
            );
        }
        out.push_str("</g>\n");
        for (band, &lane) in self.bands.iter().zip(lanes) {
            let (a, b, y) = (self.x(band.time.0), self.x(band.time.1), y(band, lane));
            let beyond = a + width(&band.name, 12.0) > WIDTH - 8.0;
            let (x, end) = if beyond {
                (b - 4.0, " end")
            } else {
                (a + 4.0, "")
            };
            let _ = writeln!(
                out,
                "<text class=\"band-name{end}\" x=\"{}\" y=\"{}\">{}</text>",
                n(x),
                n(y + 14.0),
                xml(&band.name)
            );
        }
    }

    fn panel(&self, out: &mut String, panel: &Panel, top: f64) {
        let title = xml(&panel.title);
        let _ = writeln!(
            out,
            "<text class=\"panel-title\" x=\"{LEFT}\" y=\"{}\">{title}</text>",
            n(top - 8.0)
        );
        for tick in &panel.axis.ticks {
            let y = n(top + PANEL * (1.0 - panel.axis.place(*tick)));
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>",
                WIDTH - RIGHT
            );
            let text = (panel.number)(*tick);
            let _ = writeln!(
                out,
                "<text class=\"tick left\" x=\"{}\" y=\"{y}\" dy=\"4\">{text}</text>",
                LEFT - 8.0
            );
        }
        let mut floor: Vec<f64> = Vec::new();
        let mut names = Vec::new();
        for mark in &panel.marks {
            match mark.shape {
                Shape::Bars(wide) => self.bars(out, panel, mark, wide, top, &mut floor),
                Shape::Line | Shape::Fine => self.line(out, panel, mark, top),
            }
            let last = mark.points.iter().rev().find_map(|(_, value)| *value);
            if let (Some(last), false) = (last, mark.name.is_empty()) {
                let bars = matches!(mark.shape, Shape::Bars(_));
                let y = if bars {
                    top + 10.0
                } else {
                    top + PANEL * (1.0 - panel.axis.place(last))
                };
                names.push((y, mark));
            }
        }
        self.names(out, names, top);
    }

    fn line(&self, out: &mut String, panel: &Panel, mark: &Mark, top: f64) {
        let mut path = String::new();
        let mut drawn = false;
        for (at, (time, value)) in mark.points.iter().enumerate() {
            let Some(value) = value else {
                drawn = false;
                continue;
            };
            let (x, y) = (
                n(self.x(*time)),
                n(top + PANEL * (1.0 - panel.axis.place(*value))),
            );
            let alone = !drawn
                && mark
                    .points
                    .get(at + 1)
                    .is_none_or(|(_, next)| next.is_none());
            let _ = write!(path, "{}{x} {y}", if drawn { 'L' } else { 'M' });
            if alone {
                path.push_str("h0.01"); // a round cap makes it a dot
            }
            drawn = true;
        }
        let fine = if mark.shape == Shape::Fine {
            " fine"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "<path class=\"line s{}{fine}\" d=\"{path}\"/>",
            mark.colour % COLOURS
        );
    }

    fn bars(
        &self,
        out: &mut String,
        panel: &Panel,
        mark: &Mark,
        wide: f64,
        top: f64,
        floor: &mut Vec<f64>,
    ) {
        floor.resize(floor.len().max(mark.points.len()), 0.0);
        let mut path = String::new();
        for ((time, value), floor) in mark.points.iter().zip(floor) {
            let value = value.unwrap_or(0.0);
            if value > 0.0 {
                let (a, b) = (self.x(time - wide / 2.0), self.x(time + wide / 2.0));
                let low = PANEL * panel.axis.place(*floor);
                let high = PANEL * panel.axis.place(*floor + value);
                let _ = write!(
                    path,
                    "M{} {}H{}v{}H{}Z",
                    n(a),
                    n(top + PANEL - low),
                    n(b.max(a + 0.8)),
                    n(low - high),
                    n(a)
                );
            }
            *floor += value;
        }
        let _ = writeln!(
            out,
            "<path class=\"bars s{}\" d=\"{path}\"/>",
            mark.colour % COLOURS
        );
    }

    /// Names at the right ends of lines, moved apart where they would cover each other.
    fn names(&self, out: &mut String, mut names: Vec<(f64, &Mark)>, top: f64) {
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = top - 2.0;
        let room = |left: usize| top + PANEL + 4.0 - 14.0 * left as f64;
        let count = names.len();
        for (at, (y, mark)) in names.into_iter().enumerate() {
            let y = y.min(room(count - at - 1)).max(free);
            free = y + 14.0;
            let _ = writeln!(
                out,
                "<text class=\"line-name t{}\" x=\"{}\" y=\"{}\" dy=\"4\">{}</text>",
                mark.colour % COLOURS,
                WIDTH - RIGHT + 8.0,
                n(y),
                xml(&mark.name)
            );
        }
    }

    fn times(&self, out: &mut String, bottom: f64) {
        for second in seconds(self.time.0, self.time.1) {
            let x = n(self.x(second));
            let _ = writeln!(
                out,
                "<line class=\"mark\" x1=\"{x}\" x2=\"{x}\" y1=\"{}\" y2=\"{}\"/>",
                n(bottom),
                n(bottom + 5.0)
            );
            let text = (second * 10.0).round() / 10.0;
            let _ = writeln!(
                out,
                "<text class=\"tick\" x=\"{x}\" y=\"{}\">{text} s</text>",
                n(bottom + 20.0)
            );
        }
    }
}

/// The row of each band's name: names in one row do not touch.
fn lanes(bands: &[Band], x: impl Fn(f64) -> f64) -> Vec<usize> {
    let mut ends: Vec<f64> = Vec::new();
    let mut lanes = Vec::with_capacity(bands.len());
    for band in bands {
        if band.name.is_empty() {
            lanes.push(0);
            continue;
        }
        let (from, to) = (x(band.time.0), x(band.time.1));
        let to = to.max(from + width(&band.name, 12.0) + 8.0);
        let lane = ends
            .iter()
            .position(|end| *end <= from)
            .unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(to);
        } else {
            ends[lane] = to;
        }
        lanes.push(lane);
    }
    lanes
}

/// A coordinate, to a tenth of a pixel.
fn n(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == 0.0 {
        "0".to_owned()
    } else {
        rounded.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(name: &str, from: f64, to: f64) -> Band {
        Band {
            name: name.into(),
            time: (from, to),
            class: "fault",
        }
    }

    #[test]
    fn names_of_bands_do_not_touch() {
        let bands = [
            band("a-long-name-of-a-fault", 0.0, 1.0),
            band("b", 2.0, 3.0),
            band("c", 50.0, 60.0),
        ];
        assert_eq!(lanes(&bands, |t| t * 10.0), [0, 1, 0]);
    }

    #[test]
    fn a_gap_breaks_the_line_and_a_lone_value_is_a_dot() {
        let mark = Mark {
            name: "<client>".into(),
            colour: 7,
            shape: Shape::Line,
            points: vec![
                (0.0, Some(1.0)),
                (1.0, None),
                (2.0, Some(0.5)),
                (3.0, Some(0.5)),
            ],
        };
        let panel = Panel {
            title: "success".into(),
            axis: Axis::share(),
            number: |v| v.to_string(),
            marks: vec![mark],
        };
        let figure = Figure {
            title: "t".into(),
            time: (0.0, 4.0),
            bands: vec![],
            panels: vec![panel],
        };
        let svg = figure.svg();
        assert!(svg.contains("d=\"M62 30h0.01M456 89L653 89\""), "{svg}");
        assert!(svg.contains("&lt;client&gt;") && svg.contains("line s1"));
    }
}
