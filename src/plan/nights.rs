//! Which wave works in which night, and which mailbox lies where in it.
//!
//! Every wave has one night in which it changes over. A mailbox that does not fit into one night is copied ahead, in the nights before, on a
//! lane of its own; in its wave's night only what changed since is carried.

use std::collections::BTreeMap;

use crate::base::quantity::Bytes;
use crate::plan::calendar::Night;
use crate::plan::capacity::{lay_out, makespan};
use crate::plan::forecast::Pace;
use crate::plan::waves::{Class, Pack};

/// What the nights need to know of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Seconds in its wave's night, at the slow end.
    pub secs: u64,
    /// Bytes in its wave's night.
    pub bytes: u64,
    /// Seconds that are copied ahead, at the slow end; 0 where one night is enough.
    pub ahead: u64,
}

/// Why a bar is in a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The whole mailbox.
    Whole,
    /// A part of it, ahead of its wave.
    Ahead,
    /// What changed since it was copied ahead.
    Delta,
}

/// One mailbox in one night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Which mailbox.
    pub mover: u32,
    /// Which night, as an index.
    pub night: usize,
    /// On which lane.
    pub lane: u32,
    /// Seconds after the night's begin.
    pub from: u64,
    /// For how many seconds.
    pub secs: u64,
    /// What of it.
    pub stage: Stage,
}

/// When one wave works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// The night in which it changes over; `None` when no night of the calendar has room.
    pub night: Option<usize>,
    /// Its mailboxes in their nights.
    pub bars: Vec<Bar>,
}

/// The nights and what is in them so far.
#[derive(Debug)]
pub struct Board<'a> {
    nights: &'a [Night],
    works: &'a [Work],
    lanes: u32,
    pace: Pace,
    /// Lanes that mailboxes copied ahead keep, per night.
    kept: Vec<u32>,
    /// The wave of a night: seconds and bytes of its mailboxes.
    taken: Vec<Option<(Vec<u64>, u64)>>,
    /// The first night that may still be free.
    free_from: usize,
}

impl<'a> Board<'a> {
    /// Empty nights.
    pub fn new(nights: &'a [Night], works: &'a [Work], lanes: u32, pace: Pace) -> Self {
        Self {
            nights,
            works,
            lanes: lanes.max(1),
            pace,
            kept: vec![0; nights.len()],
            taken: vec![None; nights.len()],
            free_from: 0,
        }
    }

    /// Gives every wave, in order, the first night with room. Nothing begins before the last pilot's night is over.
    pub fn place(mut self, packs: &[Pack]) -> Vec<Placed> {
        let mut floor = 0;
        let mut out: Vec<Placed> = Vec::new();
        for pack in packs {
            let from = if pack.class == Class::Pilot { 0 } else { floor };
            let placed = self.one(pack, from);
            if let (Class::Pilot, Some(night)) = (pack.class, placed.night) {
                floor = floor.max(night + 1);
            }
            out.push(placed);
        }
        // Lanes of a night are known once every wave has its place: those copied ahead keep the first ones.
        let mut ahead: BTreeMap<usize, u32> = BTreeMap::new();
        for placed in &mut out {
            for bar in placed
                .bars
                .iter_mut()
                .filter(|bar| bar.stage == Stage::Ahead)
            {
                let lane = ahead.entry(bar.night).or_default();
                bar.lane = *lane;
                *lane += 1;
            }
        }
        for (pack, placed) in packs.iter().zip(&mut out) {
            let Some(night) = placed.night else { continue };
            let kept = ahead.get(&night).copied().unwrap_or(0);
            let secs: Vec<u64> = pack
                .members
                .iter()
                .map(|node| self.works[*node as usize].secs)
                .collect();
            let slots = lay_out(&secs, self.lanes - kept);
            for (node, slot) in pack.members.iter().zip(slots) {
                let work = self.works[*node as usize];
                placed.bars.push(Bar {
                    mover: *node,
                    night,
                    lane: kept + slot.lane,
                    from: slot.from,
                    secs: work.secs,
                    stage: if work.ahead > 0 {
                        Stage::Delta
                    } else {
                        Stage::Whole
                    },
                });
            }
        }
        out
    }

    fn one(&mut self, pack: &Pack, from: usize) -> Placed {
        let works = pack.members.iter().map(|node| &self.works[*node as usize]);
        let (secs, bytes): (Vec<u64>, Vec<u64>) = works.map(|work| (work.secs, work.bytes)).unzip();
        let bytes = bytes.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
        while self.free_from < self.nights.len() && self.taken[self.free_from].is_some() {
            self.free_from += 1;
        }
        for night in from.max(self.free_from)..self.nights.len() {
            let early = pack
                .not_before
                .is_some_and(|day| self.nights[night].date < day);
            if early
                || self.taken[night].is_some()
                || !self.holds(night, self.kept[night], &secs, bytes)
            {
                continue;
            }
            let Some(bars) = self.ahead(pack, night) else {
                continue;
            };
            for bar in &bars {
                self.kept[bar.night] += 1;
            }
            self.taken[night] = Some((secs, bytes));
            return Placed {
                night: Some(night),
                bars,
            };
        }
        Placed::default()
    }

    fn length(&self, night: usize) -> u64 {
        self.nights[night].length().get() / 1_000
    }

    /// Whether a night holds these mailboxes beside `kept` lanes of others.
    fn holds(&self, night: usize, kept: u32, secs: &[u64], bytes: u64) -> bool {
        let length = self.length(night);
        kept < self.lanes
            && makespan(secs, self.lanes - kept) <= length
            && self.pace.source_time(Bytes::new(bytes)) <= length
    }

    /// The nights before `night` in which the long mailboxes of a wave are copied ahead, the nearest first; `None` where they are too few.
    fn ahead(&self, pack: &Pack, night: usize) -> Option<Vec<Bar>> {
        let mut bars: Vec<Bar> = Vec::new();
        let mut more: BTreeMap<usize, u32> = BTreeMap::new();
        for node in &pack.members {
            let mut left = self.works[*node as usize].ahead;
            let mut own = Vec::new();
            for before in (0..night).rev() {
                if left == 0 {
                    break;
                }
                let kept = self.kept[before] + more.get(&before).copied().unwrap_or(0) + 1;
                let room = match &self.taken[before] {
                    None => kept < self.lanes,
                    Some((secs, bytes)) => self.holds(before, kept, secs, *bytes),
                };
                if room {
                    let secs = left.min(self.length(before));
                    left -= secs;
                    own.push((before, secs));
                }
            }
            if left > 0 {
                return None;
            }
            for (before, secs) in own.into_iter().rev() {
                *more.entry(before).or_default() += 1;
                bars.push(Bar {
                    mover: *node,
                    night: before,
                    lane: 0,
                    from: 0,
                    secs,
                    stage: Stage::Ahead,
                });
            }
        }
        Some(bars)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::spec::RunLimits;
    use crate::plan::calendar::nights;
    use crate::plan::forecast::Paces;
    use crate::plan::schedule::{Schedule, Window};
    use jiff::civil::date;

    fn calendar(count: usize) -> Vec<Night> {
        let schedule = Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: vec![Window {
                days: (0..7).collect(),
                from: 20 * 60,
                to: 6 * 60,
            }],
        };
        nights(&schedule, date(2026, 3, 27), &BTreeSet::new(), count)
    }

    fn place(works: &[Work], packs: &[(Class, Vec<u32>)], lanes: u32, count: usize) -> Vec<Placed> {
        let nights = calendar(count);
        let pace = Paces::published(&RunLimits::default(), None).slow;
        let packs: Vec<Pack> = packs
            .iter()
            .map(|(class, members)| Pack {
                class: *class,
                not_before: None,
                members: members.clone(),
            })
            .collect();
        Board::new(&nights, works, lanes, pace).place(&packs)
    }

    fn work(hours: u64, ahead: u64) -> Work {
        Work {
            secs: hours * 3_600,
            bytes: 0,
            ahead: ahead * 3_600,
        }
    }

    #[test]
    fn a_night_shortened_by_the_clocks_is_left_to_a_wave_that_fits() {
        // The second night, 28 March, has nine hours.
        let works = [work(10, 0), work(10, 0), work(9, 0)];
        let waves = [
            (Class::Usual, vec![0]),
            (Class::Usual, vec![1]),
            (Class::Usual, vec![2]),
        ];
        let placed = place(&works, &waves, 2, 5);
        let nights: Vec<Option<usize>> = placed.iter().map(|placed| placed.night).collect();
        assert_eq!(nights, [Some(0), Some(2), Some(1)]);
    }

    #[test]
    fn what_does_not_fit_a_night_is_copied_ahead_beside_the_others() {
        let works = [work(1, 25), work(10, 0), work(10, 0)];
        let waves = [
            (Class::Pilot, vec![1]),
            (Class::Usual, vec![0]),
            (Class::Usual, vec![2]),
        ];
        let placed = place(&works, &waves, 2, 9);
        let bars: Vec<(usize, u64, Stage)> = placed[1]
            .bars
            .iter()
            .map(|bar| (bar.night, bar.secs / 3_600, bar.stage))
            .collect();
        // 25 hours in nights of 10, 9 and 10, then the rest.
        assert_eq!(
            bars,
            [
                (0, 6, Stage::Ahead),
                (1, 9, Stage::Ahead),
                (2, 10, Stage::Ahead),
                (3, 1, Stage::Delta)
            ]
        );
        assert_eq!(placed[0].bars[0].lane, 1, "the first lane is kept");
        // With one lane there is none to keep.
        let alone = place(&works, &waves, 1, 9);
        assert_eq!(alone[1].night, None);
    }
}
