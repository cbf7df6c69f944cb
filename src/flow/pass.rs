//! One page of changes against what the ledger knows: which facts follow.

use std::collections::BTreeMap;

use crate::base::fact::{CopyFact, Fact, SkipRule};
use crate::base::id::FolderNo;
use crate::base::item::{ItemKey, SourceHeader};
use crate::base::quantity::{Bytes, Count};
use crate::flow::copy::CopyState;

/// What a page held, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// An item is there: new, or edited.
    There {
        /// What the listing shows.
        header: SourceHeader,
        /// The server called it an edit.
        edited: bool,
        /// A rule of the plan that leaves it behind.
        skip: Option<SkipRule>,
    },
    /// An item left the folder.
    Left(ItemKey),
    /// Its read flag changed.
    Flagged(ItemKey),
}

/// The outcome of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// To be appended before the page's token.
    pub facts: Vec<Fact>,
    /// Rows that did not exist before.
    pub new: Count,
    /// Their listed bytes.
    pub new_bytes: Bytes,
    /// Of them, how many a rule leaves behind.
    pub skipped: Count,
    /// Known items that left before they were carried.
    pub gone: Count,
}

/// Says what follows from one page, in the server's order. `known` are the states of the rows the page touches, where they exist.
///
/// A page may show the same item twice (created, then edited); the second sees what the first did.
pub fn read_page(
    folder: FolderNo,
    page: &[Listed],
    mut known: BTreeMap<ItemKey, CopyState>,
) -> PageFacts {
    let mut out = PageFacts::default();
    for listed in page {
        match listed {
            Listed::There {
                header,
                edited,
                skip,
            } => {
                let key = ItemKey::of(&header.id);
                out.facts.push(Fact::Found {
                    folder,
                    header: header.clone(),
                });
                match known.get(&key) {
                    None => {
                        out.new += Count::new(1);
                        out.new_bytes += header.size;
                        let mut state = CopyState::NEW;
                        if let Some(rule) = skip {
                            out.skipped += Count::new(1);
                            push(&mut out.facts, folder, key, CopyFact::Skipped(*rule));
                            state = CopyState::Skipped(*rule);
                        }
                        known.insert(key, state);
                    }
                    // Seen again by a repeated or restarted listing: nothing happened to it.
                    Some(state) if !edited && !matches!(state, CopyState::Gone) => {}
                    Some(state) => {
                        let mut next =
                            step(&mut out.facts, folder, key, state, CopyFact::ChangedSince);
                        if let (Some(rule), CopyState::Wanted { .. }) = (skip, &next) {
                            next =
                                step(&mut out.facts, folder, key, &next, CopyFact::Skipped(*rule));
                        }
                        known.insert(key, next);
                    }
                }
            }
            Listed::Left(key) => {
                if let Some(state) = known.get(key) {
                    if matches!(state, CopyState::Wanted { .. }) {
                        out.gone += Count::new(1);
                    }
                    let next = step(&mut out.facts, folder, *key, state, CopyFact::Gone);
                    known.insert(*key, next);
                }
            }
            Listed::Flagged(key) => {
                // A copy that waits takes the flag along when it is exported; only a settled copy is out of date.
                if let Some(state @ CopyState::Confirmed { .. }) = known.get(key) {
                    let next = step(&mut out.facts, folder, *key, state, CopyFact::ChangedSince);
                    known.insert(*key, next);
                }
            }
        }
    }
    out
}

/// Applies `fact` where the machine allows it; a state that does not take it stays as it is (a parked item stays parked).
fn step(
    facts: &mut Vec<Fact>,
    folder: FolderNo,
    key: ItemKey,
    state: &CopyState,
    fact: CopyFact,
) -> CopyState {
    match state.clone().apply(&fact) {
        Ok(next) if next == *state => next,
        Ok(next) => {
            push(facts, folder, key, fact);
            next
        }
        Err(_) => state.clone(),
    }
}

fn push(facts: &mut Vec<Fact>, folder: FolderNo, key: ItemKey, fact: CopyFact) {
    facts.push(Fact::Copy { folder, key, fact });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ChangeKey, ItemId, TargetItemId};
    use crate::base::item::{ItemClass, Placed, Stamp};

    fn header(n: u32) -> SourceHeader {
        let class = ItemClass::new("IPM.Note");
        SourceHeader {
            id: ItemId::new(format!("s{n}")),
            stamp: Stamp::fallback(None, &class, Some(u64::from(n))),
            class,
            size: Bytes::new(100),
            read: Some(true),
            received: None,
            version: None,
        }
    }

    fn there(n: u32, edited: bool) -> Listed {
        Listed::There {
            header: header(n),
            edited,
            skip: None,
        }
    }

    fn confirmed() -> CopyState {
        let placed = Placed {
            item: TargetItemId::new("t"),
            change_key: ChangeKey::new("c"),
        };
        CopyState::Confirmed { placed, sent: None }
    }

    fn copies(out: &PageFacts) -> Vec<&CopyFact> {
        out.facts
            .iter()
            .filter_map(|f| {
                if let Fact::Copy { fact, .. } = f {
                    Some(fact)
                } else {
                    None
                }
            })
            .collect()
    }

    #[test]
    fn a_page_seen_twice_changes_nothing() {
        let key = ItemKey::of(&header(1).id);
        let out = read_page(
            FolderNo(1),
            &[there(1, false)],
            BTreeMap::from([(key, confirmed())]),
        );
        assert_eq!(out.new, Count::ZERO);
        assert!(copies(&out).is_empty());
    }

    #[test]
    fn an_edit_of_a_carried_item_is_named_and_not_hidden() {
        let key = ItemKey::of(&header(1).id);
        let out = read_page(
            FolderNo(1),
            &[there(1, true)],
            BTreeMap::from([(key, confirmed())]),
        );
        assert_eq!(copies(&out), [&CopyFact::ChangedSince]);
    }

    #[test]
    fn an_item_that_left_before_it_was_carried_is_gone() {
        let key = ItemKey::of(&header(1).id);
        let out = read_page(
            FolderNo(1),
            &[there(1, false), Listed::Left(key)],
            BTreeMap::new(),
        );
        assert_eq!(copies(&out), [&CopyFact::Gone]);
        assert_eq!((out.new, out.gone), (Count::new(1), Count::new(1)));
    }

    #[test]
    fn a_skipped_item_says_by_which_rule() {
        let listed = Listed::There {
            header: header(1),
            edited: false,
            skip: Some(SkipRule::TooLarge),
        };
        let out = read_page(FolderNo(1), &[listed], BTreeMap::new());
        assert_eq!(copies(&out), [&CopyFact::Skipped(SkipRule::TooLarge)]);
    }
}
