//! [`Picture`] → SVG: one file, no script, nothing from outside; light or dark as the reader has it.

mod key;
mod style;

use super::layout::{self, Frame, NAME, NUMBER, Placed, Rect, SMALL, Scene};
use super::place::{Form, Point};
use super::text::{width, xml};
use super::{Edge, EdgeKind, End, Look, Picture};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Around everything.
const MARGIN: f64 = 28.0;
/// Height of the title.
const TITLE: f64 = 44.0;

/// Where along an edge its label may stand, the best place first.
const ALONG: [f64; 9] = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82];
/// How far beside the line it may stand, where there is no room on it.
const BESIDE: [f64; 5] = [0.0, 20.0, -20.0, 30.0, -30.0];

/// The picture as an SVG document.
pub fn svg(picture: &Picture) -> String {
    let scene = layout::scene(picture);
    let title = width(&picture.title, 20.0) + width(&picture.subtitle, NAME) + 30.0;
    let wide = scene.size.0.max(title).max(560.0);
    let key = key::key(picture, wide);
    let size = (
        wide + 2.0 * MARGIN,
        TITLE + scene.size.1 + key.height + 2.0 * MARGIN,
    );
    let mut out = Out(String::new());
    out.open(picture, size);
    let left = MARGIN + (wide - scene.size.0) / 2.0;
    let _ = writeln!(
        out.0,
        "<g transform=\"translate({} {})\">",
        n(left),
        n(MARGIN + TITLE)
    );
    draw(&mut out, picture, &scene);
    out.0.push_str("</g>\n");
    let top = MARGIN + TITLE + scene.size.1;
    let _ = writeln!(
        out.0,
        "<g transform=\"translate({} {})\">",
        n(MARGIN),
        n(top)
    );
    out.0.push_str(&key.text);
    out.0.push_str("</g>\n</svg>\n");
    out.0
}

/// A coordinate: a tenth of a pixel is exact enough, and the same on every machine.
fn n(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    match rounded == 0.0 {
        true => "0".to_owned(),
        false => rounded.to_string(),
    }
}

/// SVG being written.
struct Out(String);

impl Out {
    fn open(&mut self, picture: &Picture, (w, h): Point) {
        let (w, h) = (n(w.ceil()), n(h.ceil()));
        let title = xml(&picture.title);
        let _ = write!(
            self.0,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-labelledby=\"t d\">\n\
             <title id=\"t\">{title}</title>\n<desc id=\"d\">Network lab {title}: {}</desc>\n\
             <style>{}</style>\n\
             <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
            xml(&picture.subtitle),
            style::STYLE,
        );
        let at = (MARGIN, MARGIN + 20.0);
        self.text("title", at, &picture.title);
        let behind = MARGIN + width(&picture.title, 20.0) + 14.0;
        self.text("quiet", (behind, at.1), &picture.subtitle);
    }

    fn text(&mut self, class: &str, (x, y): Point, text: &str) {
        let _ = writeln!(
            self.0,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
            n(x),
            n(y),
            xml(text)
        );
    }

    fn rect(&mut self, class: &str, rect: Rect, round: f64) {
        let Rect { x, y, w, h } = rect;
        let _ = writeln!(
            self.0,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
            n(x),
            n(y),
            n(w),
            n(h),
            n(round)
        );
    }

    fn line(&mut self, class: &str, a: Point, b: Point) {
        let _ = writeln!(
            self.0,
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            n(a.0),
            n(a.1),
            n(b.0),
            n(b.1)
        );
    }

    /// A line with a head at `b`.
    fn arrow(&mut self, class: &str, a: Point, b: Point) {
        self.line(class, a, b);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let far = (dx * dx + dy * dy).sqrt().max(1.0);
        let (ux, uy) = (dx / far, dy / far);
        let foot = (b.0 - ux * 8.0, b.1 - uy * 8.0);
        let _ = writeln!(
            self.0,
            "<path class=\"{class}-head\" d=\"M{} {}L{} {}L{} {}Z\"/>",
            n(b.0),
            n(b.1),
            n(foot.0 - uy * 3.6),
            n(foot.1 + ux * 3.6),
            n(foot.0 + uy * 3.6),
            n(foot.1 - ux * 3.6)
        );
    }

    /// The outline of a node: each look has a shape of its own.
    fn outline(&mut self, look: Look, rect: Rect) {
        let Rect { x, y, w, h } = rect;
        let class = format!("node {}", look.word());
        let cut = (h * 0.36).min(w / 2.0);
        let path = |points: &[(f64, f64)]| {
            let points: Vec<String> = points
                .iter()
                .map(|(x, y)| format!("{},{}", n(*x), n(*y)))
                .collect();
            points.join(" ")
        };
        let points = match look {
            Look::Server => return self.rect(&class, rect, 2.0),
            Look::Client => return self.rect(&class, rect, h / 2.0),
            Look::Peer => vec![
                (x + cut, y),
                (x + w - cut, y),
                (x + w, y + h / 2.0),
                (x + w - cut, y + h),
                (x + cut, y + h),
                (x, y + h / 2.0),
            ],
            Look::Image => vec![
                (x, y),
                (x + w - cut, y),
                (x + w, y + cut),
                (x + w, y + h),
                (x, y + h),
            ],
            Look::Host => vec![(x + cut, y), (x + w - cut, y), (x + w, y + h), (x, y + h)],
            Look::Router => vec![(x + cut, y), (x + w, y), (x + w - cut, y + h), (x, y + h)],
        };
        let _ = writeln!(
            self.0,
            "<polygon class=\"{class}\" points=\"{}\"/>",
            path(&points)
        );
    }

    /// A round mark, wider for more text.
    fn badge(&mut self, at: Point, text: &str) {
        let w = (width(text, 10.0) + 8.0).max(16.0);
        self.rect(
            "badge",
            Rect {
                x: at.0 - w / 2.0,
                y: at.1 - 8.0,
                w,
                h: 16.0,
            },
            8.0,
        );
        self.text("badge-text", (at.0, at.1 + 3.5), text);
    }
}

fn draw(out: &mut Out, picture: &Picture, scene: &Scene) {
    for panel in &scene.panels {
        out.rect("panel", panel.rect, 10.0);
    }
    for frame in scene.groups.values() {
        out.rect("group", frame.rect, 8.0);
    }
    attachments(out, picture, scene);
    unframed(out, picture, scene);
    let mut taken: Vec<Rect> = scene
        .nodes
        .iter()
        .flatten()
        .map(|placed| placed.rect)
        .collect();
    taken.extend(scene.panels.iter().map(heading_rect));
    let mut edges: Vec<&Edge> = picture.edges.iter().collect();
    edges.sort_by_key(|edge| edge.kind);
    for edge in &edges {
        line(out, picture, edge, scene);
    }
    for frame in scene.panels.iter().chain(scene.groups.values()) {
        heading(out, frame);
    }
    for (at, text) in &scene.captions {
        out.text("caption", *at, text);
        let w = width(text, SMALL);
        taken.push(Rect {
            x: at.0 - w / 2.0,
            y: at.1 - 10.0,
            w,
            h: 14.0,
        });
    }
    taken.extend(scene.groups.values().map(heading_rect));
    for (node, placed) in picture.nodes.iter().zip(&scene.nodes) {
        if let Some(placed) = placed {
            self::node(out, node, placed);
        }
    }
    for edge in edges.iter().filter(|edge| !edge.label.is_empty()) {
        label(out, picture, edge, scene, &mut taken);
    }
}

fn heading(out: &mut Out, frame: &Frame) {
    let at = heading_rect(frame);
    let y = at.y + 12.0;
    out.text("head", (at.x, y), &frame.head);
    let behind = at.x + width(&frame.head, NAME) + 10.0;
    out.text("quiet", (behind, y), &frame.detail);
}

fn heading_rect(frame: &Frame) -> Rect {
    let Rect { x, y, h, .. } = frame.rect;
    let w = width(&frame.head, NAME) + 10.0 + width(&frame.detail, SMALL);
    let y = if frame.below { y + h - 26.0 } else { y + 12.0 };
    Rect {
        x: x + 16.0,
        y,
        w,
        h: 16.0,
    }
}

/// Lines from nodes that are in several networks to these, where no wire says to whom.
fn attachments(out: &mut Out, picture: &Picture, scene: &Scene) {
    for (node, placed) in picture.nodes.iter().zip(&scene.nodes) {
        let Some(placed) = placed.as_ref().filter(|_| node.networks.len() > 1) else {
            continue;
        };
        for &network in &node.networks {
            let wired = picture.networks.get(network).is_some_and(|area| !area.full);
            if let Some(panel) = scene.panels.get(network).filter(|_| !wired) {
                let own = placed.rect.middle();
                let Rect { x, y, w, h } = panel.rect;
                let near = (
                    own.0.clamp(x + 12.0, x + w - 12.0),
                    own.1.clamp(y + 12.0, y + h - 12.0),
                );
                let near = match own.0 < x || own.0 > x + w {
                    true => (own.0.clamp(x, x + w), near.1),
                    false => (near.0, own.1.clamp(y, y + h)),
                };
                out.line("wire", own, near);
            }
        }
    }
}

/// Lines to a group that has no frame, because a network's shape holds it, get one to end at.
fn unframed(out: &mut Out, picture: &Picture, scene: &Scene) {
    let ends = picture.edges.iter().flat_map(|edge| [edge.from, edge.to]);
    let groups: BTreeSet<usize> = ends
        .filter_map(|end| match end {
            End::Group(group) => Some(group).filter(|group| !scene.groups.contains_key(group)),
            End::Node(_) => None,
        })
        .collect();
    for group in groups {
        if let Some(rect) = rect_of(picture, End::Group(group), scene) {
            out.rect("around", rect, 8.0);
        }
    }
}

/// The smallest rectangle around nodes, with a margin.
fn around(members: &[usize], scene: &Scene) -> Option<Rect> {
    let rects = || {
        members
            .iter()
            .filter_map(|at| Some(scene.nodes.get(*at)?.as_ref()?.rect))
    };
    let first = rects().next()?;
    let (x, y) = rects().fold((first.x, first.y), |low, rect| {
        (low.0.min(rect.x), low.1.min(rect.y))
    });
    let far = |high: Point, rect: Rect| (high.0.max(rect.x + rect.w), high.1.max(rect.y + rect.h));
    let (right, bottom) = rects().fold((x, y), far);
    Some(Rect {
        x: x - 8.0,
        y: y - 8.0,
        w: right - x + 16.0,
        h: bottom - y + 16.0,
    })
}

fn rect_of(picture: &Picture, end: End, scene: &Scene) -> Option<Rect> {
    match end {
        End::Node(node) => Some(scene.nodes.get(node)?.as_ref()?.rect),
        End::Group(group) => {
            let frame = scene.groups.get(&group).map(|frame| frame.rect);
            frame.or_else(|| around(&picture.groups.get(group)?.members, scene))
        }
    }
}

/// Both ends of an edge, outside of what it connects.
fn ends(picture: &Picture, edge: &Edge, scene: &Scene) -> Option<(Point, Point)> {
    let (a, b) = (
        rect_of(picture, edge.from, scene)?,
        rect_of(picture, edge.to, scene)?,
    );
    // What has no head ends behind the middle of a card.
    if edge.kind != EdgeKind::Asks && matches!((edge.from, edge.to), (End::Node(_), End::Node(_))) {
        return Some((a.middle(), b.middle()));
    }
    // A line to a frame ends at the side that faces the other end.
    let side = |frame: Rect, other: Rect| {
        // Beside each other: low, since what connects their networks stands between them.
        if other.x > frame.x + frame.w {
            return (frame.x + frame.w, frame.y + frame.h - 8.0);
        }
        if other.x + other.w < frame.x {
            return (frame.x, frame.y + frame.h - 8.0);
        }
        let (x, y) = other.middle();
        let x = x.clamp(frame.x + 10.0, frame.x + frame.w - 10.0);
        (
            x,
            if y < frame.y {
                frame.y
            } else {
                frame.y + frame.h
            },
        )
    };
    let group = |end: End| matches!(end, End::Group(_));
    let p = if group(edge.from) {
        side(a, b)
    } else {
        a.border(b.middle(), 0.0)
    };
    let q = if group(edge.to) {
        side(b, a)
    } else {
        b.border(p, 3.0)
    };
    Some((p, q))
}

fn line(out: &mut Out, picture: &Picture, edge: &Edge, scene: &Scene) {
    let Some((a, b)) = ends(picture, edge, scene) else {
        return;
    };
    let bundle = matches!(edge.from, End::Group(_)) || matches!(edge.to, End::Group(_));
    match (edge.kind, bundle) {
        (EdgeKind::Asks, true) => out.arrow("asks bundle", a, b),
        (EdgeKind::Asks, false) => out.arrow("asks", a, b),
        (EdgeKind::Wire, _) => out.line("wire", a, b),
        (EdgeKind::Knows, _) => out.line("knows", a, b),
        (EdgeKind::Link, _) => out.line("link", a, b),
        (EdgeKind::Fault, _) => out.line("fault", a, b),
    }
}

fn label(out: &mut Out, picture: &Picture, edge: &Edge, scene: &Scene, taken: &mut Vec<Rect>) {
    let Some((a, b)) = ends(picture, edge, scene) else {
        return;
    };
    let fault = edge.kind == EdgeKind::Fault;
    let (w, h) = match fault {
        true => (18.0, 18.0),
        false => (width(&edge.label, SMALL) + 10.0, 18.0),
    };
    let length = (b.0 - a.0).hypot(b.1 - a.1).max(1.0);
    let beside = (-(b.1 - a.1) / length, (b.0 - a.0) / length);
    let at = |share: f64, away: f64| {
        let x = a.0 + (b.0 - a.0) * share + beside.0 * away;
        let y = a.1 + (b.1 - a.1) * share + beside.1 * away;
        Rect {
            x: x - w / 2.0,
            y: y - h / 2.0,
            w,
            h,
        }
    };
    let free = |rect: &Rect| !taken.iter().any(|other| other.meets(rect));
    let tries = BESIDE
        .iter()
        .flat_map(|away| ALONG.iter().map(|share| at(*share, *away)));
    let rect = tries.into_iter().find(free);
    let rect = rect.unwrap_or_else(|| at(0.5, 0.0));
    taken.push(rect);
    let (x, y) = rect.middle();
    if fault {
        out.badge((x, y), &edge.label);
        return;
    }
    out.rect("label", rect, 4.0);
    out.text("label-text", (x, y + 4.0), &edge.label);
}

fn node(out: &mut Out, node: &super::Node, placed: &Placed) {
    let _ = writeln!(out.0, "<g><title>{}</title>", xml(&told(node)));
    let rect = placed.rect;
    let (x, y) = rect.middle();
    out.outline(node.look, rect);
    match (placed.form, placed.outwards) {
        (Form::Card(..), _) => out.text("name", (x, y + 4.5), &placed.text),
        (Form::Number(..), _) => out.text("number", (x, y + 3.7), &placed.text),
        (Form::Dot, Some(outwards)) => turned(out, (x, y), outwards, &placed.text),
        (Form::Dot, None) => {}
    }
    if !node.marks.is_empty() {
        let corner = match placed.form {
            Form::Dot if placed.outwards.is_some() => {
                let (dx, dy) = placed.outwards.unwrap_or_default();
                (x - dx * 15.0, y - dy * 15.0)
            }
            Form::Card(..) => (rect.x + rect.w - 3.0, rect.y - 1.0),
            Form::Number(..) | Form::Dot => (rect.x + rect.w, rect.y - 2.0),
        };
        out.badge(corner, &node.marks.join(" "));
    }
    out.0.push_str("</g>\n");
}

/// The label of a dot on a circle: along the line from the middle, never upside down.
fn turned(out: &mut Out, (x, y): Point, (dx, dy): Point, text: &str) {
    let mut angle = dy.atan2(dx).to_degrees();
    let (x, y) = (x + dx * 9.0, y + dy * 9.0);
    let mut side = "start";
    if dx < -1e-6 {
        angle += 180.0;
        side = "end";
    }
    let _ = writeln!(
        out.0,
        "<text class=\"dot\" text-anchor=\"{side}\" transform=\"translate({} {}) rotate({})\" dy=\"3.5\">{}</text>",
        n(x),
        n(y),
        n(angle),
        xml(text)
    );
    let _ = NUMBER;
}

/// What the pointer is told.
fn told(node: &super::Node) -> String {
    let faults = match node.marks.is_empty() {
        true => String::new(),
        false => format!(", faults {}", node.marks.join(" ")),
    };
    format!("{} ({}{faults})", node.name, node.look.word())
}
