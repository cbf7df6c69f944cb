//! Marches two listings of one folder side by side, as multisets of class and mark, in 32 bytes per item.
//!
//! An item is a mark (a hash of class and search key, or of the fallback where the source item has no key) and a handle (a hash of its id). A
//! folder of 1,000,000 items on both sides costs 64 MB, whatever its ids and addresses look like. What has a partner is only counted; what has
//! none, or shares its mark with a different number of items on the other side, comes out by name.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::base::id::TargetItemId;
use crate::base::item::{ItemClass, ItemKey, SearchKey, SourceHeader, Stamp, TargetHeader};

/// A hash of class and search key, or of class and fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub [u8; 16]);

/// A hash of a target id. A source item's handle is its [`ItemKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetKey(pub [u8; 16]);

impl TargetKey {
    /// The handle of the target item with this id.
    pub fn of(id: &TargetItemId) -> Self {
        Self(first16(Sha256::digest(id.as_str().as_bytes()).into()))
    }
}

fn first16(hash: [u8; 32]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&hash[..16]);
    out
}

impl Mark {
    /// The mark of an item of this class with this search key.
    pub fn of_key(class: &ItemClass, key: &SearchKey) -> Self {
        Self::make(0, class, key.as_bytes())
    }

    /// The mark of an item of this class with this stamp.
    pub fn of_stamp(class: &ItemClass, stamp: &Stamp) -> Self {
        match stamp {
            Stamp::Key(key) => Self::of_key(class, key),
            Stamp::Fallback(hash) => Self::make(1, class, hash),
        }
    }

    fn make(kind: u8, class: &ItemClass, rest: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update([kind]);
        // Lower case in pieces on the stack: a listing has a million of them.
        let mut piece = [0; 64];
        for chunk in class.as_str().as_bytes().chunks(piece.len()) {
            let piece = &mut piece[..chunk.len()];
            piece.copy_from_slice(chunk);
            piece.make_ascii_lowercase();
            hash.update(&*piece);
        }
        hash.update([0]);
        hash.update(rest);
        Self(first16(hash.finalize().into()))
    }
}

/// The source's listing of a folder.
#[derive(Clone, Debug, Default)]
pub struct SourceList {
    keyed: Vec<(Mark, ItemKey)>,
    unkeyed: Vec<(Mark, ItemKey)>,
}

impl SourceList {
    /// A list with room for this many items.
    pub fn with_room(items: usize) -> Self {
        Self {
            keyed: Vec::with_capacity(items),
            unkeyed: Vec::new(),
        }
    }

    /// Takes one item of the listing.
    pub fn push(&mut self, header: &SourceHeader) {
        let entry = (
            Mark::of_stamp(&header.class, &header.stamp),
            ItemKey::of(&header.id),
        );
        match header.stamp {
            Stamp::Key(_) => self.keyed.push(entry),
            Stamp::Fallback(_) => self.unkeyed.push(entry),
        }
    }

    /// Ends the listing. An item that a page showed twice (the folder moved while it was read) counts once.
    pub fn close(&mut self) {
        for list in [&mut self.keyed, &mut self.unkeyed] {
            list.sort_unstable();
            list.dedup();
        }
    }

    /// How many items it holds.
    pub fn len(&self) -> usize {
        self.keyed.len() + self.unkeyed.len()
    }

    /// True without items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True where this item is in the listing; it must be closed.
    pub fn holds(&self, mark: Mark, key: ItemKey) -> bool {
        let entry = (mark, key);
        self.keyed.binary_search(&entry).is_ok() || self.unkeyed.binary_search(&entry).is_ok()
    }
}

/// The target's listing of a folder.
#[derive(Clone, Debug, Default)]
pub struct TargetList {
    keyed: Vec<(Mark, TargetKey)>,
    plain: Vec<TargetKey>,
    /// By fallback mark: items that may be the copy of a source item without key.
    fallback: Vec<(Mark, TargetKey)>,
    wanted: Vec<Mark>,
}

impl TargetList {
    /// A list with room for this many items, to be set against `source`, which must be closed.
    pub fn with_room(items: usize, source: &SourceList) -> Self {
        let mut wanted: Vec<Mark> = source.unkeyed.iter().map(|(mark, _)| *mark).collect();
        wanted.dedup();
        Self {
            keyed: Vec::with_capacity(items),
            wanted,
            ..Self::default()
        }
    }

    /// Takes one item of the listing.
    pub fn push(&mut self, header: &TargetHeader) {
        let handle = TargetKey::of(&header.placed.item);
        match &header.key {
            Some(key) => self.keyed.push((Mark::of_key(&header.class, key), handle)),
            None => self.plain.push(handle),
        }
        if !self.wanted.is_empty() {
            let mark = Mark::of_stamp(&header.class, &header.fallback);
            if self.wanted.binary_search(&mark).is_ok() {
                self.fallback.push((mark, handle));
            }
        }
    }

    /// Ends the listing.
    pub fn close(&mut self) {
        for list in [&mut self.keyed, &mut self.fallback] {
            list.sort_unstable();
            list.dedup();
        }
        self.plain.sort_unstable();
        self.plain.dedup();
    }

    /// How many items it holds.
    pub fn len(&self) -> usize {
        self.keyed.len() + self.plain.len()
    }

    /// True without items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Items of one mark that only the ledger can tell apart: one side has more than the other, or both have several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// On the source.
    pub source: Vec<ItemKey>,
    /// On the target.
    pub target: Vec<TargetKey>,
}

/// What a march found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marched {
    /// Items that are alone with their mark on either side, and have each other.
    pub matched: u64,
    /// All other marks. One side may be empty.
    pub groups: Vec<(Mark, Group)>,
    /// Target items without search key that nothing claims.
    pub plain: Vec<TargetKey>,
}

/// Marches two closed lists. `pair` hears of every item that is matched.
pub fn march(
    source: &SourceList,
    target: &TargetList,
    mut pair: impl FnMut(Mark, ItemKey, TargetKey),
) -> Marched {
    let mut out = Marched::default();
    walk(&source.keyed, &target.keyed, &mut out, &mut pair);
    if source.unkeyed.is_empty() {
        out.plain.clone_from(&target.plain);
        return out;
    }
    // Keys are the better witness: only what no key claims is free for a fallback.
    let mut free: BTreeSet<TargetKey> = target.plain.iter().copied().collect();
    let alone = |group: &Group| group.source.is_empty();
    for (_, group) in out.groups.iter().filter(|(_, group)| alone(group)) {
        free.extend(&group.target);
    }
    let candidates: Vec<(Mark, TargetKey)> = target
        .fallback
        .iter()
        .filter(|(_, handle)| free.contains(handle))
        .copied()
        .collect();
    let mut claimed = BTreeSet::new();
    let mut second = Marched::default();
    walk(
        &source.unkeyed,
        &candidates,
        &mut second,
        &mut |mark, key, handle| {
            claimed.insert(handle);
            pair(mark, key, handle);
        },
    );
    out.matched += second.matched;
    for (mark, group) in second.groups.into_iter().filter(|(_, u)| !alone(u)) {
        claimed.extend(&group.target);
        out.groups.push((mark, group));
    }
    for (_, group) in out.groups.iter_mut().filter(|(_, group)| alone(group)) {
        group.target.retain(|handle| !claimed.contains(handle));
    }
    out.groups
        .retain(|(_, group)| !group.source.is_empty() || !group.target.is_empty());
    out.plain = target
        .plain
        .iter()
        .filter(|handle| !claimed.contains(handle))
        .copied()
        .collect();
    out
}

/// Walks two sorted lists, mark by mark.
fn walk(
    source: &[(Mark, ItemKey)],
    target: &[(Mark, TargetKey)],
    out: &mut Marched,
    pair: &mut impl FnMut(Mark, ItemKey, TargetKey),
) {
    let (mut left, mut right) = (source, target);
    while let Some(mark) = match (left.first(), right.first()) {
        (Some(a), Some(b)) => Some(a.0.min(b.0)),
        (Some(a), None) => Some(a.0),
        (None, Some(b)) => Some(b.0),
        (None, None) => None,
    } {
        let own = left.iter().take_while(|entry| entry.0 == mark).count();
        let other = right.iter().take_while(|entry| entry.0 == mark).count();
        let (here, there) = (&left[..own], &right[..other]);
        if own == 1 && other == 1 {
            out.matched += 1;
            pair(mark, here[0].1, there[0].1);
        } else {
            let group = Group {
                source: here.iter().map(|entry| entry.1).collect(),
                target: there.iter().map(|entry| entry.1).collect(),
            };
            out.groups.push((mark, group));
        }
        (left, right) = (&left[own..], &right[other..]);
    }
}

/// A group, settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Items with their partners.
    pub pairs: Vec<(ItemKey, TargetKey)>,
    /// Source items without one.
    pub source_only: Vec<ItemKey>,
    /// Target items without one.
    pub target_only: Vec<TargetKey>,
}

/// Settles a group: who is on record as somebody's copy is paired with him, the rest as they come. So what is left over is what nobody
/// made, and what is missing is what somebody removed.
pub fn settle(group: &Group, placed: &BTreeMap<ItemKey, TargetKey>) -> Settled {
    let mut out = Settled::default();
    let mut there: BTreeSet<TargetKey> = group.target.iter().copied().collect();
    let mut waiting = Vec::new();
    for key in &group.source {
        match placed.get(key).filter(|handle| there.remove(handle)) {
            Some(handle) => out.pairs.push((*key, *handle)),
            None => waiting.push(*key),
        }
    }
    // Nobody's record stands in for a lost item only where it is not the copy of another one.
    let known: BTreeSet<TargetKey> = placed.values().copied().collect();
    let (ours, strange): (Vec<_>, Vec<_>) = there.into_iter().partition(|h| known.contains(h));
    let mut strange = strange.into_iter();
    // What was never placed comes first: its copy may be an earlier plan's.
    waiting.sort_by_key(|key| placed.contains_key(key));
    for key in waiting {
        match strange.next() {
            Some(handle) => out.pairs.push((key, handle)),
            None => out.source_only.push(key),
        }
    }
    out.target_only = strange.chain(ours).collect();
    out
}

/// Which items are compared by content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All.
    #[default]
    All,
    /// About this many per cent, drawn by this seed.
    Sample {
        /// 1 to 100.
        percent: u32,
        /// The seed.
        seed: u64,
    },
    /// The `nth` of `of` slices; together they hold every item once, whatever else the folder holds.
    Slice {
        /// From 1.
        nth: u32,
        /// How many.
        of: u32,
    },
}

impl Scope {
    /// True for items of this mark. Items that share a mark are taken together, since only together can they be told apart.
    pub fn takes(self, mark: Mark) -> bool {
        match self {
            Self::All => true,
            Self::Sample { percent, seed } => number(mark, seed) % 100 < u64::from(percent),
            Self::Slice { nth, of } => number(mark, 0) % u64::from(of.max(1)) + 1 == u64::from(nth),
        }
    }
}

fn number(mark: Mark, seed: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"scope");
    hash.update(seed.to_le_bytes());
    hash.update(mark.0);
    let mut eight = [0; 8];
    eight.copy_from_slice(&hash.finalize()[..8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use crate::base::route::Route;
    use proptest::prelude::*;

    use super::*;
    use crate::base::id::{ChangeKey, ItemId};
    use crate::base::item::Placed;
    use crate::base::quantity::Bytes;

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

    fn target(n: usize, mark: u8, keyed: bool, class: &str) -> TargetHeader {
        let class = ItemClass::new(class);
        TargetHeader {
            placed: Placed {
                item: TargetItemId::new(format!("t{n}")),
                change_key: ChangeKey::new("c"),
            },
            key: SearchKey::new(vec![mark; 16]).filter(|_| keyed),
            fallback: Stamp::fallback(Some(&format!("<{mark}@x>")), &class, None),
            class,
            size: Bytes::new(1),
            created: None,
            route: Route::Stream,
        }
    }

    fn meet(a: &[SourceHeader], b: &[TargetHeader]) -> (Marched, Vec<(ItemKey, TargetKey)>) {
        let mut left = SourceList::default();
        for header in a {
            left.push(header);
        }
        left.close();
        let mut right = TargetList::with_room(0, &left);
        for header in b {
            right.push(header);
        }
        right.close();
        let mut pairs = Vec::new();
        let marched = march(&left, &right, |_, key, handle| pairs.push((key, handle)));
        (marched, pairs)
    }

    fn key(n: usize) -> ItemKey {
        ItemKey::of(&ItemId::new(format!("s{n}")))
    }

    fn handle(n: usize) -> TargetKey {
        TargetKey::of(&TargetItemId::new(format!("t{n}")))
    }

    #[test]
    fn two_of_three_copies_leave_one_missing_and_the_ledger_says_which() {
        let a: Vec<_> = (0..3).map(|n| source(n, 7, true, "IPM.Note")).collect();
        let b: Vec<_> = (1..3).map(|n| target(n, 7, true, "ipm.note")).collect();
        let (marched, pairs) = meet(&a, &b);
        assert!(pairs.is_empty());
        assert_eq!(marched.groups.len(), 1);
        let placed = (0..3).map(|n| (key(n), handle(n))).collect();
        let settled = settle(&marched.groups[0].1, &placed);
        assert_eq!(settled.source_only, [key(0)]);
        assert_eq!(settled.pairs.len(), 2);
        assert!(settled.target_only.is_empty());
    }

    #[test]
    fn of_two_copies_the_one_nobody_made_is_left_over() {
        let (marched, _) = meet(
            &[source(0, 7, true, "IPM.Note")],
            &[
                target(0, 7, true, "IPM.Note"),
                target(1, 7, true, "IPM.Note"),
            ],
        );
        for ours in [0, 1] {
            let placed = BTreeMap::from([(key(0), handle(ours))]);
            let settled = settle(&marched.groups[0].1, &placed);
            assert_eq!(settled.target_only, [handle(1 - ours)]);
        }
    }

    #[test]
    fn an_item_of_another_class_is_not_the_same_item() {
        let (marched, pairs) = meet(
            &[source(0, 7, true, "IPM.Note")],
            &[target(0, 7, true, "IPM.Task")],
        );
        assert_eq!((pairs.len(), marched.groups.len()), (0, 2));
    }

    #[test]
    fn a_key_is_the_better_witness() {
        // The item without key may not take what the item with the key claims.
        let (marched, pairs) = meet(
            &[
                source(0, 7, true, "IPM.Note"),
                source(1, 7, false, "IPM.Note"),
            ],
            &[target(0, 7, true, "IPM.Note")],
        );
        assert_eq!(pairs, [(key(0), handle(0))]);
        assert_eq!(marched.groups[0].1.source, [key(1)]);
        // A key the target gave it does not hide the copy of an item that has none.
        let (marched, pairs) = meet(
            &[source(1, 7, false, "IPM.Note")],
            &[target(0, 7, true, "IPM.Note")],
        );
        assert_eq!(pairs, [(key(1), handle(0))]);
        assert!(marched.groups.is_empty() && marched.plain.is_empty());
    }

    #[test]
    fn slices_hold_every_item_once_and_samples_about_what_they_say() {
        let keys: Vec<Mark> = (0..5_000).map(|n| Mark(key(n).0)).collect();
        for of in [1, 2, 7, 30] {
            for each in &keys {
                let takers = (1..=of).filter(|nth| Scope::Slice { nth: *nth, of }.takes(*each));
                assert_eq!(takers.count(), 1);
            }
        }
        let sample = |percent, seed| {
            let scope = Scope::Sample { percent, seed };
            keys.iter().filter(|key| scope.takes(**key)).count()
        };
        assert!((400..600).contains(&sample(10, 1)), "{}", sample(10, 1));
        assert_eq!(sample(100, 1), keys.len());
        assert_ne!(sample(10, 1), 0);
    }

    proptest! {
        /// Whatever the listings and the ledger: nobody has two partners and nobody is forgotten.
        #[test]
        fn every_item_is_matched_once_or_left_over(
            a in proptest::collection::vec((0u8..5, any::<bool>()), 0..30),
            b in proptest::collection::vec((0u8..5, any::<bool>()), 0..30),
            record in proptest::collection::vec((0usize..30, 0usize..30), 0..20),
        ) {
            let a: Vec<_> = a.iter().enumerate()
                .map(|(n, (mark, keyed))| source(n, *mark, *keyed, "IPM.Note")).collect();
            let b: Vec<_> = b.iter().enumerate()
                .map(|(n, (mark, keyed))| target(n, *mark, *keyed, "IPM.Note")).collect();
            let placed: BTreeMap<_, _> = record.into_iter().map(|(s, t)| (key(s), handle(t))).collect();
            let (marched, mut pairs) = meet(&a, &b);
            prop_assert_eq!(marched.matched, pairs.len() as u64);
            let (mut source_only, mut target_only) = (Vec::new(), marched.plain);
            for (_, group) in &marched.groups {
                let settled = settle(group, &placed);
                pairs.extend(settled.pairs);
                source_only.extend(settled.source_only);
                target_only.extend(settled.target_only);
            }
            let mut left: Vec<ItemKey> = pairs.iter().map(|p| p.0).chain(source_only).collect();
            let mut right: Vec<TargetKey> = pairs.iter().map(|p| p.1).chain(target_only).collect();
            left.sort_unstable();
            right.sort_unstable();
            let mut all: Vec<ItemKey> = (0..a.len()).map(key).collect();
            all.sort_unstable();
            prop_assert_eq!(left, all);
            let mut all: Vec<TargetKey> = (0..b.len()).map(handle).collect();
            all.sort_unstable();
            prop_assert_eq!(right, all);
        }
    }
}
