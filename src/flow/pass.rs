//! One page of changes against what the ledger knows: which facts follow.

use std::collections::BTreeMap;

use crate::base::fact::{CopyFact, Fact, SkipRule};
use crate::base::id::FolderNo;
use crate::base::item::{ItemKey, SourceHeader, Version};
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
    /// Its read flag changed to this, and with it its version, where the server says which that is.
    Flagged(ItemKey, bool, Option<Version>),
}

/// A row that a page touches, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its state.
    pub state: CopyState,
    /// What was listed last.
    pub header: SourceHeader,
}

impl Known {
    /// True when a listing shows another version, or another read flag, than the ledger has. What one side does not say proves nothing.
    fn differs(&self, header: &SourceHeader) -> bool {
        let version = self.header.version.zip(header.version);
        let read = self.header.read.zip(header.read);
        version.is_some_and(|(old, new)| old != new) || read.is_some_and(|(old, new)| old != new)
    }

    fn now(state: CopyState, header: &SourceHeader) -> Self {
        Self {
            state,
            header: header.clone(),
        }
    }
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
    /// Rows that were known and turned out to be another version, or to be there after all.
    pub changed: Count,
}

/// Says what follows from one page, in the server's order. `known` are the rows the page touches, where they exist.
///
/// A page may show the same item twice (created, then edited); the second sees what the first did. An item that is listed once more, by a repeated
/// listing or a full enumeration, changed where its version or read flag did, whatever the server's record of changes says.
pub fn read_page(
    folder: FolderNo,
    page: &[Listed],
    mut known: BTreeMap<ItemKey, Known>,
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
                let now = match known.get(&key) {
                    None => out.newcomer(folder, key, header, *skip),
                    Some(row) => out.seen_again(folder, key, row, header, (*edited, *skip)),
                };
                known.insert(key, now);
            }
            Listed::Left(key) => {
                if let Some(row) = known.get_mut(key) {
                    if matches!(row.state, CopyState::Wanted { .. }) {
                        out.gone += Count::new(1);
                    }
                    row.state = step(&mut out.facts, folder, *key, &row.state, CopyFact::Gone);
                }
            }
            Listed::Flagged(key, read, version) => {
                if let Some(row) = known.get_mut(key) {
                    row.header.read = Some(*read);
                    // Where it is not said which version this is, the next listing shows one that counts as changed: an edit that no
                    // delta told would hide behind the flag otherwise.
                    row.header.version = Some(version.unwrap_or(Version::UNKNOWN));
                    out.facts.push(Fact::Found {
                        folder,
                        header: row.header.clone(),
                    });
                    // A copy that waits takes the flag along when it is exported; one that was sent, or may have been, is out of date.
                    let sent = matches!(row.state, CopyState::InDoubt { .. });
                    if sent || row.state.placed().is_some() {
                        let fact = CopyFact::ChangedSince;
                        row.state = step(&mut out.facts, folder, *key, &row.state, fact);
                    }
                }
            }
        }
    }
    out
}

impl PageFacts {
    fn newcomer(
        &mut self,
        folder: FolderNo,
        key: ItemKey,
        header: &SourceHeader,
        skip: Option<SkipRule>,
    ) -> Known {
        self.new += Count::new(1);
        self.new_bytes += header.size;
        let mut state = CopyState::NEW;
        if let Some(rule) = skip {
            self.skipped += Count::new(1);
            push(&mut self.facts, folder, key, CopyFact::Skipped(rule));
            state = CopyState::Skipped(rule);
        }
        Known::now(state, header)
    }

    fn seen_again(
        &mut self,
        folder: FolderNo,
        key: ItemKey,
        row: &Known,
        header: &SourceHeader,
        (edited, skip): (bool, Option<SkipRule>),
    ) -> Known {
        let back = matches!(row.state, CopyState::Gone | CopyState::Departed { .. });
        // Nothing happened to it, or what happened is carried along when it is exported.
        let waits = matches!(row.state, CopyState::Wanted { .. });
        if !(edited || back || row.differs(header)) || (waits && skip.is_none()) {
            return Known::now(row.state.clone(), header);
        }
        self.changed += Count::new(1);
        let fact = CopyFact::ChangedSince;
        let mut next = step(&mut self.facts, folder, key, &row.state, fact);
        if let (Some(rule), CopyState::Wanted { .. }) = (skip, &next) {
            let fact = CopyFact::Skipped(rule);
            next = step(&mut self.facts, folder, key, &next, fact);
        }
        Known::now(next, header)
    }
}

/// What follows when a folder is gone with everything inside, or when these items are proved to be absent.
pub fn all_left(folder: FolderNo, rows: Vec<Known>) -> PageFacts {
    let key = |row: &Known| ItemKey::of(&row.header.id);
    let listed: Vec<Listed> = rows.iter().map(|row| Listed::Left(key(row))).collect();
    let known = rows.into_iter().map(|row| (key(&row), row)).collect();
    read_page(folder, &listed, known)
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
            version: Some(Version([1; 8])),
        }
    }

    fn there(n: u32, edited: bool) -> Listed {
        Listed::There {
            header: header(n),
            edited,
            skip: None,
        }
    }

    fn confirmed() -> Known {
        let placed = Placed {
            item: TargetItemId::new("t"),
            change_key: ChangeKey::new("c"),
        };
        Known {
            state: CopyState::Confirmed { placed, sent: None },
            header: header(1),
        }
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
    fn an_edit_that_no_delta_told_is_seen_by_its_version_or_read_flag() {
        let key = ItemKey::of(&header(1).id);
        let show = |version: Option<Version>, read: Option<bool>| {
            let header = SourceHeader {
                read,
                version,
                ..header(1)
            };
            let listed = Listed::There {
                header,
                edited: false,
                skip: None,
            };
            let out = read_page(FolderNo(1), &[listed], BTreeMap::from([(key, confirmed())]));
            !copies(&out).is_empty()
        };
        let same = Some(Version([1; 8]));
        assert!(!show(same, Some(true)));
        assert!(show(Some(Version([2; 8])), Some(true)));
        assert!(show(same, Some(false)));
        assert!(!show(None, None), "what is not said proves nothing");
    }

    #[test]
    fn a_flag_that_a_delta_told_is_not_told_again_by_the_next_listing() {
        let key = ItemKey::of(&header(1).id);
        let out = read_page(
            FolderNo(1),
            &[Listed::Flagged(key, false, Some(Version([2; 8])))],
            BTreeMap::from([(key, confirmed())]),
        );
        let Some(Fact::Found { header: kept, .. }) = out.facts.first() else {
            panic!("{:?}", out.facts)
        };
        let row = Known {
            header: kept.clone(),
            ..confirmed()
        };
        let listed = Listed::There {
            header: SourceHeader {
                read: Some(false),
                version: Some(Version([2; 8])),
                ..header(1)
            },
            edited: false,
            skip: None,
        };
        let again = read_page(FolderNo(1), &[listed], BTreeMap::from([(key, row)]));
        assert!(copies(&again).is_empty());
    }

    #[test]
    fn an_edit_that_no_delta_told_does_not_hide_behind_a_flag() {
        let key = ItemKey::of(&header(1).id);
        // What the flag's own delta says the version is; nothing; and what the next listing shows.
        for (told, shown, changed) in [(2, 2, false), (2, 3, true), (0, 2, true)] {
            let told = (told != 0).then_some(Version([told; 8]));
            let listed = [Listed::Flagged(key, false, told)];
            let flagged = read_page(FolderNo(1), &listed, BTreeMap::from([(key, confirmed())]));
            let Some(Fact::Found { header: kept, .. }) = flagged.facts.first() else {
                panic!("{:?}", flagged.facts)
            };
            let row = Known {
                header: kept.clone(),
                ..confirmed()
            };
            let header = SourceHeader {
                read: Some(false),
                version: Some(Version([shown; 8])),
                ..header(1)
            };
            let listed = [Listed::There {
                header,
                edited: false,
                skip: None,
            }];
            let next = read_page(FolderNo(1), &listed, BTreeMap::from([(key, row)]));
            assert_eq!(!copies(&next).is_empty(), changed, "{told:?} then {shown}");
        }
    }

    #[test]
    fn a_flag_that_changed_while_the_copy_was_in_doubt_is_not_forgotten() {
        let key = ItemKey::of(&header(1).id);
        let sent = [
            CopyFact::Intended {
                digest: None,
                stream: Bytes::new(1),
            },
            CopyFact::Lost(crate::base::outcome::DoubtCause::Crash),
        ];
        let doubt = sent.iter().try_fold(CopyState::NEW, CopyState::apply);
        let row = Known {
            state: doubt.unwrap(),
            header: header(1),
        };
        let listed = [Listed::Flagged(key, false, None)];
        let out = read_page(FolderNo(1), &listed, BTreeMap::from([(key, row)]));
        assert_eq!(copies(&out), [&CopyFact::ChangedSince]);
    }

    #[test]
    fn an_item_that_is_back_is_carried_again() {
        let key = ItemKey::of(&header(1).id);
        let gone = Known {
            state: CopyState::Gone,
            header: header(1),
        };
        let known = BTreeMap::from([(key, gone)]);
        let out = read_page(FolderNo(1), &[there(1, false)], known);
        assert_eq!(copies(&out), [&CopyFact::ChangedSince]);
    }

    #[test]
    fn everything_in_a_folder_that_went_has_left() {
        let row = |n| Known {
            header: header(n),
            ..confirmed()
        };
        let out = all_left(FolderNo(1), (0..3).map(row).collect());
        assert_eq!(copies(&out), [&CopyFact::Gone; 3]);
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
