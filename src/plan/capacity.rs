//! What one wave may hold, and whether mailboxes fit into one night side by side.
//!
//! Fitting never depends on the order of the mailboxes, and a part of what fits always fits: list scheduling puts each job on the least
//! loaded lane, and leaving a job out leaves every lane, in order of load, at most as loaded as before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::quantity::{Bytes, Count, Span};
use crate::plan::forecast::Pace;

/// The limits of one wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Mailboxes at most.
    pub mailboxes: u32,
    /// Bytes carried in the wave's night at most.
    pub bytes: Option<Bytes>,
    /// Items carried in the wave's night at most.
    pub items: Option<Count>,
    /// The usual night.
    pub night: Span,
    /// Mailboxes worked on side by side.
    pub lanes: u32,
    /// The slow end of the speeds.
    pub pace: Pace,
}

/// What one mailbox asks of its wave's night.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Bytes carried in that night.
    pub bytes: u64,
    /// Items carried in that night.
    pub items: u64,
    /// Seconds it takes in that night, at the slow end.
    pub secs: u64,
    /// True when it goes first.
    pub pilot: bool,
    /// True when it goes once the way is proven; never together with a pilot.
    pub vip: bool,
}

/// Several demands together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many mailboxes.
    pub count: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Their items.
    pub items: u64,
    secs: u64,
    longest: u64,
    /// True when a pilot is among them.
    pub pilot: bool,
    /// True when a VIP is among them.
    pub vip: bool,
}

impl Sum {
    /// One mailbox.
    pub const fn of(demand: &Demand) -> Self {
        Self {
            count: 1,
            bytes: demand.bytes,
            items: demand.items,
            secs: demand.secs,
            longest: demand.secs,
            pilot: demand.pilot,
            vip: demand.vip,
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            bytes: self.bytes.saturating_add(other.bytes),
            items: self.items.saturating_add(other.items),
            secs: self.secs.saturating_add(other.secs),
            longest: self.longest.max(other.longest),
            pilot: self.pilot || other.pilot,
            vip: self.vip || other.vip,
        }
    }
}

impl Bounds {
    /// Whether mailboxes with this sum make one wave. `secs` is asked only where the sum alone does not say it.
    pub fn fit(&self, sum: Sum, secs: impl FnOnce() -> Vec<u64>) -> bool {
        let night = self.night.get() / 1_000;
        let lanes = u64::from(self.lanes.max(1));
        let over = |limit: Option<u64>, n: u64| limit.is_some_and(|limit| n > limit);
        if sum.count > self.mailboxes
            || over(self.bytes.map(Bytes::get), sum.bytes)
            || over(self.items.map(Count::get), sum.items)
            || sum.pilot && sum.vip
            || sum.longest > night
            || sum.secs.div_ceil(lanes) > night
            || self.pace.source_time(Bytes::new(sum.bytes)) > night
        {
            return false;
        }
        // Graham's bound: list scheduling never takes longer.
        let bound = (sum.secs - sum.longest).div_ceil(lanes) + sum.longest;
        bound <= night || makespan(&secs(), self.lanes) <= night
    }
}

/// Where one job lies in a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which lane, from 0.
    pub lane: u32,
    /// Seconds after the night's begin.
    pub from: u64,
}

/// Puts the jobs on lanes, longest first, each on the lane that is free first. Answers in the order of `secs`.
pub fn lay_out(secs: &[u64], lanes: u32) -> Vec<Slot> {
    let mut order: Vec<usize> = (0..secs.len()).collect();
    order.sort_by_key(|at| (Reverse(secs[*at]), *at));
    let mut free: BinaryHeap<Reverse<(u64, u32)>> =
        (0..lanes.max(1)).map(|lane| Reverse((0, lane))).collect();
    let mut out = vec![Slot { lane: 0, from: 0 }; secs.len()];
    for at in order {
        let Some(Reverse((from, lane))) = free.pop() else {
            break;
        };
        out[at] = Slot { lane, from };
        free.push(Reverse((from.saturating_add(secs[at]), lane)));
    }
    out
}

/// How long that takes.
pub fn makespan(secs: &[u64], lanes: u32) -> u64 {
    let slots = lay_out(secs, lanes);
    let ends = slots
        .iter()
        .zip(secs)
        .map(|(slot, secs)| slot.from.saturating_add(*secs));
    ends.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::spec::RunLimits;
    use crate::plan::forecast::Paces;

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

    fn sum(secs: &[u64]) -> Sum {
        let one = |secs: &u64| {
            Sum::of(&Demand {
                secs: *secs,
                ..Demand::default()
            })
        };
        secs.iter().map(one).fold(Sum::default(), Sum::and)
    }

    #[test]
    fn the_longest_go_first_on_the_lane_that_is_free_first() {
        let slots = lay_out(&[1, 5, 3, 3], 2);
        let places: Vec<(u32, u64)> = slots.iter().map(|slot| (slot.lane, slot.from)).collect();
        assert_eq!(places, [(0, 5), (0, 0), (1, 0), (1, 3)]);
        assert_eq!(makespan(&[1, 5, 3, 3], 2), 6);
        assert_eq!(makespan(&[], 2), 0);
    }

    #[test]
    fn every_limit_of_a_wave_is_looked_at() {
        let night = bounds(3, 6, 2);
        let fits = |secs: &[u64]| night.fit(sum(secs), || secs.to_vec());
        assert!(fits(&[6, 3, 3]));
        assert!(!fits(&[7]));
        assert!(!fits(&[4, 4, 4]));
        assert!(!fits(&[1, 1, 1, 1]));
        let mixed = Sum {
            pilot: true,
            vip: true,
            ..sum(&[1, 1])
        };
        assert!(!night.fit(mixed, Vec::new));
        let heavy = Sum {
            bytes: 10_000_000_000,
            ..sum(&[1])
        };
        assert!(
            !night.fit(heavy, Vec::new),
            "the source does not give that in six seconds"
        );
        assert!(bounds(1, 3_600, 1).fit(heavy, Vec::new));
        let small = Bounds {
            bytes: Some(Bytes::new(9)),
            ..bounds(1, 3_600, 1)
        };
        assert!(!small.fit(heavy, Vec::new));
    }

    proptest::proptest! {
        #[test]
        fn a_part_of_what_fits_fits(secs in proptest::collection::vec(0u64..30, 1..12), lanes in 1u32..4, drop in 0usize..12) {
            let mut part = secs.clone();
            part.remove(drop % secs.len());
            proptest::prop_assert!(makespan(&part, lanes) <= makespan(&secs, lanes));
        }
    }
}
