//! Settling doubt by looking: which of the items a folder shows belong to which of our rows.
//!
//! Search keys are not unique: three true copies of a message share one and must arrive as three. So the question is not "is there an
//! item with this key" but "are there more items with this key than the other rows explain".

use std::collections::{BTreeMap, BTreeSet};

use crate::base::fact::CopyFact;
use crate::base::id::TargetItemId;
use crate::base::item::{ItemKey, Placed, SearchKey, Stamp, TargetHeader};
use crate::base::limits::EMPTY_LOOKS_MIN;
use crate::base::route::Route;

/// A row that has no known copy yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its key.
    pub key: ItemKey,
    /// What its copy would bear.
    pub stamp: Stamp,
    /// Creates attempted. 0: never sent, so that a copy on the target stems from an earlier plan.
    pub attempts: u32,
    /// True for a doubt, false for an item that waits to be carried.
    pub in_doubt: bool,
    /// Late enough looks that did not see it.
    pub looks: u32,
    /// True where the copy is, or can only have been, made by its class. Such a copy bears our mark, so that what bears none is never taken for it, however alike it
    /// looks: events have neither message id nor submit time, and then all of a class share one fallback.
    pub by_class: bool,
}

/// Whether a fact settles the doubt of a row, and whether its copy counts as there from then on: what is there twice is a person's to judge.
pub fn settles(row: &Open, fact: &CopyFact) -> Option<bool> {
    match fact {
        CopyFact::SeenOnce(_) => Some(true),
        CopyFact::SeenTwice => Some(false),
        CopyFact::NotSeen if row.looks + 1 >= EMPTY_LOOKS_MIN => Some(false),
        _ => None,
    }
    .filter(|_| row.in_doubt)
}

/// What the other rows of the folder account for, among the items shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// Items that some row knows as its copy.
    pub items: BTreeSet<TargetItemId>,
    /// Search keys that some row bears, whatever its state. An item with such a key is never the copy of a row without key: the fallback mark
    /// of an item without message id and submit time is that of every other such item of its class.
    pub keys: BTreeSet<SearchKey>,
}

/// Says what a look at the folder proves about the open rows.
///
/// `shown` is the whole listing, `explained` what other rows account for. `absence_counts` is true when the look came late enough after the
/// last create that a missing item may count as missing.
pub fn settle(
    open: &[Open],
    shown: &[TargetHeader],
    explained: &Explained,
    absence_counts: bool,
) -> Vec<(ItemKey, CopyFact)> {
    // Those that only a marked copy can settle stand in front of the others of their stamp, which may take what is left.
    let mut by_stamp: BTreeMap<(&Stamp, bool), Vec<&Open>> = BTreeMap::new();
    for row in open {
        let any = !row.by_class;
        by_stamp.entry((&row.stamp, any)).or_default().push(row);
    }
    let mut by_mark: BTreeMap<Stamp, Vec<&TargetHeader>> = BTreeMap::new();
    for header in shown
        .iter()
        .filter(|h| !explained.items.contains(&h.placed.item))
    {
        if let Some(key) = &header.key {
            by_mark
                .entry(Stamp::Key(key.clone()))
                .or_default()
                .push(header);
        }
        if header
            .key
            .as_ref()
            .is_none_or(|key| !explained.keys.contains(key))
        {
            by_mark
                .entry(header.fallback.clone())
                .or_default()
                .push(header);
        }
    }
    let mut taken = BTreeSet::new();
    let mut facts = Vec::new();
    // Keys first: a key is the better witness, and an item it claims is no longer free for a fallback.
    for ((stamp, any), mut rows) in by_stamp {
        let found: Vec<&Placed> = by_mark
            .get(stamp)
            .into_iter()
            .flatten()
            .filter(|header| any || header.route == Route::Typed)
            .map(|header| &header.placed)
            .filter(|placed| !taken.contains(&placed.item))
            .collect();
        // Doubts first: what we sent is likelier ours than what we never sent.
        rows.sort_by_key(|row| (!row.in_doubt, row.key));
        taken.extend(
            found
                .iter()
                .take(rows.len())
                .map(|placed| placed.item.clone()),
        );
        settle_one_stamp(&rows, &found, absence_counts, &mut facts);
    }
    facts
}

fn settle_one_stamp(
    rows: &[&Open],
    found: &[&Placed],
    absence_counts: bool,
    facts: &mut Vec<(ItemKey, CopyFact)>,
) {
    let surplus = found.len().saturating_sub(rows.len());
    // Only a create that was sent more than once can have made more than one.
    let resent = rows.iter().position(|row| row.in_doubt && row.attempts > 1);
    for (at, row) in rows.iter().enumerate() {
        if surplus > 0 && resent == Some(at) {
            facts.push((row.key, CopyFact::SeenTwice));
        } else if let Some(placed) = found.get(at) {
            let placed = (*placed).clone();
            let fact = if row.in_doubt {
                CopyFact::SeenOnce(placed)
            } else {
                CopyFact::Adopted(placed)
            };
            facts.push((row.key, fact));
        } else if row.in_doubt && absence_counts {
            facts.push((row.key, CopyFact::NotSeen));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ChangeKey, ItemId};
    use crate::base::item::{ItemClass, SearchKey};
    use crate::base::quantity::Bytes;
    use proptest::prelude::*;

    fn stamp(n: u8) -> Stamp {
        Stamp::Key(SearchKey::new(vec![n; 16]).unwrap())
    }

    fn open(n: u32, key: u8, attempts: u32, in_doubt: bool) -> Open {
        let key_of_row = ItemKey::of(&ItemId::new(format!("s{n}")));
        Open {
            key: key_of_row,
            stamp: stamp(key),
            attempts,
            in_doubt,
            looks: 0,
            by_class: false,
        }
    }

    #[test]
    fn what_bears_no_mark_is_never_the_copy_of_what_was_made_by_its_class() {
        let row = Open {
            by_class: true,
            ..open(1, 7, 1, true)
        };
        let none = Explained::default();
        // Somebody's own, or half of ours: as like it as can be, and without our mark.
        let alike = shown(1, 7);
        let facts = settle(
            std::slice::from_ref(&row),
            std::slice::from_ref(&alike),
            &none,
            true,
        );
        assert_eq!(facts, [(row.key, CopyFact::NotSeen)]);
        let marked = TargetHeader {
            route: Route::Typed,
            ..shown(2, 7)
        };
        let both = [alike.clone(), marked.clone()];
        let facts = settle(std::slice::from_ref(&row), &both, &none, true);
        assert_eq!(
            facts,
            [(row.key, CopyFact::SeenOnce(marked.placed.clone()))]
        );
        // A stream beside it takes what is left.
        let rows = [open(2, 7, 1, true), row];
        let facts: BTreeMap<_, _> = settle(&rows, &both, &none, true).into_iter().collect();
        assert_eq!(facts[&rows[0].key], CopyFact::SeenOnce(alike.placed));
        assert_eq!(facts[&rows[1].key], CopyFact::SeenOnce(marked.placed));
    }

    #[test]
    fn a_doubt_is_settled_by_what_takes_it_out_of_doubt() {
        let placed = shown(1, 7).placed;
        let mut row = open(1, 7, 1, true);
        for looks in 0..EMPTY_LOOKS_MIN {
            row.looks = looks;
            let last = looks + 1 == EMPTY_LOOKS_MIN;
            assert_eq!(settles(&row, &CopyFact::NotSeen), last.then_some(false));
            assert_eq!(
                settles(&row, &CopyFact::SeenOnce(placed.clone())),
                Some(true)
            );
            assert_eq!(settles(&row, &CopyFact::SeenTwice), Some(false));
        }
        row.in_doubt = false;
        assert_eq!(settles(&row, &CopyFact::NotSeen), None);
        assert_eq!(settles(&row, &CopyFact::Adopted(placed)), None);
    }

    fn shown(n: u32, key: u8) -> TargetHeader {
        TargetHeader {
            placed: Placed {
                item: TargetItemId::new(format!("t{n}")),
                change_key: ChangeKey::new("c"),
            },
            key: SearchKey::new(vec![key; 16]),
            fallback: Stamp::fallback(Some(&format!("<{n}@x>")), &ItemClass::new("IPM.Note"), None),
            class: ItemClass::new("IPM.Note"),
            size: Bytes::new(1),
            created: None,
            route: Route::Stream,
        }
    }

    #[test]
    fn three_copies_of_one_message_are_three_items() {
        let rows = [
            open(1, 7, 1, true),
            open(2, 7, 1, true),
            open(3, 7, 1, true),
        ];
        let facts = settle(
            &rows,
            &[shown(1, 7), shown(2, 7)],
            &Explained::default(),
            true,
        );
        let seen = facts
            .iter()
            .filter(|(_, f)| matches!(f, CopyFact::SeenOnce(_)))
            .count();
        let missing = facts
            .iter()
            .filter(|(_, f)| *f == CopyFact::NotSeen)
            .count();
        assert_eq!((seen, missing), (2, 1));
    }

    #[test]
    fn a_copy_that_another_row_explains_settles_nothing() {
        let items = BTreeSet::from([TargetItemId::new("t1")]);
        let explained = Explained {
            items,
            ..Explained::default()
        };
        let facts = settle(&[open(1, 7, 1, true)], &[shown(1, 7)], &explained, true);
        assert_eq!(facts[0].1, CopyFact::NotSeen);
    }

    #[test]
    fn absence_counts_only_after_the_visibility_lag() {
        assert!(settle(&[open(1, 7, 1, true)], &[], &Explained::default(), false).is_empty());
    }

    #[test]
    fn more_than_a_resend_explains_is_parked_and_never_taken_as_once() {
        let facts = settle(
            &[open(1, 7, 2, true)],
            &[shown(1, 7), shown(2, 7)],
            &Explained::default(),
            true,
        );
        assert_eq!(facts, vec![(open(1, 7, 2, true).key, CopyFact::SeenTwice)]);
    }

    #[test]
    fn what_an_earlier_plan_made_is_adopted_and_not_sent_again() {
        let facts = settle(
            &[open(1, 7, 0, false)],
            &[shown(4, 7)],
            &Explained::default(),
            false,
        );
        assert!(matches!(&facts[0].1, CopyFact::Adopted(p) if p.item.as_str() == "t4"));
    }

    #[test]
    fn an_item_without_search_key_is_found_by_its_fallback() {
        let mut row = open(1, 0, 1, true);
        row.stamp = Stamp::fallback(Some("<9@x>"), &ItemClass::new("ipm.note"), None);
        let mut header = shown(9, 3);
        header.key = None;
        let facts = settle(&[row], &[header], &Explained::default(), true);
        assert!(matches!(facts[0].1, CopyFact::SeenOnce(_)));
    }

    #[test]
    fn a_row_without_a_key_never_takes_what_a_row_with_a_key_will_send() {
        // Contacts have neither message id nor submit time: their fallback marks are all the same.
        let weak = Stamp::fallback(None, &ItemClass::new("IPM.Contact"), None);
        let mut row = open(1, 0, 1, true);
        row.stamp = weak.clone();
        let mut other = shown(9, 3);
        other.fallback = weak;
        let keys = other.key.clone().into_iter().collect();
        let explained = Explained {
            keys,
            ..Explained::default()
        };
        let facts = settle(&[row], &[other], &explained, true);
        assert_eq!(facts[0].1, CopyFact::NotSeen);
    }

    proptest! {
        /// No target item is ever given to two rows, and no row gets two facts.
        #[test]
        fn nothing_is_counted_twice(
            rows in proptest::collection::vec((0u8..4, 0u32..3, any::<bool>()), 0..12),
            items in proptest::collection::vec(0u8..4, 0..12),
            hidden in proptest::collection::vec(0u32..12, 0..4),
        ) {
            let rows: Vec<Open> = (0u32..).zip(rows)
                .map(|(n, (key, attempts, doubt))| open(n, key, attempts.max(u32::from(doubt)), doubt))
                .collect();
            let items: Vec<TargetHeader> =
                (0u32..).zip(items).map(|(n, key)| shown(n, key)).collect();
            let known: BTreeSet<TargetItemId> = hidden.iter().map(|n| TargetItemId::new(format!("t{n}"))).collect();
            let explained = Explained { items: known, ..Explained::default() };
            let facts = settle(&rows, &items, &explained, true);
            let keys: BTreeSet<_> = facts.iter().map(|(key, _)| *key).collect();
            prop_assert_eq!(keys.len(), facts.len());
            let mut given = BTreeSet::new();
            for (_, fact) in &facts {
                if let CopyFact::SeenOnce(placed) | CopyFact::Adopted(placed) = fact {
                    prop_assert!(!explained.items.contains(&placed.item));
                    prop_assert!(given.insert(placed.item.clone()));
                }
            }
        }
    }
}
