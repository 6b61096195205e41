//! Every shape: degrees, edges, connectivity, and draws that never change.

use super::*;
use proptest::prelude::*;

fn graph(shape: Shape, count: usize, seed: u64) -> Graph {
    Graph::new(shape, count, seed).unwrap()
}

fn degrees(graph: &Graph) -> Vec<usize> {
    (0..graph.count())
        .map(|at| graph.neighbours(at).len())
        .collect()
}

fn connected(graph: &Graph) -> bool {
    graph.count() == 0 || graph.next_hops(0).iter().all(Option::is_some)
}

/// Steps of the shortest way from `from`, by relaxing until nothing changes: slow and plain.
fn distances(graph: &Graph, from: usize) -> Vec<usize> {
    let mut far = vec![usize::MAX; graph.count()];
    far[from] = 0;
    for _ in 0..graph.count() {
        for (a, b) in graph.edges() {
            let (a, b) = (a as usize, b as usize);
            far[b] = far[b].min(far[a].saturating_add(1));
            far[a] = far[a].min(far[b].saturating_add(1));
        }
    }
    far
}

/// Following the hops of each node on the way arrives, in as many steps as the shortest way has.
fn ways_are_shortest(graph: &Graph) -> Result<(), TestCaseError> {
    let tables: Vec<_> = (0..graph.count()).map(|at| graph.next_hops(at)).collect();
    for from in 0..graph.count() {
        for (to, distance) in distances(graph, from).into_iter().enumerate() {
            let mut at = from;
            for _ in 0..distance {
                let next = tables[at][to].unwrap() as usize;
                prop_assert!(graph.neighbours(at).contains(&(next as u32)));
                at = next;
            }
            prop_assert_eq!(at, to);
        }
    }
    Ok(())
}

fn simple(graph: &Graph) -> Result<(), TestCaseError> {
    for at in 0..graph.count() {
        let list = graph.neighbours(at);
        prop_assert!(list.is_sorted_by(|a, b| a < b), "no edge twice");
        prop_assert!(!list.contains(&(at as u32)), "no loop");
        prop_assert!(
            list.iter()
                .all(|&b| graph.neighbours(b as usize).contains(&(at as u32)))
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn regular_shapes(n in 1..40_usize, hub in 0..40_usize, width in 1..9_usize, children in 1..5_usize) {
        let hub = hub % n;
        let by_shape = [
            (Shape::Full, n * (n - 1) / 2),
            (Shape::Star { hub }, n - 1),
            (Shape::Ring, if n < 3 { n - 1 } else { n }),
            (Shape::Line, n - 1),
            (Shape::Tree { children }, n - 1),
            (Shape::Grid { width }, (n - n.div_ceil(width)) + n.saturating_sub(width)),
        ];
        for (shape, edges) in by_shape {
            let graph = graph(shape, n, 0);
            prop_assert_eq!(graph.edges().count(), edges, "{:?} of {}", shape, n);
            prop_assert!(connected(&graph), "{:?} of {}", shape, n);
            simple(&graph)?;
            ways_are_shortest(&graph)?;
            let degrees = degrees(&graph);
            let most = degrees.iter().copied().max().unwrap_or(0);
            let bound = match shape {
                Shape::Full | Shape::Star { .. } => n - 1,
                Shape::Ring | Shape::Line => 2,
                Shape::Tree { children } => children + 1,
                _ => 4,
            };
            prop_assert!(most <= bound, "{:?} of {}: {}", shape, n, most);
            if let Shape::Star { hub } = shape {
                prop_assert_eq!(degrees[hub], n - 1);
            }
        }
    }

    #[test]
    fn random_graphs_are_regular_and_connected(n in 1..60_usize, degree in 1..60_usize, seed: u64) {
        let made = Graph::new(Shape::Random { degree }, n, seed);
        let full = degree + 1 >= n;
        match made {
            Err(ShapeError::Apart { .. }) => prop_assert!(degree == 1 && n > 2),
            Err(ShapeError::Odd { .. }) => prop_assert!(degree % 2 == 1 && n % 2 == 1 && !full),
            Err(other) => prop_assert!(false, "{}", other),
            Ok(graph) => {
                let expected = if full { n - 1 } else { degree };
                prop_assert!(degrees(&graph).iter().all(|&d| d == expected));
                prop_assert!(connected(&graph));
                simple(&graph)?;
                prop_assert_eq!(&graph, &super::tests::graph(Shape::Random { degree }, n, seed));
            }
        }
    }

    #[test]
    fn small_worlds_keep_their_edges(n in 1..60_usize, half in 1..8_usize, rewire in 0.0..=1.0_f64, seed: u64) {
        let degree = 2 * half;
        let graph = graph(Shape::SmallWorld { degree, rewire }, n, seed);
        let edges = if degree + 1 >= n { n * (n - 1) / 2 } else { n * half };
        prop_assert_eq!(graph.edges().count(), edges);
        prop_assert!(connected(&graph));
        simple(&graph)?;
        ways_are_shortest(&graph)?;
    }
}

#[test]
fn a_ring_goes_the_shorter_way_and_the_lower_one_of_two() {
    let hops = |own, count| -> Vec<u32> {
        let hops = graph(Shape::Ring, count, 0).next_hops(own);
        hops.into_iter().map(Option::unwrap).collect()
    };
    assert_eq!(hops(0, 7), [0, 1, 1, 1, 6, 6, 6]);
    assert_eq!(hops(2, 6), [1, 1, 2, 3, 3, 1]);
    assert_eq!(hops(0, 6), [0, 1, 1, 1, 5, 5]);
    assert_eq!(hops(0, 1), [0]);
    assert_eq!(hops(1, 2), [0, 1]);
    assert_eq!(hops(1, 3), [0, 1, 2]);
}

#[test]
fn squares() {
    let widths: Vec<usize> = [0, 1, 2, 4, 5, 9, 10].into_iter().map(square).collect();
    assert_eq!(widths, [1, 1, 2, 2, 3, 3, 4]);
}

#[test]
fn impossible_graphs_are_refused() {
    let refused = |shape| Graph::new(shape, 5, 1).unwrap_err().to_string();
    assert!(refused(Shape::Random { degree: 3 }).contains("even"));
    assert!(refused(Shape::Random { degree: 1 }).contains("pairs"));
    let lopsided = Shape::SmallWorld {
        degree: 3,
        rewire: 0.1,
    };
    assert!(refused(lopsided).contains("odd"));
}

/// "Same seed, same lab" on every machine and in every version: these may never change.
#[test]
fn the_draws_are_frozen() {
    let edges = |shape, seed| -> Vec<(u32, u32)> { graph(shape, 8, seed).edges().collect() };
    let random = Shape::Random { degree: 3 };
    let small = Shape::SmallWorld {
        degree: 4,
        rewire: 0.5,
    };
    assert_eq!(edges(random, 7), FROZEN_RANDOM);
    assert_eq!(edges(small, 7), FROZEN_SMALL_WORLD);
    assert_ne!(edges(random, 8), FROZEN_RANDOM);
    assert_ne!(edges(small, 8), FROZEN_SMALL_WORLD);
}
const FROZEN_RANDOM: [(u32, u32); 12] = [
    (0, 1),
    (0, 4),
    (0, 6),
    (1, 6),
    (1, 7),
    (2, 3),
    (2, 4),
    (2, 5),
    (3, 5),
    (3, 7),
    (4, 7),
    (5, 6),
];
const FROZEN_SMALL_WORLD: [(u32, u32); 16] = [
    (0, 1),
    (0, 2),
    (0, 4),
    (0, 6),
    (0, 7),
    (1, 2),
    (1, 3),
    (1, 5),
    (1, 7),
    (2, 3),
    (2, 4),
    (3, 4),
    (3, 7),
    (4, 5),
    (5, 6),
    (6, 7),
];
