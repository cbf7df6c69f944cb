//! From groups of mailboxes to waves: pilots first, VIPs once the way is proven, the rest in as few waves as the limits allow.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::plan::capacity::{Bounds, Demand, Sum};

/// Waves that are looked at for room, newest first. More would seldom find any and make 50,000 mailboxes slow.
const OPEN_WAVES: usize = 64;

/// Whose wave it is. In this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Those who prove the way.
    Pilot,
    /// Most.
    Usual,
    /// Those whom nobody wants to see first.
    Vip,
}

/// Mailboxes that change over together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Whose it is.
    pub class: Class,
    /// The latest of its mailboxes' days.
    pub not_before: Option<Date>,
    /// Its mailboxes, longest first.
    pub members: Vec<u32>,
}

/// A group with what it asks of a night.
type Weighed = (Sum, Vec<u32>);

/// Packs groups, each of which fits a wave, into waves: largest group first, into the first wave with room. A group waits for the latest of
/// its mailboxes and shares a wave only with groups of the same class and day.
pub fn pack(
    groups: Vec<Vec<u32>>,
    demands: &[Demand],
    days: &[Option<Date>],
    bounds: &Bounds,
) -> Vec<Pack> {
    let mut kinds: BTreeMap<(Class, Option<Date>), Vec<Weighed>> = BTreeMap::new();
    for group in groups {
        let own = group.iter().map(|node| Sum::of(&demands[*node as usize]));
        let sum = own.fold(Sum::default(), Sum::and);
        let class = match (sum.pilot, sum.vip) {
            (true, _) => Class::Pilot,
            (false, true) => Class::Vip,
            (false, false) => Class::Usual,
        };
        let day = group.iter().filter_map(|node| days[*node as usize]).max();
        kinds.entry((class, day)).or_default().push((sum, group));
    }
    let mut out = Vec::new();
    for ((class, not_before), mut groups) in kinds {
        // Most mailboxes first; then by the work; then by the first address.
        groups.sort_by_key(|(sum, group)| {
            let secs: u64 = group.iter().map(|node| demands[*node as usize].secs).sum();
            (Reverse(sum.count), Reverse(secs), group.first().copied())
        });
        for mut members in fill(groups, demands, bounds) {
            members.sort_by_key(|node| (Reverse(demands[*node as usize].secs), *node));
            out.push(Pack {
                class,
                not_before,
                members,
            });
        }
    }
    out.sort_by_key(|pack| (pack.class != Class::Pilot, pack.not_before, pack.class));
    out
}

fn fill(groups: Vec<Weighed>, demands: &[Demand], bounds: &Bounds) -> Vec<Vec<u32>> {
    let secs = |nodes: &[u32]| -> Vec<u64> {
        nodes
            .iter()
            .map(|node| demands[*node as usize].secs)
            .collect()
    };
    let mut full: Vec<Vec<u32>> = Vec::new();
    let mut open: Vec<Weighed> = Vec::new();
    for (sum, group) in groups {
        let room = open.iter().position(|(used, members)| {
            bounds.fit(used.and(sum), || {
                let mut all = secs(members);
                all.extend(secs(&group));
                all
            })
        });
        if let Some(at) = room {
            let (used, members) = &mut open[at];
            *used = used.and(sum);
            members.extend(group);
            if used.count >= bounds.mailboxes {
                full.push(open.remove(at).1);
            }
        } else {
            if open.len() >= OPEN_WAVES {
                full.push(open.remove(0).1);
            }
            open.push((sum, group));
        }
    }
    full.extend(open.into_iter().map(|(_, members)| members));
    full
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::quantity::Span;
    use crate::base::spec::RunLimits;
    use crate::plan::forecast::Paces;
    use jiff::civil::date;

    fn bounds(mailboxes: u32) -> Bounds {
        Bounds {
            mailboxes,
            bytes: None,
            items: None,
            night: Span::from_secs(100),
            lanes: 2,
            pace: Paces::published(&RunLimits::default(), None).slow,
        }
    }

    #[test]
    fn pilots_go_first_vips_later_and_a_day_is_waited_for() {
        let mut demands = vec![
            Demand {
                secs: 1,
                ..Demand::default()
            };
            7
        ];
        demands[4].pilot = true;
        demands[1].vip = true;
        demands[6].secs = 9;
        let mut days = vec![None; 7];
        days[2] = Some(date(2026, 12, 24));
        let groups = vec![vec![0], vec![1], vec![2, 3], vec![4, 5], vec![6]];
        let packs = pack(groups, &demands, &days, &bounds(3));
        let shown: Vec<(Class, bool, Vec<u32>)> = packs
            .into_iter()
            .map(|pack| (pack.class, pack.not_before.is_some(), pack.members))
            .collect();
        assert_eq!(
            shown,
            [
                (Class::Pilot, false, vec![4, 5]),
                (Class::Usual, false, vec![6, 0]),
                (Class::Vip, false, vec![1]),
                (Class::Usual, true, vec![2, 3]),
            ]
        );
    }
}
