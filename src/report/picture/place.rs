//! Where the nodes of one block stand: rows, circles, lines, grids, trees, and, for graphs without a
//! shape, forces. Deterministic.

use netlab_protocol::draw;
use std::collections::VecDeque;
use std::f64::consts::TAU;

/// A place, in pixels.
pub(super) type Point = (f64, f64);

/// How nodes of a block are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// A card with the name in it.
    Card(f64, f64),
    /// A small card with the number in it.
    Number(f64, f64),
    /// A dot whose label stands outside, turned by its angle.
    Dot,
}

/// Names fit up to here, numbers up to there; of more only dots are drawn.
const NAMES: usize = 40;
const NUMBERS: usize = 600;
/// The widest row of cards and of numbers, in pixels.
const ROW: (f64, f64) = (1060.0, 860.0);
/// Forces are worth their time up to here.
const FORCES: usize = 400;

/// The shape of a graph, with what its layout has to know.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// No edges.
    Rows,
    /// Around a circle in this order.
    Circle(Vec<usize>),
    /// One in the middle.
    Star(usize),
    /// One after the other in this order.
    Line(Vec<usize>),
    /// Rows of this width.
    Grid(usize),
    /// Level by level below the first.
    Tree,
    /// None of these.
    Free,
}

/// What a graph looks like, given the neighbours of each.
pub(super) fn shape(graph: &[Vec<usize>]) -> Shape {
    let n = graph.len();
    let edges = graph.iter().map(Vec::len).sum::<usize>() / 2;
    if edges == 0 {
        return Shape::Rows;
    }
    if walk(graph, 0).len() < n {
        return Shape::Free;
    }
    let most = graph.iter().map(Vec::len).max().unwrap_or(0);
    if edges == n * (n - 1) / 2 && n > 2 {
        return Shape::Circle((0..n).collect());
    }
    if edges == n - 1 {
        let end = graph.iter().position(|list| list.len() == 1).unwrap_or(0);
        return match most {
            0..=2 => Shape::Line(walk(graph, end)),
            m if m == n - 1 => Shape::Star(graph.iter().position(|l| l.len() == m).unwrap_or(0)),
            _ => Shape::Tree,
        };
    }
    if most == 2 {
        return Shape::Circle(around(graph));
    }
    let width = graph[0].last().copied().unwrap_or(0);
    if width > 1 && is_grid(graph, width) {
        return Shape::Grid(width);
    }
    if (0..n).all(|i| graph[i].contains(&((i + 1) % n))) || n > FORCES {
        return Shape::Circle((0..n).collect());
    }
    Shape::Free
}

/// All that can be reached, breadth first.
fn walk(graph: &[Vec<usize>], from: usize) -> Vec<usize> {
    let mut seen = vec![false; graph.len()];
    let mut order = vec![from];
    seen[from] = true;
    let mut at = 0;
    while at < order.len() {
        for &next in &graph[order[at]] {
            if !std::mem::replace(&mut seen[next], true) {
                order.push(next);
            }
        }
        at += 1;
    }
    order
}

/// A ring in its order.
fn around(graph: &[Vec<usize>]) -> Vec<usize> {
    let mut order = vec![0];
    let (mut before, mut at) = (usize::MAX, 0);
    while order.len() < graph.len() {
        let next = graph[at]
            .iter()
            .copied()
            .find(|&next| next != before && next != 0);
        let Some(next) = next else { break };
        order.push(next);
        (before, at) = (at, next);
    }
    order
}

fn is_grid(graph: &[Vec<usize>], width: usize) -> bool {
    let n = graph.len();
    let wanted = |i: usize| {
        let left = (!i.is_multiple_of(width)).then(|| i - 1);
        let right = (!(i + 1).is_multiple_of(width) && i + 1 < n).then_some(i + 1);
        let above = i.checked_sub(width);
        let below = (i + width < n).then_some(i + width);
        let mut all: Vec<usize> = [above, left, right, below].into_iter().flatten().collect();
        all.sort_unstable();
        all
    };
    (0..n).all(|i| graph[i] == wanted(i))
}

/// A block with its nodes in place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// How its nodes are drawn.
    pub form: Form,
    /// Their middles, from the upper left corner of the block.
    pub at: Vec<Point>,
    /// Width and height.
    pub size: Point,
}

/// Places nodes whose names and numbers take this many pixels at most.
pub(super) fn place(
    shape: &Shape,
    count: usize,
    name: f64,
    number: f64,
    graph: &[Vec<usize>],
) -> Block {
    let card = Form::Card((name + 28.0).max(56.0), 30.0);
    let small = Form::Number((number + 14.0).max(24.0), 19.0);
    let form = match (shape, count) {
        (_, 0..=NAMES) => card,
        (Shape::Circle(_), _) | (_, NUMBERS..) => Form::Dot,
        _ => small,
    };
    let (w, h) = size(form);
    let at = match shape {
        Shape::Rows => rows(count, form),
        Shape::Circle(order) => circle(order, w.max(13.0 * f64::from(u8::from(form == Form::Dot)))),
        Shape::Star(hub) => star(count, *hub, w, h),
        Shape::Line(order) => snake(order, form),
        Shape::Grid(width) => lattice(count, *width, w + 26.0, h + 26.0),
        Shape::Tree => tree(graph, w, h),
        Shape::Free => forces(graph, w, h),
    };
    // The labels of dots stand outside.
    let margin = match (form, shape) {
        (Form::Dot, Shape::Circle(_)) => number + 14.0,
        _ => 0.0,
    };
    framed(form, at, margin)
}

/// Width and height of a node.
pub(super) fn size(form: Form) -> Point {
    match form {
        Form::Card(w, h) | Form::Number(w, h) => (w, h),
        Form::Dot => (8.0, 8.0),
    }
}

/// Moves everything so that the block begins at zero.
fn framed(form: Form, mut at: Vec<Point>, margin: f64) -> Block {
    let (w, h) = size(form);
    let (half, tall) = (w / 2.0 + margin, h / 2.0 + margin);
    let low = |of: fn(&Point) -> f64| at.iter().map(of).fold(f64::INFINITY, f64::min);
    let high = |of: fn(&Point) -> f64| at.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let (left, top) = (low(|p| p.0) - half, low(|p| p.1) - tall);
    let size = (high(|p| p.0) + half - left, high(|p| p.1) + tall - top);
    for point in &mut at {
        *point = (point.0 - left, point.1 - top);
    }
    Block { form, at, size }
}

fn lattice(count: usize, width: usize, dx: f64, dy: f64) -> Vec<Point> {
    let cell = |i: usize| ((i % width) as f64 * dx, (i / width) as f64 * dy);
    (0..count).map(cell).collect()
}

/// Columns for `count` nodes: one row if it fits, else rows of about equal length.
fn columns(count: usize, form: Form) -> (usize, Point) {
    let (w, h) = size(form);
    let ((gap, down), widest) = match form {
        Form::Card(..) => ((16.0, 16.0), ROW.0),
        Form::Number(..) => ((6.0, 7.0), ROW.1),
        Form::Dot => ((5.0, 5.0), ROW.1),
    };
    let fit = ((widest / (w + gap)) as usize).max(1);
    // Ten in a row, up to ten rows; beyond that as wide as there is room.
    let most = fit.min(count.div_ceil(10).max(10));
    let lines = count.div_ceil(most);
    (count.div_ceil(lines.max(1)).max(1), (w + gap, h + down))
}

fn rows(count: usize, form: Form) -> Vec<Point> {
    let (width, (dx, dy)) = columns(count, form);
    lattice(count, width, dx, dy)
}

/// A line, folded like a snake.
fn snake(order: &[usize], form: Form) -> Vec<Point> {
    let (width, (dx, dy)) = columns(order.len(), form);
    let mut at = vec![(0.0, 0.0); order.len()];
    for (i, &node) in order.iter().enumerate() {
        let (row, column) = (i / width, i % width);
        let column = if row % 2 == 0 {
            column
        } else {
            width - 1 - column
        };
        at[node] = (column as f64 * (dx + 14.0), row as f64 * (dy + 14.0));
    }
    at
}

fn turned(radius: f64, share: f64) -> Point {
    let angle = share * TAU - TAU / 4.0;
    (radius * angle.cos(), radius * angle.sin())
}

fn circle(order: &[usize], w: f64) -> Vec<Point> {
    let n = order.len() as f64;
    let gap = if w > 20.0 { 16.0 } else { 0.0 };
    let radius = (n * (w + gap) / TAU).max(w * 1.2 + 20.0);
    let mut at = vec![(0.0, 0.0); order.len()];
    for (i, &node) in order.iter().enumerate() {
        at[node] = turned(radius, i as f64 / n);
    }
    at
}

/// One in the middle, the others in rings around it.
fn star(count: usize, hub: usize, w: f64, h: f64) -> Vec<Point> {
    let others: Vec<usize> = (0..count).filter(|i| *i != hub).collect();
    let mut at = vec![(0.0, 0.0); count];
    let (mut radius, mut rest) = (w + 44.0, others.as_slice());
    while !rest.is_empty() {
        let fit = ((TAU * radius / (w + 14.0)) as usize)
            .max(3)
            .min(rest.len());
        let (ring, later) = rest.split_at(fit);
        for (i, &node) in ring.iter().enumerate() {
            at[node] = turned(radius, i as f64 / fit as f64);
        }
        (radius, rest) = (radius + w.max(h) + 22.0, later);
    }
    at
}

/// Children below their parents, or, where that is too wide, around the root.
fn tree(graph: &[Vec<usize>], w: f64, h: f64) -> Vec<Point> {
    let order = walk(graph, 0);
    let mut level = vec![0_usize; graph.len()];
    let mut parent = vec![0; graph.len()];
    let mut leaves = vec![0.0; graph.len()];
    let mut seen = vec![false; graph.len()];
    for &node in &order {
        seen[node] = true;
        for &next in graph[node].iter().filter(|next| !seen[**next]) {
            (level[next], parent[next]) = (level[node] + 1, node);
        }
    }
    for &node in order.iter().rev() {
        leaves[node] = f64::max(leaves[node], 1.0);
        if node != 0 {
            leaves[parent[node]] += leaves[node];
        }
    }
    // Where the next child of each begins, in leaves.
    let mut begin = vec![0.0; graph.len()];
    let mut middle = vec![leaves[0] / 2.0; graph.len()];
    for &node in order.iter().skip(1) {
        let start = begin[parent[node]];
        begin[parent[node]] += leaves[node];
        begin[node] = start;
        middle[node] = start + leaves[node] / 2.0;
    }
    let wide = leaves[0] * (w + 14.0);
    if wide <= ROW.0 {
        let at = |i: usize| (middle[i] * (w + 14.0), level[i] as f64 * (h + 42.0));
        return (0..graph.len()).map(at).collect();
    }
    let deepest = level.iter().copied().max().unwrap_or(1).max(1) as f64;
    let step = (wide / TAU / deepest).max(w + 16.0);
    let at = |i: usize| turned(level[i] as f64 * step, middle[i] / leaves[0]);
    (0..graph.len()).map(at).collect()
}

/// Springs and repulsion (Fruchterman and Reingold, "Graph drawing by force-directed placement",
/// 1991) from drawn places; only operations that every machine rounds alike.
fn forces(graph: &[Vec<usize>], w: f64, h: f64) -> Vec<Point> {
    let n = graph.len();
    let length = w.max(h) * 1.9 + 24.0;
    let side = length * (n as f64).sqrt();
    let start = |i: usize, axis: u64| draw::unit(1, &[i as u64, axis]) * side;
    let mut at: Vec<Point> = (0..n).map(|i| (start(i, 0), start(i, 1))).collect();
    let rounds = 300;
    for round in 0..rounds {
        let mut moved = vec![(0.0, 0.0); n];
        for (a, neighbours) in graph.iter().enumerate() {
            for b in 0..a {
                push(&at, &mut moved, a, b, |d| length * length / d);
            }
            for &b in neighbours.iter().filter(|b| **b < a) {
                push(&at, &mut moved, a, b, |d| -d * d / length);
            }
        }
        let heat = side / 8.0 * (1.0 - f64::from(round) / f64::from(rounds));
        for (point, by) in at.iter_mut().zip(&moved) {
            let far = (by.0 * by.0 + by.1 * by.1).sqrt().max(1e-9);
            let share = far.min(heat) / far;
            *point = (point.0 + by.0 * share, point.1 + by.1 * share);
        }
    }
    apart(&mut at, w + 10.0, h + 10.0);
    at
}

fn push(at: &[Point], moved: &mut [Point], a: usize, b: usize, force: impl Fn(f64) -> f64) {
    let (dx, dy) = (at[a].0 - at[b].0, at[a].1 - at[b].1);
    let far = (dx * dx + dy * dy).sqrt().max(0.1);
    let force = force(far) / far;
    moved[a] = (moved[a].0 + dx * force, moved[a].1 + dy * force);
    moved[b] = (moved[b].0 - dx * force, moved[b].1 - dy * force);
}

/// Moves cards that lie on each other apart, along the shorter way.
fn apart(at: &mut [Point], w: f64, h: f64) {
    for _ in 0..60 {
        let mut any = false;
        for a in 0..at.len() {
            for b in 0..a {
                let (dx, dy) = (at[a].0 - at[b].0, at[a].1 - at[b].1);
                let (over, under) = (w - dx.abs(), h - dy.abs());
                if over <= 0.0 || under <= 0.0 {
                    continue;
                }
                any = true;
                let (x, y) = match over < under {
                    true => (over / 2.0 * if dx < 0.0 { -1.0 } else { 1.0 }, 0.0),
                    false => (0.0, under / 2.0 * if dy < 0.0 { -1.0 } else { 1.0 }),
                };
                at[a] = (at[a].0 + x, at[a].1 + y);
                at[b] = (at[b].0 - x, at[b].1 - y);
            }
        }
        if !any {
            break;
        }
    }
}

/// Levels of blocks: those that nobody here asks of others are on top, who asks is below.
pub(super) fn levels(count: usize, asks: &[(usize, usize)]) -> Vec<usize> {
    let mut level = vec![0_usize; count];
    let mut queue: VecDeque<(usize, usize)> = asks.iter().copied().collect();
    // A ring of groups that ask each other would rise for ever.
    let mut left = asks.len() * count + 1;
    while let Some((from, to)) = queue.pop_front().filter(|_| left > 0) {
        left -= 1;
        if from != to && level[from] <= level[to] && level[to] < count {
            level[from] = level[to] + 1;
            queue.extend(asks.iter().filter(|ask| ask.1 == from).copied());
        }
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::shape::{Graph, Shape as Built};

    fn neighbours(shape: Built, n: usize) -> Vec<Vec<usize>> {
        let graph = Graph::new(shape, n, 7).unwrap();
        let of = |at| graph.neighbours(at).iter().map(|&b| b as usize).collect();
        (0..n).map(of).collect()
    }

    #[test]
    fn shapes_are_recognised() {
        let seen = |built, n| shape(&neighbours(built, n));
        assert_eq!(seen(Built::Full, 5), Shape::Circle((0..5).collect()));
        assert_eq!(seen(Built::Star { hub: 2 }, 6), Shape::Star(2));
        assert_eq!(seen(Built::Ring, 9), Shape::Circle((0..9).collect()));
        assert_eq!(seen(Built::Line, 4), Shape::Line((0..4).collect()));
        assert_eq!(seen(Built::Grid { width: 4 }, 15), Shape::Grid(4));
        assert_eq!(seen(Built::Tree { children: 2 }, 15), Shape::Tree);
        assert_eq!(seen(Built::Random { degree: 3 }, 20), Shape::Free);
        assert_eq!(shape(&[vec![], vec![]]), Shape::Rows);
    }

    #[test]
    fn no_two_nodes_lie_on_each_other() {
        for (built, n) in [
            (Built::Full, 8),
            (Built::Star { hub: 0 }, 200),
            (Built::Ring, 200),
            (Built::Line, 30),
            (Built::Grid { width: 15 }, 200),
            (Built::Tree { children: 2 }, 200),
            (Built::Random { degree: 4 }, 100),
        ] {
            let graph = neighbours(built, n);
            let block = place(&shape(&graph), n, 50.0, 20.0, &graph);
            let (w, h) = size(block.form);
            for a in 0..n {
                for b in 0..a {
                    let (dx, dy) = (block.at[a].0 - block.at[b].0, block.at[a].1 - block.at[b].1);
                    assert!(
                        dx.abs() >= w * 0.99 || dy.abs() >= h * 0.99,
                        "{built:?} {n}: {a} {b}"
                    );
                }
            }
        }
    }

    #[test]
    fn who_asks_is_below() {
        assert_eq!(levels(3, &[(1, 0), (2, 1)]), [0, 1, 2]);
        assert!(levels(2, &[(0, 1), (1, 0)]).iter().all(|&level| level <= 2));
    }
}
