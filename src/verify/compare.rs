//! Sets two listings of one folder against each other, as multisets of class and mark.

use std::collections::BTreeMap;

use crate::base::item::{ItemClass, SourceHeader, Stamp, TargetHeader};

/// Which items found a partner. Indices into the two listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Source items that have a partner on the target.
    pub matched: Vec<(usize, usize)>,
    /// Source items without one.
    pub source_only: Vec<usize>,
    /// Target items without one.
    pub target_only: Vec<usize>,
}

/// Compares by class and search key, and by class and fallback mark where the source item has no key.
pub fn compare(source: &[SourceHeader], target: &[TargetHeader]) -> Compared {
    let mut by_key: BTreeMap<(&ItemClass, Stamp), Vec<usize>> = BTreeMap::new();
    let mut by_fallback: BTreeMap<(&ItemClass, &Stamp), Vec<usize>> = BTreeMap::new();
    for (at, header) in target.iter().enumerate().rev() {
        if let Some(key) = &header.key {
            by_key
                .entry((&header.class, Stamp::Key(key.clone())))
                .or_default()
                .push(at);
        }
        by_fallback
            .entry((&header.class, &header.fallback))
            .or_default()
            .push(at);
    }
    let mut taken = vec![false; target.len()];
    let mut out = Compared::default();
    // Keys first: an item claimed by its key is no longer free for a fallback.
    for keyed in [true, false] {
        for (at, header) in source.iter().enumerate() {
            let has_key = matches!(header.stamp, Stamp::Key(_));
            if has_key != keyed {
                continue;
            }
            let found = if has_key {
                by_key
                    .get_mut(&(&header.class, header.stamp.clone()))
                    .and_then(Vec::pop)
            } else {
                let free = by_fallback.get_mut(&(&header.class, &header.stamp));
                free.and_then(|free| {
                    std::iter::from_fn(|| free.pop()).find(|candidate| !taken[*candidate])
                })
            };
            match found {
                Some(partner) => {
                    taken[partner] = true;
                    out.matched.push((at, partner));
                }
                None => out.source_only.push(at),
            }
        }
    }
    out.target_only = (0..target.len()).filter(|at| !taken[*at]).collect();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ChangeKey, ItemId, TargetItemId};
    use crate::base::item::{Placed, SearchKey};
    use crate::base::quantity::Bytes;
    use proptest::prelude::*;

    fn source(n: usize, mark: u8, keyed: bool, class: &str) -> SourceHeader {
        let class = ItemClass::new(class);
        let key = SearchKey::new(vec![mark; 16]).filter(|_| keyed);
        let id = format!("<{mark}@x>");
        SourceHeader {
            id: ItemId::new(format!("s{n}")),
            stamp: Stamp::of(key.as_ref(), Some(&id), &class, None),
            class,
            size: Bytes::new(1),
            read: None,
            received: None,
            version: None,
        }
    }

    fn target(n: usize, mark: u8, class: &str) -> TargetHeader {
        let class = ItemClass::new(class);
        TargetHeader {
            placed: Placed {
                item: TargetItemId::new(format!("t{n}")),
                change_key: ChangeKey::new("c"),
            },
            key: SearchKey::new(vec![mark; 16]),
            fallback: Stamp::fallback(Some(&format!("<{mark}@x>")), &class, None),
            class,
            size: Bytes::new(1),
        }
    }

    #[test]
    fn two_of_three_copies_leave_one_missing() {
        let a: Vec<_> = (0..3).map(|n| source(n, 7, true, "IPM.Note")).collect();
        let b: Vec<_> = (0..2).map(|n| target(n, 7, "IPM.Note")).collect();
        let out = compare(&a, &b);
        assert_eq!(
            (
                out.matched.len(),
                out.source_only.len(),
                out.target_only.len()
            ),
            (2, 1, 0)
        );
    }

    #[test]
    fn an_item_of_another_class_is_not_the_same_item() {
        let out = compare(
            &[source(0, 7, true, "IPM.Note")],
            &[target(0, 7, "IPM.Task")],
        );
        assert_eq!((out.source_only.len(), out.target_only.len()), (1, 1));
    }

    proptest! {
        /// Whatever the listings: nobody has two partners and nobody is forgotten.
        #[test]
        fn every_item_is_matched_once_or_left_over(
            a in proptest::collection::vec((0u8..5, any::<bool>()), 0..30),
            b in proptest::collection::vec(0u8..5, 0..30),
        ) {
            let a: Vec<_> = a.iter().enumerate()
                .map(|(n, (mark, keyed))| source(n, *mark, *keyed, "IPM.Note")).collect();
            let b: Vec<_> = b.iter().enumerate().map(|(n, mark)| target(n, *mark, "IPM.Note")).collect();
            let out = compare(&a, &b);
            let mut left: Vec<usize> = out.matched.iter().map(|m| m.0).chain(out.source_only.clone()).collect();
            let mut right: Vec<usize> = out.matched.iter().map(|m| m.1).chain(out.target_only.clone()).collect();
            left.sort_unstable();
            right.sort_unstable();
            prop_assert_eq!(left, (0..a.len()).collect::<Vec<_>>());
            prop_assert_eq!(right, (0..b.len()).collect::<Vec<_>>());
        }
    }
}
