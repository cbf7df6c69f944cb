//! Freshness: which folders a verdict no longer covers.
//!
//! A verdict was given over the rows and facts the ledger held of a folder. Rows are never removed and facts are only appended, so the two
//! numbers say whether anything became known since: a new item, an edit, a deletion, a copy made again.

use crate::base::fact::FolderRow;
use crate::base::id::FolderNo;
use crate::base::mailbox::FolderPath;
use crate::base::quantity::Count;

/// How far the ledger knows one folder of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderMark {
    /// Which folder.
    pub folder: FolderNo,
    /// Its path, for people.
    pub path: FolderPath,
    /// Items that were ever listed in it.
    pub rows: Count,
    /// What happened to them, all together.
    pub facts: Count,
    /// A mark of cheap sums: where it is the same, nothing became known; where it differs, rows and facts decide.
    pub quick: Option<[u8; 16]>,
}

impl FolderMark {
    /// The mark of a folder before its first row.
    pub fn begin(row: &FolderRow) -> Self {
        Self {
            folder: row.no,
            path: row.path.clone(),
            rows: Count::ZERO,
            facts: Count::ZERO,
            quick: None,
        }
    }

    /// Counts one row with this many facts.
    pub fn count(&mut self, facts: usize) {
        self.rows += Count::new(1);
        self.facts += Count::new(facts as u64);
    }
}

/// Why a verdict does not cover a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StaleWhy {
    /// Something became known about its items since.
    Changed,
    /// It is carried, and the verdict does not know it.
    NotCovered,
}

impl StaleWhy {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Changed => "changed since it was verified",
            Self::NotCovered => "never verified",
        }
    }
}

/// One folder a verdict does not cover.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// Its path.
    pub path: FolderPath,
    /// Why.
    pub why: StaleWhy,
}

/// The folders that a verdict over `covered` says nothing about any more, now that the ledger stands at `now`. By path. A folder that is no
/// longer carried needs no verdict.
pub fn stale(covered: &[FolderMark], now: &[FolderMark]) -> Vec<Stale> {
    let mut out: Vec<Stale> = now
        .iter()
        .filter_map(|mark| {
            let before = covered.iter().find(|own| own.folder == mark.folder);
            let why = match before {
                None => StaleWhy::NotCovered,
                Some(own) if (own.rows, own.facts) != (mark.rows, mark.facts) => StaleWhy::Changed,
                Some(_) => return None,
            };
            Some(Stale {
                path: mark.path.clone(),
                why,
            })
        })
        .collect();
    out.sort();
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(folder: u32, rows: u64, facts: u64) -> FolderMark {
        FolderMark {
            folder: FolderNo(folder),
            path: FolderPath::of([format!("f{folder}").as_str()]),
            rows: Count::new(rows),
            facts: Count::new(facts),
            quick: None,
        }
    }

    #[test]
    fn a_later_change_is_stale_for_its_folder_only() {
        let then = [mark(1, 10, 20), mark(2, 5, 10), mark(3, 1, 2)];
        let now = [mark(1, 10, 20), mark(2, 5, 11), mark(4, 0, 0)];
        let why: Vec<_> = stale(&then, &now)
            .into_iter()
            .map(|s| (s.path.as_str().to_owned(), s.why))
            .collect();
        assert_eq!(
            why,
            [
                ("f2".to_owned(), StaleWhy::Changed),
                ("f4".to_owned(), StaleWhy::NotCovered)
            ]
        );
    }

    proptest! {
        #[test]
        fn a_verdict_covers_what_it_was_given_over(marks in proptest::collection::btree_map(0u32..9, (0u64..9, 0u64..9), 0..9)) {
            let marks: Vec<_> = marks.into_iter().map(|(no, (rows, facts))| mark(no, rows, facts)).collect();
            prop_assert!(stale(&marks, &marks).is_empty());
            prop_assert_eq!(stale(&[], &marks).len(), marks.len());
        }
    }
}
