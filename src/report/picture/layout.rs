//! [`Picture`] → places: blocks of nodes in panels of networks, in pixels from the upper left corner.
//!
//! Must not know how anything is written.

use super::place::{self, Block, Form, Point, Shape};
use super::text::{shortened, width};
use super::{EdgeKind, End, Picture};
use std::collections::BTreeMap;

/// Font sizes of names and of numbers.
pub(super) const NAME: f64 = 13.0;
pub(super) const NUMBER: f64 = 10.5;
/// Font size of what helps.
pub(super) const SMALL: f64 = 11.5;
/// Longest name, in characters, that is written as it is.
const LONGEST: usize = 26;
/// Around the nodes of a group, between blocks, between rows of blocks, around a network.
const PAD: f64 = 16.0;
const GAP: f64 = 30.0;
const ROWS: f64 = 74.0;
const FRAME: f64 = 24.0;
/// Height of a heading.
const HEAD: f64 = 26.0;
/// Nodes that all know each other stand in a circle up to here.
const CIRCLE: usize = 40;
/// The widest row of blocks.
const WIDEST: f64 = 1120.0;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    pub(super) fn middle(&self) -> Point {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Where the line from the middle towards `to` leaves, `gap` outside.
    pub(super) fn border(&self, to: Point, gap: f64) -> Point {
        let (x, y) = self.middle();
        let (dx, dy) = (to.0 - x, to.1 - y);
        let over = |half: f64, d: f64| {
            if d == 0.0 {
                f64::INFINITY
            } else {
                (half + gap) / d.abs()
            }
        };
        let share = over(self.w / 2.0, dx).min(over(self.h / 2.0, dy)).min(1.0);
        (x + dx * share, y + dy * share)
    }

    pub(super) fn meets(&self, other: &Rect) -> bool {
        let across = self.x < other.x + other.w && other.x < self.x + self.w;
        across && self.y < other.y + other.h && other.y < self.y + self.h
    }
}

/// A node in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub rect: Rect,
    pub form: Form,
    /// What is written in it or beside it.
    pub text: String,
    /// Of a dot on a circle: the direction in which its label stands.
    pub outwards: Option<Point>,
}

/// A frame with a heading.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    pub rect: Rect,
    /// Heading and what stands behind it, quieter.
    pub head: String,
    pub detail: String,
    /// Whether the heading stands at the lower edge.
    pub below: bool,
}

/// Everything in its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    pub size: Point,
    /// In the picture's order; none only if the picture is inconsistent.
    pub nodes: Vec<Option<Placed>>,
    /// Panels of networks, in the picture's order.
    pub panels: Vec<Frame>,
    /// Frames of groups.
    pub groups: BTreeMap<usize, Frame>,
    /// Words below single nodes.
    pub captions: Vec<(Point, String)>,
}

/// Lays out a picture.
pub(super) fn scene(picture: &Picture) -> Scene {
    let mut scene = Scene {
        nodes: vec![None; picture.nodes.len()],
        ..Scene::default()
    };
    let mut panels = Vec::new();
    for network in 0..picture.networks.len() {
        let alone = |node: &usize| picture.nodes[*node].networks == [network];
        let members: Vec<usize> = (0..picture.nodes.len()).filter(alone).collect();
        panels.push(panel(picture, network, &members));
    }
    let between: Vec<usize> = (0..picture.nodes.len())
        .filter(|at| picture.nodes[*at].networks.len() > 1)
        .collect();
    match chain(picture, &between) {
        true => in_a_row(picture, panels, &between, &mut scene),
        false => below_routers(picture, panels, &between, &mut scene),
    }
    scene
}

/// A panel before it has its place: its size, and everything in it.
struct Panel {
    size: Point,
    inside: Scene,
    frame: Frame,
}

/// Whether every node between networks connects one with the next.
fn chain(picture: &Picture, between: &[usize]) -> bool {
    let next = |at: &usize| {
        let mut networks = picture.nodes[*at].networks.clone();
        networks.sort_unstable();
        networks.len() == 2 && networks[1] == networks[0] + 1
    };
    picture.networks.len() <= 4 && between.iter().all(next)
}

fn panel(picture: &Picture, network: usize, members: &[usize]) -> Panel {
    let area = &picture.networks[network];
    let mut inside = Scene {
        nodes: vec![None; picture.nodes.len()],
        ..Scene::default()
    };
    let size = if area.full {
        stacked(picture, members, &mut inside)
    } else {
        // Whoever is in other networks, too, leaves its place in the shape empty.
        let inside_of = |node: &usize| picture.nodes[*node].networks.contains(&network);
        let all: Vec<usize> = (0..picture.nodes.len()).filter(inside_of).collect();
        let size = one(picture, &all, EdgeKind::Wire, (0.0, 0.0), &mut inside);
        for node in all.iter().filter(|node| !members.contains(node)) {
            inside.nodes[*node] = None;
        }
        size
    };
    let head = match picture.networks.len() {
        1 => "network".to_owned(),
        _ => format!("network {}", area.name),
    };
    let detail = format!("{}, every pair: {}", area.subnet, area.link);
    let needs = width(&head, NAME) + width(&detail, SMALL) + 16.0;
    let size = (size.0.max(needs) + 2.0 * FRAME, size.1 + 2.0 * FRAME + HEAD);
    let rect = Rect {
        x: 0.0,
        y: 0.0,
        w: size.0,
        h: size.1,
    };
    Panel {
        size,
        inside,
        frame: Frame {
            rect,
            head,
            detail,
            below: false,
        },
    }
}

/// The width of what is written of these nodes, as names and as numbers.
fn widths(picture: &Picture, members: &[usize]) -> (f64, f64) {
    let most = |all: &mut dyn Iterator<Item = f64>| all.fold(0.0, f64::max);
    let names = &mut members
        .iter()
        .map(|&at| width(&shortened(&picture.nodes[at].name, LONGEST), NAME));
    let names = most(names);
    let numbers = &mut members
        .iter()
        .map(|&at| width(&picture.nodes[at].short, NUMBER));
    (names, most(numbers))
}

/// Nodes as one block by their edges of a kind, from `at`; returns its size.
fn one(
    picture: &Picture,
    members: &[usize],
    kind: EdgeKind,
    at: Point,
    scene: &mut Scene,
) -> Point {
    if members.is_empty() {
        return (0.0, 0.0);
    }
    let graph = picture.graph(members, kind);
    let group = &picture.groups[picture.nodes[members[0]].group];
    let shape = match group.all_know && kind == EdgeKind::Knows {
        true if members.len() <= CIRCLE => Shape::Circle((0..members.len()).collect()),
        true => Shape::Rows,
        false => place::shape(&graph),
    };
    let (name, number) = widths(picture, members);
    let block = place::place(&shape, members.len(), name, number, &graph);
    put(picture, members, &block, &shape, at, scene);
    block.size
}

fn put(
    picture: &Picture,
    members: &[usize],
    block: &Block,
    shape: &Shape,
    at: Point,
    scene: &mut Scene,
) {
    let (w, h) = place::size(block.form);
    let centre = (block.size.0 / 2.0, block.size.1 / 2.0);
    for (&node, point) in members.iter().zip(&block.at) {
        let text = match block.form {
            Form::Card(..) => shortened(&picture.nodes[node].name, LONGEST),
            Form::Number(..) | Form::Dot => shortened(&picture.nodes[node].short, 10),
        };
        let far = (point.0 - centre.0, point.1 - centre.1);
        let long = (far.0 * far.0 + far.1 * far.1).sqrt().max(1.0);
        let circle = matches!((block.form, shape), (Form::Dot, Shape::Circle(_)));
        let rect = Rect {
            x: at.0 + point.0 - w / 2.0,
            y: at.1 + point.1 - h / 2.0,
            w,
            h,
        };
        scene.nodes[node] = Some(Placed {
            rect,
            form: block.form,
            text,
            outwards: circle.then_some((far.0 / long, far.1 / long)),
        });
    }
}

/// The groups among these nodes as blocks: who is asked on top, who asks below.
fn stacked(picture: &Picture, members: &[usize], scene: &mut Scene) -> Point {
    let mut blocks: Vec<(usize, Vec<usize>)> = Vec::new();
    for &member in members {
        let group = picture.nodes[member].group;
        match blocks.iter_mut().find(|block| block.0 == group) {
            Some((_, list)) => list.push(member),
            None => blocks.push((group, vec![member])),
        }
    }
    let group = |end: End| match end {
        End::Node(node) => picture.nodes[node].group,
        End::Group(group) => group,
    };
    let place = |end: End| blocks.iter().position(|block| block.0 == group(end));
    let asks = picture
        .edges
        .iter()
        .filter(|edge| edge.kind == EdgeKind::Asks);
    let mut asks: Vec<(usize, usize)> = asks
        .filter_map(|edge| Some((place(edge.from)?, place(edge.to)?)))
        .collect();
    asks.sort_unstable();
    asks.dedup();
    let levels = place::levels(blocks.len(), &asks);
    let mut drawn: Vec<(usize, Scene, Point)> = Vec::new();
    for (at, (group, list)) in blocks.iter().enumerate() {
        let (inside, size) = block(picture, *group, list, levels[at] > 0);
        drawn.push((levels[at], inside, size));
    }
    drawn.sort_by_key(|(level, ..)| *level);
    rows_of(drawn, scene)
}

/// Puts blocks into rows, each in the middle; a row holds one level, or a part of it.
fn rows_of(drawn: Vec<(usize, Scene, Point)>, scene: &mut Scene) -> Point {
    type Row = (usize, f64, Vec<(Scene, Point)>);
    let mut rows: Vec<Row> = Vec::new();
    for (level, inside, size) in drawn {
        match rows.last_mut() {
            Some((of, wide, row)) if *of == level && *wide + GAP + size.0 <= WIDEST => {
                *wide += GAP + size.0;
                row.push((inside, size));
            }
            _ => rows.push((level, size.0, vec![(inside, size)])),
        }
    }
    let widest = rows.iter().map(|row| row.1).fold(0.0, f64::max);
    let (mut y, mut before) = (0.0, None);
    for (level, wide, row) in rows {
        if let Some(above) = before.replace(level) {
            y += if above == level { GAP } else { ROWS };
        }
        let tall = row.iter().map(|(_, size)| size.1).fold(0.0, f64::max);
        let mut x = (widest - wide) / 2.0;
        for (inside, size) in row {
            // Towards the level above.
            adopt(scene, inside, (x, y));
            x += size.0 + GAP;
        }
        y += tall;
    }
    (widest, y)
}

/// One group: a card with a caption, or a frame with a heading.
fn block(picture: &Picture, group: usize, list: &[usize], below: bool) -> (Scene, Point) {
    let mut scene = Scene {
        nodes: vec![None; picture.nodes.len()],
        ..Scene::default()
    };
    let of = &picture.groups[group];
    if let [single] = list {
        let size = one(picture, list, EdgeKind::Knows, (0.0, 0.0), &mut scene);
        if of.detail.is_empty() {
            return (scene, size);
        }
        let wide = size.0.max(width(&of.detail, SMALL));
        let shift = (wide - size.0) / 2.0;
        if let Some(placed) = &mut scene.nodes[*single] {
            placed.rect.x += shift;
            if !below {
                placed.rect.y += 27.0;
            }
        }
        let y = if below { size.1 + 16.0 } else { 11.0 };
        scene.captions.push(((wide / 2.0, y), of.detail.clone()));
        return (scene, (wide, size.1 + if below { 20.0 } else { 27.0 }));
    }
    let top = if below { PAD } else { PAD + HEAD };
    let size = one(picture, list, EdgeKind::Knows, (PAD, top), &mut scene);
    let head = format!("{} × {}", of.name, list.len());
    let mut detail = of.detail.clone();
    if of.all_know {
        let comma = if detail.is_empty() { "" } else { ", " };
        detail = format!("{detail}{comma}everyone knows everyone");
    }
    let needs = width(&head, NAME) + width(&detail, SMALL) + 14.0;
    let shift = ((needs - size.0) / 2.0).max(0.0);
    for placed in scene.nodes.iter_mut().flatten() {
        placed.rect.x += shift;
    }
    let size = (size.0.max(needs) + 2.0 * PAD, size.1 + 2.0 * PAD + HEAD);
    let rect = Rect {
        x: 0.0,
        y: 0.0,
        w: size.0,
        h: size.1,
    };
    scene.groups.insert(
        group,
        Frame {
            rect,
            head,
            detail,
            below,
        },
    );
    (scene, size)
}

/// Takes over everything of `from`, moved.
fn adopt(scene: &mut Scene, from: Scene, by: Point) {
    let moved = |rect: Rect| Rect {
        x: rect.x + by.0,
        y: rect.y + by.1,
        ..rect
    };
    for (own, placed) in scene.nodes.iter_mut().zip(from.nodes) {
        if let Some(placed) = placed {
            *own = Some(Placed {
                rect: moved(placed.rect),
                ..placed
            });
        }
    }
    for (group, frame) in from.groups {
        let rect = moved(frame.rect);
        // A group in several networks has several frames; edges use the first.
        scene.groups.entry(group).or_insert(Frame { rect, ..frame });
    }
    let captions = from.captions.into_iter();
    let moved = captions.map(|((x, y), text)| ((x + by.0, y + by.1), text));
    scene.captions.extend(moved);
}

fn add_panel(scene: &mut Scene, panel: Panel, at: Point) {
    let content = panel.inside;
    let reach = |of: fn(&Rect) -> f64| {
        let nodes = content
            .nodes
            .iter()
            .flatten()
            .map(|placed| of(&placed.rect));
        let frames = content.groups.values().map(|frame| of(&frame.rect));
        nodes.chain(frames).fold(0.0, f64::max)
    };
    let inner = panel.size.0 - 2.0 * FRAME;
    let shift = ((inner - reach(|rect| rect.x + rect.w)) / 2.0).max(0.0);
    adopt(scene, content, (at.0 + FRAME + shift, at.1 + FRAME + HEAD));
    let rect = Rect {
        x: at.0,
        y: at.1,
        w: panel.size.0,
        h: panel.size.1,
    };
    scene.panels.push(Frame {
        rect,
        ..panel.frame
    });
}

/// Networks from left to right, what connects two of them between these.
fn in_a_row(picture: &Picture, panels: Vec<Panel>, between: &[usize], scene: &mut Scene) {
    let tall = panels.iter().map(|panel| panel.size.1).fold(0.0, f64::max);
    let mut x = 0.0;
    for (network, panel) in panels.into_iter().enumerate() {
        let size = panel.size;
        add_panel(scene, panel, (x, (tall - size.1) / 2.0));
        x += size.0;
        let first = |at: &usize| picture.nodes[*at].networks.iter().min() == Some(&network);
        let here: Vec<usize> = between.iter().copied().filter(first).collect();
        if !here.is_empty() {
            let (name, _) = widths(picture, &here);
            let wide = (name + 28.0).max(56.0);
            let down = 64.0;
            let top = tall / 2.0 - down * (here.len() - 1) as f64 / 2.0;
            for (i, &node) in here.iter().enumerate() {
                let y = top + down * i as f64 - 15.0;
                router(
                    picture,
                    node,
                    Rect {
                        x: x + 48.0,
                        y,
                        w: wide,
                        h: 30.0,
                    },
                    scene,
                );
            }
            x += wide + 96.0;
        } else {
            x += GAP;
        }
    }
    let right = scene
        .panels
        .iter()
        .map(|p| p.rect.x + p.rect.w)
        .fold(0.0, f64::max);
    scene.size = (right, tall);
}

fn router(picture: &Picture, node: usize, rect: Rect, scene: &mut Scene) {
    scene.nodes[node] = Some(Placed {
        rect,
        form: Form::Card(rect.w, rect.h),
        text: shortened(&picture.nodes[node].name, LONGEST),
        outwards: None,
    });
}

/// What connects networks on top, these below.
fn below_routers(picture: &Picture, panels: Vec<Panel>, between: &[usize], scene: &mut Scene) {
    let mut x = 0.0;
    let top = 30.0 + 90.0;
    let tall = panels.iter().map(|panel| panel.size.1).fold(0.0, f64::max);
    for panel in panels {
        let wide = panel.size.0;
        add_panel(scene, panel, (x, top));
        x += wide + GAP;
    }
    let (name, _) = widths(picture, between);
    let wide = (name + 28.0).max(56.0);
    let all = between.len() as f64 * (wide + GAP) - GAP;
    let total = (x - GAP).max(all);
    let shift = (total - (x - GAP)) / 2.0;
    for panel in &mut scene.panels {
        panel.rect.x += shift;
    }
    for placed in scene.nodes.iter_mut().flatten() {
        placed.rect.x += shift;
    }
    for frame in scene.groups.values_mut() {
        frame.rect.x += shift;
    }
    for ((at, _), _) in &mut scene.captions {
        *at += shift;
    }
    for (i, &node) in between.iter().enumerate() {
        let x = (total - all) / 2.0 + i as f64 * (wide + GAP);
        router(
            picture,
            node,
            Rect {
                x,
                y: 0.0,
                w: wide,
                h: 30.0,
            },
            scene,
        );
    }
    scene.size = (total, top + tall);
}
