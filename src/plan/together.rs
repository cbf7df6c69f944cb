//! Which mailboxes move together: connected ones, unless a wave cannot hold them; then the cheapest cut.
//!
//! Up to `limits::EXACT_TOGETHER_MAX` mailboxes every arrangement is tried. Larger circles are built up from their strongest ties (heavy
//! edges first, round by round), and single mailboxes are then moved to where they have stronger ties.

use std::cmp::Reverse;

use crate::base::limits;
use crate::plan::capacity::{Bounds, Demand, Sum};
use crate::plan::graph::Graph;

/// How often single mailboxes are looked at again. Later rounds find next to nothing.
const REFINEMENTS: usize = 4;

/// Groups of mailboxes, each of which fits into one wave, cutting as little as possible. Every node is in exactly one group; groups are
/// sorted, and in order of their smallest node. A node that does not even fit alone is a group of its own.
pub fn groups(graph: &Graph, demands: &[Demand], bounds: &Bounds) -> Vec<Vec<u32>> {
    let mut steps = limits::EXACT_STEPS_MAX;
    let mut out = Vec::new();
    for component in graph.components() {
        let own: Vec<Demand> = component
            .iter()
            .map(|node| demands[*node as usize])
            .collect();
        let sum = own.iter().map(Sum::of).fold(Sum::default(), Sum::and);
        if bounds.fit(sum, || own.iter().map(|demand| demand.secs).collect()) {
            out.push(component);
            continue;
        }
        let circle = Circle {
            graph: graph.of(&component),
            demands: own,
            bounds,
        };
        for group in circle.split(&mut steps) {
            out.push(group.into_iter().map(|at| component[at as usize]).collect());
        }
    }
    out.sort();
    out
}

/// One connected component that no wave holds.
struct Circle<'a> {
    graph: Graph,
    demands: Vec<Demand>,
    bounds: &'a Bounds,
}

impl Circle<'_> {
    fn split(&self, steps: &mut u64) -> Vec<Vec<u32>> {
        let mut best = self.build_up();
        if self.demands.len() <= limits::EXACT_TOGETHER_MAX {
            let mut search = Search::new(self, &best);
            search.place(0, steps);
            best = search.best;
        }
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for (node, group) in (0..).zip(&best) {
            let group = *group as usize;
            groups.resize(groups.len().max(group + 1), Vec::new());
            groups[group].push(node);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    fn secs(&self, nodes: &[u32]) -> Vec<u64> {
        nodes
            .iter()
            .map(|node| self.demands[*node as usize].secs)
            .collect()
    }

    fn sum(&self, nodes: &[u32]) -> Sum {
        let sums = nodes
            .iter()
            .map(|node| Sum::of(&self.demands[*node as usize]));
        sums.fold(Sum::default(), Sum::and)
    }

    /// The group of every node.
    fn build_up(&self) -> Vec<u32> {
        let mut built = Built::new(self);
        while built.merge_round() {}
        for _ in 0..REFINEMENTS {
            if !built.refine() {
                break;
            }
            while built.merge_round() {}
        }
        built.group_of
    }
}

/// Groups while they are built up.
struct Built<'a> {
    circle: &'a Circle<'a>,
    group_of: Vec<u32>,
    members: Vec<Vec<u32>>,
    sums: Vec<Sum>,
}

impl<'a> Built<'a> {
    fn new(circle: &'a Circle<'a>) -> Self {
        let nodes = circle.graph.len();
        Self {
            circle,
            group_of: (0..nodes).collect(),
            members: (0..nodes).map(|node| vec![node]).collect(),
            sums: circle.demands.iter().map(Sum::of).collect(),
        }
    }

    fn fit(&self, a: u32, b: u32) -> bool {
        let (a, b) = (a as usize, b as usize);
        self.circle.bounds.fit(self.sums[a].and(self.sums[b]), || {
            let mut secs = self.circle.secs(&self.members[a]);
            secs.extend(self.circle.secs(&self.members[b]));
            secs
        })
    }

    /// Merges pairs of groups, strongest tie first, each group at most once. False when nothing could be merged.
    fn merge_round(&mut self) -> bool {
        let mut ties: Vec<(u32, u32, u64)> = Vec::new();
        for (a, b, weight) in self.circle.graph.edges() {
            let (a, b) = (self.group_of[a as usize], self.group_of[b as usize]);
            if a != b {
                ties.push((a.min(b), a.max(b), u64::from(weight)));
            }
        }
        ties.sort_unstable();
        ties.dedup_by(|later, first| {
            let same = (later.0, later.1) == (first.0, first.1);
            if same {
                first.2 += later.2;
            }
            same
        });
        ties.sort_unstable_by_key(|(a, b, weight)| (Reverse(*weight), *a, *b));
        let mut done = vec![false; self.members.len()];
        let mut merged = false;
        for (a, b, _) in ties {
            if done[a as usize] || done[b as usize] || !self.fit(a, b) {
                continue;
            }
            done[a as usize] = true;
            done[b as usize] = true;
            let moved = std::mem::take(&mut self.members[b as usize]);
            for node in &moved {
                self.group_of[*node as usize] = a;
            }
            self.members[a as usize].extend(moved);
            self.sums[a as usize] = self.sums[a as usize].and(self.sums[b as usize]);
            self.sums[b as usize] = Sum::default();
            merged = true;
        }
        merged
    }

    /// Moves single mailboxes to the group they have the strongest ties with, where there is room. False when none moved.
    fn refine(&mut self) -> bool {
        let mut moved = false;
        let mut ties: Vec<(u32, u64)> = Vec::new();
        for node in 0..self.circle.graph.len() {
            let own = self.group_of[node as usize];
            ties.clear();
            let neighbours = self.circle.graph.neighbours(node).iter();
            ties.extend(
                neighbours
                    .map(|(other, weight)| (self.group_of[*other as usize], u64::from(*weight))),
            );
            ties.sort_unstable();
            ties.dedup_by(|later, first| {
                let same = later.0 == first.0;
                if same {
                    first.1 += later.1;
                }
                same
            });
            let here = ties.iter().find(|tie| tie.0 == own).map_or(0, |tie| tie.1);
            ties.retain(|(group, weight)| *group != own && *weight > here);
            ties.sort_unstable_by_key(|(group, weight)| (Reverse(*weight), *group));
            let room = ties.iter().find(|(group, _)| {
                let group = *group as usize;
                let sum = self.sums[group].and(Sum::of(&self.circle.demands[node as usize]));
                self.circle.bounds.fit(sum, || {
                    let mut secs = self.circle.secs(&self.members[group]);
                    secs.push(self.circle.demands[node as usize].secs);
                    secs
                })
            });
            if let Some((group, _)) = room.copied() {
                self.put(node, own, group);
                moved = true;
            }
        }
        moved
    }

    fn put(&mut self, node: u32, from: u32, to: u32) {
        self.members[from as usize].retain(|other| *other != node);
        self.sums[from as usize] = self.circle.sum(&self.members[from as usize]);
        self.members[to as usize].push(node);
        let one = Sum::of(&self.circle.demands[node as usize]);
        self.sums[to as usize] = self.sums[to as usize].and(one);
        self.group_of[node as usize] = to;
    }
}

/// Every arrangement of a small circle, best first found, worse ones cut off.
struct Search<'a> {
    circle: &'a Circle<'a>,
    group_of: Vec<u32>,
    members: Vec<Vec<u32>>,
    cut: u64,
    best: Vec<u32>,
    /// What the best cuts, and how many groups it makes.
    best_cost: (u64, usize),
}

impl<'a> Search<'a> {
    fn new(circle: &'a Circle<'a>, start: &[u32]) -> Self {
        let mut groups = start.to_vec();
        groups.sort_unstable();
        groups.dedup();
        Self {
            circle,
            group_of: Vec::new(),
            members: Vec::new(),
            cut: 0,
            best: start.to_vec(),
            best_cost: (circle.graph.cut(start), groups.len()),
        }
    }

    /// Puts node `at` into every group it may go to, and goes on with the next. A part of what does not fit never fits again.
    fn place(&mut self, at: u32, steps: &mut u64) {
        if (self.cut, self.members.len()) >= self.best_cost || *steps == 0 {
            return;
        }
        *steps -= 1;
        if at == self.circle.graph.len() {
            self.best = self.group_of.clone();
            self.best_cost = (self.cut, self.members.len());
            return;
        }
        for group in 0..=self.members.len() {
            let fresh = group == self.members.len();
            if fresh {
                self.members.push(Vec::new());
            }
            self.members[group].push(at);
            let members = &self.members[group];
            let fits = fresh
                || self
                    .circle
                    .bounds
                    .fit(self.circle.sum(members), || self.circle.secs(members));
            if fits {
                let number = u32::try_from(group).unwrap_or(u32::MAX);
                let earlier = self
                    .circle
                    .graph
                    .neighbours(at)
                    .iter()
                    .filter(|(other, _)| *other < at);
                let split: u64 = earlier
                    .filter(|(other, _)| self.group_of[*other as usize] != number)
                    .map(|(_, weight)| u64::from(*weight))
                    .sum();
                self.cut += split;
                self.group_of.push(number);
                self.place(at + 1, steps);
                self.group_of.pop();
                self.cut -= split;
            }
            self.members[group].pop();
            if fresh {
                self.members.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::quantity::Span;
    use crate::base::spec::RunLimits;
    use crate::plan::forecast::Paces;
    use proptest::prelude::*;

    fn bounds(mailboxes: u32, night: u64, lanes: u32) -> Bounds {
        Bounds {
            mailboxes,
            bytes: None,
            items: None,
            night: Span::from_secs(night),
            lanes,
            pace: Paces::published(&RunLimits::default(), None).slow,
        }
    }

    fn demand(secs: u64) -> Demand {
        Demand {
            secs,
            ..Demand::default()
        }
    }

    fn holds(group: &[u32], demands: &[Demand], bounds: &Bounds) -> bool {
        let own: Vec<&Demand> = group.iter().map(|node| &demands[*node as usize]).collect();
        let sum = own
            .iter()
            .map(|demand| Sum::of(demand))
            .fold(Sum::default(), Sum::and);
        bounds.fit(sum, || own.iter().map(|demand| demand.secs).collect())
    }

    #[test]
    fn a_weak_tie_is_cut_before_a_strong_one() {
        // Two teams of three with one weak tie between them; four to a wave.
        let graph = Graph::new(
            6,
            [
                (0, 1, 5),
                (1, 2, 5),
                (0, 2, 5),
                (2, 3, 1),
                (3, 4, 5),
                (4, 5, 5),
                (3, 5, 5),
            ],
        );
        let demands = vec![demand(1); 6];
        let found = groups(&graph, &demands, &bounds(4, 100, 2));
        assert_eq!(found, [vec![0, 1, 2], vec![3, 4, 5]]);
        assert_eq!(groups(&graph, &demands, &bounds(6, 100, 2)).len(), 1);
        assert_eq!(groups(&graph, &demands, &bounds(1, 100, 2)).len(), 6);
    }

    #[test]
    fn a_large_circle_of_teams_is_cut_between_the_teams() {
        // 40 teams of 10 with strong ties inside, in a ring of weak ties: more than any search tries.
        let mut edges = Vec::new();
        for team in 0..40u32 {
            for a in 0..10 {
                for b in a + 1..10 {
                    edges.push((team * 10 + a, team * 10 + b, 4));
                }
            }
            edges.push((team * 10, (team * 10 + 10) % 400, 1));
        }
        let graph = Graph::new(400, edges);
        let demands = vec![demand(1); 400];
        let found = groups(&graph, &demands, &bounds(25, 100, 5));
        let mut group_of = vec![0; 400];
        for (group, nodes) in (0..).zip(&found) {
            for node in nodes {
                group_of[*node as usize] = group;
            }
        }
        assert!(
            graph.cut(&group_of) <= 40,
            "only ties between teams: {}",
            graph.cut(&group_of)
        );
        assert!(found.iter().all(|group| group.len() <= 25));
    }

    /// The cheapest cut of all partitions, by brute force and without any of the code above.
    fn cheapest(nodes: usize, edges: &[(u32, u32, u32)], fits: &dyn Fn(&[u32]) -> bool) -> u64 {
        fn go(
            at: usize,
            nodes: usize,
            assigned: &mut Vec<u32>,
            edges: &[(u32, u32, u32)],
            fits: &dyn Fn(&[u32]) -> bool,
        ) -> u64 {
            if at == nodes {
                let most = assigned.iter().max().map_or(0, |m| m + 1);
                for group in 0..most {
                    let members: Vec<u32> = (0..)
                        .zip(&*assigned)
                        .filter(|(_, g)| **g == group)
                        .map(|(n, _)| n)
                        .collect();
                    if !fits(&members) {
                        return u64::MAX;
                    }
                }
                let split =
                    |(a, b, _): &&(u32, u32, u32)| assigned[*a as usize] != assigned[*b as usize];
                return edges
                    .iter()
                    .filter(split)
                    .map(|(_, _, w)| u64::from(*w))
                    .sum();
            }
            let most = assigned.iter().max().map_or(0, |m| m + 1);
            let mut best = u64::MAX;
            for group in 0..=most {
                assigned.push(group);
                best = best.min(go(at + 1, nodes, assigned, edges, fits));
                assigned.pop();
            }
            best
        }
        go(0, nodes, &mut Vec::new(), edges, fits)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn no_cheaper_arrangement_exists_in_small_cases(
            secs in proptest::collection::vec((1u64..10, any::<u8>()), 1..8),
            edges in proptest::collection::vec((0u32..7, 0u32..7, 1u32..9), 0..14),
            mailboxes in 1u32..6,
            night in 10u64..30,
            lanes in 1u32..3,
        ) {
            let demands: Vec<Demand> = secs
                .iter()
                .map(|(secs, class)| Demand { pilot: class % 9 == 0, vip: class % 9 == 1, ..demand(*secs) })
                .collect();
            let nodes = u32::try_from(demands.len()).expect("few");
            let edges: Vec<(u32, u32, u32)> =
                edges.into_iter().filter(|(a, b, _)| a != b && *a < nodes && *b < nodes).collect();
            let graph = Graph::new(nodes, edges.iter().copied());
            let bounds = bounds(mailboxes, night, lanes);
            let found = groups(&graph, &demands, &bounds);
            let mut group_of = vec![u32::MAX; demands.len()];
            for (group, members) in (0..).zip(&found) {
                prop_assert!(holds(members, &demands, &bounds));
                for node in members {
                    prop_assert_eq!(group_of[*node as usize], u32::MAX);
                    group_of[*node as usize] = group;
                }
            }
            prop_assert!(group_of.iter().all(|group| *group != u32::MAX));
            let cheapest = cheapest(demands.len(), &edges, &|group| holds(group, &demands, &bounds));
            prop_assert_eq!(graph.cut(&group_of), cheapest);
        }
    }
}
