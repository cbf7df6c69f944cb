//! Who works with whom: mailboxes as nodes, the rights between them as weighted edges.

/// An undirected graph with whole-number weights, in compressed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    rows: Vec<usize>,
    edges: Vec<(u32, u32)>,
}

impl Graph {
    /// A graph of `nodes` nodes. Edges between the same two are added up; those of a node with itself do not count, nor do those that
    /// name a node out of range.
    pub fn new(nodes: u32, edges: impl IntoIterator<Item = (u32, u32, u32)>) -> Self {
        let mut both: Vec<(u32, u32, u32)> = Vec::new();
        for (a, b, weight) in edges {
            if a != b && a < nodes && b < nodes && weight > 0 {
                both.push((a, b, weight));
                both.push((b, a, weight));
            }
        }
        both.sort_unstable();
        let mut rows = vec![0];
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(both.len());
        let mut both = both.into_iter().peekable();
        for node in 0..nodes {
            let begin = out.len();
            while let Some((_, other, weight)) = both.next_if(|(from, ..)| *from == node) {
                let same = out[begin..].last().is_some_and(|(last, _)| *last == other);
                match out.last_mut().filter(|_| same) {
                    Some(last) => last.1 = last.1.saturating_add(weight),
                    None => out.push((other, weight)),
                }
            }
            rows.push(out.len());
        }
        Self { rows, edges: out }
    }

    /// How many nodes it has.
    pub fn len(&self) -> u32 {
        u32::try_from(self.rows.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// True without nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The neighbours of a node with their weights, in order.
    pub fn neighbours(&self, node: u32) -> &[(u32, u32)] {
        let at = node as usize;
        match (self.rows.get(at), self.rows.get(at + 1)) {
            (Some(from), Some(to)) => &self.edges[*from..*to],
            _ => &[],
        }
    }

    /// Every edge once, the smaller node first.
    pub fn edges(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        (0..self.len()).flat_map(|a| {
            let later = self.neighbours(a).iter().filter(move |(b, _)| *b > a);
            later.map(move |(b, weight)| (a, *b, *weight))
        })
    }

    /// The connected parts, each sorted, in order of their smallest node.
    pub fn components(&self) -> Vec<Vec<u32>> {
        let mut seen = vec![false; self.len() as usize];
        let mut out = Vec::new();
        for start in 0..self.len() {
            if std::mem::replace(&mut seen[start as usize], true) {
                continue;
            }
            let mut part = vec![start];
            let mut next = 0;
            while let Some(node) = part.get(next).copied() {
                next += 1;
                for (other, _) in self.neighbours(node) {
                    if !std::mem::replace(&mut seen[*other as usize], true) {
                        part.push(*other);
                    }
                }
            }
            part.sort_unstable();
            out.push(part);
        }
        out
    }

    /// The graph of some nodes, numbered by their place in `nodes` (sorted).
    #[must_use]
    pub fn of(&self, nodes: &[u32]) -> Self {
        let place = |node: u32| nodes.binary_search(&node).ok();
        let mut rows = vec![0];
        let mut edges = Vec::new();
        for node in nodes {
            let inside = self
                .neighbours(*node)
                .iter()
                .filter_map(|(other, weight)| Some((u32::try_from(place(*other)?).ok()?, *weight)));
            edges.extend(inside);
            rows.push(edges.len());
        }
        Self { rows, edges }
    }

    /// What an arrangement cuts: the weights of edges whose ends are in different groups.
    pub fn cut(&self, group_of: &[u32]) -> u64 {
        let split = self
            .edges()
            .filter(|(a, b, _)| group_of[*a as usize] != group_of[*b as usize]);
        split.map(|(_, _, weight)| u64::from(weight)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_between_the_same_two_are_one() {
        let graph = Graph::new(
            4,
            [
                (0, 1, 2),
                (1, 0, 3),
                (2, 2, 9),
                (1, 2, 1),
                (9, 0, 1),
                (0, 2, 0),
            ],
        );
        assert_eq!(graph.neighbours(0), [(1, 5)]);
        assert_eq!(graph.neighbours(1), [(0, 5), (2, 1)]);
        assert_eq!(graph.neighbours(7), []);
        assert_eq!(graph.edges().collect::<Vec<_>>(), [(0, 1, 5), (1, 2, 1)]);
        assert_eq!(graph.components(), [vec![0, 1, 2], vec![3]]);
        assert_eq!(graph.of(&[1, 2]).neighbours(0), [(1, 1)]);
        assert_eq!(graph.cut(&[0, 0, 1, 1]), 1);
    }
}
