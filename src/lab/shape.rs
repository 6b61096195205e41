//! Shapes of graphs: who is beside whom, and the way to the others.
//!
//! Owns the eight shapes, pure and seeded: the same shape, number and seed give the same graph on every
//! machine (only whole numbers are drawn). Every graph is connected. Must not know nodes, overlays or
//! links.

use netlab_protocol::draw;
use std::collections::{HashSet, VecDeque};

/// Exchanges of edges per edge of a random graph, and in all.
const EXCHANGES: (usize, usize) = (10, 500_000);
/// Draws of another end for one edge of a small world before it stays as it is.
const DRAWS: u64 = 64;

/// A shape with its parameters. Where there are too few for a degree, all are neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Everyone is beside everyone.
    Full,
    /// Everyone is beside this one.
    Star {
        /// The middle.
        hub: usize,
    },
    /// Each is beside the next one, the last one beside the first.
    Ring,
    /// Each is beside the next one.
    Line,
    /// Rows of this width; the last one may be shorter.
    Grid {
        /// Columns; at least 1.
        width: usize,
    },
    /// A tree filled level by level.
    Tree {
        /// Below each; at least 1.
        children: usize,
    },
    /// All have the same number of neighbours: a ring in drawn order, which keeps it connected, and
    /// beside it edges whose ends are exchanged at random.
    Random {
        /// Neighbours of each.
        degree: usize,
    },
    /// A ring in which each is beside its `degree` nearest; of the edges that are not the ring itself
    /// (it stays, so that the graph is connected) a share gets another end (after Watts and Strogatz,
    /// Nature 393, 1998).
    SmallWorld {
        /// Neighbours of each before edges get other ends; even.
        degree: usize,
        /// That share, 0 to 1.
        rewire: f64,
    },
}

/// Why there is no such graph: a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The sum of all degrees is even in any graph.
    #[error("{count} nodes cannot all have {degree} neighbours: one of the two has to be even")]
    Odd {
        /// Nodes.
        count: usize,
        /// Neighbours.
        degree: usize,
    },
    /// Pairs, and nothing between them.
    #[error("with one neighbour each, {count} nodes fall apart into pairs")]
    Apart {
        /// Nodes.
        count: usize,
    },
    /// As many on the left as on the right.
    #[error(
        "in a small world each has as many neighbours on the left as on the right: {degree} is odd"
    )]
    Lopsided {
        /// Neighbours.
        degree: usize,
    },
}

/// An undirected graph without loops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Of each, in ascending order.
    neighbours: Vec<Vec<u32>>,
}

impl Graph {
    /// The graph of `count` nodes.
    ///
    /// # Errors
    /// No such graph exists, or it would not be connected.
    pub fn new(shape: Shape, count: usize, seed: u64) -> Result<Graph, ShapeError> {
        let n = count;
        let ring = |n: usize| (0..n).map(move |i| (i, (i + 1) % n));
        let edges: Vec<(usize, usize)> = match shape {
            Shape::Full => full(n),
            Shape::Star { hub } => (0..n).filter(|i| *i != hub).map(|i| (hub, i)).collect(),
            Shape::Ring => ring(n).filter(|(a, b)| a != b).collect(),
            Shape::Line => (1..n).map(|i| (i - 1, i)).collect(),
            Shape::Grid { width } => grid(n, width.max(1)),
            Shape::Tree { children } => (1..n).map(|i| ((i - 1) / children.max(1), i)).collect(),
            Shape::Random { degree } if degree + 1 >= n => full(n),
            Shape::Random { degree } => random(n, degree, seed)?,
            Shape::SmallWorld { degree, .. } if degree % 2 == 1 => {
                return Err(ShapeError::Lopsided { degree });
            }
            Shape::SmallWorld { degree, .. } if degree + 1 >= n => full(n),
            Shape::SmallWorld { degree, rewire } => small_world(n, degree, rewire, seed),
        };
        Ok(Graph::of(n, &edges))
    }

    fn of(count: usize, edges: &[(usize, usize)]) -> Graph {
        let mut neighbours = vec![Vec::new(); count];
        for &(a, b) in edges {
            neighbours[a].push(b as u32);
            neighbours[b].push(a as u32);
        }
        for list in &mut neighbours {
            list.sort_unstable();
            list.dedup();
        }
        Graph { neighbours }
    }

    /// How many nodes there are.
    pub fn count(&self) -> usize {
        self.neighbours.len()
    }

    /// The neighbours of one, in ascending order.
    pub fn neighbours(&self, at: usize) -> &[u32] {
        self.neighbours.get(at).map_or(&[], Vec::as_slice)
    }

    /// The edges, each once, the smaller end first, in ascending order.
    pub fn edges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let of = |(a, list): (usize, &'_ Vec<u32>)| {
            let a = a as u32;
            list.iter()
                .map(move |&b| (a, b))
                .filter(|(a, b)| a < b)
                .collect::<Vec<_>>()
        };
        self.neighbours.iter().enumerate().flat_map(of)
    }

    /// For each node, the neighbour of `own` that is first on the shortest way there (of several the
    /// one that is found by looking at lower numbers first), neighbours and `own` itself included;
    /// none where there is no way.
    pub fn next_hops(&self, own: usize) -> Vec<Option<u32>> {
        let mut first = vec![None; self.count()];
        let Some(slot) = first.get_mut(own) else {
            return first;
        };
        *slot = Some(own as u32);
        let mut missing = self.count() - 1;
        let mut queue = VecDeque::from([own]);
        while let Some(at) = queue.pop_front().filter(|_| missing > 0) {
            for &next in self.neighbours(at) {
                if first[next as usize].is_none() {
                    first[next as usize] = if at == own { Some(next) } else { first[at] };
                    missing -= 1;
                    queue.push_back(next as usize);
                }
            }
        }
        first
    }
}

fn full(n: usize) -> Vec<(usize, usize)> {
    (0..n)
        .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
        .collect()
}

fn grid(n: usize, width: usize) -> Vec<(usize, usize)> {
    let left = (0..n).filter(|i| i % width > 0).map(|i| (i - 1, i));
    let above = (width..n).map(|i| (i - width, i));
    left.chain(above).collect()
}

/// The smallest width of a square that holds `count`.
pub fn square(count: usize) -> usize {
    (1..).find(|width| width * width >= count).unwrap_or(1)
}

/// The ends of an edge in the order in which sets hold them.
fn sorted(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// A circulant graph with its nodes in drawn order; then the ends of two edges that are not the ring
/// are exchanged many times, where that makes neither a loop nor a double edge.
fn random(n: usize, degree: usize, seed: u64) -> Result<Vec<(usize, usize)>, ShapeError> {
    if degree < 2 {
        return Err(ShapeError::Apart { count: n });
    }
    if n % 2 == 1 && degree % 2 == 1 {
        return Err(ShapeError::Odd { count: n, degree });
    }
    let order = draw::permutation(seed, &[1], n as u32);
    let edge = |i: usize, far: usize| sorted(order[i] as usize, order[(i + far) % n] as usize);
    let ring: Vec<_> = (0..n).map(|i| edge(i, 1)).collect();
    let mut others: Vec<_> = (2..=degree / 2)
        .flat_map(|far| (0..n).map(move |i| (i, far)))
        .map(|(i, far)| edge(i, far))
        .collect();
    if degree % 2 == 1 {
        others.extend((0..n / 2).map(|i| edge(i, n / 2)));
    }
    let mut taken: HashSet<(usize, usize)> = ring.iter().chain(&others).copied().collect();
    let exchanges = (others.len() * EXCHANGES.0).min(EXCHANGES.1);
    for at in 0..exchanges as u64 {
        let drawn = |what: u64| draw::below(seed, &[2, at, what], others.len() as u64) as usize;
        let (one, two) = (drawn(0), drawn(1));
        let (a, b) = others[one];
        let (c, d) = match draw::below(seed, &[2, at, 2], 2) {
            0 => others[two],
            _ => (others[two].1, others[two].0),
        };
        let (first, second) = (sorted(a, d), sorted(c, b));
        let loops = first.0 == first.1 || second.0 == second.1;
        if one == two || loops || taken.contains(&first) || taken.contains(&second) {
            continue;
        }
        taken.remove(&others[one]);
        taken.remove(&others[two]);
        taken.extend([first, second]);
        (others[one], others[two]) = (first, second);
    }
    Ok(ring.into_iter().chain(others).collect())
}

fn small_world(n: usize, degree: usize, rewire: f64, seed: u64) -> Vec<(usize, usize)> {
    let near = (1..=degree / 2).flat_map(|far| (0..n).map(move |i| (i, far)));
    let mut edges: Vec<_> = near
        .clone()
        .map(|(i, far)| sorted(i, (i + far) % n))
        .collect();
    let mut taken: HashSet<(usize, usize)> = edges.iter().copied().collect();
    for (at, (i, far)) in near.enumerate().filter(|(_, (_, far))| *far > 1) {
        let place = [i as u64, far as u64];
        if draw::unit(seed, &[3, place[0], place[1]]) >= rewire {
            continue;
        }
        let mut ends = (0..DRAWS).map(|attempt| {
            let end = draw::below(seed, &[4, place[0], place[1], attempt], n as u64);
            sorted(i, end as usize)
        });
        if let Some(edge) = ends.find(|edge| edge.0 != edge.1 && !taken.contains(edge)) {
            taken.remove(&edges[at]);
            taken.insert(edge);
            edges[at] = edge;
        }
    }
    edges
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
