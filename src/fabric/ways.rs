//! Shortest ways over the wires of one network.
//!
//! Owns who is the next hop. Pure; members are numbers from 0 in ascending order of their nodes.
//!
//! Breadth first from the sender, neighbours in ascending order: of the shortest ways the first in
//! lexicographic order. The rest of such a way is the first one from each hop on it, too, so that
//! every hop may look for itself.

/// No way, or no member.
const NONE: u16 = u16::MAX;
/// Hops to where no way leads.
pub(super) const NEVER: u16 = u16::MAX;

/// Next hops in a network of `count` members.
pub(super) struct Ways {
    count: usize,
    /// Next hop from a to b, at a × count + b; nothing where everyone is wired to everyone.
    next: Option<Vec<u16>>,
}

impl Ways {
    /// Everyone is wired to everyone.
    pub(super) fn full(count: usize) -> Ways {
        Ways { count, next: None }
    }

    /// Only these pairs are wired, in both directions. `ends`: these pass nothing on.
    pub(super) fn over(count: usize, wires: &[(usize, usize)], ends: &[usize]) -> Ways {
        let mut neighbours = vec![Vec::new(); count];
        for &(a, b) in wires {
            neighbours[a].push(b as u16);
            neighbours[b].push(a as u16);
        }
        neighbours.iter_mut().for_each(|all| all.sort_unstable());
        let mut next = vec![NONE; count * count];
        for target in 0..count {
            let hops = distances(&neighbours, ends, target);
            for (from, near) in neighbours.iter().enumerate() {
                let closer = |n: &&u16| {
                    let near = usize::from(**n);
                    hops[near] < hops[from] && (near == target || !ends.contains(&near))
                };
                let step = near.iter().find(closer).copied();
                next[from * count + target] = step.unwrap_or(NONE);
            }
            next[target * count + target] = target as u16;
        }
        Ways {
            count,
            next: Some(next),
        }
    }

    /// The first hop on the way; the target itself for a neighbour, and for oneself.
    pub(super) fn next(&self, from: usize, to: usize) -> Option<usize> {
        let Some(next) = &self.next else {
            return Some(to);
        };
        let hop = next[from * self.count + to];
        (hop != NONE).then_some(usize::from(hop))
    }

    /// Whether two members have a wire between them.
    pub(super) fn wired(&self, from: usize, to: usize) -> bool {
        from != to && self.next(from, to) == Some(to)
    }

    /// Hops from one member to another; [`NEVER`] without a way.
    pub(super) fn hops(&self, mut from: usize, to: usize) -> u16 {
        let mut hops = 0;
        while from != to {
            match self.next(from, to) {
                Some(next) => (from, hops) = (next, hops + 1),
                None => return NEVER,
            }
        }
        hops
    }
}

/// Hops from every member to `root`.
fn distances(neighbours: &[Vec<u16>], ends: &[usize], root: usize) -> Vec<u16> {
    let mut hops = vec![NEVER; neighbours.len()];
    let mut queue = Vec::with_capacity(neighbours.len());
    hops[root] = 0;
    queue.push(root);
    let mut at = 0;
    while let Some(&member) = queue.get(at) {
        at += 1;
        for &near in &neighbours[member] {
            let near = usize::from(near);
            if hops[near] == NEVER {
                hops[near] = hops[member] + 1;
                if !ends.contains(&near) {
                    queue.push(near);
                }
            }
        }
    }
    hops
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn of_equal_ways_the_lowest_hops_count() {
        // A ring of six: both ways from 0 to 3 have three hops.
        let wires = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)];
        let ring = Ways::over(6, &wires, &[]);
        assert_eq!((ring.next(0, 3), ring.next(3, 0)), (Some(1), Some(2)));
        assert_eq!((ring.next(0, 4), ring.hops(0, 4)), (Some(5), 2));
        assert!(ring.wired(0, 5) && !ring.wired(0, 2) && !ring.wired(0, 0));
        let island = Ways::over(4, &[(0, 1)], &[]);
        assert_eq!((island.next(0, 2), island.hops(2, 0)), (None, NEVER));
        assert_eq!(Ways::full(3).hops(0, 2), 1);
    }

    #[test]
    fn no_way_leads_over_an_end() {
        // A line of four whose ends are both wired to a fifth.
        let wires = [(0, 1), (1, 2), (2, 3), (0, 4), (3, 4)];
        assert_eq!(Ways::over(5, &wires, &[]).hops(0, 3), 2);
        let ways = Ways::over(5, &wires, &[4]);
        assert_eq!((ways.hops(0, 3), ways.next(0, 3)), (3, Some(1)));
        assert_eq!((ways.hops(4, 1), ways.hops(1, 4)), (2, 2));
        assert!(ways.wired(4, 3) && ways.wired(3, 4));
    }

    /// The way by a search from the sender alone.
    fn way(count: usize, wires: &[(usize, usize)], from: usize, to: usize) -> Option<Vec<usize>> {
        let mut ways = vec![vec![from]];
        while let Some(hops) = ways.first().map(Vec::len) {
            if hops > count {
                return None;
            }
            if let Some(found) = ways.iter().find(|way| way.last() == Some(&to)) {
                return Some(found.clone());
            }
            let mut longer = std::collections::BTreeMap::new();
            for way in &ways {
                let end = way[way.len() - 1];
                for near in 0..count {
                    let wired = wires.contains(&(end, near)) || wires.contains(&(near, end));
                    let more = || [way.as_slice(), &[near]].concat();
                    if wired && !way.contains(&near) {
                        longer.entry(near).or_insert_with(more);
                    }
                }
            }
            ways = longer.into_values().collect();
            ways.sort();
        }
        None
    }

    proptest! {
        #[test]
        fn every_hop_finds_the_way_of_the_sender(
            wires in prop::collection::vec((0_usize..7, 0_usize..7), 0..14),
            from in 0_usize..7,
            to in 0_usize..7,
        ) {
            let wires: Vec<_> = wires.into_iter().filter(|(a, b)| a != b).collect();
            let ways = Ways::over(7, &wires, &[]);
            let mut found = vec![from];
            while found.last() != Some(&to) {
                match ways.next(found[found.len() - 1], to) {
                    Some(next) => found.push(next),
                    None => break,
                }
                prop_assert!(found.len() <= 7);
            }
            match way(7, &wires, from, to) {
                Some(way) => prop_assert_eq!(found, way),
                None => prop_assert_eq!(ways.hops(from, to), NEVER),
            }
        }
    }
}
